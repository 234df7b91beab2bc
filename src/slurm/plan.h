/* plan.h - a promise in Slurm's own terms, as far as Slurm has any.
 *
 * Pure: policy and site in; out come the objects that Slurm has to have (object.h), each with the
 * reason for it, and notes on what of the promise Slurm has no words for. What each fence becomes:
 *
 *   none       accounts with fair-share and nothing else
 *   partition  a ceiling for each account, so that neither side can take what is the other's; of
 *              whole nodes a reservation besides
 *   floor      two QOS: jobs under "rf-lent" may run anywhere and may be stopped; those under
 *              "rf-pledge-ACCOUNT" stop them, and are as many devices as were promised, no more
 *   bank       the same: Slurm knows no credit
 *   stock      the same, with a budget of device-minutes that does not come back
 *   request    jobs wait under "rf-asked-ACCOUNT", in which nothing runs, until somebody moves them
 *
 * A limit, of any fence, is a budget of device-minutes of its account (GrpTRESMins), rounded down.
 *
 * Names of QOS and reservations begin with "rf-"; what has such a name and no place in the plan is
 * taken away by changes.h. Accounts of ringfence have dots, Slurm's have '_' in their place. */
#ifndef RF_SLURM_PLAN_H
#define RF_SLURM_PLAN_H

#include "slurm/object.h"

struct rf_slurm_part { /* num/den of a fleet */
    int64_t num, den;
};

struct rf_slurm_promise {
    char account[RF_SLURM_NAME_BYTES]; /* with dots */
    struct rf_slurm_part share;
    int64_t secured; /* the share is of so many devices, whatever the fleet; 0: of the fleet */
    struct rf_slurm_part most; /* stock: what it may claim at once */
    int64_t horizon_us;        /* stock */
    int64_t budget_us;         /* request: device-time that may be approved in a window */
};

struct rf_slurm_limit {                /* what an account may use in all, from now on */
    char account[RF_SLURM_NAME_BYTES]; /* with dots */
    int64_t device_us;                 /* 0: as much as it likes */
    int flops;                         /* it may do only so many FLOPs, too */
};

struct rf_slurm_policy {
    char order[16], fence[16];
    int64_t half_life_us, grace_us;
    const struct rf_slurm_promise *promises; /* borrowed */
    int npromises;
    const struct rf_slurm_limit *limits; /* borrowed */
    int nlimits;
    int nchanges; /* changes of mind that are to come */
};

struct rf_slurm_site {
    const char *partition;
    const char *device; /* TRES: "gres/gpu", "cpu" or "node" */
    int64_t devices, nodes;
    const char *others; /* account of everybody who is promised nothing */
};

struct rf_slurm_plan {
    struct rf_slurm_object *objects; /* owned */
    int nobjects, objects_room;
    char (*notes)[RF_SLURM_VALUE_BYTES]; /* owned: what Slurm cannot express */
    int nnotes, notes_room;
};

/* RF_ERR_CONFIG where the promise has no place on this site. The caller ends *plan with
 * rf_slurm_plan_clear() in any case. */
enum rf_status rf_slurm_plan_make(struct rf_slurm_plan *plan,
                                  const struct rf_slurm_policy *policy,
                                  const struct rf_slurm_site *site, struct rf_error *err);
void rf_slurm_plan_clear(struct rf_slurm_plan *plan);

/* "alignment.w2s" -> "alignment_w2s" */
void rf_slurm_account(char to[RF_SLURM_NAME_BYTES], const char *account);

#endif
