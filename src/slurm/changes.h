/* changes.h - from what is there to what a plan wants, as commands.
 *
 * Nothing is run here. A plan that is in place gives no commands at all, so that applying it twice
 * does nothing the second time. */
#ifndef RF_SLURM_CHANGES_H
#define RF_SLURM_CHANGES_H

#include "slurm/facts.h"
#include "slurm/plan.h"

enum { RF_SLURM_COMMAND_ARGS = 24 };

struct rf_slurm_command {
    const struct rf_slurm_object
        *object;                     /* borrowed from the plan; NULL: it has no place there */
    char what[RF_SLURM_VALUE_BYTES]; /* the difference: "priority: 0 -> 1000" */
    char args[RF_SLURM_COMMAND_ARGS][RF_SLURM_VALUE_BYTES];
    int nargs;
};

struct rf_slurm_changes { /* starts as all zeros, ended with rf_slurm_changes_clear() */
    struct rf_slurm_command *commands; /* owned; in the order in which they are to be run */
    int ncommands, commands_room;
    struct rf_slurm_command
        *lacking; /* owned: lines of slurm.conf that only its owner can change;
                                         no args */
    int nlacking, lacking_room;
};

/* RF_ERR_CONFIG: the plan's partition is not there. */
enum rf_status rf_slurm_changes_find(struct rf_slurm_changes *changes,
                                     const struct rf_slurm_plan *plan,
                                     const struct rf_slurm_facts *facts, struct rf_error *err);
void rf_slurm_changes_clear(struct rf_slurm_changes *changes);

#endif
