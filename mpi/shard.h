/* shard.h - the optimiser's state cut over the copies of a model.
 *
 * Every copy holds all values and gradients of its slice of the model, but of each tensor only one
 * copy keeps the moments of a row and updates it: ZeRO, stage 1 (Rajbhandari et al. 2020). A step
 * brings each row's gradients of all copies to its keeper, who adds them in order of copies, so
 * that sums do not depend on how messages travel; the updated rows go back to everybody. */
#ifndef RF_MPI_SHARD_H
#define RF_MPI_SHARD_H

#include "mpi/exchange.h"
#include "nn/plan.h"
#include "nn/real.h"

struct rf_shard;

/* Local. plan and data (the ranks with the same slice) are borrowed. Agree before the first use. The
 * caller ends *shard with rf_shard_destroy(); on failure it is NULL. */
enum rf_status rf_shard_create(struct rf_shard **shard, const struct rf_plan *plan,
                               const struct rf_group *data, struct rf_error *err);
void rf_shard_destroy(struct rf_shard *shard);

/* What this rank keeps of tensor i of the plan: rows [begin, begin + count) of its slice, and their
 * moments. */
struct rf_shard_part {
    int64_t begin, count;
    size_t at, n; /* first element of the rows in the rank's block; how many */
    rf_real *m, *v;
};
struct rf_shard_part rf_shard_part(const struct rf_shard *shard, int i);

/* Collective on data: afterwards the rows of this rank's parts of the gradients are sums over all
 * copies; the others are as before. gradients [plan->nlocal]. */
void rf_shard_gather(struct rf_shard *shard, rf_real *gradients);
/* Collective on data: every copy's values become those that their keepers have. */
void rf_shard_spread(struct rf_shard *shard, rf_real *values);

/* What was moved since it was made. Borrowed. */
const struct rf_meter *rf_shard_meter(const struct rf_shard *shard);

/* Bytes held; and before it is made, by copy `rank` of `size`. Local. */
size_t rf_shard_bytes(const struct rf_shard *shard);
size_t rf_shard_cost(const struct rf_plan *plan, int rank, int size);

#endif
