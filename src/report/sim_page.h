/* sim_page.h - the page of a simulation or an ensemble of them; html.h writes it. */
#ifndef RF_REPORT_SIM_PAGE_H
#define RF_REPORT_SIM_PAGE_H

#include <jansson.h>

#include "report/text.h"

/* Adds the whole page, made from results.json and, where there is one, run_dir/series.csv. */
enum rf_status rf_sim_page_make(struct rf_text *page, const char *run_dir,
                                const json_t *results, struct rf_error *err);

#endif
