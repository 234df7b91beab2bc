/* trainer.h - a transformer sharded over a group, with its optimiser.
 *
 * A decoder of the GPT-2 or the Llama family (plan.h), tensor parallel in the Megatron manner over all ranks of the group: columns then
 * rows in attention and MLP, vocabulary-parallel embedding and cross-entropy.
 * With options.tensor the ranks hold several copies, each of which learns some of a batch's
 * sequences and keeps a share of the optimiser's state (shard.h). Any number of heads, columns and tokens on any number of ranks: slices are
 * those of rf_slice(), and may be uneven or empty. Initial values and results
 * of a step do not depend on the rank count beyond the rounding of sums;
 * repeats at the same layout are bit-identical. */
#ifndef RF_MPI_TRAINER_H
#define RF_MPI_TRAINER_H

#include "base/tensor.h"
#include "mpi/exchange.h"
#include "mpi/group.h"
#include "nn/batch.h"
#include "nn/plan.h"
#include "nn/profile.h"

struct rf_train_options {
    int bf16; /* matrix products in bf16 (fp32 accumulation, fp32 master weights: shard.h) */
    int64_t steps; /* length of the schedule */
    double lr, min_lr_ratio,
        warmup; /* linear over warmup x steps, then cosine to lr x min_lr_ratio */
    double layer_lr; /* factor of the rate for all that is no vector of a token (embeddings and
                        output layer); 0: 1 */
    double beta1, beta2, eps, weight_decay, clip;
    int freeze_layers; /* so many from the bottom stay as they are, and the embeddings; 0: all learn */
    int tensor;        /* ranks of a copy of the model, at most: mesh.h; 0: all, one copy */
    uint64_t seed;           /* of the initial values */
    int max_B, max_T, max_R; /* the largest batch that will come */
    int micro_B;             /* so many sequences at a time: less memory, the same step but for
                                rounding; 0: all at once */
    int recompute;           /* less memory, more arithmetic, the same bits: nn/model.h */
    int exchange_bf16;     /* with bf16: sums of rows are rounded on their way between nodes */
    int exchange_messages; /* no shared memory between slices, even where there is: to compare */
    int max_range;         /* the widest range_count that will be asked, at max_R rows */
    int joined; /* rf_batch.joined of the batches to come, each of whose sequences then has one asked
                                row; max_B is a multiple, and items are not divided. 0: none are */
};

struct rf_step_result {
    double loss;      /* weighted mean over asked rows, nats; the same on every rank */
    double grad_norm; /* before clipping */
    double lr;
    int64_t tokens; /* B x T processed, padding included */
    int64_t flops;  /* model FLOPs of the whole step on all ranks, by rf_plan_flops() */
    int skipped;    /* loss or gradient was not finite; nothing was updated */
};

struct rf_trainer;

/* Collective on group, which must outlive the trainer; arguments equal everywhere. */
enum rf_status rf_trainer_create(struct rf_trainer **trainer, const struct rf_group *group,
                                 const struct rf_model_shape *shape,
                                 const struct rf_train_options *options, struct rf_error *err);
/* Collective on the group. */
void rf_trainer_destroy(struct rf_trainer *trainer);

/* Collective: forward, backward, clip, AdamW. The batch is the same on every rank. No failures:
 * everything that can fail is done in create. */
void rf_trainer_step(struct rf_trainer *trainer, const struct rf_batch *batch,
                     struct rf_step_result *result);

/* Collective: the distributions at the asked rows, without training.
 * prob [items][classes] or NULL; best [items] the most likely class (lowest on ties) or NULL. Both
 * come out the same on every rank. result may be NULL; its loss is only set when the batch has
 * targets. result->flops counts the forward pass. */
void rf_trainer_predict(struct rf_trainer *trainer, const struct rf_batch *batch, float *prob,
                        int32_t *best, struct rf_step_result *result);

/* Collective: what the model knows at the asked rows before it answers: the end of the residual
 * stream behind the last norm. features [R][width] comes out the same on every rank. result may
 * be NULL; its flops count the forward pass without the output layer. */
void rf_trainer_features(struct rf_trainer *trainer, const struct rf_batch *batch,
                         float *features, struct rf_step_result *result);

/* This rank's slices: parameters named "wte.weight", "h.0.attn.q.weight"..., then with
 * prefix "m/" and "v/" the optimiser's moments. In bf16 with several copies, of matrices only the rows that this rank
 * keeps. Borrowed; data pointers are live. */
const struct rf_tensor *rf_trainer_tensors(const struct rf_trainer *trainer, int *ntensors);
/* The first *nparams of those are the parameters. */
int rf_trainer_nparams(const struct rf_trainer *trainer);

/* The model itself, for a decoder (nn/decode.h). Borrowed. */
struct rf_model *rf_trainer_model(struct rf_trainer *trainer);

int64_t rf_trainer_steps_done(const struct rf_trainer *trainer);
/* Collective, after tensors were loaded or changed: sets the step counter, and brings everybody's copies up to date. */
void rf_trainer_loaded(struct rf_trainer *trainer, int64_t steps_done);

/* Where this rank's time went, of all steps so far. Borrowed. */
const struct rf_profile *rf_trainer_profile(const struct rf_trainer *trainer);

/* Which implementation multiplies matrices, for people to read. Borrowed. */
const char *rf_trainer_implementation(const struct rf_trainer *trainer);

/* What this rank has moved since the trainer was made. */
void rf_trainer_meter(const struct rf_trainer *trainer, struct rf_meter *meter);

/* How slices exchange sums, for people: exchange.h. Borrowed. */
const char *rf_trainer_exchange(const struct rf_trainer *trainer);
/* Of the bytes held, those that other ranks reach. */
size_t rf_trainer_room_bytes(const struct rf_trainer *trainer);

/* Parameters of the whole model. */
int64_t rf_trainer_parameters(const struct rf_trainer *trainer);
/* Bytes this rank holds: parameters, optimiser, gradients and activations. */
size_t rf_trainer_bytes(const struct rf_trainer *trainer);
/* The same before it is made, by rank `rank` of `size`: from the plan alone. With exchange_messages the ranks of a copy have
 * no memory in common, as where they are on several nodes (rf_mesh_apart()). Local. */
enum rf_status rf_trainer_predict_bytes(size_t *bytes, const struct rf_model_shape *shape,
                                        const struct rf_train_options *options, int rank,
                                        int size, struct rf_error *err);

#endif
