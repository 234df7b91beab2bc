/* A primitive is made for one shape, and the number of rows differs from batch
 * to batch. So the row dimension comes in granules: what does not fill one goes
 * through a padded block on the side, and where rows are summed over, zero rows are added. That
 * leaves a few dozen shapes per model. Where oneDNN has no such products, operands are rounded and
 * stay in fp32, and shapes do not matter. What has to be rounded or widened first is so a few
 * hundred rows at a time, to be multiplied out of a cache. */
#include "nn/bf16.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "nn/half.h"
#include "nn/held.h"
#include "nn/primitive.h"

enum { GRANULE = RF_BF16_GRANULE, SMALL_GRANULE = 16, ROWS = RF_BF16_ROWS };

struct rf_bf16 {
    const float *weights; /* borrowed [nweights] */
    size_t nweights, max_operand;
    struct rf_primitives *primitives; /* owned; NULL: rounded operands in fp32 */
    uint16_t *a, *b;                  /* owned [max_operand], with primitives */
    float *side;                      /* owned [max_operand]: a padded block of results */
    float *wide_weights;              /* owned [nweights], without: rounded, as all of these */
    float *wide_a, *wide_b;           /* owned [max_operand] */
    struct rf_held
        *held;        /* owned; NULL: weights are there, and not just names of what is held */
    float *wide_held; /* owned, without primitives: one of them */
    char implementation[96];
};

/* ---- rounding ------------------------------------------------------------- */

RF_CLONES
void rf_bf16_round(uint16_t *restrict to, const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = rf_half_of(x[i]);
}

/* The same number in fp32. */
RF_CLONES
static void round_wide(float *restrict to, const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = rf_half_wide(rf_half_of(x[i]));
}

RF_CLONES
static void widen(float *restrict to, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = rf_half_wide(x[i]);
}

/* The operand from row `first` on. */
static struct rf_operand from_row(struct rf_operand x, int first)
{
    size_t at = (size_t)first * (size_t)x.ld;

    if (x.half != NULL)
        x.half += at;
    else
        x.real += at;
    return x;
}

/* Which element of the weights x [..][cols] is; nweights: none, or not without gaps. */
static size_t weight_at(const struct rf_bf16 *p, struct rf_operand x, int cols)
{
    uintptr_t from = (uintptr_t)x.real, block = (uintptr_t)p->weights;

    return x.half == NULL && from >= block && from < block + p->nweights * sizeof *x.real &&
                   x.ld == cols
               ? (from - block) / sizeof *x.real
               : p->nweights;
}

/* x [rows][cols] in bf16: as it is, or rounded into buffer. *ld: its leading dimension then. */
static const uint16_t *narrow(uint16_t *buffer, struct rf_operand x, int rows, int cols,
                              int *ld)
{
    size_t width = (size_t)cols;

    *ld = x.half != NULL ? x.ld : cols;
    if (x.half != NULL)
        return x.half;
    if (x.ld == cols)
        rf_bf16_round(buffer, x.real, (size_t)rows * width);
    else
        for (int r = 0; r < rows; r++)
            rf_bf16_round(buffer + (size_t)r * width, from_row(x, r).real, width);
    return buffer;
}

/* x [rows][cols], rounded, in fp32 without gaps. */
static const float *wide(struct rf_bf16 *p, float *buffer, struct rf_operand x, int rows,
                         int cols)
{
    size_t at = weight_at(p, x, cols), width = (size_t)cols;
    int whole = x.ld == cols, n = whole ? 1 : rows;

    if (at < p->nweights && p->held != NULL) {
        widen(p->wide_held, rf_held_rows_at(p->held, at), (size_t)rows * width);
        return p->wide_held;
    }
    if (at < p->nweights)
        return p->wide_weights + at;
    width = whole ? (size_t)rows * width : width;
    for (int r = 0; r < n; r++)
        if (x.half != NULL)
            widen(buffer + (size_t)r * width, from_row(x, r).half, width);
        else
            round_wide(buffer + (size_t)r * width, from_row(x, r).real, width);
    return buffer;
}

/* ---- products through oneDNN ------------------------------------------------- */

static int round_up(int n, int granule)
{
    return (n + granule - 1) / granule * granule;
}

/* Element i of an operand, rounded. */
static float element(struct rf_operand x, size_t i)
{
    return rf_half_wide(x.half != NULL ? x.half[i] : rf_half_of(x.real[i]));
}

