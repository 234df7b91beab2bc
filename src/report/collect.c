#include "report/collect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job/stops.h"
#include "report/cost.h"

enum { RF_SEEDS_MAX = 99 }; /* as many as an experiment may have */

/* One line of a table: a student, and where in its training it is looked at. */
struct row {
    char name[RF_ROW_BYTES]; /* of the planned job */
    const char *stop;        /* "": at its end; else rf_stop_rule_name() */
};

/* The jobs of one repeat of a row, -1 where there is none. */
struct cell_jobs {
    int32_t weak, student, ceiling, same_size, weak_half, probe;
};

/* The weak model; of the row "noise" the supervisor that errs at random. The ceiling; of a row
 * with a ceiling of its own, that one. */
static struct cell_jobs find_cell(const struct rf_job_plan *plan, int experiment, int repeat,
                                  const char *row)
{
    struct cell_jobs cell = {-1, -1, -1, -1, -1, -1};
    int noise = strcmp(row, "noise") == 0, own = 0;

    for (int32_t i = 0; i < plan->njobs; i++) {
        const struct rf_planned_job *job = &plan->jobs[i];
        int is_own = strcmp(job->row, row) == 0;

        if (job->experiment != experiment || job->repeat != repeat)
            continue;
        if (job->role == (noise ? RF_ROLE_NOISY : RF_ROLE_WEAK))
            cell.weak = i;
        else if (job->role == RF_ROLE_CEILING && (is_own || (job->row[0] == '\0' && !own)))
            cell.ceiling = i;
        else if (job->role == RF_ROLE_SAME_SIZE)
            cell.same_size = i;
        else if (job->role == RF_ROLE_WEAK_HALF)
            cell.weak_half = i;
        else if (job->role == RF_ROLE_PROBE)
            cell.probe = i;
        else if (job->role == RF_ROLE_STUDENT && is_own)
            cell.student = i;
        own |= job->role == RF_ROLE_CEILING && is_own;
    }
    return cell;
}

static int is_done(const struct rf_state *state, int32_t job)
{
    return job >= 0 && job < state->njobs && state->jobs[job].state == RF_JOB_DONE;
}

static int cell_done(const struct rf_state *state, const struct cell_jobs *cell)
{
    return is_done(state, cell->weak) && is_done(state, cell->student) &&
           is_done(state, cell->ceiling);
}

/* Says in failed which job of the cell is missing, and why. */
static void explain(const struct rf_state *state, const struct rf_job_plan *plan,
                    const struct cell_jobs *cell, char *failed, size_t size)
{
    const int32_t jobs[] = {cell->weak, cell->student, cell->ceiling};

    for (int i = 0; i < 3; i++) {
        const char *reason;

        if (is_done(state, jobs[i]))
            continue;
        if (jobs[i] < 0 || jobs[i] >= state->njobs) {
            snprintf(failed, size, "a job was never requested");
            return;
        }
        reason = rf_state_job_reason(state, jobs[i]);
        snprintf(failed, size, "job %.40s is %s%s%.60s", plan->jobs[jobs[i]].name,
                 rf_job_state_name((enum rf_job_state)state->jobs[jobs[i]].state),
                 reason[0] ? ": " : "", reason);
        return;
    }
}

/* Test predictions of all finished repeats, one after the other. */
struct pooled {
    int n, nseeds;
    unsigned char *weak_right, *student_right, *ceiling_right; /* [nseeds][n] */
    int32_t *weak, *student, *truth;                           /* [nseeds][n] */
};

static void pooled_clear(struct pooled *p)
{
    free(p->weak_right);
    free(p->student_right);
    free(p->ceiling_right);
    free(p->weak);
    free(p->student);
    free(p->truth);
}

static enum rf_status pooled_make(struct pooled *p, int n, int seeds, struct rf_error *err)
{
    size_t items = (size_t)n * (size_t)seeds;

