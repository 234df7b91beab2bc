#include "mpi/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/exchange.h"
#include "mpi/mesh.h"
#include "mpi/shard.h"
#include "nn/adamw.h"
#include "nn/bf16.h"
#include "nn/model.h"

struct rf_trainer {
    struct rf_train_options options;
    struct rf_mesh mesh; /* owned */
    struct rf_plan plan;
    struct rf_exchanger *slices, *copies, *all; /* owned: of the three groups of the mesh */
    struct rf_exchange exchange;                /* of slices */
    struct rf_model *model;                     /* owned */
    struct rf_shard *shard;                     /* owned */
    struct rf_tensor *tensors;                  /* owned [3 * plan.nparams] */
    int32_t *rows; /* owned [max_R]: asked rows of a part of a batch */
    int64_t steps_done;
};

/* ---- tensors and sizes --------------------------------------------------- */

/* Does this parameter stay as it is? Embeddings come below the first layer. */
static int is_frozen(const char *name, int layers)
{
    int layer;

    if (layers <= 0)
        return 0;
    return sscanf(name, "h.%d.", &layer) == 1
               ? layer < layers
               : strcmp(name, "wte.weight") == 0 || strcmp(name, "wpe.weight") == 0;
}

/* A step as parameter i takes it: tokens' vectors at the full rate, and only some decay. */
static struct rf_adamw adamw_of(const struct rf_trainer *t, int i, const struct rf_adamw *step)
{
    struct rf_adamw own = *step;

    if (i != t->plan.wte && i != t->plan.head)
        own.lr *= t->options.layer_lr;
    own.weight_decay = t->plan.params[i].decays ? t->options.weight_decay : 0;
    return own;
}

static struct rf_tensor describe(const struct rf_param *p, const char *prefix, rf_real *data)
{
    struct rf_tensor tensor = {.ndims = p->ndims, .replicated = p->replicated, .data = data};

    snprintf(tensor.name, sizeof tensor.name, "%s%.90s", prefix, p->name);
    for (int d = 0; d < 2; d++) {
        tensor.shape[d] = p->shape[d];
        tensor.offset[d] = p->offset[d];
        tensor.extent[d] = p->extent[d];
    }
    return tensor;
}

/* What the optimiser has of the rows that this rank keeps. */
static struct rf_tensor describe_part(const struct rf_trainer *t, int i, const char *prefix,
                                      rf_real *data)
{
    struct rf_tensor tensor = describe(&t->plan.params[i], prefix, data);
    struct rf_shard_part part = rf_shard_part(t->shard, i);

    tensor.offset[0] += part.begin;
    tensor.extent[0] = part.count;
    tensor.replicated = tensor.replicated && t->mesh.data.size == 1;
    return tensor;
}

static void describe_all(struct rf_trainer *t)
{
    int n = t->plan.nparams;

    for (int i = 0; i < n; i++) {
        const struct rf_param *p = &t->plan.params[i];
        struct rf_shard_part part = rf_shard_part(t->shard, i);

        t->tensors[i] = part.master != NULL ? describe_part(t, i, "", part.master)
                                            : describe(p, "", rf_model_value(t->model, i));
        t->tensors[n + i] = describe_part(t, i, "m/", part.m);
        t->tensors[2 * n + i] = describe_part(t, i, "v/", part.v);
    }
}

/* Sequences that stay together, each with one asked row: what an item of this batch has, and what those
 * have that the trainer was made for. */
static int joined_in(const struct rf_batch *batch)
{
    return batch->joined > 1 ? batch->joined : 1;
}

static int joined_of(const struct rf_train_options *o)
{
    return o->joined > 1 ? o->joined : 1;
}

