#include "mpi/scaling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/figure.h"
#include "base/file.h"
#include "base/memory.h"
#include "mpi/measure.h"
#include "mpi/mesh.h"
#include "mpi/shard.h"

/* ---- where the ranks are ----------------------------------------------------------------- */

/* Local: the same on all nodes that one kernel runs, whatever they are called. */
static uint64_t machine_id(void)
{
    char name[256] = "", *boot = NULL;
    size_t size;
    struct rf_error ignored;
    uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */

    if (rf_file_read("/proc/sys/kernel/random/boot_id", 4096, &boot, &size, &ignored) == RF_OK)
        strncpy(name, boot, sizeof name - 1);
    else
        gethostname(name, sizeof name - 1);
    free(boot);
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (uint64_t)(unsigned char)*c) * UINT64_C(1099511628211);
    return hash;
}

/* Collective on group; all[group->size] is scratch. */
static void find_places(struct rf_scale_point *point, const struct rf_group *group,
                        uint64_t *all)
{
    uint64_t mine = machine_id();
    int64_t cores = (int64_t)sysconf(_SC_NPROCESSORS_ONLN), sum = 0;
    int leader, first = 1;
    MPI_Comm node;

    MPI_Comm_split_type(group->comm, MPI_COMM_TYPE_SHARED, group->rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &leader);
    MPI_Comm_free(&node);
    leader = leader == 0;
    MPI_Allreduce(&leader, &point->nodes, 1, MPI_INT, MPI_SUM, group->comm);
    MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, group->comm);
    for (int r = 0; r < group->rank; r++)
        first = first && all[r] != mine;
    MPI_Allreduce(&first, &point->machines, 1, MPI_INT, MPI_SUM, group->comm);
    cores = first ? (cores > 0 ? cores : 1) : 0;
    MPI_Allreduce(&cores, &sum, 1, MPI_INT64_T, MPI_SUM, group->comm);
    point->cores = (int)sum;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Collective. */
static double slowest(const struct rf_group *group, double seconds)
{
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    return seconds;
}

static double mean_of(const struct rf_group *group, double x)
{
    MPI_Allreduce(MPI_IN_PLACE, &x, 1, MPI_DOUBLE, MPI_SUM, group->comm);
    return x / group->size;
}

static int64_t most(const struct rf_group *group, int64_t x)
{
    MPI_Allreduce(MPI_IN_PLACE, &x, 1, MPI_INT64_T, MPI_MAX, group->comm);
    return x;
}

/* Collective: one repeat of `times` steps. */
static void time_repeat(struct rf_scale_point *point, const struct rf_group *group,
                        struct rf_trainer *trainer, const struct rf_batch *batch, int times)
{
    struct rf_meter before, after;
    struct rf_step_result result;
    int i = point->repeats++;
    double since;

    MPI_Barrier(group->comm);
    rf_trainer_meter(trainer, &before);
    since = MPI_Wtime();
    for (int k = 0; k < times; k++)
        rf_trainer_step(trainer, batch, &result);
    point->step_s[i] = slowest(group, MPI_Wtime() - since) / times;
    rf_trainer_meter(trainer, &after);
    point->exchange_s[i] = mean_of(group, after.seconds - before.seconds) / times;
    point->flops = result.flops;
    for (int k = 0; k < RF_TRAFFIC_KINDS; k++) {
        point->moved.calls[k] = (after.traffic.calls[k] - before.traffic.calls[k]) / times;
        point->moved.bytes[k] = (after.traffic.bytes[k] - before.traffic.bytes[k]) / times;
    }
}

