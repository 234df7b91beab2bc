#include "report/plot_data.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"

enum { MOST_COLUMNS = 48, NAME_BYTES = 96, CELL_BYTES = 96, MOST_ROWS = 24 };

/* ---- writing ---- */

static void add_word(struct rf_text *script, const char *s, char also)
{
    for (; *s != '\0'; s++) {
        char c = (unsigned char)*s < 0x20 || *s == 0x7f || *s == also || *s == '\\' ? '?' : *s;

        rf_text_add_bytes(script, &c, 1);
    }
}

void rf_plot_block(struct rf_text *script, const char *id, const char *title,
                   const char *const *names, int n)
{
    rf_text_addf(script, "$%s << EOD\n#", id);
    add_word(script, title, '\t');
    for (int i = 0; i < n; i++) {
        rf_text_add(script, "\t");
        add_word(script, names[i], '\t');
    }
    rf_text_add(script, "\n");
}

void rf_plot_add_text(struct rf_text *script, const char *s)
{
    rf_text_add(script, " \"");
    add_word(script, s, '"');
    rf_text_add(script, "\"");
}

void rf_plot_block_end(struct rf_text *script)
{
    rf_text_add(script, "EOD\n");
}

/* ---- reading ---- */

struct block {
    char title[NAME_BYTES];
    char names[MOST_COLUMNS][NAME_BYTES];
    int ncolumns;
    const char *rows, *end; /* lines of the script; end is that of EOD */
};

static const char *line_end(const char *at)
{
    return at + strcspn(at, "\n");
}

static const char *next_line(const char *at)
{
    at = line_end(at);
    return *at == '\n' ? at + 1 : at;
}

static void copy(char to[NAME_BYTES], const char *from, size_t n)
{
    n = n < NAME_BYTES - 1 ? n : NAME_BYTES - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

/* The text of "set xlabel '...'", or the word instead. */
static void label_of(const char *script, const char *command, const char *instead,
                     char to[NAME_BYTES])
{
    size_t length = strlen(command);

    copy(to, instead, strlen(instead));
    for (const char *at = script; *at != '\0'; at = next_line(at))
        if (strncmp(at, command, length) == 0 && at[length] == '\'')
            copy(to, at + length + 1, strcspn(at + length + 1, "'\n"));
}

/* One cell at *at, which moves past it; 0 at the end of the line. */
static int read_cell(const char **at, char cell[CELL_BYTES])
{
    const char *from = *at + strspn(*at, " \t");
    int quoted = *from == '"';
    size_t n;

    from += quoted;
    n = strcspn(from, quoted ? "\"\n" : " \t\n");
    *at = from + n;
    if (quoted && **at == '"')
        ++*at;
    if (n == 0 && !quoted)
        return 0;
    n = n < CELL_BYTES - 1 ? n : CELL_BYTES - 1;
    memcpy(cell, from, n);
    cell[n] = '\0';
    return 1;
}

static void read_header(struct block *block, const char *line)
{
    const char *at = line + 1, *end = line_end(line);

    for (int i = -1; at <= end && i < MOST_COLUMNS; i++) {
        size_t n = strcspn(at, "\t\n");

        copy(i < 0 ? block->title : block->names[i], at, n);
        block->ncolumns = i + 1;
        at += n + 1;
    }
}

static void name_columns(struct block *block, const char *script)
{
    const char *at = block->rows;
    char cell[CELL_BYTES];

    while (block->ncolumns < MOST_COLUMNS && at < block->end && read_cell(&at, cell)) {
        int c = block->ncolumns++;

        label_of(script, c == 0 ? "set xlabel " : "set ylabel ", c == 0 ? "x" : "y",
                 block->names[c]);
    }
}

static int is_start(const char *line)
{
    size_t id = strcspn(line, " \n");

    return *line == '$' && strncmp(line + id, " << EOD\n", 8) == 0;
}

/* The next block from *at on; 0 when there is none. */
static int next_block(const char *script, const char **at, struct block *block)
{
    const char *line = *at;

    memset(block, 0, sizeof *block);
    while (*line != '\0' && !is_start(line))
        line = next_line(line);
    if (*line == '\0')
        return 0;
    copy(block->title, line + 1, strcspn(line + 1, " \n"));
    line = next_line(line);
    if (*line == '#') {
        read_header(block, line);
        line = next_line(line);
    }
    block->rows = line;
    while (*line != '\0' && strncmp(line, "EOD\n", 4) != 0)
        line = next_line(line);
    block->end = line;
    *at = line;
    if (block->ncolumns == 0)
        name_columns(block, script);
    return 1;
}

static int is_shown(const struct block *block, int column)
{
    return column < block->ncolumns && strcmp(block->names[column], RF_PLOT_HIDDEN) != 0;
}

static int is_row(const char *line)
{
    return *line != '\n' && *line != '#';
}

/* What gnuplot takes for a missing number. */
static int is_missing(const char *cell)
{
    char *end;
    double x = strtod(cell, &end);

    return strcmp(cell, "?") == 0 || (end != cell && *end == '\0' && !isfinite(x));
}

/* ---- CSV ---- */

struct columns {
    char names[MOST_COLUMNS][NAME_BYTES];
    int n;
};

static int find_column(const struct columns *all, const char *name)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->names[i], name) == 0)
            return i;
    return -1;
}

