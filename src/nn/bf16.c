/* A primitive is made for one shape, and the number of rows differs from batch
 * to batch. So the row dimension comes in granules: what does not fill one goes
 * through a padded block on the side, and where rows are summed over, zero rows are added. That
 * leaves a few dozen shapes per model; they are kept in a hash table. */
#include "nn/bf16.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

enum { SLOTS = 1024, GRANULE = RF_BF16_GRANULE, SMALL_GRANULE = 16 };

/* The OpenMP runtime under oneDNN, when there is one: products run on the calling thread. */
extern void omp_set_num_threads(int) __attribute__((weak));

struct product {
    int form, m, n, k, accumulate; /* m 0: free slot */
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c;
};

struct rf_bf16 {
    const float *weights; /* borrowed [nweights] */
    size_t nweights, max_operand;
    uint16_t *rounded_weights; /* owned [nweights] */
    uint16_t *a, *b;           /* owned [max_operand]: operands of the current product */
    float *side;               /* owned [max_operand]: a padded block of results */
    float *wide_a, *wide_b; /* owned [max_operand]: operands where oneDNN does not multiply */
    int refused;            /* not through oneDNN here */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct product table[SLOTS];
    int used;
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

RF_CLONES
static void widen(float *restrict to, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)x[i] << 16;

        memcpy(to + i, &u, sizeof u);
    }
}

/* The operand [rows][cols] in bf16 without gaps, with zero rows behind it up to padded: the
 * copy kept of the weights where x is one of those, else rounded into buffer. */
static const uint16_t *operand(const struct rf_bf16 *p, uint16_t *buffer, const float *x,
                               int ld, int rows, int cols, int padded)
{
    size_t width = (size_t)cols, n = (size_t)rows * width;
    uintptr_t from = (uintptr_t)x, block = (uintptr_t)p->weights;

    if (from >= block && from < block + p->nweights * sizeof *x && ld == cols && padded == rows)
        return p->rounded_weights + (from - block) / sizeof *x;
    if (ld == cols)
        rf_bf16_round(buffer, x, n);
    else
        for (int r = 0; r < rows; r++)
            rf_bf16_round(buffer + (size_t)r * width, x + (size_t)r * (size_t)ld, width);
    memset(buffer + n, 0, (size_t)(padded - rows) * width * sizeof *buffer);
    return buffer;
}

/* ---- primitives ------------------------------------------------------------ */

static void release(struct product *s)
{
    dnnl_memory_destroy(s->a);
    dnnl_memory_destroy(s->b);
    dnnl_memory_destroy(s->c);
    dnnl_primitive_destroy(s->primitive);
    *s = (struct product){.m = 0};
}

static int describe(dnnl_memory_desc_t *d, int64_t rows, int64_t cols, int64_t row_stride,
                    int64_t col_stride, dnnl_data_type_t type)
{
    dnnl_dims_t dims = {rows, cols}, strides = {row_stride, col_stride};

    return dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides) == dnnl_success;
}

static void name_implementation(struct rf_bf16 *p, const_dnnl_primitive_desc_t pd)
{
    const char *text = "";

    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &text) == dnnl_success)
        snprintf(p->implementation, sizeof p->implementation, "oneDNN bf16, %s", text);
}

