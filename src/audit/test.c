#include "audit/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[RF_AUDIT_NTESTS][2] = {
    [RF_T1_CONSERVATION] = {"T1", "conservation"},
    [RF_T2_SACCT] = {"T2", "Slurm's accounting"},
    [RF_T2_CHECKPOINTS] = {"T2b", "checkpoints' counters"},
    [RF_T3_GAPS] = {"T3", "gaps"},
    [RF_T4_OVERLAP] = {"T4", "overlap"},
    [RF_T5_DENIALS] = {"T5", "denials"},
    [RF_T6_TIMELINESS] = {"T6", "timeliness"},
    [RF_T7_PLAUSIBILITY] = {"T7", "plausibility"},
    [RF_T8_RELABELS] = {"T8", "relabels"},
    [RF_T9_SIGNATURES] = {"T9", "chain and signatures"},
    [RF_T10_REEXECUTION] = {"T10", "re-execution"}};

const char *rf_audit_test_name(enum rf_audit_test_id id)
{
    return NAMES[id][0];
}

const char *rf_audit_test_title(enum rf_audit_test_id id)
{
    return NAMES[id][1];
}

const char *rf_audit_result_name(enum rf_audit_result result)
{
    static const char *const WORDS[] = {"pass", "cannot tell", "finding"};

    return WORDS[result];
}

enum rf_status rf_audit_find(struct rf_audit_test *test, int64_t seq, int32_t job, double size,
                             struct rf_error *err, const char *fmt, ...)
{
    struct rf_offence it = {.seq = seq, .job = job};
    va_list args;

    va_start(args, fmt);
    vsnprintf(it.text, sizeof it.text, fmt, args);
    va_end(args);
    for (char *c = it.text; *c != '\0'; c++) /* names come from files of strangers */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    test->count++;
    if (test->count == 1 || size > test->worst_size) {
        test->worst = it;
        test->worst_size = size;
    }
    if (test->n == RF_AUDIT_NAMED)
        return RF_OK;
    if (test->n == test->room) {
        int room = test->room > 0 ? 2 * test->room : 8;
        struct rf_offence *more = realloc(test->offences, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for the findings of an audit");
        test->offences = more;
        test->room = room;
    }
    test->offences[test->n++] = it;
    return RF_OK;
}

void rf_audit_note(struct rf_audit_test *test, const char *fmt, ...)
{
    size_t used = strlen(test->note);
    va_list args;

    if (used > 0 && used + 3 < sizeof test->note) {
        memcpy(test->note + used, "; ", 3);
        used += 2;
    }
    va_start(args, fmt);
    vsnprintf(test->note + used, sizeof test->note - used, fmt, args);
    va_end(args);
}

void rf_audit_conclude(struct rf_audit_test *test, int able)
{
    test->result = test->count > 0 ? RF_TEST_FINDING
                   : able          ? RF_TEST_PASS
                                   : RF_TEST_CANNOT_TELL;
}

void rf_audit_test_clear(struct rf_audit_test *test)
{
    free(test->offences);
    *test = (struct rf_audit_test){0};
}
