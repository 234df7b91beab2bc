/* What was asked for, and what the answer was (T5, T6, and the table of requests). */
#include <stdlib.h>
#include <string.h>

#include "audit/watch_rules.h"

/* ---- the table ---------------------------------------------------------- */

static enum rf_status account_of(struct rf_audit_watch *w, const struct rf_state *state,
                                 int32_t job, struct rf_account_requests **row,
                                 struct rf_error *err)
{
    int64_t room = w->accounts_room;
    int32_t account = state->jobs[job].account;
    enum rf_status st = rf_audit_room((void **)&w->accounts, &room, (int64_t)account + 1,
                                      sizeof *w->accounts, err);

    if (st != RF_OK)
        return st;
    w->accounts_room = (int32_t)room;
    if (account >= w->naccounts)
        w->naccounts = account + 1;
    *row = &w->accounts[account];
    return RF_OK;
}

static enum rf_status count_answer(struct rf_audit_watch *w, int32_t account, int32_t reason,
                                   int denied, int first, struct rf_wide device_us,
                                   int unlimited, struct rf_error *err)
{
    int64_t room = w->answers_room;
    struct rf_answer *row = NULL;
    enum rf_status st;

    for (int i = 0; i < w->nanswers && row == NULL; i++)
        if (w->answers[i].account == account && w->answers[i].reason == reason &&
            w->answers[i].denied == denied)
            row = &w->answers[i];
    if (row == NULL) {
        st = rf_audit_room((void **)&w->answers, &room, (int64_t)w->nanswers + 1, sizeof *row,
                           err);
        if (st != RF_OK)
            return st;
        w->answers_room = (int)room;
        row = &w->answers[w->nanswers++];
        *row = (struct rf_answer){.account = account, .reason = reason, .denied = denied};
    }
    row->requests += first;
    row->device_us = rf_wide_plus(row->device_us, device_us);
    row->unlimited += unlimited;
    return RF_OK;
}

/* It has waited for the reason that it was given up to now. */
static enum rf_status end_wait(struct rf_audit_watch *w, const struct rf_state *state,
                               int32_t id, int64_t t_us, struct rf_error *err)
{
    struct rf_watch_job *job = &w->jobs[id];
    struct rf_account_requests *row;
    struct rf_wide waited;
    enum rf_status st;

    if (job->waiting_us < 0)
        return RF_OK;
    waited = rf_wide_product(state->jobs[id].min, t_us - job->waiting_us);
    job->waiting_us = -1;
    st = account_of(w, state, id, &row, err);
    if (st != RF_OK)
        return st;
    row->delayed_us = rf_wide_plus(row->delayed_us, waited);
    return count_answer(w, state->jobs[id].account, job->reason, 0, 0, waited, 0, err);
}

/* ---- T5: denials -------------------------------------------------------- */

/* The pledge that the job's request lies within, with what its account holds; -1: none. */
static int in_share_of(const struct rf_state *state, const struct rf_job *job)
{
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *p = &state->pledges[i];
        int32_t base = strcmp(p->basis, "secured") == 0 && p->secured < state->nfleet
                           ? p->secured
                           : state->nfleet;

        if (rf_state_within(state, job->account, p->account) &&
            (int64_t)state->accounts[p->account].used + job->min <=
                rf_share_of(&p->share, base))
            return i;
    }
    return -1;
}

static enum rf_status check_denial(struct rf_audit_watch *w, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    struct rf_audit_test *t5 = &w->tests[RF_T5_DENIALS];
    const struct rf_job *job = &state->jobs[event->job];
    struct rf_wide size = rf_wide_product(job->limit_us, job->min);
    int pledge = in_share_of(state, job);
    char name[RF_NAME_BYTES], share[48];

    t5->checked++;
    if (event->reason[0] == '\0')
        return rf_audit_find(t5, event->seq, event->job, rf_wide_double(size), err,
                             "line %lld: job %d (%s) is denied without a reason",
                             (long long)event->seq + 1, (int)event->job,
                             rf_state_job_name(state, event->job, name));
    if (pledge < 0 || job->min > state->nfree || !rf_state_ready(state, job) ||
        rf_state_spent(state, job) != NULL)
        return RF_OK;
    rf_share_format(&state->pledges[pledge].share, share, sizeof share);
    return rf_audit_find(
        t5, event->seq, event->job, rf_wide_double(size), err,
        "line %lld: job %d (%s) of '%.40s' is denied (%.30s) while %d devices are free and the "
        "account holds %d, less than its %s",
        (long long)event->seq + 1, (int)event->job, rf_state_job_name(state, event->job, name),
        state->pledges[pledge].account_name, event->reason, (int)state->nfree,
        (int)state->accounts[state->pledges[pledge].account].used, share);
}

