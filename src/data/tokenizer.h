/* tokenizer.h - byte-level byte-pair encoding.
 *
 * Text is first cut into words: a run of letters (bytes above 127 count as letters), of digits,
 * or of other signs, each with the blank before it. Within words the most frequent pair of
 * neighbouring tokens is merged into a new one, again and again (Sennrich et al. 2016). Any
 * bytes can be written and read back exactly. The result depends on the multiset of training
 * texts, not on their order. Tokens are 0 .. 255, the bytes, then one per merge. */
#ifndef RF_DATA_TOKENIZER_H
#define RF_DATA_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/lines.h"

struct rf_tokenizer;

/* Learns at most `vocabulary` tokens (>= 256) from the texts; pairs seen only once are not
 * merged, so small texts give fewer. On success the caller owns *tokenizer. */
enum rf_status rf_tokenizer_train(struct rf_tokenizer **tokenizer, const struct rf_view *texts,
                                  int ntexts, int vocabulary, struct rf_error *err);
void rf_tokenizer_destroy(struct rf_tokenizer *tokenizer);

int rf_tokenizer_size(const struct rf_tokenizer *tokenizer);
/* Of all merges in order: equal exactly when any text gets the same tokens. */
struct rf_digest rf_tokenizer_digest(const struct rf_tokenizer *tokenizer);

/* Writes the tokens of a text, at most one per byte, and returns their number. Words are
 * remembered, which is why the tokenizer is not const; the result does not depend on it. */
int rf_tokenizer_encode(struct rf_tokenizer *tokenizer, struct rf_view text, int32_t *tokens);

/* The two tokens that a token from 256 on was merged from. */
void rf_tokenizer_parts(const struct rf_tokenizer *tokenizer, int32_t token, int32_t *left,
                        int32_t *right);

/* The bytes a token stands for; borrowed. */
struct rf_view rf_tokenizer_bytes(const struct rf_tokenizer *tokenizer, int32_t token);

#endif
