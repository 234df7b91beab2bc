#include "report/status.h"

#include <math.h>

#include "report/build.h"

enum { QUEUE_SHOWN = 100 };

/* ---- from a state ---- */

double rf_status_share(const struct rf_state *state, const struct rf_tally *tally,
                       int32_t account, int64_t now_us)
{
    struct rf_wide held_us = state->accounts[account].held_us;
    struct rf_wide capacity_us = tally->capacity_us;

    for (int32_t id = state->running_first; id >= 0; id = state->jobs[id].next)
        if (rf_state_within(state, state->jobs[id].account, account))
            rf_wide_add(&held_us, rf_state_owed_us(&state->jobs[id], now_us));
    if (now_us > tally->now_us && !state->closed)
        rf_wide_add_product(&capacity_us, now_us - tally->now_us, state->nfleet);
    return rf_wide_sign(capacity_us) > 0 ? rf_wide_double(held_us) / rf_wide_double(capacity_us)
                                         : (double)NAN;
}

double rf_status_used(const struct rf_account *account)
{
    double held =
        rf_wide_sign(account->held_limit_us) > 0
            ? rf_wide_double(account->held_us) / rf_wide_double(account->held_limit_us)
            : (double)NAN;
    double flops = account->flops_limit > 0
                       ? (double)account->flops / (double)account->flops_limit
                       : (double)NAN;

    return fmax(held, flops); /* of a number and NAN it is the number */
}

static json_t *devices_object(struct rf_build *b, const struct rf_state *s)
{
    json_t *o = json_object();

    rf_build_integer(b, o, "fleet", s->nfleet);
    rf_build_integer(b, o, "free", s->nfree);
    rf_build_integer(b, o, "down", s->ndown);
    return o;
}

static json_t *policy_object(struct rf_build *b, const struct rf_state *s)
{
    json_t *o = json_object();

    rf_build_text(b, o, "order", s->order);
    rf_build_text(b, o, "fence", s->fence);
    return o;
}

static json_t *counts_object(struct rf_build *b, const struct rf_state *s)
{
    int64_t counts[RF_JOB_DENIED + 1] = {0};
    json_t *o = json_object();

    for (int32_t i = 0; i < s->njobs; i++)
        counts[s->jobs[i].state]++;
    for (int k = 0; k <= RF_JOB_DENIED; k++)
        rf_build_integer(b, o, rf_job_state_name((enum rf_job_state)k), counts[k]);
    return o;
}

static json_t *accounts_array(struct rf_build *b, const struct rf_status_source *from)
{
    const struct rf_state *s = from->cluster;
    json_t *array = json_array();

    for (int32_t i = 0; i < s->naccounts; i++) {
        const struct rf_account *a = &s->accounts[i];
        json_t *o = json_object();

        rf_build_text(b, o, "name", a->name);
        rf_build_integer(b, o, "devices", a->used);
        rf_build_wide_seconds(b, o, "device_s", a->held_us);
        rf_build_number(b, o, "share", rf_status_share(s, from->tally, i, from->now_us));
        rf_build_integer(b, o, "jobs", a->jobs);
        rf_build_integer(b, o, "preempted", a->preempted);
        rf_build_integer(b, o, "denied", a->denied);
        if (isfinite(rf_status_used(a)))
            rf_build_number(b, o, "limit_used", rf_status_used(a));
        rf_build_append(b, array, o);
    }
    return array;
}

static json_t *pledges_array(struct rf_build *b, const struct rf_status_source *from)
{
    json_t *array = json_array();

    rf_tally_judge(from->tally, from->cluster);
    for (int i = 0; i < from->tally->npledges; i++) {
        const struct rf_pledge_account *p = &from->tally->pledges[i];
        const struct rf_window *w = p->nwindows > 0 ? &p->windows[p->nwindows - 1] : NULL;
        char share[48];
        json_t *o = json_object();

        rf_share_format(&p->pledge.share, share, sizeof share);
        rf_build_text(b, o, "account", p->pledge.account_name);
        rf_build_text(b, o, "share", share);
        rf_build_number(b, o, "share_ratio",
                        (double)p->pledge.share.num / (double)p->pledge.share.den);
        rf_build_text(b, o, "basis", p->pledge.basis);
        rf_build_text(b, o, "fence", p->pledge.fence);
        rf_build_number(
            b, o, "received_share",
            rf_status_share(from->cluster, from->tally, p->pledge.account, from->now_us));
        rf_build_wide_seconds(b, o, "entitled_device_s", p->entitled_us);
        rf_build_wide_seconds(b, o, "demanded_device_s", p->demanded_us);
        rf_build_wide_seconds(b, o, "delivered_device_s", p->delivered_us);
        rf_build_integer(b, o, "windows", p->nwindows);
        rf_build_text(b, o, "window_verdict", w != NULL ? rf_verdict_name(w->verdict) : "");
        rf_build_text(b, o, "verdict", rf_verdict_name(p->verdict));
        rf_build_append(b, array, o);
    }
    return array;
}

