/* Vectors of tokens against the matrix that they are of, worked out in full, and against texts whose words
 * are known to be alike. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/ppmi.h"

enum { V = 24, LENGTH = 12, NTEXTS = 60 };

/* Random texts; token V-1 comes once in all. */
static void make_text(int i, int32_t tokens[LENGTH])
{
    for (uint64_t k = 0; k < LENGTH; k++)
        tokens[k] = (int32_t)rf_rng_below(3, (uint64_t)i, k, (uint64_t)(i % 2 ? V - 1 : 5));
    if (i == 7)
        tokens[4] = V - 1;
}

static struct rf_ppmi *counted(void)
{
    struct rf_ppmi *ppmi;
    int32_t tokens[LENGTH];
    struct rf_error err;

    assert_int_equal(rf_ppmi_create(&ppmi, V, &err), RF_OK);
    for (int i = 0; i < NTEXTS; i++) {
        make_text(i, tokens);
        assert_int_equal(rf_ppmi_add(ppmi, tokens, LENGTH, &err), RF_OK);
    }
    return ppmi;
}

/* The definition, word for word. */
static void expect_matrix(double m[V][V])
{
    static double count[V][V];
    double beside[V] = {0}, smooth = 0;

    for (int i = 0; i < NTEXTS; i++) {
        int32_t t[LENGTH];

        make_text(i, t);
        for (int a = 0; a < LENGTH; a++)
            for (int b = 0; b < LENGTH; b++)
                if (a != b && abs(a - b) <= RF_PPMI_WINDOW && t[a] != V - 1 && t[b] != V - 1)
                    count[t[a]][t[b]] += 1.0 / abs(a - b);
    }
    for (int a = 0; a < V; a++)
        for (int b = 0; b < V; b++)
            beside[a] += count[a][b];
    for (int a = 0; a < V; a++)
        smooth += pow(beside[a], 0.75);
    for (int a = 0; a < V; a++)
        for (int b = 0; b < V; b++) {
            double ab = log(count[a][b] / (beside[a] * pow(beside[b], 0.75) / smooth));
            double ba = log(count[a][b] / (beside[b] * pow(beside[a], 0.75) / smooth));

            m[a][b] = count[a][b] > 0 ? (fmax(0, ab) + fmax(0, ba)) / 2 : 0;
        }
}

enum { KNOWN = V - 1 }; /* tokens with a vector */

static void multiply(double to[KNOWN][KNOWN], double a[KNOWN][KNOWN], double b[KNOWN][KNOWN])
{
    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < KNOWN; j++) {
            to[i][j] = 0;
            for (int k = 0; k < KNOWN; k++)
                to[i][j] += a[i][k] * b[k][j];
        }
}

/* The matrix with its eigenvalues made positive: sign(M) M, where X <- X (3 - X^2) / 2 goes from M / |M| to
 * sign(M). */
static void make_positive(double m[KNOWN][KNOWN])
{
    static double x[KNOWN][KNOWN], square[KNOWN][KNOWN], cube[KNOWN][KNOWN];
    double norm = 0;

    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < KNOWN; j++)
            norm += m[i][j] * m[i][j];
    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < KNOWN; j++)
            x[i][j] = m[i][j] / sqrt(norm);
    for (int round = 0; round < 200; round++) {
        multiply(square, x, x);
        multiply(cube, x, square);
        for (int i = 0; i < KNOWN; i++)
            for (int j = 0; j < KNOWN; j++)
                x[i][j] = 1.5 * x[i][j] - 0.5 * cube[i][j];
    }
    multiply(square, x, m);
    memcpy(m, square, sizeof square);
}

/* Takes the means of rows and of columns away. */
static void centre(double m[KNOWN][KNOWN])
{
    double row[KNOWN] = {0}, column[KNOWN] = {0}, all = 0;

    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < KNOWN; j++) {
            row[i] += m[i][j] / KNOWN;
            column[j] += m[i][j] / KNOWN;
            all += m[i][j] / (KNOWN * KNOWN);
        }
    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < KNOWN; j++)
            m[i][j] += all - row[i] - column[j];
}

