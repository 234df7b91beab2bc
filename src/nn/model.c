#include "nn/model.h"

#include <assert.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nn/bf16.h"
#include "nn/half.h"
#include "nn/model_parts.h"
#include "nn/rope.h"

enum { LOGITS_AT_A_TIME = 1 << 20, ROWS_AT_LEAST = 256, ELEMENTS_AT_A_TIME = 1 << 14 };
#define NOWHERE SIZE_MAX

/* ---- sizes ------------------------------------------------------------- */

/* The same code measures and places: with an arena it takes, without it counts. */
struct placer {
    struct rf_arena *arena, *room;
    int bf16;
    size_t bytes, room_bytes;
};

static void *place_bytes(struct placer *p, size_t bytes)
{
    p->bytes += rf_arena_cost(bytes);
    return p->arena ? rf_arena_take(p->arena, bytes) : NULL;
}

static rf_real *place(struct placer *p, size_t elements)
{
    return place_bytes(p, elements * sizeof(rf_real));
}

/* The same for what is summed over ranks. */
static rf_real *place_summed(struct placer *p, size_t elements)
{
    size_t bytes = elements * sizeof(rf_real);

    p->room_bytes += rf_arena_cost(bytes);
    return p->room ? rf_arena_take(p->room, bytes) : NULL;
}

size_t rf_model_loss_rows(int R, int range)
{
    size_t rows = (size_t)LOGITS_AT_A_TIME / (size_t)(range > 0 ? range : 1);

    rows = rows < ROWS_AT_LEAST ? ROWS_AT_LEAST : rows;
    return rows < (size_t)R ? rows : (size_t)R;
}

/* The most that rf_model_loss_rows() x range comes to, over all batches within the limits. */
static size_t logits_elements(const struct rf_model *m)
{
    size_t range = (size_t)m->limits.max_range, all = (size_t)m->limits.max_R * range;
    size_t most = ROWS_AT_LEAST * range;

    most = most > LOGITS_AT_A_TIME ? most : LOGITS_AT_A_TIME;
    return all < most ? all : most;
}

/* An array of rows that is multiplied: in bf16 with the rows behind it that products may read. */
static struct rf_kept place_kept(struct placer *p, size_t rows, size_t width)
{
    size_t n = p->bf16 ? (rows + RF_BF16_GRANULE) * width : rows * width;
    void *at = place_bytes(p, n * (p->bf16 ? sizeof(uint16_t) : sizeof(rf_real)));

    return (struct rf_kept){.real = p->bf16 ? NULL : at, .half = p->bf16 ? at : NULL};
}

