/* progress.h - one line about a live run: who runs, who waits, how the pledges stand.
 *
 * The ticker (base/ticker.h) decides where and how often. Local: only the coordinator has one. */
#ifndef RF_MPI_PROGRESS_H
#define RF_MPI_PROGRESS_H

#include "alloc/pledge.h"
#include "alloc/state.h"
#include "base/ticker.h"

/* changed says that a job was granted devices, gave them back or ended. */
void rf_progress_update(struct rf_ticker *ticker, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, int changed);

#endif
