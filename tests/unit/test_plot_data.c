/* The numbers of a plot, from its script to CSV, tables and words; and out of a page again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "report/export.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/plot.h"
#include "report/plot_data.h"
#include "report/versus.h"

static struct rf_text script_of_two(void)
{
    static const char *const lines[] = {"time (s)", "share (%)"};
    static const char *const bars[] = {RF_PLOT_HIDDEN, "of", "share (%)"};
    struct rf_text script = {0};

    rf_plot_start(&script, 200);
    rf_plot_block(&script, "now", "held, now", lines, 2);
    rf_text_add(&script, "0 12.5\n\n10 NaN\n20 50\n");
    rf_plot_block_end(&script);
    rf_plot_block(&script, "bars", "say \"x\"", bars, 3);
    rf_text_add(&script, "0.2");
    rf_plot_add_text(&script, "a \"b\"\n &");
    rf_text_add(&script, " 7\n");
    rf_plot_block_end(&script);
    rf_text_add(&script, "set xlabel 'seconds'\nset ylabel '%'\nplot $now using 1:2 with lines "
                         "title 'a'\n");
    return script;
}

static void csv_has_every_row_under_a_header_with_units(void **state)
{
    struct rf_text script = script_of_two(), csv = {0};

    (void)state;
    rf_plot_csv(&csv, &script);
    assert_string_equal(csv.data, "series,time (s),share (%),of\n"
                                  "\"held, now\",0,12.5,\n"
                                  "\"held, now\",10,,\n"
                                  "\"held, now\",20,50,\n"
                                  "\"say \"\"x\"\"\",,7,a ?b?? &\n");
    rf_text_clear(&csv);
    rf_text_clear(&script);
}

static void a_block_without_names_has_those_of_the_axes(void **state)
{
    struct rf_text script = {0}, csv = {0};

    (void)state;
    rf_text_add(&script, "set xlabel 'ranks'\n$eff << EOD\n1 1\n2 0.9\nEOD\nset ylabel "
                         "'efficiency'\n$empty << EOD\nEOD\n$cut << EOD\n3 4");
    rf_plot_csv(&csv, &script);
    assert_string_equal(csv.data, "series,ranks,efficiency\neff,1,1\neff,2,0.9\ncut,3,4\n");
    rf_text_clear(&csv);
    rf_text_clear(&script);
}

static void words_say_axes_and_ranges(void **state)
{
    struct rf_text script = script_of_two(), words = {0};

    (void)state;
    rf_plot_describe(&words, &script);
    assert_string_equal(words.data, "Across: seconds. Upwards: %. held, now: 12.5 to 50. say "
                                    "\"x\": 7.");
    rf_text_clear(&words);
    rf_text_clear(&script);
}

static void long_tables_keep_their_ends(void **state)
{
    static const char *const names[] = {"t", "y"};
    struct rf_text script = {0}, page = {0};
    int rows = 0;

    (void)state;
    rf_plot_block(&script, "long", "long", names, 2);
    for (int i = 0; i < 1000; i++)
        rf_text_addf(&script, "%d %d\n", i, 2 * i);
    rf_plot_block_end(&script);
    rf_plot_tables(&page, &script, "a <label>");
    for (const char *at = page.data; (at = strstr(at, "<th scope=\"row\"")) != NULL; at++)
        rows++;
    assert_int_equal(rows, 24);
    assert_non_null(strstr(page.data, ">0<td class=\"n\">0"));
    assert_non_null(strstr(page.data, ">999<td class=\"n\">1998"));
    assert_non_null(strstr(page.data, "data-label=\"a &lt;label&gt;\""));
    assert_non_null(strstr(page.data, "long,500,1000\n")); /* the template has them all */
    rf_text_clear(&page);
    rf_text_clear(&script);
}

struct paths {
    char last[RF_PATH_BYTES];
    int n;
};

static void take(void *ctx, const char *path)
{
    struct paths *paths = ctx;

    snprintf(paths->last, sizeof paths->last, "%s", path);
    paths->n++;
}

