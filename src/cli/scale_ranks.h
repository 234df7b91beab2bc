/* scale_ranks.h - which layouts `ringfence scale` measures. */
#ifndef RF_CLI_SCALE_RANKS_H
#define RF_CLI_SCALE_RANKS_H

#include "base/error.h"

enum { RF_SCALE_LAYOUTS = 32 };

/* Ranks of a copy of the model, and copies. */
struct rf_scale_layout {
    int tensor, data;
};

/* A list such as "1,2,4" or "1,2,2x2,1x4" (tensor x data), ascending or not, each layout once. A number of
 * ranks is laid out as training would do, with copies of at most `tensor` ranks; 0: one copy. NULL is 1, 2,
 * 4 ... and most. RF_ERR_ARG: not such a list, or more than `most` ranks. */
enum rf_status rf_scale_layouts_parse(struct rf_scale_layout layouts[RF_SCALE_LAYOUTS], int *n,
                                      const char *text, int tensor, int most,
                                      struct rf_error *err);

#endif
