/* The jobs that an experiment becomes: which they are, what they start from and wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job/plan.h"

static struct rf_model_spec models[] = {{.name = "small"}, {.name = "big"}};
static struct rf_task_options tasks[] = {{.name = "question"}};
static struct rf_pretrain_spec pretrain = {.name = "pretrain",
                                           .account = "capability",
                                           .model = "big",
                                           .task = "question",
                                           .min = 1,
                                           .max = 2};
static struct rf_experiment_spec experiment = {
    .name = "exp",
    .account = "alignment",
    .task = "question",
    .weak = "small",
    .strong = "big",
    .pretrained = "pretrain",
    .methods = {[RF_METHOD_XENT] = 1, [RF_METHOD_CONFIDENCE] = 1},
    .same_size = 1,
    .seeds = 2,
    .min = 1,
    .max = 1,
    .strong_on_weak_half = 1,
    .probe = 1};

static struct rf_run_spec spec_of(void)
{
    return (struct rf_run_spec){.seed = 5,
                                .models = models,
                                .nmodels = 2,
                                .tasks = tasks,
                                .ntasks = 1,
                                .jobs = &pretrain,
                                .njobs = 1,
                                .experiments = &experiment,
                                .nexperiments = 1};
}

static const struct rf_planned_job *named(const struct rf_job_plan *plan, const char *name)
{
    for (int32_t i = 0; i < plan->njobs; i++)
        if (strcmp(plan->jobs[i].name, name) == 0)
            return &plan->jobs[i];
    return NULL;
}

static void an_experiment_becomes_its_jobs_in_order_of_dependence(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_job_plan plan;
    struct rf_error err;

    (void)unused;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    assert_int_equal(plan.njobs, 1 + 1 + 2 * 7);
    for (int32_t i = 0; i < plan.njobs; i++)
        for (int32_t k = 0; k < plan.jobs[i].nafter; k++)
            assert_true(plan.jobs[i].after[k] < i);
    rf_job_plan_clear(&plan);
}

static void student_and_ceiling_differ_in_their_labels_alone(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *student, *ceiling, *weak;

    (void)unused;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    student = named(&plan, "exp.s1.student-xent");
    ceiling = named(&plan, "exp.s1.ceiling");
    weak = named(&plan, "exp.s1.weak");
    assert_non_null(student);
    assert_non_null(ceiling);
    assert_non_null(weak);
    assert_ptr_equal(&plan.jobs[student->label_job], weak);
    assert_int_equal(ceiling->label_job, -1);
    assert_int_equal(student->train_split, ceiling->train_split);
    assert_int_equal(student->train_split, RF_SPLIT_STRONG);
    assert_int_equal(weak->train_split, RF_SPLIT_WEAK);
    assert_true(student->model_seed == ceiling->model_seed);
    assert_true(student->task_seed == weak->task_seed);
    assert_int_equal(student->init_job, ceiling->init_job);
    assert_int_equal(weak->init_job, -1);
    rf_job_plan_clear(&plan);
}

static void seeds_differ_in_split_and_initial_values(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *a, *b;

    (void)unused;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    a = named(&plan, "exp.s0.weak");
    b = named(&plan, "exp.s1.weak");
    assert_true(a->task_seed != b->task_seed);
    assert_true(a->model_seed != b->model_seed);
    rf_job_plan_clear(&plan);
}

static void a_start_from_another_model_is_refused(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec other = experiment;
    struct rf_job_plan plan;
    struct rf_error err;

    (void)unused;
    snprintf(other.strong, sizeof other.strong, "small");
    spec.experiments = &other;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "cannot start from job 'pretrain'"));
    snprintf(other.pretrained, sizeof other.pretrained, "nobody");
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "'nobody'"));
}

/* What the strong model knew before: weak labels and strong examples as the student has them, but
 * the model as pretraining left it. */
