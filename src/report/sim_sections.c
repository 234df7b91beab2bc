#include "report/sim_sections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/duration.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/sim_figures.h"

enum { MOST_ROWS = 400 };
static const double HOUR_S = 3600;

static void add_cut(struct rf_text *page, size_t n)
{
    if (n > MOST_ROWS)
        rf_text_addf(page, "<p>The first %d of %zu; results.json has all.</p>\n", MOST_ROWS, n);
}

/* Takes over svg. */
static void add_figure(struct rf_text *page, struct rf_sim_page *in, char *svg,
                       const char *caption)
{
    rf_markup_figure(page, svg, caption);
    in->plots |= svg != NULL;
    free(svg);
}

static void open_details(struct rf_text *page, const char *summary)
{
    rf_text_add(page, "<details><summary>");
    rf_text_add_html(page, summary);
    rf_text_add(page, "</summary>\n");
}

static void close_details(struct rf_text *page)
{
    rf_text_add(page, "</details>\n");
}

static void cell_duration(struct rf_text *page, double seconds)
{
    char text[RF_DURATION_BYTES];

    rf_text_addf(page, "<td class=\"n\">%s", rf_duration_text(text, seconds));
}

static void cell_count(struct rf_text *page, double count)
{
    char text[RF_DURATION_BYTES];

    rf_text_addf(page, "<td class=\"n\">%s", rf_count_text(text, count));
}

static void cell_hours(struct rf_text *page, double device_s)
{
    double hours = device_s / HOUR_S;

    if (isfinite(hours) && fabs(hours) < 100)
        rf_markup_number(page, hours, 2, "");
    else
        cell_count(page, hours);
}

static void cell_span(struct rf_text *page, double begin_s, double end_s)
{
    char begin[RF_DURATION_BYTES], end[RF_DURATION_BYTES];

    rf_text_addf(page, "<td>%s to %s", rf_duration_text(begin, begin_s),
                 rf_duration_text(end, end_s));
}

static double share_of(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : (double)NAN;
}

/* ---- the numbers behind a figure ---- */

/* A table of the columns that pick() names, over time. */
static void add_numbers(struct rf_text *page, const struct rf_sim_page *in, const char *caption,
                        const char *const *kinds, int nkinds)
{
    const struct rf_curves *rows = in->rows;
    const char *headings[34] = {"from", "until"};
    char align[36] = "rr";
    int columns[32], n = 0;

    for (int c = 0; c < rows->ncolumns && n < 32; c++)
        for (int k = 0; k < nkinds && n < 32; k++) {
            const char *of = rf_curves_of(rows, c, kinds[k]);

            if (of == NULL && strcmp(rows->names[c], kinds[k]) != 0)
                continue;
            headings[n + 2] = of != NULL && nkinds == 1 ? of : rows->names[c];
            align[n + 2] = 'r';
            columns[n++] = c;
        }
    align[n + 2] = '\0';
    if (n == 0 || rows->n == 0)
        return;
    open_details(page, "The numbers");
    rf_markup_table(page, caption, align, headings);
    for (int k = 0; k < rows->n; k++) {
        rf_markup_row(page);
        cell_duration(page, rows->t_s[k]);
        cell_duration(page, rows->t_s[k + 1]);
        for (int i = 0; i < n; i++)
            rf_markup_number(page, rows->values[(size_t)columns[i] * (size_t)rows->n + (size_t)k],
                             1, "");
    }
    rf_markup_end(page);
    close_details(page);
}

/* ---- pledges ---- */

