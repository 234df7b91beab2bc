#include "data/ppmi.h"
#include "data/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/source.h"

enum { SOFT_CLASSES_MAX = 16 };

typedef enum rf_status fill_task(struct rf_task *task, const struct rf_task_options *options,
                                 uint64_t seed, struct rf_error *err);

static const struct {
    const char *source;
    fill_task *fill;
} sources[] = {{"chess-rules", rf_source_rules}, {"chess", rf_source_chess},
               {"tsv", rf_source_texts},         {"jsonl", rf_source_texts},
               {"pairs", rf_source_texts},       {"digits", rf_source_digits},
               {"text", rf_source_text}};
enum { NSOURCES = sizeof sources / sizeof *sources };

/* Lists the corpus by where its sequences come from. */
static enum rf_status sort_corpus(struct rf_task *task, struct rf_error *err)
{
    for (int k = 0; k < 2; k++) {
        task->of[k] = malloc(((size_t)task->corpus.n + 1) * sizeof *task->of[k]);
        if (task->of[k] == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for a corpus of %d",
                           task->corpus.n);
    }
    for (int i = 0; i < task->corpus.n; i++) {
        int k = task->corpus.label[i] == 1;

        task->of[k][task->nof[k]++] = i;
    }
    return RF_OK;
}

enum rf_status rf_task_open(struct rf_task **task, const struct rf_task_options *options,
                            uint64_t seed, struct rf_error *err)
{
    struct rf_task *made;
    int at = 0;
    enum rf_status st;

    *task = NULL;
    while (at < NSOURCES && strcmp(sources[at].source, options->source) != 0)
        at++;
    if (at == NSOURCES)
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': unknown source '%s'; there are chess-rules, chess, tsv, "
                       "jsonl, pairs, digits and text",
                       options->name, options->source);
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for task '%s'", options->name);
    st = sources[at].fill(made, options, seed, err);
    if (st != RF_OK) {
        rf_task_close(made);
        return st;
    }
    for (int i = 0; i < made->corpus.n; i++)
        made->info.corpus_tokens += made->corpus.start[i + 1] - made->corpus.start[i] - 1;
    made->info.corpus_tokens += made->stream.n;
    st = sort_corpus(made, err);
    if (st != RF_OK) {
        rf_task_close(made);
        return st;
    }
    *task = made;
    return RF_OK;
}

void rf_task_close(struct rf_task *task)
{
    if (task == NULL)
        return;
    for (int s = 0; s < RF_NSPLITS; s++) {
        free(task->split[s].tokens);
        free(task->split[s].start);
        free(task->split[s].label);
        free(task->split[s].rating);
    }
    rf_samples_clear(&task->corpus);
    free(task->stream.tokens);
    free(task->held.tokens);
    rf_keys_clear(&task->tested);
    rf_keys_clear(&task->learned);
    free(task->parts);
    free(task->of[0]);
    free(task->of[1]);
    free(task);
}

const struct rf_task_info *rf_task_info(const struct rf_task *task)
{
    return &task->info;
}

const struct rf_examples *rf_task_split(const struct rf_task *task, enum rf_split split)
{
    return &task->split[split];
}

int64_t rf_task_overlap(const struct rf_task *learned, const struct rf_task *tested)
{
    int64_t n = 0;

    for (size_t i = 0; i < tested->tested.nslots; i++) {
        uint64_t key = tested->tested.slot[i];

        n += key != 0 && rf_keys_has(&learned->learned, key);
    }
    return n;
}

void rf_batch_memory_free(struct rf_batch_memory *memory)
{
    free(memory->tokens);
    free(memory->rows);
    free(memory->target);
    free(memory->soft);
    free(memory->weight);
    memset(memory, 0, sizeof *memory);
}

