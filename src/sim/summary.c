/* One pass over the jobs fills what is counted by account; percentiles then take one pass and
 * one selection for each part of the jobs, all in the same scratch array. */
#include "sim/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/schedule.h"

struct by_account { /* of this account alone */
    int64_t jobs, started, finished, denied;
    struct rf_wide held_us, useful_us, unfinished_us;
    struct rf_sum wait_us;
};

struct work {
    struct rf_sim_summary *summary;
    const struct rf_workload *workload;
    const struct rf_state *state;
    struct by_account *own, *tree; /* owned; by account of the state: alone, with all below */
    unsigned char *pledged;        /* owned; by account */
    signed char *groups;           /* owned; by account */
    struct rf_sim_denial *denials; /* owned; by account and reason */
    int64_t *scratch;              /* owned; a number per job */
    int32_t *first, *next; /* owned; by account + 1: the first below it, the next beside it */
};

/* ---- counting ---- */

static int is_pledged(const struct rf_state *state, const struct rf_tally *tally,
                      int32_t account)
{
    for (int32_t i = 0; i < state->npledges; i++)
        if (rf_state_within(state, account, state->pledges[i].account))
            return 1;
    for (int i = 0; tally != NULL && i < tally->npledges; i++)
        if (rf_state_within(state, account, tally->pledges[i].pledge.account))
            return 1;
    return 0;
}

static enum rf_status start(struct work *w, const struct rf_tally *tally, struct rf_error *err)
{
    size_t n = (size_t)w->state->naccounts, reasons = (size_t)w->state->nreasons;

    w->own = calloc(n + 1, sizeof *w->own);
    w->tree = calloc(n + 1, sizeof *w->tree);
    w->pledged = calloc(n + 1, 1);
    w->groups = calloc(n + 1, 1);
    w->denials = calloc(n * reasons + 1, sizeof *w->denials);
    w->scratch = calloc((size_t)w->state->njobs + 1, sizeof *w->scratch);
    w->first = calloc(n + 1, sizeof *w->first);
    w->next = calloc(n + 1, sizeof *w->next);
    if (w->own == NULL || w->tree == NULL || w->pledged == NULL || w->groups == NULL ||
        w->denials == NULL || w->scratch == NULL || w->first == NULL || w->next == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the summary");
    for (int32_t a = 0; a < w->state->naccounts; a++) {
        w->pledged[a] = (unsigned char)is_pledged(w->state, tally, a);
        w->groups[a] =
            (signed char)rf_groups_find(&w->summary->groups, w->state->accounts[a].name);
    }
    for (int32_t a = w->state->naccounts; a > 0; a--) { /* 0 ends a list */
        int32_t *first = &w->first[w->state->accounts[a - 1].parent + 1];

        w->next[a] = *first;
        *first = a;
    }
    return RF_OK;
}

static void finish(struct work *w)
{
    free(w->own);
    free(w->tree);
    free(w->pledged);
    free(w->groups);
    free(w->denials);
    free(w->scratch);
    free(w->first);
    free(w->next);
}

static void count_denial(struct work *w, int32_t id)
{
    const struct rf_job *job = &w->state->jobs[id];
    struct rf_sim_denial *denial =
        &w->denials[(size_t)job->account * (size_t)w->state->nreasons + job->reason];

    denial->account = job->account;
    denial->reason = job->reason;
    denial->count++;
    denial->asked_us += (double)job->limit_us * job->min;
}

static struct rf_wide work_of(const struct rf_workload *w, int32_t id)
{
    struct rf_wide work_us = rf_wide_of(0);

