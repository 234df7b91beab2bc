/* scan.h - what libconfig lets pass silently, and we do not.
 *
 * A whole number that does not fit 32 bits (and has no L behind it) would wrap around, an
 * @include would read further files behind our back, and a NUL byte would end the text early.
 */
#ifndef RF_CONFIG_SCAN_H
#define RF_CONFIG_SCAN_H

#include <stddef.h>

#include "base/error.h"

/* place is what messages start with; with_line adds ":LINE" to it. */
enum rf_status rf_config_scan(const char *text, size_t size_bytes, const char *place,
                              int with_line, struct rf_error *err);

#endif
