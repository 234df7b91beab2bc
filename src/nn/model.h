/* model.h - one rank's part of a transformer: values, gradients, forward and
 * backward.
 *
 * Layers run in order over packed rows: of each sequence only what comes before its
 * last asked row, and in the last layer everything but keys and values at the asked rows only.
 * Padding behind that is never read. The optimiser is not here (adamw.h). */
#ifndef RF_NN_MODEL_H
#define RF_NN_MODEL_H

#include "nn/batch.h"
#include "nn/exchange.h"
#include "nn/plan.h"
#include "nn/profile.h"
#include "nn/weights.h"

struct rf_model;

/* The largest batch that will come; max_range is the widest range_count. recompute: layers keep their
 * input alone for the backward pass, which makes the rest again: the same bits, less memory. */
struct rf_model_limits {
    int max_B, max_T, max_R, max_range;
    int recompute;
};

/* How a model has its values. In bf16 all products are in bf16 with fp32 sums (matmul.h), those within attention too; what
 * they read is kept so, and embeddings that are looked up are. The residual stream and gradients of weights are fp32. */
enum rf_precision {
    RF_PRECISION_FP32,
    RF_PRECISION_BF16, /* values in fp32, and what products need of them in bf16 */
    RF_PRECISION_HELD  /* matrices (weights.h) in bf16 alone: whoever trains has the values */
};

/* Makes the part that plan describes, with values drawn from seed: the same number for the
 * same element of the whole, whatever the slices (rf_model_draw()). plan is borrowed and must outlive the model.
 * HELD: matrices are zero until the caller brings them. The caller ends *model with rf_model_destroy(); on failure it
 * is NULL. */
enum rf_status rf_model_create(struct rf_model **model, const struct rf_plan *plan,
                               const struct rf_exchange *exchange,
                               const struct rf_model_limits *limits,
                               enum rf_precision precision, uint64_t seed,
                               struct rf_error *err);
void rf_model_destroy(struct rf_model *model);

/* Rows [first, first + nrows) of this rank's slice of parameter i, as models begin with them. */
void rf_model_draw(rf_real *rows, const struct rf_plan *plan, int i, int64_t first,
                   int64_t nrows, uint64_t seed);

/* This rank's block of values, and of gradients, laid out as the plan says; [plan->nlocal]. Values: not of a HELD
 * model. */
rf_real *rf_model_values(struct rf_model *model);
rf_real *rf_model_gradients(struct rf_model *model);
/* This rank's slice of parameter i; NULL: it is held in bf16 alone. */
rf_real *rf_model_value(struct rf_model *model, int i);

/* To be called after values have changed. */
void rf_model_refresh(struct rf_model *model);

/* Of a HELD model: its matrices; where new values of one go, until that of another is asked for; and that they are
 * there. */
const struct rf_weight *rf_model_weights(const struct rf_model *model, int *n);
uint16_t *rf_model_room(struct rf_model *model, int k);
void rf_model_take(struct rf_model *model, int k);

/* On all ranks together, with the same batch: rows of the batch must be strictly ascending,
 * tokens of computed rows inside the vocabulary, classes inside the range, all within the
 * limits.
 *
 * rf_model_learn: forward and backward; gradients are those of the returned loss (weighted mean
 * over the items, nats), the same on every rank. With no asked rows: 0.
 * rf_model_predict: forward only. prob [items][classes] and best [items] (the most likely class,
 * the lowest on ties) may be NULL and come out the same on every rank. Returns the loss where
 * the batch has targets, else 0.
 * rf_model_features: forward only, up to the normalised end of the residual stream, from which
 * the output layer reads: in bf16 as that reads it. features [R][width] comes out the same on every rank. */
double rf_model_learn(struct rf_model *model, const struct rf_batch *batch,
                      struct rf_work *work);
/* One part of a batch whose rows weigh `weight` in all: adds its share of the gradient to what earlier
 * parts left (more = 0: to none), and returns its share of the loss. */
double rf_model_learn_part(struct rf_model *model, const struct rf_batch *part, double weight,
                           int more, struct rf_work *work);
double rf_model_predict(struct rf_model *model, const struct rf_batch *batch, float *prob,
                        int32_t *best, struct rf_work *work);
void rf_model_features(struct rf_model *model, const struct rf_batch *batch, float *features,
                       struct rf_work *work);

/* Where the time goes, of all passes so far. Borrowed; whoever works on the model's behalf marks it too. */
struct rf_profile *rf_model_profile(struct rf_model *model);

/* Which implementation multiplies matrices. Borrowed. */
const char *rf_model_implementation(const struct rf_model *model);

/* Bytes held: values, gradients, activations, copies. */
size_t rf_model_bytes(const struct rf_model *model);
/* The same before it is made. room: how much of it may lie in the exchange's room, because it is
 * summed over ranks. */
struct rf_model_bytes {
    size_t all, room;
};
enum rf_status rf_model_predict_bytes(struct rf_model_bytes *need, const struct rf_plan *plan,
                                      const struct rf_model_limits *limits,
                                      enum rf_precision precision, struct rf_error *err);

#endif
