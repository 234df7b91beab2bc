/* An audit on paper: the answer, then what it rests on. */
#include <string.h>

#include "report/audit.h"
#include "report/table.h"

enum { COLUMNS = 120, MOST_OFFENCES = 10, MOST_WINDOWS = 100, MOST_ROWS = 50 };

static double percent(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? 100 * rf_wide_double(part) / rf_wide_double(whole) : 0;
}

static double hours(struct rf_wide us)
{
    return rf_wide_double(us) / 3600e6;
}

static double since(const struct rf_examination *x, int64_t t_us)
{
    return (double)(t_us - x->audit.state->start_us) / 1e6;
}

/* ---- the ledger ---- */

static void print_ledger(const struct rf_examination *x, const char *path, FILE *out)
{
    const struct rf_ledger_check *check = &x->audit.ledger;

    fprintf(out, "%s: %s", path, rf_verdict_name(x->audit.verdict));
    if (x->findings > 0)
        fprintf(out, "; %d of the tests found something", x->findings);
    fprintf(out, "\n  %lld entries, %lld of them sealed%s%s; seals: %lld\n",
            (long long)check->entries, (long long)check->sealed_entries,
            check->key_name[0] != '\0' ? " by " : "", check->key_name, (long long)check->seals);
    fprintf(out, "  head %s\n", check->head);
    fprintf(out, "  chain %s, seals %s\n", check->chain_ok ? "holds" : "BROKEN",
            check->seals_ok ? "hold" : "DO NOT HOLD");
    if (check->first_bad_seq >= 0)
        fprintf(out, "  first bad line: %lld\n", (long long)check->first_bad_seq + 1);
    if (check->torn_bytes > 0)
        fprintf(out, "  %lld bytes follow the last complete line\n",
                (long long)check->torn_bytes);
    if (check->problem[0] != '\0')
        fprintf(out, "  %s\n", check->problem);
    if (check->first_bad_seq > 0)
        fprintf(out, "\nWhat follows is as of the last good line.\n");
}

/* ---- the tests ---- */

static void print_offences(const struct rf_audit_test *test, FILE *out)
{
    if (test->count > 1)
        fprintf(out, "      worst: %s\n", test->worst.text);
    for (int i = 0; i < test->n && i < MOST_OFFENCES; i++)
        fprintf(out, "      %s\n", test->offences[i].text);
    if (test->count > MOST_OFFENCES)
        fprintf(out, "      ... %lld more%s\n", (long long)test->count - MOST_OFFENCES,
                test->n > MOST_OFFENCES ? " (--json has the first 1000)" : "");
}

static void print_tests(const struct rf_examination *x, FILE *out)
{
    fputs("\nTests:\n", out);
    for (int t = 0; t < RF_AUDIT_NTESTS; t++) {
        const struct rf_audit_test *test = &x->tests[t];

        fprintf(out, "  %-4s %-22s %s", rf_audit_test_name((enum rf_audit_test_id)t),
                rf_audit_test_title((enum rf_audit_test_id)t),
                rf_audit_result_name(test->result));
        if (test->count > 0)
            fprintf(out, ": %lld", (long long)test->count);
        if (test->checked > 0)
            fprintf(out, " (%lld looked at)", (long long)test->checked);
        fputc('\n', out);
        if (test->note[0] != '\0')
            fprintf(out, "      %s\n", test->note);
        print_offences(test, out);
    }
}

/* ---- pledges ---- */

/* Runs of minutes and of years: device-time in seconds or in hours. */
struct unit {
    const char *name, *letter;
    double us;
};

static struct unit unit_of(const struct rf_examination *x)
{
    static const struct unit SECONDS = {"seconds", "s", 1e6}, HOURS = {"hours", "h", 3600e6};

    return x->audit.state->now_us - x->audit.state->start_us > INT64_C(172800000000) ? HOURS
                                                                                     : SECONDS;
}

