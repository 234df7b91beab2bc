/* status.h - how a run stands: as JSON, from its state, and for people, from that JSON.
 *
 * The coordinator answers with it over its socket; from a ledger alone the same document can be
 * made when nobody answers any more. */
#ifndef RF_REPORT_STATUS_H
#define RF_REPORT_STATUS_H

#include <stdio.h>

#include <jansson.h>

#include "alloc/pledge.h"
#include "alloc/state.h"
#include "base/error.h"
#include "base/ticker.h"

struct rf_status_source {
    const char *run;    /* its name */
    const char *source; /* "live", or "ledger" */
    const char
        *state;     /* "running", "done", "interrupted", or "gone": nobody says how it ended */
    int64_t now_us; /* the time that is meant: charged up to here */
    const struct rf_state *cluster;
    struct rf_tally *tally; /* judged here */
    /* How far all that was asked for has come, in jobs weighed by what their training takes, and
     * how many jobs that is, those still to be submitted included. NULL: nobody knows. */
    const struct rf_pace *pace;
    int64_t planned;
    int64_t entries, sealed_entries;
};

/* The document; NULL: out of memory. */
json_t *rf_status_object(const struct rf_status_source *from);

/* The share of what existed that account was charged, running jobs up to now_us included. */
double rf_status_share(const struct rf_state *state, const struct rf_tally *tally,
                       int32_t account, int64_t now_us);

/* A document for people, at most `columns` wide; the number of lines goes to *lines, which may be
 * NULL. Whatever is missing or of another type is shown as a dash. */
enum rf_status rf_status_print(const json_t *document, FILE *out, int columns, int *lines,
                               struct rf_error *err);
/* The same in one plain line of key=value, without LF, as rf_status_plain() makes it. */
void rf_status_line(const json_t *document, char *line, size_t size);

/* The part of its allowance that an account has used, of device-time or of FLOPs, whichever is
 * more; NAN: it has none. */
double rf_status_used(const struct rf_account *account);

/* A live state in one line for a terminal: "12.3 s   41%  16.7 k tokens/s  ETA 18 s  4/12 jobs
 * alignment 18.2% of 20.0%  waiting 3  running train[2] probe[1]". planned: jobs of the whole run. */
void rf_status_screen(const struct rf_state *state, const struct rf_tally *tally,
                      const struct rf_pace *pace, int64_t planned, char *line, size_t size);
/* And for the output of a batch job, with the keys of every progress line first (base/ticker.h):
 * "progress what=run percent=41.0 elapsed_s=12.3 eta_s=17.7 unit=tokens rate_per_s=16700
 * state=running running=2 queued=3 ended=4 jobs=12 devices=3 fleet=4 share.alignment=0.1820
 * pledge.alignment=0.2000 used.capability=0.3100". The last is of accounts with an allowance. */
void rf_status_plain(const struct rf_state *state, const struct rf_tally *tally,
                     const struct rf_pace *pace, int64_t planned, char *line, size_t size);

#endif
