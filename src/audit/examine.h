/* examine.h - the whole audit of one ledger.
 *
 * Verifies and replays it (alloc/audit.h) with the very code that judges a simulation: the tally,
 * the definitions and the books; writes down what happened from the events alone (watch.h);
 * compares the ledger with records that others kept (a tree head, Slurm's accounting,
 * checkpoints); and says where evidence is missing. A window or a definition that is kept or was
 * not asked for, but touches a stretch without evidence, becomes unprovable; nothing ever
 * becomes kept by what is missing. What a crash left without readings the tally and the
 * definitions know themselves.
 *
 * Everything here is a function of the files: no clock, no locale. */
#ifndef RF_AUDIT_EXAMINE_H
#define RF_AUDIT_EXAMINE_H

#include "alloc/audit.h"
#include "alloc/books.h"
#include "alloc/definition.h"
#include "audit/checkpoints.h"
#include "audit/heads.h"
#include "audit/sacct_match.h"
#include "audit/segments.h"
#include "audit/watch.h"

struct rf_examine_options {
    const char *vkey; /* the pinned public key; NULL: the one beside the ledger */
    struct rf_definition_options definitions;
    const char *const *heads; /* files with tree heads that somebody kept */
    int nheads;
    const char *witness; /* public key of a witness that has to have signed them; NULL: none */
    const char *sacct;   /* NULL: not asked for */
    struct rf_sacct_match_options match;
    const char *checkpoints; /* the directory with one directory per job; NULL: not asked for */
};

struct rf_examine_options rf_examine_options_make(void);

/* A promise with what missing evidence makes of its findings. */
struct rf_examined_promise {
    const struct rf_promise *promise; /* borrowed from the definitions */
    struct rf_finding findings[RF_DEFINITION_N];
};

struct rf_examination {
    struct rf_audit audit; /* verdict, windows: with missing evidence taken into account */
    struct rf_audit_test tests[RF_AUDIT_NTESTS];
    struct rf_audit_watch watch;
    struct rf_definition_options definition_options;
    struct rf_definitions *definitions; /* owned, as what follows */
    struct rf_books *books;
    struct rf_examined_promise *promises;
    int npromises;
    struct rf_sacct_match sacct; /* when it was asked for */
    struct rf_segments segments; /* of training: what T10 draws from */
    int findings;                /* tests that found something */
};

/* RF_OK whenever the files could be read; the answer is in *x, which the caller ends with
 * rf_examination_clear() in any case. T10 is left to who can train: see rf_segments_draw(). */
enum rf_status rf_examine(struct rf_examination *x, const char *path,
                          const struct rf_examine_options *options, struct rf_error *err);
/* Counts tests that found something; where the finding contradicts the record itself (T1, T2, T2b, T4,
 * T9, T10), a verdict of kept becomes unprovable. To be called again when a test was added to. */
void rf_examination_count(struct rf_examination *x);
void rf_examination_clear(struct rf_examination *x);

/* Window k of pledge p, in device-microseconds: what the account was offered (delivered + free and
 * not asked for); 0 when that is not known, because the pledge came later with another window. */
int rf_examination_offered(const struct rf_examination *x, int p, int k,
                           struct rf_wide *offered_us);
/* How far delivered is behind entitled at the end of a window, from what it was at its beginning;
 * below 0: ahead. */
struct rf_wide rf_examination_arrears_us(const struct rf_window *window,
                                         struct rf_wide before_us);

#endif