static void add_promise(struct rf_text *page, const json_t *pledge, int first)
{
    int secured = strcmp(rf_json_text(pledge, "basis"), "secured") == 0;
    char window[RF_DURATION_BYTES];

    if (!isfinite(rf_json_number(pledge, "share")))
        return;
    rf_text_add(page, first ? "<p>Promised to <strong>" : "<p>Changed later for <strong>");
    rf_text_add_html(page, rf_json_text(pledge, "account"));
    rf_text_addf(page, "</strong>: %.4g %% of %s in every window of %s.",
                 100 * rf_json_number(pledge, "share"),
                 secured ? "the fleet as it was when the pledge was made" : "the fleet",
                 rf_duration_text(window, rf_json_number(pledge, "window_s")));
    if (isfinite(rf_json_number(pledge, "delivered_share")))
        rf_text_addf(page, " Received: %.1f %% of all device-time.",
                     100 * rf_json_number(pledge, "delivered_share"));
    rf_text_add(page, " Verdict: <strong>");
    rf_text_add_html(page, rf_json_text(pledge, "verdict"));
    rf_text_addf(page,
                 "</strong>. A window is kept when the account received what was promised, or as "
                 "much as its jobs could use, but for a delay of %s for each device of the "
                 "share.</p>\n",
                 rf_duration_text(window, rf_json_number(pledge, "tolerance_s")));
}

static void add_windows(struct rf_text *page, const json_t *pledge)
{
    static const char *const headings[] = {"window",   "verdict",  "promised",
                                           "usable",   "received", "missing"};
    const json_t *windows = rf_json_list(pledge, "windows");
    size_t n = json_array_size(windows);

    open_details(page, "Window by window");
    rf_markup_table(page, "By window, in device-hours", "llrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *window = json_array_get(windows, i);

        rf_markup_row(page);
        cell_span(page, rf_json_number(window, "begin_s"), rf_json_number(window, "end_s"));
        rf_markup_verdict(page, rf_json_text(window, "verdict"));
        cell_hours(page, rf_json_number(window, "entitled_device_s"));
        cell_hours(page, rf_json_number(window, "demanded_device_s"));
        cell_hours(page, rf_json_number(window, "delivered_device_s"));
        cell_hours(page, rf_json_number(window, "shortfall_device_s"));
    }
    rf_markup_end(page);
    add_cut(page, n);
    close_details(page);
}

/* The pledge made first for an account has the figures; later ones only change them. */
static int is_first(const json_t *pledges, size_t i)
{
    const char *account = rf_json_text(json_array_get(pledges, i), "account");

    for (size_t k = 0; k < i; k++)
        if (strcmp(rf_json_text(json_array_get(pledges, k), "account"), account) == 0)
            return 0;
    return 1;
}

/* The pace of the account's promise as first made. */
static const json_t *pace_of(const json_t *results, const char *account)
{
    const json_t *paces = rf_json_list(results, "paces");

    for (size_t i = 0; i < json_array_size(paces); i++) {
        const json_t *pace = json_array_get(paces, i);

        if (strcmp(rf_json_text(pace, "account"), account) == 0 &&
            !json_is_true(json_object_get(pace, "changed")))
            return pace;
    }
    return NULL;
}

static enum rf_status add_pledge(struct rf_text *page, struct rf_sim_page *in,
                                 const json_t *pledge, int first, struct rf_error *err)
{
    static const char *const kinds[] = {"up", "promised", "delivered"};
    const json_t *pace = pace_of(in->results, rf_json_text(pledge, "account"));
    char *share = NULL, *line = NULL, *arrears = NULL;
    enum rf_status st = RF_OK;

    if (first)
        st = rf_sim_figure_share(in->curves, pledge, rf_json_list(in->results, "changes"),
                                 &share, err);
    if (st == RF_OK && first)
        st = rf_sim_figure_pace(in->curves, pace, &line, err);
    if (st == RF_OK && first)
        st = rf_sim_figure_arrears(pace, &arrears, err);
    add_promise(page, pledge, first);
    add_figure(page, in, share,
               "Share of the fleet that the account held, as means over steps and since the "
               "start, against the pledge. Green windows are kept, red ones broken, yellow ones "
               "cannot be proven; dotted upright lines are changes of promise or policy.");
    if (first)
        add_numbers(page, in, "Devices, means over time", kinds, 3);
    add_figure(page, in, line,
               "Device-time delivered so far, against the share of the fleet as it is at each "
               "moment, and against a stock that was fixed when the pledge was made and is drawn "
               "down evenly over its term.");
    add_figure(page, in, arrears,
               "Arrears: how far the delivered device-time is behind each of these lines; below "
               "zero it is ahead.");
    add_windows(page, pledge);
    return st;
}