static void a_probe_differs_from_the_student_in_its_model_alone(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec scratch = experiment;
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *probe, *student;

    (void)unused;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    probe = named(&plan, "exp.s1.probe");
    student = named(&plan, "exp.s1.student-xent");
    assert_non_null(probe);
    assert_non_null(student);
    assert_int_equal(probe->label_job, student->label_job);
    assert_int_equal(probe->init_job, student->init_job);
    assert_int_equal(probe->train_split, student->train_split);
    assert_true(probe->task_seed == student->task_seed);
    assert_string_equal(probe->model->name, "big");
    rf_job_plan_clear(&plan);

    scratch.pretrained[0] = '\0';
    spec.experiments = &scratch;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "'pretrained' names none"));
    scratch.probe = 0;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    assert_null(named(&plan, "exp.s1.probe"));
    rf_job_plan_clear(&plan);
}

/* Each link learns on its own part from the one before; the direct student on the last part from
 * the weak model. */
static void a_chain_goes_from_model_to_model_on_disjoint_parts(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec longer = experiment;
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *first, *second, *chain, *direct;

    (void)unused;
    longer.nchain = 2;
    snprintf(longer.chain[0], sizeof longer.chain[0], "small");
    snprintf(longer.chain[1], sizeof longer.chain[1], "big");
    spec.experiments = &longer;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    first = named(&plan, "exp.s1.link1");
    second = named(&plan, "exp.s1.link2");
    chain = named(&plan, "exp.s1.student-chain");
    direct = named(&plan, "exp.s1.student-direct");
    assert_true(first != NULL && second != NULL && chain != NULL && direct != NULL);
    assert_ptr_equal(&plan.jobs[first->label_job], named(&plan, "exp.s1.weak"));
    assert_ptr_equal(&plan.jobs[second->label_job], first);
    assert_ptr_equal(&plan.jobs[chain->label_job], second);
    assert_ptr_equal(&plan.jobs[direct->label_job], named(&plan, "exp.s1.weak"));
    assert_int_equal(first->part, 0);
    assert_int_equal(second->part, 1);
    assert_int_equal(chain->part, 2);
    assert_int_equal(direct->part, 2);
    assert_int_equal(direct->parts, 3);
    assert_string_equal(first->model->name, "small");
    assert_true(direct->model_seed == chain->model_seed);
    rf_job_plan_clear(&plan);
    snprintf(longer.chain[1], sizeof longer.chain[1], "nobody");
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "'nobody'"));
}

static void easy_examples_have_a_student_and_a_control_of_as_many(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec more = experiment;
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *easy, *control;

    (void)unused;
    more.easy = 1200;
    spec.experiments = &more;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    easy = named(&plan, "exp.s1.student-easy");
    control = named(&plan, "exp.s1.student-as-many");
    assert_true(easy != NULL && control != NULL);
    assert_true(easy->rated == RF_RATED_EASY && control->rated == RF_RATED_AS_MANY);
    assert_true(easy->easy == 1200 && control->easy == 1200);
    assert_true(named(&plan, "exp.s1.student-xent")->rated == RF_RATED_ANY);
    assert_ptr_equal(&plan.jobs[easy->label_job], named(&plan, "exp.s1.weak"));
    assert_true(easy->model_seed == control->model_seed);
    rf_job_plan_clear(&plan);
}

/* The weak model, and the student of its size, read the task in another vocabulary. */
static void a_weak_task_is_what_weak_models_read(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec other = experiment;
    struct rf_task_options two[2];
    struct rf_job_plan plan;
    struct rf_error err;

    (void)unused;
    two[0] = spec.tasks[0];
    two[1] = spec.tasks[0];
    snprintf(two[1].name, sizeof two[1].name, "other");
    spec.tasks = two;
    spec.ntasks = 2;
    snprintf(other.weak_task, sizeof other.weak_task, "other");
    other.same_size = 1;
    spec.experiments = &other;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    assert_ptr_equal(named(&plan, "exp.s1.weak")->task, &two[1]);
    assert_ptr_equal(named(&plan, "exp.s1.same-size")->task, &two[1]);
    assert_ptr_equal(named(&plan, "exp.s1.student-xent")->task, &two[0]);
    assert_ptr_equal(named(&plan, "exp.s1.ceiling")->task, &two[0]);
    rf_job_plan_clear(&plan);
    snprintf(other.weak_task, sizeof other.weak_task, "nowhere");
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "'nowhere'"));
}

