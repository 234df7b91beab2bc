#include "sim/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many values a dimension has: an empty list stands for the scenario's own value. */
static int at_least_one(int n)
{
    return n > 0 ? n : 1;
}

static int64_t count(const struct rf_scenario *s)
{
    const struct rf_grid_spec *g = &s->grid;

    return (int64_t)at_least_one(g->norders) * at_least_one(g->nfences) *
           at_least_one(g->nshares) * at_least_one(g->seeds);
}

static struct rf_share own_share(const struct rf_scenario *s)
{
    return s->npledges > 0 ? s->pledges[0].pledge.share : (struct rf_share){0, 1};
}

/* Word `i` of the list, or the scenario's own. */
static void take_word(char to[16], char words[][RF_NAME_BYTES], int n, int i, const char *own)
{
    snprintf(to, 16, "%.15s", n > 0 ? words[i] : own);
}

static void add_cells(struct rf_grid *grid, const struct rf_scenario *s, int index)
{
    struct rf_grid_spec g = s->grid;

    for (int o = 0; o < at_least_one(g.norders); o++)
        for (int f = 0; f < at_least_one(g.nfences); f++)
            for (int h = 0; h < at_least_one(g.nshares); h++)
                for (int k = 0; k < at_least_one(g.seeds); k++) {
                    struct rf_grid_cell *cell = &grid->cells[grid->n++];

                    cell->scenario = index;
                    take_word(cell->order, g.orders, g.norders, o, s->order);
                    take_word(cell->fence, g.fences, g.nfences, f, s->fence);
                    cell->share = g.nshares > 0 ? g.shares[h] : own_share(s);
                    cell->seed = s->seed + k;
                }
}

struct turn {
    int scenario, cell;
    int64_t seed;
};

static int by_jobs(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    if (x->scenario != y->scenario)
        return x->scenario < y->scenario ? -1 : 1;
    if (x->seed != y->seed)
        return x->seed < y->seed ? -1 : 1;
    return x->cell < y->cell ? -1 : x->cell > y->cell;
}

static enum rf_status take_turns(struct rf_grid *grid, struct rf_error *err)
{
    struct turn *turns = malloc(((size_t)grid->n + 1) * sizeof *turns);

    if (turns == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d cells", grid->n);
    for (int i = 0; i < grid->n; i++)
        turns[i] = (struct turn){grid->cells[i].scenario, i, grid->cells[i].seed};
    qsort(turns, (size_t)grid->n, sizeof *turns, by_jobs);
    for (int i = 0; i < grid->n; i++)
        grid->turns[i] = turns[i].cell;
    free(turns);
    return RF_OK;
}

enum rf_status rf_grid_make(struct rf_grid *grid, const struct rf_scenario *scenarios, int n,
                            struct rf_error *err)
{
    int64_t cells = 0;
    enum rf_status st;

    *grid = (struct rf_grid){0};
    for (int i = 0; i < n; i++) {
        cells += count(&scenarios[i]); /* at most 64^3 x 10^6 each */
        if (cells > RF_GRID_CELLS_MAX)
            return rf_fail(err, RF_ERR_CONFIG,
                           "the grid has more than %d cells (orders x fences x shares x seeds)",
                           RF_GRID_CELLS_MAX);
    }
    grid->cells = calloc((size_t)cells + 1, sizeof *grid->cells);
    grid->turns = calloc((size_t)cells + 1, sizeof *grid->turns);
    if (grid->cells == NULL || grid->turns == NULL) {
        rf_grid_clear(grid);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld cells", (long long)cells);
    }
    for (int i = 0; i < n; i++)
        add_cells(grid, &scenarios[i], i);
    st = take_turns(grid, err);
    if (st != RF_OK)
        rf_grid_clear(grid);
    return st;
}

void rf_grid_clear(struct rf_grid *grid)
{
    free(grid->cells);
    free(grid->turns);
    *grid = (struct rf_grid){0};
}

enum rf_status rf_grid_scenario(struct rf_scenario *of_cell, const struct rf_grid *grid,
                                int cell, const struct rf_scenario *scenarios,
                                struct rf_error *err)
{
    const struct rf_grid_cell *c = &grid->cells[cell];
    const struct rf_scenario *s = &scenarios[c->scenario];
    size_t n = (size_t)s->npledges;
    struct rf_pledge_plan *plans = malloc((n + 1) * sizeof *plans);

    *of_cell = rf_scenario_make();
    if (plans == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cell");
    *of_cell = *s;
    of_cell->grid = rf_scenario_make().grid;
    memcpy(of_cell->order, c->order, sizeof of_cell->order);
    memcpy(of_cell->fence, c->fence, sizeof of_cell->fence);
    of_cell->seed = c->seed;
    if (n > 0) {
        memcpy(plans, s->pledges, n * sizeof *plans);
        plans[0].pledge.share = c->share;
    }
    of_cell->pledges = plans;
    return RF_OK;
}

void rf_grid_scenario_clear(struct rf_scenario *of_cell)
{
    free(of_cell->pledges);
    *of_cell = rf_scenario_make();
}
