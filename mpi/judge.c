/* The end of a job: what its model says of the examples that it is asked about. Stopped in the
 * middle, it starts over, which costs little. */
#include "mpi/work.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "align/noise.h"
#include "align/w2s.h"
#include "base/log.h"
#include "base/slice.h"

enum { ECE_BINS = 15 };

void rf_job_report(struct rf_job_work *w, int64_t since_us, const struct rf_step_result *done)
{
    struct rf_reading reading = {.busy_us = (rf_time_us() - since_us) * w->group->size,
                                 .tokens = done->tokens,
                                 .flops = done->flops,
                                 .step = rf_trainer_steps_done(w->trainer)};

    w->tokens += done->tokens;
    w->flops += done->flops;
    w->stop = rf_lease_poll(w->lease, w->group, &reading);
}

enum rf_status rf_job_next_batch(struct rf_job_work *w, enum rf_split split, int at,
                                 struct rf_batch *batch, struct rf_error *err)
{
    int left = rf_task_split(w->task, split)->n - at;
    int n = left < RF_PREDICT_BATCH ? left : RF_PREDICT_BATCH;
    enum rf_status st;

    for (int i = 0; i < n; i++)
        w->index[i] = at + i;
    st = rf_task_example_batch(w->task, split, w->index, n, &w->memory, batch, err);
    rf_job_read_as_told(w->job, batch);
    return rf_agree(w->group, st, err);
}

void rf_job_features(struct rf_job_work *w, const struct rf_batch *batch,
                     struct rf_step_result *done)
{
    size_t width = (size_t)w->job->model->width;

    rf_trainer_features(w->trainer, batch, w->features, done);
    for (int i = 0; batch->joined == 2 && i < rf_batch_items(batch); i++) {
        const float *first = w->features + 2 * (size_t)i * width, *second = first + width;

        for (size_t c = 0; c < width; c++)
            w->features[(size_t)i * width + c] = first[c] - second[c];
    }
}

/* Collective: what the model says of a batch, or the probe of the model's features. */
static void answer(struct rf_job_work *w, const struct rf_batch *batch, float *prob,
                   int32_t *best, struct rf_step_result *done)
{
    if (w->probe == NULL) {
        rf_trainer_predict(w->trainer, batch, prob, best, done);
        return;
    }
    rf_job_features(w, batch, done);
    done->loss = rf_probe_answer(w->probe, w->features, rf_batch_items(batch), batch->target,
                                 prob, best);
}

enum rf_status rf_job_predict(struct rf_job_work *w, enum rf_split split,
                              struct rf_predictions *p, double *loss, struct rf_error *err)
{
    const struct rf_examples *examples = rf_task_split(w->task, split);
    double sum = 0.0;
    enum rf_status st = RF_OK;

    for (int at = 0; st == RF_OK && w->stop == RF_GO && at < examples->n;
         at += RF_PREDICT_BATCH) {
        int64_t since = rf_time_us();
        struct rf_step_result done = {0};
        struct rf_batch batch;

        st = rf_job_next_batch(w, split, at, &batch, err);
        if (st != RF_OK)
            break;
        answer(w, &batch, p->prob != NULL ? &p->prob[at * p->nclass] : NULL, &p->best[at],
               &done);
        sum += done.loss * rf_batch_items(&batch);
        rf_job_report(w, since, &done);
    }
    for (int i = 0; p->truth != NULL && i < examples->n; i++)
        p->truth[i] = examples->label[i];
    *loss = examples->n > 0 ? sum / examples->n : NAN;
    return st;
}

double rf_job_agreement(const int32_t *best, const int32_t *other, int n)
{
    int same = 0;

    for (int i = 0; i < n; i++)
        same += best[i] == other[i];
    return n > 0 ? (double)same / n : NAN;
}

/* Local: a supervisor that errs at random, as often as the one whose labels it has read. */
static enum rf_status err_at_random(struct rf_job_work *w, enum rf_split split,
                                    struct rf_predictions *p, double *loss,
                                    struct rf_error *err)
{
    const struct rf_examples *strong = rf_task_split(w->task, RF_SPLIT_STRONG);
    const struct rf_examples *examples = rf_task_split(w->task, split);
    double right = rf_job_agreement(w->labels.best, strong->label, strong->n);

    *loss = NAN;
    for (int i = 0; p->truth != NULL && i < p->n; i++)
        p->truth[i] = examples->label[i];
    return rf_noise_labels(examples->label, p->n, p->nclass, right,
                           w->job->model_seed + (uint64_t)split, p->best, p->prob, err);
}

struct rated {
    float rating;
    int right;
};

