/* ticker.h - one line about work under way, with one look for every command.
 *
 * On stderr. On a terminal the line rewrites itself and goes in the end; anywhere else, as in the
 * output of a batch job, a plain line of key=value comes every RF_TICKER_PLAIN_S seconds. --quiet
 * (log.h) turns both off. Results never come this way. */
#ifndef RF_BASE_TICKER_H
#define RF_BASE_TICKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/watch.h"

enum { RF_TICKER_PLAIN_S = 10, RF_TICKER_BYTES = 320 };

struct rf_ticker {
    enum rf_ticker_mode { RF_TICKER_OFF, RF_TICKER_PLAIN, RF_TICKER_SCREEN } mode;
    int64_t since_us, shown_us;
    int width; /* of what stands on the terminal */
};

/* speak: whether this process shows anything at all. */
void rf_ticker_start(struct rf_ticker *ticker, int speak);
/* Is it time for a line? changed: something happened that is worth a plain line at once; that
 * still comes once a second at most. */
int rf_ticker_due(const struct rf_ticker *ticker, int64_t now_us, int changed);
/* One of the two, without LF. */
void rf_ticker_show(struct rf_ticker *ticker, int64_t now_us, const char *screen,
                    const char *plain);
/* Leaves the terminal as it was. */
void rf_ticker_end(struct rf_ticker *ticker);

/* What every such line says, whatever the work. NAN: not known, or not yet; it is then left out. */
struct rf_pace {
    double part; /* of the work that is done, 0 to 1 */
    double elapsed_s, eta_s;
    double rate;      /* per second, in the mean so far */
    const char *unit; /* of what is counted: "B", "tokens"; NULL: parts of no size, no rate */
};

/* At the pace so far: done of total after elapsed_s. */
struct rf_pace rf_pace_of(double done, double total, double elapsed_s, const char *unit);
/* Adds " 41%  16.7 k tokens/s  ETA 18 s" to a line for a terminal. */
void rf_pace_add_screen(const struct rf_pace *pace, char *line, size_t size);
/* Begins a plain line: "progress what=run percent=41.0 elapsed_s=12.3 eta_s=17.7 unit=tokens
 * rate_per_s=16700". */
void rf_pace_plain(const struct rf_pace *pace, const char *what, char *line, size_t size);

/* So much of so much. Hand &bar->watch to the long work. */
struct rf_bar {
    const char *what; /* borrowed */
    const char
        *unit; /* of what is counted: "B", "cells"; NULL: parts of no size, without a rate */
    int on;
    struct rf_ticker ticker;
    struct rf_watch watch;
};

void rf_bar_start(struct rf_bar *bar, const char *what, int speak);
void rf_bar_end(struct rf_bar *bar);

/* "what [====    ]  45%  1.2 GB/s  ETA 3 min" and "progress what=... done=... total=...": rate and
 * the time that is left are those of the mean so far, and left out before there is one. */
void rf_bar_screen(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                   char *line, size_t size);
void rf_bar_plain(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                  char *line, size_t size);

#endif
