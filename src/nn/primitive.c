#include "nn/primitive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "nn/held.h"

enum { SLOTS = 1024, ALIGN = 64 };

/* The OpenMP runtime under oneDNN, when there is one: products run on the calling thread. */
extern void omp_set_num_threads(int) __attribute__((weak));

struct product {
    int form, m, n, k, accumulate, packed; /* m 0: free slot */
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c;
    dnnl_memory_desc_t layout; /* of b */
};

/* One weight in one layout. */
struct copy {
    size_t at;
    int form, n, k;
    dnnl_memory_desc_t layout;
    void *data; /* owned */
    dnnl_memory_t from, to;
    dnnl_primitive_t reorder;
    long made;   /* from the weights of this version */
    int passing; /* row by row, because nobody has asked for a layout yet */
};

struct rf_primitives {
    dnnl_data_type_t type;
    const float *weights; /* borrowed [nweights] */
    size_t nweights;
    long version;
    const struct rf_held *held; /* borrowed; NULL: weights are there */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct product table[SLOTS];
    int used;
    struct copy *copies; /* owned [ncopies] */
    int ncopies, room;
    size_t copy_bytes;
    char implementation[96];
};

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

/* b [k][n] as it lies in memory. */
static int describe_b(dnnl_memory_desc_t *d, int form, int64_t n, int64_t k,
                      dnnl_data_type_t type)
{
    return describe(d, k, n, form == RF_NT ? 1 : n, form == RF_NT ? k : 1, type);
}

static void name_implementation(struct rf_primitives *p, const_dnnl_primitive_desc_t pd)
{
    const char *text = "";

    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &text) == dnnl_success)
        snprintf(p->implementation, sizeof p->implementation, "oneDNN %s, %s",
                 p->type == dnnl_bf16 ? "bf16" : "fp32", text);
}