/* With as many dimensions as tokens the products of vectors are those of the matrix with its eigenvalues made
 * positive, centred, and scaled so that the mean squared length, the trace, is 4. */
static void all_vectors_together_are_the_matrix(void **state)
{
    static float x[V * V];
    static double whole[V][V], m[KNOWN][KNOWN];
    struct rf_ppmi *ppmi = counted();
    double trace = 0;
    struct rf_error err;

    (void)state;
    expect_matrix(whole);
    for (int a = 0; a < KNOWN; a++)
        memcpy(m[a], whole[a], sizeof m[a]);
    make_positive(m);
    centre(m);
    for (int a = 0; a < KNOWN; a++)
        trace += m[a][a] / KNOWN;
    assert_int_equal(rf_ppmi_vectors(ppmi, V, 1, x, &err), RF_OK);
    for (int c = 0; c < V; c++) { /* the lone token has none, and they have no more elements */
        assert_true(x[KNOWN * V + c] == 0);
        assert_true(x[c * V + KNOWN] == 0);
    }
    for (int a = 0; a < KNOWN; a++)
        for (int b = 0; b < KNOWN; b++) {
            double product = 0;

            for (int c = 0; c < V; c++)
                product += (double)x[a * V + c] * (double)x[b * V + c];
            assert_true(fabs(product - 4 / trace * m[a][b]) < 1e-4);
        }
    rf_ppmi_destroy(ppmi);
}

/* Words 0 to 9 stand among words 20 to 29, and words 10 to 19 among 30 to 39. */
static void words_in_like_places_lie_side_by_side(void **state)
{
    enum { N = 40, WIDTH = 6 };
    static float x[N * WIDTH], again[N * WIDTH];
    struct rf_ppmi *ppmi;
    double same = 0, other = 0;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_ppmi_create(&ppmi, N, &err), RF_OK);
    for (uint64_t i = 0; i < 2000; i++) {
        int32_t kind = (int32_t)(i % 2), text[6];

        for (uint64_t k = 0; k < 6; k++)
            text[k] = (int32_t)rf_rng_below(9, i, k, 10) + 10 * kind + (k % 2 ? 20 : 0);
        assert_int_equal(rf_ppmi_add(ppmi, text, 6, &err), RF_OK);
    }
    assert_int_equal(rf_ppmi_vectors(ppmi, WIDTH, 1, x, &err), RF_OK);
    assert_int_equal(rf_ppmi_vectors(ppmi, WIDTH, 1, again, &err), RF_OK);
    assert_memory_equal(x, again, sizeof x);
    for (int a = 0; a < 20; a++)
        for (int b = 0; b < 20; b++) {
            double product = 0;

            for (int c = 0; c < WIDTH; c++)
                product += (double)x[a * WIDTH + c] * (double)x[b * WIDTH + c];
            if (a != b && a / 10 == b / 10)
                same += product / 180;
            else if (a != b)
                other += product / 200;
        }
    assert_true(same > 0.5 && other < -0.5);
    rf_ppmi_destroy(ppmi);
}

static void too_little_text_gives_zeros(void **state)
{
    static float x[V * 3];
    struct rf_ppmi *ppmi;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_ppmi_create(&ppmi, V, &err), RF_OK);
    for (int round = 0; round < 2; round++) {
        memset(x, 1, sizeof x);
        assert_int_equal(rf_ppmi_vectors(ppmi, 3, 1, x, &err), RF_OK);
        for (int i = 0; i < V * 3; i++)
            assert_true(x[i] == 0);
        assert_int_equal(rf_ppmi_add(ppmi, (int32_t[]){4, 5, 6}, 3, &err), RF_OK);
    }
    rf_ppmi_destroy(ppmi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_vectors_together_are_the_matrix),
        cmocka_unit_test(words_in_like_places_lie_side_by_side),
        cmocka_unit_test(too_little_text_gives_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
