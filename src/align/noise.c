#include "align/noise.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

static void spread(float *p, int nclass, int best, double accuracy)
{
    for (int c = 0; c < nclass; c++)
        p[c] = (float)(c == best ? accuracy : (1 - accuracy) / (nclass - 1));
}

enum rf_status rf_noise_labels(const int32_t *truth, int n, int nclass, double accuracy,
                               uint64_t seed, int32_t *best, float *prob, struct rf_error *err)
{
    uint64_t stream = rf_rng_stream("noise", 0), other = rf_rng_stream("noise-class", 0);
    int wrong = (int)lround((1 - accuracy) * n);
    int32_t *order = malloc(((size_t)n + 1) * sizeof *order);

    if (order == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d labels", n);
    for (int i = 0; i < n; i++) {
        order[i] = i;
        best[i] = truth[i];
    }
    rf_rng_shuffle(seed, stream, order, n);
    for (int k = 0; k < wrong && k < n; k++) {
        uint64_t shift = 1 + rf_rng_below(seed, other, (uint64_t)k, (uint64_t)nclass - 1);

        best[order[k]] = (int32_t)((truth[order[k]] + (int32_t)shift) % nclass);
    }
    for (int i = 0; prob != NULL && i < n; i++)
        spread(prob + (size_t)i * (size_t)nclass, nclass, best[i], accuracy);
    free(order);
    return RF_OK;
}
