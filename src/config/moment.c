#include "config/moment.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double seconds;
} units[] = {{"y", 365.25 * 86400}, {"w", 7 * 86400}, {"d", 86400},
             {"h", 3600},           {"m", 60},        {"s", 1},
             {"ms", 1e-3}};

int rf_duration_parse(const char *text, int64_t *us)
{
    double value;
    char *end;

    if (!isdigit((unsigned char)text[0]) || text[strspn(text, "0123456789.")] == '\0')
        return 0;
    /* digits and one dot only: no exponents, no hexadecimal, no words for infinity */
    value = strtod(text, &end);
    if (end != text + strspn(text, "0123456789."))
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].name) == 0) {
            value *= units[i].seconds;
            if (!(value <= 1000 * units[0].seconds))
                return 0;
            *us = llround(value * 1e6);
            return 1;
        }
    return 0;
}

/* Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t of_era = z - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(years + era * 400 + (*month <= 2));
}

/* Reads `count` digits as a number from low to high and moves on; 0 when they are not there. */
static int digits(const char **at, int count, int low, int high, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)(*at)[i]))
            return 0;
        *value = *value * 10 + (*at)[i] - '0';
    }
    *at += count;
    return *value >= low && *value <= high;
}

static int character(const char **at, char c)
{
    if (**at != c)
        return 0;
    ++*at;
    return 1;
}

int rf_date_parse(const char *text, int64_t *us)
{
    int year, month, day, hour = 0, minute = 0, second = 0;
    int y, m, d;
    int64_t days;

    if (!digits(&text, 4, 1970, 9999, &year) || !character(&text, '-') ||
        !digits(&text, 2, 1, 12, &month) || !character(&text, '-') ||
        !digits(&text, 2, 1, 31, &day))
        return 0;
    days = days_of(year, month, day);
    civil_of(days, &y, &m, &d);
    if (y != year || m != month || d != day) /* 30 February */
        return 0;
    if (*text != '\0') {
        if ((!character(&text, 'T') && !character(&text, ' ')) ||
            !digits(&text, 2, 0, 23, &hour) || !character(&text, ':') ||
            !digits(&text, 2, 0, 59, &minute) ||
            (character(&text, ':') && !digits(&text, 2, 0, 59, &second)))
            return 0;
        character(&text, 'Z');
    }
    if (*text != '\0')
        return 0;
    *us = (days * 86400 + hour * 3600 + minute * 60 + second) * INT64_C(1000000);
    return 1;
}

void rf_date_format(int64_t us, char text[RF_DATE_BYTES])
{
    int64_t seconds = us / 1000000;
    int64_t of_day = seconds % 86400;
    int year, month, day;
    int n;

    civil_of(seconds / 86400, &year, &month, &day);
    n = snprintf(text, RF_DATE_BYTES, "%04d-%02d-%02d", year, month, day);
    if (of_day != 0)
        snprintf(text + n, (size_t)(RF_DATE_BYTES - n), "T%02d:%02d:%02dZ",
                 (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}
