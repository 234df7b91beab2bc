/* The interval: a resample draws seeds with replacement and, independently, test items with
 * replacement; one draw of an item takes along what all models of all seeds made of it, so
 * everything stays paired. The three answers of one (item, seed) are packed into one word with
 * 21 bits each, so a resample is n additions per seed and no copy. */
#include "align/w2s.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/stats.h"
#include "base/rng.h"

enum { FIELD_BITS = 21, MAX_ITEMS = (1 << FIELD_BITS) - 1, MAX_SEEDS = 1000 };
static const double GAP_SE_NEEDED = 3.0;

/* ---- targets ---- */

/* Does item a come before item b: more probably of class 1, or as probable and earlier? */
static int before(const float *p, int32_t a, int32_t b)
{
    return p[a] > p[b] || (!(p[a] < p[b]) && a < b);
}

/* Restores the heap below `at`: every parent comes after its children. */
static void sift(const float *p, int32_t *heap, int at, int n)
{
    for (;;) {
        int child = 2 * at + 1;
        int32_t held = heap[at];

        if (child >= n)
            return;
        if (child + 1 < n && before(p, heap[child], heap[child + 1]))
            child++;
        if (!before(p, held, heap[child]))
            return;
        heap[at] = heap[child];
        heap[child] = held;
        at = child;
    }
}

/* Heap sort: no memory, no recursion, the same order on every machine. */
static void sort_by_confidence(const float *p, int32_t *order, int n)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n / 2 - 1; i >= 0; i--)
        sift(p, order, i, n);
    for (int end = n - 1; end > 0; end--) {
        int32_t last = order[end];

        order[end] = order[0];
        order[0] = last;
        sift(p, order, 0, end);
    }
}

static int class1_count(const float *weak, int n)
{
    double sum = 0;
    long count;

    for (int i = 0; i < n; i++)
        sum += (double)weak[2 * i + 1];
    count = lround(sum);
    return count < 0 ? 0 : count > n ? n : (int)count;
}

void rf_w2s_confidence_targets(const float *p1_student, const float *weak, int n, double alpha,
                               double progress, double warmup, float *target, int32_t *scratch)
{
    double ramp = progress < warmup ? progress / warmup : 1.0;
    double c = alpha * ramp;
    int ones;

    assert(n >= 0 && alpha >= 0 && alpha <= 1 && progress >= 0);
    memcpy(target, weak, 2 * (size_t)n * sizeof *target);
    if (!(c > 0))
        return;
    ones = class1_count(weak, n);
    sort_by_confidence(p1_student, scratch, n);
    for (int k = 0; k < n; k++) {
        int32_t i = scratch[k];
        int class1 = k < ones;

        target[2 * i] = (float)((1 - c) * (double)weak[2 * i] + (class1 ? 0 : c));
        target[2 * i + 1] = (float)((1 - c) * (double)weak[2 * i + 1] + (class1 ? c : 0));
    }
}

/* ---- performance gap recovered ---- */

/* How many answers were right. */
struct score {
    int64_t weak, student, ceiling;
};

static struct score unpack(uint64_t word)
{
    struct score score = {(int64_t)(word & MAX_ITEMS),
                          (int64_t)(word >> FIELD_BITS & MAX_ITEMS),
                          (int64_t)(word >> 2 * FIELD_BITS)};

    return score;
}

/* The items [n][nseeds], one word per item and seed. */
static void pack(const struct rf_w2s_items *items, uint64_t *words)
{
    size_t n = (size_t)items->n, nseeds = (size_t)items->nseeds;

    for (size_t k = 0; k < nseeds; k++)
        for (size_t i = 0; i < n; i++)
            words[i * nseeds + k] = (uint64_t)(items->weak[k * n + i] != 0) |
                                    (uint64_t)(items->student[k * n + i] != 0) << FIELD_BITS |
                                    (uint64_t)(items->ceiling[k * n + i] != 0)
                                        << 2 * FIELD_BITS;
}

/* Sums over n items drawn with replacement: sums [nseeds]. */
static void draw_items(const uint64_t *words, int n, int nseeds, uint64_t seed, int resample,
                       uint64_t *sums)
{
    static const char purpose[] = "w2s-bootstrap-items";
    uint64_t stream = rf_rng_stream(purpose, (uint64_t)resample), bits = 0;

    memset(sums, 0, (size_t)nseeds * sizeof *sums);
    for (int i = 0; i < n; i++) {
        const uint64_t *row;

        bits = i % 2 == 0 ? rf_rng_bits(seed, stream, (uint64_t)i / 2) : bits >> 32;
        row = words + (size_t)((uint32_t)bits * (uint64_t)n >> 32) * (size_t)nseeds;
        for (int k = 0; k < nseeds; k++)
            sums[k] += row[k];
    }
}

