/* definition.h - one promise, judged under every reading of its words.
 *
 * "A fifth of the compute" can mean a fifth at each moment, of every month, of the whole
 * period, of a stock that was fixed at a date, and at most or at least a fifth. The readings
 * differ by an order of magnitude on a growing fleet, so each gets a verdict of its own, with
 * the first breach as a counter-example. An observer like the tally (pledge.h), which it uses.
 *
 * For an account, at a moment t:
 *   C(t)  devices the share is taken of: the fleet that is up (basis fleet), or the
 *         devices secured when the pledge was made (basis secured)
 *   p     the share;  u(t) devices held;  d(t) = min(fleet, sum of max of ready and running jobs)
 * and over a stretch of time, in device-microseconds: A = integral of u, W = integral of d,
 * P = what was promised; each definition says what:
 *
 *   INST          for all t: u(t) >= min(d(t), p C(t)). A shortage is a breach when it lasts
 *                 longer than the pledge's tolerance. Judged are the shortages.
 *   FLOW(pledge)  in each window of the pledge: A >= P = p x integral of C
 *   FLOW(day), FLOW(28d), FLOW(quarter)   the same in every whole window of 1, 28 and 91 days
 *                 that begins and ends with a step (options: other lengths); these overlap
 *   PERIOD        from the pledge's date to the end: A >= p x integral of C
 *   STOCK         S = p x devices secured at the pledge's date x horizon, drawn down evenly;
 *                 what joins the fleet later adds nothing. A >= S x (t - date) / horizon at the
 *                 end (at the horizon, when that is earlier: nothing later counts)
 *   STOCK+        the same, but each purchase adds: secured devices are the most that the
 *                 fleet, down devices too, has been since the date
 *   CAP           the share read as a ceiling. In each window of the pledge: A <= P
 *   OFFER         the lender's view. In each window: A + what was available and not asked for
 *                 >= P. Available: devices that are free, or lent to other accounts (as
 *                 their grants say); not asked for: beyond what the account's jobs could have
 *                 used more at that moment
 *   SERVICE       requests that lay in the share when they were made (held + what earlier
 *                 ready requests wait for + its own min <= p C): the 95th percentile of their
 *                 wait, the part of them that was denied, and the device-time (min x limit)
 *                 of those denials, against the options' thresholds
 *
 * horizon is the pledge's term, or, when it has none, the time to the end of the run.
 *
 * A stretch in which the account received less than P is NOT_ASKED, never broken, when it
 * received what it demanded: A >= min(P, D), with D = min(W, A + what its jobs that were there
 * at the end, or were refused in it, could have used more). That is pledge.h's D, except that a
 * job which waited several times is assumed to have waited in one piece, last, and that the bound
 * by its limit holds for each cell of a sliding window: D is never underestimated by that. UNPROVABLE is a stretch that is short by no more than what a
 * crash left without readings; NONE says that there was nothing to judge. The tolerance is
 * pledge.h's: tolerance_us x (P / length, rounded up). A definition's verdict is its worst
 * window's: broken, unprovable, not asked, kept.
 *
 * P accumulates in whole device-microseconds: p x (device-time so far), rounded down, so that
 * a window's P may be one more or less than p x its own device-time rounded down.
 *
 * Each pledged account has one promise with the terms as first made, judged to the end of the
 * run, and, if a later event changed them, a second one with the terms as they were in force.
 *
 * Memory: 32 bytes per job, and what the tally keeps; one sample per step and promise. Cost: as
 * the tally's, which can be shared. When a step or a window ends, all jobs that queue or run are looked at. */
#ifndef RF_ALLOC_DEFINITION_H
#define RF_ALLOC_DEFINITION_H

#include "alloc/observer.h"
#include "alloc/pledge.h"

enum rf_definition {
    RF_DEFINITION_INST,
    RF_DEFINITION_FLOW_PLEDGE,
    RF_DEFINITION_FLOW_DAY,
    RF_DEFINITION_FLOW_MONTH,
    RF_DEFINITION_FLOW_QUARTER,
    RF_DEFINITION_PERIOD,
    RF_DEFINITION_STOCK,
    RF_DEFINITION_STOCK_PLUS,
    RF_DEFINITION_CAP,
    RF_DEFINITION_OFFER,
    RF_DEFINITION_SERVICE,
    RF_DEFINITION_N
};

enum rf_finding_verdict {
    RF_FINDING_NONE, /* nothing to judge */
    RF_FINDING_KEPT,
    RF_FINDING_NOT_ASKED,
    RF_FINDING_UNPROVABLE,
    RF_FINDING_BROKEN /* in order: the worst window's counts */
};

