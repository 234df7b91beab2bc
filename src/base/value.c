#include "base/value.h"

#include <string.h>
#include <strings.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *at, which moves behind them; -1: none, or more than 18. */
static int64_t digits(const char **at, const char *end)
{
    const char *begin = *at, *p = begin;
    int64_t value = 0;

    while (p < end && is_digit(*p) && p - begin < 18)
        value = 10 * value + (*p++ - '0');
    *at = p;
    return p == begin || (p < end && is_digit(*p)) ? -1 : value;
}

/* The decimals at *at, which points behind the dot, in millionths. */
static int64_t millionths(const char **at, const char *end)
{
    int64_t value = 0, unit = 100000;

    for (; *at < end && is_digit(**at); (*at)++, unit /= 10)
        value += unit * (**at - '0');
    return value;
}

/* [-]digits[.digits]: the whole part and the millionths, both without the sign. Most of the time
 * of reading a trace goes here and into finding the fields. */
static int number(struct rf_view text, int *negative, int64_t *whole, int64_t *millionth)
{
    const char *at = text.bytes, *end = at + text.size_bytes, *begin;
    int64_t value = 0;

    *negative = at < end && *at == '-';
    *millionth = 0;
    at += *negative;
    begin = at;
    if (end - at > 18)
        end = at + 18;
    while (at < end && is_digit(*at))
        value = 10 * value + (*at++ - '0');
    end = text.bytes + text.size_bytes;
    *whole = value;
    if (at == end)
        return at > begin;
    if (at == begin || *at != '.')
        return 0;
    at++;
    *millionth = millionths(&at, end);
    return at == end;
}

int rf_value_integer(struct rf_view text, int64_t *value)
{
    int negative;
    int64_t whole, millionth;

    if (!number(text, &negative, &whole, &millionth) || millionth != 0)
        return 0;
    *value = negative ? -whole : whole;
    return 1;
}

int rf_value_seconds(struct rf_view text, int64_t *value_us)
{
    int negative;
    int64_t whole, millionth;

    if (!number(text, &negative, &whole, &millionth) || whole > RF_VALUE_TIME_MAX_S)
        return 0;
    *value_us = whole * 1000000 + millionth;
    if (negative)
        *value_us = -*value_us;
    return 1;
}

/* Days since 1970 of a day in the Gregorian calendar, counting years from March on. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* Exactly n digits; *at moves behind them and the separator `then` ('\0': none). */
static int64_t field(const char **at, const char *end, int n, char then)
{
    int64_t value = 0;

    if (end - *at < n + (then != '\0'))
        return -1;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*at)[i]))
            return -1;
        value = 10 * value + ((*at)[i] - '0');
    }
    if (then != '\0' && (*at)[n] != then)
        return -1;
    *at += n + (then != '\0');
    return value;
}

/* Z, +08:00, +0800, +08 or nothing -> seconds east of UTC; 0: not understood. */
static int zone(const char *at, const char *end, int64_t *east_s)
{
    int64_t hours, minutes = 0;
    char sign;

    *east_s = 0;
    if (at == end || (end - at == 1 && (*at == 'Z' || *at == 'z')))
        return 1;
    sign = *at++;
    if (sign != '+' && sign != '-')
        return 0;
    hours = field(&at, end, 2, '\0');
    if (at < end && *at == ':')
        at++;
    if (at < end)
        minutes = field(&at, end, 2, '\0');
    if (hours < 0 || hours > 18 || minutes < 0 || minutes > 59 || at != end)
        return 0;
    *east_s = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return 1;
}

int rf_value_date(struct rf_view text, int64_t *value_us)
{
    static const int LENGTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.bytes, *end = at + text.size_bytes;
    int64_t year, month, day, hour, minute, second, millionth = 0, east_s;
    int leap;

    if (text.size_bytes < 19 || (at[10] != ' ' && at[10] != 'T'))
        return 0;
    year = field(&at, end, 4, '-');
    month = field(&at, end, 2, '-');
    day = field(&at, end, 2, at[2]);
    hour = field(&at, end, 2, ':');
    minute = field(&at, end, 2, ':');
    second = field(&at, end, 2, '\0');
    if (at < end && *at == '.') {
        at++;
        millionth = millionths(&at, end);
    }
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > LENGTH[month - 1] + (month == 2 && leap) || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60 || !zone(at, end, &east_s))
        return 0;
    second += ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 - east_s;
    if (second > RF_VALUE_TIME_MAX_S || second < -RF_VALUE_TIME_MAX_S)
        return 0;
    *value_us = second * 1000000 + millionth;
    return 1;
}

int rf_value_instant(struct rf_view text, int64_t *value_us)
{
    return rf_value_seconds(text, value_us) || rf_value_date(text, value_us);
}

int rf_value_duration(struct rf_view text, int64_t *value_us)
{
    const char *at = text.bytes, *end = at + text.size_bytes;
    int64_t days = 0, part[3] = {0}, millionth = 0;
    int n = 0;

    if (text.size_bytes == 0)
        return 0;
    part[n++] = digits(&at, end);
    if (at < end && *at == '-') {
        days = part[0];
        at++;
        part[0] = digits(&at, end);
    }
    while (n < 3 && at < end && *at == ':') {
        at++;
        part[n++] = digits(&at, end);
    }
    if (n >= 2 && at < end && *at == '.') {
        at++;
        millionth = millionths(&at, end);
    }
    if (at != end || n == 1 || days < 0 || days > 100000 || part[0] < 0 || part[1] < 0 ||
        part[2] < 0 || part[0] > 10000000 || part[1] > 59 || part[2] > 59)
        return 0;
    if (n == 2) /* minutes:seconds */
        *value_us = (part[0] * 60 + part[1]) * 1000000 + millionth;
    else
        *value_us = ((part[0] * 60 + part[1]) * 60 + part[2]) * 1000000 + millionth;
    *value_us += days * 86400 * 1000000;
    return 1;
}

int rf_value_missing(struct rf_view text)
{
    static const char *const WORDS[] = {"Unknown", "None", "null", "NaN", "N/A"};

    if (text.size_bytes == 0)
        return 1;
    if ((*text.bytes | 0x20) != 'u' && (*text.bytes | 0x20) != 'n')
        return 0;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (rf_value_is(text, WORDS[i]))
            return 1;
    return 0;
}

int rf_value_is(struct rf_view text, const char *word)
{
    return strlen(word) == text.size_bytes &&
           strncasecmp(text.bytes, word, text.size_bytes) == 0;
}

struct rf_view rf_value_trim(struct rf_view text)
{
    while (text.size_bytes > 0 && (*text.bytes == ' ' || *text.bytes == '\t')) {
        text.bytes++;
        text.size_bytes--;
    }
    while (text.size_bytes > 0 &&
           (text.bytes[text.size_bytes - 1] == ' ' || text.bytes[text.size_bytes - 1] == '\t'))
        text.size_bytes--;
    return text;
}
