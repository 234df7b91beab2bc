/* trace_table.h - a text of rows and named columns: csv, and what `sacct -P` prints. Internal
 * to the readers.
 *
 * Blank lines and lines that begin with '#' are passed over. In a csv a cell may stand in double
 * quotes, with a quote inside doubled; such a cell ends on its own line. */
#ifndef RF_SIM_TRACE_TABLE_H
#define RF_SIM_TRACE_TABLE_H

#include "base/lines.h"

enum { RF_TABLE_COLUMNS = 256, RF_TRACE_LINE_MAX = 1 << 18 };

enum rf_row { RF_ROW_END, RF_ROW_OK, RF_ROW_BAD };

struct rf_table {
    struct rf_lines lines;
    char separator;
    int ncolumns;      /* of the header */
    const char *wrong; /* with RF_ROW_BAD: what */
    struct rf_text header[RF_TABLE_COLUMNS];
    struct rf_text cells[RF_TABLE_COLUMNS]; /* of the row, without quotes and outer blanks */
};

/* Takes the header off the text. A separator ',' allows quotes. RF_ROW_END: there is none. */
enum rf_row rf_table_begin(struct rf_table *table, const char *text, size_t size_bytes,
                           char separator);
/* The next row, whose line is table->lines.number. A row with another number of cells than the
 * header, or a line beyond RF_TRACE_LINE_MAX, is RF_ROW_BAD; the walk goes on behind it. */
enum rf_row rf_table_next(struct rf_table *table);

/* Which column has that name, whatever its case; -1: none. Several names stand between blanks:
 * the first that is there counts. */
int rf_table_column(const struct rf_table *table, const char *names);
/* The cell of a column; of column -1 an empty one. */
struct rf_text rf_table_cell(const struct rf_table *table, int column);

#endif
