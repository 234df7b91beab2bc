/* Logistic regression is a sequence of ridge regressions. The cross-entropy of the scores s of an
 * example, with p their softmax and q its label, is bounded for every s' by
 *
 *     CE(s') <= CE(s) - (q - p).(s' - s) + 1/4 |s' - s|^2
 *
 * since the softmax's Jacobian is at most 1/2 (Boehning 1992), and the right side is, up to a
 * constant, 1/4 |s' - (s + 2 (q - p))|^2: least squares with the working response s + 2 (q - p).
 * Each step lowers the objective, whatever the step before; no step size is chosen.
 *
 * A rank keeps its examples in two parts, those to learn from before those held out, so that
 * the first fit takes the first part and the last fit takes both, without a copy. */
#include "mpi/probe.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/slice.h"
#include "mpi/panel.h"

enum { HOLD_OUT = 5 };

/* From strong to weak, so that a tie goes to the stronger one. Features come out of a norm,
 * with squares around 1. */
static const double LAMBDAS[] = {10, 1, 1e-1, 1e-2, 1e-3, 1e-4};
enum { NLAMBDAS = sizeof LAMBDAS / sizeof *LAMBDAS };

/* Logistic regression needs a ridge where classes can be told apart without error. */
static const double LOGISTIC_LAMBDAS[] = {1, 1e-1, 1e-2, 1e-3};
enum { NLOGISTIC = sizeof LOGISTIC_LAMBDAS / sizeof *LOGISTIC_LAMBDAS, LOGISTIC_STEPS = 25 };

static const float LEAST_PROBABILITY = 0.001F;

struct rf_probe {
    const struct rf_group *group; /* borrowed */
    enum rf_probe_kind kind;
    int n, width, nclass;
    struct rf_slice mine; /* of the n examples */
    int nlearn;           /* of mine: the others are held out */
    double *x;    /* owned [mine.count][width]: those to learn from, then the held-out */
    double *q;    /* owned [mine.count][nclass]: labels */
    double *y;    /* owned, the same: what the regression is of */
    double *maps; /* owned [NLAMBDAS][width + 1][nclass]; after the fit, the first counts */
    double *row;  /* owned [width] */
};

/* Of each whole HOLD_OUT examples in a row one is held out, by lot: where classes come in turns,
 * every fifth example would be of the same few. */
static int lot(int64_t row)
{
    return (int)rf_rng_below(0, rf_rng_stream("held out", 0), (uint64_t)row, HOLD_OUT);
}

static int is_held_out(const struct rf_probe *probe, int64_t i)
{
    return i / HOLD_OUT < probe->n / HOLD_OUT && i % HOLD_OUT == lot(i / HOLD_OUT);
}

/* How many of the examples 0 .. i-1 are held out. */
static int64_t held_before(const struct rf_probe *probe, int64_t i)
{
    int64_t rows = i / HOLD_OUT;

    return rows == probe->n / HOLD_OUT ? rows : rows + (i % HOLD_OUT > lot(rows));
}

/* Row of x and y that example i of this rank's has. */
static size_t place_of(const struct rf_probe *probe, int64_t i)
{
    int64_t held = held_before(probe, i) - held_before(probe, probe->mine.begin);

    return (size_t)(is_held_out(probe, i) ? probe->nlearn + held
                                          : i - probe->mine.begin - held);
}

static size_t map_size(const struct rf_probe *probe)
{
    return ((size_t)probe->width + 1) * (size_t)probe->nclass;
}

/* Local: everything of create that can fail. */
static enum rf_status make_room(struct rf_probe *probe, struct rf_error *err)
{
    size_t n = (size_t)probe->mine.count + 1; /* a rank may have none */

    probe->x = calloc(n * (size_t)probe->width, sizeof *probe->x);
    probe->q = calloc(n * (size_t)probe->nclass, sizeof *probe->q);
    probe->y = calloc(n * (size_t)probe->nclass, sizeof *probe->y);
    probe->maps = calloc(NLAMBDAS * map_size(probe), sizeof *probe->maps);
    probe->row = calloc((size_t)probe->width, sizeof *probe->row);
    if (probe->x == NULL || probe->q == NULL || probe->y == NULL || probe->maps == NULL ||
        probe->row == NULL)
        return rf_fail(err, RF_ERR_MEMORY,
                       "out of memory for a probe: %zu examples of %d features", n - 1,
                       probe->width);
    return RF_OK;
}

