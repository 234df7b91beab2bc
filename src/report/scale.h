/* scale.h - what a scaling study leaves: files of points, results.json, tables, a page. */
#ifndef RF_REPORT_SCALE_H
#define RF_REPORT_SCALE_H

#include <stdio.h>

#include <jansson.h>

#include "report/text.h"
#include "scale/study.h"

/* Writes DIR/point-MODE-TxD.json, completely or not at all. */
enum rf_status rf_scale_point_write(const char *dir, const struct rf_scale_subject *subject,
                                    const struct rf_scale_point *point, struct rf_error *err);

/* Understands such a document, which came from `path`. RF_ERR_INPUT names path and key. */
enum rf_status rf_scale_point_parse(struct rf_scale_subject *subject,
                                    struct rf_scale_point *point, const json_t *root,
                                    const char *path, struct rf_error *err);

/* Reads all point files of a directory, whose subjects must be the same: points
 * [RF_SCALE_POINTS]. RF_ERR_INPUT: none, or one that does not belong. */
enum rf_status rf_scale_points_read(struct rf_scale_subject *subject,
                                    struct rf_scale_point *points, int *n, const char *dir,
                                    struct rf_error *err);

/* Removes all point files of a directory. */
enum rf_status rf_scale_points_remove(const char *dir, struct rf_error *err);

/* Writes DIR/results.json, scaling.csv, extrap.jsonl (Extra-P's JSON Lines) and report.html. */
enum rf_status rf_scale_results_write(const char *dir, const struct rf_scale_study *study,
                                      uint64_t seed, double wall_s, struct rf_error *err);
/* The document of results.json; the caller frees *text. */
enum rf_status rf_scale_results_text(const struct rf_scale_study *study, uint64_t seed,
                                     double wall_s, char **text, struct rf_error *err);

/* Tables for people. */
enum rf_status rf_scale_print(const struct rf_scale_study *study, FILE *out,
                              struct rf_error *err);

/* What must be said beside every figure, one sentence each; NULL when there is nothing of the kind. */
const char *rf_scale_warning(int crowded, int emulated);
extern const char RF_SCALE_PROJECTION[];

/* The page, from results.json. */
enum rf_status rf_scale_page_make(struct rf_text *page, const json_t *results,
                                  struct rf_error *err);

#endif