static void add_field(struct rf_text *csv, const char *field)
{
    if (strpbrk(field, ",\"\n") == NULL) {
        rf_text_add(csv, field);
        return;
    }
    rf_text_add(csv, "\"");
    for (; *field != '\0'; field++) {
        rf_text_add_bytes(csv, field, 1);
        if (*field == '"')
            rf_text_add(csv, "\"");
    }
    rf_text_add(csv, "\"");
}

static void collect_columns(struct columns *all, const char *script)
{
    struct block block;

    for (const char *at = script; next_block(script, &at, &block);)
        for (int c = 0; c < block.ncolumns; c++)
            if (is_shown(&block, c) && find_column(all, block.names[c]) < 0 &&
                all->n < MOST_COLUMNS)
                memcpy(all->names[all->n++], block.names[c], NAME_BYTES);
}

static void add_csv_row(struct rf_text *csv, const struct columns *all,
                        const struct block *block, const char *line)
{
    char fields[MOST_COLUMNS][CELL_BYTES] = {{0}}, cell[CELL_BYTES];

    for (int c = 0; c < block->ncolumns && read_cell(&line, cell); c++) {
        int column = is_shown(block, c) ? find_column(all, block->names[c]) : -1;

        if (column >= 0 && !is_missing(cell))
            memcpy(fields[column], cell, CELL_BYTES);
    }
    add_field(csv, block->title);
    for (int i = 0; i < all->n; i++) {
        rf_text_add(csv, ",");
        add_field(csv, fields[i]);
    }
    rf_text_add(csv, "\n");
}

void rf_plot_csv(struct rf_text *csv, const struct rf_text *script)
{
    struct columns all = {.n = 0};
    struct block block;

    if (script->data == NULL)
        return;
    collect_columns(&all, script->data);
    rf_text_add(csv, "series");
    for (int i = 0; i < all.n; i++) {
        rf_text_add(csv, ",");
        add_field(csv, all.names[i]);
    }
    rf_text_add(csv, "\n");
    for (const char *at = script->data; next_block(script->data, &at, &block);)
        for (const char *line = block.rows; line < block.end; line = next_line(line))
            if (is_row(line))
                add_csv_row(csv, &all, &block, line);
}

/* ---- for people ---- */

/* The least and the most of a column; 0: it has no numbers. */
static int range_of(const struct block *block, int column, double *least, double *most)
{
    char cell[CELL_BYTES];

    *least = INFINITY;
    *most = -INFINITY;
    for (const char *line = block->rows; line < block->end; line = next_line(line)) {
        const char *at = line;
        char *end = cell;
        int c = 0, there = is_row(line);
        double x;

        while (there && (there = read_cell(&at, cell)) && c < column)
            c++;
        x = there ? strtod(cell, &end) : NAN;
        if (there && end != cell && *end == '\0' && isfinite(x)) {
            *least = fmin(*least, x);
            *most = fmax(*most, x);
        }
    }
    return *least <= *most;
}

