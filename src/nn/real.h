/* real.h - the element type of the kernels, and how they are vectorised.
 *
 * The kernels are written once in rf_real. The program is built with float; a
 * test-only library is built from the same files with RF_REAL_DOUBLE, so that
 * every backward function can be checked against finite differences. */
#ifndef RF_NN_REAL_H
#define RF_NN_REAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef RF_REAL_DOUBLE
typedef double rf_real;
#else
typedef float rf_real;
#endif

/* Compiles a function several times and picks one when the program starts, so
 * that a portable build still uses wide vectors. Not with sanitizers: their
 * runtime is not up yet when the choice is made. */
#if defined(__has_feature)
#define RF_HAS_FEATURE(x) __has_feature(x)
#else
#define RF_HAS_FEATURE(x) 0
#endif
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) &&                      \
    !defined(__clang__) && !defined(RF_REAL_DOUBLE) && !defined(__SANITIZE_ADDRESS__) &&       \
    !RF_HAS_FEATURE(address_sanitizer)
#define RF_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RF_CLONES
#endif

/* e^x. In float: range reduction by powers of two and a polynomial of degree 7,
 * within 2 units in the last place for -87 <= x <= 87 and constant outside; NaN and infinities
 * give NaN. Without branches or calls, so loops over it vectorise, which those over expf() do
 * not. The magnitude is clamped as an integer: from a clamp of floats the compiler makes a
 * second path for the constant, whose quotients are denormal and cost 100 cycles each. */
static inline rf_real rf_exp(rf_real x)
{
#ifdef RF_REAL_DOUBLE
    return exp(x);
#else
    const float shift = 12582912.0f; /* 1.5 x 2^23: adding it rounds to an integer */
    uint32_t bits, magnitude;
    float c, k, r, p, scale;

    memcpy(&bits, &x, sizeof bits);
    magnitude = bits & 0x7fffffffu;
    magnitude = magnitude < 0x42ae0000u ? magnitude : 0x42ae0000u; /* 87.0f */
    bits = magnitude | (bits & 0x80000000u);
    memcpy(&c, &bits, sizeof c);
    k = c * 1.44269504f + shift;
    memcpy(&bits, &k, sizeof bits);
    k -= shift;
    r = c - k * 0.693145752f - k * 1.42860677e-6f;
    p = 1.98412698e-4f * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    bits = (bits + 127) << 23;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale + (x - x);
#endif
}

#endif
