/* wire.h - what messages cost: a delay each, and time per byte.
 *
 * Hockney's model (1994), t = latency x messages + n / bandwidth, with the messages and bytes that usual
 * algorithms need over p ranks (Thakur, Rabenseifner and Gropp 2005): a sum over all is a reduce-scatter
 * and an all-gather by halves, 2 ceil(log2 p) messages and 2 n (p - 1) / p bytes; gradients to their keepers, and
 * values back, are p - 1 messages and n (p - 1) / p bytes each. Latency and bandwidth come from
 * collectives measured in the same run; a rank count that was measured and one that was not are
 * treated alike. */
#ifndef RF_SCALE_WIRE_H
#define RF_SCALE_WIRE_H

#include "nn/traffic.h"
#include "scale/fit.h"

/* What was measured: sums over ranks, and a gather with a spread. */
enum rf_wire_kind { RF_WIRE_SUM, RF_WIRE_SHARD, RF_WIRE_KINDS };

const char *rf_wire_name(enum rf_wire_kind kind); /* "sum", "shard" */

/* One collective over `ranks` ranks: `seconds` is the median of repeats. */
struct rf_wire_sample {
    enum rf_wire_kind kind;
    int ranks;
    int64_t bytes;
    double seconds;
};

struct rf_wire {
    int known[RF_WIRE_KINDS];        /* there was enough to fit */
    double latency_s[RF_WIRE_KINDS]; /* of a message */
    double byte_s[RF_WIRE_KINDS];    /* of a byte */
    double latency_ci[RF_WIRE_KINDS][2], byte_ci[RF_WIRE_KINDS][2]; /* 95 % */
    double misfit[RF_WIRE_KINDS]; /* typical relative error at what was measured */
};

/* Fits what the samples allow; kinds without enough of them stay unknown. */
void rf_wire_fit(struct rf_wire *wire, const struct rf_wire_sample *samples, int n,
                 uint64_t seed);

/* Seconds of one collective; 0 over one rank, NAN where the kind is unknown. */
double rf_wire_one_s(const struct rf_wire *wire, enum rf_wire_kind kind, double ranks,
                     double calls, double bytes);
/* Seconds of all that a step moves, with models cut over `tensor` ranks, in `data` copies. */
double rf_wire_step_s(const struct rf_wire *wire, const struct rf_traffic *traffic, int tensor,
                      int data);

#endif