static void add_window(struct rf_table *table, const struct rf_examination *x, int i, int k,
                       struct rf_wide arrears)
{
    const double one = unit_of(x).us;
    const struct rf_pledge_account *p = &x->audit.tally->pledges[i];
    const struct rf_window *w = &p->windows[k];
    struct rf_wide offered;

    rf_table_add(table, "%s", p->pledge.account_name);
    rf_table_add(table, "%.1f-%.1f", since(x, w->begin_us) * 1e6 / one,
                 since(x, w->end_us) * 1e6 / one);
    rf_table_add(table, "%.3f", (double)w->entitled_us / one);
    rf_table_add(table, "%.3f", (double)w->demanded_us / one);
    rf_table_add(table, "%.3f", (double)w->delivered_us / one);
    if (rf_examination_offered(x, i, k, &offered))
        rf_table_add(table, "%.3f", rf_wide_double(offered) / one);
    else
        rf_table_add(table, "-");
    rf_table_add(table, "%.3f", rf_wide_double(arrears) / one);
    rf_table_add(table, "%s%s", rf_verdict_name(w->verdict), w->unproven ? " *" : "");
}

static void add_sum(struct rf_table *table, const struct rf_pledge_account *p,
                    struct rf_wide arrears, double one)
{
    char share[48];

    rf_share_format(&p->pledge.share, share, sizeof share);
    rf_table_add(table, "%s %s of %s", p->pledge.account_name, share, p->pledge.basis);
    rf_table_add(table, "all");
    rf_table_add(table, "%.3f", rf_wide_double(p->entitled_us) / one);
    rf_table_add(table, "%.3f", rf_wide_double(p->demanded_us) / one);
    rf_table_add(table, "%.3f", rf_wide_double(p->delivered_us) / one);
    rf_table_add(table, "-");
    rf_table_add(table, "%.3f", rf_wide_double(arrears) / one);
    rf_table_add(table, "%s", rf_verdict_name(p->verdict));
}

/* Of many windows: the first, and every one that was not kept. */
static int worth_a_row(const struct rf_pledge_account *p, int k, int shown)
{
    return shown < MOST_WINDOWS &&
           (p->nwindows <= MOST_WINDOWS || k == 0 || p->windows[k].verdict != RF_KEPT);
}

static enum rf_status print_pledges(const struct rf_examination *x, FILE *out,
                                    struct rf_error *err)
{
    const struct unit unit = unit_of(x);
    char window[16];
    const char *headings[] = {"account",   window,    "entitled", "demanded",
                              "delivered", "offered", "arrears",  "verdict"};
    const struct rf_tally *tally = x->audit.tally;
    struct rf_table *table = NULL;
    int unproven = 0, left_out = 0;
    enum rf_status st;

    snprintf(window, sizeof window, "window (%s)", unit.letter);
    st = rf_table_create(&table, "lrrrrrrl", headings, err);
    for (int i = 0; st == RF_OK && i < tally->npledges; i++) {
        const struct rf_pledge_account *p = &tally->pledges[i];
        struct rf_wide arrears = rf_wide_of(0);
        int shown = 0;

        for (int k = 0; k < p->nwindows; k++) {
            arrears = rf_examination_arrears_us(&p->windows[k], arrears);
            unproven |= p->windows[k].unproven;
            if (worth_a_row(p, k, shown))
                add_window(table, x, i, k, arrears), shown++;
            else
                left_out++;
        }
        add_sum(table, p, arrears, unit.us);
    }
    if (st == RF_OK) {
        fprintf(out, "\nPledges, in device-%s:\n", unit.name);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    if (left_out > 0)
        fprintf(out, "  %d windows are left out here; --json has all\n", left_out);
    if (unproven)
        fputs("  * evidence for a part of this window is missing\n", out);
    if (tally->npledges > 1)
        fputs("  a pledge that was changed is judged as it was first made, to the end, and as "
              "changed\n",
              out);
    rf_table_destroy(table);
    return st;
}

static void add_finding(struct rf_table *table, const struct rf_examination *x, int i, int k)
{
    const struct rf_finding *f = &x->promises[i].findings[k];
    const double one = unit_of(x).us;
    char label[32];

    rf_table_add(table, "%s%s", x->promises[i].promise->pledge.account_name,
                 x->promises[i].promise->changed ? " (changed)" : "");
    rf_table_add(table, "%s",
                 rf_definition_label((enum rf_definition)k, &x->definition_options, label));
    rf_table_add(table, "%s", rf_finding_verdict_name(f->verdict));
    rf_table_add(table, "%lld", (long long)f->judged);
    rf_table_add(table, "%lld", (long long)f->broken);
    if (f->first.begin_us < 0) {
        rf_table_add(table, "-");
        rf_table_add(table, "-");
        return;
    }
    rf_table_add(table, "%.1f-%.1f", since(x, f->first.begin_us) * 1e6 / one,
                 since(x, f->first.end_us) * 1e6 / one);
    rf_table_add(table, "%.3f of %.3f", rf_wide_double(f->first.delivered_us) / one,
                 rf_wide_double(f->first.promised_us) / one);
}

static enum rf_status print_definitions(const struct rf_examination *x, FILE *out,
                                        struct rf_error *err)
{
    char breach[32];
    const char *headings[] = {"account", "definition", "verdict",  "judged",
                              "broken",  breach,       "delivered"};
    const struct rf_definition_options *o = &x->definition_options;
    struct rf_table *table = NULL;
    enum rf_status st;

