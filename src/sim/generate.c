/* Jobs are drawn until there are enough: of them, or of their device-time, which for a load
 * and a horizon is horizon x devices x load. That number of jobs then decides by how much their
 * arrivals are stretched, and the load is met however heavy the tails are. */
#include "sim/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sim/generate_model.h"

enum { JOBS_MAX = 100000000, USERS = 64 };

static const char *const KINDS[RF_GENERATE_NKINDS] = {"lublin", "acme-seren", "acme-kalos",
                                                      "flood"};

int rf_generate_kind_of(const char *name)
{
    if (strcmp(name, "acme") == 0)
        return RF_GENERATE_SEREN;
    for (int k = 0; k < RF_GENERATE_NKINDS; k++)
        if (strcmp(name, KINDS[k]) == 0)
            return k;
    return -1;
}

const char *rf_generate_kind_name(enum rf_generate_kind kind)
{
    return KINDS[kind];
}

/* ---- draws --------------------------------------------------------------- */

double rf_draw_uniform(int64_t seed, uint64_t stream, int64_t index)
{
    return rf_rng_uniform((uint64_t)seed, stream, (uint64_t)index);
}

double rf_draw_normal(int64_t seed, uint64_t stream, int64_t index)
{
    return rf_rng_normal((uint64_t)seed, stream, (uint64_t)index);
}

double rf_draw_exponential(int64_t seed, uint64_t stream, int64_t index)
{
    return -log(1.0 - rf_draw_uniform(seed, stream, index));
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000);
 * each try has streams of its own. */
double rf_draw_gamma(int64_t seed, uint64_t stream, int64_t index, double shape, double scale,
                     double most)
{
    double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);

    for (uint64_t attempt = 0;; attempt += 2) {
        double z = rf_draw_normal(seed, stream + attempt, index);
        double u = 1.0 - rf_draw_uniform(seed, stream + attempt + 1, index);
        double v = 1.0 + c * z, cube = v * v * v;

        if (v > 0.0 && d * cube * scale <= most &&
            log(u) < 0.5 * z * z + d - d * cube + d * log(cube))
            return d * cube * scale;
        if (attempt > 1000) /* a `most` that nearly nothing is below */
            return most;
    }
}

/* ---- the day ------------------------------------------------------------- */

void rf_day_set(struct rf_day *day, const double weights[RF_DAY_PARTS])
{
    double sum = 0.0, before = 0.0;

    for (int i = 0; i < RF_DAY_PARTS; i++)
        sum += weights[i];
    for (int i = 0; i < RF_DAY_PARTS; i++) {
        day->rate[i] = weights[i] * RF_DAY_PARTS / sum;
        day->before[i] = before;
        before += day->rate[i];
    }
}

double rf_day_time(const struct rf_day *day, double busy_s)
{
    const double part_s = 86400.0 / RF_DAY_PARTS;
    double days = floor(busy_s / 86400.0);
    double parts = (busy_s - days * 86400.0) / part_s; /* of the day's sum, RF_DAY_PARTS */
    int i = 0;

    while (i + 1 < RF_DAY_PARTS && day->before[i + 1] <= parts)
        i++;
    return days * 86400.0 + (i + (parts - day->before[i]) / day->rate[i]) * part_s;
}

/* ---- jobs, until there are enough ---------------------------------------- */

struct jobs {
    struct rf_draw *draws;
    int64_t n, room;
    double work; /* device-seconds */
};

static int enough(const struct rf_generate_options *o, const struct jobs *jobs)
{
    const struct rf_draw *last = jobs->n > 0 ? &jobs->draws[jobs->n - 1] : NULL;
    double horizon_s = (double)o->horizon_us / 1e6;

    if (o->jobs > 0 && jobs->n >= o->jobs)
        return 1;
    if (o->horizon_us == 0 || last == NULL)
        return 0;
    if (o->load > 0.0)
        return jobs->work >= o->load * horizon_s * o->devices;
    return last->busy_s >= horizon_s + 86400.0; /* the day's cycle shifts by less than a day */
}

static enum rf_status draw_all(struct rf_model *model, struct jobs *jobs, struct rf_error *err)
{
    while (!enough(model->options, jobs)) {
        if (jobs->n == JOBS_MAX)
            return rf_fail(err, RF_ERR_CONFIG, "the workload would have more than %d jobs",
                           JOBS_MAX);
        if (jobs->n == jobs->room) {
            int64_t room = jobs->room > 0 ? 2 * jobs->room : 4096;
            void *more = realloc(jobs->draws, (size_t)room * sizeof *jobs->draws);

            if (more == NULL)
                return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld jobs",
                               (long long)room);
            jobs->draws = more;
            jobs->room = room;
        }
        model->draw(model, &jobs->draws[jobs->n]);
        jobs->work += (double)jobs->draws[jobs->n].run_s * jobs->draws[jobs->n].size;
        jobs->n++;
    }
    return RF_OK;
}

/* By how much arrivals are stretched. */
static double stretch(const struct rf_generate_options *o, const struct jobs *jobs)
{
    double span_s = jobs->draws[jobs->n - 1].busy_s;

    if (o->load <= 0.0 || span_s <= 0.0)
        return 1.0;
    return jobs->work / (o->load * o->devices) / span_s;
}

/* ---- the workload ------------------------------------------------------- */

static struct rf_view text_of(const char *word)
{
    return (struct rf_view){word, strlen(word)};
}

