#include "audit/examine.h"

#include <stdlib.h>
#include <string.h>

struct rf_examine_options rf_examine_options_make(void)
{
    return (struct rf_examine_options){.definitions = rf_definition_options_make(),
                                       .match = {.by = RF_MATCH_AUTO, .unit = -1}};
}

/* ---- what missing evidence makes of verdicts ------------------------------- */

/* Crashes and what they left without readings are judged where verdicts are made. */
static int undecided(const struct rf_gap *gap)
{
    return gap->kind != RF_GAP_CRASH && gap->kind != RF_GAP_READING;
}

static int touches(const struct rf_gap *gap, int64_t begin_us, int64_t end_us)
{
    if (gap->begin_us == gap->end_us)
        return begin_us <= gap->begin_us && gap->begin_us <= end_us;
    return gap->begin_us < end_us && begin_us < gap->end_us;
}

static int dark(const struct rf_audit_watch *watch, int64_t begin_us, int64_t end_us)
{
    for (int i = 0; i < watch->ngaps; i++)
        if (undecided(&watch->gaps[i]) && touches(&watch->gaps[i], begin_us, end_us))
            return 1;
    return 0;
}

static void darken_windows(struct rf_examination *x)
{
    struct rf_tally *tally = x->audit.tally;

    for (int i = 0; i < tally->npledges; i++) {
        struct rf_pledge_account *p = &tally->pledges[i];

        for (int k = 0; k < p->nwindows; k++) {
            struct rf_window *w = &p->windows[k];

            if (!dark(&x->watch, w->begin_us, w->end_us))
                continue;
            w->unproven = 1;
            if (w->verdict == RF_KEPT)
                w->verdict = RF_UNPROVABLE;
            if (w->verdict == RF_UNPROVABLE && p->verdict == RF_KEPT)
                p->verdict = RF_UNPROVABLE;
        }
        if (p->verdict != RF_KEPT &&
            (x->audit.verdict == RF_KEPT ||
             (p->verdict == RF_BROKEN && x->audit.verdict != RF_UNPROVABLE)))
            x->audit.verdict = p->verdict;
    }
}

static enum rf_status take_promises(struct rf_examination *x, struct rf_error *err)
{
    x->npromises = rf_definitions_npromises(x->definitions);
    x->promises = calloc((size_t)x->npromises + 1, sizeof *x->promises);
    if (x->promises == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d promises", x->npromises);
    for (int i = 0; i < x->npromises; i++) {
        const struct rf_promise *promise = rf_definitions_promise(x->definitions, i);
        int64_t since_us =
            promise->nsamples > 0 ? promise->samples[0].t_us : promise->pledge.since_us;
        int in_the_dark = dark(&x->watch, since_us, x->audit.state->now_us);

        x->promises[i].promise = promise;
        memcpy(x->promises[i].findings, promise->findings, sizeof promise->findings);
        for (int k = 0; in_the_dark && k < RF_DEFINITION_N; k++) {
            struct rf_finding *f = &x->promises[i].findings[k];

            if (f->verdict == RF_FINDING_KEPT || f->verdict == RF_FINDING_NOT_ASKED)
                f->verdict = RF_FINDING_UNPROVABLE;
        }
    }
    return RF_OK;
}

static enum rf_status note_unsealed(struct rf_examination *x, struct rf_error *err)
{
    const struct rf_ledger_check *check = &x->audit.ledger;
    int64_t sealed = check->sealed_entries;
    struct rf_gap gap = {RF_GAP_UNSEALED,
                         x->audit.state->start_us,
                         x->audit.state->now_us,
                         x->watch.nseq - 1,
                         -1,
                         0};

    if (sealed >= check->entries || x->watch.ntimes == 0)
        return RF_OK;
    if (sealed > 0 && sealed <= x->watch.ntimes)
        gap.begin_us = x->watch.times[sealed - 1];
    return rf_watch_gap(&x->watch, &gap, err);
}

/* ---- T9 -------------------------------------------------------------------- */

/* A line that is well signed but breaks a rule has been looked at by the watch already. */
static int breaks_a_rule(const struct rf_examination *x)
{
    return x->audit.ledger.first_bad_seq >= 0 && x->watch.nseq > x->audit.state->next_seq;
}

static int named_elsewhere(const struct rf_examination *x)
{
    for (int t = 0; t < RF_AUDIT_NTESTS; t++)
        for (int i = 0; i < x->tests[t].n; i++)
            if (x->tests[t].offences[i].seq == x->audit.ledger.first_bad_seq)
                return 1;
    return 0;
}

static enum rf_status judge_bytes(struct rf_examination *x, struct rf_error *err)
{
    const struct rf_ledger_check *check = &x->audit.ledger;
    struct rf_audit_test *t9 = &x->tests[RF_T9_SIGNATURES];
    int rule = breaks_a_rule(x);

