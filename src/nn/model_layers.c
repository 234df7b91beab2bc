/* Every rank holds the whole residual stream and its slices of the weights. A
 * block half (attention or MLP) multiplies by its column slice, works, and
 * multiplies by its row slice; the sum over ranks then is the half's output.
 * Backward the same happens in the other direction. The gradient of the
 * stream is therefore whole and the same on every rank, and so are the
 * gradients of what is on every rank (norms, positions, output biases),
 * without another reduction. */
#include "nn/activation.h"
#include "nn/embed.h"
#include "nn/linear.h"
#include "nn/model_parts.h"
#include "nn/norm.h"
#include "nn/rope.h"

/* ---- where things are --------------------------------------------------- */

static struct rf_model_param layer_param(const struct rf_model *m, int i,
                                         enum rf_layer_param which)
{
    return rf_model_layer_param(m, i, which);
}

static void mark(struct rf_model *m, enum rf_spent kind)
{
    rf_profile_mark(&m->profile, kind);
}

static int is_llama(const struct rf_model *m)
{
    return m->plan->shape.family == RF_MODEL_LLAMA;
}

/* Widths here of all heads of queries, and of all heads of keys. */
static int query_width(const struct rf_model *m)
{
    return (int)m->plan->heads.count * m->plan->head_width;
}

static int key_width(const struct rf_model *m)
{
    return (int)m->plan->kv_heads.count * m->plan->head_width;
}

/* Whether layer i works at the asked rows only. */
static int asked_only(const struct rf_model *m, int i)
{
    return i == m->plan->shape.layers - 1 && !m->pack.all;
}

static struct rf_attention attention_of(const struct rf_model *m, int i)
{
    const struct rf_pack *p = &m->pack;
    const struct rf_model_cache *cache = m->cache;
    int few = asked_only(m, i);

    return (struct rf_attention){.nseq = p->nseq,
                                 .heads = (int)m->plan->heads.count,
                                 .kv_heads = (int)m->plan->kv_heads.count,
                                 .head_width = m->plan->head_width,
                                 .key = cache != NULL ? cache->key : p->start,
                                 .key_end = cache != NULL ? cache->key_end : NULL,
                                 .query = few ? p->asked_start : p->start,
                                 .position = few ? p->asked_position : p->position,
                                 .longest = p->longest};
}

/* ---- what differs between the families ---------------------------------- */

static void norm(const struct rf_model *m, rf_real *y, rf_real *mean, rf_real *rstd,
                 const rf_real *x, struct rf_model_param w, struct rf_model_param b, int n)
{
    int C = m->plan->shape.width;
    double eps = m->plan->shape.norm_eps;

    if (is_llama(m))
        rf_rms_forward(y, rstd, x, w.w, eps, n, C);
    else
        rf_norm_forward(y, mean, rstd, x, w.w, b.w, eps, n, C);
}

/* Adds the gradient of x, from that of y in dh, to dx. */
static void norm_backward(struct rf_model *m, const rf_real *x, const rf_real *mean,
                          const rf_real *rstd, struct rf_model_param w, struct rf_model_param b,
                          int n)
{
    int C = m->plan->shape.width;

    if (is_llama(m))
        rf_rms_backward(m->dx, w.dw, m->dh, x, rstd, w.w, n, C);
    else
        rf_norm_backward(m->dx, w.dw, b.dw, m->dh, x, mean, rstd, w.w, n, C);
}

/* Turns n rows of queries of layer i, and all rows of keys; nothing in GPT-2. */
static void turn(const struct rf_model *m, const struct rf_attention *a, rf_real *q, int nq,
                 rf_real *kv, int back)
{
    int W = m->plan->head_width;

    if (!is_llama(m))
        return;
    rf_rope_turn(q, a->heads * W, m->turns, a->position, nq, a->heads, W, back);
    rf_rope_turn(kv, 2 * a->kv_heads * W, m->turns, m->pack.position, m->pack.n, a->kv_heads, W,
                 back);
}

