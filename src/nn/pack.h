/* pack.h - the rows of a batch that have to be computed, without the rest.
 *
 * An asked row depends on what comes before it in its sequence and on nothing
 * else. So a sequence is cut behind its last asked row, sequences with no
 * asked row are left out, and what remains lies one after the other. Documents within a sequence
 * are sequences of their own. Where bags are read, the tokens of a sequence are one row together. */
#ifndef RF_NN_PACK_H
#define RF_NN_PACK_H

#include "base/arena.h"
#include "nn/batch.h"
#include "nn/plan.h"

struct rf_pack {
    int nseq, n, nasked; /* sequences, rows, asked rows */
    int longest;         /* sequence */
    int all;             /* every packed row is asked */
    int mean;            /* ... and a sequence has one answer, from the mean of its rows */
    int *start;          /* [nseq + 1] first row of each sequence */
    int *asked_start;    /* [nseq + 1] first asked row of each sequence */
    int32_t *token, *position; /* [n]; token: [first[n]] with bags */
    int *first;                /* [n + 1] the first token of each row; NULL: a row is a token */
    int32_t *asked_row;        /* [nasked] where an asked row is among the packed ones */
    int32_t *asked_position;   /* [nasked] its position in its sequence */
};

/* Bytes of arena that rf_pack_place() takes, for batches up to B x T with R asked rows; bag: each row is
 * to be one of tokens. */
size_t rf_pack_cost(int B, int T, int R, int bag);
void rf_pack_place(struct rf_pack *pack, struct rf_arena *arena, int B, int T, int R, int bag);

/* Fills pack (placed large enough) from batch, and *work from both. */
void rf_pack_fill(struct rf_pack *pack, const struct rf_batch *batch, struct rf_work *work);

#endif
