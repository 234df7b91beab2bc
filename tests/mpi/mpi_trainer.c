#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "mpi/mesh.h"
#include "mpi/trainer.h"
#include "nn/decode.h"

/* Trains small models on as many ranks as there are, and beside them on one. Everything is
 * uneven: 3 heads, 101 tokens and 50 hidden units on 2, 3 and 4 ranks; with 4, one rank has no
 * head at all. */
static const struct rf_model_shape SHAPE = {
    .vocabulary = 101, .context = 24, .layers = 2, .heads = 3, .width = 30, .hidden = 50};
/* With 4 ranks, one has no keys; with 2, one serves twice as many queries as the other. */
static const struct rf_model_shape LLAMA = {.family = RF_MODEL_LLAMA,
                                            .vocabulary = 101,
                                            .context = 24,
                                            .layers = 2,
                                            .heads = 6,
                                            .kv_heads = 3,
                                            .width = 36,
                                            .hidden = 50,
                                            .untied = 1};
enum { STEPS = 100, MAX_B = 6, MAX_T = 24, MAX_R = MAX_B * MAX_T };

static struct rf_train_options options_for(int bf16)
{
    return (struct rf_train_options){.bf16 = bf16,
                                     .steps = STEPS,
                                     .lr = 3e-3,
                                     .min_lr_ratio = 0.1,
                                     .warmup = 0.1,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95,
                                     .eps = 1e-8,
                                     .weight_decay = 0.1,
                                     .clip = 1.0,
                                     .seed = 7,
                                     .max_B = MAX_B,
                                     .max_T = MAX_T,
                                     .max_R = MAX_R,
                                     .max_range = 101};
}

struct sample {
    int32_t tokens[MAX_B * MAX_T], rows[MAX_R], target[MAX_R];
    float soft[MAX_R * 2], weight[MAX_R];
    struct rf_batch batch;
};

/* Step i: sequences that repeat with a short period, so that there is something to learn. Every
 * third step asks two classes at the last token with soft targets, as fine-tuning does; every other
 * of those asks them of the mean of a sequence's rows. */
static void make_sample(struct sample *s, int64_t i)
{
    uint64_t stream = rf_rng_stream("sample", (uint64_t)i);
    int classify = i % 3 == 2, R = 0;

    for (int b = 0; b < MAX_B; b++) {
        int length = 8 + (int)rf_rng_below(1, stream, (uint64_t)(1000 + b), MAX_T - 8 + 1);
        int period = 2 + b % 3;

        for (int t = 0; t < MAX_T; t++) {
            int at = b * MAX_T + t, seen = t % period;

            s->tokens[at] = (int32_t)rf_rng_below(1, stream, (uint64_t)(b * 8 + seen), 101);
            if (t + 1 < length && !classify)
                s->rows[R++] = at;
        }
        if (classify)
            s->rows[R++] = b * MAX_T + length - 1;
    }
    for (int r = 0; r < R; r++) {
        s->soft[2 * r] = (float)rf_rng_uniform(2, stream, (uint64_t)r);
        s->soft[2 * r + 1] = 1 - s->soft[2 * r];
        s->weight[r] = 0.5F + (float)rf_rng_uniform(3, stream, (uint64_t)r);
        s->target[r] = s->rows[r] + 1 < MAX_B * MAX_T ? s->tokens[s->rows[r] + 1] : 0;
    }
    s->batch = (struct rf_batch){.B = MAX_B,
                                 .T = MAX_T,
                                 .tokens = s->tokens,
                                 .R = R,
                                 .rows = s->rows,
                                 .mean = i % 6 == 5,
                                 .range_begin = classify ? 49 : 0,
                                 .range_count = classify ? 2 : 101,
                                 .target = classify ? NULL : s->target,
                                 .soft = s->soft,
                                 .weight = s->weight};
}

/* STEPS losses and norms on the group; the caller ends *keep. */
static void train(const struct rf_group *group, const struct rf_model_shape *shape, int bf16,
                  double *losses, double *norms, struct rf_trainer **keep)
{
    struct rf_train_options options = options_for(bf16);
    struct rf_trainer *trainer;
    struct rf_step_result result;
    struct rf_error err;
    struct sample s;

    *keep = NULL;
    CHECK(rf_trainer_create(&trainer, group, shape, &options, &err) == RF_OK);
    if (trainer == NULL)
        return;
    for (int i = 0; i < STEPS; i++) {
        make_sample(&s, i);
        rf_trainer_step(trainer, &s.batch, &result);
        losses[i] = result.loss;
        norms[i] = result.grad_norm;
        CHECK(!result.skipped && result.flops > 0);
    }
    *keep = trainer;
}

static int close_to(const double *a, const double *b, double tolerance)
{
    double worst = 0;

    for (int i = 0; i < STEPS; i++)
        worst = fmax(worst, fabs(a[i] - b[i]) / fabs(b[i]));
    if (!(worst < tolerance))
        fprintf(stderr, "largest relative difference %g\n", worst);
    return worst < tolerance;
}

static int same_bits(const struct rf_trainer *a, const struct rf_trainer *b)
{
    int na, nb, same = 1;
    const struct rf_tensor *ta = rf_trainer_tensors(a, &na), *tb = rf_trainer_tensors(b, &nb);

    for (int i = 0; i < na && na == nb; i++) {
        size_t n = (size_t)(ta[i].extent[0] * ta[i].extent[1]);

        same = same && memcmp(ta[i].data, tb[i].data, n * sizeof(float)) == 0;
    }
    return same && na == nb;
}

