#include "config/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/chess_rules.h"
#include "job/record.h"

enum { PATH_TEXT = 200, PLACE_TEXT = 300 };

/* What every rule below needs to speak. */
struct checker {
    const struct rf_run_spec *spec;
    rf_config_place *place;
    void *ctx;
    struct rf_error *err;
};

static enum rf_status refuse_at(rf_config_place *place, void *ctx, const char *path,
                                struct rf_error *err, const char *fmt, va_list args)
{
    char where[PLACE_TEXT], what[500];

    place(ctx, path, where, sizeof where);
    vsnprintf(what, sizeof what, fmt, args);
    return rf_fail(err, RF_ERR_CONFIG, "%s: key '%s': %s", where, path, what);
}

enum rf_status rf_config_refuse(rf_config_place *place, void *ctx, const char *path,
                                struct rf_error *err, const char *fmt, ...)
{
    enum rf_status st;
    va_list args;

    va_start(args, fmt);
    st = refuse_at(place, ctx, path, err, fmt, args);
    va_end(args);
    return st;
}

/* About member i of a list: "jobs", 3, "train" is the key jobs.[3].train. */
static enum rf_status refuse(const struct checker *c, const char *list, int i, const char *key,
                             const char *fmt, ...) RF_PRINTF(5, 6);

static enum rf_status refuse(const struct checker *c, const char *list, int i, const char *key,
                             const char *fmt, ...)
{
    char path[PATH_TEXT];
    enum rf_status st;
    va_list args;

    if (strcmp(list, "tasks") == 0 && c->spec->tasks[i].alone)
        snprintf(path, sizeof path, "task.%s", key);
    else
        snprintf(path, sizeof path, "%s.[%d].%s", list, i, key);
    va_start(args, fmt);
    st = refuse_at(c->place, c->ctx, path, c->err, fmt, args);
    va_end(args);
    return st;
}

/* ---- defaults that depend on other keys */

static int is_llama(const struct rf_model_spec *model)
{
    return strcmp(model->family, "llama") == 0;
}

/* Llama's MLP has three matrices instead of two: two thirds of the width, in eights. */
static void derive_model(struct rf_model_spec *model)
{
    if (model->hidden == 0)
        model->hidden = is_llama(model) ? (8 * model->width / 3 + 7) / 8 * 8 : 4 * model->width;
    if (model->kv_heads == 0)
        model->kv_heads = model->heads;
}

static void derive_text(struct rf_task_options *task)
{
    if (task->tokenizer[0] == '\0')
        strcpy(task->tokenizer, task->tokenizer_path[0] != '\0' ? "file" : "byte");
    if (task->documents[0] == '\0')
        strcpy(task->documents, "file");
    if (task->context == 0)
        task->context = 256;
    if (strcmp(task->tokenizer, "bpe") == 0 && task->vocabulary == 0)
        task->vocabulary = 4096;
}

static int is_text(const struct rf_task_options *task)
{
    return strcmp(task->source, "tsv") == 0 || strcmp(task->source, "jsonl") == 0 ||
           strcmp(task->source, "pairs") == 0;
}

static void derive_texts(struct rf_task_options *task)
{
    if (task->tokenizer[0] == '\0')
        strcpy(task->tokenizer, task->tokenizer_path[0] != '\0' ? "file" : "bpe");
    if (strcmp(task->tokenizer, "file") != 0 && task->vocabulary == 0)
        task->vocabulary = 4096;
    if (strcmp(task->source, "pairs") == 0 && task->preference[0] == '\0')
        strcpy(task->preference, "choice");
}

static void derive_task(struct rf_task_options *task)
{
    int rules = strcmp(task->source, "chess-rules") == 0;

    if (strcmp(task->source, "text") == 0)
        derive_text(task);
    if (is_text(task))
        derive_texts(task);
    if (rules && task->train == 0)
        task->train = 4000;
    if (rules && task->validation == 0)
        task->validation = 500;
    if (rules && task->test == 0)
        task->test = 1000;
    if (rules && task->corpus_size == 0)
        task->corpus_size = 4000;
}

