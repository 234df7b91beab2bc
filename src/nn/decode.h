/* decode.h - a model that reads on: keys and values of what it has read stay.
 *
 * A token costs one row of products instead of a whole sequence's. Results are those of
 * rf_model_predict() on the whole sequence, but for rounding. On several ranks each keeps the
 * keys of its own heads; all ranks make the same calls and get the same bits. */
#ifndef RF_NN_DECODE_H
#define RF_NN_DECODE_H

#include "nn/model.h"
#include "nn/sample.h"

struct rf_decoder;

/* For at most max_B sequences of max_T tokens. RF_ERR_ARG where the model's own limits are
 * smaller: max_B, max_T, max_R >= max_B, max_range >= the vocabulary. The model is borrowed; no
 * other function of it may run between two calls here. The caller ends *decoder with
 * rf_decoder_destroy(); on failure it is NULL. */
enum rf_status rf_decoder_create(struct rf_decoder **decoder, struct rf_model *model, int max_B,
                                 int max_T, struct rf_error *err);
void rf_decoder_destroy(struct rf_decoder *decoder);

/* B new sequences, nothing read yet. */
void rf_decoder_start(struct rf_decoder *decoder, int B);

/* On all ranks together: reads count[b] >= 0 more tokens of each sequence, which follow each
 * other in tokens; none beyond max_T in all. For each sequence that read something
 * prob[b] [vocabulary] becomes the distribution of its next token. prob [B][vocabulary]. */
void rf_decoder_read(struct rf_decoder *decoder, const int32_t *tokens, const int *count,
                     float *prob, struct rf_work *work);

struct rf_continuation {
    struct rf_sampling sampling;
    uint64_t seed;
    int max_new;  /* tokens at most */
    int32_t stop; /* the token that ends a text, and is not kept; -1: none */
};

/* On all ranks together: continues B prompts, packed as above, each of at least one token, up to max_T tokens in
 * all. out [B][max_new], length [B]. Draws are keyed by seed, sequence and position: a sequence's
 * text does not depend on its neighbours, but for rounding. work: the sums over all passes. */
void rf_decoder_generate(struct rf_decoder *decoder, int B, const int32_t *prompts,
                         const int *count, const struct rf_continuation *how, int32_t *out,
                         int *length, struct rf_work *work);

#endif
