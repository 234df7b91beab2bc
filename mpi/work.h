/* work.h - one job at work: what the parts of a job's body share.
 *
 * job.c sets up; learn.c trains; labels.c makes a supervisor's labels what the method wants; saves.c
 * keeps checkpoints; judge.c predicts and records, stopping.c does so on the way. Nobody else
 * includes this. */
#ifndef RF_MPI_WORK_H
#define RF_MPI_WORK_H

#include "base/memory.h"
#include "job/record.h"
#include "job/stops.h"
#include "mpi/ckpt.h"
#include "mpi/job.h"
#include "mpi/probe.h"
#include "mpi/trainer.h"

enum { RF_PREDICT_BATCH = 64 };

struct rf_job_work {
    const struct rf_job_context *ctx;
    const struct rf_planned_job *job;
    const struct rf_group *group;
    struct rf_lease *lease;
    const struct rf_task *task; /* borrowed from the context */
    const struct rf_task_info *info;
    struct rf_trainer *trainer;
    struct rf_predictions labels; /* of the supervisor; n = 0 without */
    int32_t *chosen;              /* owned [nchosen]: the examples that are learned from */
    int nchosen;
    struct rf_batch_memory memory;
    struct rf_curve curve;       /* the same on every rank; written by the first */
    int32_t *index;              /* [batch] examples of a step */
    int32_t *scratch;            /* [batch] */
    float *p1;                   /* [batch] */
    float *weak, *student;       /* [batch][RF_SOFT_CLASSES] */
    struct rf_stops *stops;      /* owned: looks on the way, or NULL */
    struct rf_predictions watch; /* the supervisor's labels of the validation split, for them */
    struct rf_probe *probe;      /* of a linear map, else NULL */
    struct rf_probe_fit fit;     /* what it chose */
    float *features; /* [RF_PREDICT_BATCH sequences or pairs][width] for the probe */
    int64_t told_us, told_tokens;     /* at the last look at the validation loss */
    int64_t first_step, first_tokens; /* when this lease began */
    int bad_steps;                    /* skipped in a row */
    int64_t skipped;                  /* since the job's first step */
    struct rf_memory memory_before;   /* before the trainer was made ... */
    int64_t memory_start;  /* ... what the process then grew by until its first step, which
                                       may have taken reading a checkpoint ... */
    int64_t memory_step;   /* ... and had grown by in that step */
    int64_t tokens, flops; /* of this job since its first step, kept in checkpoints */
    int64_t busy_us;       /* device-time of this lease inside steps */
    struct rf_ckpt_saver *saver; /* made with the first checkpoint */
    struct rf_tensor *saved_as;  /* owned: the trainer's tensors, as files keep them */
    char *config_text;           /* owned, on the first rank: what checkpoints carry */
    int64_t saved_step;          /* of the last checkpoint that readers see, or -1 */
    int64_t begun_step;          /* of the last that was begun, or -1 */
    enum rf_stop stop;
};

/* The job's model, with the vocabulary and the context of its task. */
struct rf_model_shape rf_job_shape(const struct rf_job_work *w);

/* Collective: loads the newest checkpoint in dir that is sound, if any; all tensors, or the
 * parameters alone. A damaged one is warned of, and the one before it tried. */
enum rf_status rf_job_load_newest(struct rf_job_work *w, const char *dir, int params_only,
                                  int *found, struct rf_ckpt_info *info, struct rf_error *err);
/* Collective: a checkpoint of the step that is done, unless there is one. A save that is still under
 * way is waited for first. final: comes back only when readers see it. */
enum rf_status rf_job_save(struct rf_job_work *w, int final, struct rf_error *err);
/* Collective, at a step boundary: hears of the end of a save, and tells the coordinator of a
 * checkpoint that readers see. */
enum rf_status rf_job_save_poll(struct rf_job_work *w, int wait, struct rf_error *err);
/* Collective: a checkpoint elsewhere, which nobody is told of, as the job would write it. */
enum rf_status rf_job_save_copy(struct rf_job_work *w, const char *dir,
                                struct rf_digest *content, struct rf_error *err);
/* Local. */
void rf_job_save_clear(struct rf_job_work *w);

/* Collective: tells the lease what was done since since_us and hears whether to go on. */
void rf_job_report(struct rf_job_work *w, int64_t since_us, const struct rf_step_result *done);

/* Local: marks how a batch of labelled examples is to be read: train->readout. */
void rf_job_read_as_told(const struct rf_planned_job *job, struct rf_batch *batch);

/* Collective: the batch of at most RF_PREDICT_BATCH examples of a split from `at` on. */
enum rf_status rf_job_next_batch(struct rf_job_work *w, enum rf_split split, int at,
                                 struct rf_batch *batch, struct rf_error *err);

/* Collective: w->features = what the model makes of each item of a batch, [items][width]; of two texts
 * that are compared the difference, whose product with a vector is the difference of two scores. */
void rf_job_features(struct rf_job_work *w, const struct rf_batch *batch,
                     struct rf_step_result *done);

/* Collective: the mean loss over at most `most` rows of the text that is held back, spread evenly. Stops
 * early when the lease says so. */
enum rf_status rf_job_validate(struct rf_job_work *w, int most, double *loss,
                               struct rf_error *err);

/* Local: the supervisor's labels, without which a student cannot start, and which examples are
 * learned from. */
enum rf_status rf_job_read_labels(struct rf_job_work *w, struct rf_error *err);
/* Collective: what the method does to them before training, by the model as it is now. */
enum rf_status rf_job_prepare_labels(struct rf_job_work *w, struct rf_error *err);
/* Collective: puts the labels, as the method has them at this step, in the place of the ground
 * truth of a batch of examples w->index. */
void rf_job_use_labels(struct rf_job_work *w, struct rf_batch *batch, int64_t step,
                       struct rf_step_result *extra);
/* Collective: a linear map from the frozen model's features to the labels, or to the truth for a
 * ceiling. One that is stopped starts over: it leaves no checkpoint. */
enum rf_status rf_job_fit_probe(struct rf_job_work *w, struct rf_error *err);
void rf_job_labels_clear(struct rf_job_work *w);

/* Collective: where a look at the student is due, what it says of validation, and, when that is the
 * best by a rule, of the test. */
enum rf_status rf_job_look(struct rf_job_work *w, struct rf_error *err);

/* Collective: what the model says of every example of a split, with the mean loss. p has room for
 * them. Stops early, with p incomplete, when the lease says so. */
enum rf_status rf_job_predict(struct rf_job_work *w, enum rf_split split,
                              struct rf_predictions *p, double *loss, struct rf_error *err);
/* The share of n classes that are the same; NAN of none. */
double rf_job_agreement(const int32_t *best, const int32_t *other, int n);

/* Collective: one step, its record, and a checkpoint where one is due. */
enum rf_status rf_job_step(struct rf_job_work *w, struct rf_error *err);
/* Collective: all steps that are left, and the lease's last checkpoint. */
enum rf_status rf_job_learn(struct rf_job_work *w, struct rf_error *err);

/* Collective: what is left behind. The locked test set is touched here alone, once per model. */
enum rf_status rf_job_conclude(struct rf_job_work *w, struct rf_error *err);

#endif