/* What oneDNN would not do, for want of memory. */
static void multiply_slowly(enum rf_form form, int m, int n, int k, struct rf_operand a,
                            struct rf_operand b, int accumulate, float *c, int ldc)
{
    size_t lda = (size_t)a.ld, ldb = (size_t)b.ld;

    for (size_t i = 0; i < (size_t)m; i++)
        for (size_t j = 0; j < (size_t)n; j++) {
            float sum = accumulate ? c[i * (size_t)ldc + j] : 0;

            for (size_t l = 0; l < (size_t)k; l++)
                sum += element(a, form == RF_TN ? l * lda + i : i * lda + l) *
                       element(b, form == RF_NT ? j * ldb + l : l * ldb + j);
            c[i * (size_t)ldc + j] = sum;
        }
}

/* NT and NN, with a in bf16 and rows behind it up to a small granule. */
static int multiply(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                    struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    size_t at = weight_at(p, b, form == RF_NT ? k : n);

    return at < p->nweights && a.ld == k
               ? rf_primitives_run_weights(p->primitives, form, m, n, k, a.half, at, accumulate,
                                           c)
               : b.half != NULL && rf_primitives_run(p->primitives, form, m, n, k, a.half, a.ld,
                                                     b.half, b.ld, accumulate, c, n);
}

/* NT and NN all the same, also with weights of which there are but copies. */
static void multiply_held(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    size_t at = weight_at(p, b, form == RF_NT ? k : n);
    float *wide = NULL;
    int ok = 1;

    if (at < p->nweights && p->held != NULL) {
        b.half = rf_held_rows_at(p->held, at);
        if (b.half == NULL) {
            b.real = wide = malloc((size_t)n * (size_t)k * sizeof *wide);
            ok = wide != NULL && rf_primitives_give(p->primitives, form, n, k, at, wide);
        }
    }
    if (ok)
        multiply_slowly(form, m, n, k, a, b, accumulate, c, n);
    for (size_t i = 0; !ok && i < (size_t)m * (size_t)n; i++)
        c[i] = NAN; /* whoever trains skips steps that are not finite, and says so */
    free(wide);
}

/* The last rows, fewer than a granule: by way of a padded block. */
static int multiply_rest(struct rf_bf16 *p, enum rf_form form, int rows, int n, int k,
                         struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    int padded = round_up(rows, SMALL_GRANULE);
    size_t count = (size_t)rows * (size_t)n;

    if (padded == rows)
        return multiply(p, form, rows, n, k, a, b, accumulate, c);
    if (!multiply(p, form, padded, n, k, a, b, 0, p->side))
        return 0;
    if (!accumulate)
        memcpy(c, p->side, count * sizeof *c);
    else
        for (size_t i = 0; i < count; i++)
            c[i] += p->side[i];
    return 1;
}

/* NT and NN: whole granules at once, then the rest. */
static void multiply_rows(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    int nt = form == RF_NT;

    if (weight_at(p, b, nt ? k : n) == p->nweights)
        b.half = narrow(p->b, b, nt ? n : k, nt ? k : n, &b.ld);
    for (int first = 0, rows; first < m; first += rows) {
        struct rf_operand x = from_row(a, first);
        float *to = c + (size_t)first * (size_t)n;
        int done;

        rows = m - first < ROWS ? m - first : ROWS;
        rows = rows < GRANULE ? rows : rows / GRANULE * GRANULE;
        x.half = narrow(p->a, x, rows, k, &x.ld);
        done = rows % GRANULE == 0 ? multiply(p, form, rows, n, k, x, b, accumulate, to)
                                   : multiply_rest(p, form, rows, n, k, x, b, accumulate, to);
        if (!done)
            multiply_held(p, form, rows, n, k, x, b, accumulate, to);
    }
}

/* The rows of x [rows][cols] in buffer, without gaps, with zero rows behind them. */
static struct rf_operand pad(uint16_t *buffer, struct rf_operand x, int rows, int cols,
                             int padded)
{
    size_t width = (size_t)cols, n = (size_t)rows * width;

    if (x.half == NULL)
        (void)narrow(buffer, x, rows, cols, &x.ld);
    else
        for (int r = 0; r < rows; r++)
            memcpy(buffer + (size_t)r * width, from_row(x, r).half, width * sizeof *buffer);
    memset(buffer + n, 0, (size_t)(padded - rows) * width * sizeof *buffer);
    return (struct rf_operand){.half = buffer, .ld = cols};
}

/* TN: a sum over rows. */
static void multiply_sums(struct rf_bf16 *p, int m, int n, int k, struct rf_operand a,
                          struct rf_operand b, int accumulate, float *c)
{
    int most = a.half != NULL && b.half != NULL ? k : ROWS;

