#include "report/html.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "report/json.h"
#include "report/page.h"
#include "report/scale.h"
#include "report/sections.h"
#include "report/sim_page.h"
#include "report/study.h"
#include "report/text.h"

/* More steps than a screen has pixels would only make the page heavy. */
enum { MOST_STEPS = 800 };

static void add_started(struct rf_text *page, const json_t *results)
{
    double start_us = rf_json_number(results, "start_us");
    time_t start = start_us > 0 && start_us < 4e15 ? (time_t)(start_us / 1e6) : 0;
    struct tm utc;
    char text[64];

    /* a simulated clock starts at nought; only a real one has a date */
    if (start < 1000000000 || gmtime_r(&start, &utc) == NULL)
        return;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
    rf_text_addf(page, ", started %s", text);
}

/* A resumed run went for longer than its last start. */
static void add_length(struct rf_text *page, const json_t *results)
{
    double wall_s = rf_json_number(results, "wall_s");
    double going_s =
        rf_json_number(results, "capacity_device_s") / rf_json_number(results, "devices");

    if (isfinite(going_s) && going_s > 1.1 * wall_s + 1)
        rf_page_fact(page, going_s, 1, " s", "of going, in several starts");
    else
        rf_page_fact(page, wall_s, 1, " s", "wall clock");
}

static void add_top(struct rf_text *page, const json_t *results)
{
    rf_text_add(page, "<header><h1>Run ");
    rf_text_add_html(page, rf_json_text(results, "run"));
    rf_text_add(page, "</h1>\n<p>Policy ");
    rf_text_add_html(page, rf_json_text(results, "policy"));
    rf_text_addf(page, ", seed %.0f", rf_json_number(results, "seed"));
    add_started(page, results);
    rf_text_add(page, ".</p>\n<ul class=\"facts\">\n");
    rf_page_verdict(page, rf_page_worst_verdict(rf_json_list(results, "pledges")));
    rf_page_fact(page, rf_json_number(results, "devices"), 0, "", "devices");
    add_length(page, results);
    rf_page_fact(page, 100 * rf_json_number(results, "utilization"), 1, " %",
                 "of device-time in use");
    rf_page_fact(page, (double)json_array_size(rf_json_list(results, "jobs")), 0, "", "jobs");
    rf_text_add(page, "</ul>\n");
    if (json_is_true(json_object_get(results, "interrupted")))
        rf_text_add(page, "<p class=\"notice\">A signal stopped this run before its jobs were "
                          "done; it can be resumed.</p>\n");
    rf_text_add(page, "</header>\n");
}

/* The page must not claim more than its evidence. */
static void add_warnings(struct rf_text *page, const json_t *results,
                         const struct rf_timeline *timeline)
{
    const struct rf_ledger_check *check = &timeline->check;
    const char *head = rf_json_text(json_object_get(results, "ledger"), "head");

    if (!check->chain_ok || check->first_bad_seq >= 0)
        rf_text_add(page, "<p class=\"notice\">The ledger does not verify: see the end of this "
                          "page.</p>\n");
    else if (head[0] != '\0' && strcmp(head, check->head) != 0)
        rf_text_add(page, "<p class=\"notice\">The ledger is not the one that the results were "
                          "written with: their heads differ.</p>\n");
}

static enum rf_status add_sections(struct rf_text *page, struct rf_report_input *in,
                                   struct rf_error *err)
{
    enum rf_status st = rf_section_pledges(page, in, err);

    if (st == RF_OK)
        st = rf_section_accounts(page, in, err);
    if (st == RF_OK)
        st = rf_section_experiments(page, in, err);
    if (st == RF_OK)
        st = rf_section_study(page, in, err);
    if (st == RF_OK)
        st = rf_section_jobs(page, in, err);
    if (st == RF_OK)
        st = rf_section_waits(page, in, err);
    if (st == RF_OK)
        rf_section_ledger(page, in);
    return st;
}

static enum rf_status make_page(struct rf_text *page, const json_t *results,
                                const struct rf_timeline *timeline, struct rf_error *err)
{
    struct rf_usage usage;
    struct rf_report_input in = {results, timeline, &usage, 0};
    enum rf_status st = rf_usage_make(&usage, timeline, MOST_STEPS, err);

    if (st == RF_OK) {
        rf_page_head(page, rf_json_text(results, "run"));
        add_top(page, results);
        add_warnings(page, results, timeline);
        st = add_sections(page, &in, err);
    }
    if (st == RF_OK)
        rf_page_foot(page, rf_json_text(results, "version"), "results.json and ledger.jsonl",
                     in.plots);
    rf_usage_clear(&usage);
    return st == RF_OK && page->failed
               ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the report")
               : st;
}

static enum rf_status make_run_page(struct rf_text *page, const char *run_dir,
                                    const json_t *results, struct rf_error *err)
{
    char ledger_path[RF_PATH_BYTES];
    struct rf_timeline timeline = {0};
    enum rf_status st = rf_file_join(ledger_path, run_dir, "ledger.jsonl", err);

    if (st == RF_OK)
        st = rf_timeline_read(&timeline, ledger_path, err);
    if (st == RF_OK)
        st = make_page(page, results, &timeline, err);
    rf_timeline_clear(&timeline);
    return st;
}

enum rf_status rf_report_make(struct rf_text *page, const char *run_dir, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    json_t *results = NULL;
    enum rf_status st = rf_file_join(path, run_dir, "results.json", err);

    if (st == RF_OK)
        st = rf_json_read(&results, path, err);
    if (st == RF_OK && strcmp(rf_json_text(results, "command"), "simulate") == 0)
        st = rf_sim_page_make(page, run_dir, results, err);
    else if (st == RF_OK && strcmp(rf_json_text(results, "command"), "scale") == 0)
        st = rf_scale_page_make(page, results, err);
    else if (st == RF_OK)
        st = make_run_page(page, run_dir, results, err);
    json_decref(results);
    return st;
}

enum rf_status rf_report_write(const char *run_dir, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct rf_text page = {0};
    enum rf_status st = rf_file_join(path, run_dir, "report.html", err);

    if (st == RF_OK)
        st = rf_report_make(&page, run_dir, err);
    if (st == RF_OK)
        st = rf_file_write(path, page.data, page.size, err);
    rf_text_clear(&page);
    return st;
}
