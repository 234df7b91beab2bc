#include "mpi/ckpt_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "mpi/ckpt_reader.h"

/* A granule whose digests differ; its place is the same in both files but for the index. */
struct pair {
    int tensor; /* of the diff */
    int64_t index[2];
};

struct work {
    struct rf_ckpt_reader *readers[2];
    struct rf_diff *diff;
    int *other;         /* [tensors of A] the same tensor in B, or -1 */
    struct pair *pairs; /* in order of tensors and rows */
    int64_t npairs;
    float *room[2];
};

/* A name and where it stands in its file. */
struct key {
    const char *name;
    int index;
};

static int by_name(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static struct key *index_of(const struct rf_manifest *m)
{
    struct key *keys = malloc(((size_t)m->ntensors + 1) * sizeof *keys);

    for (int i = 0; keys != NULL && i < m->ntensors; i++)
        keys[i] = (struct key){m->tensors[i].name, i};
    if (keys != NULL)
        qsort(keys, (size_t)m->ntensors, sizeof *keys, by_name);
    return keys;
}

static void enter(struct rf_diff_tensor *row, const struct rf_manifest_tensor *a,
                  const struct rf_manifest_tensor *b)
{
    const struct rf_manifest_tensor *sides[2] = {a, b}, *any = a != NULL ? a : b;

    *row = (struct rf_diff_tensor){.kind = RF_DIFF_SAME};
    memcpy(row->name, any->name, sizeof row->name);
    row->elements = any->shape[0] * any->shape[1];
    for (int s = 0; s < 2; s++)
        if (sides[s] != NULL) {
            row->ndims[s] = sides[s]->ndims;
            row->stored[s] = sides[s]->stored;
            memcpy(row->shape[s], sides[s]->shape, sizeof row->shape[s]);
        }
    if (b == NULL)
        row->kind = RF_DIFF_ONLY_A;
    else if (a == NULL)
        row->kind = RF_DIFF_ONLY_B;
    else if (a->ndims != b->ndims || memcmp(a->shape, b->shape, sizeof a->shape) != 0)
        row->kind = RF_DIFF_SHAPE;
    else if (a->stored != b->stored)
        row->kind = RF_DIFF_TYPE;
    else if (!rf_digest_equal(&a->digest, &b->digest))
        row->kind = RF_DIFF_VALUES;
}

/* The table of tensors, before any value is read. */
static enum rf_status tabulate(struct work *work, struct rf_error *err)
{
    const struct rf_manifest *a = rf_ckpt_reader_manifest(work->readers[0]);
    const struct rf_manifest *b = rf_ckpt_reader_manifest(work->readers[1]);
    struct rf_diff *diff = work->diff;
    struct key *keys = index_of(b);
    char *met = calloc((size_t)b->ntensors + 1, 1);

    diff->tensors = calloc((size_t)(a->ntensors + b->ntensors) + 1, sizeof *diff->tensors);
    work->other = malloc(((size_t)a->ntensors + 1) * sizeof *work->other);
    if (keys == NULL || met == NULL || diff->tensors == NULL || work->other == NULL) {
        free(met);
        free(keys);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", a->ntensors);
    }
    for (int i = 0; i < a->ntensors; i++) {
        struct key wanted = {a->tensors[i].name, 0};
        const struct key *found =
            bsearch(&wanted, keys, (size_t)b->ntensors, sizeof *keys, by_name);

        work->other[i] = found != NULL ? found->index : -1;
        if (found != NULL)
            met[found->index] = 1;
        enter(&diff->tensors[diff->ntensors++], &a->tensors[i],
              found != NULL ? &b->tensors[found->index] : NULL);
    }
    for (int i = 0; i < b->ntensors; i++)
        if (!met[i])
            enter(&diff->tensors[diff->ntensors++], NULL, &b->tensors[i]);
    for (int i = 0; i < diff->ntensors; i++)
        diff->differing += diff->tensors[i].kind != RF_DIFF_SAME;
    diff->info[0] = a->info;
    diff->info[1] = b->info;
    free(met);
    free(keys);
    return RF_OK;
}

/* The granules that have to be read. */
static enum rf_status list_pairs(struct work *work, struct rf_error *err)
{
    int64_t most = rf_ckpt_reader_count(work->readers[0]);

    work->pairs = malloc(((size_t)most + 1) * sizeof *work->pairs);
    for (int s = 0; s < 2; s++)
        work->room[s] =
            malloc((size_t)rf_ckpt_reader_room(work->readers[s]) * sizeof *work->room[s]);
    if (work->pairs == NULL || work->room[0] == NULL || work->room[1] == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld granules", (long long)most);
    for (int i = 0; i < rf_ckpt_reader_manifest(work->readers[0])->ntensors; i++) {
        int64_t begin = rf_ckpt_reader_first(work->readers[0], i);
        int64_t end = rf_ckpt_reader_first(work->readers[0], i + 1);

        if (work->diff->tensors[i].kind != RF_DIFF_VALUES)
            continue;
        for (int64_t g = begin; g < end; g++) {
            struct pair pair = {
                i, {g, g - begin + rf_ckpt_reader_first(work->readers[1], work->other[i])}};

            if (!rf_digest_equal(rf_ckpt_reader_digest(work->readers[0], pair.index[0]),
                                 rf_ckpt_reader_digest(work->readers[1], pair.index[1])))
                work->pairs[work->npairs++] = pair;
        }
    }
    return RF_OK;
}

static void compare(struct rf_diff_tensor *row, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i], difference, scale;

        if (memcmp(&a[i], &b[i], sizeof *a) == 0)
            continue;
        row->differing++;
        if (isnan(x) && isnan(y))
            continue;
        difference = isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY;
        scale = fmax(fabs(x), fabs(y));
        row->max_abs = fmax(row->max_abs, difference);
        if (difference > 0)
            row->max_rel =
                fmax(row->max_rel, isinf(difference) ? INFINITY : difference / scale);
    }
}

