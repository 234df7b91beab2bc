/* granule.h - the units in which a tensor is hashed, written and read.
 *
 * A granule is a run of whole rows of the logical tensor, about 1 MiB, chosen from the shape
 * alone: how ranks slice the tensor changes nothing, and no rank needs more than one granule
 * at a time. Digests: checkpoints/FORMAT.md. */
#ifndef RF_CKPT_GRANULE_H
#define RF_CKPT_GRANULE_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "ckpt/manifest.h"

/* Rows of every granule but the last, which may have fewer; at least 1. */
int64_t rf_granule_rows(const int64_t shape[2]);
/* How many granules a tensor has. */
int64_t rf_granule_count(const int64_t shape[2]);

/* The tensor's digest from its n granules' digests, in order. */
struct rf_digest rf_granule_join(const struct rf_digest *granules, int64_t n);

/* The content digest over names, shapes and digests; the order of the array does not matter.
 * RF_ERR_MEMORY is the only failure. */
enum rf_status rf_manifest_content(const struct rf_manifest_tensor *tensors, int ntensors,
                                   struct rf_digest *content, struct rf_error *err);

#endif
