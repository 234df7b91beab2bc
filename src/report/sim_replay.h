/* sim_replay.h - a recorded run beside its simulation: for people and as JSON. */
#ifndef RF_REPORT_SIM_REPLAY_H
#define RF_REPORT_SIM_REPLAY_H

#include <stdio.h>

#include <jansson.h>

#include "report/build.h"
#include "sim/fidelity.h"

/* One column of verdicts: the run as recorded, simulated again, simulated under other promises. */
struct rf_replay_column {
    const char *name;             /* "recorded", "replayed", or the other policy's file */
    char policy[40];              /* "fcfs+floor" */
    const struct rf_state *state; /* borrowed, as the tally */
    const struct rf_tally *tally; /* judged; NULL: nothing was promised */
    int64_t makespan_us, preemptions, denied;
};

enum { RF_REPLAY_COLUMNS = 3 };

struct rf_sim_replay {
    const char *path;
    const struct rf_replay *replay; /* borrowed */
    struct rf_fidelity fidelity;    /* of the simulation under the recorded promises */
    struct rf_replay_column columns[RF_REPLAY_COLUMNS];
    int ncolumns;
};

/* A column of that name from a simulation, or from the recording. */
struct rf_replay_column rf_replay_column_of(const char *name, const struct rf_sim_options *o,
                                            const struct rf_sim_result *result);
struct rf_replay_column rf_replay_column_recorded(const struct rf_replay *replay);

/* The summary for people. */
enum rf_status rf_sim_replay_print(const struct rf_sim_replay *r, FILE *out,
                                   struct rf_error *err);
/* The object under "replay" in the JSON document. */
json_t *rf_sim_replay_object(struct rf_build *build, const struct rf_sim_replay *r);

#endif
