#include "report_run.h"

#include <jansson.h>

#include "report/brief.h"
#include "report/table.h"
#include "report/text.h"

static int setup(void **state)
{
    *state = report_run_make();
    return 0;
}

static int teardown(void **state)
{
    report_run_end(*state);
    return 0;
}

static json_t *document_of(const struct report_run *run)
{
    char *text = NULL;
    struct rf_error err;
    json_t *root;

    must(rf_results_json(&run->results, &text, &err), &err);
    assert_true(text[strlen(text) - 1] == '\n');
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

/* Keys in one text, separated by blanks. */
static void assert_keys(const json_t *object, const char *keys)
{
    char key[40];
    int used;

    assert_true(json_is_object(object));
    for (; sscanf(keys, " %39s%n", key, &used) == 1; keys += used)
        if (json_object_get(object, key) == NULL)
            fail_msg("the key '%s' is missing", key);
}

static const json_t *item(const json_t *root, const char *list, size_t i)
{
    return json_array_get(json_object_get(root, list), i);
}

static void json_has_every_key_that_others_rely_on(void **state)
{
    json_t *root = document_of(*state);

    assert_keys(root, "command version seed wall_s devices accounts pledges jobs experiments "
                      "ledger");
    assert_keys(item(root, "accounts", 0), "name device_s flops share");
    assert_keys(item(root, "pledges", 0),
                "account share basis verdict delivered_share entitled_device_s "
                "demanded_device_s delivered_device_s shortfall_device_s windows");
    assert_keys(json_array_get(json_object_get(item(root, "pledges", 0), "windows"), 0),
                "begin_s end_s verdict entitled_device_s demanded_device_s delivered_device_s");
    assert_keys(item(root, "jobs", 0),
                "name account kind state device_s flops tokens preemptions metrics curve");
    assert_keys(item(root, "experiments", 0),
                "name task weak student ceiling zero_shot gap_se pgr pgr_ci seeds");
    assert_keys(json_object_get(root, "ledger"), "path entries head sealed");
    assert_string_equal(json_string_value(json_object_get(root, "command")), "run");
    json_decref(root);
}

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* Device-seconds by hand: the pledged account held 2 x 12 + 22 + 19, the other 4 x 2 + 2 x 46.
 */
static void json_figures_are_those_of_the_run(void **state)
{
    json_t *root = document_of(*state);
    const json_t *pledge = item(root, "pledges", 0), *alignment = item(root, "accounts", 0);

    assert_string_equal(json_string_value(json_object_get(alignment, "name")), "alignment");
    assert_true(number_at(alignment, "device_s") == 65);
    assert_true(fabs(number_at(alignment, "share") - 65.0 / 192) < 1e-14);
    assert_true(number_at(item(root, "accounts", 2), "device_s") == 100);
    assert_true(number_at(pledge, "share") == 0.2);
    assert_true(number_at(pledge, "delivered_device_s") == 65);
    assert_true(fabs(number_at(pledge, "entitled_device_s") - 0.2 * 192) < 1e-9);
    assert_true(number_at(item(root, "jobs", 0), "preemptions") == 1);
    assert_true(json_is_null(json_object_get(item(root, "jobs", 4), "first_grant_s")));
    json_decref(root);
}

static void void_results_are_null_and_say_why(void **state)
{
    json_t *root = document_of(*state);
    const json_t *good = item(root, "experiments", 0), *none = item(root, "experiments", 2);
    const json_t *failed = item(root, "experiments", 3);

    assert_true(number_at(good, "pgr") == 0.5);
    assert_int_equal(json_array_size(json_object_get(good, "pgr_ci")), 2);
    assert_null(json_object_get(good, "void"));
    assert_true(json_is_null(json_object_get(good, "same_size"))); /* NAN */
    assert_true(number_at(good, "probe") == 0.73);
    assert_true(json_is_null(json_object_get(none, "pgr")));
    assert_true(json_is_null(json_object_get(none, "pgr_ci")));
    assert_non_null(
        strstr(json_string_value(json_object_get(none, "void")), "standard errors"));
    assert_true(json_is_null(json_object_get(failed, "weak")));
    assert_non_null(strstr(json_string_value(json_object_get(failed, "void")), "failed"));
    json_decref(root);
}

static void numbers_are_written_readably(void **state)
{
    const struct report_run *run = *state;
    char *text = NULL;

    assert_int_equal(rf_results_json(&run->results, &text, NULL), RF_OK);
    assert_non_null(strstr(text, "\"share\": 0.2,"));
    assert_non_null(strstr(text, "\"wall_s\": 48.25,"));
    assert_non_null(strstr(text, "\"weak\": 0.7,"));
    assert_null(strstr(text, "99999999"));
    free(text);
}

/* What rf_results_print() prints; the caller frees it. */
static char *summary_of(const struct report_run *run)
{
    FILE *out = tmpfile();
    char *text = calloc(1, 20000);
    struct rf_error err;

    assert_true(out != NULL && text != NULL);
    must(rf_results_print(&run->results, run->dir, out, &err), &err);
    rewind(out);
    assert_true(fread(text, 1, 19999, out) > 0);
    fclose(out);
    return text;
}

static void summary_fits_eighty_columns_of_ascii(void **state)
{
    char *text = summary_of(*state);

    for (const char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\n");

        assert_true(n <= 80);
        for (size_t i = 0; i < n; i++)
            assert_true(line[i] >= ' ' && line[i] <= '~');
        line += n + (line[n] == '\n');
    }
    free(text);
}

static void summary_answers_first_and_says_where_the_proof_is(void **state)
{
    const struct report_run *run = *state;
    char *text = summary_of(run);

    assert_non_null(strstr(text, "alignment: kept (3 of 3 windows kept)"));
    assert_non_null(strstr(text, "33.9 %"));
    assert_non_null(strstr(text, "0.50 [0.41, 0.60]"));
    assert_non_null(strstr(text, "standard errors"));
    assert_non_null(strstr(text, "the job 'broken.s0.weak' failed"));
    assert_non_null(strstr(text, "ringfence audit"));
    assert_non_null(strstr(text, run->head));
    free(text);
}

static void brief_keeps_answers_and_drops_series(void **state)
{
    struct report_run *run = *state;
    char *dirs[] = {run->dir, run->dir}, *text = NULL;
    struct rf_error err;
    json_t *root;

    must(rf_results_write(&run->results, run->dir, &err), &err);
    must(rf_report_brief(dirs, 2, "0.1.0", &text, &err), &err);
    root = json_loads(text, 0, NULL);
    assert_keys(root, "command version seed wall_s runs");
    assert_int_equal(json_array_size(json_object_get(root, "runs")), 2);
    assert_keys(item(root, "runs", 1), "accounts pledges experiments run_dir report");
    assert_null(strstr(text, "\"curve\""));
    assert_null(strstr(text, "\"windows\""));
    assert_non_null(strstr(text, "\"pgr\""));
    json_decref(root);
    free(text);
    dirs[1] = "no-such-run";
    assert_int_equal(rf_report_brief(dirs, 2, "0.1.0", &text, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "no-such-run/results.json"));
}

static void print_table(struct rf_table *table, int width, char *text, size_t size)
{
    FILE *out = tmpfile();
    size_t n;

    assert_non_null(out);
    assert_int_equal(rf_table_print(table, out, width, NULL), RF_OK);
    rewind(out);
    n = fread(text, 1, size - 1, out);
    text[n] = '\0';
    fclose(out);
}

static void tables_line_up_by_characters_and_cut_what_is_too_wide(void **state)
{
    static const char *const headings[] = {"name", "n"};
    struct rf_table *table = NULL;
    char text[400];

    (void)state;
    assert_int_equal(rf_table_create(&table, "lr", headings, NULL), RF_OK);
    rf_table_add(table, "caf\xc3\xa9");
    rf_table_add(table, "%d", 7);
    rf_table_add(table, "a name of some length");
    rf_table_add(table, "%d", 1234);
    print_table(table, 80, text, sizeof text);
    assert_string_equal(text, "  name                      n\n"
                              "  caf\xc3\xa9                      7\n"
                              "  a name of some length  1234\n");
    print_table(table, 20, text, sizeof text);
    assert_string_equal(text, "  name             n\n"
                              "  caf\xc3\xa9             7\n"
                              "  a name of s~  1234\n");
    rf_table_destroy(table);
}

static void html_text_is_escaped(void **state)
{
    struct rf_text text = {0};

    (void)state;
    rf_text_add_html(&text, "<a b=\"c\" d='e'>&\x01\xff\xc3\xa9");
    assert_string_equal(text.data, "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;??\xc3\xa9");
    rf_text_clear(&text);
    for (int i = 0; i < 3000; i++)
        rf_text_addf(&text, "%d,", i % 10);
    rf_text_addf(&text, "%900d", 1); /* longer than the small buffer */
    assert_int_equal(text.size, 6900);
    assert_int_equal(strlen(text.data), 6900);
    rf_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_key_that_others_rely_on),
        cmocka_unit_test(json_figures_are_those_of_the_run),
        cmocka_unit_test(void_results_are_null_and_say_why),
        cmocka_unit_test(numbers_are_written_readably),
        cmocka_unit_test(summary_fits_eighty_columns_of_ascii),
        cmocka_unit_test(summary_answers_first_and_says_where_the_proof_is),
        cmocka_unit_test(brief_keeps_answers_and_drops_series),
        cmocka_unit_test(tables_line_up_by_characters_and_cut_what_is_too_wide),
        cmocka_unit_test(html_text_is_escaped),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
