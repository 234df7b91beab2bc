/* A supervisor's labels, from its file to what the student's method makes of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/work.h"

/* ---- reading */

static enum rf_status check_method(const struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;

    if ((job->method != RF_METHOD_XENT || job->role == RF_ROLE_NOISY) &&
        w->info->nclass > RF_SOFT_CLASSES)
        return rf_fail(
            err, RF_ERR_CONFIG,
            "job '%s': labels of more than %d classes are no distributions, task '%s' "
            "has %d",
            job->name, RF_SOFT_CLASSES, job->task->name, w->info->nclass);
    return RF_OK;
}

static int is_easy(const struct rf_job_work *w, const struct rf_examples *examples, int i)
{
    return examples->rating != NULL && examples->rating[i] >= 0 &&
           (double)examples->rating[i] <= w->job->easy;
}

/* Of those that were chosen, the easy ones; or as many as there are of these among all that have a
 * rating. */
static enum rf_status choose_rated(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_examples *examples = rf_task_split(w->task, w->job->train_split);
    int easy = 0, n = 0;

    for (int k = 0; k < w->nchosen; k++)
        easy += is_easy(w, examples, w->chosen[k]);
    if (easy == 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "job '%s': no example that it learns from has a rating of at most %g",
                       w->job->name, w->job->easy);
    for (int k = 0; k < w->nchosen && n < easy; k++) {
        int i = w->chosen[k];

        if (w->job->rated == RF_RATED_EASY ? is_easy(w, examples, i) : examples->rating[i] >= 0)
            w->chosen[n++] = i;
    }
    w->nchosen = n;
    return RF_OK;
}

