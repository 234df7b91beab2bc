/* primitive.h - matrix products through oneDNN: one primitive for each shape, and weights in the layout
 * that it asks for.
 *
 * Where the processor has matrix or dot-product instructions, oneDNN wants the second operand in blocks.
 * Weights stay the same for many products, so each is copied into that layout once, when it is
 * first used after an update. */
#ifndef RF_NN_PRIMITIVE_H
#define RF_NN_PRIMITIVE_H

#include <stddef.h>

#include "base/error.h"
#include "nn/held.h"
#include "nn/matmul.h"

struct rf_primitives;

/* For operands in bf16 (or fp32) and results in fp32. weights [nweights] is borrowed. *made is NULL, and that no
 * failure, where oneDNN does not multiply such operands on this processor. */
enum rf_status rf_primitives_create(struct rf_primitives **made, int bf16, const float *weights,
                                    size_t nweights, struct rf_error *err);
void rf_primitives_destroy(struct rf_primitives *p);

/* From now on there are no weights in fp32: values come into the room of `held`, borrowed, whose numbers are in the
 * format of products, and stay there row by row or in copies alone. Of weights that are multiplied in parts rows must
 * be kept. */
void rf_primitives_hold(struct rf_primitives *p, const struct rf_held *held);
/* The room has new values of weight k. Without memory for the first of them there are none: products, and
 * rf_primitives_give(), then say 0. */
void rf_primitives_take(struct rf_primitives *p, int k);
/* rows, in fp32 and as they lie in memory for a product of this form: the weight that begins at `at`, out of its
 * copies. 0: there are none. */
int rf_primitives_give(struct rf_primitives *p, enum rf_form form, int n, int k, size_t at,
                       float *rows);

/* The weights have changed. */
void rf_primitives_refresh(struct rf_primitives *p);

/* c = or += a b as in matmul.h, operands in the format. 0: not with this shape; then nothing has happened. */
int rf_primitives_run(struct rf_primitives *p, enum rf_form form, int m, int n, int k,
                      const void *a, int lda, const void *b, int ldb, int accumulate, float *c,
                      int ldc);
/* The same with b the weights from element `at` on, and no gaps: not for TN. */
int rf_primitives_run_weights(struct rf_primitives *p, enum rf_form form, int m, int n, int k,
                              const void *a, size_t at, int accumulate, float *c);

/* Of the last primitive that was made. Borrowed. */
const char *rf_primitives_implementation(const struct rf_primitives *p);
size_t rf_primitives_bytes(const struct rf_primitives *p);

#endif
