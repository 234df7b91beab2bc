/* half.h - numbers of 16 bits in the bf16 format: the upper half of an fp32 number. */
#ifndef RF_NN_HALF_H
#define RF_NN_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The nearest bf16 (ties to even); NaN stays NaN. */
static inline uint16_t rf_half_of(float x)
{
    uint32_t u, r;

    memcpy(&u, &x, sizeof u);
    r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    r = (u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : r;
    return (uint16_t)r;
}

/* The same number in fp32. */
static inline float rf_half_wide(uint16_t x)
{
    uint32_t u = (uint32_t)x << 16;
    float y;

    memcpy(&y, &u, sizeof y);
    return y;
}

#endif
