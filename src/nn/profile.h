/* profile.h - where the time of a step goes.
 *
 * Whoever has done a piece of work marks what it was; the time since the mark before is counted
 * there. A mark costs one look at the clock. */
#ifndef RF_NN_PROFILE_H
#define RF_NN_PROFILE_H

#include <stdint.h>

enum rf_spent {
    RF_SPENT_PRODUCTS,  /* with weights, and their biases */
    RF_SPENT_ATTENTION, /* scores, softmax, and their products */
    RF_SPENT_NORMS,
    RF_SPENT_ACTIVATION, /* of the MLP */
    RF_SPENT_STREAM,     /* residual sums, embeddings, rotations, moved rows */
    RF_SPENT_LOSS,       /* softmax and cross-entropy; their products count as products */
    RF_SPENT_EXCHANGE,   /* with other ranks, waiting for them included */
    RF_SPENT_OPTIMISER,  /* norm of the gradient, AdamW, fresh copies of the weights */
    RF_SPENT_KINDS
};

/* "products", "attention"... */
const char *rf_spent_name(enum rf_spent kind);

struct rf_profile {
    int64_t since_ns;
    int64_t spent_ns[RF_SPENT_KINDS];
};

/* What has passed since the last mark counts nowhere. */
void rf_profile_resume(struct rf_profile *profile);
void rf_profile_mark(struct rf_profile *profile, enum rf_spent kind);

#endif
