/* Distributed matrices, and ridge regression against a plain solve of the same equations. */
#include "mpi/panel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"

enum { N = 61, D = 37, K = 3, SIZE = (D + 1) * K };

/* Example i of a data set that every rank can make: features with means and scales of their
 * own, outputs that depend on them and on noise. */
static void example(int i, double *x, double *y)
{
    for (int c = 0; c < D; c++)
        x[c] = (1 + c % 5) * rf_rng_normal(1, 0, (uint64_t)(i * D + c)) + c % 7 - 2;
    for (int k = 0; k < K; k++) {
        y[k] = k + 0.1 * rf_rng_normal(2, 0, (uint64_t)(i * K + k));
        for (int c = k; c < D; c += 4)
            y[k] += 0.3 * x[c];
    }
}

static double all_x[N * D], all_y[N * K]; /* the whole set */

/* A x = b for K right-hand sides in place, by elimination with pivots. */
static void eliminate(double a[D][D], double b[D][K])
{
    for (int j = 0; j < D; j++) {
        int top = j;

        for (int i = j; i < D; i++)
            top = fabs(a[i][j]) > fabs(a[top][j]) ? i : top;
        for (int c = 0; c < D; c++) {
            double t = a[j][c];

            a[j][c] = a[top][c];
            a[top][c] = t;
        }
        for (int c = 0; c < K; c++) {
            double t = b[j][c];

            b[j][c] = b[top][c];
            b[top][c] = t;
        }
        for (int i = 0; i < D; i++) {
            double f = i == j ? 0 : a[i][j] / a[j][j];

            for (int c = 0; c < D; c++)
                a[i][c] -= f * a[j][c];
            for (int c = 0; c < K; c++)
                b[i][c] -= f * b[j][c];
        }
    }
    for (int i = 0; i < D; i++)
        for (int c = 0; c < K; c++)
            b[i][c] /= a[i][i];
}

static void plain_ridge(double lambda, double *w)
{
    static double a[D][D], b[D][K];
    double mx[D] = {0}, my[K] = {0};

    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < D; c++)
            mx[c] += all_x[i * D + c] / N;
        for (int c = 0; c < K; c++)
            my[c] += all_y[i * K + c] / N;
    }
    for (int i = 0; i < N; i++)
        for (int c = 0; c < D; c++) {
            double x = (all_x[i * D + c] - mx[c]) / N;

            for (int e = 0; e < D; e++)
                a[c][e] += x * (all_x[i * D + e] - mx[e]);
            for (int k = 0; k < K; k++)
                b[c][k] += x * (all_y[i * K + k] - my[k]);
        }
    for (int c = 0; c < D; c++)
        a[c][c] += lambda;
    eliminate(a, b);
    memcpy(w, b, sizeof b);
    for (int k = 0; k < K; k++) {
        w[D * K + k] = my[k];
        for (int c = 0; c < D; c++)
            w[D * K + k] -= mx[c] * b[c][k];
    }
}

/* The examples begin .. begin+count-1 as this rank's. */
static struct rf_ridge_data part(int begin, int count)
{
    return (struct rf_ridge_data){.x = all_x + begin * D,
                                  .y = all_y + begin * K,
                                  .nlocal = count,
                                  .width = D,
                                  .outputs = K};
}

static struct rf_ridge_data my_slice(const struct rf_group *world)
{
    struct rf_slice s = rf_slice(N, world->rank, world->size);

    return part((int)s.begin, (int)s.count);
}

/* Everything on the last rank but one example, which the first has. */
static struct rf_ridge_data lopsided(const struct rf_group *world)
{
    if (world->rank == world->size - 1)
        return world->size == 1 ? part(0, N) : part(1, N - 1);
    return part(0, world->rank == 0);
}

static double difference(const double *a, const double *b, int n)
{
    double worst = 0, largest = 0;

    for (int i = 0; i < n; i++) {
        worst = fmax(worst, fabs(a[i] - b[i]));
        largest = fmax(largest, fabs(b[i]));
    }
    return worst / largest;
}

