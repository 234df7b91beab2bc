#include "nn/model.h"

#include <assert.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nn/bf16.h"
#include "nn/half.h"
#include "nn/model_parts.h"
#include "nn/rope.h"

enum { LOGITS_AT_A_TIME = 1 << 20, ROWS_AT_LEAST = 256 };

/* ---- sizes ------------------------------------------------------------- */

/* The same code measures and places: with an arena it takes, without it counts. */
struct placer {
    struct rf_arena *arena, *room;
    size_t bytes, room_bytes;
};

static rf_real *place(struct placer *p, size_t elements)
{
    size_t bytes = elements * sizeof(rf_real);

    p->bytes += rf_arena_cost(bytes);
    return p->arena ? rf_arena_take(p->arena, bytes) : NULL;
}

/* The same for what is summed over ranks. */
static rf_real *place_summed(struct placer *p, size_t elements)
{
    size_t bytes = elements * sizeof(rf_real);

    p->room_bytes += rf_arena_cost(bytes);
    return p->room ? rf_arena_take(p->room, bytes) : NULL;
}

/* An array of rows that is multiplied: in bf16 with the rows behind it that products may read. */
static struct rf_kept place_kept(struct placer *p, int bf16, size_t rows, size_t width)
{
    size_t bytes = (rows + RF_BF16_GRANULE) * width * sizeof(uint16_t);
    struct rf_kept kept = {.real = NULL};

