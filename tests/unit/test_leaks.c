/* What one task trains on and another tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "job/leaks.h"

static struct rf_task_options tasks[2] = {
    {.name = "one", .source = "tsv", .path = "leaks_one.tsv", .vocabulary = 300},
    {.name = "two", .source = "tsv", .path = "leaks_two.tsv", .vocabulary = 300}};

/* Forty texts, of which every fifth is for test; `shift` moves which. */
static void put(const char *path, int shift)
{
    char text[4000], *at = text;
    struct rf_error err;

    for (int i = 0; i < 40; i++)
        at += sprintf(at, "%s\t%d\tsentence number %d\n", (i + shift) % 5 ? "train" : "test",
                      i % 2, i);
    assert_int_equal(rf_file_write(path, text, (size_t)(at - text), &err), RF_OK);
}

static enum rf_status check(struct rf_pretrain_spec *job, struct rf_experiment_spec *experiment,
                            struct rf_error *err)
{
    const struct rf_run_spec spec = {.tasks = tasks,
                                     .ntasks = 2,
                                     .jobs = job,
                                     .njobs = job != NULL,
                                     .experiments = experiment,
                                     .nexperiments = experiment != NULL,
                                     .seed = 1};

    put("leaks_one.tsv", 0);
    put("leaks_two.tsv", 1);
    return rf_leaks_check(&spec, err);
}

static void tasks_of_one_family_are_compared_unless_it_is_declared(void **state)
{
    struct rf_error err;

    (void)state;
    assert_int_equal(check(NULL, NULL, &err), RF_OK); /* no family */
    strcpy(tasks[0].family, "film");
    strcpy(tasks[1].family, "film");
    assert_int_equal(check(NULL, NULL, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "task 'one' trains on 8 texts of the test of task 'two'"));
    tasks[0].overlap = 1;
    assert_int_equal(check(NULL, NULL, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "task 'two' trains on 8 texts"));
    tasks[1].overlap = 1;
    assert_int_equal(check(NULL, NULL, &err), RF_OK);
    tasks[0].overlap = tasks[1].overlap = 0;
    tasks[0].family[0] = tasks[1].family[0] = '\0';
}

static void a_model_that_has_read_the_test_of_another_task_is_refused(void **state)
{
    struct rf_pretrain_spec job = {.name = "pre", .task = "one"};
    struct rf_experiment_spec experiment = {.task = "two", .pretrained = "pre"};
    struct rf_error err;

    (void)state;
    assert_int_equal(check(&job, &experiment, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "a model starts from the one for the other"));
    strcpy(experiment.task, "one");
    assert_int_equal(check(&job, &experiment, &err), RF_OK);
    remove("leaks_one.tsv");
    remove("leaks_two.tsv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_one_family_are_compared_unless_it_is_declared),
        cmocka_unit_test(a_model_that_has_read_the_test_of_another_task_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
