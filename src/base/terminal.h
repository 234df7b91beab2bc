/* terminal.h - what can be seen where something is printed: width, colour. */
#ifndef RF_BASE_TERMINAL_H
#define RF_BASE_TERMINAL_H

#include <stdio.h>

enum rf_colour_wish { RF_COLOUR_AUTO, RF_COLOUR_ALWAYS, RF_COLOUR_NEVER };

/* What --color said; decided once, at start. AUTO: on a terminal that can, unless NO_COLOR is set
 * to anything but "" (no-color.org). */
void rf_terminal_colour(enum rf_colour_wish wish);
/* Reads "auto", "always" or "never"; 0 when it is none of them. */
int rf_terminal_colour_parse(const char *text, enum rf_colour_wish *wish);

/* Columns to print on, the last one left free: of the terminal, or 79. */
int rf_terminal_columns(int fd);
/* Can the cursor be moved? */
int rf_terminal_is_screen(FILE *out);

/* Before and after words that are good, bad or open; both "" where there is no colour. */
enum rf_shade { RF_SHADE_NONE, RF_SHADE_GOOD, RF_SHADE_BAD, RF_SHADE_OPEN };
const char *rf_terminal_on(FILE *out, enum rf_shade shade);
const char *rf_terminal_off(FILE *out, enum rf_shade shade);
/* The shade of a word that the program uses for an answer: "kept", "broken", "ok", "fail"... */
enum rf_shade rf_terminal_shade(const char *word);

#endif