static void a_panel_holds_each_column_once(const struct rf_group *world)
{
    struct rf_panel_grid grid;
    struct rf_panel panel;
    struct rf_error err;
    static double whole[D * 4 * 5], x[5 * D];
    int columns = world->size * 5, n = world->rank % 2 == 0 ? 5 : 3, right = 1;

    rf_panel_grid_make(&grid, world);
    CHECK(rf_panel_make(&panel, &grid, D, columns, 5, &err) == RF_OK);
    CHECK(panel.nlocal == 5);
    for (int i = 0; i < 5 * D; i++)
        x[i] = 1000 * world->rank + i;
    rf_panel_fill(&panel, x, n, NULL);
    rf_panel_gather(&panel, whole);
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < D; r++) {
            int rank = c / 5, i = c % 5, there = i < (rank % 2 == 0 ? 5 : 3);

            right = right && whole[r * columns + c] == (there ? 1000 * rank + i * D + r : 0);
        }
    CHECK(right);
    rf_panel_clear(&panel);

    CHECK(rf_panel_make(&panel, &grid, D, 7, 2, &err) ==
          RF_OK); /* more blocks than ranks, or fewer */
    for (int i = 0; i < panel.nlocal * D; i++)
        panel.data[i] = 1;
    rf_panel_gather(&panel, whole);
    for (int i = 0; i < 7 * D; i++)
        right = right && whole[i] == 1;
    CHECK(right);
    rf_panel_clear(&panel);
    rf_panel_grid_free(&grid);
}

static void ridge_equals_the_plain_solve_however_rows_are_shared(const struct rf_group *world)
{
    static const double lambda[] = {0, 1e-3, 0.5, 20};
    static double plain[SIZE], w[4 * SIZE], other[4 * SIZE], first[4 * SIZE];
    struct rf_ridge_data even = my_slice(world), uneven = lopsided(world);
    struct rf_error err;

    CHECK(rf_panel_ridge(world, &even, lambda, 4, w, &err) == RF_OK);
    CHECK(rf_panel_ridge(world, &uneven, lambda, 4, other, &err) == RF_OK);
    for (int i = 0; i < 4; i++) {
        plain_ridge(lambda[i], plain);
        CHECK(difference(w + i * SIZE, plain, SIZE) < 1e-9);
        CHECK(difference(other + i * SIZE, plain, SIZE) < 1e-9);
    }
    memcpy(first, w, sizeof first);
    rf_group_bcast(world, first, sizeof first, 0);
    CHECK(memcmp(first, w, sizeof first) == 0);
}

/* Weak-to-strong in one picture (Charikar et al. 2024): the truth is linear in the features, the
 * weak labels are anything, the student is their least-squares fit. Then what the student gains
 * over its supervisor is exactly what it misfits it by. */
static void gain_is_misfit_for_least_squares(const struct rf_group *world)
{
    static double weak[N * K], truth[N * K], map[SIZE];
    struct rf_slice mine = rf_slice(N, world->rank, world->size);
    const double none = 0;
    double gain[K] = {0}, misfit[K] = {0};
    struct rf_error err;

    for (int i = 0; i < N * K; i++)
        weak[i] = all_y[i] + sin(3.0 * i);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < K; k++) {
            truth[i * K + k] = 1 + k;
            for (int c = k; c < D; c += 3)
                truth[i * K + k] += (0.1 + 0.01 * c) * all_x[i * D + c];
        }
    const struct rf_ridge_data data = {.x = all_x + mine.begin * D,
                                       .y = weak + mine.begin * K,
                                       .nlocal = (int)mine.count,
                                       .width = D,
                                       .outputs = K};
    CHECK(rf_panel_ridge(world, &data, &none, 1, map, &err) == RF_OK);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < K; k++) {
            double student = map[D * K + k], w = weak[i * K + k], t = truth[i * K + k];

            for (int c = 0; c < D; c++)
                student += all_x[i * D + c] * map[c * K + k];
            gain[k] += (w - t) * (w - t) - (student - t) * (student - t);
            misfit[k] += (w - student) * (w - student);
        }
    for (int k = 0; k < K; k++)
        CHECK(misfit[k] > 1 && fabs(gain[k] - misfit[k]) < 1e-9 * misfit[k]);
}

