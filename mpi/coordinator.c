#include "mpi/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/journal.h"
#include "base/file.h"
#include "base/log.h"
#include "mpi/control.h"
#include "mpi/dispatch.h"
#include "mpi/protocol.h"
#include "mpi/worker.h"

/* ---- the ledger at the start ---- */

static enum rf_status record_open(struct rf_journal *journal,
                                  const struct rf_run_options *options, struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_OPEN, 0);

    snprintf(event.name, sizeof event.name, "%s", options->run);
    snprintf(event.version, sizeof event.version, "%s", options->version);
    snprintf(event.digest, sizeof event.digest, "%s", options->config_digest);
    snprintf(event.text, sizeof event.text, "%s", options->policy_name);
    event.seed = options->seed;
    event.grace_us = options->grace_us;
    event.heartbeat_us = options->heartbeat_us;
    event.seal_us = options->key != NULL ? options->seal_us : 0;
    return rf_journal_record(journal, &event, err);
}

/* Devices that must join (up) or leave (not up) for the fleet to be the workers of this run. */
static enum rf_status difference(const struct rf_idset *fleet, int nworkers, int up,
                                 struct rf_idset *devices, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (up) {
        for (int id = 0; id < nworkers && st == RF_OK; id++)
            if (!rf_idset_has(fleet, id))
                st = rf_idset_add(devices, id, id + 1, err);
        return st;
    }
    for (int32_t r = 0; r < fleet->nranges && st == RF_OK; r++) {
        int32_t begin = fleet->ranges[r].begin < nworkers ? nworkers : fleet->ranges[r].begin;

        if (begin < fleet->ranges[r].end)
            st = rf_idset_add(devices, begin, fleet->ranges[r].end, err);
    }
    return st;
}

static enum rf_status record_capacity(struct rf_journal *journal, int nworkers, int up,
                                      struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_CAPACITY, 0);
    enum rf_status st = difference(&journal->state->fleet, nworkers, up, &event.devices, err);

    event.up = up;
    snprintf(event.reason, sizeof event.reason, "%s", up ? "joined" : "left");
    if (st == RF_OK && rf_idset_count(&event.devices) > 0)
        st = rf_journal_record(journal, &event, err);
    rf_event_clear(&event);
    return st;
}

/* What claims are judged against; another machine may have another. */
static enum rf_status record_peak(struct rf_journal *journal,
                                  const struct rf_run_options *options, struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_MEASURE, 0);

    event.flops = options->peak_flops;
    snprintf(event.reason, sizeof event.reason, "%s", options->peak_how);
    return rf_journal_record(journal, &event, err);
}

static int64_t promises_made(const struct rf_journal *journal)
{
    return journal->seen[RF_EVENT_PLEDGE] + journal->seen[RF_EVENT_POLICY] +
           journal->seen[RF_EVENT_LIMIT];
}

/* Whatever the ledger does not have yet: at the start that is everything, after
 * a crash in the first moments some of it, and devices when the number of workers changed. */
static enum rf_status record_missing(struct rf_journal *journal,
                                     const struct rf_run_options *options, int nworkers,
                                     struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (journal->seen[RF_EVENT_OPEN] == 0)
        st = record_open(journal, options, err);
    if (st == RF_OK)
        st = record_capacity(journal, nworkers, 0, err);
    if (st == RF_OK)
        st = record_capacity(journal, nworkers, 1, err);
    if (st == RF_OK && options->peak_flops > 0 &&
        journal->state->peak_flops != options->peak_flops)
        st = record_peak(journal, options, err);
    for (int64_t i; st == RF_OK && (i = promises_made(journal)) < options->npledges &&
                    options->pledges[i].t_us <= 0;) {
        struct rf_event event = options->pledges[i];

        st = rf_journal_record(journal, &event, err);
    }
    return st;
}

/* The leases died with the recorder: the recover event itself sends their jobs back to
 * the queue, and leaves what no reading covers without proof (state.h). */
static enum rf_status record_recovery(struct rf_journal *journal, struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_RECOVER, 0);

    event.cut = journal->cut;
    return rf_journal_record(journal, &event, err);
}

static enum rf_status check_same_run(const struct rf_journal *journal,
                                     const struct rf_run_options *options, struct rf_error *err)
{
    if (journal->seen[RF_EVENT_OPEN] > 0 &&
        strcmp(journal->config, options->config_digest) != 0)
        return rf_fail(err, RF_ERR_CONFIG,
                       "cannot resume '%s': it was started with another configuration "
                       "(SHA-256 %.12s..., now %.12s...)",
                       options->ledger_path, journal->config, options->config_digest);
    for (int32_t id = 0; id < journal->state->njobs; id++) {
        const char *name = rf_state_job_extra(journal->state, id)->name;
        int i =
            id < options->nrequests && strcmp(options->requests[id].name, name) == 0 ? id : 0;

        while (i < options->nrequests && strcmp(options->requests[i].name, name) != 0)
            i++;
        if (i == options->nrequests)
            return rf_fail(err, RF_ERR_CONFIG,
                           "cannot resume '%s': its job '%s' is not in the configuration",
                           options->ledger_path, name);
    }
    return RF_OK;
}