    *p = (struct pooled){.n = n,
                         .weak_right = malloc(items),
                         .student_right = malloc(items),
                         .ceiling_right = malloc(items),
                         .weak = malloc(items * sizeof(int32_t)),
                         .student = malloc(items * sizeof(int32_t)),
                         .truth = malloc(items * sizeof(int32_t))};
    if (p->weak_right == NULL || p->student_right == NULL || p->ceiling_right == NULL ||
        p->weak == NULL || p->student == NULL || p->truth == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: predictions of %zu items", items);
    return RF_OK;
}

/* One model's predictions into the next seed's rows; all must be of the same test items. */
static enum rf_status pool_model(struct pooled *p, const char *run_dir, const char *job,
                                 unsigned char *right, int32_t *best, struct rf_error *err)
{
    struct rf_predictions read;
    size_t at = (size_t)p->nseeds * (size_t)p->n;
    enum rf_status st = rf_predictions_read_test(&read, run_dir, job, err);

    if (st == RF_OK && read.n != p->n)
        st = rf_fail(err, RF_ERR_INPUT, "'%s/jobs/%s.test' has %d items, expected %d", run_dir,
                     job, read.n, p->n);
    for (int i = 0; st == RF_OK && i < p->n; i++) {
        right[at + (size_t)i] = read.best[i] == read.truth[i];
        p->truth[at + (size_t)i] = read.truth[i];
        if (best != NULL)
            best[at + (size_t)i] = read.best[i];
    }
    rf_predictions_clear(&read);
    return st;
}

static double share_right(const unsigned char *right, int n)
{
    int sum = 0;

    for (int i = 0; i < n; i++)
        sum += right[i];
    return n > 0 ? (double)sum / n : NAN;
}

static enum rf_status pool_cell(struct pooled *p, const struct rf_job_plan *plan,
                                const char *run_dir, const struct cell_jobs *cell,
                                const char *stop, struct rf_seed_scores *score,
                                struct rf_error *err)
{
    size_t at = (size_t)p->nseeds * (size_t)p->n;
    char student[RF_NAME_BYTES + 16];
    enum rf_status st;

    snprintf(student, sizeof student, "%s%s%s", plan->jobs[cell->student].name,
             stop[0] != '\0' ? "." : "", stop);
    st = pool_model(p, run_dir, plan->jobs[cell->weak].name, p->weak_right, p->weak, err);
    if (st == RF_OK)
        st = pool_model(p, run_dir, student, p->student_right, p->student, err);
    if (st == RF_OK)
        st =
            pool_model(p, run_dir, plan->jobs[cell->ceiling].name, p->ceiling_right, NULL, err);
    if (st != RF_OK)
        return st;
    *score = (struct rf_seed_scores){.weak = share_right(p->weak_right + at, p->n),
                                     .student = share_right(p->student_right + at, p->n),
                                     .ceiling = share_right(p->ceiling_right + at, p->n),
                                     .seed = (int64_t)plan->jobs[cell->student].task_seed,
                                     .job = plan->jobs[cell->student].name,
                                     .key = plan->jobs[cell->student].key};
    p->nseeds++;
    return RF_OK;
}

/* The mean of a metric over the repeats that have it. */
struct mean {
    double sum;
    int n;
};

static void add_value(struct mean *mean, double value)
{
    if (!isnan(value)) {
        mean->sum += value;
        mean->n++;
    }
}

static void add_metric(struct mean *mean, const struct rf_collection *c, int32_t job,
                       const char *name)
{
    double value =
        is_done(c->audit.state, job) ? rf_metrics_get(&c->jobs[job].metrics, name) : NAN;

    add_value(mean, value);
}

static double mean_of(const struct mean *mean)
{
    return mean->n > 0 ? mean->sum / mean->n : NAN;
}

/* Numbers that the jobs have noted themselves. */
static void add_controls(struct rf_collection *c, const struct rf_job_plan *plan,
                         int experiment, const struct row *row, int repeats,
                         struct rf_experiment_result *result)
{
    struct mean same = {0}, half = {0}, probe = {0}, zero = {0}, ece = {0}, brier = {0};
    struct mean weak_ece = {0}, weak_brier = {0}, small = {0}, large = {0};
    struct mean weak_flops = {0}, strong_flops = {0};

