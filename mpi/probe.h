/* probe.h - what a frozen model knows already, read out by a linear map: the linear-probe
 * control of a weak-to-strong experiment.
 *
 * Ridge regression (panel.h) of the supervisor's distribution over the classes on a model's
 * features of the same examples, or multinomial logistic regression. How strong the ridge is, the examples themselves decide: one
 * of five, by lot, is held out, the map that agrees most often with the supervisor's best class there is
 * chosen, and it is fitted once more to all. Ground truth is never seen. */
#ifndef RF_MPI_PROBE_H
#define RF_MPI_PROBE_H

#include <stdint.h>

#include "job/record.h"
#include "mpi/group.h"

struct rf_probe;

/* Collective on group, which must outlive the probe; arguments equal everywhere: room for n
 * examples, n >= 1, of at most RF_SOFT_CLASSES classes, of which each rank keeps its slice. The
 * caller ends *probe with rf_probe_destroy(); on failure it is NULL. */
enum rf_status rf_probe_create(struct rf_probe **probe, const struct rf_group *group, int n,
                               int width, int nclass, struct rf_error *err);
void rf_probe_destroy(struct rf_probe *probe);

/* Local: features [count][width] of the examples at .. at+count-1. Every rank hands in all
 * examples, each of them once, and what another rank keeps is passed over. */
void rf_probe_learn(struct rf_probe *probe, int at, int count, const float *features);

enum rf_probe_kind { RF_PROBE_RIDGE, RF_PROBE_LOGISTIC };

/* What was chosen. */
struct rf_probe_fit {
    double lambda;    /* of rf_panel_ridge(); of logistic regression, too, where the mean
                         cross-entropy plus lambda / 4 |W|^2 is minimised */
    double agreement; /* share of the held-out examples on which probe and supervisor agree,
                         before the last fit; NAN for fewer than 5 examples */
};

/* Collective on group, once, when all examples are in. labels: of the same n examples, with
 * distributions; the same on every rank. */
enum rf_status rf_probe_fit(struct rf_probe *probe, enum rf_probe_kind kind,
                            const struct rf_predictions *labels, struct rf_probe_fit *fit,
                            struct rf_error *err);

/* Local, after the fit: classes of new features [n][width]. best [n] is the class with the
 * highest score (the lowest on ties). prob [n][nclass], or NULL: of a logistic regression its
 * probabilities; else the scores, which add up
 * to 1, raised to at least 0.001 and divided by their sum: a regression does not know that
 * probabilities are positive. Returns the mean of -log prob[target]; 0 when target is NULL. */
double rf_probe_answer(const struct rf_probe *probe, const float *features, int n,
                       const int32_t *target, float *prob, int32_t *best);

#endif
