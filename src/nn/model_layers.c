/* A block half (attention or MLP) multiplies by its column slice, works, and multiplies by its row slice; the sum over
 * ranks then is the half's output. Backward the same happens in the other direction.
 *
 * Ranks that have a table in common (exchange.h) share the work between the products, which is sequence parallelism
 * (Korthikanti et al. 2022): each rank adds up its rows of the partial sums where they lie, adds the residual,
 * normalises them, and writes stream and norm once, where every rank's next product reads them. Gradients of norms and
 * output biases are of own rows then, and summed over ranks at the end of a step. Without a table sums are for
 * everybody, every rank does all rows, and those gradients are whole and the same everywhere. A row is worked on in the
 * same order either way. */
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

/* Adds the gradient of own rows of x, from that of y in dh on all ranks, to dx. */
static void norm_backward(struct rf_model *m, const rf_real *x, const rf_real *mean,
                          const rf_real *rstd, struct rf_model_param w, struct rf_model_param b,
                          int n)
{
    struct rf_slice own = rf_model_rows(m, n);
    int C = m->plan->shape.width, most = rf_model_rows_at_a_time(m);
    int end = (int)(own.begin + own.count);

    rf_model_open_rows(m, n);
    for (int i = (int)own.begin; i < end; i += most) {
        int rows = end - i < most ? end - i : most;
        size_t at = (size_t)i * (size_t)C;

        rf_model_collect_rows(m, m->dh + at, i, rows);
        if (is_llama(m))
            rf_rms_backward(m->dx + at, w.dw, m->dh + at, x + at, rstd + i, w.w, rows, C);
        else
            rf_norm_backward(m->dx + at, w.dw, b.dw, m->dh + at, x + at, mean + i, rstd + i,
                             w.w, rows, C);
        mark(m, RF_SPENT_NORMS);
    }
    rf_model_close_rows(m);
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

static void look_up(struct rf_model *m, rf_real *x)
{
    int begin = (int)m->plan->vocabulary.begin, count = (int)m->plan->vocabulary.count;
    int C = m->plan->shape.width, n = m->pack.n;
    const rf_real *wte = rf_model_param(m, m->plan->wte).w;

    if (m->precision == RF_PRECISION_FP32)
        rf_embed_forward(x, wte, m->pack.token, n, C, begin, count);
    else if (m->precision == RF_PRECISION_BF16)
        rf_embed_forward_rounded(x, wte, m->pack.token, n, C, begin, count);
    else
        rf_embed_forward_half(x, rf_matmul_rows(m->matmul, m->plan->params[m->plan->wte].at),
                              m->pack.token, n, C, begin, count);
}

/* The rows of a stream and what comes with them: its norm, and the latter's means and deviations. */
struct stream {
    rf_real *x, *h, *mean, *rstd;
    struct rf_model_param w, b;
};

static struct stream before_attention(const struct rf_model *m, int i)
{
    const struct rf_model_layer *l = &m->layers[i];

    return (struct stream){l->x,
                           l->h1,
                           l->mean1,
                           l->rstd1,
                           layer_param(m, i, RF_LN1_W),
                           layer_param(m, i, RF_LN1_B)};
}

static struct stream before_mlp(const struct rf_model *m, int i)
{
    const struct rf_model_layer *l = &m->layers[i];

    return (struct stream){l->x2,
                           l->h2,
                           l->mean2,
                           l->rstd2,
                           layer_param(m, i, RF_LN2_W),
                           layer_param(m, i, RF_LN2_B)};
}

static struct stream at_the_end(const struct rf_model *m)
{
    return (struct stream){m->xf,
                           m->hf,
                           m->meanf,
                           m->rstdf,
                           rf_model_param(m, m->plan->norm_w),
                           rf_model_param(m, m->plan->norm_b)};
}

static void normalise(struct rf_model *m, const struct stream *to, int first, int rows)
{
    size_t at = (size_t)first * (size_t)m->plan->shape.width;

    norm(m, to->h + at, to->mean + first, to->rstd + first, to->x + at, to->w, to->b, rows);
    mark(m, RF_SPENT_NORMS);
}

/* The end of a branch, n rows in dh on all ranks, is added to x (rows `row` of it, where given) and bias: own rows of
 * the stream and its norm. */
static void join(struct rf_model *m, const struct stream *to, const rf_real *x,
                 const int32_t *row, const rf_real *bias, int n)
{
    struct rf_slice own = rf_model_rows(m, n);
    int C = m->plan->shape.width, most = rf_model_rows_at_a_time(m);
    int end = (int)(own.begin + own.count);

    rf_model_open_rows(m, n);
    for (int i = (int)own.begin; i < end; i += most) {
        int rows = end - i < most ? end - i : most;
        size_t at = (size_t)i * (size_t)C;

        rf_model_collect_rows(m, to->x + at, i, rows);
        rf_residual_forward(to->x + at, m->shares ? to->x + at : m->dh + at,
                            row != NULL || x == NULL ? x : x + at, row != NULL ? row + i : NULL,
                            bias, rows, C);
        mark(m, RF_SPENT_STREAM);
        normalise(m, to, i, rows);
    }
    rf_model_close_rows(m);
}

static void embed(struct rf_model *m)
{
    const struct stream first = before_attention(m, 0);

    look_up(m, m->dh);
    mark(m, RF_SPENT_STREAM);
    join(m, &first, rf_model_param(m, m->plan->wpe).w, m->pack.position, NULL, m->pack.n);
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

/* From h1 to h2. */
static void attention_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    const struct stream to = before_mlp(m, i);
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = query_width(m);
    const rf_real *hq = few ? m->hq : l->h1;

    if (few) {
        rf_gather_rows(m->hq, l->h1, m->pack.asked_row, nq, C);
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
    rf_linear_forward(m->matmul, m->dh, l->a, layer_param(m, i, RF_O_W).w, NULL, nq, D, C);
    mark(m, RF_SPENT_PRODUCTS);
    join(m, &to, l->x, few ? m->pack.asked_row : NULL, layer_param(m, i, RF_O_B).w, nq);
}

/* From h2 to the next layer's h1, or to hf. */
static void mlp_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    const struct stream to =
        i + 1 < m->plan->shape.layers ? before_attention(m, i + 1) : at_the_end(m);
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    widen(m, i, nq);
    rf_linear_forward(m->matmul, m->dh, l->g, layer_param(m, i, RF_PROJ_W).w, NULL, nq, H, C);
    mark(m, RF_SPENT_PRODUCTS);
    join(m, &to, l->x2, NULL, layer_param(m, i, RF_PROJ_B).w, nq);
}

void rf_model_forward(struct rf_model *m)
{
    embed(m);
    for (int i = 0; i < m->plan->shape.layers; i++) {
        attention_half(m, i);
        mlp_half(m, i);
    }
}

/* What a layer's forward pass makes of its input, but for its last product. */
static void make_again(struct rf_model *m, int i)
{
    const struct stream first = before_attention(m, i);
    struct rf_slice own = rf_model_rows(m, m->pack.n);

    normalise(m, &first, (int)own.begin, (int)own.count);
    rf_model_close_rows(m);
    attention_half(m, i);
    widen(m, i, m->pack.n);
}

/* ---- backward ------------------------------------------------------------ */

/* The gradient of an output bias, of own rows. */
static void bias_backward(struct rf_model *m, rf_real *db, int n)
{
    struct rf_slice own = rf_model_rows(m, n);
    int C = m->plan->shape.width;

    if (db != NULL)
        rf_bias_backward(db, m->dx + own.begin * C, (int)own.count, C);
}

static void mlp_half_backward(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;
    struct rf_model_param proj = layer_param(m, i, RF_PROJ_W);

    rf_linear_backward(m->matmul, m->dwide, 0, proj.dw, NULL, m->dx, l->g, proj.w, nq, H, C);
    bias_backward(m, layer_param(m, i, RF_PROJ_B).dw, nq);
    mark(m, RF_SPENT_PRODUCTS);
    widen_backward(m, i, nq);
    norm_backward(m, l->x2, l->mean2, l->rstd2, layer_param(m, i, RF_LN2_W),
                  layer_param(m, i, RF_LN2_B), nq);
}

/* dx of the asked rows becomes dx of all packed rows, zero elsewhere. */
static void spread(struct rf_model *m)
{
    struct rf_slice own = rf_model_rows(m, m->pack.n);
    rf_real *all = m->dx_other;
    int C = m->plan->shape.width;

    memset(all + own.begin * C, 0, (size_t)(own.count * C) * sizeof *all);
    for (int r = 0; r < m->pack.nasked; r++)
        if (m->pack.asked_row[r] >= own.begin && m->pack.asked_row[r] < own.begin + own.count)
            rf_scatter_rows(all, m->dx + (ptrdiff_t)r * C, m->pack.asked_row + r, 1, C);
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
    rf_real *dqb = layer_param(m, i, RF_Q_B).dw, *dkb = layer_param(m, i, RF_K_B).dw, *spare;

    rf_linear_backward(m->matmul, m->dwide, 0, o.dw, NULL, m->dx, l->a, o.w, nq, D, C);
    bias_backward(m, layer_param(m, i, RF_O_B).dw, nq);
    mark(m, RF_SPENT_PRODUCTS);
    rf_attention_backward(m->dq, m->dkv, m->dwide, l->a, l->log_sum, l->q, l->kv, m->scratch,
                          &shape);
    mark(m, RF_SPENT_ATTENTION);
    turn(m, &shape, m->dq, nq, m->dkv, 1);
    mark(m, RF_SPENT_STREAM);
    rf_linear_backward(m->matmul, m->dh, 0, k.dw, dkb, m->dkv, l->h1, k.w, n, C, 2 * E);
    if (few) {
        spread(m);
        spare = m->shares ? m->spare : m->dx_other;
        rf_linear_backward(m->matmul, spare, 0, q.dw, dqb, m->dq, m->hq, q.w, nq, C, D);
        rf_scatter_rows(m->dh, spare, m->pack.asked_row, nq, C);
    } else {
        rf_linear_backward(m->matmul, m->dh, 1, q.dw, dqb, m->dq, l->h1, q.w, n, C, D);
    }
    mark(m, RF_SPENT_PRODUCTS);
    norm_backward(m, l->x, l->mean1, l->rstd1, layer_param(m, i, RF_LN1_W),
                  layer_param(m, i, RF_LN1_B), n);
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
    struct rf_slice own = rf_model_rows(m, m->pack.nasked);
    int C = m->plan->shape.width;

    memset(m->dx + own.begin * C, 0, (size_t)(own.count * C) * sizeof *m->dx);
    norm_backward(m, m->xf, m->meanf, m->rstdf, rf_model_param(m, m->plan->norm_w),
                  rf_model_param(m, m->plan->norm_b), m->pack.nasked);
    for (int i = m->plan->shape.layers - 1; i >= 0; i--) {
        if (m->limits.recompute && i + 1 < m->plan->shape.layers) /* the last is still there */
            make_again(m, i);
        mlp_half_backward(m, i);
        attention_half_backward(m, i);
    }
    embed_backward(m);
}
