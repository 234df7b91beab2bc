/* One story in four steps: set up (task, labels, trainer, where to start from),
 * train (learn.c), predict, record (both in judge.c). A job that is stopped in
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

/* This rank's rows of the tokens' vectors. */
static const struct rf_tensor *embeddings_of(const struct rf_job_work *w)
{
    int ntensors;
    const struct rf_tensor *wte = rf_trainer_tensors(w->trainer, &ntensors);

    while (strcmp(wte->name, "wte.weight") != 0)
        wte++;
    return wte;
}

/* Collective: where the task says what its tokens are made of, this rank's embeddings start as sums of
 * the parts' vectors, so that what is learned of one square or one kind of man serves all
 * tokens that share it. The variance is that of any other start. */
static void compose_embeddings(struct rf_job_work *w)
{
    const struct rf_task_info *info = w->info;
    uint64_t stream = rf_rng_stream("token parts", 0);
    const struct rf_tensor *wte = embeddings_of(w);

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
                                   .bag = strcmp(m->input, "bag") == 0,
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
                                     .layer_lr = t->layer_lr,
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

static int reads_means(const struct rf_planned_job *job)
{
    return strcmp(job->train->readout, "mean") == 0;
}

void rf_job_read_as_told(const struct rf_planned_job *job, struct rf_batch *batch)
{
    batch->mean = reads_means(job);
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
    options.max_R = options.max_B;
    if (strcmp(job->model->input, "bag") != 0 && (pretrain || reads_means(job)))
        options.max_R *= options.max_T;
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

/* Collective: with vectors for tokens that the first rank makes from the text, so that all have the same bits. A
 * token of which nothing is known keeps its own. */
static enum rf_status start_from_text(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_tensor *wte = embeddings_of(w);
    size_t width = (size_t)wte->extent[1], n = (size_t)w->info->vocabulary * width;
    float *vectors = malloc(n * sizeof *vectors);
    enum rf_status st = RF_OK;

    if (vectors == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: vectors of %d tokens",
                     w->info->vocabulary);
    st = rf_agree(w->group, st, err);
    if (st == RF_OK && w->group->rank == 0)
        st = rf_task_token_vectors(w->task, w->job->further, (int)width, w->job->model_seed,
                                   vectors, err);
    st = rf_agree(w->group, st, err);
    if (st == RF_OK) {
        rf_group_bcast(w->group, vectors, n * sizeof *vectors, 0);
        for (int64_t r = 0; r < wte->extent[0]; r++) {
            const float *row = &vectors[(size_t)(wte->offset[0] + r) * width];
            double squares = 0;

            if (wte->offset[0] + r >= w->info->vocabulary)
                break;
            for (size_t c = 0; c < width; c++)
                squares += (double)row[c] * (double)row[c];
            if (squares > 0)
                memcpy(&wte->data[(size_t)r * width], row, width * sizeof *row);
        }
        rf_trainer_loaded(w->trainer, 0);
    }
    free(vectors);
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
    if (w->job->ppmi)
        return start_from_text(w, err);
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

static enum rf_status train(struct rf_job_work *w, struct rf_error *err)
{
    if (w->job->role == RF_ROLE_ZERO_SHOT || w->job->role == RF_ROLE_NOISY)
        return RF_OK;
    if (rf_methods[w->job->method].linear)
        return rf_job_fit_probe(w, err);
    return rf_job_learn(w, err);
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

/* What a student's task and its supervisor's have to have in common: labels go by number. */
struct same_examples {
    int n[2];
    uint64_t content[2];
};

static struct same_examples examples_of(const struct rf_task *task)
{
    const struct rf_examples *strong = rf_task_split(task, RF_SPLIT_STRONG);
    const struct rf_examples *validation = rf_task_split(task, RF_SPLIT_VALIDATION);

    return (struct same_examples){{strong->n, validation->n},
                                  {strong->content, validation->content}};
}

/* Local: the job's task. Where its supervisor reads another, that one holds the same examples: a run
 * has checked it before it started, but a job may have been submitted since. */
static enum rf_status open_task(struct rf_job_work *w, struct rf_job_context *ctx,
                                struct rf_error *err)
{
    int32_t from = w->job->label_job;
    const struct rf_planned_job *labeller = from >= 0 ? &ctx->plan->jobs[from] : w->job;
    struct same_examples theirs = {{0, 0}, {0, 0}}, own;
    enum rf_status st = RF_OK;

    if (labeller->task != w->job->task) {
        st = rf_shelf_open(&ctx->shelf, labeller->task, labeller->task_seed, &w->task, err);
        if (st == RF_OK)
            theirs = examples_of(w->task);
    }
    if (st == RF_OK)
        st = rf_shelf_open(&ctx->shelf, w->job->task, w->job->task_seed, &w->task, err);
    if (st != RF_OK || labeller->task == w->job->task)
        return st;
    own = examples_of(w->task);
    if (memcmp(own.n, theirs.n, sizeof own.n) != 0 ||
        memcmp(own.content, theirs.content, sizeof own.content) != 0)
        return rf_fail(
            err, RF_ERR_INPUT,
            "job '%s': its task '%s' and its supervisor's, '%s', do not hold the same "
            "examples",
            w->job->name, w->job->task->name, labeller->task->name);
    return RF_OK;
}

/* Local: everything that may fail on one rank only, before the trainer is made. */
static enum rf_status set_up(struct rf_job_work *w, struct rf_job_context *ctx,
                             struct rf_error *err)
{
    enum rf_status st = open_task(w, ctx, err);

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
        st = rf_job_step(w, err);
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