static enum rf_status check(const struct rf_model_shape *shape,
                            const struct rf_train_options *o, struct rf_error *err)
{
    if (o->max_B < 1 || o->max_T < 1 || o->max_R < 1 || o->max_range < 1)
        return rf_fail(err, RF_ERR_ARG,
                       "no batch has %d sequences of %d tokens with %d asked rows "
                       "over %d classes",
                       o->max_B, o->max_T, o->max_R, o->max_range);
    if (o->max_B % joined_of(o) != 0)
        return rf_fail(err, RF_ERR_ARG, "%d sequences are no items of %d", o->max_B, o->joined);
    if (o->max_T > shape->context)
        return rf_fail(err, RF_ERR_ARG, "sequences of %d tokens do not fit a context of %d",
                       o->max_T, shape->context);
    if (o->max_range > shape->vocabulary)
        return rf_fail(err, RF_ERR_ARG, "%d classes do not fit a vocabulary of %d",
                       o->max_range, shape->vocabulary);
    return RF_OK;
}

/* Sequences at a time: at most those that fall to one of so many copies. */
static int micro(const struct rf_train_options *o, int copies)
{
    int joined = joined_of(o),
        most = joined * (int)rf_slice(o->max_B / joined, 0, copies).count;
    int some = o->micro_B - o->micro_B % joined;

    return some > 0 && some < most ? some : most;
}

static struct rf_model_limits limits_of(const struct rf_train_options *o, int copies)
{
    struct rf_model_limits limits = {micro(o, copies), o->max_T, o->max_R, o->max_range,
                                     o->recompute};

    if ((int64_t)limits.max_B * limits.max_T < limits.max_R)
        limits.max_R = limits.max_B * limits.max_T;
    return limits;
}

/* In bf16, several copies share out the fp32 values. */
static enum rf_precision precision_of(const struct rf_train_options *o, int copies)
{
    if (!o->bf16)
        return RF_PRECISION_FP32;
    return copies > 1 ? RF_PRECISION_HELD : RF_PRECISION_BF16;
}

/* ---- master values ------------------------------------------------------- */

/* Collective: this rank's rows of a matrix, rounded, go to all copies, and those of the others come; after an update,
 * when there is one, whose weight decay is set here. */
static void spread_weight(struct rf_trainer *t, const struct rf_weight *w, int k,
                          const struct rf_adamw *update)
{
    uint16_t *room = rf_model_room(t->model, k);
    const rf_real *g = rf_model_gradients(t->model);

    for (int i = w->first; i < w->first + w->nparams; i++) {
        struct rf_shard_part part = rf_shard_part(t->shard, i);
        uint16_t *rounded = room + (part.at - w->at);

        if (update != NULL) {
            struct rf_adamw own = adamw_of(t, i, update);

            rf_adamw_update_half(rounded, part.master, g + part.at, part.m, part.v, part.n,
                                 &own);
        } else {
            rf_bf16_round(rounded, part.master, part.n);
        }
    }
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_OPTIMISER);
    for (int i = w->first; i < w->first + w->nparams; i++)
        rf_shard_spread(t->shard, i, room + (t->plan.params[i].at - w->at), sizeof *room);
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_EXCHANGE);
    rf_model_take(t->model, k);
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_OPTIMISER);
}

/* Local: the values that the model itself does not have. */
static void draw_masters(struct rf_trainer *t)
{
    for (int i = 0; i < t->plan.nparams; i++) {
        struct rf_shard_part part = rf_shard_part(t->shard, i);

        if (part.master != NULL)
            rf_model_draw(part.master, &t->plan, i, part.begin, part.count, t->options.seed);
    }
}

/* Collective: the copies get the matrices that keepers have, rounded. */
static void hand_out(struct rf_trainer *t)
{
    int n;
    const struct rf_weight *weights = rf_model_weights(t->model, &n);

    for (int k = 0; k < n; k++)
        spread_weight(t, &weights[k], k, NULL);
}

/* ---- making and ending -------------------------------------------------- */

