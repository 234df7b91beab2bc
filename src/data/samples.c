#include "data/samples.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Makes *array hold `room` elements; on failure it is as it was. */
static int grow(void *array, size_t room, size_t element_bytes)
{
    void **at = array;
    void *more = realloc(*at, room * element_bytes);

    if (more == NULL)
        return -1;
    *at = more;
    return 0;
}

static int grow_samples(struct rf_samples *samples)
{
    int room = samples->room > 0 ? 2 * samples->room : 256;
    size_t n = (size_t)room;

    if (samples->room > INT_MAX / 4 ||
        grow(&samples->start, n + 1, sizeof *samples->start) != 0 ||
        grow(&samples->label, n, sizeof *samples->label) != 0 ||
        grow(&samples->key, n, sizeof *samples->key) != 0 ||
        grow(&samples->rating, n, sizeof *samples->rating) != 0)
        return -1;
    if (samples->room == 0)
        samples->start[0] = 0;
    samples->room = room;
    return 0;
}

enum rf_status rf_samples_add(struct rf_samples *samples, const int32_t *tokens, int ntokens,
                              int32_t label, uint64_t key, float rating, struct rf_error *err)
{
    int i = samples->n;

    if (i == samples->room && grow_samples(samples) != 0)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d examples", i);
    if (samples->ntokens + ntokens > samples->room_tokens) {
        int64_t room = 2 * (samples->ntokens + ntokens) + 4096;

        if (grow(&samples->tokens, (size_t)room, sizeof *samples->tokens) != 0)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d examples", i);
        samples->room_tokens = room;
    }
    if (ntokens > 0)
        memcpy(samples->tokens + samples->ntokens, tokens, (size_t)ntokens * sizeof *tokens);
    samples->ntokens += ntokens;
    samples->start[i + 1] = samples->ntokens;
    samples->label[i] = label;
    samples->key[i] = key;
    samples->rating[i] = rating;
    samples->n++;
    return RF_OK;
}

void rf_samples_clear(struct rf_samples *samples)
{
    free(samples->tokens);
    free(samples->start);
    free(samples->label);
    free(samples->key);
    free(samples->rating);
    memset(samples, 0, sizeof *samples);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

uint64_t rf_key_of(const void *data, size_t size_bytes)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size_bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return mix(h);
}

/* Where the key is, or the empty slot where it would go. Slots hold 0 when empty; key 0 is
 * kept as 1, which merges two of 2^64 keys. */
static size_t find_slot(const struct rf_keys *keys, uint64_t key)
{
    size_t at = (size_t)mix(key) & (keys->nslots - 1);

    while (keys->slot[at] != 0 && keys->slot[at] != key)
        at = (at + 1) & (keys->nslots - 1);
    return at;
}

enum rf_status rf_keys_add(struct rf_keys *keys, uint64_t key, int *is_new,
                           struct rf_error *err)
{
    size_t at;

