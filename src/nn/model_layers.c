/* A block half (attention or MLP) multiplies by its column slice, works, and multiplies by its row slice; the sum over
 * ranks then is the half's output. Backward the same happens in the other direction. The sum is for
 * everybody, and every rank does what lies between the products for all rows (mpi/README.md: why that work is not
 * shared out). */
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

static int block_at(const struct rf_model *m, int first, int n)
{
    return m->precision != RF_PRECISION_FP32 && n - first > RF_MODEL_BLOCK ? RF_MODEL_BLOCK
                                                                           : n - first;
}

/* Of a block's n rows, those that kernels work on at a time. */
static int few_at(const struct rf_model *m, int first, int n)
{
    return m->precision != RF_PRECISION_FP32 && n - first > RF_MODEL_FEW ? RF_MODEL_FEW
                                                                         : n - first;
}

/* What products may read behind n rows of an array is to be finite. */
static void close_rows(struct rf_kept x, int n, int width)
{
    rf_kept_clear(x, (size_t)n * (size_t)width, (size_t)RF_ATTENTION_TILE * (size_t)width);
}

/* The gradient of the stream as what is multiplied. */
static struct rf_kept stream_gradient(const struct rf_model *m)
{
    return m->dy.half != NULL ? m->dy : (struct rf_kept){.real = m->dx};
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

/* dh [n][width] becomes its sum over ranks. */
static void sum_rows(struct rf_model *m, int n)
{
    rf_exchange_sum_rows(&m->exchange, m->dh, (size_t)n * (size_t)m->plan->shape.width);
    mark(m, RF_SPENT_EXCHANGE);
}

/* Adds the gradient of x, from that of y in dh on all ranks, to dx. */
static void norm_backward(struct rf_model *m, const rf_real *x, const rf_real *mean,
                          const rf_real *rstd, struct rf_model_param w, struct rf_model_param b,
                          int n)
{
    int C = m->plan->shape.width, most = rf_model_rows_at_a_time(m);

    sum_rows(m, n);
    for (int i = 0; i < n; i += most) {
        int rows = n - i < most ? n - i : most;
        size_t at = (size_t)i * (size_t)C;

        if (is_llama(m))
            rf_rms_backward(m->dx + at, w.dw, m->dh + at, x + at, rstd + i, w.w, rows, C);
        else
            rf_norm_backward(m->dx + at, w.dw, b.dw, m->dh + at, x + at, mean + i, rstd + i,
                             w.w, rows, C);
        if (m->dy.half != NULL)
            rf_kept_done(m->dy, at, m->dx + at, (size_t)rows * (size_t)C);
        mark(m, RF_SPENT_NORMS);
    }
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

/* Rows first .. first+n-1 of h2, by way of f, to g: what the MLP's second product reads. */
static void widen(struct rf_model *m, int i, int first, int n)
{
    struct rf_model_layer *l = &m->layers[i];
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count, F = f_width(m);
    size_t at = (size_t)first * (size_t)F, to = (size_t)first * (size_t)H;
    rf_real *f = rf_kept_write(l->f, at, m->block);

    rf_linear_forward(m->matmul, f, rf_kept_operand(l->h2, (size_t)first * (size_t)C, C),
                      first_weights(m, i).w, NULL, n, C, F);
    mark(m, RF_SPENT_PRODUCTS);
    for (int r = 0, rows; r < n; r += rows) {
        rf_real *g = rf_kept_write(l->g, to, m->block + (size_t)n * (size_t)F);

        rows = few_at(m, r, n);
        if (is_llama(m))
            rf_swiglu_forward(g, f, rows, H);
        else
            rf_gelu_forward(g, f, layer_param(m, i, RF_FC_B).w, rows, H);
        rf_kept_done(l->f, at, f, (size_t)rows * (size_t)F);
        rf_kept_done(l->g, to, g, (size_t)rows * (size_t)H);
        f += (size_t)rows * (size_t)F;
        at += (size_t)rows * (size_t)F;
        to += (size_t)rows * (size_t)H;
    }
    mark(m, RF_SPENT_ACTIVATION);
}

/* dg, the gradient of n rows of g, becomes that of f, which the products backwards read. */
static struct rf_kept widen_backward(struct rf_model *m, int i, rf_real *dg, int first, int n)
{
    struct rf_model_layer *l = &m->layers[i];
    int H = (int)m->plan->hidden.count, F = f_width(m);
    struct rf_kept to = is_llama(m) ? m->df : m->dwide;
    rf_real *behind = m->block + (size_t)n * (size_t)H;

    for (int r = 0, rows; r < n; r += rows) {
        size_t at = (size_t)(first + r) * (size_t)F, elements;
        rf_real *df = dg;
        const rf_real *f;

        rows = few_at(m, r, n);
        elements = (size_t)rows * (size_t)F;
        f = rf_kept_read(l->f, at, behind, elements);
        if (is_llama(m)) {
            df = rf_kept_write(to, at, behind + elements);
            rf_swiglu_backward(df, dg, f, rows, H);
        } else {
            rf_gelu_backward(dg, layer_param(m, i, RF_FC_B).dw, f, rows, H);
        }
        rf_kept_done(to, at, df, elements);
        dg += (size_t)rows * (size_t)H;
    }
    mark(m, RF_SPENT_ACTIVATION);
    return to;
}

/* ---- forward ------------------------------------------------------------ */

static struct rf_embedded embedded(const struct rf_model *m)
{
    const struct rf_slice *v = &m->plan->vocabulary;

    return (struct rf_embedded){.token = m->pack.token,
                                .first = m->pack.first,
                                .n = m->pack.n,
                                .C = m->plan->shape.width,
                                .begin = (int)v->begin,
                                .count = (int)v->count};
}

static void look_up(struct rf_model *m, rf_real *x)
{
    const struct rf_embedded rows = embedded(m);
    struct rf_vectors wte = {.rounded = m->precision == RF_PRECISION_BF16};

    if (m->precision == RF_PRECISION_HELD)
        wte.half = rf_matmul_rows(m->matmul, m->plan->params[m->plan->wte].at);
    else
        wte.real = rf_model_param(m, m->plan->wte).w;
    rf_embed_forward(x, &wte, &rows);
}

/* The rows of a stream and what comes with them: its norm, and the latter's means and deviations. */
struct stream {
    rf_real *x;
    struct rf_kept h;
    rf_real *mean, *rstd;
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
    int C = m->plan->shape.width;
    size_t at = (size_t)first * (size_t)C;
    rf_real *h = rf_kept_write(to->h, at, m->block);

    norm(m, h, to->mean + first, to->rstd + first, to->x + at, to->w, to->b, rows);
    rf_kept_done(to->h, at, h, (size_t)rows * (size_t)C);
    mark(m, RF_SPENT_NORMS);
}

/* The end of a branch, n rows in dh on all ranks, is added to x (rows `row` of it, where given) and bias: the
 * stream and its norm. */
static void join(struct rf_model *m, const struct stream *to, const rf_real *x,
                 const int32_t *row, const rf_real *bias, int n)
{
    int C = m->plan->shape.width, most = rf_model_rows_at_a_time(m);

    sum_rows(m, n);
    for (int i = 0; i < n; i += most) {
        int rows = n - i < most ? n - i : most;
        size_t at = (size_t)i * (size_t)C;

        rf_residual_forward(to->x + at, m->dh + at, row != NULL || x == NULL ? x : x + at,
                            row != NULL ? row + i : NULL, bias, rows, C);
        mark(m, RF_SPENT_STREAM);
        normalise(m, to, i, rows);
    }
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

/* From h1 to h2. */
static void attention_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    const struct stream to = before_mlp(m, i);
    struct rf_attention shape = attention_of(m, i);
    int few = asked_only(m, i), nq = few ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, D = query_width(m);

    if (few) {
        rf_kept_gather(m->hq, l->h1, m->pack.asked_row, nq, C);
        mark(m, RF_SPENT_STREAM);
    }
    project_all(m, i, &shape, nq);
    rf_attention_forward(m->matmul, l->a, l->log_sum, l->q, seen(m, i), m->scratch, &shape);
    mark(m, RF_SPENT_ATTENTION);
    rf_linear_forward(m->matmul, m->dh, rf_kept_operand(l->a, 0, D),
                      layer_param(m, i, RF_O_W).w, NULL, nq, D, C);
    mark(m, RF_SPENT_PRODUCTS);
    join(m, &to, l->x, few ? m->pack.asked_row : NULL, layer_param(m, i, RF_O_B).w, nq);
}

/* From h2 to g, and to the end of the branch in dh unless that is there already. */
static void mlp_inside(struct rf_model *m, int i, int ended)
{
    struct rf_model_layer *l = &m->layers[i];
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;
    int C = m->plan->shape.width, H = (int)m->plan->hidden.count;

    for (int first = 0, rows; first < nq; first += rows) {
        rows = block_at(m, first, nq);
        widen(m, i, first, rows);
        if (!ended)
            rf_linear_forward(m->matmul, m->dh + (size_t)first * (size_t)C,
                              rf_kept_operand(l->g, (size_t)first * (size_t)H, H),
                              layer_param(m, i, RF_PROJ_W).w, NULL, rows, H, C);
        mark(m, RF_SPENT_PRODUCTS);
    }
}

/* From h2 to the next layer's h1, or to hf. */
static void mlp_half(struct rf_model *m, int i)
{
    struct rf_model_layer *l = &m->layers[i];
    const struct stream to =
        i + 1 < m->plan->shape.layers ? before_attention(m, i + 1) : at_the_end(m);
    int nq = asked_only(m, i) ? m->pack.nasked : m->pack.n;

    mlp_inside(m, i, 0);
    join(m, &to, l->x2, NULL, layer_param(m, i, RF_PROJ_B).w, nq);
}

/* Where a sequence has one answer: hf [nseq] is the mean of its rows of the stream's end, as they are. */
static void average(struct rf_model *m)
{
    int C = m->plan->shape.width;

    for (int s = 0; s < m->pack.nseq; s++) {
        size_t at = (size_t)s * (size_t)C;
        rf_real *to = rf_kept_write(m->hf, at, m->block);
        int begin = m->pack.start[s], end = m->pack.start[s + 1];

        memset(to, 0, (size_t)C * sizeof *to);
        for (int t = begin; t < end; t++)
            for (int c = 0; c < C; c++)
                to[c] += m->xf[(size_t)t * (size_t)C + (size_t)c];
        for (int c = 0; c < C; c++)
            to[c] /= (rf_real)(end - begin);
        rf_kept_done(m->hf, at, to, (size_t)C);
    }
    mark(m, RF_SPENT_STREAM);
}

/* The gradient of the stream's end from that of the means, in dh on all ranks. */
static void average_backward(struct rf_model *m)
{
    int C = m->plan->shape.width;

    sum_rows(m, m->pack.nseq);
    for (int s = 0; s < m->pack.nseq; s++) {
        const rf_real *from = m->dh + (size_t)s * (size_t)C;
        int begin = m->pack.start[s], end = m->pack.start[s + 1];

        for (int t = begin; t < end; t++)
            for (int c = 0; c < C; c++)
                m->dx[(size_t)t * (size_t)C + (size_t)c] = from[c] / (rf_real)(end - begin);
    }
    if (m->dy.half != NULL)
        rf_kept_done(m->dy, 0, m->dx, (size_t)m->pack.n * (size_t)C);
    mark(m, RF_SPENT_STREAM);
}

void rf_model_forward(struct rf_model *m)
{
    embed(m);
    for (int i = 0; i < m->plan->shape.layers; i++) {
        attention_half(m, i);
        mlp_half(m, i);
    }
    if (m->pack.mean)
        average(m);
}

/* What a layer's forward pass makes of its input, but for its last product. */
static void make_again(struct rf_model *m, int i)
{
    const struct stream first = before_attention(m, i);
    int most = rf_model_rows_at_a_time(m), n = m->pack.n;

    for (int r = 0; r < n; r += most)
        normalise(m, &first, r, n - r < most ? n - r : most);
    attention_half(m, i);
    mlp_inside(m, i, 1);
}

/* ---- backward ------------------------------------------------------------ */

/* Rows of the gradient of what a block half's last product reads, [..][O], into dwide or a block. */
static rf_real *half_backward(struct rf_model *m, const rf_real *w, int first, int rows, int O)
{
    int C = m->plan->shape.width;
    rf_real *to = rf_kept_write(m->dwide, (size_t)first * (size_t)O, m->block);
    struct rf_operand dy = rf_kept_operand(stream_gradient(m), (size_t)first * (size_t)C, C);

    rf_linear_backward(m->matmul, to, 0, dy, w, rows, O, C);
    mark(m, RF_SPENT_PRODUCTS);
    return to;
}

/* And of that product's weights and bias, over all n rows; x is what it read. */
static void half_gradient(struct rf_model *m, rf_real *dw, rf_real *db, struct rf_kept x, int n,
                          int O)
{
    int C = m->plan->shape.width;

    rf_linear_gradient(m->matmul, dw, rf_kept_operand(stream_gradient(m), 0, C),
                       rf_kept_operand(x, 0, O), n, O, C);
    if (db != NULL)
        rf_bias_backward(db, m->dx, n, C);
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
        dg = half_backward(m, proj.w, first, rows, H);
        df = widen_backward(m, i, dg, first, rows);
        rf_linear_backward(m->matmul, m->dh + (size_t)first * (size_t)C, 0,
                           rf_kept_operand(df, (size_t)first * (size_t)F, F), w.w, rows, C, F);
        mark(m, RF_SPENT_PRODUCTS);
    }
    half_gradient(m, proj.dw, layer_param(m, i, RF_PROJ_B).dw, l->g, nq, H);
    rf_linear_gradient(m->matmul, w.dw, rf_kept_operand(df, 0, F), rf_kept_operand(l->h2, 0, C),
                       nq, C, F);
    mark(m, RF_SPENT_PRODUCTS);
    norm_backward(m, l->x2, l->mean2, l->rstd2, layer_param(m, i, RF_LN2_W),
                  layer_param(m, i, RF_LN2_B), nq);
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
        da = half_backward(m, o.w, first, rows, D);
        rf_kept_done(m->dwide, at, da, (size_t)rows * (size_t)D);
    }
    close_rows(m->dwide, nq, D);
    half_gradient(m, o.dw, layer_param(m, i, RF_O_B).dw, l->a, nq, D);
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
    norm_backward(m, l->x, l->mean1, l->rstd1, layer_param(m, i, RF_LN1_W),
                  layer_param(m, i, RF_LN1_B), n);
}

static void embed_backward(struct rf_model *m)
{
    const struct rf_embedded rows = embedded(m);

    rf_embed_backward(rf_model_param(m, m->plan->wte).dw, m->dx, &rows);
    if (m->plan->wpe >= 0)
        rf_scatter_rows(rf_model_param(m, m->plan->wpe).dw, m->dx, m->pack.position, rows.n,
                        rows.C);
    mark(m, RF_SPENT_STREAM);
}

void rf_model_backward(struct rf_model *m)
{
    size_t C = (size_t)m->plan->shape.width;

    if (m->pack.mean) {
        average_backward(m);
    } else {
        memset(m->dx, 0, (size_t)m->pack.nasked * C * sizeof *m->dx);
        norm_backward(m, m->xf, m->meanf, m->rstdf, rf_model_param(m, m->plan->norm_w),
                      rf_model_param(m, m->plan->norm_b), m->pack.nasked);
    }
    for (int i = m->plan->shape.layers - 1; i >= 0; i--) {
        if (m->limits.recompute && i + 1 < m->plan->shape.layers) /* the last is still there */
            make_again(m, i);
        mlp_half_backward(m, i);
        attention_half_backward(m, i);
    }
    embed_backward(m);
}
