/* pledge.h - what was promised, asked for and received, per window.
 *
 * A tally watches events go by and integrates, in integer device-microseconds,
 * for each pledge and each of its windows [k w, (k+1) w) from the start of the run:
 *
 *   entitled  E   share x the fleet's device-time (basis fleet; devices that are down are not
 *                 in the fleet), or share x the device-time of the fleet as it was when the
 *                 pledge was made, down devices too (basis secured); rounded down once per
 *                 window
 *   demanded  D   device-time its queued (ready) and running jobs could have used in the window:
 *                 at each moment min(fleet, sum of their max), but no more in all than what they
 *                 held plus what jobs that were still there at the window's end (or in it were
 *                 denied, or ended other than done) could have held more: of each job at most its
 *                 limit on as many devices as it can use. A job that waited and yet was
 *                 done within the window had no use for more.
 *   delivered A   device-time it received, from meter readings (held_us), which the state has
 *                 checked against devices x elapsed
 *
 * kept iff A >= min(E, D) - tolerance, with the tolerance in device-microseconds per window:
 * tolerance_us x the devices of its share rounded up. A window in which evidence is missing
 * (a recover event, or device-time without a reading at the end) is unprovable, unless it is
 * kept by what is proven already, or broken whatever the missing readings said. Between a
 * crash and its recover event E and D go on as before, because nobody can show that the
 * fleet stood still; between a close and its recover event nothing is counted.
 * The last, shorter window counts too. "The devices of its share rounded up" are E / length.
 * A window has to fit in 63 bits with the fleet at its largest; sums over the run need not.
 *
 * A pledge that is changed, or withdrawn (share 0), goes on being judged beside the new one.
 *
 * Cost: nothing but two products per event without pledges; with them O(pledges of the event's
 * account) for events of a pledged account's jobs. The end of a window, a change of the
 * fleet that matters to a job wider than it, a recovery and a close look at all jobs.
 * Memory: 16 bytes per job and pledge. */
#ifndef RF_ALLOC_PLEDGE_H
#define RF_ALLOC_PLEDGE_H

#include "alloc/observer.h"
#include "alloc/state.h"

enum rf_verdict { RF_KEPT, RF_BROKEN, RF_UNPROVABLE };

/* Up to date once rf_tally_judge() was called. */
struct rf_window {
    int64_t begin_us, end_us; /* the last one ends where time stands */
    int64_t capacity_us;      /* device-time of the fleet that the share is taken of */
    int64_t down_us;          /* device-time of devices that were down */
    int64_t wanted_us;        /* min(fleet, sum of max) of ready and running jobs, integrated */
    int64_t held_us;          /* devices held, integrated; the state's own clock */
    int64_t backlog_us;       /* what jobs unfinished at its end could have used more */
    int64_t refused_us;       /* the same of jobs denied, or ended undone, in it */
    int64_t unread_us;        /* device-time held, for which no reading has come yet */
    int64_t entitled_us, demanded_us, delivered_us; /* device-microseconds */
    int unproven;
    enum rf_verdict verdict;
};

/* What a job could have used more in the window that it was last looked at in. */
struct rf_unmet {
    int64_t unmet_us, since_us; /* ... up to since_us */
};

struct rf_pledge_account {
    struct rf_pledge pledge;
    struct rf_window *windows; /* owned by the tally */
    int nwindows, room;
    /* over the whole run: sums of the windows; shortfall sums max(0, min(E,D) - A) */
    struct rf_wide entitled_us, demanded_us, delivered_us, shortfall_us;
    enum rf_verdict verdict; /* the worst window */

    /* For the tally alone. Time is integrated when something changes for the pledge, and when
     * a window ends. */
    int32_t group, older; /* its tally_group; the pledge of the same account before it, or -1 */
    int64_t done_us;      /* integrated so far */
    int64_t turn_us, next_us; /* the window that done_us lies in */
    int64_t floor_us;         /* jobs' unmet time counts from here on in this window */
    int64_t read_us;          /* sum over holders: devices x time read in this window */
    struct rf_unmet *jobs;    /* owned, by job id */
    int32_t jobs_room;
};

/* A pledged account with all below it; pledged accounts never contain one another. */
struct rf_tally_group {
    int32_t account, newest; /* newest: its latest pledge */
    int64_t wanted;          /* sum of max over running and ready jobs */
    int64_t usable;          /* sum of min(max, fleet) over the same */
    int32_t widest;          /* the largest max it has seen */
    int32_t held;            /* devices */
};

struct rf_tally {
    struct rf_pledge_account *pledges; /* owned; original pledges and, after a change, both */
    int npledges;
    struct rf_wide capacity_us, used_us; /* device-microseconds of the whole fleet so far */
    int64_t now_us;

    /* For the tally alone. */
    struct rf_tally_group *groups; /* owned */
    int ngroups;
    int32_t *group_of; /* owned, by account: index of a group, -1: not pledged */
    int32_t naccounts, accounts_room;
    int32_t *waiting; /* owned: queued jobs that come after others, not ready yet */
    int32_t nwaiting, waiting_room;
    int64_t last_us;           /* beyond this moment a pledge would have too many windows */
    int64_t fits_us;           /* so much of a window fits in 63 bits for certain; */
    int has_long;              /* ... some window is longer */
    int64_t border_us;         /* the first end of a window to come */
    int32_t fleet, down, held; /* devices since the last event */
    int closed;
    struct { /* the event's job before the event; at a recovery the holder not read longest */
        int32_t ndevices, account;
        int part; /* ready or running */
        int64_t charged_us;
        int retry; /* some job that was tried is ready again with this event */
    } was;
};

enum rf_status rf_tally_create(struct rf_tally **tally, struct rf_error *err);
void rf_tally_destroy(struct rf_tally *tally);

/* To be called for each event BEFORE it is applied to the state. An event that is refused
 * afterwards leaves nothing behind. */
enum rf_status rf_tally_before(struct rf_tally *tally, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err);
/* ...and after it was applied: time since the last event is integrated with the state as it was,
 * then pledges, readings and gaps are taken over. */
enum rf_status rf_tally_after(struct rf_tally *tally, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err);
/* Both, as an observer; the tally is borrowed. */
struct rf_observer rf_tally_observer(struct rf_tally *tally);

/* Judges all windows up to now. May be called at any time, and again later. */
void rf_tally_judge(struct rf_tally *tally, const struct rf_state *state);

/* What the pledge's account received in the window in which the state stands now:
 * charged, and held but not charged yet. For policies; O(1). */
int64_t rf_tally_received_us(const struct rf_tally *tally, const struct rf_state *state,
                             const struct rf_pledge *pledge);

const char *rf_verdict_name(enum rf_verdict verdict); /* "kept", "broken", "unprovable" */

#endif
