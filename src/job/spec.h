/* spec.h - what a run is made of: options, models, tasks, jobs, experiments.
 *
 * Plain data, filled by config/ and expanded by rf_job_plan_expand() (plan.h) into
 * the jobs that the coordinator is asked to run. Strings are names or paths. */
#ifndef RF_JOB_SPEC_H
#define RF_JOB_SPEC_H

#include <stdint.h>

#include "align/method.h"
#include "alloc/promise.h"
#include "base/file.h"
#include "data/task.h"

struct rf_model_spec {
    char name[RF_NAME_BYTES];
    char family[16]; /* "gpt2" or "llama" */
    char input[12];  /* what layers see: a "sequence" of tokens, or their "bag" */
    int layers, heads, width, hidden; /* hidden: of the MLP; default by family */
    int kv_heads;                     /* default heads */
    int context, vocabulary;          /* positions and tokens it has; 0: those of its task */
    int untied;                       /* the output layer has weights of its own */
    double rope_theta, norm_eps;
};

struct rf_train_spec {
    int steps, batch;          /* optimiser steps; sequences per step */
    int examples;              /* learns from so many of them, the first; 0: all */
    char readout[12];          /* what a text is judged by: "last" row or "mean" of its rows */
    double token_dropout;      /* share of a text's tokens that a step does not see */
    int micro_batch;           /* so many of them at a time; 0: all at once */
    int tensor;                /* ranks of a copy of the model, at most; 0: all */
    double lr, min_lr_ratio;   /* cosine from lr to lr x min_lr_ratio */
    double layer_lr;           /* factor of the rate for all but the tokens' vectors */
    double warmup;             /* fraction of the steps, linear */
    double weight_decay, clip; /* decoupled, 2-D tensors only; global gradient norm, 0: off */
    double beta1, beta2;
    int bf16;
    int exchange_bf16;    /* with bf16: sums between nodes are rounded when they are sent */
    int recompute;        /* a layer's activations are made again for its backward pass */
    int eval_every;       /* steps between looks at the validation loss; 0: at the end alone */
    int max_skipped;      /* so many steps in a row without a finite loss end the job */
    int freeze_layers;    /* so many from the bottom, and the embeddings, stay as they are */
    int checkpoint_every; /* steps; 0: only when stopped and at the end */
    int checkpoint_keep;  /* how many of the newest stay; 0: all */
    int checkpoint_keep_every; /* those of steps that are multiples stay too; 0: none */
    int checkpoint_background; /* training goes on while they are written */
    int checkpoint_bf16;       /* the moments are rounded to bf16 in files */
    int checkpoint_share;      /* what has not changed is not written again */
};

/* What a job may use, and what becomes of it when it does not go well. 0: none of it. */
struct rf_job_bounds {
    int64_t limit_us;      /* of one lease */
    int priority;          /* higher first, whatever the order */
    int64_t deadline_us;   /* after its submission */
    int64_t max_device_us; /* device-time in all */
    double max_flops;
    int retries;        /* so often it is tried again when it failed ... */
    int64_t backoff_us; /* ... so long after the first time, twice as long after the next */
};

/* A job written out in the config: generative pretraining on a task's corpus. */
struct rf_pretrain_spec {
    char name[RF_NAME_BYTES], account[RF_NAME_BYTES], model[RF_NAME_BYTES], task[RF_NAME_BYTES];
    struct rf_train_spec train;
    int min, max;      /* ranks */
    int64_t submit_us; /* after the start of the run */
    struct rf_job_bounds bounds;
    char after[RF_AFTER_MAX][RF_NAME_BYTES];
    int nafter;
    char init[RF_NAME_BYTES]; /* job whose final parameters it starts from; "" none */
    char from
        [RF_PATH_BYTES]; /* checkpoint, or directory with some, that it starts from; "" none */
    char text[16];       /* "all" of the task's corpus, its own text ("task"), or "further" */
    char embeddings[16]; /* how tokens' vectors begin: "random", or "ppmi" of that text */
};

enum { RF_CHAIN_MAX = 8 };

/* A weak-to-strong comparison: weak supervisor, its labels, students per loss, ceiling, controls. */
struct rf_experiment_spec {
    char name[RF_NAME_BYTES], account[RF_NAME_BYTES], task[RF_NAME_BYTES];
    char
        weak_task[RF_NAME_BYTES]; /* the same examples as the weak model reads them; "": task */
    char weak[RF_NAME_BYTES], strong[RF_NAME_BYTES]; /* models */
    char pretrained
        [RF_NAME_BYTES]; /* job whose final checkpoint the strong model starts from; "" none */
    char weak_pretrained[RF_NAME_BYTES]; /* the same for the weak model */
    struct rf_train_spec weak_train, strong_train;
    int methods[RF_NMETHODS]; /* 1: a student by this method */
    struct rf_method_options options;
    int stop_checks; /* so often in training a student is looked at, to stop early; 0: never */
    char chain[RF_CHAIN_MAX][RF_NAME_BYTES];            /* models between weak and strong */
    char chain_pretrained[RF_CHAIN_MAX][RF_NAME_BYTES]; /* jobs they start from */
    int nchain, nchain_pretrained;
    double
        easy; /* rating up to which examples are easy, for rows of their own; 0: no such rows */
    int noise;               /* control: a supervisor that errs as often, but at random */
    int same_size;           /* control: a weak-sized student */
    int strong_on_weak_half; /* control: the strong model on the weak model's own half */
    int probe;               /* control: a linear map on the strong model's features */
    int seeds;               /* repeats, each with its own split, init and order */
    int bootstrap;           /* resamples for the interval */
    int min, max;
    int64_t submit_us;
    struct rf_job_bounds bounds; /* of each of its jobs */
};

struct rf_run_spec {
    char name[RF_NAME_BYTES];
    char out[RF_PATH_BYTES]; /* parent of the run directory; default "runs" */
    char checkpoints
        [RF_PATH_BYTES];        /* parent of the checkpoint directory; default "checkpoints" */
    char cache[RF_PATH_BYTES];  /* what jobs leave is kept here for other runs; "": nowhere */
    char key[RF_PATH_BYTES];    /* secret key for sealing; "" : made for this run, see USAGE */
    char anchor[RF_PATH_BYTES]; /* each sealed head is appended to this file; "" : to none */
    int anchor_slurm;           /* ... and becomes the comment of the Slurm job */
    int64_t seed;
    int new_accounts;  /* submissions may name any account */
    int64_t linger_us; /* so long after the last job is over, jobs may still be submitted */
    char order[16], fence[16];
    int reserve_depth, replan, resize;
    int64_t half_life_us, grace_us, checkpoint_us, checkpoint_every_us, restart_us;
    int64_t lease_us, seal_us, heartbeat_us;
    int lease_silence; /* a lease without a reading for so many times lease_us is disputed */
    double peak_flops; /* per device-second; 0: measured at the start */
    struct rf_pledge_plan *pledges; /* owned, as all arrays here */
    struct rf_change_spec *changes;
    struct rf_limit_spec *limits;
    struct rf_model_spec *models;
    struct rf_task_options *tasks;
    struct rf_pretrain_spec *jobs;
    struct rf_experiment_spec *experiments;
    int npledges, nchanges, nlimits, nmodels, ntasks, njobs, nexperiments;
    /* Of a submission: what was there before it, borrowed (NULL: this is a run), and how many of
     * the models and tasks are its own; copies of others follow them. */
    const struct rf_run_spec *base;
    int nown_models, nown_tasks;
};

void rf_run_spec_clear(struct rf_run_spec *spec);

#endif
