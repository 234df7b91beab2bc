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

/* ---- rows at a time ------------------------------------------------------ */

/* In bf16 rows are worked on while they are in a cache: those of a norm in the nearest. */
enum { NORM_ROWS = 32 };

static int rows_at(const struct rf_model *m, int first, int n, int most)
{
    return m->bf16 && n - first > most ? most : n - first;
}

static int block_at(const struct rf_model *m, int first, int n)
{
    return rows_at(m, first, n, RF_MODEL_BLOCK);
}

/* What products may read behind n rows of an array is to be finite. */
static void close_rows(struct rf_kept x, int n, int width)
{
    rf_kept_clear(x, (size_t)n * (size_t)width, (size_t)RF_ATTENTION_TILE * (size_t)width);
}

/* ---- what differs between the families ---------------------------------- */

static void norm(const struct rf_model *m, struct rf_kept y, rf_real *mean, rf_real *rstd,
                 const rf_real *x, struct rf_model_param w, struct rf_model_param b, int n)
{
    int C = m->plan->shape.width;
    double eps = m->plan->shape.norm_eps;

    for (int i = 0, rows; i < n; i += rows) {
        size_t at = (size_t)i * (size_t)C;
        rf_real *to = rf_kept_write(y, at, m->block);

        rows = rows_at(m, i, n, NORM_ROWS);
        if (is_llama(m))
            rf_rms_forward(to, rstd + i, x + at, w.w, eps, rows, C);
        else
            rf_norm_forward(to, mean + i, rstd + i, x + at, w.w, b.w, eps, rows, C);
        rf_kept_done(y, at, to, (size_t)rows * (size_t)C);
    }
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

/* Turns n rows of heads at these positions; nothing in GPT-2. */
static void turn(const struct rf_model *m, rf_real *x, int ld, const int32_t *position, int n,
                 int heads, int back)
{
    if (is_llama(m))
        rf_rope_turn(x, ld, m->turns, position, n, heads, m->plan->head_width, back);
}

/* Which weights the MLP's first product reads: gate and fc lie side by side. */
static struct rf_model_param first_weights(const struct rf_model *m, int i)
{
    return layer_param(m, i, is_llama(m) ? RF_GATE_W : RF_FC_W);
}

/* Elements of a row of f. */
static int f_width(const struct rf_model *m)
{
    return (is_llama(m) ? 2 : 1) * (int)m->plan->hidden.count;
}

/* Rows first .. first+rows-1 of h2, by way of f, to g: what the MLP's second product reads. */
static void widen(struct rf_model *m, int i, int first, int rows)
{
    struct rf_model_layer *l = &m->layers[i];
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count, F = f_width(m);
    size_t at = (size_t)first * (size_t)F, to = (size_t)first * (size_t)H;
    rf_real *f = rf_kept_write(l->f, at, m->block);
    rf_real *g = rf_kept_write(l->g, to, m->block + (size_t)RF_MODEL_BLOCK * (size_t)F);

    rf_linear_forward(m->matmul, f, rf_kept_operand(l->h2, (size_t)first * (size_t)C, C),
                      first_weights(m, i).w, NULL, rows, C, F);
    mark(m, RF_SPENT_PRODUCTS);
    if (is_llama(m))
        rf_swiglu_forward(g, f, rows, H);
    else
        rf_gelu_forward(g, f, layer_param(m, i, RF_FC_B).w, rows, H);
    rf_kept_done(l->f, at, f, (size_t)rows * (size_t)F);
    rf_kept_done(l->g, to, g, (size_t)rows * (size_t)H);
    mark(m, RF_SPENT_ACTIVATION);
}

/* dg, the gradient of rows of g, becomes that of f, which the products backwards read. */
static struct rf_kept widen_backward(struct rf_model *m, int i, rf_real *dg, int first,
                                     int rows)
{
    struct rf_model_layer *l = &m->layers[i];
    int H = (int)m->plan->hidden.count, F = f_width(m);
    size_t at = (size_t)first * (size_t)F, n = (size_t)rows * (size_t)F;
    rf_real *behind = m->block + (size_t)RF_MODEL_BLOCK * (size_t)H;
    const rf_real *f = rf_kept_read(l->f, at, behind, n);
    struct rf_kept to = is_llama(m) ? m->df : m->dwide;
    rf_real *df = dg;

    if (is_llama(m)) {
        df = rf_kept_write(to, at, behind + (size_t)RF_MODEL_BLOCK * (size_t)F);
        rf_swiglu_backward(df, dg, f, rows, H);
    } else {
        rf_gelu_backward(dg, layer_param(m, i, RF_FC_B).dw, f, rows, H);
    }
    rf_kept_done(to, at, df, n);
    mark(m, RF_SPENT_ACTIVATION);
    return to;
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
static struct rf_kept seen(const struct rf_model *m, int i)
{
    size_t wide = 2 * (size_t)key_width(m);
    struct rf_kept from = m->layers[i].kv;

    if (m->cache == NULL)
        return from;
    for (int r = 0; r < m->pack.n; r++)
        rf_kept_copy(m->cache->kv[i], (size_t)m->cache->place[r] * wide, from, (size_t)r * wide,
                     wide);
    return m->cache->kv[i];
}

/* Rows of y [n][O] from those of h [n][C]: queries, or keys and values; the first `heads` heads of a row are turned. */
static void project(struct rf_model *m, struct rf_kept y, struct rf_kept h, const rf_real *w,
                    const rf_real *b, const int32_t *position, int first, int rows, int O,
                    int heads)
{
    int C = m->plan->shape.width;
    size_t at = (size_t)first * (size_t)O;
    rf_real *to = rf_kept_write(y, at, m->block);

    rf_linear_forward(m->matmul, to, rf_kept_operand(h, (size_t)first * (size_t)C, C), w, b,
                      rows, C, O);
    mark(m, RF_SPENT_PRODUCTS);
    turn(m, to, O, position + first, rows, heads, 0);
    rf_kept_done(y, at, to, (size_t)rows * (size_t)O);
    mark(m, RF_SPENT_STREAM);
}

/* From h1, and hq where the last layer's queries are few. */
static void project_all(struct rf_model *m, int i, const struct rf_attention *shape, int nq)
{
    struct rf_model_layer *l = &m->layers[i];
    struct rf_kept hq = asked_only(m, i) ? m->hq : l->h1;
    int n = m->pack.n, D = query_width(m), E2 = 2 * key_width(m);

    for (int first = 0, rows; first < n; first += rows) {
        int few;

        rows = block_at(m, first, n);
        few = first + rows < nq ? rows : nq - first;
        project(m, l->kv, l->h1, layer_param(m, i, RF_K_W).w, layer_param(m, i, RF_K_B).w,
                m->pack.position, first, rows, E2, shape->kv_heads);
        if (few > 0)
            project(m, l->q, hq, layer_param(m, i, RF_Q_W).w, layer_param(m, i, RF_Q_B).w,
                    shape->position, first, few, D, shape->heads);
    }
    close_rows(l->kv, n, E2);
    close_rows(l->q, nq, D);
}

static void attention_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = query_width(m);
    const rf_real *x = few ? m->dh : l->x;

    norm(m, l->h1, l->mean1, l->rstd1, l->x, layer_param(m, i, RF_LN1_W),
         layer_param(m, i, RF_LN1_B), n);
    mark(m, RF_SPENT_NORMS);
    if (few) {
        rf_kept_gather(m->hq, l->h1, m->pack.asked_row, nq, C);
        rf_gather_rows(m->dh, l->x, m->pack.asked_row, nq, C);
        mark(m, RF_SPENT_STREAM);
    }
    project_all(m, i, &shape, nq);
    rf_attention_forward(m->matmul, l->a, l->log_sum, l->q, seen(m, i), m->scratch, &shape);
    mark(m, RF_SPENT_ATTENTION);
    rf_linear_forward(m->matmul, l->x2, rf_kept_operand(l->a, 0, D),
                      layer_param(m, i, RF_O_W).w, NULL, nq, D, C);
    mark(m, RF_SPENT_PRODUCTS);
    rf_model_sum_rows(m, l->x2, nq);
    rf_residual_forward(l->x2, x, layer_param(m, i, RF_O_B).w, nq, C);
    mark(m, RF_SPENT_STREAM);
}

/* out NULL: all of it but the last product. */
static void mlp_half(struct rf_model *m, int i, rf_real *out)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    norm(m, l->h2, l->mean2, l->rstd2, l->x2, layer_param(m, i, RF_LN2_W),
         layer_param(m, i, RF_LN2_B), nq);
    mark(m, RF_SPENT_NORMS);
    for (int first = 0, rows; first < nq; first += rows) {
        rows = block_at(m, first, nq);
        widen(m, i, first, rows);
        if (out != NULL)
            rf_linear_forward(m->matmul, out + (size_t)first * (size_t)C,
                              rf_kept_operand(l->g, (size_t)first * (size_t)H, H),
                              layer_param(m, i, RF_PROJ_W).w, NULL, rows, H, C);
        mark(m, RF_SPENT_PRODUCTS);
    }
    if (out == NULL)
        return;
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

/* dx as what is multiplied. */
static struct rf_kept stream_gradient(const struct rf_model *m)
{
    return m->bf16 ? m->dy : (struct rf_kept){.real = m->dx};
}

/* Rows of the gradient of what a block half's last product reads, [..][O], into dwide or a block, and what they add to that
 * of its bias db. Their part of dx is rounded on the way. */
static rf_real *half_backward(struct rf_model *m, const rf_real *w, rf_real *db, int first,
                              int rows, int O)
{
    int C = m->plan->shape.width;
    size_t at = (size_t)first * (size_t)C;
    rf_real *to = rf_kept_write(m->dwide, (size_t)first * (size_t)O, m->block);
    struct rf_kept dy = stream_gradient(m);

    rf_kept_done(dy, at, m->dx + at, (size_t)rows * (size_t)C);
    if (db != NULL)
        rf_bias_backward(db, m->dx + at, rows, C);
    rf_linear_backward(m->matmul, to, 0, rf_kept_operand(dy, at, C), w, rows, O, C);
    mark(m, RF_SPENT_PRODUCTS);
    return to;
}

/* And of that product's weights, over all n rows; x is what it read. */
static void half_gradient(struct rf_model *m, rf_real *dw, struct rf_kept x, int n, int O)
{
    int C = m->plan->shape.width;

    rf_linear_gradient(m->matmul, dw, rf_kept_operand(stream_gradient(m), 0, C),
                       rf_kept_operand(x, 0, O), n, O, C);
    mark(m, RF_SPENT_PRODUCTS);
}

static void mlp_half_backward(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count, F = f_width(m);
    struct rf_model_param proj = layer_param(m, i, RF_PROJ_W), w = first_weights(m, i);
    struct rf_kept df = m->dwide;

    for (int first = 0, rows; first < nq; first += rows) {
        rf_real *dg;

        rows = block_at(m, first, nq);
        dg = half_backward(m, proj.w, layer_param(m, i, RF_PROJ_B).dw, first, rows, H);
        df = widen_backward(m, i, dg, first, rows);
        rf_linear_backward(m->matmul, m->dh + (size_t)first * (size_t)C, 0,
                           rf_kept_operand(df, (size_t)first * (size_t)F, F), w.w, rows, C, F);
        mark(m, RF_SPENT_PRODUCTS);
    }
    half_gradient(m, proj.dw, l->g, nq, H);
    rf_linear_gradient(m->matmul, w.dw, rf_kept_operand(df, 0, F), rf_kept_operand(l->h2, 0, C),
                       nq, C, F);
    mark(m, RF_SPENT_PRODUCTS);
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

/* From dwide, the gradient of attention's output, to those of queries, keys and values, and of their biases. */
static void attention_backward(struct rf_model *m, int i, const struct rf_attention *shape)
{
    struct rf_model_layer *l = &m->layers[i];
    int D = query_width(m), E2 = 2 * key_width(m);
    rf_real *dqb = layer_param(m, i, RF_Q_B).dw, *dkb = layer_param(m, i, RF_K_B).dw;

    for (int s = 0; s < shape->nseq; s++) {
        int query = shape->query[s], key = shape->key[s];
        int nq = shape->query[s + 1] - query, nk = shape->key[s + 1] - key;
        size_t qat = (size_t)query * (size_t)D, kat = (size_t)key * (size_t)E2;
        rf_real *dkv = rf_kept_write(m->dkv, kat, m->block);
        rf_real *dq =
            rf_kept_write(m->dq, qat, m->block + (size_t)(nk + RF_ATTENTION_TILE) * (size_t)E2);

        rf_attention_backward(m->matmul, dq, dkv, m->dwide, l->a, l->log_sum, l->q, l->kv,
                              m->scratch, shape, s);
        mark(m, RF_SPENT_ATTENTION);
        turn(m, dq, D, shape->position + query, nq, shape->heads, 1);
        turn(m, dkv, E2, m->pack.position + key, nk, shape->kv_heads, 1);
        mark(m, RF_SPENT_STREAM);
        if (dqb != NULL)
            rf_bias_backward(dqb, dq, nq, D);
        if (dkb != NULL)
            rf_bias_backward(dkb, dkv, nk, E2);
        rf_kept_done(m->dq, qat, dq, (size_t)nq * (size_t)D);
        rf_kept_done(m->dkv, kat, dkv, (size_t)nk * (size_t)E2);
        mark(m, RF_SPENT_PRODUCTS);
    }
}

static void attention_half_backward(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), n = m->pack.n, nq = few ? m->pack.nasked : n;
    int C = m->plan->shape.width, D = query_width(m), E2 = 2 * key_width(m);
    struct rf_model_param o = layer_param(m, i, RF_O_W), q = layer_param(m, i, RF_Q_W);
    struct rf_model_param k = layer_param(m, i, RF_K_W);
    struct rf_operand dq = rf_kept_operand(m->dq, 0, D), dkv = rf_kept_operand(m->dkv, 0, E2);

    for (int first = 0, rows; first < nq; first += rows) {
        size_t at = (size_t)first * (size_t)D;
        rf_real *da;

        rows = block_at(m, first, nq);
        da = half_backward(m, o.w, layer_param(m, i, RF_O_B).dw, first, rows, D);
        rf_kept_done(m->dwide, at, da, (size_t)rows * (size_t)D);
    }
    close_rows(m->dwide, nq, D);
    half_gradient(m, o.dw, l->a, nq, D);
    attention_backward(m, i, &shape);
    for (int first = 0, rows; first < n; first += rows) {
        rf_real *dh = m->dh + (size_t)first * (size_t)C;

        rows = block_at(m, first, n);
        rf_linear_backward(m->matmul, dh, 0,
                           rf_kept_operand(m->dkv, (size_t)first * (size_t)E2, E2), k.w, rows,
                           C, E2);
        if (!few)
            rf_linear_backward(m->matmul, dh, 1,
                               rf_kept_operand(m->dq, (size_t)first * (size_t)D, D), q.w, rows,
                               C, D);
    }
    if (few) {
        spread(m);
        rf_linear_backward(m->matmul, m->dx_other, 0, dq, q.w, nq, C, D);
        rf_scatter_rows(m->dh, m->dx_other, m->pack.asked_row, nq, C);
    }
    rf_linear_gradient(m->matmul, k.dw, dkv, rf_kept_operand(l->h1, 0, C), n, C, E2);
    rf_linear_gradient(m->matmul, q.dw, dq, rf_kept_operand(few ? m->hq : l->h1, 0, C), nq, C,
                       D);
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
            mlp_half(m, i, NULL);
        }
        mlp_half_backward(m, i);
        attention_half_backward(m, i);
    }
    embed_backward(m);
}