/* Some users submit more than others: u0 127 jobs of 4096, u1 125, ... u63 one. */
static enum rf_status choose_account(struct rf_accounts *accounts, const struct rf_model *model,
                                     uint64_t users, int64_t index, int type, int32_t *account,
                                     struct rf_error *err)
{
    struct rf_view fields[RF_NFIELDS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    char user[16] = "";

    if (model->options->nrules > 0) { /* otherwise nobody asks */
        double u = rf_draw_uniform(model->options->seed, users, index);

        snprintf(user, sizeof user, "u%d", USERS - 1 - (int)(USERS * sqrt(u)));
    }
    fields[RF_FIELD_USER] = text_of(user);
    fields[RF_FIELD_TYPE] = text_of(model->types[type]);
    return rf_accounts_find(accounts, fields, account, err);
}

static enum rf_status fill(struct rf_workload *w, const struct rf_model *model,
                           const struct jobs *jobs, struct rf_accounts *accounts,
                           struct rf_error *err)
{
    const struct rf_generate_options *o = model->options;
    const uint64_t users = rf_rng_stream("generate-user", 0);
    double factor = stretch(o, jobs);
    int32_t account = 0;
    enum rf_status st = RF_OK;

    for (int64_t i = 0; i < jobs->n && st == RF_OK; i++) {
        const struct rf_draw *d = &jobs->draws[i];
        double submit_s = rf_day_time(&model->days[d->type], d->busy_s * factor);

        st = choose_account(accounts, model, users, i, d->type, &account, err);
        if (submit_s > 1e10)
            return rf_fail(err, RF_ERR_CONFIG,
                           "the load is so small that jobs would arrive over centuries");
        w->submit_us[i] = (int64_t)submit_s * 1000000;
        w->run_us[i] = d->run_s * 1000000;
        w->limit_us[i] = d->limit_s * 1000000;
        w->min[i] = d->size;
        w->account[i] = account;
    }
    for (int32_t a = 0; a < rf_accounts_count(accounts) && st == RF_OK; a++)
        st = rf_workload_account(w, rf_accounts_name(accounts, a), &account, err);
    return st;
}

/* Leaves out what the day's cycle has moved behind the horizon. */
static enum rf_status trim(struct rf_workload *w, const struct rf_generate_options *o,
                           struct rf_error *err)
{
    while (o->horizon_us > 0 && w->n > 0 && w->submit_us[w->n - 1] >= o->horizon_us)
        w->n--;
    if (w->n == 0)
        return rf_fail(err, RF_ERR_CONFIG, "no job arrives before the horizon");
    return RF_OK;
}

static enum rf_status check(const struct rf_generate_options *o, struct rf_error *err)
{
    if (o->devices < 1)
        return rf_fail(err, RF_ERR_CONFIG, "a workload needs a machine of at least 1 device");
    if (o->jobs < 0 || o->horizon_us < 0 || (o->jobs == 0 && o->horizon_us == 0))
        return rf_fail(err, RF_ERR_CONFIG,
                       "a generator needs a number of jobs or a horizon to know when to stop");
    if (o->jobs > JOBS_MAX)
        return rf_fail(err, RF_ERR_CONFIG, "at most %d jobs can be made", JOBS_MAX);
    if (!(o->load >= 0.0 && o->load <= 1000.0))
        return rf_fail(err, RF_ERR_CONFIG, "a load is a share of the machine, such as 0.8");
    if (!(o->rate_per_h >= 0.0 && o->rate_per_h <= 1e9))
        return rf_fail(err, RF_ERR_CONFIG, "arrivals an hour must lie between 0 and 10^9");
    if (o->size_min < 0 || o->size_max < 0 || o->size_max > o->devices ||
        (o->size_max > 0 && o->size_min > o->size_max) || o->size_min > o->devices)
        return rf_fail(err, RF_ERR_CONFIG,
                       "sizes must fit the machine, the smallest first: %d to %d of %d devices",
                       (int)o->size_min, (int)o->size_max, (int)o->devices);
    if (o->run_mean_us < 0 || o->run_mean_us > INT64_C(100000000) * 1000000)
        return rf_fail(err, RF_ERR_CONFIG, "a mean run time must lie between 0 and 10^8 s");
    return RF_OK;
}

enum rf_status rf_generate(struct rf_workload *workload,
                           const struct rf_generate_options *options, struct rf_error *err)
{
    struct rf_model *model = calloc(1, sizeof *model);
    struct rf_accounts *accounts = NULL;
    struct jobs jobs = {NULL, 0, 0, 0.0};
    enum rf_status st;

    memset(workload, 0, sizeof *workload);
    if (model == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a generator");
    model->options = options;
    st = check(options, err);
    if (st == RF_OK)
        st = rf_accounts_create(&accounts, options->rules, options->nrules,
                                options->fallback != NULL ? options->fallback : "default", err);
    if (st == RF_OK && options->kind == RF_GENERATE_LUBLIN)
        rf_model_lublin(model);
    else if (st == RF_OK && options->kind == RF_GENERATE_FLOOD)
        rf_model_flood(model);
    else if (st == RF_OK)
        rf_model_acme(model, options->kind == RF_GENERATE_KALOS);
    if (st == RF_OK)
        st = draw_all(model, &jobs, err);
    if (st == RF_OK)
        st = rf_workload_create(workload, jobs.n, err);
    if (st == RF_OK)
        st = fill(workload, model, &jobs, accounts, err);
    if (st == RF_OK)
        st = rf_workload_sort(workload, err);
    if (st == RF_OK)
        st = trim(workload, options, err);
    if (st == RF_OK)
        snprintf(workload->source, sizeof workload->source, "%s", KINDS[options->kind]);
    else
        rf_workload_clear(workload);
    rf_accounts_destroy(accounts);
    free(jobs.draws);
    free(model);
    return st;
}