/* What every rank holds is the same on every rank, to the bit. */
static void check_replicas(const struct rf_group *world, const struct rf_trainer *trainer)
{
    int n;
    const struct rf_tensor *tensors = rf_trainer_tensors(trainer, &n);
    float first[24 * 30];

    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)(tensors[i].extent[0] * tensors[i].extent[1]) * sizeof(float);

        if (!tensors[i].replicated)
            continue;
        CHECK(bytes <= sizeof first);
        memcpy(first, tensors[i].data, bytes);
        rf_group_bcast(world, first, bytes, 0);
        CHECK(memcmp(first, tensors[i].data, bytes) == 0);
    }
}

static void curves_agree_on_any_number_of_ranks(const struct rf_group *world,
                                                const struct rf_group *self,
                                                const struct rf_model_shape *shape)
{
    static double alone[STEPS], loss[STEPS], again[STEPS], norm[STEPS], norm_alone[STEPS];
    struct rf_trainer *one, *all, *repeat;
    double begin = 0, end = 0;

    train(self, shape, 0, alone, norm_alone, &one);
    train(world, shape, 0, loss, norm, &all);
    train(world, shape, 0, again, norm, &repeat);
    CHECK(close_to(loss, alone, 1e-4));
    CHECK(close_to(norm, norm_alone, 1e-3));
    CHECK(memcmp(loss, again, sizeof loss) == 0);
    if (all != NULL && repeat != NULL) {
        CHECK(same_bits(all, repeat));
        CHECK(rf_trainer_steps_done(all) == STEPS);
        check_replicas(world, all);
    }
    for (int i = 0; i < STEPS; i++) { /* only the language-modelling steps are comparable */
        begin += i % 3 != 2 && i < 15 ? loss[i] / 10 : 0;
        end += i % 3 != 2 && i >= STEPS - 15 ? loss[i] / 10 : 0;
    }
    CHECK(end < begin - 0.15);
    rf_trainer_destroy(one);
    rf_trainer_destroy(all);
    rf_trainer_destroy(repeat);
}

static void bf16_stays_close_to_fp32(const struct rf_group *world)
{
    static double loss[STEPS], rounded[STEPS], norm[STEPS];
    struct rf_trainer *plain, *bf16;

    train(world, &SHAPE, 0, loss, norm, &plain);
    train(world, &SHAPE, 1, rounded, norm, &bf16);
    CHECK(close_to(rounded, loss, 2e-2));
    CHECK(memcmp(rounded, loss, sizeof loss) != 0);
    rf_trainer_destroy(plain);
    rf_trainer_destroy(bf16);
}

static void slices_start_as_parts_of_one_model(const struct rf_group *world,
                                               const struct rf_group *self)
{
    struct rf_train_options options = options_for(0);
    struct rf_trainer *one, *all;
    const struct rf_tensor *whole, *part;
    struct rf_error err;
    int n;
    int64_t covered = 0;

    CHECK(rf_trainer_create(&one, self, &SHAPE, &options, &err) == RF_OK);
    CHECK(rf_trainer_create(&all, world, &SHAPE, &options, &err) == RF_OK);
    whole = rf_trainer_tensors(one, &n);
    part = rf_trainer_tensors(all, &n);
    for (int i = 0; i < rf_trainer_nparams(all); i++) {
        const struct rf_tensor *p = &part[i];

        CHECK(strcmp(p->name, whole[i].name) == 0 && p->shape[0] == whole[i].shape[0]);
        for (int64_t r = 0; r < p->extent[0]; r++)
            for (int64_t c = 0; c < p->extent[1]; c++)
                CHECK(p->data[r * p->extent[1] + c] ==
                      whole[i].data[(p->offset[0] + r) * p->shape[1] + p->offset[1] + c]);
        if (!p->replicated || world->rank == 0)
            covered += p->extent[0] * p->extent[1];
    }
    MPI_Allreduce(MPI_IN_PLACE, &covered, 1, MPI_INT64_T, MPI_SUM, world->comm);
    CHECK(covered == rf_trainer_parameters(all));
    rf_trainer_destroy(one);
    rf_trainer_destroy(all);
}

static struct rf_trainer *trained(const struct rf_group *world)
{
    static double loss[STEPS], norm[STEPS];
    struct rf_trainer *trainer;

    train(world, &SHAPE, 0, loss, norm, &trainer);
    return trainer;
}

/* Sequence b of the sample as a batch of one. */
static struct rf_batch alone_of(const struct rf_batch *whole, int b, int32_t *row)
{
    struct rf_batch one = *whole;

    *row = whole->rows[b] % whole->T;
    one.B = 1;
    one.R = 1;
    one.tokens = whole->tokens + (size_t)b * (size_t)whole->T;
    one.rows = row;
    one.soft = NULL;
    one.weight = NULL;
    return one;
}

static void answers_do_not_depend_on_the_batch(struct rf_trainer *trainer, int step)
{
    static float prob[MAX_B * 2], single[2];
    struct sample s;
    int32_t best[MAX_B], row, choice;

    make_sample(&s, step);
    rf_trainer_predict(trainer, &s.batch, prob, best, NULL);
    for (int b = 0; b < MAX_B; b++) {
        struct rf_batch one = alone_of(&s.batch, b, &row);

        rf_trainer_predict(trainer, &one, single, &choice, NULL);
        CHECK(fabsf(logf(single[0]) - logf(prob[2 * b])) < 1e-5F);
        CHECK(fabsf(logf(single[1]) - logf(prob[2 * b + 1])) < 1e-5F);
        CHECK(fabsf(single[0] + single[1] - 1) < 1e-6F);
        CHECK(choice == best[b] && choice == (single[1] > single[0]));
    }
}

