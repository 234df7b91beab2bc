/* The audit as one page for people who sign things: made from its JSON document alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/audit.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/page.h"

enum { ROWS = 500 };

static void add_tests(struct rf_text *page, const json_t *tests)
{
    static const char *const headings[] = {"test",      "asks",  "result",
                                           "looked at", "found", "worst, or what is missing"};

    rf_text_add(page, "<h2>Ten tests</h2>\n");
    rf_markup_table(page, "A test that lacks a record cannot tell; what is missing is said",
                    "lllrrl", headings);
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i), *worst = json_object_get(test, "worst");
        const char *result = rf_json_text(test, "result");

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(test, "test"));
        rf_markup_cell(page, rf_json_text(test, "title"));
        rf_text_addf(page, "<td><span class=\"%s\">%s</span>",
                     strcmp(result, "pass") == 0      ? "good"
                     : strcmp(result, "finding") == 0 ? "bad"
                                                      : "open",
                     result);
        rf_markup_number(page, rf_json_number(test, "checked"), 0, "");
        rf_markup_number(page, rf_json_number(test, "count"), 0, "");
        rf_markup_cell(page, json_is_object(worst) ? rf_json_text(worst, "text")
                                                   : rf_json_text(test, "note"));
    }
    rf_markup_end(page);
}

static enum rf_status add_figure(struct rf_text *page, const json_t *pledge,
                                 struct rf_error *err)
{
    char *svg = NULL;
    enum rf_status st = rf_audit_figure(pledge, &svg, err);

    rf_markup_figure(page, svg,
                     "Device-time delivered in each window, in the colour of its verdict, and "
                     "the line that it had to reach: what was promised, or what the account's "
                     "jobs could use where that was less.");
    free(svg);
    return st;
}

static enum rf_status add_windows(struct rf_text *page, const json_t *pledge,
                                  struct rf_error *err)
{
    static const char *const headings[] = {"from (s)",  "to (s)",  "entitled", "usable",
                                           "delivered", "offered", "arrears",  "verdict"};
    static const char *const keys[] = {"begin_s",
                                       "end_s",
                                       "entitled_device_s",
                                       "demanded_device_s",
                                       "delivered_device_s",
                                       "offered_device_s",
                                       "arrears_device_s"};
    const json_t *windows = rf_json_list(pledge, "windows");
    size_t n = json_array_size(windows);
    enum rf_status st;

    rf_text_add(page, "<h3>");
    rf_text_add_html(page, rf_json_text(pledge, "account"));
    rf_text_add(page, ": ");
    rf_text_add_html(page, rf_json_text(pledge, "share_exact"));
    rf_text_add(page, " of ");
    rf_text_add_html(page, rf_json_text(pledge, "basis"));
    rf_text_add(page, "</h3>\n");
    st = add_figure(page, pledge, err);
    rf_markup_table(page, "By window, in device-seconds", "rrrrrrrl", headings);
    for (size_t i = 0; i < n && i < ROWS; i++) {
        const json_t *window = json_array_get(windows, i);

        rf_markup_row(page);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            rf_markup_number(page, rf_json_number(window, keys[k]), 3, "");
        rf_markup_verdict(page, rf_json_text(window, "verdict"));
    }
    rf_markup_end(page);
    if (n > ROWS)
        rf_text_addf(page, "<p>%zu more windows are in the JSON document.</p>\n", n - ROWS);
    return st;
}

static void add_definitions(struct rf_text *page, const json_t *definitions)
{
    static const char *const headings[] = {"account", "promise", "definition",
                                           "verdict", "judged",  "broken"};

    rf_text_add(page, "<h2>The promise under each definition of it</h2>\n");
    rf_markup_table(page, "The same device-time, by every reading of the words", "llllrr",
                    headings);
    for (size_t i = 0; i < json_array_size(definitions); i++) {
        const json_t *d = json_array_get(definitions, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(d, "account"));
        rf_markup_cell(page,
                       json_is_true(json_object_get(d, "changed")) ? "as changed" : "as made");
        rf_markup_cell(page, rf_json_text(d, "definition"));
        rf_markup_verdict(page, rf_json_text(d, "verdict"));
        rf_markup_number(page, rf_json_number(d, "judged"), 0, "");
        rf_markup_number(page, rf_json_number(d, "broken"), 0, "");
    }
    rf_markup_end(page);
}

static void add_requests(struct rf_text *page, const json_t *requests)
{
    static const char *const headings[] = {
        "account",          "asked",  "granted",        "delayed",
        "delayed device-h", "denied", "denied device-h"};
    static const char *const keys[] = {"requests",         "granted", "delayed",
                                       "delayed_device_h", "denied",  "denied_device_h"};
    static const int digits[] = {0, 0, 0, 2, 0, 2};

    rf_text_add(page, "<h2>Requests</h2>\n");
    rf_markup_table(page, "Delayed: devices x time waited; denied: devices x time limit",
                    "lrrrrrr", headings);
    for (size_t i = 0; i < json_array_size(requests); i++) {
        const json_t *r = json_array_get(requests, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(r, "account"));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            rf_markup_number(page, rf_json_number(r, keys[k]), digits[k], "");
    }
    rf_markup_end(page);
}

static void add_changes(struct rf_text *page, const json_t *changes)
{
    static const char *const headings[] = {"at (s)", "what", "change", "by", "because", "line"};

    if (json_array_size(changes) == 0)
        return;
    rf_text_add(page, "<h2>Changed by hand</h2>\n");
    rf_markup_table(page, "Pledges are judged as they were made, too", "rllllr", headings);
    for (size_t i = 0; i < json_array_size(changes) && i < ROWS; i++) {
        const json_t *c = json_array_get(changes, i);

        rf_markup_row(page);
        rf_markup_number(page, rf_json_number(c, "t_s"), 3, "");
        rf_markup_cell(page, rf_json_text(c, "type"));
        rf_markup_cell(page, rf_json_text(c, "change"));
        rf_markup_cell(page, rf_json_text(c, "author"));
        rf_markup_cell(page, rf_json_text(c, "reason"));
        rf_markup_number(page, rf_json_number(c, "seq") + 1, 0, "");
    }
    rf_markup_end(page);
}

static void add_gaps(struct rf_text *page, const json_t *gaps)
{
    static const char *const headings[] = {"kind", "from (s)", "to (s)", "line"};

    if (json_array_size(gaps) == 0)
        return;
    rf_text_add(page, "<h2>Gaps in the evidence</h2>\n");
    rf_markup_table(page, "What they touch is unprovable where it would have been kept", "lrrr",
                    headings);
    for (size_t i = 0; i < json_array_size(gaps) && i < ROWS; i++) {
        const json_t *g = json_array_get(gaps, i);

        rf_markup_row(page);
        rf_markup_cell(page, rf_json_text(g, "kind"));
        rf_markup_number(page, rf_json_number(g, "begin_s"), 3, "");
        rf_markup_number(page, rf_json_number(g, "end_s"), 3, "");
        rf_markup_number(page, rf_json_number(g, "seq") + 1, 0, "");
    }
    rf_markup_end(page);
}

static enum rf_status add_all(struct rf_text *page, const json_t *audit, const char *name,
                              const char *version, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    const json_t *ledger = json_object_get(audit, "ledger");
    const json_t *pledges = rf_json_list(audit, "pledges");

    rf_page_head(page, name);
    rf_text_add(page, "<header><h1>Audit of ");
    rf_text_add_html(page, name);
    rf_text_add(page, "</h1>\n<ul class=\"facts\">\n");
    rf_page_verdict(page, rf_json_text(audit, "verdict"));
    rf_page_fact(page, rf_json_number(audit, "findings"), 0, "", "tests found something");
    rf_page_fact(page, rf_json_number(ledger, "entries"), 0, "", "lines");
    rf_page_fact(page, rf_json_number(ledger, "sealed_entries"), 0, "", "under seals");
    rf_page_text_fact(page, rf_json_text(ledger, "head"), "head of the tree");
    rf_text_add(page, "</ul>\n");
    if (rf_json_text(ledger, "problem")[0] != '\0') {
        rf_text_add(page, "<p class=\"notice\">");
        rf_text_add_html(page, rf_json_text(ledger, "problem"));
        rf_text_add(page, "</p>\n");
    }
    rf_text_add(page, "</header>\n");
    add_tests(page, rf_json_list(audit, "tests"));
    rf_text_add(page, "<h2>Pledges</h2>\n");
    for (size_t i = 0; st == RF_OK && i < json_array_size(pledges); i++)
        st = add_windows(page, json_array_get(pledges, i), err);
    add_definitions(page, rf_json_list(audit, "definitions"));
    add_requests(page, rf_json_list(audit, "requests"));
    add_changes(page, rf_json_list(audit, "changes"));
    add_gaps(page, rf_json_list(audit, "gaps"));
    rf_text_add(page, "<p>A ledger cannot show what was never written into it; records that "
                      "others keep can.</p>\n");
    rf_page_foot(page, version, "the ledger and the records named above", 1);
    return st;
}

enum rf_status rf_audit_page(const struct rf_examination *x, const char *ledger,
                             const char *version, const char *path, struct rf_error *err)
{
    struct rf_text page = {.data = NULL};
    json_t *audit = json_object();
    enum rf_status st = rf_audit_json(audit, x, ledger, err);

    if (st == RF_OK)
        st = add_all(&page, audit, ledger, version, err);
    if (st == RF_OK && (page.failed || page.data == NULL))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", path);
    if (st == RF_OK)
        st = rf_file_write(path, page.data, page.size, err);
    rf_text_clear(&page);
    json_decref(audit);
    return st;
}
