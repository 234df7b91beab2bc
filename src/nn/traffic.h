/* traffic.h - what a training step moves between ranks, and how its arithmetic is shared, from the
 * plan alone.
 *
 * Bytes are payload: the length of what is summed, or of the tensors that go round. How many
 * of them travel how often is up to whoever moves them; a model of that is in scale/law.h. */
#ifndef RF_NN_TRAFFIC_H
#define RF_NN_TRAFFIC_H

#include "nn/plan.h"

enum rf_traffic_kind {
    RF_TRAFFIC_SUM,    /* sums of rows over the slices of a model, in rf_real */
    RF_TRAFFIC_MAX,    /* maxima over the slices */
    RF_TRAFFIC_SMALL,  /* sums of a few doubles: losses, norms */
    RF_TRAFFIC_GATHER, /* gradients to the copies that keep their rows */
    RF_TRAFFIC_SPREAD, /* values from there to all copies */
    RF_TRAFFIC_KINDS
};

struct rf_traffic {
    int64_t calls[RF_TRAFFIC_KINDS],
        bytes[RF_TRAFFIC_KINDS]; /* of one rank; empty calls do not count */
};

/* "sum", "max", "small", "gather", "spread". */
const char *rf_traffic_name(enum rf_traffic_kind kind);

/* Adds what forward and backward of one part of a batch move; recompute: of a model that makes activations
 * again. Nothing when the plan has one rank. */
void rf_traffic_add_part(struct rf_traffic *traffic, const struct rf_plan *plan,
                         const struct rf_work *work, int recompute);
/* Adds what ends a step: loss, norm, gradients and values, over so many copies of the model; in bf16, matrices go round
 * rounded. */
void rf_traffic_add_update(struct rf_traffic *traffic, const struct rf_plan *plan, int copies,
                           int bf16);

/* Bytes of all kinds. */
int64_t rf_traffic_bytes(const struct rf_traffic *traffic);

/* The part of the FLOPs of rf_plan_flops() that falls to this rank of its copy. */
double rf_traffic_share(const struct rf_plan *plan, const struct rf_work *work);

#endif
