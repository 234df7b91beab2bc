/* weights.h - which parameters are matrices that activations are multiplied with, and what of a model stays in
 * fp32 beside them.
 *
 * In bf16 training over several copies of a model, fp32 values of matrices lie with the optimiser, each row
 * with the copy that keeps it (mpi/shard.h); all that a copy holds of them is bf16. Norms, biases and learned
 * positions are read in fp32, and are a hundredth of a model: every copy holds their values. */
#ifndef RF_NN_WEIGHTS_H
#define RF_NN_WEIGHTS_H

#include "nn/plan.h"

/* A matrix of this rank: one tensor, or several that lie without a gap and are multiplied at once. */
struct rf_weight {
    int first, nparams; /* which tensors of the plan, one above the other */
    size_t at;          /* its first element in the rank's block */
    int64_t rows, cols;
    int looked_up; /* rows are read one by one, or some of them multiplied alone: it is kept row by row */
    int multiplied; /* 0: an embedding that is not the output layer as well */
};

/* Lists them in the plan's order, and returns how many there are; list NULL counts only. Matrices of which this
 * rank has nothing are among them. */
int rf_weights_list(struct rf_weight *list, const struct rf_plan *plan);

/* Whether parameter i is (part of) such a matrix. */
int rf_weights_has(const struct rf_plan *plan, int i);

#endif
