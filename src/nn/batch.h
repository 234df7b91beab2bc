/* batch.h - what a model reads in one step, the same on every rank of its group.
 *
 * One form serves language modelling, classification and move prediction:
 * sequences of tokens, and a list of rows (sequence, position) at which the
 * model is asked for a distribution over the contiguous token range
 * [range_begin, range_begin + range_count). Language modelling asks at every
 * position over the whole vocabulary; classification asks once, at the last
 * token, over the label tokens only.
 *
 * A model that reads bags (rf_model_shape.bag) has no order of tokens: an asked row is the sum of the embeddings
 * of its sequence's tokens up to there, at position 0, and the layers see nothing else, as in the deep averaging
 * networks of Iyyer et al. (2015). At most one row of a sequence is asked then.
 *
 * Where the label tokens do not lie side by side, as in somebody else's vocabulary, they are listed
 * as answers. Rows may also share a distribution: with joined = 2 and one answer, two texts are
 * compared by a score that each gets by itself, and the loss is that of Bradley and Terry (1952),
 * -log sigmoid(score of the better - score of the worse), since a softmax over two scores is that
 * sigmoid. */
#ifndef RF_NN_BATCH_H
#define RF_NN_BATCH_H

#include <stdint.h>

struct rf_batch {
    int B, T;              /* sequences, and their padded length */
    const int32_t *tokens; /* borrowed [B][T]; what follows a sequence's end is padding and,
                              by causality, is never seen by an asked row */
    int document; /* a token + 1: a sequence is cut before each such token, and what comes
                              after never sees what is before, nor counts its positions; 0: none */
    int mean; /* what answers at an asked row is the mean of the stream's end over its sequence up
                   to that row, as it is, and not the row alone, normalised; at most one asked row in a
                   sequence */
    int R;    /* asked rows */
    const int32_t *rows; /* borrowed [R], each b * T + t, ascending */
    int range_begin, range_count;
    const int32_t
        *answers; /* borrowed [range_count], or NULL: the tokens that are asked about, all
                               different, in any order, in place of the range */
    int joined;   /* with answers: so many rows, one behind the other, are one item and share a
                   distribution over joined x range_count classes, the first row's first; R is a
                   multiple. 0 or 1: each row is an item */
    const int32_t *target; /* borrowed [items], 0 .. classes-1, or NULL */
    const float *soft; /* borrowed [items][classes], rows sum to 1; used when target is NULL */
    const float
        *weight; /* borrowed [items], or NULL for all ones; the loss is the weighted mean */
};

/* Items, and the classes of each item's distribution. */
int rf_batch_items(const struct rf_batch *batch);
int rf_batch_classes(const struct rf_batch *batch);

/* The sum of the weights of the items. */
double rf_batch_weight(const struct rf_batch *batch);

#endif
