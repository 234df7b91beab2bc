#include "report/html.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "report/json.h"
#include "report/sections.h"

/* More steps than a screen has pixels would only make the page heavy. */
enum { MOST_STEPS = 800 };

static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6470;--line:#d9dde2;--paper:#fff;"
    "--card:#f5f6f8;--good:#1d7a46;--bad:#c02a3e;--open:#8a6d00}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa4b0;--line:#363c44;"
    "--paper:#14171a;--card:#1d2125;--good:#5fc98c;--bad:#f07a89;--open:#e0bf4f}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 "
    "system-ui,sans-serif}\n"
    "main{max-width:54rem;margin:0 auto;padding:1rem}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.8rem 0 .3rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:1px solid "
    "var(--line)}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    "figure{margin:1rem 0}\n"
    "figure svg{display:block;width:100%;max-width:46rem;height:auto;font-family:inherit}\n"
    "figcaption,caption{color:var(--soft);font-size:.875rem;text-align:left}\n"
    "figcaption{max-width:46rem}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;min-width:50%}\n"
    "caption{padding-bottom:.3rem}\n"
    "th,td{padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:600;color:var(--soft);vertical-align:bottom}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}\n"
    ".facts li{background:var(--card);border-radius:.5rem;padding:.5rem .8rem}\n"
    ".facts b{display:block;font-size:1.15rem}\n"
    ".facts span{color:var(--soft);font-size:.875rem}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}\n"
    ".notice{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem}\n"
    "pre{background:var(--card);padding:.6rem .8rem;border-radius:.5rem;overflow-x:auto}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "footer{color:var(--soft);font-size:.875rem;margin:2.5rem 0 1rem}\n"
    "@media print{body{font-size:.8rem}.scroll{overflow:visible}}\n"
    "</style>\n";

static void add_head(struct rf_text *page, const json_t *results)
{
    rf_text_add(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'\">\n<title>");
    rf_text_add_html(page, rf_json_text(results, "run"));
    rf_text_add(page, " - ringfence report</title>\n");
    rf_text_add(page, STYLE);
    rf_text_add(page, "</head>\n<body><main>\n");
}

/* A broken pledge outweighs an unprovable one, and that a kept one. */
static const char *verdict_of(const json_t *results)
{
    const json_t *pledges = rf_json_list(results, "pledges");
    const char *worst = "";

    for (size_t i = 0; i < json_array_size(pledges); i++) {
        const char *verdict = rf_json_text(json_array_get(pledges, i), "verdict");

        if (strcmp(verdict, "broken") == 0 || worst[0] == '\0' || strcmp(worst, "kept") == 0)
            worst = verdict;
    }
    return worst;
}

static void add_verdict_fact(struct rf_text *page, const char *verdict)
{
    const char *look = strcmp(verdict, "kept") == 0     ? "good"
                       : strcmp(verdict, "broken") == 0 ? "bad"
                                                        : "open";

    if (verdict[0] == '\0')
        return;
    rf_text_addf(page, "<li><b class=\"%s\">", look);
    rf_text_add_html(page, verdict);
    rf_text_add(page, "</b><span>pledge</span></li>\n");
}

static void add_fact(struct rf_text *page, double value, int digits, const char *suffix,
                     const char *what)
{
    if (isfinite(value))
        rf_text_addf(page, "<li><b>%.*f%s</b><span>%s</span></li>\n", digits, value, suffix,
                     what);
}

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

static void add_top(struct rf_text *page, const json_t *results)
{
    rf_text_add(page, "<header><h1>Run ");
    rf_text_add_html(page, rf_json_text(results, "run"));
    rf_text_add(page, "</h1>\n<p>Policy ");
    rf_text_add_html(page, rf_json_text(results, "policy"));
    rf_text_addf(page, ", seed %.0f", rf_json_number(results, "seed"));
    add_started(page, results);
    rf_text_add(page, ".</p>\n<ul class=\"facts\">\n");
    add_verdict_fact(page, verdict_of(results));
    add_fact(page, rf_json_number(results, "devices"), 0, "", "devices");
    add_fact(page, rf_json_number(results, "wall_s"), 1, " s", "wall clock");
    add_fact(page, 100 * rf_json_number(results, "utilization"), 1, " %",
             "of device-time in use");
    add_fact(page, (double)json_array_size(rf_json_list(results, "jobs")), 0, "", "jobs");
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
        st = rf_section_jobs(page, in, err);
    if (st == RF_OK)
        st = rf_section_waits(page, in, err);
    if (st == RF_OK)
        rf_section_ledger(page, in);
    return st;
}

static void add_foot(struct rf_text *page, const struct rf_report_input *in)
{
    rf_text_add(page, "<footer><p>Made by ringfence ");
    rf_text_add_html(page, rf_json_text(in->results, "version"));
    rf_text_add(page, " from results.json and ledger.jsonl. This page loads nothing from a "
                      "network and runs no script.");
    if (!in->plots)
        rf_text_add(page, " Plots were left out because gnuplot could not be run; after "
                          "installing it, `ringfence report` adds them.");
    rf_text_add(page, "</p></footer>\n</main></body></html>\n");
}

static enum rf_status make_page(struct rf_text *page, const json_t *results,
                                const struct rf_timeline *timeline, struct rf_error *err)
{
    struct rf_usage usage;
    struct rf_report_input in = {results, timeline, &usage, 0};
    enum rf_status st = rf_usage_make(&usage, timeline, MOST_STEPS, err);

    if (st == RF_OK) {
        add_head(page, results);
        add_top(page, results);
        add_warnings(page, results, timeline);
        st = add_sections(page, &in, err);
    }
    if (st == RF_OK)
        add_foot(page, &in);
    rf_usage_clear(&usage);
    return st == RF_OK && page->failed
               ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the report")
               : st;
}

enum rf_status rf_report_write(const char *run_dir, struct rf_error *err)
{
    char results_path[RF_PATH_BYTES], ledger_path[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_timeline timeline = {0};
    struct rf_text page = {0};
    json_t *results = NULL;
    enum rf_status st = rf_file_join(results_path, run_dir, "results.json", err);

    if (st == RF_OK)
        st = rf_file_join(ledger_path, run_dir, "ledger.jsonl", err);
    if (st == RF_OK)
        st = rf_file_join(path, run_dir, "report.html", err);
    if (st == RF_OK)
        st = rf_json_read(&results, results_path, err);
    if (st == RF_OK)
        st = rf_timeline_read(&timeline, ledger_path, err);
    if (st == RF_OK)
        st = make_page(&page, results, &timeline, err);
    if (st == RF_OK)
        st = rf_file_write(path, page.data, page.size, err);
    rf_text_clear(&page);
    rf_timeline_clear(&timeline);
    json_decref(results);
    return st;
}
