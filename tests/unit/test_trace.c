#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/rng.h"
#include "sim/trace.h"
#include "base/value.h"

struct job {
    double submit_s, run_s, limit_s;
    int32_t min, max;
    const char *account;
};

static void assert_jobs(const struct rf_workload *w, const struct job *jobs, int64_t n)
{
    assert_int_equal(w->n, n);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(w->submit_us[i], (int64_t)(jobs[i].submit_s * 1e6));
        assert_int_equal(w->run_us[i], (int64_t)(jobs[i].run_s * 1e6));
        assert_int_equal(w->limit_us[i], (int64_t)(jobs[i].limit_s * 1e6));
        assert_int_equal(w->min[i], jobs[i].min);
        assert_int_equal(w->max != NULL ? w->max[i] : w->min[i],
                         jobs[i].max > 0 ? jobs[i].max : jobs[i].min);
        assert_string_equal(w->accounts[w->account[i]], jobs[i].account);
    }
}

static void assert_drops(const struct rf_trace_report *report,
                         const int64_t expected[RF_DROP_NREASONS])
{
    int64_t sum = report->kept;

    for (int r = 0; r < RF_DROP_NREASONS; r++) {
        if (report->dropped[r] != expected[r])
            fail_msg("%lld lines dropped as %s, not %lld", (long long)report->dropped[r],
                     rf_trace_drop_name((enum rf_trace_drop)r), (long long)expected[r]);
        sum += report->dropped[r];
    }
    assert_int_equal(sum, report->lines);
}

static void read_ok(struct rf_workload *w, const char *path,
                    const struct rf_trace_options *options, struct rf_trace_report *report)
{
    struct rf_error err;

    if (rf_trace_read(w, path, options, report, &err) != RF_OK)
        fail_msg("%s", err.text);
}

#define SMALL(name) (RF_TEST_DATA "/traces/" name)
#define SECONDS(n) ((int64_t)(n)*1000000)

/* ---- each format, from a small file -------------------------------------- */

static void swf_gives_the_jobs_and_counts_what_is_none(void **unused)
{
    static const struct job JOBS[] = {{90, 60, 60, 16, 0, "default"},
                                      {100, 3600, 7200, 4, 0, "default"},
                                      {100, 600, 600, 8, 0, "default"},
                                      {500, 50, 50, 64, 0, "default"},
                                      {500, 51, 51.5, 1, 0, "default"}};
    static const int64_t DROPS[RF_DROP_NREASONS] = {[RF_DROP_NO_RUN] = 2,
                                                    [RF_DROP_NO_DEVICES] = 1,
                                                    [RF_DROP_TOO_LARGE] = 1,
                                                    [RF_DROP_NO_SUBMIT] = 1};
    struct rf_trace_options options = {.devices = 64};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.swf"), &options, &report);
    assert_jobs(&w, JOBS, 5);
    assert_null(w.max);
    assert_drops(&report, DROPS);
    assert_int_equal(report.format, RF_TRACE_SWF);
    assert_int_equal(report.max_procs, 64);
    assert_int_equal(report.max_nodes, 16);
    assert_int_equal(report.start_unix_s, 1027839845);
    assert_int_equal(w.origin_us, SECONDS(1027839845));
    assert_int_equal(report.examples[RF_DROP_NO_RUN][0], 12);
    assert_int_equal(report.examples[RF_DROP_NO_RUN][1], 17);
    assert_int_equal(report.examples[RF_DROP_NO_RUN][2], 0);
    rf_workload_clear(&w);
}

static void swf_queues_fall_back_to_partitions_and_minus_one_is_nothing(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"queue", "*", "", "q%q.u%u"}};
    static const struct job JOBS[] = {{90, 60, 60, 16, 0, "q1.u4"},
                                      {100, 3600, 7200, 4, 0, "q2.u3"},
                                      {100, 600, 600, 8, 0, "q3.u3"},
                                      {500, 50, 50, 64, 0, "rest"},
                                      {500, 51, 51.5, 1, 0, "q3.u5"}};
    struct rf_trace_options options = {
        .devices = 64, .rules = RULES, .nrules = 1, .fallback = "rest"};
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.swf"), &options, NULL);
    assert_jobs(&w, JOBS, 5);
    assert_int_equal(w.naccounts, 5);
    for (int32_t a = 5; a < 20; a++) { /* there may come others to those of the trace */
        char name[16];
        int32_t index;

        snprintf(name, sizeof name, "more%d", (int)a);
        assert_int_equal(rf_workload_account(&w, name, &index, NULL), RF_OK);
        assert_int_equal(index, a);
    }
    rf_workload_clear(&w);
}

