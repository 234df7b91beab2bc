/* What jobs claim about their work (T7), and what people changed by hand (T8). */
#include <stdio.h>
#include <string.h>

#include "audit/watch_rules.h"

/* ---- T7 ------------------------------------------------------------------ */

/* flops <= peak x held, in integers: flops x 10^6 <= peak x held_us. */
static int above_peak(int64_t flops, int64_t peak_flops, int64_t held_us)
{
    return rf_wide_compare(rf_wide_product(flops, 1000000),
                           rf_wide_product(peak_flops, held_us)) > 0;
}

static double utilization(int64_t flops, int64_t peak_flops, int64_t held_us)
{
    return held_us > 0 && peak_flops > 0
               ? (double)flops / ((double)peak_flops * ((double)held_us / 1e6))
               : 0;
}

static enum rf_status judge_claims(struct rf_audit_watch *w, const struct rf_event *event,
                                   struct rf_error *err)
{
    struct rf_audit_test *t7 = &w->tests[RF_T7_PLAUSIBILITY];
    struct rf_watch_job *job = &w->jobs[event->job];
    enum rf_status st = RF_OK;

    t7->checked++;
    if (job->late)
        return RF_OK;
    if (job->busy_us > job->held_us)
        st = rf_audit_find(t7, event->seq, event->job,
                           (double)job->busy_us / (double)(job->held_us + 1), err,
                           "line %lld: job %d claims %.6f busy device-s of %.6f that it held",
                           (long long)event->seq + 1, (int)event->job,
                           (double)job->busy_us / 1e6, (double)job->held_us / 1e6);
    else if (w->peak_flops > 0 && above_peak(job->flops, w->peak_flops, job->held_us))
        st = rf_audit_find(t7, event->seq, event->job,
                           utilization(job->flops, w->peak_flops, job->held_us), err,
                           "line %lld: job %d claims %.6g FLOP, %.6g times what its %.6f "
                           "device-s could have done at the measured peak",
                           (long long)event->seq + 1, (int)event->job, (double)job->flops,
                           utilization(job->flops, w->peak_flops, job->held_us),
                           (double)job->held_us / 1e6);
    else
        return RF_OK;
    job->late = 1; /* once for each lease */
    return st;
}

static enum rf_status keep_reading(struct rf_audit_watch *w, const struct rf_event *event,
                                   struct rf_error *err)
{
    const struct rf_watch_job *job = &w->jobs[event->job];
    enum rf_status st;

    if (!w->want_readings || (event->tokens == 0 && event->flops == 0))
        return RF_OK;
    st = rf_audit_room((void **)&w->readings, &w->readings_room, w->nreadings + 1,
                       sizeof *w->readings, err);
    if (st == RF_OK)
        w->readings[w->nreadings++] = (struct rf_seen_reading){.seq = event->seq,
                                                               .step = event->step,
                                                               .tokens = job->tokens,
                                                               .flops = job->flops,
                                                               .job = event->job,
                                                               .lease = event->lease};
    return st;
}

static enum rf_status keep_checkpoint(struct rf_audit_watch *w, const struct rf_event *event,
                                      struct rf_error *err)
{
    const struct rf_watch_job *job = &w->jobs[event->job];
    int64_t room = w->checkpoints_room;
    enum rf_status st =
        rf_audit_room((void **)&w->checkpoints, &room, (int64_t)w->ncheckpoints + 1,
                      sizeof *w->checkpoints, err);
    struct rf_seen_checkpoint *c;

    if (st != RF_OK)
        return st;
    w->checkpoints_room = (int)room;
    c = &w->checkpoints[w->ncheckpoints++];
    *c = (struct rf_seen_checkpoint){.seq = event->seq,
                                     .t_us = event->t_us,
                                     .step = event->step,
                                     .job = event->job,
                                     .lease = job->lease,
                                     .devices = job->devices};
    memcpy(c->digest, event->digest, sizeof c->digest);
    memcpy(c->path, event->text, sizeof c->path);
    return RF_OK;
}

enum rf_status rf_watch_claims(struct rf_audit_watch *w, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err)
{
    struct rf_watch_job *job =
        event->job >= 0 && event->job < w->njobs ? &w->jobs[event->job] : NULL;
    enum rf_status st;

    (void)state;
    if (event->type == RF_EVENT_MEASURE) {
        w->peak_flops = event->flops;
        snprintf(w->measured, sizeof w->measured, "%s", event->reason);
    }
    if (job == NULL)
        return RF_OK;
    if (event->type == RF_EVENT_CHECKPOINT)
        return keep_checkpoint(w, event, err);
    if (event->type == RF_EVENT_DISPUTE) {
        w->disputes++;
        rf_wide_add(&w->disputed_us, event->busy_us);
        rf_wide_add(&w->disputed_flops, event->flops);
        return RF_OK;
    }
    if (event->type != RF_EVENT_CHARGE)
        return RF_OK;
    job->held_us += event->held_us;
    job->busy_us += event->busy_us;
    job->tokens += event->tokens;
    job->flops += event->flops;
    rf_wide_add(&w->busy_us, event->busy_us);
    rf_wide_add(&w->flops, event->flops);
    st = judge_claims(w, event, err);
    return st == RF_OK ? keep_reading(w, event, err) : st;
}

