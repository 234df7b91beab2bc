/* The ranks of a node that add up parts are its lanes: as many as the emptiest node has ranks, so that each lane
 * has one rank on every node and these can talk among themselves. On one node all ranks are lanes; where no
 * two ranks share a node there is one lane, which is everybody. */
#include "mpi/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "mpi/common_room.h"
#include "mpi/narrow.h"

/* Above a few MiB the library's allreduce leaves the caches and slows down several
 * times; pieces of this size stay fast. BLOCK: elements that stay in a core's own cache while ranks are added. */
enum { PIECE_BYTES = 4 << 20, BLOCK = 2048 };

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

struct rf_exchanger {
    const struct rf_group *group; /* borrowed */
    struct rf_group node;         /* owned: those that share memory with this rank */
    struct rf_group lane; /* owned: one rank of each node; size 0: this rank is in none */
    int lanes;            /* of each node */
    struct rf_common_room *room; /* owned; NULL: messages among all */
    struct rf_narrow *narrow;    /* owned; NULL: nothing is rounded */
    size_t room_bytes;
    struct rf_meter meter;
    char path[96];
};

/* ---- messages ------------------------------------------------------------------------------- */

static void reduce(const struct rf_group *group, void *data, size_t n, size_t element_bytes,
                   MPI_Datatype type, MPI_Op op)
{
    size_t piece = PIECE_BYTES / element_bytes;
    unsigned char *p = data;

    while (n > 0 && group->size > 1) {
        size_t count = n < piece ? n : piece;

        MPI_Allreduce(MPI_IN_PLACE, p, (int)count, type, op, group->comm);
        p += count * element_bytes;
        n -= count;
    }
}

/* Over the nodes, or over all ranks where none share memory. */
static void reduce_far(struct rf_exchanger *x, rf_real *data, size_t n, MPI_Op op, int rows)
{
    const struct rf_group *far = x->room != NULL ? &x->lane : x->group;

    if (rows && x->narrow != NULL)
        rf_narrow_sum(x->narrow, far, data, n);
    else
        reduce(far, data, n, sizeof *data, MPI_FLOAT, op);
}

/* ---- in place ---------------------------------------------------------------------------------- */

