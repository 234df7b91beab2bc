/* Where a student would have stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "job/stops.h"

static const struct rf_stop_point looks[] = {
    {10, {0.6, 0.5}}, {20, {0.8, 0.55}}, {30, {0.8, 0.7}}, {40, {0.7, 0.6}}};

static void the_best_look_is_the_first_of_equals(void **state)
{
    static struct rf_stops stops;
    const unsigned want[] = {3, 3, 2, 0};

    (void)state;
    stops.n = 0;
    assert_int_equal(rf_stops_best(&stops, RF_STOP_ORACLE), -1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rf_stops_add(&stops, &looks[i]), want[i]);
    assert_int_equal(rf_stops_best(&stops, RF_STOP_AGREEMENT), 20);
    assert_int_equal(rf_stops_best(&stops, RF_STOP_ORACLE), 30);
}

static void looks_up_to_a_step_are_read_back(void **state)
{
    static struct rf_stops stops, back;
    struct rf_error err;

    (void)state;
    stops.n = 0;
    for (int i = 0; i < 4; i++)
        rf_stops_add(&stops, &looks[i]);
    assert_int_equal(rf_file_mkdir("stops/jobs", &err), RF_OK);
    assert_int_equal(rf_stops_write(&stops, "stops", "a", &err), RF_OK);
    assert_int_equal(rf_stops_read(&back, "stops", "a", 25, &err), RF_OK);
    assert_int_equal(back.n, 2);
    assert_memory_equal(back.points, stops.points, 2 * sizeof *back.points);
    assert_int_equal(rf_stops_read(&back, "stops", "none", 25, &err), RF_OK);
    assert_int_equal(back.n, 0);
    assert_int_equal(rf_file_write("stops/jobs/a.stops", "1\t0.5\t0.5\n2\tx\t0\n", 16, &err),
                     RF_OK);
    assert_int_equal(rf_stops_read(&back, "stops", "a", 25, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "a.stops:2"));
    assert_int_equal(rf_file_remove_tree("stops", &err), RF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_look_is_the_first_of_equals),
        cmocka_unit_test(looks_up_to_a_step_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
