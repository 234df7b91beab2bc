/* contents.h - all that a checkpoint file says about its values, read without HDF5.
 *
 * The seal is checked first, so accidents are found; then the index, and everything it
 * points to, against the file's length and extents, so that a file which somebody made with
 * a seal that fits cannot do more than be refused, or be a checkpoint. */
#ifndef RF_CKPT_CONTENTS_H
#define RF_CKPT_CONTENTS_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "ckpt/manifest.h"
#include "ckpt/piece.h"

/* Files that one may refer to. */
enum { RF_CKPT_BASES_MAX = 64 };

/* What is in a file, with the digest of every granule. All zero before the first use. */
struct rf_ckpt_contents {
    struct rf_manifest *manifest; /* owned */
    struct rf_digest *granules;   /* owned, in order of tensors */
    int64_t ngranules;
    uint64_t *offsets;       /* owned, one per tensor: where its values begin; 0 when packed */
    struct rf_piece *pieces; /* owned, one per granule, all zero where it is not packed; NULL
                              * when none is */
    /* From rf_ckpt_contents_resolve() on: */
    int *files; /* owned, one per tensor: which of the paths holds its values */
    char (*paths)[RF_PATH_BYTES]; /* owned [nfiles]; the first is the file itself */
    int nfiles;
};

/* RF_ERR_INPUT: not a checkpoint, or of a version this program does not know; RF_NO:
 * damaged. Tensors have names that differ, shapes of 1 or more, and values that lie inside the
 * file, no two of them in the same place, or in the file of an earlier step. */
enum rf_status rf_ckpt_contents_read(struct rf_ckpt_contents *contents, const char *path,
                                     struct rf_error *err);

/* Finds the values that lie in other files, which stand in the same directory as path. They have
 * to hold the same tensors with the same digests, themselves: RF_NO and both names otherwise. Where
 * the values lie, and whether they are packed there, is known of every tensor then. */
enum rf_status rf_ckpt_contents_resolve(struct rf_ckpt_contents *contents, const char *path,
                                        struct rf_error *err);

/* Says that a granule of a tensor, from this row on, is not what was written; returns status. */
enum rf_status rf_ckpt_contents_damaged(const struct rf_ckpt_contents *contents, int tensor,
                                        int64_t row, enum rf_status status,
                                        struct rf_error *err);
void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents);

#endif
