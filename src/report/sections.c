#include "report/sections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/waits.h"

enum { MOST_ROWS = 400, FOLDED_ROWS = 16, MOST_GROUPS = 12 };

/* Says that a table was cut short. */
static void add_cut(struct rf_text *page, size_t n)
{
    if (n > MOST_ROWS)
        rf_text_addf(page, "<p>The first %d of %zu; results.json has all.</p>\n", MOST_ROWS, n);
}

/* Takes over svg. */
static void add_figure(struct rf_text *page, struct rf_report_input *in, char *svg,
                       const char *caption)
{
    rf_markup_figure(page, svg, caption);
    in->plots |= svg != NULL;
    free(svg);
}

/* ---- pledges ---- */

static void add_promise(struct rf_text *page, const json_t *pledge)
{
    const char *secured = strcmp(rf_json_text(pledge, "basis"), "secured") == 0
                              ? "the fleet as it was when the pledge was made"
                              : "the fleet";

    rf_text_add(page, "<p>Promised to <strong>");
    rf_text_add_html(page, rf_json_text(pledge, "account"));
    rf_text_addf(page, "</strong>: %.4g %% of %s in every window of %.4g s. ",
                 100 * rf_json_number(pledge, "share"), secured,
                 rf_json_number(pledge, "window_s"));
    if (isfinite(rf_json_number(pledge, "delivered_share")))
        rf_text_addf(page, "Received over the whole run: %.1f %% of the fleet's device-time. ",
                     100 * rf_json_number(pledge, "delivered_share"));
    rf_text_addf(
        page,
        "A window is kept when the account received what it was promised, or as much as "
        "its jobs could use where that is less; delays of up to %.4g s for each device "
        "of the share are tolerated.</p>\n",
        rf_json_number(pledge, "tolerance_s"));
}

static void add_windows(struct rf_text *page, const json_t *pledge)
{
    static const char *const headings[] = {"window (s)", "verdict",  "promised",
                                           "usable",     "received", "missing"};
    const json_t *windows = rf_json_list(pledge, "windows");
    size_t n = json_array_size(windows);

    if (n > FOLDED_ROWS)
        rf_text_addf(page, "<details><summary>All %zu windows</summary>\n", n);
    rf_markup_table(page, "By window, in device-seconds", "llrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *window = json_array_get(windows, i);
        char span[80];

        snprintf(span, sizeof span, "%.1f to %.1f", rf_json_number(window, "begin_s"),
                 rf_json_number(window, "end_s"));
        rf_markup_row(page);
        rf_markup_cell(page, span);
        rf_markup_verdict(page, rf_json_text(window, "verdict"));
        rf_markup_number(page, rf_json_number(window, "entitled_device_s"), 2, "");
        rf_markup_number(page, rf_json_number(window, "demanded_device_s"), 2, "");
        rf_markup_number(page, rf_json_number(window, "delivered_device_s"), 2, "");
        rf_markup_number(page, rf_json_number(window, "shortfall_device_s"), 2, "");
    }
    rf_markup_end(page);
    add_cut(page, n);
    rf_text_add(page, n > FOLDED_ROWS ? "</details>\n" : "");
}

static enum rf_status add_pledge(struct rf_text *page, struct rf_report_input *in,
                                 const json_t *pledge, struct rf_error *err)
{
    char *svg = NULL;
    enum rf_status st = rf_figure_share(pledge, in->usage, &svg, err);

    add_promise(page, pledge);
    add_figure(
        page, in, svg,
        "The filled steps are the share held at each moment; the line is the share since "
        "the window began, which has to reach the dashed pledge, unless there was less to "
        "run. Green windows are kept, red ones broken, yellow ones cannot be proven.");
    add_windows(page, pledge);
    return st;
}

enum rf_status rf_section_pledges(struct rf_text *page, struct rf_report_input *in,
                                  struct rf_error *err)
{
    const json_t *pledges = rf_json_list(in->results, "pledges");
    enum rf_status st = RF_OK;

