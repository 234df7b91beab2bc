/* What people see at the end of a simulation: the answer first, then where the details are. */
#include <math.h>
#include <string.h>

#include "report/duration.h"
#include "report/sim_results.h"
#include "report/table.h"

enum { COLUMNS = 80, MOST_ACCOUNTS = 24, MOST_DENIALS = 8 };

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_heading(const struct rf_sim_results *r, FILE *out)
{
    const struct rf_policy_options *policy = &r->options->policy;
    char count[RF_DURATION_BYTES];

    fprintf(out, "\nSimulation %.30s: %s jobs on %d device%s; %s+%s\n", r->name,
            rf_count_text(count, (double)r->summary->all.jobs), (int)r->options->devices,
            r->options->devices == 1 ? "" : "s", policy->order, policy->fence);
}

static void print_waits(const struct rf_sim_summary *s, FILE *out)
{
    const struct rf_spread *wait = &s->all.wait, *slowdown = &s->all.slowdown;
    char mean[RF_DURATION_BYTES], half[RF_DURATION_BYTES], most[RF_DURATION_BYTES],
        longest[RF_DURATION_BYTES];

    if (wait->n > 0)
        fprintf(out, "  waits       mean %s, median %s, 95 %% below %s, longest %s\n",
                rf_duration_text(mean, wait->mean / 1e6),
                rf_duration_text(half, (double)wait->p50 / 1e6),
                rf_duration_text(most, (double)wait->p95 / 1e6),
                rf_duration_text(longest, (double)wait->max / 1e6));
    if (slowdown->n > 0)
        fprintf(
            out,
            "  slowdown    mean %.4g, 95 %% below %.4g (run times under 10 s count as 10 s)\n",
            slowdown->mean / 1e6, (double)slowdown->p95 / 1e6);
    if (isfinite(s->utilization))
        fprintf(out, "  in use      %.1f %% of the device-time, over %s\n",
                100 * s->utilization, rf_duration_text(longest, (double)s->makespan_us / 1e6));
}

static void print_outcome(const struct rf_sim_results *r, FILE *out)
{
    const struct rf_sim_part *all = &r->summary->all;
    char finished[RF_DURATION_BYTES], denied[RF_DURATION_BYTES], stopped[RF_DURATION_BYTES],
        speed[RF_DURATION_BYTES];

    fprintf(out, "  jobs        %s done, %s denied; stopped %s times\n",
            rf_count_text(finished, (double)all->finished),
            rf_count_text(denied, (double)all->denied),
            rf_count_text(stopped, (double)r->summary->preemptions));
    if (r->result->wall_s > 0)
        fprintf(out, "  speed       %s jobs a second\n",
                rf_count_text(speed, (double)all->jobs / r->result->wall_s));
}

/* ---- accounts ---- */

static void add_account(struct rf_table *table, const struct rf_sim_results *r,
                        const struct rf_sim_account *row)
{
    const struct rf_account *account = &r->result->state->accounts[row->id];
    char text[RF_DURATION_BYTES];

    rf_table_add(table, "%s%s", account->name, row->pledged ? " *" : "");
    rf_table_add(table, "%d", (int)account->jobs);
    rf_table_add(table, "%.4g", rf_wide_double(account->held_us) / 3600e6);
    rf_table_add(
        table, "%.1f %%",
        percent(rf_wide_double(account->held_us), rf_wide_double(r->summary->capacity_us)));
    rf_table_add(table, "%.1f %%",
                 percent(rf_wide_double(rf_wide_plus(row->lost_us, row->unfinished_us)),
                         rf_wide_double(account->held_us)));
    rf_table_add(table, "%s", rf_duration_text(text, row->wait_mean_us / 1e6));
    rf_table_add(table, "%d", (int)account->preempted);
    rf_table_add(table, "%d", (int)account->denied);
}

static enum rf_status print_accounts(const struct rf_sim_results *r, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {"account", "jobs",      "device-h",  "of fleet",
                                           "undone",  "mean wait", "preempted", "denied"};
    struct rf_table *table = NULL;
    int32_t n = r->summary->naccounts, shown = n < MOST_ACCOUNTS ? n : MOST_ACCOUNTS;
    int any = 0;
    enum rf_status st = rf_table_create(&table, "lrrrrrrr", headings, err);

    for (int32_t i = 0; st == RF_OK && i < shown; i++) {
        add_account(table, r, &r->summary->accounts[i]);
        any |= r->summary->accounts[i].pledged;
    }
    fputs("\nAccounts\n", out);
    if (st == RF_OK)
        st = rf_table_print(table, out, COLUMNS, err);
    if (n > shown)
        fprintf(out, "  ... and %d more\n", (int)(n - shown));
    if (any)
        fputs("  * pledged\n", out);
    rf_table_destroy(table);
    return st;
}

/* ---- pledges ---- */

static void print_pledge(const struct rf_pledge_account *pledge, struct rf_wide capacity_us,
                         FILE *out)
{
    int kept = 0;
    char share[48];

    for (int i = 0; i < pledge->nwindows; i++)
        kept += pledge->windows[i].verdict == RF_KEPT;
    rf_share_format(&pledge->pledge.share, share, sizeof share);
    fprintf(out, "  %.40s, %s of %s: %s (%d of %d windows kept)\n", pledge->pledge.account_name,
            share,
            strcmp(pledge->pledge.basis, "secured") == 0 ? "what was secured" : "the fleet",
            rf_verdict_name(pledge->verdict), kept, pledge->nwindows);
    fprintf(out, "    promised %.4g, usable %.4g, received %.4g device-h (%.1f %% of all)\n",
            rf_wide_double(pledge->entitled_us) / 3600e6,
            rf_wide_double(pledge->demanded_us) / 3600e6,
            rf_wide_double(pledge->delivered_us) / 3600e6,
            percent(rf_wide_double(pledge->delivered_us), rf_wide_double(capacity_us)));
}