    if (w->record == NULL) {
        rf_wide_add_product(&work_us, w->run_us[id], w->min[id]);
        return work_us;
    }
    for (int32_t i = w->record->first_attempt[id]; i < w->record->first_attempt[id + 1]; i++)
        rf_wide_add(&work_us, w->record->attempts[i].work_us);
    rf_wide_add(&work_us, w->record->work_us[id]);
    return work_us;
}

static void count_job(struct work *w, int32_t id)
{
    const struct rf_job *job = &w->state->jobs[id];
    struct by_account *own = &w->own[job->account];

    own->jobs++;
    rf_wide_add(&own->held_us, job->held_us);
    if (job->first_grant_us >= 0) {
        int64_t wait_us = job->first_grant_us - job->submit_us;

        own->started++;
        rf_sum_add(&own->wait_us, wait_us);
        if (w->groups[job->account] >= 0)
            w->summary->wait_bins[w->groups[job->account]][rf_wait_bin(wait_us)]++;
    }
    if (job->state == RF_JOB_DONE) {
        own->finished++;
        own->useful_us = rf_wide_plus(own->useful_us, work_of(w->workload, id));
    } else {
        rf_wide_add(&own->unfinished_us, job->held_us);
    }
    if (job->state == RF_JOB_DENIED) {
        own->denied++;
        count_denial(w, id);
    }
}

static void add(struct by_account *to, const struct by_account *from)
{
    to->jobs += from->jobs;
    to->started += from->started;
    to->finished += from->finished;
    to->denied += from->denied;
    to->held_us = rf_wide_plus(to->held_us, from->held_us);
    to->useful_us = rf_wide_plus(to->useful_us, from->useful_us);
    to->unfinished_us = rf_wide_plus(to->unfinished_us, from->unfinished_us);
    rf_sum_merge(&to->wait_us, &from->wait_us);
}

static void count_jobs(struct work *w)
{
    for (int32_t id = 0; id < w->state->njobs; id++)
        count_job(w, id);
    for (int32_t a = 0; a < w->state->naccounts; a++)
        for (int32_t up = a; up >= 0; up = w->state->accounts[up].parent)
            add(&w->tree[up], &w->own[a]);
}

/* ---- results ---- */

/* Those directly below parent (-1: the roots), each followed by its own. */
static int32_t add_accounts(struct work *w, int32_t parent, int32_t n)
{
    for (int32_t at = w->first[parent + 1]; at > 0; at = w->next[at]) {
        int32_t a = at - 1;
        const struct by_account *tree = &w->tree[a];

        w->summary->accounts[n++] = (struct rf_sim_account){
            .id = a,
            .started = tree->started,
            .finished = tree->finished,
            .wait_mean_us = rf_sum_mean(&tree->wait_us, tree->started),
            .useful_us = tree->useful_us,
            .lost_us = rf_wide_minus(rf_wide_minus(tree->held_us, tree->unfinished_us),
                                     tree->useful_us),
            .unfinished_us = tree->unfinished_us,
            .pledged = w->pledged[a]};
        n = add_accounts(w, a, n);
    }
    return n;
}

static int by_count(const void *a, const void *b)
{
    const struct rf_sim_denial *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (x->account != y->account)
        return x->account < y->account ? -1 : 1;
    return (x->reason > y->reason) - (x->reason < y->reason);
}

static enum rf_status take_denials(struct work *w, struct rf_error *err)
{
    struct rf_sim_summary *s = w->summary;
    size_t most = (size_t)w->state->naccounts * (size_t)w->state->nreasons;
    int32_t n = 0;

