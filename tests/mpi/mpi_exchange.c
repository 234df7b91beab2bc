#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"
#include "mpi/exchange.h"

enum { MOST = 3 * 2048 + 7 };
static const size_t COUNTS[] = {1, 2, 3, 64, 2049, MOST};
enum { NCOUNTS = sizeof COUNTS / sizeof COUNTS[0] };

/* Element i of what rank r brings. */
static float brought(int r, size_t i)
{
    return (float)rf_rng_normal(3, (uint64_t)r, i);
}

static void fill(float *x, size_t n, int rank)
{
    for (size_t i = 0; i < n; i++)
        x[i] = brought(rank, i);
}

static int same_everywhere(const struct rf_group *world, const float *x, size_t n)
{
    static float first[MOST];

    memcpy(first, x, n * sizeof *x);
    rf_group_bcast(world, first, n * sizeof *x, 0);
    return memcmp(first, x, n * sizeof *x) == 0;
}

/* x is the sum, or the largest, of what all brought, within tolerance. */
static int is_combined(const struct rf_group *world, const float *x, size_t n, int most,
                       double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0, size = 0, top = -HUGE_VAL;

        for (int r = 0; r < world->size; r++) {
            sum += (double)brought(r, i);
            size += fabs((double)brought(r, i));
            top = fmax(top, (double)brought(r, i));
        }
        if (fabs((double)x[i] - (most ? top : sum)) > (most ? 0 : tolerance * size))
            return 0;
    }
    return 1;
}

/* Sums and maxima, twice, at every count; in the exchange's room, or outside of it. */
static void everyone_gets_the_same_sum(const struct rf_group *world,
                                       const struct rf_exchange_options *options, int inside)
{
    static float elsewhere[MOST], before[MOST];
    struct rf_exchanger *exchanger;
    struct rf_exchange e;
    struct rf_error err;
    double tolerance = options->bf16 ? 1.0 / 100 : 1e-6;
    float *x;

    CHECK(rf_exchanger_create(&exchanger, world, options, &err) == RF_OK);
    e = rf_exchanger_exchange(exchanger);
    x = inside && e.room != NULL ? e.room : elsewhere;
    for (int k = 0; k < NCOUNTS; k++) {
        size_t n = COUNTS[k];

        fill(x, n, world->rank);
        rf_exchange_sum(&e, x, n);
        CHECK(is_combined(world, x, n, 0, 1e-6) && same_everywhere(world, x, n));
        fill(x, n, world->rank);
        rf_exchange_sum_rows(&e, x, n);
        CHECK(is_combined(world, x, n, 0, tolerance) && same_everywhere(world, x, n));
        memcpy(before, x, n * sizeof *x);
        fill(x, n, world->rank);
        rf_exchange_sum_rows(&e, x, n);
        CHECK(memcmp(before, x, n * sizeof *x) == 0);
        fill(x, n, world->rank);
        rf_exchange_max(&e, x, n);
        CHECK(is_combined(world, x, n, 1, 0));
    }
    rf_exchanger_destroy(exchanger);
}

static void the_path_is_said(const struct rf_group *world)
{
    struct rf_exchange_options options = {.room_bytes = 4096};
    struct rf_exchanger *exchanger;
    struct rf_error err;

    CHECK(rf_exchanger_create(&exchanger, world, &options, &err) == RF_OK);
    CHECK(strcmp(rf_exchanger_path(exchanger), world->size == 1 ? "alone" : "shared memory") ==
          0);
    CHECK((rf_exchanger_exchange(exchanger).room != NULL) == (world->size > 1));
    rf_exchanger_destroy(exchanger);
    options.node_ranks = 1;
    options.bf16 = 1;
    CHECK(rf_exchanger_create(&exchanger, world, &options, &err) == RF_OK);
    CHECK(strcmp(rf_exchanger_path(exchanger), world->size == 1 ? "alone" : "bf16 messages") ==
          0);
    rf_exchanger_destroy(exchanger);
}

static void what_is_asked_is_counted(const struct rf_group *world)
{
    struct rf_exchange_options options = {.room_bytes = 4096};
    struct rf_exchanger *exchanger;
    struct rf_exchange e;
    struct rf_error err;
    double d[2] = {1, 2};
    const struct rf_meter *meter;
    static float x[8];

    CHECK(rf_exchanger_create(&exchanger, world, &options, &err) == RF_OK);
    e = rf_exchanger_exchange(exchanger);
    rf_exchange_sum(&e, x, 8);
    rf_exchange_sum(&e, x, 0);
    rf_exchange_sum_double(&e, d, 2);
    meter = rf_exchanger_meter(exchanger);
    CHECK(meter->traffic.calls[RF_TRAFFIC_SUM] == (world->size > 1));
    CHECK(meter->traffic.bytes[RF_TRAFFIC_SUM] == (world->size > 1 ? 32 : 0));
    CHECK(meter->traffic.bytes[RF_TRAFFIC_SMALL] == (world->size > 1 ? 16 : 0));
    CHECK(d[0] == world->size);
    rf_exchanger_destroy(exchanger);
}

int main(int argc, char **argv)
{
    struct rf_exchange_options options = {.room_bytes = MOST * sizeof(float)};
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    for (options.bf16 = 0; options.bf16 < 2; options.bf16++)
        for (options.node_ranks = 0; options.node_ranks <= 3; options.node_ranks++)
            everyone_gets_the_same_sum(&world, &options, 1);
    options = (struct rf_exchange_options){.room_bytes = MOST * sizeof(float)};
    everyone_gets_the_same_sum(&world, &options, 0);
    the_path_is_said(&world);
    what_is_asked_is_counted(&world);
    result = check_result();
    rf_group_free(&world);
    MPI_Finalize();
    return result;
}
