/* batch.h - what a model reads in one step, the same on every rank of its group.
 *
 * One form serves language modelling, classification and move prediction:
 * sequences of tokens, and a list of rows (sequence, position) at which the
 * model is asked for a distribution over the contiguous token range
 * [range_begin, range_begin + range_count). Language modelling asks at every
 * position over the whole vocabulary; classification asks once, at the last
 * token, over the label tokens only. */
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
                 to that row, then normalised, and not the row alone; at most one asked row in a
                 sequence */
    int R;                 /* asked rows */
    const int32_t *rows;   /* borrowed [R], each b * T + t, ascending */
    int range_begin, range_count;
    const int32_t *target; /* borrowed [R], 0 .. range_count-1, or NULL */
    const float *soft; /* borrowed [R][range_count], rows sum to 1; used when target is NULL */
    const float *weight; /* borrowed [R], or NULL for all ones; the loss is the weighted mean */
};

/* The sum of the weights of the asked rows. */
double rf_batch_weight(const struct rf_batch *batch);

#endif