/* Behind its last asked row a sequence may hold anything, even what is no token. */
static void padding_is_never_seen(struct rf_trainer *trainer, int step)
{
    static float before[MAX_B * 2], after[MAX_B * 2];
    struct rf_step_result result, padded;
    struct sample s;

    make_sample(&s, step);
    rf_trainer_predict(trainer, &s.batch, before, NULL, &result);
    for (int b = 0; b < MAX_B; b++)
        for (int t = s.rows[b] % MAX_T + 1; t < MAX_T; t++)
            s.tokens[b * MAX_T + t] = -1 - b;
    rf_trainer_predict(trainer, &s.batch, after, NULL, &padded);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK(result.loss == padded.loss && isfinite(result.loss) && result.loss > 0);
}

/* Distributions over the whole vocabulary, which every rank holds a part of. */
static void every_rank_hears_the_same_answer(const struct rf_group *world,
                                             struct rf_trainer *trainer)
{
    static float prob[MAX_R * 101], first[MAX_R * 101];
    struct sample s;
    int32_t best[MAX_R];

    make_sample(&s, 0);
    rf_trainer_predict(trainer, &s.batch, prob, best, NULL);
    memcpy(first, prob, sizeof first);
    rf_group_bcast(world, first, sizeof first, 0);
    CHECK(memcmp(first, prob, sizeof first) == 0);
    for (int r = 0; r < s.batch.R; r++) {
        float sum = 0;

        for (int c = 0; c < 101; c++) {
            sum += prob[r * 101 + c];
            CHECK(prob[r * 101 + c] <= prob[r * 101 + best[r]]);
        }
        CHECK(fabsf(sum - 1) < 1e-5F);
    }
}

/* The output layer reads nothing but the features, so they must give the model's own answers:
 * logit differences of two classes are features times the difference of two rows of wte. */
static void features_explain_the_answers(const struct rf_group *self)
{
    static float features[MAX_B * 30], prob[MAX_B * 2];
    struct rf_trainer *alone = trained(self);
    struct rf_step_result forward, answered;
    const struct rf_tensor *wte;
    struct sample s;
    int n;

    if (alone == NULL)
        return;
    wte = rf_trainer_tensors(alone, &n);
    CHECK(strcmp(wte->name, "wte.weight") == 0);
    make_sample(&s, 5);
    rf_trainer_features(alone, &s.batch, features, &forward);
    rf_trainer_predict(alone, &s.batch, prob, NULL, &answered);
    for (int b = 0; b < MAX_B; b++) {
        double logit = 0;

        for (int c = 0; c < 30; c++)
            logit += (double)features[b * 30 + c] *
                     ((double)wte->data[50 * 30 + c] - (double)wte->data[49 * 30 + c]);
        CHECK(fabs(logit - log((double)prob[2 * b + 1] / (double)prob[2 * b])) < 1e-4);
    }
    CHECK(answered.flops - forward.flops == 2 * MAX_B * 30 * 2); /* the output layer */
    rf_trainer_destroy(alone);
}

/* Of models with the same values: training differs in the last bits between rank counts. */
static void features_are_the_same_on_any_number_of_ranks(const struct rf_group *world,
                                                         const struct rf_group *self)
{
    static float alone[MAX_R * 30], all[MAX_R * 30], first[MAX_R * 30];
    struct rf_train_options options = options_for(0);
    struct rf_trainer *one, *many;
    struct rf_error err;
    struct sample s;

    CHECK(rf_trainer_create(&one, self, &SHAPE, &options, &err) == RF_OK);
    CHECK(rf_trainer_create(&many, world, &SHAPE, &options, &err) == RF_OK);
    for (int i = 0; i < 6; i++) { /* language modelling at all rows, one row each, means */
        make_sample(&s, i);
        rf_trainer_features(one, &s.batch, alone, NULL);
        rf_trainer_features(many, &s.batch, all, NULL);
        memcpy(first, all, sizeof first);
        rf_group_bcast(world, first, sizeof first, 0);
        CHECK(memcmp(first, all, sizeof first) == 0);
        for (int k = 0; k < s.batch.R * 30; k++)
            CHECK(fabsf(all[k] - alone[k]) < 1e-5F);
    }
    rf_trainer_destroy(one);
    rf_trainer_destroy(many);
}

/* After the first step the first moments are the gradients, clipped and a tenth of them: element by element those of one
 * rank. Step 0 asks most rows over the whole vocabulary, step 2 one row of each sequence for two classes. */
