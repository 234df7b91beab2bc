/* plan_parts.h - the parts of a plan in the making; for plan*.c alone. */
#ifndef RF_SLURM_PLAN_PARTS_H
#define RF_SLURM_PLAN_PARTS_H

#include "slurm/plan.h"

#define RF_SLURM_LENT "rf-lent"

struct rf_slurm_making {
    struct rf_slurm_plan *plan;
    const struct rf_slurm_policy *policy;
    const struct rf_slurm_site *site;
    enum rf_status st; /* the first failure; nothing is added after it */
    struct rf_error *err;
};

/* Another object, with the reason for it; then its settings, one by one. */
void rf_slurm_put(struct rf_slurm_making *m, enum rf_slurm_kind kind, const char *name,
                  const char *format, ...) RF_PRINTF(4, 5);
void rf_slurm_set(struct rf_slurm_making *m, const char *name, const char *format, ...)
    RF_PRINTF(3, 4);
/* What Slurm cannot express. */
void rf_slurm_note(struct rf_slurm_making *m, const char *format, ...) RF_PRINTF(2, 3);

int64_t rf_slurm_seconds_up(int64_t us);
int rf_slurm_is(const char *a, const char *b);
/* Does the fence lend devices, and take them back? */
int rf_slurm_lends(const struct rf_slurm_policy *policy);

/* plan_site.c: what the promise needs besides accounts and QOS, which are in the plan already; and the notes. */
void rf_slurm_put_partition(struct rf_slurm_making *m);
void rf_slurm_put_conf(struct rf_slurm_making *m);
void rf_slurm_put_notes(struct rf_slurm_making *m);

#endif
