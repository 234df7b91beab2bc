/* Jobs that are submitted to a run: what they may take from it, and what they may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/config.h"

static const char run_text[] =
    "run = { name = \"day\"; seed = 7; linger_s = 60; };\n"
    "models = ( { name = \"m\"; layers = 1; heads = 2; width = 16; } );\n"
    "tasks = ( { name = \"t\"; source = \"chess-rules\"; rule = \"material\"; } );\n"
    "jobs = ( { name = \"pretrain\"; account = \"capability\"; model = \"m\"; task = \"t\"; "
    "train = { steps = 4; }; } );\n";

static const char more_text[] =
    "models = ( { name = \"wide\"; layers = 1; heads = 2; width = 32; } );\n"
    "jobs = ( { name = \"more\"; account = \"alignment\"; model = \"wide\"; task = \"t\";\n"
    "  train = { steps = 5; }; after = [\"pretrain\"]; priority = 3; retries = 2;\n"
    "  max_device_s = 90; } );\n";

static struct rf_run_spec base(void)
{
    struct rf_run_spec spec;
    struct rf_error err;

    assert_int_equal(
        rf_config_parse(&spec, run_text, strlen(run_text), "day.cfg", NULL, 0, &err), RF_OK);
    return spec;
}

static enum rf_status submit(struct rf_run_spec *spec, const struct rf_run_spec *to,
                             const char *text, const char *override, struct rf_error *err)
{
    return rf_config_parse_submission(spec, to, text, strlen(text), "job.cfg", &override,
                                      override != NULL, err);
}

static void a_submission_knows_the_names_of_its_run(void **unused)
{
    struct rf_run_spec day = base(), more, last;
    struct rf_error err = {RF_OK, ""};

    (void)unused;
    assert_int_equal(submit(&more, &day, more_text, NULL, &err), RF_OK);
    assert_string_equal(more.name, "day");
    assert_int_equal(more.seed, 7);
    assert_int_equal(more.njobs, 1);
    assert_int_equal(more.nmodels, 2);
    assert_int_equal(more.nown_models, 1);
    assert_string_equal(more.models[1].name, "m");
    assert_int_equal(more.models[0].hidden, 128); /* defaults as in a run */
    assert_int_equal(more.nown_tasks, 0);
    assert_string_equal(more.tasks[0].name, "t");
    assert_int_equal(more.jobs[0].bounds.priority, 3);
    assert_int_equal(more.jobs[0].bounds.retries, 2);
    assert_int_equal(more.jobs[0].bounds.max_device_us, 90000000);
    assert_ptr_equal(more.base, &day);

    /* and the next one those of both */
    assert_int_equal(
        submit(&last, &more,
               "jobs = ( { name = \"last\"; account = \"alignment\"; model = \"wide\"; task = "
               "\"t\"; train = { steps = 5; }; after = [\"more\", \"pretrain\"]; } );",
               NULL, &err),
        RF_OK);
    assert_int_equal(last.nmodels, 2);
    assert_int_equal(last.nown_models, 0);
    rf_run_spec_clear(&last);
    rf_run_spec_clear(&more);
    rf_run_spec_clear(&day);
}

static void what_is_written_reads_back_the_same(void **unused)
{
    struct rf_run_spec day = base(), more, again;
    struct rf_error err;
    char *text[2];
    size_t size[2];

    (void)unused;
    assert_int_equal(submit(&more, &day, more_text, NULL, &err), RF_OK);
    assert_int_equal(rf_config_write_submission(&more, &text[0], &size[0], &err), RF_OK);
    assert_null(strstr(text[0], "policy"));
    assert_int_equal(submit(&again, &day, text[0], NULL, &err), RF_OK);
    assert_int_equal(rf_config_write_submission(&again, &text[1], &size[1], &err), RF_OK);
    assert_string_equal(text[0], text[1]);
    assert_memory_equal(more.jobs, again.jobs, sizeof *more.jobs);
    free(text[0]);
    free(text[1]);
    rf_run_spec_clear(&again);
    rf_run_spec_clear(&more);
    rf_run_spec_clear(&day);
}

static const struct {
    const char *override, *message;
} bad[] = {
    {"jobs.more.name=pretrain",
     "key 'jobs.[0].name': expected a name of its own, got 'pretrain'"},
    {"jobs.more.model=huge", "key 'jobs.[0].model': expected the name of a model"},
    {"jobs.more.after=[\"nobody\"]", "key 'jobs.[0].after': expected names of jobs"},
    {"jobs.more.submit_s=3.0", "key 'jobs.[0].submit_s': expected nothing"},
    {"models.wide.name=m", "expected a name of its own, got 'm' a second time"},
    {"policy.fence=none",
     "key 'policy': expected one of models, tasks, task, jobs, experiments"},
    {"run.seed=3", "key 'run': expected one of models"},
    {"jobs=()", "key 'jobs': expected at least one job or experiment, got none"},
};

static void mistakes_are_named_with_their_place(void **unused)
{
    struct rf_run_spec day = base(), more;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rf_error err = {RF_OK, ""};

        if (submit(&more, &day, more_text, bad[i].override, &err) != RF_ERR_CONFIG)
            fail_msg("'%s' was accepted", bad[i].override);
        if (strstr(err.text, bad[i].message) == NULL)
            fail_msg("'%s' gave: %s", bad[i].override, err.text);
    }
    rf_run_spec_clear(&day);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_knows_the_names_of_its_run),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(mistakes_are_named_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
