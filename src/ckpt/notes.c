#include "ckpt/notes.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of size 0 is an int64_t. */
static const struct {
    const char *key;
    size_t offset, size;
} fields[] = {
    {"ringfence.step", offsetof(struct rf_ckpt_info, step), 0},
    {"ringfence.tokens", offsetof(struct rf_ckpt_info, tokens), 0},
    {"ringfence.flops", offsetof(struct rf_ckpt_info, flops), 0},
    {"ringfence.data_position", offsetof(struct rf_ckpt_info, data_position), 0},
    {"ringfence.seed", offsetof(struct rf_ckpt_info, seed), 0},
    {"ringfence.job", offsetof(struct rf_ckpt_info, job),
     sizeof(((struct rf_ckpt_info *)0)->job)},
    {"ringfence.account", offsetof(struct rf_ckpt_info, account),
     sizeof(((struct rf_ckpt_info *)0)->account)},
    {"ringfence.model", offsetof(struct rf_ckpt_info, model),
     sizeof(((struct rf_ckpt_info *)0)->model)},
    {"ringfence.tokenizer", offsetof(struct rf_ckpt_info, tokenizer),
     sizeof(((struct rf_ckpt_info *)0)->tokenizer)},
    {"ringfence.config", offsetof(struct rf_ckpt_info, config),
     sizeof(((struct rf_ckpt_info *)0)->config)},
    {"ringfence.version", offsetof(struct rf_ckpt_info, version),
     sizeof(((struct rf_ckpt_info *)0)->version)},
    {"ringfence.ledger_entries", offsetof(struct rf_ckpt_info, ledger_entries), 0},
    {"ringfence.ledger_head", offsetof(struct rf_ckpt_info, ledger_head),
     sizeof(((struct rf_ckpt_info *)0)->ledger_head)},
};
enum { NFIELDS = sizeof fields / sizeof fields[0] };

static const char names_key[] = "ringfence.names";

static void add(struct rf_notes *notes, const char *key, const char *text)
{
    notes->list[notes->n++] = (struct rf_safetensors_note){key, text};
}

void rf_notes_of(struct rf_notes *notes, const struct rf_ckpt_info *info, int own)
{
    notes->n = 0;
    add(notes, "format", "pt"); /* the rows and columns are as PyTorch has them */
    add(notes, names_key, own ? "own" : "huggingface");
    for (int i = 0; i < NFIELDS; i++) {
        const char *field = (const char *)info + fields[i].offset;
        int64_t value;

        if (fields[i].size == 0) {
            memcpy(&value, field, sizeof value);
            snprintf(notes->numbers[notes->n], sizeof notes->numbers[0], "%lld",
                     (long long)value);
            field = notes->numbers[notes->n];
        }
        add(notes, fields[i].key, field);
    }
}

static int whole_number(const char *text, int64_t *value)
{
    char again[24], *end;

    errno = 0;
    *value = strtoll(text, &end, 10);
    snprintf(again, sizeof again, "%lld", (long long)*value);
    return errno == 0 && *end == '\0' && strcmp(again, text) == 0;
}

enum rf_status rf_notes_read(struct rf_ckpt_info *info, int *own,
                             const struct rf_safetensors *file, const char *path,
                             struct rf_error *err)
{
    const char *names = rf_safetensors_note(file, names_key);

    memset(info, 0, sizeof *info);
    *own = names != NULL && strcmp(names, "own") == 0;
    for (int i = 0; i < NFIELDS; i++) {
        const char *text = rf_safetensors_note(file, fields[i].key);
        char *field = (char *)info + fields[i].offset;
        int64_t value;

        if (text == NULL)
            continue;
        if (fields[i].size > 0 && strlen(text) < fields[i].size)
            memcpy(field, text, strlen(text) + 1);
        else if (fields[i].size == 0 && whole_number(text, &value))
            memcpy(field, &value, sizeof value);
        else
            return rf_fail(err, RF_ERR_INPUT, "'%s': its metadata has no usable '%s': '%.60s'",
                           path, fields[i].key, text);
    }
    if (info->step < 0 || info->tokens < 0 || info->flops < 0 || info->data_position < 0 ||
        info->ledger_entries < 0)
        return rf_fail(err, RF_ERR_INPUT, "'%s': its metadata counts below zero", path);
    return RF_OK;
}
