/* A primitive is made for one shape, and the number of rows differs from batch
 * to batch. So the row dimension comes in granules: what does not fill one goes
 * through a padded block on the side, and where rows are summed over, zero rows are added. That
 * leaves a few dozen shapes per model. Where oneDNN has no such products, operands are rounded and
 * stay in fp32, and shapes do not matter. */
#include "nn/bf16.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "nn/half.h"
#include "nn/held.h"
#include "nn/primitive.h"

enum { GRANULE = RF_BF16_GRANULE, SMALL_GRANULE = 16 };

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
    for (size_t i = 0; i < n; i++) {
        uint32_t u, r;

        memcpy(&u, x + i, sizeof u);
        r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
        r = (u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : r;
        to[i] = (uint16_t)r;
    }
}

/* The same number in fp32. */
RF_CLONES
static void round_wide(float *restrict to, const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        uint32_t u, r;

        memcpy(&u, x + i, sizeof u);
        r = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
        r = (u & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : r;
        memcpy(to + i, &r, sizeof r);
    }
}

/* x [rows][cols] in bf16 without gaps, with zero rows behind it up to padded. */
static const uint16_t *narrow(uint16_t *buffer, const float *x, int ld, int rows, int cols,
                              int padded)
{
    size_t width = (size_t)cols, n = (size_t)rows * width;

    if (ld == cols)
        rf_bf16_round(buffer, x, n);
    else
        for (int r = 0; r < rows; r++)
            rf_bf16_round(buffer + (size_t)r * width, x + (size_t)r * (size_t)ld, width);
    memset(buffer + n, 0, (size_t)(padded - rows) * width * sizeof *buffer);
    return buffer;
}

/* Which element of the weights x is; nweights: none, or not without gaps. */
static size_t weight_at(const struct rf_bf16 *p, const float *x, int ld, int cols)
{
    uintptr_t from = (uintptr_t)x, block = (uintptr_t)p->weights;

    return from >= block && from < block + p->nweights * sizeof *x && ld == cols
               ? (from - block) / sizeof *x
               : p->nweights;
}

RF_CLONES
static void widen_half(float *restrict to, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = rf_half_wide(x[i]);
}

/* x [rows][cols], rounded, in fp32. */
static const float *widen(struct rf_bf16 *p, float *buffer, const float *x, int ld, int rows,
                          int cols)
{
    size_t at = weight_at(p, x, ld, cols), width = (size_t)cols;

    if (at < p->nweights && p->held != NULL) {
        widen_half(p->wide_held, rf_held_rows_at(p->held, at), (size_t)rows * width);
        return p->wide_held;
    }
    if (at < p->nweights)
        return p->wide_weights + at;
    if (ld == cols)
        round_wide(buffer, x, (size_t)rows * width);
    else
        for (int r = 0; r < rows; r++)
            round_wide(buffer + (size_t)r * width, x + (size_t)r * (size_t)ld, width);
    return buffer;
}

/* ---- products -------------------------------------------------------------- */

static int round_up(int n, int granule)
{
    return (n + granule - 1) / granule * granule;
}

/* What is multiplied, rounded or as one of the weights, beside what it was made from: should oneDNN be
 * without memory, the product is made from that. */
struct operand {
    const uint16_t *rounded; /* NULL: the weights from `at` on */
    size_t at;
    const float *plain;
    int ld;
};

/* NT and NN. 0: nothing has happened. */
static int multiply(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                    const uint16_t *a, const struct operand *b, int accumulate, float *c)
{
    if (b->rounded == NULL)
        return rf_primitives_run_weights(p->primitives, form, m, n, k, a, b->at, accumulate, c);
    return rf_primitives_run(p->primitives, form, m, n, k, a, b->rounded, accumulate, c);
}

/* What multiply() could not do, in fp32. */
static void multiply_wide(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          const float *a, int lda, const struct operand *b, int accumulate,
                          float *c)
{
    size_t elements = (size_t)n * (size_t)k;
    const uint16_t *rows;
    float *wide;
    int ok;

    if (b->rounded != NULL || p->held == NULL) {
        rf_gemm(form, m, n, k, 1, a, lda, b->plain, b->ld, accumulate, c, n);
        return;
    }
    wide = malloc(elements * sizeof *wide);
    rows = rf_held_rows_at(p->held, b->at);
    ok = wide != NULL &&
         (rows != NULL || rf_primitives_give(p->primitives, form, n, k, b->at, wide));
    if (ok && rows != NULL)
        widen_half(wide, rows, elements);
    if (ok)
        rf_gemm(form, m, n, k, 1, a, lda, wide, b->ld, accumulate, c, n);
    else /* whoever trains skips steps that are not finite, and says so */
        for (size_t i = 0; i < (size_t)m * (size_t)n; i++)
            c[i] = NAN;
    free(wide);
}

