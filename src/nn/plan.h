/* plan.h - each parameter's name and shape, which slice each rank holds, and
 * what a step costs. Pure data; no parameter value is stored here.
 *
 * Tensors, in the order of rf_plan.params (C width, V vocabulary, T context, H hidden, K width of
 * the keys: kv_heads x C / heads). Those marked G are GPT-2's alone, those marked L Llama's:
 *
 *   wte.weight [V, C]   rows sliced; also the output layer, unless that is untied
 *   wpe.weight [T, C]   on every rank                                               G
 *   h.<i>.ln_1.weight [C], .bias [C] (G)              on every rank
 *   h.<i>.attn.q.weight [C, C], .bias [C] (G)         rows sliced, whole heads
 *   h.<i>.attn.{k,v}.weight [K, C], .bias [K] (G)     rows sliced, whole heads
 *   h.<i>.attn.o.weight [C, C]                        columns sliced, whole heads
 *   h.<i>.attn.o.bias [C]                             on every rank                 G
 *   h.<i>.ln_2.weight [C], .bias [C] (G)              on every rank
 *   h.<i>.mlp.gate.weight [H, C]                      rows sliced                   L
 *   h.<i>.mlp.fc.weight [H, C], .bias [H] (G)         rows sliced
 *   h.<i>.mlp.proj.weight [C, H]                      columns sliced
 *   h.<i>.mlp.proj.bias [C]                           on every rank                 G
 *   ln_f.weight [C], .bias [C] (G)                    on every rank
 *   lm_head.weight [V, C]                             rows sliced; only when untied
 *
 * GPT-2: Radford et al. 2019. Llama: Touvron et al. 2023 (RMSNorm, SwiGLU, rotary positions, no
 * biases), with the grouped queries of Llama 2 (Ainslie et al. 2023): each head of keys and values
 * serves heads / kv_heads heads of queries. Ranks hold whole groups.
 *
 * Weights are [out, in]. A rank's values lie in one block, each tensor's slice
 * contiguous at .at; the slices of k and v weights, of k and v biases, and of gate and fc weights follow
 * each other without a gap, so that one product serves both. */
#ifndef RF_NN_PLAN_H
#define RF_NN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/tensor.h"

enum rf_model_family { RF_MODEL_GPT2, RF_MODEL_LLAMA };

struct rf_model_shape {
    enum rf_model_family family;
    int vocabulary, context, layers, heads, width, hidden;
    int kv_heads;      /* divides heads; 0: as many as heads. GPT-2 has no other number */
    int untied;        /* the output layer is a tensor of its own */
    double rope_theta; /* Llama: base of the rotary frequencies; 0: 10000 */
    double norm_eps;   /* added to variances and mean squares; 0: 1e-5 */
    int bag; /* layers see one row of a sequence: the sum of its tokens' embeddings (batch.h) */
};

/* "gpt2", "llama"; the _of function gives -1 for another name. */
const char *rf_model_family_name(enum rf_model_family family);
int rf_model_family_of(const char *name);

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

/* The tensors of a layer. A family has some of them: rf_plan_layer(). */
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
    RF_GATE_W,
    RF_FC_W,
    RF_FC_B,
    RF_PROJ_W,
    RF_PROJ_B,
    RF_LAYER_PARAMS
};

struct rf_plan {
    struct rf_model_shape shape;
    int rank, size;
    struct rf_slice vocabulary, heads, kv_heads, hidden; /* this rank's */
    int head_width;
    struct rf_param *params; /* owned [nparams] */
    int nparams;
    /* Indices into params; -1: the family has none. head is wte where they are one. */
    int wte, wpe, norm_w, norm_b, head;
    int first_layer, per_layer, in_layer[RF_LAYER_PARAMS];
    size_t nlocal;   /* elements of this rank's block */
    int64_t nglobal; /* parameters of the whole model */
};

/* Where a tensor may begin in a block on a page border, at this element or behind: from there disks take
 * it as it lies. */
size_t rf_plan_next(size_t at);

/* The plan of rank `rank` of `size`. Refuses with RF_ERR_ARG a shape that is no model: numbers
 * below 1, a width that heads do not divide, heads that kv_heads do not divide, an odd width of
 * heads with rotary positions. The plan's shape has the defaults filled in. End it with
 * rf_plan_clear(). */
enum rf_status rf_plan_make(struct rf_plan *plan, const struct rf_model_shape *shape, int rank,
                            int size, struct rf_error *err);
void rf_plan_clear(struct rf_plan *plan);

/* Index into params of a tensor of layer i; -1: the family has no such tensor. */
int rf_plan_layer(const struct rf_plan *plan, int i, enum rf_layer_param which);

/* Whether tensor `index` lies right behind the one before it, to be multiplied together with it. */
int rf_plan_follows(const struct rf_plan *plan, int index);

/* How much of a batch is really computed: rows stop at each sequence's last asked one, and the
 * last layer's queries, projections and MLP run at the asked rows only. */
struct rf_work {
    int64_t rows, asked; /* rows computed; rows asked, <= rows */
    int64_t row_visits,
        asked_visits; /* keys seen, summed over all rows and over the asked ones */
    int64_t range;    /* width of the asked distribution */
    int64_t pooled; /* how many of the asked rows have no answer of their own (batch.h: mean) */
};

/* FLOPs of the forward pass over all ranks: two per multiply-add of every matrix product with a
 * weight (look-ups are free; the output layer counts asked x range), and 4 C per key that a
 * query sees (causal). A training step is three times that. Nothing else is counted. */
int64_t rf_plan_flops(const struct rf_plan *plan, const struct rf_work *work);

#endif
