#include "data/vocabulary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"
#include "data/vocabulary_parts.h"

enum { MEMORY = 1 << 14, LONGEST = 1 << 30 };
static const uint32_t LARGEST_CODE = 0x10ffff, BLANK_SIGN = 0x2581; /* Llama 2's for a blank */

/* The words that tokenizer.h cuts, as an expression. */
static const char learnt_words[] = "[\\t-\\r ]?(?:[A-Za-z'\\x{80}-\\x{10ffff}]+|[0-9]+|"
                                   "[^A-Za-z'0-9\\t-\\r \\x{80}-\\x{10ffff}]+)|[\\t-\\r ]";

static enum rf_status make(struct rf_vocabulary **v, enum rf_vocabulary_kind kind,
                           struct rf_error *err)
{
    *v = calloc(1, sizeof **v);
    if (*v == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a vocabulary");
    (*v)->kind = kind;
    (*v)->end = (*v)->begin = -1;
    return RF_OK;
}

enum rf_status rf_vocabulary_of_bytes(struct rf_vocabulary **v, struct rf_error *err)
{
    return make(v, RF_OF_BYTES, err);
}

static enum rf_status no_character(const char *name, size_t at, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "%.200s: byte %zu begins no character of UTF-8", name,
                   at);
}

enum rf_status rf_vocabulary_of_characters(struct rf_vocabulary **v, struct rf_view text,
                                           const char *name, struct rf_error *err)
{
    unsigned char *seen = calloc(LARGEST_CODE + 1, 1);
    int n = 0;
    enum rf_status st = make(v, RF_OF_CHARACTERS, err);

    if (st == RF_OK && seen == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a vocabulary of characters");
    for (size_t at = 0, size; st == RF_OK && at < text.size_bytes; at += size) {
        size = rf_utf8_length(text, at);
        if (size == 0)
            st = no_character(name, at, err);
        else
            seen[rf_utf8_code(text, at)] = 1;
    }
    for (uint32_t c = 0; st == RF_OK && c <= LARGEST_CODE; c++)
        n += seen[c];
    if (st == RF_OK) {
        (*v)->codes = malloc(((size_t)n + 1) * sizeof *(*v)->codes);
        if ((*v)->codes == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %d characters", n);
    }
    for (uint32_t c = 0; st == RF_OK && c <= LARGEST_CODE; c++)
        if (seen[c])
            (*v)->codes[(*v)->ncodes++] = c;
    free(seen);
    if (st != RF_OK) {
        rf_vocabulary_destroy(*v);
        *v = NULL;
    }
    return st;
}

enum rf_status rf_vocabulary_of_pairs(struct rf_vocabulary **v, int tokens, int merges,
                                      const char *expression, struct rf_error *err)
{
    enum rf_status st = make(v, RF_OF_PAIRS, err);

    if (st == RF_OK)
        st = rf_bpe_create(&(*v)->bpe, tokens, merges, err);
    if (st == RF_OK && expression != NULL)
        st = rf_words_create(&(*v)->words, expression, err);
    if (st == RF_OK) {
        size_t size = expression != NULL ? strlen(expression) + 1 : 1;

        (*v)->expression = calloc(size, 1);
        (*v)->memory = calloc(MEMORY, sizeof *(*v)->memory);
        if ((*v)->expression == NULL || (*v)->memory == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a vocabulary");
        else if (expression != NULL)
            memcpy((*v)->expression, expression, size);
    }
    if (st != RF_OK) {
        rf_vocabulary_destroy(*v);
        *v = NULL;
        return st;
    }
    for (int i = 0; i < 256; i++)
        (*v)->byte_token[i] = -1;
    return RF_OK;
}

/* What the tokenizer has learnt, token by token and merge by merge. */
static enum rf_status take_over(struct rf_vocabulary *v, const struct rf_tokenizer *tokenizer,
                                struct rf_error *err)
{
    int n = rf_tokenizer_size(tokenizer);
    enum rf_status st = RF_OK;

    for (int32_t i = 0; st == RF_OK && i < n; i++)
        st = rf_bpe_spell(v->bpe, i, rf_tokenizer_bytes(tokenizer, i), err);
    for (int32_t i = 256; st == RF_OK && i < n; i++) {
        int32_t left, right;

        rf_tokenizer_parts(tokenizer, i, &left, &right);
        st = rf_bpe_merge(v->bpe, left, right, err);
    }
    for (int i = 0; i < 256; i++)
        v->byte_token[i] = i;
    v->learnt = 1;
    return st;
}

enum rf_status rf_vocabulary_learn(struct rf_vocabulary **v, struct rf_view text, int size,
                                   struct rf_error *err)
{
    struct rf_tokenizer *tokenizer = NULL;
    enum rf_status st = rf_tokenizer_train(&tokenizer, &text, 1, size, err);

    *v = NULL;
    if (st == RF_OK)
        st = rf_vocabulary_of_pairs(v, rf_tokenizer_size(tokenizer),
                                    rf_tokenizer_size(tokenizer) - 256, learnt_words, err);
    if (st == RF_OK)
        st = take_over(*v, tokenizer, err);
    rf_tokenizer_destroy(tokenizer);
    if (st != RF_OK) {
        rf_vocabulary_destroy(*v);
        *v = NULL;
    }
    return st;
}

void rf_vocabulary_destroy(struct rf_vocabulary *v)
{
    if (v == NULL)
        return;
    rf_bpe_destroy(v->bpe);
    rf_words_destroy(v->words);
    free(v->expression);
    free(v->memory);
    free(v->codes);
    free(v);
}

/* ---- what it is ---- */

/* Without the token between documents, where the rule has none. */
static int ruled(const struct rf_vocabulary *v)
{
    return v->kind == RF_OF_BYTES        ? 256
           : v->kind == RF_OF_CHARACTERS ? v->ncodes
                                         : rf_bpe_size(v->bpe);
}

int rf_vocabulary_size(const struct rf_vocabulary *v)
{
    return ruled(v) + v->added;
}

int32_t rf_vocabulary_end(struct rf_vocabulary *v)
{
    if (v->end < 0) {
        v->end = ruled(v);
        v->added = 1;
    }
    return v->end;
}

int32_t rf_vocabulary_known_end(const struct rf_vocabulary *v)
{
    return v->added ? -1 : v->end;
}

int32_t rf_vocabulary_begin(const struct rf_vocabulary *v)
{
    return v->begin;
}

static void add_number(struct rf_hash *hash, uint32_t x)
{
    unsigned char bytes[4] = {(unsigned char)x, (unsigned char)(x >> 8),
                              (unsigned char)(x >> 16), (unsigned char)(x >> 24)};

    rf_hash_add(hash, bytes, sizeof bytes);
}

struct rf_digest rf_vocabulary_digest(const struct rf_vocabulary *v)
{
    static const char format[] = "ringfence vocabulary 1";
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, format, sizeof format);
    add_number(&hash, (uint32_t)v->kind);
    add_number(&hash, (uint32_t)v->end);
    for (int i = 0; i < v->ncodes; i++)
        add_number(&hash, v->codes[i]);
    if (v->kind != RF_OF_PAIRS)
        return rf_hash_end(&hash);
    add_number(&hash, (uint32_t)(v->by_character | v->prefix_space << 1 | v->whole_words << 2));
    rf_hash_add(&hash, v->expression, strlen(v->expression) + 1);
    for (int32_t i = 0; i < rf_bpe_size(v->bpe); i++) {
        struct rf_view bytes = rf_bpe_bytes(v->bpe, i);

        add_number(&hash, (uint32_t)bytes.size_bytes);
        rf_hash_add(&hash, bytes.bytes, bytes.size_bytes);
    }
    for (int i = 0; i < rf_bpe_merges(v->bpe); i++) {
        int32_t left, right;

        rf_bpe_merge_at(v->bpe, i, &left, &right);
        add_number(&hash, (uint32_t)left);
        add_number(&hash, (uint32_t)right);
    }
    return rf_hash_end(&hash);
}

struct rf_view rf_vocabulary_bytes(struct rf_vocabulary *v, int32_t token)
{
    struct rf_view none = {v->spelled, 0}, one = {v->spelled, 1};
    uint32_t c;

    if (token < 0 || token >= ruled(v))
        return none;
    v->spelled[0] = (char)(unsigned char)token;
    if (v->kind == RF_OF_BYTES)
        return one;
    if (v->kind == RF_OF_PAIRS) {
        if (rf_bpe_bytes(v->bpe, token).size_bytes > 0)
            return rf_bpe_bytes(v->bpe, token);
        for (int i = 0; i < 256; i++)
            if (v->byte_token[i] == token) {
                v->spelled[0] = (char)(unsigned char)i;
                return one;
            }
        return none;
    }
    c = v->codes[token];
    if (c < 0x80) {
        v->spelled[0] = (char)c;
        return one;
    }
    one.size_bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = one.size_bytes - 1; i > 0; i--, c >>= 6)
        v->spelled[i] = (char)(unsigned char)(0x80 | (c & 0x3f));
    v->spelled[0] = (char)(unsigned char)(c | (one.size_bytes == 2   ? 0xc0u
                                               : one.size_bytes == 3 ? 0xe0u
                                                                     : 0xf0u));
    return one;
}

/* ---- encoding ---- */

static enum rf_status encode_characters(const struct rf_vocabulary *v, struct rf_view text,
                                        const char *name, size_t begin, int32_t *tokens, int *n,
                                        struct rf_error *err)
{
    for (size_t at = 0, size; at < text.size_bytes; at += size) {
        int low = 0, high = v->ncodes;
        uint32_t code;

        size = rf_utf8_length(text, at);
        if (size == 0)
            return no_character(name, begin + at, err);
        code = rf_utf8_code(text, at);
        while (low < high) {
            int middle = (low + high) / 2;

            if (v->codes[middle] < code)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == v->ncodes || v->codes[low] != code)
            return rf_fail(err, RF_ERR_INPUT,
                           "%.200s: byte %zu: the vocabulary has no character U+%04X", name,
                           begin + at, (unsigned)code);
        tokens[(*n)++] = low;
    }
    return RF_OK;
}

/* What a word is made of before anything is merged; -1: something that is no token. */
static int symbols(const struct rf_vocabulary *v, struct rf_view word, int32_t *tokens)
{
    int n = 0;

    for (size_t at = 0, size; at < word.size_bytes; at += size) {
        int32_t token = -1;

        size = v->by_character ? rf_utf8_length(word, at) : 0;
        if (size > 0 && rf_utf8_code(word, at) == BLANK_SIGN)
            token = rf_bpe_token(v->bpe, (struct rf_view){" ", 1});
        else if (size > 0)
            token = rf_bpe_token(v->bpe, (struct rf_view){word.bytes + at, size});
        if (token >= 0) {
            tokens[n++] = token;
            continue;
        }
        size = size > 0 ? size : 1;
        for (size_t i = 0; i < size; i++) {
            tokens[n] = v->byte_token[(unsigned char)word.bytes[at + i]];
            if (tokens[n++] < 0)
                return -1;
        }
    }
    return n;
}

static enum rf_status encode_word(struct rf_vocabulary *v, struct rf_view word,
                                  const char *name, size_t at, int32_t *tokens, int *n,
                                  struct rf_error *err)
{
    struct rf_remembered *slot = NULL;
    uint64_t h = 0xcbf29ce484222325u;
    int got;

    if (word.size_bytes <= sizeof slot->bytes) {
        for (size_t i = 0; i < word.size_bytes; i++)
            h = (h ^ (unsigned char)word.bytes[i]) * 0x100000001b3u;
        slot = &v->memory[(h ^ h >> 32) % MEMORY];
        if (slot->size_bytes == word.size_bytes &&
            memcmp(slot->bytes, word.bytes, word.size_bytes) == 0) {
            memcpy(tokens + *n, slot->tokens, slot->ntokens * sizeof *tokens);
            *n += slot->ntokens;
            return RF_OK;
        }
    }
    tokens[*n] = v->whole_words ? rf_bpe_token(v->bpe, word) : -1;
    got = tokens[*n] >= 0 ? 1 : symbols(v, word, tokens + *n);
    if (got < 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "%.200s: the word at byte %zu cannot be spelled in this "
                       "vocabulary",
                       name, at);
    got = rf_bpe_encode(v->bpe, tokens + *n, got);
    if (got < 0)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a word of %zu bytes",
                       word.size_bytes);
    if (slot != NULL && got <= 8) {
        slot->size_bytes = (unsigned char)word.size_bytes;
        slot->ntokens = (unsigned char)got;
        memcpy(slot->bytes, word.bytes, word.size_bytes);
        memcpy(slot->tokens, tokens + *n, (size_t)got * sizeof *tokens);
    }
    *n += got;
    return RF_OK;
}

