/* vocabulary.h - text to tokens and back, by a rule that a configuration can name.
 *
 *   byte        token = byte
 *   char        token = character (code point), those that occur in a text, in their order
 *   bpe         byte-level byte-pair encoding, learnt from a text (tokenizer.h)
 *   from files  tokenizer.json as Hugging Face's tokenizers keep it (GPT-2, Llama 3: byte-level with words by a
 *               regular expression; Llama 2: characters, with bytes for those it does not know), or
 *               GPT-2's vocab.json with merges.txt beside it
 *
 * What is written inside a text as a special token ("<|endoftext|>") is text here like any other. */
#ifndef RF_DATA_VOCABULARY_H
#define RF_DATA_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/lines.h"

struct rf_vocabulary;

/* Each gives one that the caller ends with rf_vocabulary_destroy(). name: of the text, for messages. */
enum rf_status rf_vocabulary_of_bytes(struct rf_vocabulary **v, struct rf_error *err);
enum rf_status rf_vocabulary_of_characters(struct rf_vocabulary **v, struct rf_view text,
                                           const char *name, struct rf_error *err);
enum rf_status rf_vocabulary_learn(struct rf_vocabulary **v, struct rf_view text, int size,
                                   struct rf_error *err);
/* path: a file, or a directory that holds tokenizer.json or vocab.json. */
enum rf_status rf_vocabulary_read(struct rf_vocabulary **v, const char *path,
                                  struct rf_error *err);
void rf_vocabulary_destroy(struct rf_vocabulary *v);

/* One that was learnt, as a tokenizer.json that rf_vocabulary_read() and others can read; the caller frees
 * *json. RF_ERR_ARG: it was not learnt. */
enum rf_status rf_vocabulary_json(const struct rf_vocabulary *v, char **json,
                                  struct rf_error *err);

int rf_vocabulary_size(const struct rf_vocabulary *v);
/* The token between documents: the file's own ("<|endoftext|>", "</s>"...), or one more than the rule gives, which is
 * made the first time it is asked for. */
int32_t rf_vocabulary_end(struct rf_vocabulary *v);
/* The same where the rule has one, else -1: nothing is made. */
int32_t rf_vocabulary_known_end(const struct rf_vocabulary *v);
/* The token that the file puts before every text that a model is to read ("<s>", as Llama's do: the first of
 * its post_processor's template); -1: there is none. rf_vocabulary_encode() leaves it to the caller. */
int32_t rf_vocabulary_begin(const struct rf_vocabulary *v);
/* Equal exactly when any text gets the same tokens. */
struct rf_digest rf_vocabulary_digest(const struct rf_vocabulary *v);

/* Tokens of a text: at most one per byte, and one more; returns their number. RF_ERR_INPUT: a character
 * that the vocabulary does not have, at byte `begin` + its place in the text, of the file `name`. */
enum rf_status rf_vocabulary_encode(struct rf_vocabulary *v, struct rf_view text,
                                    const char *name, size_t begin, int32_t *tokens, int *n,
                                    struct rf_error *err);

/* The bytes a token stands for; none for the one between documents. Borrowed, until the next call. */
struct rf_view rf_vocabulary_bytes(struct rf_vocabulary *v, int32_t token);

#endif
