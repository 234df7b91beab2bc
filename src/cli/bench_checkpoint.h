/* bench_checkpoint.h - the part of `bench` that measures checkpoints. */
#ifndef RF_CLI_BENCH_CHECKPOINT_H
#define RF_CLI_BENCH_CHECKPOINT_H

#include "mpi/group.h"

/* Collective on world, arguments equal everywhere: measures in a folder below dir, prints on rank 0. */
enum rf_status rf_cli_bench_checkpoint(const struct rf_group *world, const char *dir,
                                       int rounds, int steps, int quick, int json,
                                       struct rf_error *err);

#endif
