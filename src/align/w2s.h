/* w2s.h - weak-to-strong generalisation: targets, gap, performance gap recovered.
 *
 * Definitions: Burns et al. 2023 (arXiv 2312.09390), with the known traps of the published code
 * mended. Plain arrays, no files, no ranks. */
#ifndef RF_ALIGN_W2S_H
#define RF_ALIGN_W2S_H

#include <stdint.h>

#include "base/error.h"

/* Auxiliary-confidence targets for two classes (Burns et al., eq. 1, section 4.3):
 * target = (1 - c) weak + c onehot(p_student >= t), with c = alpha x min(1, progress / warmup),
 * and t so that the share of class 1 among the hardened equals the share among the weak labels
 * of the same (global) batch, rounded to the nearest count; ties are broken by the lower index.
 * p1_student [n] the student's probability of class 1; weak [n][2]; target [n][2].
 * c = 0 gives the weak labels bit for bit. scratch [n]. */
void rf_w2s_confidence_targets(const float *p1_student, const float *weak, int n, double alpha,
                               double progress, double warmup, float *target, int32_t *scratch);

/* Which of n test items each of the models got right, for each of nseeds seeds:
 * weak/student/ceiling [nseeds][n], 0 or 1. The same locked test set in the same order. */
struct rf_w2s_items {
    int n, nseeds;
    const unsigned char *weak, *student, *ceiling;
};

struct rf_w2s_result {
    double weak, student, ceiling; /* accuracies, means over seeds */
    double gap;                    /* ceiling - weak */
    double gap_se;                 /* the gap in paired standard errors: of the differences
                                      ceiling - weak per item, clustered over items and seeds
                                      (rf_stats_two_way_se()); infinite when all are equal */
    int has_pgr;                   /* 0: void */
    double pgr;                    /* (student - weak) / (ceiling - weak) */
    double pgr_low, pgr_high;      /* 95 % paired bootstrap over items and seeds (percentiles);
                                      resamples without a gap count beyond both ends */
    char void_reason[160];         /* empty unless void */
};

/* bootstrap: number of resamples (>= 100). Void when gap_se < 3 or the gap is not positive.
 * RF_ERR_ARG for fewer than 2 items, no seed or too few resamples; same seed, same result. */
enum rf_status rf_w2s_evaluate(const struct rf_w2s_items *items, int bootstrap, uint64_t seed,
                               struct rf_w2s_result *result, struct rf_error *err);

/* Agreement of student with supervisor on the test set, split by whether the supervisor is
 * right; error inheritance and correction. Classes [n]. A share of nothing is NAN.
 * |accuracy of student - accuracy of weak| = |corrected - new_errors| <= 1 - all, always. */
struct rf_w2s_agreement {
    double all, supervisor_right, supervisor_wrong;
    double corrected,
        new_errors; /* share of all items: weak wrong & student right; the reverse */
    double
        error_correlation; /* of "is wrong" of the two, over items (phi): 0 for errors that have nothing
                                 to do with each other, 1 for the same; NAN when one is always or never wrong */
};
void rf_w2s_agreement(const int32_t *weak, const int32_t *student, const int32_t *truth, int n,
                      struct rf_w2s_agreement *result);

/* Expected calibration error (nbins equal-width bins of the top probability) and Brier score
 * (squared distance from the true class, summed over classes: 0 to 2, 0.5 for a coin on two
 * classes) of p [n][nclass] against truth [n]. */
double rf_w2s_ece(const float *p, const int32_t *truth, int n, int nclass, int nbins);
double rf_w2s_brier(const float *p, const int32_t *truth, int n, int nclass);

#endif