/* Fields are found 64 bytes at a time; every place of an edge among them occurs here. */
static void swf_fields_may_stand_anywhere_in_a_line(void **unused)
{
    struct rf_trace_options options = {.format = RF_TRACE_SWF};

    (void)unused;
    for (uint64_t round = 0; round < 3000; round++) {
        char line[2048];
        size_t n = 0;
        struct rf_workload w;

        for (int field = 1; field <= 18; field++) {
            uint64_t blanks = field > 1 || round % 2 == 0;

            if (round % 3 > 0 && blanks > 0)
                blanks += rf_rng_below(5, round, (uint64_t)field, round % 3 == 1 ? 8 : 90);
            for (; blanks > 0; blanks--, n++)
                line[n] = rf_rng_below(6, round, n, 4) == 0 ? '\t' : ' ';
            n += (size_t)snprintf(line + n, 8, "%d", field == 5 ? 123456 : field + 1000);
        }
        for (uint64_t b = 0; b < round % 5; b++)
            line[n++] = ' ';
        if (round % 7 == 0)
            line[n++] = '\n';
        assert_int_equal(rf_trace_parse(&w, line, n, "f", &options, NULL, NULL), RF_OK);
        assert_int_equal(w.submit_us[0], SECONDS(1002));
        assert_int_equal(w.run_us[0], SECONDS(1004));
        assert_int_equal(w.limit_us[0], SECONDS(1009));
        assert_int_equal(w.min[0], 123456);
        rf_workload_clear(&w);
    }
}

static void csv_takes_columns_by_name_and_groups_by_theirs(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"group", "ee9e8c", "", "vc.%g"},
                                                        {"user", "", "^b", "never"}};
    static const struct job PLAIN[] = {{50, 60, 60, 2, 0, "default"},
                                       {100, 3600, 7200, 4, 8, "default"},
                                       {100, 1.5, 1.5, 1, 0, "lab.safety"}};
    static const struct job RULED[] = {{50, 60, 60, 2, 0, "vc.ee9e8c"},
                                       {100, 3600, 7200, 4, 6, "default"},
                                       {100, 1.5, 1.5, 1, 0, "vc.ee9e8c"}};
    struct rf_trace_options options = {.format = RF_TRACE_AUTO};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.csv"), &options, &report);
    assert_int_equal(report.format, RF_TRACE_CSV);
    assert_int_equal(report.lines, 3);
    assert_jobs(&w, PLAIN, 3);
    assert_int_equal(w.origin_us, 0);
    rf_workload_clear(&w);

    options.rules = RULES;
    options.nrules = 2;
    options.groups = SMALL("groups.csv");
    options.devices = 6; /* and nothing can use more than the machine */
    read_ok(&w, SMALL("small.csv"), &options, &report);
    assert_jobs(&w, RULED, 3);
    rf_workload_clear(&w);
}

static void sacct_puts_the_rows_of_a_job_together(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"type", "high", "", "%a.%t"}};
    static const struct job JOBS[] = {{0, 60, 60, 3, 0, "lab.high"},
                                      {60, 3600, 7200, 2, 0, "lab"},
                                      {660, 602, 602, 5, 0, "lab"},
                                      {960, 1200, 1800, 1, 0, "lab"},
                                      {1860, 60, 7200, 1, 0, "lab"}};
    static const int64_t DROPS[RF_DROP_NREASONS] = {[RF_DROP_STEP] = 2,
                                                    [RF_DROP_NO_RUN] = 1,
                                                    [RF_DROP_UNFINISHED] = 2,
                                                    [RF_DROP_REPEATED] = 3,
                                                    [RF_DROP_NO_DEVICES] = 1};
    struct rf_trace_options options = {.rules = RULES, .nrules = 1};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.sacct"), &options, &report);
    assert_int_equal(report.format, RF_TRACE_SACCT);
    assert_int_equal(report.unit, RF_TRACE_GPUS);
    assert_jobs(&w, JOBS, 5);
    assert_drops(&report, DROPS);
    assert_int_equal(w.origin_us, SECONDS(1709279940));
    rf_workload_clear(&w);
}