    for (int first = 0, rows; first < k; first += rows, accumulate = 1) {
        struct rf_operand x = from_row(a, first), y = from_row(b, first);
        int padded;

        rows = k - first < most ? k - first : most;
        rows = rows < GRANULE ? rows : rows / GRANULE * GRANULE;
        padded = round_up(rows, GRANULE);
        if (padded > rows) {
            x = pad(p->a, x, rows, m, padded);
            y = pad(p->b, y, rows, n, padded);
        } else {
            x.half = narrow(p->a, x, rows, m, &x.ld);
            y.half = narrow(p->b, y, rows, n, &y.ld);
        }
        if (!rf_primitives_run(p->primitives, RF_TN, m, n, padded, x.half, x.ld, y.half, y.ld,
                               accumulate, c, n))
            multiply_slowly(RF_TN, m, n, padded, x, y, accumulate, c, n);
    }
}

/* ---- products of what is rounded and wide --------------------------------------- */

/* A few rows of a at a time, or of both where those are summed over. */
static void multiply_wide(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    int tn = form == RF_TN, nt = form == RF_NT, all = tn ? k : m;
    const float *y = tn ? NULL : wide(p, p->wide_b, b, nt ? n : k, nt ? k : n);

    for (int first = 0; first < all; first += ROWS) {
        int rows = all - first < ROWS ? all - first : ROWS;
        const float *x = wide(p, p->wide_a, from_row(a, first), rows, tn ? m : k);

        if (tn) {
            y = wide(p, p->wide_b, from_row(b, first), rows, n);
            rf_gemm(form, m, n, rows, 1, x, m, y, n, accumulate || first > 0, c, n);
        } else {
            rf_gemm(form, rows, n, k, 1, x, k, y, nt ? k : n, accumulate,
                    c + (size_t)first * (size_t)n, n);
        }
    }
}

/* ---- both ----------------------------------------------------------------------- */

void rf_bf16_multiply(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                      struct rf_operand a, struct rf_operand b, int accumulate, float *c)
{
    if (p->primitives == NULL)
        multiply_wide(p, form, m, n, k, a, b, accumulate, c);
    else if (form == RF_TN)
        multiply_sums(p, m, n, k, a, b, accumulate, c);
    else
        multiply_rows(p, form, m, n, k, a, b, accumulate, c);
}

void rf_bf16_tile(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                  struct rf_operand a, struct rf_operand b, int accumulate, float *c, int ldc)
{
    int tn = form == RF_TN, nt = form == RF_NT;

    assert(a.half != NULL && b.half != NULL);
    if (p->primitives == NULL) {
        const float *x = wide(p, p->wide_a, a, tn ? k : m, tn ? m : k);
        const float *y = wide(p, p->wide_b, b, nt ? n : k, nt ? k : n);

        rf_gemm(form, m, n, k, 1, x, tn ? m : k, y, nt ? k : n, accumulate, c, ldc);
    } else if (!rf_primitives_run(p->primitives, form, m, n, k, a.half, a.ld, b.half, b.ld,
                                  accumulate, c, ldc)) {
        multiply_slowly(form, m, n, k, a, b, accumulate, c, ldc);
    }
}

int rf_bf16_tile_granule(const struct rf_bf16 *p)
{
    return p->primitives != NULL ? RF_BF16_TILE : 1;
}

/* ---- making and ending ------------------------------------------------------ */

static int has_instructions(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

static int allocate(struct rf_bf16 *p)
{
    if (p->primitives != NULL) {
        p->a = calloc(p->max_operand, sizeof *p->a);
        p->b = calloc(p->max_operand, sizeof *p->b);
        p->side = calloc(p->max_operand, sizeof *p->side);
        return p->a != NULL && p->b != NULL && p->side != NULL;
    }
    snprintf(p->implementation, sizeof p->implementation,
             "rounded to bf16, then OpenBLAS sgemm, %s", openblas_get_corename());
    p->wide_weights = calloc(p->nweights + 1, sizeof *p->wide_weights);
    p->wide_a = calloc(p->max_operand, sizeof *p->wide_a);
    p->wide_b = calloc(p->max_operand, sizeof *p->wide_b);
    return p->wide_weights != NULL && p->wide_a != NULL && p->wide_b != NULL;
}

enum rf_status rf_bf16_create(struct rf_bf16 **bf16, enum rf_bf16_path path,
                              const float *weights, size_t nweights, size_t max_operand,
                              struct rf_error *err)
{
    struct rf_bf16 *p = calloc(1, sizeof *p);
    enum rf_status st = RF_OK;

    *bf16 = NULL;
    if (p != NULL) {
        p->weights = weights;
        p->nweights = nweights;
        p->max_operand = max_operand;
        if (path == RF_BF16_ONEDNN || (path == RF_BF16_AUTO && has_instructions()))
            st = rf_primitives_create(&p->primitives, 1, weights, nweights, err);
    }
    if (st == RF_OK && (p == NULL || !allocate(p)))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for bf16 copies of %zu weights",
                     nweights);
    if (st != RF_OK) {
        rf_bf16_destroy(p);
        return st;
    }
    *bf16 = p;
    return RF_OK;
}