static int by_rating(const void *left, const void *right)
{
    const struct rated *a = left, *b = right;

    if (a->rating < b->rating || a->rating > b->rating)
        return a->rating < b->rating ? -1 : 1;
    return a->right - b->right; /* equal ratings: the order does not show in the sums of all */
}

/* Local: accuracy in groups of equal size, from easy to hard, and each group's mean rating. */
static enum rf_status add_difficulty(const struct rf_examples *examples, const int32_t *best,
                                     struct rf_metrics *metrics, struct rf_error *err)
{
    enum { GROUPS = 5 };
    struct rated *items = malloc(((size_t)examples->n + 1) * sizeof *items);
    char name[RF_METRIC_NAME];

    if (items == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d test items", examples->n);
    for (int i = 0; i < examples->n; i++)
        items[i] = (struct rated){examples->rating[i], best[i] == examples->label[i]};
    qsort(items, (size_t)examples->n, sizeof *items, by_rating);
    for (int g = 0; g < GROUPS && examples->n >= GROUPS; g++) {
        struct rf_slice part = rf_slice(examples->n, g, GROUPS);
        double rating = 0, right = 0;

        for (int64_t i = part.begin; i < part.begin + part.count; i++) {
            rating += (double)items[i].rating;
            right += items[i].right;
        }
        snprintf(name, sizeof name, "test_rating_%d", g + 1);
        rf_metrics_add(metrics, name, rating / (double)part.count);
        snprintf(name, sizeof name, "test_accuracy_%d", g + 1);
        rf_metrics_add(metrics, name, right / (double)part.count);
    }
    free(items);
    return RF_OK;
}

/* Collective: predicts a split and notes its metrics under prefix; writes the file `name` when there
 * is one. */
static enum rf_status judge_split(struct rf_job_work *w, enum rf_split split,
                                  const char *prefix, const char *file, int with_truth,
                                  struct rf_metrics *metrics, struct rf_error *err)
{
    const struct rf_examples *examples = rf_task_split(w->task, split);
    struct rf_predictions p;
    char name[RF_METRIC_NAME];
    double loss;
    enum rf_status st;

    st = rf_agree(w->group,
                  rf_predictions_make(&p, examples->n, w->info->nclass, with_truth, err), err);
    if (st != RF_OK)
        return st;
    st = w->job->role == RF_ROLE_NOISY ? err_at_random(w, split, &p, &loss, err)
                                       : rf_job_predict(w, split, &p, &loss, err);
    if (st == RF_OK && w->stop == RF_GO) {
        snprintf(name, sizeof name, "%s_accuracy", prefix);
        rf_metrics_add(metrics, name, rf_job_agreement(p.best, examples->label, p.n));
        snprintf(name, sizeof name, "%s_loss", prefix);
        if (!isnan(loss))
            rf_metrics_add(metrics, name, loss);
        if (examples->rating != NULL && split == RF_SPLIT_TEST)
            st = add_difficulty(examples, p.best, metrics, err);
        if (p.prob != NULL && split == RF_SPLIT_TEST) {
            rf_metrics_add(metrics, "test_ece",
                           rf_w2s_ece(p.prob, examples->label, p.n, p.nclass, ECE_BINS));
            rf_metrics_add(metrics, "test_brier",
                           rf_w2s_brier(p.prob, examples->label, p.n, p.nclass));
        }
        if (st == RF_OK && file != NULL && w->group->rank == 0)
            st = rf_predictions_write(&p, w->ctx->run_dir, file, err);
    }
    rf_predictions_clear(&p);
    return rf_agree(w->group, st, err);
}

enum rf_status rf_job_validate(struct rf_job_work *w, int most, double *loss,
                               struct rf_error *err)
{
    int all = rf_task_held_rows(w->task), rows = all < most ? all : most, B, done_rows = 0;
    double sum = 0;
    enum rf_status st = RF_OK;