    rf_text_add(page, "<section><h2>Was the promise kept?</h2>\n");
    if (json_array_size(pledges) == 0)
        rf_text_add(page, "<p>Nothing was promised in this run.</p>\n");
    for (size_t i = 0; st == RF_OK && i < json_array_size(pledges); i++)
        st = add_pledge(page, in, json_array_get(pledges, i), err);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- accounts ---- */

static void add_accounts(struct rf_text *page, const json_t *accounts)
{
    static const char *const headings[] = {"account",      "jobs",      "device-s",
                                           "of the fleet", "of use",    "FLOPs",
                                           "tokens",       "preempted", "denied"};
    size_t n = json_array_size(accounts);

    rf_markup_table(page, "Accounts; each includes those below it", "lrrrrrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *account = json_array_get(accounts, i);
        char flops[40];

        snprintf(flops, sizeof flops, "%.3g", rf_json_number(account, "flops"));
        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(account, "name"));
        rf_markup_number(page, rf_json_number(account, "jobs"), 0, "");
        rf_markup_number(page, rf_json_number(account, "device_s"), 2, "");
        rf_markup_number(page, 100 * rf_json_number(account, "share"), 1, " %");
        rf_markup_number(page, 100 * rf_json_number(account, "share_of_used"), 1, " %");
        rf_text_addf(page, "<td class=\"n\">%s", flops);
        rf_markup_number(page, rf_json_number(account, "tokens"), 0, "");
        rf_markup_number(page, rf_json_number(account, "preempted"), 0, "");
        rf_markup_number(page, rf_json_number(account, "denied"), 0, "");
    }
    rf_markup_end(page);
    add_cut(page, n);
}

enum rf_status rf_section_accounts(struct rf_text *page, struct rf_report_input *in,
                                   struct rf_error *err)
{
    char *svg = NULL;
    enum rf_status st = rf_figure_devices(in->usage, &svg, err);

    rf_text_add(page, "<section><h2>Who had the devices?</h2>\n");
    add_figure(page, in, svg,
               "Devices held by each account, stacked; the space below the dashed line that is "
               "not filled was idle.");
    add_accounts(page, rf_json_list(in->results, "accounts"));
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- experiments ---- */

static void add_pgr(struct rf_text *page, const json_t *experiment)
{
    const json_t *ci = rf_json_list(experiment, "pgr_ci");
    double pgr = rf_json_number(experiment, "pgr");

    if (isfinite(pgr)) {
        rf_text_addf(page, "<td>%.2f [%.2f, %.2f]", pgr,
                     json_number_value(json_array_get(ci, 0)),
                     json_number_value(json_array_get(ci, 1)));
        return;
    }
    rf_text_add(page, "<td>void: ");
    rf_text_add_html(page, rf_json_text(experiment, "void"));
}

static void add_comparisons(struct rf_text *page, const json_t *experiments)
{
    static const char *const headings[] = {
        "experiment", "task",      "loss",          "weak",  "student",
        "ceiling",    "gap in SE", "gap recovered", "seeds", "test items"};
    size_t n = json_array_size(experiments);

    rf_markup_table(page, "Accuracy on the locked test set, means over seeds", "lllrrrrlrr",
                    headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *experiment = json_array_get(experiments, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(experiment, "name"));
        rf_markup_cell(page, rf_json_text(experiment, "task"));
        rf_markup_cell(page, rf_json_text(experiment, "loss"));
        rf_markup_number(page, rf_json_number(experiment, "weak"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "student"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "ceiling"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "gap_se"), 1, "");
        add_pgr(page, experiment);
        rf_markup_number(page, rf_json_number(experiment, "seeds"), 0, "");
        rf_markup_number(page, rf_json_number(experiment, "test_items"), 0, "");
    }
    rf_markup_end(page);
    add_cut(page, n);
}

static void add_controls(struct rf_text *page, const json_t *experiments)
{
    static const char *const headings[] = {"experiment",
                                           "loss",
                                           "zero-shot",
                                           "same size",
                                           "strong, weak half",
                                           "linear probe",
                                           "agrees, weak right",
                                           "agrees, weak wrong",
                                           "corrected",
                                           "new errors",
                                           "error correlation",
                                           "calibration error",
                                           "Brier"};
    size_t n = json_array_size(experiments);

    rf_markup_table(page, "Controls, and what the student took over from its supervisor",
                    "llrrrrrrrrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *experiment = json_array_get(experiments, i);
        const json_t *agreement = json_object_get(experiment, "agreement");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(experiment, "name"));
        rf_markup_cell(page, rf_json_text(experiment, "loss"));
        rf_markup_number(page, rf_json_number(experiment, "zero_shot"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "same_size"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "strong_on_weak_half"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "probe"), 3, "");
        rf_markup_number(page, rf_json_number(agreement, "supervisor_right"), 3, "");
        rf_markup_number(page, rf_json_number(agreement, "supervisor_wrong"), 3, "");
        rf_markup_number(page, rf_json_number(agreement, "corrected"), 3, "");
        rf_markup_number(page, rf_json_number(agreement, "new_errors"), 3, "");
        rf_markup_number(page, rf_json_number(agreement, "error_correlation"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "ece"), 3, "");
        rf_markup_number(page, rf_json_number(experiment, "brier"), 3, "");
    }
    rf_markup_end(page);
}