/* Two builds keep the same rules, but perhaps not to the last bit of a sum. */
static void warn_of_other_build(const struct rf_journal *journal,
                                const struct rf_run_options *options)
{
    if (journal->seen[RF_EVENT_OPEN] > 0 && strcmp(journal->version, options->version) != 0)
        rf_warn_alone(
            "'%s' was begun by build %s and goes on under %s: jobs may end in other bits "
            "than under one of them alone",
            options->ledger_path, journal->version, options->version);
}

/* ---- the coordinator's side ---- */

struct coordinator {
    const struct rf_group *control;
    const struct rf_run_options *options;
    struct rf_journal journal;
    struct rf_policy *policy;
    struct rf_dispatch *dispatch;
    int64_t utc_us, clock_us; /* both clocks at the start */
    int finished;             /* resumed a run that was over already */
};

/* UTC that never jumps: what the wall clock said at the start, plus what has passed since.
 * Device-time is a difference of such times, so setting the clock must not change it. */
static int64_t now_us(const struct coordinator *c)
{
    return c->utc_us + (rf_time_us() - c->clock_us);
}

static enum rf_status open_ledger(struct coordinator *c, struct rf_error *err)
{
    const struct rf_run_options *o = c->options;
    enum rf_status st;

    if (!o->resume || !rf_file_exists(o->ledger_path)) { /* killed before the first line */
        st = rf_journal_create(&c->journal, o->ledger_path, o->run, o->key, err);
        rf_journal_at(&c->journal, now_us(c));
        return st;
    }
    st = rf_journal_resume(&c->journal, o->ledger_path, o->key, err);
    if (st == RF_OK)
        st = check_same_run(&c->journal, o, err);
    if (st != RF_OK)
        return st;
    rf_journal_at(&c->journal, now_us(c));
    c->finished = strcmp(c->journal.closed, "done") == 0;
    if (!c->finished)
        warn_of_other_build(&c->journal, o);
    if (!c->finished && c->journal.seen[RF_EVENT_OPEN] > 0)
        st = record_recovery(&c->journal, err);
    return st;
}

static enum rf_status policy_before(void *self, const struct rf_state *state,
                                    const struct rf_event *event, struct rf_error *err)
{
    (void)self, (void)state, (void)event, (void)err;
    return RF_OK;
}

static enum rf_status policy_after(void *self, const struct rf_state *state,
                                   const struct rf_event *event, struct rf_error *err)
{
    (void)state;
    return rf_policy_observe(self, event, err);
}

/* The policy watches from the first event on, those of a resumed run included. */
static enum rf_status start_journal(struct coordinator *c, struct rf_error *err)
{
    enum rf_status st = rf_journal_start(&c->journal, err);

    if (st == RF_OK)
        st = rf_policy_create(&c->policy, &c->options->policy, c->journal.state,
                              c->journal.tally, err);
    if (st == RF_OK)
        rf_journal_watch(&c->journal,
                         (struct rf_observer){c->policy, policy_before, policy_after});
    return st;
}

static enum rf_status prepare(struct coordinator *c, struct rf_error *err)
{
    enum rf_status st;

    c->utc_us = rf_time_utc_us();
    c->clock_us = rf_time_us();
    st = start_journal(c, err);
    rf_journal_anchor(&c->journal, c->options->anchor_file, c->options->anchor_slurm);
    if (st == RF_OK)
        st = open_ledger(c, err);
    if (st == RF_OK && !c->finished)
        st = record_missing(&c->journal, c->options,
                            rf_dispatch_devices(c->control, c->options), err);
    if (st == RF_OK && c->options->next_key != NULL)
        st = rf_journal_rotate(&c->journal, c->options->next_key, err);
    if (st == RF_OK)
        st = rf_journal_sync(&c->journal, err);
    if (st == RF_OK)
        st = rf_dispatch_create(&c->dispatch, c->control, c->options, &c->journal, c->policy,
                                err);
    return st;
}

/* The last line, and the seal over everything. */
static enum rf_status close_ledger(struct coordinator *c, enum rf_status run,
                                   struct rf_error *err)
{
    struct rf_event event = rf_event_make(RF_EVENT_CLOSE, 0);
    struct rf_ledger_check check;
    struct rf_error ignored;
    enum rf_status st = RF_OK;

    if (run != RF_OK && run != RF_AGAIN)
        return run;
    if (c->finished) {
        if (rf_ledger_verify(c->options->ledger_path, NULL, NULL, NULL, &check, &ignored) ==
            RF_OK)
            c->journal.sealed_entries = check.sealed_entries;
    } else {
        snprintf(event.reason, sizeof event.reason, "%s", run == RF_OK ? "done" : "signal");
        rf_journal_at(&c->journal, now_us(c));
        st = rf_journal_record(&c->journal, &event, err);
    }
    if (st == RF_OK)
        st = rf_journal_sync(&c->journal, err);
    if (st == RF_OK && c->options->key != NULL)
        st = rf_journal_seal(&c->journal, err);
    return st == RF_OK ? run : st;
}