/* Fills slot for its shape. 0 when oneDNN refuses. */
static int make(struct rf_primitives *p, struct product *s)
{
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t sum = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int64_t m = s->m, n = s->n, k = s->k;
    dnnl_dims_t dims = {k, n};
    int ok = describe(&a, m, k, s->form == RF_TN ? 1 : k, s->form == RF_TN ? m : 1, p->type);

    if (s->packed)
        ok = ok && dnnl_memory_desc_init_by_tag(&b, 2, dims, p->type, dnnl_format_tag_any) ==
                       dnnl_success;
    else
        ok = ok && describe_b(&b, s->form, n, k, p->type);
    ok = ok && describe(&c, m, n, n, 1, dnnl_f32);
    ok = ok && dnnl_matmul_desc_init(&op, &a, &b, NULL, &c) == dnnl_success;
    ok = ok && dnnl_primitive_attr_create(&attr) == dnnl_success;
    ok = ok && dnnl_post_ops_create(&sum) == dnnl_success;
    if (ok && s->accumulate)
        ok = dnnl_post_ops_append_sum(sum, 1.0F) == dnnl_success &&
             dnnl_primitive_attr_set_post_ops(attr, sum) == dnnl_success;
    ok = ok && dnnl_primitive_desc_create(&pd, &op, attr, p->engine, NULL) == dnnl_success;
    ok = ok && dnnl_primitive_create(&s->primitive, pd) == dnnl_success;
    if (ok)
        s->layout = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    ok = ok && dnnl_memory_create(&s->a, &a, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
    ok = ok &&
         dnnl_memory_create(&s->b, &s->layout, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
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

static void forget_all(struct rf_primitives *p)
{
    for (int i = 0; i < SLOTS; i++)
        if (p->table[i].m != 0)
            release(&p->table[i]);
    p->used = 0;
}

/* The primitive for a shape, made on first use; NULL when oneDNN refuses. */
static struct product *find(struct rf_primitives *p, const struct product *want)
{
    uint32_t h = (uint32_t)want->m * 0x9e3779b1u ^ (uint32_t)want->n * 0x85ebca77u ^
                 (uint32_t)want->k * 0xc2b2ae3du;
    struct product *s;

    h = (h ^ h >> 15) + (uint32_t)want->form * 4 + (uint32_t)want->accumulate * 2 +
        (uint32_t)want->packed;
    for (;; h++) {
        s = &p->table[h % SLOTS];
        if (s->m == 0)
            break;
        if (s->form == want->form && s->m == want->m && s->n == want->n && s->k == want->k &&
            s->accumulate == want->accumulate && s->packed == want->packed)
            return s;
    }
    if (p->used >= SLOTS / 2) {
        forget_all(p);
        s = &p->table[h % SLOTS];
    }
    *s = *want;
    if (!make(p, s))
        return NULL;
    p->used++;
    return s;
}

static int execute(struct rf_primitives *p, struct product *s, const void *a, const void *b,
                   float *c)
{
    dnnl_exec_arg_t args[3] = {
        {DNNL_ARG_SRC, s->a}, {DNNL_ARG_WEIGHTS, s->b}, {DNNL_ARG_DST, s->c}};

    dnnl_memory_set_data_handle(s->a, (void *)(uintptr_t)a);
    dnnl_memory_set_data_handle(s->b, (void *)(uintptr_t)b);
    dnnl_memory_set_data_handle(s->c, c);
    dnnl_primitive_execute(s->primitive, p->stream, 3, args);
    dnnl_stream_wait(p->stream);
    return 1;
}

int rf_primitives_run(struct rf_primitives *p, enum rf_form form, int m, int n, int k,
                      const void *a, const void *b, int accumulate, float *c)
{
    const struct product want = {
        .form = (int)form, .m = m, .n = n, .k = k, .accumulate = accumulate};
    struct product *s = find(p, &want);

    return s != NULL && execute(p, s, a, b, c);
}

/* ---- weights in their layout ------------------------------------------------- */

static void drop(struct copy *c)
{
    dnnl_primitive_destroy(c->reorder);
    dnnl_memory_destroy(c->from);
    dnnl_memory_destroy(c->to);
    free(c->data);
}

static size_t size_of(const struct copy *c)
{
    return (dnnl_memory_desc_get_size(&c->layout) + ALIGN - 1) / ALIGN * ALIGN;
}

/* The values of a copy, once brought into its layout, come from `from`, row by row, in fp32 or, without fp32 weights,
 * in the format of products. */
static int reorder_from(const struct rf_primitives *p, const struct copy *c,
                        const dnnl_memory_desc_t *from, dnnl_primitive_t *reorder)
{
    dnnl_primitive_desc_t pd = NULL;
    int ok = dnnl_reorder_primitive_desc_create(&pd, from, p->engine, &c->layout, p->engine,
                                                NULL) == dnnl_success &&
             dnnl_primitive_create(reorder, pd) == dnnl_success;

    dnnl_primitive_desc_destroy(pd);
    return ok;
}

/* Everything of a copy but its content; 0: without memory, or oneDNN refuses. */
static int set_up(struct rf_primitives *p, struct copy *c)
{
    dnnl_memory_desc_t plain;
    int ok = describe_b(&plain, c->form, c->n, c->k, p->held != NULL ? p->type : dnnl_f32);

    c->data = aligned_alloc(ALIGN, size_of(c));
    ok = ok && c->data != NULL;
    ok =
        ok && dnnl_memory_create(&c->from, &plain, p->engine, DNNL_MEMORY_NONE) == dnnl_success;
    ok = ok && dnnl_memory_create(&c->to, &c->layout, p->engine, c->data) == dnnl_success;
    ok = ok && reorder_from(p, c, &plain, &c->reorder);
    if (!ok)
        drop(c);
    else
        p->copy_bytes += size_of(c);
    return ok;
}

/* Fills it from values that lie row by row. */
static void fill(struct rf_primitives *p, struct copy *c, const void *rows)
{
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, c->from}, {DNNL_ARG_TO, c->to}};

    dnnl_memory_set_data_handle(c->from, (void *)(uintptr_t)rows);
    dnnl_primitive_execute(c->reorder, p->stream, 2, args);
    dnnl_stream_wait(p->stream);
    c->made = p->version;
}

/* Room for one more copy behind the others; NULL: none. */
static struct copy *room_for_one(struct rf_primitives *p)
{
    if (p->ncopies == p->room) {
        int room = p->room > 0 ? 2 * p->room : 64;
        struct copy *more = realloc(p->copies, (size_t)room * sizeof *more);

        if (more == NULL)
            return NULL;
        p->copies = more;
        p->room = room;
    }
    return &p->copies[p->ncopies];
}

/* Fills data, in `layout`, with a weight as products of this form have it, from a copy in whatever layout. 0: oneDNN
 * refuses. */
static int turn_over(struct rf_primitives *p, const struct copy *from, int form,
                     const dnnl_memory_desc_t *layout, void *data)
{
    static const int turned[2] = {1, 0};
    struct copy to = {.layout = *layout};
    dnnl_memory_desc_t source = from->layout;
    dnnl_memory_t a = NULL, b = NULL;
    dnnl_primitive_t reorder = NULL;
    int ok = from->form == form ||
             dnnl_memory_desc_permute_axes(&source, &from->layout, turned) == dnnl_success;

    ok = ok && reorder_from(p, &to, &source, &reorder);
    ok = ok && dnnl_memory_create(&a, &source, p->engine, from->data) == dnnl_success;
    ok = ok && dnnl_memory_create(&b, layout, p->engine, data) == dnnl_success;
    if (ok) {
        dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, b}};

        dnnl_primitive_execute(reorder, p->stream, 2, args);
        dnnl_stream_wait(p->stream);
    }
    dnnl_primitive_destroy(reorder);
    dnnl_memory_destroy(a);
    dnnl_memory_destroy(b);
    return ok;
}