static void sacct_counts_what_it_is_told_to(void **unused)
{
    static const int32_t CPUS[] = {4, 8, 68, 2, 32, 8}, NODES[] = {1, 1, 2, 1, 1};
    struct rf_trace_options options = {.unit = RF_TRACE_CPUS};
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.sacct"), &options, NULL);
    assert_int_equal(w.n, 6);
    assert_memory_equal(w.min, CPUS, sizeof CPUS);
    rf_workload_clear(&w);
    options.unit = RF_TRACE_NODES; /* job 103 does not say */
    read_ok(&w, SMALL("small.sacct"), &options, NULL);
    assert_int_equal(w.n, 5);
    assert_memory_equal(w.min, NODES, sizeof NODES);
    rf_workload_clear(&w);
}

static void sacct_requeued_jobs_keep_their_place(void **unused)
{
    static const char TEXT[] = "JobID|State|Submit|Start|ElapsedRaw|NCPUS\n"
                               "1|REQUEUED|1700000000|1700000001|5|16\n"
                               "2|COMPLETED|1700000000|1700000001|6|2\n"
                               "1|COMPLETED|1700000006|1700000008|7|16\n";
    static const struct job JOBS[] = {{0, 7, 7, 16, 0, "default"}, {0, 6, 6, 2, 0, "default"}};
    struct rf_trace_options options = {.format = RF_TRACE_AUTO};
    struct rf_workload w;

    (void)unused;
    assert_int_equal(rf_trace_parse(&w, TEXT, sizeof TEXT - 1, "t", &options, NULL, NULL),
                     RF_OK);
    assert_jobs(&w, JOBS, 2);
    rf_workload_clear(&w);
}

static void sacct_is_content_with_few_columns(void **unused)
{
    static const char TEXT[] = "JobID|Submit|Elapsed|Timelimit|NCPUS\n"
                               "1|1700000000|1-00:00:01.5|2-00:00:00|16\n"
                               "2|1700000060|02:03|UNLIMITED|1\n";
    static const struct job JOBS[] = {{0, 86401.5, 172800, 16, 0, "default"},
                                      {60, 123, 123, 1, 0, "default"}};
    struct rf_trace_options options = {.format = RF_TRACE_SACCT};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    assert_int_equal(rf_trace_parse(&w, TEXT, sizeof TEXT - 1, "t", &options, &report, NULL),
                     RF_OK);
    assert_int_equal(report.unit, RF_TRACE_CPUS);
    assert_jobs(&w, JOBS, 2);
    assert_int_equal(w.origin_us, SECONDS(1700000000));
    rf_workload_clear(&w);
}

static void acme_run_times_come_from_the_timestamps(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"type", "*", "", "%t"}};
    static const struct job SEREN[] = {{0, 60, 60, 8, 0, "Eval"},
                                       {60, 3600, 3600, 16, 0, "SFT"}};
    static const struct job KALOS[] = {{0, 8, 8, 512, 0, "Pretrain"}};
    static const int64_t DROPS[RF_DROP_NREASONS] = {
        [RF_DROP_NO_RUN] = 2, [RF_DROP_NO_DEVICES] = 2};
    struct rf_trace_options options = {.rules = RULES, .nrules = 1};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("seren.csv"), &options, &report);
    assert_int_equal(report.format, RF_TRACE_ACME);
    assert_jobs(&w, SEREN, 2);
    assert_drops(&report, DROPS);
    assert_int_equal(w.origin_us, SECONDS(1677628740)); /* 2023-02-28 23:59 UTC */
    rf_workload_clear(&w);
    read_ok(&w, SMALL("kalos.csv"), &options, &report);
    assert_int_equal(report.format, RF_TRACE_ACME);
    assert_jobs(&w, KALOS, 1);
    rf_workload_clear(&w);
    options.unit = RF_TRACE_CPUS; /* the jobs without a GPU are some now */
    read_ok(&w, SMALL("seren.csv"), &options, NULL);
    assert_int_equal(w.n, 4);
    assert_int_equal(w.min[2], 16);
    rf_workload_clear(&w);
}

