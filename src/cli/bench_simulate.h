/* bench_simulate.h - `ringfence bench simulate`. */
#ifndef RF_CLI_BENCH_SIMULATE_H
#define RF_CLI_BENCH_SIMULATE_H

#include "cli/options.h"

struct rf_bench_simulate {
    const char *dir;
    int rounds, quick, full, json;
    const struct rf_text_list *traces; /* "FILE" or "FILE:DEVICES" */
};

/* Local. */
enum rf_status rf_cli_bench_simulate(const struct rf_bench_simulate *what,
                                     struct rf_error *err);

#endif