/* all: whose arrays this layer shares, all but its input; NULL: it has its own. */
static void place_layer(struct placer *p, struct rf_model_layer *l, const struct rf_plan *plan,
                        size_t n, const struct rf_model_layer *all)
{
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t heads = (size_t)plan->heads.count, D = heads * (size_t)plan->head_width;
    size_t E = (size_t)plan->kv_heads.count * (size_t)plan->head_width;
    size_t gated = plan->shape.family == RF_MODEL_LLAMA ? 2 : 1;

    if (all != NULL) {
        *l = *all;
        l->x = place(p, n * C);
        return;
    }
    *l = (struct rf_model_layer){
        .x = place(p, n * C),
        .h1 = place_kept(p, n, C),
        .q = place_kept(p, n, D),
        .kv = place_kept(p, n, 2 * E),
        .log_sum = place(p, n * heads),
        .a = place_kept(p, n, D),
        .x2 = place(p, n * C),
        .h2 = place_kept(p, n, C),
        .f = place_kept(p, n, gated * H),
        .g = place_kept(p, n, H),
        .mean1 = place(p, n),
        .rstd1 = place(p, n),
        .mean2 = place(p, n),
        .rstd2 = place(p, n),
    };
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Elements of m->block: some rows of a norm, projections, the MLP backwards, attention backwards of the longest
 * sequence. */
static size_t block_elements(const struct rf_model *m)
{
    const struct rf_plan *plan = m->plan;
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t W = (size_t)plan->head_width, D = (size_t)plan->heads.count * W;
    size_t E = (size_t)plan->kv_heads.count * W, T = (size_t)m->limits.max_T;
    size_t F = (plan->shape.family == RF_MODEL_LLAMA ? 2 : 1) * H;
    size_t block = RF_MODEL_BLOCK * larger(F, larger(D, 2 * E)) + RF_MODEL_FEW * 2 * F;

    block = larger(block, (size_t)rf_model_rows_at_a_time(m) * C);
    return larger(block, T * D + (T + RF_ATTENTION_TILE) * 2 * E);
}

/* The most rows that layers see. */
static size_t rows_most(const struct rf_model *m)
{
    const struct rf_model_limits *at_most = &m->limits;

    return m->plan->shape.bag ? (size_t)at_most->max_R
                              : (size_t)at_most->max_B * (size_t)at_most->max_T;
}

static void place_all(struct rf_model *m, struct placer *p)
{
    const struct rf_plan *plan = m->plan;
    size_t n = rows_most(m), R = (size_t)m->limits.max_R;
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t W = (size_t)plan->head_width, D = (size_t)plan->heads.count * W;
    size_t E = (size_t)plan->kv_heads.count * W, widest = H > D ? H : D;
    size_t range = (size_t)m->limits.max_range;
    int llama = plan->shape.family == RF_MODEL_LLAMA;

    m->values = place(p, m->precision == RF_PRECISION_HELD ? m->nvalues : plan->nlocal);
    m->gradients = place(p, plan->nlocal);
    for (int i = 0; i < plan->shape.layers; i++)
        place_layer(p, &m->layers[i], plan, n,
                    m->limits.recompute && i > 0 ? &m->layers[0] : NULL);
    m->turns = place(p, llama ? rf_rope_table_size(m->limits.max_T, plan->head_width) : 0);
    if (llama)
        m->df = place_kept(p, n, 2 * H);
    m->hq = place_kept(p, R, C);
    m->xf = place(p, n * C);
    m->hf = place_kept(p, R, C);
    m->meanf = place(p, R);
    m->rstdf = place(p, R);
    m->dx = place(p, n * C);
    m->dx_other = place(p, n * C);
    if (p->bf16)
        m->dy = place_kept(p, n, C);
    m->dh = place_summed(p, n * C);
    m->dwide = place_kept(p, n, widest);
    m->dq = place_kept(p, n, D);
    m->dkv = place_kept(p, n, 2 * E);
    m->scratch = place(p, rf_attention_scratch(m->limits.max_T, plan->head_width, p->bf16));
    m->block = place(p, p->bf16 ? block_elements(m) : 0);
    m->logits = place(p, logits_elements(m));
    if (p->bf16)
        m->dlogits = place_kept(p, logits_elements(m) / range + 1, range);
    m->top = place_summed(p, R);
    m->sums = place_summed(p, 2 * R);
    m->scale = place(p, R);
    m->best = place_summed(p, R);
    m->prob = place(p, logits_elements(m));
}

/* ---- making and ending -------------------------------------------------- */

void rf_model_draw(rf_real *rows, const struct rf_plan *plan, int i, int64_t first,
                   int64_t nrows, uint64_t seed)
{
    const struct rf_param *p = &plan->params[i];
    uint64_t stream = rf_rng_stream("init", (uint64_t)i);

    for (int64_t r = first; r < first + nrows; r++)
        for (int64_t c = 0; c < p->extent[1]; c++) {
            uint64_t whole = (uint64_t)((p->offset[0] + r) * p->shape[1] + p->offset[1] + c);

            if (p->init == RF_INIT_NORMAL)
                *rows = (rf_real)(p->init_std * rf_rng_normal(seed, stream, whole));
            else
                *rows = p->init == RF_INIT_ONE ? 1 : 0;
            rows++;
        }
}

static void draw_values(struct rf_model *m, uint64_t seed)
{
    for (int i = 0; i < m->plan->nparams; i++) {
        rf_real *to = rf_model_value(m, i);

        if (to != NULL)
            rf_model_draw(to, m->plan, i, 0, m->plan->params[i].extent[0], seed);
    }
    rf_matmul_refresh(m->matmul);
}

/* Of a HELD model: which parameters are held, and where the others' values lie. */
static enum rf_status list_weights(struct rf_model *m, struct rf_error *err)
{
    const struct rf_plan *plan = m->plan;

    if (m->precision != RF_PRECISION_HELD)
        return RF_OK;
    m->nweights = rf_weights_list(NULL, plan);
    m->weights = calloc((size_t)m->nweights + 1, sizeof *m->weights);
    m->value_at = calloc((size_t)plan->nparams + 1, sizeof *m->value_at);
    if (m->weights == NULL || m->value_at == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d tensors", plan->nparams);
    rf_weights_list(m->weights, plan);
    for (int i = 0; i < plan->nparams; i++) {
        const struct rf_param *p = &plan->params[i];

        if (rf_weights_has(plan, i)) {
            m->value_at[i] = NOWHERE;
            continue;
        }
        if (!rf_plan_follows(plan, i))
            m->nvalues = (m->nvalues + 15) / 16 * 16;
        m->value_at[i] = m->nvalues;
        m->nvalues += (size_t)(p->extent[0] * p->extent[1]);
    }
    return RF_OK;
}

/* Makes room for the layers' places, and counts what the arena has to hold. */
static enum rf_status count(struct rf_model *m, struct rf_error *err)
{
    const struct rf_model_limits *at_most = &m->limits;
    struct placer placer = {.bf16 = m->precision != RF_PRECISION_FP32};

    if (list_weights(m, err) != RF_OK)
        return RF_ERR_MEMORY;
    m->layers = calloc((size_t)m->plan->shape.layers, sizeof *m->layers);
    if (m->layers == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d layers", m->plan->shape.layers);
    place_all(m, &placer);
    m->arena_bytes = placer.bytes + rf_pack_cost(at_most->max_B, at_most->max_T, at_most->max_R,
                                                 m->plan->shape.bag);
    m->room_bytes = placer.room_bytes;
    return RF_OK;
}

static enum rf_status reserve(struct rf_model *m, struct rf_error *err)
{
    const struct rf_model_limits *at_most = &m->limits;
    const struct rf_exchange *e = &m->exchange;
    enum rf_status st = count(m, err);

    if (st == RF_OK)
        st = rf_arena_create(&m->arena, m->arena_bytes, err);
    if (st == RF_OK)
        st = e->room != NULL && e->room_bytes >= m->room_bytes
                 ? rf_arena_over(&m->room, e->room, e->room_bytes, err)
                 : rf_arena_create(&m->room, m->room_bytes, err);
    if (st == RF_OK) {
        struct placer placer = {
            .arena = m->arena, .room = m->room, .bf16 = m->precision != RF_PRECISION_FP32};

        place_all(m, &placer);
        rf_pack_place(&m->pack, m->arena, at_most->max_B, at_most->max_T, at_most->max_R,
                      m->plan->shape.bag);
    }
    return st;
}

/* Rows as products pad them. */
static size_t padded(size_t rows)
{
    return (rows + 127) / 128 * 128;
}

/* As rf_matmul_create() counts: some rows of activations and their gradients, a tile of attention, logits of the
 * classes here. */
static size_t largest_operand(const struct rf_model *m)
{
    const struct rf_plan *plan = m->plan;
    size_t n = padded(rows_most(m));
    size_t C = (size_t)plan->shape.width, W = (size_t)plan->head_width;
    size_t H = (size_t)plan->hidden.count * (plan->shape.family == RF_MODEL_LLAMA ? 2 : 1);
    size_t D = (size_t)plan->heads.count * W, E = 2 * (size_t)plan->kv_heads.count * W;
    size_t range = (size_t)m->limits.max_range, held = (size_t)plan->vocabulary.count;
    size_t keys = (size_t)m->limits.max_T + RF_ATTENTION_TILE;
    size_t rows = n < RF_BF16_ROWS ? n : RF_BF16_ROWS;
    size_t operand = rows * larger(larger(C, H), larger(D, E)), logits;

    logits = padded(rf_model_loss_rows(m->limits.max_R, 1));
    logits = (logits < RF_BF16_ROWS ? logits : RF_BF16_ROWS) * (held < range ? held : range);
    operand = larger(operand, keys * larger(W, RF_ATTENTION_TILE));
    return larger(operand, logits);
}

static enum rf_status make_products(struct rf_model *m, struct rf_error *err)
{
    int bf16 = m->precision != RF_PRECISION_FP32, held = m->precision == RF_PRECISION_HELD;
    enum rf_status st = rf_matmul_create(&m->matmul, bf16, held ? NULL : m->values,
                                         held ? 0 : m->plan->nlocal, largest_operand(m), err);

    /* what has a gradient has a name */
    return st == RF_OK && held ? rf_matmul_hold(m->matmul, m->gradients, m->plan->nlocal,
                                                m->weights, m->nweights, err)
                               : st;
}

enum rf_status rf_model_create(struct rf_model **model, const struct rf_plan *plan,
                               const struct rf_exchange *exchange,
                               const struct rf_model_limits *limits,
                               enum rf_precision precision, uint64_t seed, struct rf_error *err)
{
    struct rf_model *m = calloc(1, sizeof *m);
    enum rf_status st;

    *model = NULL;
    if (m == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a model");
    m->plan = plan;
    m->exchange = *exchange;
    m->limits = *limits;
    m->precision = precision;
    st = reserve(m, err);
    if (st == RF_OK)
        st = make_products(m, err);
    if (st != RF_OK) {
        rf_model_destroy(m);
        return st;
    }
    if (plan->shape.family == RF_MODEL_LLAMA)
        rf_rope_fill(m->turns, limits->max_T, plan->head_width, plan->shape.rope_theta);
    draw_values(m, seed);
    *model = m;
    return RF_OK;
}

void rf_model_destroy(struct rf_model *model)
{
    if (model == NULL)
        return;
    rf_matmul_destroy(model->matmul);
    rf_arena_destroy(model->room);
    rf_arena_destroy(model->arena);
    free(model->layers);
    free(model->weights);
    free(model->value_at);
    free(model);
}

rf_real *rf_model_values(struct rf_model *model)
{
    assert(model->precision != RF_PRECISION_HELD);
    return model->values;
}

rf_real *rf_model_value(struct rf_model *m, int i)
{
    if (m->precision != RF_PRECISION_HELD)
        return m->values + m->plan->params[i].at;
    return m->value_at[i] == NOWHERE ? NULL : m->values + m->value_at[i];
}

const struct rf_weight *rf_model_weights(const struct rf_model *model, int *n)
{
    *n = model->nweights;
    return model->weights;
}

uint16_t *rf_model_room(struct rf_model *model, int k)
{
    return rf_matmul_room(model->matmul, k);
}

void rf_model_take(struct rf_model *model, int k)
{
    rf_matmul_take(model->matmul, k);
}

rf_real *rf_model_gradients(struct rf_model *model)
{
    return model->gradients;
}

void rf_model_refresh(struct rf_model *model)
{
    rf_matmul_refresh(model->matmul);
}

struct rf_profile *rf_model_profile(struct rf_model *model)
{
    return &model->profile;
}

const char *rf_model_implementation(const struct rf_model *model)
{
    return rf_matmul_implementation(model->matmul);
}

/* Of a HELD model besides arena, room and products. */
static size_t list_bytes(const struct rf_model *m)
{
    return (size_t)m->nweights * sizeof *m->weights +
           (m->nweights > 0 ? (size_t)m->plan->nparams * sizeof *m->value_at : 0);
}

size_t rf_model_bytes(const struct rf_model *model)
{
    return model->arena_bytes + model->room_bytes + rf_matmul_bytes(model->matmul) +
           list_bytes(model);
}

enum rf_status rf_model_predict_bytes(struct rf_model_bytes *need, const struct rf_plan *plan,
                                      const struct rf_model_limits *limits,
                                      enum rf_precision precision, struct rf_error *err)
{
    struct rf_model m = {.plan = plan, .limits = *limits, .precision = precision};
    int held = precision == RF_PRECISION_HELD;
    enum rf_status st = count(&m, err);

    *need = (struct rf_model_bytes){.room = m.room_bytes};
    need->all = m.arena_bytes + m.room_bytes + list_bytes(&m) +
                rf_matmul_cost(precision != RF_PRECISION_FP32, held ? 0 : plan->nlocal,
                               largest_operand(&m)) +
                (held ? rf_matmul_hold_cost(m.weights, m.nweights) : 0);
    free(m.layers);
    free(m.weights);
    free(m.value_at);
    return st;
}

/* ---- where things are --------------------------------------------------- */

struct rf_model_param rf_model_param(const struct rf_model *m, int index)
{
    rf_real *dw = index < 0 ? NULL : m->gradients + m->plan->params[index].at;
    const rf_real *w = dw;

    if (index >= 0 && m->precision != RF_PRECISION_HELD)
        w = m->values + m->plan->params[index].at;
    else if (index >= 0 && m->value_at[index] != NOWHERE)
        w = m->values + m->value_at[index];
    return (struct rf_model_param){w, dw};
}

struct rf_model_param rf_model_layer_param(const struct rf_model *m, int layer,
                                           enum rf_layer_param which)
{
    return rf_model_param(m, rf_plan_layer(m->plan, layer, which));
}

/* ---- rows of the stream -------------------------------------------------- */

int rf_model_rows_at_a_time(const struct rf_model *m)
{
    int rows = ELEMENTS_AT_A_TIME / m->plan->shape.width;

    return rows > 0 ? rows : 1;
}

/* ---- the ways to run ---------------------------------------------------- */

static void check_batch(const struct rf_model *m, const struct rf_batch *batch)
{
    assert(batch->B <= m->limits.max_B && batch->T <= m->limits.max_T);
    assert(batch->R <= m->limits.max_R && batch->range_count <= m->limits.max_range);
    assert(batch->T <= m->plan->shape.context && batch->range_begin >= 0);
    assert(batch->range_begin + batch->range_count <= m->plan->shape.vocabulary);
    (void)m;
    (void)batch;
}

static void pack(struct rf_model *m, const struct rf_batch *batch, struct rf_work *work)
{
    check_batch(m, batch);
    rf_pack_fill(&m->pack, batch, work);
}

double rf_model_learn_part(struct rf_model *m, const struct rf_batch *part, double weight,
                           int more, struct rf_work *work)
{
    double loss;

    assert(part->target != NULL || part->soft != NULL || part->R == 0);
    if (!more)
        memset(m->gradients, 0, m->plan->nlocal * sizeof *m->gradients);
    pack(m, part, work);
    rf_profile_mark(&m->profile, RF_SPENT_STREAM);
    rf_model_forward(m);
    loss = rf_model_output(m, part, weight);
    rf_model_backward(m);
    return loss;
}

double rf_model_learn(struct rf_model *m, const struct rf_batch *batch, struct rf_work *work)
{
    return rf_model_learn_part(m, batch, rf_batch_weight(batch), 0, work);
}

double rf_model_predict(struct rf_model *m, const struct rf_batch *batch, float *prob,
                        int32_t *best, struct rf_work *work)
{
    pack(m, batch, work);
    rf_model_forward(m);
    return rf_model_answer(m, batch, prob, best);
}

void rf_model_features(struct rf_model *m, const struct rf_batch *batch, float *features,
                       struct rf_work *work)
{
    size_t n = (size_t)batch->R * (size_t)m->plan->shape.width;

    pack(m, batch, work);
    work->range = 0; /* the output layer does not run */
    rf_model_forward(m);
    for (size_t i = 0; i < n; i++)
        features[i] = m->hf.half != NULL ? rf_half_wide(m->hf.half[i]) : (float)m->hf.real[i];
}
