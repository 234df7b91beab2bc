#include "job/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

const char *rf_role_name(enum rf_role role)
{
    static const char *const names[] = {"pretrain",  "weak",      "student",   "ceiling",
                                        "same-size", "weak-half", "zero-shot", "probe"};

    return names[role];
}

const char *rf_loss_name(enum rf_loss loss)
{
    return loss == RF_LOSS_CONFIDENCE ? "confidence" : "xent";
}

void rf_job_plan_clear(struct rf_job_plan *plan)
{
    free(plan->jobs);
    *plan = (struct rf_job_plan){0};
}

static const struct rf_model_spec *find_model(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->nmodels; i++)
        if (strcmp(spec->models[i].name, name) == 0)
            return &spec->models[i];
    return NULL;
}

static const struct rf_task_options *find_task(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->ntasks; i++)
        if (strcmp(spec->tasks[i].name, name) == 0)
            return &spec->tasks[i];
    return NULL;
}

static int32_t find_job(const struct rf_job_plan *plan, const char *name)
{
    for (int32_t i = 0; i < plan->njobs; i++)
        if (strcmp(plan->jobs[i].name, name) == 0)
            return i;
    return -1;
}

/* "" means none and gives -1. */
static enum rf_status find_start(const struct rf_job_plan *plan, const char *owner,
                                 const char *name, int32_t *id, struct rf_error *err)
{
    *id = name[0] != '\0' ? find_job(plan, name) : -1;
    if (name[0] != '\0' && *id < 0)
        return rf_fail(err, RF_ERR_CONFIG, "'%s': there is no job '%s' to start from", owner,
                       name);
    return RF_OK;
}

static enum rf_status set_name(struct rf_planned_job *job, const char *experiment, int repeat,
                               const char *what, struct rf_error *err)
{
    int n = repeat >= 0
                ? snprintf(job->name, sizeof job->name, "%s.s%d.%s", experiment, repeat, what)
                : snprintf(job->name, sizeof job->name, "%s.%s", experiment, what);

    if (n < 0 || n >= (int)sizeof job->name)
        return rf_fail(err, RF_ERR_CONFIG, "experiment '%s': the name is too long for its jobs",
                       experiment);
    return RF_OK;
}

static void come_after(struct rf_planned_job *job, int32_t other)
{
    for (int32_t i = 0; i < job->nafter; i++)
        if (job->after[i] == other)
            return;
    if (other >= 0)
        job->after[job->nafter++] = other;
}

static enum rf_status add_pretrain(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                   const struct rf_pretrain_spec *from, struct rf_error *err)
{
    struct rf_planned_job *job = &plan->jobs[plan->njobs];

    *job = (struct rf_planned_job){
        .role = RF_ROLE_PRETRAIN,
        .experiment = -1,
        .init_job = -1,
        .label_job = -1,
        .model = find_model(spec, from->model),
        .task = find_task(spec, from->task),
        .train = &from->train,
        .min = from->min,
        .max = from->max,
        .submit_us = from->submit_us,
        .bounds = from->bounds,
        .task_seed = (uint64_t)spec->seed,
        .model_seed = rf_rng_stream("pretrain", (uint64_t)plan->njobs) ^ (uint64_t)spec->seed};
    memcpy(job->name, from->name, sizeof job->name);
    memcpy(job->account, from->account, sizeof job->account);
    if (job->model == NULL || job->task == NULL)
        return rf_fail(err, RF_ERR_CONFIG, "job '%s': there is no model '%s' or no task '%s'",
                       from->name, from->model, from->task);
    if (find_job(plan, job->name) >= 0)
        return rf_fail(err, RF_ERR_CONFIG, "there are two jobs named '%s'", job->name);
    for (int i = 0; i < from->nafter; i++) {
        int32_t other = find_job(plan, from->after[i]);

        if (other < 0)
            return rf_fail(err, RF_ERR_CONFIG,
                           "job '%s': there is no earlier job '%s' to come after", from->name,
                           from->after[i]);
        come_after(job, other);
    }
    plan->njobs++;
    return RF_OK;
}

/* What the jobs of one repeat of an experiment share. */
struct cell {
    const struct rf_experiment_spec *from;
    const struct rf_model_spec *weak, *strong;
    const struct rf_task_options *task;
    int index, repeat;
    int32_t weak_start, strong_start, labeller;
    uint64_t task_seed, model_seed;
};

static enum rf_status add_cell(struct rf_job_plan *plan, const struct cell *cell,
                               enum rf_role role, enum rf_loss loss, struct rf_error *err)
{
    struct rf_planned_job *job = &plan->jobs[plan->njobs];
    int weak_model = role == RF_ROLE_WEAK || role == RF_ROLE_SAME_SIZE;
    int learns_labels =
        role == RF_ROLE_STUDENT || role == RF_ROLE_SAME_SIZE || role == RF_ROLE_PROBE;
    char what[40];
    enum rf_status st;

