/* Methods that change each batch's targets, or each label by itself. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "align/method.h"
#include "align/w2s.h"

static int best_class(const float *p, int nclass)
{
    int best = 0;

    for (int c = 1; c < nclass; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

void rf_method_harden(struct rf_method_labels *labels, const struct rf_method_options *options)
{
    (void)options;
    for (int i = 0; i < labels->n; i++) {
        float *p = labels->prob + (size_t)i * (size_t)labels->nclass;
        int best = best_class(p, labels->nclass);

        for (int c = 0; c < labels->nclass; c++)
            p[c] = c == best ? 1.0F : 0.0F;
    }
}

/* With more than two classes there is no one threshold: the student's best class. */
static void lean_to_best(const struct rf_method_batch *batch, double c, float *target)
{
    size_t k = (size_t)batch->nclass;

    memcpy(target, batch->weak, (size_t)batch->n * k * sizeof *target);
    for (size_t i = 0; c > 0 && i < (size_t)batch->n; i++) {
        int best = best_class(batch->student + i * k, batch->nclass);

        for (int j = 0; j < batch->nclass; j++)
            target[i * k + (size_t)j] =
                (float)((1 - c) * (double)batch->weak[i * k + (size_t)j] + (j == best ? c : 0));
    }
}

void rf_method_confidence(const struct rf_method_batch *batch,
                          const struct rf_method_options *options, float *target)
{
    double ramp = batch->progress < options->warmup ? batch->progress / options->warmup : 1.0;

    if (batch->nclass != 2) {
        lean_to_best(batch, options->alpha * ramp, target);
        return;
    }
    for (int i = 0; i < batch->n; i++)
        batch->p1[i] = batch->student[2 * i + 1];
    rf_w2s_confidence_targets(batch->p1, batch->weak, batch->n, options->alpha, batch->progress,
                              options->warmup, target, batch->scratch);
}

void rf_method_product(const struct rf_method_batch *batch,
                       const struct rf_method_options *options, float *target)
{
    for (int i = 0; i < batch->n; i++) {
        size_t at = (size_t)i * (size_t)batch->nclass;
        double sum = 0;

        for (int c = 0; c < batch->nclass; c++)
            sum += pow((double)batch->student[at + (size_t)c], options->product_student) *
                   pow((double)batch->weak[at + (size_t)c], options->product_weak);
        for (int c = 0; c < batch->nclass; c++)
            target[at + (size_t)c] =
                sum > 0
                    ? (float)(pow((double)batch->student[at + (size_t)c],
                                  options->product_student) *
                              pow((double)batch->weak[at + (size_t)c], options->product_weak) /
                              sum)
                    : batch->weak[at + (size_t)c];
    }
}

void rf_method_window(struct rf_method_labels *labels, const struct rf_method_options *options)
{
    for (int i = 0; i < labels->n; i++) {
        const float *p = labels->prob + (size_t)i * (size_t)labels->nclass;

        if ((double)p[best_class(p, labels->nclass)] >= 0.5 + options->window)
            labels->keep[i] = 0;
    }
}
