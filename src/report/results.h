/* results.h - everything a run ends with, in one struct, and two ways to print it.
 *
 * Whoever ran the jobs fills struct rf_results from the coordinator's outcome and from the
 * files of the jobs; nothing here looks at the run directory except to write results.json. All
 * pointers are borrowed, so the struct itself needs no clean-up. */
#ifndef RF_REPORT_RESULTS_H
#define RF_REPORT_RESULTS_H

#include <stdio.h>

#include <jansson.h>

#include "align/w2s.h"
#include "alloc/pledge.h"
#include "alloc/state.h"
#include "job/record.h"

/* What a job left behind beyond its account in the state. */
struct rf_job_result {
    const char *kind; /* rf_role_name(): "pretrain", "weak", "student"... */
    const char *row;  /* of a student: its method, or "chain", "easy"...; NULL or "": none */
    struct rf_curve curve;     /* may be empty */
    struct rf_metrics metrics; /* may be empty */
};

/* Accuracies of one seed on the locked test set. */
struct rf_seed_scores {
    double weak, student, ceiling;
    int64_t seed;    /* of the split; initial values and order follow from it, too */
    const char *job; /* the student's */
    const char *key; /* what its results depend on (job/key.h); NULL or "": not known */
};

/* What a row has cost, each of its jobs once: cost.h. */
struct rf_row_cost {
    double flops, device_s;
    double pretrain_flops, weak_flops, student_flops,
        ceiling_flops; /* of these, by what they are */
    int jobs, cached;  /* of which so many were taken from a cache */
};

/* One row of an experiment: a student by one method. Accuracies and shares are 0 to 1; NAN where there is none. */
struct rf_experiment_result {
    char name[RF_NAME_BYTES]; /* of the experiment in the configuration */
    char task[RF_NAME_BYTES];
    char loss[48]; /* the row: a method, "chain", "direct" or "noise"; with "+agreement"
                                   or "+oracle" when training was stopped early by that rule */
    struct rf_w2s_result w2s;   /* meaningless when failed is set */
    double zero_shot;           /* the strong model as pretraining left it */
    double same_size;           /* a weak-sized student of the weak labels */
    double strong_on_weak_half; /* the strong model on ground truth of the weak half */
    double probe; /* a linear map on the strong model's features, of the weak labels */
    struct rf_w2s_agreement
        agreement;               /* student with supervisor, over all seeds; NANs if unknown */
    double ece, brier;           /* of the student; NAN if unknown */
    double weak_ece, weak_brier; /* of the supervisor */
    double weak_parameters, strong_parameters;
    double weak_flops,
        strong_flops; /* model FLOPs that made the two models, with what they started
                                        from; means over seeds, NAN if unknown */
    struct rf_row_cost cost;
    int test_items, seeds;               /* seeds that were finished */
    const struct rf_seed_scores *scores; /* [seeds], or NULL */
    char failed[160]; /* why there is no result at all, e.g. a job failed; else "" */
};

struct rf_ledger_result {
    const char *path; /* as the user should type it */
    int64_t entries;
    const char *head; /* base64 of the tree head */
    int sealed;
};

struct rf_results {
    const char *run;     /* its name */
    const char *version; /* of the program */
    const char *policy;  /* "fcfs+floor" */
    const char *config;  /* SHA-256 of the effective configuration, hex; NULL: not known */
    int64_t seed;
    double wall_s;
    int devices;
    int interrupted; /* a signal ended the run before its jobs were done: run --resume continues
                      */
    const struct rf_state *state;
    const struct rf_tally *tally;     /* judged: rf_tally_judge() */
    const struct rf_job_result *jobs; /* [njobs]; the index is the job's id in state */
    int njobs;                        /* may be less than state->njobs: the rest has no kind */
    const struct rf_experiment_result *experiments;
    int nexperiments;
    struct rf_ledger_result ledger;
};

/* The JSON document of `run` (DESIGN, keys that others rely on), indented, ending in LF.
 * The caller frees *text. Times in it are seconds since the start of the run. A number that
 * does not exist (NAN, infinite) is null. */
enum rf_status rf_results_json(const struct rf_results *results, char **text,
                               struct rf_error *err);

/* Sets the keys "accounts" and "pledges" of that document in an object: what a run says of
 * them and what an audit says can be compared key by key. */
enum rf_status rf_results_add_judgement(json_t *object, const struct rf_state *state,
                                        const struct rf_tally *tally, struct rf_error *err);
/* ... "pledges" alone. */
enum rf_status rf_results_add_pledges(json_t *object, const struct rf_state *state,
                                      const struct rf_tally *tally, struct rf_error *err);

/* The same into run_dir/results.json, there completely or not at all. */
enum rf_status rf_results_write(const struct rf_results *results, const char *run_dir,
                                struct rf_error *err);

/* The summary for people, at most 80 columns: accounts, pledges, experiments, and where the
 * report in run_dir and the ledger are. ASCII only. */
enum rf_status rf_results_print(const struct rf_results *results, const char *run_dir,
                                FILE *out, struct rf_error *err);

#endif
