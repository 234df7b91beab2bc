#include "ckpt/index.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Fixed places; every number takes eight bytes. Texts are padded with zeros. */
enum {
    AT_BYTES = 0,
    AT_VERSION = 8,
    AT_NUMBERS = 16,
    NNUMBERS = 7,
    AT_TEXTS = AT_NUMBERS + NNUMBERS * 8,
    TEXTS_BYTES = 512,
    AT_COUNTS = AT_TEXTS + TEXTS_BYTES, /* tensors, granules, six tables */
    NCOUNTS = 8,
    AT_TENSORS = AT_COUNTS + NCOUNTS * 8,
    TENSOR_BYTES = 56
};

static const struct {
    size_t offset, size, room;
} texts[] = {
    {offsetof(struct rf_ckpt_info, job), sizeof(((struct rf_ckpt_info *)0)->job), 64},
    {offsetof(struct rf_ckpt_info, account), sizeof(((struct rf_ckpt_info *)0)->account), 64},
    {offsetof(struct rf_ckpt_info, model), sizeof(((struct rf_ckpt_info *)0)->model), 160},
    {offsetof(struct rf_ckpt_info, tokenizer), sizeof(((struct rf_ckpt_info *)0)->tokenizer),
     72},
    {offsetof(struct rf_ckpt_info, config), sizeof(((struct rf_ckpt_info *)0)->config), 72},
    {offsetof(struct rf_ckpt_info, version), sizeof(((struct rf_ckpt_info *)0)->version), 32},
    {offsetof(struct rf_ckpt_info, ledger_head),
     sizeof(((struct rf_ckpt_info *)0)->ledger_head), 48},
};
enum { NTEXTS = sizeof texts / sizeof texts[0] };

static void put(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *from)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

size_t rf_index_bytes(int64_t ntensors)
{
    return AT_TENSORS + (size_t)ntensors * TENSOR_BYTES;
}

uint64_t rf_index_size(const struct rf_index_tensor *tensor)
{
    return (uint64_t)(tensor->shape[0] * tensor->shape[1]) * rf_stored_bytes(tensor->stored);
}

void rf_index_write(unsigned char *bytes, const struct rf_index *index)
{
    const struct rf_ckpt_info *info = &index->info;
    const int64_t numbers[NNUMBERS] = {info->step,          info->tokens, info->flops,
                                       info->data_position, info->seed,   info->ranks,
                                       info->ledger_entries};
    const uint64_t counts[NCOUNTS] = {(uint64_t)index->ntensors,
                                      (uint64_t)index->ngranules,
                                      index->names,
                                      index->tensor_digests,
                                      index->granule_digests,
                                      index->content,
                                      index->places,
                                      index->packed_digests};
    unsigned char *at = bytes + AT_TEXTS;

    memset(bytes, 0, rf_index_bytes(index->ntensors));
    put(bytes + AT_BYTES, rf_index_bytes(index->ntensors));
    put(bytes + AT_VERSION, (uint64_t)index->format_version);
    for (size_t i = 0; i < NNUMBERS; i++)
        put(bytes + AT_NUMBERS + i * 8, (uint64_t)numbers[i]);
    for (size_t i = 0; i < NCOUNTS; i++)
        put(bytes + AT_COUNTS + i * 8, counts[i]);
    for (size_t i = 0; i < NTEXTS; at += texts[i++].room) {
        const char *text = (const char *)info + texts[i].offset;

        memcpy(at, text, strlen(text));
    }
    for (int64_t i = 0; i < index->ntensors; i++) {
        const struct rf_index_tensor *tensor = &index->tensors[i];

        at = bytes + AT_TENSORS + i * TENSOR_BYTES;
        put(at, (uint64_t)tensor->ndims);
        put(at + 8, (uint64_t)tensor->stored);
        put(at + 16, (uint64_t)tensor->shape[0]);
        put(at + 24, (uint64_t)tensor->shape[1]);
        put(at + 32, tensor->offset);
        put(at + 40, (uint64_t)tensor->base);
        put(at + 48, (uint64_t)tensor->packed);
    }
}