static void philly_adds_up_attempts(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"group", "ee9e8c", "", "vc.%g"}};
    static const struct job JOBS[] = {{0, 1, 1, 1, 0, "default"},
                                      {725, 100, 100, 3, 0, "vc.ee9e8c"}};
    static const int64_t DROPS[RF_DROP_NREASONS] = {
        [RF_DROP_NO_DEVICES] = 1, [RF_DROP_UNFINISHED] = 1};
    struct rf_trace_options options = {.rules = RULES, .nrules = 1};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("philly.json"), &options, &report);
    assert_int_equal(report.format, RF_TRACE_PHILLY);
    assert_jobs(&w, JOBS, 2);
    assert_drops(&report, DROPS);
    assert_int_equal(report.examples[RF_DROP_NO_DEVICES][0], 8);
    rf_workload_clear(&w);
}

/* ---- what all have in common ------------------------------------------- */

static char *slurp(const char *path, size_t *size)
{
    char *text;

    assert_int_equal(rf_file_read(path, 1 << 20, &text, size, NULL), RF_OK);
    return text;
}

static void assert_same(const struct rf_workload *a, const struct rf_workload *b)
{
    size_t n = (size_t)a->n;

    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->submit_us, b->submit_us, n * sizeof *a->submit_us);
    assert_memory_equal(a->run_us, b->run_us, n * sizeof *a->run_us);
    assert_memory_equal(a->limit_us, b->limit_us, n * sizeof *a->limit_us);
    assert_memory_equal(a->min, b->min, n * sizeof *a->min);
}

static const char *const ALL[] = {SMALL("small.swf"), SMALL("small.csv"),
                                  SMALL("seren.csv"), SMALL("small.sacct"),
                                  SMALL("kalos.csv"), SMALL("philly.json")};

static void windows_line_ends_and_a_byte_order_mark_change_nothing(void **unused)
{
    struct rf_trace_options options = {.format = RF_TRACE_AUTO};

    (void)unused;
    for (size_t f = 0; f < sizeof ALL / sizeof *ALL; f++) {
        struct rf_workload plain, other;
        size_t size, n = 3;
        char *text = slurp(ALL[f], &size), *dos = malloc(2 * size + 3);

        memcpy(dos, "\xef\xbb\xbf", 3);
        for (size_t i = 0; i < size; i++) {
            if (text[i] == '\n')
                dos[n++] = '\r';
            dos[n++] = text[i];
        }
        read_ok(&plain, ALL[f], &options, NULL);
        assert_int_equal(rf_trace_parse(&other, dos, n, "dos", &options, NULL, NULL), RF_OK);
        assert_same(&plain, &other);
        rf_workload_clear(&plain);
        rf_workload_clear(&other);
        free(text);
        free(dos);
    }
}

static void packed_files_read_like_plain_ones(void **unused)
{
    struct rf_trace_options options = {.format = RF_TRACE_AUTO};

    (void)unused;
    for (size_t f = 0; f < sizeof ALL / sizeof *ALL; f++) {
        char path[64];
        struct rf_workload plain, packed;
        size_t size;
        char *text = slurp(ALL[f], &size);
        gzFile out;

        snprintf(path, sizeof path, "test_trace.%ld.gz", (long)getpid());
        out = gzopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(gzwrite(out, text, (unsigned)size), (int)size);
        assert_int_equal(gzclose(out), Z_OK);
        read_ok(&plain, ALL[f], &options, NULL);
        read_ok(&packed, path, &options, NULL);
        assert_same(&plain, &packed);
        assert_string_equal(packed.source, path);
        rf_workload_clear(&plain);
        rf_workload_clear(&packed);
        free(text);
        unlink(path);
    }
}