/* Local: the plan, and what of the model's memory is summed over ranks. */
static enum rf_status plan_all(struct rf_trainer *t, const struct rf_model_shape *shape,
                               struct rf_model_bytes *need, struct rf_error *err)
{
    const struct rf_train_options *o = &t->options;
    struct rf_model_limits limits = limits_of(o, t->mesh.data.size);
    enum rf_status st = check(shape, o, err);

    if (st == RF_OK)
        st = rf_plan_make(&t->plan, shape, t->mesh.tensor.rank, t->mesh.tensor.size, err);
    if (st == RF_OK)
        st = rf_model_predict_bytes(need, &t->plan, &limits, precision_of(o, t->mesh.data.size),
                                    err);
    return st;
}

/* Collective: the slices exchange in memory that they reach in each other, where they do. */
static enum rf_status connect(struct rf_trainer *t, const struct rf_model_bytes *need,
                              struct rf_error *err)
{
    struct rf_exchange_options slices = {.room_bytes = need->room,
                                         .bf16 = t->options.bf16 && t->options.exchange_bf16,
                                         .messages = t->options.exchange_messages};
    const struct rf_exchange_options plain = {0};
    enum rf_status st = rf_exchanger_create(&t->slices, &t->mesh.tensor, &slices, err);

    if (st == RF_OK)
        st = rf_exchanger_create(&t->copies, &t->mesh.data, &plain, err);
    st = rf_agree(t->mesh.all, st, err);
    return st == RF_OK ? rf_exchanger_create(&t->all, t->mesh.all, &plain, err) : st;
}

/* Local: everything else of create that can fail. */
static enum rf_status build(struct rf_trainer *t, struct rf_error *err)
{
    const struct rf_train_options *o = &t->options;
    struct rf_model_limits limits = limits_of(o, t->mesh.data.size);
    enum rf_precision precision = precision_of(o, t->mesh.data.size);
    enum rf_status st =
        rf_model_create(&t->model, &t->plan, &t->exchange, &limits, precision, o->seed, err);

    if (st == RF_OK)
        st = rf_shard_create(&t->shard, &t->plan, &t->mesh.data, precision == RF_PRECISION_HELD,
                             err);
    if (st != RF_OK)
        return st;
    t->tensors = calloc(3 * (size_t)t->plan.nparams, sizeof *t->tensors);
    t->rows = malloc((size_t)o->max_R * sizeof *t->rows);
    if (t->tensors == NULL || t->rows == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a trainer");
    draw_masters(t);
    describe_all(t);
    return RF_OK;
}

enum rf_status rf_trainer_create(struct rf_trainer **trainer, const struct rf_group *group,
                                 const struct rf_model_shape *shape,
                                 const struct rf_train_options *options, struct rf_error *err)
{
    struct rf_trainer *t = calloc(1, sizeof *t);
    struct rf_model_bytes need = {0};
    enum rf_status st =
        t != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory for a trainer");

    *trainer = NULL;
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        t->options = *options;
        if (t->options.layer_lr <= 0)
            t->options.layer_lr = 1;
        rf_mesh_make(&t->mesh, group, options->tensor);
        st = rf_agree(group, plan_all(t, shape, &need, err), err);
    }
    if (st == RF_OK)
        st = connect(t, &need, err);
    if (st == RF_OK) {
        t->exchange = rf_exchanger_exchange(t->slices);
        st = rf_agree(group, build(t, err), err);
    }
    if (st != RF_OK) {
        rf_trainer_destroy(t);
        return st;
    }
    hand_out(t);
    *trainer = t;
    return RF_OK;
}

void rf_trainer_destroy(struct rf_trainer *trainer)
{
    if (trainer == NULL)
        return;
    rf_model_destroy(trainer->model);
    rf_shard_destroy(trainer->shard);
    rf_plan_clear(&trainer->plan);
    rf_exchanger_destroy(trainer->all);
    rf_exchanger_destroy(trainer->copies);
    rf_exchanger_destroy(trainer->slices);
    rf_mesh_free(&trainer->mesh);
    free(trainer->tensors);
    free(trainer->rows);
    free(trainer);
}

