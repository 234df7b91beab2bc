#include "base/sheet.h"

#include <string.h>

#include "base/value.h"

/* A cell in quotes that begins at *at; *at moves to the separator or the end. */
static int quoted(const char **at, const char *end, struct rf_view *cell)
{
    const char *begin = *at + 1, *p = begin;

    while (p < end && (*p != '"' || (p + 1 < end && p[1] == '"')))
        p += *p == '"' ? 2 : 1;
    if (p == end)
        return 0;
    *cell = (struct rf_view){begin, (size_t)(p - begin)};
    for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
        ;
    *at = p;
    return 1;
}

/* Cuts a line into cells; how many, or -1: table->wrong says why not. */
static int cut(struct rf_sheet *table, struct rf_view line, struct rf_view *cells)
{
    const char *at = line.bytes, *end = at + line.size_bytes;
    const char separator = table->separator;
    const int quotes = separator == ',';

    for (int n = 0; n < RF_SHEET_COLUMNS; n++) {
        const char *begin;

        while (quotes && at < end && (*at == ' ' || *at == '\t'))
            at++;
        begin = at;
        if (quotes && at < end && *at == '"') {
            if (!quoted(&at, end, &cells[n]) || (at < end && *at != separator)) {
                table->wrong = "a quoted cell does not end";
                return -1;
            }
        } else {
            while (at < end && *at != separator)
                at++;
            cells[n] = (struct rf_view){begin, (size_t)(at - begin)};
            if (at > begin &&
                (*begin == ' ' || *begin == '\t' || at[-1] == ' ' || at[-1] == '\t'))
                cells[n] = rf_value_trim(cells[n]);
        }
        if (at == end)
            return n + 1;
        at++;
    }
    table->wrong = "too many columns";
    return -1;
}

/* The next line that is neither blank nor a comment. */
static int next_line(struct rf_sheet *table, struct rf_view *line)
{
    while (rf_lines_next(&table->lines, line)) {
        struct rf_view inner = *line;

        if (inner.size_bytes > 0 && *inner.bytes == '#')
            continue;
        if (inner.size_bytes > 0 && (*inner.bytes == ' ' || *inner.bytes == '\t'))
            inner = rf_value_trim(inner);
        if (inner.size_bytes > 0)
            return 1;
    }
    return 0;
}

enum rf_row rf_sheet_begin(struct rf_sheet *table, const char *text, size_t size_bytes,
                           char separator)
{
    struct rf_view line;

    table->lines = rf_lines_begin(text, size_bytes);
    table->separator = separator;
    table->wrong = "";
    table->ncolumns = 0;
    if (!next_line(table, &line))
        return RF_ROW_END;
    table->ncolumns = cut(table, line, table->header);
    return table->ncolumns > 0 ? RF_ROW_OK : RF_ROW_BAD;
}

enum rf_row rf_sheet_next(struct rf_sheet *table)
{
    struct rf_view line;
    int n;

    if (!next_line(table, &line))
        return RF_ROW_END;
    if (line.size_bytes > RF_SHEET_LINE_MAX) {
        table->wrong = "the line is too long";
        return RF_ROW_BAD;
    }
    n = cut(table, line, table->cells);
    if (n == table->ncolumns)
        return RF_ROW_OK;
    if (n >= 0)
        table->wrong = n < table->ncolumns ? "fewer columns than the header has"
                                           : "more columns than the header has";
    return RF_ROW_BAD;
}

int rf_sheet_column(const struct rf_sheet *table, const char *names)
{
    while (*names != '\0') {
        size_t n = strcspn(names, " ");
        char name[64];

        if (n < sizeof name) {
            memcpy(name, names, n);
            name[n] = '\0';
            for (int c = 0; c < table->ncolumns; c++)
                if (rf_value_is(table->header[c], name))
                    return c;
        }
        names += n + strspn(names + n, " ");
    }
    return -1;
}

struct rf_view rf_sheet_cell(const struct rf_sheet *table, int column)
{
    return column >= 0 ? table->cells[column] : (struct rf_view){"", 0};
}
