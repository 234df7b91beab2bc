/* Workloads in the shape of AcmeTrace, the job logs of two clusters on which large language
 * models were developed: Q. Hu et al., "Characterization of Large Language Model Development in
 * the Datacenter", NSDI 2024; data at github.com/InternLM/AcmeTrace, CC-BY-4.0. The tables below
 * hold figures that its authors published as plots (shares of types, boxes of GPU counts with
 * their outliers, distributions of durations), read off the vector graphics.
 *
 *   type      by its share of GPU jobs
 *   size      from the quartiles, whiskers and outliers of the type, uniform on the logarithm
 *             between them, then 1, 2, 4 or a multiple of 8 GPUs; cut at the machine's size
 *   duration  from the distribution of the type, known at powers of two of a second
 *   both      are linked by a Gaussian copula, which leaves each of them as published. Its
 *             correlation is chosen so that the mean GPU time of the type's jobs comes to what
 *             follows from its share of GPU time; drawn independently, SFT would get 3 % of Seren
 *             instead of 6.4 %, and pretraining 81 % instead of 69 %
 *   arrivals  Poisson with a daily cycle around 15:00 (1 + 0.6 cos), as many a day as GPU jobs
 *             were recorded in the 184 days of the trace; the cycle's depth is an assumption
 *   limit     the duration: people gave none
 *
 * What this cannot match: who submits what, and the bursts in which evaluations follow a
 * checkpoint; jobs that are restarts of one another (most GPU time ended in cancelled jobs); the
 * nodes held back for pretraining. Shares of GPU time hold in the mean: pretraining is a few
 * hundred jobs among a hundred thousand, so one draw of that size is off by several percent. A
 * machine smaller than the largest jobs cuts them, and with them the share of pretraining. */
#include <math.h>

#include "base/rng.h"
#include "sim/generate_model.h"

enum { NPOWERS = 22, NOUTLIERS = 12, NTYPES_SEREN = 6, NTYPES_KALOS = 4 };
enum { GAP, TYPE, SIZE, DURATION }; /* streams */

struct type {
    const char *name;
    double jobs;              /* share of GPU jobs, percent */
    double link;              /* correlation of size and duration, as normal variables */
    double box[5];            /* GPUs: lower whisker, quartiles, upper whisker */
    double duration[NPOWERS]; /* percent of the jobs that last at most 1, 2, 4, ... 2^21 s */
    struct {
        double gpus, share; /* of the type's jobs, in 10^-5 */
    } outliers[NOUTLIERS];
};

static const struct type SEREN[NTYPES_SEREN] = {
    {"eval",
     64.85,
     0.058,
     {1, 1, 1, 4, 8},
     {2.31,  2.92,  5.22,  10.57, 25.18, 32.78, 37.37, 49.75, 67.17, 79.97, 88.8,
      93.86, 96.53, 98.19, 99.06, 99.57, 99.79, 99.91, 99.96, 99.99, 100,   100},
     {{16, 79}}},
    {"sft",
     14.86,
     0.363,
     {1, 2, 8, 8, 16},
     {1.02,  1.49,  3.46,  6.56,  12.62, 21.68, 27.59, 37.51, 57.61, 78.8, 89.27,
      94.49, 97.34, 98.64, 99.16, 99.51, 99.8,  99.92, 99.98, 99.99, 100,  100},
     {{32, 736}, {64, 124}, {128, 59}, {192, 40}}},
    {"other",
     14.56,
     0.057,
     {1, 1, 1, 8, 16},
     {2.49, 3.02,  9.39,  22.83, 29.09, 39.02, 46.81, 58.88, 70.91, 79.48, 85.53,
      89.2, 94.19, 95.32, 96.65, 98.01, 99.31, 99.63, 99.84, 99.94, 99.99, 100},
     {{24, 192}, {32, 2509}}},
    {"mllm",
     2.95,
     0.326,
     {1, 1, 2, 8, 16},
     {2.09,  3.07,  5.09, 9.41,  14.7,  27.37, 33.44, 40.85, 50.17, 66.84, 79.7,
      85.61, 89.16, 91.3, 92.91, 97.31, 98.88, 99.47, 99.83, 99.98, 99.98, 100},
     {{32, 1787}, {64, 935}, {128, 1277}, {256, 230}}},
    {"debug",
     1.88,
     -0.088,
     {8, 8, 8, 8, 8},
     {3.68, 4.62,  6.32,  11.73, 19.34, 29.8,  39.13, 52.15, 68.37, 81.95, 91.22,
      95.5, 97.36, 98.29, 98.81, 99.22, 99.56, 99.79, 99.86, 99.96, 99.99, 100},
     {{1, 11851},
      {2, 785},
      {4, 3782},
      {16, 6338},
      {32, 4215},
      {64, 873},
      {128, 489},
      {256, 986},
      {320, 232},
      {512, 841},
      {640, 553},
      {1024, 433}}},
    {"pretrain",
     0.89,
     -0.120,
     {40, 64, 128, 256, 512},
     {4.27,  5.71,  9.86,  12.1,  15.6,  20.49, 27.37, 34.87, 46.8,  61.8,  73.42,
      80.45, 84.08, 86.61, 88.45, 91.08, 94.31, 97.19, 98.78, 99.63, 99.98, 100},
     {{640, 169},
      {720, 68},
      {768, 4333},
      {896, 51},
      {928, 271},
      {960, 762},
      {1008, 85},
      {1024, 2691}}},
};

