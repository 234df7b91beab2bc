#include <stdlib.h>
#include <string.h>

#include "config/schema_promise.h"

#include "job/spec.h"

#define AT RF_KEY_AT
#define ROOM RF_KEY_ROOM

#define RF_SOURCES "chess-rules chess tsv jsonl pairs digits text"

static const struct rf_key run_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_run_spec, name), .required = 1},
    {.key = "seed",
     .kind = RF_KEY_LONG,
     AT(rf_run_spec, seed),
     .min = 0,
     .max = 9e15,
     .number = 1},
    {.key = "out", .kind = RF_KEY_TEXT, ROOM(rf_run_spec, out), .text = "runs"},
    {.key = "checkpoints",
     .kind = RF_KEY_TEXT,
     ROOM(rf_run_spec, checkpoints),
     .text = "checkpoints"},
    {.key = "cache", .kind = RF_KEY_TEXT, ROOM(rf_run_spec, cache), .text = ""},
    {.key = "key", .kind = RF_KEY_PATH, ROOM(rf_run_spec, key), .text = ""},
    {.key = "anchor", .kind = RF_KEY_TEXT, ROOM(rf_run_spec, anchor), .text = ""},
    {.key = "anchor_slurm", .kind = RF_KEY_FLAG, AT(rf_run_spec, anchor_slurm)},
    {.key = "new_accounts", .kind = RF_KEY_FLAG, AT(rf_run_spec, new_accounts)},
    {.key = "linger_s", .kind = RF_KEY_SECONDS, AT(rf_run_spec, linger_us), .max = 1e9},
    {0}};

static const struct rf_key policy_keys[] = {RF_POLICY_ROWS(rf_run_spec),
                                            RF_COST_ROWS(rf_run_spec, 1, 0, 0, 0),
                                            {.key = "lease_s",
                                             .kind = RF_KEY_SECONDS,
                                             AT(rf_run_spec, lease_us),
                                             .min = 0.01,
                                             .max = 86400,
                                             .number = 0.5},
                                            {.key = "lease_silence",
                                             .kind = RF_KEY_INT,
                                             AT(rf_run_spec, lease_silence),
                                             .min = 1,
                                             .max = 1e6,
                                             .number = 20},
                                            {.key = "peak_flops",
                                             .kind = RF_KEY_NUMBER,
                                             AT(rf_run_spec, peak_flops),
                                             .min = 0,
                                             .max = 1e18},
                                            {.key = "seal_s",
                                             .kind = RF_KEY_SECONDS,
                                             AT(rf_run_spec, seal_us),
                                             .min = 0.01,
                                             .max = 86400,
                                             .number = 10},
                                            {.key = "heartbeat_s",
                                             .kind = RF_KEY_SECONDS,
                                             AT(rf_run_spec, heartbeat_us),
                                             .min = 0.01,
                                             .max = 86400,
                                             .number = 30},
                                            {0}};

static const struct rf_key model_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_model_spec, name), .required = 1},
    {.key = "family",
     .kind = RF_KEY_TEXT,
     ROOM(rf_model_spec, family),
     .words = "gpt2 llama",
     .text = "gpt2"},
    {.key = "input",
     .kind = RF_KEY_TEXT,
     ROOM(rf_model_spec, input),
     .words = "sequence bag",
     .text = "sequence"},
    {.key = "layers",
     .kind = RF_KEY_INT,
     AT(rf_model_spec, layers),
     .min = 1,
     .max = 512,
     .required = 1},
    {.key = "heads",
     .kind = RF_KEY_INT,
     AT(rf_model_spec, heads),
     .min = 1,
     .max = 1024,
     .required = 1},
    {.key = "width",
     .kind = RF_KEY_INT,
     AT(rf_model_spec, width),
     .min = 1,
     .max = 65536,
     .required = 1},
    /* 0 stands for the family's habit until the whole file is read, and for heads */
    {.key = "hidden", .kind = RF_KEY_INT, AT(rf_model_spec, hidden), .min = 1, .max = 262144},
    {.key = "kv_heads", .kind = RF_KEY_INT, AT(rf_model_spec, kv_heads), .min = 1, .max = 1024},
    {.key = "context", .kind = RF_KEY_INT, AT(rf_model_spec, context), .max = 1 << 20},
    {.key = "vocabulary", .kind = RF_KEY_INT, AT(rf_model_spec, vocabulary), .max = 1 << 24},
    {.key = "untied", .kind = RF_KEY_FLAG, AT(rf_model_spec, untied), .number = 0},
    {.key = "rope_theta",
     .kind = RF_KEY_NUMBER,
     AT(rf_model_spec, rope_theta),
     .min = 1,
     .max = 1e9,
     .number = 10000},
    {.key = "norm_eps",
     .kind = RF_KEY_NUMBER,
     AT(rf_model_spec, norm_eps),
     .min = 1e-12,
     .max = 1,
     .number = 1e-5},
    {0}};