static enum rf_status encode_words(struct rf_vocabulary *v, struct rf_view text,
                                   const char *name, size_t begin, int32_t *tokens, int *n,
                                   struct rf_error *err)
{
    struct rf_view word = text;
    size_t at = 0;
    enum rf_status st = RF_OK;

    if (v->words == NULL)
        return encode_word(v, text, name, begin, tokens, n, err);
    while (st == RF_OK && rf_words_next(v->words, text, &at, &word))
        st = encode_word(v, word, name, begin + at - word.size_bytes, tokens, n, err);
    return st;
}

/* With a blank before it. */
static enum rf_status encode_prefixed(struct rf_vocabulary *v, struct rf_view text,
                                      const char *name, size_t begin, int32_t *tokens, int *n,
                                      struct rf_error *err)
{
    char *copy = malloc(text.size_bytes + 1);
    enum rf_status st;

    if (copy == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a text of %zu bytes",
                       text.size_bytes);
    copy[0] = ' ';
    memcpy(copy + 1, text.bytes, text.size_bytes);
    st = encode_words(v, (struct rf_view){copy, text.size_bytes + 1}, name, begin, tokens, n,
                      err);
    free(copy);
    return st;
}

enum rf_status rf_vocabulary_encode(struct rf_vocabulary *v, struct rf_view text,
                                    const char *name, size_t begin, int32_t *tokens, int *n,
                                    struct rf_error *err)
{
    *n = 0;
    if (text.size_bytes >= LONGEST)
        return rf_fail(err, RF_ERR_INPUT, "%.200s: a text of %zu bytes is too long", name,
                       text.size_bytes);
    if (v->kind == RF_OF_BYTES) {
        for (size_t i = 0; i < text.size_bytes; i++)
            tokens[i] = (unsigned char)text.bytes[i];
        *n = (int)text.size_bytes;
        return RF_OK;
    }
    if (v->kind == RF_OF_CHARACTERS)
        return encode_characters(v, text, name, begin, tokens, n, err);
    if (v->prefix_space && text.size_bytes > 0 && (v->by_character || text.bytes[0] != ' '))
        return encode_prefixed(v, text, name, begin, tokens, n, err);
    return text.size_bytes > 0 ? encode_words(v, text, name, begin, tokens, n, err) : RF_OK;
}
