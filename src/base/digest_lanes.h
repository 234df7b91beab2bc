/* digest_lanes.h - blocks of SHA-256 for several texts side by side; used by digest_many.c only.
 *
 * A way has a width, the number of its lanes: 16, 8 or 4 are vectors, one text in each element; 2 are
 * the processor's own instructions for SHA-256, two texts in turn (digest_native.c). */
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

enum { RF_LANES_NATIVE = 2 };

/* Can this processor go this way? */
int rf_lanes_can(int width);

/* n blocks of each of the first width lanes, from at[lane] on; the processor can. */
void rf_lanes_add(struct rf_lane_state *state, int width, const unsigned char *const *at,
                  size_t n);

/* Likewise, two lanes, by the processor's own instructions. */
int rf_native_can(void);
void rf_native_add(struct rf_lane_state *state, const unsigned char *const *at, size_t n);

/* The constants of FIPS 180-4. */
extern const uint32_t rf_sha256_constants[64];

/* rf_digest_many() with so many lanes. */
void rf_digest_lanes(const struct rf_bytes *texts, int n, int width, struct rf_digest *digests);

#endif

#endif
