/* test.h - the tests of an audit: what each found, and what it names.
 *
 * A test passes, finds something, or cannot tell because a record is missing. Every finding
 * is counted; the first RF_AUDIT_NAMED are named with line and job, and the worst of all. */
#ifndef RF_AUDIT_TEST_H
#define RF_AUDIT_TEST_H

#include <stdint.h>

#include "base/error.h"

enum rf_audit_test_id {
    RF_T1_CONSERVATION,
    RF_T2_SACCT,
    RF_T2_CHECKPOINTS,
    RF_T3_GAPS,
    RF_T4_OVERLAP,
    RF_T5_DENIALS,
    RF_T6_TIMELINESS,
    RF_T7_PLAUSIBILITY,
    RF_T8_RELABELS,
    RF_T9_SIGNATURES,
    RF_T10_REEXECUTION,
    RF_AUDIT_NTESTS
};

enum rf_audit_result { RF_TEST_PASS, RF_TEST_CANNOT_TELL, RF_TEST_FINDING };

enum { RF_AUDIT_NAMED = 1000, RF_AUDIT_TEXT = 200 };

struct rf_offence {
    int64_t seq; /* of the line, -1: of none */
    int32_t job; /* -1: of none */
    char text[RF_AUDIT_TEXT];
};

struct rf_audit_test {
    enum rf_audit_result result;
    int64_t checked;             /* so many things were looked at */
    int64_t count;               /* ... and so many found */
    struct rf_offence *offences; /* owned: the first min(count, RF_AUDIT_NAMED) */
    int n, room;
    double worst_size;       /* of the worst, as the finder measures it */
    struct rf_offence worst; /* text "": none */
    char note[1200];         /* thresholds and figures; with "cannot tell": what is missing */
};

/* "T1", "T2", "T2b"...; "conservation"... */
const char *rf_audit_test_name(enum rf_audit_test_id id);
const char *rf_audit_test_title(enum rf_audit_test_id id);
const char *
rf_audit_result_name(enum rf_audit_result result); /* "pass", "cannot tell", "finding" */

/* One finding; size: the larger, the worse. */
enum rf_status rf_audit_find(struct rf_audit_test *test, int64_t seq, int32_t job, double size,
                             struct rf_error *err, const char *fmt, ...) RF_PRINTF(6, 7);
/* Adds to the note, after "; " where there is one already. */
void rf_audit_note(struct rf_audit_test *test, const char *fmt, ...) RF_PRINTF(2, 3);
/* At the end: a finding where something was found; otherwise passed, or, when nothing could be
 * looked at, not. */
void rf_audit_conclude(struct rf_audit_test *test, int able);
void rf_audit_test_clear(struct rf_audit_test *test);

#endif
