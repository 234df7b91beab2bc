#include "job/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

const char *rf_role_name(enum rf_role role)
{
    static const char *const names[] = {"pretrain",  "weak",      "student",   "ceiling",
                                        "same-size", "weak-half", "zero-shot", "probe",
                                        "link",      "noisy"};

    return names[role];
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
    enum rf_status st;

    *job = (struct rf_planned_job){
        .role = RF_ROLE_PRETRAIN,
        .experiment = -1,
        .init_job = -1,
        .label_job = -1,
        .parts = 1,
        .further = strcmp(from->text, "task") == 0      ? 0
                   : strcmp(from->text, "further") == 0 ? 1
                                                        : -1,
        .model = find_model(spec, from->model),
        .task = find_task(spec, from->task),
        .train = &from->train,
        .min = from->min,
        .max = from->max,
        .submit_us = from->submit_us,
        .bounds = from->bounds,
        .from = from->from,
        .ppmi = strcmp(from->embeddings, "ppmi") == 0,
        .task_seed = (uint64_t)spec->seed,
        .model_seed = rf_rng_stream("pretrain", (uint64_t)plan->njobs) ^ (uint64_t)spec->seed};
    memcpy(job->name, from->name, sizeof job->name);
    memcpy(job->account, from->account, sizeof job->account);
    if (job->model == NULL || job->task == NULL)
        return rf_fail(err, RF_ERR_CONFIG, "job '%s': there is no model '%s' or no task '%s'",
                       from->name, from->model, from->task);
    if (find_job(plan, job->name) >= 0)
        return rf_fail(err, RF_ERR_CONFIG, "there are two jobs named '%s'", job->name);
    st = find_start(plan, from->name, from->init, &job->init_job, err);
    if (st == RF_OK && job->init_job >= 0 && plan->jobs[job->init_job].model != job->model)
        st = rf_fail(err, RF_ERR_CONFIG,
                     "job '%s': it cannot start from job '%s', which trains "
                     "model '%s'",
                     from->name, from->init, plan->jobs[job->init_job].model->name);
    if (st != RF_OK)
        return st;
    come_after(job, job->init_job);
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
    const struct rf_model_spec *link[RF_CHAIN_MAX];
    const struct rf_task_options *task, *weak_task;
    int index, repeat;
    int32_t weak_start, strong_start, link_start[RF_CHAIN_MAX];
    int32_t labeller; /* the weak model */
    uint64_t task_seed, model_seed;
};

/* What tells them apart. */
struct cell_job {
    enum rf_role role;
    enum rf_method method;
    const char *row; /* of a table; NULL: none */
    int link;        /* of a chain, from 0 */
    int32_t labels;  /* job whose labels it learns; -1: the truth */
    int part, parts;
    enum rf_rated rated;
};

static int has_weak_model(enum rf_role role)
{
    return role == RF_ROLE_WEAK || role == RF_ROLE_SAME_SIZE || role == RF_ROLE_NOISY;
}

static void name_cell_job(const struct cell_job *what, char *text, size_t size)
{
    if (what->role == RF_ROLE_LINK)
        snprintf(text, size, "link%d", what->link + 1);
    else if (what->row != NULL)
        snprintf(text, size, "%s-%s", rf_role_name(what->role), what->row);
    else
        snprintf(text, size, "%s", rf_role_name(what->role));
}

