/* export.h - the data sets that ringfence makes itself, for people and other programs.
 *
 * What is written comes from rf_task_open(), so it is what models are trained and tested on. */
#ifndef RF_DATA_EXPORT_H
#define RF_DATA_EXPORT_H

#include <stddef.h>

#include "data/task.h"

/* A built-in data set: source and rule as in the configuration of a task. */
struct rf_builtin {
    const char *source, *rule;
    const char *summary; /* one line, no full stop */
};
/* Row i of the list, or NULL behind its end. */
const struct rf_builtin *rf_builtin_at(int i);

/* The examples of a task from the source chess-rules as lines of three columns, separated by
 * TAB, after one with their names: fen, label, split. The position is what a model reads: the
 * mover is always White (with Black to move, colours are exchanged and the board is
 * mirrored), and move counts are "0 1". The label is yes or no; the split is weak, strong,
 * validation or test. The caller frees *text, which ends in LF and NUL. */
enum rf_status rf_export_rules(const struct rf_task *task, char **text, size_t *size,
                               struct rf_error *err);

#endif
