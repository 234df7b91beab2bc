#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/duration.h"
#include "report/json.h"
#include "report/sim_figures.h"
#include "report/sim_markup.h"

static void cell_span(struct rf_text *page, double begin_s, double end_s)
{
    char begin[RF_DURATION_BYTES], end[RF_DURATION_BYTES];

    rf_markup_open(page, 0);
    rf_text_addf(page, "%s to %s", rf_duration_text(begin, begin_s),
                 rf_duration_text(end, end_s));
}

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
    rf_text_addf(
        page,
        "</strong>. A window is kept when the account received what was promised, or as "
        "much as its jobs could use, but for a delay of %s for each device of the "
        "share.</p>\n",
        rf_duration_text(window, rf_json_number(pledge, "tolerance_s")));
}

static void add_windows(struct rf_text *page, const json_t *pledge)
{
    static const char *const headings[] = {"window", "verdict",  "promised",
                                           "usable", "received", "missing"};
    const json_t *windows = rf_json_list(pledge, "windows");
    size_t n = json_array_size(windows);

    rf_sim_details_begin(page, "Window by window");
    rf_markup_table(page, "By window, in device-hours", "llrrrr", headings);
    for (size_t i = 0; i < n && i < RF_SIM_ROWS; i++) {
        const json_t *window = json_array_get(windows, i);

        rf_markup_row(page);
        cell_span(page, rf_json_number(window, "begin_s"), rf_json_number(window, "end_s"));
        rf_markup_verdict(page, rf_json_text(window, "verdict"));
        rf_sim_cell_hours(page, rf_json_number(window, "entitled_device_s"));
        rf_sim_cell_hours(page, rf_json_number(window, "demanded_device_s"));
        rf_sim_cell_hours(page, rf_json_number(window, "delivered_device_s"));
        rf_sim_cell_hours(page, rf_json_number(window, "shortfall_device_s"));
    }
    rf_markup_end(page);
    rf_sim_cut(page, n);
    rf_sim_details_end(page);
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
    rf_sim_figure(
        page, in, share,
        "Share of the fleet that the account held, as means over steps and since the "
        "start, against the pledge. Green windows are kept, red ones broken, yellow ones "
        "cannot be proven; dotted upright lines are changes of promise or policy.");
    rf_sim_figure(
        page, in, line,
        "Device-time delivered so far, against the share of the fleet as it is at each "
        "moment, and against a stock that was fixed when the pledge was made and is drawn "
        "down evenly over its term.");
    rf_sim_figure(
        page, in, arrears,
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
    rf_sim_cell_count(page, rf_json_number(row, "judged"));
    rf_sim_cell_count(page, rf_json_number(row, "kept"));
    rf_sim_cell_count(page, rf_json_number(row, "not_asked"));
    rf_sim_cell_count(page, rf_json_number(row, "broken"));
    rf_sim_cell_hours(page, rf_json_number(row, "promised_device_s"));
    rf_sim_cell_hours(page, rf_json_number(row, "delivered_device_s"));
    rf_sim_cell_duration(page, rf_json_number(breach, "begin_s"));
    rf_sim_cell_hours(page, rf_json_number(breach, "promised_device_s"));
    rf_sim_cell_hours(page, rf_json_number(breach, "asked_device_s"));
    rf_sim_cell_hours(page, rf_json_number(breach, "delivered_device_s"));
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
        rf_text_addf(
            page,
            "%s: of %s requests within the share, %s were denied (%s device-hours), and "
            "95 %% of the others waited %s at most.</p>\n",
            json_is_true(json_object_get(row, "changed")) ? " (as changed)" : "",
            rf_count_text(requests, rf_json_number(row, "requests")),
            rf_count_text(denied, rf_json_number(row, "denied")),
            rf_count_text(hours, rf_json_number(row, "denied_device_s") / RF_SIM_HOUR_S),
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
        "definition", "verdict",  "judged",          "kept",     "not asked", "broken",
        "promised",   "received", "first breach at", "promised", "asked",     "received"};
    size_t n = json_array_size(rows) < RF_SIM_ROWS ? json_array_size(rows) : RF_SIM_ROWS;
    char caption[200];

    if (n == 0)
        return;
    rf_text_add(page,
                "<h3>The same promise under each definition of it</h3>\n<p>A promise of a "
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

    if (n == 0)
        return;
    rf_markup_table(page, "Promises and policies, as they were made and changed", "rlll",
                    headings);
    for (size_t i = 0; i < n && i < RF_SIM_ROWS; i++) {
        const json_t *change = json_array_get(changes, i);
        char what[200];

        if (strcmp(rf_json_text(change, "kind"), "pledge") == 0)
            snprintf(what, sizeof what, "%.63s: %.47s of the %s",
                     rf_json_text(change, "account"), rf_json_text(change, "share_exact"),
                     strcmp(rf_json_text(change, "basis"), "secured") == 0
                         ? "fleet secured at the date"
                         : "fleet");
        else
            snprintf(what, sizeof what, "policy: %.20s+%.20s", rf_json_text(change, "order"),
                     rf_json_text(change, "fence"));
        rf_markup_row(page);
        rf_sim_cell_duration(page, rf_json_number(change, "t_s"));
        rf_markup_cell(page, what);
        rf_markup_cell(page, rf_json_text(change, "author"));
        rf_markup_cell(page, rf_json_text(change, "reason"));
    }
    rf_markup_end(page);
    rf_sim_cut(page, n);
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