enum rf_status rf_section_experiments(struct rf_text *page, struct rf_report_input *in,
                                      struct rf_error *err)
{
    const json_t *experiments = rf_json_list(in->results, "experiments");
    char *accuracy = NULL, *pgr = NULL;
    enum rf_status st;

    if (json_array_size(experiments) == 0)
        return RF_OK;
    st = rf_figure_accuracy(experiments, &accuracy, err);
    if (st == RF_OK)
        st = rf_figure_pgr(experiments, &pgr, err);
    rf_text_add(page,
                "<section><h2>How far does weak supervision carry?</h2>\n"
                "<p>A weak model labels examples, a strong student learns from these labels "
                "alone, and the ceiling is the same strong model trained on the truth about "
                "the same examples.</p>\n");
    add_figure(
        page, in, accuracy,
        "Accuracy on the test set with 95 % intervals (Wilson, over test items); the "
        "dashed line is the strong model before it saw any label. Where there are many rows, "
        "those of early stopping are in the table alone.");
    add_figure(
        page, in, pgr,
        "Performance gap recovered: 0 is the weak supervisor, 1 the ceiling; intervals by "
        "paired bootstrap over test items and seeds.");
    add_comparisons(page, experiments);
    rf_text_add(page, "<p>The gap recovered is void where ceiling and weak supervisor are less "
                      "than three standard errors apart: it would be noise divided by "
                      "noise.</p>\n");
    add_controls(page, experiments);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- jobs ---- */

static enum rf_status add_losses(struct rf_text *page, struct rf_report_input *in,
                                 const json_t *jobs, struct rf_error *err)
{
    char done[MOST_GROUPS][RF_NAME_BYTES], group[RF_NAME_BYTES], caption[160];
    enum rf_status st = RF_OK;
    int ngroups = 0;

    for (size_t i = 0; st == RF_OK && i < json_array_size(jobs) && ngroups < MOST_GROUPS; i++) {
        char *svg = NULL;
        int known = 0;

        if (json_array_size(rf_json_list(json_array_get(jobs, i), "curve")) < 2)
            continue;
        rf_figure_group(json_array_get(jobs, i), group);
        for (int g = 0; g < ngroups && !known; g++)
            known = strcmp(done[g], group) == 0;
        if (known)
            continue;
        memcpy(done[ngroups++], group, sizeof group);
        st = rf_figure_loss(jobs, group, &svg, err);
        snprintf(caption, sizeof caption,
                 "Training loss, %s; repeats share a colour, and long curves are averaged over "
                 "neighbouring steps.",
                 group);
        add_figure(page, in, svg, caption);
    }
    return st;
}

/* Loss of the first and last recorded step. */
static void add_loss_cells(struct rf_text *page, const json_t *curve)
{
    size_t n = json_array_size(curve);

    rf_markup_number(page, rf_json_number(json_array_get(curve, 0), "loss"), 3, "");
    rf_markup_number(page, n > 0 ? rf_json_number(json_array_get(curve, n - 1), "loss") : NAN,
                     3, "");
}

static void add_jobs(struct rf_text *page, const json_t *jobs)
{
    static const char *const headings[] = {"job",      "account",       "kind",    "state",
                                           "steps",    "loss at first", "at last", "waited (s)",
                                           "device-s", "preempted"};
    size_t n = json_array_size(jobs);

    rf_markup_table(page, "Jobs", "llllrrrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *job = json_array_get(jobs, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(job, "name"));
        rf_markup_cell(page, rf_json_text(job, "account"));
        rf_markup_cell(page, rf_json_text(job, "kind"));
        rf_markup_cell(page, rf_json_text(job, "state"));
        rf_markup_number(page, rf_json_number(job, "steps"), 0, "");
        add_loss_cells(page, rf_json_list(job, "curve"));
        rf_markup_number(page,
                         rf_json_number(job, "first_grant_s") - rf_json_number(job, "submit_s"),
                         1, "");
        rf_markup_number(page, rf_json_number(job, "device_s"), 2, "");
        rf_markup_number(page, rf_json_number(job, "preemptions"), 0, "");
    }
    rf_markup_end(page);
    add_cut(page, n);
}

enum rf_status rf_section_jobs(struct rf_text *page, struct rf_report_input *in,
                               struct rf_error *err)
{
    const json_t *jobs = rf_json_list(in->results, "jobs");
    enum rf_status st;

