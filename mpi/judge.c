/* The end of a job: what its model says of the examples that it is asked about. Stopped in the
 * middle, it starts over, which costs little. */
#include "mpi/work.h"

#include <math.h>
#include <stdio.h>

#include "align/w2s.h"
#include "base/log.h"

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
    return rf_agree(w->group, st, err);
}

/* Collective: what the model says of a batch, or the probe of the model's features. */
static void answer(struct rf_job_work *w, const struct rf_batch *batch, float *prob,
                   int32_t *best, struct rf_step_result *done)
{
    if (w->probe == NULL) {
        rf_trainer_predict(w->trainer, batch, prob, best, done);
        return;
    }
    rf_trainer_features(w->trainer, batch, w->features, done);
    done->loss = rf_probe_answer(w->probe, w->features, batch->R, batch->target, prob, best);
}

/* Collective: what the model says of every example of a split, with the mean loss. p has
 * room for them. Stops early, with p incomplete, when the lease says so. */
static enum rf_status predict(struct rf_job_work *w, enum rf_split split,
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
        sum += done.loss * batch.R;
        rf_job_report(w, since, &done);
    }
    for (int i = 0; p->truth != NULL && i < examples->n; i++)
        p->truth[i] = examples->label[i];
    *loss = examples->n > 0 ? sum / examples->n : NAN;
    return st;
}

static double accuracy(const int32_t *best, const int32_t *truth, int n)
{
    int right = 0;

    for (int i = 0; i < n; i++)
        right += best[i] == truth[i];
    return n > 0 ? (double)right / n : NAN;
}

/* Local, first rank: predictions of one split to its file. */
static enum rf_status write_predictions(const struct rf_job_work *w,
                                        const struct rf_predictions *p, struct rf_error *err)
{
    return rf_predictions_write(p, w->ctx->run_dir, w->job->name, err);
}

/* Collective: predicts a split and notes its metrics under prefix; writes the file when asked. */
static enum rf_status judge_split(struct rf_job_work *w, enum rf_split split,
                                  const char *prefix, int write, int with_truth,
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
    st = predict(w, split, &p, &loss, err);
    if (st == RF_OK && w->stop == RF_GO) {
        snprintf(name, sizeof name, "%s_accuracy", prefix);
        rf_metrics_add(metrics, name, accuracy(p.best, examples->label, p.n));
        snprintf(name, sizeof name, "%s_loss", prefix);
        rf_metrics_add(metrics, name, loss);
        if (p.prob != NULL && split == RF_SPLIT_TEST) {
            rf_metrics_add(metrics, "test_ece",
                           rf_w2s_ece(p.prob, examples->label, p.n, p.nclass, ECE_BINS));
            rf_metrics_add(metrics, "test_brier",
                           rf_w2s_brier(p.prob, examples->label, p.n, p.nclass));
        }
        if (write && w->group->rank == 0)
            st = write_predictions(w, &p, err);
    }
    rf_predictions_clear(&p);
    return rf_agree(w->group, st, err);
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

enum rf_status rf_job_conclude(struct rf_job_work *w, struct rf_error *err)
{
    struct rf_metrics metrics = {0};
    enum rf_status st = RF_OK;

    rf_metrics_add(&metrics, "parameters", (double)rf_trainer_parameters(w->trainer));
    note_memory(w, &metrics);
    if (w->curve.npoints > 0)
        rf_metrics_add(&metrics, "train_loss", w->curve.points[w->curve.npoints - 1].loss);
    if (w->job->role == RF_ROLE_PROBE) {
        rf_metrics_add(&metrics, "probe_lambda", w->fit.lambda);
        rf_metrics_add(&metrics, "probe_held_out_agreement", w->fit.agreement);
    }
    if (w->job->role != RF_ROLE_PRETRAIN) {
        if (w->job->role == RF_ROLE_WEAK)
            st = judge_split(w, RF_SPLIT_STRONG, "labels", 1, 0, &metrics, err);
        if (st == RF_OK && w->stop == RF_GO)
            st = judge_split(w, RF_SPLIT_VALIDATION, "validation", 0, 0, &metrics, err);
        if (st == RF_OK && w->stop == RF_GO)
            st = judge_split(w, RF_SPLIT_TEST, "test", 1, 1, &metrics, err);
    }
    if (st == RF_OK && w->stop == RF_GO && w->group->rank == 0) {
        st = rf_curve_write(&w->curve, w->ctx->run_dir, w->job->name, err);
        if (st == RF_OK)
            st = rf_record_metrics_write(&metrics, w->ctx->run_dir, w->job->name, err);
    }
    return rf_agree(w->group, st, err);
}
