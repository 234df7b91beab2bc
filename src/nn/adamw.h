/* adamw.h - Adam with decoupled weight decay, and the schedule of its rate. */
#ifndef RF_NN_ADAMW_H
#define RF_NN_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "nn/real.h"

struct rf_adamw {
    double lr, beta1, beta2, eps, weight_decay;
    double scale; /* gradients are multiplied by this first: clipping */
    int64_t step; /* 1 for the first update: corrects the moments' start at zero */
};

/* One pass over n elements: moments, then p -= lr (m' / (sqrt(v') + eps) + weight_decay p). */
void rf_adamw_update(rf_real *restrict p, const rf_real *restrict g, rf_real *restrict m,
                     rf_real *restrict v, size_t n, const struct rf_adamw *a);
/* The same, and in the same pass rounded [n]: the new values in bf16. */
void rf_adamw_update_half(uint16_t *restrict rounded, rf_real *restrict p,
                          const rf_real *restrict g, rf_real *restrict m, rf_real *restrict v,
                          size_t n, const struct rf_adamw *a);

/* Sum of squares, accumulated in double. */
double rf_sum_squares(const rf_real *x, size_t n);

/* Rate of update i = 0, 1, ...: linear up to lr over warmup x steps updates, then
 * a cosine down to lr x min_ratio at the last of steps; constant afterwards. */
double rf_cosine_rate(int64_t i, int64_t steps, double lr, double min_ratio, double warmup);

#endif
