/* help.h - what `ringfence help` answers: the overview, one command's help, and the same as manual
 * pages and completions. */
#ifndef RF_CLI_HELP_H
#define RF_CLI_HELP_H

#include "cli/command.h"

/* Main says once what commands there are; the table is ended by NULL and stays. */
void rf_help_start(const struct rf_command *const *commands);

/* The overview, on stdout. */
void rf_help_overview(void);

/* The command of this name; otherwise RF_ERR_ARG, and a near miss is named. */
enum rf_status rf_help_find(const char *name, const struct rf_command **found,
                            struct rf_error *err);

#endif