void rf_watch_claims_end(struct rf_audit_watch *w)
{
    struct rf_audit_test *t7 = &w->tests[RF_T7_PLAUSIBILITY];
    double held_s = rf_wide_double(w->charged_us) / 1e6;
    int claims = rf_wide_sign(w->flops) > 0;

    if (held_s > 0 && t7->checked > 0)
        rf_audit_note(t7, "busy %.3g %% of the device-time charged",
                      100 * rf_wide_double(w->busy_us) / 1e6 / held_s);
    if (claims && w->peak_flops > 0 && held_s > 0)
        rf_audit_note(t7,
                      "%.6g FLOP claimed, %.3g %% of the measured peak of %.6g FLOP per "
                      "device-second (%.100s)",
                      rf_wide_double(w->flops),
                      100 * rf_wide_double(w->flops) / ((double)w->peak_flops * held_s),
                      (double)w->peak_flops, w->measured);
    else if (claims)
        rf_audit_note(t7, "%.6g FLOP claimed, but no measured peak is on record",
                      rf_wide_double(w->flops));
    if (w->disputes > 0)
        rf_audit_note(t7,
                      "%lld claims disputed by the coordinator and not charged: %.6g busy "
                      "device-s, %.6g FLOP",
                      (long long)w->disputes, rf_wide_double(w->disputed_us) / 1e6,
                      rf_wide_double(w->disputed_flops));
    if (t7->checked == 0)
        rf_audit_note(t7, "no reading claims any work");
    rf_audit_conclude(t7, t7->checked > 0 && (!claims || w->peak_flops > 0));
}

/* ---- T8 ------------------------------------------------------------------ */

static const struct rf_pledge *pledge_of(const struct rf_state *state, const char *account)
{
    for (int32_t i = 0; i < state->npledges; i++)
        if (strcmp(state->pledges[i].account_name, account) == 0)
            return &state->pledges[i];
    return NULL;
}

static void describe_pledge(struct rf_seen_change *c, const struct rf_pledge *before,
                            const struct rf_event *event)
{
    char was[48], is[48];

    rf_share_format(&before->share, was, sizeof was);
    rf_share_format(&event->share, is, sizeof is);
    snprintf(c->what, sizeof c->what, "%.24s of %.8s -> %.24s of %.8s", was, before->basis, is,
             event->basis);
}

static enum rf_status keep_change(struct rf_audit_watch *w, const struct rf_event *event,
                                  struct rf_seen_change **c, struct rf_error *err)
{
    int64_t room = w->changes_room;
    enum rf_status st = rf_audit_room((void **)&w->changes, &room, (int64_t)w->nchanges + 1,
                                      sizeof *w->changes, err);

    if (st != RF_OK)
        return st;
    w->changes_room = (int)room;
    *c = &w->changes[w->nchanges++];
    **c = (struct rf_seen_change){
        .seq = event->seq, .t_us = event->t_us, .type = event->type, .job = event->job};
    memcpy((*c)->account, event->account, sizeof(*c)->account);
    memcpy((*c)->author, event->author, sizeof(*c)->author);
    memcpy((*c)->reason, event->reason, sizeof(*c)->reason);
    return RF_OK;
}

static enum rf_status relabel(struct rf_audit_watch *w, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    struct rf_audit_test *t8 = &w->tests[RF_T8_RELABELS];
    struct rf_seen_change *c;
    const struct rf_job *job;
    char name[RF_NAME_BYTES];
    enum rf_status st;

    if (event->job < 0 || event->job >= state->njobs)
        return RF_OK;
    st = keep_change(w, event, &c, err);
    if (st != RF_OK)
        return st;
    job = &state->jobs[event->job];
    snprintf(c->what, sizeof c->what, "%.40s -> %.40s", rf_state_job_account(state, event->job),
             event->account);
    c->after_the_fact = job->grants > 0;
    t8->checked++;
    if (!c->after_the_fact)
        return RF_OK;
    return rf_audit_find(t8, event->seq, event->job, (double)job->held_us, err,
                         "line %lld: job %d (%.30s) goes from '%.30s' to '%.30s' after it held "
                         "%.6g device-s (by %.20s)",
                         (long long)event->seq + 1, (int)event->job,
                         rf_state_job_name(state, event->job, name),
                         rf_state_job_account(state, event->job), event->account,
                         (double)job->held_us / 1e6, event->author);
}

enum rf_status rf_watch_changes(struct rf_audit_watch *w, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err)
{
    const struct rf_pledge *before;
    struct rf_seen_change *c;
    enum rf_status st;

    switch (event->type) {
    case RF_EVENT_RELABEL:
        return relabel(w, state, event, err);
    case RF_EVENT_PLEDGE:
        before = pledge_of(state, event->account);
        if (before == NULL)
            return RF_OK;
        st = keep_change(w, event, &c, err);
        if (st == RF_OK)
            describe_pledge(c, before, event);
        return st;
    case RF_EVENT_POLICY:
        st = keep_change(w, event, &c, err);
        if (st == RF_OK)
            snprintf(c->what, sizeof c->what, "%.30s+%.15s -> %.40s", state->order,
                     state->fence, event->text);
        return st;
    case RF_EVENT_RESERVE:
        st = keep_change(w, event, &c, err);
        if (st == RF_OK)
            snprintf(c->what, sizeof c->what, "%d devices kept clear for %.6g s",
                     (int)event->count, (double)(event->end_us - event->begin_us) / 1e6);
        return st;
    case RF_EVENT_LIMIT:
        st = keep_change(w, event, &c, err);
        if (st == RF_OK)
            snprintf(c->what, sizeof c->what, "at most %.6g device-s more, %.6g FLOP more",
                     (double)event->held_limit_us / 1e6, (double)event->flops_limit);
        return st;
    default:
        return RF_OK;
    }
}
