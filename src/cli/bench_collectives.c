/* `ringfence bench collectives`. */
#include "cli/bench.h"
#include "mpi/measure_exchange.h"

static enum rf_status collectives(const struct rf_group *world,
                                  const struct rf_bench_request *request,
                                  struct rf_figure *figures, int *n, struct rf_error *err)
{
    if (world->size < 2)
        return rf_fail(err, RF_ERR_ARG,
                       "collectives need at least two ranks: mpirun -n 2 ringfence bench "
                       "collectives");
    return rf_measure_exchange(figures, n, world, request->quick ? 1 : request->rounds, err);
}

const struct rf_bench rf_bench_collectives = {
    .name = "collectives",
    .about = "sums over all ranks, through shared memory and by MPI_Allreduce, in turns; the "
             "limit is copying the same bytes on all ranks at once",
    .run = collectives};
