/* The asked distributions: every rank makes the logits of its rows of the vocabulary, for a few
 * rows at a time, and what a softmax needs of the others comes by reductions. */
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/model_parts.h"

/* Which classes of the batch's range this rank holds, and their rows of the output layer. */
struct columns {
    int begin, count; /* within the range */
    size_t at;        /* element of its slice */
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

    rf_linear_forward(m->matmul, m->logits, rf_kept_operand(m->hf, (size_t)r * (size_t)C, C),
                      rf_model_param(m, m->plan->head).w + c.at, NULL, rows, C, c.count);
    rf_profile_mark(&m->profile, RF_SPENT_PRODUCTS);
    rf_loss_max(m->top, m->logits, rows, c.count);
    rf_profile_mark(&m->profile, RF_SPENT_LOSS);
    rf_exchange_max(&m->exchange, m->top, (size_t)rows);
    rf_profile_mark(&m->profile, RF_SPENT_EXCHANGE);
    if (best != NULL)
        choose(m, rows, m->top, c, best + r);
    rf_loss_sums(m->logits, sum, want, m->top, &targets, rows, c.count);
    rf_profile_mark(&m->profile, RF_SPENT_LOSS);
    rf_exchange_sum(&m->exchange, m->sums, 2 * (size_t)rows);
    rf_profile_mark(&m->profile, RF_SPENT_EXCHANGE);
    if (targets.target == NULL && targets.soft == NULL)
        return 0;
    for (int k = 0; k < rows; k++)
        loss += (batch->weight ? (double)batch->weight[r + k] : 1) *
                (log((double)sum[k]) - (double)want[k]);
    return loss;
}

double rf_model_output(struct rf_model *m, const struct rf_batch *batch, double weight)
{
    struct columns c = columns_of(m, batch);
    struct rf_model_param head = rf_model_param(m, m->plan->head);
    int C = m->plan->shape.width, step = (int)rf_model_loss_rows(batch->R, batch->range_count);
    double loss = 0, unit = weight > 0 ? 1 / weight : 0;

    if (batch->answers != NULL)
        return rf_model_listed_output(m, batch, weight);
    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;
        struct rf_targets targets = targets_from(batch, r, c.begin);
        size_t at = (size_t)r * (size_t)C;
        struct rf_kept dlogits =
            m->dlogits.half != NULL ? m->dlogits : (struct rf_kept){.real = m->logits};
        struct rf_operand dy = rf_kept_operand(dlogits, 0, c.count);

        loss += distributions(m, batch, c, r, rows, NULL);
        for (int k = 0; k < rows; k++)
            m->scale[k] = (rf_real)(unit * (batch->weight ? (double)batch->weight[r + k] : 1));
        rf_loss_backward(m->logits, m->sums, m->scale, &targets, rows, c.count);
        rf_kept_done(dlogits, 0, m->logits, (size_t)rows * (size_t)c.count);
        rf_profile_mark(&m->profile, RF_SPENT_LOSS);
        rf_linear_backward(m->matmul, m->dh + at, 0, dy, head.w + c.at, rows, C, c.count);
        rf_linear_gradient(m->matmul, head.dw + c.at, dy, rf_kept_operand(m->hf, at, C), rows,
                           C, c.count);
        rf_profile_mark(&m->profile, RF_SPENT_PRODUCTS);
    }
    return loss * unit;
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

double rf_model_answer(struct rf_model *m, const struct rf_batch *batch, float *prob,
                       int32_t *best)
{
    struct columns c = columns_of(m, batch);
    int step = (int)rf_model_loss_rows(batch->R, batch->range_count);
    double weight = rf_batch_weight(batch), loss = 0;

    if (batch->answers != NULL)
        return rf_model_listed_answer(m, batch, prob, best);
    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;

        loss += distributions(m, batch, c, r, rows, best);
        if (prob != NULL)
            gather_prob(m, prob, batch->range_count, c, r, rows);
    }
    return weight > 0 ? loss / weight : 0;
}
