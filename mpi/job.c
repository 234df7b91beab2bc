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

#include "base/log.h"
#include "base/rng.h"
#include "ckpt/store.h"
#include "job/origin.h"
#include "job/record.h"
#include "mpi/cache.h"
#include "mpi/work.h"

enum { CURVE_POINTS = 200, LOOKED_AT = 64 }; /* rows of what is held back, during training */

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
    w->weak = calloc(n * RF_SOFT_CLASSES, sizeof *w->weak);
    w->student = calloc(n * RF_SOFT_CLASSES, sizeof *w->student);
    w->features =
        calloc((size_t)RF_PREDICT_BATCH * (size_t)(w->info->joined > 1 ? w->info->joined : 1) *
                   (size_t)job->model->width,
               sizeof(float));
    if (w->student == NULL || w->features == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: features of %d", job->model->width);
    if (w->index == NULL || w->scratch == NULL || w->p1 == NULL || w->weak == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a batch of %zu", n);
    return RF_OK;
}

/* Collective: where the task says what its tokens are made of, this rank's embeddings start as sums of
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
                                   .vocabulary = rf_model_vocabulary(m, info),
                                   .context = rf_model_context(m, info),
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
                                     .recompute = t->recompute,
                                     .exchange_bf16 = t->exchange_bf16,
                                     .tensor = t->tensor};
}

/* The sizes of its batches as well. */
static struct rf_train_options all_options(const struct rf_planned_job *job,
                                           const struct rf_task_info *info)
{
    int pretrain = job->role == RF_ROLE_PRETRAIN, batch = job->train->batch;
    int joined = !pretrain && info->joined > 1 ? info->joined : 1;
    struct rf_train_options options = rf_job_train_options(job);

    options.joined = joined;
    options.micro_B *= joined;
    options.max_B = joined * (pretrain || batch > RF_PREDICT_BATCH ? batch : RF_PREDICT_BATCH);
    options.max_T = info->context;
    options.max_R = pretrain ? options.max_B * options.max_T : options.max_B;
    options.max_range = pretrain ? info->vocabulary : info->nclass;
    return options;
}

enum rf_status rf_job_predict_bytes(struct rf_job_context *ctx, int32_t job, int rank, int size,
                                    int apart, size_t *bytes, struct rf_error *err)
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
    options.exchange_messages = apart;
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
    if (st == RF_OK)
        rf_debug("job '%s': slices sum by %s", w->job->name, rf_trainer_exchange(w->trainer));
    if (st == RF_OK && w->info->parts != NULL)
        compose_embeddings(w);
    return st;
}

/* Collective: from somebody else's parameters. The first rank looks, so that all load the same file. */
static enum rf_status start_from_elsewhere(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    struct rf_ckpt_info info = {0};
    struct rf_origin origin = {.path = ""};
    int ntensors;
    const struct rf_tensor *tensors = rf_trainer_tensors(w->trainer, &ntensors);
    enum rf_status st = RF_OK;

    if (w->group->rank == 0)
        st = rf_origin_check(&origin, job->from, job->model, w->info, job->name, err);
    st = rf_agree(w->group, st, err);
    if (st != RF_OK)
        return st;
    rf_group_bcast(w->group, origin.path, sizeof origin.path, 0);
    st = rf_ckpt_load(w->group, origin.path, &info, tensors, rf_trainer_nparams(w->trainer),
                      err);
    if (st == RF_OK)
        rf_trainer_loaded(w->trainer, 0);
    return st;
}

/* Collective: from the parameters that another job left, or that lie elsewhere, if it is told to, or
 * from scratch. */
static enum rf_status start_afresh(struct rf_job_work *w, struct rf_error *err)
{
    struct rf_ckpt_info info = {0};
    char dir[RF_PATH_BYTES];
    int found = 0;
    enum rf_status st;

