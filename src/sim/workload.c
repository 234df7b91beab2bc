#include "sim/workload.h"

#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 1 << 20 };

enum rf_status rf_workload_create(struct rf_workload *w, int64_t n, struct rf_error *err)
{
    size_t room = n > 0 ? (size_t)n : 1;

    memset(w, 0, sizeof *w);
    w->submit_us = calloc(room, sizeof *w->submit_us);
    w->run_us = calloc(room, sizeof *w->run_us);
    w->limit_us = calloc(room, sizeof *w->limit_us);
    w->min = calloc(room, sizeof *w->min);
    w->account = calloc(room, sizeof *w->account);
    if (w->submit_us == NULL || w->run_us == NULL || w->limit_us == NULL || w->min == NULL ||
        w->account == NULL) {
        rf_workload_clear(w);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld jobs", (long long)n);
    }
    w->n = n;
    return RF_OK;
}

static void free_record(struct rf_workload_record *r)
{
    if (r == NULL)
        return;
    free(r->requests);
    free(r->work_us);
    free(r->stop_us);
    free(r->every_us);
    free(r->restart_us);
    free(r->stops.first);
    free(r->stops.values);
    free(r->through.first);
    free(r->through.values);
    free(r->restarts.first);
    free(r->restarts.values);
    free(r->kept.first);
    free(r->kept.values);
    free(r->read_us.first);
    free(r->read_us.values);
    free(r->read_flops.first);
    free(r->read_flops.values);
    free(r->failed);
    free(r->first_attempt);
    free(r->attempts);
    free(r);
}

enum rf_status rf_workload_add_record(struct rf_workload *w, int32_t nattempts,
                                      struct rf_error *err)
{
    size_t n = w->n > 0 ? (size_t)w->n : 1;
    struct rf_workload_record *r = calloc(1, sizeof *r);

    if (r != NULL) {
        r->requests = calloc(n, sizeof *r->requests);
        r->work_us = calloc(n, sizeof *r->work_us);
        r->stop_us = calloc(n, sizeof *r->stop_us);
        r->every_us = calloc(n, sizeof *r->every_us);
        r->restart_us = calloc(n, sizeof *r->restart_us);
        r->failed = calloc(n, sizeof *r->failed);
        r->first_attempt = calloc(n + 1, sizeof *r->first_attempt);
        r->attempts = calloc((size_t)nattempts + 1, sizeof *r->attempts);
    }
    if (r == NULL || r->requests == NULL || r->work_us == NULL || r->stop_us == NULL ||
        r->every_us == NULL || r->restart_us == NULL || r->failed == NULL ||
        r->first_attempt == NULL || r->attempts == NULL) {
        free_record(r);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a record of %lld jobs",
                       (long long)w->n);
    }
    w->record = r;
    return RF_OK;
}

void rf_workload_clear(struct rf_workload *w)
{
    free_record(w->record);
    free(w->submit_us);
    free(w->run_us);
    free(w->limit_us);
    free(w->min);
    free(w->max);
    free(w->account);
    free(w->accounts);
    memset(w, 0, sizeof *w);
}

enum rf_status rf_workload_account(struct rf_workload *w, const char *name, int32_t *index,
                                   struct rf_error *err)
{
    size_t length = strlen(name);
    void *more;

    for (int32_t i = 0; i < w->naccounts; i++) {
        if (strcmp(w->accounts[i], name) == 0) {
            *index = i;
            return RF_OK;
        }
    }
    if (length == 0 || length >= RF_NAME_BYTES)
        return rf_fail(err, RF_ERR_INPUT, "not a usable name of an account: '%.80s'", name);
    if (w->naccounts == ACCOUNTS_MAX)
        return rf_fail(err, RF_ERR_INPUT, "more than %d accounts", ACCOUNTS_MAX);
    if ((w->naccounts & (w->naccounts - 1)) == 0) { /* room is the next power of two */
        size_t room = w->naccounts > 0 ? 2 * (size_t)w->naccounts : 1;

        more = realloc(w->accounts, room * sizeof *w->accounts);
        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu accounts", room);
        w->accounts = more;
    }
    *index = w->naccounts++;
    memset(w->accounts[*index], 0, RF_NAME_BYTES);
    memcpy(w->accounts[*index], name, length);
    return RF_OK;
}

int64_t rf_workload_seen(const struct rf_workload_series *series, int32_t job, int32_t k,
                         int64_t otherwise)
{
    int64_t value;

    if (series->first == NULL || k < 0 || series->first[job] + k >= series->first[job + 1])
        return otherwise;
    value = series->values[series->first[job] + k];
    return value >= 0 ? value : otherwise;
}

/* ---- order of submission ---------------------------------------------- */

struct place {
    int64_t submit_us, index;
};

/* Merges the ordered halves [begin, middle) and [middle, end) of from into to; the left one
 * goes first when equal, which keeps the order of the file. */