static json_t *running_object(struct rf_build *b, const struct rf_status_source *from,
                              int32_t id)
{
    const struct rf_state *s = from->cluster;
    const struct rf_job *job = &s->jobs[id];
    const struct rf_job_extra *extra = rf_state_job_extra(s, id);
    char name[RF_NAME_BYTES];
    json_t *o = json_object();

    rf_build_integer(b, o, "id", id);
    rf_build_text(b, o, "name", rf_state_job_name(s, id, name));
    rf_build_text(b, o, "account", rf_state_job_account(s, id));
    rf_build_text(b, o, "state", rf_job_state_name((enum rf_job_state)job->state));
    rf_build_integer(b, o, "devices", job->ndevices);
    rf_build_seconds(b, o, "since_s", from->now_us - job->grant_us);
    rf_build_seconds(b, o, "held_s", job->held_us);
    rf_build_integer(b, o, "step", extra->step);
    if (job->limit_us > 0)
        rf_build_seconds(b, o, "left_s", job->grant_us + job->limit_us - from->now_us);
    return o;
}

static json_t *running_array(struct rf_build *b, const struct rf_status_source *from)
{
    json_t *array = json_array();

    for (int32_t id = from->cluster->running_first; id >= 0; id = from->cluster->jobs[id].next)
        rf_build_append(b, array, running_object(b, from, id));
    return array;
}

static json_t *queue_array(struct rf_build *b, const struct rf_status_source *from)
{
    const struct rf_state *s = from->cluster;
    json_t *array = json_array();
    int shown = 0;

    for (int32_t id = s->queue_first; id >= 0 && shown < QUEUE_SHOWN; id = s->jobs[id].next) {
        const struct rf_job *job = &s->jobs[id];
        char name[RF_NAME_BYTES];
        json_t *o = json_object();

        rf_build_integer(b, o, "id", id);
        rf_build_text(b, o, "name", rf_state_job_name(s, id, name));
        rf_build_text(b, o, "account", rf_state_job_account(s, id));
        rf_build_integer(b, o, "min", job->min);
        rf_build_integer(b, o, "max", job->max);
        rf_build_seconds(b, o, "waits_s", from->now_us - job->queued_us);
        rf_build_text(b, o, "reason", rf_state_job_reason(s, id));
        rf_build_append(b, array, o);
        shown++;
    }
    return array;
}

static json_t *pace_object(struct rf_build *b, const struct rf_pace *pace, int64_t planned)
{
    json_t *o = json_object();

    rf_build_number(b, o, "part", pace->part);
    rf_build_number(b, o, "eta_s", pace->eta_s);
    rf_build_number(b, o, "tokens_per_s", pace->rate);
    rf_build_integer(b, o, "jobs", planned);
    return o;
}

json_t *rf_status_object(const struct rf_status_source *from)
{
    const struct rf_state *s = from->cluster;
    struct rf_build build = {0}, *b = &build;
    json_t *root = json_object(), *ledger = json_object();

    rf_build_text(b, root, "run", from->run);
    rf_build_text(b, root, "source", from->source);
    rf_build_text(b, root, "state", from->state);
    rf_build_integer(b, root, "start_us", s->start_us);
    rf_build_seconds(b, root, "elapsed_s", s->opened ? from->now_us - s->start_us : 0);
    if (from->pace != NULL)
        rf_build_set(b, root, "progress", pace_object(b, from->pace, from->planned));
    rf_build_set(b, root, "devices", devices_object(b, s));
    rf_build_set(b, root, "policy", policy_object(b, s));
    rf_build_set(b, root, "jobs", counts_object(b, s));
    rf_build_set(b, root, "accounts", accounts_array(b, from));
    rf_build_set(b, root, "pledges", pledges_array(b, from));
    rf_build_set(b, root, "running", running_array(b, from));
    rf_build_set(b, root, "queue", queue_array(b, from));
    rf_build_integer(b, root, "queued", s->nqueue);
    rf_build_integer(b, ledger, "entries", from->entries);
    rf_build_integer(b, ledger, "sealed_entries", from->sealed_entries);
    rf_build_set(b, root, "ledger", ledger);
    if (!build.failed)
        return root;
    json_decref(root);
    return NULL;
}
