/* record.h - the files in which a job leaves what it found: RUN/jobs/<job>.*
 *
 *   <job>.curve   a line per recorded step: step TAB loss TAB lr TAB grad_norm TAB t_us
 *                 (UTC), and TAB validation loss where it was looked at; written with every checkpoint, so that a job that continues
 *                 elsewhere keeps its history
 *   <job>.labels  a line per example of the strong half, in the task's order: the
 *                 distribution over the classes (9 digits, which is fp32 exactly), or the
 *                 best class alone where there are more than 16. Never ground truth: this is
 *                 all that a student may read
 *   <job>.test    a line per test item: truth TAB best class, then the distribution
 *                 where there are at most 16 classes
 *   <job>.metrics a line per number: name TAB value; written last, so its presence
 *                 says that the job's results are complete
 *
 * All are written atomically, and read back with the line number in every message. */
#ifndef RF_JOB_RECORD_H
#define RF_JOB_RECORD_H

#include <stdint.h>

#include "base/file.h"

enum { RF_SOFT_CLASSES = 16, RF_METRIC_NAME = 48, RF_METRICS_MAX = 48 };

struct rf_curve_point {
    int64_t step;
    double loss, lr, grad_norm;
    int64_t t_us;
    double validation; /* loss on what is held back; NAN: not looked at */
};

struct rf_curve {
    struct rf_curve_point *points; /* owned */
    int npoints, room;
};

enum rf_status rf_curve_add(struct rf_curve *curve, const struct rf_curve_point *point,
                            struct rf_error *err);
void rf_curve_clear(struct rf_curve *curve);
enum rf_status rf_curve_write(const struct rf_curve *curve, const char *run_dir,
                              const char *job, struct rf_error *err);
/* Reads the points up to last_step; no file gives an empty curve. */
enum rf_status rf_curve_read(struct rf_curve *curve, const char *run_dir, const char *job,
                             int64_t last_step, struct rf_error *err);

/* What a model said of n examples. */
struct rf_predictions {
    int n, nclass;
    int32_t *best;  /* owned [n] */
    float *prob;    /* owned [n][nclass], or NULL when nclass > RF_SOFT_CLASSES */
    int32_t *truth; /* owned [n], or NULL: labels carry none */
};

enum rf_status rf_predictions_make(struct rf_predictions *p, int n, int nclass, int with_truth,
                                   struct rf_error *err);
void rf_predictions_clear(struct rf_predictions *p);
/* Writes <job>.test when p has truth, else <job>.labels. */
enum rf_status rf_predictions_write(const struct rf_predictions *p, const char *run_dir,
                                    const char *job, struct rf_error *err);
/* Reads exactly n lines of nclass classes into p, which is made here. */
enum rf_status rf_predictions_read(struct rf_predictions *p, int n, int nclass, int with_truth,
                                   const char *run_dir, const char *job, struct rf_error *err);
/* The same for a .test file of unknown length and class count. */
enum rf_status rf_predictions_read_test(struct rf_predictions *p, const char *run_dir,
                                        const char *job, struct rf_error *err);

struct rf_metric {
    char name[RF_METRIC_NAME];
    double value;
};

struct rf_metrics {
    struct rf_metric items[RF_METRICS_MAX];
    int n;
};

void rf_metrics_add(struct rf_metrics *metrics, const char *name, double value);
/* NAN when there is none of that name. */
double rf_metrics_get(const struct rf_metrics *metrics, const char *name);
enum rf_status rf_record_metrics_write(const struct rf_metrics *metrics, const char *run_dir,
                                       const char *job, struct rf_error *err);
/* No file gives an empty list. */
enum rf_status rf_record_metrics_read(struct rf_metrics *metrics, const char *run_dir,
                                      const char *job, struct rf_error *err);

#endif