void rf_config_derive(struct rf_run_spec *spec)
{
    for (int i = 0; i < spec->npledges; i++)
        if (spec->pledges[i].pledge.tolerance_us < 0)
            spec->pledges[i].pledge.tolerance_us = spec->grace_us;
    for (int i = 0; i < spec->nmodels; i++)
        derive_model(&spec->models[i]);
    for (int i = 0; i < spec->ntasks; i++)
        derive_task(&spec->tasks[i]);
    for (int i = 0; i < spec->njobs; i++)
        if (spec->jobs[i].max == 0)
            spec->jobs[i].max = spec->jobs[i].min;
    for (int i = 0; i < spec->nexperiments; i++)
        if (spec->experiments[i].max == 0)
            spec->experiments[i].max = spec->experiments[i].min;
}

/* ---- names */

static int find_model(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->nmodels; i++)
        if (strcmp(spec->models[i].name, name) == 0)
            return i;
    return -1;
}

static int find_task(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->ntasks; i++)
        if (strcmp(spec->tasks[i].name, name) == 0)
            return i;
    return -1;
}

static int find_job(const struct rf_run_spec *spec, const char *name)
{
    for (int i = 0; i < spec->njobs; i++)
        if (strcmp(spec->jobs[i].name, name) == 0)
            return i;
    return -1;
}

static enum rf_status refuse_twice(const struct checker *c, const char *list, int i,
                                   const char *key, const char *name)
{
    return refuse(c, list, i, key, "expected a name of its own, got '%s' a second time", name);
}

static enum rf_status want_model(const struct checker *c, const char *list, int i,
                                 const char *key, const char *name)
{
    if (find_model(c->spec, name) < 0)
        return refuse(c, list, i, key, "expected the name of a model in 'models', got '%s'",
                      name);
    return RF_OK;
}

/* train: the group that says how this model is trained. */
static enum rf_status want_freeze(const struct checker *c, const char *list, int i,
                                  const char *train, const struct rf_train_spec *t,
                                  const char *model)
{
    const struct rf_model_spec *m = &c->spec->models[find_model(c->spec, model)];
    char key[64];

    if (t->freeze_layers <= m->layers)
        return RF_OK;
    snprintf(key, sizeof key, "%s.freeze_layers", train);
    return refuse(c, list, i, key, "expected at most the %d layers of model '%s', got %d",
                  m->layers, model, t->freeze_layers);
}

static enum rf_status want_task(const struct checker *c, const char *list, int i,
                                const char *name)
{
    if (find_task(c->spec, name) < 0)
        return refuse(c, list, i, "task", "expected the name of a task in 'tasks', got '%s'",
                      name);
    return RF_OK;
}

static enum rf_status want_ranks(const struct checker *c, const char *list, int i, int min,
                                 int max)
{
    if (min > max)
        return refuse(c, list, i, "max", "expected at least min = %d, got %d", min, max);
    return RF_OK;
}

/* Of a submission: is there a job or an experiment of this name already? */
static int is_taken(const struct rf_run_spec *spec, const char *name)
{
    for (const struct rf_run_spec *b = spec->base; b != NULL; b = b->base) {
        if (find_job(b, name) >= 0)
            return 1;
        for (int i = 0; i < b->nexperiments; i++)
            if (strcmp(b->experiments[i].name, name) == 0)
                return 1;
    }
    return 0;
}

/* The job of that name among the first n here, or of what was there before; NULL: none. */
static const struct rf_pretrain_spec *earlier_job(const struct rf_run_spec *spec, int n,
                                                  const char *name)
{
    int i = find_job(spec, name);

    if (i >= 0)
        return i < n ? &spec->jobs[i] : NULL;
    return spec->base != NULL ? earlier_job(spec->base, spec->base->njobs, name) : NULL;
}

/* ---- one kind of thing each */

static enum rf_status check_model(const struct checker *c, int i)
{
    const struct rf_model_spec *m = &c->spec->models[i];

    if (find_model(c->spec, m->name) != i)
        return refuse_twice(c, "models", i, "name", m->name);
    if (m->width % m->heads != 0)
        return refuse(c, "models", i, "width", "expected a multiple of heads = %d, got %d",
                      m->heads, m->width);
    if (m->heads % m->kv_heads != 0)
        return refuse(c, "models", i, "kv_heads", "expected a divisor of heads = %d, got %d",
                      m->heads, m->kv_heads);
    if (!is_llama(m) && m->kv_heads != m->heads)
        return refuse(c, "models", i, "kv_heads",
                      "expected heads = %d, or family = \"llama\", got %d", m->heads,
                      m->kv_heads);
    if (is_llama(m) && m->width / m->heads % 2 != 0)
        return refuse(c, "models", i, "width",
                      "expected heads of an even width, to be rotated, got %d / %d", m->width,
                      m->heads);
    return RF_OK;
}

