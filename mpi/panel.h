/* panel.h - dense double matrices spread over the ranks of a group, and the linear algebra that
 * ScaLAPACK does on them.
 *
 * The ranks form one row of a process grid, so a panel keeps whole columns together: columns
 * come in blocks of `block`, and block b lives on rank b mod size. Elements lie column by
 * column, as Fortran has them. No other file knows ScaLAPACK. */
#ifndef RF_MPI_PANEL_H
#define RF_MPI_PANEL_H

#include "mpi/group.h"

/* The process grid of a group. */
struct rf_panel_grid {
    const struct rf_group *group; /* borrowed */
    int handle, context;          /* BLACS' names for the communicator and for the grid */
};

/* Collective on group, which must outlive the grid; the maker frees it. Costs a few
 * communicators, so one grid should serve a whole computation. */
void rf_panel_grid_make(struct rf_panel_grid *grid, const struct rf_group *group);
/* Collective on the grid's group. */
void rf_panel_grid_free(struct rf_panel_grid *grid);

struct rf_panel {
    const struct rf_panel_grid *grid; /* borrowed */
    int rows, columns, block;         /* of the whole matrix */
    int nlocal;                       /* columns that are here */
    double *data;      /* owned [nlocal][rows]: local column after local column */
    int descriptor[9]; /* the same in ScaLAPACK's words */
};

/* Local, with equal arguments on all ranks: a matrix of zeros. rows, columns and block are at
 * least 1. The caller ends it with rf_panel_clear(), which a zeroed panel survives; on failure
 * the panel is zeroed. Agree before the first use. */
enum rf_status rf_panel_make(struct rf_panel *panel, const struct rf_panel_grid *grid, int rows,
                             int columns, int block, struct rf_error *err);
void rf_panel_clear(struct rf_panel *panel);

/* Local: makes x[0 .. n-1][panel->rows], row-major, this rank's first n columns, less
 * mean[rows] (NULL: nothing is subtracted); n is at most nlocal. With block the largest n of
 * any rank and size x block columns, each rank's rows of a data set become its own block of the
 * transposed set without a message; the columns behind them stay zero and add nothing to
 * products. */
void rf_panel_fill(struct rf_panel *panel, const double *x, int n, const double *mean);

/* Collective on the grid's group: the whole matrix, row-major [rows][columns], the same bits on
 * every rank. At most INT_MAX elements. */
void rf_panel_gather(const struct rf_panel *panel, double *whole);

/* Examples for a regression, shared out over the ranks in any manner; a rank may have none. */
struct rf_ridge_data {
    const double *x; /* borrowed [nlocal][width] */
    const double *y; /* borrowed [nlocal][outputs] */
    int nlocal;
    int width, outputs; /* equal on all ranks, at least 1 */
};

/* Collective on group: ridge regression with an intercept that is not penalised. For each
 * lambda (equal on all ranks, >= 0), with n examples on all ranks together, it finds the W and
 * b that minimise
 *
 *     1/n sum_i |y_i - x_i W - b|^2 + lambda |W|^2
 *
 * from the normal equations of the centred data, (X'X / n + lambda I) W = X'Y / n and
 * b = mean(y) - mean(x) W, by distributed products and a distributed Cholesky factorisation.
 * lambda has the unit of a squared feature. The products are formed once for all lambdas.
 *
 * w [nlambda][width + 1][outputs]: W and, as the last row, b; the same bits on every rank.
 * RF_ERR_INPUT, agreed, and w undefined: no examples, a value that is not finite, or features
 * so dependent on each other that this lambda leaves no unique answer. */
enum rf_status rf_panel_ridge(const struct rf_group *group, const struct rf_ridge_data *data,
                              const double *lambda, int nlambda, double *w,
                              struct rf_error *err);

#endif
