#include "sim/metrics.h"

#include <assert.h>
#include <math.h>

static const int64_t SECOND_US = 1000000;

static void add_parts(struct rf_sum *sum, uint64_t high, uint64_t low)
{
    sum->low += low;
    sum->high += high + (sum->low < low);
}

void rf_sum_add(struct rf_sum *sum, int64_t x)
{
    assert(x >= 0);
    add_parts(sum, 0, (uint64_t)x);
}

/* By halves of 32 bits: (a1 2^32 + a0) (b1 2^32 + b0). */
void rf_sum_add_product(struct rf_sum *sum, int64_t a, int64_t b)
{
    uint64_t a1 = (uint64_t)a >> 32, a0 = (uint64_t)a & 0xffffffffu;
    uint64_t b1 = (uint64_t)b >> 32, b0 = (uint64_t)b & 0xffffffffu;
    uint64_t cross = a1 * b0,
             other = a0 * b1; /* each below 2^63, as a1 and b1 are below 2^31 */

    assert(a >= 0 && b >= 0);
    add_parts(sum, 0, a0 * b0);
    add_parts(sum, cross >> 32, cross << 32);
    add_parts(sum, other >> 32, other << 32);
    add_parts(sum, a1 * b1, 0);
}

void rf_sum_merge(struct rf_sum *sum, const struct rf_sum *other)
{
    add_parts(sum, other->high, other->low);
}

double rf_sum_value(const struct rf_sum *sum)
{
    return ldexp((double)sum->high, 64) + (double)sum->low;
}

/* Long division, bit by bit: whole = floor(sum / n), rest = sum mod n. Whole fits into 64 bits
 * because a mean of 64-bit numbers does. */
double rf_sum_mean(const struct rf_sum *sum, int64_t n)
{
    uint64_t whole = 0, rest = 0, by = (uint64_t)n;

    if (n <= 0)
        return (double)NAN;
    for (int bit = 127; bit >= 0; bit--) {
        uint64_t next = bit >= 64 ? sum->high >> (bit - 64) & 1u : sum->low >> bit & 1u;

        rest = rest << 1 | next; /* rest < by <= 2^63, so nothing is lost */
        whole <<= 1;
        if (rest >= by) {
            rest -= by;
            whole |= 1u;
        }
    }
    return (double)whole + (double)rest / (double)by;
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t old = *a;

    *a = *b;
    *b = old;
}

/* Any value between first and last will do as pivot; a scrambled place makes no order of
 * the input a bad one. */
static int64_t place_between(int64_t first, int64_t last)
{
    uint64_t scrambled = (uint64_t)(first ^ last << 1) * UINT64_C(0x9e3779b97f4a7c15);

    return first + (int64_t)(scrambled >> 32) % (last - first + 1);
}

/* Puts the value of rank k (from 0) at its place, no larger ones before and no smaller ones
 * after it (Hoare's selection); values[first .. last] hold it already. */
static void select_rank(int64_t *values, int64_t first, int64_t last, int64_t k)
{
    while (first < last) {
        int64_t pivot = values[place_between(first, last)], i = first, j = last;

        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i <= j)
                swap(&values[i++], &values[j--]);
        }
        if (k <= j)
            last = j;
        else if (k >= i)
            first = i;
        else
            return;
    }
}

/* ceil(percent n / 100) - 1, without n * percent, which could overflow. */
static int64_t rank_of(int percent, int64_t n)
{
    int64_t whole = n / 100 * percent, part = n % 100 * percent;

    return whole + (part + 99) / 100 - 1;
}

struct rf_spread rf_spread_of(int64_t *values, int64_t n)
{
    static const int percents[] = {50, 95, 99, 100};
    struct rf_spread spread = {.n = n, .mean = (double)NAN};
    int64_t *const places[] = {&spread.p50, &spread.p95, &spread.p99, &spread.max};
    struct rf_sum sum = {0, 0};
    int64_t from = 0;

    if (n <= 0)
        return spread;
    for (int64_t i = 0; i < n; i++)
        rf_sum_add(&sum, values[i]);
    spread.mean = rf_sum_mean(&sum, n);
    for (int p = 0; p < 4; p++) {
        int64_t k = rank_of(percents[p], n);

        select_rank(values, from, n - 1, k);
        *places[p] = values[k];
        from = k; /* all larger ranks stand behind */
    }
    return spread;
}

int64_t rf_slowdown_millionths(int64_t response_us, int64_t run_us)
{
    int64_t by = run_us > 10 * SECOND_US ? run_us : 10 * SECOND_US;
    int64_t whole = response_us / by, rest = response_us % by;

    if (whole == 0)
        return 1000000;
    return whole * 1000000 + (int64_t)floor((double)rest / (double)by * 1e6 + 0.5);
}

int64_t rf_wait_bin_begin_us(int bin)
{
    /* 10^(k/4) seconds, in microseconds */
    static const int64_t quarters[] = {1000000, 1778279, 3162278, 5623413};
    int64_t begin;

    if (bin <= 0)
        return 0;
    begin = quarters[(bin - 1) % 4];
    for (int decade = (bin - 1) / 4; decade > 0; decade--)
        begin *= 10;
    return begin;
}

int rf_wait_bin(int64_t wait_us)
{
    int64_t decade_us = SECOND_US;
    int bin = 1;

    if (wait_us < SECOND_US)
        return 0;
    while (bin + 4 < RF_WAIT_BINS && wait_us / 10 >= decade_us) {
        decade_us *= 10;
        bin += 4;
    }
    while (bin + 1 < RF_WAIT_BINS && wait_us >= rf_wait_bin_begin_us(bin + 1))
        bin++;
    return bin;
}