/* Which keys a source uses: the others must be left out, since they would do nothing. */
struct source_rule {
    const char *source;
    int path, test_path, extra_path, corpus, rule, vocabulary, positive, tokenizer, documents,
        preference, examples; /* 0: not used, 1: may be, 2: must be */
};

static const struct source_rule source_rules[] = {
    {"chess-rules", 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1},
    {"chess", 2, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1},
    {"tsv", 2, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1},
    {"jsonl", 2, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1},
    {"pairs", 2, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1},
    {"digits", 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1},
    {"text", 2, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0},
};

/* The built-in source makes as many examples as it is told, and there must be enough to split.
 */
static enum rf_status check_rules_task(const struct checker *c, int i)
{
    const struct rf_task_options *t = &c->spec->tasks[i];
    char known[200] = "";
    size_t at = 0;

    for (int k = 0; k < RF_CHESS_NRULES && at < sizeof known; k++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", k > 0 ? ", " : "",
                               rf_chess_rules[k].name);
    if (rf_chess_rule_find(t->rule) == NULL)
        return refuse(c, "tasks", i, "rule", "expected one of %s, got '%s'", known, t->rule);
    if (t->train < 4)
        return refuse(c, "tasks", i, "train", "expected at least 4, got %d", t->train);
    if (t->validation < 2)
        return refuse(c, "tasks", i, "validation", "expected at least 2, got %d",
                      t->validation);
    if (t->test < 2)
        return refuse(c, "tasks", i, "test", "expected at least 2, got %d", t->test);
    return RF_OK;
}