/* The first copy of exactly the weight that begins at `at`, other than `but`. */
static struct copy *copy_of(struct rf_primitives *p, size_t at, size_t elements,
                            const struct copy *but)
{
    for (int i = 0; i < p->ncopies; i++)
        if (&p->copies[i] != but && p->copies[i].at == at &&
            (size_t)p->copies[i].n * (size_t)p->copies[i].k == elements)
            return &p->copies[i];
    return NULL;
}

/* Once there is another, a copy that nobody asked for goes. */
static void drop_passing(struct rf_primitives *p, size_t at)
{
    for (int i = 0; i < p->ncopies; i++) {
        struct copy *c = &p->copies[i];

        if (c->at != at || !c->passing)
            continue;
        p->copy_bytes -= size_of(c);
        drop(c);
        *c = p->copies[--p->ncopies];
        return;
    }
}

/* A new copy's values, from elsewhere than weights in fp32. */
static int fill_held(struct rf_primitives *p, struct copy *c)
{
    const void *rows = rf_held_rows_at(p->held, c->at);
    const struct copy *from =
        rows == NULL ? copy_of(p, c->at, (size_t)c->n * (size_t)c->k, c) : NULL;

    if (rows != NULL)
        fill(p, c, rows);
    return rows != NULL || (from != NULL && turn_over(p, from, c->form, &c->layout, c->data));
}

/* The weights from `at` on in the layout of s, up to date; NULL: none can be made. */
static const void *copy_for(struct rf_primitives *p, const struct product *s, size_t at)
{
    struct copy *c = p->copies;
    void *data;
    int i = 0;

    while (i < p->ncopies &&
           !(c[i].at == at && c[i].form == s->form && c[i].n == s->n && c[i].k == s->k &&
             dnnl_memory_desc_equal(&c[i].layout, &s->layout)))
        i++;
    if (i < p->ncopies) {
        c = &p->copies[i];
        c->passing = 0;
        if (p->held == NULL && c->made != p->version)
            fill(p, c, p->weights + at);
        return c->data;
    }
    c = room_for_one(p);
    if (c == NULL)
        return NULL;
    *c = (struct copy){.at = at, .form = s->form, .n = s->n, .k = s->k, .layout = s->layout};
    if (!set_up(p, c))
        return NULL;
    data = c->data;
    p->ncopies++;
    if (p->held == NULL) {
        fill(p, c, p->weights + at);
    } else if (!fill_held(p, c)) {
        p->copy_bytes -= size_of(c);
        drop(c);
        p->ncopies--;
        return NULL;
    } else {
        drop_passing(p, at);
    }
    return data;
}

