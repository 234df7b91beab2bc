/* slurm_verbs.h - what 'ringfence slurm' can do, a function per verb; cmd_slurm.c does the rest. */
#ifndef RF_CLI_SLURM_VERBS_H
#define RF_CLI_SLURM_VERBS_H

#include "cli/options.h"
#include "report/build.h"

/* The command line behind the verb; what was not given is NULL or 0. */
struct rf_slurm_call {
    char **args;
    int nargs;
    int json, fresh, check, force;
    const char *partition, *device, *others;                               /* plan, apply */
    const char *policy, *key, *out, *name, *unit, *since, *until, *events; /* import */
    int64_t devices, nodes;
    struct rf_text_list set;
    struct rf_build build;
    json_t *doc; /* with --json, what is printed at the end */
};

enum rf_status rf_slurm_cmd_plan(struct rf_slurm_call *call, struct rf_error *err);
enum rf_status rf_slurm_cmd_apply(struct rf_slurm_call *call, struct rf_error *err);
enum rf_status rf_slurm_cmd_import(struct rf_slurm_call *call, struct rf_error *err);

#endif
