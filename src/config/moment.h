/* moment.h - durations and dates as people write them in a configuration. */
#ifndef RF_CONFIG_MOMENT_H
#define RF_CONFIG_MOMENT_H

#include <stdint.h>

/* "4y", "30d", "12h", "90m", "1.5w", "20s", "250ms": a number and a unit. A year has 365.25
 * days, so that four of them are four years of the calendar. 1 when understood: not negative,
 * and at most a thousand years. */
int rf_duration_parse(const char *text, int64_t *us);

/* "2024-05-17", "2024-05-17T09:30", "2024-05-17T09:30:00Z": UTC, microseconds since 1970, years
 * 1970 to 9999. 1 when understood. */
int rf_date_parse(const char *text, int64_t *us);
/* The shortest of these forms; what is finer than a second is dropped. */
enum { RF_DATE_BYTES = 32 };
void rf_date_format(int64_t us, char text[RF_DATE_BYTES]);

#endif
