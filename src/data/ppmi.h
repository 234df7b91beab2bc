/* ppmi.h - vectors for tokens from how often they stand near one another.
 *
 * The matrix of positive pointwise mutual information, PPMI(a, b) = max(0, log p(a, b) / (p(a) q(b))), of
 * tokens a with those around them, q ~ count^0.75; its leading eigenvectors, scaled by the square roots of
 * their eigenvalues, are vectors in which tokens that stand in like places lie side by side. Levy, Goldberg and
 * Dagan, TACL 2015 (3.1 smoothing, 3.3 eigenvalue weighting); that word2vec's skip-grams factor the same matrix
 * is Levy and Goldberg, NIPS 2014. The eigenvectors are found by subspace iteration from a random block (Halko,
 * Martinsson and Tropp, SIAM Review 2011, algorithm 4.4). */
#ifndef RF_DATA_PPMI_H
#define RF_DATA_PPMI_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How far apart two tokens may stand; a pair that is d apart counts 1 / d. */
enum { RF_PPMI_WINDOW = 5, RF_PPMI_LEAST_COUNT = 2 };

struct rf_ppmi;

/* Counting over a vocabulary; the caller ends *ppmi with rf_ppmi_destroy(). */
enum rf_status rf_ppmi_create(struct rf_ppmi **ppmi, int vocabulary, struct rf_error *err);
void rf_ppmi_destroy(struct rf_ppmi *ppmi);

/* Adds the pairs of a text. Tokens are 0 .. vocabulary-1. */
enum rf_status rf_ppmi_add(struct rf_ppmi *ppmi, const int32_t *tokens, int64_t n,
                           struct rf_error *err);

/* vectors [vocabulary][width]: of every token that came RF_PPMI_LEAST_COUNT times and stands beside another more
 * often than by chance; zeros for others, and behind as many elements as there are such tokens. Their mean is 0,
 * and the mean of their squared lengths 4. The same bits for the same texts in the same order, on one kind of
 * machine. */
enum rf_status rf_ppmi_vectors(const struct rf_ppmi *ppmi, int width, uint64_t seed,
                               float *vectors, struct rf_error *err);

#endif