/* Adds the sums of nseeds seeds drawn with replacement. */
static struct score draw_seeds(const uint64_t *sums, int nseeds, uint64_t seed, int resample)
{
    uint64_t stream = rf_rng_stream("w2s-bootstrap-seeds", (uint64_t)resample);
    struct score total = {0, 0, 0};

    for (int k = 0; k < nseeds; k++) {
        uint64_t drawn = rf_rng_below(seed, stream, (uint64_t)k, (uint64_t)nseeds);
        struct score one = unpack(sums[drawn]);

        total.weak += one.weak;
        total.student += one.student;
        total.ceiling += one.ceiling;
    }
    return total;
}

/* A resample without a gap has no PGR; it counts as beyond both ends, which only widens. */
static void interval(struct rf_w2s_result *result, double *pgr, int defined, int bootstrap)
{
    int missing = bootstrap - defined;
    double cut = 0.025 * (double)(bootstrap - 1) - (double)missing;
    double q = defined > 1 && cut > 0 ? cut / (double)(defined - 1) : 0;

    rf_stats_sort(pgr, (size_t)defined);
    result->pgr_low = defined > 0 ? rf_stats_quantile(pgr, (size_t)defined, q) : result->pgr;
    result->pgr_high =
        defined > 0 ? rf_stats_quantile(pgr, (size_t)defined, 1 - q) : result->pgr;
}

static enum rf_status resample(const struct rf_w2s_items *items, const uint64_t *words,
                               int bootstrap, uint64_t seed, struct rf_w2s_result *result,
                               struct rf_error *err)
{
    double *pgr = malloc((size_t)bootstrap * sizeof *pgr);
    uint64_t *sums = malloc((size_t)items->nseeds * sizeof *sums);
    int there = pgr != NULL && sums != NULL, defined = 0;

    for (int b = 0; there && b < bootstrap; b++) {
        struct score drawn;

        draw_items(words, items->n, items->nseeds, seed, b, sums);
        drawn = draw_seeds(sums, items->nseeds, seed, b);
        if (drawn.ceiling > drawn.weak)
            pgr[defined++] =
                (double)(drawn.student - drawn.weak) / (double)(drawn.ceiling - drawn.weak);
    }
    if (there)
        interval(result, pgr, defined, bootstrap);
    free(sums);
    free(pgr);
    return there ? RF_OK
                 : rf_fail(err, RF_ERR_MEMORY, "out of memory for %d bootstrap resamples",
                           bootstrap);
}

/* Accuracies, gap, and the gap in standard errors of the paired differences ceiling - weak,
 * clustered over items and over seeds. */
static enum rf_status measure(const uint64_t *words, int n, int nseeds,
                              struct rf_w2s_result *result, struct rf_error *err)
{
    size_t count = (size_t)n * (size_t)nseeds;
    double *difference = malloc(count * sizeof *difference), se;
    struct score total = {0, 0, 0};

    if (difference == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d test items", n);
    for (size_t i = 0; i < count; i++) {
        struct score one = unpack(words[i]);

        total.weak += one.weak;
        total.student += one.student;
        total.ceiling += one.ceiling;
        difference[i] = (double)(one.ceiling - one.weak);
    }
    result->weak = (double)total.weak / (double)count;
    result->student = (double)total.student / (double)count;
    result->ceiling = (double)total.ceiling / (double)count;
    result->gap = (double)(total.ceiling - total.weak) / (double)count;
    if (total.ceiling > total.weak) /* from the counts: nothing is rounded twice */
        result->pgr =
            (double)(total.student - total.weak) / (double)(total.ceiling - total.weak);
    se = rf_stats_two_way_se(difference, (size_t)n, (size_t)nseeds);
    result->gap_se = se > 0             ? result->gap / se
                     : result->gap == 0 ? 0
                                        : copysign(INFINITY, result->gap);
    free(difference);
    return RF_OK;
}

/* Decides whether there is a PGR; void_reason says why not. */
static void judge_gap(struct rf_w2s_result *result)
{
    if (result->gap <= 0)
        snprintf(result->void_reason, sizeof result->void_reason,
                 "the ceiling is not above the weak supervisor (gap %+.1f points)",
                 100 * result->gap);
    else if (result->gap_se < GAP_SE_NEEDED)
        snprintf(result->void_reason, sizeof result->void_reason,
                 "the gap of %.1f points is %.1f standard errors; at least %.0f are needed",
                 100 * result->gap, floor(10 * result->gap_se) / 10, GAP_SE_NEEDED);
    result->has_pgr = result->void_reason[0] == '\0';
    if (!result->has_pgr)
        result->pgr = 0;
}

static enum rf_status check_items(const struct rf_w2s_items *items, int bootstrap,
                                  struct rf_error *err)
{
    if (items->n < 2 || items->n > MAX_ITEMS)
        return rf_fail(err, RF_ERR_ARG, "a comparison needs 2 to %d test items, not %d",
                       MAX_ITEMS, items->n);
    if (items->nseeds < 1 || items->nseeds > MAX_SEEDS)
        return rf_fail(err, RF_ERR_ARG, "a comparison needs 1 to %d seeds, not %d", MAX_SEEDS,
                       items->nseeds);
    if (bootstrap < 100)
        return rf_fail(err, RF_ERR_ARG, "an interval needs at least 100 resamples, not %d",
                       bootstrap);
    return RF_OK;
}

enum rf_status rf_w2s_evaluate(const struct rf_w2s_items *items, int bootstrap, uint64_t seed,
                               struct rf_w2s_result *result, struct rf_error *err)
{
    uint64_t *words = NULL;
    enum rf_status st = check_items(items, bootstrap, err);