/* The examples that are learned from: of those of the job's part, so many as it is told. */
static enum rf_status choose_all(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    int n = rf_task_split(w->task, job->train_split)->n, most = job->train->examples;

    w->chosen = malloc(((size_t)n + 1) * sizeof *w->chosen);
    if (w->chosen == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a list of %d examples", n);
    for (int i = job->part; i < n && (most == 0 || w->nchosen < most); i += job->parts)
        w->chosen[w->nchosen++] = i;
    if (job->rated != RF_RATED_ANY)
        return choose_rated(w, err);
    return w->nchosen > 0 ? RF_OK
                          : rf_fail(err, RF_ERR_INPUT,
                                    "job '%s': no example is left to learn from", job->name);
}

/* What the supervisor says of the validation split, by which a student may be stopped. */
static enum rf_status read_watch(struct rf_job_work *w, const char *labeller,
                                 struct rf_error *err)
{
    char file[RF_NAME_BYTES + 16];

    w->stops = calloc(1, sizeof *w->stops);
    if (w->stops == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a list of looks");
    snprintf(file, sizeof file, "%s.validation", labeller);
    return rf_predictions_read(&w->watch, rf_task_split(w->task, RF_SPLIT_VALIDATION)->n,
                               w->info->nclass, 0, w->ctx->run_dir, file, err);
}

enum rf_status rf_job_read_labels(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_planned_job *job = w->job;
    int32_t from = job->label_job;
    const char *labeller = from >= 0 ? w->ctx->plan->jobs[from].name : "";
    enum rf_status st = job->role != RF_ROLE_PRETRAIN ? choose_all(w, err) : RF_OK;

    if (st == RF_OK && (from >= 0 || job->role == RF_ROLE_CEILING))
        st = check_method(w, err);
    if (st == RF_OK && from >= 0)
        st = rf_predictions_read(&w->labels, rf_task_split(w->task, RF_SPLIT_STRONG)->n,
                                 w->info->nclass, 0, w->ctx->run_dir, labeller, err);
    if (st == RF_OK && from >= 0 && job->stop_checks > 0)
        st = read_watch(w, labeller, err);
    return st;
}

void rf_job_labels_clear(struct rf_job_work *w)
{
    rf_predictions_clear(&w->labels);
    rf_predictions_clear(&w->watch);
    free(w->stops);
    free(w->chosen);
}

/* ---- before training */

/* Collective: hands the model's features of the examples of the job's split to `take`, in
 * pieces of at most RF_PREDICT_BATCH. */
static enum rf_status for_features(struct rf_job_work *w,
                                   void (*take)(void *ctx, int at, int n,
                                                const float *features),
                                   void *ctx, struct rf_error *err)
{
    int n = rf_task_split(w->task, w->job->train_split)->n;
    enum rf_status st = RF_OK;

    for (int at = 0; st == RF_OK && w->stop == RF_GO && at < n; at += RF_PREDICT_BATCH) {
        struct rf_step_result done = {0};
        struct rf_batch batch;
        int64_t since = rf_time_us();

        st = rf_job_next_batch(w, w->job->train_split, at, &batch, err);
        if (st != RF_OK)
            break;
        rf_job_features(w, &batch, &done);
        take(ctx, at, rf_batch_items(&batch), w->features);
        rf_job_report(w, since, &done);
    }
    return st;
}

/* Features and second opinions of all examples, the same on every rank. */
struct opinions {
    int n, width, nclass;
    float *features, *opinion;
    double *distance;
    int32_t *order;
    unsigned char *keep;
};

static void opinions_clear(struct opinions *o)
{
    free(o->features);
    free(o->opinion);
    free(o->distance);
    free(o->order);
    free(o->keep);
}

static enum rf_status opinions_make(struct opinions *o, int n, int width, int nclass,
                                    struct rf_error *err)
{
    size_t items = (size_t)n + 1;

    *o = (struct opinions){.n = n, .width = width, .nclass = nclass};
    o->features = malloc(items * (size_t)width * sizeof *o->features);
    o->opinion = malloc(items * (size_t)nclass * sizeof *o->opinion);
    o->distance = malloc(items * sizeof *o->distance);
    o->order = malloc(items * sizeof *o->order);
    o->keep = malloc(items);
    if (o->features == NULL || o->opinion == NULL || o->distance == NULL || o->order == NULL ||
        o->keep == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: features of %d examples", n);
    memset(o->keep, 1, items);
    return RF_OK;
}

static void take_all(void *ctx, int at, int n, const float *features)
{
    struct opinions *o = ctx;

    memcpy(o->features + (size_t)at * (size_t)o->width, features,
           (size_t)n * (size_t)o->width * sizeof *features);
}

/* Collective: a probe fitted to the labels of the other half says what it thinks of this one, so that
 * no label speaks for itself. */
static enum rf_status ask_probe(struct rf_job_work *w, struct opinions *o, int half,
                                struct rf_error *err)
{
    struct rf_probe *probe = NULL;
    struct rf_probe_fit fit;
    struct rf_predictions others;
    int n = 0, at = 0; /* of the other half */
    enum rf_status st;

    for (int i = 0; i < o->n; i++)
        n += rf_method_half(w->job->model_seed, i) != half;
    st = rf_agree(w->group, rf_predictions_make(&others, n, o->nclass, 0, err), err);
    if (st != RF_OK)
        return st;
    st = rf_probe_create(&probe, w->group, n, o->width, o->nclass, err);
    for (int i = 0; st == RF_OK && i < o->n; i++) {
        if (rf_method_half(w->job->model_seed, i) == half)
            continue;
        rf_probe_learn(probe, at, 1, o->features + (size_t)i * (size_t)o->width);
        memcpy(others.prob + (size_t)at * (size_t)o->nclass,
               w->labels.prob + (size_t)i * (size_t)o->nclass,
               (size_t)o->nclass * sizeof *others.prob);
        others.best[at++] = w->labels.best[i];
    }
    if (st == RF_OK)
        st = rf_probe_fit(probe, RF_PROBE_LOGISTIC, &others, &fit, err);
    for (int i = 0; st == RF_OK && i < o->n; i++) {
        int32_t best;

        if (rf_method_half(w->job->model_seed, i) != half)
            continue;
        rf_probe_answer(probe, o->features + (size_t)i * (size_t)o->width, 1, NULL,
                        o->opinion + (size_t)i * (size_t)o->nclass, &best);
    }
    rf_probe_destroy(probe);
    rf_predictions_clear(&others);
    return st;
}

static enum rf_status find_opinions(struct rf_job_work *w, struct opinions *o,
                                    struct rf_error *err)
{
    enum rf_opinion kind = rf_methods[w->job->method].opinion;
    struct rf_step_result nothing = {0};
    int64_t since;
    enum rf_status st = for_features(w, take_all, o, err);

    since = rf_time_us();
    if (st == RF_OK && w->stop == RF_GO && kind == RF_OPINION_NEIGHBOURS)
        rf_method_neighbours(o->features, o->n, o->width, w->labels.prob, o->nclass,
                             w->job->options->neighbours, o->opinion, o->distance, o->order);
    for (int half = 0; kind == RF_OPINION_PROBE && st == RF_OK && w->stop == RF_GO && half < 2;
         half++)
        st = ask_probe(w, o, half, err);
    if (st == RF_OK)
        rf_job_report(w, since, &nothing);
    return st;
}

/* Of the examples that were chosen, those that the method keeps. */
static enum rf_status choose_kept(struct rf_job_work *w, const unsigned char *keep,
                                  struct rf_error *err)
{
    int n = 0;

    for (int k = 0; k < w->nchosen; k++)
        if (keep[w->chosen[k]])
            w->chosen[n++] = w->chosen[k];
    w->nchosen = n;
    if (n > 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_INPUT,
                   "job '%s': the method \"%s\" leaves no example to learn from", w->job->name,
                   rf_methods[w->job->method].name);
}

enum rf_status rf_job_prepare_labels(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_method_row *method = &rf_methods[w->job->method];
    struct opinions o;
    struct rf_method_labels labels;
    enum rf_status st;

    if (method->prepare == NULL || w->labels.n == 0)
        return RF_OK;
    st = rf_agree(w->group,
                  opinions_make(&o, w->labels.n, w->job->model->width, w->labels.nclass, err),
                  err);
    if (st == RF_OK && method->opinion != RF_OPINION_NONE)
        st = find_opinions(w, &o, err);
    if (st == RF_OK && w->stop == RF_GO) {
        labels = (struct rf_method_labels){.n = w->labels.n,
                                           .nclass = w->labels.nclass,
                                           .prob = w->labels.prob,
                                           .keep = o.keep,
                                           .opinion = o.opinion};
        method->prepare(&labels, w->job->options);
        st = choose_kept(w, o.keep, err);
    }
    opinions_clear(&o);
    return st;
}

/* ---- at each step */

void rf_job_use_labels(struct rf_job_work *w, struct rf_batch *batch, int64_t step,
                       struct rf_step_result *extra)
{
    const struct rf_predictions *labels = &w->labels;
    const struct rf_method_row *method = &rf_methods[w->job->method];
    size_t k = (size_t)labels->nclass;
    int items = rf_batch_items(batch);

    if (labels->n == 0)
        return;
    for (int i = 0; i < items; i++) {
        if (labels->prob != NULL)
            memcpy(&w->memory.soft[(size_t)i * k], &labels->prob[(size_t)w->index[i] * k],
                   k * sizeof(float));
        else
            w->memory.target[i] = labels->best[w->index[i]];
    }
    if (labels->prob == NULL)
        return;
    if (method->targets != NULL) { /* one forward pass more */
        struct rf_method_batch asked = {.n = items,
                                        .nclass = labels->nclass,
                                        .student = w->student,
                                        .weak = w->weak,
                                        .progress = (double)step / w->job->train->steps,
                                        .p1 = w->p1,
                                        .scratch = w->scratch};

        memcpy(w->weak, w->memory.soft, (size_t)items * k * sizeof(float));
        rf_trainer_predict(w->trainer, batch, w->student, NULL, extra);
        method->targets(&asked, w->job->options, w->memory.soft);
    }
    batch->soft = w->memory.soft;
    batch->target = NULL;
}

/* ---- in place of training */

static void take_piece(void *ctx, int at, int n, const float *features)
{
    rf_probe_learn(ctx, at, n, features);
}

/* A ceiling learns the truth as if a supervisor had said it. */
static enum rf_status label_truth(struct rf_job_work *w, struct rf_error *err)
{
    const struct rf_examples *examples = rf_task_split(w->task, w->job->train_split);
    enum rf_status st = rf_predictions_make(&w->labels, examples->n, w->info->nclass, 0, err);

    for (int i = 0; st == RF_OK && i < examples->n; i++) {
        w->labels.best[i] = examples->label[i];
        w->labels.prob[i * w->info->nclass + examples->label[i]] = 1.0F;
    }
    return st;
}

enum rf_status rf_job_fit_probe(struct rf_job_work *w, struct rf_error *err)
{
    enum rf_probe_kind kind =
        w->job->method == RF_METHOD_PROBE_LOGISTIC ? RF_PROBE_LOGISTIC : RF_PROBE_RIDGE;
    struct rf_step_result nothing = {0};
    int n = rf_task_split(w->task, w->job->train_split)->n;
    int64_t since;
    enum rf_status st = RF_OK;

    if (w->job->label_job < 0)
        st = rf_agree(w->group, label_truth(w, err), err);
    if (st == RF_OK)
        st =
            rf_probe_create(&w->probe, w->group, n, w->job->model->width, w->info->nclass, err);
    if (st == RF_OK)
        st = for_features(w, take_piece, w->probe, err);
    if (st != RF_OK || w->stop != RF_GO)
        return st;
    since = rf_time_us();
    st = rf_probe_fit(w->probe, kind, &w->labels, &w->fit, err);
    rf_job_report(w, since, &nothing);
    return st;
}
