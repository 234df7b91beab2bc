#include "report_run.h"

#include <jansson.h>

#include "report/html.h"
#include "report/plot.h"
#include "report/timeline.h"
#include "report/trace.h"
#include "report/usage.h"
#include "report/waits.h"

static int setup(void **state)
{
    struct report_run *run = report_run_make();
    struct rf_error err;

    *state = run;
    must(rf_results_write(&run->results, run->dir, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    report_run_end(*state);
    return 0;
}

static void path_of(char path[128], const struct report_run *run, const char *name)
{
    snprintf(path, 128, "%s/%s", run->dir, name);
}

static char *read_file(const struct report_run *run, const char *name)
{
    char path[128], *text = NULL;
    size_t size;
    struct rf_error err;

    path_of(path, run, name);
    must(rf_file_read(path, 1 << 24, &text, &size, &err), &err);
    return text;
}

static struct rf_timeline timeline_of(const struct report_run *run)
{
    struct rf_timeline line;
    struct rf_error err;

    must(rf_timeline_read(&line, run->ledger_path, &err), &err);
    return line;
}

static void timeline_holds_every_lease_and_mark(void **state)
{
    struct rf_timeline line = timeline_of(*state);

    assert_int_equal(line.njobs, 5);
    assert_int_equal(line.nspans, 5);
    assert_int_equal(line.ndevices, 4);
    assert_int_equal(line.end_us, 48000000);
    assert_int_equal(line.spans[0].begin_us, 0);
    assert_int_equal(line.spans[0].end_us, 2000000);
    assert_string_equal(line.spans[0].reason, "preempted");
    assert_int_equal(line.spans[2].end_us, 48000000);
    assert_int_equal(line.nmarks, 4); /* capacity, delay, deny, preempt */
    assert_true(line.check.chain_ok);
    rf_timeline_clear(&line);
}

static void tell(struct rf_timeline *line, struct rf_event event, int64_t t_s,
                 const char *devices)
{
    struct rf_error err;

    event.t_us = RUN_START_US + t_s * 1000000;
    must(rf_idset_parse(&event.devices, devices, &err), &err);
    must(rf_timeline_add(line, &event, &err), &err);
    rf_event_clear(&event);
}

static void a_lease_is_cut_where_its_devices_or_its_account_change(void **state)
{
    static const char *const reasons[] = {"shrink", "grow", "relabel", "recover", ""};
    static const int64_t ends_s[] = {2, 5, 7, 7, -1};
    static const int32_t devices[] = {4, 2, 3, 3, 1}, leases[] = {0, 0, 0, 0, 1};
    struct rf_timeline line = {0};
    struct rf_event relabel = job_event(RF_EVENT_RELABEL, 0, "mistake");
    struct rf_event request = job_event(RF_EVENT_REQUEST, 0, "");
    struct rf_event grant = job_event(RF_EVENT_GRANT, 0, "");

    (void)state;
    snprintf(request.account, sizeof request.account, "capability");
    snprintf(relabel.account, sizeof relabel.account, "alignment");
    grant.lease = 0;
    tell(&line, rf_event_make(RF_EVENT_OPEN, 0), 0, "");
    tell(&line, request, 0, "");
    tell(&line, grant, 1, "0-3");
    tell(&line, job_event(RF_EVENT_SHRINK, 0, ""), 2, "2-3");
    tell(&line, job_event(RF_EVENT_GROW, 0, ""), 5, "2");
    tell(&line, relabel, 7, "");
    tell(&line, rf_event_make(RF_EVENT_RECOVER, 0), 9, "");
    grant.lease = 1;
    tell(&line, grant, 10, "1");
    assert_int_equal(line.nspans, 5);
    for (int32_t i = 0; i < line.nspans; i++) {
        const struct rf_span *span = &line.spans[i];

        assert_int_equal(span->lease, leases[i]);
        assert_int_equal(span->ndevices, devices[i]);
        assert_int_equal(span->end_us, ends_s[i] < 0 ? -1 : ends_s[i] * 1000000);
        assert_string_equal(span->reason, reasons[i]);
        assert_string_equal(span->account, i < 3 ? "capability" : "alignment");
    }
    rf_timeline_clear(&line);
}

static double integral(const struct rf_usage *usage, const char *account)
{
    double sum = 0;

    for (int i = 0; i < usage->n; i++)
        for (int a = 0; a < usage->naccounts; a++)
            if (rf_usage_within(usage->accounts[a], account))
                sum +=
                    usage->used[i * usage->naccounts + a] * (usage->t_s[i + 1] - usage->t_s[i]);
    return sum;
}

/* Exact steps and means over equal parts alike: time is neither lost nor made. */
static void usage_adds_up_to_the_meter(void **state)
{
    struct rf_timeline line = timeline_of(*state);

    for (int most = 3; most < 40; most += 12) {
        struct rf_usage usage;
        double fleet = 0;

        assert_int_equal(rf_usage_make(&usage, &line, most, NULL), RF_OK);
        assert_true(fabs(integral(&usage, "alignment") - 65) < 1e-9);
        assert_true(fabs(integral(&usage, "capability") - 100) < 1e-9);
        for (int i = 0; i < usage.n; i++)
            fleet += usage.fleet[i] * (usage.t_s[i + 1] - usage.t_s[i]);
        assert_true(fabs(fleet - 192) < 1e-9);
        rf_usage_clear(&usage);
    }
    rf_timeline_clear(&line);
}

static void account_trees_are_split_at_dots(void **state)
{
    (void)state;
    assert_true(rf_usage_within("alignment", "alignment"));
    assert_true(rf_usage_within("alignment.oversight", "alignment"));
    assert_false(rf_usage_within("alignment2", "alignment"));
    assert_false(rf_usage_within("align", "alignment"));
}

static void waits_are_counted_with_account_and_reason(void **state)
{
    struct rf_timeline line = timeline_of(*state);
    struct rf_waits waits;

    assert_int_equal(rf_waits_make(&waits, &line, NULL), RF_OK);
    assert_int_equal(waits.n, 3);
    assert_int_equal(waits.items[0].type, RF_EVENT_DELAY);
    assert_string_equal(waits.items[0].account, "alignment.oversight");
    assert_string_equal(waits.items[0].reason, "devices-busy");
    assert_int_equal(waits.items[0].waited_us, 2000000);
    assert_int_equal(waits.items[1].type, RF_EVENT_DENY);
    assert_string_equal(waits.items[1].reason, "too-large");
    assert_int_equal(waits.items[1].count, 1);
    assert_int_equal(waits.items[2].type, RF_EVENT_PREEMPT);
    rf_waits_clear(&waits);
    rf_timeline_clear(&line);
}

static int count_phase(const json_t *events, const char *phase)
{
    int n = 0;

    for (size_t i = 0; i < json_array_size(events); i++)
        n += strcmp(json_string_value(json_object_get(json_array_get(events, i), "ph")),
                    phase) == 0;
    return n;
}

static void trace_has_a_slice_per_lease_and_device(void **state)
{
    const struct report_run *run = *state;
    char path[128], *text;
    struct rf_error err;
    json_t *root;
    const json_t *events;

    path_of(path, run, "trace.json");
    must(rf_trace_write(run->ledger_path, path, &err), &err);
    text = read_file(run, "trace.json");
    root = json_loads(text, 0, NULL);
    events = json_object_get(root, "traceEvents");
    assert_int_equal(count_phase(events, "X"), 4 + 2 + 2 + 1 + 1);
    assert_int_equal(count_phase(events, "i"), 4);
    assert_int_equal(count_phase(events, "M"), 2 + 4);
    assert_non_null(strstr(text, "\"name\":\"oversight.s0.weak\""));
    json_decref(root);
    free(text);
}

/* Nothing that a browser would run or fetch. */
static void assert_self_contained(const char *page)
{
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    assert_null(strstr(page, "src="));
    for (const char *at = page; (at = strstr(at, "href=")) != NULL; at++)
        assert_int_equal(strncmp(at, "href=\"#", 7), 0);
    assert_null(strstr(page, "@import"));
}

static void page_is_whole_and_needs_nothing_else(void **state)
{
    const struct report_run *run = *state;
    struct rf_error err;
    char *page;

    must(rf_report_write(run->dir, &err), &err);
    page = read_file(run, "report.html");
    assert_self_contained(page);
    assert_non_null(strstr(page, "</html>"));
    assert_non_null(strstr(page, "Was the promise kept?"));
    assert_non_null(strstr(page, ">too-large"));
    assert_non_null(strstr(page, "0.50 [0.41, 0.60]"));
    assert_non_null(strstr(page, run->head));
    assert_null(strstr(page, "class=\"notice\"")); /* ledger and results belong together */
    free(page);
}

static void page_is_the_same_each_time(void **state)
{
    const struct report_run *run = *state;
    char *first, *second;

    assert_int_equal(rf_report_write(run->dir, NULL), RF_OK);
    first = read_file(run, "report.html");
    assert_int_equal(rf_report_write(run->dir, NULL), RF_OK);
    second = read_file(run, "report.html");
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void page_does_without_gnuplot_and_says_so(void **state)
{
    const struct report_run *run = *state;
    const char *old = getenv("PATH");
    char *saved = old != NULL ? strdup(old) : NULL, *page;
    struct rf_error err;

    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    must(rf_report_write(run->dir, &err), &err);
    if (saved != NULL)
        setenv("PATH", saved, 1);
    free(saved);
    page = read_file(run, "report.html");
    assert_null(strstr(page, "<svg"));
    assert_non_null(strstr(page, "Plots were left out"));
    assert_non_null(strstr(page, "By window, in device-seconds"));
    free(page);
}

/* Every text of the results, spoilt: none of it may reach the page as markup. */
static void hostile_names_stay_text(void **state)
{
    static const char evil[] = "</title><script>x</script>'\"`$(id)";
    struct report_run *run = *state;
    struct rf_results results = run->results;
    struct rf_experiment_result experiment = run->experiments[0];
    struct rf_error err;
    char *page;

    results.run = results.policy = results.version = evil;
    results.ledger.path = evil;
    snprintf(experiment.name, sizeof experiment.name, "%s", evil);
    snprintf(experiment.task, sizeof experiment.task, "%s", evil);
    snprintf(experiment.loss, sizeof experiment.loss, "'%s", "<b>");
    results.experiments = &experiment;
    results.nexperiments = 1;
    must(rf_results_write(&results, run->dir, &err), &err);
    must(rf_report_write(run->dir, &err), &err);
    page = read_file(run, "report.html");
    assert_self_contained(page);
    assert_null(strstr(page, "<b>'"));
    assert_non_null(strstr(page, "&lt;script&gt;x"));
    free(page);
    must(rf_results_write(&run->results, run->dir, &err), &err);
}

static void missing_or_spoilt_results_are_named(void **state)
{
    struct report_run *run = *state;
    char path[128];
    struct rf_error err;

    assert_int_equal(rf_report_write("no-such-run", &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "no-such-run/results.json"));
    path_of(path, run, "results.json");
    assert_int_equal(rf_file_write(path, "{\"run\":\n", 8, NULL), RF_OK);
    assert_int_equal(rf_report_write(run->dir, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "results.json"));
    assert_non_null(strstr(err.text, "line 2"));
    assert_int_equal(rf_file_write(path, "[1]", 3, NULL), RF_OK);
    assert_int_equal(rf_report_write(run->dir, &err), RF_ERR_INPUT);
    must(rf_results_write(&run->results, run->dir, &err), &err);
}

/* Any JSON object gives a page: what is absent or of another type is left out or a dash. */
static void odd_results_give_a_page_all_the_same(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"pledges\":[{}],\"accounts\":[1],\"jobs\":[{\"curve\":[{},{}]}],\"ledger\":[]}",
        "{\"experiments\":[{\"weak\":1,\"pgr\":2,\"pgr_ci\":7}],\"pledges\":[3]}",
        "{\"pledges\":{\"a\":1},\"wall_s\":\"x\",\"run\":7,\"start_us\":1e300}"};
    struct report_run *run = *state;
    char path[128];
    struct rf_error err;

    path_of(path, run, "results.json");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        must(rf_file_write(path, odd[i], strlen(odd[i]), &err), &err);
        must(rf_report_write(run->dir, &err), &err);
    }
    must(rf_results_write(&run->results, run->dir, &err), &err);
}

static void changed_ledger_is_not_passed_off_as_evidence(void **state)
{
    struct report_run *run = *state;
    char *ledger = read_file(run, "ledger.jsonl"), *page;
    size_t place = 0;
    struct rf_error err;

    while (strncmp(ledger + place, "too-large", 9) != 0)
        assert_true(ledger[place++] != '\0');
    ledger[place] = 'T';
    must(rf_file_write(run->ledger_path, ledger, strlen(ledger), &err), &err);
    must(rf_report_write(run->dir, &err), &err);
    page = read_file(run, "report.html");
    assert_non_null(strstr(page, "The ledger does not verify"));
    ledger[place] = 't';
    must(rf_file_write(run->ledger_path, ledger, strlen(ledger), &err), &err);
    free(ledger);
    free(page);
}

/* gnuplot is no condition of the build, so without it there is nothing to look at. */
static void plots_follow_the_colours_of_the_page(void **state)
{
    struct rf_text script = {0};
    struct rf_error err;
    char *svg = NULL;

    (void)state;
    rf_plot_start(&script, 200);
    rf_text_add(&script, "set xlabel ");
    rf_plot_add_string(&script, "it's <b>\n");
    rf_text_add(&script, "\nplot x title 'a'\n");
    must(rf_plot_draw(&script, "a \"line\"", &svg, &err), &err);
    rf_text_clear(&script);
    if (svg == NULL)
        skip();
    assert_non_null(strstr(svg, "aria-label=\"a &quot;line&quot;\""));
    assert_non_null(strstr(svg, "currentColor"));
    assert_null(strstr(svg, "rgb(1,2,3)"));
    assert_null(strstr(svg, " id="));
    assert_non_null(strstr(svg, "<title>a &quot;line&quot;</title>"));
    assert_null(strstr(svg, "<b>"));
    assert_non_null(strstr(svg, "it's &lt;b"));
    free(svg);
    rf_text_add(&script, "this is not gnuplot\n");
    must(rf_plot_draw(&script, "", &svg, &err), &err);
    assert_null(svg);
    rf_text_clear(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_cut_where_its_devices_or_its_account_change),
        cmocka_unit_test(timeline_holds_every_lease_and_mark),
        cmocka_unit_test(usage_adds_up_to_the_meter),
        cmocka_unit_test(account_trees_are_split_at_dots),
        cmocka_unit_test(waits_are_counted_with_account_and_reason),
        cmocka_unit_test(trace_has_a_slice_per_lease_and_device),
        cmocka_unit_test(page_is_whole_and_needs_nothing_else),
        cmocka_unit_test(page_is_the_same_each_time),
        cmocka_unit_test(page_does_without_gnuplot_and_says_so),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(missing_or_spoilt_results_are_named),
        cmocka_unit_test(odd_results_give_a_page_all_the_same),
        cmocka_unit_test(changed_ledger_is_not_passed_off_as_evidence),
        cmocka_unit_test(plots_follow_the_colours_of_the_page),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
