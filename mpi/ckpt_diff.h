/* ckpt_diff.h - what differs between two checkpoints, tensor by tensor.
 *
 * Equal digests mean equal values, so only granules that differ are read, and comparing a
 * checkpoint with the one after next costs no more than what has changed. Values are compared
 * bit by bit: -0 differs from 0, and a NaN from one with other bits. */
#ifndef RF_MPI_CKPT_DIFF_H
#define RF_MPI_CKPT_DIFF_H

#include <stdint.h>

#include "base/tensor.h"
#include "base/watch.h"
#include "ckpt/manifest.h"
#include "mpi/group.h"

/* TYPE: kept in fp32 here and in bf16 there; the values are not compared. */
enum rf_diff_kind {
    RF_DIFF_SAME,
    RF_DIFF_ONLY_A,
    RF_DIFF_ONLY_B,
    RF_DIFF_SHAPE,
    RF_DIFF_TYPE,
    RF_DIFF_VALUES
};

struct rf_diff_tensor {
    char name[RF_TENSOR_NAME];
    enum rf_diff_kind kind;
    int ndims[2]; /* in A and in B; 0 where it is not there */
    int64_t shape[2][2];
    enum rf_stored stored[2];
    /* Of RF_DIFF_VALUES: */
    int64_t differing, elements;
    double max_abs; /* largest |a - b|; infinite where only one of them is a number */
    double max_rel; /* largest |a - b| / max(|a|, |b|), likewise; 0 for two NaN or two zeros */
};

struct rf_diff {
    struct rf_ckpt_info info[2];    /* of A and of B */
    struct rf_diff_tensor *tensors; /* owned: A's in its order, then those that only B has */
    int ntensors;
    int differing; /* how many are not RF_DIFF_SAME */
};

/* Collective; the paths are the same everywhere, the result and the status are the same on every
 * rank and on any number of ranks. A rank needs memory for two granules beside the tables.
 * RF_ERR_INPUT when one is no checkpoint, or one's values cannot be believed. Differences are
 * no failure. End it with rf_diff_clear(). */
enum rf_status rf_ckpt_diff(const struct rf_group *group, const char *a, const char *b,
                            const struct rf_watch *watch, struct rf_diff *diff,
                            struct rf_error *err);
void rf_diff_clear(struct rf_diff *diff);

#endif