enum rf_status rf_probe_create(struct rf_probe **probe, const struct rf_group *group, int n,
                               int width, int nclass, struct rf_error *err)
{
    struct rf_probe *p = calloc(1, sizeof *p);
    enum rf_status st;

    *probe = NULL;
    if (p == NULL) {
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a probe");
    } else {
        p->group = group;
        p->n = n;
        p->width = width;
        p->nclass = nclass;
        p->mine = rf_slice(n, group->rank, group->size);
        p->nlearn = (int)(p->mine.count - (held_before(p, p->mine.begin + p->mine.count) -
                                           held_before(p, p->mine.begin)));
        st = make_room(p, err);
    }
    st = rf_agree(group, st, err);
    if (st != RF_OK) {
        rf_probe_destroy(p);
        return st;
    }
    *probe = p;
    return RF_OK;
}

void rf_probe_destroy(struct rf_probe *probe)
{
    if (probe == NULL)
        return;
    free(probe->x);
    free(probe->q);
    free(probe->y);
    free(probe->maps);
    free(probe->row);
    free(probe);
}

void rf_probe_learn(struct rf_probe *probe, int at, int count, const float *features)
{
    size_t width = (size_t)probe->width;

    assert(at >= 0 && at + count <= probe->n);
    for (int i = 0; i < count; i++) {
        int64_t own = at + i - probe->mine.begin;

        if (own < 0 || own >= probe->mine.count)
            continue;
        for (size_t c = 0; c < width; c++)
            probe->x[place_of(probe, at + i) * width + c] =
                (double)features[(size_t)i * width + c];
    }
}

static void take_labels(struct rf_probe *probe, const struct rf_predictions *labels)
{
    size_t k = (size_t)probe->nclass;

    for (int64_t i = probe->mine.begin; i < probe->mine.begin + probe->mine.count; i++)
        for (size_t c = 0; c < k; c++)
            probe->q[place_of(probe, i) * k + c] = (double)labels->prob[(size_t)i * k + c];
}

/* scores [nclass] of the example x [width] under a map. */
static void score(const struct rf_probe *probe, const double *map, const double *x,
                  double *scores)
{
    size_t k = (size_t)probe->nclass, width = (size_t)probe->width;

    for (size_t c = 0; c < k; c++)
        scores[c] = map[width * k + c];
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < k; c++)
            scores[c] += x[i] * map[i * k + c];
}

static int32_t largest(const double *scores, int nclass)
{
    int32_t best = 0;

    for (int c = 1; c < nclass; c++)
        if (scores[c] > scores[best])
            best = c;
    return best;
}

static void softmax(double *scores, int nclass)
{
    double top = scores[largest(scores, nclass)], sum = 0;

    for (int c = 0; c < nclass; c++) {
        scores[c] = exp(scores[c] - top);
        sum += scores[c];
    }
    for (int c = 0; c < nclass; c++)
        scores[c] /= sum;
}

/* Local: the working response of this rank's first n examples under a map. */
static void respond(struct rf_probe *probe, const double *map, int n)
{
    double scores[RF_SOFT_CLASSES], p[RF_SOFT_CLASSES];
    size_t k = (size_t)probe->nclass;

    for (size_t i = 0; i < (size_t)n; i++) {
        score(probe, map, probe->x + i * (size_t)probe->width, scores);
        memcpy(p, scores, k * sizeof *p);
        softmax(p, probe->nclass);
        for (size_t c = 0; c < k; c++)
            probe->y[i * k + c] = scores[c] + 2 * (probe->q[i * k + c] - p[c]);
    }
}

/* Collective: a logistic regression, from the map that is there. */
static enum rf_status fit_logistic(struct rf_probe *probe, const struct rf_ridge_data *data,
                                   double lambda, double *map, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int step = 0; st == RF_OK && step < LOGISTIC_STEPS; step++) {
        respond(probe, map, data->nlocal);
        st = rf_panel_ridge(probe->group, data, &lambda, 1, map, err);
    }
    return st;
}

