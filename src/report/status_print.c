/* A status document for people. */
#include <math.h>
#include <string.h>

#include "report/duration.h"
#include "report/json.h"
#include "report/status.h"
#include "report/table.h"

enum { RUNNING_LINES = 12, QUEUE_LINES = 8 };

static double number_in(const json_t *document, const char *group, const char *key)
{
    return rf_json_number(json_object_get(document, group), key);
}

static int whole(double x)
{
    return isfinite(x) ? (int)x : 0;
}

/* "41 % done, about 18 s left, 16 700 tokens/s" */
static int print_pace(const json_t *d, FILE *out)
{
    double part = number_in(d, "progress", "part"), eta_s = number_in(d, "progress", "eta_s");
    double rate = number_in(d, "progress", "tokens_per_s");
    char text[RF_DURATION_BYTES];

    if (!isfinite(part))
        return 0;
    fprintf(out, "all work: %.0f %% done", 100 * part);
    if (isfinite(eta_s))
        fprintf(out, ", about %s left at the pace so far", rf_duration_text(text, eta_s));
    if (isfinite(rate))
        fprintf(out, ", %s tokens/s", rf_count_text(text, rate));
    fputc('\n', out);
    return 1;
}

static int print_heading(const json_t *d, FILE *out)
{
    const json_t *policy = json_object_get(d, "policy");
    char elapsed[RF_DURATION_BYTES];

    fprintf(out, "%.40s: %s%s, %s; %s+%s on %d of %d devices\n", rf_json_text(d, "run"),
            rf_json_text(d, "state"),
            strcmp(rf_json_text(d, "source"), "ledger") == 0 ? " (as its ledger says)" : "",
            rf_duration_text(elapsed, rf_json_number(d, "elapsed_s")),
            rf_json_text(policy, "order"), rf_json_text(policy, "fence"),
            whole(number_in(d, "devices", "fleet") - number_in(d, "devices", "free")),
            whole(number_in(d, "devices", "fleet")));
    fprintf(out,
            "jobs: %d running, %d stopping, %d queued, %d done, %d failed, %d cancelled, %d "
            "denied; ledger: %d lines\n",
            whole(number_in(d, "jobs", "running")), whole(number_in(d, "jobs", "stopping")),
            whole(number_in(d, "jobs", "queued")), whole(number_in(d, "jobs", "done")),
            whole(number_in(d, "jobs", "failed")), whole(number_in(d, "jobs", "cancelled")),
            whole(number_in(d, "jobs", "denied")), whole(number_in(d, "ledger", "entries")));
    return 2 + print_pace(d, out);
}

static void add_count(struct rf_table *table, double count)
{
    if (isfinite(count))
        rf_table_add(table, "%.0f", count);
    else
        rf_table_add(table, "-");
}

static void add_share(struct rf_table *table, double share)
{
    if (isfinite(share))
        rf_table_add(table, "%.1f %%", 100 * share);
    else
        rf_table_add(table, "-");
}

static enum rf_status print_pledges(const json_t *d, FILE *out, int columns, int *lines,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"pledge", "promised", "received", "this window",
                                           "so far"};
    const json_t *list = rf_json_list(d, "pledges");
    size_t n = json_array_size(list);
    struct rf_table *table = NULL;
    enum rf_status st;

    if (n == 0)
        return RF_OK;
    st = rf_table_create(&table, "lrrll", headings, err);
    for (size_t i = 0; st == RF_OK && i < n; i++) {
        const json_t *p = json_array_get(list, i);

        rf_table_add(table, "%s", rf_json_text(p, "account"));
        add_share(table, rf_json_number(p, "share_ratio"));
        add_share(table, rf_json_number(p, "received_share"));
        rf_table_add(table, "%s", rf_json_text(p, "window_verdict"));
        rf_table_add(table, "%s", rf_json_text(p, "verdict"));
    }
    fputc('\n', out);
    if (st == RF_OK)
        st = rf_table_print(table, out, columns, err);
    rf_table_destroy(table);
    *lines += (int)n + 2;
    return st;
}

