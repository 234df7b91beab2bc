/* What people see at the end of a run: the answer first, then where the proof is. */
#include "report/results.h"

#include <math.h>
#include <string.h>

#include "report/table.h"

enum { COLUMNS = 80 };

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

static double percent_wide(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? 100 * rf_wide_double(part) / rf_wide_double(whole) : 0;
}

static const struct rf_pledge_account *pledge_of(const struct rf_results *results,
                                                 int32_t account)
{
    for (int i = 0; i < results->tally->npledges; i++)
        if (results->tally->pledges[i].pledge.account == account)
            return &results->tally->pledges[i];
    return NULL;
}

static void add_account(struct rf_table *table, const struct rf_results *results, int32_t id)
{
    const struct rf_account *account = &results->state->accounts[id];
    const struct rf_pledge_account *pledge = pledge_of(results, id);

    rf_table_add(table, "%s", account->name);
    rf_table_add(table, "%.1f", rf_wide_double(account->held_us) / 1e6);
    rf_table_add(table, "%.1f %%", percent_wide(account->held_us, results->tally->capacity_us));
    if (pledge != NULL)
        rf_table_add(table, "%.4g %%",
                     percent(pledge->pledge.share.num, pledge->pledge.share.den));
    else
        rf_table_add(table, "-");
    rf_table_add(table, "%.2g", (double)account->flops);
    rf_table_add(table, "%d", account->preempted);
    rf_table_add(table, "%d", account->denied);
}

/* Those directly below parent (-1: the roots), each followed by its own. */
static void add_accounts(struct rf_table *table, const struct rf_results *results,
                         int32_t parent)
{
    for (int32_t i = 0; i < results->state->naccounts; i++)
        if (results->state->accounts[i].parent == parent) {
            add_account(table, results, i);
            add_accounts(table, results, i);
        }
}

static enum rf_status print_accounts(const struct rf_results *results, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {"account", "device-s",  "of fleet", "pledge",
                                           "FLOPs",   "preempted", "denied"};
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "lrrrrrr", headings, err);

    if (st == RF_OK) {
        add_accounts(table, results, -1);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    rf_table_destroy(table);
    return st;
}

/* Min(E, D) - A: what is missing from the window; negative when more than enough came. */
static int64_t missing_us(const struct rf_window *window)
{
    int64_t due =
        window->entitled_us < window->demanded_us ? window->entitled_us : window->demanded_us;

    return due - window->delivered_us;
}

/* The window that decides the verdict: of those with the worst verdict, the one that lacks
 * most. */
static const struct rf_window *worst_window(const struct rf_pledge_account *pledge)
{
    const struct rf_window *worst = NULL;

    for (int i = 0; i < pledge->nwindows; i++) {
        const struct rf_window *window = &pledge->windows[i];

        if (window->verdict == pledge->verdict &&
            (worst == NULL || missing_us(window) > missing_us(worst)))
            worst = window;
    }
    return worst;
}

static int count_windows(const struct rf_pledge_account *pledge, enum rf_verdict verdict)
{
    int n = 0;

    for (int i = 0; i < pledge->nwindows; i++)
        n += pledge->windows[i].verdict == verdict;
    return n;
}

static void print_pledge(const struct rf_results *results,
                         const struct rf_pledge_account *pledge, FILE *out)
{
    const struct rf_window *worst = worst_window(pledge);
    double start = (double)results->state->start_us;

    fprintf(out, "  %.40s: %s (%d of %d windows kept)\n", pledge->pledge.account_name,
            rf_verdict_name(pledge->verdict), count_windows(pledge, RF_KEPT), pledge->nwindows);
    fprintf(out, "    promised %.1f, usable %.1f, received %.1f device-s\n",
            rf_wide_double(pledge->entitled_us) / 1e6,
            rf_wide_double(pledge->demanded_us) / 1e6,
            rf_wide_double(pledge->delivered_us) / 1e6);
    if (worst == NULL)
        return;
    fprintf(out, "    worst window %.1f-%.1f s: promised %.1f, usable %.1f, received %.1f\n",
            ((double)worst->begin_us - start) / 1e6, ((double)worst->end_us - start) / 1e6,
            (double)worst->entitled_us / 1e6, (double)worst->demanded_us / 1e6,
            (double)worst->delivered_us / 1e6);
}

