/* Slurm's accounting as a ledger: what was in the table is in the events, to the microsecond, and is
 * judged by the tally that judges all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/sacct_import.h"

#define HEAD                                                                                   \
    "JobID|Account|State|Submit|Eligible|Start|End|ElapsedRaw|TimelimitRaw|AllocTRES|"         \
    "ReqTRES\n"
#define SECOND INT64_C(1000000)

static char path[] = "/tmp/ringfence-import-XXXXXX";

static void remove_ledger(void)
{
    static const char *const PARTS[] = {"", ".seals", ".pub"};
    char name[64];

    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, PARTS[i]);
        unlink(name);
    }
}

static struct rf_event pledge(const char *account, int64_t num, int64_t den)
{
    struct rf_event e = rf_event_make(RF_EVENT_PLEDGE, 0);

    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.basis, sizeof e.basis, "fleet");
    snprintf(e.text, sizeof e.text, "floor");
    snprintf(e.author, sizeof e.author, "board");
    snprintf(e.reason, sizeof e.reason, "declared-at-start");
    e.share = (struct rf_share){num, den};
    e.window_us = 100 * SECOND;
    return e;
}

static enum rf_status import_into(struct rf_journal *journal, struct rf_sacct_imported *out,
                                  const char *table, const struct rf_sacct_import *more,
                                  struct rf_error *err)
{
    struct rf_sacct_import o = more != NULL ? *more : (struct rf_sacct_import){.devices = 8};
    enum rf_status st;

    o.name = "cluster";
    o.version = "test";
    o.policy = "easy+floor";
    o.config = "";
    o.unit = -1;
    remove_ledger();
    assert_int_equal(rf_journal_start(journal, err), RF_OK);
    assert_int_equal(rf_journal_create(journal, path, NULL, NULL, err), RF_OK);
    st = rf_sacct_import_text(out, journal, table, strlen(table), "table", &o, err);
    if (st == RF_OK)
        assert_int_equal(rf_journal_sync(journal, err), RF_OK);
    return st;
}

static void import(struct rf_journal *journal, struct rf_sacct_imported *out, const char *table,
                   const struct rf_sacct_import *more)
{
    struct rf_error err = {RF_OK, ""};

    if (import_into(journal, out, table, more, &err) != RF_OK)
        fail_msg("%s", err.text);
}

static const struct rf_job *job_of(const struct rf_journal *journal, const char *name)
{
    char buffer[RF_NAME_BYTES];

    for (int32_t i = 0; i < journal->state->njobs; i++)
        if (strcmp(rf_state_job_name(journal->state, i, buffer), name) == 0)
            return &journal->state->jobs[i];
    fail_msg("no job '%s'", name);
    return NULL;
}

static void each_run_is_a_grant_and_its_device_time_a_reading(void **state)
{
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    import(&journal, &out,
           HEAD "1|a|COMPLETED|2026-01-01T00:00:00|2026-01-01T00:00:00|2026-01-01T00:00:10|"
                "2026-01-01T00:01:00|50|5|gres/gpu=4|\n"
                "2_3|b|TIMEOUT|2026-01-01T00:00:05|2026-01-01T00:00:05|2026-01-01T00:01:00|"
                "2026-01-01T00:02:00|60|1|gres/gpu=8|\n",
           NULL);
    assert_int_equal(out.jobs, 2);
    assert_int_equal(out.runs, 2);
    assert_int_equal(out.peak, 8);
    assert_int_equal(job_of(&journal, "1")->held_us, 200 * SECOND);
    assert_int_equal(job_of(&journal, "1")->state, RF_JOB_DONE);
    assert_int_equal(job_of(&journal, "2_3")->held_us, 480 * SECOND);
    assert_int_equal(job_of(&journal, "2_3")->state, RF_JOB_FAILED);
    assert_int_equal(job_of(&journal, "2_3")->limit_us, 60 * SECOND);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void runs_of_a_requeued_job_are_one_job(void **state)
{
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    import(&journal, &out,
           HEAD "7|a|PREEMPTED|2026-01-01T00:00:00||2026-01-01T00:00:10|2026-01-01T00:00:20|10|"
                "|gres/gpu=2|\n"
                "7|a|NODE_FAIL|2026-01-01T00:00:20||2026-01-01T00:00:30|2026-01-01T00:00:40|10|"
                "|gres/gpu=2|\n"
                "7|a|COMPLETED|2026-01-01T00:00:40||2026-01-01T00:00:50|2026-01-01T00:01:00|10|"
                "|gres/gpu=2|\n"
                "7|a|COMPLETED|2026-01-01T00:00:40||2026-01-01T00:00:50|2026-01-01T00:01:00|10|"
                "|gres/gpu=2|\n",
           NULL);
    assert_int_equal(out.jobs, 1);
    assert_int_equal(out.runs, 3);
    assert_int_equal(job_of(&journal, "7")->held_us, 60 * SECOND);
    assert_int_equal(job_of(&journal, "7")->grants, 3);
    assert_int_equal(job_of(&journal, "7")->preemptions, 1);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void what_never_ran_waited_from_when_it_could_have_run(void **state)
{
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    /* called off; waits for another until it does not; never ready; still waiting */
    import(
        &journal, &out,
        HEAD
        "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-01T00:02:00|120||gres/"
        "gpu=1|\n"
        "2|a|CANCELLED by 0|2026-01-01T00:00:00||2026-01-01T00:00:30|2026-01-01T00:00:30|0||"
        "|gres/gpu=1\n"
        "3|a|COMPLETED|2026-01-01T00:00:00|2026-01-01T00:01:00|2026-01-01T00:01:10|"
        "2026-01-01T00:01:20|10||gres/gpu=1|\n"
        "4|a|CANCELLED|2026-01-01T00:00:00|2026-01-01T00:01:30|Unknown|2026-01-01T00:01:00|0|||"
        "gres/gpu=1\n"
        "5|a|PENDING|2026-01-01T00:01:00|2026-01-01T00:01:00|Unknown|Unknown|0|||gres/gpu=1\n",
        NULL);
    assert_int_equal(out.jobs, 5);
    assert_int_equal(out.unfinished, 1);
    assert_int_equal(job_of(&journal, "2")->state, RF_JOB_CANCELLED);
    assert_int_equal(job_of(&journal, "2")->held_us, 0);
    assert_int_equal(job_of(&journal, "3")->submit_us - job_of(&journal, "1")->submit_us,
                     60 * SECOND);
    assert_int_equal(job_of(&journal, "4")->state, RF_JOB_CANCELLED);
    assert_int_equal(job_of(&journal, "5")->state, RF_JOB_QUEUED);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void runs_that_are_over_at_once_leave_room_for_the_next(void **state)
{
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    /* the later job number begins first at the same second: its devices are free again */
    import(&journal, &out,
           HEAD "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:10|2026-01-01T00:00:20|10|"
                "|gres/gpu=8|\n"
                "2|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:10|2026-01-01T00:00:10|0||"
                "gres/gpu=8|\n"
                "3|a|FAILED|2026-01-01T00:00:00||2026-01-01T00:00:20|2026-01-01T00:00:20|0||"
                "gres/gpu=8|\n",
           NULL);
    assert_int_equal(out.runs, 3);
    assert_int_equal(job_of(&journal, "2")->state, RF_JOB_DONE);
    assert_int_equal(job_of(&journal, "3")->state, RF_JOB_FAILED);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void the_ledger_covers_the_time_that_was_asked_for(void **state)
{
    struct rf_sacct_import o = {.devices = 4};
    struct rf_journal journal;
    struct rf_sacct_imported out;
    const char *table = HEAD "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-"
                             "01T00:00:10|10||gres/gpu=1|\n"
                             "2|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:10|2026-01-"
                             "01T00:02:00|110||gres/gpu=1|\n"
                             "3|a|COMPLETED|2026-01-01T00:03:00||2026-01-01T00:03:00|2026-01-"
                             "01T00:04:00|60||gres/gpu=1|\n";

    (void)state;
    o.begin_us = INT64_C(1767225600) * SECOND + 30 * SECOND; /* 2026-01-01T00:00:30 */
    o.end_us = o.begin_us + 60 * SECOND;
    import(&journal, &out, table, &o);
    assert_int_equal(out.outside, 2);
    assert_int_equal(out.jobs, 1);
    assert_int_equal(job_of(&journal, "2")->held_us, 60 * SECOND);
    assert_int_equal(journal.state->now_us - journal.state->start_us, 60 * SECOND);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void accounts_below_a_pledged_one_get_their_dots_back(void **state)
{
    struct rf_event promises[1] = {pledge("alignment", 1, 4)};
    struct rf_sacct_import o = {.devices = 4, .promises = promises, .npromises = 1};
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    import(&journal, &out,
           HEAD "1|alignment_w2s|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-"
                "01T00:00:10|10||gres/gpu=1|\n"
                "2|gpu_team|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-01T00:"
                "00:10|10||gres/gpu=1|\n",
           &o);
    assert_true(rf_state_find_account(journal.state, "alignment.w2s") >= 0);
    assert_true(rf_state_find_account(journal.state, "gpu_team") >= 0);
    rf_journal_clear(&journal);
    remove_ledger();
}

/* Alignment asks for a quarter all the time, and gets it, or not. */
static enum rf_verdict verdict_of(const char *alignment_end)
{
    struct rf_event promises[1] = {pledge("alignment", 1, 4)};
    struct rf_sacct_import o = {.devices = 4, .promises = promises, .npromises = 1};
    struct rf_journal journal;
    struct rf_sacct_imported out;
    enum rf_verdict verdict;
    char table[1024];

    snprintf(table, sizeof table,
             HEAD
             "1|alignment|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|%s|||gres/gpu=1|\n"
             "2|alignment|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:01:40|2026-01-01T00:03:"
             "20|||gres/gpu=1|\n"
             "3|other|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-01T00:03:20|||"
             "gres/gpu=3|\n",
             alignment_end);
    import(&journal, &out, table, &o);
    rf_tally_judge(journal.tally, journal.state);
    assert_int_equal(journal.tally->npledges, 1);
    verdict = journal.tally->pledges[0].verdict;
    rf_journal_clear(&journal);
    remove_ledger();
    return verdict;
}

static void the_verdict_is_in_the_table(void **state)
{
    (void)state;
    assert_int_equal(verdict_of("2026-01-01T00:01:40"), RF_KEPT);
    assert_int_equal(verdict_of("2026-01-01T00:01:00"), RF_BROKEN);
}

static void more_devices_than_there_are_is_said_with_the_line(void **state)
{
    struct rf_sacct_import o = {.devices = 4};
    struct rf_journal journal;
    struct rf_sacct_imported out;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(import_into(&journal, &out,
                                 HEAD "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:00|"
                                      "2026-01-01T00:00:10|10||gres/gpu=3|\n"
                                      "2|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:09|"
                                      "2026-01-01T00:00:19|10||gres/gpu=2|\n",
                                 &o, &err),
                     RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "table:3: job 2 has 2 gpus when only 1 of 4 are free"));
    rf_journal_clear(&journal);
    remove_ledger();
}

static void a_table_without_its_columns_is_refused(void **state)
{
    static const char *const TABLES[] = {
        "", "JobID|Submit\n", HEAD, HEAD "x|a|COMPLETED||||||||\n",
        HEAD "1|a|COMPLETED|||2026-01-01T00:00:00|2026-01-01T00:00:10|10||gres/gpu=1|\n"};
    struct rf_journal journal;
    struct rf_sacct_imported out;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
        assert_int_equal(import_into(&journal, &out, TABLES[i], NULL, &err), RF_ERR_INPUT);
        assert_int_equal(strncmp(err.text, "table", 5), 0);
        rf_journal_clear(&journal);
    }
    remove_ledger();
}

