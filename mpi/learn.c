/* A job's steps: the batch, the labels that a method puts into it, the step, its record, what is looked
 * at on the way, and checkpoints. */
#include <math.h>
#include <stdint.h>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "mpi/work.h"

enum { CURVE_POINTS = 200, LOOKED_AT = 64 }; /* rows of what is held back, during training */

static int is_dropped(const struct rf_job_work *w, uint64_t stream, int b, int t)
{
    return rf_rng_uniform(w->job->model_seed, stream,
                          (uint64_t)b * (uint64_t)w->info->context + (uint64_t)t) <
           w->job->train->token_dropout;
}

/* Local: hides a share of the tokens, drawn by step, place in the batch and place in the text. The
 * last one stays: it is where the model is asked. A mean is of those that are left, which move up. */
static void drop_tokens(struct rf_job_work *w, int64_t step, const struct rf_batch *batch)
{
    uint64_t stream = rf_rng_stream("token dropout", (uint64_t)step);

    for (int b = 0; w->job->train->token_dropout > 0 && b < batch->R; b++) {
        int32_t *tokens = w->memory.tokens + (size_t)b * (size_t)batch->T;
        int last = batch->rows[b] - b * batch->T, kept = 0;

        for (int t = 0; t < last; t++) {
            int dropped = is_dropped(w, stream, b, t);

            if (!batch->mean)
                tokens[t] = dropped ? w->info->unseen : tokens[t];
            else if (!dropped)
                tokens[kept++] = tokens[t];
        }
        if (batch->mean) {
            tokens[kept] = tokens[last];
            w->memory.rows[b] = b * batch->T + kept;
        }
    }
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
    if (st != RF_OK)
        return st;
    rf_job_read_as_told(job, batch);
    drop_tokens(w, step, batch);
    return RF_OK;
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

enum rf_status rf_job_step(struct rf_job_work *w, struct rf_error *err)
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

enum rf_status rf_job_learn(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_status st = RF_OK;

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
        st = rf_job_step(w, err);
    if (st == RF_OK)
        st = last_checkpoint(w, err);
    return st;
}
