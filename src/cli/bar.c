#include "cli/bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { EVERY_US = 100000, CELLS = 30, LINE_BYTES = 160 };

void rf_bar_format(const char *what, int64_t done, int64_t total, char *line, int size)
{
    double part = total > 0 ? (double)done / (double)total : 1.0;
    int filled = (int)(part * CELLS);
    char cells[CELLS + 1];

    memset(cells, ' ', CELLS);
    memset(cells, '=', (size_t)(filled < CELLS ? filled : CELLS));
    cells[CELLS] = '\0';
    snprintf(line, (size_t)size, "%.60s [%s] %3d%%", what, cells, (int)(part * 100));
}

static void show(void *to, int64_t done, int64_t total)
{
    struct rf_bar *bar = to;
    int64_t now_us = rf_time_us();
    char line[LINE_BYTES];

    if (!bar->on || now_us - bar->shown_us < EVERY_US)
        return;
    bar->shown_us = now_us;
    rf_bar_format(bar->what, done, total, line, sizeof line);
    fprintf(stderr, "\r%s", line);
    fflush(stderr);
    bar->width = (int)strlen(line);
}

void rf_bar_start(struct rf_bar *bar, const char *what, int speak)
{
    *bar = (struct rf_bar){.what = what, .on = speak && isatty(STDERR_FILENO)};
    bar->watch = (struct rf_watch){show, bar};
}

void rf_bar_end(struct rf_bar *bar)
{
    if (bar->width > 0)
        fprintf(stderr, "\r%*s\r", bar->width, "");
    bar->width = 0;
}