    t9->checked += check->entries + check->seals;
    if (rule && named_elsewhere(x)) {
        rf_audit_note(t9, "chained and signed as it should be, but it breaks a rule: %.160s",
                      check->problem);
        return RF_OK;
    }
    if (!check->chain_ok || !check->seals_ok || check->first_bad_seq >= 0)
        return rf_audit_find(t9, check->first_bad_seq, -1, 1e6, err, "%.180s", check->problem);
    return RF_OK;
}

/* Whoever cannot say how long nobody signed cannot say what was rewritten meanwhile. */
static enum rf_status judge_signatures(struct rf_examination *x, const char *path,
                                       const struct rf_examine_options *o, struct rf_error *err)
{
    const struct rf_ledger_check *check = &x->audit.ledger;
    struct rf_audit_test *t9 = &x->tests[RF_T9_SIGNATURES];
    struct rf_head_keys keys = {o->vkey, x->watch.rotated, x->watch.nrotated, o->witness};
    int all = check->sealed_entries == check->entries;
    enum rf_status st = judge_bytes(x, err);

    if (st == RF_OK && o->nheads > 0)
        st = rf_audit_heads(t9, path, &keys, o->heads, o->nheads, err);
    rf_audit_note(t9, "%lld of %lld lines under %lld seals%s%s",
                  (long long)check->sealed_entries, (long long)check->entries,
                  (long long)check->seals, check->key_name[0] != '\0' ? " by " : "",
                  check->key_name);
    if (check->seals > 0 && o->vkey == NULL)
        rf_audit_note(t9, "the public key lay beside the ledger, which proves less than one "
                          "that was kept elsewhere");
    if (o->nheads == 0)
        rf_audit_note(t9, "no tree head that others kept was compared");
    rf_audit_conclude(t9, check->sealed_entries > 0 && (all || !x->audit.state->closed));
    return st;
}

/* ---- the whole -------------------------------------------------------------- */

static enum rf_status replay(struct rf_examination *x, const char *path, const char *vkey,
                             struct rf_error *err)
{
    struct rf_observer observers[3];

    observers[0] = rf_watch_observer(&x->watch);
    observers[1] = rf_definitions_observer(x->definitions);
    observers[2] = rf_books_observer(x->books);
    return rf_audit_watched(&x->audit, path, vkey, observers, 3, err);
}

static enum rf_status begin(struct rf_examination *x, const struct rf_examine_options *options,
                            struct rf_error *err)
{
    enum rf_status st;

    *x = (struct rf_examination){.definition_options = options->definitions};
    x->watch.tests = x->tests;
    x->watch.want_readings = options->checkpoints != NULL;
    st = rf_definition_options_check(&options->definitions, err);
    if (st == RF_OK)
        st = rf_definitions_create(&x->definitions, &options->definitions, err);
    return st == RF_OK ? rf_books_create(&x->books, err) : st;
}

/* The books are a second account of the same device-time. */
static enum rf_status check_books(struct rf_examination *x, struct rf_error *err)
{
    struct rf_audit_test *t1 = &x->tests[RF_T1_CONSERVATION];
    struct rf_error why;
    enum rf_status st = RF_OK;