_Static_assert((int)RF_ANSWER_BYTES == (int)RF_NAME_BYTES, "arrays of texts are of this size");

#define FIELD(name)                                                                            \
    {                                                                                          \
        .key = #name, .kind = RF_KEY_TEXT, ROOM(rf_task_fields, name), .text = #name           \
    }

static const struct rf_key field_keys[] = {
    FIELD(split),
    FIELD(label),
    FIELD(text),
    {.key = "second", .kind = RF_KEY_TEXT, ROOM(rf_task_fields, second), .text = ""},
    FIELD(prompt),
    FIELD(chosen),
    FIELD(rejected),
    {0}};

/* What a task is, in the list of tasks and where it stands alone. */
#define TASK_ROWS                                                                              \
    {.key = "path", .kind = RF_KEY_PATH, ROOM(rf_task_options, path), .text = ""},             \
        {.key = "test_path",                                                                   \
         .kind = RF_KEY_PATH,                                                                  \
         ROOM(rf_task_options, test_path),                                                     \
         .text = ""},                                                                          \
        {.key = "extra_path",                                                                  \
         .kind = RF_KEY_PATH,                                                                  \
         ROOM(rf_task_options, extra_path),                                                    \
         .text = ""},                                                                          \
        {.key = "corpus", .kind = RF_KEY_PATH, ROOM(rf_task_options, corpus), .text = ""},     \
        {.key = "rule", .kind = RF_KEY_TEXT, ROOM(rf_task_options, rule), .text = ""},         \
        {.key = "tokenizer",                                                                   \
         .kind = RF_KEY_TEXT,                                                                  \
         ROOM(rf_task_options, tokenizer),                                                     \
         .text = ""},                                                                          \
        {.key = "tokenizer_path",                                                              \
         .kind = RF_KEY_PATH,                                                                  \
         ROOM(rf_task_options, tokenizer_path),                                                \
         .text = ""},                                                                          \
        {.key = "answers",                                                                     \
         .kind = RF_KEY_TEXTS,                                                                 \
         AT(rf_task_options, answers),                                                         \
         .size = RF_ANSWERS_MAX,                                                               \
         .count_offset = offsetof(struct rf_task_options, nanswers)},                          \
        {.key = "question", .kind = RF_KEY_TEXT, ROOM(rf_task_options, question), .text = ""}, \
        {.key = "preference",                                                                  \
         .kind = RF_KEY_TEXT,                                                                  \
         ROOM(rf_task_options, preference),                                                    \
         .text = ""},                                                                          \
        {.key = "documents",                                                                   \
         .kind = RF_KEY_TEXT,                                                                  \
         ROOM(rf_task_options, documents),                                                     \
         .text = ""},                                                                          \
        {.key = "fields",                                                                      \
         .kind = RF_KEY_GROUP,                                                                 \
         AT(rf_task_options, fields),                                                          \
         .group = field_keys},                                                                 \
        {.key = "vocabulary",                                                                  \
         .kind = RF_KEY_INT,                                                                   \
         AT(rf_task_options, vocabulary),                                                      \
         .max = 1 << 20},                                                                      \
        {.key = "context", .kind = RF_KEY_INT, AT(rf_task_options, context), .max = 1 << 20},  \
        {.key = "train", .kind = RF_KEY_INT, AT(rf_task_options, train), .max = 1e8},          \
        {.key = "validation",                                                                  \
         .kind = RF_KEY_INT,                                                                   \
         AT(rf_task_options, validation),                                                      \
         .max = 1e8},                                                                          \
        {.key = "test", .kind = RF_KEY_INT, AT(rf_task_options, test), .max = 1e8},            \
        {.key = "learn_rest", .kind = RF_KEY_FLAG, AT(rf_task_options, learn_rest)},           \
        {.key = "corpus_size",                                                                 \
         .kind = RF_KEY_INT,                                                                   \
         AT(rf_task_options, corpus_size),                                                     \
         .max = 1e8},                                                                          \
        {.key = "positive", .kind = RF_KEY_TEXT, ROOM(rf_task_options, positive), .text = ""}, \
        {.key = "balance",                                                                     \
         .kind = RF_KEY_TEXT,                                                                  \
         ROOM(rf_task_options, balance),                                                       \
         .words = "auto always never",                                                         \
         .text = "auto"},                                                                      \
        {.key = "duplicates",                                                                  \
         .kind = RF_KEY_TEXT,                                                                  \
         ROOM(rf_task_options, duplicates),                                                    \
         .words = "refuse drop",                                                               \
         .text = "refuse"},                                                                    \
        {.key = "family", .kind = RF_KEY_NAME, ROOM(rf_task_options, family), .text = ""},     \
    {                                                                                          \
        .key = "family_overlap", .kind = RF_KEY_FLAG, AT(rf_task_options, overlap)             \
    }

