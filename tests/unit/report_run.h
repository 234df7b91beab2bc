/* report_run.h - a small run with everything a report shows, recorded by the rules.
 *
 * Four devices, forty-eight seconds: a pretraining job borrows all devices, is asked to stop
 * for the pledged account, goes on with fewer; one request is denied. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "alloc/journal.h"
#include "base/file.h"
#include "report/results.h"

static const int64_t RUN_START_US = INT64_C(1767225600000000); /* 2026-01-01 */

struct report_run {
    char dir[64], ledger_path[96], head[RF_DIGEST_BASE64];
    struct rf_journal journal;
    struct rf_job_result jobs[5];
    struct rf_seed_scores scores[2];
    struct rf_experiment_result experiments[4];
    struct rf_results results;
};

static inline void must(enum rf_status st, const struct rf_error *err)
{
    if (st != RF_OK)
        fail_msg("%s", err->text);
}

static inline void record(struct report_run *run, struct rf_event event)
{
    struct rf_error err;

    must(rf_journal_record(&run->journal, &event, &err), &err);
    rf_event_clear(&event);
}

static inline void at(struct report_run *run, int64_t t_s)
{
    rf_journal_at(&run->journal, RUN_START_US + t_s * 1000000);
}

static inline struct rf_event job_event(enum rf_event_type type, int32_t job,
                                        const char *reason)
{
    struct rf_event event = rf_event_make(type, 0);

    event.job = job;
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    return event;
}

static inline void record_start(struct report_run *run)
{
    struct rf_event event = rf_event_make(RF_EVENT_OPEN, 0);

    snprintf(event.name, sizeof event.name, "synthetic");
    snprintf(event.version, sizeof event.version, "0.1.0");
    snprintf(event.text, sizeof event.text, "fcfs+floor");
    memset(event.digest, 'a', 64);
    event.seed = 42;
    event.grace_us = 2000000;
    record(run, event);
    event = rf_event_make(RF_EVENT_CAPACITY, 0);
    event.up = 1;
    snprintf(event.reason, sizeof event.reason, "joined");
    must(rf_idset_add(&event.devices, 0, 4, NULL), &(struct rf_error){0});
    record(run, event);
    event = rf_event_make(RF_EVENT_PLEDGE, 0);
    snprintf(event.account, sizeof event.account, "alignment");
    snprintf(event.basis, sizeof event.basis, "fleet");
    snprintf(event.text, sizeof event.text, "floor");
    snprintf(event.author, sizeof event.author, "config");
    snprintf(event.reason, sizeof event.reason, "configured");
    event.share = (struct rf_share){1, 5};
    event.window_us = 20000000;
    event.tolerance_us = 2000000;
    record(run, event);
}

static inline void record_request(struct report_run *run, int32_t job, const char *name,
                                  const char *account, int32_t min, int32_t max, int32_t after)
{
    struct rf_event event = job_event(RF_EVENT_REQUEST, job, "");

    snprintf(event.name, sizeof event.name, "%s", name);
    snprintf(event.account, sizeof event.account, "%s", account);
    event.min = min;
    event.max = max;
    event.nafter = after >= 0;
    event.after[0] = after >= 0 ? after : 0;
    record(run, event);
}

static inline void record_grant(struct report_run *run, int32_t job, int32_t lease,
                                int32_t begin, int32_t end, int32_t lent)
{
    struct rf_event event = job_event(RF_EVENT_GRANT, job, "");

    event.lease = lease;
    event.lent = lent;
    must(rf_idset_add(&event.devices, begin, end, NULL), &(struct rf_error){0});
    record(run, event);
}

/* A reading of all that is owed, then the end of the lease. */
static inline void record_stop(struct report_run *run, int32_t job, int64_t step,
                               enum rf_event_type how, const char *reason)
{
    const struct rf_job *holder = &run->journal.state->jobs[job];
    struct rf_event event = job_event(RF_EVENT_CHARGE, job, "");

