/* ckpt.h - checkpoints: one parallel HDF5 file per step, whole logical tensors inside.
 *
 * dir/step-00000120.h5, committed by temporary name, fsync, agreement and rename;
 * readers see a checkpoint whole or not at all. Format: checkpoints/FORMAT.md. A
 * checkpoint can be read by any number of ranks in any slicing. */
#ifndef RF_MPI_CKPT_H
#define RF_MPI_CKPT_H

#include "base/digest.h"
#include "base/file.h"
#include "base/tensor.h"
#include "ckpt/manifest.h"
#include "mpi/group.h"

/* Collective. Writes tensors and info to dir (made when missing) as the
 * checkpoint of info->step; then removes all but the newest `keep` (0: all stay).
 * On success path gets the file's name and *content the digest over all
 * tensors and their names, equal for equal values whatever the layout. A
 * failure on any rank leaves earlier checkpoints as they were. */
enum rf_status rf_ckpt_save(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, int keep, char path[RF_PATH_BYTES],
                            struct rf_digest *content, struct rf_error *err);

/* Collective. Fills the data of the given tensors from the file, each rank
 * its own slice; with nparams < ntensors only the first nparams are read when
 * the rest is not wanted. A tensor that is missing, or of another shape, is
 * RF_ERR_INPUT ("checkpoint from another model") and names both shapes. Digests
 * are checked before a value is used; nothing is changed on failure. */
enum rf_status rf_ckpt_load(const struct rf_group *group, const char *path,
                            struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, struct rf_error *err);

/* Local. The newest complete checkpoint in dir, by step; *found = 0 when there is none.
 * Leftovers of a crash (temporary names) are ignored here and removed by the next save. */
enum rf_status rf_ckpt_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                              int *found, struct rf_error *err);

/* Local, one process (opens serially): reads the manifest; with verify, all data too. */
struct rf_manifest;
enum rf_status rf_ckpt_inspect(const char *path, int verify, struct rf_manifest **manifest,
                               struct rf_error *err);

#endif
