#include "ckpt/card.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"

static const size_t BYTES_MOST = (size_t)1 << 22;

static enum rf_status path_beside(char path[RF_PATH_BYTES], const char *file,
                                  struct rf_error *err)
{
    char folder[RF_PATH_BYTES], *slash;

    snprintf(folder, sizeof folder, "%s", file);
    slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    return rf_file_join(path,
                        slash == NULL     ? "."
                        : slash == folder ? "/"
                                          : folder,
                        "config.json", err);
}

/* GPT-2's files and Llama's have their own words for the same. */
static json_t *either(const json_t *root, const char *one, const char *other)
{
    json_t *value = json_object_get(root, one);

    return value != NULL ? value : json_object_get(root, other);
}

static double number_or_none(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int is_among(const char *word, const char *words)
{
    const char *at = strstr(words, word);
    size_t n = strlen(word);

    return n > 0 && at != NULL && (at == words || at[-1] == ' ') &&
           (at[n] == '\0' || at[n] == ' ');
}

static enum rf_status check(const json_t *root, const char *path, struct rf_error *err)
{
    const char *gelu = json_string_value(json_object_get(root, "activation_function"));
    const char *silu = json_string_value(json_object_get(root, "hidden_act"));
    json_t *scaling = json_object_get(root, "rope_scaling");

    if (gelu != NULL && !is_among(gelu, "gelu_new gelu_pytorch_tanh gelu_fast"))
        return rf_fail(
            err, RF_ERR_INPUT,
            "'%.200s' asks for the activation '%.40s'; a gpt2 model of ours has gelu_new", path,
            gelu);
    if (gelu == NULL && silu != NULL && !is_among(silu, "silu swish"))
        return rf_fail(
            err, RF_ERR_INPUT,
            "'%.200s' asks for the activation '%.40s'; a llama model of ours has silu", path,
            silu);
    if (scaling != NULL && !json_is_null(scaling))
        return rf_fail(
            err, RF_ERR_INPUT,
            "'%.200s' scales its rotary frequencies (rope_scaling), which our models do not",
            path);
    if (json_is_true(json_object_get(root, "scale_attn_by_inverse_layer_idx")) ||
        json_is_false(json_object_get(root, "scale_attn_weights")))
        return rf_fail(err, RF_ERR_INPUT,
                       "'%.200s' scales attention by something else than the width of a head",
                       path);
    return RF_OK;
}

enum rf_status rf_model_card_read(struct rf_model_card *card, const char *safetensors,
                                  struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size = 0;
    json_t *root, *heads;
    json_error_t why;
    enum rf_status st = path_beside(path, safetensors, err);

    *card = (struct rf_model_card){.rope_theta = NAN, .norm_eps = NAN};
    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = rf_file_read(path, BYTES_MOST, &text, &size, err);
    if (st != RF_OK)
        return st;
    root = json_loadb(text, size, 0, &why);
    free(text);
    if (!json_is_object(root)) {
        st = rf_fail(err, RF_ERR_INPUT, "'%.200s': line %d: %.100s", path,
                     root == NULL ? why.line : 1, root == NULL ? why.text : "no object");
        json_decref(root);
        return st;
    }
    st = check(root, path, err);
    heads = either(root, "n_head", "num_attention_heads");
    card->found = 1;
    card->heads = json_is_integer(heads) && json_integer_value(heads) > 0 &&
                          json_integer_value(heads) <= 65536
                      ? (int)json_integer_value(heads)
                      : 0;
    card->rope_theta = number_or_none(json_object_get(root, "rope_theta"));
    card->norm_eps = number_or_none(either(root, "layer_norm_epsilon", "rms_norm_eps"));
    json_decref(root);
    return st;
}
