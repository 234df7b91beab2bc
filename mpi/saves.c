/* The checkpoints of a job: one saver for its life, made when the first is due. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ckpt/store.h"
#include "job/origin.h"
#include "mpi/work.h"

static struct rf_ckpt_info describe(const struct rf_job_work *w)
{
    int64_t step = rf_trainer_steps_done(w->trainer);
    struct rf_ckpt_info info = {.step = step,
                                .tokens = w->tokens,
                                .flops = w->flops,
                                .data_position = step * w->job->train->batch,
                                .seed = (int64_t)(w->job->model_seed >> 1),
                                .ranks = w->group->size};

    snprintf(info.job, sizeof info.job, "%s", w->job->name);
    snprintf(info.account, sizeof info.account, "%s", w->job->account);
    rf_model_words(info.model, w->job->model, w->info);
    rf_digest_to_hex(&w->info->tokenizer, info.tokenizer);
    snprintf(info.config, sizeof info.config, "%s", w->ctx->config_digest);
    snprintf(info.version, sizeof info.version, "%s", w->ctx->version);
    info.ledger_entries = rf_lease_head(w->lease, info.ledger_head);
    return info;
}

/* ---- loading ------------------------------------------------------------------------ */

/* Collective: the newest below *step; the first rank looks, so that all load the same file. */
static enum rf_status find_below(struct rf_job_work *w, const char *dir,
                                 char path[RF_PATH_BYTES], int64_t *step, int *found,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *found = 0;
    if (w->group->rank == 0)
        st = rf_store_newest_below(dir, *step, path, step, found, err);
    st = rf_agree(w->group, st, err);
    if (st != RF_OK)
        return st;
    rf_group_bcast(w->group, path, RF_PATH_BYTES, 0);
    rf_group_bcast(w->group, found, sizeof *found, 0);
    rf_group_bcast(w->group, step, sizeof *step, 0);
    return RF_OK;
}

enum rf_status rf_job_load_newest(struct rf_job_work *w, const char *dir, int params_only,
                                  int *found, struct rf_ckpt_info *info, struct rf_error *err)
{
    char path[RF_PATH_BYTES] = "";
    int64_t step = INT64_MAX;
    int ntensors, another = 0;
    const struct rf_tensor *tensors = rf_trainer_tensors(w->trainer, &ntensors);
    struct rf_ckpt_info mine = describe(w);
    struct rf_error first = {RF_OK, ""};
    enum rf_status st = find_below(w, dir, path, &step, found, err);

    if (params_only)
        ntensors = rf_trainer_nparams(w->trainer);
    while (st == RF_OK && *found) {
        st = rf_ckpt_load(w->group, path, info, tensors, ntensors, err);
        if (st != RF_ERR_INPUT)
            break;
        if (first.status == RF_OK)
            first = *err;
        st = find_below(w, dir, path, &step, &another, err);
        if (st == RF_OK && !another) { /* the first one says best what is wrong */
            *err = first;
            return first.status;
        }
        if (st == RF_OK && w->group->rank == 0)
            rf_warn_alone("%s; going on from '%s'", first.text, path);
    }
    if (st == RF_OK && *found && strcmp(info->tokenizer, mine.tokenizer) != 0)
        st = rf_fail(err, RF_ERR_INPUT,
                     "checkpoint '%s' is from a model that speaks another vocabulary", path);
    return st;
}

/* ---- saving ------------------------------------------------------------------------- */

/* Local: the trainer's tensors as files keep them, and the configuration for the file. */
static enum rf_status prepare(struct rf_job_work *w, struct rf_error *err)
{
    enum { CONFIG_BYTES = 1 << 20 };
    int ntensors, nparams = rf_trainer_nparams(w->trainer);
    const struct rf_tensor *tensors = rf_trainer_tensors(w->trainer, &ntensors);
    char path[RF_PATH_BYTES];
    size_t size;