/* Fills slot for its shape; operands and result lie without gaps. 0 when oneDNN refuses. */
static int make(struct rf_bf16 *p, struct product *s)
{
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t sum = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int64_t m = s->m, n = s->n, k = s->k;
    int ok = describe(&a, m, k, s->form == RF_TN ? 1 : k, s->form == RF_TN ? m : 1, dnnl_bf16);

    ok =
        ok && describe(&b, k, n, s->form == RF_NT ? 1 : n, s->form == RF_NT ? k : 1, dnnl_bf16);
    ok = ok && describe(&c, m, n, n, 1, dnnl_f32);
    ok = ok && dnnl_matmul_desc_init(&op, &a, &b, NULL, &c) == dnnl_success;
    ok = ok && dnnl_primitive_attr_create(&attr) == dnnl_success;
    ok = ok && dnnl_post_ops_create(&sum) == dnnl_success;
    if (ok && s->accumulate)
        ok = dnnl_post_ops_append_sum(sum, 1.0F) == dnnl_success &&
             dnnl_primitive_attr_set_post_ops(attr, sum) == dnnl_success;
    ok = ok && dnnl_primitive_desc_create(&pd, &op, attr, p->engine, NULL) == dnnl_success;
    ok = ok && dnnl_primitive_create(&s->primitive, pd) == dnnl_success;
    ok = ok && dnnl_memory_create(&s->a, &a, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
    ok = ok && dnnl_memory_create(&s->b, &b, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
    ok = ok && dnnl_memory_create(&s->c, &c, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
    if (ok)
        name_implementation(p, pd);
    dnnl_primitive_desc_destroy(pd);
    dnnl_post_ops_destroy(sum);
    dnnl_primitive_attr_destroy(attr);
    if (!ok)
        release(s);
    return ok;
}

static void forget_all(struct rf_bf16 *p)
{
    for (int i = 0; i < SLOTS; i++)
        if (p->table[i].m != 0)
            release(&p->table[i]);
    p->used = 0;
}

/* The primitive for a shape, made on first use; NULL when oneDNN refuses. */
static struct product *find(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                            int accumulate)
{
    uint32_t h =
        (uint32_t)m * 0x9e3779b1u ^ (uint32_t)n * 0x85ebca77u ^ (uint32_t)k * 0xc2b2ae3du;
    struct product *s;

    h = (h ^ h >> 15) + (uint32_t)form * 2 + (uint32_t)accumulate;
    for (;; h++) {
        s = &p->table[h % SLOTS];
        if (s->m == 0)
            break;
        if (s->form == (int)form && s->m == m && s->n == n && s->k == k &&
            s->accumulate == accumulate)
            return s;
    }
    if (p->used >= SLOTS / 2) {
        forget_all(p);
        s = &p->table[h % SLOTS];
    }
    *s = (struct product){.form = (int)form, .m = m, .n = n, .k = k, .accumulate = accumulate};
    if (!make(p, s))
        return NULL;
    p->used++;
    return s;
}

/* ---- products -------------------------------------------------------------- */

/* Where oneDNN does not multiply: the rounded operands in fp32. */
static void multiply_wide(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                          const uint16_t *a, const uint16_t *b, int accumulate, float *c)
{
    widen(p->wide_a, a, (size_t)m * (size_t)k);
    widen(p->wide_b, b, (size_t)n * (size_t)k);
    rf_gemm(form, m, n, k, 1, p->wide_a, form == RF_TN ? m : k, p->wide_b,
            form == RF_NT ? k : n, accumulate, c, n);
}

/* Operands and result without gaps. */
static void multiply(struct rf_bf16 *p, enum rf_form form, int m, int n, int k,
                     const uint16_t *a, const uint16_t *b, int accumulate, float *c)
{
    struct product *s = p->refused ? NULL : find(p, form, m, n, k, accumulate);
    dnnl_exec_arg_t args[3];

    if (s == NULL) {
        multiply_wide(p, form, m, n, k, a, b, accumulate, c);
        return;
    }
    dnnl_memory_set_data_handle(s->a, (void *)(uintptr_t)a);
    dnnl_memory_set_data_handle(s->b, (void *)(uintptr_t)b);
    dnnl_memory_set_data_handle(s->c, c);
    args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, s->a};
    args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, s->b};
    args[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, s->c};
    dnnl_primitive_execute(s->primitive, p->stream, 3, args);
    dnnl_stream_wait(p->stream);
}

static int round_up(int n, int granule)
{
    return (n + granule - 1) / granule * granule;
}

/* The last rows, fewer than a granule: by way of a padded block. */
static void multiply_rest(struct rf_bf16 *p, enum rf_form form, int rows, int n, int k,
                          const float *a, int lda, const uint16_t *b, int accumulate, float *c)
{
    int padded = round_up(rows, SMALL_GRANULE);
    const uint16_t *ra = operand(p, p->a, a, lda, rows, k, padded);
    size_t count = (size_t)rows * (size_t)n;

    if (padded == rows) {
        multiply(p, form, rows, n, k, ra, b, accumulate, c);
        return;
    }
    multiply(p, form, padded, n, k, ra, b, 0, p->side);
    if (!accumulate)
        memcpy(c, p->side, count * sizeof *c);
    else
        for (size_t i = 0; i < count; i++)
            c[i] += p->side[i];
}

void rf_bf16_run(struct rf_bf16 *p, enum rf_form form, int m, int n, int k, const float *a,
                 int lda, const float *b, int ldb, int accumulate, float *c, int ldc)
{
    int whole = m / GRANULE * GRANULE, padded = round_up(k, GRANULE);
    const uint16_t *rb;

    assert(ldc == n);
    (void)ldc;
    if (form == RF_TN) {
        rb = operand(p, p->b, b, ldb, k, n, padded);
        multiply(p, form, m, n, padded, operand(p, p->a, a, lda, k, m, padded), rb, accumulate,
                 c);
        return;
    }
    rb = form == RF_NT ? operand(p, p->b, b, ldb, n, k, n) : operand(p, p->b, b, ldb, k, n, k);
    if (whole > 0)
        multiply(p, form, whole, n, k, operand(p, p->a, a, lda, whole, k, whole), rb,
                 accumulate, c);
    if (whole < m)
        multiply_rest(p, form, m - whole, n, k, a + (size_t)whole * (size_t)lda, lda, rb,
                      accumulate, c + (size_t)whole * (size_t)n);
}

/* ---- making and ending ------------------------------------------------------ */

static int has_instructions(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

static void probe(struct rf_bf16 *p, enum rf_bf16_path path)
{
    p->refused = path == RF_BF16_ROUNDED || (path == RF_BF16_AUTO && !has_instructions());
    if (!p->refused)
        p->refused = dnnl_engine_create(&p->engine, dnnl_cpu, 0) != dnnl_success ||
                     dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) !=
                         dnnl_success ||
                     find(p, RF_NT, 64, 64, 64, 0) == NULL;
    if (p->refused)
        snprintf(p->implementation, sizeof p->implementation,
                 "rounded to bf16, then OpenBLAS sgemm, %s", openblas_get_corename());
}

enum rf_status rf_bf16_create(struct rf_bf16 **bf16, enum rf_bf16_path path,
                              const float *weights, size_t nweights, size_t max_operand,
                              struct rf_error *err)
{
    struct rf_bf16 *p = calloc(1, sizeof *p);

    *bf16 = p;
    if (p != NULL) {
        p->weights = weights;
        p->nweights = nweights;
        p->max_operand = max_operand;
        p->rounded_weights = calloc(nweights + 1, sizeof *p->rounded_weights);
        p->a = calloc(max_operand, sizeof *p->a);
        p->b = calloc(max_operand, sizeof *p->b);
        p->side = calloc(max_operand, sizeof *p->side);
        p->wide_a = calloc(max_operand, sizeof *p->wide_a);
        p->wide_b = calloc(max_operand, sizeof *p->wide_b);
    }
    if (p == NULL || p->rounded_weights == NULL || p->a == NULL || p->b == NULL ||
        p->side == NULL || p->wide_a == NULL || p->wide_b == NULL) {
        rf_bf16_destroy(p);
        *bf16 = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for bf16 copies of %zu weights",
                       nweights);
    }
    if (omp_set_num_threads != NULL)
        omp_set_num_threads(1);
    probe(p, path);
    return RF_OK;
}

void rf_bf16_destroy(struct rf_bf16 *bf16)
{
    if (bf16 == NULL)
        return;
    forget_all(bf16);
    dnnl_stream_destroy(bf16->stream);
    dnnl_engine_destroy(bf16->engine);
    free(bf16->rounded_weights);
    free(bf16->a);
    free(bf16->b);
    free(bf16->side);
    free(bf16->wide_a);
    free(bf16->wide_b);
    free(bf16);
}

void rf_bf16_refresh(struct rf_bf16 *bf16)
{
    rf_bf16_round(bf16->rounded_weights, bf16->weights, bf16->nweights);
}

const char *rf_bf16_implementation(const struct rf_bf16 *bf16)
{
    return bf16->implementation;
}

size_t rf_bf16_bytes(const struct rf_bf16 *bf16)
{
    return rf_bf16_cost(bf16->nweights, bf16->max_operand);
}

size_t rf_bf16_cost(size_t nweights, size_t max_operand)
{
    return sizeof(struct rf_bf16) + nweights * 2 + max_operand * (2 * 2 + 3 * 4);
}