/* From h2 [nq] to g: what the MLP's second product reads. */
static void widen(struct rf_model *m, int i, int nq)
{
    struct rf_model_layer *l = &m->layers[i];
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    if (is_llama(m)) { /* gate and fc lie side by side */
        rf_linear_forward(m->matmul, l->f, l->h2, layer_param(m, i, RF_GATE_W).w, NULL, nq, C,
                          2 * H);
        mark(m, RF_SPENT_PRODUCTS);
        rf_swiglu_forward(l->g, l->f, nq, H);
    } else {
        rf_linear_forward(m->matmul, l->f, l->h2, layer_param(m, i, RF_FC_W).w, NULL, nq, C, H);
        mark(m, RF_SPENT_PRODUCTS);
        rf_gelu_forward(l->g, l->f, layer_param(m, i, RF_FC_B).w, nq, H);
    }
    mark(m, RF_SPENT_ACTIVATION);
}

/* dwide, the gradient of g, gives that of h2 in dh. */
static void widen_backward(struct rf_model *m, int i, int nq)
{
    struct rf_model_layer *l = &m->layers[i];
    struct rf_model_param gate = layer_param(m, i, RF_GATE_W), fc = layer_param(m, i, RF_FC_W);
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    if (is_llama(m)) {
        rf_swiglu_backward(m->df, m->dwide, l->f, nq, H);
        mark(m, RF_SPENT_ACTIVATION);
        rf_linear_backward(m->matmul, m->dh, 0, gate.dw, NULL, m->df, l->h2, gate.w, nq, C,
                           2 * H);
    } else {
        rf_gelu_backward(m->dwide, layer_param(m, i, RF_FC_B).dw, l->f, nq, H);
        mark(m, RF_SPENT_ACTIVATION);
        rf_linear_backward(m->matmul, m->dh, 0, fc.dw, NULL, m->dwide, l->h2, fc.w, nq, C, H);
    }
    mark(m, RF_SPENT_PRODUCTS);
}

/* ---- forward ------------------------------------------------------------ */

static void embed(struct rf_model *m)
{
    const struct rf_slice *v = &m->plan->vocabulary;
    int C = m->plan->shape.width, n = m->pack.n;
    rf_real *x = m->layers[0].x;

    rf_embed_forward(x, rf_model_param(m, m->plan->wte).w, m->pack.token, n, C, (int)v->begin,
                     (int)v->count);
    mark(m, RF_SPENT_STREAM);
    rf_model_sum_rows(m, x, n);
    if (m->plan->wpe >= 0) {
        rf_gather_rows(m->dh, rf_model_param(m, m->plan->wpe).w, m->pack.position, n, C);
        rf_residual_forward(x, m->dh, NULL, n, C);
    }
    mark(m, RF_SPENT_STREAM);
}

/* The keys and values that layer i's queries look at: this pass's, behind those of earlier ones
 * where there is a cache. */
static const rf_real *seen(const struct rf_model *m, int i)
{
    size_t wide = 2 * (size_t)key_width(m);
    const rf_real *from = m->layers[i].kv;
    rf_real *to;

    if (m->cache == NULL)
        return from;
    to = m->cache->kv[i];
    for (int r = 0; r < m->pack.n; r++)
        memcpy(to + (size_t)m->cache->place[r] * wide, from + (size_t)r * wide,
               wide * sizeof *to);
    return to;
}

static void attention_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = query_width(m);
    const rf_real *hq = few ? m->hq : l->h1, *x = few ? m->dh : l->x;

    norm(m, l->h1, l->mean1, l->rstd1, l->x, layer_param(m, i, RF_LN1_W),
         layer_param(m, i, RF_LN1_B), n);
    mark(m, RF_SPENT_NORMS);
    if (few) {
        rf_gather_rows(m->hq, l->h1, m->pack.asked_row, nq, C);
        rf_gather_rows(m->dh, l->x, m->pack.asked_row, nq, C);
        mark(m, RF_SPENT_STREAM);
    }
    rf_linear_forward(m->matmul, l->kv, l->h1, layer_param(m, i, RF_K_W).w,
                      layer_param(m, i, RF_K_B).w, n, C, 2 * key_width(m));
    rf_linear_forward(m->matmul, l->q, hq, layer_param(m, i, RF_Q_W).w,
                      layer_param(m, i, RF_Q_B).w, nq, C, D);
    mark(m, RF_SPENT_PRODUCTS);
    turn(m, &shape, l->q, nq, l->kv, 0);
    mark(m, RF_SPENT_STREAM);
    rf_attention_forward(l->a, l->log_sum, l->q, seen(m, i), m->scratch, &shape);
    mark(m, RF_SPENT_ATTENTION);
    rf_linear_forward(m->matmul, l->x2, l->a, layer_param(m, i, RF_O_W).w, NULL, nq, D, C);
    mark(m, RF_SPENT_PRODUCTS);
    rf_model_sum_rows(m, l->x2, nq);
    rf_residual_forward(l->x2, x, layer_param(m, i, RF_O_B).w, nq, C);
    mark(m, RF_SPENT_STREAM);
}

