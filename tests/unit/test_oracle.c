/* Every published schedule at hand, byte for byte: the SHA-256 of what the engine makes of a trace
 * against the one that an independent simulator's output has (SUMMARY.csv). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/digest.h"
#include "sim/engine.h"

#define ORACLE RF_SHARED_DATA "/../oracle/"
#define SECOND INT64_C(1000000)

enum { LINE = 512 };

/* ---- a trace ---- */

static void grow(struct rf_workload *w, int64_t room)
{
    w->submit_us = realloc(w->submit_us, (size_t)room * sizeof *w->submit_us);
    w->run_us = realloc(w->run_us, (size_t)room * sizeof *w->run_us);
    w->limit_us = realloc(w->limit_us, (size_t)room * sizeof *w->limit_us);
    w->min = realloc(w->min, (size_t)room * sizeof *w->min);
    w->account = realloc(w->account, (size_t)room * sizeof *w->account);
    assert_true(w->submit_us && w->run_us && w->limit_us && w->min && w->account);
}

/* id, submit, run, est, procs, user, group, orig_id; seconds; in order. */
static int read_trace(const char *name, struct rf_workload *w)
{
    char path[LINE], line[LINE];
    gzFile in;

    snprintf(path, sizeof path, ORACLE "inputs/%s.jobs.csv.gz", name);
    in = gzopen(path, "rb");
    *w = (struct rf_workload){0};
    if (in == NULL)
        return 0;
    assert_non_null(gzgets(in, line, sizeof line)); /* the header */
    while (gzgets(in, line, sizeof line) != NULL) {
        long long id, submit, run, est, procs;
        int64_t k = w->n++;

        if ((k & (k - 1)) == 0)
            grow(w, 2 * k + 1);
        assert_int_equal(
            sscanf(line, "%lld,%lld,%lld,%lld,%lld", &id, &submit, &run, &est, &procs), 5);
        assert_int_equal(id, k + 1);
        w->submit_us[k] = submit * SECOND;
        w->run_us[k] = run * SECOND;
        w->limit_us[k] = est * SECOND;
        w->min[k] = (int32_t)procs;
        w->account[k] = 0;
    }
    gzclose(in);
    w->accounts = calloc(1, sizeof *w->accounts);
    assert_non_null(w->accounts);
    snprintf(w->accounts[0], sizeof w->accounts[0], "all");
    w->naccounts = 1;
    return 1;
}

static void clear_trace(struct rf_workload *w)
{
    free(w->submit_us);
    free(w->run_us);
    free(w->limit_us);
    free(w->min);
    free(w->account);
    free(w->accounts);
}

static int32_t devices_of(const char *trace)
{
    static const struct {
        const char *name;
        int32_t devices;
    } MACHINES[] = {{"kth-sp2", 100}, {"nasa", 128}, {"atlas", 9216}, {"hpc2n", 240}};

    for (size_t i = 0; i < sizeof MACHINES / sizeof *MACHINES; i++)
        if (strcmp(trace, MACHINES[i].name) == 0)
            return MACHINES[i].devices;
    return 0;
}

/* ---- a schedule ---- */

static void digest_schedule(const struct rf_workload *w, const struct rf_sim_result *r,
                            char hex[RF_DIGEST_HEX])
{
    static const char HEADER[] = "id,submit,start,end,procs\n";
    struct rf_digest digest;
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, HEADER, sizeof HEADER - 1);
    for (int64_t k = 0; k < w->n; k++) {
        char row[LINE];
        int n = snprintf(row, sizeof row, "%lld,%lld,%lld,%lld,%d\n", (long long)k + 1,
                         (long long)(w->submit_us[k] / SECOND),
                         (long long)(r->start_us[k] / SECOND),
                         (long long)(r->end_us[k] / SECOND), w->min[k]);

        rf_hash_add(&hash, row, (size_t)n);
    }
    digest = rf_hash_end(&hash);
    rf_digest_to_hex(&digest, hex);
}

/* ---- the rules behind a name: trace.engine.policy ---- */

struct rules {
    const char *name, *order;
    enum rf_tie tie;
    int replan;
};

static const struct rules RULES[] = {
    {"pyss.fcfs", "fcfs", RF_TIE_SEQ, 1},
    {"ps22.easy", "easy", RF_TIE_BATCH, 1},
    {"pyss.easy", "easy", RF_TIE_SEQ, 1},
    {"cqsim-reqtime.easy", "easy", RF_TIE_TF, 1},
    {"pyss.cons", "conservative", RF_TIE_BATCH, 0},
    {"ps22.consfull", "conservative", RF_TIE_BATCH, 1},
};

static const struct rules *find_rules(const char *name)
{
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (strcmp(name, RULES[i].name) == 0)
            return &RULES[i];
    return NULL;
}

static void simulate(const struct rf_workload *w, int32_t devices, const struct rules *rules,
                     char hex[RF_DIGEST_HEX])
{
    struct rf_sim_options o = rf_sim_options_make();
    struct rf_sim_result r;
    struct rf_error err = {RF_OK, ""};

    snprintf(o.policy.order, sizeof o.policy.order, "%s", rules->order);
    o.policy.replan = rules->replan;
    o.policy.explain = 0;
    o.tie = rules->tie;
    o.devices = devices;
    if (rf_sim_run(w, &o, &r, &err) != RF_OK)
        fail_msg("%s: %s", rules->name, err.text);
    assert_int_equal(r.finished, w->n);
    digest_schedule(w, &r, hex);
    if (getenv("RF_SHOW_SPEED") != NULL)
        print_message("  %s: %.2f M jobs/s\n", rules->name, 1e-6 * (double)w->n / r.wall_s);
    rf_sim_result_clear(&r);
}

static int checked;

/* One line of SUMMARY.csv: file,jobs,...,sha256. */
static void check_line(const char *line)
{
    static struct rf_workload w;
    static char loaded[64];
    char trace[64], rule[64], sha[RF_DIGEST_HEX], hex[RF_DIGEST_HEX];
    const char *comma = strrchr(line, ',');

    if (sscanf(line, "%63[^.].%63[^,]", trace, rule) != 2 || comma == NULL ||
        strstr(rule, ".csv") == NULL)
        return;
    *strstr(rule, ".csv") = '\0';
    snprintf(sha, sizeof sha, "%.64s", comma + 1);
    if (find_rules(rule) == NULL || devices_of(trace) == 0)
        fail_msg("no rules for %s.%s", trace, rule);
    if (strcmp(loaded, trace) != 0) {
        clear_trace(&w);
        snprintf(loaded, sizeof loaded, "%s", trace);
        if (!read_trace(trace, &w)) {
            print_message("%s: its input is not here, skipped\n", trace);
            return;
        }
    }
    if (w.n == 0)
        return;
    simulate(&w, devices_of(trace), find_rules(rule), hex);
    if (strcmp(hex, sha) != 0)
        fail_msg("%s.%s: %s, expected %s", trace, rule, hex, sha);
    checked++;
}

static void schedules_are_those_of_independent_simulators(void **unused)
{
    FILE *in = fopen(ORACLE "SUMMARY.csv", "r");
    char line[LINE];

    (void)unused;
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL)
        check_line(line);
    fclose(in);
    assert_true(checked > 0);
    print_message("%d schedules are the same byte for byte\n", checked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_those_of_independent_simulators),
    };
    FILE *in = fopen(ORACLE "SUMMARY.csv", "r");

    if (in == NULL) {
        fprintf(stderr, "no schedules to compare with at %s, skipped\n", ORACLE);
        return 77;
    }
    fclose(in);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
