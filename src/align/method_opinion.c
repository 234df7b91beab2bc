/* Methods that hold a second opinion against the supervisor's labels. */
#include <stdlib.h>
#include <string.h>

#include "align/method.h"
#include "base/rng.h"

static double difference(const struct rf_method_labels *labels, int i)
{
    double same = 0;

    for (int c = 0; c < labels->nclass; c++)
        same += (double)labels->prob[(size_t)i * (size_t)labels->nclass + (size_t)c] *
                (double)labels->opinion[(size_t)i * (size_t)labels->nclass + (size_t)c];
    return 1 - same;
}

/* The example that is still kept and differs most, the last of equals; -1: none is. */
static int worst(const struct rf_method_labels *labels)
{
    int found = -1;
    double most = 0;

    for (int i = 0; i < labels->n; i++) {
        double d = labels->keep[i] ? difference(labels, i) : -1;

        if (labels->keep[i] && (found < 0 || d >= most)) {
            found = i;
            most = d;
        }
    }
    return found;
}

void rf_method_filter(struct rf_method_labels *labels, const struct rf_method_options *options)
{
    int drop = (int)(options->filter * labels->n);

    for (int k = 0; k < drop; k++) {
        int i = worst(labels);

        if (i >= 0)
            labels->keep[i] = 0;
    }
}

void rf_method_relabel(struct rf_method_labels *labels, const struct rf_method_options *options)
{
    (void)options;
    memcpy(labels->prob, labels->opinion,
           (size_t)labels->n * (size_t)labels->nclass * sizeof *labels->prob);
}

int rf_method_half(uint64_t seed, int i)
{
    return (int)rf_rng_below(seed, rf_rng_stream("second opinion", 0), (uint64_t)i, 2);
}

static double squared_distance(const float *a, const float *b, int width)
{
    double sum = 0;

    for (int k = 0; k < width; k++) {
        double d = (double)a[k] - (double)b[k];

        sum += d * d;
    }
    return sum;
}

/* Keeps order[0 .. *n-1] the nearest so far, ascending; i comes behind equals. */
static void insert(const double *distance, int32_t *order, int *n, int most, int32_t i)
{
    int at = *n;

    while (at > 0 && distance[order[at - 1]] > distance[i])
        at--;
    if (at == most)
        return;
    if (*n < most)
        ++*n;
    memmove(order + at + 1, order + at, (size_t)(*n - 1 - at) * sizeof *order);
    order[at] = i;
}

void rf_method_neighbours(const float *features, int n, int width, const float *prob,
                          int nclass, int neighbours, float *opinion, double *distance,
                          int32_t *order)
{
    size_t w = (size_t)width, k = (size_t)nclass;

    for (int i = 0; i < n; i++) {
        int found = 0;
        float *own = opinion + (size_t)i * k;

        for (int j = 0; j < n; j++) {
            distance[j] =
                squared_distance(features + (size_t)i * w, features + (size_t)j * w, width);
            if (j != i)
                insert(distance, order, &found, neighbours, j);
        }
        for (size_t c = 0; c < k; c++) {
            double sum = 0;

            for (int m = 0; m < found; m++)
                sum += (double)prob[(size_t)order[m] * k + c];
            own[c] = found > 0 ? (float)(sum / found) : prob[(size_t)i * k + c];
        }
    }
}
