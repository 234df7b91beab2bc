/* Training works on the distinct words with their counts. Each pair of neighbours knows how
 * often it occurs and in which words (a list that may name words that have lost the pair
 * since); merging the best pair rewrites only those words. Ties go to the smaller token
 * numbers, so that the result is one. */
#include "data/tokenizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NBYTES = 256, CACHE_SLOTS = 1 << 16 };

struct merge {
    int32_t left, right;
};

/* Tokens of a word that was encoded before. */
struct cached {
    uint64_t hash; /* 0: empty */
    char *bytes;
    int32_t *tokens;
    uint32_t size_bytes, ntokens;
};

struct rf_tokenizer {
    struct merge *merges;
    int nmerges;
    char *spelling;      /* the bytes of all tokens, one after the other */
    size_t *spelling_at; /* [256 + nmerges + 1] */
    int32_t *ranks;      /* open hash of merges by pair: index + 1 */
    size_t nranks;
    struct cached *cache; /* [CACHE_SLOTS] */
};

static uint64_t hash_bytes(const char *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    h ^= h >> 32;
    return h == 0 ? 1 : h;
}

static uint64_t hash_pair(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;

    return h ^ h >> 29;
}

enum letter_class { BLANK, LETTER, DIGIT, SIGN };

static enum letter_class class_of(char c)
{
    unsigned char u = (unsigned char)c;

    if (u == ' ' || (u >= '\t' && u <= '\r'))
        return BLANK;
    if ((u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u >= 128 || u == '\'')
        return LETTER;
    return u >= '0' && u <= '9' ? DIGIT : SIGN;
}

/* Length of the word that begins at `at`. */
static size_t word_length(struct rf_view text, size_t at)
{
    size_t end = at;
    enum letter_class class;

    if (class_of(text.bytes[end]) == BLANK)
        end++;
    if (end == text.size_bytes || class_of(text.bytes[end]) == BLANK)
        return end - at;
    class = class_of(text.bytes[end]);
    while (end < text.size_bytes && class_of(text.bytes[end]) == class)
        end++;
    return end - at;
}

/* ---- training ---- */

struct word {
    struct rf_view text;
    uint64_t hash;
    int64_t count;
    size_t at; /* in lesson.symbols */
    int n;
};

struct pair {
    int32_t left, right;
    int64_t count;
    int32_t *words;
    int nwords, room;
};

struct lesson {
    struct word *words;
    int nwords, room;
    int32_t *slots; /* open hash of words: index + 1 */
    size_t nslots;
    int32_t *symbols;
    struct pair *pairs;
    int npairs, pairs_room;
    int32_t *pair_slots;
    size_t npair_slots;
};

static int rehash_words(struct lesson *lesson)
{
    size_t n = lesson->nslots > 0 ? 2 * lesson->nslots : 4096;
    int32_t *slots = calloc(n, sizeof *slots);

    if (slots == NULL)
        return -1;
    for (int i = 0; i < lesson->nwords; i++) {
        size_t at = (size_t)lesson->words[i].hash & (n - 1);

        while (slots[at] != 0)
            at = (at + 1) & (n - 1);
        slots[at] = i + 1;
    }
    free(lesson->slots);
    lesson->slots = slots;
    lesson->nslots = n;
    return 0;
}

static int count_word(struct lesson *lesson, struct rf_view text)
{
    uint64_t hash = hash_bytes(text.bytes, text.size_bytes);
    size_t at;

    if (2 * ((size_t)lesson->nwords + 1) > lesson->nslots && rehash_words(lesson) != 0)
        return -1;
    at = (size_t)hash & (lesson->nslots - 1);
    for (; lesson->slots[at] != 0; at = (at + 1) & (lesson->nslots - 1)) {
        struct word *word = &lesson->words[lesson->slots[at] - 1];

        if (word->hash == hash && word->text.size_bytes == text.size_bytes &&
            memcmp(word->text.bytes, text.bytes, text.size_bytes) == 0) {
            word->count++;
            return 0;
        }
    }
    if (lesson->nwords == lesson->room) {
        int room = lesson->room > 0 ? 2 * lesson->room : 4096;
        struct word *more = realloc(lesson->words, (size_t)room * sizeof *more);

        if (more == NULL)
            return -1;
        lesson->words = more;
        lesson->room = room;
    }
    lesson->words[lesson->nwords++] = (struct word){text, hash, 1, 0, (int)text.size_bytes};
    lesson->slots[at] = lesson->nwords;
    return 0;
}

static int rehash_pairs(struct lesson *lesson)
{
    size_t n = lesson->npair_slots > 0 ? 2 * lesson->npair_slots : 4096;
    int32_t *slots = calloc(n, sizeof *slots);

    if (slots == NULL)
        return -1;
    for (int i = 0; i < lesson->npairs; i++) {
        size_t at = (size_t)hash_pair(lesson->pairs[i].left, lesson->pairs[i].right) & (n - 1);

        while (slots[at] != 0)
            at = (at + 1) & (n - 1);
        slots[at] = i + 1;
    }
    free(lesson->pair_slots);
    lesson->pair_slots = slots;
    lesson->npair_slots = n;
    return 0;
}

/* The pair, made with count 0 where it is new; NULL when out of memory. */
static struct pair *find_pair(struct lesson *lesson, int32_t left, int32_t right)
{
    size_t at;