static void gradients_are_the_same_on_any_number_of_ranks(const struct rf_group *world,
                                                          const struct rf_group *self,
                                                          const struct rf_model_shape *shape)
{
    struct rf_train_options options = options_for(0);
    const struct rf_group *groups[2] = {self, world};
    const struct rf_tensor *of[2];
    struct rf_trainer *trainers[2];
    struct rf_step_result result;
    struct rf_error err;
    struct sample s;
    int n, first;

    for (int step = 0; step <= 2; step += 2) {
        make_sample(&s, step);
        for (int k = 0; k < 2; k++) {
            CHECK(rf_trainer_create(&trainers[k], groups[k], shape, &options, &err) == RF_OK);
            rf_trainer_step(trainers[k], &s.batch, &result);
            of[k] = rf_trainer_tensors(trainers[k], &n);
        }
        first = rf_trainer_nparams(trainers[0]);
        for (int i = first; i < 2 * first; i++) {
            const struct rf_tensor *whole = &of[0][i], *part = &of[1][i];
            double most = 0, worst = 0;

            for (int64_t k = 0; k < whole->shape[0] * whole->shape[1]; k++)
                most = fmax(most, fabs((double)whole->data[k]));
            for (int64_t r = 0; r < part->extent[0]; r++)
                for (int64_t c = 0; c < part->extent[1]; c++)
                    worst = fmax(
                        worst, fabs((double)part->data[r * part->extent[1] + c] -
                                    (double)whole->data[(part->offset[0] + r) * part->shape[1] +
                                                        part->offset[1] + c]));
            if (!(worst <= 2e-4 * most + 1e-9))
                fprintf(stderr, "step %d, %s: %g of %g\n", step, part->name, worst, most);
            CHECK(worst <= 2e-4 * most + 1e-9);
        }
        rf_trainer_destroy(trainers[0]);
        rf_trainer_destroy(trainers[1]);
    }
}

/* Slices on one node, and those that only have messages: what a job learns must not depend on where its ranks
 * are, as long as a sum has two terms; of more the order may differ. */
static void
what_is_learnt_is_the_same_by_memory_and_by_messages(const struct rf_group *world,
                                                     const struct rf_model_shape *shape)
{
    static float prob[2][MAX_R * 101];
    struct rf_train_options options = options_for(0);
    struct rf_trainer *shared, *sent;
    struct rf_step_result a, b;
    struct rf_error err;
    struct sample s;

    CHECK(rf_trainer_create(&shared, world, shape, &options, &err) == RF_OK);
    options.exchange_messages = 1;
    CHECK(rf_trainer_create(&sent, world, shape, &options, &err) == RF_OK);
    CHECK(rf_trainer_room_bytes(sent) == 0);
    for (int i = 0; i < 12; i++) {
        make_sample(&s, i);
        if (i < 3) {
            size_t n = (size_t)s.batch.R * (size_t)s.batch.range_count;
            float worst = 0;

            rf_trainer_predict(shared, &s.batch, prob[0], NULL, NULL);
            rf_trainer_predict(sent, &s.batch, prob[1], NULL, NULL);
            for (size_t k = 0; k < n; k++)
                worst = fmaxf(worst, fabsf(prob[0][k] - prob[1][k]));
            CHECK(worst < 1e-5F);
            /* two numbers add up to the same in either order; more need not */
            CHECK(world->size > 2 || i > 0 || worst == 0);
        }
        rf_trainer_step(shared, &s.batch, &a);
        rf_trainer_step(sent, &s.batch, &b);
        CHECK(fabs(a.loss - b.loss) < 1e-4 * b.loss && a.flops == b.flops);
        CHECK(world->size > 2 || (a.loss == b.loss && a.grad_norm == b.grad_norm));
        CHECK(fabs(a.grad_norm - b.grad_norm) < 1e-3 * b.grad_norm);
    }
    rf_trainer_destroy(shared);
    rf_trainer_destroy(sent);
}

static void a_step_that_is_not_finite_changes_nothing(const struct rf_group *world)
{
    struct rf_train_options options = options_for(0);
    struct rf_trainer *trainer, *untouched;
    struct rf_step_result result;
    struct rf_error err;
    struct sample s;

    CHECK(rf_trainer_create(&trainer, world, &SHAPE, &options, &err) == RF_OK);
    CHECK(rf_trainer_create(&untouched, world, &SHAPE, &options, &err) == RF_OK);
    make_sample(&s, 0);
    s.weight[3] = INFINITY;
    rf_trainer_step(trainer, &s.batch, &result);
    CHECK(result.skipped && same_bits(trainer, untouched));
    rf_trainer_destroy(trainer);
    rf_trainer_destroy(untouched);
}

/* One loss per step on a grid of copies; the caller ends the trainer. */
static struct rf_trainer *train_on_grid(const struct rf_group *world, int width, int bf16,
                                        double *losses)
{
    struct rf_train_options options = options_for(bf16);
    struct rf_step_result result;
    struct rf_trainer *trainer;
    struct rf_error err;
    struct sample s;

    options.tensor = width;
    options.micro_B = 2;
    CHECK(rf_trainer_create(&trainer, world, &LLAMA, &options, &err) == RF_OK);
    for (int i = 0; i < STEPS; i++) {
        make_sample(&s, i);
        rf_trainer_step(trainer, &s.batch, &result);
        losses[i] = result.loss;
    }
    return trainer;
}

/* One loss per step of a model that reads bags: of sequences with one asked row each, every other step by the mean,
 * which is of that row alone. */
static void train_bags(const struct rf_group *group, int width, int bf16, double *losses)
{
    struct rf_model_shape shape = SHAPE;
    struct rf_train_options options = options_for(bf16);
    struct rf_step_result result;
    struct rf_trainer *trainer;
    struct rf_error err;
    struct sample s;

    shape.bag = 1;
    options.tensor = width;
    options.micro_B = width > 0 ? 2 : 0;
    CHECK(rf_trainer_create(&trainer, group, &shape, &options, &err) == RF_OK);
    for (int i = 0; i < STEPS; i++) {
        make_sample(&s, 3 * i + 2);
        rf_trainer_step(trainer, &s.batch, &result);
        losses[i] = result.loss;
    }
    rf_trainer_destroy(trainer);
}

