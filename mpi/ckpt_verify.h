/* ckpt_verify.h - is a checkpoint still what was written? On as many ranks as there are. */
#ifndef RF_MPI_CKPT_VERIFY_H
#define RF_MPI_CKPT_VERIFY_H

#include "base/watch.h"
#include "ckpt/manifest.h"
#include "mpi/group.h"

/* Collective; path is the same everywhere, the status is agreed. Reads everything, each rank
 * its share, and compares it with the digests. RF_NO: damaged; the text names the first damaged
 * tensor and its rows, the same on any number of ranks. RF_ERR_INPUT: no checkpoint. Each rank
 * reports its own share to its watch. *content, when not NULL, gets the content
 * digest. */
enum rf_status rf_ckpt_verify(const struct rf_group *group, const char *path,
                              const struct rf_watch *watch, struct rf_digest *content,
                              struct rf_error *err);

#endif