/* Collective: a map for each lambda, or for one, into maps. */
static enum rf_status fit_all(struct rf_probe *probe, const struct rf_ridge_data *data,
                              const double *lambdas, int n, struct rf_error *err)
{
    size_t size = map_size(probe);
    enum rf_status st = RF_OK;

    if (probe->kind == RF_PROBE_RIDGE) {
        memcpy(probe->y, probe->q,
               (size_t)data->nlocal * (size_t)probe->nclass * sizeof *probe->y);
        return rf_panel_ridge(probe->group, data, lambdas, n, probe->maps, err);
    }
    for (int m = 0; st == RF_OK && m < n; m++) {
        if (m > 0)
            memcpy(probe->maps + (size_t)m * size, probe->maps + (size_t)(m - 1) * size,
                   size * sizeof *probe->maps);
        st = fit_logistic(probe, data, lambdas[m], probe->maps + (size_t)m * size, err);
    }
    return st;
}

/* Collective: on how many held-out examples of all ranks each of n maps agrees with the supervisor.
 */
static void count_agreement(const struct rf_probe *probe, const struct rf_predictions *labels,
                            int n, int64_t agree[NLAMBDAS])
{
    double scores[RF_SOFT_CLASSES];

    for (int m = 0; m < n; m++) {
        agree[m] = 0;
        for (int64_t i = probe->mine.begin; i < probe->mine.begin + probe->mine.count; i++) {
            if (!is_held_out(probe, i))
                continue;
            score(probe, probe->maps + (size_t)m * map_size(probe),
                  probe->x + place_of(probe, i) * (size_t)probe->width, scores);
            agree[m] += largest(scores, probe->nclass) == labels->best[i];
        }
    }
    MPI_Allreduce(MPI_IN_PLACE, agree, n, MPI_INT64_T, MPI_SUM, probe->group->comm);
}

enum rf_status rf_probe_fit(struct rf_probe *probe, enum rf_probe_kind kind,
                            const struct rf_predictions *labels, struct rf_probe_fit *fit,
                            struct rf_error *err)
{
    const double *lambdas = kind == RF_PROBE_RIDGE ? LAMBDAS : LOGISTIC_LAMBDAS;
    int n = kind == RF_PROBE_RIDGE ? NLAMBDAS : NLOGISTIC;
    struct rf_ridge_data data = {.x = probe->x,
                                 .y = probe->y,
                                 .nlocal = probe->nlearn,
                                 .width = probe->width,
                                 .outputs = probe->nclass};
    int64_t agree[NLAMBDAS];
    int chosen = 0, nheld = probe->n / HOLD_OUT;
    enum rf_status st;

    assert(labels->n == probe->n && labels->nclass == probe->nclass && labels->prob != NULL);
    probe->kind = kind;
    take_labels(probe, labels);
    st = fit_all(probe, &data, lambdas, n, err);
    if (st != RF_OK)
        return st;
    count_agreement(probe, labels, n, agree);
    for (int m = 1; m < n; m++)
        if (agree[m] > agree[chosen])
            chosen = m;
    fit->lambda = lambdas[chosen];
    fit->agreement = nheld > 0 ? (double)agree[chosen] / nheld : NAN;
    data.nlocal = (int)probe->mine.count;
    return fit_all(probe, &data, &lambdas[chosen], 1, err);
}

/* Scores of one example as probabilities. */
static void to_probabilities(const struct rf_probe *probe, double *scores, float *prob)
{
    int nclass = probe->nclass;
    float sum = 0;

    if (probe->kind == RF_PROBE_LOGISTIC) {
        softmax(scores, nclass);
        for (int c = 0; c < nclass; c++)
            prob[c] = (float)scores[c];
        return;
    }
    for (int c = 0; c < nclass; c++) {
        prob[c] = fmaxf((float)scores[c], LEAST_PROBABILITY);
        sum += prob[c];
    }
    for (int c = 0; c < nclass; c++)
        prob[c] /= sum;
}

double rf_probe_answer(const struct rf_probe *probe, const float *features, int n,
                       const int32_t *target, float *prob, int32_t *best)
{
    double scores[RF_SOFT_CLASSES], loss = 0;
    float own[RF_SOFT_CLASSES];
    size_t width = (size_t)probe->width;
    int k = probe->nclass;

    for (int i = 0; i < n; i++) {
        float *p = prob != NULL ? prob + (size_t)i * (size_t)k : own;

        for (size_t c = 0; c < width; c++)
            probe->row[c] = (double)features[(size_t)i * width + c];
        score(probe, probe->maps, probe->row, scores);
        best[i] = largest(scores, k);
        to_probabilities(probe, scores, p);
        loss -= target != NULL ? log((double)p[target[i]]) / n : 0;
    }
    return loss;
}