static int is_among(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static enum rf_status check_text_task(const struct checker *c, int i)
{
    static const char *const tokenizers[] = {"byte", "char", "bpe", "file", NULL};
    static const char *const documents[] = {"file", "lines", "paragraphs", NULL};
    const struct rf_task_options *t = &c->spec->tasks[i];
    int pairs = strcmp(t->tokenizer, "bpe") == 0, file = strcmp(t->tokenizer, "file") == 0;

    if (!is_among(t->tokenizer, tokenizers))
        return refuse(c, "tasks", i, "tokenizer",
                      "expected one of byte, char, bpe, file, got '%s'", t->tokenizer);
    if (!is_among(t->documents, documents))
        return refuse(c, "tasks", i, "documents",
                      "expected one of file, lines, paragraphs, got '%s'", t->documents);
    if (file != (t->tokenizer_path[0] != '\0'))
        return refuse(c, "tasks", i, "tokenizer_path",
                      "expected a file or directory when tokenizer is \"file\", and nothing "
                      "otherwise, got '%s'",
                      t->tokenizer_path);
    if (!pairs && t->vocabulary != 0)
        return refuse(c, "tasks", i, "vocabulary",
                      "expected nothing, since tokenizer \"%s\" does not use it, got %d",
                      t->tokenizer, t->vocabulary);
    if (pairs && t->vocabulary < 260)
        return refuse(c, "tasks", i, "vocabulary", "expected at least 260, got %d",
                      t->vocabulary);
    return RF_OK;
}

static enum rf_status check_texts_task(const struct checker *c, int i)
{
    const struct rf_task_options *t = &c->spec->tasks[i];
    int file = strcmp(t->tokenizer, "file") == 0, score = strcmp(t->preference, "score") == 0;

    if (!file && strcmp(t->tokenizer, "bpe") != 0 && strcmp(t->tokenizer, "words") != 0)
        return refuse(c, "tasks", i, "tokenizer", "expected one of bpe, words, file, got '%s'",
                      t->tokenizer);
    if (file != (t->tokenizer_path[0] != '\0'))
        return refuse(c, "tasks", i, "tokenizer_path",
                      "expected a file or directory when tokenizer is \"file\", and nothing "
                      "otherwise, got '%s'",
                      t->tokenizer_path);
    if (file && t->vocabulary != 0)
        return refuse(c, "tasks", i, "vocabulary",
                      "expected nothing, since tokenizer \"file\" does not use it, got %d",
                      t->vocabulary);
    if (!file && t->vocabulary < 280)
        return refuse(c, "tasks", i, "vocabulary",
                      "expected at least 280 (all bytes and a few marks), got %d",
                      t->vocabulary);
    if (!file && (t->nanswers > 0 || t->question[0] != '\0'))
        return refuse(
            c, "tasks", i, t->nanswers > 0 ? "answers" : "question",
            "expected nothing, since a tokenizer that is learnt here has tokens of its "
            "own for labels, got a value");
    if (t->preference[0] != '\0' && !score && strcmp(t->preference, "choice") != 0)
        return refuse(c, "tasks", i, "preference", "expected one of choice, score, got '%s'",
                      t->preference);
    if (t->preference[0] != '\0' && t->nanswers > 0 && t->nanswers != (score ? 1 : 2))
        return refuse(c, "tasks", i, "answers",
                      "expected %s, since preference is \"%s\", got %d words",
                      score ? "one word, whose logit is the score" : "two words", t->preference,
                      t->nanswers);
    if (t->context > 0 && t->context < 4)
        return refuse(c, "tasks", i, "context", "expected at least 4 tokens, got %d",
                      t->context);
    return RF_OK;
}

static enum rf_status check_task(const struct checker *c, int i)
{
    const struct rf_task_options *t = &c->spec->tasks[i];
    const struct source_rule *rule = source_rules;

    if (find_task(c->spec, t->name) != i)
        return refuse_twice(c, "tasks", i, "name", t->name);
    while (strcmp(rule->source, t->source) != 0)
        rule++;

    const struct {
        const char *key;
        int use, given;
    } keys[] = {{"path", rule->path, t->path[0] != '\0'},
                {"test_path", rule->test_path, t->test_path[0] != '\0'},
                {"extra_path", rule->extra_path, t->extra_path[0] != '\0'},
                {"corpus", rule->corpus, t->corpus[0] != '\0'},
                {"rule", rule->rule, t->rule[0] != '\0'},
                {"vocabulary", rule->vocabulary, t->vocabulary != 0},
                {"positive", rule->positive, t->positive[0] != '\0'},
                {"tokenizer", rule->tokenizer, t->tokenizer[0] != '\0'},
                {"tokenizer_path", rule->tokenizer, t->tokenizer_path[0] != '\0'},
                {"documents", rule->documents, t->documents[0] != '\0'},
                {"answers", is_text(t), t->nanswers > 0},
                {"question", is_text(t), t->question[0] != '\0'},
                {"preference", rule->preference, t->preference[0] != '\0'},
                {"train", rule->examples, t->train != 0},
                {"test", rule->examples, t->test != 0}};

    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (keys[k].use == 2 && !keys[k].given)
            return refuse(c, "tasks", i, keys[k].key,
                          "expected a value, since source is \"%s\", got nothing", t->source);
        if (keys[k].use == 0 && keys[k].given)
            return refuse(c, "tasks", i, keys[k].key,
                          "expected nothing, since source \"%s\" does not use it, got a value",
                          t->source);
    }
    if (rule->rule == 2)
        return check_rules_task(c, i);
    if (t->learn_rest && (strcmp(t->source, "chess") != 0 || t->test == 0))
        return refuse(c, "tasks", i, "learn_rest", "expected false, since %s, got true",
                      t->test == 0 ? "'test' leaves nothing over"
                                   : "only puzzles with ratings are in a file of their own");
    if (rule->documents)
        return check_text_task(c, i);
    if (!is_text(t))
        return RF_OK;
    return check_texts_task(c, i);
}

/* It goes on from an earlier job that trains the same model. */
static enum rf_status want_init(const struct checker *c, int i)
{
    const struct rf_pretrain_spec *j = &c->spec->jobs[i];
    const struct rf_pretrain_spec *from = earlier_job(c->spec, i, j->init);

    if (from == NULL)
        return refuse(c, "jobs", i, "init",
                      "expected the name of a job that is listed before this one, got '%s'",
                      j->init);
    if (strcmp(from->model, j->model) != 0)
        return refuse(c, "jobs", i, "init",
                      "expected a job that trains model '%s', got '%s', which trains '%s'",
                      j->model, j->init, from->model);
    return RF_OK;
}

