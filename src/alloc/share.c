#include "alloc/share.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Products of two 63-bit numbers need 126 bits, and C11 has no such type: a
 * number here is four limbs of 32 bits, lowest first. */
struct wide {
    uint32_t limb[4];
};

static struct wide multiply(int64_t a, int64_t b)
{
    uint64_t a0 = (uint64_t)a & 0xffffffffu, a1 = (uint64_t)a >> 32;
    uint64_t b0 = (uint64_t)b & 0xffffffffu, b1 = (uint64_t)b >> 32;
    uint64_t low = a0 * b0;
    uint64_t mid = a1 * b0 + (low >> 32); /* at most 2^63: both factors are below 2^63 */
    uint64_t mid2 = a0 * b1 + (mid & 0xffffffffu);
    uint64_t high = a1 * b1 + (mid >> 32) + (mid2 >> 32);

    return (struct wide){
        {(uint32_t)low, (uint32_t)mid2, (uint32_t)high, (uint32_t)(high >> 32)}};
}

/* Schoolbook division by one limb; the quotient must fit in 63 bits. */
static int64_t divide(const struct wide *n, uint32_t by)
{
    uint64_t rest = 0, quotient = 0;

    for (int i = 3; i >= 0; i--) {
        uint64_t part = (rest << 32) | n->limb[i];

        quotient = (quotient << 32) | (part / by);
        rest = part % by;
    }
    return (int64_t)quotient;
}

static int less(const struct wide *a, const struct wide *b)
{
    for (int i = 3; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i];
    return 0;
}

enum { SHARE_DEN_MAX = 1000000000 };

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t r = a % b;

        a = b;
        b = r;
    }
    return a;
}

/* Digits into *value (kept at or below 10^12); NULL when there are none or too many. */
static const char *read_digits(const char *p, int64_t *value, int *count)
{
    for (*count = 0; *p >= '0' && *p <= '9'; p++, (*count)++) {
        *value = *value * 10 + (*p - '0');
        if (*value > 1000000000000)
            return NULL;
    }
    return *count > 0 ? p : NULL;
}

enum rf_status rf_share_parse(struct rf_share *share, const char *text, struct rf_error *err)
{
    int64_t num = 0, den = 1, divisor;
    int n = 0, given = 0;
    const char *p = read_digits(text, &num, &n);

    if (p != NULL && *p == '.') {
        p = read_digits(p + 1, &num, &n);
        for (int i = 0; p != NULL && i < n && i < 16; i++)
            den *= 10; /* more than 15 decimals are refused below */
    } else if (p != NULL && *p == '/') {
        den = 0;
        p = read_digits(p + 1, &den, &n);
        given = 1;
    }
    if (p != NULL && *p == '%' && !given) {
        den = n > 15 ? 0 : den * 100;
        p++;
    }
    if (p == NULL || *p != '\0' || n > 15 || den < 1 || num > den)
        return rf_fail(
            err, RF_ERR_INPUT,
            "not a share: '%.40s' (expected \"20%%\", \"0.2\" or \"1/5\", at most 1)", text);
    divisor = gcd(num, den);
    if (den / divisor > SHARE_DEN_MAX)
        return rf_fail(err, RF_ERR_INPUT, "share is too fine: '%.40s' (at most 9 decimals)",
                       text);
    *share = (struct rf_share){num / divisor, den / divisor};
    return RF_OK;
}

void rf_share_format(const struct rf_share *share, char *buf, int size)
{
    snprintf(buf, (size_t)size, "%lld/%lld", (long long)share->num, (long long)share->den);
}

int rf_share_below(const struct rf_share *share, int64_t used, int64_t total)
{
    struct wide have, due;

    assert(used >= 0 && total >= 0);
    have = multiply(used, share->den);
    due = multiply(share->num, total);
    return less(&have, &due);
}

int64_t rf_share_of(const struct rf_share *share, int64_t total)
{
    struct wide product;

    assert(total >= 0);
    product = multiply(share->num, total);
    return divide(&product, (uint32_t)share->den);
}

int64_t rf_share_take(const struct rf_share *share, int64_t amount, int64_t *carry)
{
    int64_t part;

    assert(amount >= 0 && *carry >= 0 && *carry < share->den);
    if (share->num == 0)
        return 0;
    if (share->num < 1 << 10 && amount < (int64_t)1 << 52) { /* the usual case, below 2^63 */
        part = share->num * amount + *carry;
        *carry = part % share->den;
        return part / share->den;
    }
    /* amount = q den + r: share x amount = q num + r num / den, both below 2^63 */
    part = amount % share->den * share->num + *carry;
    *carry = part % share->den;
    return amount / share->den * share->num + part / share->den;
}
