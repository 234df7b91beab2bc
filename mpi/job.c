/* One story in four steps: set up (task, labels, trainer, where to start from),
 * train, predict, record; the last two are in judge.c. A job that is stopped in
 * any of them writes a checkpoint if it trained since the last one and comes
 * back later: training continues at its step, predicting starts over, which
 * costs little. A probe fits a linear map instead of training, and starts over
 * too.
 *
 * Files are read by every rank by itself and followed by an agreement; files
 * are written by the group's first rank, in one local function each. */
#include "mpi/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align/w2s.h"
#include "base/log.h"
#include "base/rng.h"
#include "ckpt/store.h"
#include "job/record.h"
#include "mpi/work.h"

enum { CURVE_POINTS = 200 };

void rf_job_context_clear(struct rf_job_context *ctx)
{
    rf_shelf_clear(&ctx->shelf);
}

static enum rf_status ckpt_dir_of(const struct rf_job_context *ctx, int32_t job,
                                  char dir[RF_PATH_BYTES], struct rf_error *err)
{
    return rf_file_join(dir, ctx->ckpt_dir, ctx->plan->jobs[job].name, err);
}

/* Local: what a step needs besides the trainer. */
static enum rf_status set_up_memory(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    size_t n = (size_t)job->train->batch;

    w->index = calloc(n > RF_PREDICT_BATCH ? n : RF_PREDICT_BATCH, sizeof *w->index);
    w->scratch = calloc(n, sizeof *w->scratch);
    w->p1 = calloc(n, sizeof *w->p1);
    w->weak = calloc(n * 2, sizeof *w->weak);
    if (job->role == RF_ROLE_PROBE)
        w->features =
            calloc((size_t)RF_PREDICT_BATCH * (size_t)job->model->width, sizeof(float));
    if (job->role == RF_ROLE_PROBE && w->features == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: features of %d", job->model->width);
    if (w->index == NULL || w->scratch == NULL || w->p1 == NULL || w->weak == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a batch of %zu", n);
    return RF_OK;
}

/* Local: the supervisor's labels, without which a student cannot start. */
static enum rf_status read_labels(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_examples *strong = rf_task_split(w->task, RF_SPLIT_STRONG);
    const struct rf_planned_job *job = w->job;

    if (job->label_job < 0)
        return RF_OK;
    if (job->loss == RF_LOSS_CONFIDENCE && w->info->nclass != 2)
        return rf_fail(
            err, RF_ERR_CONFIG,
            "job '%s': the confidence loss is defined for two classes, task '%s' has %d",
            job->name, job->task->name, w->info->nclass);
    if (job->role == RF_ROLE_PROBE && w->info->nclass > RF_SOFT_CLASSES)
        return rf_fail(err, RF_ERR_CONFIG,
                       "job '%s': a probe learns at most %d classes, task '%s' has %d",
                       job->name, RF_SOFT_CLASSES, job->task->name, w->info->nclass);
    return rf_predictions_read(&w->labels, strong->n, w->info->nclass, 0, w->ctx->run_dir,
                               w->ctx->plan->jobs[job->label_job].name, err);
}

/* Local: where the task says what its tokens are made of, this rank's embeddings start as sums of
 * the parts' vectors, so that what is learned of one square or one kind of man serves all
 * tokens that share it. The variance is that of any other start. */
static void compose_embeddings(struct rf_job_work *w)
{
    const struct rf_task_info *info = w->info;
    uint64_t stream = rf_rng_stream("token parts", 0);
    int ntensors;
    const struct rf_tensor *wte = rf_trainer_tensors(w->trainer, &ntensors);

    while (strcmp(wte->name, "wte.weight") != 0)
        wte++;
    for (int64_t r = 0; r < wte->extent[0]; r++) {
        const int32_t *part = &info->parts[(wte->offset[0] + r) * info->part_count];
        float *row = &wte->data[r * wte->extent[1]];
        int n = 0;

        for (int k = 0; k < info->part_count; k++)
            n += part[k] >= 0;
        for (int64_t c = 0; n > 0 && c < wte->extent[1]; c++) {
            double sum = 0.0;

            for (int k = 0; k < info->part_count; k++)
                if (part[k] >= 0)
                    sum += rf_rng_normal(w->job->model_seed, stream,
                                         (uint64_t)(part[k] * wte->extent[1] + c));
            row[c] = (float)(0.02 * sum / sqrt(n));
        }
    }
    rf_trainer_loaded(w->trainer, 0);
}

struct rf_model_shape rf_job_model_shape(const struct rf_planned_job *job,
                                         const struct rf_task_info *info)
{
    const struct rf_model_spec *m = job->model;

    return (struct rf_model_shape){.family =
                                       (enum rf_model_family)rf_model_family_of(m->family),
                                   .vocabulary = info->vocabulary,
                                   .context = info->context,
                                   .layers = m->layers,
                                   .heads = m->heads,
                                   .width = m->width,
                                   .hidden = m->hidden,
                                   .kv_heads = m->kv_heads,
                                   .untied = m->untied,
                                   .rope_theta = m->rope_theta,
                                   .norm_eps = m->norm_eps};
}

struct rf_model_shape rf_job_shape(const struct rf_job_work *w)
{
    return rf_job_model_shape(w->job, w->info);
}

struct rf_train_options rf_job_train_options(const struct rf_planned_job *job)
{
    const struct rf_train_spec *t = job->train;

    return (struct rf_train_options){.bf16 = t->bf16,
                                     .freeze_layers = t->freeze_layers,
                                     .steps = t->steps,
                                     .lr = t->lr,
                                     .min_lr_ratio = t->min_lr_ratio,
                                     .warmup = t->warmup,
                                     .beta1 = t->beta1,
                                     .beta2 = t->beta2,
                                     .eps = 1e-8,
                                     .weight_decay = t->weight_decay,
                                     .clip = t->clip,
                                     .seed = job->model_seed,
                                     .micro_B = t->micro_batch,
                                     .tensor = t->tensor};
}

/* The sizes of its batches as well. */
static struct rf_train_options all_options(const struct rf_planned_job *job,
                                           const struct rf_task_info *info)
{
    int pretrain = job->role == RF_ROLE_PRETRAIN, batch = job->train->batch;
    struct rf_train_options options = rf_job_train_options(job);

    options.max_B = batch > RF_PREDICT_BATCH ? batch : RF_PREDICT_BATCH;
    options.max_T = info->context;
    options.max_R = pretrain ? options.max_B * options.max_T : options.max_B;
    options.max_range = pretrain ? info->vocabulary : info->nclass;
    return options;
}

enum rf_status rf_job_predict_bytes(struct rf_job_context *ctx, int32_t job, int rank, int size,
                                    size_t *bytes, struct rf_error *err)
{
    const struct rf_planned_job *planned = &ctx->plan->jobs[job];
    const struct rf_task *task = NULL;
    enum rf_status st =
        rf_shelf_open(&ctx->shelf, planned->task, planned->task_seed, &task, err);
    struct rf_train_options options;
    struct rf_model_shape shape;

    if (st != RF_OK)
        return st;
    options = all_options(planned, rf_task_info(task));
    shape = rf_job_model_shape(planned, rf_task_info(task));
    return rf_trainer_predict_bytes(bytes, &shape, &options, rank, size, err);
}

static enum rf_status make_trainer(struct rf_job_work *w, struct rf_error *err)
{
    struct rf_model_shape shape = rf_job_shape(w);
    struct rf_train_options options = all_options(w->job, w->info);
    enum rf_status st;

    w->memory_before = rf_memory_mark();
    st = rf_trainer_create(&w->trainer, w->group, &shape, &options, err);
    if (st == RF_OK && w->info->parts != NULL)
        compose_embeddings(w);
    return st;
}

/* Collective: from the parameters that another job left, if it is told to, or from scratch. */
static enum rf_status start_afresh(struct rf_job_work *w, struct rf_error *err)
{
    struct rf_ckpt_info info = {0};
    char dir[RF_PATH_BYTES];
    int found = 0;
    enum rf_status st;

    if (w->job->init_job < 0)
        return RF_OK;
    st = ckpt_dir_of(w->ctx, w->job->init_job, dir, err);
    if (st == RF_OK)
        st = rf_job_load_newest(w, dir, 1, &found, &info, err);
    if (st == RF_OK && !found)
        st =
            rf_fail(err, RF_ERR_INPUT, "job '%s': there is no checkpoint in '%s' to start from",
                    w->job->name, dir);
    if (st == RF_OK)
        rf_trainer_loaded(w->trainer, 0);
    return st;
}

/* Collective: from the job's own checkpoint, or from where it is told to start, or from scratch. */
static enum rf_status find_start(struct rf_job_work *w, int32_t id, struct rf_error *err)
{
    struct rf_ckpt_info info = {0};
    char dir[RF_PATH_BYTES];
    int found = 0;
    enum rf_status st = ckpt_dir_of(w->ctx, id, dir, err);

    if (st == RF_OK && w->group->rank == 0 && rf_store_clean(dir, err) != RF_OK)
        rf_warn_alone("%s", err->text); /* leftovers of a crash: a nuisance, no more */
    if (st == RF_OK)
        st = rf_job_load_newest(w, dir, 0, &found, &info, err);
    if (st == RF_OK && found) {
        w->tokens = info.tokens;
        w->flops = info.flops;
        w->saved_step = info.step;
        rf_trainer_loaded(w->trainer, info.step);
        st = rf_curve_read(&w->curve, w->ctx->run_dir, w->job->name, info.step, err);
        return rf_agree(w->group, st, err);
    }
    return st == RF_OK ? start_afresh(w, err) : st;
}

/* Swaps the ground truth of a batch for the supervisor's labels. */
static void use_labels(struct rf_job_work *w, struct rf_batch *batch)
{
    const struct rf_predictions *labels = &w->labels;
    int K = labels->nclass;

    for (int i = 0; i < batch->R; i++) {
        if (labels->prob != NULL)
            memcpy(&w->memory.soft[i * K], &labels->prob[w->index[i] * K],
                   (size_t)K * sizeof(float));
        else
            w->memory.target[i] = labels->best[w->index[i]];
    }
    if (labels->prob != NULL) {
        batch->soft = w->memory.soft;
        batch->target = NULL;
    }
}

/* The auxiliary-confidence targets of this batch: one forward pass more. */
static void add_confidence(struct rf_job_work *w, struct rf_batch *batch, int64_t step,
                           struct rf_step_result *extra)
{
    double progress = (double)step / w->job->train->steps;
    int n = batch->R;

    memcpy(w->weak, w->memory.soft, (size_t)n * 2 * sizeof(float));
    rf_trainer_predict(w->trainer, batch, w->memory.soft, NULL, extra);
    for (int i = 0; i < n; i++)
        w->p1[i] = w->memory.soft[2 * i + 1];
    rf_w2s_confidence_targets(w->p1, w->weak, n, w->job->alpha, progress, w->job->alpha_warmup,
                              w->memory.soft, w->scratch);
}

/* Local: the batch of a step, a function of the step alone. */
static enum rf_status make_batch(struct rf_job_work *w, int64_t step, struct rf_batch *batch,
                                 struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    int B = job->train->batch;

    if (job->role == RF_ROLE_PRETRAIN)
        return rf_task_corpus_batch(w->task, job->model_seed, step, B, &w->memory, batch, err);
    rf_task_order(job->model_seed, step, B, rf_task_split(w->task, job->train_split)->n,
                  w->index);
    return rf_task_example_batch(w->task, job->train_split, w->index, B, &w->memory, batch,
                                 err);
}

/* Local: at most CURVE_POINTS points over the whole of training, first and last among them. */
static enum rf_status note(struct rf_job_work *w, int64_t step,
                           const struct rf_step_result *done, struct rf_error *err)
{
    int64_t steps = w->job->train->steps, every = (steps + CURVE_POINTS - 1) / CURVE_POINTS;
    struct rf_curve_point point = {.step = step,
                                   .loss = done->loss,
                                   .lr = done->lr,
                                   .grad_norm = done->grad_norm,
                                   .t_us = rf_time_utc_us()};

    if (step % every != 0 && step != steps && step != 1)
        return RF_OK;
    return rf_curve_add(&w->curve, &point, err);
}

/* Collective, at a step boundary. A checkpoint that fails is said to have failed, and training goes
 * on: the one before is intact, and the next will be tried. */
static void checkpoint_if_due(struct rf_job_work *w, int due)
{
    struct rf_error err;
    enum rf_status st = rf_job_save_poll(w, due, &err);

    if (st != RF_OK && w->group->rank == 0)
        rf_warn_alone("job '%s': no checkpoint of step %lld: %s; training goes on",
                      w->job->name, (long long)w->begun_step, err.text);
    if (!due)
        return;
    st = rf_job_save(w, 0, &err);
    if (st != RF_OK && w->group->rank == 0)
        rf_warn_alone("job '%s': no checkpoint of step %lld: %s; training goes on",
                      w->job->name, (long long)rf_trainer_steps_done(w->trainer), err.text);
}

/* Collective: the last checkpoint of this lease. Without it a job that has to stop comes back to the one
 * before; a job that is done has nothing to show. */
static enum rf_status last_checkpoint(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_status st;

    if (rf_job_save_poll(w, 1, err) != RF_OK && w->group->rank == 0)
        rf_warn_alone("job '%s': no checkpoint of step %lld: %s", w->job->name,
                      (long long)w->begun_step, err->text);
    st = rf_job_save(w, 1, err);
    if (st == RF_OK || w->stop == RF_GO)
        return st;
    if (w->group->rank == 0)
        rf_warn_alone("job '%s': no checkpoint of step %lld: %s; it will go on from step %lld",
                      w->job->name, (long long)rf_trainer_steps_done(w->trainer), err->text,
                      (long long)(w->saved_step > 0 ? w->saved_step : 0));
    return RF_OK;
}

/* Collective: one step, its record, and a checkpoint where one is due. */
static enum rf_status train_step(struct rf_job_work *w, int *bad_steps, struct rf_error *err)
{
    struct rf_batch batch;
    struct rf_step_result done = {0}, extra = {0};
    int64_t since = rf_time_us(), step = rf_trainer_steps_done(w->trainer);
    int64_t room = (int64_t)rf_trainer_room_bytes(w->trainer);
    int every = w->job->train->checkpoint_every;
    enum rf_status st = rf_agree(w->group, make_batch(w, step, &batch, err), err);

    if (st != RF_OK)
        return st;
    if (w->labels.n > 0)
        use_labels(w, &batch);
    if (w->job->loss == RF_LOSS_CONFIDENCE && w->job->role == RF_ROLE_STUDENT)
        add_confidence(w, &batch, step, &extra);
    if (w->memory_step == 0) {
        w->memory_start = rf_memory_grown(&w->memory_before, room);
        rf_memory_mark();
    }
    rf_trainer_step(w->trainer, &batch, &done);
    if (w->memory_step == 0)
        w->memory_step = rf_memory_grown(&w->memory_before, room);
    *bad_steps = done.skipped ? *bad_steps + 1 : 0;
    st = note(w, step + 1, &done, err);
    done.tokens += extra.tokens;
    done.flops += extra.flops;
    rf_job_report(w, since, &done);
    if (*bad_steps >= 10)
        st = rf_fail(err, RF_ERR_INPUT,
                     "job '%s': ten steps in a row up to %lld had no finite loss; "
                     "a lower learning rate may help",
                     w->job->name, (long long)step + 1);
    st = rf_agree(w->group, st, err);
    if (st == RF_OK)
        checkpoint_if_due(w, every > 0 && (step + 1) % every == 0);
    return st;
}

/* Collective: the probe's map from the frozen model's features to the supervisor's labels. A
 * probe that is stopped starts over: it leaves no checkpoint. */
static enum rf_status fit_probe(struct rf_job_work *w, struct rf_error *err)
{
    int n = rf_task_split(w->task, w->job->train_split)->n;
    int64_t since;
    struct rf_step_result nothing = {0};
    enum rf_status st =
        rf_probe_create(&w->probe, w->group, n, w->job->model->width, w->info->nclass, err);

    for (int at = 0; st == RF_OK && w->stop == RF_GO && at < n; at += RF_PREDICT_BATCH) {
        struct rf_step_result done = {0};
        struct rf_batch batch;

        since = rf_time_us();
        st = rf_job_next_batch(w, w->job->train_split, at, &batch, err);
        if (st != RF_OK)
            break;
        rf_trainer_features(w->trainer, &batch, w->features, &done);
        rf_probe_learn(w->probe, at, batch.R, w->features);
        rf_job_report(w, since, &done);
    }
    if (st != RF_OK || w->stop != RF_GO)
        return st;
    since = rf_time_us();
    st = rf_probe_fit(w->probe, &w->labels, &w->fit, err);
    rf_job_report(w, since, &nothing);
    return st;
}

static enum rf_status train(struct rf_job_work *w, struct rf_error *err)
{
    int bad_steps = 0;
    enum rf_status st = RF_OK;

    if (w->job->role == RF_ROLE_ZERO_SHOT)
        return RF_OK;
    if (w->job->role == RF_ROLE_PROBE)
        return fit_probe(w, err);
    while (st == RF_OK && w->stop == RF_GO &&
           rf_trainer_steps_done(w->trainer) < w->job->train->steps)
        st = train_step(w, &bad_steps, err);
    if (st == RF_OK)
        st = last_checkpoint(w, err);
    return st;
}

static void tear_down(struct rf_job_work *w)
{
    rf_job_save_clear(w);
    rf_probe_destroy(w->probe);
    rf_trainer_destroy(w->trainer);
    rf_predictions_clear(&w->labels);
    rf_batch_memory_free(&w->memory);
    rf_curve_clear(&w->curve);
    free(w->index);
    free(w->scratch);
    free(w->p1);
    free(w->weak);
    free(w->features);
}

/* Local: everything that may fail on one rank only, before the trainer is made. */
static enum rf_status set_up(struct rf_job_work *w, struct rf_job_context *ctx,
                             struct rf_error *err)
{
    enum rf_status st =
        rf_shelf_open(&ctx->shelf, w->job->task, w->job->task_seed, &w->task, err);

    if (st != RF_OK)
        return st;
    w->info = rf_task_info(w->task);
    st = set_up_memory(w, err);
    if (st == RF_OK)
        st = read_labels(w, err);
    return st;
}

enum rf_outcome rf_job_run(void *ctx_, const struct rf_group *group, int32_t job,
                           struct rf_lease *lease, struct rf_error *err)
{
    struct rf_job_context *ctx = ctx_;
    struct rf_job_work w = {.ctx = ctx,
                            .job = &ctx->plan->jobs[job],
                            .group = group,
                            .lease = lease,
                            .saved_step = -1,
                            .begun_step = -1,
                            .stop = RF_GO};
    enum rf_status st;

    st = rf_agree(group, set_up(&w, ctx, err), err);
    if (st == RF_OK)
        st = make_trainer(&w, err);
    if (st == RF_OK)
        st = find_start(&w, job, err);
    if (st == RF_OK)
        st = train(&w, err);
    if (st == RF_OK && w.stop == RF_GO)
        st = rf_job_conclude(&w, err);
    tear_down(&w);
    if (st != RF_OK)
        return RF_OUTCOME_FAILED;
    return w.stop == RF_GO ? RF_OUTCOME_DONE : RF_OUTCOME_STOPPED;
}

/* ---- once more ---------------------------------------------------------------------- */

/* Collective: the checkpoint that the stretch begins with, all of it. */
static enum rf_status load_exactly(struct rf_job_work *w, const char *path,
                                   struct rf_error *err)
{
    struct rf_ckpt_info info = {0};
    int ntensors;
    const struct rf_tensor *tensors = rf_trainer_tensors(w->trainer, &ntensors);
    enum rf_status st = rf_ckpt_load(w->group, path, &info, tensors, ntensors, err);

    if (st == RF_OK) {
        w->tokens = info.tokens;
        w->flops = info.flops;
        rf_trainer_loaded(w->trainer, info.step);
    }
    return st;
}

/* Collective: training on its own, without the checkpoints that a job makes on its way. */
static enum rf_status train_to(struct rf_job_work *w, int64_t to_step, struct rf_error *err)
{
    int bad_steps = 0;
    enum rf_status st = RF_OK;

    while (st == RF_OK && w->stop == RF_GO && rf_trainer_steps_done(w->trainer) < to_step)
        st = train_step(w, &bad_steps, err);
    if (st == RF_OK && w->stop != RF_GO)
        st = rf_fail(err, RF_AGAIN, "a signal came");
    if (st == RF_OK && rf_trainer_steps_done(w->trainer) != to_step)
        st = rf_fail(err, RF_ERR_INPUT, "job '%s': it begins beyond step %lld", w->job->name,
                     (long long)to_step);
    return st;
}

enum rf_status rf_job_retrace(struct rf_job_context *ctx, const struct rf_group *group,
                              const struct rf_retrace *what, struct rf_digest *content,
                              struct rf_error *err)
{
    struct rf_planned_job job = ctx->plan->jobs[what->job];
    struct rf_train_spec quiet = *job.train;
    struct rf_lease *lease = NULL;
    struct rf_job_work w = {
        .ctx = ctx, .job = &job, .group = group, .saved_step = -1, .begun_step = -1};
    enum rf_status st;

    quiet.checkpoint_every = 0;
    job.train = &quiet;
    st = rf_lease_solo(&lease, err);
    w.lease = lease;
    if (st == RF_OK)
        st = set_up(&w, ctx, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = make_trainer(&w, err);
    if (st == RF_OK)
        st = what->from[0] != '\0' ? load_exactly(&w, what->from, err) : start_afresh(&w, err);
    if (st == RF_OK)
        st = train_to(&w, what->to_step, err);
    if (st == RF_OK)
        st = rf_job_save_copy(&w, what->scratch, content, err);
    tear_down(&w);
    rf_lease_free(lease);
    return st;
}