    for (int k = 0; k < repeats; k++) {
        struct cell_jobs cell = find_cell(plan, experiment, k, row->name);

        add_metric(&same, c, cell.same_size, "test_accuracy");
        add_metric(&half, c, cell.weak_half, "test_accuracy");
        add_metric(&probe, c, cell.probe, "test_accuracy");
        add_metric(&ece, c, cell.student, "test_ece");
        add_metric(&brier, c, cell.student, "test_brier");
        add_metric(&weak_ece, c, cell.weak, "test_ece");
        add_metric(&weak_brier, c, cell.weak, "test_brier");
        add_metric(&small, c, cell.weak, "parameters");
        add_metric(&large, c, cell.student, "parameters");
        if (cell_done(c->audit.state, &cell)) {
            add_value(&weak_flops, rf_model_cost(plan, c->audit.state, c->jobs, cell.weak));
            add_value(&strong_flops,
                      rf_model_cost(plan, c->audit.state, c->jobs, cell.student));
        }
    }
    for (int32_t i = 0; i < plan->njobs; i++)
        if (plan->jobs[i].experiment == experiment && plan->jobs[i].role == RF_ROLE_ZERO_SHOT)
            add_metric(&zero, c, i, "test_accuracy");
    result->same_size = mean_of(&same);
    result->strong_on_weak_half = mean_of(&half);
    result->probe = mean_of(&probe);
    result->zero_shot = mean_of(&zero);
    result->ece = mean_of(&ece);
    result->brier = mean_of(&brier);
    result->weak_ece = mean_of(&weak_ece);
    result->weak_brier = mean_of(&weak_brier);
    result->weak_parameters = mean_of(&small);
    result->strong_parameters = mean_of(&large);
    result->weak_flops = mean_of(&weak_flops);
    result->strong_flops = mean_of(&strong_flops);
}

/* Supervisors, students and ceilings of all repeats. */
static enum rf_status add_cost(struct rf_collection *c, const struct rf_job_plan *plan,
                               int experiment, const struct row *row, int repeats,
                               struct rf_experiment_result *result, struct rf_error *err)
{
    int32_t wanted[3 * RF_SEEDS_MAX];
    int n = 0;

    for (int k = 0; k < repeats; k++) {
        struct cell_jobs cell = find_cell(plan, experiment, k, row->name);

        wanted[n++] = cell.weak;
        wanted[n++] = cell.student;
        wanted[n++] = cell.ceiling;
    }
    return rf_row_cost(plan, c->audit.state, c->jobs, wanted, n, &result->cost, err);
}

/* How many test items the first finished repeat has; 0 when none is finished. */
static enum rf_status count_items(const struct rf_collection *c, const struct rf_job_plan *plan,
                                  int experiment, const struct row *row, int repeats,
                                  const char *run_dir, int *n, struct rf_error *err)
{
    *n = 0;
    for (int k = 0; k < repeats; k++) {
        struct cell_jobs cell = find_cell(plan, experiment, k, row->name);
        struct rf_predictions read;
        enum rf_status st;

        if (!cell_done(c->audit.state, &cell))
            continue;
        st = rf_predictions_read_test(&read, run_dir, plan->jobs[cell.weak].name, err);
        *n = read.n;
        rf_predictions_clear(&read);
        return st;
    }
    return RF_OK;
}

static enum rf_status evaluate(struct rf_collection *c, const struct rf_run_spec *spec,
                               const struct rf_job_plan *plan, int experiment,
                               const struct row *row, const char *run_dir,
                               struct rf_seed_scores *scores,
                               struct rf_experiment_result *result, struct rf_error *err)
{
    const struct rf_experiment_spec *from = &spec->experiments[experiment];
    struct pooled pooled = {0};
    int n;
    enum rf_status st;

