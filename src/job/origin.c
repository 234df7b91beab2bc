#include "job/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ckpt/contents.h"
#include "ckpt/store.h"

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && strcmp(text + n - k, end) == 0;
}

enum rf_status rf_origin_find(struct rf_origin *origin, const char *from, struct rf_error *err)
{
    struct rf_ckpt_contents contents = {0};
    int64_t step;
    int found = 0;
    enum rf_status st = RF_OK;

    *origin = (struct rf_origin){.path = ""};
    if (ends_with(from, ".safetensors"))
        return rf_fail(
            err, RF_ERR_INPUT,
            "'%.300s' is a safetensors file; make a checkpoint of it first: ringfence "
            "checkpoint import FILE DIR",
            from);
    if (!rf_file_exists(from))
        return rf_fail(err, RF_ERR_INPUT, "there is no checkpoint or directory '%.300s'", from);
    if (ends_with(from, ".h5"))
        snprintf(origin->path, sizeof origin->path, "%s", from);
    else
        st = rf_store_newest(from, origin->path, &step, &found, err);
    if (st == RF_OK && !ends_with(from, ".h5") && !found)
        st = rf_fail(err, RF_ERR_INPUT, "there is no complete checkpoint in '%.300s'", from);
    if (st == RF_OK)
        st = rf_ckpt_contents_read(&contents, origin->path, err);
    if (st == RF_NO) /* damaged: an input that is none, where no question was asked */
        err->status = st = RF_ERR_INPUT;
    if (st == RF_OK) {
        const struct rf_ckpt_info *info = &contents.manifest->info;

        snprintf(origin->model, sizeof origin->model, "%s", info->model);
        snprintf(origin->tokenizer, sizeof origin->tokenizer, "%s", info->tokenizer);
        origin->content = contents.manifest->content;
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}

int rf_model_vocabulary(const struct rf_model_spec *model, const struct rf_task_info *info)
{
    return model->vocabulary > 0 ? model->vocabulary : info->vocabulary;
}

int rf_model_context(const struct rf_model_spec *model, const struct rf_task_info *info)
{
    return model->context > 0 ? model->context : info->context;
}

void rf_model_words(char words[RF_MODEL_WORDS], const struct rf_model_spec *m,
                    const struct rf_task_info *info)
{
    if (strcmp(m->family, "llama") == 0)
        snprintf(words, RF_MODEL_WORDS,
                 "llama layers=%d heads=%d width=%d kv=%d hidden=%d vocabulary=%d", m->layers,
                 m->heads, m->width, m->width / m->heads * m->kv_heads, m->hidden,
                 rf_model_vocabulary(m, info));
    else
        snprintf(words, RF_MODEL_WORDS,
                 "gpt2 layers=%d heads=%d width=%d hidden=%d context=%d vocabulary=%d",
                 m->layers, m->heads, m->width, m->hidden, rf_model_context(m, info),
                 rf_model_vocabulary(m, info));
    if (strcmp(m->input, "bag") == 0)
        snprintf(words + strlen(words), RF_MODEL_WORDS - strlen(words), " input=bag");
}

enum rf_status rf_model_check_room(const struct rf_model_spec *model,
                                   const struct rf_task_info *info, const char *task,
                                   const char *job, struct rf_error *err)
{
    if (rf_model_vocabulary(model, info) < info->vocabulary)
        return rf_fail(err, RF_ERR_INPUT,
                       "job '%s': model '%s' has %d tokens, and task '%s' has %d", job,
                       model->name, model->vocabulary, task, info->vocabulary);
    if (rf_model_context(model, info) < info->context)
        return rf_fail(err, RF_ERR_INPUT,
                       "job '%s': model '%s' has %d positions, and task '%s' has texts of %d",
                       job, model->name, model->context, task, info->context);
    return RF_OK;
}

enum rf_status rf_origin_check(struct rf_origin *origin, const char *from,
                               const struct rf_model_spec *model,
                               const struct rf_task_info *info, const char *job,
                               struct rf_error *err)
{
    char words[RF_MODEL_WORDS], tokenizer[RF_DIGEST_HEX];
    struct rf_error why;
    enum rf_status st = rf_origin_find(origin, from, &why);

    if (st != RF_OK)
        return rf_fail(err, st, "job '%s': %.600s", job, why.text);
    rf_model_words(words, model, info);
    if (strcmp(words, origin->model) != 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "job '%s': '%.300s' holds '%s', and model '%s' with its task is '%s'; a "
                       "model may be given its 'context' and 'vocabulary' as well",
                       job, origin->path, origin->model, model->name, words);
    rf_digest_to_hex(&info->tokenizer, tokenizer);
    if (origin->tokenizer[0] != '\0' && strcmp(origin->tokenizer, tokenizer) != 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "job '%s': '%.300s' is from a model that speaks another vocabulary than "
                       "its task",
                       job, origin->path);
    return RF_OK;
}
