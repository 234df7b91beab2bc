/* program.h - running another program, without a shell, and reading what it says. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include <stddef.h>

#include "base/error.h"

/* Runs argv[0], found by PATH, and waits for it. What it prints on stdout comes out in *text (a NUL
 * behind it), which the caller frees; text may be NULL. RF_ERR_INPUT: there is no such program;
 * RF_ERR_PEER: it ended otherwise than with 0, with the last line that it said on stderr. */
enum rf_status rf_program_run(const char *const argv[], char **text, size_t *size_bytes,
                              struct rf_error *err);

#endif