enum { RF_SLIDING_N = 3 };

struct rf_definition_options {
    int64_t step_us;                  /* one sample per step; sliding windows move by it */
    int64_t sliding_us[RF_SLIDING_N]; /* whole numbers of steps */
    int64_t service_wait_us;          /* SERVICE: the 95th percentile may be so long, ... */
    struct rf_share service_denied;   /* ... so many in-share requests may be denied, */
    int64_t service_denied_us;        /* ... of so much device-time in all */
};

/* One stretch of time, in device-microseconds. For SERVICE: a request, from when it was ready
 * to its answer; promised and asked are min x limit, delivered is 0. */
struct rf_stretch {
    int64_t begin_us, end_us;
    struct rf_wide promised_us, asked_us, delivered_us;
};

struct rf_finding {
    enum rf_finding_verdict verdict;
    int64_t length_us;    /* of a window; 0: not in windows */
    int64_t judged, kept; /* windows, shortages (INST), or in-share requests */
    int64_t not_asked, unprovable, broken;
    /* Sums over the windows judged, which overlap for FLOW(day...). For OFFER delivered is
     * what was offered. */
    struct rf_wide promised_us, asked_us, delivered_us;
    struct rf_stretch worst, first; /* the largest breach, the first; begin_us < 0: none */
    /* STOCK, STOCK+ */
    struct rf_wide arrears_us, arrears_max_us; /* at the end; most, at a step's end */
    int64_t arrears_max_at_us;
    int64_t behind_since_us; /* -1: not in arrears at the end */
    /* SERVICE; the percentile is at most 1/64 too high */
    int64_t requests, denied, wait_p95_us;
    struct rf_wide denied_us;
};

/* The sums since the pledge was made, at the end of a step. */
struct rf_definition_sample {
    int64_t t_us;
    struct rf_wide promised_us;   /* p x integral of C: the pledge line */
    struct rf_wide stock_us;      /* the pace lines of STOCK, with a horizon as in the terms */
    struct rf_wide stock_plus_us; /* ... and STOCK+ */
    struct rf_wide delivered_us, wanted_us, offered_us,
        dark_us; /* dark: held without a reading */
    /* D - A of the sliding window that ends here, before min */
    struct rf_wide unmet_us[RF_SLIDING_N];
};

struct rf_promise {
    struct rf_pledge pledge; /* the terms now */
    int changed;             /* 0: as first made; 1: as changed */
    struct rf_finding findings[RF_DEFINITION_N];
    struct rf_definition_sample *samples; /* owned; the last one is where time stands */
    int nsamples;
    /* The same at the pledge's date and at the ends of its windows; owned. */
    struct rf_definition_sample *windows;
    int nwindows;
};

/* A day; 1, 28 and 91 days; an hour, 1/20, no limit. */
struct rf_definition_options rf_definition_options_make(void);
/* RF_ERR_CONFIG on lengths that are not whole numbers of steps, or not positive. */
enum rf_status rf_definition_options_check(const struct rf_definition_options *options,
                                           struct rf_error *err);

struct rf_definitions;
/* The caller ends *definitions with rf_definitions_destroy(). */
enum rf_status rf_definitions_create(struct rf_definitions **definitions,
                                     const struct rf_definition_options *options,
                                     struct rf_error *err);
void rf_definitions_destroy(struct rf_definitions *definitions);

/* Use this tally instead of one of their own: it is borrowed, and somebody else tells it of each
 * event before the definitions hear of it. To be called before the first event. */
void rf_definitions_lend(struct rf_definitions *definitions, struct rf_tally *tally);

/* The definitions are borrowed. A refused event leaves nothing behind. */
struct rf_observer rf_definitions_observer(struct rf_definitions *definitions);

/* Judges everything up to now, once, at the end. */
enum rf_status rf_definitions_judge(struct rf_definitions *definitions,
                                    const struct rf_state *state, struct rf_error *err);
int rf_definitions_npromises(const struct rf_definitions *definitions);
/* Valid until the definitions end; judged when they are. */
const struct rf_promise *rf_definitions_promise(const struct rf_definitions *definitions,
                                                int i);

/* "INST", "FLOW(pledge)", "FLOW(28d)": what people and JSON call it; the length of a sliding
 * window is written as days, or as seconds ("s"). buf: 32 bytes. */
const char *rf_definition_label(enum rf_definition definition,
                                const struct rf_definition_options *options, char buf[32]);
/* "none", "kept", "not-asked", "unprovable", "broken" */
const char *rf_finding_verdict_name(enum rf_finding_verdict verdict);

#endif