/* On slices, in bf16, and on copies that hold their weights in bf16. */
static void bags_teach_the_same_in_every_form(const struct rf_group *world,
                                              const struct rf_group *self)
{
    static double alone[STEPS], loss[STEPS];

    train_bags(self, 0, 0, alone);
    train_bags(world, 0, 0, loss);
    CHECK(close_to(loss, alone, 1e-4));
    train_bags(world, 0, 1, loss);
    CHECK(close_to(loss, alone, 2e-2));
    train_bags(world, 1, 1, loss);
    CHECK(close_to(loss, alone, 2e-2));
}

/* Every rank that holds an element of a tensor has the same bits; together they hold all of it, of
 * moments each element once for each rank of a copy that holds the whole. */
static void check_copies(const struct rf_group *world, const struct rf_trainer *trainer)
{
    static float whole[101 * 36];
    int n;
    const struct rf_tensor *tensors = rf_trainer_tensors(trainer, &n);

    for (int i = 0; i < n; i++) {
        const struct rf_tensor *t = &tensors[i];
        int same = 1;
        int64_t cells = t->shape[0] * t->shape[1];

        CHECK(cells <= 101 * 36);
        for (int64_t k = 0; k < cells; k++)
            whole[k] = -HUGE_VALF;
        for (int64_t r = 0; r < t->extent[0]; r++)
            for (int64_t c = 0; c < t->extent[1]; c++)
                whole[(t->offset[0] + r) * t->shape[1] + t->offset[1] + c] =
                    t->data[r * t->extent[1] + c];
        MPI_Allreduce(MPI_IN_PLACE, whole, (int)cells, MPI_FLOAT, MPI_MAX, world->comm);
        for (int64_t k = 0; k < cells; k++)
            same = same && whole[k] > -HUGE_VALF;
        for (int64_t r = 0; r < t->extent[0]; r++)
            for (int64_t c = 0; c < t->extent[1]; c++)
                same =
                    same && memcmp(&whole[(t->offset[0] + r) * t->shape[1] + t->offset[1] + c],
                                   &t->data[r * t->extent[1] + c], sizeof(float)) == 0;
        CHECK(same);
    }
}

static void curves_agree_on_any_grid(const struct rf_group *world, const struct rf_group *self,
                                     double *alone)
{
    static double loss[STEPS], again[STEPS];
    struct rf_trainer *one = train_on_grid(self, 0, 0, alone), *all, *repeat;

    for (int width = 1; width < world->size; width++) {
        if (world->size % width != 0)
            continue;
        all = train_on_grid(world, width, 0, loss);
        repeat = train_on_grid(world, width, 0, again);
        CHECK(close_to(loss, alone, 1e-4));
        CHECK(memcmp(loss, again, sizeof loss) == 0);
        CHECK(same_bits(all, repeat));
        check_copies(world, all);
        CHECK(rf_trainer_bytes(all) < rf_trainer_bytes(one));
        rf_trainer_destroy(all);
        rf_trainer_destroy(repeat);
    }
    rf_trainer_destroy(one);
}

/* Each row of a matrix is in fp32 on one rank alone. */
static void check_masters(const struct rf_group *world, const struct rf_trainer *trainer)
{
    int n;
    const struct rf_tensor *tensors = rf_trainer_tensors(trainer, &n);

    n = rf_trainer_nparams(trainer);
    for (int i = 0; i < n; i++) {
        int64_t elements = tensors[i].extent[0] * tensors[i].extent[1];

        MPI_Allreduce(MPI_IN_PLACE, &elements, 1, MPI_INT64_T, MPI_SUM, world->comm);
        if (tensors[i].ndims == 2)
            CHECK(!tensors[i].replicated &&
                  elements == tensors[i].shape[0] * tensors[i].shape[1]);
    }
}

/* What was trained goes on elsewhere from its tensors: here those of the same layout, handed over one by one. */
static void check_loading(const struct rf_group *world, int width, struct rf_trainer *trained)
{
    static float prob[2][MAX_R * 101];
    struct rf_train_options options = options_for(1);
    struct rf_trainer *fresh;
    struct rf_error err;
    struct sample s;
    int n;
    const struct rf_tensor *from = rf_trainer_tensors(trained, &n), *to;

    options.tensor = width;
    options.micro_B = 2;
    options.seed++;
    CHECK(rf_trainer_create(&fresh, world, &LLAMA, &options, &err) == RF_OK);
    to = rf_trainer_tensors(fresh, &n);
    for (int i = 0; i < n; i++)
        memcpy(to[i].data, from[i].data,
               (size_t)(from[i].extent[0] * from[i].extent[1]) * sizeof(float));
    rf_trainer_loaded(fresh, STEPS);
    make_sample(&s, 0);
    rf_trainer_predict(trained, &s.batch, prob[0], NULL, NULL);
    rf_trainer_predict(fresh, &s.batch, prob[1], NULL, NULL);
    CHECK(memcmp(prob[0], prob[1], (size_t)s.batch.R * 101 * sizeof(float)) == 0);
    rf_trainer_destroy(fresh);
}

