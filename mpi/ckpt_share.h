/* ckpt_share.h - which tensors need not be written again?
 *
 * Frozen layers, and whatever else is as the last checkpoint has it, are stored once: later files
 * refer to the one that holds them, always directly. Only equal digests decide. To keep training from
 * waiting for digests of what has changed anyway, a few values of each tensor are remembered: where
 * one of them is another now, the tensor is. */
#ifndef RF_MPI_CKPT_SHARE_H
#define RF_MPI_CKPT_SHARE_H

#include <stdint.h>

#include "base/digest.h"
#include "base/tensor.h"
#include "ckpt/manifest.h"
#include "mpi/group.h"

struct rf_share;

/* Local. The tensors are borrowed, their values are read at each survey. */
enum rf_status rf_share_create(struct rf_share **share, const struct rf_tensor *tensors,
                               int ntensors, struct rf_error *err);
void rf_share_destroy(struct rf_share *share);

/* Collective on group; the result and the status are the same everywhere. bases[i] gets the step
 * of the file in dir that holds tensor i as it is now, -1 for most; granules, of all tensors
 * in order, is filled on the first rank for those that have one. A checkpoint that cannot be read
 * is none to refer to. */
enum rf_status rf_share_survey(struct rf_share *share, const struct rf_group *group,
                               const char *dir, int64_t step, int64_t *bases,
                               struct rf_digest *granules, struct rf_error *err);

/* Local: the values of the last survey are what the checkpoint of this step holds. */
void rf_share_commit(struct rf_share *share, int64_t step);

/* Local: before the file of this step in dir is replaced by one that holds `kept` as they are. RF_ERR_INPUT
 * when a later file refers to it for a tensor that is not among them: it names both. */
enum rf_status rf_share_still_serves(const char *dir, int64_t step,
                                     const struct rf_manifest_tensor *kept, int nkept,
                                     struct rf_error *err);

/* Local: RF_ERR_IO when a file that is referred to is not there any more. */
enum rf_status rf_share_check(const char *dir, const int64_t *bases, int ntensors,
                              struct rf_error *err);

#endif