#define NODES "NodeName|TimeStart|TimeEnd|State|TRES\n"

static struct rf_sacct_import with_events(const char *events)
{
    return (struct rf_sacct_import){.devices = 8,
                                    .events = events,
                                    .events_bytes = strlen(events),
                                    .events_file = "events"};
}

/* Sums over the ledger: the tally counts what was up. */
static int64_t capacity_s(const struct rf_journal *journal)
{
    return (int64_t)(rf_wide_double(journal->tally->capacity_us) / 1e6 + 0.5);
}

static void a_node_that_is_down_is_no_part_of_the_fleet(void **state)
{
    /* 4 of 8 are down from second 20 to 60, 2 of another node from 50 to the end; the cluster's own row,
     * a node without GPUs and one that is drained do not count */
    const struct rf_sacct_import o =
        with_events(NODES "|2025-12-31T00:00:00|Unknown||cpu=16,gres/gpu=8\n"
                          "n1|2026-01-01T00:00:20|2026-01-01T00:01:00|DOWN*|cpu=4,gres/gpu=4\n"
                          "n2|2026-01-01T00:00:50|Unknown|DOWN+DRAIN|cpu=4,gres/gpu=2\n"
                          "n3|2026-01-01T00:00:00|Unknown|DOWN|cpu=4\n"
                          "n2|2026-01-01T00:00:40|2026-01-01T00:00:50|DRAIN|gres/gpu=2\n");
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    import(&journal, &out,
           HEAD
           "1|a|NODE_FAIL|2026-01-01T00:00:00||2026-01-01T00:00:00|2026-01-01T00:00:20|20|5|"
           "gres/gpu=8|\n"
           "2|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:20|2026-01-01T00:01:40|80|5|"
           "gres/gpu=2|\n",
           &o);
    assert_int_equal(out.outages, 2);
    assert_int_equal(out.drained, 1);
    assert_int_equal(out.clashes, 0);
    assert_true(rf_wide_double(out.down_us) == 1e6 * (4 * 40 + 2 * 50));
    assert_true(rf_wide_double(out.drained_us) == 1e6 * 2 * 10);
    assert_int_equal(out.peak, 8);
    assert_int_equal(capacity_s(&journal), 8 * 100 - 4 * 40 - 2 * 50);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void a_run_is_believed_where_a_node_is_said_to_be_down(void **state)
{
    const struct rf_sacct_import o =
        with_events(NODES "n1|2026-01-01T00:00:10|2026-01-01T00:00:40|DOWN|gres/gpu=8\n");
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    import(&journal, &out,
           HEAD
           "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:20|2026-01-01T00:00:30|10|5|"
           "gres/gpu=3|\n"
           "2|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:50|2026-01-01T00:01:00|10|5|"
           "gres/gpu=8|\n",
           &o);
    assert_int_equal(out.clashes, 1);
    assert_int_equal(capacity_s(&journal), 8 * 60 - 8 * 30 + 3 * 10);
    rf_journal_clear(&journal);
    remove_ledger();
}

static void events_that_cannot_be_are_refused(void **state)
{
    static const char table[] = HEAD "1|a|COMPLETED|2026-01-01T00:00:00||2026-01-01T00:00:20|"
                                     "2026-01-01T00:00:30|10|5|gres/gpu=3|\n";
    static const struct {
        const char *text, *problem;
    } BAD[] = {
        {"Node|State\n", "events: no header"},
        {NODES "n1|soon|Unknown|DOWN|gres/gpu=4\n", "events:2: not a time of start 'soon'"},
        {NODES "n1|2026-01-01T00:00:10|x|DOWN|gres/gpu=4\n", "events:2: not a time of end"},
        {NODES "n1|2026-01-01T00:00:10|Unknown|DOWN|gres/gpu=9\n",
         "events:2: with this node 9 gpus are down, of 8"}};
    struct rf_journal journal;
    struct rf_sacct_imported out;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const struct rf_sacct_import o = with_events(BAD[i].text);
        struct rf_error err;

        assert_int_equal(import_into(&journal, &out, table, &o, &err), RF_ERR_INPUT);
        if (strstr(err.text, BAD[i].problem) == NULL)
            fail_msg("'%s' instead of '%s'", err.text, BAD[i].problem);
        rf_journal_clear(&journal);
    }
    remove_ledger();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_is_a_grant_and_its_device_time_a_reading),
        cmocka_unit_test(a_node_that_is_down_is_no_part_of_the_fleet),
        cmocka_unit_test(a_run_is_believed_where_a_node_is_said_to_be_down),
        cmocka_unit_test(events_that_cannot_be_are_refused),
        cmocka_unit_test(runs_of_a_requeued_job_are_one_job),
        cmocka_unit_test(what_never_ran_waited_from_when_it_could_have_run),
        cmocka_unit_test(runs_that_are_over_at_once_leave_room_for_the_next),
        cmocka_unit_test(the_ledger_covers_the_time_that_was_asked_for),
        cmocka_unit_test(accounts_below_a_pledged_one_get_their_dots_back),
        cmocka_unit_test(the_verdict_is_in_the_table),
        cmocka_unit_test(more_devices_than_there_are_is_said_with_the_line),
        cmocka_unit_test(a_table_without_its_columns_is_refused),
    };

    (void)close(mkstemp(path));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
