/* wordlist.h - whole words as tokens.
 *
 * A word is a run of letters, digits and apostrophes, or one other sign, or one letter of a script that puts no blanks
 * between words; A to Z count as a to z. Those that come at
 * least RF_WORDLIST_LEAST times in the texts a list is learnt from are its words, the most frequent first, and of
 * equals the one whose bytes sort first; the token after the last word stands for all that is none of them. With a
 * few thousand texts a rare word that is cut in pieces says nothing several times over; an unknown one says
 * nothing once. What was written cannot be had back from the tokens. */
#ifndef RF_DATA_WORDLIST_H
#define RF_DATA_WORDLIST_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/lines.h"

enum { RF_WORDLIST_LEAST = 2 };

struct rf_wordlist;

/* At most `most` words (>= 1), and the unknown one. The result depends on the multiset of texts, not on their order.
 * The caller ends *list with rf_wordlist_destroy(). */
enum rf_status rf_wordlist_learn(struct rf_wordlist **list, const struct rf_view *texts,
                                 int ntexts, int most, struct rf_error *err);
void rf_wordlist_destroy(struct rf_wordlist *list);

/* Tokens: the words, and the unknown one, which is the last. */
int rf_wordlist_size(const struct rf_wordlist *list);
/* Equal exactly when any text gets the same tokens. */
struct rf_digest rf_wordlist_digest(const struct rf_wordlist *list);
/* The bytes of a word, lower case; none for the unknown one. Borrowed. */
struct rf_view rf_wordlist_word(const struct rf_wordlist *list, int32_t token);

/* Writes the tokens of a text, at most one per byte, and returns their number. */
int rf_wordlist_encode(struct rf_wordlist *list, struct rf_view text, int32_t *tokens);

#endif