static void hand_over(struct coordinator *c, struct rf_run_outcome *outcome)
{
    if (c->journal.ledger != NULL) {
        outcome->entries = rf_ledger_entries(c->journal.ledger);
        rf_ledger_head(c->journal.ledger, outcome->head);
        outcome->sealed = outcome->entries > 0 && c->journal.sealed_entries == outcome->entries;
    }
    outcome->state = c->journal.state;
    outcome->tally = c->journal.tally;
    c->journal.state = NULL;
    c->journal.tally = NULL;
    if (outcome->tally != NULL && outcome->state->opened)
        rf_tally_judge(outcome->tally, outcome->state);
}

static enum rf_status coordinate(const struct rf_group *control,
                                 const struct rf_run_options *options,
                                 struct rf_run_outcome *outcome, struct rf_error *err)
{
    struct coordinator c = {.control = control, .options = options};
    struct rf_control *desk = NULL; /* where others ask */
    int nap_us = 0;
    enum rf_status st = prepare(&c, err);

    if (st == RF_OK && !c.finished)
        st = rf_control_open(&desk, options, options->control, c.dispatch, &c.journal, err);
    st = rf_agree(control, st, err);
    if (st == RF_OK) {
        while (!c.finished && !rf_dispatch_over(c.dispatch)) {
            int busy = rf_dispatch_round(c.dispatch, now_us(&c));

            if (rf_control_round(desk) || busy)
                nap_us = 0;
            else
                rf_message_nap(&nap_us);
        }
        st = c.finished ? RF_OK : rf_dispatch_status(c.dispatch, err);
        st = close_ledger(&c, st, err);
        outcome->job_failure = rf_dispatch_job_failure(c.dispatch);
        rf_dispatch_shutdown(c.dispatch);
    }
    rf_control_close(desk);
    rf_dispatch_destroy(c.dispatch);
    rf_policy_destroy(c.policy);
    c.journal.nobservers = 0;
    hand_over(&c, outcome);
    rf_journal_clear(&c.journal);
    return st;
}

/* ---- both sides ---- */

static enum rf_status work(const struct rf_group *control, rf_job_body *body, void *ctx,
                           struct rf_error *err)
{
    struct rf_worker *worker = NULL;
    enum rf_status st = rf_worker_create(&worker, control, body, ctx, err);

    st = rf_agree(control, st, err);
    if (st == RF_OK)
        rf_worker_serve(worker);
    rf_worker_destroy(worker);
    return st;
}

static enum rf_status play_alone(const struct rf_group *control, rf_play *play, void *ctx,
                                 struct rf_error *err)
{
    enum rf_status st = rf_agree(control, RF_OK, err);

    if (st == RF_OK)
        play(ctx, control);
    return st;
}

/* play is NULL where there are workers with a body. */
static enum rf_status run(const struct rf_group *world, const struct rf_run_options *options,
                          rf_job_body *body, rf_play *play, void *ctx,
                          struct rf_run_outcome *outcome, struct rf_error *err)
{
    struct rf_group control = {0};
    struct rf_error result = {.status = RF_OK};
    int coordinator = world->size - 1;

    *outcome = (struct rf_run_outcome){0};
    if (world->size < 2) {
        outcome->status = RF_ERR_ARG;
        return rf_fail(err, RF_ERR_ARG,
                       "a run needs at least 2 ranks, one worker and the coordinator: "
                       "mpirun -n 3 ringfence run ...");
    }
    rf_group_dup(&control, world->comm);
    if (control.rank == coordinator)
        result.status = coordinate(&control, options, outcome, &result);
    else if (play != NULL)
        result.status = play_alone(&control, play, ctx, &result);
    else
        result.status = work(&control, body, ctx, &result);
    rf_group_bcast(&control, &result, sizeof result, coordinator);
    rf_group_bcast(&control, &outcome->job_failure, sizeof outcome->job_failure, coordinator);
    rf_group_free(&control);
    outcome->status = result.status;
    if (result.status != RF_OK && err != NULL)
        *err = result;
    return result.status;
}

enum rf_status rf_coordinate(const struct rf_group *world, const struct rf_run_options *options,
                             rf_job_body *body, void *ctx, struct rf_run_outcome *outcome,
                             struct rf_error *err)
{
    return run(world, options, body, NULL, ctx, outcome, err);
}

enum rf_status rf_coordinate_play(const struct rf_group *world,
                                  const struct rf_run_options *options, rf_play *play,
                                  void *ctx, struct rf_run_outcome *outcome,
                                  struct rf_error *err)
{
    return run(world, options, NULL, play, ctx, outcome, err);
}

void rf_run_outcome_clear(struct rf_run_outcome *outcome)
{
    rf_tally_destroy(outcome->tally);
    rf_state_destroy(outcome->state);
    *outcome = (struct rf_run_outcome){0};
}