    event.lease = holder->lease;
    event.held_us = rf_state_owed_us(holder, run->journal.now_us);
    event.busy_us = event.held_us / 10 * 9;
    event.tokens = step * 512;
    event.flops = step * 100000000;
    event.step = step;
    record(run, event);
    event = job_event(how, job, reason);
    event.lease = holder->lease;
    if (how == RF_EVENT_END)
        snprintf(event.text, sizeof event.text, "done");
    record(run, event);
}

static inline void record_run(struct report_run *run)
{
    struct rf_event event;

    at(run, 0);
    record_start(run);
    record_request(run, 0, "pretrain", "capability.pretraining", 1, 4, -1);
    record_grant(run, 0, 0, 0, 4, 1);
    record_request(run, 1, "oversight.s0.weak", "alignment.oversight", 1, 2, -1);
    record(run, job_event(RF_EVENT_DELAY, 1, "devices-busy"));
    record_request(run, 2, "oversight.s0.student-xent", "alignment.oversight", 1, 2, 1);
    record_request(run, 3, "oversight.s0.ceiling", "alignment.oversight", 1, 2, 1);
    record_request(run, 4, "oversized", "capability", 9, 9, -1);
    record(run, job_event(RF_EVENT_DENY, 4, "too-large"));
    at(run, 1);
    event = job_event(RF_EVENT_PREEMPT, 0, "reclaim");
    event.lease = 0;
    event.by = 1;
    record(run, event);
    at(run, 2);
    record_stop(run, 0, 20, RF_EVENT_RELEASE, "preempted");
    record_grant(run, 1, 1, 0, 2, 1);
    record_grant(run, 0, 2, 2, 4, 0);
    at(run, 14);
    record_stop(run, 1, 60, RF_EVENT_END, "");
    record_grant(run, 2, 3, 0, 1, 0);
    record_grant(run, 3, 4, 1, 2, 1);
    at(run, 33);
    record_stop(run, 3, 80, RF_EVENT_END, "");
    at(run, 36);
    record_stop(run, 2, 80, RF_EVENT_END, "");
    at(run, 48);
    record_stop(run, 0, 220, RF_EVENT_END, "");
    record(run, job_event(RF_EVENT_CLOSE, -1, "done"));
}

static inline void fill_job(struct report_run *run, int id, const char *kind, double from,
                            double to)
{
    struct rf_job_result *job = &run->jobs[id];

    job->kind = kind;
    for (int i = 0; i <= 200 && from > 0; i += 5) {
        double s = i / 200.0, wiggle = 0.05 * sin(i * 1.7 + id);
        struct rf_curve_point point = {i,
                                       to + (from - to) * exp(-4 * s) + wiggle,
                                       1e-3 * (1 - s),
                                       1,
                                       RUN_START_US + i * 100000,
                                       NAN};
        struct rf_error err;

        must(rf_curve_add(&job->curve, &point, &err), &err);
    }
    if (from > 0)
        rf_metrics_add(&job->metrics, "loss", to);
}

static inline struct rf_experiment_result experiment_of(const char *name, const char *loss)
{
    struct rf_experiment_result e = {.zero_shot = 0.52,
                                     .same_size = NAN,
                                     .strong_on_weak_half = 0.86,
                                     .probe = 0.73,
                                     .agreement = {0.8, 0.92, 0.55, 0.11, 0.05, 0.42},
                                     .ece = 0.04,
                                     .brier = 0.3,
                                     .test_items = 1500,
                                     .seeds = 2};

    snprintf(e.name, sizeof e.name, "%s", name);
    snprintf(e.task, sizeof e.task, "chess-rules");
    snprintf(e.loss, sizeof e.loss, "%s", loss);
    e.w2s = (struct rf_w2s_result){.weak = 0.7,
                                   .student = 0.8,
                                   .ceiling = 0.9,
                                   .gap = 0.2,
                                   .gap_se = 11.5,
                                   .has_pgr = 1,
                                   .pgr = 0.5,
                                   .pgr_low = 0.41,
                                   .pgr_high = 0.6};
    return e;
}

