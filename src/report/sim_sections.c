/* Every section but the one on pledges and the sweep, which have files of their own. */
#include "report/sim_sections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/duration.h"
#include "report/json.h"
#include "report/sim_figures.h"
#include "report/sim_markup.h"

/* ---- use ---- */

static void add_accounts(struct rf_text *page, const json_t *accounts)
{
    static const char *const headings[] = {
        "account", "jobs",       "device-hours", "of the fleet", "useful",
        "lost",    "unfinished", "mean wait",    "denied",       "preempted"};
    size_t n = json_array_size(accounts);

    rf_markup_table(page,
                    "Accounts; each includes those below it. Useful, lost and unfinished are "
                    "parts of its device-time",
                    "lrrrrrrrrr", headings);
    for (size_t i = 0; i < n && i < RF_SIM_ROWS; i++) {
        const json_t *account = json_array_get(accounts, i);
        double held = rf_json_number(account, "device_s");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(account, "name"));
        rf_sim_cell_count(page, rf_json_number(account, "jobs"));
        rf_sim_cell_hours(page, held);
        rf_markup_number(page, 100 * rf_json_number(account, "share"), 1, " %");
        rf_markup_number(page, rf_sim_percent(rf_json_number(account, "useful_device_s"), held),
                         1, " %");
        rf_markup_number(page, rf_sim_percent(rf_json_number(account, "lost_device_s"), held),
                         1, " %");
        rf_markup_number(page,
                         rf_sim_percent(rf_json_number(account, "unfinished_device_s"), held),
                         1, " %");
        rf_sim_cell_duration(page, rf_json_number(account, "wait_mean_s"));
        rf_sim_cell_count(page, rf_json_number(account, "denied"));
        rf_sim_cell_count(page, rf_json_number(account, "preempted"));
    }
    rf_markup_end(page);
    rf_sim_cut(page, n);
}

enum rf_status rf_sim_section_use(struct rf_text *page, struct rf_sim_page *in,
                                  struct rf_error *err)
{
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
    rf_sim_figure(
        page, in, use,
        "Devices held by each account, stacked, as means over steps; the space below the "
        "dashed line that is not filled was idle.");
    rf_sim_figure(page, in, utilization, "Part of the fleet that was in use.");
    add_accounts(page, accounts);
    rf_text_add(page, "</section>\n");
    return st;
}

/* ---- books ---- */

static void add_book(struct rf_text *page, const char *name, double device_s, double all)
{
    rf_markup_row(page);
    rf_markup_cell(page, name);
    rf_sim_cell_hours(page, device_s);
    rf_markup_number(page, rf_sim_percent(device_s, all), 2, " %");
}

static void add_pages(struct rf_text *page, const json_t *pages)
{
    static const char *const headings[] = {"account",        "promised", "own use",
                                           "borrowed",       "overhead", "promised, idle",
                                           "down: its share"};

    rf_markup_table(page, "The books by account, in device-hours", "lrrrrrr", headings);
    for (size_t i = 0; i < json_array_size(pages); i++) {
        const json_t *row = json_array_get(pages, i);
        const char *name = rf_json_text(row, "account");

        rf_markup_row(page);
        rf_markup_cell(page, name[0] != '\0' ? name : "everybody else");
        rf_sim_cell_hours(page, rf_json_number(row, "reserved_device_s"));
        rf_sim_cell_hours(page, rf_json_number(row, "own_device_s"));
        rf_sim_cell_hours(page, rf_json_number(row, "lent_device_s"));
        rf_sim_cell_hours(page, rf_json_number(row, "overhead_device_s"));
        rf_sim_cell_hours(page, rf_json_number(row, "idle_device_s"));
        rf_sim_cell_hours(page, rf_json_number(row, "down_device_s"));
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
    rf_sim_figure(page, in, svg, "Where every device was, stacked up to what was installed.");
    rf_markup_table(page, "The books", "lrr", headings);
    add_book(page, "used within the own share, or on devices promised to nobody",
             rf_json_number(books, "own_device_s"), all);
    add_book(page, "lent: used on devices promised to somebody else",
             rf_json_number(books, "lent_device_s"), all);
    add_book(page, "overhead: checkpoints, restarts, work done twice",
             rf_json_number(books, "overhead_device_s"), all);
    add_book(page, "idle, reserved for a pledge",
             rf_json_number(books, "idle_reserved_device_s"), all);
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
    rf_sim_cell_count(page, rf_json_number(part, "jobs"));
    rf_sim_cell_duration(page, rf_json_number(wait, "mean"));
    rf_sim_cell_duration(page, rf_json_number(wait, "p50"));
    rf_sim_cell_duration(page, rf_json_number(wait, "p95"));
    rf_sim_cell_duration(page, rf_json_number(wait, "p99"));
    rf_sim_cell_duration(page, rf_json_number(wait, "max"));
    rf_markup_number(page, rf_json_number(slowdown, "mean"), 2, "");
    rf_markup_number(page, rf_json_number(slowdown, "p95"), 2, "");
}

enum rf_status rf_sim_section_waits(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"jobs of",    "jobs",          "mean wait",
                                           "half below", "95 % below",    "99 % below",
                                           "longest",    "mean slowdown", "95 % below"};
    const json_t *histogram = json_object_get(in->results, "wait_histogram");
    char *queue = NULL, *waits = NULL;
    enum rf_status st;

    if (!json_is_object(histogram))
        return RF_OK;
    st = rf_sim_figure_queue(in->curves, &queue, err);
    if (st == RF_OK)
        st = rf_sim_figure_waits(histogram, &waits, err);
    rf_text_add(page, "<section><h2>Who had to wait?</h2>\n");
    rf_sim_figure(page, in, queue, "Devices that waiting jobs ask for, as means over steps.");
    rf_sim_figure(
        page, in, waits,
        "How many of an account's jobs that started had waited less than so long; the "
        "higher and the further left a line, the less its account waits.");
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
    for (size_t i = 0; i < n && i < RF_SIM_ROWS; i++) {
        const json_t *row = json_array_get(denials, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(row, "account"));
        rf_markup_cell(page, rf_json_text(row, "reason"));
        rf_sim_cell_count(page, rf_json_number(row, "requests"));
        rf_sim_cell_hours(page, rf_json_number(row, "asked_device_s"));
    }
    rf_markup_end(page);
    rf_sim_cut(page, n);
}

static void add_delays(struct rf_text *page, const json_t *delays)
{
    static const char *const headings[] = {"reason", "times"};

    rf_markup_table(page, "Why jobs waited: how often each reason was recorded", "lr",
                    headings);
    for (size_t i = 0; i < json_array_size(delays); i++) {
        const json_t *row = json_array_get(delays, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(row, "reason"));
        rf_sim_cell_count(page, rf_json_number(row, "times"));
    }
    rf_markup_end(page);
}

enum rf_status rf_sim_section_denials(struct rf_text *page, struct rf_sim_page *in,
                                      struct rf_error *err)
{
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
    rf_sim_figure(page, in, svg, "Requests denied so far, by reason.");
    if (json_array_size(denials) > 0)
        add_denials(page, denials);
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
    rf_text_add(page,
                "<section><h2>How can I check this?</h2>\n<p>The same configuration gives "
                "the same schedule on any machine; its digest is below.");
    if (json_is_object(ledger)) {
        rf_text_add(page,
                    " Every event is in the ledger, which can be replayed through the same "
                    "rules:</p>\n<pre tabindex=\"0\">ringfence audit ");
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