    w->saved_as = malloc((size_t)ntensors * sizeof *w->saved_as);
    if (w->saved_as == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    memcpy(w->saved_as, tensors, (size_t)ntensors * sizeof *tensors);
    for (int i = nparams; i < ntensors && w->job->train->checkpoint_bf16; i++)
        w->saved_as[i].stored = RF_STORED_BF16;
    if (w->group->rank == 0 &&
        rf_file_join(path, w->ctx->run_dir, "config.cfg", NULL) == RF_OK &&
        rf_file_read(path, CONFIG_BYTES, &w->config_text, &size, NULL) != RF_OK)
        w->config_text = NULL; /* tests have none; its digest is in the file in any case */
    return RF_OK;
}

static enum rf_status make_saver(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_train_spec *t = w->job->train;
    struct rf_ckpt_options options = {
        .keep = {.last = t->checkpoint_keep, .every = t->checkpoint_keep_every},
        .background = t->checkpoint_background && t->checkpoint_every > 0,
        .share = t->checkpoint_share};
    char dir[RF_PATH_BYTES];
    int ntensors;
    enum rf_status st = rf_file_join(dir, w->ctx->ckpt_dir, w->job->name, err);

    if (st == RF_OK)
        st = rf_agree(w->group, prepare(w, err), err);
    if (st != RF_OK)
        return st;
    options.config_text = w->config_text;
    rf_trainer_tensors(w->trainer, &ntensors);
    return rf_ckpt_saver_create(&w->saver, w->group, dir, &options, w->saved_as, ntensors, err);
}

enum rf_status rf_job_save_poll(struct rf_job_work *w, int wait, struct rf_error *err)
{
    struct rf_ckpt_saved saved;
    char path[RF_PATH_BYTES], hex[RF_DIGEST_HEX];
    const char *name;
    enum rf_status st;

    if (w->saver == NULL || !rf_ckpt_saver_busy(w->saver))
        return RF_OK;
    st = rf_ckpt_saver_poll(w->saver, wait, &saved, err);
    if (st != RF_OK || !saved.committed)
        return st;
    w->saved_step = saved.step;
    name = strrchr(saved.path, '/');
    snprintf(path, sizeof path, "%.64s/%.80s", w->job->name,
             name != NULL ? name + 1 : saved.path);
    rf_digest_to_hex(&saved.content, hex);
    rf_lease_checkpoint(w->lease, w->group, saved.step, hex, path);
    return RF_OK;
}

/* Collective: a save that failed for want of memory or disk leaves nothing behind, so that the next
 * may be tried. The curve is written first: it may be ahead of the checkpoint, never behind. */
enum rf_status rf_job_save(struct rf_job_work *w, int final, struct rf_error *err)
{
    struct rf_ckpt_info info = describe(w);
    enum rf_status st = rf_job_save_poll(w, 1, err);

    if (st != RF_OK || w->saved_step == info.step)
        return st;
    w->begun_step = info.step;
    if (w->group->rank == 0)
        st = rf_curve_write(&w->curve, w->ctx->run_dir, w->job->name, err);
    st = rf_agree(w->group, st, err);
    if (st == RF_OK && w->saver == NULL) {
        rf_job_save_clear(w);
        st = make_saver(w, err);
    }
    if (st == RF_OK)
        st = rf_ckpt_saver_begin(w->saver, &info, err);
    if (st == RF_OK && (final || !w->job->train->checkpoint_background))
        st = rf_job_save_poll(w, 1, err);
    return st;
}

enum rf_status rf_job_save_copy(struct rf_job_work *w, const char *dir,
                                struct rf_digest *content, struct rf_error *err)
{
    struct rf_ckpt_info info = describe(w);
    char path[RF_PATH_BYTES];
    int ntensors;
    enum rf_status st = rf_agree(w->group, prepare(w, err), err);

    rf_trainer_tensors(w->trainer, &ntensors);
    return st == RF_OK ? rf_ckpt_save(w->group, dir, &info, w->saved_as, ntensors, 0, path,
                                      content, err)
                       : st;
}

void rf_job_save_clear(struct rf_job_work *w)
{
    rf_ckpt_saver_destroy(w->saver);
    free(w->saved_as);
    free(w->config_text);
    w->saver = NULL;
    w->saved_as = NULL;
    w->config_text = NULL;
}
