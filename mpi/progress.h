/* progress.h - one line about a live run: how far it is, who runs, who waits, how the pledges stand.
 *
 * The ticker (base/ticker.h) decides where and how often. Local: only the coordinator has one. */
#ifndef RF_MPI_PROGRESS_H
#define RF_MPI_PROGRESS_H

#include "alloc/pledge.h"
#include "alloc/state.h"
#include "base/ticker.h"

/* A line, now. pace: how far all `planned` jobs of the run have come. */
void rf_progress_show(struct rf_ticker *ticker, const struct rf_state *state,
                      const struct rf_tally *tally, const struct rf_pace *pace, int64_t planned,
                      int64_t now_us);

#endif
