#include "job/leaks.h"

#include <stdlib.h>
#include <string.h>

#include "job/origin.h"

static int find_task(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->ntasks; i++)
        if (strcmp(spec->tasks[i].name, name) == 0)
            return i;
    return -1;
}

static enum rf_status compare(const struct rf_run_spec *spec, struct rf_task *const *tasks,
                              int learned, int tested, const char *why, struct rf_error *err)
{
    const struct rf_task_options *options = &spec->tasks[learned];
    int64_t n = options->overlap ? 0 : rf_task_overlap(tasks[learned], tasks[tested]);

    if (n == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_INPUT,
                   "task '%s' trains on %lld texts of the test of task '%s', and %s; "
                   "family_overlap = true in '%s' declares it",
                   options->name, (long long)n, spec->tasks[tested].name, why, options->name);
}

static enum rf_status check_families(const struct rf_run_spec *spec,
                                     struct rf_task *const *tasks, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int a = 0; st == RF_OK && a < spec->ntasks; a++)
        for (int b = 0; st == RF_OK && b < spec->ntasks; b++)
            if (a != b && spec->tasks[a].family[0] != '\0' &&
                strcmp(spec->tasks[a].family, spec->tasks[b].family) == 0)
                st = compare(spec, tasks, a, b, "they are of one family", err);
    return st;
}

/* The model of an experiment starts from a job's: what that job has read counts as trained on. */
static enum rf_status check_start(const struct rf_run_spec *spec, struct rf_task *const *tasks,
                                  int experiment, const char *start, struct rf_error *err)
{
    int tested = find_task(spec, spec->experiments[experiment].task);

    for (int i = 0; i < spec->njobs; i++) {
        int learned = find_task(spec, spec->jobs[i].task);

        if (strcmp(spec->jobs[i].name, start) == 0 && learned >= 0 && tested >= 0 &&
            learned != tested)
            return compare(spec, tasks, learned, tested,
                           "a model starts from the one for the other", err);
    }
    return RF_OK;
}

/* The weak model reads the examples of the task in another vocabulary: are they the same ones? */
static enum rf_status check_weak_task(const struct rf_run_spec *spec,
                                      struct rf_task *const *tasks, int experiment,
                                      struct rf_error *err)
{
    static const char *const names[RF_NSPLITS] = {"the weak half", "the strong half",
                                                  "validation", "test"};
    const struct rf_experiment_spec *e = &spec->experiments[experiment];
    int strong = find_task(spec, e->task), weak = find_task(spec, e->weak_task);

    for (int s = 0; e->weak_task[0] != '\0' && strong >= 0 && weak >= 0 && s < RF_NSPLITS;
         s++) {
        const struct rf_examples *a = rf_task_split(tasks[strong], (enum rf_split)s);
        const struct rf_examples *b = rf_task_split(tasks[weak], (enum rf_split)s);

        if (a->n != b->n || a->content != b->content)
            return rf_fail(
                err, RF_ERR_INPUT,
                "experiment '%s': tasks '%s' and '%s' differ in %s (%d and %d "
                "examples): a weak_task holds the same examples in another vocabulary",
                e->name, e->task, e->weak_task, names[s], a->n, b->n);
    }
    return RF_OK;
}

/* What starts from elsewhere fits the model and the task; better known now than when its turn comes. */
static enum rf_status check_origins(const struct rf_run_spec *spec,
                                    struct rf_task *const *tasks, struct rf_error *err)
{
    struct rf_origin origin;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < spec->njobs; i++) {
        const struct rf_pretrain_spec *job = &spec->jobs[i];
        int task = find_task(spec, job->task), model = 0;

        while (model < spec->nmodels && strcmp(spec->models[model].name, job->model) != 0)
            model++;
        if (job->from[0] == '\0' || task < 0 || model == spec->nmodels)
            continue;
        st = rf_model_check_room(&spec->models[model], rf_task_info(tasks[task]), job->task,
                                 job->name, err);
        if (st == RF_OK)
            st = rf_origin_check(&origin, job->from, &spec->models[model],
                                 rf_task_info(tasks[task]), job->name, err);
    }
    return st;
}

enum rf_status rf_leaks_check(const struct rf_run_spec *spec, struct rf_error *err)
{
    struct rf_task **tasks = calloc((size_t)spec->ntasks + 1, sizeof *tasks);
    enum rf_status st = RF_OK;

    if (tasks == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tasks", spec->ntasks);
    for (int i = 0; st == RF_OK && i < spec->ntasks; i++)
        st = rf_task_open(&tasks[i], &spec->tasks[i], (uint64_t)spec->seed, err);
    if (st == RF_OK)
        st = check_families(spec, tasks, err);
    for (int i = 0; st == RF_OK && i < spec->nexperiments; i++) {
        st = check_start(spec, tasks, i, spec->experiments[i].pretrained, err);
        if (st == RF_OK)
            st = check_start(spec, tasks, i, spec->experiments[i].weak_pretrained, err);
        if (st == RF_OK)
            st = check_weak_task(spec, tasks, i, err);
    }
    if (st == RF_OK)
        st = check_origins(spec, tasks, err);
    for (int i = 0; i < spec->ntasks; i++)
        rf_task_close(tasks[i]);
    free(tasks);
    return st;
}