/* In bf16 copies hold rounded matrices, and share out what they are rounded from. plain: losses of one rank in fp32. */
static void bf16_copies_share_out_the_values(const struct rf_group *world,
                                             const struct rf_group *self, const double *plain)
{
    static double alone[STEPS], loss[STEPS], again[STEPS];
    struct rf_trainer *all, *repeat;

    rf_trainer_destroy(train_on_grid(self, 0, 1, alone));
    CHECK(close_to(alone, plain, 2e-2));
    for (int width = 1; width < world->size; width++) {
        if (world->size % width != 0)
            continue;
        all = train_on_grid(world, width, 1, loss);
        repeat = train_on_grid(world, width, 1, again);
        CHECK(close_to(loss, plain, 2e-2) && close_to(loss, alone, 5e-3));
        CHECK(memcmp(loss, again, sizeof loss) == 0);
        CHECK(same_bits(all, repeat));
        check_copies(world, all);
        check_masters(world, all);
        check_loading(world, width, all);
        rf_trainer_destroy(all);
        rf_trainer_destroy(repeat);
    }
}

/* More copies than sequences: some learn nothing. */
static void copies_without_a_sequence_learn_nothing(const struct rf_group *world)
{
    struct rf_train_options options = options_for(0);
    struct rf_step_result a, b;
    struct rf_trainer *whole, *copies;
    struct rf_error err;
    struct sample s;

    CHECK(rf_trainer_create(&whole, world, &SHAPE, &options, &err) == RF_OK);
    options.tensor = 1;
    CHECK(rf_trainer_create(&copies, world, &SHAPE, &options, &err) == RF_OK);
    for (int i = 0; i < 4; i++) {
        make_sample(&s, 3 * i);
        s.batch.B = 2;
        while (s.batch.R > 0 && s.rows[s.batch.R - 1] >= 2 * MAX_T)
            s.batch.R--;
        rf_trainer_step(whole, &s.batch, &a);
        rf_trainer_step(copies, &s.batch, &b);
        CHECK(fabs(a.loss - b.loss) < 1e-4 * a.loss && a.flops == b.flops);
        CHECK(fabs(a.grad_norm - b.grad_norm) < 1e-3 * a.grad_norm);
    }
    rf_trainer_destroy(whole);
    rf_trainer_destroy(copies);
}

static void widths_of_copies_divide_the_ranks(void)
{
    CHECK(rf_mesh_width(6, 0) == 6 && rf_mesh_width(6, 4) == 3 && rf_mesh_width(6, 1) == 1);
    CHECK(rf_mesh_width(5, 4) == 1 && rf_mesh_width(4, 9) == 4 && rf_mesh_width(1, 1) == 1);
}

/* A batch of six in parts of four and two, and one by one: the same steps and answers, in less memory. */
static void parts_of_a_batch_make_the_whole(const struct rf_group *world)
{
    struct rf_train_options options = options_for(0);
    struct rf_trainer *whole, *parts;
    struct rf_step_result a, b;
    struct rf_error err;
    struct sample s;
    static float prob[2][MAX_R * 101], features[2][MAX_R * 36];
    int32_t best[2][MAX_R];

    for (int micro = 1; micro <= 4; micro += 3) {
        options.micro_B = 0;
        CHECK(rf_trainer_create(&whole, world, &LLAMA, &options, &err) == RF_OK);
        options.micro_B = micro;
        CHECK(rf_trainer_create(&parts, world, &LLAMA, &options, &err) == RF_OK);
        CHECK(rf_trainer_bytes(parts) < rf_trainer_bytes(whole));
        for (int i = 0; i < 12; i++) {
            make_sample(&s, i);
            rf_trainer_step(whole, &s.batch, &a);
            rf_trainer_step(parts, &s.batch, &b);
            CHECK(fabs(a.loss - b.loss) < 1e-4 * a.loss && a.flops == b.flops);
            CHECK(fabs(a.grad_norm - b.grad_norm) < 1e-3 * a.grad_norm);
        }
        make_sample(&s, 3);
        rf_trainer_predict(whole, &s.batch, prob[0], best[0], &a);
        rf_trainer_predict(parts, &s.batch, prob[1], best[1], &b);
        CHECK(fabs(a.loss - b.loss) < 1e-4 * a.loss && a.flops == b.flops);
        for (int i = 0; i < s.batch.R * 101; i++)
            CHECK(fabsf(prob[0][i] - prob[1][i]) < 1e-3F);
        rf_trainer_features(whole, &s.batch, features[0], &a);
        rf_trainer_features(parts, &s.batch, features[1], &b);
        for (int i = 0; i < s.batch.R * 36; i++)
            CHECK(fabsf(features[0][i] - features[1][i]) < 1e-2F);
        rf_trainer_destroy(whole);
        rf_trainer_destroy(parts);
    }
}

/* With activations made again for the backward pass: the same bits, in less memory. */
static void what_is_made_again_is_the_same(const struct rf_group *world,
                                           const struct rf_model_shape *shape)
{
    struct rf_train_options options = options_for(0);
    struct rf_trainer *kept, *again;
    struct rf_step_result a, b;
    struct rf_error err;
    struct sample s;

    CHECK(rf_trainer_create(&kept, world, shape, &options, &err) == RF_OK);
    options.recompute = 1;
    CHECK(rf_trainer_create(&again, world, shape, &options, &err) == RF_OK);
    CHECK(rf_trainer_bytes(again) < rf_trainer_bytes(kept));
    for (int i = 0; i < 6; i++) {
        make_sample(&s, i);
        rf_trainer_step(kept, &s.batch, &a);
        rf_trainer_step(again, &s.batch, &b);
        CHECK(memcmp(&a.loss, &b.loss, sizeof a.loss) == 0 && a.flops == b.flops);
    }
    CHECK(same_bits(kept, again));
    rf_trainer_destroy(kept);
    rf_trainer_destroy(again);
}