int rf_primitives_run_weights(struct rf_primitives *p, enum rf_form form, int m, int n, int k,
                              const void *a, size_t at, int accumulate, float *c)
{
    const struct product want = {
        .form = (int)form, .m = m, .n = n, .k = k, .accumulate = accumulate, .packed = 1};
    struct product *s = find(p, &want);
    const void *b = s != NULL ? copy_for(p, s, at) : NULL;

    return b != NULL && execute(p, s, a, b, c);
}

void rf_primitives_refresh(struct rf_primitives *p)
{
    p->version++;
}

/* ---- weights that are held in the format of products alone --------------------- */

void rf_primitives_hold(struct rf_primitives *p, const struct rf_held *held)
{
    p->held = held;
}

void rf_primitives_take(struct rf_primitives *p, int k)
{
    int n;
    const struct rf_weight *w = &rf_held_list(p->held, &n)[k];
    const unsigned char *room = rf_held_room(p->held, k);
    size_t element_bytes = dnnl_data_type_size(p->type), elements = (size_t)(w->rows * w->cols);
    struct copy *c;
    int whole = 0;

    if (elements == 0 || !w->multiplied)
        return;
    for (int i = 0; i < p->ncopies; i++) {
        c = &p->copies[i];
        if (c->at < w->at || c->at >= w->at + elements)
            continue;
        fill(p, c, room + (c->at - w->at) * element_bytes);
        whole = whole || (c->at == w->at && (size_t)c->n * (size_t)c->k == elements);
    }
    if (whole || rf_held_rows_at(p->held, w->at) != NULL)
        return;
    c = room_for_one(p);
    if (c == NULL)
        return;
    *c = (struct copy){
        .at = w->at, .form = RF_NT, .n = (int)w->rows, .k = (int)w->cols, .passing = 1};
    if (!describe_b(&c->layout, c->form, c->n, c->k, p->type) || !set_up(p, c))
        return;
    p->ncopies++;
    fill(p, c, room);
}

int rf_primitives_give(struct rf_primitives *p, enum rf_form form, int n, int k, size_t at,
                       float *rows)
{
    const struct copy *from = copy_of(p, at, (size_t)n * (size_t)k, NULL);
    dnnl_memory_desc_t plain;

    return from != NULL && describe_b(&plain, (int)form, n, k, dnnl_f32) &&
           turn_over(p, from, (int)form, &plain, rows);
}

/* ---- making and ending ------------------------------------------------------ */

enum rf_status rf_primitives_create(struct rf_primitives **made, int bf16, const float *weights,
                                    size_t nweights, struct rf_error *err)
{
    const struct product probe = {.form = RF_NT, .m = 64, .n = 64, .k = 64};
    struct rf_primitives *p = calloc(1, sizeof *p);

    *made = NULL;
    if (p == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for matrix products");
    if (omp_set_num_threads != NULL)
        omp_set_num_threads(1);
    p->type = bf16 ? dnnl_bf16 : dnnl_f32;
    p->weights = weights;
    p->nweights = nweights;
    if (dnnl_engine_create(&p->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) != dnnl_success ||
        find(p, &probe) == NULL) {
        rf_primitives_destroy(p);
        return RF_OK;
    }
    *made = p;
    return RF_OK;
}

void rf_primitives_destroy(struct rf_primitives *p)
{
    if (p == NULL)
        return;
    forget_all(p);
    for (int i = 0; i < p->ncopies; i++)
        drop(&p->copies[i]);
    free(p->copies);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
    free(p);
}

const char *rf_primitives_implementation(const struct rf_primitives *p)
{
    return p->implementation;
}

size_t rf_primitives_bytes(const struct rf_primitives *p)
{
    return sizeof *p + p->copy_bytes;
}
