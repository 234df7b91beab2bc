/* `ringfence bench gemm` and `bench train`. */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "mpi/measure.h"

/* GPT with 10.8 million parameters; GPT-2 with 124 million, its vocabulary rounded up to a
 * multiple of 64; and a small one for a quick look. */
static const struct rf_measure usual = {.shape = {.vocabulary = 256,
                                                  .context = 256,
                                                  .layers = 6,
                                                  .heads = 6,
                                                  .width = 384,
                                                  .hidden = 1536},
                                        .batch = 8,
                                        .seconds = 10};
static const struct rf_measure gpt2 = {.shape = {.vocabulary = 50304,
                                                 .context = 256,
                                                 .layers = 12,
                                                 .heads = 12,
                                                 .width = 768,
                                                 .hidden = 3072},
                                       .batch = 4,
                                       .seconds = 4};
static const struct rf_measure quick = {.shape = {.vocabulary = 256,
                                                  .context = 64,
                                                  .layers = 2,
                                                  .heads = 4,
                                                  .width = 128,
                                                  .hidden = 512},
                                        .batch = 8,
                                        .seconds = 0.5};

/* What is to be measured in both formats. */
struct wish {
    const struct rf_measure *what;
    const char *tag; /* in the names of figures of training: "" or ".gpt2" */
    int training, profile;
};

static struct rf_figure figure_of(const char *unit, double value, double limit,
                                  const char *implementation)
{
    struct rf_figure f = {.unit = unit, .value = value, .limit = limit, .ratio = value / limit};

    snprintf(f.said, sizeof f.said, "%s", implementation);
    return f;
}

/* Where a step's time went. Of the products: what the best product's rate would need for
 * all that a step multiplies, attention included. */
static void add_profile(const struct rf_measured *steps, double limit, const char *format,
                        const struct wish *wish, int ranks, struct rf_figure *figures, int *n)
{
    double rest = 1;

    for (int i = 0; i <= RF_SPENT_KINDS; i++) {
        struct rf_figure *f = &figures[(*n)++];
        double share = i < RF_SPENT_KINDS ? steps->spent[i] : rest;

        *f = (struct rf_figure){.unit = "share", .value = share};
        snprintf(f->name, sizeof f->name, "train.%s%s.tp%d.%s", format, wish->tag, ranks,
                 i < RF_SPENT_KINDS ? rf_spent_name((enum rf_spent)i) : "rest");
        if (i == RF_SPENT_PRODUCTS)
            snprintf(f->said, sizeof f->said, "all FLOPs at the limit would take %.1f %%",
                     100 * steps->tokens_per_s / limit);
        rest -= share;
    }
}

/* Products in one format, then training in it: two figures, or one when training is not
 * wanted. */
static enum rf_status measure(const struct rf_group *world, const struct wish *wish, int bf16,
                              struct rf_figure *figures, int *n, struct rf_error *err)
{
    const char *format = bf16 ? "bf16" : "fp32";
    struct rf_measured products, steps;
    struct rf_figure *f = &figures[*n];
    enum rf_status st = rf_measure_products(&products, world, wish->what, bf16, err);

    if (st != RF_OK)
        return st;
    *f = figure_of("GFLOP/s", products.flops_per_s / 1e9, products.flops_per_s / 1e9,
                   products.implementation);
    snprintf(f->name, sizeof f->name, "gemm.%s", format);
    (*n)++;
    if (!wish->training)
        return RF_OK;
    st = rf_measure_training(&steps, world, wish->what, bf16, err);
    if (st != RF_OK)
        return st;
    f++;
    *f = figure_of("tokens/s", steps.tokens_per_s, products.flops_per_s / steps.flops_per_token,
                   steps.implementation);
    snprintf(f->name, sizeof f->name, "train.%s%s.tp%d", format, wish->tag, world->size);
    (*n)++;
    if (wish->profile)
        add_profile(&steps, f->limit, format, wish, world->size, figures, n);
    return RF_OK;
}

static enum rf_status both_formats(const struct rf_group *world,
                                   const struct rf_bench_request *request, int training,
                                   struct rf_figure *figures, int *n, struct rf_error *err)
{
    struct wish wish = {&usual, "", training, request->profile};
    enum rf_status st = RF_OK;

    if (strcmp(request->model, "gpt2") == 0) {
        wish.what = &gpt2;
        wish.tag = ".gpt2";
    } else if (strcmp(request->model, "gpt") != 0) {
        return rf_fail(err, RF_ERR_ARG, "cannot measure model '%.80s': expected gpt or gpt2",
                       request->model);
    }
    if (request->quick)
        wish.what = &quick;
    for (int bf16 = 0; bf16 < 2 && st == RF_OK; bf16++)
        st = measure(world, &wish, bf16, figures, n, err);
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