    key = key == 0 ? 1 : key;
    if (2 * (keys->n + 1) > keys->nslots) {
        struct rf_keys more = {NULL, keys->nslots > 0 ? 2 * keys->nslots : 1024, keys->n};

        more.slot = calloc(more.nslots, sizeof *more.slot);
        if (more.slot == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu keys", more.nslots);
        for (size_t i = 0; i < keys->nslots; i++) {
            if (keys->slot[i] != 0)
                more.slot[find_slot(&more, keys->slot[i])] = keys->slot[i];
        }
        free(keys->slot);
        *keys = more;
    }
    at = find_slot(keys, key);
    *is_new = keys->slot[at] == 0;
    keys->slot[at] = key;
    keys->n += (size_t)*is_new;
    return RF_OK;
}

int rf_keys_has(const struct rf_keys *keys, uint64_t key)
{
    key = key == 0 ? 1 : key;
    return keys->nslots > 0 && keys->slot[find_slot(keys, key)] != 0;
}

void rf_keys_clear(struct rf_keys *keys)
{
    free(keys->slot);
    memset(keys, 0, sizeof *keys);
}

/* What rf_samples_order() sorts: rank within the class first, then a salted hash. */
struct entry {
    uint64_t hash;
    int32_t label, index, place;
};

static int by_class_and_hash(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int by_place_and_hash(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Numbers each class's entries from 0; returns the size of the smallest class. */
static int number_classes(struct entry *entries, int n, int nclass)
{
    int place = 0, smallest = INT_MAX, classes = n > 0;

    for (int i = 0; i < n; i++) {
        if (i > 0 && entries[i].label != entries[i - 1].label) {
            smallest = place < smallest ? place : smallest;
            place = 0;
            classes++;
        }
        entries[i].place = place++;
    }
    smallest = place < smallest ? place : smallest;
    return classes < nclass ? 0 : smallest;
}

enum rf_status rf_samples_order(const struct rf_samples *samples, int nclass, int balance,
                                uint64_t salt, int32_t **order, int *norder,
                                struct rf_error *err)
{
    struct entry *entries = malloc(((size_t)samples->n + 1) * sizeof *entries);
    int n = 0, kept = 0;

    *order = malloc(((size_t)samples->n + 1) * sizeof **order);
    *norder = 0;
    if (entries == NULL || *order == NULL) {
        free(entries);
        free(*order);
        *order = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d examples", samples->n);
    }
    for (int i = 0; i < samples->n; i++) {
        if (samples->label[i] >= 0 && samples->label[i] < nclass)
            entries[n++] =
                (struct entry){mix(samples->key[i] ^ mix(salt)), samples->label[i], i, 0};
    }
    if (balance) {
        int smallest;

        qsort(entries, (size_t)n, sizeof *entries, by_class_and_hash);
        smallest = number_classes(entries, n, nclass);
        for (int i = 0; i < n; i++) {
            if (entries[i].place < smallest)
                entries[kept++] = entries[i];
        }
        n = kept;
    }
    qsort(entries, (size_t)n, sizeof *entries, by_place_and_hash);
    for (int i = 0; i < n; i++)
        (*order)[i] = entries[i].index;
    *norder = n;
    free(entries);
    return RF_OK;
}

enum rf_status rf_samples_take(const struct rf_samples *samples, const int32_t *order, int n,
                               int with_rating, struct rf_examples *examples,
                               struct rf_error *err)
{
    int64_t total = 0;

    for (int i = 0; i < n; i++)
        total += samples->start[order[i] + 1] - samples->start[order[i]];
    if (total > INT32_MAX)
        return rf_fail(err, RF_ERR_INPUT, "a split of %lld tokens is too large",
                       (long long)total);
    examples->tokens = malloc(((size_t)total + 1) * sizeof *examples->tokens);
    examples->start = malloc(((size_t)n + 1) * sizeof *examples->start);
    examples->label = malloc(((size_t)n + 1) * sizeof *examples->label);
    examples->rating = with_rating ? malloc(((size_t)n + 1) * sizeof *examples->rating) : NULL;
    if (examples->tokens == NULL || examples->start == NULL || examples->label == NULL ||
        (with_rating && examples->rating == NULL))
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d examples", n);
    total = 0;
    for (int i = 0; i < n; i++) {
        int64_t from = samples->start[order[i]], count = samples->start[order[i] + 1] - from;

        memcpy(examples->tokens + total, samples->tokens + from,
               (size_t)count * sizeof *examples->tokens);
        examples->start[i] = (int32_t)total;
        examples->label[i] = samples->label[order[i]];
        if (with_rating)
            examples->rating[i] = samples->rating[order[i]];
        examples->content = mix(examples->content ^ samples->key[order[i]]) +
                            (uint64_t)(uint32_t)samples->label[order[i]];
        total += count;
    }
    examples->start[n] = (int32_t)total;
    examples->n = n;
    return RF_OK;
}