static void a_huge_ridge_leaves_the_mean(const struct rf_group *world)
{
    static double w[SIZE];
    const double lambda = 1e12;
    struct rf_ridge_data data = my_slice(world);
    struct rf_error err;

    CHECK(rf_panel_ridge(world, &data, &lambda, 1, w, &err) == RF_OK);
    for (int i = 0; i < D * K; i++)
        CHECK(fabs(w[i]) < 1e-9);
    for (int k = 0; k < K; k++) {
        double mean = 0;

        for (int i = 0; i < N; i++)
            mean += all_y[i * K + k] / N;
        CHECK(fabs(w[D * K + k] - mean) < 1e-6);
    }
}

/* Without a ridge a feature that repeats another has no weight of its own. */
static void dependent_features_are_refused_everywhere(const struct rf_group *world)
{
    static double x[N * D], w[SIZE];
    const double none = 0, some = 1e-3;
    struct rf_ridge_data data = my_slice(world);
    struct rf_error err;

    memcpy(x, data.x, (size_t)(data.nlocal * D) * sizeof *x);
    for (int i = 0; i < data.nlocal; i++)
        x[i * D + D - 1] = x[i * D] - 2 * x[i * D + 4];
    data.x = x;
    CHECK(rf_panel_ridge(world, &data, &none, 1, w, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "not positive definite") != NULL);
    CHECK(rf_panel_ridge(world, &data, &some, 1, w, &err) == RF_OK);
    for (int i = 0; i < data.nlocal; i++)
        x[i * D + D - 1] = 5;
    CHECK(rf_panel_ridge(world, &data, &none, 1, w, &err) == RF_ERR_INPUT);
}

static void bad_examples_on_one_rank_are_heard_of_by_all(const struct rf_group *world)
{
    static double y[N * K], w[SIZE];
    const double lambda = 1;
    struct rf_ridge_data data = my_slice(world), nothing = part(0, 0);
    struct rf_error err;
    char expected[40];

    memcpy(y, data.y, (size_t)(data.nlocal * K) * sizeof *y);
    if (world->rank == world->size - 1)
        y[K + 1] = NAN;
    data.y = y;
    CHECK(rf_panel_ridge(world, &data, &lambda, 1, w, &err) == RF_ERR_INPUT);
    snprintf(expected, sizeof expected, "example 1 on rank %d", world->size - 1);
    CHECK(strstr(err.text, expected) != NULL);
    CHECK(rf_panel_ridge(world, &nothing, &lambda, 1, w, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "no examples") != NULL);
}

/* Jobs come and go: grids must give back what they take, also on some of the ranks only. */
static void grids_can_be_made_again_and_again(const struct rf_group *world)
{
    static double w[SIZE], plain[SIZE];
    const double lambda = 0.5;
    struct rf_group half;
    struct rf_error err;

    plain_ridge(lambda, plain);
    MPI_Comm_split(world->comm, world->rank % 2, world->rank, &half.comm);
    MPI_Comm_rank(half.comm, &half.rank);
    MPI_Comm_size(half.comm, &half.size);
    for (int i = 0; i < 40 + 20 * (world->rank % 2); i++) {
        struct rf_ridge_data data = my_slice(&half);

        CHECK(rf_panel_ridge(&half, &data, &lambda, 1, w, &err) == RF_OK);
        CHECK(difference(w, plain, SIZE) < 1e-9);
    }
    rf_group_free(&half);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int status;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    for (int i = 0; i < N; i++)
        example(i, all_x + i * D, all_y + i * K);
    a_panel_holds_each_column_once(&world);
    ridge_equals_the_plain_solve_however_rows_are_shared(&world);
    gain_is_misfit_for_least_squares(&world);
    a_huge_ridge_leaves_the_mean(&world);
    dependent_features_are_refused_everywhere(&world);
    bad_examples_on_one_rank_are_heard_of_by_all(&world);
    grids_can_be_made_again_and_again(&world);
    status = check_result();
    rf_group_free(&world);
    MPI_Finalize();
    return status;
}