static void add_definition(struct rf_text *page, const json_t *row)
{
    const json_t *breach = json_object_get(row, "first_breach");
    const char *verdict = rf_json_text(row, "verdict");

    rf_markup_row(page);
    rf_markup_cell(page, rf_json_text(row, "definition"));
    rf_markup_verdict(page, strcmp(verdict, "not-asked") == 0 ? "not asked" : verdict);
    cell_count(page, rf_json_number(row, "judged"));
    cell_count(page, rf_json_number(row, "kept"));
    cell_count(page, rf_json_number(row, "not_asked"));
    cell_count(page, rf_json_number(row, "broken"));
    cell_hours(page, rf_json_number(row, "promised_device_s"));
    cell_hours(page, rf_json_number(row, "delivered_device_s"));
    cell_duration(page, rf_json_number(breach, "begin_s"));
    cell_hours(page, rf_json_number(breach, "promised_device_s"));
    cell_hours(page, rf_json_number(breach, "asked_device_s"));
    cell_hours(page, rf_json_number(breach, "delivered_device_s"));
}

static void add_service(struct rf_text *page, const json_t *rows)
{
    char wait[RF_DURATION_BYTES], requests[RF_DURATION_BYTES], denied[RF_DURATION_BYTES],
        hours[RF_DURATION_BYTES];

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (strcmp(rf_json_text(row, "definition"), "SERVICE") != 0 ||
            !(rf_json_number(row, "requests") > 0))
            continue;
        rf_text_add(page, "<p>Service to ");
        rf_text_add_html(page, rf_json_text(row, "account"));
        rf_text_addf(page,
                     "%s: of %s requests within the share, %s were denied (%s device-hours), and "
                     "95 %% of the others waited %s at most.</p>\n",
                     json_is_true(json_object_get(row, "changed")) ? " (as changed)" : "",
                     rf_count_text(requests, rf_json_number(row, "requests")),
                     rf_count_text(denied, rf_json_number(row, "denied")),
                     rf_count_text(hours, rf_json_number(row, "denied_device_s") / HOUR_S),
                     rf_duration_text(wait, rf_json_number(row, "wait_p95_s")));
    }
}

/* Rows of one promise stand together. */
static int same_promise(const json_t *a, const json_t *b)
{
    return strcmp(rf_json_text(a, "account"), rf_json_text(b, "account")) == 0 &&
           json_is_true(json_object_get(a, "changed")) ==
               json_is_true(json_object_get(b, "changed"));
}

static void add_definitions(struct rf_text *page, const json_t *rows)
{
    static const char *const headings[] = {
        "definition", "verdict",  "judged",         "kept",     "not asked", "broken",
        "promised",   "received", "first breach at", "promised", "asked",     "received"};
    size_t n = json_array_size(rows) < MOST_ROWS ? json_array_size(rows) : MOST_ROWS;
    char caption[200];

    if (n == 0)
        return;
    rf_text_add(page, "<h3>The same promise under each definition of it</h3>\n<p>A promise of a "
                      "share can be read in many ways, and the reading decides. Where the account "
                      "received less than promised because it asked for less, that is "
                      "&ldquo;not asked&rdquo;, never broken. Windows of a sliding definition "
                      "overlap, and so do their sums.</p>\n");
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);

        if (i == 0 || !same_promise(row, json_array_get(rows, i - 1))) {
            snprintf(caption, sizeof caption,
                     "Promised to %.63s%s: verdict under each definition; device-time in hours",
                     rf_json_text(row, "account"),
                     json_is_true(json_object_get(row, "changed")) ? ", as changed later"
                                                                   : ", as first made");
            rf_markup_table(page, caption, "llrrrrrrrrrr", headings);
        }
        add_definition(page, row);
        if (i + 1 == n || !same_promise(row, json_array_get(rows, i + 1)))
            rf_markup_end(page);
    }
    add_service(page, rows);
}