static const struct rf_key task_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_task_options, name), .required = 1},
    {.key = "source",
     .kind = RF_KEY_TEXT,
     ROOM(rf_task_options, source),
     .words = RF_SOURCES,
     .required = 1},
    TASK_ROWS,
    {0}};

/* The group `task`: the one task of a configuration that is made for any file. */
static const struct rf_key single_task_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_task_options, name), .text = "task"},
    {.key = "format",
     .kind = RF_KEY_TEXT,
     ROOM(rf_task_options, source),
     .words = RF_SOURCES,
     .text = "tsv"},
    TASK_ROWS,
    {0}};

static const struct rf_key train_keys[] = {
    {.key = "steps", .kind = RF_KEY_INT, AT(rf_train_spec, steps), .max = 1e8, .required = 1},
    {.key = "batch",
     .kind = RF_KEY_INT,
     AT(rf_train_spec, batch),
     .min = 1,
     .max = 65536,
     .number = 32},
    {.key = "readout",
     .kind = RF_KEY_TEXT,
     ROOM(rf_train_spec, readout),
     .words = "last mean",
     .text = "last"},
    {.key = "token_dropout",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, token_dropout),
     .max = 0.9},
    {.key = "examples", .kind = RF_KEY_INT, AT(rf_train_spec, examples), .max = 1e8},
    {.key = "tensor", .kind = RF_KEY_INT, AT(rf_train_spec, tensor), .max = 1000000},
    {.key = "micro_batch", .kind = RF_KEY_INT, AT(rf_train_spec, micro_batch), .max = 65536},
    {.key = "lr",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, lr),
     .min = 1e-12,
     .max = 10,
     .number = 1e-3},
    {.key = "layer_lr",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, layer_lr),
     .min = 1e-6,
     .max = 1000,
     .number = 1},
    {.key = "min_lr_ratio",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, min_lr_ratio),
     .max = 1,
     .number = 0.1},
    {.key = "warmup",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, warmup),
     .max = 1,
     .number = 0.05},
    {.key = "weight_decay",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, weight_decay),
     .max = 10,
     .number = 0.1},
    {.key = "clip", .kind = RF_KEY_NUMBER, AT(rf_train_spec, clip), .max = 1e6, .number = 1},
    {.key = "beta1",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, beta1),
     .max = 0.999999,
     .number = 0.9},
    {.key = "beta2",
     .kind = RF_KEY_NUMBER,
     AT(rf_train_spec, beta2),
     .max = 0.999999,
     .number = 0.95},
    {.key = "bf16", .kind = RF_KEY_FLAG, AT(rf_train_spec, bf16), .number = 0},
    {.key = "exchange_bf16",
     .kind = RF_KEY_FLAG,
     AT(rf_train_spec, exchange_bf16),
     .number = 0},
    {.key = "recompute", .kind = RF_KEY_FLAG, AT(rf_train_spec, recompute), .number = 0},
    {.key = "max_skipped",
     .kind = RF_KEY_INT,
     AT(rf_train_spec, max_skipped),
     .min = 1,
     .max = 1e8,
     .number = 10},
    {.key = "eval_every", .kind = RF_KEY_INT, AT(rf_train_spec, eval_every), .max = 1e8},
    {.key = "freeze_layers", .kind = RF_KEY_INT, AT(rf_train_spec, freeze_layers), .max = 1000},
    {.key = "checkpoint_every",
     .kind = RF_KEY_INT,
     AT(rf_train_spec, checkpoint_every),
     .max = 1e8},
    {.key = "checkpoint_keep",
     .kind = RF_KEY_INT,
     AT(rf_train_spec, checkpoint_keep),
     .max = 1e6,
     .number = 2},
    {.key = "checkpoint_keep_every",
     .kind = RF_KEY_INT,
     AT(rf_train_spec, checkpoint_keep_every),
     .max = 1e8},
    {.key = "checkpoint_background",
     .kind = RF_KEY_FLAG,
     AT(rf_train_spec, checkpoint_background),
     .number = 1},
    {.key = "checkpoint_bf16_moments",
     .kind = RF_KEY_FLAG,
     AT(rf_train_spec, checkpoint_bf16),
     .number = 0},
    {.key = "checkpoint_share",
     .kind = RF_KEY_FLAG,
     AT(rf_train_spec, checkpoint_share),
     .number = 1},
    {0}};