static void jobs_behind_the_horizon_are_left_out(void **unused)
{
    static const int64_t DROPS[RF_DROP_NREASONS] = {
        [RF_DROP_STEP] = 2,     [RF_DROP_NO_RUN] = 1,     [RF_DROP_UNFINISHED] = 2,
        [RF_DROP_REPEATED] = 3, [RF_DROP_NO_DEVICES] = 1, [RF_DROP_TOO_LATE] = 2};
    struct rf_trace_options options = {.horizon_us = SECONDS(960)};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    read_ok(&w, SMALL("small.sacct"), &options, &report);
    assert_int_equal(w.n, 3);
    assert_drops(&report, DROPS);
    rf_workload_clear(&w);
}

/* ---- what is refused ------------------------------------------------------ */

#define CSV "submit,run,procs\n"
#define SACCT "JobID|Submit|ElapsedRaw|NCPUS\n"
#define ACME "submit_time,start_time,end_time,gpu_num\n"
#define DAY "2023-03-01 00:00:00"
#define SWF_REST " -1 1 60 -1 1 1 1 1 1 1 -1 -1\n"

static const struct {
    enum rf_trace_format format;
    const char *text, *message;
} BAD[] = {
    {RF_TRACE_SWF, "; a comment\n1 0 -1 60 4 -1 -1 4\n", "f:2: fewer than 18 fields"},
    {RF_TRACE_SWF, "1 x 0 60 4 -1" SWF_REST, "f:1: not a submit time (field 2): 'x'"},
    {RF_TRACE_SWF, "1 0 0 6o 4 -1" SWF_REST, "f:1: not a run time (field 4): '6o'"},
    {RF_TRACE_SWF, "1 0 0 60 4.5 -1" SWF_REST,
     "f:1: not a number of processors (field 5): '4.5'"},
    {RF_TRACE_SWF, "1 0 0 99999999999 4 -1" SWF_REST, "f:1: not a run time (field 4)"},
    {RF_TRACE_SWF, "", "'f' has no job that could run (0 lines)"},
    {RF_TRACE_SWF, "; MaxProcs: 5\n", "'f' has no job that could run (0 lines)"},
    {RF_TRACE_CSV, "", "f:1: no header with the columns submit, run and procs"},
    {RF_TRACE_CSV, "submit,run\n1,2\n",
     "f:1: no header with the columns submit, run and procs"},
    {RF_TRACE_CSV, CSV "1,2\n", "f:2: fewer columns than the header has"},
    {RF_TRACE_CSV, CSV "1,2,3,4\n", "f:2: more columns than the header has"},
    {RF_TRACE_CSV, CSV "1,2,\"3\n", "f:2: a quoted cell does not end"},
    {RF_TRACE_CSV, CSV "1,\"2\"2,3\n", "f:2: a quoted cell does not end"},
    {RF_TRACE_CSV, CSV "1,2,3\n\n1,2,3 x\n", "f:4: not a number of devices: '3 x'"},
    {RF_TRACE_CSV, CSV "1,-,3\n", "f:2: not a time in seconds: '-'"},
    {RF_TRACE_CSV, CSV "1,2,3\n" DAY ",2,3\n", "f:3: not a submission like those before"},
    {RF_TRACE_CSV, CSV "1,1\x01\xff,3\n",
     "f:2: not a time in seconds: '1?"
     "?'"},
    {RF_TRACE_SACCT, "JobID|Elapsed\n1|00:10\n",
     "f:1: no header of sacct -P with JobID and Submit"},
    {RF_TRACE_SACCT, "JobID|Submit|End\n", "f:1: no column with run times"},
    {RF_TRACE_SACCT, SACCT "a|" DAY "|1|1\n", "f:2: not a job id: 'a'"},
    {RF_TRACE_SACCT, SACCT "1_|" DAY "|1|1\n", "f:2: not a job id: '1_'"},
    {RF_TRACE_SACCT, SACCT "1|2023-02-29 00:00:00|1|1\n", "f:2: not a time of submission"},
    {RF_TRACE_SACCT, SACCT "1|" DAY "|x|1\n", "f:2: not a run time: 'x'"},
    {RF_TRACE_SACCT, SACCT "1|" DAY "|1|1|\n", "f:2: more columns than the header has"},
    {RF_TRACE_ACME, "submit_time,start_time,end_time\n",
     "f:1: no header with the columns submit_time"},
    {RF_TRACE_ACME, ACME DAY "," DAY ",x,1\n", "f:2: not a time of end: 'x'"},
    {RF_TRACE_ACME, ACME DAY "," DAY "," DAY ",x\n", "f:2: not a number of devices: 'x'"},
    {RF_TRACE_PHILLY, "[\n{\"attempts\": []},\n3]", "f:3: a job begins with '{'"},
    {RF_TRACE_PHILLY, "[{\"attempts\": 3}]", "f:1: a job without its attempts"},
    {RF_TRACE_PHILLY, "[\n{\"attempts\":\n [}\n]", "f:3: "},
    {RF_TRACE_PHILLY, "[{\"attempts\": []}", "f:1: the list of jobs does not end"},
    {RF_TRACE_PHILLY, "[{\"attempts\": [{\"start_time\": 3}]}]",
     "f:1: an attempt without usable times"},
    {RF_TRACE_PHILLY, "[{\"attempts\": [], \"submitted_time\": \"x\"}]",
     "f:1: not a time of submission: 'x'"},
};