static void add_accuracy(struct rf_table *table, double x)
{
    if (isfinite(x))
        rf_table_add(table, "%.3f", x);
    else
        rf_table_add(table, "-");
}

static int failed(const struct rf_experiment_result *experiment)
{
    return experiment->failed[0] != '\0';
}

static void add_experiment(struct rf_table *table,
                           const struct rf_experiment_result *experiment)
{
    const struct rf_w2s_result *w2s = &experiment->w2s;
    int none = failed(experiment);

    rf_table_add(table, "%s", experiment->name);
    rf_table_add(table, "%s", experiment->loss);
    add_accuracy(table, none ? NAN : w2s->weak);
    add_accuracy(table, none ? NAN : w2s->student);
    add_accuracy(table, none ? NAN : w2s->ceiling);
    if (!none && w2s->has_pgr)
        rf_table_add(table, "%.2f [%.2f, %.2f]", w2s->pgr, w2s->pgr_low, w2s->pgr_high);
    else
        rf_table_add(table, none ? "none" : "void");
    rf_table_add(table, "%d", experiment->seeds);
}

static enum rf_status print_experiments(const struct rf_results *results, FILE *out,
                                        struct rf_error *err)
{
    static const char *const headings[] = {"experiment", "loss", "weak", "student",
                                           "ceiling",    "PGR",  "seeds"};
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "llrrrlr", headings, err);

    if (st == RF_OK) {
        for (int i = 0; i < results->nexperiments; i++)
            add_experiment(table, &results->experiments[i]);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    rf_table_destroy(table);
    return st;
}

/* An account's allowance stopped a job of it, or kept it from starting. */
static int did_not_fit(const struct rf_experiment_result *experiment)
{
    return strstr(experiment->failed, "account-device-time") != NULL ||
           strstr(experiment->failed, "account-flops") != NULL;
}

/* Why some lines of the table have no PGR, and what pretraining alone can do. */
static void print_remarks(const struct rf_results *results, FILE *out)
{
    for (int i = 0; i < results->nexperiments; i++) {
        const struct rf_experiment_result *experiment = &results->experiments[i];

        if (failed(experiment))
            fprintf(out, "  %.20s %.10s: %s\n    %.74s\n", experiment->name, experiment->loss,
                    did_not_fit(experiment) ? "not run, since the budget was used up"
                                            : "no result",
                    experiment->failed);
        else if (!experiment->w2s.has_pgr)
            fprintf(out, "  %.20s %.10s: PGR is void\n    %.74s\n", experiment->name,
                    experiment->loss, experiment->w2s.void_reason);
    }
}

static void print_heading(const struct rf_results *results, FILE *out)
{
    const struct rf_tally *tally = results->tally;

    fprintf(out, "\nRun %.30s: %.1f s on %d device%s, %.1f %% of them in use; %s\n",
            results->run, results->wall_s, results->devices, results->devices == 1 ? "" : "s",
            percent_wide(tally->used_us, tally->capacity_us), results->policy);
    if (results->interrupted)
        fputs("Stopped by a signal before the end; `ringfence run --resume` continues.\n", out);
}

static void print_files(const struct rf_results *results, const char *run_dir, FILE *out)
{
    fprintf(out, "\nreport  %s/report.html\n", run_dir);
    fprintf(out, "ledger  %s (%lld entries, %s)\n", results->ledger.path,
            (long long)results->ledger.entries,
            results->ledger.sealed ? "sealed" : "not sealed");
    fprintf(out, "head    %s\n", results->ledger.head);
    fprintf(out, "verify  ringfence audit %s\n", results->ledger.path);
}

enum rf_status rf_results_print(const struct rf_results *results, const char *run_dir,
                                FILE *out, struct rf_error *err)
{
    enum rf_status st;

    print_heading(results, out);
    fputs("\nAccounts\n", out);
    st = print_accounts(results, out, err);
    if (results->tally->npledges > 0)
        fputs("\nPledges\n", out);
    for (int i = 0; i < results->tally->npledges; i++)
        print_pledge(results, &results->tally->pledges[i], out);
    if (st == RF_OK && results->nexperiments > 0) {
        fputs("\nWeak-to-strong (accuracy on the locked test set)\n", out);
        st = print_experiments(results, out, err);
        print_remarks(results, out);
    }
    print_files(results, run_dir, out);
    if (st == RF_OK && ferror(out))
        st = rf_fail(err, RF_ERR_IO, "cannot print the summary");
    return st;
}
