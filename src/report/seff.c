#include "report/seff.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/audit.h"
#include "base/file.h"
#include "job/record.h"
#include "report/status.h"

struct reader {
    struct rf_seff *seff;
    const char *job;
    struct rf_audit audit;        /* the replay itself */
    const struct rf_state *state; /* its state */
    int named;                    /* found by its name, which outweighs a number */
    int64_t queued_us;            /* since when it waits; -1: it does not */
    int32_t devices;              /* that it holds now */
};

static int is_number_of(const char *text, int32_t id)
{
    char *end;
    long number = strtol(text, &end, 10);

    return text[0] != '\0' && *end == '\0' && number == id;
}

static void take_request(struct reader *r, const struct rf_event *e)
{
    struct rf_seff *s = r->seff;
    int named = strcmp(e->name, r->job) == 0;

    if (r->named || (!named && !is_number_of(r->job, e->job)))
        return;
    memset(s, 0, sizeof *s);
    r->named = named;
    r->queued_us = s->submit_us = e->t_us;
    r->devices = 0;
    s->id = e->job;
    s->limit_us = e->limit_us;
    snprintf(s->job, sizeof s->job, "%s", e->name[0] != '\0' ? e->name : r->job);
    snprintf(s->account, sizeof s->account, "%s", e->account);
}

static void stop_waiting(struct reader *r, int64_t t_us)
{
    if (r->queued_us >= 0)
        r->seff->waited_us += t_us - r->queued_us;
    r->queued_us = -1;
}

static void take_grant(struct reader *r, const struct rf_event *e)
{
    struct rf_seff *s = r->seff;

    stop_waiting(r, e->t_us);
    r->devices = rf_state_count(r->state, e);
    s->devices = s->devices > r->devices ? s->devices : r->devices;
    s->leases++;
    if (s->first_us == 0)
        s->first_us = e->t_us;
}

/* After the state has taken it. */
static void take(struct reader *r, const struct rf_event *e)
{
    struct rf_seff *s = r->seff;

    s->held_us += e->type == RF_EVENT_CHARGE || e->type == RF_EVENT_SHRINK ||
                          e->type == RF_EVENT_GROW || e->type == RF_EVENT_RELEASE ||
                          e->type == RF_EVENT_END
                      ? e->held_us
                      : 0;
    switch (e->type) {
    case RF_EVENT_GRANT:
        take_grant(r, e);
        break;
    case RF_EVENT_GROW:
        r->devices = r->state->jobs[e->job].ndevices;
        s->devices = s->devices > r->devices ? s->devices : r->devices;
        break;
    case RF_EVENT_CHARGE:
        s->busy_us += e->busy_us;
        s->tokens += e->tokens;
        s->flops += e->flops;
        s->step = e->step;
        break;
    case RF_EVENT_DISPUTE:
        s->disputes++;
        break;
    case RF_EVENT_RELABEL:
        snprintf(s->account, sizeof s->account, "%s", e->account);
        break;
    case RF_EVENT_PREEMPT:
        s->preemptions++;
        break;
    case RF_EVENT_CHECKPOINT:
        s->checkpoints++;
        break;
    case RF_EVENT_RELEASE:
        r->queued_us = e->t_us;
        break;
    case RF_EVENT_DENY:
    case RF_EVENT_END:
        stop_waiting(r, e->t_us);
        s->end_us = e->t_us;
        break;
    default:
        break;
    }
    if (e->type == RF_EVENT_END || (e->reason[0] != '\0' && e->type != RF_EVENT_RELABEL))
        snprintf(s->reason, sizeof s->reason, "%s", e->reason);
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct reader *r = self;

    (void)err;
    r->state = state;
    if (event->type == RF_EVENT_REQUEST)
        take_request(r, event);
    else if (event->job >= 0 && event->job == r->seff->id && r->seff->job[0] != '\0')
        take(r, event);
    else if (event->type == RF_EVENT_RECOVER && r->seff->job[0] != '\0' && r->queued_us < 0 &&
             r->seff->end_us == 0)
        r->queued_us = event->t_us; /* its lease died with the recorder */
    return RF_OK;
}

