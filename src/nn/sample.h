/* sample.h - the next token, from its distribution. */
#ifndef RF_NN_SAMPLE_H
#define RF_NN_SAMPLE_H

#include <stdint.h>

struct rf_sampling {
    double
        temperature; /* probabilities are raised to 1 / temperature; 0: the most likely token */
    int top_k;       /* of the k most likely only; 0: of all */
    double top_p;    /* of the fewest that together reach p only (Holtzman et al. 2020); 0 or
                           1: of all. After top_k, before the temperature */
};

/* Draws a token by u, uniform on [0, 1). prob [n] sums to 1 but for rounding; on ties the lower
 * token is the likelier. order [n] is scratch. The same arguments give the same token everywhere. */
int32_t rf_sample(const struct rf_sampling *sampling, const float *prob, int n, double u,
                  int32_t *order);

#endif
