/* fidelity.h - how far a simulation of a recorded run is from the run, and why.
 *
 * Compared are the first starts of the jobs that started in both, and the grants and preemptions
 * in their order. What can make them differ is counted beside it: the coordinator reacted late,
 * jobs were stopped more or less often, nobody recorded for a while, jobs got another
 * number of devices than they had, or what they need had to be guessed. */
#ifndef RF_SIM_FIDELITY_H
#define RF_SIM_FIDELITY_H

#include "alloc/observer.h"
#include "sim/replay.h"

/* The grants and preemptions of a simulation: an observer. Starts as all zeros. */
struct rf_steps {
    struct rf_replay_step *items; /* owned */
    int64_t n, room;
};
struct rf_observer rf_steps_observer(struct rf_steps *steps);
void rf_steps_clear(struct rf_steps *steps);

enum rf_cause {
    RF_CAUSE_REACTION, /* decisions that came later than the policy would have taken them */
    RF_CAUSE_STOPS,    /* so many more or fewer preemptions: to the next step boundary, a
                          checkpoint, and starting again */
    RF_CAUSE_DOWN,     /* nobody recorded: crashes, and pauses after a signal */
    RF_CAUSE_SIZES,    /* jobs on another number of devices than they had */
    RF_CAUSE_GUESSED,  /* jobs that ran although what they need is not known */
    RF_CAUSE_N
};

struct rf_cause_seen {
    int64_t times, us; /* how often, and what it comes to; us -1: that is not known */
};

struct rf_fidelity {
    int64_t jobs;                              /* that started in both... */
    int64_t only_recorded, only_simulated;     /* ... or in one */
    int64_t max_us, median_us;                 /* of |simulated - recorded| first starts */
    double mean_us, share;                     /* share: max over the recorded makespan */
    int32_t worst;                             /* the job of the largest; -1: none */
    int64_t makespan_us;                       /* simulated */
    int64_t steps, steps_simulated, same;      /* same: up to the first that differ */
    struct rf_replay_step recorded, simulated; /* these; job -1: there is none */
    struct rf_cause_seen causes[RF_CAUSE_N];
};

enum rf_status rf_fidelity_compare(struct rf_fidelity *fidelity, const struct rf_replay *replay,
                                   const struct rf_sim_result *result,
                                   const struct rf_steps *steps, struct rf_error *err);

/* "reaction", "stopping", "interruption", "sizes", "guessed" */
const char *rf_cause_name(enum rf_cause cause);
/* What people read: "decisions that came late", ... */
const char *rf_cause_about(enum rf_cause cause);

#endif
