/* any_trace.h - what holds for any bytes that a reader of traces is given. */
#ifndef RF_FUZZ_ANY_TRACE_H
#define RF_FUZZ_ANY_TRACE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds)
{
    if (!holds)
        abort();
}

static void check_workload(const struct rf_workload *w, int32_t devices)
{
    expect(w->n > 0);
    for (int64_t i = 0; i < w->n; i++) {
        expect(w->submit_us[i] >= 0 && (i == 0 || w->submit_us[i] >= w->submit_us[i - 1]));
        expect(w->run_us[i] > 0 && w->limit_us[i] >= w->run_us[i]);
        expect(w->min[i] >= 1 && (devices == 0 || w->min[i] <= devices));
        expect(w->max == NULL || w->max[i] >= w->min[i]);
        expect(w->account[i] >= 0 && w->account[i] < w->naccounts);
    }
    for (int32_t a = 0; a < w->naccounts; a++) {
        const char *name = w->accounts[a];
        size_t n = strlen(name);

        expect(n > 0 && name[0] != '.' && name[n - 1] != '.' && strstr(name, "..") == NULL);
        expect(
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
            n);
    }
}

static int equal(const struct rf_workload *a, const struct rf_workload *b)
{
    size_t n = (size_t)a->n;

    return a->n == b->n && memcmp(a->submit_us, b->submit_us, n * sizeof *a->submit_us) == 0 &&
           memcmp(a->run_us, b->run_us, n * sizeof *a->run_us) == 0 &&
           memcmp(a->min, b->min, n * sizeof *a->min) == 0 &&
           memcmp(a->account, b->account, n * sizeof *a->account) == 0;
}

/* A strict reading succeeds or says where it failed; a lenient one gives the same jobs then, and
 * counts every line. The first byte chooses the machine and the unit. */
static int read_any(const uint8_t *data, size_t size, enum rf_trace_format format)
{
    static const struct rf_account_rule_spec rules[] = {{"queue", "1,2", "", "q.%q"},
                                                        {"name", "", "^a.*b$", "%u.x%n"},
                                                        {"type", "*", "", "%t.%a"}};
    struct rf_trace_options options = {.format = format, .rules = rules, .nrules = 3};
    struct rf_trace_report report;
    struct rf_workload strict, lenient;
    struct rf_error err = {RF_OK, ""};
    int64_t sum;
    enum rf_status first, second;

    if (size == 0)
        return 0;
    options.devices = data[0] % 3 == 0 ? 64 : 0;
    options.unit = (enum rf_trace_unit)(data[0] / 3 % RF_TRACE_NUNITS);
    options.nrules = data[0] >= 128 ? 3 : 0;
    options.horizon_us = data[0] % 16 == 15 ? 1000000000 : 0;
    first =
        rf_trace_parse(&strict, (const char *)data + 1, size - 1, "f", &options, &report, &err);
    expect(first == RF_OK || (first == RF_ERR_INPUT && err.text[0] != '\0' && strict.n == 0));
    if (first == RF_OK)
        check_workload(&strict, options.devices);
    options.lenient = 1;
    second = rf_trace_parse(&lenient, (const char *)data + 1, size - 1, "f", &options, &report,
                            &err);
    sum = report.kept;
    for (int r = 0; r < RF_DROP_NREASONS; r++)
        sum += report.dropped[r];
    expect(second == RF_OK || second == RF_ERR_INPUT);
    expect(second != RF_OK || sum == report.lines);
    expect(first != RF_OK || (second == RF_OK && equal(&strict, &lenient)));
    if (second == RF_OK)
        check_workload(&lenient, options.devices);
    rf_workload_clear(&strict);
    rf_workload_clear(&lenient);
    return 0;
}

#endif
