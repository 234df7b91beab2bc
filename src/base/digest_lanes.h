/* digest_lanes.h - blocks of SHA-256 for several texts side by side; used by digest_many.c only. */
#ifndef RF_BASE_DIGEST_LANES_H
#define RF_BASE_DIGEST_LANES_H

#include <stddef.h>
#include <stdint.h>

/* The vectors need a compiler that can write them. */
#if defined(__has_builtin) && defined(__BYTE_ORDER__)
#if __has_builtin(__builtin_shufflevector) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RF_HAVE_LANES
#endif
#endif

#ifdef RF_HAVE_LANES

#include "base/digest.h"

enum { RF_LANES_MAX = 16, RF_LANE_BLOCK = 64 };

/* The eight words of each lane's state. */
struct rf_lane_state {
    uint32_t words[8][RF_LANES_MAX];
};

/* The most lanes that this processor has: 16, 8 or 4. Fewer of those three may be used. */
int rf_lanes_width(void);

/* n blocks of each of the first width lanes, from at[lane] on. */
void rf_lanes_add(struct rf_lane_state *state, int width, const unsigned char *const *at,
                  size_t n);

/* rf_digest_many() with so many lanes. */
void rf_digest_lanes(const struct rf_bytes *texts, int n, int width, struct rf_digest *digests);

#endif

#endif
