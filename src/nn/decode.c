#include "nn/decode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "nn/model_parts.h"

struct rf_decoder {
    struct rf_model *model; /* borrowed */
    int max_B, max_T, B;
    int *length;           /* [max_B] tokens read */
    float *rows, *prob;    /* [max_B][vocabulary]: of a pass's sequences; of all */
    int *read;             /* [max_B] */
    int32_t *next, *order; /* [max_B], [vocabulary] */
    void *memory;          /* all of cache.kv */
    struct rf_model_cache cache;
};

static enum rf_status allocate(struct rf_decoder *d, struct rf_error *err)
{
    const struct rf_plan *plan = d->model->plan;
    size_t B = (size_t)d->max_B, T = (size_t)d->max_T, V = (size_t)plan->shape.vocabulary;
    size_t wide = 2 * (size_t)plan->kv_heads.count * (size_t)plan->head_width;
    size_t layers = (size_t)plan->shape.layers;
    size_t one = d->model->precision != RF_PRECISION_FP32 ? sizeof(uint16_t) : sizeof(rf_real);

    d->length = calloc(B, sizeof *d->length);
    d->rows = malloc(B * V * sizeof *d->rows);
    d->prob = malloc(B * V * sizeof *d->prob);
    d->read = malloc(B * sizeof *d->read);
    d->next = malloc(B * sizeof *d->next);
    d->order = malloc(V * sizeof *d->order);
    d->memory = calloc((layers * B * T + RF_ATTENTION_TILE) * wide + 1, one);
    d->cache.kv = malloc(layers * sizeof *d->cache.kv);
    d->cache.key = malloc(B * sizeof *d->cache.key);
    d->cache.key_end = malloc(B * sizeof *d->cache.key_end);
    d->cache.place = malloc(B * T * sizeof *d->cache.place);
    if (d->length == NULL || d->rows == NULL || d->prob == NULL || d->read == NULL ||
        d->next == NULL || d->order == NULL || d->memory == NULL || d->cache.kv == NULL ||
        d->cache.key == NULL || d->cache.key_end == NULL || d->cache.place == NULL)
        return rf_fail(err, RF_ERR_MEMORY,
                       "out of memory for the keys and values of %d sequences of %d tokens",
                       d->max_B, d->max_T);
    for (size_t i = 0; i < layers; i++) {
        struct rf_kept all = {
            .real = d->model->precision != RF_PRECISION_FP32 ? NULL : d->memory,
            .half = d->model->precision != RF_PRECISION_FP32 ? d->memory : NULL};

        d->cache.kv[i] = rf_kept_from(all, i * B * T * wide);
    }
    return RF_OK;
}

enum rf_status rf_decoder_create(struct rf_decoder **decoder, struct rf_model *model, int max_B,
                                 int max_T, struct rf_error *err)
{
    const struct rf_model_limits *limits = &model->limits;
    struct rf_decoder *d;
    enum rf_status st;

    *decoder = NULL;
    if (model->plan->shape.bag)
        return rf_fail(err, RF_ERR_ARG,
                       "a model that reads bags of tokens cannot continue texts");
    if (max_B < 1 || max_B > limits->max_B || max_B > limits->max_R || max_T < 1 ||
        max_T > limits->max_T || limits->max_range < model->plan->shape.vocabulary)
        return rf_fail(err, RF_ERR_ARG,
                       "%d sequences of %d tokens are beyond what the model was made for",
                       max_B, max_T);
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a decoder");
    d->model = model;
    d->max_B = max_B;
    d->max_T = max_T;
    st = allocate(d, err);
    if (st != RF_OK) {
        rf_decoder_destroy(d);
        return st;
    }
    *decoder = d;
    return RF_OK;
}

void rf_decoder_destroy(struct rf_decoder *decoder)
{
    if (decoder == NULL)
        return;
    free(decoder->cache.place);
    free(decoder->cache.key_end);
    free(decoder->cache.key);
    free(decoder->cache.kv);
    free(decoder->memory);
    free(decoder->order);
    free(decoder->next);
    free(decoder->read);
    free(decoder->prob);
    free(decoder->rows);
    free(decoder->length);
    free(decoder);
}

void rf_decoder_start(struct rf_decoder *decoder, int B)
{
    assert(B >= 1 && B <= decoder->max_B);
    decoder->B = B;
    memset(decoder->length, 0, (size_t)B * sizeof *decoder->length);
}

