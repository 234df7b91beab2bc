/* pledge.h - what was promised, asked for and received, per window.
 *
 * A tally watches events go by and integrates, in integer device-microseconds,
 * for each pledge and each of its windows [k w, (k+1) w) from the start of the run:
 *
 *   entitled  E   share x the fleet's device-time (basis fleet), or share x the device-time of
 *                 the fleet as it was when the pledge was made (basis secured); rounded down
 *                 once per window
 *   demanded  D   device-time its queued (ready) and running jobs could have used in the window:
 *                 at each moment min(fleet, sum of their max), but no more in all than what they
 *                 held plus what jobs that were still there at the window's end (or in it were
 *                 denied, or ended other than done) could have held more. A job that waited and
 *                 yet was done within the window had no use for more.
 *   delivered A   device-time it received, from meter readings (held_us), which the state has
 *                 checked against devices x elapsed
 *
 * kept iff A >= min(E, D) - tolerance, with the tolerance in device-microseconds per window:
 * tolerance_us x the devices of its share rounded up. A window in which evidence is missing
 * (a recover event, or device-time without a reading at the end) is unprovable, unless it is
 * kept by what is proven already, or broken whatever the missing readings said. Between a
 * crash and its recover event E and D go on as before, because nobody can show that the
 * fleet stood still; between a close and its recover event nothing is counted.
 * The last, shorter window counts too. "The devices of its share rounded up" are E / length. */
#ifndef RF_ALLOC_PLEDGE_H
#define RF_ALLOC_PLEDGE_H

#include "alloc/state.h"

enum rf_verdict { RF_KEPT, RF_BROKEN, RF_UNPROVABLE };

struct rf_window {
    int64_t begin_us, end_us; /* the last one ends where time stands */
    int64_t capacity_us;      /* device-time of the fleet that the share is taken of */
    int64_t wanted_us;        /* min(fleet, sum of max) of ready and running jobs, integrated */
    int64_t held_us;          /* devices held, integrated; the state's own clock */
    int64_t backlog_us;       /* what jobs unfinished at its end could have used more */
    int64_t refused_us;       /* the same of jobs denied, or ended undone, in it */
    int64_t entitled_us, demanded_us, delivered_us; /* device-microseconds */
    int unproven;
    enum rf_verdict verdict;
};

struct rf_pledge_account {
    struct rf_pledge pledge;
    struct rf_window *windows; /* owned by the tally */
    int nwindows, room;
    int64_t *unmet_us; /* owned, by job id: what it could have used more in the window so far */
    int32_t unmet_room;
    /* over the whole run: sums of the windows; shortfall sums max(0, min(E,D) - A) */
    int64_t entitled_us, demanded_us, delivered_us, shortfall_us;
    enum rf_verdict verdict; /* the worst window */
};

struct rf_tally {
    struct rf_pledge_account *pledges; /* owned; original pledges and, after a change, both */
    int npledges;
    int64_t capacity_us, used_us; /* device-microseconds of the whole fleet so far */
    int64_t now_us;
};

enum rf_status rf_tally_create(struct rf_tally **tally, struct rf_error *err);
void rf_tally_destroy(struct rf_tally *tally);

/* To be called for each event BEFORE it is applied to the state: time from the
 * last event to this one is integrated with the state as it was. */
enum rf_status rf_tally_before(struct rf_tally *tally, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err);
/* ...and after it was applied: pledges, readings and gaps are taken over. */
enum rf_status rf_tally_after(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err);
/* Judges all windows up to now. May be called at any time, and again later. */
void rf_tally_judge(struct rf_tally *tally, const struct rf_state *state);

/* What the pledge's account received in the window in which the state stands now:
 * charged, and held but not charged yet. For policies. */
int64_t rf_tally_received_us(const struct rf_tally *tally, const struct rf_state *state,
                             const struct rf_pledge *pledge);

const char *rf_verdict_name(enum rf_verdict verdict); /* "kept", "broken", "unprovable" */

#endif