/* What jobs and the jobs of experiments have alike. */
#define BOUNDS(type)                                                                           \
    {.key = "limit_s",                                                                         \
     .kind = RF_KEY_SECONDS,                                                                   \
     AT(type, bounds.limit_us),                                                                \
     .max = RF_LONGEST_S},                                                                     \
        {.key = "priority",                                                                    \
         .kind = RF_KEY_INT,                                                                   \
         AT(type, bounds.priority),                                                            \
         .min = -1000,                                                                         \
         .max = 1000},                                                                         \
        {.key = "deadline_s",                                                                  \
         .kind = RF_KEY_SECONDS,                                                               \
         AT(type, bounds.deadline_us),                                                         \
         .max = RF_LONGEST_S},                                                                 \
        {.key = "max_device_s",                                                                \
         .kind = RF_KEY_SECONDS,                                                               \
         AT(type, bounds.max_device_us),                                                       \
         .max = 1e12},                                                                         \
        {.key = "max_flops", .kind = RF_KEY_NUMBER, AT(type, bounds.max_flops), .max = 9e18},  \
        {.key = "retries", .kind = RF_KEY_INT, AT(type, bounds.retries), .max = 1000},         \
    {                                                                                          \
        .key = "backoff_s", .kind = RF_KEY_SECONDS, AT(type, bounds.backoff_us), .max = 86400, \
        .number = 1                                                                            \
    }

static const struct rf_key job_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_pretrain_spec, name), .required = 1},
    {.key = "account", .kind = RF_KEY_ACCOUNT, ROOM(rf_pretrain_spec, account), .required = 1},
    {.key = "model", .kind = RF_KEY_NAME, ROOM(rf_pretrain_spec, model), .required = 1},
    {.key = "task", .kind = RF_KEY_NAME, ROOM(rf_pretrain_spec, task), .required = 1},
    {.key = "train",
     .kind = RF_KEY_GROUP,
     AT(rf_pretrain_spec, train),
     .group = train_keys,
     .required = 1},
    {.key = "min",
     .kind = RF_KEY_INT,
     AT(rf_pretrain_spec, min),
     .min = 1,
     .max = 1e6,
     .number = 1},
    /* 0 stands for min until the whole file is read */
    {.key = "max", .kind = RF_KEY_INT, AT(rf_pretrain_spec, max), .min = 1, .max = 1e6},
    {.key = "submit_s", .kind = RF_KEY_SECONDS, AT(rf_pretrain_spec, submit_us), .max = 1e9},
    BOUNDS(rf_pretrain_spec),
    {.key = "init", .kind = RF_KEY_NAME, ROOM(rf_pretrain_spec, init), .text = ""},
    {.key = "from", .kind = RF_KEY_PATH, ROOM(rf_pretrain_spec, from), .text = ""},
    {.key = "text",
     .kind = RF_KEY_TEXT,
     ROOM(rf_pretrain_spec, text),
     .words = "all task further",
     .text = "all"},
    {.key = "embeddings",
     .kind = RF_KEY_TEXT,
     ROOM(rf_pretrain_spec, embeddings),
     .words = "random ppmi",
     .text = "random"},
    {.key = "after",
     .kind = RF_KEY_NAMES,
     AT(rf_pretrain_spec, after),
     .size = RF_AFTER_MAX,
     .count_offset = offsetof(struct rf_pretrain_spec, nafter)},
    {0}};

#define METHOD(k) offsetof(struct rf_experiment_spec, methods[k])
static const size_t method_offsets[RF_NMETHODS] = {METHOD(0), METHOD(1), METHOD(2), METHOD(3),
                                                   METHOD(4), METHOD(5), METHOD(6), METHOD(7),
                                                   METHOD(8), METHOD(9), METHOD(10)};
