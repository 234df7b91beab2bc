#include "nn/loss.h"

#include <stddef.h>

RF_CLONES
void rf_loss_max(rf_real *restrict top, const rf_real *restrict logits, int R, int count)
{
    for (int r = 0; r < R; r++) {
        const rf_real *row = logits + (size_t)r * (size_t)count;
        rf_real best = (rf_real)-HUGE_VAL;

#pragma omp simd reduction(max : best)
        for (int c = 0; c < count; c++)
            best = row[c] > best ? row[c] : best;
        top[r] = best;
    }
}

RF_CLONES
void rf_loss_sums(rf_real *restrict logits, rf_real *restrict sum, rf_real *restrict want,
                  const rf_real *restrict top, const struct rf_targets *targets, int R,
                  int count)
{
    for (int r = 0; r < R; r++) {
        rf_real *row = logits + (size_t)r * (size_t)count;
        rf_real t = top[r], total = 0, wanted = 0;

        if (targets->target != NULL) {
            int c = targets->target[r] - targets->begin;

            wanted = c >= 0 && c < count ? row[c] - t : 0;
        } else if (targets->soft != NULL) {
            const float *soft =
                targets->soft + (size_t)r * (size_t)targets->classes + targets->begin;

#pragma omp simd reduction(+ : wanted)
            for (int c = 0; c < count; c++)
                wanted += (rf_real)soft[c] * (row[c] - t);
        }
#pragma omp simd reduction(+ : total)
        for (int c = 0; c < count; c++) {
            row[c] = rf_exp(row[c] - t);
            total += row[c];
        }
        sum[r] = total;
        want[r] = wanted;
    }
}

RF_CLONES
void rf_loss_backward(rf_real *restrict e, const rf_real *restrict sum,
                      const rf_real *restrict scale, const struct rf_targets *targets, int R,
                      int count)
{
    for (int r = 0; r < R; r++) {
        rf_real *row = e + (size_t)r * (size_t)count;
        rf_real factor = scale[r] / sum[r];

#pragma omp simd
        for (int c = 0; c < count; c++)
            row[c] *= factor;
        if (targets->target != NULL) {
            int c = targets->target[r] - targets->begin;

            if (c >= 0 && c < count)
                row[c] -= scale[r];
        } else {
            const float *soft =
                targets->soft + (size_t)r * (size_t)targets->classes + targets->begin;

#pragma omp simd
            for (int c = 0; c < count; c++)
                row[c] -= scale[r] * (rf_real)soft[c];
        }
    }
}