static struct rf_planned_job make_cell_job(const struct cell *cell, const struct cell_job *what)
{
    int weak = has_weak_model(what->role), link = what->role == RF_ROLE_LINK;
    int weak_half = what->role == RF_ROLE_WEAK || what->role == RF_ROLE_WEAK_HALF;
    struct rf_planned_job job = {
        .role = what->role,
        .method = what->method,
        .experiment = cell->index,
        .repeat = what->role == RF_ROLE_ZERO_SHOT ? 0 : cell->repeat,
        .model = link   ? cell->link[what->link]
                 : weak ? cell->weak
                        : cell->strong,
        .task = weak ? cell->weak_task : cell->task,
        .from = "",
        .train = weak ? &cell->from->weak_train : &cell->from->strong_train,
        .options = &cell->from->options,
        .stop_checks = what->role == RF_ROLE_STUDENT && !rf_methods[what->method].linear
                           ? cell->from->stop_checks
                           : 0,
        .part = what->part,
        .parts = what->parts > 0 ? what->parts : 1,
        .rated = what->rated,
        .easy = what->rated != RF_RATED_ANY ? cell->from->easy : 0,
        .further = -1,
        .init_job = link   ? cell->link_start[what->link]
                    : weak ? cell->weak_start
                           : cell->strong_start,
        .label_job = what->labels,
        .train_split = weak_half ? RF_SPLIT_WEAK : RF_SPLIT_STRONG,
        .task_seed = cell->task_seed,
        .model_seed = cell->model_seed,
        .min = cell->from->min,
        .max = cell->from->max,
        .submit_us = cell->from->submit_us,
        .bounds = cell->from->bounds};

    memcpy(job.account, cell->from->account, sizeof job.account);
    if (what->row != NULL)
        snprintf(job.row, sizeof job.row, "%s", what->row);
    return job;
}

static enum rf_status add_cell(struct rf_job_plan *plan, const struct cell *cell,
                               const struct cell_job *what, struct rf_error *err)
{
    struct rf_planned_job *job = &plan->jobs[plan->njobs];
    char text[60];
    enum rf_status st;

    *job = make_cell_job(cell, what);
    name_cell_job(what, text, sizeof text);
    st = set_name(job, cell->from->name, what->role == RF_ROLE_ZERO_SHOT ? -1 : cell->repeat,
                  text, err);
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
    if (job->stop_checks > 0)
        come_after(job, cell->labeller);
    plan->njobs++;
    return RF_OK;
}

/* A job with the weak labels, or with the truth, that is told apart by its role alone. */
static enum rf_status add_role(struct rf_job_plan *plan, const struct cell *cell,
                               enum rf_role role, int wanted, int32_t labels,
                               struct rf_error *err)
{
    const struct cell_job what = {.role = role,
                                  .method = role == RF_ROLE_PROBE ? RF_METHOD_PROBE_RIDGE
                                                                  : RF_METHOD_XENT,
                                  .labels = labels};

    return wanted ? add_cell(plan, cell, &what, err) : RF_OK;
}

/* A student by each method; a linear one with a ceiling of its own. */
static enum rf_status add_students(struct rf_job_plan *plan, const struct cell *cell,
                                   struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int m = 0; st == RF_OK && m < RF_NMETHODS; m++) {
        struct cell_job what = {.role = RF_ROLE_STUDENT,
                                .method = (enum rf_method)m,
                                .row = rf_methods[m].name,
                                .labels = cell->labeller};

        if (!cell->from->methods[m])
            continue;
        st = add_cell(plan, cell, &what, err);
        what.role = RF_ROLE_CEILING;
        what.labels = -1;
        if (st == RF_OK && rf_methods[m].linear)
            st = add_cell(plan, cell, &what, err);
    }
    return st;
}

/* From model to model, each on a part of the strong half of its own; and without them. */
static enum rf_status add_chain(struct rf_job_plan *plan, const struct cell *cell,
                                struct rf_error *err)
{
    int n = cell->from->nchain;
    struct cell_job what = {.role = RF_ROLE_LINK, .labels = cell->labeller, .parts = n + 1};
    enum rf_status st = RF_OK;

    if (n == 0)
        return RF_OK;
    for (int i = 0; st == RF_OK && i < n; i++) {
        what.link = what.part = i;
        st = add_cell(plan, cell, &what, err);
        what.labels = plan->njobs - 1;
    }
    what.role = RF_ROLE_STUDENT;
    what.part = n;
    what.row = "chain";
    if (st == RF_OK)
        st = add_cell(plan, cell, &what, err);
    what.row = "direct";
    what.labels = cell->labeller;
    return st == RF_OK ? add_cell(plan, cell, &what, err) : st;
}

