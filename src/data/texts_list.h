/* texts_list.h - what a list of labelled texts is inside: texts.c reads and checks, and
 * texts_task.c makes tokens of it. Nobody else includes this. */
#ifndef RF_DATA_TEXTS_LIST_H
#define RF_DATA_TEXTS_LIST_H

#include "data/texts.h"

struct rf_kept_row {
    const char *path;
    long line;
    struct rf_view name; /* of the label, until labels are numbered */
    struct rf_view text, second;
    uint64_t key, same; /* of the text; equal for texts that count as the same */
    uint64_t group;     /* key of its group */
    int32_t label;
    enum rf_side side;
};

struct rf_labelled {
    const struct rf_task_options *options;
    struct rf_kept_row *rows; /* owned, as all arrays here */
    int nrows, room;
    struct rf_view labels[RF_TEXT_CLASSES]; /* sorted */
    int nlabels;
    struct rf_keys test, train; /* what is the same as what: keys of texts */
    struct rf_view *learn;      /* what the tokenizer and the corpus are made of */
    uint64_t *learn_key;
    int *learn_further; /* 1: from the further text */
    int nlearn, learn_room;
    char *fold; /* room for one folded text */
    size_t fold_bytes;
    size_t longest_bytes; /* of a text, or of the two of an example */
    int64_t dropped;
};

/* From texts to tokens: vocabulary, prompts and corpus of the task, and the pools to cut splits
 * from. */
enum rf_status rf_labelled_encode(struct rf_labelled *list, struct rf_task *task,
                                  struct rf_pools *pools, struct rf_error *err);

#endif
