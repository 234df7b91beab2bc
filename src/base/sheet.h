/* sheet.h - a text of rows and named columns: csv, and what `sacct -P` prints.
 *
 * Blank lines and lines that begin with '#' are passed over. In a csv a cell may stand in double
 * quotes, with a quote inside doubled; such a cell ends on its own line. */
#ifndef RF_BASE_SHEET_H
#define RF_BASE_SHEET_H

#include "base/lines.h"

enum { RF_SHEET_COLUMNS = 256, RF_SHEET_LINE_MAX = 1 << 18 };

enum rf_row { RF_ROW_END, RF_ROW_OK, RF_ROW_BAD };

struct rf_sheet {
    struct rf_lines lines;
    char separator;
    int ncolumns;      /* of the header */
    const char *wrong; /* with RF_ROW_BAD: what */
    struct rf_view header[RF_SHEET_COLUMNS];
    struct rf_view cells[RF_SHEET_COLUMNS]; /* of the row, without quotes and outer blanks */
};

/* Takes the header off the text. A separator ',' allows quotes. RF_ROW_END: there is none. */
enum rf_row rf_sheet_begin(struct rf_sheet *table, const char *text, size_t size_bytes,
                           char separator);
/* The next row, whose line is table->lines.number. A row with another number of cells than the
 * header, or a line beyond RF_SHEET_LINE_MAX, is RF_ROW_BAD; the walk goes on behind it. */
enum rf_row rf_sheet_next(struct rf_sheet *table);

/* Which column has that name, whatever its case; -1: none. Several names stand between blanks:
 * the first that is there counts. */
int rf_sheet_column(const struct rf_sheet *table, const char *names);
/* The cell of a column; of column -1 an empty one. */
struct rf_view rf_sheet_cell(const struct rf_sheet *table, int column);

#endif
