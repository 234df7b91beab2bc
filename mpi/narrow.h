/* narrow.h - sums whose messages are rounded to bf16: half the bytes, added up in fp32. */
#ifndef RF_MPI_NARROW_H
#define RF_MPI_NARROW_H

#include "mpi/group.h"
#include "nn/real.h"

struct rf_narrow;

/* Local: memory for groups of at most `ranks`. The caller ends *narrow with rf_narrow_destroy(). */
enum rf_status rf_narrow_create(struct rf_narrow **narrow, int ranks, struct rf_error *err);
void rf_narrow_destroy(struct rf_narrow *narrow);

/* Collective on group: x [n] becomes the sum over ranks, in place. Each rank gets everybody's rounded
 * values of its part, adds them up in order of ranks, and hands out the rounded sum: the same bits
 * everywhere. */
void rf_narrow_sum(struct rf_narrow *narrow, const struct rf_group *group, rf_real *x,
                   size_t n);

#endif
