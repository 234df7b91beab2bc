/* source.h - what a task is inside, and how the sources fill it. Internal to src/data. */
#ifndef RF_DATA_SOURCE_H
#define RF_DATA_SOURCE_H

#include "data/samples.h"
#include "data/task.h"

struct rf_stream {
    int32_t *tokens; /* owned */
    int64_t n;
};

struct rf_task {
    struct rf_task_info info;
    struct rf_examples split[RF_NSPLITS];
    /* Pretraining sequences. A model is asked at every token whose next token lies in
     * corpus_begin .. corpus_begin + corpus_count - 1. */
    struct rf_samples corpus;
    int corpus_begin, corpus_count;
    int32_t
        *of[2]; /* owned: sequences of the task's own text (label 0), and of further text (1) */
    int nof[2];
    int32_t *parts; /* owned; info.parts */
    /* Instead of the corpus above: a text, and what is held back of it. A row is context tokens, all
     * of which are asked for the next. */
    struct rf_stream stream, held;
    int document;                   /* rf_batch.document */
    struct rf_keys tested, learned; /* texts, digits: what counts as the same in another task */
};

/* Each fills info, the splits and the corpus of a zeroed task; on failure the caller frees it.
 */
enum rf_status rf_source_rules(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err);
enum rf_status rf_source_chess(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err);
enum rf_status rf_source_texts(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err);
enum rf_status rf_source_digits(struct rf_task *task, const struct rf_task_options *options,
                                uint64_t seed, struct rf_error *err);

enum rf_status rf_source_text(struct rf_task *task, const struct rf_task_options *options,
                              uint64_t seed, struct rf_error *err);

/* What a source has read, before it is cut to the sizes asked for. */
struct rf_pools {
    struct rf_samples train;
    struct rf_samples validation; /* empty: cut from train */
    struct rf_samples test;
    int balance;    /* as many examples of each class */
    int learn_rest; /* what the test does not take is learned from */
    int with_rating;
};
/* Fills the splits: the test and validation examples by content alone, the halves WEAK and
 * STRONG by content and seed. Takes nothing over; marks examples of pools->train as used. */
enum rf_status rf_pools_divide(struct rf_pools *pools, struct rf_task *task,
                               const struct rf_task_options *options, uint64_t seed,
                               struct rf_error *err);
void rf_pools_clear(struct rf_pools *pools);

#endif
