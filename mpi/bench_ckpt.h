/* bench_ckpt.h - how fast checkpoints are, beside the disk of the same run.
 *
 * Disks are noisy by a factor of several, so only pairs mean anything: every save has plain writes of
 * as many bytes next to it, every load plain reads, and ratios are medians over pairs. */
#ifndef RF_MPI_BENCH_CKPT_H
#define RF_MPI_BENCH_CKPT_H

#include "base/error.h"
#include "base/figure.h"
#include "base/watch.h"
#include "mpi/group.h"
#include "nn/plan.h"

struct rf_bench_ckpt {
    struct rf_model_shape shape;  /* saved: parameters, two moments, and a bf16 copy */
    const char *dir;              /* where files of that size may be; they are removed */
    int rounds;                   /* pairs */
    const struct rf_watch *watch; /* told between them; may be NULL, on some ranks only too */
    int batch, context;           /* of the training steps beside which a save goes on */
    int steps;                    /* of those, before each save; 0: no training is measured */
};

enum { RF_BENCH_CKPT_FIGURES = 8 };

/* Collective on group, arguments equal everywhere; sets *n figures, the same on every rank. */
enum rf_status rf_bench_ckpt(struct rf_figure figures[RF_BENCH_CKPT_FIGURES], int *n,
                             const struct rf_group *group, const struct rf_bench_ckpt *what,
                             struct rf_error *err);

#endif