    if (x->npromises == 0)
        return RF_OK;
    snprintf(breach, sizeof breach, "first breach (%s)", unit_of(x).letter);
    st = rf_table_create(&table, "lllrrrr", headings, err);
    for (int i = 0; st == RF_OK && i < x->npromises; i++)
        for (int k = 0; k < RF_DEFINITION_N; k++)
            add_finding(table, x, i, k);
    if (st == RF_OK) {
        fputs("\nThe promise under each definition of it:\n", out);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    fprintf(out,
            "  steps of %.6g s; SERVICE: 95 %% of requests within %.6g s, at most %.3g %% "
            "denied\n",
            (double)o->step_us / 1e6, (double)o->service_wait_us / 1e6,
            100 * (double)o->service_denied.num / (double)o->service_denied.den);
    rf_table_destroy(table);
    return st;
}

/* ---- accounts and requests ---- */

static enum rf_status print_accounts(const struct rf_examination *x, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {"account", "device-s",  "of fleet",
                                           "jobs",    "preempted", "denied"};
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "lrrrrr", headings, err);

    for (int32_t i = 0; st == RF_OK && i < x->audit.state->naccounts; i++) {
        const struct rf_account *a = &x->audit.state->accounts[i];

        rf_table_add(table, "%s", a->name);
        rf_table_add(table, "%.3f", rf_wide_double(a->held_us) / 1e6);
        rf_table_add(table, "%.1f %%", percent(a->held_us, x->audit.tally->capacity_us));
        rf_table_add(table, "%d", a->jobs);
        rf_table_add(table, "%d", a->preempted);
        rf_table_add(table, "%d", a->denied);
    }
    if (st == RF_OK) {
        fputs("\nAccounts, from meter readings:\n", out);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    rf_table_destroy(table);
    return st;
}

static void add_requests(struct rf_table *table, const struct rf_examination *x, int32_t i)
{
    const struct rf_account_requests *r = &x->watch.accounts[i];

    rf_table_add(table, "%s", x->audit.state->accounts[i].name);
    rf_table_add(table, "%lld", (long long)r->requests);
    rf_table_add(table, "%lld", (long long)r->granted);
    rf_table_add(table, "%lld", (long long)r->delayed);
    rf_table_add(table, "%.6g", hours(r->delayed_us));
    rf_table_add(table, "%lld", (long long)r->denied);
    rf_table_add(table, "%.6g", hours(r->denied_us));
    rf_table_add(table, "%lld", (long long)r->waiting);
}

static enum rf_status print_requests(const struct rf_examination *x, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {"account", "asked",  "granted", "delayed",
                                           "dev.-h",  "denied", "dev.-h",  "waiting"};
    const struct rf_audit_watch *w = &x->watch;
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "lrrrrrrr", headings, err);