static void bad_lines_are_refused_by_their_number(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct rf_trace_options options = {.format = BAD[i].format};
        struct rf_workload w;
        struct rf_error err = {RF_OK, ""};

        assert_int_equal(
            rf_trace_parse(&w, BAD[i].text, strlen(BAD[i].text), "f", &options, NULL, &err),
            RF_ERR_INPUT);
        if (strncmp(err.text, BAD[i].message, strlen(BAD[i].message)) != 0)
            fail_msg("case %zu: '%s', expected '%s'", i, err.text, BAD[i].message);
        assert_int_equal(w.n, 0);
        assert_null(w.submit_us);
    }
}

static void lenient_reading_drops_bad_lines_and_says_what_the_first_lacked(void **unused)
{
    static const char TEXT[] = CSV "1,2,3\n1,x,3\n2,2\n3,4,5\n";
    static const struct job JOBS[] = {{1, 2, 2, 3, 0, "default"}, {3, 4, 4, 5, 0, "default"}};
    struct rf_trace_options options = {.format = RF_TRACE_CSV, .lenient = 1};
    struct rf_trace_report report;
    struct rf_workload w;

    (void)unused;
    assert_int_equal(rf_trace_parse(&w, TEXT, sizeof TEXT - 1, "f", &options, &report, NULL),
                     RF_OK);
    assert_jobs(&w, JOBS, 2);
    assert_int_equal(report.dropped[RF_DROP_MALFORMED], 2);
    assert_int_equal(report.examples[RF_DROP_MALFORMED][0], 3);
    assert_int_equal(report.examples[RF_DROP_MALFORMED][1], 4);
    assert_string_equal(report.malformed, "not a time in seconds: 'x'");
    assert_int_equal(report.lines, 4);
    rf_workload_clear(&w);
}

static void a_line_without_end_is_refused(void **unused)
{
    enum { LENGTH = 300000 };
    static const enum rf_trace_format FORMATS[] = {RF_TRACE_SWF, RF_TRACE_CSV, RF_TRACE_SACCT,
                                                   RF_TRACE_ACME};
    static const char *const HEADS[] = {"", CSV, SACCT, ACME};
    char *text = malloc(LENGTH);

    (void)unused;
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        struct rf_trace_options options = {.format = FORMATS[i]};
        struct rf_workload w;
        struct rf_error err;

        memset(text, '1', LENGTH);
        memcpy(text, HEADS[i], strlen(HEADS[i]));
        assert_int_equal(rf_trace_parse(&w, text, LENGTH, "f", &options, NULL, &err),
                         RF_ERR_INPUT);
        assert_non_null(strstr(err.text, "the line is too long"));
    }
    free(text);
}

