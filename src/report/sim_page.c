#include "report/sim_page.h"

#include <math.h>
#include <time.h>

#include "base/file.h"
#include "report/duration.h"
#include "report/json.h"
#include "report/page.h"
#include "report/sim_sections.h"

/* More steps than a plot has room for would only make the page heavy. */
enum { MOST_STEPS = 300 };

static void add_text(struct rf_text *page, const char *text)
{
    rf_text_add_html(page, text);
}

static void add_origin(struct rf_text *page, const json_t *results)
{
    double origin_us = rf_json_number(results, "origin_us");
    time_t origin = origin_us > 0 && origin_us < 4e15 ? (time_t)(origin_us / 1e6) : 0;
    struct tm utc;
    char text[64];

    if (origin == 0 || gmtime_r(&origin, &utc) == NULL)
        return;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    rf_text_addf(page, "; time 0 is %s", text);
}

static void add_top(struct rf_text *page, const json_t *results)
{
    const json_t *policy = json_object_get(results, "policy");
    const char *about = rf_json_text(results, "about"), *trace = rf_json_text(results, "trace");
    char text[RF_DURATION_BYTES];

    rf_text_add(page, "<header><h1>Simulation ");
    add_text(page, rf_json_text(results, "run"));
    rf_text_add(page, "</h1>\n<p>");
    add_text(page, about);
    rf_text_add(page, about[0] != '\0' ? "</p>\n<p>" : "");
    if (json_is_object(policy)) {
        rf_text_add(page, "Policy ");
        add_text(page, rf_json_text(policy, "order"));
        rf_text_add(page, "+");
        add_text(page, rf_json_text(policy, "fence"));
        rf_text_add(page, ", ");
    }
    if (isfinite(rf_json_number(results, "seed")))
        rf_text_addf(page, "seed %.0f", rf_json_number(results, "seed"));
    if (trace[0] != '\0')
        rf_text_add(page, ", jobs from ");
    add_text(page, trace);
    add_origin(page, results);
    rf_text_add(page, ".</p>\n<ul class=\"facts\">\n");
    rf_page_verdict(page, rf_page_worst_verdict(rf_json_list(results, "pledges")));
    if (isfinite(rf_json_number(results, "jobs")))
        rf_page_text_fact(page, rf_count_text(text, rf_json_number(results, "jobs")), "jobs");
    if (isfinite(rf_json_number(results, "devices")))
        rf_page_text_fact(page, rf_count_text(text, rf_json_number(results, "devices")),
                          "devices");
    if (isfinite(rf_json_number(results, "makespan_s")))
        rf_page_text_fact(page, rf_duration_text(text, rf_json_number(results, "makespan_s")),
                          "simulated");
    rf_page_fact(page, 100 * rf_json_number(results, "utilization"), 1, " %", "in use");
    if (isfinite(rf_json_number(json_object_get(results, "wait_s"), "mean")))
        rf_page_text_fact(
            page,
            rf_duration_text(text, rf_json_number(json_object_get(results, "wait_s"), "mean")),
            "mean wait");
    rf_page_fact(page, rf_json_number(json_object_get(results, "bounded_slowdown"), "mean"), 2,
                 "", "mean slowdown");
    rf_text_add(page, "</ul>\n</header>\n");
}

static enum rf_status add_sections(struct rf_text *page, struct rf_sim_page *in,
                                   struct rf_error *err)
{
    enum rf_status st = rf_sim_section_sweep(page, in, err);

    if (st == RF_OK)
        st = rf_sim_section_pledges(page, in, err);
    if (st == RF_OK)
        st = rf_sim_section_use(page, in, err);
    if (st == RF_OK)
        st = rf_sim_section_books(page, in, err);
    if (st == RF_OK)
        st = rf_sim_section_waits(page, in, err);
    if (st == RF_OK)
        st = rf_sim_section_denials(page, in, err);
    if (st == RF_OK)
        rf_sim_section_ledger(page, in);
    return st;
}

static enum rf_status read_curves(struct rf_curves *curves, const char *run_dir, int *there,
                                  struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct rf_curves all = {0};
    enum rf_status st = rf_file_join(path, run_dir, "series.csv", err);

    *there = st == RF_OK && rf_file_exists(path);
    if (!*there)
        return st;
    st = rf_curves_read(&all, path, err);
    if (st == RF_OK)
        st = rf_curves_thin(curves, &all, MOST_STEPS, err);
    rf_curves_clear(&all);
    return st;
}

enum rf_status rf_sim_page_make(struct rf_text *page, const char *run_dir,
                                const json_t *results, struct rf_error *err)
{
    struct rf_curves curves = {0};
    struct rf_sim_page in = {results, &curves, 0};
    int there = 0;
    enum rf_status st = read_curves(&curves, run_dir, &there, err);

    if (st == RF_OK) {
        rf_page_head(page, rf_json_text(results, "run"));
        add_top(page, results);
        st = add_sections(page, &in, err);
    }
    if (st == RF_OK)
        rf_page_foot(page, rf_json_text(results, "version"),
                     there ? "results.json and series.csv" : "results.json", in.plots);
    rf_curves_clear(&curves);
    return st == RF_OK && page->failed
               ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the report")
               : st;
}
