/* policy_plan.h - what the files of the policy share; nobody else includes it.
 *
 * A plan is a state seen as walls: one wall per pledge in force, and one more
 * for everybody else. Fences fill in what each wall may hold and claim; the
 * engine in policy.c then walks the queue in the order's sequence. Numbers are kept
 * up to date with what has been proposed already, so that a list of proposals is
 * consistent when it is carried out from first to last. */
#ifndef RF_ALLOC_POLICY_PLAN_H
#define RF_ALLOC_POLICY_PLAN_H

#include "alloc/policy.h"

struct rf_wall {
    const struct rf_pledge *pledge; /* NULL: everybody else */
    int32_t used, stopping; /* devices held; of these, by jobs that were asked to stop */
    int32_t whole;          /* devices of its share, rounded up */
    /* filled in by the fence: */
    int32_t right; /* devices that nobody may reclaim from it */
    int32_t cap;   /* devices it may hold at most, now */
    int32_t most;  /* ... and ever: a job that needs more can never start */
    int may_claim; /* its jobs may have others preempted, up to right */
};

enum { RF_CLAIMS_MAX = 256 };

struct rf_plan {
    const struct rf_policy *policy;
    const struct rf_state *state;
    const struct rf_tally *tally;
    struct rf_wall walls[RF_PLEDGES_MAX + 1];
    int nwalls;                    /* the last one is everybody else */
    int32_t free;                  /* free devices, less what has been proposed */
    int32_t coming;                /* devices of jobs that are stopping */
    int32_t reserved;              /* free devices kept for claims that wait */
    int32_t claims[RF_CLAIMS_MAX]; /* jobs whose claim waits */
    int nclaims;
    struct rf_proposal *out;
    int nout, max;
};

struct rf_order {
    const char *name;
    /* Queued jobs, first to last: state->nqueue ids. */
    const int32_t *(*sequence)(const struct rf_state *state);
};

struct rf_fence {
    const char *name;
    void (*limits)(struct rf_plan *plan); /* fills in the walls */
    int separate; /* a job that cannot start holds up its own wall only */
};

extern const struct rf_order rf_order_fcfs;
extern const struct rf_fence rf_fence_none, rf_fence_partition, rf_fence_floor;

/* Devices that a pledge takes its share of: the fleet, or what was secured, if it is still
 * there. */
int32_t rf_plan_basis(const struct rf_plan *plan, const struct rf_pledge *pledge);
/* Device-time that the pledge promises for a whole window. */
int64_t rf_plan_entitled_us(const struct rf_plan *plan, const struct rf_pledge *pledge);

#endif