/* ---- a step -------------------------------------------------------------- */

/* Global norm of what learns, of gradients whose kept rows are sums over the copies: every slice counts, and what all
 * ranks of a copy hold counts once. */
static double gradient_norm(const struct rf_trainer *t)
{
    const rf_real *g = rf_model_gradients(t->model);
    struct rf_exchange all = rf_exchanger_exchange(t->all);
    double sum = 0;

    for (int i = 0; i < t->plan.nparams; i++) {
        struct rf_shard_part part = rf_shard_part(t->shard, i);

        if (is_frozen(t->plan.params[i].name, t->options.freeze_layers))
            continue;
        if (!t->plan.params[i].replicated || t->exchange.rank == 0)
            sum += rf_sum_squares(g + part.at, part.n);
    }
    rf_exchange_sum_double(&all, &sum, 1);
    return sqrt(sum);
}

/* The rows of a tensor that this rank keeps, where all copies have their values. */
static rf_real *kept_values(struct rf_trainer *t, int i)
{
    struct rf_shard_part part = rf_shard_part(t->shard, i);

    return rf_model_value(t->model, i) + (part.at - t->plan.params[i].at);
}

static void update(struct rf_trainer *t, double lr, double norm)
{
    const struct rf_train_options *o = &t->options;
    struct rf_adamw a = {.lr = lr,
                         .beta1 = o->beta1,
                         .beta2 = o->beta2,
                         .eps = o->eps,
                         .scale = o->clip > 0 && norm > o->clip ? o->clip / norm : 1,
                         .step = t->steps_done + 1};
    const rf_real *g = rf_model_gradients(t->model);
    int nweights;
    const struct rf_weight *weights = rf_model_weights(t->model, &nweights);

    for (int k = 0; k < nweights; k++)
        spread_weight(t, &weights[k], k,
                      is_frozen(t->plan.params[weights[k].first].name, o->freeze_layers) ? NULL
                                                                                         : &a);
    for (int i = 0; i < t->plan.nparams; i++) {
        struct rf_shard_part part = rf_shard_part(t->shard, i);
        struct rf_adamw own;

        if (part.master != NULL || is_frozen(t->plan.params[i].name, o->freeze_layers))
            continue;
        own = adamw_of(t, i, &a);
        rf_adamw_update(kept_values(t, i), g + part.at, part.m, part.v, part.n, &own);
    }
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_OPTIMISER);
    for (int i = 0; i < t->plan.nparams; i++)
        if (rf_model_value(t->model, i) != NULL)
            rf_shard_spread(t->shard, i, rf_model_value(t->model, i), sizeof(rf_real));
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_EXCHANGE);
    rf_model_refresh(t->model);
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_OPTIMISER);
}

/* ---- parts of a batch ------------------------------------------------------ */

/* The part that begins with sequence *b, below `last`, whose first asked row is *r of the batch's; both
 * move on. Its first row is *first. 0: there is none left. */
static int next_part(struct rf_trainer *t, const struct rf_batch *batch, int last, int *b,
                     int *r, int *first, struct rf_batch *part)
{
    int joined = joined_in(batch);
    int whole = micro(&t->options, t->mesh.data.size), most = whole - whole % joined;
    int sequences = last - *b < most ? last - *b : most;
    int32_t begin = (int32_t)(*b * batch->T), end = begin + (int32_t)(sequences * batch->T);
    int item;

    if (sequences <= 0)
        return 0;
    *first = *r;
    *part = *batch;
    part->B = sequences;
    part->tokens = batch->tokens + begin;
    part->rows = t->rows;
    for (part->R = 0; *r < batch->R && batch->rows[*r] < end; (*r)++)
        t->rows[part->R++] = batch->rows[*r] - begin;
    item = *first / joined;
    if (batch->target != NULL)
        part->target = batch->target + item;
    if (batch->soft != NULL)
        part->soft = batch->soft + (size_t)item * (size_t)rf_batch_classes(batch);
    if (batch->weight != NULL)
        part->weight = batch->weight + item;
    *b += sequences;
    return 1;
}