    if (w->job->from != NULL && w->job->from[0] != '\0')
        return start_from_elsewhere(w, err);
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

static int was_skipped(const struct rf_curve_point *point)
{
    return !isfinite(point->loss) || !isfinite(point->grad_norm);
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
        for (int i = 0; i < w->curve.npoints; i++)
            w->skipped += was_skipped(&w->curve.points[i]);
        if (st == RF_OK && w->stops != NULL)
            st = rf_stops_read(w->stops, w->ctx->run_dir, w->job->name, info.step, err);
        return rf_agree(w->group, st, err);
    }
    return st == RF_OK ? start_afresh(w, err) : st;
}

/* Local: hides a share of the tokens, drawn by step, place in the batch and place in the text. The
 * last one stays: it is where the model is asked. */
static void drop_tokens(struct rf_job_work *w, int64_t step, const struct rf_batch *batch)
{
    uint64_t stream = rf_rng_stream("token dropout", (uint64_t)step);
    double share = w->job->train->token_dropout;

    for (int b = 0; share > 0 && b < batch->R; b++)
        for (int t = 0; b * batch->T + t < batch->rows[b]; t++)
            if (rf_rng_uniform(w->job->model_seed, stream,
                               (uint64_t)b * (uint64_t)w->info->context + (uint64_t)t) < share)
                w->memory.tokens[b * batch->T + t] = w->info->unseen;
}

/* Local: the batch of a step, a function of the step alone. */
static enum rf_status make_batch(struct rf_job_work *w, int64_t step, struct rf_batch *batch,
                                 struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    int B = job->train->batch;
    enum rf_status st;

    if (job->role == RF_ROLE_PRETRAIN)
        return rf_task_corpus_batch(w->task, job->model_seed, step, job->further, B, &w->memory,
                                    batch, err);
    rf_task_order(job->model_seed, step, B, w->nchosen, w->index);
    for (int i = 0; i < B; i++)
        w->index[i] = w->chosen[w->index[i]];
    st = rf_task_example_batch(w->task, job->train_split, w->index, B, &w->memory, batch, err);
    if (st == RF_OK)
        drop_tokens(w, step, batch);
    return st;
}

/* Local: at most CURVE_POINTS points over the whole of training, first and last among them, and
 * each step that was skipped: so their number survives a pause. */
static enum rf_status note(struct rf_job_work *w, int64_t step,
                           const struct rf_step_result *done, double validation,
                           struct rf_error *err)
{
    int64_t steps = w->job->train->steps, every = (steps + CURVE_POINTS - 1) / CURVE_POINTS;
    struct rf_curve_point point = {.step = step,
                                   .loss = done->loss,
                                   .lr = done->lr,
                                   .grad_norm = done->grad_norm,
                                   .t_us = rf_time_utc_us(),
                                   .validation = validation};

    if (step % every != 0 && step != steps && step != 1 && !done->skipped && isnan(validation))
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

/* Local: a step changed nothing, since its loss or its gradient was not finite. */
static void tell_skipped(struct rf_job_work *w, int64_t step, const struct rf_step_result *done)
{
    w->bad_steps++;
    w->skipped++;
    if (w->group->rank == 0)
        rf_warn_alone("job '%s': step %lld is skipped: its loss is %g, its gradient's norm %g "
                      "(%d in a row, %lld in all)",
                      w->job->name, (long long)step, done->loss, done->grad_norm, w->bad_steps,
                      (long long)w->skipped);
}

/* Collective: skipped steps have changed nothing, so that the state is that of the last good step;
 * it is kept under that step's number. */
static enum rf_status give_up(struct rf_job_work *w, struct rf_error *err)
{
    int64_t step = rf_trainer_steps_done(w->trainer), good = step - w->bad_steps;
    struct rf_error unsaved;
    int saved = 1;

