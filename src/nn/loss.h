/* loss.h - softmax and cross-entropy over classes that are sliced over ranks.
 *
 * A rank holds columns begin .. begin+count-1 of the logits. The caller reduces what the steps
 * leave behind: the rows' maxima first, then the two sums. */
#ifndef RF_NN_LOSS_H
#define RF_NN_LOSS_H

#include <stdint.h>

#include "nn/real.h"

/* top[r] = the largest logit of row r, -HUGE_VAL with no columns. logits [R][count]. */
void rf_loss_max(rf_real *restrict top, const rf_real *restrict logits, int R, int count);

/* What the rows should come out as: target (one class per row), or soft [R][classes], or
 * neither. */
struct rf_targets {
    const int32_t *target; /* borrowed [R] or NULL */
    const float *soft;  /* borrowed [R][classes], used when target is NULL; may be NULL too */
    int classes, begin; /* of the whole range; first class that this rank holds */
};

/* logits becomes exp(logit - top). sum[r] = the sum of those; want[r] = the sum of
 * target x (logit - top). */
void rf_loss_sums(rf_real *restrict logits, rf_real *restrict sum, rf_real *restrict want,
                  const rf_real *restrict top, const struct rf_targets *targets, int R,
                  int count);

/* e = exp(logit - top) becomes the gradient of the loss: scale[r] x (e / sum - target). */
void rf_loss_backward(rf_real *restrict e, const rf_real *restrict sum,
                      const rf_real *restrict scale, const struct rf_targets *targets, int R,
                      int count);

#endif
