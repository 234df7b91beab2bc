/* `ringfence bench gemm` and `bench train`. */
#include <stdio.h>

#include "cli/bench.h"
#include "mpi/measure.h"

/* GPT with 10.8 million parameters, and a small one for a quick look. */
static const struct rf_measure usual = {.shape = {.vocabulary = 256,
                                                  .context = 256,
                                                  .layers = 6,
                                                  .heads = 6,
                                                  .width = 384,
                                                  .hidden = 1536},
                                        .batch = 8,
                                        .seconds = 10};
static const struct rf_measure quick = {.shape = {.vocabulary = 256,
                                                  .context = 64,
                                                  .layers = 2,
                                                  .heads = 4,
                                                  .width = 128,
                                                  .hidden = 512},
                                        .batch = 8,
                                        .seconds = 0.5};

static struct rf_figure figure_of(const char *unit, double value, double limit,
                                  const char *implementation)
{
    struct rf_figure f = {.unit = unit, .value = value, .limit = limit, .ratio = value / limit};

    snprintf(f.said, sizeof f.said, "%s", implementation);
    return f;
}

/* Products in one format, then training in it: two figures, or one when training is not
 * wanted. */
static enum rf_status measure(const struct rf_group *world, const struct rf_measure *what,
                              int bf16, int training, struct rf_figure *figures, int *n,
                              struct rf_error *err)
{
    const char *format = bf16 ? "bf16" : "fp32";
    struct rf_measured products, steps;
    struct rf_figure *f = &figures[*n];
    enum rf_status st = rf_measure_products(&products, world, what, bf16, err);

    if (st != RF_OK)
        return st;
    *f = figure_of("GFLOP/s", products.flops_per_s / 1e9, products.flops_per_s / 1e9,
                   products.implementation);
    snprintf(f->name, sizeof f->name, "gemm.%s", format);
    (*n)++;
    if (!training)
        return RF_OK;
    st = rf_measure_training(&steps, world, what, bf16, err);
    if (st != RF_OK)
        return st;
    f++;
    *f = figure_of("tokens/s", steps.tokens_per_s, products.flops_per_s / steps.flops_per_token,
                   steps.implementation);
    snprintf(f->name, sizeof f->name, "train.%s.tp%d", format, world->size);
    (*n)++;
    return RF_OK;
}

static enum rf_status both_formats(const struct rf_group *world,
                                   const struct rf_bench_request *request, int training,
                                   struct rf_figure *figures, int *n, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int bf16 = 0; bf16 < 2 && st == RF_OK; bf16++)
        st = measure(world, request->quick ? &quick : &usual, bf16, training, figures, n, err);
    return st;
}

static enum rf_status gemm(const struct rf_group *world, const struct rf_bench_request *request,
                           struct rf_figure *figures, int *n, struct rf_error *err)
{
    return both_formats(world, request, 0, figures, n, err);
}

static enum rf_status train(const struct rf_group *world,
                            const struct rf_bench_request *request, struct rf_figure *figures,
                            int *n, struct rf_error *err)
{
    return both_formats(world, request, 1, figures, n, err);
}

const struct rf_bench rf_bench_gemm = {
    .name = "gemm",
    .about = "matrix products in fp32 and bf16, on all ranks at once",
    .run = gemm};
const struct rf_bench rf_bench_train = {
    .name = "train",
    .about = "products, and whole training steps, tensor parallel over all ranks; the limit is "
             "what the products' rate would allow, the ratio the model FLOPs utilisation",
    .run = train};