    if (t1->count == 0 && !breaks_a_rule(x) &&
        rf_books_check(x->books, x->audit.state, &why) != RF_OK)
        st = rf_audit_find(t1, -1, -1, 1, err, "%.180s", why.text);
    rf_audit_conclude(t1, 1);
    return st;
}

static enum rf_status reconcile(struct rf_examination *x,
                                const struct rf_examine_options *options, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (options->sacct != NULL && x->audit.ledger.first_bad_seq >= 0) {
        rf_audit_note(
            &x->tests[RF_T2_SACCT],
            "only the lines before the first bad one could be compared, and were not");
        rf_audit_conclude(&x->tests[RF_T2_SACCT], 0);
    } else if (options->sacct != NULL) {
        st = rf_sacct_match(&x->sacct, &x->tests[RF_T2_SACCT], options->sacct, &options->match,
                            x->audit.state, &x->watch, err);
    } else {
        rf_audit_note(&x->tests[RF_T2_SACCT], "no accounting was given (--sacct)");
        rf_audit_conclude(&x->tests[RF_T2_SACCT], 0);
    }
    if (st == RF_OK && options->checkpoints != NULL) {
        st = rf_audit_checkpoints(&x->tests[RF_T2_CHECKPOINTS], options->checkpoints,
                                  x->audit.state, &x->watch, err);
    } else if (st == RF_OK) {
        rf_audit_note(&x->tests[RF_T2_CHECKPOINTS],
                      "no checkpoints were given (--checkpoints)");
        rf_audit_conclude(&x->tests[RF_T2_CHECKPOINTS], 0);
    }
    return st;
}

/* What these find contradicts the record that verdicts rest on. */
static int contradicts(int test)
{
    return test == RF_T1_CONSERVATION || test == RF_T2_SACCT || test == RF_T2_CHECKPOINTS ||
           test == RF_T4_OVERLAP || test == RF_T9_SIGNATURES || test == RF_T10_REEXECUTION;
}

void rf_examination_count(struct rf_examination *x)
{
    x->findings = 0;
    for (int i = 0; i < RF_AUDIT_NTESTS; i++) {
        if (x->tests[i].result != RF_TEST_FINDING)
            continue;
        x->findings++;
        if (contradicts(i) && x->audit.verdict == RF_KEPT)
            x->audit.verdict = RF_UNPROVABLE;
    }
}

enum rf_status rf_examine(struct rf_examination *x, const char *path,
                          const struct rf_examine_options *options, struct rf_error *err)
{
    enum rf_status st = begin(x, options, err);

    if (st == RF_OK)
        st = replay(x, path, options->vkey, err);
    if (st == RF_OK)
        st = rf_definitions_judge(x->definitions, x->audit.state, err);
    if (st == RF_OK)
        st = rf_watch_end(&x->watch, x->audit.state, options->definitions.service_wait_us, err);
    if (st == RF_OK)
        st = check_books(x, err);
    if (st == RF_OK)
        st = judge_signatures(x, path, options, err);
    if (st == RF_OK)
        st = note_unsealed(x, err);
    if (st == RF_OK)
        st = take_promises(x, err);
    if (st == RF_OK)
        darken_windows(x);
    if (st == RF_OK)
        st = reconcile(x, options, err);
    if (st == RF_OK)
        st = rf_segments_find(&x->segments, &x->watch, err);
    if (st == RF_OK) {
        rf_audit_note(&x->tests[RF_T10_REEXECUTION],
                      "%d stretches of training on record; none was asked to be run again "
                      "(--reexecute)",
                      x->segments.n);
        rf_audit_conclude(&x->tests[RF_T10_REEXECUTION], 0);
        rf_examination_count(x);
    }
    return st;
}

void rf_examination_clear(struct rf_examination *x)
{
    rf_segments_clear(&x->segments);
    free(x->promises);
    rf_books_destroy(x->books);
    rf_definitions_destroy(x->definitions);
    rf_watch_clear(&x->watch);
    for (int i = 0; i < RF_AUDIT_NTESTS; i++)
        rf_audit_test_clear(&x->tests[i]);
    rf_audit_clear(&x->audit);
    *x = (struct rf_examination){.npromises = 0};
}

/* ---- figures of windows ------------------------------------------------------ */

static const struct rf_promise *promise_of(const struct rf_examination *x,
                                           const struct rf_pledge *pledge)
{
    for (int i = 0; i < x->npromises; i++)
        if (x->promises[i].promise->pledge.account == pledge->account)
            return x->promises[i].promise;
    return NULL;
}

int rf_examination_offered(const struct rf_examination *x, int p, int k,
                           struct rf_wide *offered_us)
{
    const struct rf_pledge_account *pledge = &x->audit.tally->pledges[p];
    const struct rf_window *w = &pledge->windows[k];
    const struct rf_promise *promise = promise_of(x, &pledge->pledge);
    int low = 0, high = promise != NULL ? promise->nwindows : 0;

    *offered_us = rf_wide_of(0);
    while (low < high) { /* the first sample that is not before the window's end */
        int mid = low + (high - low) / 2;

        if (promise->windows[mid].t_us < w->end_us)
            low = mid + 1;
        else
            high = mid;
    }
    if (promise == NULL || low == 0 || low >= promise->nwindows ||
        promise->windows[low].t_us != w->end_us ||
        promise->windows[low - 1].t_us != w->begin_us)
        return 0;
    *offered_us =
        rf_wide_minus(promise->windows[low].offered_us, promise->windows[low - 1].offered_us);
    return 1;
}

struct rf_wide rf_examination_arrears_us(const struct rf_window *window,
                                         struct rf_wide before_us)
{
    rf_wide_add(&before_us, window->entitled_us);
    rf_wide_add(&before_us, -window->delivered_us);
    return before_us;
}
