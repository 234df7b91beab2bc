/* The cells of an ensemble: which there are, in which order, and what each one is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/grid.h"

/* Two orders, two shares, three seeds; the fence is the scenario's own. */
static struct rf_scenario example(void)
{
    struct rf_scenario s = rf_scenario_make();

    snprintf(s.order, sizeof s.order, "sjf");
    snprintf(s.fence, sizeof s.fence, "floor");
    s.seed = 10;
    s.npledges = 2;
    s.pledges = calloc(2, sizeof *s.pledges);
    assert_non_null(s.pledges);
    s.pledges[0].pledge.share = (struct rf_share){1, 3};
    s.pledges[1].pledge.share = (struct rf_share){1, 7};
    s.grid.norders = 2;
    snprintf(s.grid.orders[0], RF_NAME_BYTES, "fcfs");
    snprintf(s.grid.orders[1], RF_NAME_BYTES, "easy");
    s.grid.nshares = 2;
    s.grid.shares[0] = (struct rf_share){1, 10};
    s.grid.shares[1] = (struct rf_share){1, 5};
    s.grid.seeds = 3;
    return s;
}

static void a_grid_is_the_product_of_all_that_is_given(void **state)
{
    struct rf_scenario s = example();
    struct rf_grid grid;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_grid_make(&grid, &s, 1, &err), RF_OK);
    assert_int_equal(grid.n, 12);
    for (int i = 0; i < grid.n; i++) {
        assert_string_equal(grid.cells[i].order, i < 6 ? "fcfs" : "easy");
        assert_string_equal(grid.cells[i].fence, "floor");
        assert_int_equal(grid.cells[i].share.den, i / 3 % 2 == 0 ? 10 : 5);
        assert_int_equal(grid.cells[i].seed, 10 + i % 3);
    }
    rf_grid_clear(&grid);
    rf_scenario_clear(&s);
}

static void without_a_grid_there_is_the_scenario_itself(void **state)
{
    struct rf_scenario s = rf_scenario_make();
    struct rf_grid grid;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_grid_make(&grid, &s, 1, &err), RF_OK);
    assert_int_equal(grid.n, 1);
    assert_string_equal(grid.cells[0].order, s.order);
    assert_int_equal(grid.cells[0].share.num, 0);
    rf_grid_clear(&grid);
}

static void cells_with_the_same_jobs_take_turns_together(void **state)
{
    struct rf_scenario two[2] = {example(), example()};
    int seen[24] = {0}, changes = 0;
    struct rf_grid grid;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_grid_make(&grid, two, 2, &err), RF_OK);
    assert_int_equal(grid.n, 24);
    for (int i = 0; i < grid.n; i++) {
        const struct rf_grid_cell *cell = &grid.cells[grid.turns[i]];
        const struct rf_grid_cell *before = &grid.cells[grid.turns[i > 0 ? i - 1 : 0]];

        seen[grid.turns[i]]++;
        changes += cell->seed != before->seed || cell->scenario != before->scenario;
    }
    for (int i = 0; i < grid.n; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(changes, 5); /* six kinds of jobs */
    rf_grid_clear(&grid);
    rf_scenario_clear(&two[0]);
    rf_scenario_clear(&two[1]);
}

static void a_cell_is_a_scenario_that_leaves_the_original_alone(void **state)
{
    struct rf_scenario s = example(), of_cell;
    struct rf_grid grid;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_grid_make(&grid, &s, 1, &err), RF_OK);
    assert_int_equal(rf_grid_scenario(&of_cell, &grid, 11, &s, &err), RF_OK);
    assert_string_equal(of_cell.order, "easy");
    assert_int_equal(of_cell.seed, 12);
    assert_int_equal(of_cell.pledges[0].pledge.share.den, 5);
    assert_int_equal(of_cell.pledges[1].pledge.share.den, 7);
    assert_int_equal(of_cell.grid.norders, 0);
    assert_int_equal(of_cell.grid.seeds, 1);
    assert_string_equal(s.order, "sjf");
    assert_int_equal(s.pledges[0].pledge.share.den, 3);
    rf_grid_scenario_clear(&of_cell);
    rf_grid_clear(&grid);
    rf_scenario_clear(&s);
}

static void too_many_cells_are_refused(void **state)
{
    struct rf_scenario s = example();
    struct rf_grid grid;
    struct rf_error err;

    (void)state;
    s.grid.seeds = 1000000;
    assert_int_equal(rf_grid_make(&grid, &s, 1, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "20000 cells"));
    rf_scenario_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_is_the_product_of_all_that_is_given),
        cmocka_unit_test(without_a_grid_there_is_the_scenario_itself),
        cmocka_unit_test(cells_with_the_same_jobs_take_turns_together),
        cmocka_unit_test(a_cell_is_a_scenario_that_leaves_the_original_alone),
        cmocka_unit_test(too_many_cells_are_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
