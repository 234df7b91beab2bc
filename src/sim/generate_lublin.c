/* U. Lublin and D. G. Feitelson, "The workload on parallel supercomputers: modeling the
 * characteristics of rigid jobs", J. Parallel and Distributed Computing 63(11), 2003, in its
 * version with batch and interactive jobs, with the parameters of the paper.
 *
 *   size      1 with probability `serial`; otherwise 2^e, e from a uniform distribution in two
 *             stages: [low, medium] with probability `first`, [medium, high] otherwise; with
 *             probability `power` e is rounded. high = log2 of the machine (interactive jobs 1.5
 *             less), medium = high - 2.5, as the paper advises for other machines than its own.
 *   run time  exp of a hyper-gamma: gamma(a1, b1) with probability p, gamma(a2, b2) otherwise,
 *             p = pa x size + pb, so that large jobs run long; drawn anew above exp(12) s.
 *   arrivals  each type's gaps are exp of gamma(a, b) seconds, at most exp(13), in busy time. The
 *             daily cycle is a gamma(cycle_a, cycle_b) over the half hours from 05:00 on.
 *
 * The model says nothing about users and limits. Limits here: the accuracy run / limit is
 * uniform (Mu'alem and Feitelson, IEEE TPDS 12(6), 2001), and people choose round numbers, so
 * run / u is rounded up to the next of a short list and capped by its last, four days. */
#include <math.h>

#include "base/rng.h"
#include "sim/generate_model.h"

/* Streams of random numbers; each type has its own set. */
enum { GAP, KIND, STAGE, EXPONENT, WHICH, RUN, ACCURACY, NSTREAMS };

struct parameters {
    const char *name;
    double serial, power, low, below, first; /* below: log2 of the machine less this is high */
    double a1, b1, a2, b2, pa, pb;
    double a, b, cycle_a, cycle_b;
};

/* `a` is the paper's value for the rush hours times its ratio of rush hours to all hours. */
static const struct parameters TYPES[2] = {
    {"batch", 0.2927, 0.6686, 1.2, 0.0, 0.875, 6.57, 0.823, 639.1, 0.0156, -0.003, 0.6986,
     6.0415 * 1.0519, 0.8531, 6.1271, 5.2740},
    {"interactive", 0.1541, 0.625, 1.0, 1.5, 0.705, 3.8351, 0.6605, 7.073, 0.6856, -0.0118,
     0.9156, 6.5510 * 0.9797, 0.6621, 8.9186, 3.6680}};

static const double RUN_MOST = 12.0, GAP_MOST = 13.0; /* of the exponents */

/* What people ask for, in minutes. */
static const int LIMITS_MIN[] = {1,   5,   10,   15,   20,   30,   45,   60,
                                 90,  120, 180,  240,  300,  360,  480,  600,
                                 720, 960, 1080, 1440, 2160, 2880, 4320, 5760};

static int32_t draw_size(const struct rf_model *m, int type, int64_t k)
{
    const struct parameters *t = &TYPES[type];
    const uint64_t *streams = m->streams + type * NSTREAMS;
    double kind = rf_draw_uniform(m->options->seed, streams[KIND], k), exponent, size;
    double high = log2(m->options->devices) - t->below, medium = high - 2.5;
    double stage = rf_draw_uniform(m->options->seed, streams[STAGE], k);
    double u = rf_draw_uniform(m->options->seed, streams[EXPONENT], k);

    if (kind < t->serial || m->options->devices < 2)
        return 1;
    high = high > t->low ? high : t->low; /* a small machine: two devices and up to all */
    medium = medium > t->low ? medium : t->low;
    exponent = stage < t->first ? t->low + u * (medium - t->low) : medium + u * (high - medium);
    if (kind < t->serial + t->power)
        exponent = floor(exponent + 0.5);
    size = floor(exp2(exponent) + 0.5);
    return size < m->options->devices ? (int32_t)size : m->options->devices;
}

static int64_t draw_run(const struct rf_model *m, int type, int64_t k, int32_t size)
{
    const struct parameters *t = &TYPES[type];
    const uint64_t *streams = m->streams + type * NSTREAMS;
    double p = t->pa * size + t->pb;
    int first = rf_draw_uniform(m->options->seed, streams[WHICH], k) < p;
    double exponent = rf_draw_gamma(m->options->seed, streams[RUN], k, first ? t->a1 : t->a2,
                                    first ? t->b1 : t->b2, RUN_MOST);

    return exponent > 0.0 ? (int64_t)exp(exponent) : 1;
}

static int64_t draw_limit(const struct rf_model *m, int type, int64_t k, int64_t run_s)
{
    const uint64_t *streams = m->streams + type * NSTREAMS;
    const int n = sizeof LIMITS_MIN / sizeof *LIMITS_MIN;
    double asked_s =
        (double)run_s / (1.0 - rf_draw_uniform(m->options->seed, streams[ACCURACY], k));
    int64_t limit_s;
    int i = 0;

    while (i < n - 1 && LIMITS_MIN[i] * 60.0 < asked_s)
        i++;
    limit_s = (int64_t)LIMITS_MIN[i] * 60;
    return limit_s > run_s ? limit_s : run_s;
}

static double draw_gap(const struct rf_model *m, int type, int64_t k)
{
    const struct parameters *t = &TYPES[type];
    const uint64_t *streams = m->streams + type * NSTREAMS;

    return exp(rf_draw_gamma(m->options->seed, streams[GAP], k, t->a, t->b, GAP_MOST));
}

/* Of the next batch and the next interactive job, the one that arrives first. */
static void draw(struct rf_model *model, struct rf_draw *d)
{
    int type = model->busy_s[1] < model->busy_s[0];
    int64_t k = model->next[type]++;

    d->type = type;
    d->busy_s = model->busy_s[type];
    d->size = draw_size(model, type, k);
    d->run_s = draw_run(model, type, k, d->size);
    d->limit_s = draw_limit(model, type, k, d->run_s);
    model->busy_s[type] += draw_gap(model, type, k + 1);
}

/* The density of gamma(a, b) at the half hour, but for a factor. */
static double cycle(double x, double a, double b)
{
    return exp((a - 1.0) * log(x) - x / b);
}

void rf_model_lublin(struct rf_model *model)
{
    enum { FIRST = 11 }; /* the half hour that begins at 05:00; the last is the one before it */
    double weights[RF_DAY_PARTS];

    for (int type = 0; type < 2; type++) {
        const struct parameters *t = &TYPES[type];

        for (int i = FIRST; i < FIRST + RF_DAY_PARTS; i++)
            weights[(i - 1) % RF_DAY_PARTS] = cycle(i, t->cycle_a, t->cycle_b);
        rf_day_set(&model->days[type], weights);
        for (int i = 0; i < NSTREAMS; i++)
            model->streams[type * NSTREAMS + i] =
                rf_rng_stream(type == 0 ? "lublin-batch" : "lublin-interactive", (uint64_t)i);
        model->types[type] = t->name;
        model->busy_s[type] = draw_gap(model, type, 0);
    }
    model->draw = draw;
}