    *job = (struct rf_planned_job){
        .role = role,
        .loss = loss,
        .experiment = cell->index,
        .repeat = role == RF_ROLE_ZERO_SHOT ? 0 : cell->repeat,
        .model = weak_model ? cell->weak : cell->strong,
        .task = cell->task,
        .train = weak_model ? &cell->from->weak_train : &cell->from->strong_train,
        .alpha = cell->from->confidence_alpha,
        .alpha_warmup = cell->from->confidence_warmup,
        .init_job = weak_model ? cell->weak_start : cell->strong_start,
        .label_job = learns_labels ? cell->labeller : -1,
        .train_split =
            role == RF_ROLE_WEAK || role == RF_ROLE_WEAK_HALF ? RF_SPLIT_WEAK : RF_SPLIT_STRONG,
        .task_seed = cell->task_seed,
        .model_seed = cell->model_seed,
        .min = cell->from->min,
        .max = cell->from->max,
        .submit_us = cell->from->submit_us,
        .bounds = cell->from->bounds};
    memcpy(job->account, cell->from->account, sizeof job->account);
    if (role == RF_ROLE_STUDENT)
        snprintf(what, sizeof what, "student-%s", rf_loss_name(loss));
    else
        snprintf(what, sizeof what, "%s", rf_role_name(role));
    st = set_name(job, cell->from->name, role == RF_ROLE_ZERO_SHOT ? -1 : cell->repeat, what,
                  err);
    if (st == RF_OK && find_job(plan, job->name) >= 0)
        st = rf_fail(err, RF_ERR_CONFIG, "there are two jobs named '%s'", job->name);
    if (st == RF_OK && job->init_job >= 0 &&
        strcmp(plan->jobs[job->init_job].model->name, job->model->name) != 0)
        st = rf_fail(
            err, RF_ERR_CONFIG,
            "experiment '%s': its model '%s' cannot start from job '%s', which trains model "
            "'%s'",
            cell->from->name, job->model->name, plan->jobs[job->init_job].name,
            plan->jobs[job->init_job].model->name);
    if (st != RF_OK)
        return st;
    come_after(job, job->init_job);
    come_after(job, job->label_job);
    plan->njobs++;
    return RF_OK;
}

static enum rf_status add_repeat(struct rf_job_plan *plan, struct cell *cell,
                                 struct rf_error *err)
{
    const struct rf_experiment_spec *from = cell->from;
    enum rf_status st = RF_OK;

    st = add_cell(plan, cell, RF_ROLE_WEAK, RF_LOSS_XENT, err);
    cell->labeller = plan->njobs - 1;
    if (st == RF_OK && cell->repeat == 0 && cell->strong_start >= 0)
        st = add_cell(plan, cell, RF_ROLE_ZERO_SHOT, RF_LOSS_XENT, err);
    if (st == RF_OK && from->xent)
        st = add_cell(plan, cell, RF_ROLE_STUDENT, RF_LOSS_XENT, err);
    if (st == RF_OK && from->confidence)
        st = add_cell(plan, cell, RF_ROLE_STUDENT, RF_LOSS_CONFIDENCE, err);
    if (st == RF_OK)
        st = add_cell(plan, cell, RF_ROLE_CEILING, RF_LOSS_XENT, err);
    if (st == RF_OK && from->same_size)
        st = add_cell(plan, cell, RF_ROLE_SAME_SIZE, RF_LOSS_XENT, err);
    if (st == RF_OK && from->strong_on_weak_half)
        st = add_cell(plan, cell, RF_ROLE_WEAK_HALF, RF_LOSS_XENT, err);
    if (st == RF_OK && from->probe)
        st = add_cell(plan, cell, RF_ROLE_PROBE, RF_LOSS_XENT, err);
    return st;
}

static enum rf_status add_experiment(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                     int index, struct rf_error *err)
{
    const struct rf_experiment_spec *from = &spec->experiments[index];
    struct cell cell = {.from = from,
                        .index = index,
                        .weak = find_model(spec, from->weak),
                        .strong = find_model(spec, from->strong),
                        .task = find_task(spec, from->task)};
    enum rf_status st;

    if (cell.weak == NULL || cell.strong == NULL || cell.task == NULL)
        return rf_fail(err, RF_ERR_CONFIG, "experiment '%s': there is no model or task '%s'",
                       from->name,
                       cell.weak == NULL     ? from->weak
                       : cell.strong == NULL ? from->strong
                                             : from->task);
    st = find_start(plan, from->name, from->pretrained, &cell.strong_start, err);
    if (st == RF_OK)
        st = find_start(plan, from->name, from->weak_pretrained, &cell.weak_start, err);
    if (st == RF_OK && from->probe && cell.strong_start < 0)
        st = rf_fail(
            err, RF_ERR_CONFIG,
            "experiment '%s': the control \"probe\" reads a pretrained strong model, and "
            "'pretrained' names none",
            from->name);
    for (int k = 0; st == RF_OK && k < from->seeds; k++) {
        cell.repeat = k;
        cell.task_seed = (uint64_t)spec->seed + (uint64_t)k;
        cell.model_seed = rf_rng_stream("experiment", (uint64_t)k) ^ (uint64_t)spec->seed;
        st = add_repeat(plan, &cell, err);
    }
    return st;
}

