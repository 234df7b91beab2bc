#include "mpi/shard.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "nn/weights.h"

/* Gradients on their way at a time, in elements: of all copies together. */
enum { PIECE = 1 << 20 };

struct rf_shard {
    const struct rf_plan *plan;  /* borrowed */
    const struct rf_group *data; /* borrowed */
    rf_real *moments;            /* owned [2][nkept] */
    size_t *kept_at;             /* owned [nparams]: first kept element among the moments */
    size_t nkept;
    rf_real *masters;  /* owned [nmasters] */
    size_t *master_at; /* owned [nparams], behind kept_at; NULL: there are no masters */
    size_t nmasters;
    rf_real *mail; /* owned [nmail]: one rank's rows from all copies */
    size_t nmail;
    int *counts, *places, *mail_counts, *mail_places; /* owned [data->size] each */
    struct rf_meter meter;
};

/* Which rows of tensor i copy c keeps. */
static struct rf_slice kept(const struct rf_shard *shard, int i, int c)
{
    return rf_slice(shard->plan->params[i].extent[0], c, shard->data->size);
}

/* Rows of a tensor that travel from one copy to another at a time. */
static int64_t rows_of_piece(const struct rf_param *p, int copies)
{
    int64_t wide = p->extent[1] * copies, most = rf_slice(p->extent[0], 0, copies).count;
    int64_t rows = wide > 0 ? PIECE / wide : 1;

    rows = rows < 1 ? 1 : rows;
    return rows < most ? rows : most;
}

static int64_t rows_at_a_time(const struct rf_shard *shard, int i)
{
    return rows_of_piece(&shard->plan->params[i], shard->data->size);
}

static rf_real *zeros(size_t n)
{
    rf_real *made = rf_pages_take(n * sizeof *made);

    if (made != NULL)
        memset(made, 0, n * sizeof *made);
    return made;
}

static enum rf_status allocate(struct rf_shard *s, int masters, struct rf_error *err)
{
    size_t nparams = (size_t)s->plan->nparams, copies = (size_t)s->data->size;

