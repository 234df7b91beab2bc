/* completion.h - what a shell offers after `ringfence`, from the tables that read the arguments.
 *
 *     rf_completion_begin(to, shell, commands);
 *     rf_completion_command(to, shell, command, line);      for each command
 *     rf_completion_end(to, shell); */
#ifndef RF_CLI_COMPLETION_H
#define RF_CLI_COMPLETION_H

#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"

enum rf_shell { RF_SHELL_BASH, RF_SHELL_ZSH };

void rf_completion_begin(FILE *to, enum rf_shell shell,
                         const struct rf_command *const *commands);
void rf_completion_command(FILE *to, enum rf_shell shell, const struct rf_command *command,
                           const struct rf_command_line *line);
void rf_completion_end(FILE *to, enum rf_shell shell);

#endif