/* All of the MLP's half but its last product. */
static void mlp_inside(struct rf_model *m, int i, int nq)
{
    struct rf_model_layer *l = &m->layers[i];

    norm(m, l->h2, l->mean2, l->rstd2, l->x2, layer_param(m, i, RF_LN2_W),
         layer_param(m, i, RF_LN2_B), nq);
    mark(m, RF_SPENT_NORMS);
    widen(m, i, nq);
}

static void mlp_half(struct rf_model *m, int i, rf_real *out)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    mlp_inside(m, i, nq);
    rf_linear_forward(m->matmul, out, l->g, layer_param(m, i, RF_PROJ_W).w, NULL, nq, H, C);
    mark(m, RF_SPENT_PRODUCTS);
    rf_model_sum_rows(m, out, nq);
    rf_residual_forward(out, l->x2, layer_param(m, i, RF_PROJ_B).w, nq, C);
    mark(m, RF_SPENT_STREAM);
}

/* Where a sequence has one answer, from the mean of its rows: xf [nasked] becomes [nseq]. In place,
 * since a mean never lies behind the first row that it is of. Averaged before it is normalised, a row
 * that says little weighs little. */
static void average(struct rf_model *m)
{
    size_t C = (size_t)m->plan->shape.width;

    for (int s = 0; s < m->pack.nseq; s++) {
        const rf_real *from = m->xf + (size_t)m->pack.start[s] * C;
        rf_real *to = m->xf + (size_t)s * C;
        int n = m->pack.start[s + 1] - m->pack.start[s];
        rf_real part = 1 / (rf_real)n;

        for (size_t c = 0; c < C; c++) {
            rf_real sum = 0;

            for (int t = 0; t < n; t++)
                sum += from[(size_t)t * C + c];
            to[c] = part * sum;
        }
    }
    mark(m, RF_SPENT_STREAM);
}

/* dx [nseq] becomes [nasked]. */
static void average_backward(struct rf_model *m)
{
    size_t C = (size_t)m->plan->shape.width;
    rf_real *all = m->dx_other;

    for (int s = 0; s < m->pack.nseq; s++) {
        const rf_real *from = m->dx + (size_t)s * C;
        int begin = m->pack.start[s], end = m->pack.start[s + 1];
        rf_real part = 1 / (rf_real)(end - begin);

        for (int t = begin; t < end; t++)
            for (size_t c = 0; c < C; c++)
                all[(size_t)t * C + c] = part * from[c];
    }
    m->dx_other = m->dx;
    m->dx = all;
    mark(m, RF_SPENT_STREAM);
}

/* Rows of the end of the stream: one for each answer. */
static int answers(const struct rf_model *m)
{
    return m->pack.mean ? m->pack.nseq : m->pack.nasked;
}

void rf_model_forward(struct rf_model *m)
{
    int layers = m->plan->shape.layers;

    embed(m);
    for (int i = 0; i < layers; i++) {
        attention_half(m, i);
        mlp_half(m, i, i + 1 < layers ? m->layers[i + 1].x : m->xf);
    }
    if (m->pack.mean)
        average(m);
    norm(m, m->hf, m->meanf, m->rstdf, m->xf, rf_model_param(m, m->plan->norm_w),
         rf_model_param(m, m->plan->norm_b), answers(m));
    mark(m, RF_SPENT_NORMS);
}