static void merge(const struct place *from, struct place *to, int64_t begin, int64_t middle,
                  int64_t end)
{
    int64_t i = begin, j = middle;

    for (int64_t k = begin; k < end; k++) {
        int left = j == end || (i < middle && from[i].submit_us <= from[j].submit_us);

        to[k] = left ? from[i++] : from[j++];
    }
}

/* Bottom up; returns which of the two holds the result. */
static struct place *merge_sort(struct place *a, struct place *b, int64_t n)
{
    for (int64_t width = 1; width < n; width *= 2) {
        struct place *swap = a;

        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            int64_t middle = begin + width < n ? begin + width : n;
            int64_t end = middle + width < n ? middle + width : n;

            merge(a, b, begin, middle, end);
        }
        a = b;
        b = swap;
    }
    return a;
}

static void permute_int64(int64_t *values, const struct place *order, int64_t n, int64_t *room)
{
    memcpy(room, values, (size_t)n * sizeof *room);
    for (int64_t i = 0; i < n; i++)
        values[i] = room[order[i].index];
}

static void permute_int32(int32_t *values, const struct place *order, int64_t n, int32_t *room)
{
    memcpy(room, values, (size_t)n * sizeof *room);
    for (int64_t i = 0; i < n; i++)
        values[i] = room[order[i].index];
}

static int in_order(const struct rf_workload *w)
{
    for (int64_t i = 1; i < w->n; i++)
        if (w->submit_us[i] < w->submit_us[i - 1])
            return 0;
    return 1;
}

enum rf_status rf_workload_sort(struct rf_workload *w, struct rf_error *err)
{
    struct place *places, *order;
    void *room;

    if (in_order(w))
        return RF_OK;
    places = malloc(2 * (size_t)w->n * sizeof *places);
    room = malloc((size_t)w->n * sizeof(int64_t));
    if (places == NULL || room == NULL) {
        free(places);
        free(room);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the order of %lld jobs",
                       (long long)w->n);
    }
    for (int64_t i = 0; i < w->n; i++)
        places[i] = (struct place){w->submit_us[i], i};
    order = merge_sort(places, places + w->n, w->n);
    permute_int64(w->submit_us, order, w->n, room);
    permute_int64(w->run_us, order, w->n, room);
    permute_int64(w->limit_us, order, w->n, room);
    permute_int32(w->min, order, w->n, room);
    permute_int32(w->account, order, w->n, room);
    if (w->max != NULL)
        permute_int32(w->max, order, w->n, room);
    free(places);
    free(room);
    return RF_OK;
}

/* ---- copies ------------------------------------------------------------ */

/* All arrays `copies` times behind one another; submissions come later. */
static void copy_jobs(struct rf_workload *to, const struct rf_workload *from, int copies)
{
    size_t n = (size_t)from->n;

    for (size_t k = 0; k < (size_t)copies; k++) {
        memcpy(to->submit_us + k * n, from->submit_us, n * sizeof *to->submit_us);
        memcpy(to->run_us + k * n, from->run_us, n * sizeof *to->run_us);
        memcpy(to->limit_us + k * n, from->limit_us, n * sizeof *to->limit_us);
        memcpy(to->min + k * n, from->min, n * sizeof *to->min);
        memcpy(to->account + k * n, from->account, n * sizeof *to->account);
        if (from->max != NULL)
            memcpy(to->max + k * n, from->max, n * sizeof *to->max);
    }
}

enum rf_status rf_workload_repeat(struct rf_workload *w, int copies, struct rf_error *err)
{
    struct rf_workload many;
    int64_t first, step;
    enum rf_status st;

    if (copies < 1)
        return rf_fail(err, RF_ERR_ARG, "%d copies of a workload", copies);
    if (copies == 1 || w->n == 0)
        return RF_OK;
    first = w->submit_us[0];
    step = w->submit_us[w->n - 1] - first + 1000000;
    if (w->n > INT32_MAX / copies || (INT64_MAX / 2 - first) / copies < step)
        return rf_fail(err, RF_ERR_ARG, "%d copies of %lld jobs are too many", copies,
                       (long long)w->n);
    st = rf_workload_create(&many, w->n * copies, err);
    if (st == RF_OK && w->max != NULL) {
        many.max = calloc((size_t)many.n, sizeof *many.max);
        if (many.max == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld jobs", (long long)many.n);
    }
    if (st != RF_OK) {
        rf_workload_clear(&many);
        return st;
    }
    copy_jobs(&many, w, copies);
    for (int64_t i = 0; i < many.n; i++)
        many.submit_us[i] += i / w->n * step;
    many.accounts = w->accounts; /* moves over */
    many.naccounts = w->naccounts;
    many.origin_us = w->origin_us;
    memcpy(many.source, w->source, sizeof many.source);
    w->accounts = NULL;
    rf_workload_clear(w);
    *w = many;
    return RF_OK;
}
