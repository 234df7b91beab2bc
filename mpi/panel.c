/* Ridge regression without moving the data: each rank's examples are a block of columns of the
 * transposed data set, padded with zeros to the largest share, so that the block-cyclic layout
 * that ScaLAPACK wants is the one the data has already. The products X X' and X Y' are then the
 * only messages that grow with the width, and none grows with the examples. */
#include "mpi/panel.h"

#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- ScaLAPACK ----------------------------------------------------------- */

/* It has no header of its own. Routines that are written in Fortran take the lengths of their
 * strings behind all other arguments. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, char *order, int nprow, int npcol);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *nb, const int *iproc, const int *isrcproc,
            const int *nprocs);
void descinit_(int *desc, const int *m, const int *n, const int *mb, const int *nb,
               const int *irsrc, const int *icsrc, const int *ictxt, const int *lld, int *info);
void pdsyrk_(const char *uplo, const char *trans, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja,
             const int *desca, const double *beta, double *c, const int *ic, const int *jc,
             const int *descc);
void pdgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja,
             const int *desca, const double *b, const int *ib, const int *jb, const int *descb,
             const double *beta, double *c, const int *ic, const int *jc, const int *descc);
void pdpotrf_(const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desca, int *info, size_t uplo_length);
void pdpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *ia,
              const int *ja, const int *desca, double *b, const int *ib, const int *jb,
              const int *descb, int *info, size_t uplo_length);

static const int ZERO = 0, ONE = 1;

enum { SQUARE_BLOCK = 32 };

/* ---- grids and panels ------------------------------------------------------ */

void rf_panel_grid_make(struct rf_panel_grid *grid, const struct rf_group *group)
{
    char order[] = "Row";

    grid->group = group;
    grid->handle = Csys2blacs_handle(group->comm);
    grid->context = grid->handle;
    Cblacs_gridinit(&grid->context, order, 1, group->size);
}

void rf_panel_grid_free(struct rf_panel_grid *grid)
{
    Cblacs_gridexit(grid->context);
    Cfree_blacs_system_handle(grid->handle);
}

enum rf_status rf_panel_make(struct rf_panel *panel, const struct rf_panel_grid *grid, int rows,
                             int columns, int block, struct rf_error *err)
{
    const struct rf_group *group = grid->group;
    int info = 0;
    size_t n;

    assert(rows >= 1 && columns >= 1 && block >= 1);
    *panel = (struct rf_panel){
        .grid = grid,
        .rows = rows,
        .columns = columns,
        .block = block,
        .nlocal = numroc_(&columns, &block, &group->rank, &ZERO, &group->size)};
    n = (size_t)panel->nlocal * (size_t)rows;
    panel->data = calloc(n > 0 ? n : 1, sizeof *panel->data);
    if (panel->data == NULL) {
        *panel = (struct rf_panel){0};
        return rf_fail(err, RF_ERR_MEMORY,
                       "out of memory: this rank's part of a %d x %d matrix", rows, columns);
    }
    descinit_(panel->descriptor, &rows, &columns, &block, &block, &ZERO, &ZERO, &grid->context,
              &rows, &info);
    assert(info == 0);
    return RF_OK;
}

void rf_panel_clear(struct rf_panel *panel)
{
    free(panel->data);
    *panel = (struct rf_panel){0};
}

void rf_panel_fill(struct rf_panel *panel, const double *x, int n, const double *mean)
{
    size_t rows = (size_t)panel->rows;

    assert(n <= panel->nlocal);
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t r = 0; r < rows; r++)
            panel->data[i * rows + r] = x[i * rows + r] - (mean != NULL ? mean[r] : 0);
}

/* The column of the whole matrix that is this rank's j-th. */
static int column_of(const struct rf_panel *panel, int j)
{
    const struct rf_group *group = panel->grid->group;

    return (j / panel->block * group->size + group->rank) * panel->block + j % panel->block;
}

void rf_panel_gather(const struct rf_panel *panel, double *whole)
{
    size_t rows = (size_t)panel->rows, columns = (size_t)panel->columns;

    assert(rows * columns <= INT_MAX);
    memset(whole, 0, rows * columns * sizeof *whole);
    for (int j = 0; j < panel->nlocal; j++)
        for (size_t r = 0; r < rows; r++)
            whole[r * columns + (size_t)column_of(panel, j)] =
                panel->data[(size_t)j * rows + r];
    /* each element is one rank's value and zeros, so the sum is exact */
    MPI_Allreduce(MPI_IN_PLACE, whole, (int)(rows * columns), MPI_DOUBLE, MPI_SUM,
                  panel->grid->group->comm);
}

