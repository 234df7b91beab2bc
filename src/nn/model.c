/* Every rank holds the whole residual stream and its slices of the weights. A
 * block half (attention or MLP) multiplies by its column slice, works, and
 * multiplies by its row slice; the sum over ranks then is the half's output.
 * Backward the same happens in the other direction. The gradient of the
 * stream is therefore whole and the same on every rank, and so are the
 * gradients of what is on every rank (norms, positions, output biases),
 * without another reduction. */
#include "nn/model.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/rng.h"
#include "nn/activation.h"
#include "nn/attention.h"
#include "nn/embed.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/matmul.h"
#include "nn/norm.h"
#include "nn/pack.h"

enum { LOGITS_AT_A_TIME = 1 << 20, ROWS_AT_LEAST = 32 };

/* What a layer's forward pass leaves for its backward pass. */
struct layer {
    rf_real *x, *h1, *q, *kv, *log_sum, *a; /* stream; its norm; attention in and out */
    rf_real *x2, *h2, *f, *g;               /* stream; its norm; MLP before and after GELU */
    rf_real *mean1, *rstd1, *mean2, *rstd2;
};

struct rf_model {
    const struct rf_plan *plan; /* borrowed */
    struct rf_exchange exchange;
    struct rf_model_limits limits;
    struct rf_arena *arena; /* owned; all arrays below lie in it */
    size_t arena_bytes;
    struct rf_matmul *matmul; /* owned */
    rf_real *values, *gradients;
    struct layer *layers; /* owned */
    struct rf_pack pack;
    rf_real *hq;                         /* the last layer's norm at the asked rows */
    rf_real *xf, *hf, *meanf, *rstdf;    /* the end of the stream, asked rows */
    rf_real *dx, *dx_other, *dh, *dwide; /* gradients: stream, norm, inside a block half */
    rf_real *dq, *dkv, *scratch;
    rf_real *logits, *top, *sums,
        *scale; /* sums [2][rows]: of exponentials, of what is wanted */
    rf_real *best, *prob;
};

/* ---- sizes ------------------------------------------------------------- */

/* The same code measures and places: with an arena it takes, without it counts. */
struct placer {
    struct rf_arena *arena;
    size_t bytes;
};

static rf_real *place(struct placer *p, size_t elements)
{
    size_t bytes = elements * sizeof(rf_real);

    p->bytes += rf_arena_cost(bytes);
    return p->arena ? rf_arena_take(p->arena, bytes) : NULL;
}

static size_t loss_rows(int R, int range)
{
    size_t rows = (size_t)LOGITS_AT_A_TIME / (size_t)(range > 0 ? range : 1);

    rows = rows < ROWS_AT_LEAST ? ROWS_AT_LEAST : rows;
    return rows < (size_t)R ? rows : (size_t)R;
}

/* The most that loss_rows() x range comes to, over all batches within the limits. */
static size_t logits_elements(const struct rf_model *m)
{
    size_t range = (size_t)m->limits.max_range, all = (size_t)m->limits.max_R * range;
    size_t most = ROWS_AT_LEAST * range;

    most = most > LOGITS_AT_A_TIME ? most : LOGITS_AT_A_TIME;
    return all < most ? all : most;
}

static void place_layer(struct placer *p, struct layer *l, const struct rf_plan *plan, size_t n)
{
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t heads = (size_t)plan->heads.count, D = heads * (C / (size_t)plan->shape.heads);

    *l = (struct layer){
        .x = place(p, n * C),
        .h1 = place(p, n * C),
        .q = place(p, n * D),
        .kv = place(p, 2 * n * D),
        .log_sum = place(p, n * heads),
        .a = place(p, n * D),
        .x2 = place(p, n * C),
        .h2 = place(p, n * C),
        .f = place(p, n * H),
        .g = place(p, n * H),
        .mean1 = place(p, n),
        .rstd1 = place(p, n),
        .mean2 = place(p, n),
        .rstd2 = place(p, n),
    };
}