static enum rf_status print_running(const json_t *d, FILE *out, int columns, int *lines,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"running", "account", "devices",
                                           "since",   "step",    "left"};
    const json_t *list = rf_json_list(d, "running");
    size_t n = json_array_size(list), shown = n < RUNNING_LINES ? n : RUNNING_LINES;
    struct rf_table *table = NULL;
    enum rf_status st;

    if (n == 0)
        return RF_OK;
    st = rf_table_create(&table, "llrrrr", headings, err);
    for (size_t i = 0; st == RF_OK && i < shown; i++) {
        const json_t *job = json_array_get(list, i);
        double steps = rf_json_number(job, "steps");
        char text[RF_DURATION_BYTES];

        rf_table_add(table, "%s%s", rf_json_text(job, "name"),
                     strcmp(rf_json_text(job, "state"), "stopping") == 0 ? " (stopping)" : "");
        rf_table_add(table, "%s", rf_json_text(job, "account"));
        add_count(table, rf_json_number(job, "devices"));
        rf_table_add(table, "%s", rf_duration_text(text, rf_json_number(job, "since_s")));
        if (isfinite(steps))
            rf_table_add(table, "%.0f/%.0f", rf_json_number(job, "step"), steps);
        else
            add_count(table, rf_json_number(job, "step"));
        rf_table_add(table, "%s", rf_duration_text(text, rf_json_number(job, "eta_s")));
    }
    fputc('\n', out);
    if (st == RF_OK)
        st = rf_table_print(table, out, columns, err);
    rf_table_destroy(table);
    *lines += (int)shown + 2;
    if (n > shown) {
        fprintf(out, "  ... and %zu more\n", n - shown);
        ++*lines;
    }
    return st;
}

static enum rf_status print_queue(const json_t *d, FILE *out, int columns, int *lines,
                                  struct rf_error *err)
{
    static const char *const headings[] = {"waiting", "account", "devices", "for", "why"};
    const json_t *list = rf_json_list(d, "queue");
    size_t n = json_array_size(list), shown = n < QUEUE_LINES ? n : QUEUE_LINES;
    double all = rf_json_number(d, "queued");
    struct rf_table *table = NULL;
    enum rf_status st;

    if (n == 0)
        return RF_OK;
    st = rf_table_create(&table, "llrrl", headings, err);
    for (size_t i = 0; st == RF_OK && i < shown; i++) {
        const json_t *job = json_array_get(list, i);
        char text[RF_DURATION_BYTES];

        rf_table_add(table, "%s", rf_json_text(job, "name"));
        rf_table_add(table, "%s", rf_json_text(job, "account"));
        rf_table_add(table, "%d-%d", whole(rf_json_number(job, "min")),
                     whole(rf_json_number(job, "max")));
        rf_table_add(table, "%s", rf_duration_text(text, rf_json_number(job, "waits_s")));
        rf_table_add(table, "%s", rf_json_text(job, "reason"));
    }
    fputc('\n', out);
    if (st == RF_OK)
        st = rf_table_print(table, out, columns, err);
    rf_table_destroy(table);
    *lines += (int)shown + 2;
    if (isfinite(all) && all > (double)shown) {
        fprintf(out, "  ... and %.0f more\n", all - (double)shown);
        ++*lines;
    }
    return st;
}

enum rf_status rf_status_print(const json_t *document, FILE *out, int columns, int *lines,
                               struct rf_error *err)
{
    int n = print_heading(document, out);
    enum rf_status st = print_pledges(document, out, columns, &n, err);

    if (st == RF_OK)
        st = print_running(document, out, columns, &n, err);
    if (st == RF_OK)
        st = print_queue(document, out, columns, &n, err);
    if (lines != NULL)
        *lines = n;
    if (st == RF_OK && ferror(out))
        st = rf_fail(err, RF_ERR_IO, "cannot print the status");
    return st;
}
