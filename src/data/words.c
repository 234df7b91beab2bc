#define PCRE2_CODE_UNIT_WIDTH 8
#include "data/words.h"

#include <stdlib.h>

#include <pcre2.h>

const char rf_words_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct rf_words {
    pcre2_code *code;
    pcre2_match_data *match;
    /* The valid stretch that was looked at last: checking is linear, and so done once. */
    const char *from;
    size_t size_bytes;
};

size_t rf_utf8_length(struct rf_view text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.bytes + at;
    size_t left = text.size_bytes - at, n;
    unsigned low = 0x80, high = 0xbf; /* of the second byte: no overlong forms, no surrogates */

    if (left == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
        : (p[0] & 0xf0) == 0xe0        ? 3
        : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                       : 0;
    low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
    high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
    if (n == 0 || left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

uint32_t rf_utf8_code(struct rf_view text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.bytes + at;
    size_t n = rf_utf8_length(text, at);
    uint32_t code = n == 1   ? p[0]
                    : n == 2 ? p[0] & 0x1fu
                    : n == 3 ? p[0] & 0x0fu
                             : p[0] & 0x07u;

    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3fu);
    return code;
}

enum rf_status rf_words_create(struct rf_words **words, const char *expression,
                               struct rf_error *err)
{
    struct rf_words *w = calloc(1, sizeof *w);
    PCRE2_SIZE at = 0;
    int code = 0;

    *words = NULL;
    if (w == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a rule of words");
    w->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (w->code == NULL) {
        char why[120];

        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        rf_words_destroy(w);
        return rf_fail(err, RF_ERR_INPUT,
                       "'%.60s' is no regular expression: %s at character %zu", expression, why,
                       (size_t)at);
    }
    (void)pcre2_jit_compile(w->code, PCRE2_JIT_COMPLETE); /* slower without */
    w->match = pcre2_match_data_create_from_pattern(w->code, NULL);
    if (w->match == NULL) {
        rf_words_destroy(w);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a rule of words");
    }
    *words = w;
    return RF_OK;
}

void rf_words_destroy(struct rf_words *words)
{
    if (words == NULL)
        return;
    pcre2_match_data_free(words->match);
    pcre2_code_free(words->code);
    free(words);
}

/* The characters from byte `at` on, as far as there are such. */
static void find_stretch(struct rf_words *w, struct rf_view text, size_t at)
{
    const char *from = text.bytes + at;
    size_t end = at, n;

    if (w->from != NULL && from >= w->from && from < w->from + w->size_bytes)
        return;
    while ((n = rf_utf8_length(text, end)) > 0)
        end += n;
    w->from = from;
    w->size_bytes = end - at;
}

int rf_words_next(struct rf_words *w, struct rf_view text, size_t *at, struct rf_view *word)
{
    size_t begin, end;
    int found;

    if (*at == 0)
        w->from = NULL; /* another text may lie where the last one did */
    if (*at >= text.size_bytes)
        return 0;
    *word = (struct rf_view){text.bytes + *at, 1};
    find_stretch(w, text, *at);
    if (w->size_bytes > 0) {
        size_t offset = (size_t)(word->bytes - w->from);

        begin = end = w->size_bytes;
        found = pcre2_match(w->code, (PCRE2_SPTR)w->from, w->size_bytes, offset,
                            PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, w->match, NULL);
        if (found > 0) {
            begin = pcre2_get_ovector_pointer(w->match)[0];
            end = pcre2_get_ovector_pointer(w->match)[1];
        }
        word->size_bytes = (begin > offset ? begin : end) - offset;
    }
    *at += word->size_bytes;
    return 1;
}
