/* groups.h - the few accounts that a picture can show.
 *
 * A group is an account of the workload; where there are more than RF_GROUPS_MAX of them, it
 * is all below a node of their tree, at the first level at which they part ("alignment" and
 * "capability", or "vc.a", "vc.b"...); and where that gives too many, the ones with the least
 * work to do are together "other". */
#ifndef RF_SIM_GROUPS_H
#define RF_SIM_GROUPS_H

#include "sim/workload.h"

enum { RF_GROUPS_MAX = 8 };

struct rf_groups {
    char names[RF_GROUPS_MAX][RF_NAME_BYTES]; /* most device-time to do first */
    int n;
    int depth; /* parts of a name that a group goes by; 0: all of them */
};

enum rf_status rf_groups_choose(struct rf_groups *groups, const struct rf_workload *workload,
                                struct rf_error *err);

/* The group of an account, as an index; -1: none. */
int rf_groups_find(const struct rf_groups *groups, const char *account);

#endif
