#include "data/wordlist.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "data/words.h"

/* Scripts that put no blanks between words. */
#define UNSPACED "[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}]"

static const char EXPRESSION[] = "(?:(?!" UNSPACED ")[\\p{L}\\p{M}\\p{N}'])+|[^\\s]";

struct entry {
    struct rf_view word;
    int64_t count;
    int32_t token;
};

struct rf_wordlist {
    struct rf_words *rule; /* owned */
    char *bytes;           /* owned: of all words */
    struct entry *entries; /* owned [n], by their bytes */
    int32_t *by_token;     /* owned [n]: place among the entries */
    int n;
};

static int is_blank(struct rf_view word)
{
    return isspace((unsigned char)word.bytes[0]) != 0;
}

static void lower(char *to, struct rf_view from)
{
    for (size_t i = 0; i < from.size_bytes; i++)
        to[i] = from.bytes[i] >= 'A' && from.bytes[i] <= 'Z' ? (char)(from.bytes[i] + 32)
                                                             : from.bytes[i];
}

static int compare(struct rf_view a, struct rf_view b)
{
    size_t least = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = memcmp(a.bytes, b.bytes, least);

    return order != 0 ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static int by_bytes(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return compare(x->word, y->word);
}

static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return compare(x->word, y->word);
}

/* Every word of the texts, in lower case: into bytes, and listed, where given. Returns their number. */
static int64_t list_words(struct rf_words *rule, const struct rf_view *texts, int ntexts,
                          char *bytes, struct entry *entries)
{
    int64_t n = 0;

    for (int i = 0; i < ntexts; i++) {
        struct rf_view word;
        size_t at = 0;

        while (rf_words_next(rule, texts[i], &at, &word)) {
            if (is_blank(word))
                continue;
            if (entries != NULL) {
                lower(bytes, word);
                entries[n] = (struct entry){{bytes, word.size_bytes}, 1, 0};
                bytes += word.size_bytes;
            }
            n++;
        }
    }
    return n;
}

/* Puts equal words, which lie side by side, together, and leaves the frequent ones. */
static int64_t merge(struct entry *entries, int64_t n)
{
    int64_t kept = 0;

    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && compare(entries[i].word, entries[end].word) == 0; end++)
            ;
        if (end - i < RF_WORDLIST_LEAST)
            continue;
        entries[kept] = entries[i];
        entries[kept++].count = end - i;
    }
    return kept;
}

static enum rf_status learn(struct rf_wordlist *list, const struct rf_view *texts, int ntexts,
                            int most, struct rf_error *err)
{
    size_t size_bytes = 1;
    int64_t n, kept;
    enum rf_status st = rf_words_create(&list->rule, EXPRESSION, err);

    if (st != RF_OK)
        return st;
    for (int i = 0; i < ntexts; i++)
        size_bytes += texts[i].size_bytes;
    n = list_words(list->rule, texts, ntexts, NULL, NULL);
    list->bytes = malloc(size_bytes);
    list->entries = malloc(((size_t)n + 1) * sizeof *list->entries);
    if (list->bytes == NULL || list->entries == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld words", (long long)n);
    list_words(list->rule, texts, ntexts, list->bytes, list->entries);
    qsort(list->entries, (size_t)n, sizeof *list->entries, by_bytes);
    kept = merge(list->entries, n);
    qsort(list->entries, (size_t)kept, sizeof *list->entries, by_count);
    list->n = kept < most ? (int)kept : most;
    for (int i = 0; i < list->n; i++)
        list->entries[i].token = i;
    qsort(list->entries, (size_t)list->n, sizeof *list->entries, by_bytes);
    list->by_token = malloc(((size_t)list->n + 1) * sizeof *list->by_token);
    if (list->by_token == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d words", list->n);
    for (int i = 0; i < list->n; i++)
        list->by_token[list->entries[i].token] = i;
    return RF_OK;
}

enum rf_status rf_wordlist_learn(struct rf_wordlist **list, const struct rf_view *texts,
                                 int ntexts, int most, struct rf_error *err)
{
    struct rf_wordlist *made = calloc(1, sizeof *made);
    enum rf_status st = made != NULL ? learn(made, texts, ntexts, most, err)
                                     : rf_fail(err, RF_ERR_MEMORY, "out of memory for words");

    if (st != RF_OK) {
        rf_wordlist_destroy(made);
        made = NULL;
    }
    *list = made;
    return st;
}

void rf_wordlist_destroy(struct rf_wordlist *list)
{
    if (list == NULL)
        return;
    rf_words_destroy(list->rule);
    free(list->bytes);
    free(list->entries);
    free(list->by_token);
    free(list);
}

int rf_wordlist_size(const struct rf_wordlist *list)
{
    return list->n + 1;
}

struct rf_view rf_wordlist_word(const struct rf_wordlist *list, int32_t token)
{
    return token < list->n ? list->entries[list->by_token[token]].word
                           : (struct rf_view){"", 0};
}

struct rf_digest rf_wordlist_digest(const struct rf_wordlist *list)
{
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, EXPRESSION, sizeof EXPRESSION);
    for (int t = 0; t < list->n; t++) {
        struct rf_view word = rf_wordlist_word(list, t);

        rf_hash_add(&hash, word.bytes, word.size_bytes);
        rf_hash_add(&hash, "", 1);
    }
    return rf_hash_end(&hash);
}

static int32_t token_of(const struct rf_wordlist *list, struct rf_view word)
{
    struct entry wanted = {word, 0, 0};
    const struct entry *found =
        bsearch(&wanted, list->entries, (size_t)list->n, sizeof *list->entries, by_bytes);

    return found != NULL ? found->token : list->n;
}

int rf_wordlist_encode(struct rf_wordlist *list, struct rf_view text, int32_t *tokens)
{
    char copy[256]; /* no longer word is worth a look */
    struct rf_view word;
    size_t at = 0;
    int n = 0;

    while (rf_words_next(list->rule, text, &at, &word)) {
        if (is_blank(word))
            continue;
        if (word.size_bytes > sizeof copy) {
            tokens[n++] = list->n;
            continue;
        }
        lower(copy, word);
        tokens[n++] = token_of(list, (struct rf_view){copy, word.size_bytes});
    }
    return n;
}
