/* value.h - numbers, dates and durations as tables of jobs write them.
 *
 * All of them take exactly the bytes of the text, without spaces around it, and return 1 when
 * they understood all of it. Times beyond RF_VALUE_TIME_MAX_S are not understood: no table is
 * about them, and sums of times then stay far from the end of 64 bits. */
#ifndef RF_BASE_VALUE_H
#define RF_BASE_VALUE_H

#include <stdint.h>

#include "base/lines.h"

#define RF_VALUE_TIME_MAX_S INT64_C(20000000000) /* 633 years */

/* A whole number; "8.0" is one. */
int rf_value_integer(struct rf_view text, int64_t *value);
/* Seconds with decimals -> microseconds; what is finer is cut off. */
int rf_value_seconds(struct rf_view text, int64_t *value_us);
/* "2023-03-01 00:00:03+08:00", "2023-03-01T00:00:03", with decimals, with Z; without a zone it
 * is UTC. Microseconds since 1970. */
int rf_value_date(struct rf_view text, int64_t *value_us);
/* A date, or seconds since 1970. */
int rf_value_instant(struct rf_view text, int64_t *value_us);
/* [days-]hours:minutes:seconds or minutes:seconds, with decimals. */
int rf_value_duration(struct rf_view text, int64_t *value_us);
/* Empty, or a word for it: Unknown, None, null, NaN, N/A. */
int rf_value_missing(struct rf_view text);
/* Equal but for the case of ASCII letters. */
int rf_value_is(struct rf_view text, const char *word);
struct rf_view rf_value_trim(struct rf_view text);

#endif
