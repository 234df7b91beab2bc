/* stops.h - how a student did at points of its training, and where it would have stopped early:
 * RUN/jobs/<job>.stops, a line per look: step TAB agreement with the supervisor TAB accuracy,
 * both on the validation split. The first may choose where to stop; the second knows the truth:
 * whoever stops by it is an oracle.
 *
 * What the student said of the test at the best look so far lies in <job>.agreement.test and
 * <job>.oracle.test (record.h). */
#ifndef RF_JOB_STOPS_H
#define RF_JOB_STOPS_H

#include <stdint.h>

#include "base/error.h"

enum { RF_STOPS_MAX = 1024 };

enum rf_stop_rule { RF_STOP_AGREEMENT, RF_STOP_ORACLE, RF_NSTOP_RULES };
const char *rf_stop_rule_name(enum rf_stop_rule rule); /* "agreement", "oracle" */

struct rf_stop_point {
    int64_t step;
    double value[RF_NSTOP_RULES];
};

struct rf_stops {
    struct rf_stop_point points[RF_STOPS_MAX];
    int n;
};

/* Adds a look and says by which rules it is the best so far (a tie is not): a bit per rule. More
 * than there is room for are not kept. */
unsigned rf_stops_add(struct rf_stops *stops, const struct rf_stop_point *point);
/* The step of the best look, the first of equals; -1: there is none. */
int64_t rf_stops_best(const struct rf_stops *stops, enum rf_stop_rule rule);

enum rf_status rf_stops_write(const struct rf_stops *stops, const char *run_dir,
                              const char *job, struct rf_error *err);
/* Those up to last_step; no file gives none. */
enum rf_status rf_stops_read(struct rf_stops *stops, const char *run_dir, const char *job,
                             int64_t last_step, struct rf_error *err);

#endif