    if (2 * ((size_t)lesson->npairs + 1) > lesson->npair_slots && rehash_pairs(lesson) != 0)
        return NULL;
    at = (size_t)hash_pair(left, right) & (lesson->npair_slots - 1);
    for (; lesson->pair_slots[at] != 0; at = (at + 1) & (lesson->npair_slots - 1)) {
        struct pair *pair = &lesson->pairs[lesson->pair_slots[at] - 1];

        if (pair->left == left && pair->right == right)
            return pair;
    }
    if (lesson->npairs == lesson->pairs_room) {
        int room = lesson->pairs_room > 0 ? 2 * lesson->pairs_room : 4096;
        struct pair *more = realloc(lesson->pairs, (size_t)room * sizeof *more);

        if (more == NULL)
            return NULL;
        lesson->pairs = more;
        lesson->pairs_room = room;
    }
    lesson->pairs[lesson->npairs++] = (struct pair){left, right, 0, NULL, 0, 0};
    lesson->pair_slots[at] = lesson->npairs;
    return &lesson->pairs[lesson->npairs - 1];
}

/* Counts a pair up (or down, then without noting the word). */
static int count_pair(struct lesson *lesson, int32_t left, int32_t right, int64_t by,
                      int32_t word)
{
    struct pair *pair = find_pair(lesson, left, right);

    if (pair == NULL)
        return -1;
    pair->count += by;
    if (by < 0 || (pair->nwords > 0 && pair->words[pair->nwords - 1] == word))
        return 0;
    if (pair->nwords == pair->room) {
        int room = pair->room > 0 ? 2 * pair->room : 4;
        int32_t *more = realloc(pair->words, (size_t)room * sizeof *more);

        if (more == NULL)
            return -1;
        pair->words = more;
        pair->room = room;
    }
    pair->words[pair->nwords++] = word;
    return 0;
}

static int count_neighbours(struct lesson *lesson, int32_t w, int sign)
{
    const struct word *word = &lesson->words[w];

    for (int i = 0; i + 1 < word->n; i++) {
        if (count_pair(lesson, lesson->symbols[word->at + (size_t)i],
                       lesson->symbols[word->at + (size_t)i + 1], sign * word->count, w) != 0)
            return -1;
    }
    return 0;
}

static int start_lesson(struct lesson *lesson, const struct rf_view *texts, int ntexts)
{
    size_t total = 0;

    for (int i = 0; i < ntexts; i++) {
        for (size_t at = 0, n; at < texts[i].size_bytes; at += n) {
            n = word_length(texts[i], at);
            if (count_word(lesson, (struct rf_view){texts[i].bytes + at, n}) != 0)
                return -1;
        }
    }
    for (int w = 0; w < lesson->nwords; w++) {
        lesson->words[w].at = total;
        total += (size_t)lesson->words[w].n;
    }
    lesson->symbols = malloc((total + 1) * sizeof *lesson->symbols);
    if (lesson->symbols == NULL)
        return -1;
    for (int w = 0; w < lesson->nwords; w++) {
        const struct word *word = &lesson->words[w];

        for (int i = 0; i < word->n; i++)
            lesson->symbols[word->at + (size_t)i] = (unsigned char)word->text.bytes[i];
        if (count_neighbours(lesson, w, 1) != 0)
            return -1;
    }
    return 0;
}

/* The most frequent pair, or -1 when none occurs twice. */
static int best_pair(const struct lesson *lesson)
{
    int best = -1;

    for (int i = 0; i < lesson->npairs; i++) {
        const struct pair *pair = &lesson->pairs[i],
                          *leader = &lesson->pairs[best < 0 ? 0 : best];

        if (pair->count < 2)
            continue;
        if (best < 0 || pair->count > leader->count ||
            (pair->count == leader->count &&
             (pair->left < leader->left ||
              (pair->left == leader->left && pair->right < leader->right))))
            best = i;
    }
    return best;
}

/* Replaces each left, right by `merged`; returns the new length. */
static int merge_symbols(int32_t *symbols, int n, int32_t left, int32_t right, int32_t merged)
{
    int out = 0;

    for (int i = 0; i < n; i++) {
        if (i + 1 < n && symbols[i] == left && symbols[i + 1] == right) {
            symbols[out++] = merged;
            i++;
        } else {
            symbols[out++] = symbols[i];
        }
    }
    return out;
}

static int apply_merge(struct lesson *lesson, int best, int32_t merged)
{
    struct pair pair = lesson->pairs[best];
    int failed = 0;

    lesson->pairs[best].words = NULL;
    lesson->pairs[best].nwords = lesson->pairs[best].room = 0;
    for (int i = 0; !failed && i < pair.nwords; i++) {
        struct word *word = &lesson->words[pair.words[i]];

        failed = count_neighbours(lesson, pair.words[i], -1) != 0;
        word->n =
            merge_symbols(lesson->symbols + word->at, word->n, pair.left, pair.right, merged);
        failed = failed || count_neighbours(lesson, pair.words[i], 1) != 0;
    }
    free(pair.words);
    return failed ? -1 : 0;
}

static void end_lesson(struct lesson *lesson)
{
    for (int i = 0; i < lesson->npairs; i++)
        free(lesson->pairs[i].words);
    free(lesson->pairs);
    free(lesson->pair_slots);
    free(lesson->words);
    free(lesson->slots);
    free(lesson->symbols);
}

static int learn(struct lesson *lesson, struct rf_tokenizer *tokenizer, int most)
{
    while (tokenizer->nmerges < most) {
        int best = best_pair(lesson);

        if (best < 0)
            break;
        tokenizer->merges[tokenizer->nmerges] =
            (struct merge){lesson->pairs[best].left, lesson->pairs[best].right};
        if (apply_merge(lesson, best, NBYTES + tokenizer->nmerges) != 0)
            return -1;
        tokenizer->nmerges++;
    }
    return 0;
}

/* ---- the finished tokenizer ---- */

static int spell_tokens(struct rf_tokenizer *tokenizer)
{
    size_t total = NBYTES, *at = malloc((size_t)(NBYTES + tokenizer->nmerges + 1) * sizeof *at);

    tokenizer->spelling_at = at;
    if (at == NULL)
        return -1;
    for (int i = 0; i < NBYTES; i++)
        at[i] = (size_t)i;
    at[NBYTES] = NBYTES;
    for (int i = 0; i < tokenizer->nmerges; i++) {
        struct merge m = tokenizer->merges[i];

        total += at[m.left + 1] - at[m.left] + at[m.right + 1] - at[m.right];
        at[NBYTES + i + 1] = total;
    }
    tokenizer->spelling = malloc(total);
    if (tokenizer->spelling == NULL)
        return -1;
    for (int i = 0; i < NBYTES; i++)
        tokenizer->spelling[i] = (char)(unsigned char)i;
    for (int i = 0; i < tokenizer->nmerges; i++) {
        struct merge m = tokenizer->merges[i];
        size_t first = at[m.left + 1] - at[m.left], second = at[m.right + 1] - at[m.right];

        memcpy(tokenizer->spelling + at[NBYTES + i], tokenizer->spelling + at[m.left], first);
        memcpy(tokenizer->spelling + at[NBYTES + i] + first, tokenizer->spelling + at[m.right],
               second);
    }
    return 0;
}

static int index_merges(struct rf_tokenizer *tokenizer)
{
    size_t n = 1024;

    while (n < 2 * (size_t)tokenizer->nmerges)
        n *= 2;
    tokenizer->ranks = calloc(n, sizeof *tokenizer->ranks);
    tokenizer->nranks = n;
    tokenizer->cache = calloc(CACHE_SLOTS, sizeof *tokenizer->cache);
    if (tokenizer->ranks == NULL || tokenizer->cache == NULL)
        return -1;
    for (int i = 0; i < tokenizer->nmerges; i++) {
        struct merge m = tokenizer->merges[i];
        size_t at = (size_t)hash_pair(m.left, m.right) & (n - 1);

        while (tokenizer->ranks[at] != 0)
            at = (at + 1) & (n - 1);
        tokenizer->ranks[at] = i + 1;
    }
    return 0;
}

enum rf_status rf_tokenizer_train(struct rf_tokenizer **tokenizer, const struct rf_view *texts,
                                  int ntexts, int vocabulary, struct rf_error *err)
{
    struct rf_tokenizer *made = calloc(1, sizeof *made);
    struct lesson lesson = {0};
    int most = vocabulary - NBYTES, failed = made == NULL;

    *tokenizer = NULL;
    assert(most >= 0);
    if (!failed) {
        made->merges = malloc(((size_t)most + 1) * sizeof *made->merges);
        failed = made->merges == NULL;
    }
    failed = failed || start_lesson(&lesson, texts, ntexts) != 0;
    failed = failed || learn(&lesson, made, most) != 0;
    failed = failed || spell_tokens(made) != 0 || index_merges(made) != 0;
    end_lesson(&lesson);
    if (failed) {
        rf_tokenizer_destroy(made);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a tokenizer of %d tokens",
                       vocabulary);
    }
    *tokenizer = made;
    return RF_OK;
}

