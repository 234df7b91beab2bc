/* scaling.h - one point of a scaling study: training steps on some ranks of a group, and what
 * their collectives cost, while the other ranks sleep. */
#ifndef RF_MPI_SCALING_H
#define RF_MPI_SCALING_H

#include "mpi/group.h"
#include "mpi/trainer.h"
#include "scale/study.h"

struct rf_scaling {
    const struct rf_scale_subject *subject;
    const struct rf_train_options *train; /* of the job; sizes of batches are filled in */
    int repeats;                          /* 1 to RF_SCALE_REPEATS */
    double seconds;                       /* of a repeat, at least one step */
};

/* Collective on world, arguments equal everywhere: a point of tensor x data ranks, the first ones of
 * world, the same on every rank afterwards. Steps learn made-up tokens: speed does not depend on them. */
enum rf_status rf_scaling_measure(struct rf_scale_point *point, const struct rf_group *world,
                                  const struct rf_scaling *what, enum rf_scale_mode mode,
                                  int tensor, int data, struct rf_error *err);

#endif
