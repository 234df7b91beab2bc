#include "mpi/measure.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "mpi/protocol.h"
#include "mpi/trainer.h"
#include "nn/kept.h"

enum { SEED = 1, ROUNDS = 3 };

/* Collective: how often something that takes once_s fits into seconds, the same everywhere. */
static int repeats(const struct rf_group *group, double once_s, double seconds)
{
    double n;

    MPI_Allreduce(MPI_IN_PLACE, &once_s, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    n = once_s > 0 ? seconds / once_s : 1;
    return n < 1 ? 1 : n > 1e6 ? 1000000 : (int)n;
}

/* Collective: seconds since `since`, of the slowest rank. */
static double slowest_since(const struct rf_group *group, double since)
{
    double s = MPI_Wtime() - since;

    MPI_Allreduce(MPI_IN_PLACE, &s, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    return s;
}

/* ---- products ---------------------------------------------------------------- */

struct operands {
    struct rf_matmul *matmul;
    struct rf_kept a; /* owned; bf16 where products are, as training has it */
    rf_real *b, *c;   /* owned; b stands for the weights */
};

static void operands_clear(struct operands *o)
{
    rf_matmul_destroy(o->matmul);
    free(o->a.real);
    free(o->a.half);
    free(o->b);
    free(o->c);
}

/* Local. */
static enum rf_status operands_make(struct operands *o, size_t rows, size_t width,
                                    size_t hidden, int bf16, struct rf_error *err)
{
    size_t widest = width > hidden ? width : hidden, n = (rows + 128) * widest;
    size_t weights = width * hidden;

    *o = (struct operands){.b = calloc(weights, sizeof *o->b),
                           .c = calloc(n + weights, sizeof *o->c)};
    if (bf16)
        o->a.half = calloc(n, sizeof *o->a.half);
    else
        o->a.real = calloc(n, sizeof *o->a.real);
    if ((o->a.half == NULL && o->a.real == NULL) || o->b == NULL || o->c == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: operands of %zu rows", rows);
    for (size_t i = 0; i < n; i++) {
        rf_real u = (rf_real)rf_rng_uniform(SEED, 1, i) - (rf_real)0.5;

        *rf_kept_write(o->a, i, &u) = u;
        rf_kept_done(o->a, i, &u, 1);
    }
    for (size_t i = 0; i < weights; i++)
        o->b[i] = (rf_real)rf_rng_uniform(SEED, 2, i) - (rf_real)0.5;
    return rf_matmul_create(&o->matmul, bf16, o->b, weights, n + weights, err);
}

/* Collective: FLOP/s of c [m][n] = a [m][k] b, on all ranks together. */
static double product_rate(const struct rf_group *group, struct operands *o, enum rf_form form,
                           int m, int n, int k, double seconds)
{
    struct rf_operand x = rf_kept_operand(o->a, 0, form == RF_TN ? m : k);
    /* a gradient of weights: both are rows */
    struct rf_operand y =
        form == RF_TN ? rf_kept_operand(o->a, 0, n) : rf_operand(o->b, form == RF_NT ? k : n);
    double since, best = 0, rate;
    int times;

    rf_matmul_multiply(o->matmul, form, m, n, k, x, y, 0, o->c, n);
    since = MPI_Wtime();
    rf_matmul_multiply(o->matmul, form, m, n, k, x, y, 0, o->c, n);
    times = repeats(group, MPI_Wtime() - since, seconds / ROUNDS);
    for (int round = 0; round < ROUNDS; round++) {
        MPI_Barrier(group->comm);
        since = MPI_Wtime();
        for (int i = 0; i < times; i++)
            rf_matmul_multiply(o->matmul, form, m, n, k, x, y, 0, o->c, n);
        rate = 2.0 * m * n * k * times * group->size / slowest_since(group, since);
        best = rate > best ? rate : best;
    }
    return best;
}

enum rf_status rf_measure_products(struct rf_measured *measured, const struct rf_group *group,
                                   const struct rf_measure *what, int bf16,
                                   struct rf_error *err)
{
    int rows = what->batch * what->shape.context, C = what->shape.width;
    int H = (what->shape.hidden + group->size - 1) / group->size;
    const struct {
        enum rf_form form;
        int m, n, k;
    } products[] = {
        {RF_NT, rows, H, C}, {RF_NT, rows, C, H}, {RF_NN, rows, C, H}, {RF_TN, H, C, rows}};
    enum { PRODUCTS = sizeof products / sizeof products[0] };
    struct operands o;
    enum rf_status st = operands_make(&o, (size_t)rows, (size_t)C, (size_t)H, bf16, err);

    *measured = (struct rf_measured){.flops_per_s = 0};
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        rf_matmul_refresh(o.matmul);
        for (int i = 0; i < PRODUCTS; i++) {
            double rate = product_rate(group, &o, products[i].form, products[i].m,
                                       products[i].n, products[i].k, what->seconds / PRODUCTS);

            measured->flops_per_s = rate > measured->flops_per_s ? rate : measured->flops_per_s;
        }
        snprintf(measured->implementation, sizeof measured->implementation, "%s",
                 rf_matmul_implementation(o.matmul));
    }
    operands_clear(&o);
    return st;
}

/* ---- one device ------------------------------------------------------------------ */

/* Collective on the group of the first rank alone. */
static enum rf_status measure_alone(double *flops_per_s, const struct rf_group *group, int bf16,
                                    struct rf_error *err)
{
    const struct rf_measure what = {
        .shape = {.width = 256, .hidden = 1024, .context = 128}, .batch = 1, .seconds = 0.02};
    struct rf_group alone = {0};
    struct rf_measured measured;
    int first = 0;
    enum rf_status st = RF_OK;

    *flops_per_s = 0;
    rf_group_among(&alone, group, &first, 1, 0);
    for (int k = 0; k <= bf16 && st == RF_OK; k++) {
        st = rf_measure_products(&measured, &alone, &what, k, err);
        if (st == RF_OK && measured.flops_per_s > *flops_per_s)
            *flops_per_s = measured.flops_per_s;
    }
    rf_group_free(&alone);
    return st;
}

enum rf_status rf_measure_peak(double *flops_per_s, const struct rf_group *group, int bf16,
                               struct rf_error *err)
{
    MPI_Request request;
    enum rf_status st = RF_OK;
    int there = 0, nap_us = 0;

    if (group->rank == 0)
        st = measure_alone(flops_per_s, group, bf16, err);
    MPI_Ibarrier(group->comm, &request);
    while (MPI_Test(&request, &there, MPI_STATUS_IGNORE), !there)
        rf_message_nap(&nap_us);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        rf_group_bcast(group, flops_per_s, sizeof *flops_per_s, 0);
    return st;
}

/* ---- training ------------------------------------------------------------------ */

enum rf_status rf_measure_batch(struct rf_batch *batch, int32_t **block, int B, int T,
                                int vocabulary, struct rf_error *err)
{
    int n = B * T;
    int32_t *made = calloc(3 * (size_t)n, sizeof *made);

    *block = made;
    if (made == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a batch of %d tokens", n);
    for (int i = 0; i < n; i++) {
        made[i] = (int32_t)rf_rng_below(SEED, 3, (uint64_t)i, (uint64_t)vocabulary);
        made[n + i] = i;
        made[2 * n + i] = (int32_t)rf_rng_below(SEED, 3, (uint64_t)i + 1, (uint64_t)vocabulary);
    }
    *batch = (struct rf_batch){.B = B,
                               .T = T,
                               .tokens = made,
                               .R = n,
                               .rows = made + n,
                               .range_count = vocabulary,
                               .target = made + 2 * n};
    return RF_OK;
}

struct rf_train_options rf_measure_options(int B, int T, int vocabulary)
{
    return (struct rf_train_options){.steps = 1000,
                                     .lr = 1e-4,
                                     .min_lr_ratio = 0.1,
                                     .warmup = 0.1,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95,
                                     .eps = 1e-8,
                                     .weight_decay = 0.1,
                                     .clip = 1,
                                     .seed = SEED,
                                     .max_B = B,
                                     .max_T = T,
                                     .max_R = B * T,
                                     .max_range = vocabulary};
}

/* Collective: what the ranks did in `took` seconds each, as shares. */
static void share_out(struct rf_measured *measured, const struct rf_group *group,
                      const struct rf_profile *before, const struct rf_profile *after,
                      double took)
{
    for (int i = 0; i < RF_SPENT_KINDS; i++)
        measured->spent[i] =
            (double)(after->spent_ns[i] - before->spent_ns[i]) / 1e9 / took / group->size;
    MPI_Allreduce(MPI_IN_PLACE, measured->spent, RF_SPENT_KINDS, MPI_DOUBLE, MPI_SUM,
                  group->comm);
}

/* Collective. */
static void time_steps(struct rf_measured *measured, const struct rf_group *group,
                       struct rf_trainer *trainer, const struct rf_batch *batch, double seconds)
{
    struct rf_step_result result;
    struct rf_profile before;
    double since, took, flops = 0, tokens = 0;
    int times;

    rf_trainer_step(trainer, batch, &result);
    since = MPI_Wtime();
    rf_trainer_step(trainer, batch, &result);
    times = repeats(group, MPI_Wtime() - since, seconds);
    before = *rf_trainer_profile(trainer);
    MPI_Barrier(group->comm);
    since = MPI_Wtime();
    for (int i = 0; i < times; i++) {
        rf_trainer_step(trainer, batch, &result);
        flops += (double)result.flops;
        tokens += (double)result.tokens;
    }
    took = slowest_since(group, since);
    measured->flops_per_s = flops / took;
    measured->tokens_per_s = tokens / took;
    measured->flops_per_token = flops / tokens;
    share_out(measured, group, &before, rf_trainer_profile(trainer), took);
    snprintf(measured->implementation, sizeof measured->implementation,
             "%.60s; slices sum by %.80s", rf_trainer_implementation(trainer),
             rf_trainer_exchange(trainer));
}

enum rf_status rf_measure_training(struct rf_measured *measured, const struct rf_group *group,
                                   const struct rf_measure *what, int bf16,
                                   struct rf_error *err)
{
    int B = what->batch, T = what->shape.context, vocabulary = what->shape.vocabulary;
    struct rf_train_options options = rf_measure_options(B, T, vocabulary);
    struct rf_trainer *trainer = NULL;
    struct rf_batch batch;
    int32_t *block;
    enum rf_status st = rf_measure_batch(&batch, &block, B, T, vocabulary, err);

    options.bf16 = bf16;
    *measured = (struct rf_measured){.flops_per_s = 0};
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = rf_trainer_create(&trainer, group, &what->shape, &options, err);
    if (st == RF_OK)
        time_steps(measured, group, trainer, &batch, what->seconds);
    rf_trainer_destroy(trainer);
    free(block);
    return st;
}
