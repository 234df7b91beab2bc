/* What an audit finds in small runs that are told line by line. */
#include "random_cluster.h"

#include <unistd.h>

#include "alloc/journal.h"
#include "audit/examine.h"

enum { SECOND = 1000000 };

static char dir[64], ledger[96], key_path[96];

/* ---- telling a story ------------------------------------------------------- */

struct story {
    struct rf_journal journal;
    struct rf_key *key;
};

static int make_folder(void **unused)
{
    (void)unused;
    snprintf(dir, sizeof dir, "/tmp/test_audit_XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(ledger, sizeof ledger, "%s/ledger.jsonl", dir);
    snprintf(key_path, sizeof key_path, "%s/key", dir);
    return rf_key_generate(key_path, NULL, "tests", NULL) == RF_OK ? 0 : -1;
}

static int remove_folder(void **unused)
{
    (void)unused;
    return rf_file_remove_tree(dir, NULL) == RF_OK ? 0 : -1;
}

static void tell(struct story *s, int64_t t_s, struct rf_event *e)
{
    struct rf_error err = {RF_OK, ""};

    rf_journal_at(&s->journal, t_s * SECOND);
    if (rf_journal_record(&s->journal, e, &err) != RF_OK)
        fail_msg("%s", err.text);
    rf_event_clear(e);
}

static void devices(struct rf_event *e, int32_t begin, int32_t end)
{
    assert_int_equal(rf_idset_add(&e->devices, begin, end, NULL), RF_OK);
}

/* Four devices, one promised to "a" in windows of 10 s; a line at least every 5 s. */
static void begin(struct story *s)
{
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);

    remove(ledger);
    snprintf(e.text, sizeof e.text, "%s.seals", ledger);
    remove(e.text);
    assert_int_equal(rf_key_load(&s->key, key_path, NULL), RF_OK);
    assert_int_equal(rf_journal_start(&s->journal, NULL), RF_OK);
    assert_int_equal(rf_journal_create(&s->journal, ledger, NULL, s->key, NULL), RF_OK);
    snprintf(e.name, sizeof e.name, "story");
    snprintf(e.version, sizeof e.version, "0");
    snprintf(e.text, sizeof e.text, "fcfs+floor");
    e.heartbeat_us = 5 * SECOND;
    tell(s, 100, &e);
    e = rf_event_make(RF_EVENT_CAPACITY, 0);
    e.up = 1;
    snprintf(e.reason, sizeof e.reason, "joined");
    devices(&e, 0, 4);
    tell(s, 100, &e);
    e = rf_event_make(RF_EVENT_PLEDGE, 0);
    snprintf(e.account, sizeof e.account, "a");
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "floor");
    snprintf(e.author, sizeof e.author, "board");
    snprintf(e.reason, sizeof e.reason, "announced");
    e.share = (struct rf_share){1, 4};
    e.window_us = 10 * SECOND;
    tell(s, 100, &e);
}

static void request(struct story *s, int64_t t_s, const char *account, int32_t min,
                    int64_t limit_s)
{
    struct rf_event e = rf_event_make(RF_EVENT_REQUEST, 0);

    e.job = s->journal.state->njobs;
    e.min = e.max = min;
    e.limit_us = limit_s * SECOND;
    snprintf(e.account, sizeof e.account, "%s", account);
    tell(s, t_s, &e);
}

static void delay(struct story *s, int64_t t_s, int32_t job, const char *reason)
{
    struct rf_event e = rf_event_make(RF_EVENT_DELAY, 0);

    e.job = job;
    snprintf(e.reason, sizeof e.reason, "%s", reason);
    tell(s, t_s, &e);
}

static void deny(struct story *s, int64_t t_s, int32_t job, const char *reason)
{
    struct rf_event e = rf_event_make(RF_EVENT_DENY, 0);

    e.job = job;
    snprintf(e.reason, sizeof e.reason, "%s", reason);
    tell(s, t_s, &e);
}

static void grant(struct story *s, int64_t t_s, int32_t job, int32_t first, int32_t end)
{
    struct rf_event e = rf_event_make(RF_EVENT_GRANT, 0);

    e.job = job;
    e.lease = s->journal.state->next_lease;
    devices(&e, first, end);
    tell(s, t_s, &e);
}

