/* study.h - the part of a run's page that is about weak-to-strong experiments as a study: what was
 * imitated, how the gap recovered goes with the gap in compute, who gets the hard ones right, what each
 * cell has cost, and which did not fit. */
#ifndef RF_REPORT_STUDY_H
#define RF_REPORT_STUDY_H

#include "report/sections.h"

enum rf_status rf_section_study(struct rf_text *page, struct rf_report_input *in,
                                struct rf_error *err);

/* Its figures, as those of figures.h. */

/* Agreement with the supervisor where it is right, against where it is wrong, by the size of the
 * student; a point per row. */
enum rf_status rf_figure_imitation(const json_t *experiments, char **svg, struct rf_error *err);
/* Gap recovered, with its interval, against how many times the supervisor's parameters the student
 * has. */
enum rf_status rf_figure_pgr_by_size(const json_t *experiments, char **svg,
                                     struct rf_error *err);
/* The same against how many times the supervisor's FLOPs the student was made with, pretraining
 * included. Data behind these figures name each point's cell and its seeds. */
enum rf_status rf_figure_pgr_by_compute(const json_t *experiments, char **svg,
                                        struct rf_error *err);
/* Accuracy by difficulty, where test items have one: a line per kind of job and row of students,
 * means over repeats. */
enum rf_status rf_figure_difficulty(const json_t *jobs, char **svg, struct rf_error *err);

#endif
