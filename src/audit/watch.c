#include "audit/watch.h"

#include <stdlib.h>
#include <string.h>

#include "audit/watch_rules.h"

const char *rf_gap_name(enum rf_gap_kind kind)
{
    static const char *const WORDS[RF_GAP_NKINDS] = {"silence", "clock", "crash", "reading",
                                                     "unsealed"};

    return WORDS[kind];
}

enum rf_status rf_watch_gap(struct rf_audit_watch *watch, const struct rf_gap *gap,
                            struct rf_error *err)
{
    int64_t room = watch->gaps_room;
    enum rf_status st = rf_audit_room((void **)&watch->gaps, &room, (int64_t)watch->ngaps + 1,
                                      sizeof *watch->gaps, err);

    watch->gaps_room = (int)room;
    if (st == RF_OK)
        watch->gaps[watch->ngaps++] = *gap;
    return st;
}

/* ---- T3: gaps ------------------------------------------------------------ */

static enum rf_status look_for_gap(struct rf_audit_watch *w, const struct rf_event *event,
                                   struct rf_error *err)
{
    int64_t dt = event->t_us - w->last_us;
    struct rf_gap gap = {RF_GAP_SILENCE, w->last_us, event->t_us, event->seq, -1, 0};

    if (event->type == RF_EVENT_RECOVER) {
        w->recoveries++;
        gap.kind = dt == 0 ? RF_GAP_CLOCK : RF_GAP_CRASH;
        if (dt == 0 || !w->closed)
            return rf_watch_gap(w, &gap, err);
        return RF_OK;
    }
    if (!w->opened || w->closed || w->heartbeat_us <= 0 || dt / 2 <= w->heartbeat_us)
        return RF_OK;
    return rf_watch_gap(w, &gap, err);
}

static enum rf_status check_numbers(struct rf_audit_watch *w, const struct rf_event *event,
                                    struct rf_error *err)
{
    struct rf_audit_test *t3 = &w->tests[RF_T3_GAPS];
    enum rf_status st = RF_OK;

    t3->checked++;
    if (event->seq != w->nseq)
        st = rf_audit_find(t3, event->seq, -1, 1, err, "line %lld says that it is line %lld",
                           (long long)w->nseq + 1, (long long)event->seq + 1);
    if (st == RF_OK && event->type == RF_EVENT_REQUEST && event->job != w->njobs)
        st = rf_audit_find(t3, event->seq, event->job, 1, err,
                           "line %lld: request %d follows request %lld: requests are missing",
                           (long long)event->seq + 1, (int)event->job, (long long)w->njobs - 1);
    if (st == RF_OK && event->type == RF_EVENT_GRANT && event->lease != w->nleases)
        st = rf_audit_find(t3, event->seq, event->job, 1, err,
                           "line %lld: lease %d follows lease %d: leases are missing",
                           (long long)event->seq + 1, (int)event->lease, (int)w->nleases - 1);
    w->nleases += event->type == RF_EVENT_GRANT;
    return st;
}

/* A crash that a recover line admits is explained; what it left unread, the verdicts know. */
static enum rf_status report_gap(struct rf_audit_watch *w, const struct rf_gap *g,
                                 int64_t start_us, struct rf_error *err)
{
    struct rf_audit_test *t3 = &w->tests[RF_T3_GAPS];
    double length_s = (double)(g->end_us - g->begin_us) / 1e6;
    double at_s = (double)(g->begin_us - start_us) / 1e6;

    switch (g->kind) {
    case RF_GAP_SILENCE:
        return rf_audit_find(t3, g->seq, -1, length_s, err,
                             "before line %lld: silence of %.6f s from %.6f s on, without a "
                             "heartbeat (or the clock jumped)",
                             (long long)g->seq + 1, length_s, at_s);
    case RF_GAP_CLOCK:
        return rf_audit_find(t3, g->seq, -1, length_s, err,
                             "line %lld: the recorder came back no later than it went at "
                             "%.6f s: its clock was set back",
                             (long long)g->seq + 1, at_s);
    default:
        return RF_OK;
    }
}

