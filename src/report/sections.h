/* sections.h - the parts of the report, each added to the page in turn. */
#ifndef RF_REPORT_SECTIONS_H
#define RF_REPORT_SECTIONS_H

#include <jansson.h>

#include "report/text.h"
#include "report/usage.h"

/* What a page is made from; borrowed. */
struct rf_report_input {
    const json_t *results; /* results.json */
    const struct rf_timeline *timeline;
    const struct rf_usage *usage;
    int plots; /* set to 1 by a section that drew one */
};

enum rf_status rf_section_pledges(struct rf_text *page, struct rf_report_input *in,
                                  struct rf_error *err);
enum rf_status rf_section_accounts(struct rf_text *page, struct rf_report_input *in,
                                   struct rf_error *err);
enum rf_status rf_section_experiments(struct rf_text *page, struct rf_report_input *in,
                                      struct rf_error *err);
enum rf_status rf_section_jobs(struct rf_text *page, struct rf_report_input *in,
                               struct rf_error *err);
enum rf_status rf_section_waits(struct rf_text *page, struct rf_report_input *in,
                                struct rf_error *err);
void rf_section_ledger(struct rf_text *page, const struct rf_report_input *in);

#endif
