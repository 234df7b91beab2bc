/* ckpt_table.h - the small parts of a checkpoint file: attributes, names, shapes, digests.
 *
 * What one process writes before and after the tensors' bytes, and reads before them. */
#ifndef RF_MPI_CKPT_TABLE_H
#define RF_MPI_CKPT_TABLE_H

#include "base/digest.h"
#include "base/tensor.h"
#include "ckpt/envelope.h"
#include "ckpt/manifest.h"
#include "mpi/h5.h"

enum { RF_CKPT_OBJECT = RF_TENSOR_NAME + 16 };

/* Where a tensor lives in the file: "m/x" is "/optimizer/m/x", "x" is "/params/x". */
void rf_ckpt_object(char object[RF_CKPT_OBJECT], const char *tensor_name);

/* The kind of array that a tensor's values are. */
enum rf_h5_type rf_ckpt_kind(enum rf_stored stored);

/* Where the tables of digests lie, to be filled in once the values are there. */
struct rf_ckpt_places {
    uint64_t granules, tensors, content;
};

/* Local: makes the file with everything in it except values and digests; extents[i] gets the
 * place of tensor i. config_text may be NULL. */
enum rf_status rf_ckpt_lay_out(const char *path, const struct rf_ckpt_info *info,
                               const char *config_text, const struct rf_tensor *tensors,
                               int ntensors, int64_t ngranules, struct rf_extent *extents,
                               struct rf_ckpt_places *places, struct rf_error *err);

/* What is in a file, with the digest of every granule. All zero before the first use. */
struct rf_ckpt_contents {
    struct rf_manifest *manifest; /* owned */
    struct rf_digest *granules;   /* owned, in order of tensors */
    int64_t ngranules;
    uint64_t *offsets; /* owned, one per tensor: where its values begin in the file */
};

/* Local: checks the seal, then reads. RF_ERR_INPUT: not a checkpoint, or of a version this
 * program does not know; RF_NO: damaged. */
enum rf_status rf_ckpt_contents_read(struct rf_ckpt_contents *contents, const char *path,
                                     struct rf_error *err);
void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents);

#endif