/* ---- ridge regression ------------------------------------------------------ */

struct ridge {
    const struct rf_group *group;
    const struct rf_ridge_data *data;
    struct rf_panel_grid grid;
    double *mean;            /* owned [width + outputs]: of x, then of y */
    int64_t n;               /* examples on all ranks */
    int share;               /* the most that one rank has */
    struct rf_panel x, y;    /* transposed, centred, a block per rank */
    struct rf_panel gram;    /* X'X / n, lower triangle */
    struct rf_panel cross;   /* X'Y / n */
    struct rf_panel factor;  /* Cholesky factor for one lambda */
    struct rf_panel weights; /* W for one lambda */
};

static enum rf_status check_finite(const struct ridge *r, const double *values, int columns,
                                   struct rf_error *err)
{
    for (int i = 0; i < r->data->nlocal; i++)
        for (int c = 0; c < columns; c++) {
            double v = values[(size_t)i * (size_t)columns + (size_t)c];

            if (!isfinite(v))
                return rf_fail(
                    err, RF_ERR_INPUT,
                    "cannot fit a regression: a value of example %d on rank %d is %g, "
                    "not finite",
                    i, r->group->rank, v);
        }
    return RF_OK;
}

/* Collective: how many examples there are, and where their mean lies. */
static enum rf_status find_means(struct ridge *r, struct rf_error *err)
{
    const struct rf_ridge_data *data = r->data;
    size_t d = (size_t)data->width, k = (size_t)data->outputs;
    enum rf_status st = RF_OK;

    r->n = r->share = data->nlocal;
    MPI_Allreduce(MPI_IN_PLACE, &r->n, 1, MPI_INT64_T, MPI_SUM, r->group->comm);
    MPI_Allreduce(MPI_IN_PLACE, &r->share, 1, MPI_INT, MPI_MAX, r->group->comm);
    if (r->n == 0)
        st = rf_fail(err, RF_ERR_INPUT, "cannot fit a regression to no examples");
    if (r->share > INT_MAX / r->group->size)
        st = rf_fail(err, RF_ERR_INPUT,
                     "cannot fit a regression to %d examples on each of %d ranks", r->share,
                     r->group->size);
    if (st == RF_OK)
        st = check_finite(r, data->x, data->width, err);
    if (st == RF_OK)
        st = check_finite(r, data->y, data->outputs, err);
    r->mean = calloc(d + k, sizeof *r->mean);
    if (st == RF_OK && r->mean == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: the mean of %zu features", d);
    st = rf_agree(r->group, st, err);
    if (st != RF_OK)
        return st;
    for (size_t i = 0; i < (size_t)data->nlocal; i++) {
        for (size_t c = 0; c < d; c++)
            r->mean[c] += data->x[i * d + c];
        for (size_t c = 0; c < k; c++)
            r->mean[d + c] += data->y[i * k + c];
    }
    MPI_Allreduce(MPI_IN_PLACE, r->mean, (int)(d + k), MPI_DOUBLE, MPI_SUM, r->group->comm);
    for (size_t c = 0; c < d + k; c++)
        r->mean[c] /= (double)r->n;
    return RF_OK;
}

/* Local: the panels, all of them before the first product. */
static enum rf_status make_panels(struct ridge *r, struct rf_error *err)
{
    int d = r->data->width, k = r->data->outputs, columns = r->share * r->group->size;
    enum rf_status st = rf_panel_make(&r->x, &r->grid, d, columns, r->share, err);