    rf_text_add(page, "<section><h2>What did the jobs do?</h2>\n");
    st = add_losses(page, in, jobs, err);
    add_jobs(page, jobs);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- delays and denials ---- */

static const char *outcome_of(enum rf_event_type type)
{
    return type == RF_EVENT_DENY      ? "denied"
           : type == RF_EVENT_PREEMPT ? "asked to stop"
                                      : "waited";
}

static void add_waits(struct rf_text *page, const struct rf_waits *waits)
{
    static const char *const headings[] = {"account", "what", "reason", "times", "waiting (s)"};

    rf_markup_table(page, "How often, by account and reason", "lllrr", headings);
    for (int32_t i = 0; i < waits->n && i < MOST_ROWS; i++) {
        const struct rf_wait *wait = &waits->items[i];

        rf_markup_row(page);
        rf_markup_cell(page, wait->account);
        rf_markup_cell(page, outcome_of(wait->type));
        rf_markup_cell(page, wait->reason);
        rf_markup_number(page, (double)wait->count, 0, "");
        rf_markup_number(
            page, wait->type == RF_EVENT_DELAY ? (double)wait->waited_us / 1e6 : NAN, 1, "");
    }
    rf_markup_end(page);
}

static int count_denials(const struct rf_timeline *line)
{
    int n = 0;

    for (int32_t i = 0; i < line->nmarks; i++)
        n += line->marks[i].type == RF_EVENT_DENY;
    return n;
}

static void add_denials(struct rf_text *page, const struct rf_timeline *line)
{
    static const char *const headings[] = {"at (s)", "job", "account", "reason"};
    int n = 0;

    rf_markup_table(page, "Every denial", "rlll", headings);
    for (int32_t i = 0; i < line->nmarks && n < MOST_ROWS; i++) {
        const struct rf_mark *mark = &line->marks[i];

        if (mark->type != RF_EVENT_DENY || mark->job < 0 || mark->job >= line->njobs)
            continue;
        n++;
        rf_markup_row(page);
        rf_markup_number(page, (double)mark->t_us / 1e6, 1, "");
        rf_markup_cell(page, line->jobs[mark->job].name);
        rf_markup_cell(page, line->jobs[mark->job].account);
        rf_markup_cell(page, mark->reason);
    }
    rf_markup_end(page);
}

enum rf_status rf_section_waits(struct rf_text *page, struct rf_report_input *in,
                                struct rf_error *err)
{
    struct rf_waits waits;
    int denials = count_denials(in->timeline);
    enum rf_status st = rf_waits_make(&waits, in->timeline, err);

    rf_text_addf(
        page,
        "<section><h2>Who had to wait, and why?</h2>\n<p>%d of %d requests for devices "
        "%s denied. Every wait, denial and request to stop carries a reason in the "
        "ledger.</p>\n",
        denials, (int)in->timeline->njobs, denials == 1 ? "was" : "were");
    if (waits.n > 0)
        add_waits(page, &waits);
    if (denials > 0)
        add_denials(page, in->timeline);
    rf_text_add(page, "</section>\n");
    rf_waits_clear(&waits);
    return st;
}

/* ---- ledger ---- */

static void add_fact(struct rf_text *page, const char *name, const char *value)
{
    rf_text_addf(page, "<dt>%s</dt><dd>", name);
    rf_text_add_html(page, value);
    rf_text_add(page, "</dd>\n");
}

void rf_section_ledger(struct rf_text *page, const struct rf_report_input *in)
{
    const struct rf_ledger_check *check = &in->timeline->check;
    const json_t *ledger = json_object_get(in->results, "ledger");
    const char *path = rf_json_text(ledger, "path");
    char entries[64];

    snprintf(entries, sizeof entries, "%lld, of which %lld are sealed",
             (long long)check->entries, (long long)check->sealed_entries);
    rf_text_add(page,
                "<section><h2>How can I check this?</h2>\n<p>Every decision and every meter "
                "reading is a line of the ledger; each line carries the digest of the line "
                "before it, and signed seals fix how many lines there were. Anyone with "
                "the file can replay it through the same rules:</p>\n<pre "
                "tabindex=\"0\">ringfence audit ");
    rf_text_add_html(page, path[0] != '\0' ? path : "ledger.jsonl");
    rf_text_add(page, "</pre>\n<dl>\n");
    add_fact(page, "entries", entries);
    add_fact(page, "head", check->head);
    add_fact(page, "key", check->key_name);
    add_fact(page, "chain", check->chain_ok ? "unbroken" : "broken");
    add_fact(page, "seals",
             check->seals == 0 ? "none"
             : check->seals_ok ? "all valid"
                               : "not all valid");
    rf_text_add(page, "</dl>\n");
    if (check->problem[0] != '\0') {
        rf_text_add(page, "<p class=\"notice\">");
        rf_text_add_html(page, check->problem);
        rf_text_add(page, " What follows the first bad line is not in this report.</p>\n");
    }
    rf_text_add(page, "</section>\n");
}
