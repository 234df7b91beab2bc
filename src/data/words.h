/* words.h - cutting text: into characters, and into words by a regular expression.
 *
 * Expressions are Perl's with Unicode classes (PCRE2), which is what tokenizers publish theirs in. */
#ifndef RF_DATA_WORDS_H
#define RF_DATA_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/lines.h"

/* Bytes of the character that begins at byte `at` of a text in UTF-8, 1 to 4; 0: there is none. */
size_t rf_utf8_length(struct rf_view text, size_t at);
/* Its code point; at is the beginning of a character. */
uint32_t rf_utf8_code(struct rf_view text, size_t at);

/* GPT-2's rule: contractions; runs of letters, of numbers, of other signs, each with the blank before
 * it; runs of white space, whose last blank belongs to the word behind it. */
extern const char rf_words_gpt2[];

struct rf_words;

/* The caller ends *words with rf_words_destroy(). RF_ERR_INPUT: the expression is none. */
enum rf_status rf_words_create(struct rf_words **words, const char *expression,
                               struct rf_error *err);
void rf_words_destroy(struct rf_words *words);

/* The next word from byte *at of the text on, which moves behind it; 0 at the end. What the expression
 * does not match is a word of its own, and so is each byte that belongs to no character. */
int rf_words_next(struct rf_words *words, struct rf_view text, size_t *at,
                  struct rf_view *word);

#endif