    if (st == RF_OK)
        st = rf_panel_make(&r->y, &r->grid, k, columns, r->share, err);
    if (st == RF_OK)
        st = rf_panel_make(&r->gram, &r->grid, d, d, SQUARE_BLOCK, err);
    if (st == RF_OK)
        st = rf_panel_make(&r->factor, &r->grid, d, d, SQUARE_BLOCK, err);
    if (st == RF_OK)
        st = rf_panel_make(&r->cross, &r->grid, d, k, SQUARE_BLOCK, err);
    if (st == RF_OK)
        st = rf_panel_make(&r->weights, &r->grid, d, k, SQUARE_BLOCK, err);
    return st;
}

/* Collective: both sides of the normal equations, without lambda. */
static void form_products(struct ridge *r)
{
    const struct rf_ridge_data *data = r->data;
    const double share = 1 / (double)r->n, nothing = 0;

    rf_panel_fill(&r->x, data->x, data->nlocal, r->mean);
    rf_panel_fill(&r->y, data->y, data->nlocal, r->mean + data->width);
    pdsyrk_("L", "N", &data->width, &r->x.columns, &share, r->x.data, &ONE, &ONE,
            r->x.descriptor, &nothing, r->gram.data, &ONE, &ONE, r->gram.descriptor);
    pdgemm_("N", "T", &data->width, &data->outputs, &r->x.columns, &share, r->x.data, &ONE,
            &ONE, r->x.descriptor, r->y.data, &ONE, &ONE, r->y.descriptor, &nothing,
            r->cross.data, &ONE, &ONE, r->cross.descriptor);
}

static void copy(struct rf_panel *to, const struct rf_panel *from)
{
    memcpy(to->data, from->data, (size_t)from->nlocal * (size_t)from->rows * sizeof *to->data);
}

/* Local: the j-th diagonal element that is here. */
static double *diagonal(const struct rf_panel *panel, int j)
{
    return &panel->data[(size_t)j * (size_t)panel->rows + (size_t)column_of(panel, j)];
}

/* Local: is what elimination has left of each feature more than rounding? */
static int well_posed(const struct ridge *r, double lambda)
{
    double rounding = 4 * r->data->width * DBL_EPSILON;

    for (int j = 0; j < r->factor.nlocal; j++) {
        double left = *diagonal(&r->factor, j);

        if (!(left * left > rounding * (*diagonal(&r->gram, j) + lambda)))
            return 0;
    }
    return 1;
}

/* Collective: w [width + 1][outputs] for one lambda. */
static enum rf_status solve(struct ridge *r, double lambda, double *w, struct rf_error *err)
{
    const struct rf_ridge_data *data = r->data;
    size_t d = (size_t)data->width, k = (size_t)data->outputs;
    int info = 0;
    enum rf_status st = RF_OK;

    copy(&r->factor, &r->gram);
    copy(&r->weights, &r->cross);
    for (int j = 0; j < r->factor.nlocal; j++)
        *diagonal(&r->factor, j) += lambda;
    pdpotrf_("L", &data->width, r->factor.data, &ONE, &ONE, r->factor.descriptor, &info, 1);
    if (info != 0 || !well_posed(r, lambda))
        st = rf_fail(err, RF_ERR_INPUT,
                     "cannot fit a regression: the matrix of its %d features is not positive "
                     "definite with a ridge of %g; a larger ridge may help",
                     data->width, lambda);
    st = rf_agree(r->group, st, err);
    if (st != RF_OK)
        return st;
    pdpotrs_("L", &data->width, &data->outputs, r->factor.data, &ONE, &ONE,
             r->factor.descriptor, r->weights.data, &ONE, &ONE, r->weights.descriptor, &info,
             1);
    assert(info == 0);
    rf_panel_gather(&r->weights, w);
    for (size_t c = 0; c < k; c++) {
        double b = r->mean[d + c];

        for (size_t i = 0; i < d; i++)
            b -= r->mean[i] * w[i * k + c];
        w[d * k + c] = b;
    }
    rf_group_bcast(r->group, w + d * k, k * sizeof *w, 0);
    return RF_OK;
}

static void clear(struct ridge *r)
{
    rf_panel_clear(&r->x);
    rf_panel_clear(&r->y);
    rf_panel_clear(&r->gram);
    rf_panel_clear(&r->cross);
    rf_panel_clear(&r->factor);
    rf_panel_clear(&r->weights);
    free(r->mean);
}

enum rf_status rf_panel_ridge(const struct rf_group *group, const struct rf_ridge_data *data,
                              const double *lambda, int nlambda, double *w,
                              struct rf_error *err)
{
    struct ridge r = {.group = group, .data = data};
    size_t size = ((size_t)data->width + 1) * (size_t)data->outputs;
    enum rf_status st;

    rf_panel_grid_make(&r.grid, group);
    st = find_means(&r, err);
    if (st == RF_OK)
        st = rf_agree(group, make_panels(&r, err), err);
    if (st == RF_OK)
        form_products(&r);
    for (int i = 0; st == RF_OK && i < nlambda; i++)
        st = solve(&r, lambda[i], w + (size_t)i * size, err);
    clear(&r);
    rf_panel_grid_free(&r.grid);
    return st;
}