    memset(result, 0, sizeof *result);
    if (st == RF_OK) {
        words = malloc((size_t)items->n * (size_t)items->nseeds * sizeof *words);
        if (words == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %d test items", items->n);
    }
    if (st == RF_OK) {
        pack(items, words);
        st = measure(words, items->n, items->nseeds, result, err);
    }
    if (st == RF_OK)
        judge_gap(result);
    if (st == RF_OK && result->has_pgr)
        st = resample(items, words, bootstrap, seed, result, err);
    free(words);
    return st;
}

/* ---- agreement and calibration ---- */

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : NAN;
}

/* The correlation of two yes-or-no variables over n items, of which a and b say yes, and both of `both`. */
static double phi(int64_t n, int64_t a, int64_t b, int64_t both)
{
    double spread = (double)a * (double)(n - a) * (double)b * (double)(n - b);

    return spread > 0 ? ((double)n * (double)both - (double)a * (double)b) / sqrt(spread) : NAN;
}

void rf_w2s_agreement(const int32_t *weak, const int32_t *student, const int32_t *truth, int n,
                      struct rf_w2s_agreement *result)
{
    int64_t right = 0, agree_right = 0, agree_wrong = 0, corrected = 0, new_errors = 0;

    for (int i = 0; i < n; i++) {
        int weak_right = weak[i] == truth[i], agree = weak[i] == student[i];

        right += weak_right;
        agree_right += weak_right && agree;
        agree_wrong += !weak_right && agree;
        corrected += !weak_right && student[i] == truth[i];
        new_errors += weak_right && !agree;
    }
    result->all = ratio(agree_right + agree_wrong, n);
    result->supervisor_right = ratio(agree_right, right);
    result->supervisor_wrong = ratio(agree_wrong, n - right);
    result->corrected = ratio(corrected, n);
    result->new_errors = ratio(new_errors, n);
    result->error_correlation =
        phi(n, n - right, n - right - corrected + new_errors, n - right - corrected);
}

/* The most likely class, the lowest on ties. */
static int best_class(const float *p, int nclass)
{
    int best = 0;

    for (int c = 1; c < nclass; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

/* Bins are equal in width, so bin k holds confidences in [k, k+1) / nbins, the last one 1 too.
 * |mean confidence - accuracy| weighted by a bin's share is |sum of (confidence - right)| / n.
 */
double rf_w2s_ece(const float *p, const int32_t *truth, int n, int nclass, int nbins)
{
    double error = 0;

    for (int bin = 0; bin < nbins; bin++) {
        double excess = 0;

        for (int i = 0; i < n; i++) {
            const float *row = p + (size_t)i * (size_t)nclass;
            int best = best_class(row, nclass);
            int place = (int)((double)row[best] * nbins);

            if ((place < nbins ? place : nbins - 1) == bin)
                excess += (double)row[best] - (best == truth[i]);
        }
        error += fabs(excess);
    }
    return n > 0 ? error / n : NAN;
}

double rf_w2s_brier(const float *p, const int32_t *truth, int n, int nclass)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        for (int c = 0; c < nclass; c++) {
            double off = (double)p[(size_t)i * (size_t)nclass + (size_t)c] - (c == truth[i]);

            sum += off * off;
        }
    return n > 0 ? sum / n : NAN;
}