    st = count_items(c, plan, experiment, row, from->seeds, run_dir, &n, err);
    if (st == RF_OK && n > 0)
        st = pooled_make(&pooled, n, from->seeds, err);
    for (int k = 0; st == RF_OK && k < from->seeds; k++) {
        struct cell_jobs cell = find_cell(plan, experiment, k, row->name);

        if (cell_done(c->audit.state, &cell))
            st = pool_cell(&pooled, plan, run_dir, &cell, row->stop, &scores[pooled.nseeds],
                           err);
        else
            explain(c->audit.state, plan, &cell, result->failed, sizeof result->failed);
    }
    if (st == RF_OK && pooled.nseeds > 0) {
        const struct rf_w2s_items items = {.n = n,
                                           .nseeds = pooled.nseeds,
                                           .weak = pooled.weak_right,
                                           .student = pooled.student_right,
                                           .ceiling = pooled.ceiling_right};

        result->failed[0] = '\0';
        st = rf_w2s_evaluate(&items, from->bootstrap, (uint64_t)spec->seed, &result->w2s, err);
        rf_w2s_agreement(pooled.weak, pooled.student, pooled.truth, n * pooled.nseeds,
                         &result->agreement);
    }
    result->test_items = n;
    result->seeds = pooled.nseeds;
    result->scores = pooled.nseeds > 0 ? scores : NULL;
    pooled_clear(&pooled);
    return st;
}

/* One row of the table. */
static enum rf_status add_row(struct rf_collection *c, const struct rf_run_spec *spec,
                              const struct rf_job_plan *plan, int experiment,
                              const struct row *row, const char *run_dir, struct rf_error *err)
{
    const struct rf_experiment_spec *from = &spec->experiments[experiment];
    struct rf_experiment_result *result = &c->experiments[c->results.nexperiments];
    struct rf_seed_scores *scores = c->scores + (size_t)c->results.nexperiments * RF_SEEDS_MAX;
    enum rf_status st;

    *result = (struct rf_experiment_result){.agreement = {NAN, NAN, NAN, NAN, NAN, NAN}};
    memcpy(result->name, from->name, sizeof result->name);
    memcpy(result->task, from->task, sizeof result->task);
    snprintf(result->loss, sizeof result->loss, "%s%s%s", row->name,
             row->stop[0] != '\0' ? "+" : "", row->stop);
    add_controls(c, plan, experiment, row, from->seeds, result);
    c->results.nexperiments++;
    st = add_cost(c, plan, experiment, row, from->seeds, result, err);
    if (st == RF_OK)
        st = evaluate(c, spec, plan, experiment, row, run_dir, scores, result, err);
    return st;
}

/* The rows of an experiment are the students of its first repeat, in the plan's order of methods;
 * those that were looked at on the way have two rows more. */
static enum rf_status add_rows(struct rf_collection *c, const struct rf_run_spec *spec,
                               const struct rf_job_plan *plan, int experiment,
                               const char *run_dir, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = 0; st == RF_OK && i < plan->njobs; i++) {
        const struct rf_planned_job *job = &plan->jobs[i];
        struct row row = {.stop = ""};

        if (job->experiment != experiment || job->repeat != 0 || job->role != RF_ROLE_STUDENT)
            continue;
        memcpy(row.name, job->row, sizeof row.name);
        st = add_row(c, spec, plan, experiment, &row, run_dir, err);
        for (int r = 0; job->stop_checks > 0 && st == RF_OK && r < RF_NSTOP_RULES; r++) {
            row.stop = rf_stop_rule_name((enum rf_stop_rule)r);
            st = add_row(c, spec, plan, experiment, &row, run_dir, err);
        }
    }
    return st;
}

static enum rf_status add_experiments(struct rf_collection *c, const struct rf_run_spec *spec,
                                      const struct rf_job_plan *plan, const char *run_dir,
                                      struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int e = 0; st == RF_OK && e < spec->nexperiments; e++)
        st = add_rows(c, spec, plan, e, run_dir, err);
    return st;
}

static enum rf_status read_jobs(struct rf_collection *c, const struct rf_job_plan *plan,
                                const char *run_dir, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = 0; st == RF_OK && i < plan->njobs; i++) {
        const struct rf_planned_job *job = &plan->jobs[i];

        c->jobs[i].kind = rf_role_name(job->role);
        c->jobs[i].row = job->row;
        st = rf_curve_read(&c->jobs[i].curve, run_dir, job->name, INT64_MAX, err);
        if (st == RF_OK)
            st = rf_record_metrics_read(&c->jobs[i].metrics, run_dir, job->name, err);
    }
    return st;
}

