#include "mpi/exchange.h"

#include <stdlib.h>

/* Above a few MiB the library's allreduce leaves the caches and slows down several
 * times; pieces of this size stay fast. */
enum { PIECE_BYTES = 4 << 20 };

void rf_meter_add(struct rf_meter *meter, enum rf_traffic_kind kind, size_t bytes,
                  double since_s)
{
    if (bytes == 0)
        return;
    meter->traffic.calls[kind]++;
    meter->traffic.bytes[kind] += (int64_t)bytes;
    meter->seconds += MPI_Wtime() - since_s;
}

void rf_meter_join(struct rf_meter *meter, const struct rf_meter *other)
{
    for (int k = 0; k < RF_TRAFFIC_KINDS; k++) {
        meter->traffic.calls[k] += other->traffic.calls[k];
        meter->traffic.bytes[k] += other->traffic.bytes[k];
    }
    meter->seconds += other->seconds;
}

/* ---- the ranks of a group ----------------------------------------------------- */

struct rf_exchanger {
    const struct rf_group *group; /* borrowed */
    struct rf_meter meter;
};

static void reduce(struct rf_exchanger *x, enum rf_traffic_kind kind, void *data, size_t n,
                   size_t element_bytes, MPI_Datatype type, MPI_Op op)
{
    size_t piece = PIECE_BYTES / element_bytes, left = n;
    double since = MPI_Wtime();
    unsigned char *p = data;

    while (left > 0) {
        size_t count = left < piece ? left : piece;

        MPI_Allreduce(MPI_IN_PLACE, p, (int)count, type, op, x->group->comm);
        p += count * element_bytes;
        left -= count;
    }
    rf_meter_add(&x->meter, kind, n * element_bytes, since);
}

static void sum_real(void *self, rf_real *x, size_t n)
{
    reduce(self, RF_TRAFFIC_SUM, x, n, sizeof *x, MPI_FLOAT, MPI_SUM);
}

static void max_real(void *self, rf_real *x, size_t n)
{
    reduce(self, RF_TRAFFIC_MAX, x, n, sizeof *x, MPI_FLOAT, MPI_MAX);
}

static void sum_double(void *self, double *x, size_t n)
{
    reduce(self, RF_TRAFFIC_SMALL, x, n, sizeof *x, MPI_DOUBLE, MPI_SUM);
}

enum rf_status rf_exchanger_create(struct rf_exchanger **exchanger,
                                   const struct rf_group *group, struct rf_error *err)
{
    struct rf_exchanger *x = calloc(1, sizeof *x);
    enum rf_status st =
        x != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory for an exchange");

    *exchanger = NULL;
    st = rf_agree(group, st, err);
    if (st != RF_OK) {
        free(x);
        return st;
    }
    x->group = group;
    *exchanger = x;
    return RF_OK;
}

void rf_exchanger_destroy(struct rf_exchanger *exchanger)
{
    free(exchanger);
}

struct rf_exchange rf_exchanger_exchange(struct rf_exchanger *exchanger)
{
    return (struct rf_exchange){.rank = exchanger->group->rank,
                                .size = exchanger->group->size,
                                .self = exchanger,
                                .sum = sum_real,
                                .max = max_real,
                                .sum_double = sum_double};
}

const struct rf_meter *rf_exchanger_meter(const struct rf_exchanger *exchanger)
{
    return &exchanger->meter;
}
