/* study.h - a scaling study: from measured points to speed, efficiency, laws and projections.
 *
 * Pure: points come from a measurement (mpi/scaling.h) or from files of earlier ones. */
#ifndef RF_SCALE_STUDY_H
#define RF_SCALE_STUDY_H

#include "nn/traffic.h"
#include "scale/law.h"
#include "scale/wire.h"

enum rf_scale_mode {
    RF_SCALE_STRONG, /* the batch stays */
    RF_SCALE_WEAK,   /* the batch grows with the ranks */
    RF_SCALE_MODES
};

const char *rf_scale_mode_name(enum rf_scale_mode mode); /* "strong", "weak" */
int rf_scale_mode_of(const char *name);                  /* -1: no such mode */

enum {
    RF_SCALE_REPEATS = 25,
    RF_SCALE_SAMPLES = 16,
    RF_SCALE_POINTS = 64,
    RF_SCALE_PROJECTIONS = 4
};

/* What is the same at every point of a study. */
struct rf_scale_subject {
    char job[64], version[32];
    struct rf_model_shape shape;
    int bf16,
        tensor; /* tensor: the widest cut of the model that the configuration wants; 0: any */
    int batch,
        micro_batch; /* sequences of a whole context: per step, on one rank; at a time, 0: all */
    int recompute, exchange_bf16; /* as training is told */
};

struct rf_scale_point {
    enum rf_scale_mode mode;
    int tensor, data; /* ranks of a copy, copies */
    int nodes, machines,
        cores;     /* that share memory; that share a kernel; cores of those machines */
    int batch;     /* sequences per step, of all ranks */
    int64_t flops; /* of a step */
    int repeats;
    double step_s[RF_SCALE_REPEATS];     /* of the slowest rank */
    double exchange_s[RF_SCALE_REPEATS]; /* of a step, in the exchange; mean over ranks */
    struct rf_traffic moved;             /* per step, by the first rank */
    int64_t memory_predicted, memory_held,
        memory_peak;   /* bytes, of the rank with the most; peak 0:
                                                           not known */
    char exchange[96]; /* how slices sum, for people */
    int nsamples;
    struct rf_wire_sample samples[RF_SCALE_SAMPLES];
};

/* Ranks of a point, and tokens of a step. */
int rf_scale_ranks(const struct rf_scale_point *point);
int64_t rf_scale_tokens(const struct rf_scale_subject *subject,
                        const struct rf_scale_point *point);

/* What the first rank moves in a step, by the plan. RF_ERR_ARG: no such model. */
enum rf_status rf_scale_traffic(struct rf_traffic *traffic,
                                const struct rf_scale_subject *subject, int tensor, int data,
                                int batch, struct rf_error *err);

/* A point beside what follows from it and from the others. Laws that say nothing give NAN. */
struct rf_scale_row {
    struct rf_scale_point point;
    struct rf_traffic planned;
    double step_s, low_s, high_s; /* median, least, most */
    double tokens_per_s, efficiency, exchange_share;
    int fitted;             /* the fastest layout of its rank count: laws are fitted to those */
    int beyond;             /* the most ranks of its mode: predicting it is extrapolation */
    double held_s[RF_LAWS]; /* step_s, predicted from the other points alone */
    struct rf_law_point law; /* as laws see it */
};

struct rf_scale_law {
    int known, points;
    double parameter[RF_FIT_TERMS], ci[RF_FIT_TERMS][2]; /* 95 % */
    double misfit;
};

struct rf_scale_projection {
    int tensor, data, batch;
    double tokens_per_s[RF_LAWS], ci[RF_LAWS][2];
};

struct rf_scale_study {
    struct rf_scale_subject subject;
    int nrows;
    struct rf_scale_row rows[RF_SCALE_POINTS]; /* by mode, ranks, tensor */
    struct rf_wire wire;
    struct rf_scale_law laws[RF_SCALE_MODES][RF_LAWS];
    int nprojections[RF_SCALE_MODES];
    struct rf_scale_projection projections[RF_SCALE_MODES][RF_SCALE_PROJECTIONS];
    double peak_ranks; /* of the strong USL: where throughput is largest; INFINITY: nowhere */
    int crowded;       /* some point had more ranks than cores */
    int emulated;      /* ... or several nodes on one machine */
};

/* study->subject is set; points in any order. RF_ERR_ARG: more than RF_SCALE_POINTS, none, or two
 * of one mode and layout. */
enum rf_status rf_scale_study_make(struct rf_scale_study *study,
                                   const struct rf_scale_point *points, int n, uint64_t seed,
                                   struct rf_error *err);

#endif
