/* Poisson arrivals all day long, sizes uniform on the logarithm, exponential run times; the limit
 * is the run time. The plainest workload there is: whoever measures with it knows what it is. */
#include <math.h>

#include "base/rng.h"
#include "sim/generate_model.h"

enum { GAP, SIZE, RUN };

static void draw(struct rf_model *model, struct rf_draw *d)
{
    const struct rf_generate_options *o = model->options;
    int64_t k = model->next[0]++;
    double rate_per_s = (o->rate_per_h > 0.0 ? o->rate_per_h : 60.0) / 3600.0;
    double mean_s = o->run_mean_us > 0 ? (double)o->run_mean_us / 1e6 : 3600.0;
    double low = o->size_min > 0 ? o->size_min : 1;
    double high = o->size_max > 0 ? o->size_max : ceil(o->devices / 100.0);
    double u = rf_draw_uniform(o->seed, model->streams[SIZE], k);

    high = high < low ? low : high;
    model->busy_s[0] += rf_draw_exponential(o->seed, model->streams[GAP], k) / rate_per_s;
    d->busy_s = model->busy_s[0];
    d->type = 0;
    d->size = (int32_t)floor(low * pow((high + 1.0) / low, u));
    d->size = d->size > (int32_t)high ? (int32_t)high : d->size;
    d->run_s = (int64_t)ceil(mean_s * rf_draw_exponential(o->seed, model->streams[RUN], k));
    d->run_s = d->run_s < 1 ? 1 : d->run_s;
    d->limit_s = d->run_s;
}

void rf_model_flood(struct rf_model *model)
{
    double weights[RF_DAY_PARTS];

    for (int i = 0; i < RF_DAY_PARTS; i++)
        weights[i] = 1.0;
    rf_day_set(&model->days[0], weights);
    model->types[0] = "job";
    model->streams[GAP] = rf_rng_stream("flood-gap", 0);
    model->streams[SIZE] = rf_rng_stream("flood-size", 0);
    model->streams[RUN] = rf_rng_stream("flood-run", 0);
    model->draw = draw;
}