static void figures_of_a_page_come_out_as_files(void **state)
{
    char dir[] = "plot-data-XXXXXX", *svg = NULL, *text = NULL;
    struct rf_text script = script_of_two(), page = {0};
    struct paths paths = {.n = 0};
    struct rf_error err;
    size_t size;
    int n, drawn;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(rf_plot_draw(&script, "Shares & <more>", &svg, &err), RF_OK);
    rf_markup_figure(&page, svg, "a caption");
    drawn = strncmp(svg, "<svg", 4) == 0;
    assert_int_equal(rf_export_figures(page.data, RF_EXPORT_CSV, dir, take, &paths, &n, &err),
                     RF_OK);
    assert_int_equal(n, 1);
    assert_non_null(strstr(paths.last, "/01-shares-more.csv"));
    assert_int_equal(rf_file_read(paths.last, 1 << 20, &text, &size, &err), RF_OK);
    assert_non_null(strstr(text, "\"say \"\"x\"\"\",,7,a ?b?? &\n"));
    free(text);
    assert_int_equal(rf_export_figures(page.data, RF_EXPORT_SVG, dir, take, &paths, &n, &err),
                     RF_OK);
    assert_int_equal(n, drawn);
    if (drawn) {
        assert_int_equal(rf_file_read(paths.last, 1 << 20, &text, &size, &err), RF_OK);
        assert_non_null(strstr(text, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\""));
        assert_non_null(strstr(text, "prefers-color-scheme:dark"));
        free(text);
    }
    assert_int_equal(rf_file_remove_tree(dir, &err), RF_OK);
    free(svg);
    rf_text_clear(&page);
    rf_text_clear(&script);
}

static const struct rf_versus_row *row_of(const struct rf_versus *versus, const char *of,
                                          const char *what)
{
    for (int i = 0; i < versus->n; i++)
        if (strcmp(versus->rows[i].of, of) == 0 && strcmp(versus->rows[i].what, what) == 0)
            return &versus->rows[i];
    return NULL;
}

static void two_runs_are_matched_by_name(void **state)
{
    json_t *a =
        json_loads("{\"experiments\":[{\"name\":\"e\",\"loss\":\"xent\",\"student\":0.8,"
                   "\"pgr\":0.5,\"pgr_ci\":[0.4,0.6]},{\"name\":\"gone\",\"loss\":"
                   "\"xent\",\"student\":0.1}],\"jobs\":[{\"name\":\"e.s0.weak\","
                   "\"device_s\":2},{\"name\":\"e.s1.weak\",\"device_s\":3}],"
                   "\"pledges\":[{\"account\":\"x\",\"verdict\":\"broken\"}]}",
                   0, NULL);
    json_t *b =
        json_loads("{\"experiments\":[{\"name\":\"e\",\"loss\":\"xent\",\"student\":0.9,"
                   "\"pgr\":null,\"cost\":{\"flops\":3e9}}],\"jobs\":[{\"name\":\"e.s0.weak\","
                   "\"device_s\":7}],"
                   "\"accounts\":[{\"name\":\"x\",\"share\":0.25}]}",
                   0, NULL);
    struct rf_versus versus;
    const struct rf_versus_row *row;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_versus_make(&versus, a, b, &err), RF_OK);
    assert_string_equal(versus.verdicts[0], "broken");
    assert_string_equal(versus.verdicts[1], "");
    row = row_of(&versus, "e xent", "student");
    assert_true(row->a == 0.8 && row->b == 0.9);
    row = row_of(&versus, "e xent", "gap recovered");
    assert_true(row->a_ci[1] == 0.6 && row->b != row->b);
    row = row_of(&versus, "gone xent", "student");
    assert_true(row->a == 0.1 && row->b != row->b);
    row = row_of(&versus, "e", "device-time");
    assert_true(row->a == 5 && row->b == 7);
    row = row_of(&versus, "x", "of the fleet");
    assert_true(row->a != row->a && row->b == 25);
    row = row_of(&versus, "e xent", "model FLOPs of the row alone");
    assert_true(row->a != row->a && row->b == 3);
    assert_null(row_of(&versus, "e xent", "weak supervisor"));
    rf_versus_clear(&versus);
    json_decref(a);
    json_decref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_has_every_row_under_a_header_with_units),
        cmocka_unit_test(a_block_without_names_has_those_of_the_axes),
        cmocka_unit_test(words_say_axes_and_ranges),
        cmocka_unit_test(long_tables_keep_their_ends),
        cmocka_unit_test(figures_of_a_page_come_out_as_files),
        cmocka_unit_test(two_runs_are_matched_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