static void place_all(struct rf_model *m, struct placer *p)
{
    const struct rf_plan *plan = m->plan;
    size_t n = (size_t)m->limits.max_B * (size_t)m->limits.max_T, R = (size_t)m->limits.max_R;
    size_t C = (size_t)plan->shape.width, H = (size_t)plan->hidden.count;
    size_t D = (size_t)plan->heads.count * (C / (size_t)plan->shape.heads);
    size_t widest = H > D ? H : D;

    m->values = place(p, plan->nlocal);
    m->gradients = place(p, plan->nlocal);
    for (int i = 0; i < plan->shape.layers; i++)
        place_layer(p, &m->layers[i], plan, n);
    m->hq = place(p, R * C);
    m->xf = place(p, n * C);
    m->hf = place(p, R * C);
    m->meanf = place(p, R);
    m->rstdf = place(p, R);
    m->dx = place(p, n * C);
    m->dx_other = place(p, n * C);
    m->dh = place(p, n * C);
    m->dwide = place(p, n * widest);
    m->dq = place(p, n * D);
    m->dkv = place(p, 2 * n * D);
    m->scratch = place(p, rf_attention_scratch(m->limits.max_T));
    m->logits = place(p, logits_elements(m));
    m->top = place(p, R);
    m->sums = place(p, 2 * R);
    m->scale = place(p, R);
    m->best = place(p, R);
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

static enum rf_status reserve(struct rf_model *m, struct rf_error *err)
{
    const struct rf_model_limits *at_most = &m->limits;
    struct placer placer = {.arena = NULL};
    size_t pack_bytes = rf_pack_cost(at_most->max_B, at_most->max_T, at_most->max_R);
    enum rf_status st;

    m->layers = calloc((size_t)m->plan->shape.layers, sizeof *m->layers);
    if (m->layers == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d layers", m->plan->shape.layers);
    place_all(m, &placer);
    m->arena_bytes = placer.bytes + pack_bytes;
    st = rf_arena_create(&m->arena, m->arena_bytes, err);
    if (st == RF_OK) {
        placer = (struct placer){.arena = m->arena};
        place_all(m, &placer);
        rf_pack_place(&m->pack, m->arena, at_most->max_B, at_most->max_T, at_most->max_R);
    }
    return st;
}

static size_t largest_operand(const struct rf_model *m)
{
    size_t n = (size_t)m->limits.max_B * (size_t)m->limits.max_T + 128;
    size_t C = (size_t)m->plan->shape.width, H = (size_t)m->plan->hidden.count;
    size_t widest = 2 * C > H ? 2 * C : H, range = (size_t)m->limits.max_range;
    size_t logits = (size_t)LOGITS_AT_A_TIME + 256 * range, weights = (2 * C + H + range) * C;

    logits = logits > weights ? logits : weights;
    return n * widest > logits ? n * widest : logits;
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
    st = reserve(m, err);
    if (st == RF_OK)
        st = rf_matmul_create(&m->matmul, bf16, m->values, plan->nlocal, largest_operand(m),
                              err);
    if (st != RF_OK) {
        rf_model_destroy(m);
        return st;
    }
    draw_values(m, seed);
    *model = m;
    return RF_OK;
}

void rf_model_destroy(struct rf_model *model)
{
    if (model == NULL)
        return;
    rf_matmul_destroy(model->matmul);
    rf_arena_destroy(model->arena);
    free(model->layers);
    free(model);
}

rf_real *rf_model_values(struct rf_model *model)
{
    return model->values;
}

const rf_real *rf_model_gradients(const struct rf_model *model)
{
    return model->gradients;
}

void rf_model_refresh(struct rf_model *model)
{
    rf_matmul_refresh(model->matmul);
}

const char *rf_model_implementation(const struct rf_model *model)
{
    return rf_matmul_implementation(model->matmul);
}

size_t rf_model_bytes(const struct rf_model *model)
{
    return model->arena_bytes + rf_matmul_bytes(model->matmul);
}

/* ---- where things are --------------------------------------------------- */

/* A parameter tensor's slice: its values and its gradient. */
struct param {
    const rf_real *w;
    rf_real *dw;
};

static struct param param_at(const struct rf_model *m, int index)
{
    size_t at = m->plan->params[index].at;

    return (struct param){m->values + at, m->gradients + at};
}

static struct param layer_param(const struct rf_model *m, int layer, enum rf_layer_param which)
{
    return param_at(m, RF_PARAM_LAYER + layer * RF_LAYER_PARAMS + (int)which);
}

static struct param final_param(const struct rf_model *m, int which)
{
    return param_at(m, m->plan->nparams - 2 + which);
}

static int local_width(const struct rf_model *m)
{
    return (int)m->plan->heads.count * (m->plan->shape.width / m->plan->shape.heads);
}

/* Whether layer i works at the asked rows only. */
static int asked_only(const struct rf_model *m, int i)
{
    return i == m->plan->shape.layers - 1 && !m->pack.all;
}

static struct rf_attention attention_of(const struct rf_model *m, int i)
{
    const struct rf_pack *p = &m->pack;
    int few = asked_only(m, i);

    return (struct rf_attention){.nseq = p->nseq,
                                 .heads = (int)m->plan->heads.count,
                                 .head_width = m->plan->shape.width / m->plan->shape.heads,
                                 .key = p->start,
                                 .query = few ? p->asked_start : p->start,
                                 .position = few ? p->asked_position : p->position,
                                 .longest = p->longest};
}

static void sum_rows(const struct rf_model *m, rf_real *x, int n)
{
    rf_exchange_sum(&m->exchange, x, (size_t)n * (size_t)m->plan->shape.width);
}

/* ---- forward ------------------------------------------------------------ */

static void embed(struct rf_model *m)
{
    const struct rf_slice *v = &m->plan->vocabulary;
    int C = m->plan->shape.width, n = m->pack.n;
    rf_real *x = m->layers[0].x;

    rf_gather_rows(m->dh, param_at(m, RF_PARAM_WPE).w, m->pack.position, n, C);
    rf_embed_forward(x, param_at(m, RF_PARAM_WTE).w, m->pack.token, n, C, (int)v->begin,
                     (int)v->count);
    sum_rows(m, x, n);
    rf_residual_forward(x, m->dh, NULL, n, C);
}

static void attention_half(struct rf_model *m, int i)
{
    struct layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = local_width(m);
    const rf_real *hq = few ? m->hq : l->h1, *x = few ? m->dh : l->x;

    rf_norm_forward(l->h1, l->mean1, l->rstd1, l->x, layer_param(m, i, RF_LN1_W).w,
                    layer_param(m, i, RF_LN1_B).w, n, C);
    if (few) {
        rf_gather_rows(m->hq, l->h1, m->pack.asked_row, nq, C);
        rf_gather_rows(m->dh, l->x, m->pack.asked_row, nq, C);
    }
    rf_linear_forward(m->matmul, l->kv, l->h1, layer_param(m, i, RF_K_W).w,
                      layer_param(m, i, RF_K_B).w, n, C, 2 * D);
    rf_linear_forward(m->matmul, l->q, hq, layer_param(m, i, RF_Q_W).w,
                      layer_param(m, i, RF_Q_B).w, nq, C, D);
    rf_attention_forward(l->a, l->log_sum, l->q, l->kv, m->scratch, &shape);
    rf_linear_forward(m->matmul, l->x2, l->a, layer_param(m, i, RF_O_W).w, NULL, nq, D, C);
    sum_rows(m, l->x2, nq);
    rf_residual_forward(l->x2, x, layer_param(m, i, RF_O_B).w, nq, C);
}

static void mlp_half(struct rf_model *m, int i, rf_real *out)
{
    struct layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    rf_norm_forward(l->h2, l->mean2, l->rstd2, l->x2, layer_param(m, i, RF_LN2_W).w,
                    layer_param(m, i, RF_LN2_B).w, nq, C);
    rf_linear_forward(m->matmul, l->f, l->h2, layer_param(m, i, RF_FC_W).w, NULL, nq, C, H);
    rf_gelu_forward(l->g, l->f, layer_param(m, i, RF_FC_B).w, nq, H);
    rf_linear_forward(m->matmul, out, l->g, layer_param(m, i, RF_PROJ_W).w, NULL, nq, H, C);
    sum_rows(m, out, nq);
    rf_residual_forward(out, l->x2, layer_param(m, i, RF_PROJ_B).w, nq, C);
}

/* From tokens to hf, the normalised end of the stream at the asked rows. */
static void forward(struct rf_model *m)
{
    int layers = m->plan->shape.layers, C = m->plan->shape.width;

    embed(m);
    for (int i = 0; i < layers; i++) {
        attention_half(m, i);
        mlp_half(m, i, i + 1 < layers ? m->layers[i + 1].x : m->xf);
    }
    rf_norm_forward(m->hf, m->meanf, m->rstdf, m->xf, final_param(m, 0).w, final_param(m, 1).w,
                    m->pack.nasked, C);
}

/* ---- the asked distributions --------------------------------------------- */

/* Which classes of the batch's range this rank holds, and their rows of wte. */
struct columns {
    int begin, count; /* within the range */
    size_t at;        /* element of the wte slice */
};

static struct columns columns_of(const struct rf_model *m, const struct rf_batch *batch)
{
    int first = (int)m->plan->vocabulary.begin, end = first + (int)m->plan->vocabulary.count;
    int lo = batch->range_begin, hi = lo + batch->range_count;
    struct columns c = {0, 0, 0};

    lo = lo > first ? lo : first;
    hi = hi < end ? hi : end;
    if (lo < hi) {
        c.begin = lo - batch->range_begin;
        c.count = hi - lo;
        c.at = (size_t)(lo - first) * (size_t)m->plan->shape.width;
    }
    return c;
}

static struct rf_targets targets_from(const struct rf_batch *batch, int r, int begin)
{
    struct rf_targets t = {.classes = batch->range_count, .begin = begin};

    if (batch->target != NULL)
        t.target = batch->target + r;
    else if (batch->soft != NULL)
        t.soft = batch->soft + (size_t)r * (size_t)batch->range_count;
    return t;
}

/* The most likely class of each row, the lowest on ties: among the ranks whose own largest
 * logit is the largest of all, the lowest class wins. Before the sums, while logits are logits.
 */
static void choose(struct rf_model *m, int rows, const rf_real *top, struct columns c,
                   int32_t *best)
{
    for (int r = 0; r < rows; r++) {
        const rf_real *row = m->logits + (size_t)r * (size_t)c.count;
        int k = 0;

        while (k < c.count && row[k] != top[r])
            k++;
        m->best[r] = k < c.count ? -(rf_real)(c.begin + k) : (rf_real)-HUGE_VAL;
    }
    rf_exchange_max(&m->exchange, m->best, (size_t)rows);
    for (int r = 0; r < rows; r++)
        best[r] = m->best[r] > (rf_real)-HUGE_VAL ? (int32_t)-m->best[r] : 0;
}

/* Logits of rows r .. r+rows-1, reduced over ranks: afterwards m->logits holds
 * exp(logit - top), m->sums both sums. Returns the rows' part of the loss. */
static double distributions(struct rf_model *m, const struct rf_batch *batch, struct columns c,
                            int r, int rows, int32_t *best)
{
    struct rf_targets targets = targets_from(batch, r, c.begin);
    int C = m->plan->shape.width;
    rf_real *sum = m->sums, *want = m->sums + rows;
    double loss = 0;

    rf_matmul_run(m->matmul, RF_NT, rows, c.count, C, m->hf + (size_t)r * (size_t)C, C,
                  param_at(m, RF_PARAM_WTE).w + c.at, C, 0, m->logits, c.count);
    rf_loss_max(m->top, m->logits, rows, c.count);
    rf_exchange_max(&m->exchange, m->top, (size_t)rows);
    if (best != NULL)
        choose(m, rows, m->top, c, best + r);
    rf_loss_sums(m->logits, sum, want, m->top, &targets, rows, c.count);
    rf_exchange_sum(&m->exchange, m->sums, 2 * (size_t)rows);
    if (targets.target == NULL && targets.soft == NULL)
        return 0;
    for (int k = 0; k < rows; k++)
        loss += (batch->weight ? (double)batch->weight[r + k] : 1) *
                (log((double)sum[k]) - (double)want[k]);
    return loss;
}

static double total_weight(const struct rf_batch *batch)
{
    double total = 0;

    for (int r = 0; r < batch->R; r++)
        total += batch->weight ? (double)batch->weight[r] : 1;
    return total;
}

static void check_batch(const struct rf_model *m, const struct rf_batch *batch)
{
    assert(batch->B <= m->limits.max_B && batch->T <= m->limits.max_T);
    assert(batch->R <= m->limits.max_R && batch->range_count <= m->limits.max_range);
    assert(batch->T <= m->plan->shape.context && batch->range_begin >= 0);
    assert(batch->range_begin + batch->range_count <= m->plan->shape.vocabulary);
    (void)m;
    (void)batch;
}

/* Forward and backward through the output layer: dh becomes the gradient of hf. */
static double output_layer(struct rf_model *m, const struct rf_batch *batch)
{
    struct columns c = columns_of(m, batch);
    struct param wte = param_at(m, RF_PARAM_WTE);
    int C = m->plan->shape.width, step = (int)loss_rows(batch->R, batch->range_count);
    double weight = total_weight(batch), loss = 0, unit = weight > 0 ? 1 / weight : 0;

    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;
        struct rf_targets targets = targets_from(batch, r, c.begin);
        size_t at = (size_t)r * (size_t)C;

        loss += distributions(m, batch, c, r, rows, NULL);
        for (int k = 0; k < rows; k++)
            m->scale[k] = (rf_real)(unit * (batch->weight ? (double)batch->weight[r + k] : 1));
        rf_loss_backward(m->logits, m->sums, m->scale, &targets, rows, c.count);
        rf_linear_backward(m->matmul, m->dh + at, 0, wte.dw + c.at, NULL, m->logits, m->hf + at,
                           wte.w + c.at, rows, C, c.count);
    }
    sum_rows(m, m->dh, batch->R);
    return loss * unit;
}

/* ---- backward ------------------------------------------------------------ */

static void mlp_half_backward(struct rf_model *m, int i)
{
    struct layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;
    struct param proj = layer_param(m, i, RF_PROJ_W), fc = layer_param(m, i, RF_FC_W);

    rf_linear_backward(m->matmul, m->dwide, 0, proj.dw, layer_param(m, i, RF_PROJ_B).dw, m->dx,
                       l->g, proj.w, nq, H, C);
    rf_gelu_backward(m->dwide, layer_param(m, i, RF_FC_B).dw, l->f, nq, H);
    rf_linear_backward(m->matmul, m->dh, 0, fc.dw, NULL, m->dwide, l->h2, fc.w, nq, C, H);
    sum_rows(m, m->dh, nq);
    rf_norm_backward(m->dx, layer_param(m, i, RF_LN2_W).dw, layer_param(m, i, RF_LN2_B).dw,
                     m->dh, l->x2, l->mean2, l->rstd2, layer_param(m, i, RF_LN2_W).w, nq, C);
}

/* dx of the asked rows becomes dx of all packed rows, zero elsewhere. */
static void spread(struct rf_model *m)
{
    rf_real *all = m->dx_other;
    int C = m->plan->shape.width;

    memset(all, 0, (size_t)m->pack.n * (size_t)C * sizeof *all);
    rf_scatter_rows(all, m->dx, m->pack.asked_row, m->pack.nasked, C);
    m->dx_other = m->dx;
    m->dx = all;
}

static void attention_half_backward(struct rf_model *m, int i)
{
    struct layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = local_width(m);
    struct param o = layer_param(m, i, RF_O_W), q = layer_param(m, i, RF_Q_W);
    struct param k = layer_param(m, i, RF_K_W);
    rf_real *dqb = layer_param(m, i, RF_Q_B).dw, *dkb = layer_param(m, i, RF_K_B).dw;

    rf_linear_backward(m->matmul, m->dwide, 0, o.dw, layer_param(m, i, RF_O_B).dw, m->dx, l->a,
                       o.w, nq, D, C);
    rf_attention_backward(m->dq, m->dkv, m->dwide, l->a, l->log_sum, l->q, l->kv, m->scratch,
                          &shape);
    rf_linear_backward(m->matmul, m->dh, 0, k.dw, dkb, m->dkv, l->h1, k.w, n, C, 2 * D);
    if (few) {
        spread(m);
        rf_linear_backward(m->matmul, m->dx_other, 0, q.dw, dqb, m->dq, m->hq, q.w, nq, C, D);
        rf_scatter_rows(m->dh, m->dx_other, m->pack.asked_row, nq, C);
    } else {
        rf_linear_backward(m->matmul, m->dh, 1, q.dw, dqb, m->dq, l->h1, q.w, n, C, D);
    }
    sum_rows(m, m->dh, n);
    rf_norm_backward(m->dx, layer_param(m, i, RF_LN1_W).dw, layer_param(m, i, RF_LN1_B).dw,
                     m->dh, l->x, l->mean1, l->rstd1, layer_param(m, i, RF_LN1_W).w, n, C);
}

static void embed_backward(struct rf_model *m)
{
    const struct rf_slice *v = &m->plan->vocabulary;
    int C = m->plan->shape.width, n = m->pack.n;

    rf_embed_backward(param_at(m, RF_PARAM_WTE).dw, m->dx, m->pack.token, n, C, (int)v->begin,
                      (int)v->count);
    rf_scatter_rows(param_at(m, RF_PARAM_WPE).dw, m->dx, m->pack.position, n, C);
}

/* ---- the two ways to run --------------------------------------------------- */

double rf_model_learn(struct rf_model *m, const struct rf_batch *batch, struct rf_work *work)
{
    int C = m->plan->shape.width;
    double loss;

    check_batch(m, batch);
    assert(batch->target != NULL || batch->soft != NULL || batch->R == 0);
    memset(m->gradients, 0, m->plan->nlocal * sizeof *m->gradients);
    rf_pack_fill(&m->pack, batch, work);
    forward(m);
    loss = output_layer(m, batch);
    memset(m->dx, 0, (size_t)m->pack.nasked * (size_t)C * sizeof *m->dx);
    rf_norm_backward(m->dx, final_param(m, 0).dw, final_param(m, 1).dw, m->dh, m->xf, m->meanf,
                     m->rstdf, final_param(m, 0).w, m->pack.nasked, C);
    for (int i = m->plan->shape.layers - 1; i >= 0; i--) {
        mlp_half_backward(m, i);
        attention_half_backward(m, i);
    }
    embed_backward(m);
    return loss;
}

/* Rows r .. r+rows-1 of prob from the exponentials that lie in m->logits. Each class comes
 * from one rank and zeros from the others, so the sum over ranks is exact. */
static void gather_prob(struct rf_model *m, float *prob, int range, struct columns c, int r,
                        int rows)
{
    float *to = prob + (size_t)r * (size_t)range;

    memset(m->prob, 0, (size_t)rows * (size_t)range * sizeof *m->prob);
    for (int k = 0; k < rows; k++)
        for (int j = 0; j < c.count; j++)
            m->prob[(size_t)k * (size_t)range + (size_t)(c.begin + j)] =
                m->logits[(size_t)k * (size_t)c.count + (size_t)j] / m->sums[k];
    rf_exchange_sum(&m->exchange, m->prob, (size_t)rows * (size_t)range);
    for (size_t k = 0; k < (size_t)rows * (size_t)range; k++)
        to[k] = (float)m->prob[k];
}

double rf_model_predict(struct rf_model *m, const struct rf_batch *batch, float *prob,
                        int32_t *best, struct rf_work *work)
{
    struct columns c = columns_of(m, batch);
    int step = (int)loss_rows(batch->R, batch->range_count);
    double weight = total_weight(batch), loss = 0;

    check_batch(m, batch);
    rf_pack_fill(&m->pack, batch, work);
    forward(m);
    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;

        loss += distributions(m, batch, c, r, rows, best);
        if (prob != NULL)
            gather_prob(m, prob, batch->range_count, c, r, rows);
    }
    return weight > 0 ? loss / weight : 0;
}

void rf_model_features(struct rf_model *m, const struct rf_batch *batch, float *features,
                       struct rf_work *work)
{
    size_t n = (size_t)batch->R * (size_t)m->plan->shape.width;

    check_batch(m, batch);
    rf_pack_fill(&m->pack, batch, work);
    work->range = 0; /* the output layer does not run */
    forward(m);
    for (size_t i = 0; i < n; i++)
        features[i] = (float)m->hf[i];
}