/* Room for ntokens tokens, nrows rows and nsoft soft labels; tokens are zeroed, as padding. */
static enum rf_status make_room(struct rf_batch_memory *memory, int ntokens, int nrows,
                                int64_t nsoft, struct rf_error *err)
{
    if (ntokens > memory->room_tokens) {
        free(memory->tokens);
        memory->tokens = malloc((size_t)ntokens * sizeof *memory->tokens);
        memory->room_tokens = memory->tokens != NULL ? ntokens : 0;
    }
    if (nrows > memory->room_rows) {
        free(memory->rows);
        free(memory->target);
        free(memory->weight);
        memory->rows = malloc((size_t)nrows * sizeof *memory->rows);
        memory->target = malloc((size_t)nrows * sizeof *memory->target);
        memory->weight = malloc((size_t)nrows * sizeof *memory->weight);
        memory->room_rows =
            memory->rows != NULL && memory->target != NULL && memory->weight != NULL ? nrows
                                                                                     : 0;
    }
    if (nsoft > memory->room_soft) {
        free(memory->soft);
        memory->soft = malloc((size_t)nsoft * sizeof *memory->soft);
        memory->room_soft = memory->soft != NULL ? nsoft : 0;
    }
    if (ntokens > memory->room_tokens || nrows > memory->room_rows || nsoft > memory->room_soft)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a batch of %d tokens", ntokens);
    memset(memory->tokens, 0, (size_t)ntokens * sizeof *memory->tokens);
    return RF_OK;
}

/* Copies a sequence's inputs to row b and lists the positions where it is asked; returns the
 * new number of rows. */
static int add_sequence(const struct rf_task *task, struct rf_batch_memory *memory, int b,
                        int T, const int32_t *sequence, int ninputs, int nrows)
{
    memcpy(memory->tokens + (size_t)b * (size_t)T, sequence,
           (size_t)ninputs * sizeof *sequence);
    for (int t = 0; t < ninputs; t++) {
        int32_t next = sequence[t + 1] - task->corpus_begin;

        if (next < 0 || next >= task->corpus_count)
            continue;
        memory->rows[nrows] = b * T + t;
        memory->target[nrows++] = next;
    }
    return nrows;
}

/* B rows of context tokens, the b-th from tokens[from[b]] on, all asked for the token behind. */
static enum rf_status stream_batch(const struct rf_task *task, const struct rf_stream *stream,
                                   const int64_t *from, int B, struct rf_batch_memory *memory,
                                   struct rf_batch *batch, struct rf_error *err)
{
    int T = task->info.context;
    enum rf_status st = make_room(memory, B * T, B * T, 0, err);

    if (st != RF_OK)
        return st;
    for (int b = 0; b < B; b++) {
        memcpy(memory->tokens + (size_t)b * (size_t)T, stream->tokens + from[b],
               (size_t)T * sizeof *memory->tokens);
        memcpy(memory->target + (size_t)b * (size_t)T, stream->tokens + from[b] + 1,
               (size_t)T * sizeof *memory->target);
    }
    for (int i = 0; i < B * T; i++)
        memory->rows[i] = i;
    *batch = (struct rf_batch){.B = B,
                               .T = T,
                               .tokens = memory->tokens,
                               .R = B * T,
                               .rows = memory->rows,
                               .document = task->document,
                               .range_count = task->info.vocabulary,
                               .target = memory->target};
    return RF_OK;
}

/* Each pass over the text begins at an offset of its own, so that rows are cut elsewhere, and takes
 * them in an order of its own. */
static enum rf_status text_batch(const struct rf_task *task, uint64_t seed, int64_t step, int B,
                                 struct rf_batch_memory *memory, struct rf_batch *batch,
                                 struct rf_error *err)
{
    int64_t T = task->info.context, rows = (task->stream.n - T) / T;
    int32_t *index = malloc((size_t)B * sizeof *index);
    int64_t *from = malloc((size_t)B * sizeof *from);
    enum rf_status st = RF_OK;

