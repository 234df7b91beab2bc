#include "scale/wire.h"

#include <math.h>

#include "align/stats.h"
#include "base/rng.h"

enum { TIMES = 500 };

const char *rf_wire_name(enum rf_wire_kind kind)
{
    return kind == RF_WIRE_SUM ? "sum" : "shard";
}

/* Messages of a call and bytes per byte of payload, over p ranks. */
static void cost(enum rf_wire_kind kind, double p, double *messages, double *share)
{
    *messages = kind == RF_WIRE_SUM ? 2 * ceil(log2(p)) : 2 * (p - 1);
    *share = 2 * (p - 1) / p;
}

static void intervals(struct rf_wire *wire, enum rf_wire_kind kind, const struct rf_fit *fit,
                      const struct rf_fit_data *data, uint64_t seed)
{
    double factors[TIMES][RF_FIT_TERMS], latency[TIMES], byte[TIMES];

    rf_fit_resample(factors, TIMES, fit, data, seed, rf_rng_stream("wire", (uint64_t)kind));
    for (int t = 0; t < TIMES; t++) {
        latency[t] = factors[t][0];
        byte[t] = factors[t][1];
    }
    rf_stats_sort(latency, TIMES);
    rf_stats_sort(byte, TIMES);
    for (int end = 0; end < 2; end++) {
        double q = end == 0 ? 0.025 : 0.975;

        wire->latency_ci[kind][end] = rf_stats_quantile(latency, TIMES, q);
        wire->byte_ci[kind][end] = rf_stats_quantile(byte, TIMES, q);
    }
}

void rf_wire_fit(struct rf_wire *wire, const struct rf_wire_sample *samples, int n,
                 uint64_t seed)
{
    *wire = (struct rf_wire){.known = {0}};
    for (int kind = 0; kind < RF_WIRE_KINDS; kind++) {
        struct rf_fit_data data = {.terms = 2};
        struct rf_fit fit;

        for (int i = 0; i < n && data.n < RF_FIT_ROWS; i++) {
            const struct rf_wire_sample *s = &samples[i];
            double *term = data.term[data.n];

            if ((int)s->kind != kind || s->ranks < 2 || !(s->seconds > 0))
                continue;
            cost(s->kind, s->ranks, &term[0], &term[1]);
            term[1] *= (double)s->bytes;
            data.y[data.n++] = s->seconds;
        }
        wire->known[kind] = data.n > 2 && rf_fit_solve(&fit, &data);
        if (!wire->known[kind])
            continue;
        wire->latency_s[kind] = fit.factor[0];
        wire->byte_s[kind] = fit.factor[1];
        wire->misfit[kind] = fit.misfit;
        intervals(wire, (enum rf_wire_kind)kind, &fit, &data, seed);
    }
}

double rf_wire_one_s(const struct rf_wire *wire, enum rf_wire_kind kind, double ranks,
                     double calls, double bytes)
{
    double messages, share;

    if (ranks < 2 || calls <= 0)
        return 0;
    if (!wire->known[kind])
        return NAN;
    cost(kind, ranks, &messages, &share);
    return calls * messages * wire->latency_s[kind] + bytes * share * wire->byte_s[kind];
}

double rf_wire_step_s(const struct rf_wire *wire, const struct rf_traffic *t, int tensor,
                      int data)
{
    double sums = 0, shards = 0;

    for (int k = RF_TRAFFIC_SUM; k <= RF_TRAFFIC_MAX; k++)
        sums +=
            rf_wire_one_s(wire, RF_WIRE_SUM, tensor, (double)t->calls[k], (double)t->bytes[k]);
    sums +=
        rf_wire_one_s(wire, RF_WIRE_SUM, (double)tensor * data,
                      (double)t->calls[RF_TRAFFIC_SMALL], (double)t->bytes[RF_TRAFFIC_SMALL]);
    /* a gather and a spread of as many bytes were measured as one */
    shards =
        rf_wire_one_s(wire, RF_WIRE_SHARD, data, (double)t->calls[RF_TRAFFIC_GATHER],
                      (double)(t->bytes[RF_TRAFFIC_GATHER] + t->bytes[RF_TRAFFIC_SPREAD]) / 2);
    return sums + shards;
}