static inline void fill_experiments(struct report_run *run)
{
    struct rf_experiment_result *e = run->experiments;

    e[0] = experiment_of("oversight", "xent");
    e[0].scores = run->scores;
    e[1] = experiment_of("oversight", "confidence");
    e[1].w2s.student = 0.78;
    e[1].w2s.pgr = 0.4;
    e[1].w2s.pgr_low = 0.3;
    e[1].w2s.pgr_high = 0.52;
    e[2] = experiment_of("control", "xent");
    e[2].w2s = (struct rf_w2s_result){
        .weak = 0.61, .student = 0.6, .ceiling = 0.615, .gap = 0.005, .gap_se = 0.4};
    snprintf(e[2].w2s.void_reason, sizeof e[2].w2s.void_reason,
             "the gap of 0.5 points is 0.4 "
             "standard errors; at least 3 are needed");
    e[3] = experiment_of("broken", "xent");
    memset(&e[3].w2s, 0, sizeof e[3].w2s);
    snprintf(e[3].failed, sizeof e[3].failed, "the job 'broken.s0.weak' failed");
}

static inline void fill_results(struct report_run *run)
{
    static const struct rf_results fixed = {.run = "synthetic",
                                            .version = "0.1.0",
                                            .policy = "fcfs+floor",
                                            .seed = 42,
                                            .wall_s = 48.25,
                                            .devices = 4,
                                            .njobs = 5,
                                            .nexperiments = 4};

    fill_job(run, 0, "pretrain", 4.2, 1.4);
    fill_job(run, 1, "weak", 0.7, 0.55);
    fill_job(run, 2, "student", 0.69, 0.45);
    fill_job(run, 3, "ceiling", 0.69, 0.3);
    fill_job(run, 4, "", 0, 0);
    run->scores[0] = (struct rf_seed_scores){
        .weak = 0.69, .student = 0.79, .ceiling = 0.91, .seed = 42, .job = "w2s.s0.student"};
    run->scores[1] = (struct rf_seed_scores){
        .weak = 0.71, .student = 0.81, .ceiling = 0.89, .seed = 43, .job = "w2s.s1.student"};
    fill_experiments(run);
    run->results = fixed;
    run->results.state = run->journal.state;
    run->results.tally = run->journal.tally;
    run->results.jobs = run->jobs;
    run->results.experiments = run->experiments;
    run->results.ledger = (struct rf_ledger_result){
        run->ledger_path, rf_ledger_entries(run->journal.ledger), run->head, 0};
}

/* Makes a run directory with ledger.jsonl in it; report_run_end() removes it. */
static inline struct report_run *report_run_make(void)
{
    struct report_run *run = calloc(1, sizeof *run);
    struct rf_error err;

    assert_non_null(run);
    snprintf(run->dir, sizeof run->dir, "report-run-XXXXXX");
    assert_non_null(mkdtemp(run->dir));
    snprintf(run->ledger_path, sizeof run->ledger_path, "%s/ledger.jsonl", run->dir);
    must(rf_journal_start(&run->journal, &err), &err);
    must(rf_journal_create(&run->journal, run->ledger_path, "synthetic", NULL, &err), &err);
    record_run(run);
    must(rf_journal_sync(&run->journal, &err), &err);
    rf_tally_judge(run->journal.tally, run->journal.state);
    rf_ledger_head(run->journal.ledger, run->head);
    fill_results(run);
    return run;
}

static inline void report_run_end(struct report_run *run)
{
    static const char *const files[] = {"ledger.jsonl",     "ledger.jsonl.seals",
                                        "ledger.jsonl.pub", "results.json",
                                        "report.html",      "trace.json"};

    rf_journal_close(&run->journal);
    rf_journal_clear(&run->journal);
    for (int i = 0; i < 5; i++)
        rf_curve_clear(&run->jobs[i].curve);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%s", run->dir, files[i]);
        unlink(path);
    }
    rmdir(run->dir);
    free(run);
}

#endif
