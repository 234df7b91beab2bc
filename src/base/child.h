/* child.h - other programs, run to their end.
 *
 * Found by PATH, started without a shell. */
#ifndef RF_BASE_CHILD_H
#define RF_BASE_CHILD_H

#include <stddef.h>

#include "base/error.h"

/* Runs argv[0] with stdin and stdout at these descriptors; -1: /dev/null. Returns its exit code,
 * 128 + n after signal n, or -1 where it cannot be run at all. After limit_s seconds it is
 * killed; 0: no limit. What it says on stderr is not heard. */
int rf_child_run(char *const argv[], int in, int out, int limit_s);

/* The same, with what it prints in *text, which ends in NUL and which the caller frees; NULL
 * when it could not be run, failed, or memory ran out. */
int rf_child_read(char *const argv[], int limit_s, char **text);

/* The same without a limit, for programs whose failure is ours. *text ends in NUL and belongs to the
 * caller. RF_ERR_INPUT: there is no such program; RF_ERR_PEER: it ended otherwise than with 0,
 * with the last line that it said on stderr. *text is then NULL. */
enum rf_status rf_child_ask(const char *const argv[], char **text, size_t *size_bytes,
                            struct rf_error *err);

/* Is there a program of that name along PATH? */
int rf_child_exists(const char *name);

#endif
