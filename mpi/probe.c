/* A rank keeps its examples in two parts, those to learn from before those held out, so that
 * the first fit takes the first part and the last fit takes both, without a copy. */
#include "mpi/probe.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/slice.h"
#include "mpi/panel.h"

enum { HOLD_OUT = 5 };

/* From strong to weak, so that a tie goes to the stronger one. Features come out of a norm,
 * with squares around 1. */
static const double LAMBDAS[] = {10, 1, 1e-1, 1e-2, 1e-3, 1e-4};
enum { NLAMBDAS = sizeof LAMBDAS / sizeof *LAMBDAS };

static const float LEAST_PROBABILITY = 0.001F;

struct rf_probe {
    const struct rf_group *group; /* borrowed */
    int n, width, nclass;
    struct rf_slice mine; /* of the n examples */
    int nlearn;           /* of mine: the others are held out */
    double *x;    /* owned [mine.count][width]: those to learn from, then the held-out */
    double *y;    /* owned [mine.count][nclass] */
    double *maps; /* owned [NLAMBDAS][width + 1][nclass]; after the fit, the first counts */
    double *row;  /* owned [width] */
};

static int is_held_out(int64_t i)
{
    return i % HOLD_OUT == HOLD_OUT - 1;
}

/* Row of x and y that example i of this rank's has. */
static size_t place_of(const struct rf_probe *probe, int64_t i)
{
    int64_t held_before = i / HOLD_OUT - probe->mine.begin / HOLD_OUT;

    return (size_t)(is_held_out(i) ? probe->nlearn + held_before
                                   : i - probe->mine.begin - held_before);
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
    probe->y = calloc(n * (size_t)probe->nclass, sizeof *probe->y);
    probe->maps = calloc(NLAMBDAS * map_size(probe), sizeof *probe->maps);
    probe->row = calloc((size_t)probe->width, sizeof *probe->row);
    if (probe->x == NULL || probe->y == NULL || probe->maps == NULL || probe->row == NULL)
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
        for (int64_t i = p->mine.begin; i < p->mine.begin + p->mine.count; i++)
            p->nlearn += !is_held_out(i);
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
            probe->y[place_of(probe, i) * k + c] = (double)labels->prob[(size_t)i * k + c];
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

/* Collective: on how many held-out examples of all ranks each map agrees with the supervisor.
 */
static void count_agreement(const struct rf_probe *probe, const struct rf_predictions *labels,
                            int64_t agree[NLAMBDAS])
{
    double scores[RF_SOFT_CLASSES];

    for (int m = 0; m < NLAMBDAS; m++) {
        agree[m] = 0;
        for (int64_t i = probe->mine.begin; i < probe->mine.begin + probe->mine.count; i++) {
            if (!is_held_out(i))
                continue;
            score(probe, probe->maps + (size_t)m * map_size(probe),
                  probe->x + place_of(probe, i) * (size_t)probe->width, scores);
            agree[m] += largest(scores, probe->nclass) == labels->best[i];
        }
    }
    MPI_Allreduce(MPI_IN_PLACE, agree, NLAMBDAS, MPI_INT64_T, MPI_SUM, probe->group->comm);
}

enum rf_status rf_probe_fit(struct rf_probe *probe, const struct rf_predictions *labels,
                            struct rf_probe_fit *fit, struct rf_error *err)
{
    struct rf_ridge_data data = {.x = probe->x,
                                 .y = probe->y,
                                 .nlocal = probe->nlearn,
                                 .width = probe->width,
                                 .outputs = probe->nclass};
    int64_t agree[NLAMBDAS];
    int chosen = 0, nheld = probe->n / HOLD_OUT;
    enum rf_status st;

    assert(labels->n == probe->n && labels->nclass == probe->nclass && labels->prob != NULL);
    take_labels(probe, labels);
    st = rf_panel_ridge(probe->group, &data, LAMBDAS, NLAMBDAS, probe->maps, err);
    if (st != RF_OK)
        return st;
    count_agreement(probe, labels, agree);
    for (int m = 1; m < NLAMBDAS; m++)
        if (agree[m] > agree[chosen])
            chosen = m;
    fit->lambda = LAMBDAS[chosen];
    fit->agreement = nheld > 0 ? (double)agree[chosen] / nheld : NAN;
    data.nlocal = (int)probe->mine.count;
    return rf_panel_ridge(probe->group, &data, &LAMBDAS[chosen], 1, probe->maps, err);
}

/* Scores of one example as probabilities. */
static void to_probabilities(const double *scores, int nclass, float *prob)
{
    float sum = 0;

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
        to_probabilities(scores, k, p);
        loss -= target != NULL ? log((double)p[target[i]]) / n : 0;
    }
    return loss;
}