/* Only what comes from elsewhere is a model before it has learnt anything here. */
static enum rf_status want_steps(const struct checker *c, const char *list, int i,
                                 const char *key, int steps)
{
    return steps > 0 ? RF_OK
                     : refuse(c, list, i, key,
                              "expected a whole number from 1 to 100000000, got %d", steps);
}

static enum rf_status want_beginning(const struct checker *c, int i)
{
    const struct rf_pretrain_spec *j = &c->spec->jobs[i];
    int ppmi = strcmp(j->embeddings, "ppmi") == 0;

    if (ppmi && (j->from[0] != '\0' || j->init[0] != '\0'))
        return refuse(c, "jobs", i, "embeddings",
                      "expected 'random', since the job starts from elsewhere, got 'ppmi'");
    if (ppmi)
        return RF_OK;
    if (j->from[0] == '\0')
        return want_steps(c, "jobs", i, "train.steps", j->train.steps);
    if (j->init[0] != '\0')
        return refuse(c, "jobs", i, "from",
                      "expected nothing, since the job starts from job '%s', got a value",
                      j->init);
    return RF_OK;
}

/* A bag has one answer; the corpora of other sources ask for every token. */
static enum rf_status want_one_answer(const struct checker *c, int i)
{
    const struct rf_pretrain_spec *j = &c->spec->jobs[i];
    const struct rf_model_spec *model = &c->spec->models[find_model(c->spec, j->model)];
    const struct rf_task_options *task = &c->spec->tasks[find_task(c->spec, j->task)];

    if (strcmp(model->input, "bag") != 0 || j->train.steps == 0 ||
        strcmp(task->source, "chess") == 0)
        return RF_OK;
    return refuse(
        c, "jobs", i, "model",
        "expected one whose input is 'sequence', since the corpus of task '%s' is asked for at "
        "every token, got '%s', whose input is 'bag'",
        j->task, j->model);
}

static enum rf_status check_job(const struct checker *c, int i)
{
    const struct rf_pretrain_spec *j = &c->spec->jobs[i];
    enum rf_status st = RF_OK;

    if (find_job(c->spec, j->name) != i || is_taken(c->spec, j->name))
        return refuse_twice(c, "jobs", i, "name", j->name);
    if (c->spec->base != NULL && j->submit_us != 0)
        return refuse(c, "jobs", i, "submit_s",
                      "expected nothing, since the job is submitted now, got a value");
    st = want_model(c, "jobs", i, "model", j->model);
    if (st == RF_OK && j->init[0] != '\0')
        st = want_init(c, i);
    if (st == RF_OK)
        st = want_beginning(c, i);
    if (st == RF_OK)
        st = want_freeze(c, "jobs", i, "train", &j->train, j->model);
    if (st == RF_OK)
        st = want_task(c, "jobs", i, j->task);
    if (st == RF_OK)
        st = want_one_answer(c, i);
    if (st == RF_OK)
        st = want_ranks(c, "jobs", i, j->min, j->max);
    for (int k = 0; st == RF_OK && k < j->nafter; k++)
        if (earlier_job(c->spec, i, j->after[k]) == NULL)
            st = refuse(c, "jobs", i, "after",
                        "expected names of jobs that are listed before this one, got '%s'",
                        j->after[k]);
    return st;
}

/* A start from pretraining only makes sense from a job that trains that very model. */
static enum rf_status want_start(const struct checker *c, int i, const char *key,
                                 const char *name, const char *model)
{
    const struct rf_pretrain_spec *job = earlier_job(c->spec, c->spec->njobs, name);

    if (name[0] == '\0')
        return RF_OK;
    if (job == NULL)
        return refuse(c, "experiments", i, key,
                      "expected the name of a job in 'jobs', got '%s'", name);
    if (strcmp(job->model, model) != 0)
        return refuse(c, "experiments", i, key,
                      "expected a job that trains model '%s', got '%s', which trains '%s'",
                      model, name, job->model);
    return RF_OK;
}

/* A probe asks what pretraining taught, and it learns few classes: a text has at most that many
 * labels, a chess move is one of thousands. */
