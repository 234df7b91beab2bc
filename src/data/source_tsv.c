/* Labelled texts as lines: split TAB label TAB text. What becomes of them is in texts.h. */
#include "data/texts.h"

static enum rf_status read_row(struct rf_labelled *list, const struct rf_text_file *file,
                               struct rf_view line, long number, struct rf_error *err)
{
    struct rf_view column[4];
    int n = rf_columns(line, column, 4);
    struct rf_text_row row = {.path = file->path, .line = number};

    if (n != 3)
        return rf_fail(err, RF_ERR_INPUT,
                       "%s:%ld: %d columns where split, label and text are expected",
                       file->path, number, n);
    if (column[0].size_bytes == 0)
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: the split is empty", file->path, number);
    row.split = file->tested ? (struct rf_view){"test", 4} : column[0];
    row.label = column[1];
    row.text = column[2];
    return rf_labelled_add(list, &row, err);
}

enum rf_status rf_texts_read_tsv(struct rf_labelled *list, struct rf_text_file *file,
                                 const struct rf_task_options *options, struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(file->text.bytes, file->text.size_bytes);
    struct rf_view line;
    enum rf_status st = RF_OK;

    (void)options;
    while (st == RF_OK && rf_lines_next(&lines, &line))
        st = read_row(list, file, line, lines.number, err);
    return st;
}