static int64_t owed(const struct story *s, int64_t t_s, int32_t job)
{
    return rf_state_owed_us(&s->journal.state->jobs[job], t_s * SECOND);
}

static void charge(struct story *s, int64_t t_s, int32_t job, int64_t busy_s, int64_t flops)
{
    struct rf_event e = rf_event_make(RF_EVENT_CHARGE, 0);

    e.job = job;
    e.lease = s->journal.state->jobs[job].lease;
    e.held_us = owed(s, t_s, job);
    e.busy_us = busy_s * SECOND;
    e.flops = flops;
    tell(s, t_s, &e);
}

static void end(struct story *s, int64_t t_s, int32_t job)
{
    struct rf_event e = rf_event_make(RF_EVENT_END, 0);

    e.job = job;
    e.lease = s->journal.state->jobs[job].lease;
    e.held_us = owed(s, t_s, job);
    snprintf(e.text, sizeof e.text, "done");
    tell(s, t_s, &e);
}

static void plain(struct story *s, int64_t t_s, enum rf_event_type type, const char *reason)
{
    struct rf_event e = rf_event_make(type, 0);

    snprintf(e.reason, sizeof e.reason, "%s", reason);
    tell(s, t_s, &e);
}

static void seal(struct story *s)
{
    assert_int_equal(rf_journal_seal(&s->journal, NULL), RF_OK);
}

static void finish(struct story *s)
{
    assert_int_equal(rf_journal_sync(&s->journal, NULL), RF_OK);
    rf_journal_clear(&s->journal);
    rf_key_free(s->key);
}

