/* plan.h - each parameter's name and shape, which slice each rank holds, and
 * what a step costs. Pure data; no parameter value is stored here.
 *
 * Tensors, in the order of rf_plan.params (C width, V vocabulary, T context, H hidden):
 *
 *   wte.weight [V, C]   rows sliced; also the output layer
 *   wpe.weight [T, C]   on every rank
 *   h.<i>.ln_1.weight, .bias [C]                      on every rank
 *   h.<i>.attn.{q,k,v}.weight [C, C], .bias [C]       rows sliced, whole heads
 *   h.<i>.attn.o.weight [C, C]                        columns sliced, whole heads
 *   h.<i>.attn.o.bias [C]                             on every rank
 *   h.<i>.ln_2.weight, .bias [C]                      on every rank
 *   h.<i>.mlp.fc.weight [H, C], .bias [H]             rows sliced
 *   h.<i>.mlp.proj.weight [C, H]                      columns sliced
 *   h.<i>.mlp.proj.bias [C]                           on every rank
 *   ln_f.weight, .bias [C]                            on every rank
 *
 * Weights are [out, in]. A rank's values lie in one block, each tensor's slice
 * contiguous at .at; the slices of k and v weights, and of k and v biases, follow each
 * other without a gap, so that one product serves both. */
#ifndef RF_NN_PLAN_H
#define RF_NN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/tensor.h"

struct rf_model_shape {
    int vocabulary, context, layers, heads, width, hidden;
};

enum rf_init { RF_INIT_ZERO, RF_INIT_ONE, RF_INIT_NORMAL };

struct rf_param {
    char name[RF_TENSOR_NAME];
    int ndims;
    int64_t shape[2], offset[2], extent[2]; /* whole; this rank's block of it (tensor.h) */
    int replicated;                         /* every rank holds the whole, and the same bits */
    int decays;                             /* weight decay applies */
    enum rf_init init;
    double init_std;
    size_t at; /* of the slice in the rank's block, in elements */
};

/* Where a tensor is in params: RF_PARAM_WTE, RF_PARAM_WPE, then RF_PARAM_LAYER + i *
 * RF_LAYER_PARAMS + one of these for layer i, then the two of ln_f. */
enum { RF_PARAM_WTE, RF_PARAM_WPE, RF_PARAM_LAYER };
enum rf_layer_param {
    RF_LN1_W,
    RF_LN1_B,
    RF_Q_W,
    RF_K_W,
    RF_V_W,
    RF_Q_B,
    RF_K_B,
    RF_V_B,
    RF_O_W,
    RF_O_B,
    RF_LN2_W,
    RF_LN2_B,
    RF_FC_W,
    RF_FC_B,
    RF_PROJ_W,
    RF_PROJ_B,
    RF_LAYER_PARAMS
};

struct rf_plan {
    struct rf_model_shape shape;
    int rank, size;
    struct rf_slice vocabulary, heads, hidden; /* this rank's */
    struct rf_param *params;                   /* owned [nparams] */
    int nparams;
    size_t nlocal;   /* elements of this rank's block */
    int64_t nglobal; /* parameters of the whole model */
};

/* The plan of rank `rank` of `size`. Refuses with RF_ERR_ARG a shape that is no model: numbers
 * below 1, or a width that heads do not divide. End it with rf_plan_clear(). */
enum rf_status rf_plan_make(struct rf_plan *plan, const struct rf_model_shape *shape, int rank,
                            int size, struct rf_error *err);
void rf_plan_clear(struct rf_plan *plan);

/* How much of a batch is really computed: rows stop at each sequence's last asked one, and the
 * last layer's queries, projections and MLP run at the asked rows only. */
struct rf_work {
    int64_t rows, asked; /* rows computed; rows asked, <= rows */
    int64_t row_visits,
        asked_visits; /* keys seen, summed over all rows and over the asked ones */
    int64_t range;    /* width of the asked distribution */
};

/* FLOPs of the forward pass over all ranks: two per multiply-add of every matrix product with a
 * weight (look-ups are free; the output layer counts asked x range), and 4 C per key that a
 * query sees (causal). A training step is three times that. Nothing else is counted. */
int64_t rf_plan_flops(const struct rf_plan *plan, const struct rf_work *work);

#endif
