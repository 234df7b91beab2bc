/* ckpt_pack.h - a checkpoint file whose tensors are compressed, granule by granule.
 *
 * Made offline, from values that somebody has: how long a piece becomes is known only once it is
 * packed, so nothing can be laid out beforehand, and a save from memory could not let
 * ranks write to places of their own. All ranks pack, the first one writes. */
#ifndef RF_MPI_CKPT_PACK_H
#define RF_MPI_CKPT_PACK_H

#include "mpi/ckpt.h"

/* Collective on group; arguments are the same everywhere, the status is agreed. Only names, shapes
 * and types of the tensors are looked at; source gives whole granules, to any rank. Replaces a
 * checkpoint of the same step in dir. A rank needs memory for two granules and what they are
 * packed into. On failure nothing is left behind. */
enum rf_status rf_ckpt_pack(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, const struct rf_ckpt_source *source,
                            struct rf_ckpt_saved *saved, struct rf_error *err);

#endif