static int32_t moved(int32_t job, const int32_t *place)
{
    return job >= 0 ? place[job] : -1;
}

enum rf_status rf_job_plan_arrange(struct rf_job_plan *to, const struct rf_job_plan *from,
                                   const int32_t *place, struct rf_error *err)
{
    *to = (struct rf_job_plan){.njobs = from->njobs};
    to->jobs = malloc(((size_t)from->njobs + 1) * sizeof *to->jobs);
    if (to->jobs == NULL) {
        to->njobs = 0;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan of %d jobs", from->njobs);
    }
    for (int32_t i = 0; i < from->njobs; i++) {
        struct rf_planned_job *job = &to->jobs[place[i]];

        *job = from->jobs[i];
        job->init_job = moved(job->init_job, place);
        job->label_job = moved(job->label_job, place);
        for (int32_t k = 0; k < job->nafter; k++)
            job->after[k] = place[job->after[k]];
    }
    return RF_OK;
}

/* Puts the jobs in order of submission, those of one moment as they are. A job comes
 * no earlier than what it depends on, so the order stays one of dependence too. */
static enum rf_status sort_by_submission(struct rf_job_plan *plan, struct rf_error *err)
{
    struct rf_job_plan sorted;
    int32_t *place = calloc((size_t)plan->njobs + 1, sizeof *place);
    enum rf_status st;

    if (place == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan of %d jobs", plan->njobs);
    for (int32_t i = 0; i < plan->njobs; i++) {
        struct rf_planned_job *job = &plan->jobs[i];

        for (int32_t k = 0; k < job->nafter; k++)
            if (plan->jobs[job->after[k]].submit_us > job->submit_us)
                job->submit_us = plan->jobs[job->after[k]].submit_us;
        for (int32_t k = 0; k < i; k++)
            place[plan->jobs[k].submit_us <= job->submit_us ? i : k]++;
    }
    st = rf_job_plan_arrange(&sorted, plan, place, err);
    free(place);
    if (st != RF_OK)
        return st;
    free(plan->jobs);
    *plan = sorted;
    return RF_OK;
}

/* How many jobs there may be. */
static size_t room_for(const struct rf_run_spec *spec)
{
    size_t room = (size_t)spec->njobs;

    for (int i = 0; i < spec->nexperiments; i++)
        room += 1 + 7 * (size_t)spec->experiments[i].seeds;
    return room;
}

enum rf_status rf_job_plan_append(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                  int first_experiment, struct rf_error *err)
{
    int32_t before = plan->njobs;
    size_t room = (size_t)before + room_for(spec);
    struct rf_planned_job *jobs = realloc(plan->jobs, (room + 1) * sizeof *jobs);
    enum rf_status st = RF_OK;

    if (jobs == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan of %zu jobs", room);
    plan->jobs = jobs;
    for (int i = 0; st == RF_OK && i < spec->njobs; i++)
        st = add_pretrain(plan, spec, &spec->jobs[i], err);
    for (int i = 0; st == RF_OK && i < spec->nexperiments; i++)
        st = add_experiment(plan, spec, i, err);
    if (st == RF_OK && plan->njobs == before)
        st = rf_fail(err, RF_ERR_CONFIG, "there is nothing to submit: no jobs and no experiments");
    if (st != RF_OK)
        plan->njobs = before;
    for (int32_t i = before; i < plan->njobs; i++)
        if (plan->jobs[i].experiment >= 0)
            plan->jobs[i].experiment += first_experiment;
    return st;
}

enum rf_status rf_job_plan_expand(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                  struct rf_error *err)
{
    size_t room = room_for(spec);
    enum rf_status st = RF_OK;

    *plan = (struct rf_job_plan){0};
    if (room == 0 && spec->linger_us > 0)
        return RF_OK; /* jobs will be submitted */
    if (room == 0)
        return rf_fail(err, RF_ERR_CONFIG,
                       "there is nothing to run: no jobs and no experiments");
    plan->jobs = calloc(room, sizeof *plan->jobs);
    if (plan->jobs == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan of %zu jobs", room);
    for (int i = 0; st == RF_OK && i < spec->njobs; i++)
        st = add_pretrain(plan, spec, &spec->jobs[i], err);
    for (int i = 0; st == RF_OK && i < spec->nexperiments; i++)
        st = add_experiment(plan, spec, i, err);
    if (st == RF_OK)
        st = sort_by_submission(plan, err);
    if (st != RF_OK)
        rf_job_plan_clear(plan);
    return st;
}
