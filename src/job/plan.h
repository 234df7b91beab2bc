/* plan.h - from a run's specification to the jobs that the coordinator is asked for.
 *
 * A pretraining job stands in the specification as it is; one that starts from somebody else's
 * checkpoint and learns for no steps hands it on. A weak-to-strong
 * experiment becomes, for each seed k,
 *
 *   NAME.s<k>.weak           the weak model on ground truth of the weak half; labels the strong half
 *   NAME.s<k>.student-<row>  the strong model on those labels, one per method
 *   NAME.s<k>.ceiling        the strong model on ground truth of the same examples, in the same
 *                            order, from the same start
 *   NAME.s<k>.same-size      control: a weak-sized student of the weak labels
 *   NAME.s<k>.weak-half      control: the strong model on ground truth of the weak half
 *   NAME.s<k>.probe          control: a linear map from the features of the strong model, as
 *                            pretraining left it, to the weak labels
 *   NAME.s<k>.ceiling-<row>  of a method that is a linear map: the same map to the truth
 *   NAME.s<k>.link<i>        a model of the chain: learns the labels of the one before on a part
 *                            of the strong half, labels the whole of it
 *   NAME.s<k>.student-chain  the strong model on the last part and the last link's labels
 *   NAME.s<k>.student-direct its control: the same part, the weak labels
 *   NAME.s<k>.student-easy   the strong model on the weak labels of easy examples alone
 *   NAME.s<k>.student-as-many  its control: as many examples of any difficulty
 *   NAME.s<k>.noisy          a supervisor as often wrong as the weak one, but at random
 *   NAME.s<k>.student-noise  the strong model on its labels
 *
 * and once NAME.zero-shot, the strong model as pretraining left it. Jobs are in the order of
 * their submission, each behind those it depends on (a job is not submitted before they are);
 * a job's id is its index. */
#ifndef RF_JOB_PLAN_H
#define RF_JOB_PLAN_H

#include "job/spec.h"

enum rf_role {
    RF_ROLE_PRETRAIN,
    RF_ROLE_WEAK,
    RF_ROLE_STUDENT,
    RF_ROLE_CEILING,
    RF_ROLE_SAME_SIZE,
    RF_ROLE_WEAK_HALF,
    RF_ROLE_ZERO_SHOT,
    RF_ROLE_PROBE,
    RF_ROLE_LINK,
    RF_ROLE_NOISY
};

enum { RF_ROW_BYTES = 32 };

/* Which examples are learned from, by their rating: all of them, also without one; the easy ones;
 * as many as those of any rating, the first in order. */
enum rf_rated { RF_RATED_ANY, RF_RATED_EASY, RF_RATED_AS_MANY };

struct rf_planned_job {
    char name[RF_NAME_BYTES], account[RF_NAME_BYTES];
    enum rf_role role;
    enum rf_method method;
    char row[RF_ROW_BYTES]; /* student: its name in tables; ceiling: of what, "" of most */
    int experiment;         /* index into the specification, -1 for a pretraining job */
    int repeat;             /* which seed of the experiment, from 0 */
    const struct rf_model_spec
        *model; /* borrowed from the specification, as all pointers here */
    const struct rf_task_options *task;
    const struct rf_train_spec *train;
    const struct rf_method_options *options; /* of the method; NULL for a pretraining job */
    int stop_checks;                         /* so often it is looked at in training */
    int part, parts; /* of the examples of train_split: each parts-th from part on */
    enum rf_rated
        rated; /* which of them, by rating: of RF_RATED_EASY those of at most `easy` */
    double easy;
    int ppmi;         /* pretraining: tokens' vectors begin as ppmi.h has them of that text */
    int further;      /* pretraining: -1 all of the corpus, 0 the task's own text, 1 the rest */
    int32_t init_job; /* start from this job's final parameters; -1: from scratch */
    const char *from; /* or from this checkpoint, or directory with some; "": none */
    int32_t label_job; /* learn this job's labels; -1: ground truth */
    enum rf_split train_split;
    uint64_t task_seed;  /* decides the halves */
    uint64_t model_seed; /* initial values and order of the examples */
    int32_t min, max;
    int64_t submit_us;
    struct rf_job_bounds bounds;
    int32_t after[RF_AFTER_MAX], nafter;
    char key[RF_DIGEST_HEX]; /* what its results depend on: key.h; "": not known */
};

struct rf_job_plan {
    struct rf_planned_job *jobs; /* owned */
    int32_t njobs;
};

/* spec must outlive the plan. RF_ERR_CONFIG names what does not fit. */
enum rf_status rf_job_plan_expand(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                  struct rf_error *err);
void rf_job_plan_clear(struct rf_job_plan *plan);

/* Adds the jobs of a submission (a specification with a base) behind those that are there, whose
 * indices stay. spec must outlive the plan. first_experiment: how many experiments there
 * were before those of spec. On failure nothing was added. */
enum rf_status rf_job_plan_append(struct rf_job_plan *plan, const struct rf_run_spec *spec,
                                  int first_experiment, struct rf_error *err);
/* The same jobs in another order: job i of `from` is job place[i] of `to`. */
enum rf_status rf_job_plan_arrange(struct rf_job_plan *to, const struct rf_job_plan *from,
                                   const int32_t *place, struct rf_error *err);

const char *rf_role_name(enum rf_role role); /* "pretrain", "weak", "student", ... */

#endif