    s->kept_at = calloc(2 * nparams, sizeof *s->kept_at);
    s->counts = calloc(4 * copies, sizeof *s->counts);
    if (s->kept_at == NULL || s->counts == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the optimiser");
    s->places = s->counts + copies;
    s->mail_counts = s->places + copies;
    s->mail_places = s->mail_counts + copies;
    s->master_at = masters ? s->kept_at + nparams : NULL;
    for (int i = 0; i < s->plan->nparams; i++) {
        const struct rf_param *p = &s->plan->params[i];
        size_t row = (size_t)p->extent[1], mail = copies * (size_t)rows_at_a_time(s, i) * row;
        size_t mine = (size_t)kept(s, i, s->data->rank).count * row;

        if (p->extent[0] * p->extent[1] > INT_MAX)
            return rf_fail(err, RF_ERR_ARG,
                           "tensor '%s' has more than %d elements on one rank: use more ranks "
                           "for a copy",
                           p->name, INT_MAX);
        s->kept_at[i] = s->nkept;
        s->nkept += rf_plan_next(mine);
        if (masters) {
            s->master_at[i] = s->nmasters;
            s->nmasters += rf_weights_has(s->plan, i) ? rf_plan_next(mine) : 0;
        }
        s->nmail = mail > s->nmail ? mail : s->nmail;
    }
    s->nmail = copies > 1 ? s->nmail : 0;
    s->moments = zeros(2 * s->nkept);
    s->masters = zeros(s->nmasters);
    s->mail = malloc((s->nmail + 1) * sizeof *s->mail);
    if (s->moments == NULL || s->masters == NULL || s->mail == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the optimiser: %zu values",
                       2 * s->nkept + s->nmasters + s->nmail);
    return RF_OK;
}

enum rf_status rf_shard_create(struct rf_shard **shard, const struct rf_plan *plan,
                               const struct rf_group *data, int masters, struct rf_error *err)
{
    struct rf_shard *s = calloc(1, sizeof *s);
    enum rf_status st;

    *shard = NULL;
    if (s == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the optimiser");
    s->plan = plan;
    s->data = data;
    st = allocate(s, masters, err);
    if (st != RF_OK) {
        rf_shard_destroy(s);
        return st;
    }
    *shard = s;
    return RF_OK;
}

void rf_shard_destroy(struct rf_shard *shard)
{
    if (shard == NULL)
        return;
    free(shard->mail);
    free(shard->masters);
    free(shard->moments);
    free(shard->counts);
    free(shard->kept_at);
    free(shard);
}

struct rf_shard_part rf_shard_part(const struct rf_shard *s, int i)
{
    const struct rf_param *p = &s->plan->params[i];
    struct rf_slice rows = kept(s, i, s->data->rank);
    rf_real *m = s->moments + s->kept_at[i];
    int master = s->master_at != NULL && rf_weights_has(s->plan, i);

    return (struct rf_shard_part){.begin = rows.begin,
                                  .count = rows.count,
                                  .at = p->at + (size_t)(rows.begin * p->extent[1]),
                                  .n = (size_t)(rows.count * p->extent[1]),
                                  .m = m,
                                  .v = m + s->nkept,
                                  .master = master ? s->masters + s->master_at[i] : NULL};
}

/* x [n] = the sum of the copies' rows in the mail, the first copy's first. */
RF_CLONES
static void add_up(rf_real *restrict x, const rf_real *restrict mail, size_t n, int copies)
{
    memcpy(x, mail, n * sizeof *x);
    for (int c = 1; c < copies; c++) {
        const rf_real *part = mail + (size_t)c * n;

#pragma omp simd
        for (size_t k = 0; k < n; k++)
            x[k] += part[k];
    }
}

/* Rows [from, from + most) of each copy's part of a tensor, whose gradients begin at g. */
static void gather_piece(struct rf_shard *s, int i, rf_real *g, int64_t from, int64_t most)
{
    int64_t row = s->plan->params[i].extent[1], mine = 0;
    int copies = s->data->size;

    for (int c = 0; c < copies; c++) {
        struct rf_slice rows = kept(s, i, c);
        int64_t left = rows.count - from, n = left < 0 ? 0 : left < most ? left : most;

        s->counts[c] = (int)(n * row);
        s->places[c] = (int)((rows.begin + (n > 0 ? from : 0)) * row);
        mine = c == s->data->rank ? n : mine;
    }
    for (int c = 0; c < copies; c++) {
        s->mail_counts[c] = (int)(mine * row);
        s->mail_places[c] = (int)(c * mine * row);
    }
    MPI_Alltoallv(g, s->counts, s->places, MPI_FLOAT, s->mail, s->mail_counts, s->mail_places,
                  MPI_FLOAT, s->data->comm);
    if (mine > 0)
        add_up(g + s->places[s->data->rank], s->mail, (size_t)(mine * row), copies);
}

static size_t elements_of(const struct rf_param *p)
{
    return (size_t)(p->extent[0] * p->extent[1]);
}

void rf_shard_gather(struct rf_shard *s, rf_real *gradients)
{
    if (s->data->size == 1)
        return;
    for (int i = 0; i < s->plan->nparams; i++) {
        const struct rf_param *p = &s->plan->params[i];
        int64_t most = rows_at_a_time(s, i), longest = kept(s, i, 0).count;
        double since = MPI_Wtime();

        for (int64_t from = 0; from < longest && p->extent[1] > 0; from += most)
            gather_piece(s, i, gradients + p->at, from, most);
        rf_meter_add(&s->meter, RF_TRAFFIC_GATHER, elements_of(p) * sizeof(rf_real), since);
    }
}

void rf_shard_spread(struct rf_shard *s, int i, void *rows, size_t element_bytes)
{
    const struct rf_param *p = &s->plan->params[i];
    MPI_Datatype type = element_bytes == sizeof(float) ? MPI_FLOAT : MPI_UINT16_T;
    double since = MPI_Wtime();

    if (s->data->size == 1)
        return;
    for (int c = 0; c < s->data->size; c++) {
        struct rf_slice part = kept(s, i, c);

        s->counts[c] = (int)(part.count * p->extent[1]);
        s->places[c] = (int)(part.begin * p->extent[1]);
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows, s->counts, s->places, type,
                   s->data->comm);
    rf_meter_add(&s->meter, RF_TRAFFIC_SPREAD, elements_of(p) * element_bytes, since);
}

const struct rf_meter *rf_shard_meter(const struct rf_shard *shard)
{
    return &shard->meter;
}

static size_t bytes_for(size_t nkept, size_t nmasters, size_t nmail, int nparams, int copies)
{
    return (2 * nkept + nmasters + nmail) * sizeof(rf_real) +
           2 * (size_t)nparams * sizeof(size_t) + 4 * (size_t)copies * sizeof(int);
}

size_t rf_shard_bytes(const struct rf_shard *s)
{
    return bytes_for(s->nkept, s->nmasters, s->nmail, s->plan->nparams, s->data->size);
}

size_t rf_shard_cost(const struct rf_plan *plan, int rank, int size, int masters)
{
    size_t nkept = 0, nmasters = 0, nmail = 0;

    for (int i = 0; i < plan->nparams; i++) {
        const struct rf_param *p = &plan->params[i];
        size_t row = (size_t)p->extent[1];
        size_t mail = (size_t)size * (size_t)rows_of_piece(p, size) * row;
        size_t mine = (size_t)rf_slice(p->extent[0], rank, size).count * row;

        nkept += rf_plan_next(mine);
        nmasters += masters && rf_weights_has(plan, i) ? rf_plan_next(mine) : 0;
        nmail = size > 1 && mail > nmail ? mail : nmail;
    }
    return bytes_for(nkept, nmasters, nmail, plan->nparams, size);
}
