/* A few answers from anywhere in the vocabulary. Every rank makes the logits of those tokens whose rows
 * it holds; a sum over the ranks completes them (each comes from one rank, the others add zeros, so
 * it is exact), and from there on all ranks do the same: the distributions are too narrow to be
 * sliced. Where rows are joined, the logits of an item's rows already lie side by side, and are read as one
 * distribution: nothing else tells a comparison of two scores from a classification. */
#include <string.h>

#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/model_parts.h"

/* The element of this rank's slice of the output layer where the row of answer k begins; -1: the row
 * is another rank's. */
static int64_t row_of(const struct rf_model *m, const struct rf_batch *batch, int k)
{
    int64_t row = batch->answers[k] - m->plan->vocabulary.begin;

    return row >= 0 && row < m->plan->vocabulary.count ? row * m->plan->shape.width : -1;
}

/* Rows at a time: whole items. */
static int step_of(const struct rf_batch *batch)
{
    int step = (int)rf_model_loss_rows(batch->R, batch->range_count);

    return batch->joined > 1 ? step - step % batch->joined : step;
}

static struct rf_targets targets_from(const struct rf_batch *batch, int item)
{
    struct rf_targets t = {.classes = rf_batch_classes(batch)};

    if (batch->target != NULL)
        t.target = batch->target + item;
    else if (batch->soft != NULL)
        t.soft = batch->soft + (size_t)item * (size_t)t.classes;
    return t;
}

/* m->prob [rows][range_count] = the logits of rows r .. r+rows-1. m->sums is a column of it on the
 * way. */
static void make_logits(struct rf_model *m, const struct rf_batch *batch, int r, int rows)
{
    const rf_real *head = rf_model_param(m, m->plan->head).w;
    int A = batch->range_count, C = m->plan->shape.width;
    size_t n = (size_t)rows * (size_t)A;

    memset(m->prob, 0, n * sizeof *m->prob);
    for (int k = 0; k < A; k++) {
        int64_t at = row_of(m, batch, k);

        if (at < 0)
            continue;
        rf_linear_forward(m->matmul, m->sums, rf_kept_operand(m->hf, (size_t)r * (size_t)C, C),
                          head + at, NULL, rows, C, 1);
        for (int i = 0; i < rows; i++)
            m->prob[(size_t)i * (size_t)A + (size_t)k] = m->sums[i];
    }
    rf_profile_mark(&m->profile, RF_SPENT_PRODUCTS);
    rf_exchange_sum(&m->exchange, m->prob, n);
    rf_profile_mark(&m->profile, RF_SPENT_EXCHANGE);
}

/* The most likely class of each item, the lowest on ties. */
static void choose(const rf_real *logits, const rf_real *top, int items, int classes,
                   int32_t *best)
{
    for (int i = 0; i < items; i++) {
        const rf_real *row = logits + (size_t)i * (size_t)classes;
        int k = 0;

        while (k < classes - 1 && row[k] != top[i])
            k++;
        best[i] = k;
    }
}

/* Rows r .. r+rows-1: afterwards m->prob holds exp(logit - top), m->sums both sums. Returns their
 * part of the loss; best is of the whole batch, or NULL. */
static double distributions(struct rf_model *m, const struct rf_batch *batch, int r, int rows,
                            int32_t *best)
{
    int joined = batch->joined > 1 ? batch->joined : 1;
    int items = rows / joined, first = r / joined, classes = rf_batch_classes(batch);
    struct rf_targets targets = targets_from(batch, first);
    rf_real *sum = m->sums, *want = m->sums + items;
    double loss = 0;

    make_logits(m, batch, r, rows);
    rf_loss_max(m->top, m->prob, items, classes);
    if (best != NULL)
        choose(m->prob, m->top, items, classes, best + first);
    rf_loss_sums(m->prob, sum, want, m->top, &targets, items, classes);
    rf_profile_mark(&m->profile, RF_SPENT_LOSS);
    if (targets.target == NULL && targets.soft == NULL)
        return 0;
    for (int i = 0; i < items; i++)
        loss += (batch->weight ? (double)batch->weight[first + i] : 1) *
                (log((double)sum[i]) - (double)want[i]);
    return loss;
}

/* From the gradient of the logits in m->prob to dh, and to this rank's rows of the output layer. */
static void spread_gradient(struct rf_model *m, const struct rf_batch *batch, int r, int rows)
{
    struct rf_model_param head = rf_model_param(m, m->plan->head);
    int A = batch->range_count, C = m->plan->shape.width;
    size_t from = (size_t)r * (size_t)C;
    struct rf_operand dy = rf_operand(m->sums, 1);

    memset(m->dh + from, 0, (size_t)rows * (size_t)C * sizeof *m->dh);
    for (int k = 0; k < A; k++) {
        int64_t at = row_of(m, batch, k);

        if (at < 0)
            continue;
        for (int i = 0; i < rows; i++)
            m->sums[i] = m->prob[(size_t)i * (size_t)A + (size_t)k];
        rf_linear_backward(m->matmul, m->dh + from, 1, dy, head.w + at, rows, C, 1);
        rf_linear_gradient(m->matmul, head.dw + at, dy, rf_kept_operand(m->hf, from, C), rows,
                           C, 1);
    }
    rf_profile_mark(&m->profile, RF_SPENT_PRODUCTS);
}

double rf_model_listed_output(struct rf_model *m, const struct rf_batch *batch, double weight)
{
    int joined = batch->joined > 1 ? batch->joined : 1, step = step_of(batch);
    double loss = 0, unit = weight > 0 ? 1 / weight : 0;

    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;
        int items = rows / joined, first = r / joined;
        struct rf_targets targets = targets_from(batch, first);

        loss += distributions(m, batch, r, rows, NULL);
        for (int i = 0; i < items; i++)
            m->scale[i] =
                (rf_real)(unit * (batch->weight ? (double)batch->weight[first + i] : 1));
        rf_loss_backward(m->prob, m->sums, m->scale, &targets, items, rf_batch_classes(batch));
        rf_profile_mark(&m->profile, RF_SPENT_LOSS);
        spread_gradient(m, batch, r, rows);
    }
    return loss * unit;
}

double rf_model_listed_answer(struct rf_model *m, const struct rf_batch *batch, float *prob,
                              int32_t *best)
{
    int joined = batch->joined > 1 ? batch->joined : 1, step = step_of(batch);
    int classes = rf_batch_classes(batch);
    double weight = rf_batch_weight(batch), loss = 0;

    for (int r = 0; r < batch->R; r += step) {
        int rows = batch->R - r < step ? batch->R - r : step;
        size_t at = (size_t)r / (size_t)joined * (size_t)classes;

        loss += distributions(m, batch, r, rows, best);
        for (int i = 0; prob != NULL && i < rows / joined * classes; i++)
            prob[at + (size_t)i] = (float)(m->prob[i] / m->sums[i / classes]);
    }
    return weight > 0 ? loss / weight : 0;
}