    if (!bf16) {
        kept.real = place(p, rows * width);
        return kept;
    }
    p->bytes += rf_arena_cost(bytes);
    kept.half = p->arena ? rf_arena_take(p->arena, bytes) : NULL;
    return kept;
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

/* all: whose arrays this layer shares, all but its input; NULL: it has its own. */
static void place_layer(struct placer *p, struct rf_model_layer *l, const struct rf_plan *plan,
                        int bf16, size_t n, const struct rf_model_layer *all)
{
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t heads = (size_t)plan->heads.count, D = heads * (size_t)plan->head_width;
    size_t E = (size_t)plan->kv_heads.count * (size_t)plan->head_width;
    size_t gated = plan->shape.family == RF_MODEL_LLAMA ? 2 : 1;

    if (all != NULL) {
        *l = *all;
        l->x = place_summed(p, n * C);
        return;
    }
    *l = (struct rf_model_layer){
        .x = place_summed(p, n * C),
        .h1 = place_kept(p, bf16, n, C),
        .q = place_kept(p, bf16, n, D),
        .kv = place_kept(p, bf16, n, 2 * E),
        .log_sum = place(p, n * heads),
        .a = place_kept(p, bf16, n, D),
        .x2 = place_summed(p, n * C),
        .h2 = place_kept(p, bf16, n, C),
        .f = place_kept(p, bf16, n, gated * H),
        .g = place_kept(p, bf16, n, H),
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

/* Elements of m->block: norms, projections, the MLP backwards, attention backwards of the longest sequence. */
static size_t block_elements(const struct rf_model *m)
{
    const struct rf_plan *plan = m->plan;
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t W = (size_t)plan->head_width, D = (size_t)plan->heads.count * W;
    size_t E = (size_t)plan->kv_heads.count * W, T = (size_t)m->limits.max_T;
    size_t gated = plan->shape.family == RF_MODEL_LLAMA ? 2 : 1;
    size_t widest = larger(larger(C, (1 + 2 * gated) * H), larger(D, 2 * E));

    return larger(RF_MODEL_BLOCK * widest, T * D + (T + RF_ATTENTION_TILE) * 2 * E);
}

static void place_all(struct rf_model *m, struct placer *p)
{
    const struct rf_plan *plan = m->plan;
    size_t n = (size_t)m->limits.max_B * (size_t)m->limits.max_T, R = (size_t)m->limits.max_R;
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t W = (size_t)plan->head_width, D = (size_t)plan->heads.count * W;
    size_t E = (size_t)plan->kv_heads.count * W, widest = H > D ? H : D;
    size_t range = (size_t)m->limits.max_range;
    int llama = plan->shape.family == RF_MODEL_LLAMA, bf16 = m->bf16;

    m->values = place(p, plan->nlocal);
    m->gradients = place(p, plan->nlocal);
    for (int i = 0; i < plan->shape.layers; i++)
        place_layer(p, &m->layers[i], plan, bf16, n,
                    m->limits.recompute && i > 0 ? &m->layers[0] : NULL);
    m->turns = place(p, llama ? rf_rope_table_size(m->limits.max_T, plan->head_width) : 0);
    if (llama)
        m->df = place_kept(p, bf16, n, 2 * H);
    m->hq = place_kept(p, bf16, R, C);
    m->xf = place_summed(p, n * C);
    m->hf = place_kept(p, bf16, R, C);
    m->meanf = place(p, R);
    m->rstdf = place(p, R);
    m->dx = place(p, n * C);
    m->dx_other = place(p, n * C);
    m->dh = place_summed(p, n * C);
    if (bf16)
        m->dy = place_kept(p, bf16, n, C);
    m->dwide = place_kept(p, bf16, n, widest);
    m->dq = place_kept(p, bf16, n, D);
    m->dkv = place_kept(p, bf16, n, 2 * E);
    m->scratch = place(p, rf_attention_scratch(m->limits.max_T, plan->head_width, bf16));
    m->block = place(p, bf16 ? block_elements(m) : 0);
    m->logits = place(p, logits_elements(m));
    if (bf16)
        m->dlogits = place_kept(p, bf16, logits_elements(m) / range + 1, range);
    m->top = place_summed(p, R);
    m->sums = place_summed(p, 2 * R);
    m->scale = place(p, R);
    m->best = place_summed(p, R);
    m->prob = place(p, logits_elements(m));
}

/* ---- making and ending -------------------------------------------------- */

static void draw_values(struct rf_model *m, uint64_t seed)
{
    for (int i = 0; i < m->plan->nparams; i++) {
        const struct rf_param *p = &m->plan->params[i];
        rf_real *to = m->values + p->at;
        uint64_t stream = rf_rng_stream("init", (uint64_t)i);

        for (int64_t r = 0; r < p->extent[0]; r++)
            for (int64_t c = 0; c < p->extent[1]; c++) {
                uint64_t whole =
                    (uint64_t)((p->offset[0] + r) * p->shape[1] + p->offset[1] + c);

                if (p->init == RF_INIT_NORMAL)
                    *to = (rf_real)(p->init_std * rf_rng_normal(seed, stream, whole));
                else
                    *to = p->init == RF_INIT_ONE ? 1 : 0;
                to++;
            }
    }
    rf_matmul_refresh(m->matmul);
}

/* Makes room for the layers' places, and counts what the arena has to hold. */
static enum rf_status count(struct rf_model *m, struct rf_error *err)
{
    const struct rf_model_limits *at_most = &m->limits;
    struct placer placer = {.arena = NULL};

    m->layers = calloc((size_t)m->plan->shape.layers, sizeof *m->layers);
    if (m->layers == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d layers", m->plan->shape.layers);
    place_all(m, &placer);
    m->arena_bytes =
        placer.bytes + rf_pack_cost(at_most->max_B, at_most->max_T, at_most->max_R);
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
        struct placer placer = {.arena = m->arena, .room = m->room};

        place_all(m, &placer);
        rf_pack_place(&m->pack, m->arena, at_most->max_B, at_most->max_T, at_most->max_R);
    }
    return st;
}

/* As rf_matmul_create() counts: of a block of rows, of a tile of attention, of 128 rows of logits. */
static size_t largest_operand(const struct rf_model *m)
{
    size_t n = (size_t)m->limits.max_B * (size_t)m->limits.max_T, T = (size_t)m->limits.max_T;
    size_t C = (size_t)m->plan->shape.width, H = (size_t)m->plan->hidden.count;
    size_t wide = m->plan->shape.family == RF_MODEL_LLAMA ? 2 * H : H;
    size_t widest = larger(2 * C, wide), range = (size_t)m->limits.max_range;
    size_t rows = (n < RF_BF16_ROWS ? n : RF_BF16_ROWS) + RF_BF16_GRANULE;
    size_t keys = T + RF_ATTENTION_TILE, W = (size_t)m->plan->head_width;

    return larger(larger(rows * widest, keys * larger(W, RF_ATTENTION_TILE)),
                  logits_elements(m) + RF_BF16_GRANULE * range);
}

enum rf_status rf_model_create(struct rf_model **model, const struct rf_plan *plan,
                               const struct rf_exchange *exchange,
                               const struct rf_model_limits *limits, int bf16, uint64_t seed,
                               struct rf_error *err)
{
    struct rf_model *m = calloc(1, sizeof *m);
    enum rf_status st;

    *model = NULL;
    if (m == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a model");
    m->plan = plan;
    m->exchange = *exchange;
    m->limits = *limits;
    m->bf16 = bf16;
    st = reserve(m, err);
    if (st == RF_OK)
        st = rf_matmul_create(&m->matmul, bf16, m->values, plan->nlocal, largest_operand(m),
                              err);
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
    free(model);
}

rf_real *rf_model_values(struct rf_model *model)
{
    return model->values;
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

size_t rf_model_bytes(const struct rf_model *model)
{
    return model->arena_bytes + model->room_bytes + rf_matmul_bytes(model->matmul);
}

enum rf_status rf_model_predict_bytes(size_t *bytes, size_t *room_bytes,
                                      const struct rf_plan *plan,
                                      const struct rf_model_limits *limits, int bf16,
                                      struct rf_error *err)
{
    struct rf_model m = {.plan = plan, .limits = *limits, .bf16 = bf16};
    enum rf_status st = count(&m, err);

    *room_bytes = m.room_bytes;
    *bytes =
        m.arena_bytes + m.room_bytes + rf_matmul_cost(bf16, plan->nlocal, largest_operand(&m));
    free(m.layers);
    return st;
}

/* ---- where things are --------------------------------------------------- */

struct rf_model_param rf_model_param(const struct rf_model *m, int index)
{
    size_t at = index < 0 ? 0 : m->plan->params[index].at;

    return index < 0 ? (struct rf_model_param){NULL, NULL}
                     : (struct rf_model_param){m->values + at, m->gradients + at};
}

struct rf_model_param rf_model_layer_param(const struct rf_model *m, int layer,
                                           enum rf_layer_param which)
{
    return rf_model_param(m, rf_plan_layer(m->plan, layer, which));
}

void rf_model_sum_rows(struct rf_model *m, rf_real *x, int n)
{
    rf_exchange_sum_rows(&m->exchange, x, (size_t)n * (size_t)m->plan->shape.width);
    rf_profile_mark(&m->profile, RF_SPENT_EXCHANGE);
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