/* Collective on group. */
static enum rf_status time_steps(struct rf_scale_point *point, const struct rf_group *group,
                                 const struct rf_scaling *what, struct rf_error *err)
{
    const struct rf_model_shape *shape = &what->subject->shape;
    struct rf_train_options options = *what->train, planned;
    struct rf_trainer *trainer = NULL;
    struct rf_step_result result;
    struct rf_batch batch;
    int32_t *block;
    struct rf_memory before;
    size_t predicted = 0;
    double since;
    int times;
    enum rf_status st =
        rf_measure_batch(&batch, &block, point->batch, shape->context, shape->vocabulary, err);

    options.max_B = point->batch;
    options.max_T = shape->context;
    options.max_R = point->batch * shape->context;
    options.max_range = shape->vocabulary;
    options.tensor = point->tensor;
    planned = options;
    planned.exchange_messages = rf_mesh_apart(group, point->tensor);
    if (st == RF_OK)
        st = rf_trainer_predict_bytes(&predicted, shape, &planned, group->rank, group->size,
                                      err);
    st = rf_agree(group, st, err);
    before = rf_memory_mark();
    if (st == RF_OK)
        st = rf_trainer_create(&trainer, group, shape, &options, err);
    if (st == RF_OK) {
        rf_trainer_step(trainer, &batch, &result); /* what is made at first use is made */
        since = MPI_Wtime();
        rf_trainer_step(trainer, &batch, &result);
        since = slowest(group, MPI_Wtime() - since);
        times = since > 0 && since < what->seconds ? (int)(what->seconds / since) : 1;
        for (int i = 0; i < what->repeats; i++)
            time_repeat(point, group, trainer, &batch, times);
        snprintf(point->exchange, sizeof point->exchange, "%s", rf_trainer_exchange(trainer));
        point->memory_predicted = most(group, (int64_t)predicted);
        point->memory_held = most(group, (int64_t)rf_trainer_bytes(trainer));
        point->memory_peak =
            most(group, rf_memory_grown(&before, (int64_t)rf_trainer_room_bytes(trainer)));
    }
    rf_trainer_destroy(trainer);
    free(block);
    return st;
}

/* ---- messages --------------------------------------------------------------------------------- */

enum { SIZES = 5, ROW = 64, TRIES = 25, FEWEST = 3, LARGEST = 1 << 20 /* elements */ };

static const int ELEMENTS[SIZES] = {ROW, 1 << 10, 1 << 14, 1 << 17, LARGEST};

/* One kind of collective over a group, n elements of x at a time. */
struct collective {
    enum rf_wire_kind kind;
    const struct rf_group *group;
    struct rf_exchange exchange; /* RF_WIRE_SUM */
    rf_real *x;                  /* [LARGEST] */
    double budget_s;             /* for each size */
};

/* A tensor of n elements by itself, for the optimiser's exchange. */
static struct rf_param tensor_of(int n)
{
    return (struct rf_param){.ndims = 2, .shape = {n / ROW, ROW}, .extent = {n / ROW, ROW}};
}

/* Collective on the group: median seconds, of the slowest rank of everyone. */
static enum rf_status time_size(const struct collective *c, const struct rf_group *everyone,
                                int n, double *seconds, struct rf_error *err)
{
    struct rf_param param = tensor_of(n);
    struct rf_plan plan = {.params = &param, .nparams = 1, .wpe = -1};
    struct rf_shard *shard = NULL;
    double took[TRIES], begun = MPI_Wtime();
    int n_took = 0, more = 1;
    enum rf_status st = RF_OK;

    if (c->kind == RF_WIRE_SHARD)
        st = rf_shard_create(&shard, &plan, c->group, 0, err);
    st = rf_agree(everyone, st, err);
    for (int i = -1; st == RF_OK && more; i++) { /* the first one is not counted */
        double since;

        MPI_Barrier(everyone->comm);
        since = MPI_Wtime();
        if (c->kind == RF_WIRE_SHARD) {
            rf_shard_gather(shard, c->x);
            rf_shard_spread(shard, 0, c->x, sizeof(rf_real));
        } else {
            rf_exchange_sum_rows(&c->exchange, c->x, (size_t)n);
        }
        since = slowest(everyone, MPI_Wtime() - since);
        if (i >= 0)
            took[n_took++] = since;
        more = n_took < FEWEST ||
               (n_took < TRIES && slowest(everyone, MPI_Wtime() - begun) < c->budget_s);
    }
    rf_shard_destroy(shard);
    *seconds = n_took > 0 ? rf_median(took, n_took) : 0;
    return st;
}