static int read_info(struct rf_ckpt_info *info, const unsigned char *bytes)
{
    int64_t numbers[NNUMBERS];
    const unsigned char *at = bytes + AT_TEXTS;

    memset(info, 0, sizeof *info);
    for (size_t i = 0; i < NNUMBERS; i++)
        numbers[i] = (int64_t)get(bytes + AT_NUMBERS + i * 8);
    for (size_t i = 0; i < NTEXTS; at += texts[i++].room) {
        const unsigned char *end = memchr(at, '\0', texts[i].size);

        if (end == NULL)
            return 0;
        memcpy((char *)info + texts[i].offset, at, (size_t)(end - at));
    }
    info->step = numbers[0];
    info->tokens = numbers[1];
    info->flops = numbers[2];
    info->data_position = numbers[3];
    info->seed = numbers[4];
    info->ranks = (int)numbers[5];
    info->ledger_entries = numbers[6];
    return info->ledger_entries >= 0 && info->step >= 0 && info->tokens >= 0 &&
           info->flops >= 0 && info->data_position >= 0 && numbers[5] >= 1 &&
           numbers[5] <= INT_MAX;
}

/* A known type, one or two dimensions, a size that is a number, and one way to be kept: here,
 * here and packed, or in the file of an earlier step. */
static int read_tensor(struct rf_index_tensor *tensor, const unsigned char *at, int64_t step)
{
    uint64_t ndims = get(at), stored = get(at + 8), rows = get(at + 16), columns = get(at + 24);
    uint64_t offset = get(at + 32), packed = get(at + 48);
    int64_t base = (int64_t)get(at + 40);

    if (ndims < 1 || ndims > 2 || stored > RF_STORED_BF16 || rows < 1 || columns < 1 ||
        (ndims == 1 && columns != 1) || columns > INT64_MAX / 8 ||
        rows > INT64_MAX / 8 / columns)
        return 0;
    if (base < -1 || base >= step || packed > 1 || (base >= 0 && packed) ||
        (offset == 0) != (base >= 0 || packed))
        return 0;
    *tensor = (struct rf_index_tensor){.ndims = (int)ndims,
                                       .stored = (enum rf_stored)stored,
                                       .shape = {(int64_t)rows, (int64_t)columns},
                                       .offset = offset,
                                       .base = base,
                                       .packed = (int)packed};
    return 1;
}

static enum rf_status impossible(const char *path, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "'%s' has an impossible index", path);
}

enum rf_status rf_index_read(struct rf_index *index, const unsigned char *bytes,
                             size_t size_bytes, const char *path, struct rf_error *err)
{
    uint64_t n, ngranules, version;

    *index = (struct rf_index){0};
    if (size_bytes < AT_TENSORS || get(bytes + AT_BYTES) == 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' has no index: it is not a checkpoint, or one "
                       "of a program before 0.1",
                       path);
    version = get(bytes + AT_VERSION);
    if (version != RF_INDEX_VERSION)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is a checkpoint of version %llu; this program reads version %d",
                       path, (unsigned long long)version, RF_INDEX_VERSION);
    n = get(bytes + AT_COUNTS);
    ngranules = get(bytes + AT_COUNTS + 8);
    if (n < 1 || n > (size_bytes - AT_TENSORS) / TENSOR_BYTES || n > INT_MAX / 4 ||
        get(bytes + AT_BYTES) != rf_index_bytes((int64_t)n) || ngranules > INT64_MAX / 64 ||
        !read_info(&index->info, bytes))
        return impossible(path, err);
    index->format_version = (int)version;
    index->ntensors = (int64_t)n;
    index->ngranules = (int64_t)ngranules;
    index->names = get(bytes + AT_COUNTS + 16);
    index->tensor_digests = get(bytes + AT_COUNTS + 24);
    index->granule_digests = get(bytes + AT_COUNTS + 32);
    index->content = get(bytes + AT_COUNTS + 40);
    index->places = get(bytes + AT_COUNTS + 48);
    index->packed_digests = get(bytes + AT_COUNTS + 56);
    index->tensors = calloc((size_t)n, sizeof *index->tensors);
    if (index->tensors == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    for (uint64_t i = 0; i < n; i++)
        if (!read_tensor(&index->tensors[i], bytes + AT_TENSORS + i * TENSOR_BYTES,
                         index->info.step)) {
            rf_index_clear(index);
            return impossible(path, err);
        }
    return RF_OK;
}

void rf_index_clear(struct rf_index *index)
{
    free(index->tensors);
    *index = (struct rf_index){0};
}