static void noise_has_a_student_of_its_own_and_linear_methods_a_ceiling(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_experiment_spec more = experiment;
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *noisy, *student, *ceiling;

    (void)unused;
    more.noise = 1;
    more.methods[RF_METHOD_PROBE_LOGISTIC] = 1;
    spec.experiments = &more;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    noisy = named(&plan, "exp.s0.noisy");
    student = named(&plan, "exp.s0.student-noise");
    assert_non_null(noisy);
    assert_non_null(student);
    assert_ptr_equal(&plan.jobs[noisy->label_job], named(&plan, "exp.s0.weak"));
    assert_ptr_equal(&plan.jobs[student->label_job], noisy);
    student = named(&plan, "exp.s0.student-probe-logistic");
    ceiling = named(&plan, "exp.s0.ceiling-probe-logistic");
    assert_non_null(student);
    assert_non_null(ceiling);
    assert_int_equal(ceiling->label_job, -1);
    assert_int_equal(ceiling->method, student->method);
    rf_job_plan_clear(&plan);
}

static void two_jobs_of_one_name_are_refused(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_pretrain_spec twice[2] = {pretrain, pretrain};
    struct rf_job_plan plan;
    struct rf_error err;

    (void)unused;
    spec.jobs = twice;
    spec.njobs = 2;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "two jobs named 'pretrain'"));
}

static void jobs_stand_in_the_order_of_their_submission(void **unused)
{
    struct rf_run_spec spec = spec_of();
    struct rf_pretrain_spec three[3] = {pretrain, pretrain, pretrain};
    struct rf_experiment_spec soon = experiment;
    struct rf_job_plan plan;
    struct rf_error err;
    const struct rf_planned_job *last;

    (void)unused;
    three[0].submit_us =
        50; /* listed first, submitted last: after the experiment that needs nothing of it */
    snprintf(three[0].name, sizeof three[0].name, "late");
    snprintf(three[2].name, sizeof three[2].name, "second");
    snprintf(three[2].after[0], sizeof three[2].after[0], "late");
    three[2].nafter = 1;
    soon.submit_us = 10;
    spec.jobs = three;
    spec.njobs = 3;
    spec.experiments = &soon;
    assert_int_equal(rf_job_plan_expand(&plan, &spec, &err), RF_OK);
    for (int32_t i = 1; i < plan.njobs; i++)
        assert_true(plan.jobs[i - 1].submit_us <= plan.jobs[i].submit_us);
    last = &plan.jobs[plan.njobs - 1];
    assert_string_equal(last->name, "second");
    assert_true(last->submit_us == 50);
    assert_string_equal(plan.jobs[last->after[0]].name, "late");
    assert_string_equal(plan.jobs[named(&plan, "exp.s0.ceiling")->init_job].name, "pretrain");
    assert_string_equal(plan.jobs[named(&plan, "exp.s1.student-xent")->label_job].name,
                        "exp.s1.weak");
    rf_job_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_experiment_becomes_its_jobs_in_order_of_dependence),
        cmocka_unit_test(student_and_ceiling_differ_in_their_labels_alone),
        cmocka_unit_test(seeds_differ_in_split_and_initial_values),
        cmocka_unit_test(a_start_from_another_model_is_refused),
        cmocka_unit_test(a_probe_differs_from_the_student_in_its_model_alone),
        cmocka_unit_test(a_chain_goes_from_model_to_model_on_disjoint_parts),
        cmocka_unit_test(easy_examples_have_a_student_and_a_control_of_as_many),
        cmocka_unit_test(a_weak_task_is_what_weak_models_read),
        cmocka_unit_test(noise_has_a_student_of_its_own_and_linear_methods_a_ceiling),
        cmocka_unit_test(two_jobs_of_one_name_are_refused),
        cmocka_unit_test(jobs_stand_in_the_order_of_their_submission),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
