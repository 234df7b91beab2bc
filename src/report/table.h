/* table.h - columns of text that line up, within a given width.
 *
 * Cells are added one after the other, row by row. Widths count characters, not bytes (UTF-8).
 * When a table would be too wide, its widest left-aligned column is cut, with '~' where. */
#ifndef RF_REPORT_TABLE_H
#define RF_REPORT_TABLE_H

#include <stdio.h>

#include "base/error.h"

struct rf_table;

/* align: a letter per column, 'l' or 'r'; headings: as many, copied.
 * The caller owns *table and ends it with rf_table_destroy(); NULL on failure. */
enum rf_status rf_table_create(struct rf_table **table, const char *align,
                               const char *const *headings, struct rf_error *err);
void rf_table_destroy(struct rf_table *table);

/* Adds the next cell. Out of memory is remembered and told by rf_table_print(). */
void rf_table_add(struct rf_table *table, const char *fmt, ...) RF_PRINTF(2, 3);

/* Prints headings and rows, each line led by two spaces, at most `width` columns wide. */
enum rf_status rf_table_print(const struct rf_table *table, FILE *out, int width,
                              struct rf_error *err);

#endif