    for (; st == RF_OK && w->stop == RF_GO && done_rows < rows; done_rows += B) {
        int first = (int)((int64_t)done_rows * all / rows);
        int64_t since = rf_time_us();
        struct rf_step_result done = {0};
        struct rf_batch batch;

        B = rows - done_rows < w->job->train->batch ? rows - done_rows : w->job->train->batch;
        B = first + B > all ? all - first : B;
        st = rf_agree(w->group, rf_task_held_batch(w->task, first, B, &w->memory, &batch, err),
                      err);
        if (st != RF_OK)
            break;
        rf_trainer_predict(w->trainer, &batch, NULL, NULL, &done);
        sum += done.loss * B;
        rf_job_report(w, since, &done);
    }
    *loss = done_rows >= rows && rows > 0 ? sum / done_rows : NAN;
    return st;
}

/* Of the last step that was not skipped. */
static double last_loss(const struct rf_curve *curve)
{
    int n = curve->npoints;

    while (n > 1 && !isfinite(curve->points[n - 1].loss))
        n--;
    return curve->points[n - 1].loss;
}

/* Collective: memory of the rank with the most: as the plan says, as the system does after a step, and the
 * most of all, with what checkpoints and libraries took. What the process had before the trainer was made
 * does not count. */
static void note_memory(const struct rf_job_work *w, struct rf_metrics *metrics)
{
    static const char *const names[] = {"memory_held_bytes", "memory_step_bytes",
                                        "memory_peak_bytes"};
    int64_t peak =
        rf_memory_grown(&w->memory_before, (int64_t)rf_trainer_room_bytes(w->trainer));
    int64_t bytes[3] = {(int64_t)rf_trainer_bytes(w->trainer), w->memory_step,
                        peak > w->memory_start ? peak : w->memory_start};

    MPI_Allreduce(MPI_IN_PLACE, bytes, 3, MPI_INT64_T, MPI_MAX, w->group->comm);
    for (int i = 0; i < 3; i++)
        if (bytes[i] > 0)
            rf_metrics_add(metrics, names[i], (double)bytes[i]);
}

static void add_own_metrics(const struct rf_job_work *w, struct rf_metrics *metrics)
{
    char name[RF_METRIC_NAME];

    rf_metrics_add(metrics, "parameters", (double)rf_trainer_parameters(w->trainer));
    rf_metrics_add(metrics, "model_flops", (double)w->flops);
    if (w->curve.npoints > 0) {
        rf_metrics_add(metrics, "train_loss", last_loss(&w->curve));
        rf_metrics_add(metrics, "skipped_steps", (double)w->skipped);
    }
    if (w->job->role != RF_ROLE_PRETRAIN && w->nchosen > 0)
        rf_metrics_add(metrics, "examples", w->nchosen);
    if (w->probe != NULL) {
        rf_metrics_add(metrics, "probe_lambda", w->fit.lambda);
        rf_metrics_add(metrics, "probe_held_out_agreement", w->fit.agreement);
    }
    for (int r = 0; w->stops != NULL && r < RF_NSTOP_RULES; r++) {
        snprintf(name, sizeof name, "stop_%s_step", rf_stop_rule_name((enum rf_stop_rule)r));
        rf_metrics_add(metrics, name, (double)rf_stops_best(w->stops, (enum rf_stop_rule)r));
    }
}

/* Collective: a supervisor's labels, of the strong half and of what students may be judged by. */
static enum rf_status give_labels(struct rf_job_work *w, struct rf_metrics *metrics,
                                  struct rf_error *err)
{
    char file[RF_NAME_BYTES + 16];
    struct rf_metrics unused = {0};
    enum rf_status st =
        judge_split(w, RF_SPLIT_STRONG, "labels", w->job->name, 0, metrics, err);

    snprintf(file, sizeof file, "%s.validation", w->job->name);
    if (st == RF_OK && w->stop == RF_GO)
        st = judge_split(w, RF_SPLIT_VALIDATION, "validation", file, 0, &unused, err);
    return st;
}

enum rf_status rf_job_conclude(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_role role = w->job->role;
    struct rf_metrics metrics = {0};
    enum rf_status st = RF_OK;

    if (role == RF_ROLE_WEAK || role == RF_ROLE_LINK || role == RF_ROLE_NOISY)
        st = give_labels(w, &metrics, err);
    if (role == RF_ROLE_PRETRAIN && rf_task_held_rows(w->task) > 0) {
        double loss;

        st = rf_job_validate(w, INT_MAX, &loss, err);
        rf_metrics_add(&metrics, "validation_loss", loss);
    }
    if (role != RF_ROLE_PRETRAIN) {
        if (st == RF_OK && w->stop == RF_GO)
            st = judge_split(w, RF_SPLIT_VALIDATION, "validation", NULL, 0, &metrics, err);
        if (st == RF_OK && w->stop == RF_GO)
            st = judge_split(w, RF_SPLIT_TEST, "test", w->job->name, 1, &metrics, err);
    }
    note_memory(w, &metrics);
    add_own_metrics(w, &metrics);
    if (st == RF_OK && w->stop == RF_GO && w->group->rank == 0) {
        st = rf_curve_write(&w->curve, w->ctx->run_dir, w->job->name, err);
        if (st == RF_OK)
            st = rf_record_metrics_write(&metrics, w->ctx->run_dir, w->job->name, err);
    }
    return rf_agree(w->group, st, err);
}