/* From easy to hard: does what is learnt of easy examples serve hard ones? */
static enum rf_status add_easy(struct rf_job_plan *plan, const struct cell *cell,
                               struct rf_error *err)
{
    struct cell_job what = {.role = RF_ROLE_STUDENT,
                            .row = "easy",
                            .labels = cell->labeller,
                            .rated = RF_RATED_EASY};
    enum rf_status st = RF_OK;

    if (cell->from->easy <= 0)
        return RF_OK;
    st = add_cell(plan, cell, &what, err);
    what.row = "as-many";
    what.rated = RF_RATED_AS_MANY;
    return st == RF_OK ? add_cell(plan, cell, &what, err) : st;
}

static enum rf_status add_noise(struct rf_job_plan *plan, const struct cell *cell,
                                struct rf_error *err)
{
    struct cell_job what = {.role = RF_ROLE_STUDENT, .row = "noise"};
    enum rf_status st = add_role(plan, cell, RF_ROLE_NOISY, 1, cell->labeller, err);

    what.labels = plan->njobs - 1;
    return st == RF_OK ? add_cell(plan, cell, &what, err) : st;
}

static enum rf_status add_repeat(struct rf_job_plan *plan, struct cell *cell,
                                 struct rf_error *err)
{
    const struct rf_experiment_spec *from = cell->from;
    enum rf_status st = add_role(plan, cell, RF_ROLE_WEAK, 1, -1, err);
    int32_t weak = cell->labeller = plan->njobs - 1;

    if (st == RF_OK)
        st = add_role(plan, cell, RF_ROLE_ZERO_SHOT,
                      cell->repeat == 0 && cell->strong_start >= 0, -1, err);
    if (st == RF_OK)
        st = add_students(plan, cell, err);
    if (st == RF_OK)
        st = add_role(plan, cell, RF_ROLE_CEILING, 1, -1, err);
    if (st == RF_OK)
        st = add_role(plan, cell, RF_ROLE_SAME_SIZE, from->same_size, weak, err);
    if (st == RF_OK)
        st = add_role(plan, cell, RF_ROLE_WEAK_HALF, from->strong_on_weak_half, -1, err);
    if (st == RF_OK)
        st = add_role(plan, cell, RF_ROLE_PROBE, from->probe, weak, err);
    if (st == RF_OK)
        st = add_chain(plan, cell, err);
    if (st == RF_OK)
        st = add_easy(plan, cell, err);
    return st == RF_OK && from->noise ? add_noise(plan, cell, err) : st;
}

static enum rf_status find_links(const struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                 struct cell *cell, struct rf_error *err)
{
    const struct rf_experiment_spec *from = cell->from;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < from->nchain; i++) {
        cell->link[i] = find_model(spec, from->chain[i]);
        cell->link_start[i] = -1;
        if (cell->link[i] == NULL)
            st = rf_fail(err, RF_ERR_CONFIG, "experiment '%s': there is no model '%s'",
                         from->name, from->chain[i]);
        else if (i < from->nchain_pretrained)
            st = find_start(plan, from->name, from->chain_pretrained[i], &cell->link_start[i],
                            err);
    }
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

    cell.weak_task = from->weak_task[0] != '\0' ? find_task(spec, from->weak_task) : cell.task;
    if (cell.weak == NULL || cell.strong == NULL || cell.task == NULL || cell.weak_task == NULL)
        return rf_fail(err, RF_ERR_CONFIG, "experiment '%s': there is no model or task '%s'",
                       from->name,
                       cell.weak == NULL     ? from->weak
                       : cell.strong == NULL ? from->strong
                       : cell.task == NULL   ? from->task
                                             : from->weak_task);
    st = find_start(plan, from->name, from->pretrained, &cell.strong_start, err);
    if (st == RF_OK)
        st = find_start(plan, from->name, from->weak_pretrained, &cell.weak_start, err);
    if (st == RF_OK)
        st = find_links(plan, spec, &cell, err);
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
        room += 1 + (size_t)(2 * RF_NMETHODS + RF_CHAIN_MAX + 11) *
                        (size_t)spec->experiments[i].seeds;
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
        st = rf_fail(err, RF_ERR_CONFIG,
                     "there is nothing to submit: no jobs and no experiments");
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
