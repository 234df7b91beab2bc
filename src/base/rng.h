/* rng.h - (seed, stream, index) -> number.
 *
 * Counter-based (Philox4x32-10 of Random123; Salmon et al., SC'11): no state,
 * so a number does not depend on the rank count, nor on the order in which
 * numbers are drawn. A stream names a purpose; make one from a few words with
 * rf_rng_stream(), e.g. rf_rng_stream("init", tensor_index). */
#ifndef RF_BASE_RNG_H
#define RF_BASE_RNG_H

#include <stdint.h>

/* A stream number from a purpose and an index within it (step, job, tensor). */
uint64_t rf_rng_stream(const char *purpose, uint64_t index);

/* 64 uniform bits. */
uint64_t rf_rng_bits(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits. */
double rf_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform integer in [0, n), n >= 1, without bias worth speaking of (2^-64 n). */
uint64_t rf_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

/* Standard normal (Box-Muller on two uniforms of the same counter). */
double rf_rng_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* Fills order[0 .. n-1] with a permutation of 0 .. n-1 (Fisher-Yates). */
void rf_rng_shuffle(uint64_t seed, uint64_t stream, int32_t *order, int32_t n);

#endif
