/* SHA-256 by the instructions that many processors have for it. A step waits for the one before, so a
 * text alone leaves the unit idle half of the time: two texts go in turn. */
#include "base/digest_lanes.h"

#if defined(RF_HAVE_LANES) && defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

#define NATIVE __attribute__((target("sha,sse4.1")))

/* The eight words as the instructions want them, the first one highest. */
struct halves {
    __m128i abef, cdgh;
};

int rf_native_can(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0 &&
           __builtin_cpu_supports("sse4.1");
}

NATIVE static struct halves state_of(uint32_t words[8][RF_LANES_MAX], int lane)
{
    int w[8];

    for (int k = 0; k < 8; k++)
        w[k] = (int)words[k][lane];
    return (struct halves){_mm_set_epi32(w[0], w[1], w[4], w[5]),
                           _mm_set_epi32(w[2], w[3], w[6], w[7])};
}

NATIVE static void put_state(uint32_t words[8][RF_LANES_MAX], int lane, struct halves state)
{
    uint32_t abef[4], cdgh[4];

    _mm_storeu_si128((__m128i *)(void *)abef, state.abef);
    _mm_storeu_si128((__m128i *)(void *)cdgh, state.cdgh);
    for (int k = 0; k < 2; k++) {
        words[k][lane] = abef[3 - k];
        words[4 + k][lane] = abef[1 - k];
        words[2 + k][lane] = cdgh[3 - k];
        words[6 + k][lane] = cdgh[1 - k];
    }
}

/* The words of a block, first byte highest. */
NATIVE static inline __attribute__((always_inline)) void load_block(__m128i w[4],
                                                                    const unsigned char *at)
{
    const __m128i turned = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);

    for (int i = 0; i < 4; i++)
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)at + i), turned);
}

/* Four rounds, the i-th of sixteen times; w holds the four groups of words made last. */
NATIVE static inline __attribute__((always_inline)) void four_rounds(struct halves *state,
                                                                     __m128i w[4], int i)
{
    __m128i *now = &w[i % 4], last = w[(i + 3) % 4], sum;

    if (i >= 4)
        *now = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) % 4]),
                                                  _mm_alignr_epi8(last, w[(i + 2) % 4], 4)),
                                    last);
    sum = _mm_add_epi32(
        *now, _mm_loadu_si128((const __m128i *)(const void *)(rf_sha256_constants + 4 * i)));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sum);
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

NATIVE static inline __attribute__((always_inline)) struct halves add(struct halves a,
                                                                      struct halves b)
{
    return (struct halves){_mm_add_epi32(a.abef, b.abef), _mm_add_epi32(a.cdgh, b.cdgh)};
}

NATIVE void rf_native_add(struct rf_lane_state *state, const unsigned char *const *at, size_t n)
{
    struct halves a = state_of(state->words, 0), b = state_of(state->words, 1);

    for (size_t offset = 0; n > 0; n--, offset += RF_LANE_BLOCK) {
        struct halves a_before = a, b_before = b;
        __m128i wa[4], wb[4];

        load_block(wa, at[0] + offset);
        load_block(wb, at[1] + offset);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            four_rounds(&a, wa, i);
            four_rounds(&b, wb, i);
        }
        a = add(a, a_before);
        b = add(b, b_before);
    }
    put_state(state->words, 0, a);
    put_state(state->words, 1, b);
}

#endif