static void add_changes(struct rf_text *page, const json_t *changes)
{
    static const char *const headings[] = {"at", "what", "by", "reason"};
    size_t n = json_array_size(changes);
    char at[RF_DURATION_BYTES];

    if (n == 0)
        return;
    rf_markup_table(page, "Promises and policies, as they were made and changed", "rlll",
                    headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *change = json_array_get(changes, i);
        char what[200];

        if (strcmp(rf_json_text(change, "kind"), "pledge") == 0)
            snprintf(what, sizeof what, "%.63s: %.47s of the %s", rf_json_text(change, "account"),
                     rf_json_text(change, "share_exact"),
                     strcmp(rf_json_text(change, "basis"), "secured") == 0
                         ? "fleet secured at the date"
                         : "fleet");
        else
            snprintf(what, sizeof what, "policy: %.20s+%.20s", rf_json_text(change, "order"),
                     rf_json_text(change, "fence"));
        rf_markup_row(page);
        rf_text_addf(page, "<td class=\"n\">%s",
                     rf_duration_text(at, rf_json_number(change, "t_s")));
        rf_markup_cell(page, what);
        rf_markup_cell(page, rf_json_text(change, "author"));
        rf_markup_cell(page, rf_json_text(change, "reason"));
    }
    rf_markup_end(page);
    add_cut(page, n);
}

enum rf_status rf_sim_section_pledges(struct rf_text *page, struct rf_sim_page *in,
                                      struct rf_error *err)
{
    const json_t *pledges = rf_json_list(in->results, "pledges");
    size_t n = json_array_size(pledges);
    enum rf_status st = RF_OK;

    if (n == 0 && json_is_array(json_object_get(in->results, "cells")))
        return RF_OK;
    rf_text_add(page, "<section><h2>Was the promise kept?</h2>\n");
    if (n == 0)
        rf_text_add(page, "<p>Nothing was promised in this simulation.</p>\n");
    for (size_t i = 0; st == RF_OK && i < n; i++)
        st = add_pledge(page, in, json_array_get(pledges, i), is_first(pledges, i), err);
    add_changes(page, rf_json_list(in->results, "changes"));
    add_definitions(page, rf_json_list(in->results, "definitions"));
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- use ---- */

static void add_accounts(struct rf_text *page, const json_t *accounts)
{
    static const char *const headings[] = {"account", "jobs",       "device-hours", "of the fleet",
                                           "useful",  "lost",       "unfinished",   "mean wait",
                                           "denied",  "preempted"};
    size_t n = json_array_size(accounts);

    rf_markup_table(page,
                    "Accounts; each includes those below it. Useful, lost and unfinished are "
                    "parts of its device-time",
                    "lrrrrrrrrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *account = json_array_get(accounts, i);
        double held = rf_json_number(account, "device_s");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(account, "name"));
        cell_count(page, rf_json_number(account, "jobs"));
        cell_hours(page, held);
        rf_markup_number(page, 100 * rf_json_number(account, "share"), 1, " %");
        rf_markup_number(page, share_of(rf_json_number(account, "useful_device_s"), held), 1,
                         " %");
        rf_markup_number(page, share_of(rf_json_number(account, "lost_device_s"), held), 1, " %");
        rf_markup_number(page, share_of(rf_json_number(account, "unfinished_device_s"), held), 1,
                         " %");
        cell_duration(page, rf_json_number(account, "wait_mean_s"));
        cell_count(page, rf_json_number(account, "denied"));
        cell_count(page, rf_json_number(account, "preempted"));
    }
    rf_markup_end(page);
    add_cut(page, n);
}

