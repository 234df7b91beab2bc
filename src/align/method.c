#include "align/method.h"

const struct rf_method_row rf_methods[RF_NMETHODS] = {
    [RF_METHOD_XENT] = {.name = "xent"},
    [RF_METHOD_HARD] = {.name = "hard", .prepare = rf_method_harden},
    [RF_METHOD_CONFIDENCE] = {.name = "confidence", .targets = rf_method_confidence},
    [RF_METHOD_PRODUCT] = {.name = "product", .targets = rf_method_product},
    [RF_METHOD_WINDOW] = {.name = "window", .prepare = rf_method_window},
    [RF_METHOD_FILTER_KNN] = {.name = "filter-knn",
                              .opinion = RF_OPINION_NEIGHBOURS,
                              .prepare = rf_method_filter},
    [RF_METHOD_RELABEL_KNN] = {.name = "relabel-knn",
                               .opinion = RF_OPINION_NEIGHBOURS,
                               .prepare = rf_method_relabel},
    [RF_METHOD_FILTER_PROBE] = {.name = "filter-probe",
                                .opinion = RF_OPINION_PROBE,
                                .prepare = rf_method_filter},
    [RF_METHOD_RELABEL_PROBE] = {.name = "relabel-probe",
                                 .opinion = RF_OPINION_PROBE,
                                 .prepare = rf_method_relabel},
    [RF_METHOD_PROBE_RIDGE] = {.name = "probe-ridge", .linear = 1},
    [RF_METHOD_PROBE_LOGISTIC] = {.name = "probe-logistic", .linear = 1},
};
