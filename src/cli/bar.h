/* bar.h - a progress bar: on stderr, and only where that is a terminal. */
#ifndef RF_CLI_BAR_H
#define RF_CLI_BAR_H

#include <stdint.h>

#include "base/watch.h"

struct rf_bar {
    const char *what; /* borrowed */
    int on;
    int64_t shown_us;
    int width; /* of what stands on the terminal */
    struct rf_watch watch;
};

/* speak: whether this process shows anything at all. Hand &bar->watch to the long work. */
void rf_bar_start(struct rf_bar *bar, const char *what, int speak);
/* Leaves the terminal as it was. */
void rf_bar_end(struct rf_bar *bar);

/* The line for done of total. */
void rf_bar_format(const char *what, int64_t done, int64_t total, char *line, int size);

#endif
