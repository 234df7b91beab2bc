/* bpe.h - byte-pair encoding with given tokens and merges: words to tokens.
 *
 * Of all neighbours that may be merged, those with the lowest rank are, the leftmost first, until
 * there are none. Which words there are, and where tokens come from, is vocabulary.h's concern. */
#ifndef RF_DATA_BPE_H
#define RF_DATA_BPE_H

#include <stdint.h>

#include "base/error.h"
#include "base/lines.h"

struct rf_bpe;

/* For `tokens` tokens, none of which is spelled yet, and room for that many merges. */
enum rf_status rf_bpe_create(struct rf_bpe **bpe, int tokens, int merges, struct rf_error *err);
void rf_bpe_destroy(struct rf_bpe *bpe);

/* The bytes that a token stands for, which are copied. RF_ERR_INPUT: another token has them, or this one
 * has others. */
enum rf_status rf_bpe_spell(struct rf_bpe *bpe, int32_t token, struct rf_view bytes,
                            struct rf_error *err);
/* The token of some bytes; -1: there is none. */
int32_t rf_bpe_token(const struct rf_bpe *bpe, struct rf_view bytes);
/* Empty for a token that has not been spelled. Borrowed. */
struct rf_view rf_bpe_bytes(const struct rf_bpe *bpe, int32_t token);
int rf_bpe_size(const struct rf_bpe *bpe);

/* The next merge, ranked behind all earlier ones. RF_ERR_INPUT: left and right together are no token. */
enum rf_status rf_bpe_merge(struct rf_bpe *bpe, int32_t left, int32_t right,
                            struct rf_error *err);
int rf_bpe_merges(const struct rf_bpe *bpe);
void rf_bpe_merge_at(const struct rf_bpe *bpe, int rank, int32_t *left, int32_t *right);

/* Merges tokens [n] in place; returns how many are left, or -1 without memory. */
int rf_bpe_encode(struct rf_bpe *bpe, int32_t *tokens, int n);

#endif
