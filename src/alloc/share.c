#include "alloc/share.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    assert(used >= 0 && total >= 0);
    return rf_wide_compare(rf_wide_product(used, share->den),
                           rf_wide_product(share->num, total)) < 0;
}

/* total = q den + r: share x total = q num + r num / den, both below 2^63 */
int64_t rf_share_of(const struct rf_share *share, int64_t total)
{
    assert(total >= 0);
    return total / share->den * share->num + total % share->den * share->num / share->den;
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
    /* as in rf_share_of() */
    part = amount % share->den * share->num + *carry;
    *carry = part % share->den;
    return amount / share->den * share->num + part / share->den;
}