static void examine(struct rf_examination *x)
{
    struct rf_examine_options options = rf_examine_options_make();
    struct rf_error err = {RF_OK, ""};

    if (rf_examine(x, ledger, &options, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static const struct rf_window *window(const struct rf_examination *x, int k)
{
    assert_true(k < x->audit.tally->pledges[0].nwindows);
    return &x->audit.tally->pledges[0].windows[k];
}

/* ---- evidence ------------------------------------------------------------------ */

/* "a" has its device all the time; a reading or a heartbeat every 5 s. */
static void tell_kept_run(struct story *s, int64_t until_s)
{
    request(s, 100, "a", 1, 0);
    grant(s, 100, 0, 0, 1);
    for (int64_t t = 105; t <= until_s; t += 5)
        charge(s, t, 0, 4, 1000);
}

static void a_sealed_run_is_kept_and_nothing_is_found(void **unused)
{
    struct story s;
    struct rf_examination x;

    (void)unused;
    begin(&s);
    tell_kept_run(&s, 125);
    end(&s, 125, 0);
    plain(&s, 125, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.audit.verdict, RF_KEPT);
    assert_int_equal(x.findings, 0);
    assert_int_equal(x.watch.ngaps, 0);
    assert_int_equal(x.tests[RF_T1_CONSERVATION].result, RF_TEST_PASS);
    assert_int_equal(x.tests[RF_T2_SACCT].result, RF_TEST_CANNOT_TELL);
    rf_examination_clear(&x);
}

/* The same run, but nobody has signed for what came after 112 s. */
static void what_nobody_signed_for_is_never_kept(void **unused)
{
    struct story s;
    struct rf_examination x;

    (void)unused;
    begin(&s);
    tell_kept_run(&s, 110);
    plain(&s, 110, RF_EVENT_HEARTBEAT, "");
    seal(&s);
    charge(&s, 115, 0, 4, 1000);
    charge(&s, 120, 0, 4, 1000);
    charge(&s, 125, 0, 4, 1000);
    finish(&s);
    examine(&x);
    assert_int_equal(window(&x, 0)->verdict, RF_KEPT);
    assert_int_equal(window(&x, 1)->verdict, RF_UNPROVABLE);
    assert_int_equal(window(&x, 2)->verdict, RF_UNPROVABLE);
    assert_int_equal(x.audit.verdict, RF_UNPROVABLE);
    assert_int_equal(x.watch.ngaps, 1);
    assert_int_equal(x.watch.gaps[0].kind, RF_GAP_UNSEALED);
    assert_int_equal(x.watch.gaps[0].begin_us, 110 * SECOND);
    for (int k = 0; k < RF_DEFINITION_N; k++) {
        assert_true(x.promises[0].findings[k].verdict != RF_FINDING_KEPT);
        assert_true(x.promises[0].findings[k].verdict != RF_FINDING_NOT_ASKED);
    }
    rf_examination_clear(&x);
}

static void silence_and_clocks_set_back_are_gaps(void **unused)
{
    struct story s;
    struct rf_examination x;

    (void)unused;
    begin(&s);
    tell_kept_run(&s, 110);
    charge(&s, 121, 0, 4, 1000);
    plain(&s, 121, RF_EVENT_RECOVER, "");
    grant(&s, 121, 0, 0, 1);
    charge(&s, 125, 0, 4, 1000);
    charge(&s, 130, 0, 4, 1000);
    end(&s, 130, 0);
    plain(&s, 130, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.tests[RF_T3_GAPS].count, 2);
    assert_int_equal(x.watch.gaps[0].kind, RF_GAP_SILENCE);
    assert_int_equal(x.watch.gaps[1].kind, RF_GAP_CLOCK);
    assert_int_equal(window(&x, 0)->verdict, RF_KEPT);
    assert_int_equal(window(&x, 1)->verdict, RF_UNPROVABLE);
    assert_int_equal(window(&x, 2)->verdict, RF_UNPROVABLE);
    assert_int_equal(x.audit.verdict, RF_UNPROVABLE);
    rf_examination_clear(&x);
}

static void a_crash_on_record_is_a_gap_that_the_verdict_knows(void **unused)
{
    struct story s;
    struct rf_examination x;

    (void)unused;
    begin(&s);
    tell_kept_run(&s, 105);
    plain(&s, 109, RF_EVENT_RECOVER, "");
    grant(&s, 109, 0, 0, 1);
    charge(&s, 114, 0, 4, 1000);
    charge(&s, 119, 0, 4, 1000);
    charge(&s, 120, 0, 0, 0);
    end(&s, 120, 0);
    plain(&s, 120, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.tests[RF_T3_GAPS].result, RF_TEST_PASS);
    assert_int_equal(x.watch.ngaps, 2);
    assert_int_equal(x.watch.gaps[0].kind, RF_GAP_CRASH);
    assert_int_equal(x.watch.gaps[1].kind, RF_GAP_READING);
    assert_int_equal(x.watch.gaps[1].device_us, 4 * SECOND);
    assert_int_equal(window(&x, 0)->verdict, RF_UNPROVABLE);
    assert_int_equal(window(&x, 1)->verdict, RF_KEPT);
    rf_examination_clear(&x);
}

/* ---- requests ------------------------------------------------------------------ */

static void requests_are_counted_with_their_reasons(void **unused)
{
    struct story s;
    struct rf_examination x;
    int delays = 0, denials = 0;

    (void)unused;
    begin(&s);
    request(&s, 100, "b", 4, 0);
    grant(&s, 100, 0, 0, 4);
    request(&s, 101, "b.x", 2, 30);
    delay(&s, 101, 1, "devices-busy");
    request(&s, 102, "a", 3, 20); /* more than its share */
    deny(&s, 102, 2, "over-share");
    delay(&s, 103, 1, "queue-order");
    plain(&s, 105, RF_EVENT_HEARTBEAT, "");
    end(&s, 107, 0);
    grant(&s, 107, 1, 0, 2);
    request(&s, 107, "a", 1, 20);
    deny(&s, 108, 3, "board-denied"); /* in its share, and two devices are free */
    end(&s, 109, 1);
    request(&s, 109, "a", 1, 20); /* nobody answers it */
    plain(&s, 110, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.tests[RF_T5_DENIALS].checked, 2);
    assert_int_equal(x.tests[RF_T5_DENIALS].count, 2);
    assert_int_equal(x.tests[RF_T5_DENIALS].offences[0].job, 3);
    assert_non_null(
        strstr(x.tests[RF_T5_DENIALS].offences[0].text, "while 2 devices are free"));
    assert_int_equal(x.tests[RF_T5_DENIALS].offences[1].job, 4);
    assert_non_null(strstr(x.tests[RF_T5_DENIALS].offences[1].text, "never answered"));
    for (int i = 0; i < x.watch.nanswers; i++) {
        const struct rf_answer *a = &x.watch.answers[i];
        const char *reason = x.audit.state->reasons[a->reason];

        if (strcmp(reason, "devices-busy") == 0) {
            assert_int_equal(rf_wide_narrow(a->device_us), 2 * 2 * SECOND);
            delays++;
        } else if (strcmp(reason, "queue-order") == 0) {
            assert_int_equal(rf_wide_narrow(a->device_us), 2 * 4 * SECOND);
            delays++;
        } else if (strcmp(reason, "over-share") == 0) {
            assert_int_equal(rf_wide_narrow(a->device_us), 3 * 20 * SECOND);
            denials++;
        } else {
            assert_int_equal(rf_wide_narrow(a->device_us), 20 * SECOND);
            denials++;
        }
    }
    assert_int_equal(delays, 2);
    assert_int_equal(denials, 2);
    assert_int_equal(x.findings, 1);
    rf_examination_clear(&x);
}

static void offers_and_arrears_are_those_of_each_window(void **unused)
{
    struct story s;
    struct rf_examination x;
    struct rf_wide offered, arrears;

    (void)unused;
    begin(&s);
    request(&s, 100, "b", 3, 0);
    grant(&s, 100, 0, 0, 3);
    for (int64_t t = 105; t <= 110; t += 5)
        charge(&s, t, 0, 4, 1000);
    request(&s, 110, "a", 1, 0);
    grant(&s, 110, 1, 3, 4);
    for (int64_t t = 115; t <= 120; t += 5) {
        charge(&s, t, 0, 4, 1000);
        charge(&s, t, 1, 4, 1000);
    }
    end(&s, 120, 0);
    end(&s, 120, 1);
    plain(&s, 120, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.audit.verdict, RF_KEPT);
    assert_true(rf_examination_offered(&x, 0, 0, &offered)); /* free, and nobody asked */
    assert_int_equal(rf_wide_narrow(offered), 10 * SECOND);
    arrears = rf_examination_arrears_us(window(&x, 0), rf_wide_of(0));
    assert_int_equal(rf_wide_narrow(arrears), 10 * SECOND);
    assert_true(rf_examination_offered(&x, 0, 1, &offered)); /* taken */
    assert_int_equal(rf_wide_narrow(offered), 10 * SECOND);
    arrears = rf_examination_arrears_us(window(&x, 1), arrears);
    assert_int_equal(rf_wide_narrow(arrears), 10 * SECOND);
    rf_examination_clear(&x);
}

/* ---- claims -------------------------------------------------------------------- */

static void claims_are_held_against_time_and_the_measured_peak(void **unused)
{
    struct story s;
    struct rf_examination x;
    struct rf_event e = rf_event_make(RF_EVENT_MEASURE, 0);

    (void)unused;
    begin(&s);
    e.flops = 1000;
    snprintf(e.reason, sizeof e.reason, "matrix-product");
    tell(&s, 100, &e);
    request(&s, 100, "a", 1, 0);
    grant(&s, 100, 0, 0, 1);
    charge(&s, 105, 0, 5, 5000);  /* exactly the peak */
    charge(&s, 110, 0, 5, 5001);  /* above it, all in all */
    charge(&s, 115, 0, 5, 99999); /* once for each lease */
    end(&s, 115, 0);
    plain(&s, 115, RF_EVENT_CLOSE, "done");
    seal(&s);
    finish(&s);
    examine(&x);
    assert_int_equal(x.tests[RF_T7_PLAUSIBILITY].count, 1);
    assert_int_equal(x.tests[RF_T7_PLAUSIBILITY].offences[0].job, 0);
    assert_int_equal(x.tests[RF_T7_PLAUSIBILITY].offences[0].seq,
                     6 + 1); /* open, capacity, pledge, measure, request, grant, charge */
    rf_examination_clear(&x);
}

/* ---- the watch's own books -------------------------------------------------------- */

/* Refused events never reach a ledger that verifies. */
struct careful {
    struct rf_observer watch;
    int told;
};

static enum rf_status careful_before(void *self, const struct rf_state *state,
                                     const struct rf_event *e, struct rf_error *err)
{
    struct careful *c = self;

    c->told = rf_state_check(state, e, NULL) == RF_OK;
    return c->told ? c->watch.before(c->watch.self, state, e, err) : RF_OK;
}

static enum rf_status careful_after(void *self, const struct rf_state *state,
                                    const struct rf_event *e, struct rf_error *err)
{
    struct careful *c = self;

    return c->watch.after(c->watch.self, state, e, err);
}

static void its_own_books_agree_with_the_state_whatever_happens(void **unused)
{
    int64_t readings = 0;

    (void)unused;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct random_cluster c;
        struct rf_audit_test tests[RF_AUDIT_NTESTS] = {{.count = 0}};
        struct rf_audit_watch watch = {.tests = tests};
        struct careful careful = {.watch = rf_watch_observer(&watch)};
        struct rf_error err = {RF_OK, ""};

        random_start(&c, seed);
        c.observers[c.nobservers++] =
            (struct rf_observer){&careful, careful_before, careful_after};
        random_open(&c, 3 + (int32_t)seed % 20);
        for (int step = 0; step < 2000; step++)
            random_step(&c);
        assert_int_equal(rf_watch_end(&watch, c.state, SECOND, &err), RF_OK);
        if (tests[RF_T1_CONSERVATION].count > 0)
            fail_msg("seed %d: %s", (int)seed, tests[RF_T1_CONSERVATION].worst.text);
        assert_int_equal(tests[RF_T4_OVERLAP].count, 0);
        assert_int_equal(watch.nfree, c.state->nfree);
        assert_int_equal(watch.ndown, c.state->ndown);
        readings += tests[RF_T1_CONSERVATION].checked;
        for (int t = 0; t < RF_AUDIT_NTESTS; t++)
            rf_audit_test_clear(&tests[t]);
        rf_watch_clear(&watch);
        random_end(&c);
    }
    assert_true(readings > 10000);
}

/* ---- Slurm's accounting ------------------------------------------------------------- */

#define HEAD "JobID|JobName|Account|State|Start|ElapsedRaw|AllocCPUS|Comment\n"

/* Job "one" of account x.y, two devices for 100 s, is all that the ledger has. */
static void match_crashed(int64_t unread_s, const char *table, enum rf_match_by by,
                          struct rf_sacct_match *m, struct rf_audit_test *t)
{
    struct rf_account account = {.name = "x.y", .parent = -1};
    struct rf_job job = {.held_us = 200 * (int64_t)SECOND, .extra = 0};
    struct rf_job_extra extra = {.name = "one"};
    struct rf_state state = {.jobs = &job,
                             .njobs = 1,
                             .accounts = &account,
                             .naccounts = 1,
                             .extras = &extra,
                             .nextras = 1,
                             .now_us = 100 * (int64_t)SECOND,
                             .peak = 2};
    struct rf_audit_watch watch = {.run = "study"};
    struct rf_sacct_match_options options = {.by = by, .unit = -1};
    struct rf_error err = {RF_OK, ""};

    watch.granted_us = rf_wide_of(200 * (int64_t)SECOND);
    watch.unread_us = rf_wide_of(unread_s * SECOND);
    watch.recoveries = unread_s > 0;
    *t = (struct rf_audit_test){.count = 0};
    if (rf_sacct_match_text(m, t, table, strlen(table), "t", &options, &state, &watch, &err) !=
        RF_OK)
        fail_msg("%s", err.text);
}

static void match(const char *table, enum rf_match_by by, struct rf_sacct_match *m,
                  struct rf_audit_test *t)
{
    match_crashed(0, table, by, m, t);
}

static void runs_of_slurm_are_added_up_and_repeats_left_out(void **unused)
{
    struct rf_sacct_match m;
    struct rf_audit_test t;

    (void)unused;
    /* requeued once; the first run twice in the table; a step; one that still runs */
    match(HEAD "7|one|y|PREEMPTED|2026-01-01T00:00:00|60|2|\n"
               "7|one|y|COMPLETED|2026-01-01T00:02:00|40|2|\n"
               "7|one|y|PREEMPTED|2026-01-01T00:00:00|60|2|\n"
               "7.0|step|y|COMPLETED|2026-01-01T00:00:00|60|2|\n"
               "9|two|y|RUNNING|2026-01-01T00:00:00|60|2|\n",
          RF_MATCH_AUTO, &m, &t);
    assert_int_equal(m.by, RF_MATCH_NAME);
    assert_int_equal(m.matched, 1);
    assert_int_equal(m.repeated, 1);
    assert_int_equal(m.unfinished, 1);
    assert_int_equal(rf_wide_narrow(m.slurm_us), 200 * (int64_t)SECOND);
    assert_int_equal(t.result, RF_TEST_PASS);
    rf_audit_test_clear(&t);
}

static void what_a_crash_left_without_readings_is_no_claim_on_slurm(void **unused)
{
    static const char TABLE[] = HEAD "7|study|y|NODE_FAIL|2026-01-01T00:00:00|30|2|\n"
                                     "7|study|y|COMPLETED|2026-01-01T00:01:00|40|2|\n";
    struct rf_sacct_match m;
    struct rf_audit_test t;

    (void)unused;
    match_crashed(60, TABLE, RF_MATCH_RUN, &m,
                  &t); /* 200 granted, of which 60 were read by nobody */
    assert_int_equal(rf_wide_narrow(m.ledger_us), 140 * (int64_t)SECOND);
    assert_int_equal(t.result, RF_TEST_PASS);
    rf_audit_test_clear(&t);
    match_crashed(50, TABLE, RF_MATCH_RUN, &m, &t); /* 150 read, 140 in Slurm */
    assert_int_equal(t.result, RF_TEST_FINDING);
    rf_audit_test_clear(&t);
}

static void the_tolerance_is_two_seconds_a_device_and_one_per_cent(void **unused)
{
    struct rf_sacct_match m;
    struct rf_audit_test t;

    (void)unused;
    match(HEAD "7|one|x_y|COMPLETED|Unknown|103|2|\n", RF_MATCH_NAME, &m, &t);
    assert_int_equal(t.count, 0); /* 6 device-s apart, 4 + 2.06 allowed */
    rf_audit_test_clear(&t);
    match(HEAD "7|one|x_y|COMPLETED|Unknown|104|2|\n", RF_MATCH_NAME, &m, &t);
    assert_int_equal(t.count, 1); /* 8 apart, 4 + 2.08 allowed */
    assert_int_equal(m.differ, 1);
    rf_audit_test_clear(&t);
    match(HEAD "7|one|other|COMPLETED|Unknown|100|2|\n", RF_MATCH_NAME, &m, &t);
    assert_int_equal(t.count, 1);
    assert_int_equal(m.accounts_differ, 1);
    rf_audit_test_clear(&t);
}

static void jobs_go_by_comments_runs_or_accounts(void **unused)
{
    struct rf_sacct_match m;
    struct rf_audit_test t;

    (void)unused;
    match(HEAD "7|sbatch|y|COMPLETED|Unknown|100|2|run=study job=one\n"
               "8|sbatch|y|COMPLETED|Unknown|5|1|job=three\n",
          RF_MATCH_AUTO, &m, &t);
    assert_int_equal(m.by, RF_MATCH_COMMENT);
    assert_int_equal(m.slurm_only, 1);
    assert_int_equal(t.count, 1);
    rf_audit_test_clear(&t);
    match(HEAD "7|study|y|COMPLETED|Unknown|101|3|\n", RF_MATCH_AUTO, &m, &t);
    assert_int_equal(m.by, RF_MATCH_RUN);
    assert_int_equal(t.count, 0);
    rf_audit_test_clear(&t);
    match(HEAD "7|study|y|COMPLETED|Unknown|90|1|\n", RF_MATCH_RUN, &m, &t);
    assert_int_equal(t.count, 3); /* less time, less device-time, fewer devices */
    rf_audit_test_clear(&t);
    match(HEAD "7|a|X-Y|COMPLETED|Unknown|60|2|\n8|b|x_y|COMPLETED|Unknown|40|2|\n",
          RF_MATCH_AUTO, &m, &t);
    assert_int_equal(m.by, RF_MATCH_ACCOUNT);
    assert_int_equal(t.count, 0);
    rf_audit_test_clear(&t);
}

/* ---- what to train again ------------------------------------------------------------ */

static void segments_follow_the_checkpoints_and_a_crash(void **unused)
{
    struct rf_seen_checkpoint seen[] = {
        {.job = 0, .lease = 0, .step = 10, .devices = 2, .digest = "aa", .path = "j/10"},
        {.job = 1, .lease = 1, .step = 10, .devices = 1, .digest = "bb", .path = "k/10"},
        {.job = 0, .lease = 0, .step = 20, .devices = 2, .digest = "cc", .path = "j/20"},
        {.job = 0, .lease = 2, .step = 20, .devices = 1, .digest = "dd", .path = "j/20"}};
    struct rf_audit_watch watch = {.checkpoints = seen, .ncheckpoints = 4};
    struct rf_segments segments;

    (void)unused;
    assert_int_equal(rf_segments_find(&segments, &watch, NULL), RF_OK);
    assert_int_equal(segments.n, 4);
    assert_int_equal(segments.items[0].from_step, 0);
    assert_string_equal(segments.items[0].from_path, "");
    assert_int_equal(segments.items[2].from_step, 10);
    assert_int_equal(segments.items[2].same_lease, 1);
    assert_int_equal(segments.items[3].from_step, 10); /* again from there, on one rank */
    assert_int_equal(segments.items[3].same_lease, 0);
    assert_int_equal(segments.items[3].ranks, 1);
    rf_segments_clear(&segments);
}

static void the_draw_is_a_permutation_that_the_head_decides(void **unused)
{
    struct rf_segment items[50] = {{.job = 0}};
    struct rf_segments segments = {items, 50};
    int32_t *one, *again, *other;
    int seen[50] = {0};

    (void)unused;
    assert_int_equal(rf_segments_draw(&one, &segments, "a head", NULL), RF_OK);
    assert_int_equal(rf_segments_draw(&again, &segments, "a head", NULL), RF_OK);
    assert_int_equal(rf_segments_draw(&other, &segments, "b head", NULL), RF_OK);
    for (int i = 0; i < 50; i++)
        seen[one[i]]++;
    for (int i = 0; i < 50; i++)
        assert_int_equal(seen[i], 1);
    assert_memory_equal(one, again, 50 * sizeof *one);
    assert_memory_not_equal(one, other, 50 * sizeof *one);
    free(one);
    free(again);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_run_is_kept_and_nothing_is_found),
        cmocka_unit_test(what_nobody_signed_for_is_never_kept),
        cmocka_unit_test(silence_and_clocks_set_back_are_gaps),
        cmocka_unit_test(a_crash_on_record_is_a_gap_that_the_verdict_knows),
        cmocka_unit_test(requests_are_counted_with_their_reasons),
        cmocka_unit_test(offers_and_arrears_are_those_of_each_window),
        cmocka_unit_test(claims_are_held_against_time_and_the_measured_peak),
        cmocka_unit_test(its_own_books_agree_with_the_state_whatever_happens),
        cmocka_unit_test(runs_of_slurm_are_added_up_and_repeats_left_out),
        cmocka_unit_test(what_a_crash_left_without_readings_is_no_claim_on_slurm),
        cmocka_unit_test(the_tolerance_is_two_seconds_a_device_and_one_per_cent),
        cmocka_unit_test(jobs_go_by_comments_runs_or_accounts),
        cmocka_unit_test(segments_follow_the_checkpoints_and_a_crash),
        cmocka_unit_test(the_draw_is_a_permutation_that_the_head_decides)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