void rf_tokenizer_destroy(struct rf_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    for (size_t i = 0; tokenizer->cache != NULL && i < CACHE_SLOTS; i++) {
        free(tokenizer->cache[i].bytes);
        free(tokenizer->cache[i].tokens);
    }
    free(tokenizer->cache);
    free(tokenizer->merges);
    free(tokenizer->spelling);
    free(tokenizer->spelling_at);
    free(tokenizer->ranks);
    free(tokenizer);
}

int rf_tokenizer_size(const struct rf_tokenizer *tokenizer)
{
    return NBYTES + tokenizer->nmerges;
}

struct rf_digest rf_tokenizer_digest(const struct rf_tokenizer *tokenizer)
{
    static const char format[] = "ringfence byte pairs 1";
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, format, sizeof format);
    for (int i = 0; i < tokenizer->nmerges; i++) {
        uint32_t pair[2] = {(uint32_t)tokenizer->merges[i].left,
                            (uint32_t)tokenizer->merges[i].right};

        for (int k = 0; k < 2; k++) {
            unsigned char bytes[4] = {(unsigned char)pair[k], (unsigned char)(pair[k] >> 8),
                                      (unsigned char)(pair[k] >> 16),
                                      (unsigned char)(pair[k] >> 24)};

            rf_hash_add(&hash, bytes, sizeof bytes);
        }
    }
    return rf_hash_end(&hash);
}