/* Each copy learns some of the sequences: loss, gradient, and FLOPs of the forward pass, all of the whole
 * batch and the same on every rank; the gradient is whole at the rows that a rank keeps. */
static double learn(struct rf_trainer *t, const struct rf_batch *batch, int64_t *flops)
{
    struct rf_exchange copies = rf_exchanger_exchange(t->copies);
    int joined = joined_in(batch);
    struct rf_slice mine = rf_slice(batch->B / joined, t->mesh.data.rank, t->mesh.data.size);
    struct rf_batch part = *batch, none = *batch;
    double weight = rf_batch_weight(batch), sums[2] = {0, 0}; /* loss, FLOPs */
    struct rf_work work;
    int b = joined * (int)mine.begin, last = b + joined * (int)mine.count, r = 0, first,
        more = 0;

    while (r < batch->R && batch->rows[r] < b * batch->T)
        r++;
    none.B = none.R = 0;
    if (mine.count == 0) /* the gradient becomes zero */
        sums[0] = rf_model_learn_part(t->model, &none, weight, 0, &work);
    while (next_part(t, batch, last, &b, &r, &first, &part)) {
        sums[0] += rf_model_learn_part(t->model, &part, weight, more, &work);
        sums[1] += (double)rf_plan_flops(&t->plan, &work); /* whole, below 2^53 */
        more = 1;
    }
    rf_exchange_sum_double(&copies, sums, 2);
    rf_shard_gather(t->shard, rf_model_gradients(t->model));
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_EXCHANGE);
    *flops = (int64_t)sums[1];
    return sums[0];
}

void rf_trainer_step(struct rf_trainer *t, const struct rf_batch *batch,
                     struct rf_step_result *result)
{
    const struct rf_train_options *o = &t->options;
    int64_t flops;
    double loss, norm;
    double lr = rf_cosine_rate(t->steps_done, o->steps, o->lr, o->min_lr_ratio, o->warmup);
    int skipped;

    rf_profile_resume(rf_model_profile(t->model));
    loss = learn(t, batch, &flops);
    norm = gradient_norm(t);
    rf_profile_mark(rf_model_profile(t->model), RF_SPENT_OPTIMISER);
    /* Loss and norm came out of reductions, so every rank decides the same. */
    skipped = !isfinite(loss) || !isfinite(norm);
    if (!skipped)
        update(t, lr, norm);
    t->steps_done++;
    *result = (struct rf_step_result){.loss = loss,
                                      .grad_norm = norm,
                                      .lr = lr,
                                      .tokens = (int64_t)batch->B * batch->T,
                                      .flops = 3 * flops,
                                      .skipped = skipped};
}

void rf_trainer_predict(struct rf_trainer *t, const struct rf_batch *batch, float *prob,
                        int32_t *best, struct rf_step_result *result)
{
    struct rf_step_result all = {.tokens = (int64_t)batch->B * batch->T};
    double weight = rf_batch_weight(batch);
    struct rf_batch part;
    struct rf_work work;
    int b = 0, r = 0, first;

    while (next_part(t, batch, batch->B, &b, &r, &first, &part)) {
        size_t item = (size_t)(first / joined_in(batch));
        size_t at = item * (size_t)rf_batch_classes(batch);
        double loss = rf_model_predict(t->model, &part, prob != NULL ? prob + at : NULL,
                                       best != NULL ? best + item : NULL, &work);

        all.loss += weight > 0 ? loss * rf_batch_weight(&part) / weight : 0;
        all.flops += rf_plan_flops(&t->plan, &work);
    }
    if (result != NULL)
        *result = all;
}