static const size_t control_offsets[] = {
    offsetof(struct rf_experiment_spec, same_size),
    offsetof(struct rf_experiment_spec, strong_on_weak_half),
    offsetof(struct rf_experiment_spec, probe), offsetof(struct rf_experiment_spec, noise)};

static const struct rf_key experiment_keys[] = {
    {.key = "name", .kind = RF_KEY_NAME, ROOM(rf_experiment_spec, name), .required = 1},
    {.key = "account",
     .kind = RF_KEY_ACCOUNT,
     ROOM(rf_experiment_spec, account),
     .required = 1},
    {.key = "task", .kind = RF_KEY_NAME, ROOM(rf_experiment_spec, task), .required = 1},
    {.key = "weak_task", .kind = RF_KEY_NAME, ROOM(rf_experiment_spec, weak_task), .text = ""},
    {.key = "weak", .kind = RF_KEY_NAME, ROOM(rf_experiment_spec, weak), .required = 1},
    {.key = "strong", .kind = RF_KEY_NAME, ROOM(rf_experiment_spec, strong), .required = 1},
    {.key = "pretrained",
     .kind = RF_KEY_NAME,
     ROOM(rf_experiment_spec, pretrained),
     .text = ""},
    {.key = "weak_pretrained",
     .kind = RF_KEY_NAME,
     ROOM(rf_experiment_spec, weak_pretrained),
     .text = ""},
    {.key = "weak_train",
     .kind = RF_KEY_GROUP,
     AT(rf_experiment_spec, weak_train),
     .group = train_keys,
     .required = 1},
    {.key = "strong_train",
     .kind = RF_KEY_GROUP,
     AT(rf_experiment_spec, strong_train),
     .group = train_keys,
     .required = 1},
    {.key = "losses",
     .kind = RF_KEY_WORDS,
     .words = RF_METHOD_WORDS,
     .word_offsets = method_offsets,
     .text = "xent confidence"},
    {.key = "confidence_alpha",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.alpha),
     .max = 1,
     .number = 0.5},
    {.key = "confidence_warmup",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.warmup),
     .max = 1,
     .number = 0.2},
    {.key = "product_student",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.product_student),
     .max = 10,
     .number = 1},
    {.key = "product_weak",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.product_weak),
     .max = 10,
     .number = 1},
    {.key = "window",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.window),
     .max = 0.5,
     .number = 0.15},
    {.key = "filter",
     .kind = RF_KEY_NUMBER,
     AT(rf_experiment_spec, options.filter),
     .max = 0.9,
     .number = 0.1},
    {.key = "neighbours",
     .kind = RF_KEY_INT,
     AT(rf_experiment_spec, options.neighbours),
     .min = 1,
     .max = 10000,
     .number = 50},
    {.key = "stop_checks",
     .kind = RF_KEY_INT,
     AT(rf_experiment_spec, stop_checks),
     .max = 1000},
    {.key = "chain",
     .kind = RF_KEY_NAMES,
     AT(rf_experiment_spec, chain),
     .size = RF_CHAIN_MAX,
     .count_offset = offsetof(struct rf_experiment_spec, nchain)},
    {.key = "chain_pretrained",
     .kind = RF_KEY_NAMES,
     AT(rf_experiment_spec, chain_pretrained),
     .size = RF_CHAIN_MAX,
     .count_offset = offsetof(struct rf_experiment_spec, nchain_pretrained)},
    {.key = "easy", .kind = RF_KEY_NUMBER, AT(rf_experiment_spec, easy), .max = 1e6},
    {.key = "controls",
     .kind = RF_KEY_WORDS,
     .words = "same-size strong-on-weak-half probe noise",
     .word_offsets = control_offsets,
     .text = ""},
    {.key = "seeds",
     .kind = RF_KEY_INT,
     AT(rf_experiment_spec, seeds),
     .min = 1,
     .max = 99,
     .number = 1},
    {.key = "bootstrap",
     .kind = RF_KEY_INT,
     AT(rf_experiment_spec, bootstrap),
     .min = 100,
     .max = 1e6,
     .number = 10000},
    {.key = "min",
     .kind = RF_KEY_INT,
     AT(rf_experiment_spec, min),
     .min = 1,
     .max = 1e6,
     .number = 1},
    /* 0 stands for min until the whole file is read */
    {.key = "max", .kind = RF_KEY_INT, AT(rf_experiment_spec, max), .min = 1, .max = 1e6},
    {.key = "submit_s", .kind = RF_KEY_SECONDS, AT(rf_experiment_spec, submit_us), .max = 1e9},
    BOUNDS(rf_experiment_spec),
    {0}};

