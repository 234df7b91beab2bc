/* duration.h - lengths of time and counts as people say them. */
#ifndef RF_REPORT_DURATION_H
#define RF_REPORT_DURATION_H

enum { RF_DURATION_BYTES = 32 };

/* "0 s", "12.3 s", "4.5 min", "2.1 h", "17 d", "3.2 y"; "-" for NAN. Returns text. */
const char *rf_duration_text(char text[RF_DURATION_BYTES], double seconds);

/* A count with a space between thousands: "1 234 567"; "-" for NAN. Returns text. */
const char *rf_count_text(char text[RF_DURATION_BYTES], double count);

/* The unit for an axis of so many seconds: "seconds", "hours", "days" or "years", and its
 * length in seconds. A year is 365.25 days. */
const char *rf_duration_unit(double seconds, double *unit_s);

#endif