/* Local: this rank's pairs. */
static enum rf_status read_share(struct work *work, struct rf_slice share,
                                 const struct rf_watch *watch, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int64_t i = 0; st == RF_OK && i < share.count; i++) {
        const struct pair *pair = &work->pairs[share.begin + i];
        struct rf_diff_tensor *row = &work->diff->tensors[pair->tensor];
        struct rf_band band = {0};

        for (int s = 0; st == RF_OK && s < 2; s++) {
            band = rf_ckpt_reader_band(work->readers[s], pair->index[s], pair->index[s] + 1);
            st = rf_ckpt_reader_read(work->readers[s], &band, work->room[s], err);
        }
        if (st == RF_OK)
            compare(row, work->room[0], work->room[1], band.nrows * row->shape[0][1]);
        rf_watch_show(watch, i + 1, share.count);
    }
    if (st == RF_NO) /* no answer here, but an input that cannot be used */
        st = err->status = RF_ERR_INPUT;
    return st;
}

/* Collective: sums and largest values over the ranks; neither depends on who read what. */
static enum rf_status join(const struct rf_group *group, struct rf_diff *diff,
                           struct rf_error *err)
{
    size_t n = (size_t)diff->ntensors;
    int64_t *counts = calloc(n + 1, sizeof *counts);
    double *largest = calloc(2 * n + 1, sizeof *largest);
    enum rf_status st = RF_OK;

    if (counts == NULL || largest == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", diff->ntensors);
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        for (size_t i = 0; i < n; i++) {
            counts[i] = diff->tensors[i].differing;
            largest[2 * i] = diff->tensors[i].max_abs;
            largest[2 * i + 1] = diff->tensors[i].max_rel;
        }
        MPI_Allreduce(MPI_IN_PLACE, counts, (int)n, MPI_INT64_T, MPI_SUM, group->comm);
        MPI_Allreduce(MPI_IN_PLACE, largest, (int)(2 * n), MPI_DOUBLE, MPI_MAX, group->comm);
        for (size_t i = 0; i < n; i++) {
            diff->tensors[i].differing = counts[i];
            diff->tensors[i].max_abs = largest[2 * i];
            diff->tensors[i].max_rel = largest[2 * i + 1];
        }
    }
    free(largest);
    free(counts);
    return st;
}

enum rf_status rf_ckpt_diff(const struct rf_group *group, const char *a, const char *b,
                            const struct rf_watch *watch, struct rf_diff *diff,
                            struct rf_error *err)
{
    struct work work = {.diff = diff};
    enum rf_status st;

    *diff = (struct rf_diff){0};
    st = rf_ckpt_reader_open_all(&work.readers[0], group, a, err);
    if (st == RF_OK)
        st = rf_ckpt_reader_open_all(&work.readers[1], group, b, err);
    if (st == RF_NO)
        st = err->status = RF_ERR_INPUT;
    if (st == RF_OK) {
        st = tabulate(&work, err);
        if (st == RF_OK)
            st = list_pairs(&work, err);
        st = rf_agree(group, st, err);
    }
    if (st == RF_OK) {
        st = read_share(&work, rf_slice(work.npairs, group->rank, group->size), watch, err);
        st = rf_agree(group, st, err);
    }
    if (st == RF_OK)
        st = join(group, diff, err);
    for (int s = 0; s < 2; s++) {
        free(work.room[s]);
        rf_ckpt_reader_close(work.readers[s]);
    }
    free(work.pairs);
    free(work.other);
    if (st != RF_OK)
        rf_diff_clear(diff);
    return st;
}

void rf_diff_clear(struct rf_diff *diff)
{
    free(diff->tensors);
    *diff = (struct rf_diff){0};
}
