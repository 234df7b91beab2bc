/* share.h - an exact fraction of a fleet: "20%", "1/5", "0.5%". Never rounded. */
#ifndef RF_ALLOC_SHARE_H
#define RF_ALLOC_SHARE_H

#include <stdint.h>

#include "base/error.h"
#include "base/wide.h"

struct rf_share {
    int64_t num, den; /* 0 <= num <= den, den >= 1, lowest terms, den <= 10^9 */
};

/* Reads "20%", "12.5%", "1/5" or "0.2"; RF_ERR_INPUT on anything else. */
enum rf_status rf_share_parse(struct rf_share *share, const char *text, struct rf_error *err);
/* Writes "num/den". */
void rf_share_format(const struct rf_share *share, char *buf, int size);

/* Is used < share * total, exactly? No overflow for any int64 arguments >= 0. */
int rf_share_below(const struct rf_share *share, int64_t used, int64_t total);
/* floor(share * total), exact. */
int64_t rf_share_of(const struct rf_share *share, int64_t total);
/* The same, paid out bit by bit: floor((share * amount so far)) less what was taken before. The
 * fraction that is left over is in *carry, 0 at first, in units of 1/den. */
int64_t rf_share_take(const struct rf_share *share, int64_t amount, int64_t *carry);

#endif