static const struct type KALOS[NTYPES_KALOS] = {
    {"eval",
     92.83,
     0.407,
     {1, 1, 1, 1, 1},
     {0,    0,     0,    0.01,  1.53,  19.51, 39.92, 52.67, 71.82, 81.16, 87.03,
      93.8, 98.06, 99.6, 99.84, 99.98, 99.98, 100,   100,   100,   100,   100},
     {{2, 1991}, {8, 5309}}},
    {"pretrain",
     3.22,
     -0.071,
     {96, 256, 512, 512, 512},
     {0,     0,     0,     0,     0,     4.21,  9.83,  14.35, 25.74, 43.84, 57.1,
      65.37, 71.92, 76.91, 82.37, 87.83, 93.29, 96.72, 98.91, 99.84, 100,   100},
     {{1016, 624}, {1024, 19813}}},
    {"debug",
     2.70,
     0.014,
     {1, 32, 128, 512, 1024},
     {0,     0,     0,     0,     1.3, 8.38, 17.32, 25.88, 38.73, 70.76, 88.83,
      97.21, 99.07, 99.63, 99.81, 100, 100,  100,   100,   100,   100,   100},
     {{0, 0}}},
    {"other",
     1.26,
     0.229,
     {1, 2, 8, 32, 64},
     {0,    0,  0,    0,    2,  20.4, 29.2, 35.2, 46.4, 64.8, 75.2,
      79.2, 84, 85.2, 87.6, 90, 92.8, 95.6, 98.8, 98.8, 100,  100},
     {{0, 0}}},
};