/* Elements of the largest that is multiplied. */
static size_t largest(const struct rf_weight *list, int n)
{
    size_t most = 0;

    for (int k = 0; k < n; k++) {
        size_t one = list[k].multiplied ? (size_t)(list[k].rows * list[k].cols) : 0;

        most = one > most ? one : most;
    }
    return most;
}

enum rf_status rf_bf16_hold(struct rf_bf16 *p, const float *names, size_t nnames,
                            const struct rf_weight *list, int n, struct rf_error *err)
{
    enum rf_status st =
        rf_held_create(&p->held, list, n, p->primitives == NULL, sizeof(uint16_t), err);

    if (st == RF_OK && p->primitives == NULL) {
        p->wide_held = malloc((largest(list, n) + 1) * sizeof *p->wide_held);
        if (p->wide_held == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a matrix of %zu weights",
                         largest(list, n));
    }
    if (st == RF_OK) {
        p->weights = names;
        p->nweights = nnames;
        if (p->primitives != NULL)
            rf_primitives_hold(p->primitives, p->held);
    }
    return st;
}

uint16_t *rf_bf16_room(struct rf_bf16 *bf16, int k)
{
    return rf_held_room(bf16->held, k);
}

void rf_bf16_take(struct rf_bf16 *bf16, int k)
{
    if (bf16->primitives != NULL)
        rf_primitives_take(bf16->primitives, k);
}

const uint16_t *rf_bf16_rows(const struct rf_bf16 *bf16, size_t at)
{
    return rf_held_rows_at(bf16->held, at);
}

void rf_bf16_destroy(struct rf_bf16 *bf16)
{
    if (bf16 == NULL)
        return;
    rf_held_destroy(bf16->held);
    free(bf16->wide_held);
    rf_primitives_destroy(bf16->primitives);
    free(bf16->a);
    free(bf16->b);
    free(bf16->side);
    free(bf16->wide_weights);
    free(bf16->wide_a);
    free(bf16->wide_b);
    free(bf16);
}

void rf_bf16_refresh(struct rf_bf16 *bf16)
{
    if (bf16->held != NULL)
        return;
    if (bf16->primitives != NULL)
        rf_primitives_refresh(bf16->primitives);
    else
        round_wide(bf16->wide_weights, bf16->weights, bf16->nweights);
}

const char *rf_bf16_implementation(const struct rf_bf16 *bf16)
{
    return bf16->primitives != NULL ? rf_primitives_implementation(bf16->primitives)
                                    : bf16->implementation;
}

/* Through oneDNN there are copies for either direction as well, of what is multiplied. */
static size_t hold_cost(const struct rf_weight *list, int n, int packed)
{
    size_t bytes = rf_held_cost(list, n, !packed, sizeof(uint16_t));

    if (!packed)
        bytes += largest(list, n) * sizeof(float);
    for (int k = 0; k < n && packed; k++)
        bytes += list[k].multiplied ? (size_t)(list[k].rows * list[k].cols) * 4 : 0;
    return bytes;
}

size_t rf_bf16_hold_cost(const struct rf_weight *list, int n)
{
    return hold_cost(list, n, has_instructions());
}

size_t rf_bf16_bytes(const struct rf_bf16 *p)
{
    int n;
    const struct rf_weight *list = p->held != NULL ? rf_held_list(p->held, &n) : NULL;

    return list == NULL
               ? rf_bf16_cost(p->nweights, p->max_operand)
               : rf_bf16_cost(0, p->max_operand) + hold_cost(list, n, p->primitives != NULL);
}

/* Of bf16 weights there is a copy for either direction, once both have been used; of rounded ones in fp32, one. */
size_t rf_bf16_cost(size_t nweights, size_t max_operand)
{
    return sizeof(struct rf_bf16) + nweights * 4 + max_operand * 8;
}
