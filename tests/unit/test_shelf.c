/* Tasks are opened once and kept, and the shelf does not grow without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/shelf.h"

static const struct rf_task_options options = {.name = "t",
                                               .source = "chess-rules",
                                               .rule = "check",
                                               .train = 8,
                                               .validation = 2,
                                               .test = 2,
                                               .corpus_size = 4};

static void the_same_task_is_opened_once(void **unused)
{
    struct rf_shelf shelf = {0};
    const struct rf_task *first, *other, *again;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_shelf_open(&shelf, &options, 1, &first, &err), RF_OK);
    assert_int_equal(rf_shelf_open(&shelf, &options, 2, &other, &err), RF_OK);
    assert_int_equal(rf_shelf_open(&shelf, &options, 1, &again, &err), RF_OK);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    assert_int_equal(shelf.n, 2);
    rf_shelf_clear(&shelf);
    assert_int_equal(shelf.n, 0);
}

static void the_least_recently_used_goes_first(void **unused)
{
    struct rf_shelf shelf = {0};
    const struct rf_task *first, *task;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_shelf_open(&shelf, &options, 0, &first, &err), RF_OK);
    for (uint64_t seed = 1; seed < 3 * RF_SHELF_TASKS; seed++) {
        assert_int_equal(rf_shelf_open(&shelf, &options, seed, &task, &err), RF_OK);
        assert_int_equal(rf_shelf_open(&shelf, &options, 0, &task, &err), RF_OK);
        assert_ptr_equal(task, first); /* used all the time, so kept all the time */
        assert_in_range(shelf.n, 1, RF_SHELF_TASKS);
    }
    rf_shelf_clear(&shelf);
}

static void what_cannot_be_opened_leaves_the_shelf_as_it_was(void **unused)
{
    static const struct rf_task_options bad = {
        .name = "bad", .source = "chess-rules", .rule = "?"};
    struct rf_shelf shelf = {0};
    const struct rf_task *task;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_shelf_open(&shelf, &options, 1, &task, &err), RF_OK);
    assert_int_equal(rf_shelf_open(&shelf, &bad, 1, &task, &err), RF_ERR_CONFIG);
    assert_int_equal(shelf.n, 1);
    rf_shelf_clear(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_task_is_opened_once),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(what_cannot_be_opened_leaves_the_shelf_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
