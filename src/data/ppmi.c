/* Counts lie in an open hash table by pair, a <= b. Everything after that is sums in the order of
 * that table, which follows from the texts alone. */
#include "data/ppmi.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* LAPACK, as OpenBLAS carries it. */
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *lwork, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda,
             const double *tau, double *work, const int *lwork, int *info);
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
            double *w, double *work, const int *lwork, int *info, size_t njobz, size_t nuplo);

enum { SPARE = 20, ROUNDS = 8, FIRST_ROOM = 1 << 16 };

static const double SMOOTHING = 0.75;
static const double LENGTH = 2;

struct pair {
    int32_t a, b; /* a <= b; a < 0: nothing here */
    double count;
};

struct rf_ppmi {
    int vocabulary;
    int64_t *count;     /* owned [vocabulary] */
    struct pair *pairs; /* owned [room], a power of two */
    size_t room, npairs;
};

static void empty(struct pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct pair){-1, -1, 0};
}

enum rf_status rf_ppmi_create(struct rf_ppmi **ppmi, int vocabulary, struct rf_error *err)
{
    struct rf_ppmi *p = *ppmi = calloc(1, sizeof *p);

    if (p != NULL) {
        p->vocabulary = vocabulary;
        p->room = FIRST_ROOM;
        p->count = calloc((size_t)vocabulary, sizeof *p->count);
        p->pairs = malloc(p->room * sizeof *p->pairs);
    }
    if (p == NULL || p->count == NULL || p->pairs == NULL) {
        rf_ppmi_destroy(p);
        *ppmi = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: pairs of %d tokens", vocabulary);
    }
    empty(p->pairs, p->room);
    return RF_OK;
}

void rf_ppmi_destroy(struct rf_ppmi *ppmi)
{
    if (ppmi == NULL)
        return;
    free(ppmi->count);
    free(ppmi->pairs);
    free(ppmi);
}

static struct pair *find(struct pair *pairs, size_t room, int32_t a, int32_t b)
{
    uint64_t key = ((uint64_t)a << 32 | (uint64_t)b) * 0x9e3779b97f4a7c15U;
    size_t i = (size_t)(key ^ key >> 29) & (room - 1);

    while (pairs[i].a >= 0 && (pairs[i].a != a || pairs[i].b != b))
        i = (i + 1) & (room - 1);
    return &pairs[i];
}

static enum rf_status grow(struct rf_ppmi *p, struct rf_error *err)
{
    size_t room = 2 * p->room;
    struct pair *pairs = malloc(room * sizeof *pairs);

    if (pairs == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu pairs of tokens", p->npairs);
    empty(pairs, room);
    for (size_t i = 0; i < p->room; i++)
        if (p->pairs[i].a >= 0)
            *find(pairs, room, p->pairs[i].a, p->pairs[i].b) = p->pairs[i];
    free(p->pairs);
    p->pairs = pairs;
    p->room = room;
    return RF_OK;
}

enum rf_status rf_ppmi_add(struct rf_ppmi *ppmi, const int32_t *tokens, int64_t n,
                           struct rf_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        ppmi->count[tokens[i]]++;
        for (int64_t j = i + 1; j < n && j <= i + RF_PPMI_WINDOW; j++) {
            int32_t a = tokens[i] < tokens[j] ? tokens[i] : tokens[j];
            int32_t b = tokens[i] < tokens[j] ? tokens[j] : tokens[i];
            struct pair *pair;
            enum rf_status st = 2 * (ppmi->npairs + 1) > ppmi->room ? grow(ppmi, err) : RF_OK;

            if (st != RF_OK)
                return st;
            pair = find(ppmi->pairs, ppmi->room, a, b);
            ppmi->npairs += pair->a < 0;
            *pair = (struct pair){a, b, pair->count + (a == b ? 2.0 : 1.0) / (double)(j - i)};
        }
    }
    return RF_OK;
}

/* ---- the matrix -------------------------------------------------------------------- */

/* Symmetric, of the tokens that have a row; by rows. */
struct matrix {
    int n;
    int32_t *place;  /* owned [vocabulary]: row of a token, -1 none */
    size_t *start;   /* owned [n + 1] */
    int32_t *column; /* owned [start[n]] */
    double *value;   /* owned, the same */
};

static void matrix_clear(struct matrix *m)
{
    free(m->place);
    free(m->start);
    free(m->column);
    free(m->value);
}

static int is_common(const struct rf_ppmi *p, const struct pair *pair)
{
    return pair->a >= 0 && p->count[pair->a] >= RF_PPMI_LEAST_COUNT &&
           p->count[pair->b] >= RF_PPMI_LEAST_COUNT;
}

