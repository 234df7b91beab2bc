#include "job/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/vocabulary.h"
#include "job/origin.h"

/* Digests of data files, by path: the same few are asked for again and again. */
struct file_digest {
    const char *path; /* borrowed */
    char hex[RF_DIGEST_HEX];
};

struct keys {
    const char *version;
    struct file_digest *files; /* owned */
    int nfiles;
};

static const size_t FILE_BYTES_MAX = (size_t)1 << 31;

/* "" for no path. */
static enum rf_status digest_file(struct keys *keys, const char *path, const char **hex,
                                  struct rf_error *err)
{
    struct file_digest *files;
    struct rf_digest digest;
    char *data = NULL;
    size_t size = 0;
    enum rf_status st;

    *hex = "";
    if (path[0] == '\0')
        return RF_OK;
    for (int i = 0; i < keys->nfiles; i++)
        if (strcmp(keys->files[i].path, path) == 0) {
            *hex = keys->files[i].hex;
            return RF_OK;
        }
    files = realloc(keys->files, ((size_t)keys->nfiles + 1) * sizeof *files);
    if (files == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    keys->files = files;
    st = rf_file_read(path, FILE_BYTES_MAX, &data, &size, err);
    if (st != RF_OK)
        return st;
    digest = rf_digest_of(data, size);
    free(data);
    files[keys->nfiles].path = path;
    rf_digest_to_hex(&digest, files[keys->nfiles].hex);
    *hex = files[keys->nfiles++].hex;
    return RF_OK;
}

static void put_model(FILE *out, const struct rf_model_spec *m)
{
    fprintf(out, "model %s %d %d %d %d %d %d %d %d %.17g %.17g\n", m->family, m->layers,
            m->heads, m->width, m->hidden, m->kv_heads, m->context, m->vocabulary, m->untied,
            m->rope_theta, m->norm_eps);
    if (strcmp(m->input, "sequence") != 0)
        fprintf(out, "input %s\n", m->input);
}

static void put_train(FILE *out, const struct rf_train_spec *t)
{
    fprintf(out, "train %d %d %d %d %d %d %d %d %d\n", t->steps, t->batch, t->examples,
            t->micro_batch, t->tensor, t->bf16, t->freeze_layers, t->max_skipped,
            t->eval_every);
    if (t->layer_lr < 1 || t->layer_lr > 1)
        fprintf(out, "layers %.17g\n", t->layer_lr);
    fprintf(out, "rates %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", t->token_dropout,
            t->lr, t->min_lr_ratio, t->warmup, t->weight_decay, t->clip, t->beta1, t->beta2);
}

static void put_method(FILE *out, const struct rf_planned_job *job)
{
    const struct rf_method_options *o = job->options;

    fprintf(out, "job %s %s %d %d %d %d %d %d %.17g\n", rf_role_name(job->role),
            rf_methods[job->method].name, (int)job->train_split, job->part, job->parts,
            job->stop_checks, job->further, (int)job->rated, job->easy);
    if (o != NULL)
        fprintf(out, "options %.17g %.17g %.17g %.17g %.17g %.17g %d\n", o->alpha, o->warmup,
                o->product_student, o->product_weak, o->window, o->filter, o->neighbours);
    if (job->role != RF_ROLE_PRETRAIN && strcmp(job->train->readout, "last") != 0)
        fprintf(out, "readout %s\n", job->train->readout);
    fprintf(out, "seeds %" PRIu64 " %" PRIu64 "\n", job->task_seed, job->model_seed);
}

static void put_text(FILE *out, const char *text)
{
    fprintf(out, " %zu:%s", strlen(text), text);
}

/* The tokenizer that a text is read by; it may be several files. */
static enum rf_status put_tokenizer(FILE *out, const struct rf_task_options *t,
                                    struct rf_error *err)
{
    struct rf_vocabulary *v = NULL;
    char hex[RF_DIGEST_HEX];
    struct rf_digest digest;
    enum rf_status st;