static const size_t alone_offset[] = {offsetof(struct rf_task_options, alone)};

/* What there is to run: the last sections of a run, and all of a submission. */
#define WORK                                                                                   \
    {.key = "models", RF_KEY_LIST_OF(rf_run_spec, models), .group = model_keys, .max = 1000},  \
        {.key = "tasks", RF_KEY_LIST_OF(rf_run_spec, tasks), .group = task_keys, .max = 1000}, \
        {.key = "task",                                                                        \
         .kind = RF_KEY_MEMBER,                                                                \
         .offset = offsetof(struct rf_run_spec, tasks),                                        \
         .count_offset = offsetof(struct rf_run_spec, ntasks),                                 \
         .size = sizeof(struct rf_task_options),                                               \
         .word_offsets = alone_offset,                                                         \
         .group = single_task_keys},                                                           \
        {.key = "jobs", RF_KEY_LIST_OF(rf_run_spec, jobs), .group = job_keys, .max = 10000},   \
    {                                                                                          \
        .key = "experiments", RF_KEY_LIST_OF(rf_run_spec, experiments),                        \
        .group = experiment_keys, .max = 1000                                                  \
    }

static const struct rf_key sections[] = {
    {.key = "run", .kind = RF_KEY_GROUP, .group = run_keys},
    {.key = "policy", .kind = RF_KEY_GROUP, .group = policy_keys},
    {.key = "pledges",
     RF_KEY_LIST_OF(rf_run_spec, pledges),
     .group = rf_pledge_keys,
     .max = 256},
    {.key = "changes",
     RF_KEY_LIST_OF(rf_run_spec, changes),
     .group = rf_change_keys,
     .max = 1000},
    {.key = "limits", RF_KEY_LIST_OF(rf_run_spec, limits), .group = rf_limit_keys, .max = 1000},
    WORK,
    {0}};

static enum rf_status finish(void *target, rf_config_place *place, void *ctx,
                             struct rf_error *err)
{
    rf_config_derive(target);
    return rf_config_check(target, place, ctx, err);
}

static void clear(void *target)
{
    rf_run_spec_clear(target);
}

const struct rf_schema rf_config_run = {
    .sections = sections, .size = sizeof(struct rf_run_spec), .finish = finish, .clear = clear};

/* ---- submissions */

static const struct rf_key submission_sections[] = {WORK, {0}};

/* Appends what is not there under its name. */
static enum rf_status inherit(struct rf_run_spec *spec, const struct rf_run_spec *base,
                              struct rf_error *err)
{
    size_t nmodels = (size_t)(spec->nmodels + base->nmodels) + 1;
    size_t ntasks = (size_t)(spec->ntasks + base->ntasks) + 1;
    struct rf_model_spec *models = realloc(spec->models, nmodels * sizeof *models);
    struct rf_task_options *tasks;

    spec->models = models != NULL ? models : spec->models;
    tasks = realloc(spec->tasks, ntasks * sizeof *tasks);
    spec->tasks = tasks != NULL ? tasks : spec->tasks;
    if (models == NULL || tasks == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    for (int i = 0; i < base->nmodels; i++)
        models[spec->nmodels++] = base->models[i];
    for (int i = 0; i < base->ntasks; i++)
        tasks[spec->ntasks++] = base->tasks[i];
    return RF_OK;
}

static enum rf_status finish_submission(void *target, rf_config_place *place, void *ctx,
                                        struct rf_error *err)
{
    struct rf_submission *submission = target;
    struct rf_run_spec *spec = &submission->spec;
    enum rf_status st;

    spec->base = submission->base;
    spec->seed = spec->base->seed;
    spec->nown_models = spec->nmodels;
    spec->nown_tasks = spec->ntasks;
    memcpy(spec->name, spec->base->name, sizeof spec->name);
    rf_config_derive(spec);
    st = inherit(spec, spec->base, err);
    return st == RF_OK ? rf_config_check(spec, place, ctx, err) : st;
}

const struct rf_schema rf_config_submission = {.sections = submission_sections,
                                               .size = sizeof(struct rf_run_spec),
                                               .finish = finish_submission,
                                               .clear = clear};
