#include "scale/law.h"

#include <math.h>

static const struct {
    const char *name;
    int terms;
    const char *parameter[RF_FIT_TERMS];
} LAWS[RF_LAWS] = {
    [RF_LAW_AMDAHL] = {"amdahl", 2, {"seconds on one rank", "serial share", ""}},
    [RF_LAW_GUSTAFSON] = {"gustafson", 2, {"tokens/s on one rank", "serial share", ""}},
    [RF_LAW_USL] = {"usl", 3, {"tokens/s on one rank", "contention", "coherency"}},
    [RF_LAW_PLAN] = {"plan", 2, {"seconds for all arithmetic", "seconds beside it", ""}},
};

const char *rf_law_name(enum rf_law law)
{
    return LAWS[law].name;
}

int rf_law_terms(enum rf_law law)
{
    return LAWS[law].terms;
}

const char *rf_law_parameter(enum rf_law law, int k)
{
    return LAWS[law].parameter[k];
}

/* The terms at a point, and what is known without a fit. */
static double terms_at(enum rf_law law, const struct rf_law_point *at,
                       double term[RF_FIT_TERMS])
{
    double p = at->ranks;

    term[0] = term[1] = term[2] = 0;
    switch (law) {
    case RF_LAW_AMDAHL: /* seconds */
        term[0] = 1;
        term[1] = 1 / p;
        return 0;
    case RF_LAW_GUSTAFSON: /* tokens/s */
        term[0] = 1;
        term[1] = p;
        return 0;
    case RF_LAW_USL: /* rank-seconds per token */
        term[0] = 1;
        term[1] = p - 1;
        term[2] = p * (p - 1);
        return 0;
    default: /* seconds */
        term[0] = at->crowd * at->share;
        term[1] = at->crowd;
        return at->wire_s;
    }
}

/* Seconds per step as what the law is a sum of terms for ... */
static double form(enum rf_law law, double x, const struct rf_law_point *at)
{
    if (law == RF_LAW_GUSTAFSON)
        return at->tokens / x;
    if (law == RF_LAW_USL)
        return x * at->ranks / at->tokens;
    return x;
}

/* ... and back. */
static double step_from(enum rf_law law, double y, const struct rf_law_point *at)
{
    if (law == RF_LAW_GUSTAFSON)
        return at->tokens / y;
    if (law == RF_LAW_USL)
        return y * at->tokens / at->ranks;
    return y;
}

void rf_law_row(enum rf_law law, struct rf_fit_data *data, const struct rf_law_point *point)
{
    int i = data->n++;

    data->terms = LAWS[law].terms;
    data->offset[i] = terms_at(law, point, data->term[i]);
    data->y[i] = form(law, point->step_s, point);
    data->noise[i] = point->noise;
}

double rf_law_step_s(enum rf_law law, const double factor[RF_FIT_TERMS],
                     const struct rf_law_point *point)
{
    double term[RF_FIT_TERMS], y = terms_at(law, point, term);

    for (int k = 0; k < LAWS[law].terms; k++)
        y += factor[k] * term[k];
    return y > 0 ? step_from(law, y, point) : NAN;
}

void rf_law_parameters(enum rf_law law, const double factor[RF_FIT_TERMS],
                       double parameter[RF_FIT_TERMS])
{
    double all = factor[0] + factor[1];

    parameter[2] = 0;
    switch (law) {
    case RF_LAW_AMDAHL:
    case RF_LAW_GUSTAFSON:
        parameter[0] = all;
        parameter[1] = all > 0 ? factor[0] / all : NAN;
        return;
    case RF_LAW_USL:
        parameter[0] = 1 / factor[0];
        parameter[1] = factor[1] / factor[0];
        parameter[2] = factor[2] / factor[0];
        return;
    default:
        parameter[0] = factor[0];
        parameter[1] = factor[1];
    }
}