enum rf_status rf_sim_section_use(struct rf_text *page, struct rf_sim_page *in,
                                  struct rf_error *err)
{
    static const char *const kinds[] = {"used", "up"};
    const json_t *accounts = rf_json_list(in->results, "accounts");
    char *use = NULL, *utilization = NULL;
    enum rf_status st = rf_sim_figure_use(in->curves, &use, err);

    if (st == RF_OK)
        st = rf_sim_figure_utilization(in->curves, &utilization, err);
    if (json_array_size(accounts) == 0 && use == NULL) {
        free(utilization);
        return st;
    }
    rf_text_add(page, "<section><h2>Who had the devices?</h2>\n");
    add_figure(page, in, use,
               "Devices held by each account, stacked, as means over steps; the space below the "
               "dashed line that is not filled was idle.");
    add_figure(page, in, utilization, "Part of the fleet that was in use.");
    add_numbers(page, in, "Devices, means over time", kinds, 2);
    add_accounts(page, accounts);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- books ---- */

static void add_book(struct rf_text *page, const char *name, double device_s, double all)
{
    rf_markup_row(page);
    rf_markup_cell(page, name);
    cell_hours(page, device_s);
    rf_markup_number(page, share_of(device_s, all), 2, " %");
}

static void add_pages(struct rf_text *page, const json_t *pages)
{
    static const char *const headings[] = {"account",  "promised",        "own use",
                                           "borrowed", "overhead",        "promised, idle",
                                           "down: its share"};

    rf_markup_table(page, "The books by account, in device-hours", "lrrrrrr", headings);
    for (size_t i = 0; i < json_array_size(pages); i++) {
        const json_t *row = json_array_get(pages, i);
        const char *name = rf_json_text(row, "account");

        rf_markup_row(page);
        rf_markup_cell(page, name[0] != '\0' ? name : "everybody else");
        cell_hours(page, rf_json_number(row, "reserved_device_s"));
        cell_hours(page, rf_json_number(row, "own_device_s"));
        cell_hours(page, rf_json_number(row, "lent_device_s"));
        cell_hours(page, rf_json_number(row, "overhead_device_s"));
        cell_hours(page, rf_json_number(row, "idle_device_s"));
        cell_hours(page, rf_json_number(row, "down_device_s"));
    }
    rf_markup_end(page);
}

enum rf_status rf_sim_section_books(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"where", "device-hours", "of all"};
    const json_t *books = json_object_get(in->results, "books");
    double all = rf_json_number(books, "installed_device_s");
    char *svg = NULL;
    enum rf_status st = RF_OK;