static void add_finding(struct rf_table *table, const struct rf_sim_results *r,
                        const struct rf_promise *promise, enum rf_definition k)
{
    const struct rf_finding *f = &promise->findings[k];
    char label[32], begin[RF_DURATION_BYTES];

    rf_table_add(table, "%s%s", promise->pledge.account_name,
                 promise->changed ? " (changed)" : "");
    rf_table_add(table, "%s", rf_definition_label(k, r->definition_options, label));
    rf_table_add(table, "%s", rf_finding_verdict_name(f->verdict));
    rf_table_add(table, "%lld", (long long)f->judged);
    rf_table_add(table, "%lld", (long long)f->broken);
    rf_table_add(
        table, "%s",
        f->first.begin_us < 0
            ? "-"
            : rf_duration_text(begin,
                               (double)(f->first.begin_us - r->result->state->start_us) / 1e6));
}

static enum rf_status print_definitions(const struct rf_sim_results *r, FILE *out,
                                        struct rf_error *err)
{
    static const char *const headings[] = {"account", "definition", "verdict",
                                           "judged",  "broken",     "first breach"};
    struct rf_table *table = NULL;
    int n = r->definitions != NULL ? rf_definitions_npromises(r->definitions) : 0;
    enum rf_status st;

    if (n == 0)
        return RF_OK;
    st = rf_table_create(&table, "lllrrr", headings, err);
    for (int i = 0; st == RF_OK && i < n; i++)
        for (int k = 0; k < RF_DEFINITION_N; k++)
            add_finding(table, r, rf_definitions_promise(r->definitions, i),
                        (enum rf_definition)k);
    fputs("\nThe promise under each definition of it\n", out);
    if (st == RF_OK)
        st = rf_table_print(table, out, COLUMNS, err);
    rf_table_destroy(table);
    return st;
}

/* ---- books and denials ---- */

static void print_books(const struct rf_sim_results *r, FILE *out)
{
    struct rf_books_totals t;
    double all;

    if (r->books == NULL)
        return;
    rf_books_totals(r->books, r->result->state->now_us, &t);
    all = rf_wide_double(t.installed_us);
    fputs("\nWhere the device-time went\n", out);
    fprintf(out, "  own use %.1f %%, lent %.1f %%, overhead %.1f %%,\n",
            percent(rf_wide_double(t.own_us), all), percent(rf_wide_double(t.lent_us), all),
            percent(rf_wide_double(t.overhead_us), all));
    fprintf(out, "  idle reserved %.1f %%, idle free %.1f %%, down %.1f %%\n",
            percent(rf_wide_double(t.idle_reserved_us), all),
            percent(rf_wide_double(t.idle_free_us), all),
            percent(rf_wide_double(t.down_us), all));
}

static void print_denials(const struct rf_sim_results *r, FILE *out)
{
    const struct rf_state *state = r->result->state;
    int32_t n = r->summary->ndenials;

    if (n == 0)
        return;
    fputs("\nDenied\n", out);
    for (int32_t i = 0; i < n && i < MOST_DENIALS; i++) {
        const struct rf_sim_denial *denial = &r->summary->denials[i];

        fprintf(out, "  %.30s: %lld (%.30s), %.4g device-h\n",
                state->accounts[denial->account].name, (long long)denial->count,
                state->reasons[denial->reason], denial->asked_us / 3600e6);
    }
    if (n > MOST_DENIALS)
        fprintf(out, "  ... and %d more\n", (int)(n - MOST_DENIALS));
}

static void print_files(const struct rf_sim_results *r, const char *run_dir, FILE *out)
{
    if (run_dir == NULL)
        return;
    fprintf(out, "\nreport  %s/report.html\n", run_dir);
    if (r->ledger.path == NULL)
        return;
    fprintf(out, "ledger  %s (%lld entries, %s)\n", r->ledger.path,
            (long long)r->ledger.entries, r->ledger.sealed ? "sealed" : "not sealed");
    fprintf(out, "verify  ringfence audit %s\n", r->ledger.path);
}

enum rf_status rf_sim_results_print(const struct rf_sim_results *results, const char *run_dir,
                                    FILE *out, struct rf_error *err)
{
    const struct rf_tally *tally = results->result->tally;
    enum rf_status st = RF_OK;

    if (results->replay != NULL)
        st = rf_sim_replay_print(results->replay, out, err);
    print_heading(results, out);
    print_waits(results->summary, out);
    print_outcome(results, out);
    if (st == RF_OK)
        st = print_accounts(results, out, err);
    if (tally != NULL && tally->npledges > 0)
        fputs("\nPledges\n", out);
    for (int i = 0; tally != NULL && i < tally->npledges; i++)
        print_pledge(&tally->pledges[i], tally->capacity_us, out);
    if (st == RF_OK)
        st = print_definitions(results, out, err);
    print_books(results, out);
    print_denials(results, out);
    print_files(results, run_dir, out);
    if (st == RF_OK && ferror(out))
        st = rf_fail(err, RF_ERR_IO, "cannot print the summary");
    return st;
}