/* ---- backward ------------------------------------------------------------ */

static void mlp_half_backward(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;
    struct rf_model_param proj = layer_param(m, i, RF_PROJ_W);

    rf_linear_backward(m->matmul, m->dwide, 0, proj.dw, layer_param(m, i, RF_PROJ_B).dw, m->dx,
                       l->g, proj.w, nq, H, C);
    mark(m, RF_SPENT_PRODUCTS);
    widen_backward(m, i, nq);
    rf_model_sum_rows(m, m->dh, nq);
    norm_backward(m, l->x2, l->mean2, l->rstd2, layer_param(m, i, RF_LN2_W),
                  layer_param(m, i, RF_LN2_B), nq);
    mark(m, RF_SPENT_NORMS);
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
    struct rf_model_layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = query_width(m), E = key_width(m);
    struct rf_model_param o = layer_param(m, i, RF_O_W), q = layer_param(m, i, RF_Q_W);
    struct rf_model_param k = layer_param(m, i, RF_K_W);
    rf_real *dqb = layer_param(m, i, RF_Q_B).dw, *dkb = layer_param(m, i, RF_K_B).dw;

    rf_linear_backward(m->matmul, m->dwide, 0, o.dw, layer_param(m, i, RF_O_B).dw, m->dx, l->a,
                       o.w, nq, D, C);
    mark(m, RF_SPENT_PRODUCTS);
    rf_attention_backward(m->dq, m->dkv, m->dwide, l->a, l->log_sum, l->q, l->kv, m->scratch,
                          &shape);
    mark(m, RF_SPENT_ATTENTION);
    turn(m, &shape, m->dq, nq, m->dkv, 1);
    mark(m, RF_SPENT_STREAM);
    rf_linear_backward(m->matmul, m->dh, 0, k.dw, dkb, m->dkv, l->h1, k.w, n, C, 2 * E);
    if (few) {
        spread(m);
        rf_linear_backward(m->matmul, m->dx_other, 0, q.dw, dqb, m->dq, m->hq, q.w, nq, C, D);
        rf_scatter_rows(m->dh, m->dx_other, m->pack.asked_row, nq, C);
    } else {
        rf_linear_backward(m->matmul, m->dh, 1, q.dw, dqb, m->dq, l->h1, q.w, n, C, D);
    }
    mark(m, RF_SPENT_PRODUCTS);
    rf_model_sum_rows(m, m->dh, n);
    norm_backward(m, l->x, l->mean1, l->rstd1, layer_param(m, i, RF_LN1_W),
                  layer_param(m, i, RF_LN1_B), n);
    mark(m, RF_SPENT_NORMS);
}

static void embed_backward(struct rf_model *m)
{
    const struct rf_slice *v = &m->plan->vocabulary;
    int C = m->plan->shape.width, n = m->pack.n;

    rf_embed_backward(rf_model_param(m, m->plan->wte).dw, m->dx, m->pack.token, n, C,
                      (int)v->begin, (int)v->count);
    if (m->plan->wpe >= 0)
        rf_scatter_rows(rf_model_param(m, m->plan->wpe).dw, m->dx, m->pack.position, n, C);
    mark(m, RF_SPENT_STREAM);
}

void rf_model_backward(struct rf_model *m)
{
    size_t C = (size_t)m->plan->shape.width;

    memset(m->dx, 0, (size_t)answers(m) * C * sizeof *m->dx);
    norm_backward(m, m->xf, m->meanf, m->rstdf, rf_model_param(m, m->plan->norm_w),
                  rf_model_param(m, m->plan->norm_b), answers(m));
    mark(m, RF_SPENT_NORMS);
    if (m->pack.mean)
        average_backward(m);
    for (int i = m->plan->shape.layers - 1; i >= 0; i--) {
        if (m->limits.recompute &&
            i + 1 < m->plan->shape.layers) { /* the last is still there */
            attention_half(m, i);
            mlp_inside(m, i, m->pack.n);
        }
        mlp_half_backward(m, i);
        attention_half_backward(m, i);
    }
    embed_backward(m);
}