/* How often each token stands beside any other, and the sum of count^0.75. */
static double add_up(const struct rf_ppmi *p, double *beside)
{
    double smooth = 0;

    memset(beside, 0, (size_t)p->vocabulary * sizeof *beside);
    for (size_t i = 0; i < p->room; i++) {
        const struct pair *pair = &p->pairs[i];

        if (!is_common(p, pair))
            continue;
        beside[pair->a] += pair->count;
        if (pair->a != pair->b)
            beside[pair->b] += pair->count;
    }
    for (int t = 0; t < p->vocabulary; t++)
        smooth += pow(beside[t], SMOOTHING);
    return smooth;
}

/* The mean of PPMI(a, b) and PPMI(b, a). */
static double information(const struct pair *pair, const double *beside, double smooth)
{
    double qa = pow(beside[pair->a], SMOOTHING) / smooth;
    double qb = pow(beside[pair->b], SMOOTHING) / smooth;

    return (fmax(0, log(pair->count / (beside[pair->a] * qb))) +
            fmax(0, log(pair->count / (beside[pair->b] * qa)))) /
           2;
}

static void put(struct matrix *m, size_t *end, int32_t row, int32_t column, double value)
{
    m->column[end[row]] = column;
    m->value[end[row]++] = value;
}

/* end [vocabulary], beside [vocabulary]: scratch. */
static enum rf_status fill(struct matrix *m, const struct rf_ppmi *p, double *beside,
                           size_t *end, struct rf_error *err)
{
    double smooth = add_up(p, beside);
    size_t total = 0;

    memset(end, 0, (size_t)p->vocabulary * sizeof *end);
    for (size_t i = 0; i < p->room; i++) {
        const struct pair *pair = &p->pairs[i];

        if (!is_common(p, pair) || information(pair, beside, smooth) <= 0)
            continue;
        end[pair->a]++;
        end[pair->b] += pair->a != pair->b;
    }
    m->start = malloc(((size_t)p->vocabulary + 1) * sizeof *m->start);
    if (m->start == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: vectors of %d tokens",
                       p->vocabulary);
    for (int t = 0; t < p->vocabulary; t++) {
        size_t n = end[t];

        m->place[t] = n > 0 ? m->n : -1;
        end[t] = total;
        if (n > 0)
            m->start[m->n++] = total;
        total += n;
    }
    m->start[m->n] = total;
    m->column = malloc((total + 1) * sizeof *m->column);
    m->value = malloc((total + 1) * sizeof *m->value);
    if (m->column == NULL || m->value == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu pairs of tokens", total);
    for (size_t i = 0; i < p->room; i++) {
        const struct pair *pair = &p->pairs[i];
        double value = is_common(p, pair) ? information(pair, beside, smooth) : 0;

        if (value <= 0)
            continue;
        put(m, end, pair->a, m->place[pair->b], value);
        if (pair->a != pair->b)
            put(m, end, pair->b, m->place[pair->a], value);
    }
    return RF_OK;
}

static enum rf_status make_matrix(struct matrix *m, const struct rf_ppmi *p,
                                  struct rf_error *err)
{
    double *beside = malloc((size_t)p->vocabulary * sizeof *beside);
    size_t *end = malloc((size_t)p->vocabulary * sizeof *end);
    enum rf_status st;

    m->place = malloc((size_t)p->vocabulary * sizeof *m->place);
    st =
        beside != NULL && end != NULL && m->place != NULL
            ? fill(m, p, beside, end, err)
            : rf_fail(err, RF_ERR_MEMORY, "out of memory: vectors of %d tokens", p->vocabulary);
    free(beside);
    free(end);
    return st;
}

/* ---- its eigenvectors -------------------------------------------------------------- */

/* Blocks of k columns, each of n rows, one column behind the other. */
struct basis {
    int n, k;
    double *q, *mq;        /* owned [k][n]; mq: the matrix times q */
    double *small, *value; /* owned [k][k], [k] */
    double *tau, *work;    /* owned [k], [lwork] */
    int lwork;
};

static enum rf_status make_basis(struct basis *b, int n, int k, struct rf_error *err)
{
    size_t block = (size_t)n * (size_t)k;

    *b = (struct basis){.n = n, .k = k, .lwork = 64 * k};
    b->q = malloc(block * sizeof *b->q);
    b->mq = malloc(block * sizeof *b->mq);
    b->small = malloc((size_t)k * (size_t)k * sizeof *b->small);
    b->value = malloc((size_t)k * sizeof *b->value);
    b->tau = malloc((size_t)k * sizeof *b->tau);
    b->work = malloc((size_t)b->lwork * sizeof *b->work);
    if (b->q == NULL || b->mq == NULL || b->small == NULL || b->value == NULL ||
        b->tau == NULL || b->work == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d vectors of %d", k, n);
    return RF_OK;
}

static void basis_clear(struct basis *b)
{
    free(b->q);
    free(b->mq);
    free(b->small);
    free(b->value);
    free(b->tau);
    free(b->work);
}

static void multiply(const struct matrix *m, struct basis *b)
{
    for (int k = 0; k < b->k; k++) {
        const double *x = b->q + (size_t)k * (size_t)b->n;
        double *y = b->mq + (size_t)k * (size_t)b->n;

        for (int i = 0; i < m->n; i++) {
            double sum = 0;

            for (size_t j = m->start[i]; j < m->start[i + 1]; j++)
                sum += m->value[j] * x[m->column[j]];
            y[i] = sum;
        }
    }
}

/* q becomes an orthonormal basis of what is in mq. */
static enum rf_status orthonormalise(struct basis *b, struct rf_error *err)
{
    int info = 0;

    memcpy(b->q, b->mq, (size_t)b->n * (size_t)b->k * sizeof *b->q);
    dgeqrf_(&b->n, &b->k, b->q, &b->n, b->tau, b->work, &b->lwork, &info);
    if (info == 0)
        dorgqr_(&b->n, &b->k, &b->k, b->q, &b->n, b->tau, b->work, &b->lwork, &info);
    return info == 0 ? RF_OK
                     : rf_fail(err, RF_ERR_INPUT, "token vectors: LAPACK gave up (%d)", info);
}

/* The eigenvectors within q, times the square roots of the sizes of their eigenvalues, in mq; the largest
 * come last or first, by sign: order [k] lists them by size. */
static enum rf_status rotate(const struct matrix *m, struct basis *b, int *order,
                             struct rf_error *err)
{
    int info = 0;

    multiply(m, b);
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, b->k, b->k, b->n, 1, b->q, b->n, b->mq,
                b->n, 0, b->small, b->k);
    dsyev_("V", "L", &b->k, b->small, &b->k, b->value, b->work, &b->lwork, &info, 1, 1);
    if (info != 0)
        return rf_fail(err, RF_ERR_INPUT, "token vectors: LAPACK gave up (%d)", info);
    for (int i = 0; i < b->k; i++) {
        int at = i;

        cblas_dscal(b->k, sqrt(fabs(b->value[i])), b->small + (size_t)i * (size_t)b->k, 1);
        for (; at > 0 && fabs(b->value[order[at - 1]]) < fabs(b->value[i]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, b->n, b->k, b->k, 1, b->q, b->n,
                b->small, b->k, 0, b->mq, b->n);
    return RF_OK;
}

/* The first `width` of the ordered columns of mq, centred and scaled together, by token. */
static void hand_out(const struct matrix *m, struct basis *b, const int *order, int vocabulary,
                     int width, float *vectors)
{
    double squares = 0, scale;
    int known = width < b->k ? width : b->k;

    for (int k = 0; k < known; k++) {
        double *x = b->mq + (size_t)order[k] * (size_t)b->n, mean = 0;

        for (int i = 0; i < b->n; i++)
            mean += x[i] / b->n;
        for (int i = 0; i < b->n; i++) {
            x[i] -= mean;
            squares += x[i] * x[i];
        }
    }
    scale = squares > 0 ? LENGTH / sqrt(squares / b->n) : 0;
    for (int t = 0; t < vocabulary; t++)
        for (int k = 0; k < known && m->place[t] >= 0; k++)
            vectors[(size_t)t * (size_t)width + (size_t)k] =
                (float)(scale * b->mq[(size_t)order[k] * (size_t)b->n + (size_t)m->place[t]]);
}

static enum rf_status find_vectors(const struct matrix *m, struct basis *b, int vocabulary,
                                   int width, uint64_t seed, float *vectors,
                                   struct rf_error *err)
{
    int *order = malloc((size_t)b->k * sizeof *order);
    enum rf_status st = RF_OK;

    if (order == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d vectors", b->k);
    for (size_t i = 0; i < (size_t)b->n * (size_t)b->k; i++)
        b->mq[i] = rf_rng_normal(seed, rf_rng_stream("token vectors", 0), i);
    st = orthonormalise(b, err);
    for (int round = 0; st == RF_OK && round < ROUNDS; round++) {
        multiply(m, b);
        st = orthonormalise(b, err);
    }
    if (st == RF_OK)
        st = rotate(m, b, order, err);
    if (st == RF_OK)
        hand_out(m, b, order, vocabulary, width, vectors);
    free(order);
    return st;
}

enum rf_status rf_ppmi_vectors(const struct rf_ppmi *ppmi, int width, uint64_t seed,
                               float *vectors, struct rf_error *err)
{
    struct matrix m = {0};
    struct basis b = {0};
    enum rf_status st = make_matrix(&m, ppmi, err);

    memset(vectors, 0, (size_t)ppmi->vocabulary * (size_t)width * sizeof *vectors);
    if (st == RF_OK && m.n > 1) {
        st = make_basis(&b, m.n, width + SPARE < m.n ? width + SPARE : m.n, err);
        if (st == RF_OK)
            st = find_vectors(&m, &b, ppmi->vocabulary, width, seed, vectors, err);
    }
    basis_clear(&b);
    matrix_clear(&m);
    return st;
}
