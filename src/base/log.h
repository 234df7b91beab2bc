/* log.h - talk, on stderr. Results never go through here.
 *
 * Which rank speaks and how much is decided once, at start; after that any
 * code may call. Errors are not logged by library code: they travel as
 * struct rf_error and main prints them once. */
#ifndef RF_BASE_LOG_H
#define RF_BASE_LOG_H

#include "base/error.h"

enum rf_log_level { RF_LOG_QUIET, RF_LOG_WARN, RF_LOG_DEBUG };

/* speak: whether this process prints at all. */
void rf_log_start(enum rf_log_level level, int speak);
/* No progress and no notes from now on; warnings stay. */
void rf_log_hush(void);
/* Are progress and notes off, by rf_log_hush() or with the warnings? */
int rf_log_is_quiet(void);

/* A line of so many columns that rewrites itself (ticker.h) stands on the terminal, and gives way to
 * what is said next; 0: none does. */
void rf_log_over(int columns);

void rf_warn(const char *fmt, ...) RF_PRINTF(1, 2);
/* For what this process alone knows: heard even from one that does not speak otherwise. */
void rf_warn_alone(const char *fmt, ...) RF_PRINTF(1, 2);
/* What is no warning, but not with --quiet. */
void rf_note(const char *fmt, ...) RF_PRINTF(1, 2);
void rf_debug(const char *fmt, ...) RF_PRINTF(1, 2);

#endif
