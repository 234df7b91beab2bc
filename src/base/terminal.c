#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 79, NARROWEST = 40 };

static enum rf_colour_wish colour_wish = RF_COLOUR_AUTO;

void rf_terminal_colour(enum rf_colour_wish wish)
{
    colour_wish = wish;
}

int rf_terminal_colour_parse(const char *text, enum rf_colour_wish *wish)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *wish = (enum rf_colour_wish)i;
            return 1;
        }
    return 0;
}

int rf_terminal_columns(int fd)
{
    struct winsize size = {0};

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= NARROWEST ? (int)size.ws_col - 1
                                                                         : COLUMNS;
}

int rf_terminal_is_screen(FILE *out)
{
    const char *term = getenv("TERM");

    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}

static int has_colour(FILE *out)
{
    const char *no = getenv("NO_COLOR");

    if (colour_wish != RF_COLOUR_AUTO)
        return colour_wish == RF_COLOUR_ALWAYS;
    return (no == NULL || *no == '\0') && rf_terminal_is_screen(out);
}

const char *rf_terminal_on(FILE *out, enum rf_shade shade)
{
    static const char *const codes[] = {"", "\033[32m", "\033[31m", "\033[33m"};

    return has_colour(out) ? codes[shade] : "";
}

const char *rf_terminal_off(FILE *out, enum rf_shade shade)
{
    return shade != RF_SHADE_NONE && has_colour(out) ? "\033[0m" : "";
}

enum rf_shade rf_terminal_shade(const char *word)
{
    static const struct {
        const char *word;
        enum rf_shade shade;
    } words[] = {{"kept", RF_SHADE_GOOD},  {"ok", RF_SHADE_GOOD},
                 {"pass", RF_SHADE_GOOD},  {"broken", RF_SHADE_BAD},
                 {"fail", RF_SHADE_BAD},   {"finding", RF_SHADE_BAD},
                 {"failed", RF_SHADE_BAD}, {"unprovable", RF_SHADE_OPEN},
                 {"warn", RF_SHADE_OPEN},  {"cannot tell", RF_SHADE_OPEN}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].shade;
    return RF_SHADE_NONE;
}
