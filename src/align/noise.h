/* noise.h - a supervisor that errs as often as another one, but at random.
 *
 * Students clean random errors away, and repeat systematic ones (Burns et al. 2023, section on
 * kinds of error); so what a weak model's labels are worth is seen beside labels like these. */
#ifndef RF_ALIGN_NOISE_H
#define RF_ALIGN_NOISE_H

#include <stdint.h>

#include "base/error.h"

/* Of n items with their truth, exactly lround((1 - accuracy) n) get another class, drawn evenly:
 * best [n]. prob [n][nclass], or NULL: `accuracy` on that class, the rest spread over the others.
 * A function of seed and arguments. RF_ERR_MEMORY. */
enum rf_status rf_noise_labels(const int32_t *truth, int n, int nclass, double accuracy,
                               uint64_t seed, int32_t *best, float *prob, struct rf_error *err);

#endif