void rf_trainer_features(struct rf_trainer *t, const struct rf_batch *batch, float *features,
                         struct rf_step_result *result)
{
    struct rf_step_result all = {.tokens = (int64_t)batch->B * batch->T};
    struct rf_batch part;
    struct rf_work work;
    int b = 0, r = 0, first;

    while (next_part(t, batch, batch->B, &b, &r, &first, &part)) {
        rf_model_features(t->model, &part,
                          features + (size_t)first * (size_t)t->plan.shape.width, &work);
        all.flops += rf_plan_flops(&t->plan, &work);
    }
    if (result != NULL)
        *result = all;
}

/* ---- what others look at --------------------------------------------------- */

const struct rf_tensor *rf_trainer_tensors(const struct rf_trainer *trainer, int *ntensors)
{
    *ntensors = 3 * trainer->plan.nparams;
    return trainer->tensors;
}

int rf_trainer_nparams(const struct rf_trainer *trainer)
{
    return trainer->plan.nparams;
}

struct rf_model *rf_trainer_model(struct rf_trainer *trainer)
{
    return trainer->model;
}

int64_t rf_trainer_steps_done(const struct rf_trainer *trainer)
{
    return trainer->steps_done;
}

void rf_trainer_loaded(struct rf_trainer *trainer, int64_t steps_done)
{
    trainer->steps_done = steps_done;
    hand_out(trainer);
    rf_model_refresh(trainer->model);
}

const struct rf_profile *rf_trainer_profile(const struct rf_trainer *trainer)
{
    return rf_model_profile(trainer->model);
}

const char *rf_trainer_exchange(const struct rf_trainer *trainer)
{
    return rf_exchanger_path(trainer->slices);
}

size_t rf_trainer_room_bytes(const struct rf_trainer *trainer)
{
    return rf_exchanger_room_bytes(trainer->slices);
}

const char *rf_trainer_implementation(const struct rf_trainer *trainer)
{
    return rf_model_implementation(trainer->model);
}

void rf_trainer_meter(const struct rf_trainer *trainer, struct rf_meter *meter)
{
    *meter = *rf_exchanger_meter(trainer->slices);
    rf_meter_join(meter, rf_exchanger_meter(trainer->copies));
    rf_meter_join(meter, rf_exchanger_meter(trainer->all));
    rf_meter_join(meter, rf_shard_meter(trainer->shard));
}

int64_t rf_trainer_parameters(const struct rf_trainer *trainer)
{
    return trainer->plan.nglobal;
}

/* What a trainer holds besides model and shard. */
static size_t own_bytes(const struct rf_train_options *options, int nparams)
{
    return (size_t)options->max_R * sizeof(int32_t) +
           3 * (size_t)nparams * sizeof(struct rf_tensor);
}

size_t rf_trainer_bytes(const struct rf_trainer *trainer)
{
    return rf_model_bytes(trainer->model) + rf_shard_bytes(trainer->shard) +
           own_bytes(&trainer->options, trainer->plan.nparams);
}

enum rf_status rf_trainer_predict_bytes(size_t *bytes, const struct rf_model_shape *shape,
                                        const struct rf_train_options *options, int rank,
                                        int size, struct rf_error *err)
{
    int tensor = rf_mesh_width(size, options->tensor), copies = size / tensor;
    struct rf_model_limits limits = limits_of(options, copies);
    enum rf_precision precision = precision_of(options, copies);
    struct rf_plan plan = {.params = NULL};
    enum rf_status st = check(shape, options, err);
    struct rf_model_bytes need = {0};

    *bytes = 0;
    if (st == RF_OK)
        st = rf_plan_make(&plan, shape, rank % tensor, tensor, err);
    if (st == RF_OK)
        st = rf_model_predict_bytes(&need, &plan, &limits, precision, err);
    if (st == RF_OK)
        *bytes = need.all +
                 rf_shard_cost(&plan, rank / tensor, copies, precision == RF_PRECISION_HELD) +
                 own_bytes(options, plan.nparams);
    rf_plan_clear(&plan);
    return st;
}
