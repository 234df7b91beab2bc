/* samples.h - what the sources have in common: growing lists of examples, sets of
 * keys, and the way into locked splits. Internal to src/data.
 *
 * Every example carries a key, a number made from its content alone. Which split an example
 * goes to and where it stands in it follows from the keys, never from the order of a file. */
#ifndef RF_DATA_SAMPLES_H
#define RF_DATA_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/task.h"

/* Sequences of tokens with a label, a key and a rating each. All zero is an empty list. */
struct rf_samples {
    int n, room;
    int64_t ntokens, room_tokens;
    int32_t *tokens; /* owned, as all arrays here */
    int64_t *start;  /* [n+1] once n > 0 */
    int32_t *label;
    uint64_t *key;
    float *rating;
};

/* On failure (memory) the list is as it was. */
enum rf_status rf_samples_add(struct rf_samples *samples, const int32_t *tokens, int ntokens,
                              int32_t label, uint64_t key, float rating, struct rf_error *err);
void rf_samples_clear(struct rf_samples *samples);

/* A set of keys. All zero is an empty set. */
struct rf_keys {
    uint64_t *slot; /* owned */
    size_t nslots, n;
};
enum rf_status rf_keys_add(struct rf_keys *keys, uint64_t key, int *is_new,
                           struct rf_error *err);
int rf_keys_has(const struct rf_keys *keys, uint64_t key);
void rf_keys_clear(struct rf_keys *keys);

/* FNV-1a with a final mix: the key of a text. */
uint64_t rf_key_of(const void *data, size_t size_bytes);

/* Lists the samples with label 0 <= label < nclass in an order that depends on (salt, keys)
 * only. With balance, every class gets as many entries as the smallest, and the classes are
 * mixed evenly: the first k entries hold each class k / nclass times, to within one. *order is
 * the caller's to free; *norder its length. */
enum rf_status rf_samples_order(const struct rf_samples *samples, int nclass, int balance,
                                uint64_t salt, int32_t **order, int *norder,
                                struct rf_error *err);

/* Copies the listed samples into a split of a task (which must be empty). */
enum rf_status rf_samples_take(const struct rf_samples *samples, const int32_t *order, int n,
                               int with_rating, struct rf_examples *examples,
                               struct rf_error *err);

#endif
