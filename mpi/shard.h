/* shard.h - the optimiser's state cut over the copies of a model.
 *
 * Every copy holds all gradients of its slice of the model, but of each tensor only one
 * copy keeps the moments of a row and updates it: ZeRO, stage 1 (Rajbhandari et al. 2020). A step
 * brings each row's gradients of all copies to its keeper, who adds them in order of copies, so
 * that sums do not depend on how messages travel; the updated rows go back to everybody.
 *
 * In fp32 the values that go back are those that are updated: each copy computes with them, so nothing is to be saved.
 * In bf16 copies compute with rounded matrices (nn/weights.h). Only its keeper has a row of them in fp32, its master
 * values, and it goes back in bf16: half the bytes. */
#ifndef RF_MPI_SHARD_H
#define RF_MPI_SHARD_H

#include "mpi/exchange.h"
#include "nn/plan.h"
#include "nn/real.h"

struct rf_shard;

/* Local. plan and data (the ranks with the same slice) are borrowed. masters: values of matrices are kept here. Agree
 * before the first use. The caller ends *shard with rf_shard_destroy(); on failure it is NULL. */
enum rf_status rf_shard_create(struct rf_shard **shard, const struct rf_plan *plan,
                               const struct rf_group *data, int masters, struct rf_error *err);
void rf_shard_destroy(struct rf_shard *shard);

/* What this rank keeps of tensor i of the plan: rows [begin, begin + count) of its slice, and their
 * moments. */
struct rf_shard_part {
    int64_t begin, count;
    size_t at, n; /* first element of the rows in the rank's block; how many */
    rf_real *m, *v;
    rf_real *master; /* NULL: values are elsewhere */
};
struct rf_shard_part rf_shard_part(const struct rf_shard *shard, int i);

/* Collective on data: afterwards the rows of this rank's parts of the gradients are sums over all
 * copies; the others are as before. gradients [plan->nlocal]. */
void rf_shard_gather(struct rf_shard *shard, rf_real *gradients);
/* Collective on data: every copy's slice of tensor i, rows of numbers of element_bytes (2 or 4), becomes what keepers have
 * in their rows of it. */
void rf_shard_spread(struct rf_shard *shard, int i, void *rows, size_t element_bytes);

/* What was moved since it was made. Borrowed. */
const struct rf_meter *rf_shard_meter(const struct rf_shard *shard);

/* Bytes held; and before it is made, by copy `rank` of `size`. Local. */
size_t rf_shard_bytes(const struct rf_shard *shard);
size_t rf_shard_cost(const struct rf_plan *plan, int rank, int size, int masters);

#endif