static enum rf_status sample(struct rf_scale_point *point, const struct collective *c,
                             const struct rf_group *everyone, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; i < SIZES && st == RF_OK; i++) {
        struct rf_wire_sample *s = &point->samples[point->nsamples];

        *s = (struct rf_wire_sample){.kind = c->kind,
                                     .ranks = c->group->size,
                                     .bytes = (int64_t)ELEMENTS[i] * (int64_t)sizeof(rf_real)};
        memset(c->x, 0, LARGEST * sizeof *c->x);
        st = time_size(c, everyone, ELEMENTS[i], &s->seconds, err);
        point->nsamples += st == RF_OK;
    }
    return st;
}

/* Collective on group: what sums over a copy of the model cost, and what gradients and values of copies
 * do; all copies at once, as in training. */
static enum rf_status time_messages(struct rf_scale_point *point, const struct rf_group *group,
                                    const struct rf_scaling *what, struct rf_error *err)
{
    struct rf_mesh mesh;
    struct rf_exchanger *exchanger = NULL;
    const struct rf_exchange_options options = {.room_bytes = LARGEST * sizeof(rf_real),
                                                .bf16 = what->train->bf16 &&
                                                        what->train->exchange_bf16};
    rf_real *x = malloc(LARGEST * sizeof *x);
    struct collective c = {.budget_s = what->seconds / SIZES};
    enum rf_status st =
        x != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory for messages");

    st = rf_agree(group, st, err);
    rf_mesh_make(&mesh, group, point->tensor);
    c.group = mesh.tensor.size > 1 ? &mesh.tensor : &mesh.data;
    if (st == RF_OK)
        st = rf_exchanger_create(&exchanger, c.group, &options, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK && group->size > 1) {
        c.kind = RF_WIRE_SUM;
        c.exchange = rf_exchanger_exchange(exchanger);
        c.x = c.exchange.room != NULL ? c.exchange.room : x;
        st = sample(point, &c, group, err);
    }
    if (st == RF_OK && mesh.data.size > 1) {
        c.kind = RF_WIRE_SHARD;
        c.group = &mesh.data;
        c.x = x;
        st = sample(point, &c, group, err);
    }
    rf_exchanger_destroy(exchanger);
    rf_mesh_free(&mesh);
    free(x);
    return st;
}

/* ---- a point ------------------------------------------------------------------------------------ */

/* Collective on the first tensor x data ranks. */
static enum rf_status measure_among(struct rf_scale_point *point, const struct rf_group *world,
                                    const struct rf_scaling *what, int *ranks, uint64_t *ids,
                                    struct rf_error *err)
{
    struct rf_group group = {0};
    enum rf_status st;

    for (int i = 0; i < rf_scale_ranks(point); i++)
        ranks[i] = i;
    rf_group_among(&group, world, ranks, rf_scale_ranks(point), 0);
    find_places(point, &group, ids);
    st = time_messages(point, &group, what, err);
    if (st == RF_OK)
        st = time_steps(point, &group, what, err);
    rf_group_free(&group);
    return st;
}

enum rf_status rf_scaling_measure(struct rf_scale_point *point, const struct rf_group *world,
                                  const struct rf_scaling *what, enum rf_scale_mode mode,
                                  int tensor, int data, struct rf_error *err)
{
    int n = tensor * data, weak = mode == RF_SCALE_WEAK;
    int *ranks = malloc((size_t)n * sizeof *ranks);
    uint64_t *ids = malloc((size_t)n * sizeof *ids);
    enum rf_status st = RF_OK;

    *point = (struct rf_scale_point){.mode = mode,
                                     .tensor = tensor,
                                     .data = data,
                                     .batch = what->subject->batch * (weak ? n : 1)};
    if (n > world->size)
        st = rf_fail(err, RF_ERR_ARG, "%d x %d ranks are more than the %d there are", tensor,
                     data, world->size);
    else if (ranks == NULL || ids == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a list of %d ranks", n);
    st = rf_agree(world, st, err);
    if (st == RF_OK) {
        if (world->rank < n)
            st = measure_among(point, world, what, ranks, ids, err);
        rf_group_meet(world);
        st = rf_agree(world, st, err);
    }
    if (st == RF_OK)
        rf_group_bcast(world, point, sizeof *point, 0);
    free(ids);
    free(ranks);
    return st;
}
