/* wide.h - whole numbers of 128 bits: sums of device-time over a whole machine and a whole run.
 *
 * A hundred thousand devices over four years are 1.3e19 device-microseconds, more than 63 bits
 * hold. What one job, lease or window amounts to is an int64_t; sums of these are of this type.
 * C11 has none that wide, so a number is two halves, in two's complement: adding and
 * subtracting are the same for both signs, and wrap beyond 127 bits, which nothing reaches. */
#ifndef RF_BASE_WIDE_H
#define RF_BASE_WIDE_H

#include <stdint.h>

struct rf_wide {
    uint64_t low, high; /* high x 2^64 + low; zero-initialised it is 0 */
};

enum { RF_WIDE_BYTES = 64 }; /* of the longest number as text */

static inline struct rf_wide rf_wide_of(int64_t a)
{
    return (struct rf_wide){(uint64_t)a, a < 0 ? UINT64_MAX : 0};
}

static inline struct rf_wide rf_wide_plus(struct rf_wide a, struct rf_wide b)
{
    uint64_t low = a.low + b.low;

    return (struct rf_wide){low, a.high + b.high + (low < a.low)};
}

static inline struct rf_wide rf_wide_minus(struct rf_wide a, struct rf_wide b)
{
    return (struct rf_wide){a.low - b.low, a.high - b.high - (a.low < b.low)};
}

/* *sum += a */
static inline void rf_wide_add(struct rf_wide *sum, int64_t a)
{
    *sum = rf_wide_plus(*sum, rf_wide_of(a));
}

/* a x b, both at least 0. */
static inline struct rf_wide rf_wide_product(int64_t a, int64_t b)
{
    uint64_t low = (uint64_t)a * (uint64_t)b, a0, a1, b0, b1, mid, mid2;

    if ((a | b) <= INT32_MAX)
        return (struct rf_wide){low, 0};
    a0 = (uint64_t)a & 0xffffffffu;
    a1 = (uint64_t)a >> 32;
    b0 = (uint64_t)b & 0xffffffffu;
    b1 = (uint64_t)b >> 32;
    mid = a1 * b0 + (a0 * b0 >> 32); /* below 2^64: a1 and b1 are below 2^31 */
    mid2 = a0 * b1 + (mid & 0xffffffffu);
    return (struct rf_wide){low, a1 * b1 + (mid >> 32) + (mid2 >> 32)};
}

/* *sum += a x b; a and b at least 0. */
static inline void rf_wide_add_product(struct rf_wide *sum, int64_t a, int64_t b)
{
    *sum = rf_wide_plus(*sum, rf_wide_product(a, b));
}

/* Less than, equal to or greater than 0, as a is to b. */
static inline int rf_wide_compare(struct rf_wide a, struct rf_wide b)
{
    const uint64_t sign = (uint64_t)1 << 63;

    if (a.high != b.high)
        return (a.high ^ sign) < (b.high ^ sign) ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}

static inline struct rf_wide rf_wide_least(struct rf_wide a, struct rf_wide b)
{
    return rf_wide_compare(b, a) < 0 ? b : a;
}

static inline struct rf_wide rf_wide_most(struct rf_wide a, struct rf_wide b)
{
    return rf_wide_compare(b, a) > 0 ? b : a;
}

/* Less than, equal to or greater than 0, as a is. */
static inline int rf_wide_sign(struct rf_wide a)
{
    return a.high >> 63 != 0 ? -1 : (a.high | a.low) != 0;
}

/* The number, or the nearest that an int64_t holds. */
static inline int64_t rf_wide_narrow(struct rf_wide a)
{
    if (a.high == 0 && a.low <= INT64_MAX)
        return (int64_t)a.low;
    if (a.high == UINT64_MAX && a.low > INT64_MAX)
        return -(int64_t)(UINT64_MAX - a.low) - 1;
    return rf_wide_sign(a) < 0 ? INT64_MIN : INT64_MAX;
}

double rf_wide_double(struct rf_wide a);
/* Without its fraction; -2^126 < a < 2^126. */
struct rf_wide rf_wide_of_double(double a);

/* a / by, rounded down, for a >= 0 and 1 <= by; *rest (may be NULL) is what is left over. */
struct rf_wide rf_wide_divide(struct rf_wide a, int64_t by, int64_t *rest);

/* a x num / den, rounded down; a >= 0, 0 <= num <= den <= 2^31. */
struct rf_wide rf_wide_part(struct rf_wide a, int64_t num, int64_t den);

/* In decimal, to buf; returns buf. */
const char *rf_wide_text(struct rf_wide a, char buf[RF_WIDE_BYTES]);

#endif
