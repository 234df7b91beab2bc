/* reshard.h - a finished checkpoint written anew, whole, by any number of ranks.
 *
 * Files hold whole tensors, so any layout reads any file and there is nothing to cut. What this is
 * for: another type for the moments, weights without them, a copy that was checked value by
 * value. Values stream from file to file: a rank needs 64 MiB for the writer, one run of at most
 * eight granules, and what the file says about itself, however large the tensors are. */
#ifndef RF_MPI_RESHARD_H
#define RF_MPI_RESHARD_H

#include "base/watch.h"
#include "mpi/ckpt.h"

struct rf_reshard {
    int weights_only;       /* the optimiser's moments are left out */
    int retype;             /* moments are stored as... */
    enum rf_stored moments; /* ...this; parameters become fp32 */
    int pack;               /* values are compressed, without loss (ckpt_pack.h) */
};

/* Collective; arguments are the same everywhere, the status is agreed. Writes the checkpoint in
 * the file `path` to dir under its step, replacing one of the same step, unless a later one there
 * refers to it for what the new one would not hold (RF_ERR_INPUT). Values are checked before they are
 * written. Each rank reports its own share to its watch. */
enum rf_status rf_ckpt_reshard(const struct rf_group *group, const char *path, const char *dir,
                               const struct rf_reshard *how, const struct rf_watch *watch,
                               struct rf_ckpt_saved *saved, struct rf_error *err);

#endif
