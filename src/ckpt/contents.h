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
#include "ckpt/manifest.h"

/* What is in a file, with the digest of every granule. All zero before the first use. */
struct rf_ckpt_contents {
    struct rf_manifest *manifest; /* owned */
    struct rf_digest *granules;   /* owned, in order of tensors */
    int64_t ngranules;
    uint64_t *offsets; /* owned, one per tensor: where its values begin in the file */
};

/* RF_ERR_INPUT: not a checkpoint, or of a version this program does not know; RF_NO:
 * damaged. Tensors have names that differ, shapes of 1 or more, and values that lie inside the
 * file, no two of them in the same place. */
enum rf_status rf_ckpt_contents_read(struct rf_ckpt_contents *contents, const char *path,
                                     struct rf_error *err);
void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents);

#endif
