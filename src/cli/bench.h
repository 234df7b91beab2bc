/* bench.h - the measurements of `ringfence bench`, as rows of one table.
 *
 * To add one: write bench_NAME.c, declare its row below, name it in the table in cmd_bench.c and
 * in CMakeLists.txt. A row fills in figures; printing is cmd_bench.c's. */
#ifndef RF_CLI_BENCH_H
#define RF_CLI_BENCH_H

#include "base/figure.h"
#include "base/watch.h"
#include "cli/options.h"
#include "mpi/group.h"

enum { RF_BENCH_FIGURES = 128 };

/* The command line; the same on every rank. */
struct rf_bench_request {
    int quick, full;
    int rounds, steps, profile;
    const char *model;                 /* train, gemm: "gpt" or "gpt2" */
    const char *dir;                   /* where files may be written and removed */
    const struct rf_text_list *traces; /* "FILE" or "FILE:DEVICES" */
    const struct rf_watch *watch;      /* rank 0: told between rounds; NULL elsewhere */
};

struct rf_bench {
    const char *name;
    const char *about; /* what is measured, and beside which limit; a sentence or two */
    /* Collective on world: adds at most RF_BENCH_FIGURES figures; those of rank 0 are printed.
     * The status is the same on every rank. */
    enum rf_status (*run)(const struct rf_group *world, const struct rf_bench_request *request,
                          struct rf_figure *figures, int *n, struct rf_error *err);
};

extern const struct rf_bench rf_bench_gemm;
extern const struct rf_bench rf_bench_train;
extern const struct rf_bench rf_bench_checkpoint;
extern const struct rf_bench rf_bench_collectives;
extern const struct rf_bench rf_bench_ledger;
extern const struct rf_bench rf_bench_coordinator;
extern const struct rf_bench rf_bench_simulate;

#endif