    if (!json_is_object(books))
        return RF_OK;
    st = rf_sim_figure_books(in->curves, &svg, err);
    rf_text_add(page, "<section><h2>Where did the device-time go?</h2>\n<p>Every "
                      "device-microsecond that was installed is in exactly one of these "
                      "rows.</p>\n");
    add_figure(page, in, svg, "Where every device was, stacked up to what was installed.");
    rf_markup_table(page, "The books", "lrr", headings);
    add_book(page, "used within the own share, or on devices promised to nobody",
             rf_json_number(books, "own_device_s"), all);
    add_book(page, "lent: used on devices promised to somebody else",
             rf_json_number(books, "lent_device_s"), all);
    add_book(page, "overhead: checkpoints, restarts, work done twice",
             rf_json_number(books, "overhead_device_s"), all);
    add_book(page, "idle, reserved for a pledge", rf_json_number(books, "idle_reserved_device_s"),
             all);
    add_book(page, "idle, free", rf_json_number(books, "idle_free_device_s"), all);
    add_book(page, "down: failed", rf_json_number(books, "failed_device_s"), all);
    add_book(page, "down: maintenance", rf_json_number(books, "maintenance_device_s"), all);
    add_book(page, "installed", all, all);
    rf_markup_end(page);
    if (json_array_size(rf_json_list(books, "pages")) > 1)
        add_pages(page, rf_json_list(books, "pages"));
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- waits ---- */

static void add_part(struct rf_text *page, const char *name, const json_t *part)
{
    const json_t *wait = json_object_get(part, "wait_s");
    const json_t *slowdown = json_object_get(part, "bounded_slowdown");

    rf_markup_row(page);
    rf_markup_cell(page, name);
    cell_count(page, rf_json_number(part, "jobs"));
    cell_duration(page, rf_json_number(wait, "mean"));
    cell_duration(page, rf_json_number(wait, "p50"));
    cell_duration(page, rf_json_number(wait, "p95"));
    cell_duration(page, rf_json_number(wait, "p99"));
    cell_duration(page, rf_json_number(wait, "max"));
    rf_markup_number(page, rf_json_number(slowdown, "mean"), 2, "");
    rf_markup_number(page, rf_json_number(slowdown, "p95"), 2, "");
}

/* Percent of a group's jobs that waited less than the edges. */
static void add_group_waits(struct rf_text *page, const json_t *group, const json_t *edges)
{
    static const double limits_s[] = {1, 100, 3162.278, 100000, 1000000};
    const json_t *counts = rf_json_list(group, "jobs");
    double all = 0;

    for (size_t k = 0; k < json_array_size(counts); k++)
        all += json_number_value(json_array_get(counts, k));
    rf_markup_row(page);
    rf_markup_cell(page, rf_json_text(group, "name"));
    cell_count(page, all);
    for (size_t l = 0; l < sizeof limits_s / sizeof *limits_s; l++) {
        double sum = 0;

        for (size_t k = 0; k < json_array_size(counts); k++)
            if (json_number_value(json_array_get(edges, k)) < 0.999 * limits_s[l])
                sum += json_number_value(json_array_get(counts, k));
        rf_markup_number(page, share_of(sum, all), 1, " %");
    }
}

static void add_histogram(struct rf_text *page, const json_t *histogram)
{
    static const char *const headings[] = {"account",  "jobs",   "1 s",   "100 s",
                                           "53 min", "28 h", "11.6 d"};
    const json_t *groups = rf_json_list(histogram, "groups");

    open_details(page, "The numbers");
    rf_markup_table(page, "Part of the jobs that waited less than", "lrrrrrr", headings);
    for (size_t g = 0; g < json_array_size(groups); g++)
        add_group_waits(page, json_array_get(groups, g), rf_json_list(histogram, "edges_s"));
    rf_markup_end(page);
    close_details(page);
}

enum rf_status rf_sim_section_waits(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"jobs of", "jobs", "mean wait", "half below",
                                           "95 % below", "99 % below", "longest",
                                           "mean slowdown", "95 % below"};
    static const char *const kinds[] = {"queued"};
    const json_t *histogram = json_object_get(in->results, "wait_histogram");
    char *queue = NULL, *waits = NULL;
    enum rf_status st;

    if (!json_is_object(histogram))
        return RF_OK;
    st = rf_sim_figure_queue(in->curves, &queue, err);
    if (st == RF_OK)
        st = rf_sim_figure_waits(histogram, &waits, err);
    rf_text_add(page, "<section><h2>Who had to wait?</h2>\n");
    add_figure(page, in, queue, "Devices that waiting jobs ask for, as means over steps.");
    if (queue != NULL)
        add_numbers(page, in, "Devices that waiting jobs ask for, means over time", kinds, 1);
    add_figure(page, in, waits,
               "How many of an account's jobs that started had waited less than so long; the "
               "higher and the further left a line, the less its account waits.");
    add_histogram(page, histogram);
    rf_markup_table(page,
                    "Waits until the first start; slowdown: time from submission to end over "
                    "run time, or over 10 s when that is longer",
                    "lrrrrrrrr", headings);
    add_part(page, "all accounts", in->results);
    if (rf_json_number(json_object_get(in->results, "pledged"), "jobs") > 0) {
        add_part(page, "pledged accounts", json_object_get(in->results, "pledged"));
        add_part(page, "the others", json_object_get(in->results, "others"));
    }
    rf_markup_end(page);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- denials and delays ---- */

static void add_denials(struct rf_text *page, const json_t *denials)
{
    static const char *const headings[] = {"account", "reason", "requests",
                                           "device-hours asked for"};
    size_t n = json_array_size(denials);

    rf_markup_table(page, "Denied, by account and reason", "llrr", headings);
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *row = json_array_get(denials, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(row, "account"));
        rf_markup_cell(page, rf_json_text(row, "reason"));
        cell_count(page, rf_json_number(row, "requests"));
        cell_hours(page, rf_json_number(row, "asked_device_s"));
    }
    rf_markup_end(page);
    add_cut(page, n);
}