    rf_trainer_loaded(w->trainer, good);
    if (good > 0 && rf_job_save(w, 1, &unsaved) != RF_OK) {
        saved = 0;
        if (w->group->rank == 0)
            rf_warn_alone("job '%s': no checkpoint of step %lld: %s", w->job->name,
                          (long long)good, unsaved.text);
    }
    return rf_fail(
        err, RF_ERR_INPUT,
        "job '%s': %d steps in a row up to %lld had no finite loss and gradient, the "
        "last good one was %lld%s; a lower learning rate may help",
        w->job->name, w->bad_steps, (long long)step, (long long)good,
        good > 0 && saved ? ", of which there is a checkpoint" : "");
}

/* Collective: the validation loss after a step where it is due, and how fast it went since the last
 * look. */
static enum rf_status look(struct rf_job_work *w, int64_t step,
                           const struct rf_step_result *done, double *validation,
                           struct rf_error *err)
{
    const struct rf_train_spec *t = w->job->train;
    double took_s = (double)(rf_time_us() - w->told_us) * 1e-6;
    double rate = (double)(w->tokens + done->tokens - w->told_tokens) / took_s;
    enum rf_status st;

    if (w->job->role != RF_ROLE_PRETRAIN || t->eval_every == 0 || step % t->eval_every != 0 ||
        rf_task_held_rows(w->task) == 0)
        return RF_OK;
    st = rf_job_validate(w, LOOKED_AT, validation, err);
    if (st == RF_OK && w->group->rank == 0)
        rf_note("job '%s': step %lld of %d: loss %.4f, validation %.4f, %.0f tokens/s",
                      w->job->name, (long long)step, t->steps, done->loss, *validation, rate);
    w->told_us = rf_time_us();
    w->told_tokens = w->tokens + done->tokens;
    return st;
}

/* Local: what was learnt since this lease began, and about how much that will be in the end. */
static void show(const struct rf_job_work *w)
{
    int64_t steps = rf_trainer_steps_done(w->trainer) - w->first_step;
    int64_t tokens = w->tokens - w->first_tokens;

    if (steps > 0)
        rf_watch_show(w->ctx->watch, tokens,
                      (int64_t)((double)tokens / (double)steps *
                                (double)(w->job->train->steps - w->first_step)));
}

/* Collective: one step, its record, and a checkpoint where one is due. */
static enum rf_status train_step(struct rf_job_work *w, struct rf_error *err)
{
    struct rf_batch batch;
    struct rf_step_result done = {0}, extra = {0};
    int64_t since = rf_time_us(), step = rf_trainer_steps_done(w->trainer);
    int64_t room = (int64_t)rf_trainer_room_bytes(w->trainer);
    int every = w->job->train->checkpoint_every;
    double validation = NAN;
    enum rf_status st = rf_agree(w->group, make_batch(w, step, &batch, err), err);

