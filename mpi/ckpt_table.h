/* ckpt_table.h - the small parts of a checkpoint file: attributes, names, shapes, places.
 *
 * What one process writes before the tensors' bytes: for HDF5's readers, and for ours
 * (ckpt/contents.h), who do without HDF5. */
#ifndef RF_MPI_CKPT_TABLE_H
#define RF_MPI_CKPT_TABLE_H

#include "base/digest.h"
#include "base/tensor.h"
#include "ckpt/contents.h"
#include "ckpt/envelope.h"
#include "ckpt/manifest.h"
#include "mpi/h5.h"

enum { RF_CKPT_OBJECT = RF_TENSOR_NAME + 16 };

/* Where a tensor lives in the file: "m/x" is "/optimizer/m/x", "x" is "/params/x". */
void rf_ckpt_object(char object[RF_CKPT_OBJECT], const char *tensor_name);

/* The kind of array that a tensor's values are. */
enum rf_h5_type rf_ckpt_kind(enum rf_stored stored);

/* What a file is to hold. */
struct rf_ckpt_layout {
    const struct rf_ckpt_info *info;
    const char *config_text; /* or NULL */
    const struct rf_tensor *tensors;
    const int64_t
        *bases; /* [ntensors] the step whose file holds it, -1: this one; NULL: all here */
    int ntensors;
    int64_t ngranules;
    int packed; /* those that are here are compressed */
};

/* Where the tables lie, to be filled in once the values are there, and how large the user block
 * is; the last two tables are there for packed tensors only. */
struct rf_ckpt_places {
    uint64_t names, granules, tensors, content, places, packed_digests;
    uint64_t block_bytes;
};

/* Local: makes the file with everything in it except values and digests; extents[i] gets the
 * place of tensor i, of size 0 when it is packed or not here. */
enum rf_status rf_ckpt_lay_out(const char *path, const struct rf_ckpt_layout *layout,
                               struct rf_extent *extents, struct rf_ckpt_places *places,
                               struct rf_error *err);

/* Local: the same in a directory that need not be there yet, with disk space set aside for all of the
 * file. */
enum rf_status rf_ckpt_make_file(const char *dir, const char *path,
                                 const struct rf_ckpt_layout *layout, struct rf_extent *extents,
                                 struct rf_ckpt_places *places, struct rf_error *err);

#endif