static void add_delays(struct rf_text *page, const json_t *delays)
{
    static const char *const headings[] = {"reason", "times"};

    rf_markup_table(page, "Why jobs waited: how often each reason was recorded", "lr", headings);
    for (size_t i = 0; i < json_array_size(delays); i++) {
        const json_t *row = json_array_get(delays, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(row, "reason"));
        cell_count(page, rf_json_number(row, "times"));
    }
    rf_markup_end(page);
}

enum rf_status rf_sim_section_denials(struct rf_text *page, struct rf_sim_page *in,
                                      struct rf_error *err)
{
    static const char *const kinds[] = {"denied"};
    const json_t *denials = rf_json_list(in->results, "denials");
    const json_t *delays = rf_json_list(in->results, "delays");
    char *svg = NULL;
    char denied[RF_DURATION_BYTES], jobs[RF_DURATION_BYTES];
    enum rf_status st;

    if (json_array_size(denials) + json_array_size(delays) == 0)
        return RF_OK;
    st = rf_sim_figure_denials(in->curves, &svg, err);
    rf_text_addf(page,
                 "<section><h2>Who was turned down, and why?</h2>\n<p>%s of %s requests were "
                 "denied.</p>\n",
                 rf_count_text(denied, rf_json_number(in->results, "denied")),
                 rf_count_text(jobs, rf_json_number(in->results, "jobs")));
    add_figure(page, in, svg, "Requests denied so far, by reason.");
    if (json_array_size(denials) > 0) {
        add_numbers(page, in, "Requests denied in each stretch of time", kinds, 1);
        add_denials(page, denials);
    }
    if (json_array_size(delays) > 0)
        add_delays(page, delays);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- ledger ---- */

void rf_sim_section_ledger(struct rf_text *page, const struct rf_sim_page *in)
{
    const json_t *ledger = json_object_get(in->results, "ledger");
    const char *digest = rf_json_text(in->results, "schedule_digest");
    char entries[RF_DURATION_BYTES];

    if (digest[0] == '\0')
        return;
    rf_text_add(page, "<section><h2>How can I check this?</h2>\n<p>The same configuration gives "
                      "the same schedule on any machine; its digest is below.");
    if (json_is_object(ledger)) {
        rf_text_add(page, " Every event is in the ledger, which can be replayed through the same "
                          "rules:</p>\n<pre>ringfence audit ");
        rf_text_add_html(page, rf_json_text(ledger, "path"));
        rf_text_add(page, "</pre>\n");
    } else {
        rf_text_add(page, " With <code>--ledger</code> the simulation also writes every event "
                          "to a ledger that <code>ringfence audit</code> replays to the same "
                          "verdict.</p>\n");
    }
    rf_text_add(page, "<dl><dt>schedule</dt><dd>");
    rf_text_add_html(page, digest);
    rf_text_add(page, "</dd>\n");
    if (json_is_object(ledger)) {
        rf_text_addf(page, "<dt>entries</dt><dd>%s</dd>\n<dt>head</dt><dd>",
                     rf_count_text(entries, rf_json_number(ledger, "entries")));
        rf_text_add_html(page, rf_json_text(ledger, "head"));
        rf_text_add(page, "</dd>\n");
    }
    rf_text_add(page, "</dl></section>\n");
}
