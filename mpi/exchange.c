#include "mpi/exchange.h"

/* Above a few MiB the library's allreduce leaves the caches and slows down several
 * times; pieces of this size stay fast. */
enum { PIECE_BYTES = 4 << 20 };

static void reduce(const struct rf_group *group, void *data, size_t n, size_t element_bytes,
                   MPI_Datatype type, MPI_Op op)
{
    size_t piece = PIECE_BYTES / element_bytes;
    unsigned char *p = data;

    while (n > 0) {
        size_t count = n < piece ? n : piece;

        MPI_Allreduce(MPI_IN_PLACE, p, (int)count, type, op, group->comm);
        p += count * element_bytes;
        n -= count;
    }
}

static void sum_real(void *self, rf_real *x, size_t n)
{
    reduce(self, x, n, sizeof *x, MPI_FLOAT, MPI_SUM);
}

static void max_real(void *self, rf_real *x, size_t n)
{
    reduce(self, x, n, sizeof *x, MPI_FLOAT, MPI_MAX);
}

static void sum_double(void *self, double *x, size_t n)
{
    reduce(self, x, n, sizeof *x, MPI_DOUBLE, MPI_SUM);
}

struct rf_exchange rf_exchange_over(const struct rf_group *group)
{
    struct rf_exchange exchange = {.rank = group->rank,
                                   .size = group->size,
                                   .self = (void *)(uintptr_t)group,
                                   .sum = sum_real,
                                   .max = max_real,
                                   .sum_double = sum_double};

    return exchange;
}
