#include "config/scan.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static int is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*' || c == '.' ||
           c == '+';
}

/* The end of a string or comment that starts at `at`, or at + 1 when none does; beyond size
 * when it has no end. */
static size_t skip_quoted(const char *text, size_t size, size_t at)
{
    if (text[at] == '"') {
        for (at++; at < size && text[at] != '"'; at++)
            at += text[at] == '\\' && at + 1 < size;
        return at + 1;
    }
    if (text[at] == '#' || (text[at] == '/' && at + 1 < size && text[at + 1] == '/')) {
        while (at < size && text[at] != '\n')
            at++;
        return at;
    }
    if (text[at] == '/' && at + 1 < size && text[at + 1] == '*') {
        for (at += 2; at + 1 < size && (text[at] != '*' || text[at + 1] != '/');)
            at++;
        return at + 1 < size ? at + 2 : size + 1;
    }
    return at + 1;
}

/* Is the word a whole number for libconfig (no dot, exponent or L) that 32 bits cannot hold? */
static int overflows(const char *word, size_t length)
{
    int sign = *word == '+' || *word == '-';
    int hex = length > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    size_t at = hex ? 2 : (size_t)sign;
    int64_t value = 0;

    if (at == length)
        return 0;
    for (; at < length; at++) {
        int c = tolower((unsigned char)word[at]);

        if (hex ? !isxdigit(c) : !isdigit(c))
            return 0;
        if (value <= INT32_MAX) /* once beyond, it stays there */
            value = value * (hex ? 16 : 10) + (isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    return value > INT32_MAX;
}

static enum rf_status refuse(const char *place, int with_line, int line, struct rf_error *err,
                             const char *problem, const char *word, size_t length)
{
    if (length > 60)
        length = 60;
    if (with_line)
        return rf_fail(err, RF_ERR_CONFIG, "%s:%d: %s%.*s", place, line, problem, (int)length,
                       word);
    return rf_fail(err, RF_ERR_CONFIG, "%s: %s%.*s", place, problem, (int)length, word);
}

enum rf_status rf_config_scan(const char *text, size_t size_bytes, const char *place,
                              int with_line, struct rf_error *err)
{
    static const char include[] = "@include";
    int line = 1;
    size_t at = 0;

    if (memchr(text, '\0', size_bytes) != NULL)
        return refuse(place, 0, 0, err, "there is a NUL byte; a configuration is plain text",
                      "", 0);
    while (at < size_bytes) {
        size_t start = at;

        if (is_word(text[at])) {
            while (at < size_bytes && is_word(text[at]))
                at++;
            if (overflows(text + start, at - start))
                return refuse(place, with_line, line, err,
                              "whole numbers beyond 32 bits need an L at their end: ",
                              text + start, at - start);
        } else if (size_bytes - at >= sizeof include - 1 &&
                   memcmp(text + at, include, sizeof include - 1) == 0) {
            return refuse(place, with_line, line, err,
                          "@include is not supported; a run has one configuration file", "", 0);
        } else {
            at = skip_quoted(text, size_bytes, at);
            if (at > size_bytes)
                return refuse(place, with_line, line, err,
                              "the string or comment that begins here has no end", "", 0);
        }
        for (; start < at && start < size_bytes; start++)
            line += text[start] == '\n';
    }
    return RF_OK;
}
