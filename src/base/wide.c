#include "base/wide.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static struct rf_wide negative(struct rf_wide a)
{
    return rf_wide_minus((struct rf_wide){0, 0}, a);
}

double rf_wide_double(struct rf_wide a)
{
    if (rf_wide_sign(a) < 0)
        return -rf_wide_double(negative(a));
    return (double)a.high * 18446744073709551616.0 + (double)a.low;
}

struct rf_wide rf_wide_of_double(double a)
{
    const double half = 18446744073709551616.0;
    double high = floor(fabs(a) / half); /* exact, as what is left is */
    struct rf_wide sum = {(uint64_t)(fabs(a) - high * half), (uint64_t)high};

    return a < 0 ? negative(sum) : sum;
}

/* Bit by bit: this is for the end of a run, not for its events. */
struct rf_wide rf_wide_divide(struct rf_wide a, int64_t by, int64_t *rest)
{
    struct rf_wide quotient = {0, a.high / (uint64_t)by};
    uint64_t left = a.high % (uint64_t)by;

    assert(rf_wide_sign(a) >= 0 && by > 0);
    if (left == 0) {
        quotient.low = a.low / (uint64_t)by;
        left = a.low % (uint64_t)by;
    } else {
        for (int bit = 63; bit >= 0; bit--) {
            left = left << 1 | (a.low >> bit & 1); /* below 2^64: by is below 2^63 */
            quotient.low <<= 1;
            if (left >= (uint64_t)by) {
                left -= (uint64_t)by;
                quotient.low |= 1;
            }
        }
    }
    if (rest != NULL)
        *rest = (int64_t)left;
    return quotient;
}

struct rf_wide rf_wide_part(struct rf_wide a, int64_t num, int64_t den)
{
    int64_t rest;
    struct rf_wide whole = rf_wide_divide(a, den, &rest);
    struct rf_wide part = {whole.low * (uint64_t)num, whole.high * (uint64_t)num};
    uint64_t upper =
        (whole.low >> 32) * (uint64_t)num + ((whole.low & 0xffffffffu) * (uint64_t)num >> 32);

    assert(num >= 0 && num <= den && den <= INT64_C(1) << 31);
    part.high += upper >> 32;
    rf_wide_add(&part, rest * num / den);
    return part;
}

const char *rf_wide_text(struct rf_wide a, char buf[RF_WIDE_BYTES])
{
    char *at = buf + RF_WIDE_BYTES - 1;
    struct rf_wide left = rf_wide_sign(a) < 0 ? negative(a) : a;
    int64_t digit;

    *at = '\0';
    do {
        left = rf_wide_divide(left, 10, &digit);
        *--at = (char)('0' + digit);
    } while (rf_wide_sign(left) > 0);
    if (rf_wide_sign(a) < 0)
        *--at = '-';
    memmove(buf, at, (size_t)(buf + RF_WIDE_BYTES - at));
    return buf;
}
