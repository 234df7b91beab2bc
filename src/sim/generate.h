/* generate.h - made-up workloads of known shape.
 *
 * Every number is drawn by (seed, purpose, job index), so job k is the same job whatever else
 * changes: the same draw meets every policy (common random numbers). With a target load the gaps
 * between arrivals are stretched by one factor; sizes and run times stay.
 *
 *   lublin  rigid HPC jobs: generate_lublin.c has the model and its source
 *   acme    development of large language models: generate_acme.c, with what it cannot match
 *   flood   Poisson arrivals, exponential run times; for measuring and very large fleets */
#ifndef RF_SIM_GENERATE_H
#define RF_SIM_GENERATE_H

#include "sim/accounts.h"
#include "sim/workload.h"

enum rf_generate_kind {
    RF_GENERATE_LUBLIN,
    RF_GENERATE_SEREN,
    RF_GENERATE_KALOS,
    RF_GENERATE_FLOOD,
    RF_GENERATE_NKINDS
};

struct rf_generate_options {
    enum rf_generate_kind kind;
    int64_t seed;
    int32_t devices; /* of the machine, >= 1; no job is larger */
    int64_t jobs;    /* how many; 0: as many as horizon_us holds */
    int64_t
        horizon_us; /* the last submission lies before it; 0: no bound. One of the two is > 0 */
    /* Offered load: device-time asked for over devices x time of arrivals. 0: the model's own
     * rate (lublin, flood: rate_per_h; acme: that of the trace). */
    double load;
    double rate_per_h; /* flood without load: arrivals an hour; 0: 60 */
    /* Flood: sizes from size_min to size_max devices, uniform on the logarithm (0: 1 and 1 % of
     * the machine); exponential run times with this mean, at least a second (0: an hour). */
    int32_t size_min, size_max;
    int64_t run_mean_us;
    /* Jobs go to accounts by these rules; a job says its type (lublin "batch", "interactive";
     * acme "pretrain", "sft", "eval", "mllm", "debug", "other"; flood "job") and a user
     * ("u0".."u63"). */
    const struct rf_account_rule_spec *rules; /* borrowed */
    int nrules;
    const char *fallback; /* NULL: "default" */
};

/* "lublin", "acme" (seren), "acme-seren", "acme-kalos", "flood"; -1: no such generator. */
int rf_generate_kind_of(const char *name);
const char *rf_generate_kind_name(enum rf_generate_kind kind);

/* Makes a workload; the caller ends it with rf_workload_clear(). RF_ERR_CONFIG: options that
 * contradict each other, or a bad rule. */
enum rf_status rf_generate(struct rf_workload *workload,
                           const struct rf_generate_options *options, struct rf_error *err);

#endif
