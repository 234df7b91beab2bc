/* sim_markup.h - what the sections of a simulation's page have in common. */
#ifndef RF_REPORT_SIM_MARKUP_H
#define RF_REPORT_SIM_MARKUP_H

#include "report/markup.h"
#include "report/sim_sections.h"

enum { RF_SIM_ROWS = 400 }; /* of a table; more only make a page heavy */
#define RF_SIM_HOUR_S 3600.0

/* Says that a table of n rows was cut short. */
void rf_sim_cut(struct rf_text *page, size_t n);

/* Takes over svg. */
void rf_sim_figure(struct rf_text *page, struct rf_sim_page *in, char *svg,
                   const char *caption);

/* What lies between is folded away until somebody opens it. */
void rf_sim_details_begin(struct rf_text *page, const char *summary);
void rf_sim_details_end(struct rf_text *page);

/* Cells of numbers: a length of time, a count, device-time in hours. */
void rf_sim_cell_duration(struct rf_text *page, double seconds);
void rf_sim_cell_count(struct rf_text *page, double count);
void rf_sim_cell_hours(struct rf_text *page, double device_s);

/* In percent; NAN when the whole is nothing. */
double rf_sim_percent(double part, double whole);

#endif