    if (t->tokenizer_path[0] == '\0')
        return RF_OK;
    st = rf_vocabulary_read(&v, t->tokenizer_path, err);
    if (st != RF_OK)
        return st;
    digest = rf_vocabulary_digest(v);
    rf_digest_to_hex(&digest, hex);
    put_text(out, hex);
    rf_vocabulary_destroy(v);
    return RF_OK;
}

static enum rf_status put_task(FILE *out, struct keys *keys, const struct rf_task_options *t,
                               struct rf_error *err)
{
    const char *const paths[] = {t->path, t->test_path, t->extra_path, t->corpus};
    const char *const texts[] = {
        t->source,        t->tokenizer,     t->documents,     t->question,
        t->preference,    t->rule,          t->positive,      t->balance,
        t->duplicates,    t->fields.split,  t->fields.label,  t->fields.text,
        t->fields.second, t->fields.prompt, t->fields.chosen, t->fields.rejected};
    enum rf_status st = RF_OK;

    fprintf(out, "task %d %d %d %d %d %d %d\n", t->vocabulary, t->context, t->train,
            t->validation, t->test, t->corpus_size, t->learn_rest);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_text(out, texts[i]);
    for (int i = 0; i < t->nanswers; i++)
        put_text(out, t->answers[i]);
    for (size_t i = 0; st == RF_OK && i < sizeof paths / sizeof *paths; i++) {
        const char *hex;

        st = digest_file(keys, paths[i], &hex, err);
        if (st == RF_OK)
            put_text(out, hex);
    }
    if (st == RF_OK)
        st = put_tokenizer(out, t, err);
    fprintf(out, "\n");
    return st;
}

/* A checkpoint that the job starts from: what is in it, wherever it lies. */
static enum rf_status put_origin(FILE *out, const char *from, struct rf_error *err)
{
    struct rf_origin origin;
    char hex[RF_DIGEST_HEX];
    enum rf_status st = rf_origin_find(&origin, from, err);

    if (st != RF_OK)
        return st;
    rf_digest_to_hex(&origin.content, hex);
    fprintf(out, "origin %s\n", hex);
    return RF_OK;
}

static enum rf_status describe(struct keys *keys, const struct rf_job_plan *plan, int32_t id,
                               char **text, size_t *size, struct rf_error *err)
{
    const struct rf_planned_job *job = &plan->jobs[id];
    FILE *out = open_memstream(text, size);
    enum rf_status st;

    if (out == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    fprintf(out, "ringfence job 1\nversion %s\n", keys->version);
    put_method(out, job);
    put_model(out, job->model);
    if (job->role != RF_ROLE_ZERO_SHOT && !rf_methods[job->method].linear)
        put_train(out, job->train); /* the others do not train */
    st = put_task(out, keys, job->task, err);
    if (job->ppmi)
        fprintf(out, "embeddings ppmi\n");
    if (st == RF_OK && job->from != NULL && job->from[0] != '\0')
        st = put_origin(out, job->from, err);
    fprintf(out, "from %s\nlabels %s\n",
            job->init_job >= 0 ? plan->jobs[job->init_job].key : "-",
            job->label_job >= 0 ? plan->jobs[job->label_job].key : "-");
    if (fclose(out) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    return st;
}

/* A job without a key, because a job that it needs has none, or because of what it leaves. */
static int has_none(const struct rf_job_plan *plan, const struct rf_planned_job *job)
{
    return (job->train->freeze_layers > 0 && job->train->checkpoint_share) ||
           (job->init_job >= 0 && plan->jobs[job->init_job].key[0] == '\0') ||
           (job->label_job >= 0 && plan->jobs[job->label_job].key[0] == '\0');
}

static void come_after_twin(struct rf_job_plan *plan, int32_t id)
{
    struct rf_planned_job *job = &plan->jobs[id];

    for (int32_t i = 0; i < id; i++)
        if (strcmp(plan->jobs[i].key, job->key) == 0 && job->nafter < RF_AFTER_MAX) {
            job->after[job->nafter++] = i;
            return;
        }
}

enum rf_status rf_job_keys_fill(struct rf_job_plan *plan, const char *version,
                                struct rf_error *err)
{
    struct keys keys = {.version = version};
    enum rf_status st = RF_OK;

    for (int32_t i = 0; st == RF_OK && i < plan->njobs; i++) {
        struct rf_digest digest;
        char *text = NULL;
        size_t size = 0;

        if (has_none(plan, &plan->jobs[i]))
            continue;
        st = describe(&keys, plan, i, &text, &size, err);
        digest = rf_digest_of(text != NULL ? text : "", size);
        free(text);
        if (st != RF_OK)
            break;
        rf_digest_to_hex(&digest, plan->jobs[i].key);
        come_after_twin(plan, i);
    }
    free(keys.files);
    return st;
}