/* The last rows, fewer than a granule: by way of a padded block. */
static int multiply_rest(struct rf_bf16 *p, enum rf_form form, int rows, int n, int k,
                         const uint16_t *a, const struct operand *b, int accumulate, float *c)
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

/* NT and NN, with zero rows behind a up to a granule: whole granules at once, then the rest. */
static void multiply_rows(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          const struct operand *a, const struct operand *b, int accumulate,
                          float *c)
{
    int whole = m / GRANULE * GRANULE, rest = m - whole;
    const float *plain = a->plain + (size_t)whole * (size_t)a->ld;
    float *behind = c + (size_t)whole * (size_t)n;

    if (whole > 0 && !multiply(p, form, whole, n, k, a->rounded, b, accumulate, c))
        multiply_wide(p, form, whole, n, k, a->plain, a->ld, b, accumulate, c);
    if (rest > 0 && !multiply_rest(p, form, rest, n, k, a->rounded + (size_t)whole * (size_t)k,
                                   b, accumulate, behind))
        multiply_wide(p, form, rest, n, k, plain, a->ld, b, accumulate, behind);
}

static void multiply_sums(struct rf_bf16 *p, int m, int n, int k, const struct operand *a,
                          const struct operand *b, int accumulate, float *c)
{
    if (!rf_primitives_run(p->primitives, RF_TN, m, n, round_up(k, GRANULE), a->rounded,
                           b->rounded, accumulate, c))
        rf_gemm(RF_TN, m, n, k, 1, a->plain, a->ld, b->plain, b->ld, accumulate, c, n);
}

/* x [rows][cols], rounded into buffer, with zero rows behind it up to a granule. */
static struct operand rounded(uint16_t *buffer, const float *x, int ld, int rows, int cols)
{
    return (struct operand){narrow(buffer, x, ld, rows, cols, round_up(rows, GRANULE)), 0, x,
                            ld};
}

/* The second operand of a product over rows. */
static struct operand factor(struct rf_bf16 *p, const float *x, int ld, int rows, int cols)
{
    size_t at = weight_at(p, x, ld, cols);

    if (at == p->nweights)
        return (struct operand){narrow(p->b, x, ld, rows, cols, rows), 0, x, ld};
    return (struct operand){NULL, at, x, ld};
}

/* Through oneDNN. */
static void run_narrow(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                       const float *a, int lda, const float *b, int ldb, int accumulate,
                       float *c)
{
    struct operand left, right;

    if (form == RF_TN) {
        left = rounded(p->a, a, lda, k, m);
        right = rounded(p->b, b, ldb, k, n);
        multiply_sums(p, m, n, k, &left, &right, accumulate, c);
        return;
    }
    left = rounded(p->a, a, lda, m, k);
    right = form == RF_NT ? factor(p, b, ldb, n, k) : factor(p, b, ldb, k, n);
    multiply_rows(p, form, m, n, k, &left, &right, accumulate, c);
}

void rf_bf16_run(struct rf_bf16 *p, enum rf_form form, int m, int n, int k, const float *a,
                 int lda, const float *b, int ldb, int accumulate, float *c, int ldc)
{
    assert(ldc == n);
    (void)ldc;
    if (p->primitives == NULL) {
        int tn = form == RF_TN, nt = form == RF_NT;
        const float *wa = widen(p, p->wide_a, a, lda, tn ? k : m, tn ? m : k);
        const float *wb = widen(p, p->wide_b, b, ldb, nt ? n : k, nt ? k : n);

        rf_gemm(form, m, n, k, 1, wa, tn ? m : k, wb, nt ? k : n, accumulate, c, n);
    } else {
        run_narrow(p, form, m, n, k, a, lda, b, ldb, accumulate, c);
    }
}

void rf_bf16_backward(struct rf_bf16 *p, int n, int C, int O, const float *dy, const float *x,
                      const float *w, int accumulate, float *dx, float *dw)
{
    struct operand left, right;

    if (p->primitives == NULL) { /* dy is rounded once for both */
        const float *wide = widen(p, p->wide_a, dy, O, n, O);

        rf_gemm(RF_NN, n, C, O, 1, wide, O, widen(p, p->wide_b, w, C, O, C), C, accumulate, dx,
                C);
        rf_gemm(RF_TN, O, C, n, 1, wide, O, widen(p, p->wide_b, x, C, n, C), C, 1, dw, C);
        return;
    }
    left = rounded(p->a, dy, O, n, O);
    right = factor(p, w, C, O, C);
    multiply_rows(p, RF_NN, n, C, O, &left, &right, accumulate, dx);
    right = rounded(p->b, x, C, n, C);
    multiply_sums(p, O, C, n, &left, &right, 1, dw);
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