    if (st != RF_OK)
        return st;
    rf_job_use_labels(w, &batch, step, &extra);
    if (w->memory_step == 0) {
        w->memory_start = rf_memory_grown(&w->memory_before, room);
        rf_memory_mark();
    }
    rf_trainer_step(w->trainer, &batch, &done);
    if (w->memory_step == 0)
        w->memory_step = rf_memory_grown(&w->memory_before, room);
    if (done.skipped)
        tell_skipped(w, step + 1, &done);
    else
        w->bad_steps = 0;
    st = look(w, step + 1, &done, &validation, err);
    if (st == RF_OK)
        st = note(w, step + 1, &done, validation, err);
    done.tokens += extra.tokens;
    done.flops += extra.flops;
    rf_job_report(w, since, &done);
    show(w);
    st = rf_agree(w->group, st, err);
    if (st == RF_OK && w->bad_steps >= w->job->train->max_skipped)
        return give_up(w, err);
    if (st == RF_OK)
        st = rf_job_look(w, err);
    if (st == RF_OK && !done.skipped)
        checkpoint_if_due(w, every > 0 && (step + 1) % every == 0);
    return st;
}

static enum rf_status train(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (w->job->role == RF_ROLE_ZERO_SHOT || w->job->role == RF_ROLE_NOISY)
        return RF_OK;
    if (rf_methods[w->job->method].linear)
        return rf_job_fit_probe(w, err);
    w->told_us = rf_time_us();
    w->told_tokens = w->tokens;
    w->first_step = rf_trainer_steps_done(w->trainer);
    w->first_tokens = w->tokens;
    if (w->job->train->steps == 0) { /* it hands on what it has read */
        struct rf_step_result nothing = {0};

        rf_job_report(w, w->told_us, &nothing);
    }
    while (st == RF_OK && w->stop == RF_GO &&
           rf_trainer_steps_done(w->trainer) < w->job->train->steps)
        st = train_step(w, err);
    if (st == RF_OK)
        st = last_checkpoint(w, err);
    return st;
}

static void tear_down(struct rf_job_work *w)
{
    rf_job_save_clear(w);
    rf_probe_destroy(w->probe);
    rf_trainer_destroy(w->trainer);
    rf_job_labels_clear(w);
    rf_batch_memory_free(&w->memory);
    rf_curve_clear(&w->curve);
    free(w->index);
    free(w->scratch);
    free(w->p1);
    free(w->weak);
    free(w->student);
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
    st = rf_model_check_room(w->job->model, w->info, w->job->task->name, w->job->name, err);
    if (st == RF_OK)
        st = set_up_memory(w, err);
    if (st == RF_OK)
        st = rf_job_read_labels(w, err);
    return st;
}

/* Collective: what a method does to the labels before training; where it wants a second opinion,
 * it asks the model as it is before its first step, whatever step the job goes on from. */
static enum rf_status prepare_labels(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (rf_methods[w->job->method].opinion != RF_OPINION_NONE)
        st = start_afresh(w, err);
    return st == RF_OK ? rf_job_prepare_labels(w, err) : st;
}

/* Collective: have others left what this job would leave? */
static enum rf_status take_kept(const struct rf_job_context *ctx, const struct rf_group *group,
                                const struct rf_planned_job *job, int *found,
                                struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *found = 0;
    if (group->rank == 0)
        st = rf_cache_take(ctx, job, found, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        rf_group_bcast(group, found, sizeof *found, 0);
    return st;
}

/* Local: a cache that cannot be written is a pity, no more. */
static void keep_for_others(const struct rf_job_work *w)
{
    struct rf_error err;

    if (w->group->rank == 0 && rf_cache_keep(w->ctx, w->job, &err) != RF_OK)
        rf_warn_alone("job '%s' is not kept for other runs: %s", w->job->name, err.text);
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
    int found;
    enum rf_status st = take_kept(ctx, group, w.job, &found, err);

    if (st == RF_OK && found)
        return RF_OUTCOME_DONE;
    if (st == RF_OK)
        st = rf_agree(group, set_up(&w, ctx, err), err);
    if (st == RF_OK)
        st = make_trainer(&w, err);
    if (st == RF_OK)
        st = prepare_labels(&w, err);
    if (st == RF_OK)
        st = find_start(&w, job, err);
    if (st == RF_OK)
        st = train(&w, err);
    if (st == RF_OK && w.stop == RF_GO)
        st = rf_job_conclude(&w, err);
    if (st == RF_OK && w.stop == RF_GO)
        keep_for_others(&w);
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
    enum rf_status st = RF_OK;

    while (st == RF_OK && w->stop == RF_GO && rf_trainer_steps_done(w->trainer) < to_step)
        st = train_step(w, err);
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

    quiet.checkpoint_every = quiet.eval_every = 0;
    job.train = &quiet;
    st = rf_lease_solo(&lease, err);
    w.lease = lease;
    if (st == RF_OK)
        st = set_up(&w, ctx, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = make_trainer(&w, err);
    if (st == RF_OK)
        st = prepare_labels(&w, err);
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
