/* generate_model.h - what the generators share. Internal to them.
 *
 * A model gives jobs one after another, each with its arrival on a clock that runs evenly:
 * "busy time", in seconds. generate.c stretches it to the wanted load, and only then the model
 * turns it into time of day, so that a daily cycle stays a day long at any load. */
#ifndef RF_SIM_GENERATE_MODEL_H
#define RF_SIM_GENERATE_MODEL_H

#include "sim/generate.h"

enum { RF_MODEL_TYPES = 6, RF_MODEL_STREAMS = 14, RF_DAY_PARTS = 48 };

struct rf_draw {
    double busy_s; /* arrival; does not decrease */
    int64_t run_s, limit_s;
    int32_t size;
    int type; /* index into the model's types */
};

/* How much more than on average happens in each half hour of the day, mean 1; `before` is the
 * sum of all parts before. */
struct rf_day {
    double rate[RF_DAY_PARTS], before[RF_DAY_PARTS];
};

struct rf_model {
    const struct rf_generate_options *options; /* borrowed */
    const char *types[RF_MODEL_TYPES];
    struct rf_day days[RF_MODEL_TYPES]; /* of each type's arrivals */
    int64_t next[RF_MODEL_TYPES];  /* the index of the next job, by type where they differ */
    double busy_s[RF_MODEL_TYPES]; /* and its arrival */
    uint64_t streams[RF_MODEL_STREAMS]; /* of random numbers, one for each thing drawn */
    void (*draw)(struct rf_model *model, struct rf_draw *draw);
};

void rf_model_lublin(struct rf_model *model);
void rf_model_acme(struct rf_model *model, int kalos);
void rf_model_flood(struct rf_model *model);

/* Fills in a day from weights, which may have any sum > 0. */
void rf_day_set(struct rf_day *day, const double weights[RF_DAY_PARTS]);
/* Busy time to time: where the day's rate adds up to that much. */
double rf_day_time(const struct rf_day *day, double busy_s);

/* Draws by (seed, stream, index): uniform in [0, 1); standard normal; exponential with mean 1;
 * gamma with shape >= 1 and scale, drawn anew while it is above `most` (from the streams that
 * follow). */
double rf_draw_uniform(int64_t seed, uint64_t stream, int64_t index);
double rf_draw_normal(int64_t seed, uint64_t stream, int64_t index);
double rf_draw_exponential(int64_t seed, uint64_t stream, int64_t index);
double rf_draw_gamma(int64_t seed, uint64_t stream, int64_t index, double shape, double scale,
                     double most);

#endif