static void a_missing_file_and_a_bad_rule_are_refused(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"user", "", "(", "x"}};
    struct rf_trace_options options = {.format = RF_TRACE_AUTO};
    struct rf_workload w;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_trace_read(&w, "no/such/file", &options, NULL, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "no/such/file"));
    options.groups = "no/such/groups";
    assert_int_equal(rf_trace_read(&w, SMALL("small.csv"), &options, NULL, &err), RF_ERR_INPUT);
    options.groups = NULL;
    options.rules = RULES;
    options.nrules = 1;
    assert_int_equal(rf_trace_read(&w, SMALL("small.csv"), &options, NULL, &err),
                     RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "account rule 1: bad pattern '('"));
}

/* ---- values ------------------------------------------------------------- */

static struct rf_view text_of(const char *word)
{
    return (struct rf_view){word, strlen(word)};
}

static void dates_durations_and_numbers_are_exact(void **unused)
{
    static const struct {
        const char *text;
        int64_t us;
    } DATES[] = {{"1970-01-01 00:00:00", 0},
                 {"2000-02-29T12:00:00Z", INT64_C(951825600000000)},
                 {"2023-03-01 08:00:03+08:00", INT64_C(1677628803000000)},
                 {"2023-03-01 08:00:03.25-0130", INT64_C(1677663003250000)},
                 {"1969-12-31 23:59:59", -1000000}};
    static const char *const NOT_DATES[] = {"2023-02-29 00:00:00",
                                            "1900-02-29 00:00:00",
                                            "2023-13-01 00:00:00",
                                            "2023-01-01 24:00:00",
                                            "2023-01-01 00:00:00x",
                                            "2023-01-01",
                                            "",
                                            "2023-01-01 00:00:00+1",
                                            "0000-01-01 00:00:00"};
    static const struct {
        const char *text;
        int64_t us;
    } DURATIONS[] = {{"00:00:00", 0},
                     {"1-02:03:04", SECONDS(93784)},
                     {"100:00:00", SECONDS(360000)},
                     {"02:03", SECONDS(123)},
                     {"00:00:01.5", 1500000}};
    static const char *const NOT_DURATIONS[] = {
        "",   "5",  "1-",  "00:60:00",  "00:00:60",   "a",
        "1:", ":1", "1-2", "UNLIMITED", "00:00:00:00"};
    int64_t value;

    (void)unused;
    for (size_t i = 0; i < sizeof DATES / sizeof *DATES; i++) {
        assert_true(rf_value_date(text_of(DATES[i].text), &value));
        assert_int_equal(value, DATES[i].us);
    }
    for (size_t i = 0; i < sizeof NOT_DATES / sizeof *NOT_DATES; i++)
        if (rf_value_date(text_of(NOT_DATES[i]), &value))
            fail_msg("'%s' was taken for a date", NOT_DATES[i]);
    for (size_t i = 0; i < sizeof DURATIONS / sizeof *DURATIONS; i++) {
        assert_true(rf_value_duration(text_of(DURATIONS[i].text), &value));
        assert_int_equal(value, DURATIONS[i].us);
    }
    for (size_t i = 0; i < sizeof NOT_DURATIONS / sizeof *NOT_DURATIONS; i++)
        if (rf_value_duration(text_of(NOT_DURATIONS[i]), &value))
            fail_msg("'%s' was taken for a duration", NOT_DURATIONS[i]);
    assert_true(rf_value_seconds(text_of("-1.0000019"), &value));
    assert_int_equal(value, -1000001);
    assert_true(rf_value_integer(text_of("8.0"), &value));
    assert_int_equal(value, 8);
    assert_false(rf_value_integer(text_of("8.5"), &value));
    assert_false(rf_value_integer(text_of("1234567890123456789"), &value));
    assert_false(rf_value_integer(text_of("-"), &value));
    assert_false(rf_value_integer(text_of(".5"), &value));
    assert_false(rf_value_seconds(text_of("1e5"), &value));
}

/* ---- real traces ------------------------------------------------------------ */