/* The pledge of the account or of one above it, as it stands; -1: the first one there is. */
static void take_pledge(struct reader *r, int32_t account)
{
    struct rf_seff *s = r->seff;

    for (int i = 0; i < r->audit.tally->npledges; i++) {
        const struct rf_pledge_account *p = &r->audit.tally->pledges[i];

        if (account >= 0 ? !rf_state_within(r->state, account, p->pledge.account)
                         : s->pledge[0] != '\0')
            continue;
        snprintf(s->pledge, sizeof s->pledge, "%s", p->pledge.account_name);
        s->promised = (double)p->pledge.share.num / (double)p->pledge.share.den;
        s->received =
            rf_status_share(r->state, r->audit.tally, p->pledge.account, r->state->now_us);
        s->entitled_device_s = rf_wide_double(p->entitled_us) / 1e6;
    }
}

static void finish(struct reader *r)
{
    struct rf_seff *s = r->seff;
    const struct rf_job *job = &r->state->jobs[s->id];

    s->now_us = r->state->now_us;
    s->running = s->end_us == 0 && !r->state->closed;
    snprintf(s->state, sizeof s->state, "%s", rf_job_state_name((enum rf_job_state)job->state));
    if (r->queued_us >= 0)
        s->waited_us += s->now_us - r->queued_us;
    if (s->running && job->ndevices > 0)
        s->held_us += rf_state_owed_us(job, s->now_us);
    s->peak_flops = (double)r->state->peak_flops;
    take_pledge(r, job->account);
}

static enum rf_status check_ledger(const struct rf_ledger_check *check, const char *path,
                                   struct rf_error *err)
{
    if (check->chain_ok && check->first_bad_seq < 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_INPUT, "'%s' does not verify: %.200s", path, check->problem);
}

static enum rf_status replay(struct reader *r, const char *run_dir, struct rf_error *err)
{
    const struct rf_observer observer = {.self = r, .after = after};
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(path, run_dir, "ledger.jsonl", err);

    if (st == RF_OK)
        st = rf_audit_watched(&r->audit, path, NULL, &observer, 1, err);
    r->state = r->audit.state;
    return st == RF_OK ? check_ledger(&r->audit.ledger, path, err) : st;
}

/* What the job's ranks took at most, as the job itself says when it is done. */
static void take_memory(struct rf_seff *seff, const char *run_dir)
{
    struct rf_metrics metrics;
    struct rf_error err;

    if (rf_record_metrics_read(&metrics, run_dir, seff->job, &err) == RF_OK) {
        double bytes = rf_metrics_get(&metrics, "memory_peak_bytes");

        seff->memory_bytes = bytes > 0 ? bytes : 0;
    }
}

enum rf_status rf_seff_read(struct rf_seff *seff, const char *run_dir, const char *job,
                            struct rf_error *err)
{
    struct reader r = {.seff = seff, .job = job, .queued_us = -1};
    enum rf_status st;

    memset(seff, 0, sizeof *seff);
    st = replay(&r, run_dir, err);
    if (st == RF_OK && seff->job[0] == '\0')
        st = rf_fail(err, RF_ERR_ARG, "the ledger of '%.300s' has no job '%.100s'", run_dir,
                     job);
    if (st == RF_OK) {
        finish(&r);
        take_memory(seff, run_dir);
    }
    rf_audit_clear(&r.audit);
    return st;
}

/* What all jobs of the run did. */
static void take_work(const struct reader *r, struct rf_seff *seff)
{
    for (int32_t i = 0; i < r->state->naccounts; i++) {
        const struct rf_account *a = &r->state->accounts[i];

        seff->flops += a->parent < 0 ? a->flops : 0;
        seff->tokens += a->parent < 0 ? a->tokens : 0;
    }
    seff->peak_flops = (double)r->state->peak_flops;
}

enum rf_status rf_seff_pledge(struct rf_seff *seff, const char *run_dir, struct rf_error *err)
{
    struct rf_seff nobody = {.id = -1};
    struct reader r = {.seff = &nobody, .job = "", .queued_us = -1};
    enum rf_status st = replay(&r, run_dir, err);

    if (st == RF_OK) {
        take_pledge(&r, -1);
        take_work(&r, seff);
        memcpy(seff->pledge, nobody.pledge, sizeof seff->pledge);
        seff->promised = nobody.promised;
        seff->received = nobody.received;
        snprintf(seff->run_dir, sizeof seff->run_dir, "%s", run_dir);
    }
    rf_audit_clear(&r.audit);
    return st;
}