/* The standard normal distribution. */
static double below(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

/* What jobs ask for: 1, 2, 4 or whole nodes of 8. */
static double whole(double gpus)
{
    if (gpus < 6.0)
        return gpus < 1.5 ? 1.0 : gpus < 3.0 ? 2.0 : 4.0;
    return gpus < 12.0 ? 8.0 : 8.0 * floor(gpus / 8.0 + 0.5);
}

/* The share of jobs that are outliers below (side 0) or above (side 1) the whiskers. */
static double outside(const struct type *t, int side)
{
    double share = 0.0;

    for (int i = 0; i < NOUTLIERS; i++)
        if (side ? t->outliers[i].gpus > t->box[4] : t->outliers[i].gpus < t->box[0])
            share += t->outliers[i].share * 1e-5;
    return share;
}

/* The outlier that a share u of the type's jobs stays below, where `sum` are below all those of
 * its side. */
static double outlier_at(const struct type *t, double u, int side, double sum)
{
    double last = t->box[4];

    for (int i = 0; i < NOUTLIERS && u >= sum; i++) {
        if (t->outliers[i].share == 0.0 || (t->outliers[i].gpus > t->box[4]) != side)
            continue;
        sum += t->outliers[i].share * 1e-5;
        last = t->outliers[i].gpus;
    }
    return last;
}

/* The size that a share u of the type's jobs stays below. */
static double size_at(const struct type *t, double u)
{
    const double low = outside(t, 0), high = 1.0 - outside(t, 1);
    const double at[5] = {low, 0.25, 0.5, 0.75, high};
    double within;
    int i = 0;

    if (u < low)
        return outlier_at(t, u, 0, 0.0);
    if (u >= high)
        return outlier_at(t, u, 1, high);
    while (i < 3 && u >= at[i + 1])
        i++;
    within = at[i + 1] > at[i] ? (u - at[i]) / (at[i + 1] - at[i]) : 0.0;
    return whole(t->box[i] * pow(t->box[i + 1] / t->box[i], within));
}

/* The duration that a share u of the type's jobs stays below, seconds. */
static double duration_at(const struct type *t, double u)
{
    double percent = 100.0 * u, step;
    int i = 0;

    if (percent < t->duration[0])
        return 1.0;
    while (i < NPOWERS - 2 && percent >= t->duration[i + 1])
        i++;
    step = t->duration[i + 1] - t->duration[i];
    return exp2(i + (step > 0.0 ? (percent - t->duration[i]) / step : 0.0));
}

static int draw_type(const struct type *types, int n, double u)
{
    double sum = 0.0;
    int i = 0;

    for (int k = 0; k < n; k++)
        sum += types[k].jobs;
    u *= sum;
    while (i < n - 1 && u >= types[i].jobs)
        u -= types[i++].jobs;
    return i;
}

static void draw_from(struct rf_model *model, const struct type *types, int n,
                      double jobs_a_day, struct rf_draw *d)
{
    const struct rf_generate_options *o = model->options;
    int64_t k = model->next[0]++;
    double z = rf_draw_normal(o->seed, model->streams[SIZE], k), size, duration;
    double z2 = rf_draw_normal(o->seed, model->streams[DURATION], k);
    const struct type *t;

    model->busy_s[0] +=
        rf_draw_exponential(o->seed, model->streams[GAP], k) * 86400.0 / jobs_a_day;
    d->busy_s = model->busy_s[0];
    d->type = draw_type(types, n, rf_draw_uniform(o->seed, model->streams[TYPE], k));
    t = &types[d->type];
    size = size_at(t, below(z));
    duration = duration_at(t, below(t->link * z + sqrt(1.0 - t->link * t->link) * z2));
    d->size = size < o->devices ? (int32_t)size : o->devices;
    d->run_s = duration > 1.0 ? (int64_t)floor(duration + 0.5) : 1;
    d->limit_s = d->run_s;
}

static void draw_seren(struct rf_model *model, struct rf_draw *d)
{
    draw_from(model, SEREN, NTYPES_SEREN, 663813.0 / 184.0, d);
}

static void draw_kalos(struct rf_model *model, struct rf_draw *d)
{
    draw_from(model, KALOS, NTYPES_KALOS, 19907.0 / 184.0, d);
}

void rf_model_acme(struct rf_model *model, int kalos)
{
    const struct type *types = kalos ? KALOS : SEREN;
    int n = kalos ? NTYPES_KALOS : NTYPES_SEREN;
    double weights[RF_DAY_PARTS];

    for (int i = 0; i < RF_DAY_PARTS; i++)
        weights[i] = 1.0 + 0.6 * cos(2.0 * 3.14159265358979 * ((i + 0.5) / 2.0 - 15.0) / 24.0);
    for (int type = 0; type < n; type++) {
        rf_day_set(&model->days[type], weights);
        model->types[type] = types[type].name;
    }
    model->streams[GAP] = rf_rng_stream("acme-gap", 0);
    model->streams[TYPE] = rf_rng_stream("acme-type", 0);
    model->streams[SIZE] = rf_rng_stream("acme-size", 0);
    model->streams[DURATION] = rf_rng_stream("acme-duration", 0);
    model->draw = kalos ? draw_kalos : draw_seren;
}