    if (index == NULL || from == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a batch of %d", B);
    if (st == RF_OK) {
        rf_task_order(rf_rng_stream("corpus", seed), step, B, (int)rows, index);
        for (int b = 0; b < B; b++) {
            uint64_t pass = (uint64_t)((step * B + b) / rows);
            int64_t offset =
                (int64_t)rf_rng_below(seed, rf_rng_stream("offset", 0), pass, (uint64_t)T);

            from[b] = index[b] * T + offset;
        }
        st = stream_batch(task, &task->stream, from, B, memory, batch, err);
    }
    free(index);
    free(from);
    return st;
}

int rf_task_held_rows(const struct rf_task *task)
{
    return task->held.n > 0 ? (int)((task->held.n - 1) / task->info.context) : 0;
}

enum rf_status rf_task_held_batch(const struct rf_task *task, int first, int B,
                                  struct rf_batch_memory *memory, struct rf_batch *batch,
                                  struct rf_error *err)
{
    int64_t *from = malloc((size_t)B * sizeof *from);
    enum rf_status st;

    if (from == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a batch of %d", B);
    for (int b = 0; b < B; b++)
        from[b] = (int64_t)(first + b) * task->info.context;
    st = stream_batch(task, &task->held, from, B, memory, batch, err);
    free(from);
    return st;
}

enum rf_status rf_task_corpus_batch(const struct rf_task *task, uint64_t seed, int64_t step,
                                    int further, int B, struct rf_batch_memory *memory,
                                    struct rf_batch *batch, struct rf_error *err)
{
    const struct rf_samples *corpus = &task->corpus;
    int n = further < 0 ? corpus->n : task->nof[further], T = 1, nrows = 0;
    int32_t *index;
    enum rf_status st;

    if (task->stream.n > 0 && further <= 0)
        return text_batch(task, seed, step, B, memory, batch, err);
    if (n == 0)
        return rf_fail(err, RF_ERR_CONFIG, "this task has no %s to pretrain on",
                       further > 0 ? "further text" : "corpus");
    index = malloc((size_t)B * sizeof *index);
    if (index == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a batch of %d", B);
    rf_task_order(rf_rng_stream("corpus", seed), step, B, n, index);
    for (int b = 0; further >= 0 && b < B; b++)
        index[b] = task->of[further][index[b]];
    for (int b = 0; b < B; b++) {
        int inputs = (int)(corpus->start[index[b] + 1] - corpus->start[index[b]]) - 1;

        T = inputs > T ? inputs : T;
    }
    st = make_room(memory, B * T, B * T, 0, err);
    for (int b = 0; st == RF_OK && b < B; b++) {
        int64_t from = corpus->start[index[b]];
        int inputs = (int)(corpus->start[index[b] + 1] - from) - 1;

        nrows = add_sequence(task, memory, b, T, corpus->tokens + from, inputs, nrows);
    }
    free(index);
    if (st == RF_OK)
        *batch = (struct rf_batch){.B = B,
                                   .T = T,
                                   .tokens = memory->tokens,
                                   .R = nrows,
                                   .rows = memory->rows,
                                   .range_begin = task->corpus_begin,
                                   .range_count = task->corpus_count,
                                   .target = memory->target};
    return st;
}

/* Counts what a pretraining batch would be drawn from. */
static enum rf_status count_corpus(const struct rf_task *task, int further,
                                   struct rf_ppmi *ppmi, struct rf_error *err)
{
    const struct rf_samples *corpus = &task->corpus;
    int n = further < 0 ? corpus->n : task->nof[further];
    enum rf_status st = RF_OK;