static enum rf_status make_room(struct rf_collection *c, const struct rf_job_plan *plan,
                                struct rf_error *err)
{
    size_t rows = 1;

    for (int32_t i = 0; i < plan->njobs; i++)
        if (plan->jobs[i].role == RF_ROLE_STUDENT && plan->jobs[i].repeat == 0)
            rows += 1 + RF_NSTOP_RULES;
    c->jobs = calloc((size_t)plan->njobs + 1, sizeof *c->jobs);
    c->experiments = calloc(rows, sizeof *c->experiments);
    c->scores = calloc(rows * RF_SEEDS_MAX, sizeof *c->scores);
    if (c->jobs == NULL || c->experiments == NULL || c->scores == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: results of %d jobs", plan->njobs);
    c->results.njobs = plan->njobs;
    return RF_OK;
}

static int32_t find_in_ledger(const struct rf_state *state, const char *name, int32_t guess)
{
    if (guess < state->njobs && strcmp(rf_state_job_extra(state, guess)->name, name) == 0)
        return guess;
    for (int32_t i = 0; i < state->njobs; i++)
        if (strcmp(rf_state_job_extra(state, i)->name, name) == 0)
            return i;
    return -1;
}

/* Jobs that were submitted while the run went may stand in the ledger before those of the
 * configuration: the plan in the ledger's order. */
static enum rf_status arrange(struct rf_collection *c, const struct rf_job_plan *plan,
                              struct rf_error *err)
{
    int32_t *place = malloc(((size_t)plan->njobs + 1) * sizeof *place);
    int32_t rest = c->audit.state->njobs;
    enum rf_status st;

    if (place == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: results of %d jobs", plan->njobs);
    for (int32_t i = 0; i < plan->njobs; i++) {
        place[i] = find_in_ledger(c->audit.state, plan->jobs[i].name, i);
        if (place[i] < 0)
            place[i] = rest++;
    }
    st = rest <= plan->njobs
             ? rf_job_plan_arrange(&c->plan, plan, place, err)
             : rf_fail(err, RF_ERR_INPUT, "the ledger has jobs that the configuration has not");
    free(place);
    return st;
}

enum rf_status rf_collect(struct rf_collection *c, const struct rf_run_spec *spec,
                          const struct rf_job_plan *plan, const char *run_dir,
                          struct rf_error *err)
{
    enum rf_status st;

    *c = (struct rf_collection){0};
    st = rf_file_join(c->ledger_path, run_dir, "ledger.jsonl", err);
    if (st == RF_OK)
        st = make_room(c, plan, err);
    if (st == RF_OK)
        st = rf_audit_ledger(&c->audit, c->ledger_path, NULL, err);
    if (st == RF_OK)
        st = arrange(c, plan, err);
    if (st == RF_OK)
        st = read_jobs(c, &c->plan, run_dir, err);
    if (st == RF_OK)
        st = add_experiments(c, spec, &c->plan, run_dir, err);
    if (st != RF_OK)
        return st;
    snprintf(c->policy, sizeof c->policy, "%.15s+%.15s", spec->order, spec->fence);
    c->results.run = spec->name;
    c->results.policy = c->policy;
    c->results.seed = spec->seed;
    c->results.devices = c->audit.state->nfleet;
    c->results.state = c->audit.state;
    c->results.tally = c->audit.tally;
    c->results.jobs = c->jobs;
    c->results.experiments = c->experiments;
    c->results.ledger = (struct rf_ledger_result){.path = c->ledger_path,
                                                  .entries = c->audit.ledger.entries,
                                                  .head = c->audit.ledger.head,
                                                  .sealed = c->audit.ledger.sealed_entries ==
                                                            c->audit.ledger.entries};
    return RF_OK;
}

void rf_collection_clear(struct rf_collection *c)
{
    for (int i = 0; c->jobs != NULL && i < c->results.njobs; i++)
        rf_curve_clear(&c->jobs[i].curve);
    free(c->jobs);
    free(c->experiments);
    free(c->scores);
    rf_job_plan_clear(&c->plan);
    rf_audit_clear(&c->audit);
    *c = (struct rf_collection){0};
}
