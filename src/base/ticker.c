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
}

void rf_ticker_end(struct rf_ticker *ticker)
{
    if (ticker->width > 0)
        fprintf(stderr, "\r%*s\r", ticker->width, "");
    ticker->width = 0;
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

static int has_rate(int64_t done, int64_t total, double elapsed_s)
{
    return done > 0 && done <= total && elapsed_s > 0;
}

void rf_bar_screen(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                   char *line, size_t size)
{
    double part = total > 0 ? (double)done / (double)total : 1.0;
    int filled = (int)(part * CELLS), n;
    char cells[CELLS + 1], rate[SHORT_BYTES], left[SHORT_BYTES];

    memset(cells, ' ', CELLS);
    memset(cells, '=', (size_t)(filled < CELLS ? filled : CELLS));
    cells[CELLS] = '\0';
    n = snprintf(line, size, "%.60s [%s] %3d%%", bar->what, cells, (int)(part * 100));
    if (n < 0 || (size_t)n >= size || !has_rate(done, total, elapsed_s))
        return;
    short_number((double)done / elapsed_s, rate);
    short_time(elapsed_s * (double)(total - done) / (double)done, left);
    if (bar->unit != NULL)
        snprintf(line + n, size - (size_t)n, "  %s%s/s  ETA %s", rate, bar->unit, left);
    else
        snprintf(line + n, size - (size_t)n, "  ETA %s", left);
}

void rf_bar_plain(const struct rf_bar *bar, int64_t done, int64_t total, double elapsed_s,
                  char *line, size_t size)
{
    char what[64], *at;
    int n;

    snprintf(what, sizeof what, "%.60s", bar->what);
    for (at = what; *at != '\0'; at++)
        *at = *at == ' ' || *at == '=' ? '_' : *at;
    n = snprintf(line, size, "progress what=%s percent=%.1f elapsed_s=%.1f", what,
                 total > 0 ? 100 * (double)done / (double)total : 100.0, elapsed_s);
    if (n < 0 || (size_t)n >= size || !has_rate(done, total, elapsed_s))
        return;
    n += snprintf(line + n, size - (size_t)n, " eta_s=%.1f",
                  elapsed_s * (double)(total - done) / (double)done);
    if (bar->unit != NULL && (size_t)n < size)
        snprintf(line + n, size - (size_t)n, " done=%lld total=%lld unit=%s rate_per_s=%.6g",
                 (long long)done, (long long)total, bar->unit, (double)done / elapsed_s);
}
