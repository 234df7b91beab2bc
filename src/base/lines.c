#include "base/lines.h"

#include <string.h>

struct rf_lines rf_lines_begin(const char *data, size_t size_bytes)
{
    return (struct rf_lines){data, data + size_bytes, 0};
}

int rf_lines_next(struct rf_lines *lines, struct rf_view *line)
{
    const char *feed;
    size_t size;

    if (lines->at == lines->end)
        return 0;
    feed = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    size = (size_t)((feed != NULL ? feed : lines->end) - lines->at);
    *line = (struct rf_view){lines->at, size};
    lines->at += size + (feed != NULL);
    lines->number++;
    if (size > 0 && line->bytes[size - 1] == '\r')
        line->size_bytes--;
    return 1;
}

int rf_columns(struct rf_view line, struct rf_view *columns, int most)
{
    int n = 0;

    while (n < most - 1) {
        const char *tab =
            line.size_bytes > 0 ? memchr(line.bytes, '\t', line.size_bytes) : NULL;
        size_t size = tab != NULL ? (size_t)(tab - line.bytes) : 0;

        if (tab == NULL)
            break;
        columns[n++] = (struct rf_view){line.bytes, size};
        line.bytes += size + 1;
        line.size_bytes -= size + 1;
    }
    columns[n++] = line;
    return n;
}

int rf_view_is(struct rf_view text, const char *word)
{
    return strlen(word) == text.size_bytes && memcmp(text.bytes, word, text.size_bytes) == 0;
}