/* The rows of a pass; of each sequence that reads, the last is asked. */
static void pack(struct rf_decoder *d, const int32_t *tokens, const int *count,
                 struct rf_work *work)
{
    struct rf_pack *p = &d->model->pack;

    p->n = p->nseq = p->longest = p->mean = 0;
    *work = (struct rf_work){.range = d->model->plan->shape.vocabulary};
    for (int b = 0; b < d->B; b++) {
        int before = d->length[b], s = p->nseq;

        assert(count[b] >= 0 && before + count[b] <= d->max_T);
        if (count[b] == 0)
            continue;
        p->start[s] = p->n;
        p->asked_start[s] = s;
        for (int t = before; t < before + count[b]; t++) {
            p->token[p->n] = tokens[p->n];
            p->position[p->n] = t;
            d->cache.place[p->n++] = b * d->max_T + t;
            work->row_visits += t + 1;
        }
        d->length[b] += count[b];
        d->cache.key[s] = b * d->max_T;
        d->cache.key_end[s] = b * d->max_T + d->length[b];
        p->asked_row[s] = p->n - 1;
        p->asked_position[s] = d->length[b] - 1;
        p->longest = d->length[b] > p->longest ? d->length[b] : p->longest;
        work->asked_visits += d->length[b];
        p->nseq++;
    }
    p->start[p->nseq] = p->n;
    p->asked_start[p->nseq] = p->nasked = p->nseq;
    p->all = p->n == p->nasked;
    work->rows = p->n;
    work->asked = p->nasked;
}

void rf_decoder_read(struct rf_decoder *d, const int32_t *tokens, const int *count, float *prob,
                     struct rf_work *work)
{
    struct rf_model *m = d->model;
    size_t V = (size_t)m->plan->shape.vocabulary;
    struct rf_batch batch = {.range_count = (int)V};
    size_t s = 0;

    pack(d, tokens, count, work);
    batch.R = m->pack.nasked;
    m->cache = &d->cache;
    rf_model_forward(m);
    m->cache = NULL;
    (void)rf_model_answer(m, &batch, d->rows, NULL);
    for (int b = 0; b < d->B; b++)
        if (count[b] > 0)
            memcpy(prob + (size_t)b * V, d->rows + s++ * V, V * sizeof *prob);
}

/* ---- generating ------------------------------------------------------------ */

static void add_work(struct rf_work *sum, const struct rf_work *work)
{
    sum->rows += work->rows;
    sum->asked += work->asked;
    sum->row_visits += work->row_visits;
    sum->asked_visits += work->asked_visits;
    sum->range = work->range;
}

/* The next token of each sequence that goes on: d->read[b] becomes 0 or 1, and the tokens to read
 * lie packed in d->next. Returns how many those are. */
static int draw(struct rf_decoder *d, const struct rf_continuation *how, int32_t *out,
                int *length)
{
    int V = d->model->plan->shape.vocabulary, n = 0;

    for (int b = 0; b < d->B; b++) {
        uint64_t stream = rf_rng_stream("generate", (uint64_t)b);
        double u = rf_rng_uniform(how->seed, stream, (uint64_t)d->length[b]);
        int32_t token;

        if (d->read[b] == 0)
            continue;
        d->read[b] = 0;
        if (length[b] == how->max_new)
            continue;
        token = rf_sample(&how->sampling, d->prob + (size_t)b * (size_t)V, V, u, d->order);
        if (token == how->stop)
            continue;
        out[(size_t)b * (size_t)how->max_new + (size_t)length[b]++] = token;
        if (d->length[b] == d->max_T || length[b] == how->max_new)
            continue;
        d->read[b] = 1;
        d->next[n++] = token;
    }
    return n;
}

void rf_decoder_generate(struct rf_decoder *d, int B, const int32_t *prompts, const int *count,
                         const struct rf_continuation *how, int32_t *out, int *length,
                         struct rf_work *work)
{
    struct rf_work pass;

    rf_decoder_start(d, B);
    memcpy(d->read, count, (size_t)B * sizeof *d->read);
    memset(length, 0, (size_t)B * sizeof *length);
    rf_decoder_read(d, prompts, count, d->prob, work);
    while (draw(d, how, out, length) > 0) {
        rf_decoder_read(d, d->next, d->read, d->prob, &pass);
        add_work(work, &pass);
    }
}