/* ---- T6: waits ---------------------------------------------------------- */

static int pledged(const struct rf_state *state, int32_t account)
{
    for (int32_t i = 0; i < state->npledges; i++)
        if (rf_state_within(state, account, state->pledges[i].account))
            return 1;
    return 0;
}

/* When the request could first be met: submitted, and all that it comes after done. */
static int64_t ready_us(const struct rf_state *state, int32_t id)
{
    const struct rf_job_extra *extra = rf_state_job_extra(state, id);
    int64_t t_us = state->jobs[id].submit_us;

    for (int32_t i = 0; i < extra->nafter; i++)
        if (state->jobs[extra->after[i]].end_us > t_us)
            t_us = state->jobs[extra->after[i]].end_us;
    return t_us;
}

static enum rf_status note_wait(struct rf_audit_watch *w, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err)
{
    struct rf_watch_waits *waits =
        pledged(state, state->jobs[event->job].account) ? &w->pledged : &w->others;
    enum rf_status st = rf_audit_room((void **)&waits->waits, &waits->room, waits->n + 1,
                                      sizeof *waits->waits, err);

    if (st == RF_OK)
        waits->waits[waits->n++] = event->t_us - ready_us(state, event->job);
    return st;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The smallest that at least `percent` of them do not exceed. */
static int64_t percentile(const struct rf_watch_waits *waits, int percent)
{
    return waits->waits[(percent * waits->n + 99) / 100 - 1];
}

static enum rf_status judge_waits(struct rf_audit_watch *w, int64_t limit_us,
                                  struct rf_error *err)
{
    struct rf_audit_test *t6 = &w->tests[RF_T6_TIMELINESS];
    struct rf_watch_waits *of[2] = {&w->pledged, &w->others};
    static const char *const WHO[2] = {"pledged accounts", "others"};
    enum rf_status st = RF_OK;

    for (int i = 0; i < 2; i++) {
        t6->checked += of[i]->n;
        if (of[i]->n == 0) {
            rf_audit_note(t6, "%s: no request was granted", WHO[i]);
            continue;
        }
        qsort(of[i]->waits, (size_t)of[i]->n, sizeof *of[i]->waits, by_size);
        rf_audit_note(t6,
                      "%s: %lld granted, waits median %.6g s, 95 %% within %.6g s, "
                      "longest %.6g s",
                      WHO[i], (long long)of[i]->n, (double)percentile(of[i], 50) / 1e6,
                      (double)percentile(of[i], 95) / 1e6,
                      (double)of[i]->waits[of[i]->n - 1] / 1e6);
    }
    if (of[0]->n > 0 && of[1]->n > 0 && percentile(of[0], 95) > limit_us &&
        percentile(of[0], 95) > percentile(of[1], 95) &&
        percentile(of[0], 50) > percentile(of[1], 50))
        st = rf_audit_find(t6, -1, -1, (double)percentile(of[0], 95), err,
                           "pledged accounts wait longer than others, in the middle and at the "
                           "95th percentile, which is above %.6g s",
                           (double)limit_us / 1e6);
    rf_audit_note(
        t6, "threshold: 95th percentile above %.6g s, it and the median above those of others",
        (double)limit_us / 1e6);
    rf_audit_conclude(t6, of[0]->n > 0 && of[1]->n > 0);
    return st;
}

/* ---- events ------------------------------------------------------------- */

enum rf_status rf_watch_requests(struct rf_audit_watch *w, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err)
{
    struct rf_account_requests *row;
    enum rf_status st;

