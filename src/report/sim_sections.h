/* sim_sections.h - the parts of a simulation's page, each added to the page in turn. */
#ifndef RF_REPORT_SIM_SECTIONS_H
#define RF_REPORT_SIM_SECTIONS_H

#include <jansson.h>

#include "report/sim_series.h"
#include "report/text.h"

/* What a page is made from; borrowed. */
struct rf_sim_page {
    const json_t *results;          /* results.json */
    const struct rf_curves *curves; /* as many steps as a picture can show; none: n is 0 */
    int plots;                      /* set to 1 by a section that drew one */
};

enum rf_status rf_sim_section_pledges(struct rf_text *page, struct rf_sim_page *in,
                                      struct rf_error *err);
enum rf_status rf_sim_section_use(struct rf_text *page, struct rf_sim_page *in,
                                  struct rf_error *err);
enum rf_status rf_sim_section_books(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err);
enum rf_status rf_sim_section_waits(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err);
enum rf_status rf_sim_section_denials(struct rf_text *page, struct rf_sim_page *in,
                                      struct rf_error *err);
void rf_sim_section_ledger(struct rf_text *page, const struct rf_sim_page *in);

/* Of an ensemble: "cells", rows as rf_sim_outcome_json() makes them, and "comparisons". */
enum rf_status rf_sim_section_sweep(struct rf_text *page, struct rf_sim_page *in,
                                    struct rf_error *err);

#endif
