/* Vectors in the compiler's own notation, which has no other form than a typedef; each width is one
 * expansion of digest_rounds.h. What the processor can do is asked when the program runs. */
#include "base/digest_lanes.h"

#include <string.h>

#ifdef RF_HAVE_LANES

const uint32_t rf_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

typedef uint32_t lanes4 __attribute__((vector_size(16)));

/* Sixteen bytes of one lane. */
static inline __attribute__((always_inline)) void
join4(lanes4 *x, const unsigned char *const *at, size_t offset)
{
    memcpy(x, at[0] + offset, sizeof *x);
}

#define LANES 4
#define NAME(x) x##4
#define EACH(F) F(0), F(1), F(2), F(3)
#include "base/digest_rounds.h"
#undef LANES
#undef NAME
#undef EACH

static void add4(struct rf_lane_state *state, const unsigned char *const *at, size_t n)
{
    blocks4(state, at, n);
}

#if defined(__x86_64__) && defined(__GNUC__)

typedef uint32_t lanes8 __attribute__((vector_size(32)));
typedef uint32_t lanes16 __attribute__((vector_size(64)));

static inline __attribute__((always_inline)) void
join8(lanes8 *x, const unsigned char *const *at, size_t offset)
{
    lanes4 a, b;

    join4(&a, at, offset);
    join4(&b, at + 4, offset);
    *x = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}

static inline __attribute__((always_inline)) void
join16(lanes16 *x, const unsigned char *const *at, size_t offset)
{
    lanes8 a, b;

    join8(&a, at, offset);
    join8(&b, at + 8, offset);
    *x = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

#define LANES 8
#define NAME(x) x##8
#define EACH(F) F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7)
#include "base/digest_rounds.h"
#undef LANES
#undef NAME
#undef EACH

#define LANES 16
#define NAME(x) x##16
#define EACH(F)                                                                                \
    F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13),    \
        F(14), F(15)
#include "base/digest_rounds.h"
#undef LANES
#undef NAME
#undef EACH

__attribute__((target("avx2"))) static void add8(struct rf_lane_state *state,
                                                 const unsigned char *const *at, size_t n)
{
    blocks8(state, at, n);
}

__attribute__((target("avx512f,avx512bw,avx512vl"))) static void
add16(struct rf_lane_state *state, const unsigned char *const *at, size_t n)
{
    blocks16(state, at, n);
}

int rf_lanes_can(int width)
{
    if (width == 16)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl");
    if (width == 8)
        return __builtin_cpu_supports("avx2");
    return width == RF_LANES_NATIVE ? rf_native_can() : width == 4;
}

void rf_lanes_add(struct rf_lane_state *state, int width, const unsigned char *const *at,
                  size_t n)
{
    if (width == 16)
        add16(state, at, n);
    else if (width == 8)
        add8(state, at, n);
    else if (width == RF_LANES_NATIVE)
        rf_native_add(state, at, n);
    else
        add4(state, at, n);
}

#else

int rf_lanes_can(int width)
{
    return width == 4;
}

void rf_lanes_add(struct rf_lane_state *state, int width, const unsigned char *const *at,
                  size_t n)
{
    (void)width;
    add4(state, at, n);
}

#endif

#endif
