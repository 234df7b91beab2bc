#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static enum rf_log_level log_level = RF_LOG_WARN;
static int log_speak = 1, log_hushed = 0;
static int log_under; /* columns of a line on the terminal that rewrites itself */

void rf_log_start(enum rf_log_level level, int speak)
{
    log_level = level;
    log_speak = speak;
}

void rf_log_hush(void)
{
    log_hushed = 1;
}

void rf_log_over(int columns)
{
    log_under = columns;
}

int rf_log_is_quiet(void)
{
    return log_hushed || log_level == RF_LOG_QUIET;
}

/* One fprintf per line, so that lines of several processes do not mix. */
static void say(enum rf_log_level level, const char *prefix, const char *fmt, va_list args)
{
    char line[1024];

    if (level > log_level)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    if (log_under > 0)
        fprintf(stderr, "\r%*s\r", log_under, "");
    log_under = 0;
    fprintf(stderr, "%s%s\n", prefix, line);
}

void rf_warn(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (log_speak)
        say(RF_LOG_WARN, "ringfence: warning: ", fmt, args);
    va_end(args);
}

void rf_warn_alone(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(RF_LOG_WARN, "ringfence: warning: ", fmt, args);
    va_end(args);
}

void rf_note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (log_speak && !log_hushed)
        say(RF_LOG_WARN, "ringfence: ", fmt, args);
    va_end(args);
}

void rf_debug(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (log_speak)
        say(RF_LOG_DEBUG, "debug: ", fmt, args);
    va_end(args);
}
