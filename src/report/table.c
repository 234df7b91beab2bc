#include "report/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"

enum { CELL_BYTES = 256, GAP = 2, NARROWEST = 8 };

struct rf_table {
    char *align;  /* owned */
    char **cells; /* owned, each too; the headings are the first row */
    size_t ncells, room;
    int ncols, failed;
};

static void add_text(struct rf_table *table, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);

    if (copy != NULL && table->ncells == table->room) {
        size_t room = 2 * table->room + 32;
        char **more = realloc(table->cells, room * sizeof *more);

        if (more != NULL) {
            table->cells = more;
            table->room = room;
        }
    }
    if (copy == NULL || table->ncells == table->room) {
        free(copy);
        table->failed = 1;
        return;
    }
    memcpy(copy, text, bytes);
    table->cells[table->ncells++] = copy;
}

enum rf_status rf_table_create(struct rf_table **table, const char *align,
                               const char *const *headings, struct rf_error *err)
{
    struct rf_table *made = calloc(1, sizeof *made);
    size_t bytes = strlen(align) + 1;

    assert(bytes > 1);
    *table = NULL;
    if (made != NULL)
        made->align = malloc(bytes);
    if (made == NULL || made->align == NULL) {
        free(made);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a table");
    }
    memcpy(made->align, align, bytes);
    made->ncols = (int)(bytes - 1);
    for (int c = 0; c < made->ncols; c++)
        add_text(made, headings[c]);
    *table = made;
    return RF_OK;
}

void rf_table_destroy(struct rf_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->ncells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->align);
    free(table);
}

void rf_table_add(struct rf_table *table, const char *fmt, ...)
{
    char text[CELL_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add_text(table, text);
}

/* Characters: bytes that do not continue one. */
static int columns_of(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Widths of the columns, the widest left-aligned one shrunk until the sum fits. */
static void measure(const struct rf_table *table, int width, int *widths)
{
    int sum = 0, widest = -1;

    for (int c = 0; c < table->ncols; c++)
        widths[c] = 0;
    for (size_t i = 0; i < table->ncells; i++) {
        int *w = &widths[i % (size_t)table->ncols], n = columns_of(table->cells[i]);

        *w = n > *w ? n : *w;
    }
    for (int c = 0; c < table->ncols; c++) {
        sum += widths[c] + GAP;
        if (table->align[c] == 'l' && (widest < 0 || widths[c] > widths[widest]))
            widest = c;
    }
    if (sum > width && widest >= 0) {
        int less = widths[widest] - (sum - width);

        widths[widest] = less > NARROWEST ? less : NARROWEST;
    }
}

/* The first `limit` characters, the last of them '~' when there are more. */
static void print_cut(const char *text, int limit, FILE *out)
{
    int n = 0, cut = columns_of(text) > limit;

    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
        if (cut && n == limit)
            break;
        fputc(*text, out);
    }
    if (cut)
        fputc('~', out);
}

static void print_row(const struct rf_table *table, size_t row, const int *widths, FILE *out)
{
    for (int c = 0; c < table->ncols; c++) {
        const char *text = table->cells[row * (size_t)table->ncols + (size_t)c];
        int n = columns_of(text), pad = widths[c] > n ? widths[c] - n : 0;
        int last = c == table->ncols - 1;
        enum rf_shade shade = rf_terminal_shade(text);

        fprintf(out, "%*s%s", GAP + (table->align[c] == 'r' ? pad : 0), "",
                rf_terminal_on(out, shade));
        print_cut(text, widths[c], out);
        fputs(rf_terminal_off(out, shade), out);
        if (table->align[c] == 'l' && !last)
            fprintf(out, "%*s", pad, "");
    }
    fputc('\n', out);
}

enum rf_status rf_table_print(const struct rf_table *table, FILE *out, int width,
                              struct rf_error *err)
{
    size_t nrows = table->ncells / (size_t)table->ncols;
    int *widths;

    if (table->failed)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a table");
    assert(table->ncells % (size_t)table->ncols == 0);
    widths = malloc((size_t)table->ncols * sizeof *widths);
    if (widths == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a table");
    measure(table, width, widths);
    for (size_t r = 0; r < nrows; r++)
        print_row(table, r, widths, out);
    free(widths);
    return RF_OK;
}
