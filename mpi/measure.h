/* measure.h - how fast this machine trains, beside how fast it multiplies.
 *
 * Figures of one run belong together: a limit measured yesterday, on another node, or on
 * one rank while the others slept, says nothing. The slowest rank counts. */
#ifndef RF_MPI_MEASURE_H
#define RF_MPI_MEASURE_H

#include "mpi/group.h"
#include "mpi/trainer.h"
#include "nn/plan.h"

/* A model, its batch, and how long to measure. The whole context is asked over the whole
 * vocabulary, as in pretraining. */
struct rf_measure {
    struct rf_model_shape shape;
    int batch; /* sequences of shape.context tokens */
    double seconds;
};

struct rf_measured {
    double flops_per_s;     /* of all ranks together */
    double tokens_per_s;    /* of training; 0 for products */
    double flops_per_token; /* of training, by rf_plan_flops(); 0 for products */
    double spent
        [RF_SPENT_KINDS]; /* shares of a training step, means over the ranks; 0 for products */
    char implementation[160]; /* of matrix products, and how slices sum */
};

/* Collective on group, arguments equal everywhere: the best rate over the products that one
 * layer of the model makes, with its slices, on all ranks at once. */
enum rf_status rf_measure_products(struct rf_measured *measured, const struct rf_group *group,
                                   const struct rf_measure *what, int bf16,
                                   struct rf_error *err);

/* Collective on group: FLOP/s of products on the first rank by itself, in bf16 as well when that
 * is asked for, the better of the two; the others sleep meanwhile. Less than a tenth of a second
 * on an idle machine. The same everywhere. */
enum rf_status rf_measure_peak(double *flops_per_s, const struct rf_group *group, int bf16,
                               struct rf_error *err);

/* Local: B sequences of T made-up tokens, each asked over the whole vocabulary. The caller frees
 * *block, also after a failure. */
enum rf_status rf_measure_batch(struct rf_batch *batch, int32_t **block, int B, int T,
                                int vocabulary, struct rf_error *err);
/* What a trainer of such batches needs; everything else is usual. */
struct rf_train_options rf_measure_options(int B, int T, int vocabulary);

/* Collective on group, arguments equal everywhere: whole training steps on made-up tokens. */
enum rf_status rf_measure_training(struct rf_measured *measured, const struct rf_group *group,
                                   const struct rf_measure *what, int bf16,
                                   struct rf_error *err);

#endif
