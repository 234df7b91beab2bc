#include "sim/intake.h"

#include <stdlib.h>
#include <string.h>

#include "sim/generate.h"

static enum rf_status generate(struct rf_workload *w, const struct rf_workload_spec *spec,
                               enum rf_generate_kind kind, int32_t devices, int64_t seed,
                               struct rf_error *err)
{
    const struct rf_generate_options options = {.kind = kind,
                                                .seed = seed,
                                                .devices = devices,
                                                .jobs = spec->jobs,
                                                .horizon_us = spec->horizon_us,
                                                .load = spec->load,
                                                .rate_per_h = spec->rate_per_h,
                                                .size_min = spec->size_min,
                                                .size_max = spec->size_max,
                                                .run_mean_us = spec->run_mean_us,
                                                .rules = spec->rules,
                                                .nrules = spec->nrules,
                                                .fallback = spec->default_account};

    return rf_generate(w, &options, err);
}

static enum rf_status read_trace(struct rf_workload *w, const struct rf_workload_spec *spec,
                                 int format, int32_t devices, struct rf_trace_report *report,
                                 struct rf_error *err)
{
    const int unit = rf_trace_unit_of(spec->unit);
    const struct rf_trace_options options = {
        .format = (enum rf_trace_format)format,
        .unit = unit >= 0 ? (enum rf_trace_unit)unit : RF_TRACE_UNIT_AUTO,
        .devices = devices,
        .horizon_us = spec->horizon_us,
        .lenient = spec->lenient,
        .rules = spec->rules,
        .nrules = spec->nrules,
        .fallback = spec->default_account,
        .groups = spec->groups[0] != '\0' ? spec->groups : NULL};

    if (unit < 0)
        return rf_fail(err, RF_ERR_CONFIG, "no unit '%s' (auto, gpus, cpus, nodes)",
                       spec->unit);
    return rf_trace_read(w, spec->path, &options, report, err);
}

/* Is `name` one of the malleable accounts, or below one? */
static int shrinks(const struct rf_workload_spec *spec, const char *name)
{
    for (int i = 0; i < spec->nmalleable_accounts; i++) {
        size_t n = strlen(spec->malleable_accounts[i]);

        if (strncmp(name, spec->malleable_accounts[i], n) == 0 &&
            (name[n] == '\0' || name[n] == '.'))
            return 1;
    }
    return 0;
}

/* The time on `few` devices of what takes `us` on `many`, rounded up: the same device-time. */
static int64_t slower(int64_t us, int32_t many, int32_t few)
{
    return us / few * many + (us % few * many + few - 1) / few;
}

static enum rf_status make_malleable(struct rf_workload *w, const struct rf_workload_spec *spec,
                                     struct rf_error *err)
{
    if (spec->malleable <= 1 || spec->nmalleable_accounts == 0)
        return RF_OK;
    if (w->max == NULL) {
        w->max = malloc((size_t)w->n * sizeof *w->max);
        if (w->max == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld jobs", (long long)w->n);
        memcpy(w->max, w->min, (size_t)w->n * sizeof *w->max);
    }
    for (int64_t i = 0; i < w->n; i++) {
        int32_t size = w->min[i];
        int32_t min = size / spec->malleable + (size % spec->malleable > 0);

        if (w->limit_us[i] > INT64_MAX / 8 / spec->malleable) /* no time is that long */
            continue;
        if (min == size || !shrinks(spec, w->accounts[w->account[i]]))
            continue;
        w->min[i] = min;
        w->run_us[i] = slower(w->run_us[i], size, min);
        w->limit_us[i] = slower(w->limit_us[i], size, min);
    }
    return RF_OK;
}

enum rf_status rf_intake(struct rf_workload *workload, const struct rf_workload_spec *spec,
                         int32_t devices, int64_t seed, struct rf_trace_report *report,
                         struct rf_error *err)
{
    const int format = rf_trace_format_of(spec->source);
    const int kind = rf_generate_kind_of(spec->source);
    enum rf_status st;

    memset(workload, 0, sizeof *workload);
    if (report != NULL)
        memset(report, 0, sizeof *report);
    if (format >= 0)
        st = read_trace(workload, spec, format, devices, report, err);
    else if (kind >= 0)
        st = generate(workload, spec, (enum rf_generate_kind)kind, devices, seed, err);
    else
        st = rf_fail(err, RF_ERR_CONFIG,
                     "no source '%s' (auto, swf, csv, sacct, acme, philly, lublin, acme-seren, "
                     "acme-kalos, flood)",
                     spec->source);
    if (st == RF_OK)
        st = make_malleable(workload, spec, err);
    if (st == RF_OK)
        st = rf_workload_repeat(workload, spec->repeat > 1 ? spec->repeat : 1, err);
    if (st != RF_OK)
        rf_workload_clear(workload);
    return st;
}
