/* Looks at a student on the way: where would it have been best to stop? */
#include <stdio.h>
#include <string.h>

#include "mpi/work.h"

/* Collective: what the student says of the test now, to the file of a rule. */
static enum rf_status keep_test(struct rf_job_work *w, const struct rf_predictions *p,
                                enum rf_stop_rule rule, struct rf_error *err)
{
    char file[RF_NAME_BYTES + 16];

    snprintf(file, sizeof file, "%s.%s", w->job->name, rf_stop_rule_name(rule));
    return w->group->rank == 0 ? rf_predictions_write(p, w->ctx->run_dir, file, err) : RF_OK;
}

static enum rf_status predict_test(struct rf_job_work *w, unsigned is_best,
                                   struct rf_error *err)
{
    int n = rf_task_split(w->task, RF_SPLIT_TEST)->n;
    struct rf_predictions p;
    double loss;
    enum rf_status st =
        rf_agree(w->group, rf_predictions_make(&p, n, w->info->nclass, 1, err), err);

    if (st != RF_OK)
        return st;
    st = rf_job_predict(w, RF_SPLIT_TEST, &p, &loss, err);
    for (int r = 0; st == RF_OK && w->stop == RF_GO && r < RF_NSTOP_RULES; r++)
        if (is_best >> r & 1)
            st = keep_test(w, &p, (enum rf_stop_rule)r, err);
    rf_predictions_clear(&p);
    return rf_agree(w->group, st, err);
}

static int is_due(const struct rf_job_work *w)
{
    int64_t step = rf_trainer_steps_done(w->trainer), steps = w->job->train->steps;
    int64_t every = (steps + w->job->stop_checks - 1) / w->job->stop_checks;

    return step % every == 0 || step == steps;
}

/* A look that a stop interrupts is not kept: it is taken again when the job comes back to that
 * step. */
enum rf_status rf_job_look(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_examples *held = rf_task_split(w->task, RF_SPLIT_VALIDATION);
    struct rf_stop_point point = {.step = rf_trainer_steps_done(w->trainer)};
    struct rf_predictions p;
    unsigned is_best = 0;
    double loss;
    enum rf_status st;

    if (w->stops == NULL || w->stop != RF_GO || !is_due(w))
        return RF_OK;
    st = rf_agree(w->group, rf_predictions_make(&p, held->n, w->info->nclass, 0, err), err);
    if (st != RF_OK)
        return st;
    st = rf_job_predict(w, RF_SPLIT_VALIDATION, &p, &loss, err);
    point.value[RF_STOP_AGREEMENT] = rf_job_agreement(p.best, w->watch.best, p.n);
    point.value[RF_STOP_ORACLE] = rf_job_agreement(p.best, held->label, p.n);
    rf_predictions_clear(&p);
    if (st == RF_OK && w->stop == RF_GO)
        is_best = rf_stops_add(w->stops, &point);
    if (st == RF_OK && is_best != 0)
        st = predict_test(w, is_best, err);
    if (st == RF_OK && w->stop == RF_GO && w->group->rank == 0)
        st = rf_stops_write(w->stops, w->ctx->run_dir, w->job->name, err);
    return rf_agree(w->group, st, err);
}
