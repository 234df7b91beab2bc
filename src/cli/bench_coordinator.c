/* `ringfence bench coordinator`. */
#include "cli/bench.h"
#include "mpi/bench_coordinator.h"

static const struct rf_coordinator_bench usual = {.queued = 10000,
                                                  .decisions = 1000,
                                                  .leases = 10000,
                                                  .rate = 1000,
                                                  .seconds = 60,
                                                  .pairs = 15,
                                                  .steps = 400};
static const struct rf_coordinator_bench quick = {.queued = 300,
                                                  .decisions = 50,
                                                  .leases = 2000,
                                                  .rate = 1000,
                                                  .seconds = 3,
                                                  .pairs = 3,
                                                  .steps = 40};

static enum rf_status coordinator(const struct rf_group *world,
                                  const struct rf_bench_request *request,
                                  struct rf_figure *figures, int *n, struct rf_error *err)
{
    struct rf_coordinator_bench what = request->quick ? quick : usual;

    what.dir = request->dir;
    return rf_coordinator_bench(figures, n, world, &what, err);
}

const struct rf_bench rf_bench_coordinator = {
    .name = "coordinator",
    .about =
        "decisions with 10,000 jobs waiting; 10,000 leases and 1,000 messages a second from "
        "simulated workers for a minute, beside a bare message and fdatasync; and what a "
        "coordinator costs its workers, with and without one (start it with mpirun -n 3)",
    .run = coordinator};
