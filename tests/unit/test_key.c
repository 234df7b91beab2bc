/* What a job's key depends on, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "job/key.h"

static struct rf_model_spec models[] = {{.name = "small", .family = "gpt2", .layers = 1},
                                        {.name = "big", .family = "gpt2", .layers = 2}};
static struct rf_task_options tasks[] = {
    {.name = "t", .source = "tsv", .path = "key_data.tsv"}};
static struct rf_pretrain_spec pretrain = {.name = "pre",
                                           .account = "a",
                                           .model = "big",
                                           .task = "t",
                                           .train = {.steps = 10},
                                           .min = 1,
                                           .max = 1};

static struct rf_experiment_spec make(const char *name)
{
    struct rf_experiment_spec e = {.account = "a",
                                   .task = "t",
                                   .weak = "small",
                                   .strong = "big",
                                   .pretrained = "pre",
                                   .weak_train = {.steps = 5},
                                   .strong_train = {.steps = 6},
                                   .methods = {[RF_METHOD_XENT] = 1},
                                   .seeds = 1,
                                   .min = 1,
                                   .max = 1};

    snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

static void put(const char *text)
{
    struct rf_error err;

    assert_int_equal(rf_file_write("key_data.tsv", text, strlen(text), &err), RF_OK);
}

static struct rf_job_plan planned(struct rf_experiment_spec *experiments, int n)
{
    static struct rf_run_spec spec;
    struct rf_job_plan plan;
    struct rf_error err;

    spec = (struct rf_run_spec){.seed = 3,
                                .models = models,
                                .nmodels = 2,
                                .tasks = tasks,
                                .ntasks = 1,
                                .jobs = &pretrain,
                                .njobs = 1,
                                .experiments = experiments,
                                .nexperiments = n};
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    assert_int_equal(rf_job_keys_fill(&plan, "1", &err), RF_OK);
    return plan;
}

static const struct rf_planned_job *named(const struct rf_job_plan *plan, const char *name)
{
    for (int32_t i = 0; i < plan->njobs; i++)
        if (strcmp(plan->jobs[i].name, name) == 0)
            return &plan->jobs[i];
    fail_msg("no job '%s'", name);
    return NULL;
}

static int same(const struct rf_job_plan *a, const char *one, const struct rf_job_plan *b,
                const char *other)
{
    assert_int_equal(strlen(named(a, one)->key), 64);
    return strcmp(named(a, one)->key, named(b, other)->key) == 0;
}

static void equal_jobs_of_two_experiments_share_a_key_and_one_waits(void **state)
{
    struct rf_experiment_spec two[2] = {make("x"), make("y")};
    struct rf_job_plan plan;
    int waits = 0;

    (void)state;
    put("train\t0\ta\n");
    two[1].strong_train.steps = 7;
    plan = planned(two, 2);
    assert_true(same(&plan, "x.s0.weak", &plan, "y.s0.weak"));
    assert_true(same(&plan, "x.zero-shot", &plan, "x.zero-shot"));
    assert_false(same(&plan, "x.s0.student-xent", &plan, "y.s0.student-xent"));
    assert_false(same(&plan, "x.s0.ceiling", &plan, "x.s0.student-xent"));
    for (int32_t k = 0; k < named(&plan, "y.s0.weak")->nafter; k++)
        waits |= plan.jobs[named(&plan, "y.s0.weak")->after[k]].role == RF_ROLE_WEAK;
    assert_true(waits);
    rf_job_plan_clear(&plan);
}

static void keys_follow_data_supervisor_and_settings_and_not_names(void **state)
{
    struct rf_experiment_spec before = make("x"), after = make("x");
    struct rf_job_plan a = planned(&before, 1), b;

    (void)state;
    b = planned(&after, 1);
    assert_true(same(&a, "x.s0.student-xent", &b, "x.s0.student-xent"));
    rf_job_plan_clear(&b);
    after.weak_train.lr = 0.5; /* another supervisor, so another student; the same ceiling */
    after.strong_train.checkpoint_every = 3;
    snprintf(after.account, sizeof after.account, "b");
    b = planned(&after, 1);
    assert_false(same(&a, "x.s0.student-xent", &b, "x.s0.student-xent"));
    assert_true(same(&a, "x.s0.ceiling", &b, "x.s0.ceiling"));
    assert_true(same(&a, "pre", &b, "pre"));
    rf_job_plan_clear(&b);
    put("train\t0\tb\n");
    b = planned(&before, 1);
    assert_false(same(&a, "pre", &b, "pre"));
    assert_false(same(&a, "x.s0.ceiling", &b, "x.s0.ceiling"));
    rf_job_plan_clear(&a);
    rf_job_plan_clear(&b);
    remove("key_data.tsv");
}

static void what_may_refer_to_another_checkpoint_has_no_key(void **state)
{
    struct rf_experiment_spec one = make("x");
    struct rf_job_plan plan;

    (void)state;
    put("train\t0\ta\n");
    pretrain.train.freeze_layers = 1;
    pretrain.train.checkpoint_share = 1;
    plan = planned(&one, 1);
    assert_string_equal(named(&plan, "pre")->key, "");
    assert_string_equal(named(&plan, "x.s0.ceiling")->key, ""); /* starts from it */
    assert_int_equal(strlen(named(&plan, "x.s0.weak")->key), 64);
    rf_job_plan_clear(&plan);
    pretrain.train.freeze_layers = 0;
    remove("key_data.tsv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_jobs_of_two_experiments_share_a_key_and_one_waits),
        cmocka_unit_test(keys_follow_data_supervisor_and_settings_and_not_names),
        cmocka_unit_test(what_may_refer_to_another_checkpoint_has_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
