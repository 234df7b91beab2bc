/* child.h - other programs, run to their end, or beside ours.
 *
 * Found by PATH, started without a shell. */
#ifndef RF_BASE_CHILD_H
#define RF_BASE_CHILD_H

#include <stddef.h>
#include <sys/types.h>

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

/* Starts it and does not wait. Its stdin is /dev/null, and what it prints goes to our stderr, as our
 * stdout may be a document. 0, or an errno and no child. */
int rf_child_start(char *const argv[], pid_t *child);
/* Is it over, waiting for that if block says so? 1, and *code is as rf_child_run() returns it; 0: not yet;
 * -1: there is no such child. */
int rf_child_over(pid_t child, int block, int *code);

/* Is there a program of that name along PATH? */
int rf_child_exists(const char *name);

#endif
