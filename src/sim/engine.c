/* The clock. Arrivals are a cursor on the workload, changes of the world a cursor on theirs, and
 * only ends are kept in a heap; the next moment is the earliest of these three and of the
 * time at which the policy wants to be asked again. */
#include "sim/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pages.h"
#include "sim/engine_parts.h"

/* Their product is far below 2^63. */
enum { FITS = 1 << 20 };
static const int64_t FITS_US = INT64_C(1) << 40;

enum {
    PROGRESS_EVERY = 1 << 16, /* events between two calls of progress() */
    IDLE_WAKES_MAX = 100000   /* questions in a row that changed nothing, with nothing left to
                                 happen: the jobs that wait will never start */
};

struct rf_sim_options rf_sim_options_make(void)
{
    return (struct rf_sim_options){.policy = rf_policy_options_make(),
                                   .devices = 1,
                                   .grace_us = 60 * INT64_C(1000000),
                                   .until_us = INT64_MAX,
                                   .name = "simulation",
                                   .version = "0",
                                   .config =
                                       "0000000000000000000000000000000000000000000000000000"
                                       "000000000000",
                                   .tally = 1};
}

void rf_sim_result_clear(struct rf_sim_result *result)
{
    rf_state_destroy(result->state);
    rf_tally_destroy(result->tally);
    free(result->start_us);
    free(result->end_us);
    *result = (struct rf_sim_result){0};
}

/* ---- setting up ---- */

static enum rf_status check(const struct rf_workload *w, const struct rf_sim_options *o,
                            struct rf_error *err)
{
    enum rf_status st = rf_policy_options_check(&o->policy, err);

    if (st == RF_OK && w->n > INT32_MAX - 1)
        st = rf_fail(err, RF_ERR_INPUT, "too many jobs: %lld", (long long)w->n);
    if (st == RF_OK && o->devices < 1)
        st = rf_fail(err, RF_ERR_CONFIG, "a simulation needs at least one device");
    if (st == RF_OK && o->until_us < o->start_us)
        st = rf_fail(err, RF_ERR_CONFIG, "a simulation cannot end before it starts");
    for (int64_t k = 0; k < w->n && st == RF_OK; k++)
        if (w->submit_us[k] < o->start_us || (k > 0 && w->submit_us[k] < w->submit_us[k - 1]) ||
            w->run_us[k] < 1 || (w->limit_us[k] < w->run_us[k] && w->record == NULL) ||
            w->min[k] < 1 || (w->max != NULL && w->max[k] < w->min[k]) ||
            ((w->run_us[k] > FITS_US || w->min[k] > FITS) &&
             w->run_us[k] > INT64_MAX / 4 / w->min[k]))
            st = rf_fail(
                err, RF_ERR_INPUT,
                "job %lld of '%.200s' cannot be: submitted at %lld us, runs for %lld us "
                "of at most %lld us on %d devices",
                (long long)k, w->source, (long long)w->submit_us[k], (long long)w->run_us[k],
                (long long)w->limit_us[k], w->min[k]);
    return st;
}

static enum rf_status make_result(struct rf_engine *g, struct rf_error *err)
{
    const struct rf_sim_options *o = g->o;
    int by_id = o->by_id || o->ledger_path != NULL || (o->world != NULL && o->world->by_id);
    size_t n = (size_t)g->w->n;
    enum rf_status st = rf_state_create(&g->r->state, !by_id, err);

    g->state = g->r->state;
    if (st == RF_OK)
        st = rf_state_reserve(g->state, (int32_t)n, err);
    if (st == RF_OK && o->tally)
        st = rf_tally_create(&g->r->tally, err);
    g->tally = g->r->tally;
    g->r->start_us = rf_pages_take((n + 1) * sizeof *g->r->start_us);
    g->r->end_us = rf_pages_take((n + 1) * sizeof *g->r->end_us);
    if (st == RF_OK && (g->r->start_us == NULL || g->r->end_us == NULL))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld jobs", (long long)g->w->n);
    for (size_t k = 0; k < n && st == RF_OK; k++)
        g->r->start_us[k] = g->r->end_us[k] = -1;
    return st;
}

