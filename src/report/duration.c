#include "report/duration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, YEAR_S = 365.25 * 86400;

const char *rf_duration_text(char text[RF_DURATION_BYTES], double seconds)
{
    double size = fabs(seconds);
    double unit_s = 1;
    const char *unit = "s";

    if (!isfinite(seconds)) {
        snprintf(text, RF_DURATION_BYTES, "-");
        return text;
    }
    if (size >= 2 * YEAR_S)
        unit_s = YEAR_S, unit = "y";
    else if (size >= 2 * DAY_S)
        unit_s = DAY_S, unit = "d";
    else if (size >= 2 * HOUR_S)
        unit_s = HOUR_S, unit = "h";
    else if (size >= 2 * MINUTE_S)
        unit_s = MINUTE_S, unit = "min";
    snprintf(text, RF_DURATION_BYTES, size / unit_s >= 99.95 ? "%.0f %s" : "%.3g %s",
             seconds / unit_s, unit);
    return text;
}

const char *rf_count_text(char text[RF_DURATION_BYTES], double count)
{
    char digits[RF_DURATION_BYTES];
    size_t n, at = 0;

    if (!isfinite(count) || fabs(count) >= 1e15) {
        snprintf(text, RF_DURATION_BYTES, isfinite(count) ? "%.3e" : "-", count);
        return text;
    }
    snprintf(digits, sizeof digits, "%.0f", fabs(count));
    n = strlen(digits);
    if (count < 0)
        text[at++] = '-';
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ' ';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *rf_duration_unit(double seconds, double *unit_s)
{
    *unit_s = seconds > 3 * YEAR_S   ? YEAR_S
              : seconds > 3 * DAY_S  ? DAY_S
              : seconds > 3 * HOUR_S ? HOUR_S
                                     : 1;
    return *unit_s == YEAR_S   ? "years"
           : *unit_s == DAY_S  ? "days"
           : *unit_s == HOUR_S ? "hours"
                               : "seconds";
}
