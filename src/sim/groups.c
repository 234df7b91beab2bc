#include "sim/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/metrics.h"

struct candidate {
    const char *name;
    size_t length;
    struct rf_sum demand;
};

static int by_name(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->length < y->length ? x->length : y->length);

    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

static int by_demand(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->demand.high != y->demand.high)
        return x->demand.high > y->demand.high ? -1 : 1;
    if (x->demand.low != y->demand.low)
        return x->demand.low > y->demand.low ? -1 : 1;
    return by_name(a, b);
}

/* Equal names are summed; returns how many are left, the most demanding first. */
static int rank(struct candidate *candidates, int n)
{
    int kept = 0;

    qsort(candidates, (size_t)n, sizeof *candidates, by_name);
    for (int i = 0; i < n; i++)
        if (kept > 0 && by_name(&candidates[kept - 1], &candidates[i]) == 0)
            rf_sum_merge(&candidates[kept - 1].demand, &candidates[i].demand);
        else
            candidates[kept++] = candidates[i];
    qsort(candidates, (size_t)kept, sizeof *candidates, by_demand);
    return kept;
}

/* So many bytes have the first `depth` parts of a name; 0: all of it. */
static size_t prefix_of(const char *name, int depth)
{
    size_t length = strcspn(name, ".");

    if (depth == 0)
        return strlen(name);
    for (; depth > 1 && name[length] == '.'; depth--)
        length += 1 + strcspn(name + length + 1, ".");
    return length;
}

/* The first level at which the names differ; they do, because no two are the same. */
static int depth_of(const struct rf_workload *w)
{
    int depth = w->naccounts > RF_GROUPS_MAX;

    for (int32_t a = 1; depth > 0 && a < w->naccounts;) {
        size_t length = prefix_of(w->accounts[0], depth);

        if (prefix_of(w->accounts[a], depth) != length ||
            memcmp(w->accounts[a], w->accounts[0], length) != 0)
            break;
        if (++a == w->naccounts) {
            depth++;
            a = 1;
        }
    }
    return depth;
}

enum rf_status rf_groups_choose(struct rf_groups *groups, const struct rf_workload *w,
                                struct rf_error *err)
{
    size_t n = (size_t)w->naccounts;
    struct candidate *candidates = calloc(n + 1, sizeof *candidates);
    int kept;

    if (candidates == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu accounts", n);
    groups->depth = depth_of(w);
    for (size_t a = 0; a < n; a++) {
        candidates[a].name = w->accounts[a];
        candidates[a].length = prefix_of(w->accounts[a], groups->depth);
    }
    for (int64_t j = 0; j < w->n; j++)
        rf_sum_add_product(&candidates[w->account[j]].demand, w->run_us[j], w->min[j]);
    kept = rank(candidates, w->naccounts);
    groups->n = kept < RF_GROUPS_MAX ? kept : RF_GROUPS_MAX;
    for (int g = 0; g < groups->n; g++)
        if (g == RF_GROUPS_MAX - 1 && kept > RF_GROUPS_MAX)
            snprintf(groups->names[g], RF_NAME_BYTES, "other");
        else
            snprintf(groups->names[g], RF_NAME_BYTES, "%.*s", (int)candidates[g].length,
                     candidates[g].name);
    free(candidates);
    return RF_OK;
}

int rf_groups_find(const struct rf_groups *groups, const char *account)
{
    size_t length = prefix_of(account, groups->depth);

    for (int g = 0; g < groups->n; g++)
        if (strlen(groups->names[g]) == length &&
            memcmp(groups->names[g], account, length) == 0)
            return g;
    return groups->n > 0 && strcmp(groups->names[groups->n - 1], "other") == 0 ? groups->n - 1
                                                                               : -1;
}