RF_CLONES
static void add_to(rf_real *restrict sum, const rf_real *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

RF_CLONES
static void max_to(rf_real *restrict most, const rf_real *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        most[i] = x[i] > most[i] ? x[i] : most[i];
}

/* What rank r of the node came to the meeting with. */
static rf_real *of(const struct rf_exchanger *x, int r)
{
    return rf_common_room_of(x->room, r);
}

/* Elements [from, from + n) of all ranks of the node, added up into own memory, and into everybody's when that
 * is the end of it. */
static void combine(struct rf_exchanger *x, size_t from, size_t n, MPI_Op op, int hand_out)
{
    rf_real sum[BLOCK];

    for (size_t end = from + n; from < end;) {
        size_t count = end - from < BLOCK ? end - from : BLOCK;

        memcpy(sum, of(x, 0) + from, count * sizeof *sum);
        for (int r = 1; r < x->node.size; r++) {
            if (op == MPI_SUM)
                add_to(sum, of(x, r) + from, count);
            else
                max_to(sum, of(x, r) + from, count);
        }
        for (int r = 0; r < x->node.size; r++)
            if (hand_out || r == x->node.rank)
                memcpy(of(x, r) + from, sum, count * sizeof *sum);
        from += count;
    }
}

static void hand_out(struct rf_exchanger *x, size_t from, size_t n)
{
    const rf_real *own = of(x, x->node.rank);

    for (int r = 0; r < x->node.size; r++)
        if (r != x->node.rank)
            memcpy(of(x, r) + from, own + from, n * sizeof *own);
}

static void reduce_near(struct rf_exchanger *x, rf_real *data, size_t n, MPI_Op op, int rows)
{
    struct rf_slice part;

    rf_common_room_meet(x->room, data);
    if (x->node.rank < x->lanes) {
        part = rf_slice((int64_t)n, x->node.rank, x->lanes);
        combine(x, (size_t)part.begin, (size_t)part.count, op, x->lane.size == 1);
        if (x->lane.size > 1) {
            reduce_far(x, data + part.begin, (size_t)part.count, op, rows);
            hand_out(x, (size_t)part.begin, (size_t)part.count);
        }
    }
    rf_common_room_meet(x->room, data);
}

static void reduce_real(struct rf_exchanger *x, enum rf_traffic_kind kind, rf_real *data,
                        size_t n, MPI_Op op, int rows)
{
    double since = MPI_Wtime();

    if (n == 0)
        return;
    if (x->room == NULL)
        reduce_far(x, data, n, op, rows);
    else if (rf_common_room_holds(x->room, data, n * sizeof *data))
        reduce_near(x, data, n, op, rows);
    else
        reduce(x->group, data, n, sizeof *data, MPI_FLOAT, op);
    rf_meter_add(&x->meter, kind, n * sizeof *data, since);
}

/* ---- what nn asks for -------------------------------------------------------------------------------- */

static void sum_real(void *self, rf_real *data, size_t n)
{
    reduce_real(self, RF_TRAFFIC_SUM, data, n, MPI_SUM, 0);
}

static void sum_rows(void *self, rf_real *data, size_t n)
{
    reduce_real(self, RF_TRAFFIC_SUM, data, n, MPI_SUM, 1);
}

static void max_real(void *self, rf_real *data, size_t n)
{
    reduce_real(self, RF_TRAFFIC_MAX, data, n, MPI_MAX, 0);
}

static void sum_double(void *self, double *data, size_t n)
{
    struct rf_exchanger *x = self;
    double since = MPI_Wtime();

    reduce(x->group, data, n, sizeof *data, MPI_DOUBLE, MPI_SUM);
    rf_meter_add(&x->meter, RF_TRAFFIC_SMALL, n * sizeof *data, since);
}

/* ---- making and ending --------------------------------------------------------------------------------- */

/* Collective: finds the nodes and lanes, and a room where ranks share memory. Without one on some node, all
 * go without. */
static void connect_near(struct rf_exchanger *x, const struct rf_exchange_options *o)
{
    const struct rf_group *group = x->group;
    int fewest, have;

    if (o->node_ranks > 0) {
        rf_group_split(&x->node, group, group->rank / o->node_ranks);
    } else {
        MPI_Comm_split_type(group->comm, MPI_COMM_TYPE_SHARED, group->rank, MPI_INFO_NULL,
                            &x->node.comm);
        MPI_Comm_rank(x->node.comm, &x->node.rank);
        MPI_Comm_size(x->node.comm, &x->node.size);
    }
    fewest = x->node.size;
    have = x->node.size;
    MPI_Allreduce(MPI_IN_PLACE, &fewest, 1, MPI_INT, MPI_MIN, group->comm);
    MPI_Allreduce(MPI_IN_PLACE, &have, 1, MPI_INT, MPI_MAX, group->comm);
    x->lanes = fewest;
    if (have == 1) /* nobody has a neighbour */
        return;
    rf_group_split(&x->lane, group, x->node.rank < fewest ? x->node.rank : fewest);
    x->room = rf_common_room_create(&x->node, o->room_bytes);
    have = x->room != NULL;
    MPI_Allreduce(MPI_IN_PLACE, &have, 1, MPI_INT, MPI_LAND, group->comm);
    if (!have) {
        rf_common_room_destroy(x->room);
        x->room = NULL;
    }
}

static void describe(struct rf_exchanger *x)
{
    const char *rounded = x->narrow != NULL ? "bf16 messages" : "messages";

    if (x->group->size == 1)
        snprintf(x->path, sizeof x->path, "alone");
    else if (x->room == NULL)
        snprintf(x->path, sizeof x->path, "%s", rounded);
    else if (x->node.size == x->group->size)
        snprintf(x->path, sizeof x->path, "shared memory");
    else
        snprintf(x->path, sizeof x->path, "shared memory on the nodes, %s between them",
                 rounded);
}

enum rf_status rf_exchanger_create(struct rf_exchanger **exchanger,
                                   const struct rf_group *group,
                                   const struct rf_exchange_options *options,
                                   struct rf_error *err)
{
    struct rf_exchanger *x = calloc(1, sizeof *x);
    enum rf_status st = RF_OK;

    *exchanger = NULL;
    if (x == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for an exchange of %d ranks",
                     group->size);
    if (st == RF_OK && options->bf16 && group->size > 1)
        st = rf_narrow_create(&x->narrow, group->size, err);
    st = rf_agree(group, st, err);
    if (st != RF_OK) {
        if (x != NULL)
            rf_narrow_destroy(x->narrow);
        free(x);
        return st;
    }
    x->group = group;
    x->room_bytes = options->room_bytes;
    if (group->size > 1 && options->room_bytes > 0 && !options->messages)
        connect_near(x, options);
    describe(x);
    *exchanger = x;
    return RF_OK;
}

void rf_exchanger_destroy(struct rf_exchanger *exchanger)
{
    if (exchanger == NULL)
        return;
    rf_common_room_destroy(exchanger->room);
    rf_group_free(&exchanger->lane);
    rf_group_free(&exchanger->node);
    rf_narrow_destroy(exchanger->narrow);
    free(exchanger);
}

struct rf_exchange rf_exchanger_exchange(struct rf_exchanger *x)
{
    return (struct rf_exchange){.rank = x->group->rank,
                                .size = x->group->size,
                                .self = x,
                                .sum = sum_real,
                                .sum_rows = sum_rows,
                                .max = max_real,
                                .sum_double = sum_double,
                                .room = x->room != NULL ? rf_common_room_own(x->room) : NULL,
                                .room_bytes = rf_exchanger_room_bytes(x)};
}

const char *rf_exchanger_path(const struct rf_exchanger *exchanger)
{
    return exchanger->path;
}

const struct rf_meter *rf_exchanger_meter(const struct rf_exchanger *exchanger)
{
    return &exchanger->meter;
}

size_t rf_exchanger_room_bytes(const struct rf_exchanger *x)
{
    return x->room != NULL ? x->room_bytes : 0;
}