static void text_on(const struct rf_group *group, int32_t *out, int *length)
{
    const struct rf_continuation how = {
        .sampling = {.temperature = 0.7, .top_k = 20}, .seed = 3, .max_new = 9, .stop = -1};
    static const int32_t prompts[7] = {5, 9, 60, 2, 100, 0, 33};
    static const int count[2] = {4, 3};
    struct rf_train_options options = options_for(0);
    struct rf_decoder *decoder = NULL;
    struct rf_trainer *trainer;
    struct rf_work work;
    struct rf_error err;
    struct sample s;
    struct rf_step_result result;

    CHECK(rf_trainer_create(&trainer, group, &LLAMA, &options, &err) == RF_OK);
    for (int i = 0; i < 10; i++) {
        make_sample(&s, 3 * i);
        rf_trainer_step(trainer, &s.batch, &result);
    }
    CHECK(rf_decoder_create(&decoder, rf_trainer_model(trainer), 2, MAX_T, &err) == RF_OK);
    rf_decoder_generate(decoder, 2, prompts, count, &how, out, length, &work);
    CHECK(work.rows == 7 + 2 * 8); /* the last tokens are not read */
    rf_decoder_destroy(decoder);
    rf_trainer_destroy(trainer);
}

static void text_is_the_same_on_any_number_of_ranks(const struct rf_group *world,
                                                    const struct rf_group *self)
{
    int32_t alone[18] = {0}, all[18] = {1};
    int length_alone[2], length[2];

    text_on(self, alone, length_alone);
    text_on(world, all, length);
    CHECK(length[0] == 9 && length[1] == 9 && length_alone[0] == 9);
    CHECK(memcmp(alone, all, sizeof all) == 0);
}

static void impossible_models_are_refused_everywhere(const struct rf_group *world)
{
    struct rf_model_shape shape = SHAPE;
    struct rf_train_options options = options_for(0);
    struct rf_trainer *trainer;
    struct rf_error err;

    shape.heads = 4;
    CHECK(rf_trainer_create(&trainer, world, &shape, &options, &err) == RF_ERR_ARG);
    CHECK(trainer == NULL && strstr(err.text, "width 30") != NULL);
    options.max_T = 25;
    CHECK(rf_trainer_create(&trainer, world, &SHAPE, &options, &err) == RF_ERR_ARG);
    CHECK(trainer == NULL && strstr(err.text, "context of 24") != NULL);
}

/* Step i: three pairs, compared by one score, or six texts with answers from all over the vocabulary,
 * the last and the first row of it among them. */
static void make_listed(struct sample *s, int64_t i, int joined)
{
    static const int32_t answers[3] = {100, 0, 37};
    int items = MAX_B / joined, classes = joined > 1 ? 2 : 3;

    make_sample(s, 3 * i + 2);
    s->batch.range_begin = 0;
    s->batch.range_count = joined > 1 ? 1 : 3;
    s->batch.answers = answers;
    s->batch.joined = joined;
    for (int k = 0; k < items; k++) {
        float rest = 1 - s->soft[2 * k];

        s->soft[classes * k + 1] = classes == 2 ? rest : rest / 4;
        s->soft[classes * k] = 1 - rest;
        if (classes == 3)
            s->soft[3 * k + 2] = rest - rest / 4;
    }
}

enum { LISTED_STEPS = 33 }; /* the last has the batch of the first */

/* Losses of such steps, 1 behind the last, and what the model says in the end, of copies of `tensor` ranks. */
static void train_listed(const struct rf_group *group, int bf16, int tensor, int micro,
                         int joined, double *losses, float *prob, int32_t *best)
{
    struct rf_train_options options = options_for(bf16);
    struct rf_trainer *trainer;
    struct rf_step_result result;
    struct rf_error err;
    struct sample s;

    options.tensor = tensor;
    options.micro_B = micro;
    options.joined = joined;
    CHECK(rf_trainer_create(&trainer, group, &SHAPE, &options, &err) == RF_OK);
    if (trainer == NULL)
        return;
    for (int i = 0; i < STEPS; i++) {
        losses[i] = 1;
        if (i >= LISTED_STEPS)
            continue;
        make_listed(&s, i % 8, joined);
        rf_trainer_step(trainer, &s.batch, &result);
        losses[i] = result.loss;
    }
    make_listed(&s, 0, joined);
    rf_trainer_predict(trainer, &s.batch, prob, best, NULL);
    rf_trainer_destroy(trainer);
}

