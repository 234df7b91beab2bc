/* origin.h - checkpoints from elsewhere that jobs start from: where they lie, and whether they fit.
 *
 * `from` of a job names a checkpoint file, or a directory of which the newest complete one is meant:
 * what `ringfence checkpoint import` made of somebody else's model, or what another run left. */
#ifndef RF_JOB_ORIGIN_H
#define RF_JOB_ORIGIN_H

#include "base/digest.h"
#include "data/task.h"
#include "job/spec.h"

enum { RF_MODEL_WORDS = 160 };

struct rf_origin {
    char path[RF_PATH_BYTES];   /* of the file */
    char model[RF_MODEL_WORDS]; /* as rf_model_words() says it */
    char tokenizer
        [RF_DIGEST_HEX];      /* of the vocabulary that it speaks; "": the file does not say */
    struct rf_digest content; /* of all tensors */
};

/* Local; reads the file's index, not its values. RF_ERR_INPUT: there is none, or it is no checkpoint. */
enum rf_status rf_origin_find(struct rf_origin *origin, const char *from, struct rf_error *err);

/* A model with a task, as checkpoints say what they hold: "gpt2 layers=2 heads=4 width=64 hidden=256
 * context=48 vocabulary=2901". */
void rf_model_words(char words[RF_MODEL_WORDS], const struct rf_model_spec *model,
                    const struct rf_task_info *info);

/* Tokens and positions of a model with a task: its own, where it has them, else the task's. */
int rf_model_vocabulary(const struct rf_model_spec *model, const struct rf_task_info *info);
int rf_model_context(const struct rf_model_spec *model, const struct rf_task_info *info);

/* Has a model room for what a task asks? task, job: for the message. */
enum rf_status rf_model_check_room(const struct rf_model_spec *model,
                                   const struct rf_task_info *info, const char *task,
                                   const char *job, struct rf_error *err);

/* Is what lies there a model of that shape that speaks the task's vocabulary? RF_ERR_INPUT says both
 * shapes. origin is filled in. */
enum rf_status rf_origin_check(struct rf_origin *origin, const char *from,
                               const struct rf_model_spec *model,
                               const struct rf_task_info *info, const char *job,
                               struct rf_error *err);

#endif