static enum rf_status want_probe(const struct checker *c, int i, const char *key,
                                 const char *what)
{
    const struct rf_experiment_spec *e = &c->spec->experiments[i];

    if (e->pretrained[0] == '\0')
        return refuse(c, "experiments", i, key,
                      "expected no \"%s\", since 'pretrained' is empty: a probe reads what "
                      "pretraining has taught the strong model",
                      what);
    if (strcmp(c->spec->tasks[find_task(c->spec, e->task)].source, "chess") == 0)
        return refuse(c, "experiments", i, key,
                      "expected no \"%s\", since a probe learns at most %d classes and task "
                      "'%s' asks for chess moves",
                      what, RF_SOFT_CLASSES, e->task);
    return RF_OK;
}

/* At least one; those that read features want what a probe wants, and all but "xent" want labels
 * that are distributions. */
static enum rf_status want_methods(const struct checker *c, int i)
{
    const struct rf_experiment_spec *e = &c->spec->experiments[i];
    int chess = strcmp(c->spec->tasks[find_task(c->spec, e->task)].source, "chess") == 0;
    int any = 0;
    enum rf_status st = RF_OK;

    for (int m = 0; st == RF_OK && m < RF_NMETHODS; m++) {
        const struct rf_method_row *row = &rf_methods[m];

        if (!e->methods[m])
            continue;
        any = 1;
        if (row->opinion != RF_OPINION_NONE || row->linear)
            st = want_probe(c, i, "losses", row->name);
        else if (chess && m != RF_METHOD_XENT)
            st = refuse(
                c, "experiments", i, "losses",
                "expected \"xent\" alone, since labels of task '%s' are chess moves, got "
                "\"%s\"",
                e->task, row->name);
    }
    if (st == RF_OK && !any)
        st = refuse(c, "experiments", i, "losses", "expected at least one method, got none");
    return st;
}

/* Models that are there, and for each of them a job or none for all. */
static enum rf_status want_chain(const struct checker *c, int i)
{
    const struct rf_experiment_spec *e = &c->spec->experiments[i];
    enum rf_status st = RF_OK;

    if (e->nchain_pretrained > 0 && e->nchain_pretrained != e->nchain)
        return refuse(c, "experiments", i, "chain_pretrained",
                      "expected a job for each of the %d models of 'chain', got %d", e->nchain,
                      e->nchain_pretrained);
    for (int k = 0; st == RF_OK && k < e->nchain; k++) {
        st = want_model(c, "experiments", i, "chain", e->chain[k]);
        if (st == RF_OK && e->nchain_pretrained > 0)
            st = want_start(c, i, "chain_pretrained", e->chain_pretrained[k], e->chain[k]);
    }
    return st;
}

/* The weak model may read the same examples in another vocabulary; whether they are the same is seen when
 * both are open (job/leaks.h). */
static enum rf_status want_weak_task(const struct checker *c, int i)
{
    const struct rf_experiment_spec *e = &c->spec->experiments[i];
    int task = find_task(c->spec, e->weak_task);

    if (task < 0)
        return refuse(c, "experiments", i, "weak_task",
                      "expected the name of a task in 'tasks', got '%s'", e->weak_task);
    if (strcmp(c->spec->tasks[task].source, "text") == 0)
        return refuse(c, "experiments", i, "weak_task",
                      "expected a task with labels, got '%s', which is plain text",
                      e->weak_task);
    return RF_OK;
}

static enum rf_status check_experiment(const struct checker *c, int i)
{
    const struct rf_experiment_spec *e = &c->spec->experiments[i];
    enum rf_status st = RF_OK;