static enum rf_status make_engine(struct rf_engine *g, struct rf_error *err)
{
    const struct rf_sim_options *o = g->o;
    enum rf_status st = RF_OK;

    for (int i = 0; i < RF_EVENT_NTYPES; i++)
        g->events[i] = rf_event_make((enum rf_event_type)i, 0);
    snprintf(g->events[RF_EVENT_END].text, sizeof g->events[0].text, "done");
    snprintf(g->events[RF_EVENT_END].reason, sizeof g->events[0].reason, "finished");
    g->account_ids = malloc(((size_t)g->w->naccounts + 1) * sizeof *g->account_ids);
    g->observers = malloc(((size_t)o->nobservers + 3) * sizeof *g->observers);
    if (g->account_ids == NULL || g->observers == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a simulation");
    for (int32_t i = 0; i < g->w->naccounts; i++)
        g->account_ids[i] = -1;
    if (g->w->record != NULL) {
        g->attempt = calloc((size_t)g->w->n + 1, sizeof *g->attempt);
        g->cut = calloc((size_t)g->w->n + 1, sizeof *g->cut);
    }
    if (g->w->record != NULL && g->w->record->read_us.first != NULL) {
        g->reading = calloc((size_t)g->w->n + 1, sizeof *g->reading);
        if (g->reading == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: a simulation");
    }
    if (g->w->record != NULL && (g->attempt == NULL || g->cut == NULL))
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a simulation");
    if (g->tally != NULL)
        g->observers[g->nobservers++] = rf_tally_observer(g->tally);
    if (g->tally != NULL && o->definitions != NULL) {
        rf_definitions_lend(o->definitions, g->tally);
        g->observers[g->nobservers++] = rf_definitions_observer(o->definitions);
    }
    for (int i = 0; i < o->nobservers; i++)
        g->observers[g->nobservers++] = o->observers[i];
    if (o->books != NULL)
        g->observers[g->nobservers++] = rf_books_observer(o->books);
    g->unwatched = o->nobservers == 0 && o->ledger_path == NULL;
    g->direct = g->unwatched && g->state->by_count && g->w->record == NULL &&
                o->books == NULL && o->definitions == NULL;
    g->wakes = (o->world != NULL && o->world->nchanges > 0) || g->w->max != NULL ||
               strcmp(o->policy.fence, "none") != 0;
    if (o->ledger_path != NULL)
        st = rf_ledger_create(&g->ledger, o->ledger_path, NULL, o->key, err);
    if (st == RF_OK)
        st = rf_policy_create(&g->policy, &o->policy, g->state, g->tally, err);
    return st;
}

static void end_engine(struct rf_engine *g)
{
    rf_policy_destroy(g->policy);
    rf_ledger_close(g->ledger);
    rf_ends_clear(&g->ends);
    rf_ends_clear(&g->readings);
    for (int i = 0; i < RF_EVENT_NTYPES; i++)
        rf_event_clear(&g->events[i]);
    free(g->account_ids);
    free(g->observers);
    free(g->attempt);
    free(g->cut);
    free(g->reading);
    free(g->progress);
}

/* ---- one moment ---- */

/* When the world changes next; INT64_MAX: never. */
static int64_t changes_us(const struct rf_engine *g)
{
    const struct rf_world *world = g->o->world;

    return world != NULL && g->next_change < world->nchanges
               ? world->changes[g->next_change].t_us
               : INT64_MAX;
}

static int arrives(const struct rf_engine *g)
{
    return g->next_arrival < g->w->n && g->w->submit_us[g->next_arrival] <= g->now_us;
}

static int ends(const struct rf_engine *g)
{
    return g->ends.n > 0 && g->ends.heap[0].t_us <= g->now_us;
}

static enum rf_status batch(struct rf_engine *g, struct rf_error *err)
{
    int changes = changes_us(g) <= g->now_us;
    enum rf_status st = changes ? rf_engine_change(g, RF_CHANGE_FAILED, err) : RF_OK;

    while (st == RF_OK && ends(g)) {
        struct rf_end end = rf_ends_take(&g->ends);

        st = rf_engine_end(g, &end, err);
    }
    if (st == RF_OK && changes)
        st = rf_engine_change(g, RF_CHANGE_RESERVE, err);
    while (st == RF_OK && arrives(g))
        st = rf_engine_arrive(g, err);
    return st == RF_OK ? rf_engine_ask(g, err) : st;
}

static enum rf_status ends_first(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = rf_engine_change(g, RF_CHANGE_FAILED, err);

    while (st == RF_OK && ends(g)) {
        struct rf_end end = rf_ends_take(&g->ends);

        if (!rf_engine_is_due(g, &end))
            continue;
        st = rf_engine_end(g, &end, err);
        if (st == RF_OK)
            st = rf_engine_ask(g, err);
    }
    if (st == RF_OK)
        st = rf_engine_change(g, RF_CHANGE_RESERVE, err);
    while (st == RF_OK && arrives(g)) {
        st = rf_engine_arrive(g, err);
        if (st == RF_OK)
            st = rf_engine_ask(g, err);
    }
    return st == RF_OK ? rf_engine_ask(g, err) : st;
}

/* Has the job run for as long as the scheduler was told it would? */
static int at_limit(const struct rf_engine *g, const struct rf_end *end)
{
    const struct rf_job *job = &g->state->jobs[end->job];

    return job->state == RF_JOB_RUNNING && g->now_us - job->grant_us == job->limit_us;
}

/* Jobs at their limit have ended before anybody is asked. Then one thing at a time, in which those
 * still have their turn: a question is asked where the end would have been. */
static enum rf_status arrivals_first(struct rf_engine *g, struct rf_error *err)
{
    struct rf_ends all = {0};
    enum rf_status st = rf_engine_change(g, RF_CHANGE_FAILED, err);

    while (st == RF_OK && ends(g)) {
        struct rf_end end = rf_ends_take(&g->ends);

        if (!rf_engine_is_due(g, &end))
            continue;
        st = rf_ends_add(&all, end, err);
        if (st == RF_OK && at_limit(g, &end))
            st = rf_engine_end(g, &end, err);
    }
    if (st == RF_OK)
        st = rf_engine_change(g, RF_CHANGE_RESERVE, err);
    while (st == RF_OK && arrives(g)) {
        st = rf_engine_arrive(g, err);
        if (st == RF_OK)
            st = rf_engine_ask(g, err);
    }
    while (st == RF_OK && all.n > 0) {
        struct rf_end end = rf_ends_take(&all);

        st = rf_engine_end(g, &end, err); /* void for those that have ended */
        if (st == RF_OK)
            st = rf_engine_ask(g, err);
    }
    rf_ends_clear(&all);
    return st == RF_OK ? rf_engine_ask(g, err) : st;
}

static enum rf_status moment(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = g->readings.n > 0 ? rf_engine_read(g, err) : RF_OK;

    if (st != RF_OK)
        return st;
    switch (g->o->tie) {
    case RF_TIE_TF:
        return ends_first(g, err);
    case RF_TIE_SEQ:
        return arrivals_first(g, err);
    case RF_TIE_BATCH:
        break;
    }
    return batch(g, err);
}

/* ---- the whole run ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What happens next without the policy; INT64_MAX: nothing. */
static int64_t next_happening(const struct rf_engine *g)
{
    int64_t t_us = changes_us(g);

    if (g->next_arrival < g->w->n)
        t_us = sooner(t_us, g->w->submit_us[g->next_arrival]);
    if (g->ends.n > 0)
        t_us = sooner(t_us, g->ends.heap[0].t_us);
    if (g->readings.n > 0)
        t_us = sooner(t_us, g->readings.heap[0].t_us);
    return t_us;
}

/* When the policy may answer differently though nothing happens. */
static int64_t wake(const struct rf_engine *g)
{
    int64_t wake_us = INT64_MAX;

    if (g->deaf)
        return wake_us;
    if (g->wakes)
        wake_us = rf_policy_wake_us(g->policy, g->now_us);
    return g->state->retry_us > g->now_us ? sooner(wake_us, g->state->retry_us) : wake_us;
}

/* Everything is over: no job waits, runs or will come. */
static int over(const struct rf_engine *g)
{
    return g->next_arrival == g->w->n && g->o->until_us == INT64_MAX && g->state->nqueue == 0 &&
           g->state->nrunning == 0;
}

static void show_progress(struct rf_engine *g)
{
    double n = (double)(g->w->n > 0 ? g->w->n : 1);

    g->next_progress = g->r->events + PROGRESS_EVERY;
    if (g->o->progress != NULL)
        g->o->progress(g->o->progress_ctx, (double)(g->r->finished + g->r->denied) / n);
}

static enum rf_status loop(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int idle = 0;

    while (st == RF_OK && !over(g) && idle < IDLE_WAKES_MAX) {
        int64_t before = g->r->events, next_us, wake_us, t_us;

        if (g->short_policy && !g->wakes && g->o->tie == RF_TIE_BATCH &&
            (st = rf_engine_run_short(g, changes_us(g), g->o->until_us, err)) != RF_OK)
            break;
        next_us = next_happening(g);
        wake_us = wake(g);
        t_us = sooner(next_us, wake_us);

        if (t_us > g->o->until_us || t_us == INT64_MAX)
            break;
        g->now_us = t_us > g->now_us ? t_us : g->now_us;
        if (wake_us < next_us) { /* moves the state's clock */
            st = rf_engine_emit(g, &g->events[RF_EVENT_HEARTBEAT], err);
            before++;
        }
        if (st == RF_OK)
            st = moment(g, err);
        idle = next_us == INT64_MAX && g->r->events == before ? idle + 1 : 0;
        if (g->r->events >= g->next_progress)
            show_progress(g);
    }
    if (st == RF_OK && g->o->until_us != INT64_MAX)
        g->now_us = g->o->until_us;
    return st;
}

static enum rf_status finish(struct rf_engine *g, struct rf_error *err)
{
    enum rf_status st = rf_engine_close(g, err);

    if (g->tally != NULL)
        rf_tally_judge(g->tally, g->state);
    if (g->w->n > 0 && g->last_end_us > g->w->submit_us[0])
        g->r->makespan_us = g->last_end_us - g->w->submit_us[0];
    if (st == RF_OK && g->ledger != NULL)
        st =
            g->o->key != NULL ? rf_ledger_seal(g->ledger, err) : rf_ledger_sync(g->ledger, err);
    return st;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum rf_status rf_sim_run(const struct rf_workload *workload,
                          const struct rf_sim_options *options, struct rf_sim_result *result,
                          struct rf_error *err)
{
    struct rf_engine *g = calloc(1, sizeof *g);
    enum rf_status st;
    double begin_s;

    *result = (struct rf_sim_result){0};
    if (g == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a simulation");
    *g = (struct rf_engine){.w = workload,
                            .o = options,
                            .r = result,
                            .now_us = options->start_us,
                            .last_account = -1};
    st = check(workload, options, err);
    if (st == RF_OK)
        st = make_result(g, err);
    if (st == RF_OK)
        st = make_engine(g, err);
    begin_s = seconds();
    if (st == RF_OK)
        st = rf_engine_open(g, err);
    if (st == RF_OK)
        st = loop(g, err);
    result->wall_s = seconds() - begin_s;
    if (st == RF_OK)
        st = finish(g, err);
    end_engine(g);
    free(g);
    return st;
}
