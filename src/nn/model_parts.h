/* model_parts.h - what the files of a model share. Internal to them. */
#ifndef RF_NN_MODEL_PARTS_H
#define RF_NN_MODEL_PARTS_H

#include "base/arena.h"
#include "nn/attention.h"
#include "nn/kept.h"
#include "nn/matmul.h"
#include "nn/model.h"
#include "nn/pack.h"

/* What a layer's forward pass leaves for its backward pass. Llama's f holds a row's gate, then what it
 * gates, and no means are kept. */
struct rf_model_layer {
    rf_real *x, *x2;         /* stream, before and after attention */
    struct rf_kept h1, h2;   /* its norms */
    struct rf_kept q, kv, a; /* attention in and out */
    struct rf_kept f, g;     /* MLP before and after GELU */
    rf_real *log_sum, *mean1, *rstd1, *mean2, *rstd2;
};

/* Keys and values of what sequences have read so far, while a decoder runs the model (decode.c). */
struct rf_model_cache {
    struct rf_kept *kv; /* [layers]: rows as in rf_model_layer.kv, longest for each sequence */
    int *key;           /* [sequences of the pack] where a sequence's rows begin */
    int *key_end;       /* ... and end, with those of this pass */
    int32_t *place;     /* [rows of the pack] where a row's keys and values go */
};

struct rf_model {
    const struct rf_plan *plan; /* borrowed */
    struct rf_exchange exchange;
    struct rf_model_limits limits;
    enum rf_precision precision;
    struct rf_weight *weights; /* owned [nweights]: of a HELD model */
    int nweights;
    struct rf_arena *arena; /* owned; all arrays below lie in it */
    struct rf_arena
        *room; /* owned, over the exchange's room where it has one: what is summed over ranks */
    size_t arena_bytes, room_bytes;
    struct rf_matmul *matmul; /* owned */
    rf_real *values, *gradients;
    size_t *value_at; /* owned [plan->nparams], HELD: in values; SIZE_MAX: held in bf16 */
    size_t nvalues;   /* HELD: elements of values */
    struct rf_model_layer *layers; /* owned */
    struct rf_pack pack;
    struct rf_profile profile;
    const struct rf_model_cache *cache; /* borrowed; NULL: the pack is all there is */
    rf_real *turns;                     /* of rotary positions, rope.h */
    struct rf_kept hq;                  /* the last layer's norm at the asked rows */
    rf_real *xf, *meanf, *rstdf;        /* the end of the stream, asked rows */
    struct rf_kept hf;                  /* its norm */
    rf_real *dx, *dx_other;             /* gradient of the stream */
    struct rf_kept dy;                  /* bf16 only: dx, rounded; it lies where dx does */
    struct rf_kept dwide,
        df; /* gradients inside a block half; Llama: of gate and what it gates */
    rf_real
        *dh; /* what this rank adds to a sum over ranks: ends of branches; gradients of norms */
    struct rf_kept dq, dkv;
    rf_real *scratch; /* of attention */
    rf_real *block;   /* bf16 only: some rows in rf_real */
    rf_real *logits, *top, *sums,
        *scale;             /* sums [2][rows]: of exponentials, of what is wanted */
    struct rf_kept dlogits; /* bf16 only: their gradient, rounded */
    rf_real *best, *prob;
};

/* A parameter tensor's slice: its values and its gradient; both NULL where the family has none. w of a matrix in a
 * HELD model is but the name by which products know it (matmul.h), and not to be read. */
struct rf_model_param {
    const rf_real *w;
    rf_real *dw;
};
struct rf_model_param rf_model_param(const struct rf_model *m, int index);
struct rf_model_param rf_model_layer_param(const struct rf_model *m, int layer,
                                           enum rf_layer_param which);

/* Rows that are worked on at a time between products, in bf16: a block that stays in a cache until it is multiplied, a few
 * of it by kernels, which the nearest cache holds. In fp32 all. */
enum { RF_MODEL_BLOCK = 256, RF_MODEL_FEW = 16 };

/* Rows of logits that are held at a time, for batches with R asked rows. */
size_t rf_model_loss_rows(int R, int range);

/* Rows that are worked on at a time, to stay in a cache. */
int rf_model_rows_at_a_time(const struct rf_model *m);

/* model_layers.c: from tokens to hf, the normalised end of the stream at the asked rows; and back
 * from dh, of the gradient of hf, to the gradients of all that lies before it. */
void rf_model_forward(struct rf_model *m);
void rf_model_backward(struct rf_model *m);

/* model_output.c: forward and backward through the output layer. Returns the asked rows' part of a
 * mean over `weight`; dh becomes what this rank adds to the gradient of hf. */
double rf_model_output(struct rf_model *m, const struct rf_batch *batch, double weight);
/* Forward only; prob and best may be NULL. */
double rf_model_answer(struct rf_model *m, const struct rf_batch *batch, float *prob,
                       int32_t *best);
/* model_listed.c: the same for a batch with answers. */
double rf_model_listed_output(struct rf_model *m, const struct rf_batch *batch, double weight);
double rf_model_listed_answer(struct rf_model *m, const struct rf_batch *batch, float *prob,
                              int32_t *best);

#endif
