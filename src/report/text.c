#include "report/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rf_text_clear(struct rf_text *text)
{
    free(text->data);
    memset(text, 0, sizeof *text);
}

void rf_text_add_bytes(struct rf_text *text, const char *s, size_t n)
{
    if (text->failed)
        return;
    if (text->room - text->size <= n) {
        size_t room = 2 * text->room + n + 256;
        char *more = realloc(text->data, room);

        if (more == NULL) {
            text->failed = 1;
            return;
        }
        text->data = more;
        text->room = room;
    }
    memcpy(text->data + text->size, s, n);
    text->size += n;
    text->data[text->size] = '\0';
}

void rf_text_add(struct rf_text *text, const char *s)
{
    rf_text_add_bytes(text, s, strlen(s));
}

void rf_text_addf(struct rf_text *text, const char *fmt, ...)
{
    char small[512];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        text->failed = 1;
    } else if ((size_t)n < sizeof small) {
        rf_text_add_bytes(text, small, (size_t)n);
    } else {
        char *large = malloc((size_t)n + 1);

        if (large == NULL) {
            text->failed = 1;
            return;
        }
        va_start(args, fmt);
        vsnprintf(large, (size_t)n + 1, fmt, args);
        va_end(args);
        rf_text_add_bytes(text, large, (size_t)n);
        free(large);
    }
}

/* Bytes of the UTF-8 character at s; 0 when there is none. Overlong forms and surrogates
 * are harmless in a page, so only the structure is checked. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static const char *escape_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? "?" : NULL;
    }
}

void rf_text_add_html(struct rf_text *text, const char *s)
{
    const unsigned char *at = (const unsigned char *)s;

    while (*at != '\0') {
        const char *escape = escape_of(*at);
        size_t n = utf8_length(at);

        if (escape != NULL || n == 0)
            rf_text_add(text, escape != NULL ? escape : "?");
        else
            rf_text_add_bytes(text, (const char *)at, n);
        at += n > 0 ? n : 1;
    }
}