    for (size_t i = 0; i < most; i++)
        if (w->denials[i].count > 0)
            w->denials[n++] = w->denials[i];
    qsort(w->denials, (size_t)n, sizeof *w->denials, by_count);
    s->denials = calloc((size_t)n + 1, sizeof *s->denials);
    if (s->denials == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the summary");
    memcpy(s->denials, w->denials, (size_t)n * sizeof *s->denials);
    s->ndenials = n;
    return RF_OK;
}

/* which: 1 pledged jobs, 0 the others, -1 all */
static void make_part(struct work *w, struct rf_sim_part *part, int which)
{
    int64_t n = 0;

    for (int32_t a = 0; a < w->state->naccounts; a++) {
        const struct by_account *own = &w->own[a];

        if (which >= 0 && w->pledged[a] != which)
            continue;
        part->jobs += own->jobs;
        part->started += own->started;
        part->finished += own->finished;
        part->denied += own->denied;
        part->held_us = rf_wide_plus(part->held_us, own->held_us);
        part->useful_us = rf_wide_plus(part->useful_us, own->useful_us);
    }
    for (int32_t id = 0; id < w->state->njobs; id++) {
        const struct rf_job *job = &w->state->jobs[id];

        if (job->first_grant_us >= 0 && (which < 0 || w->pledged[job->account] == which))
            w->scratch[n++] = job->first_grant_us - job->submit_us;
    }
    part->wait = rf_spread_of(w->scratch, n);
    n = 0;
    for (int32_t id = 0; id < w->state->njobs; id++) {
        const struct rf_job *job = &w->state->jobs[id];

        if (job->state == RF_JOB_DONE && (which < 0 || w->pledged[job->account] == which))
            w->scratch[n++] =
                rf_slowdown_millionths(job->end_us - job->submit_us, w->workload->run_us[id]);
    }
    part->slowdown = rf_spread_of(w->scratch, n);
}

/* Does the world change how many devices there are? */
static int fleet_changes(const struct rf_world *world)
{
    for (int64_t i = 0; world != NULL && i < world->nchanges; i++)
        if (world->changes[i].kind >= RF_CHANGE_FAILED &&
            world->changes[i].kind <= RF_CHANGE_REPAIRED)
            return 1;
    return 0;
}

static void make_span(struct rf_sim_summary *s, const struct rf_sim_options *options,
                      const struct rf_sim_result *result, const struct rf_series_table *table)
{
    const struct rf_state *state = result->state;
    int changes = fleet_changes(options->world);
    int left = state->nqueue > 0 || state->nrunning > 0;

    s->first_submit_us = state->njobs > 0 ? state->jobs[0].submit_us : -1;
    s->last_end_us = left ? state->now_us : -1;
    for (int32_t id = 0; id < state->njobs && !left; id++)
        if (state->jobs[id].grants > 0 && state->jobs[id].end_us > s->last_end_us)
            s->last_end_us = state->jobs[id].end_us;
    if (s->last_end_us >= 0)
        s->makespan_us = s->last_end_us - s->first_submit_us;
    s->used_us = s->all.held_us;
    if (table != NULL)
        s->capacity_us = table->span_capacity_us;
    else if (!changes)
        s->capacity_us = rf_wide_product(options->devices, s->makespan_us);
    s->utilization = rf_wide_sign(s->capacity_us) > 0
                         ? rf_wide_double(s->used_us) / rf_wide_double(s->capacity_us)
                         : (double)NAN;
}

/* Jobs that were done, as the csv of the schedule has them. */
static enum rf_status digest_schedule(struct rf_sim_summary *s, const struct rf_workload *w,
                                      const struct rf_sim_result *result, struct rf_error *err)
{
    const struct rf_schedule schedule = {.n = result->state->njobs,
                                         .submit_us = w->submit_us,
                                         .start_us = result->start_us,
                                         .end_us = result->end_us,
                                         .procs = w->min};

    return rf_schedule_digest(&schedule, &s->schedule, err);
}

enum rf_status rf_sim_summary_make(struct rf_sim_summary *summary,
                                   const struct rf_workload *workload,
                                   const struct rf_sim_options *options,
                                   const struct rf_sim_result *result,
                                   const struct rf_series_table *table, struct rf_error *err)
{
    struct work w = {.summary = summary, .workload = workload, .state = result->state};
    enum rf_status st;

    *summary = (struct rf_sim_summary){.preemptions = result->preemptions};
    if (table != NULL)
        summary->groups = table->groups;
    st = table != NULL ? RF_OK : rf_groups_choose(&summary->groups, workload, err);
    if (st == RF_OK)
        st = start(&w, result->tally, err);
    summary->accounts = calloc((size_t)result->state->naccounts + 1, sizeof *summary->accounts);
    if (st == RF_OK && summary->accounts == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the summary");
    if (st == RF_OK) {
        count_jobs(&w);
        summary->naccounts = add_accounts(&w, -1, 0);
        make_part(&w, &summary->all, -1);
        make_part(&w, &summary->pledged, 1);
        if (summary->pledged.jobs > 0)
            make_part(&w, &summary->others, 0);
        else
            summary->others = summary->all;
        make_span(summary, options, result, table);
        st = take_denials(&w, err);
    }
    if (st == RF_OK)
        st = digest_schedule(summary, workload, result, err);
    finish(&w);
    if (st != RF_OK)
        rf_sim_summary_clear(summary);
    return st;
}

void rf_sim_summary_clear(struct rf_sim_summary *summary)
{
    free(summary->accounts);
    free(summary->denials);
    *summary = (struct rf_sim_summary){0};
}
