/* page.h - what every report page begins and ends with, and its style. */
#ifndef RF_REPORT_PAGE_H
#define RF_REPORT_PAGE_H

#include <jansson.h>

#include "report/text.h"

/* From the document's type to the opening of <main>. Sections begin with <h2>, without
 * attributes, and figures are those of markup.h. */
void rf_page_head(struct rf_text *page, const char *run);
/* Closes <main>, and puts a list of the sections before it. files: what the page was made from; plots: 0 when none could be drawn. */
void rf_page_foot(struct rf_text *page, const char *version, const char *files, int plots);

/* The verdict over all pledges: broken outweighs unprovable, and that kept; "" without any. */
const char *rf_page_worst_verdict(const json_t *pledges);

/* Cards in the list of class "facts"; nothing for "" and NAN. suffix and what are HTML. */
void rf_page_verdict(struct rf_text *page, const char *verdict);
void rf_page_fact(struct rf_text *page, double value, int digits, const char *suffix,
                  const char *what);
void rf_page_text_fact(struct rf_text *page, const char *text, const char *what);

#endif
