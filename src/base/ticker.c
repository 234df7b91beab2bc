#include "base/ticker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/terminal.h"

enum { SCREEN_US = 100000, CHANGED_US = 1000000, CELLS = 24, SHORT_BYTES = 24 };

void rf_ticker_start(struct rf_ticker *ticker, int speak)
{
    *ticker = (struct rf_ticker){.mode = !speak || rf_log_is_quiet() ? RF_TICKER_OFF
                                         : isatty(STDERR_FILENO)     ? RF_TICKER_SCREEN
                                                                     : RF_TICKER_PLAIN,
                                 .since_us = rf_time_us()};
    /* short work stays silent where nobody watches */
    ticker->shown_us = ticker->mode == RF_TICKER_PLAIN ? ticker->since_us : 0;
}

int rf_ticker_due(const struct rf_ticker *ticker, int64_t now_us, int changed)
{
    int64_t past_us = now_us - ticker->shown_us;

    if (ticker->mode == RF_TICKER_PLAIN)
        return past_us >= (changed ? CHANGED_US : RF_TICKER_PLAIN_S * INT64_C(1000000));
    return ticker->mode == RF_TICKER_SCREEN && past_us >= SCREEN_US;
}

/* The first so many characters: a line that wraps could not be written over. */
static int cut(const char *line, int columns)
{
    int n = 0, bytes = 0;

    for (; line[bytes] != '\0'; bytes++) {
        n += ((unsigned char)line[bytes] & 0xc0) != 0x80;
        if (n > columns)
            break;
    }
    return bytes;
}

void rf_ticker_show(struct rf_ticker *ticker, int64_t now_us, const char *screen,
                    const char *plain)
{
    int bytes;

    ticker->shown_us = now_us;
    if (ticker->mode == RF_TICKER_PLAIN)
        fprintf(stderr, "%s\n", plain);
    if (ticker->mode != RF_TICKER_SCREEN)
        return;
    bytes = cut(screen, rf_terminal_columns(STDERR_FILENO));
    fprintf(stderr, "\r%.*s%*s", bytes, screen,
            ticker->width > bytes ? ticker->width - bytes : 0, "");
    fflush(stderr);
    ticker->width = bytes;
    rf_log_over(bytes);
}

void rf_ticker_end(struct rf_ticker *ticker)
{
    if (ticker->width > 0)
        fprintf(stderr, "\r%*s\r", ticker->width, "");
    ticker->width = 0;
    rf_log_over(0);
}

/* ---- so much of so much ---- */

static void show(void *to, int64_t done, int64_t total)
{
    struct rf_bar *bar = to;
    int64_t now_us = rf_time_us();
    double elapsed_s = (double)(now_us - bar->ticker.since_us) / 1e6;
    char screen[RF_TICKER_BYTES], plain[RF_TICKER_BYTES];

    if (!rf_ticker_due(&bar->ticker, now_us, 0))
        return;
    rf_bar_screen(bar, done, total, elapsed_s, screen, sizeof screen);
    rf_bar_plain(bar, done, total, elapsed_s, plain, sizeof plain);
    rf_ticker_show(&bar->ticker, now_us, screen, plain);
}

void rf_bar_start(struct rf_bar *bar, const char *what, int speak)
{
    *bar = (struct rf_bar){.what = what};
    rf_ticker_start(&bar->ticker, speak);
    bar->on = bar->ticker.mode != RF_TICKER_OFF;
    bar->watch = (struct rf_watch){show, bar};
}

void rf_bar_end(struct rf_bar *bar)
{
    rf_ticker_end(&bar->ticker);
}

/* "950", "12.3 k", "4.56 G". */
static void short_number(double x, char text[SHORT_BYTES])
{
    static const char prefixes[] = " kMGTPE";
    int k = 0;

    for (; x >= 1000 && prefixes[k + 1] != '\0'; k++)
        x /= 1000;
    if (k == 0)
        snprintf(text, SHORT_BYTES, "%.3g ", x);
    else
        snprintf(text, SHORT_BYTES, "%.3g %c", x, prefixes[k]);
}