    if (task->stream.n > 0 && further <= 0)
        return rf_ppmi_add(ppmi, task->stream.tokens, task->stream.n, err);
    for (int k = 0; st == RF_OK && k < n; k++) {
        int i = further < 0 ? k : task->of[further][k];

        st = rf_ppmi_add(ppmi, corpus->tokens + corpus->start[i],
                         corpus->start[i + 1] - corpus->start[i], err);
    }
    return st;
}

enum rf_status rf_task_token_vectors(const struct rf_task *task, int further, int width,
                                     uint64_t seed, float *vectors, struct rf_error *err)
{
    struct rf_ppmi *ppmi;
    enum rf_status st = rf_ppmi_create(&ppmi, task->info.vocabulary, err);

    if (st == RF_OK)
        st = count_corpus(task, further, ppmi, err);
    if (st == RF_OK)
        st = rf_ppmi_vectors(ppmi, width, seed, vectors, err);
    rf_ppmi_destroy(ppmi);
    return st;
}

/* Sequence k of an example: where it begins, and how many tokens it has. Of two, the length of the
 * first stands before them. */
static const int32_t *sequence_of(const struct rf_task *task,
                                  const struct rf_examples *examples, int32_t i, int k,
                                  int *length)
{
    const int32_t *tokens = examples->tokens + examples->start[i];
    int n = examples->start[i + 1] - examples->start[i];

    *length = task->info.joined < 2 ? n : k == 0 ? tokens[0] : n - 1 - tokens[0];
    return task->info.joined < 2 ? tokens : tokens + 1 + (k == 0 ? 0 : tokens[0]);
}

enum rf_status rf_task_example_batch(const struct rf_task *task, enum rf_split split,
                                     const int32_t *index, int n,
                                     struct rf_batch_memory *memory, struct rf_batch *batch,
                                     struct rf_error *err)
{
    const struct rf_examples *examples = &task->split[split];
    const struct rf_task_info *info = &task->info;
    int nclass = info->nclass, joined = info->joined > 1 ? info->joined : 1, T = 1, length;
    int B = n * joined;
    enum rf_status st;

