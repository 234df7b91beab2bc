/* lines.h - walking over the lines and tab-separated columns of a text in memory.
 *
 * A carriage return before the line feed belongs to the line end. */
#ifndef RF_BASE_LINES_H
#define RF_BASE_LINES_H

#include <stddef.h>

struct rf_view {
    const char *bytes; /* borrowed, not ended by NUL */
    size_t size_bytes;
};

struct rf_lines {
    const char *at, *end;
    long number; /* of the line that rf_lines_next() gave last; the first is 1 */
};

struct rf_lines rf_lines_begin(const char *data, size_t size_bytes);
/* 1 and the next line, or 0 at the end. */
int rf_lines_next(struct rf_lines *lines, struct rf_view *line);

/* Cuts a line at tabs into at most `most` columns, the last of which takes what is left;
 * returns how many there are. */
int rf_columns(struct rf_view line, struct rf_view *columns, int most);
int rf_view_is(struct rf_view text, const char *word);

#endif