void rf_tokenizer_parts(const struct rf_tokenizer *tokenizer, int32_t token, int32_t *left,
                        int32_t *right)
{
    *left = tokenizer->merges[token - NBYTES].left;
    *right = tokenizer->merges[token - NBYTES].right;
}

struct rf_view rf_tokenizer_bytes(const struct rf_tokenizer *tokenizer, int32_t token)
{
    size_t at = tokenizer->spelling_at[token];

    return (struct rf_view){tokenizer->spelling + at, tokenizer->spelling_at[token + 1] - at};
}

/* Number of the merge of a pair, or -1. */
static int32_t rank_of(const struct rf_tokenizer *tokenizer, int32_t left, int32_t right)
{
    size_t at = (size_t)hash_pair(left, right) & (tokenizer->nranks - 1);

    for (; tokenizer->ranks[at] != 0; at = (at + 1) & (tokenizer->nranks - 1)) {
        int32_t i = tokenizer->ranks[at] - 1;

        if (tokenizer->merges[i].left == left && tokenizer->merges[i].right == right)
            return i;
    }
    return -1;
}

/* Merges in the order in which they were learnt. */
static int encode_word(const struct rf_tokenizer *tokenizer, struct rf_view word,
                       int32_t *tokens)
{
    int n = (int)word.size_bytes;

    for (int i = 0; i < n; i++)
        tokens[i] = (unsigned char)word.bytes[i];
    for (;;) {
        int32_t best = -1;

        for (int i = 0; i + 1 < n; i++) {
            int32_t rank = rank_of(tokenizer, tokens[i], tokens[i + 1]);

            if (rank >= 0 && (best < 0 || rank < best))
                best = rank;
        }
        if (best < 0)
            return n;
        n = merge_symbols(tokens, n, tokenizer->merges[best].left,
                          tokenizer->merges[best].right, NBYTES + best);
    }
}