    for (int b = 0; b < B; b++) {
        assert(index[b / joined] >= 0 && index[b / joined] < examples->n);
        (void)sequence_of(task, examples, index[b / joined], b % joined, &length);
        T = length > T ? length : T;
    }
    st = make_room(memory, B * T, B, nclass <= SOFT_CLASSES_MAX ? (int64_t)n * nclass : 0, err);
    if (st != RF_OK)
        return st;
    for (int b = 0; b < B; b++) {
        const int32_t *tokens =
            sequence_of(task, examples, index[b / joined], b % joined, &length);

        memcpy(memory->tokens + (size_t)b * (size_t)T, tokens,
               (size_t)length * sizeof *memory->tokens);
        memory->rows[b] = b * T + length - 1;
    }
    for (int i = 0; i < n; i++)
        memory->target[i] = examples->label[index[i]];
    *batch = (struct rf_batch){.B = B,
                               .T = T,
                               .tokens = memory->tokens,
                               .R = B,
                               .rows = memory->rows,
                               .range_begin = info->nanswers > 0 ? 0 : info->label_begin,
                               .range_count = info->nanswers > 0 ? info->nanswers : nclass,
                               .answers = info->nanswers > 0 ? info->answers : NULL,
                               .joined = joined,
                               .target = memory->target};
    return RF_OK;
}

/* A permutation of 0 .. n-1 that needs no table: a Feistel network over the next even number of
 * bits, applied again while the result lies outside (on average less than four times). */
static uint32_t permute(uint64_t seed, uint64_t epoch, uint32_t n, uint32_t x)
{
    uint64_t stream = rf_rng_stream("epoch", epoch);
    unsigned half = 1;
    uint32_t mask;

    while (half < 16 && (uint64_t)1 << (2 * half) < n)
        half++;
    mask = ((uint32_t)1 << half) - 1;
    do {
        uint32_t left = x >> half, right = x & mask;

        for (uint32_t round = 0; round < 4; round++) {
            uint32_t noise = (uint32_t)rf_rng_bits(seed, stream, (uint64_t)round << 32 | right);
            uint32_t next = left ^ (noise & mask);

            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}

void rf_task_order(uint64_t seed, int64_t step, int batch, int n, int32_t *index)
{
    for (int i = 0; i < batch; i++) {
        int64_t at = step * batch + i;

        index[i] = (int32_t)permute(seed, (uint64_t)(at / n), (uint32_t)n, (uint32_t)(at % n));
    }
}

void rf_pools_clear(struct rf_pools *pools)
{
    rf_samples_clear(&pools->train);
    rf_samples_clear(&pools->validation);
    rf_samples_clear(&pools->test);
}

/* The first `limit` (0: all) of a pool, in an order made from salt and content. With `used`,
 * they are marked so that no other split can take them. */
static enum rf_status take(struct rf_samples *samples, const struct rf_pools *pools, int nclass,
                           uint64_t salt, int limit, struct rf_examples *examples,
                           struct rf_error *err)
{
    int32_t *order = NULL;
    int n = 0;
    enum rf_status st =
        rf_samples_order(samples, nclass, pools->balance, salt, &order, &n, err);

    if (limit > 0 && n > limit)
        n = limit;
    if (st == RF_OK)
        st = rf_samples_take(samples, order, n, pools->with_rating, examples, err);
    for (int i = 0; st == RF_OK && i < n; i++)
        samples->label[order[i]] = -1;
    free(order);
    return st;
}

/* Halves of equal size and, where classes are balanced, equal classes. */
static enum rf_status take_halves(struct rf_pools *pools, struct rf_task *task, int limit,
                                  uint64_t seed, struct rf_error *err)
{
    int nclass = task->info.nclass, n = 0;
    int32_t *order = NULL;
    enum rf_status st = rf_samples_order(&pools->train, nclass, pools->balance,
                                         rf_rng_stream("halves", seed), &order, &n, err);

    if (limit > 0 && n > limit)
        n = limit;
    if (st == RF_OK)
        st = rf_samples_take(&pools->train, order, n / 2, pools->with_rating,
                             &task->split[RF_SPLIT_WEAK], err);
    if (st == RF_OK)
        st = rf_samples_take(&pools->train, order + n / 2, n / 2, pools->with_rating,
                             &task->split[RF_SPLIT_STRONG], err);
    free(order);
    return st;
}

enum rf_status rf_pools_divide(struct rf_pools *pools, struct rf_task *task,
                               const struct rf_task_options *options, uint64_t seed,
                               struct rf_error *err)
{
    static const char *const names[RF_NSPLITS] = {"the weak half", "the strong half",
                                                  "validation", "test"};
    int nclass = task->info.nclass, validation = options->validation;
    struct rf_samples *from = &pools->validation;
    enum rf_status st = take(&pools->test, pools, nclass, rf_rng_stream("test", 0),
                             options->test, &task->split[RF_SPLIT_TEST], err);

    for (int i = 0; pools->learn_rest && st == RF_OK && i < pools->test.n; i++) {
        const struct rf_samples *rest = &pools->test;

        if (rest->label[i] >= 0)
            st = rf_samples_add(&pools->train, rest->tokens + rest->start[i],
                                (int)(rest->start[i + 1] - rest->start[i]), rest->label[i],
                                rest->key[i], rest->rating[i], err);
    }
    if (from->n == 0) {
        from = &pools->train;
        if (validation == 0)
            validation = from->n / 10;
    }
    if (st == RF_OK)
        st = take(from, pools, nclass, rf_rng_stream("validation", 0), validation,
                  &task->split[RF_SPLIT_VALIDATION], err);
    if (st == RF_OK)
        st = take_halves(pools, task, options->train, seed, err);
    for (int s = 0; st == RF_OK && s < RF_NSPLITS; s++) {
        if (task->split[s].n == 0)
            st = rf_fail(err, RF_ERR_INPUT, "task '%s': no examples are left for %s%s",
                         options->name, names[s],
                         pools->balance ? " once the classes are balanced" : "");
    }
    return st;
}