static enum rf_status judge_gaps(struct rf_audit_watch *w, int64_t start_us,
                                 struct rf_error *err)
{
    struct rf_audit_test *t3 = &w->tests[RF_T3_GAPS];
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < w->ngaps; i++)
        st = report_gap(w, &w->gaps[i], start_us, err);
    if (w->heartbeat_us > 0)
        rf_audit_note(t3,
                      "a line at least every %.6g s is promised; silent: more than twice that",
                      (double)w->heartbeat_us / 1e6);
    else
        rf_audit_note(t3, "the ledger promises no heartbeat, so silence shows nothing");
    if (w->recoveries > 0)
        rf_audit_note(t3, "%lld recoveries are on record", (long long)w->recoveries);
    rf_audit_conclude(t3, 1);
    return st;
}

/* ---- the observer --------------------------------------------------------- */

static void open_run(struct rf_audit_watch *w, const struct rf_event *event)
{
    memcpy(w->run, event->name, sizeof w->run);
    memcpy(w->config, event->digest, sizeof w->config);
    w->heartbeat_us = event->heartbeat_us;
    w->seal_us = event->seal_us;
    w->opened = 1;
}

static enum rf_status keep_key(struct rf_audit_watch *w, const struct rf_event *event,
                               struct rf_error *err)
{
    int64_t room = w->rotated_room;
    enum rf_status st = rf_audit_room((void **)&w->rotated, &room, (int64_t)w->nrotated + 1,
                                      sizeof *w->rotated, err);

    w->rotated_room = (int)room;
    if (st == RF_OK)
        memcpy(w->rotated[w->nrotated++], event->text, sizeof *w->rotated);
    return st;
}

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_audit_watch *w = self;
    enum rf_status st = check_numbers(w, event, err);

    if (st == RF_OK && w->opened)
        st = look_for_gap(w, event, err);
    if (st == RF_OK)
        st = rf_watch_pass(w, event, err);
    if (st == RF_OK)
        st = rf_watch_requests(w, state, event, err);
    if (st == RF_OK)
        st = rf_watch_changes(w, state, event, err);
    if (st == RF_OK)
        st = rf_watch_devices(w, state, event, err);
    if (st == RF_OK)
        st = rf_watch_claims(w, state, event, err);
    if (st == RF_OK && event->type == RF_EVENT_ROTATE)
        st = keep_key(w, event, err);
    if (event->type == RF_EVENT_OPEN)
        open_run(w, event);
    if (event->type == RF_EVENT_CLOSE)
        w->closed = strcmp(event->reason, "done") == 0 ? 1 : 2;
    if (event->type == RF_EVENT_RECOVER)
        w->closed = 0;
    w->last_us = event->t_us;
    w->nseq++;
    return st;
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    struct rf_audit_watch *w = self;
    enum rf_status st =
        rf_audit_room((void **)&w->times, &w->times_room, w->ntimes + 1, sizeof *w->times, err);

    if (st == RF_OK && state->njobs > w->njobs)
        st =
            rf_audit_room((void **)&w->jobs, &w->jobs_room, state->njobs, sizeof *w->jobs, err);
    if (st != RF_OK)
        return st;
    w->times[w->ntimes++] = event->t_us;
    for (; w->njobs < state->njobs; w->njobs++)
        w->jobs[w->njobs].waiting_us = w->jobs[w->njobs].lease = -1;
    return rf_watch_answered(w, state, event, err);
}

struct rf_observer rf_watch_observer(struct rf_audit_watch *watch)
{
    return (struct rf_observer){.self = watch, .before = before, .after = after};
}

enum rf_status rf_watch_end(struct rf_audit_watch *watch, const struct rf_state *state,
                            int64_t service_wait_us, struct rf_error *err)
{
    enum rf_status st = rf_watch_devices_end(watch, state, err);

    if (st == RF_OK)
        st = rf_watch_requests_end(watch, state, service_wait_us, err);
    if (st == RF_OK)
        st = judge_gaps(watch, state->start_us, err);
    rf_watch_claims_end(watch);
    rf_audit_note(&watch->tests[RF_T8_RELABELS],
                  "%d changes by hand are listed; looked for: a job relabelled after it held "
                  "devices",
                  watch->nchanges);
    rf_audit_conclude(&watch->tests[RF_T8_RELABELS], 1);
    return st;
}

void rf_watch_clear(struct rf_audit_watch *watch)
{
    free(watch->gaps);
    free(watch->answers);
    free(watch->accounts);
    free(watch->checkpoints);
    free(watch->readings);
    free(watch->changes);
    free(watch->pledged.waits);
    free(watch->others.waits);
    free(watch->times);
    free(watch->rotated);
    free(watch->owner);
    free(watch->jobs);
    *watch = (struct rf_audit_watch){.tests = NULL};
}
