/* progress.h - one line about a live run: who runs, who waits, how the pledges stand.
 *
 * On a terminal a line that rewrites itself, otherwise plain lines now and then;
 * always on stderr. Local: only the coordinator has one. */
#ifndef RF_MPI_PROGRESS_H
#define RF_MPI_PROGRESS_H

#include <stdint.h>

#include "alloc/pledge.h"
#include "alloc/state.h"

struct rf_progress {
    int mode;         /* 2 on a terminal, 1 plain lines, 0 none */
    int64_t shown_us; /* when the last line was shown; 0: never */
    int64_t since_us; /* when this process began */
    int width;        /* of the line on the terminal now */
};

struct rf_progress rf_progress_make(int mode, int64_t now_us);
/* The line as text; changed says that a job was granted devices, gave them back or ended. */
void rf_progress_update(struct rf_progress *progress, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, int changed);
/* Leaves the terminal on a fresh line. */
void rf_progress_end(struct rf_progress *progress);

/* "12.3 s  running train[2] probe[1]  waiting 3  alignment 18.2% of 20.0%"; for the line above
 * and its tests. */
void rf_progress_format(const struct rf_progress *progress, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, char *line, int size);

#endif
