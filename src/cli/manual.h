/* manual.h - manual pages in man's own language, from the tables that read the arguments.
 *
 * Pages are for man and mandoc: the man macros, nothing of roff beyond fonts and characters. They
 * bear the date of the version, so the same source gives the same bytes. */
#ifndef RF_CLI_MANUAL_H
#define RF_CLI_MANUAL_H

#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"

/* ringfence(1): what there is. `commands` is ended by NULL. Whether writing went well, the
 * caller asks the stream. */
void rf_manual_program(FILE *to, const struct rf_command *const *commands);

/* ringfence-NAME(1). */
void rf_manual_command(FILE *to, const struct rf_command *command,
                       const struct rf_command_line *line);

#endif
