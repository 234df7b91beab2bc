/* text.h - a text that grows at its end; where memory ran out is remembered, and asked once. */
#ifndef RF_REPORT_TEXT_H
#define RF_REPORT_TEXT_H

#include <stddef.h>

#include "base/error.h"

/* Starts as all zeros. data is NULL until something was added, else ends in NUL. */
struct rf_text {
    char *data; /* owned */
    size_t size, room;
    int failed; /* out of memory: what follows is dropped */
};

void rf_text_clear(struct rf_text *text);

void rf_text_add(struct rf_text *text, const char *s);
void rf_text_add_bytes(struct rf_text *text, const char *s, size_t n);
void rf_text_addf(struct rf_text *text, const char *fmt, ...) RF_PRINTF(2, 3);

/* Adds s as HTML text: & < > " ' are escaped, other control characters than LF and TAB and
 * bytes that are not UTF-8 become '?'. Good inside elements and quoted attributes. */
void rf_text_add_html(struct rf_text *text, const char *s);

#endif