    for (int k = 0; k < i; k++)
        if (strcmp(c->spec->experiments[k].name, e->name) == 0)
            return refuse_twice(c, "experiments", i, "name", e->name);
    if (find_job(c->spec, e->name) >= 0 || is_taken(c->spec, e->name))
        return refuse_twice(c, "experiments", i, "name", e->name);
    if (c->spec->base != NULL && e->submit_us != 0)
        return refuse(c, "experiments", i, "submit_s",
                      "expected nothing, since the jobs are submitted now, got a value");
    st = want_task(c, "experiments", i, e->task);
    if (st == RF_OK && strcmp(c->spec->tasks[find_task(c->spec, e->task)].source, "text") == 0)
        st = refuse(c, "experiments", i, "task",
                    "expected a task with labels, got '%s', which is plain text", e->task);
    if (st == RF_OK && e->weak_task[0] != '\0')
        st = want_weak_task(c, i);
    if (st == RF_OK)
        st = want_steps(c, "experiments", i, "weak_train.steps", e->weak_train.steps);
    if (st == RF_OK)
        st = want_steps(c, "experiments", i, "strong_train.steps", e->strong_train.steps);
    if (st == RF_OK)
        st = want_model(c, "experiments", i, "weak", e->weak);
    if (st == RF_OK)
        st = want_model(c, "experiments", i, "strong", e->strong);
    if (st == RF_OK)
        st = want_freeze(c, "experiments", i, "weak_train", &e->weak_train, e->weak);
    if (st == RF_OK)
        st = want_freeze(c, "experiments", i, "strong_train", &e->strong_train, e->strong);
    if (st == RF_OK)
        st = want_start(c, i, "pretrained", e->pretrained, e->strong);
    if (st == RF_OK)
        st = want_start(c, i, "weak_pretrained", e->weak_pretrained, e->weak);
    if (st == RF_OK)
        st = want_methods(c, i);
    if (st == RF_OK && e->probe)
        st = want_probe(c, i, "controls", "probe");
    if (st == RF_OK)
        st = want_chain(c, i);
    if (st == RF_OK && e->easy > 0 &&
        strcmp(c->spec->tasks[find_task(c->spec, e->task)].source, "chess") != 0)
        st = refuse(c, "experiments", i, "easy",
                    "expected nothing, since the examples of task '%s' have no rating, got %g",
                    e->task, e->easy);
    if (st == RF_OK)
        st = want_ranks(c, "experiments", i, e->min, e->max);
    return st;
}

/* ---- pledges */

/* Is account the same as root, or below it? */
static int within(const char *account, const char *root)
{
    size_t n = strlen(root);

    return strncmp(account, root, n) == 0 && (account[n] == '\0' || account[n] == '.');
}

static int is_charged(const struct rf_run_spec *spec, const char *account)
{
    for (int i = 0; i < spec->njobs; i++)
        if (within(spec->jobs[i].account, account))
            return 1;
    for (int i = 0; i < spec->nexperiments; i++)
        if (within(spec->experiments[i].account, account))
            return 1;
    return 0;
}

/* A pledge of an account that nobody uses is a slip, unless jobs may still be submitted. */
static enum rf_status check_pledges(const struct checker *c)
{
    const struct rf_run_spec *spec = c->spec;
    const struct rf_config_promises promises = {.pledges = spec->pledges,
                                                .changes = spec->changes,
                                                .limits = spec->limits,
                                                .npledges = spec->npledges,
                                                .nchanges = spec->nchanges,
                                                .nlimits = spec->nlimits};
    enum rf_status st = rf_config_check_promises(&promises, c->place, c->ctx, c->err);

    for (int i = 0; st == RF_OK && spec->linger_us == 0 && i < spec->npledges; i++)
        if (!is_charged(spec, spec->pledges[i].pledge.account))
            st = refuse(c, "pledges", i, "account",
                        "expected an account that a job or experiment is charged to, got '%s'",
                        spec->pledges[i].pledge.account);
    return st;
}

enum rf_status rf_config_check(const struct rf_run_spec *spec, rf_config_place *place,
                               void *ctx, struct rf_error *err)
{
    const struct checker c = {spec, place, ctx, err};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < spec->nmodels; i++)
        st = check_model(&c, i);
    for (int i = 0; st == RF_OK && i < spec->ntasks; i++)
        st = check_task(&c, i);
    if (st == RF_OK && spec->njobs == 0 && spec->nexperiments == 0 && spec->linger_us == 0)
        st = rf_config_refuse(place, ctx, "jobs", err,
                              "expected at least one job or experiment, got none");
    for (int i = 0; st == RF_OK && i < spec->njobs; i++)
        st = check_job(&c, i);
    for (int i = 0; st == RF_OK && i < spec->nexperiments; i++)
        st = check_experiment(&c, i);
    if (st == RF_OK)
        st = check_pledges(&c);
    return st;
}