    for (int32_t i = 0; st == RF_OK && i < w->naccounts; i++)
        if (w->accounts[i].requests > 0)
            add_requests(table, x, i);
    if (st == RF_OK) {
        fputs("\nRequests (own jobs of each account; device-hours: delayed is devices x time "
              "waited, denied devices x limit):\n",
              out);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    rf_table_destroy(table);
    for (int i = 0; st == RF_OK && i < w->nanswers && i < MOST_ROWS; i++) {
        const struct rf_answer *a = &w->answers[i];

        fprintf(out, "  %s %s: %lld for %s, %.6g device-h",
                x->audit.state->accounts[a->account].name, a->denied ? "denied" : "delayed",
                (long long)a->requests, x->audit.state->reasons[a->reason],
                hours(a->device_us));
        if (a->unlimited > 0)
            fprintf(out, " and %lld without a limit", (long long)a->unlimited);
        fputc('\n', out);
    }
    if (w->nanswers > MOST_ROWS)
        fprintf(out, "  ... %d more; --json has all\n", w->nanswers - MOST_ROWS);
    return st;
}

/* ---- gaps and changes ---- */

static void print_gaps(const struct rf_examination *x, FILE *out)
{
    const struct rf_audit_watch *w = &x->watch;

    if (w->ngaps > 0)
        fputs("\nGaps in the evidence:\n", out);
    for (int i = 0; i < w->ngaps && i < MOST_ROWS; i++) {
        const struct rf_gap *g = &w->gaps[i];

        fprintf(out, "  %-9s %.6f s to %.6f s", rf_gap_name(g->kind), since(x, g->begin_us),
                since(x, g->end_us));
        if (g->kind == RF_GAP_READING)
            fprintf(out, ": %.6f device-s of job %d", (double)g->device_us / 1e6, (int)g->job);
        fprintf(out, " (line %lld)\n", (long long)g->seq + 1);
    }
    if (w->ngaps > MOST_ROWS)
        fprintf(out, "  ... %d more; --json has all\n", w->ngaps - MOST_ROWS);
}

static void print_changes(const struct rf_examination *x, FILE *out)
{
    const struct rf_audit_watch *w = &x->watch;

    if (w->nchanges > 0)
        fputs("\nChanged by hand:\n", out);
    for (int i = 0; i < w->nchanges && i < MOST_ROWS; i++) {
        const struct rf_seen_change *c = &w->changes[i];

        fprintf(out, "  %.6f s %s", since(x, c->t_us), rf_event_type_name(c->type));
        if (c->job >= 0)
            fprintf(out, " of job %d", (int)c->job);
        else if (c->account[0] != '\0')
            fprintf(out, " of %s", c->account);
        fprintf(out, ": %s, by %s: %s (line %lld)%s\n", c->what, c->author, c->reason,
                (long long)c->seq + 1, c->after_the_fact ? ", after the fact" : "");
    }
    if (w->nchanges > MOST_ROWS)
        fprintf(out, "  ... %d more; --json has all\n", w->nchanges - MOST_ROWS);
}

enum rf_status rf_audit_print(const struct rf_examination *x, const char *path, FILE *out,
                              struct rf_error *err)
{
    enum rf_status st = RF_OK;

    print_ledger(x, path, out);
    print_tests(x, out);
    if (x->audit.tally->npledges > 0)
        st = print_pledges(x, out, err);
    if (st == RF_OK)
        st = print_definitions(x, out, err);
    if (st == RF_OK && x->audit.state->naccounts > 0)
        st = print_accounts(x, out, err);
    if (st == RF_OK && x->watch.naccounts > 0)
        st = print_requests(x, out, err);
    print_gaps(x, out);
    print_changes(x, out);
    fputs("\nA ledger cannot show what was never written into it; other records can (T2, T9, "
          "T10).\n",
          out);
    if (st == RF_OK && ferror(out))
        st = rf_fail(err, RF_ERR_IO, "cannot print the audit");
    return st;
}