static void short_time(double s, char text[SHORT_BYTES])
{
    if (s < 120)
        snprintf(text, SHORT_BYTES, "%.0f s", s);
    else if (s < 7200)
        snprintf(text, SHORT_BYTES, "%.0f min", s / 60);
    else
        snprintf(text, SHORT_BYTES, "%.1f h", s / 3600);
}

struct rf_pace rf_pace_of(double done, double total, double elapsed_s, const char *unit)
{
    int going = done > 0 && done <= total && elapsed_s > 0;

    return (struct rf_pace){.part = total > 0 ? done / total : 1.0,
                            .elapsed_s = elapsed_s,
                            .eta_s = going ? elapsed_s * (total - done) / done : (double)NAN,
                            .rate = going ? done / elapsed_s : (double)NAN,
                            .unit = unit};
}

static int has_rate(const struct rf_pace *pace)
{
    return pace->unit != NULL && isfinite(pace->rate);
}

void rf_pace_add_screen(const struct rf_pace *pace, char *line, size_t size)
{
    char rate[SHORT_BYTES] = "", left[SHORT_BYTES] = "", part[SHORT_BYTES] = "";
    size_t used = strlen(line);

    if (isfinite(pace->part))
        snprintf(part, sizeof part, " %3d%%", (int)(100 * pace->part));
    if (has_rate(pace))
        short_number(pace->rate, rate);
    if (isfinite(pace->eta_s))
        short_time(pace->eta_s, left);
    snprintf(line + used, size - used, "%s%s%s%s%s%s%s", part, rate[0] != '\0' ? "  " : "",
             rate, rate[0] != '\0' ? pace->unit : "", rate[0] != '\0' ? "/s" : "",
             left[0] != '\0' ? "  ETA " : "", left);
}

/* A space in a value would end it. */
static void add_value(char *line, size_t size, const char *key, const char *value)
{
    size_t at = strlen(line);

    snprintf(line + at, size - at, "%s=%.60s", key, value);
    for (at += strlen(key) + 1; at < size && line[at] != '\0'; at++)
        line[at] = line[at] == ' ' || line[at] == '=' ? '_' : line[at];
}

static void add_number(char *line, size_t size, const char *fmt, double x)
{
    size_t used = strlen(line);

    if (isfinite(x))
        snprintf(line + used, size - used, fmt, x);
}

void rf_pace_plain(const struct rf_pace *pace, const char *what, char *line, size_t size)
{
    line[0] = '\0';
    add_value(line, size, "progress what", what);
    add_number(line, size, " percent=%.1f", 100 * pace->part);
    add_number(line, size, " elapsed_s=%.1f", pace->elapsed_s);
    add_number(line, size, " eta_s=%.1f", pace->eta_s);
    if (has_rate(pace)) {
        add_value(line, size, " unit", pace->unit);
        add_number(line, size, " rate_per_s=%.6g", pace->rate);
    }
}

void rf_bar_screen(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                   char *line, size_t size)
{
    const struct rf_pace pace = rf_pace_of((double)done, (double)total, elapsed_s, bar->unit);
    int filled = (int)(pace.part * CELLS);
    char cells[CELLS + 1];

    memset(cells, ' ', CELLS);
    memset(cells, '=', (size_t)(filled < CELLS ? filled : CELLS));
    cells[CELLS] = '\0';
    snprintf(line, size, "%.60s [%s]", bar->what, cells);
    rf_pace_add_screen(&pace, line, size);
}

void rf_bar_plain(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                  char *line, size_t size)
{
    const struct rf_pace pace = rf_pace_of((double)done, (double)total, elapsed_s, bar->unit);
    size_t used;

    rf_pace_plain(&pace, bar->what, line, size);
    used = strlen(line);
    if (has_rate(&pace))
        snprintf(line + used, size - used, " done=%lld total=%lld", (long long)done,
                 (long long)total);
}