static int count_shown(const struct block *block)
{
    int n = 0;

    for (int c = 0; c < block->ncolumns; c++)
        n += is_shown(block, c);
    return n;
}

/* The first column is where a value stands, so it is the others that are told. */
static void describe_block(struct rf_text *to, const struct block *block)
{
    double least, most;

    for (int c = 1; c < block->ncolumns; c++) {
        if (!is_shown(block, c) || !range_of(block, c, &least, &most))
            continue;
        rf_text_add(to, " ");
        rf_text_add(to, block->title);
        if (count_shown(block) > 2) {
            rf_text_add(to, ", ");
            rf_text_add(to, block->names[c]);
        }
        if (least < most)
            rf_text_addf(to, ": %.4g to %.4g.", least, most);
        else
            rf_text_addf(to, ": %.4g.", least);
    }
}

void rf_plot_describe(struct rf_text *to, const struct rf_text *script)
{
    char x[NAME_BYTES], y[NAME_BYTES];
    struct block block;

    if (script->data == NULL)
        return;
    label_of(script->data, "set xlabel ", "", x);
    label_of(script->data, "set ylabel ", "", y);
    if (x[0] != '\0')
        rf_text_addf(to, "Across: %s. ", x);
    if (y[0] != '\0')
        rf_text_addf(to, "Upwards: %s.", y);
    for (const char *at = script->data; next_block(script->data, &at, &block);)
        describe_block(to, &block);
}

static int count_rows(const struct block *block)
{
    int n = 0;

    for (const char *line = block->rows; line < block->end; line = next_line(line))
        n += is_row(line);
    return n;
}

static void add_cells(struct rf_text *page, const struct block *block, const char *line)
{
    char cell[CELL_BYTES];

    rf_markup_row(page);
    for (int c = 0; c < block->ncolumns && read_cell(&line, cell); c++) {
        if (!is_shown(block, c))
            continue;
        rf_markup_open(page, 1);
        if (is_missing(cell) || cell[0] == '\0')
            rf_text_add(page, "-");
        else
            rf_text_add_html(page, cell);
    }
}

/* Rows at even distances, the first and the last among them. */
static void add_table(struct rf_text *page, const struct block *block)
{
    const char *headings[MOST_COLUMNS];
    char align[MOST_COLUMNS + 1], caption[NAME_BYTES + 64];
    int n = count_rows(block), k = 0, row = 0, shown = 0;

    for (int c = 0; c < block->ncolumns; c++)
        if (is_shown(block, c)) {
            headings[shown] = block->names[c];
            align[shown++] = 'r';
        }
    align[shown] = '\0';
    if (n == 0 || shown == 0)
        return;
    snprintf(caption, sizeof caption, "%s", block->title);
    if (n > MOST_ROWS)
        snprintf(caption, sizeof caption, "%s; %d of %d rows", block->title, MOST_ROWS, n);
    rf_markup_table(page, caption, align, headings);
    for (const char *line = block->rows; line < block->end; line = next_line(line)) {
        if (!is_row(line))
            continue;
        if (n <= MOST_ROWS || row == (int)((int64_t)k * (n - 1) / (MOST_ROWS - 1))) {
            add_cells(page, block, line);
            k++;
        }
        row++;
    }
    rf_markup_end(page);
}

void rf_plot_tables(struct rf_text *page, const struct rf_text *script, const char *label)
{
    struct rf_text csv = {0};
    struct block block;

    rf_plot_csv(&csv, script);
    if (csv.data == NULL || strchr(csv.data, '\n') == csv.data + csv.size - 1) {
        rf_text_clear(&csv);
        return;
    }
    rf_text_add(page,
                "<details class=\"data\"><summary>The numbers of this figure</summary>\n");
    for (const char *at = script->data; next_block(script->data, &at, &block);)
        add_table(page, &block);
    rf_text_add(page, "<template data-label=\"");
    rf_text_add_html(page, label);
    rf_text_add(page, "\">");
    rf_text_add_html(page, csv.data);
    rf_text_add(page, "</template></details>\n");
    page->failed |= csv.failed;
    rf_text_clear(&csv);
}
