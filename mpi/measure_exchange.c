#include "mpi/measure_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/exchange.h"

enum { SIZES = 4, ROUNDS = 25 };

static const size_t BYTES[SIZES] = {4096, 65536, 1 << 20, 6 << 20};
static const double ROUND_S = 0.05;

/* One way to spend time on n elements, and on how many ranks at once. */
struct way {
    const char *name;
    const struct rf_exchange *exchange; /* NULL: memcpy() */
    rf_real *x;
    rf_real *copy;
};

static void once(const struct way *way, size_t n)
{
    if (way->exchange != NULL)
        rf_exchange_sum(way->exchange, way->x, n);
    else
        memcpy(way->copy, way->x, n * sizeof *way->x);
}

/* Collective: bytes per second of `times` turns, by the slowest rank. */
static double rate(const struct rf_group *group, const struct way *way, size_t n, int times)
{
    double since, took;

    MPI_Barrier(group->comm);
    since = MPI_Wtime();
    for (int i = 0; i < times; i++)
        once(way, n);
    took = MPI_Wtime() - since;
    MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    return (double)(n * sizeof *way->x) * times / took;
}

/* Collective: how often a way fits into a round. */
static int repeats(const struct rf_group *group, const struct way *way, size_t n)
{
    double bytes = (double)(n * sizeof *way->x), fits;

    rate(group, way, n, 1);
    fits = ROUND_S * rate(group, way, n, 2) / bytes;
    return fits < 1 ? 1 : fits > 1e5 ? 100000 : (int)fits;
}

/* Collective: one size; ways are the two to sum and memcpy(). */
static void measure_size(struct rf_figure *figures, int *count, const struct rf_group *group,
                         const struct way ways[3], size_t bytes, int rounds)
{
    double rates[3][ROUNDS], ratio[ROUNDS], shared_over_mpi;
    size_t n = bytes / sizeof(rf_real);
    int times[3];

    memset(ways[0].x, 0, bytes);
    memset(ways[1].x, 0, bytes);
    for (int w = 0; w < 3; w++)
        times[w] = repeats(group, &ways[w], n);
    for (int round = 0; round < rounds; round++)
        for (int w = 0; w < 3; w++)
            rates[w][round] = rate(group, &ways[w], n, times[w]);
    for (int round = 0; round < rounds; round++)
        ratio[round] = rates[0][round] / rates[1][round];
    shared_over_mpi = rf_median(ratio, rounds);
    for (int w = 0; w < 2; w++) {
        struct rf_figure *f = &figures[(*count)++];

        for (int round = 0; round < rounds; round++)
            ratio[round] = rates[w][round] / rates[2][round];
        *f = (struct rf_figure){.unit = "bytes/s",
                                .value = rf_median(rates[w], rounds),
                                .limit = rf_median(rates[2], rounds),
                                .ratio = rf_median(ratio, rounds)};
        snprintf(f->name, sizeof f->name, "collectives.%s.%zuk", ways[w].name, bytes >> 10);
        if (w == 0)
            snprintf(f->said, sizeof f->said, "%d ranks; %.2f x MPI_Allreduce in the same run",
                     group->size, shared_over_mpi);
        else
            snprintf(f->said, sizeof f->said, "%d ranks, MPI_Allreduce", group->size);
    }
}

enum rf_status rf_measure_exchange(struct rf_figure *figures, int *n,
                                   const struct rf_group *group, int rounds,
                                   struct rf_error *err)
{
    const struct rf_exchange_options near = {.room_bytes = BYTES[SIZES - 1]};
    const struct rf_exchange_options far = {.messages = 1};
    struct rf_exchanger *shared = NULL, *messages = NULL;
    rf_real *x = malloc(2 * BYTES[SIZES - 1]);
    struct rf_exchange s, m;
    enum rf_status st = RF_OK;

    if (x == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for messages");
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = rf_exchanger_create(&shared, group, &near, err);
    if (st == RF_OK)
        st = rf_exchanger_create(&messages, group, &far, err);
    if (st == RF_OK) {
        rf_real *copy = x + BYTES[SIZES - 1] / sizeof *x;

        s = rf_exchanger_exchange(shared);
        m = rf_exchanger_exchange(messages);
        for (int i = 0; i < SIZES; i++) {
            const struct way ways[3] = {{"shared", &s, s.room != NULL ? s.room : x, NULL},
                                        {"mpi", &m, x, NULL},
                                        {"copy", NULL, x, copy}};

            measure_size(figures, n, group, ways, BYTES[i], rounds < ROUNDS ? rounds : ROUNDS);
        }
    }
    rf_exchanger_destroy(messages);
    rf_exchanger_destroy(shared);
    free(x);
    return st;
}