/* Remembers a word in its slot, in place of whatever was there; without memory it does not. */
static void remember(struct cached *slot, uint64_t hash, struct rf_view word,
                     const int32_t *tokens, int ntokens)
{
    char *bytes = malloc(word.size_bytes);
    int32_t *copy = malloc((size_t)ntokens * sizeof *copy);

    if (bytes == NULL || copy == NULL) {
        free(bytes);
        free(copy);
        return;
    }
    free(slot->bytes);
    free(slot->tokens);
    memcpy(bytes, word.bytes, word.size_bytes);
    memcpy(copy, tokens, (size_t)ntokens * sizeof *copy);
    *slot = (struct cached){hash, bytes, copy, (uint32_t)word.size_bytes, (uint32_t)ntokens};
}

int rf_tokenizer_encode(struct rf_tokenizer *tokenizer, struct rf_view text, int32_t *tokens)
{
    int n = 0;

    for (size_t at = 0, length; at < text.size_bytes; at += length) {
        struct rf_view word;
        struct cached *slot;
        uint64_t hash;

        length = word_length(text, at);
        word = (struct rf_view){text.bytes + at, length};
        hash = hash_bytes(word.bytes, length);
        slot = &tokenizer->cache[hash % CACHE_SLOTS];
        if (slot->hash == hash && slot->size_bytes == length &&
            memcmp(slot->bytes, word.bytes, length) == 0) {
            memcpy(tokens + n, slot->tokens, slot->ntokens * sizeof *tokens);
            n += (int)slot->ntokens;
            continue;
        }
        int got = encode_word(tokenizer, word, tokens + n);

        if (length <= 64)
            remember(slot, hash, word, tokens + n, got);
        n += got;
    }
    return n;
}
