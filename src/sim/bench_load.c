#include "sim/bench_load.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cell.h"

struct rf_scenario rf_bench_scenario(const char *source, int32_t devices, int64_t jobs,
                                     double load)
{
    struct rf_scenario s = rf_scenario_make();

    snprintf(s.name, sizeof s.name, "bench");
    snprintf(s.fence, sizeof s.fence, "none");
    snprintf(s.workload.source, sizeof s.workload.source, "%s", source);
    s.workload.jobs = jobs;
    s.workload.load = load;
    s.fleet.devices = devices;
    return s;
}

enum rf_status rf_bench_promise(struct rf_scenario *s, struct rf_error *err)
{
    static const char account[] = "alignment";
    struct rf_pledge_plan *plan = calloc(1, sizeof *plan);
    struct rf_account_rule_spec *rule = calloc(1, sizeof *rule);

    if (plan == NULL || rule == NULL) {
        free(plan);
        free(rule);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    }
    s->pledges = plan;
    s->npledges = 1;
    s->workload.rules = rule;
    s->workload.nrules = 1;
    snprintf(s->workload.default_account, sizeof s->workload.default_account, "capability");
    snprintf(plan->pledge.account, sizeof plan->pledge.account, "%s", account);
    snprintf(plan->pledge.author, sizeof plan->pledge.author, "bench");
    snprintf(plan->pledge.reason, sizeof plan->pledge.reason, "measured");
    snprintf(plan->pledge.basis, sizeof plan->pledge.basis, "fleet");
    snprintf(plan->pledge.fence, sizeof plan->pledge.fence, "%s", s->fence);
    plan->pledge.share = (struct rf_share){1, 5};
    plan->pledge.window_us = INT64_C(28) * 86400 * 1000000;
    plan->pledge.tolerance_us = INT64_C(600) * 1000000;
    plan->terms.burst = plan->terms.catch_up = (struct rf_share){1, 1};
    plan->terms.approve = (struct rf_share){1, 2};
    return rf_account_rule_parse(rule, "user=u0,u1,u2,u3,u4,u5,u6,u7:alignment", err);
}

enum rf_status rf_bench_load_make(struct rf_bench_load *load, const char *name,
                                  const struct rf_scenario *scenario, struct rf_error *err)
{
    enum rf_status st;

    *load = (struct rf_bench_load){.until_us = INT64_MAX};
    snprintf(load->name, sizeof load->name, "%s", name);
    if (scenario->until_us > 0)
        load->until_us = scenario->until_us;
    st = rf_cell_workload(&load->jobs, &load->devices, scenario, NULL, err);
    return st == RF_OK ? rf_scenario_world(scenario, load->until_us, &load->world, err) : st;
}

/* "kth-sp2-1996-2" for "traces/KTH-SP2-1996-2.1-cln.swf.gz". */
static void name_after(char *name, size_t size, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = 0;

    for (const char *p = slash != NULL ? slash + 1 : path; *p != '\0' && *p != '.'; p++)
        if (n + 1 < size)
            name[n++] = (char)tolower((unsigned char)*p);
    name[n] = '\0';
}

enum rf_status rf_bench_load_read(struct rf_bench_load *load, const char *path, int32_t devices,
                                  int64_t jobs, struct rf_error *err)
{
    struct rf_scenario s = rf_bench_scenario("auto", devices, 0, 0);
    int n = snprintf(s.workload.path, sizeof s.workload.path, "%s", path);
    char name[40];
    enum rf_status st;

    *load = (struct rf_bench_load){0};
    if (n < 0 || n >= (int)sizeof s.workload.path)
        return rf_fail(err, RF_ERR_ARG, "the path of a trace is too long");
    name_after(name, sizeof name, path);
    st = rf_bench_load_make(load, name, &s, err);
    if (st == RF_OK && load->jobs.n < jobs)
        st = rf_workload_repeat(&load->jobs, (int)((jobs + load->jobs.n - 1) / load->jobs.n),
                                err);
    return st;
}

void rf_bench_load_deepen(struct rf_bench_load *load, int64_t depth)
{
    struct rf_workload *w = &load->jobs;
    int64_t begin_us =
        depth < 1 || w->n == 0 ? 0 : w->submit_us[depth < w->n ? depth - 1 : w->n - 1];

    for (int64_t i = 0; i < w->n; i++)
        w->submit_us[i] = w->submit_us[i] > begin_us ? w->submit_us[i] - begin_us : 0;
}

void rf_bench_load_clear(struct rf_bench_load *load)
{
    rf_workload_clear(&load->jobs);
    rf_world_clear(&load->world);
}
