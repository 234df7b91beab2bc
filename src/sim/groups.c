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

enum rf_status rf_groups_choose(struct rf_groups *groups, const struct rf_workload *w,
                                struct rf_error *err)
{
    size_t n = (size_t)w->naccounts;
    struct candidate *candidates = calloc(n + 1, sizeof *candidates);
    int kept, roots = w->naccounts > RF_GROUPS_MAX;

    if (candidates == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu accounts", n);
    for (size_t a = 0; a < n; a++) {
        candidates[a].name = w->accounts[a];
        candidates[a].length = roots ? strcspn(w->accounts[a], ".") : strlen(w->accounts[a]);
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
    size_t root = strcspn(account, ".");

    for (int g = 0; g < groups->n; g++)
        if (strcmp(groups->names[g], account) == 0)
            return g;
    for (int g = 0; g < groups->n; g++)
        if (strlen(groups->names[g]) == root && memcmp(groups->names[g], account, root) == 0)
            return g;
    return groups->n > 0 && strcmp(groups->names[groups->n - 1], "other") == 0 ? groups->n - 1
                                                                               : -1;
}