static void real_logs_become_the_inputs_of_other_simulators(void **unused)
{
    static const struct {
        const char *swf, *csv;
        int32_t devices;
    } TRACES[] = {{"KTH-SP2-1996-2.1-cln", "kth-sp2", 100},
                  {"NASA-iPSC-1993-3.1-cln", "nasa", 128},
                  {"LLNL-Atlas-2006-2.1-cln", "atlas", 9216},
                  {"HPC2N-2002-2.1-cln", "hpc2n", 240}};
    int compared = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof TRACES / sizeof *TRACES; i++) {
        struct rf_trace_options options = {.devices = TRACES[i].devices};
        struct rf_trace_report report;
        struct rf_workload log, input;
        char swf[512], csv[512];

        snprintf(swf, sizeof swf, "%s/traces/%s.swf.gz", RF_SHARED_DATA, TRACES[i].swf);
        snprintf(csv, sizeof csv, "%s/../oracle/inputs/%s.jobs.csv.gz", RF_SHARED_DATA,
                 TRACES[i].csv);
        if (!rf_file_exists(swf) || !rf_file_exists(csv))
            continue;
        read_ok(&log, swf, &options, &report);
        assert_int_equal(report.max_procs, TRACES[i].devices);
        read_ok(&input, csv, &options, &report);
        assert_int_equal(report.kept, report.lines);
        assert_same(&log, &input);
        rf_workload_clear(&log);
        rf_workload_clear(&input);
        compared++;
    }
    if (compared == 0) {
        print_message("no traces in %s\n", RF_SHARED_DATA);
        skip();
    }
}

static double share_of(const struct rf_workload *w, const char *account)
{
    double of = 0.0, all = 0.0;

    for (int64_t i = 0; i < w->n; i++) {
        double work = (double)w->run_us[i] * w->min[i];

        all += work;
        if (strcmp(w->accounts[w->account[i]], account) == 0)
            of += work;
    }
    return of / all;
}

static void a_real_virtual_cluster_has_its_published_share(void **unused)
{
    static const struct rf_account_rule_spec RULES[] = {{"group", "*", "", "vc.%g"}};
    struct rf_trace_options options = {
        .rules = RULES, .nrules = 1, .groups = RF_SHARED_DATA "/traces/philly.groups.csv"};
    struct rf_workload w;

    (void)unused;
    if (!rf_file_exists(options.groups)) {
        print_message("no '%s'\n", options.groups);
        skip();
    }
    read_ok(&w, RF_SHARED_DATA "/traces/philly.jobs.csv.gz", &options, NULL);
    assert_int_equal(w.naccounts, 15);
    assert_true(share_of(&w, "vc.ee9e8c") > 0.2615 && share_of(&w, "vc.ee9e8c") < 0.2625);
    assert_true(share_of(&w, "vc.7f04ca") > 0.1685 && share_of(&w, "vc.7f04ca") < 0.1695);
    rf_workload_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swf_gives_the_jobs_and_counts_what_is_none),
        cmocka_unit_test(swf_queues_fall_back_to_partitions_and_minus_one_is_nothing),
        cmocka_unit_test(swf_fields_may_stand_anywhere_in_a_line),
        cmocka_unit_test(csv_takes_columns_by_name_and_groups_by_theirs),
        cmocka_unit_test(sacct_puts_the_rows_of_a_job_together),
        cmocka_unit_test(sacct_counts_what_it_is_told_to),
        cmocka_unit_test(sacct_requeued_jobs_keep_their_place),
        cmocka_unit_test(sacct_is_content_with_few_columns),
        cmocka_unit_test(acme_run_times_come_from_the_timestamps),
        cmocka_unit_test(philly_adds_up_attempts),
        cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_change_nothing),
        cmocka_unit_test(packed_files_read_like_plain_ones),
        cmocka_unit_test(jobs_behind_the_horizon_are_left_out),
        cmocka_unit_test(bad_lines_are_refused_by_their_number),
        cmocka_unit_test(lenient_reading_drops_bad_lines_and_says_what_the_first_lacked),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(a_missing_file_and_a_bad_rule_are_refused),
        cmocka_unit_test(dates_durations_and_numbers_are_exact),
        cmocka_unit_test(real_logs_become_the_inputs_of_other_simulators),
        cmocka_unit_test(a_real_virtual_cluster_has_its_published_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