    if (event->job < 0 || event->job >= state->njobs || event->job >= w->njobs)
        return RF_OK;
    switch (event->type) {
    case RF_EVENT_GRANT:
        st = end_wait(w, state, event->job, event->t_us, err);
        if (st != RF_OK || w->jobs[event->job].granted)
            return st;
        w->jobs[event->job].granted = 1;
        st = account_of(w, state, event->job, &row, err);
        if (st != RF_OK)
            return st;
        row->granted++;
        return note_wait(w, state, event, err);
    case RF_EVENT_DELAY:
        return end_wait(w, state, event->job, event->t_us, err);
    case RF_EVENT_DENY:
        st = end_wait(w, state, event->job, event->t_us, err);
        return st == RF_OK ? check_denial(w, state, event, err) : st;
    case RF_EVENT_RELABEL:
    case RF_EVENT_END:
        return end_wait(w, state, event->job, event->t_us, err);
    default:
        return RF_OK;
    }
}

enum rf_status rf_watch_answered(struct rf_audit_watch *w, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err)
{
    const struct rf_job *job = event->job >= 0 ? &state->jobs[event->job] : NULL;
    struct rf_watch_job *mine = job != NULL ? &w->jobs[event->job] : NULL;
    struct rf_account_requests *row;
    enum rf_status st = job != NULL ? account_of(w, state, event->job, &row, err) : RF_OK;

    if (st != RF_OK || job == NULL)
        return st;
    switch (event->type) {
    case RF_EVENT_REQUEST:
        row->requests++;
        return RF_OK;
    case RF_EVENT_DELAY:
        row->delayed += !mine->delayed;
        mine->delayed = 1;
        mine->reason = job->reason;
        mine->waiting_us = event->t_us;
        return count_answer(w, job->account, job->reason, 0, 1, rf_wide_of(0), 0, err);
    case RF_EVENT_DENY:
        row->denied++;
        row->denied_us = rf_wide_plus(row->denied_us, rf_wide_product(job->limit_us, job->min));
        return count_answer(w, job->account, job->reason, 1, 1,
                            rf_wide_product(job->limit_us, job->min), job->limit_us == 0, err);
    case RF_EVENT_END:
        row->cancelled += job->state == RF_JOB_CANCELLED;
        return RF_OK;
    default:
        return RF_OK;
    }
}

static int by_account(const void *a, const void *b)
{
    const struct rf_answer *x = a, *y = b;

    if (x->account != y->account)
        return x->account < y->account ? -1 : 1;
    if (x->denied != y->denied)
        return y->denied - x->denied;
    return (x->reason > y->reason) - (x->reason < y->reason);
}

/* Requests that never got an answer although the run says it is done. A simulation ends at its
 * horizon, whoever waits then; there, a reason to wait is an answer. */
static enum rf_status unanswered(struct rf_audit_watch *w, const struct rf_state *state,
                                 struct rf_error *err)
{
    struct rf_audit_test *t5 = &w->tests[RF_T5_DENIALS];
    char name[RF_NAME_BYTES];
    enum rf_status st = RF_OK;

    for (int32_t i = state->queue_first; st == RF_OK && i >= 0; i = state->jobs[i].next) {
        struct rf_account_requests *row;

        st = end_wait(w, state, i, state->now_us, err);
        if (st == RF_OK)
            st = account_of(w, state, i, &row, err);
        if (st != RF_OK)
            return st;
        row->waiting++;
        if (w->closed != 1 || (w->heartbeat_us == 0 && w->jobs[i].delayed))
            continue;
        st = rf_audit_find(
            t5, -1, i,
            rf_wide_double(rf_wide_product(state->jobs[i].limit_us, state->jobs[i].min)), err,
            "job %d (%s) of '%.40s' was asked for and never answered, although "
            "the run was closed as done: a grant or a denial is missing",
            (int)i, rf_state_job_name(state, i, name), rf_state_job_account(state, i));
    }
    return st;
}

enum rf_status rf_watch_requests_end(struct rf_audit_watch *w, const struct rf_state *state,
                                     int64_t service_wait_us, struct rf_error *err)
{
    struct rf_audit_test *t5 = &w->tests[RF_T5_DENIALS];
    enum rf_status st = unanswered(w, state, err);

    if (w->nanswers > 0)
        qsort(w->answers, (size_t)w->nanswers, sizeof *w->answers, by_account);
    rf_audit_note(t5, "looked for: denied within the share while enough devices were free; "
                      "never answered");
    rf_audit_conclude(t5, 1);
    return st == RF_OK ? judge_waits(w, service_wait_us, err) : st;
}