static void listed_answers_and_pairs_do_not_depend_on_the_ranks(const struct rf_group *world,
                                                                const struct rf_group *self)
{
    enum { MOST = MAX_B * 3 };
    static const struct {
        int joined, tensor, micro, bf16;
    } ways[] = {{1, 0, 0, 0}, {2, 0, 0, 0}, {2, 1, 0, 0}, {2, 2, 3, 0},
                {1, 1, 2, 0}, {2, 1, 0, 1}, {1, 2, 0, 1}}; /* bf16: copies hold no fp32 rows */
    static double alone[STEPS], loss[STEPS];
    float prob_alone[MOST], prob[MOST];
    int32_t best_alone[MAX_B], best[MAX_B];

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int n = MAX_B / ways[i].joined, classes = ways[i].joined > 1 ? 2 : 3;

        train_listed(self, ways[i].bf16, 0, 0, ways[i].joined, alone, prob_alone, best_alone);
        train_listed(world, ways[i].bf16, ways[i].tensor, ways[i].micro, ways[i].joined, loss,
                     prob, best);
        if (ways[i].bf16) { /* rounded elsewhere, it goes elsewhere after a while */
            CHECK(fabs(loss[0] - alone[0]) < 1e-3 && fabs(loss[1] - alone[1]) < 1e-2);
            CHECK(loss[LISTED_STEPS - 1] < loss[0]);
            continue;
        }
        CHECK(close_to(loss, alone, 2e-4));
        CHECK(loss[LISTED_STEPS - 1] < loss[0]);
        for (int k = 0; k < n * classes; k++)
            CHECK(fabsf(prob[k] - prob_alone[k]) < 2e-3F);
        for (int k = 0; k < n; k++)
            CHECK(best[k] == best_alone[k] || fabsf(prob[k * classes + best[k]] -
                                                    prob[k * classes + best_alone[k]]) < 2e-3F);
    }
}

/* With a factor of 1/4, the first step moves layers a quarter as far, and tokens' vectors just as far. */
static void layers_learn_at_a_rate_of_their_own(const struct rf_group *world, int bf16,
                                                int tensor)
{
    struct rf_train_options options = options_for(0);
    struct rf_trainer *start, *even, *slow;
    const struct rf_tensor *a, *b, *c;
    struct rf_step_result result;
    struct rf_error err;
    struct sample s;
    int n;

    options.warmup = 0;
    options.bf16 = bf16;
    options.tensor = tensor;
    CHECK(rf_trainer_create(&start, world, &SHAPE, &options, &err) == RF_OK);
    CHECK(rf_trainer_create(&even, world, &SHAPE, &options, &err) == RF_OK);
    options.layer_lr = 0.25;
    CHECK(rf_trainer_create(&slow, world, &SHAPE, &options, &err) == RF_OK);
    make_sample(&s, 0);
    rf_trainer_step(even, &s.batch, &result);
    rf_trainer_step(slow, &s.batch, &result);
    a = rf_trainer_tensors(start, &n);
    b = rf_trainer_tensors(even, &n);
    c = rf_trainer_tensors(slow, &n);
    for (int i = 0; i < rf_trainer_nparams(start); i++) {
        double part = strcmp(a[i].name, "wte.weight") == 0 ? 1 : 0.25;

        for (int64_t k = 0; k < a[i].extent[0] * a[i].extent[1]; k++)
            CHECK(fabs((double)(c[i].data[k] - a[i].data[k]) -
                       part * (double)(b[i].data[k] - a[i].data[k])) < 1e-6);
    }
    rf_trainer_destroy(start);
    rf_trainer_destroy(even);
    rf_trainer_destroy(slow);
}

int main(int argc, char **argv)
{
    static double plain[STEPS];
    struct rf_model_shape two_heads = SHAPE;
    struct rf_trainer *trainer;
    struct rf_group world, self;
    int status;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    rf_group_dup(&self, MPI_COMM_SELF);
    two_heads.heads = 2;
    slices_start_as_parts_of_one_model(&world, &self);
    curves_agree_on_any_number_of_ranks(&world, &self, &SHAPE);
    curves_agree_on_any_number_of_ranks(&world, &self, &two_heads);
    curves_agree_on_any_number_of_ranks(&world, &self, &LLAMA);
    bags_teach_the_same_in_every_form(&world, &self);
    bf16_stays_close_to_fp32(&world);
    trainer = trained(&world);
    if (trainer != NULL) {
        for (int step = 2; step <= 5; step += 3) { /* of last rows, of means */
            answers_do_not_depend_on_the_batch(trainer, step);
            padding_is_never_seen(trainer, step);
        }
        every_rank_hears_the_same_answer(&world, trainer);
    }
    rf_trainer_destroy(trainer);
    features_explain_the_answers(&self);
    features_are_the_same_on_any_number_of_ranks(&world, &self);
    layers_learn_at_a_rate_of_their_own(&world, 0, 0);
    layers_learn_at_a_rate_of_their_own(&world, 1, 0);
    layers_learn_at_a_rate_of_their_own(&world, 1,
                                        1); /* copies, which hold the weights in bf16 */
    a_step_that_is_not_finite_changes_nothing(&world);
    gradients_are_the_same_on_any_number_of_ranks(&world, &self, &SHAPE);
    gradients_are_the_same_on_any_number_of_ranks(&world, &self, &LLAMA);
    what_is_learnt_is_the_same_by_memory_and_by_messages(&world, &SHAPE);
    what_is_learnt_is_the_same_by_memory_and_by_messages(&world, &LLAMA);
    curves_agree_on_any_grid(&world, &self, plain);
    bf16_copies_share_out_the_values(&world, &self, plain);
    copies_without_a_sequence_learn_nothing(&world);
    widths_of_copies_divide_the_ranks();
    what_is_made_again_is_the_same(&world, &SHAPE);
    what_is_made_again_is_the_same(&world, &LLAMA);
    parts_of_a_batch_make_the_whole(&world);
    listed_answers_and_pairs_do_not_depend_on_the_ranks(&world, &self);
    text_is_the_same_on_any_number_of_ranks(&world, &self);
    impossible_models_are_refused_everywhere(&world);
    status = check_result();
    rf_group_free(&self);
    rf_group_free(&world);
    MPI_Finalize();
    return status;
}
