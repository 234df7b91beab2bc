/* method.h - what a student makes of its supervisor's labels: a row per method, a file per idea.
 *
 * A method may look at the labels once, before training (prepare), at each batch (targets), or
 * replace training by a linear map on what the model makes of the examples (linear). None
 * of them ever sees ground truth. Plain arrays; no files, no ranks.
 *
 * Sources: xent, confidence, product: Burns et al. 2023 (arXiv 2312.09390) and the code that came
 * with it; window, filters and relabelling: the ideas of EleutherAI's w2s, on our own terms. */
#ifndef RF_ALIGN_METHOD_H
#define RF_ALIGN_METHOD_H

#include <stdint.h>

enum rf_method {
    RF_METHOD_XENT,
    RF_METHOD_HARD,
    RF_METHOD_CONFIDENCE,
    RF_METHOD_PRODUCT,
    RF_METHOD_WINDOW,
    RF_METHOD_FILTER_KNN,
    RF_METHOD_RELABEL_KNN,
    RF_METHOD_FILTER_PROBE,
    RF_METHOD_RELABEL_PROBE,
    RF_METHOD_PROBE_RIDGE,
    RF_METHOD_PROBE_LOGISTIC,
    RF_NMETHODS
};

/* Their names, in that order, separated by blanks. */
#define RF_METHOD_WORDS                                                                        \
    "xent hard confidence product window filter-knn relabel-knn filter-probe relabel-probe "   \
    "probe-ridge probe-logistic"

struct rf_method_options {
    double alpha, warmup;                 /* confidence: rf_w2s_confidence_targets() */
    double product_student, product_weak; /* exponents */
    double window;  /* labels whose best probability is this much above 1/2 are left out */
    double filter;  /* share of the examples that a filter leaves out */
    int neighbours; /* of filter-knn and relabel-knn */
};

/* Labels of n examples, before training. */
struct rf_method_labels {
    int n, nclass;
    float *prob;          /* [n][nclass] */
    unsigned char *keep;  /* [n] 1: the student learns from it; all 1 to start with */
    const float *opinion; /* [n][nclass] what else there is to say of them, or NULL */
};

/* One (global) batch. */
struct rf_method_batch {
    int n, nclass;
    const float *student, *weak; /* [n][nclass] */
    double progress;             /* of training, 0 to 1 */
    float *p1;                   /* scratch [n] */
    int32_t *scratch;            /* [n] */
};

/* Where a second opinion comes from. */
enum rf_opinion {
    RF_OPINION_NONE,
    RF_OPINION_NEIGHBOURS, /* the labels of examples that the model finds alike */
    RF_OPINION_PROBE       /* a linear map that was fitted to the other half of the labels */
};

struct rf_method_row {
    const char *name;
    enum rf_opinion opinion;
    int linear; /* 1: a linear map on frozen features in place of training */
    void (*prepare)(struct rf_method_labels *labels, const struct rf_method_options *options);
    void (*targets)(const struct rf_method_batch *batch,
                    const struct rf_method_options *options, float *target);
};

extern const struct rf_method_row rf_methods[RF_NMETHODS];

/* Labels become certain: all on the best class, the lowest on ties. */
void rf_method_harden(struct rf_method_labels *labels, const struct rf_method_options *options);

/* rf_w2s_confidence_targets(); with more than two classes, the mixture with the student's best class,
 * whatever its share. */
void rf_method_confidence(const struct rf_method_batch *batch,
                          const struct rf_method_options *options, float *target);

/* target proportional to student^product_student x weak^product_weak, summing to 1; where that
 * is 0 everywhere, the weak labels. */
void rf_method_product(const struct rf_method_batch *batch,
                       const struct rf_method_options *options, float *target);

/* Leaves out labels that are surer than the window. */
void rf_method_window(struct rf_method_labels *labels, const struct rf_method_options *options);

/* Leaves out the share of the examples on which label and opinion differ most, 1 - sum p q; of
 * equals those behind go first. */
void rf_method_filter(struct rf_method_labels *labels, const struct rf_method_options *options);
/* Puts the opinion in the labels' place. */
void rf_method_relabel(struct rf_method_labels *labels,
                       const struct rf_method_options *options);

/* The half (0 or 1) that example i belongs to, by lot, when each half is judged by what the labels of the
 * other say: examples come with classes in turns, so that even and odd ones would be the classes. */
int rf_method_half(uint64_t seed, int i);

/* opinion [n][nclass]: the mean label of the `neighbours` other examples whose features [n][width]
 * are closest (Euclid; of equals the lower index first). scratch [n] each. */
void rf_method_neighbours(const float *features, int n, int width, const float *prob,
                          int nclass, int neighbours, float *opinion, double *distance,
                          int32_t *order);

#endif
