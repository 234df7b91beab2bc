/* grid.h - the cells of an ensemble: scenarios x orders x fences x shares x seeds.
 *
 * Cells are numbered in that order, the seed fastest. A cell is a scenario of its own. Cells of
 * one scenario and seed differ in nothing but policy and share: the same jobs and the same failures
 * meet every one of them (common random numbers), and their jobs need to be made only once. */
#ifndef RF_SIM_GRID_H
#define RF_SIM_GRID_H

#include "sim/scenario.h"

enum { RF_GRID_CELLS_MAX = 20000 };

struct rf_grid_cell {
    int scenario; /* index */
    char order[16], fence[16];
    struct rf_share share; /* of the first pledge; 0/1 without one */
    int64_t seed;
};

struct rf_grid {
    struct rf_grid_cell *cells; /* owned */
    int n;
    /* The order in which they are best run: cells that share their jobs stand together. Owned. */
    int *turns;
};

/* The cells of n scenarios. RF_ERR_CONFIG: more than RF_GRID_CELLS_MAX of them. The caller ends
 * *grid with rf_grid_clear(). */
enum rf_status rf_grid_make(struct rf_grid *grid, const struct rf_scenario *scenarios, int n,
                            struct rf_error *err);
void rf_grid_clear(struct rf_grid *grid);

/* The scenario of one cell: a copy of its scenario, whose lists it borrows but for the pledges,
 * with an empty grid. The caller ends it with rf_grid_scenario_clear(). */
enum rf_status rf_grid_scenario(struct rf_scenario *of_cell, const struct rf_grid *grid,
                                int cell, const struct rf_scenario *scenarios,
                                struct rf_error *err);
void rf_grid_scenario_clear(struct rf_scenario *of_cell);

#endif
