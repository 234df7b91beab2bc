#include "base/rng.h"

#include <math.h>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#endif
#include <Random123/philox.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* FNV-1a over the purpose, then one multiply-xor round with the index. */
uint64_t rf_rng_stream(const char *purpose, uint64_t index)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *purpose != '\0'; purpose++)
        h = (h ^ (unsigned char)*purpose) * 0x100000001b3u;
    h ^= index * 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
    return h * 0xbf58476d1ce4e5b9u;
}

static philox4x32_ctr_t draw(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t ctr = {
        {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};

    return philox4x32(ctr, key);
}

uint64_t rf_rng_bits(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t r = draw(seed, stream, index);

    return (uint64_t)r.v[1] << 32 | r.v[0];
}

double rf_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(rf_rng_bits(seed, stream, index) >> 11) * 0x1p-53;
}

/* The high half of a 64 x 64 bit product, in four 32-bit pieces. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t mid = a1 * b0 + (a0 * b0 >> 32);
    uint64_t mid2 = a0 * b1 + (uint32_t)mid;

    return a1 * b1 + (mid >> 32) + (mid2 >> 32);
}

uint64_t rf_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    return multiply_high(rf_rng_bits(seed, stream, index), n);
}

double rf_rng_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t r = draw(seed, stream, index);
    double u = ((double)r.v[0] + 1.0) * 0x1p-32, v = (double)r.v[1] * 0x1p-32;

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void rf_rng_shuffle(uint64_t seed, uint64_t stream, int32_t *order, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        order[i] = i;
    for (int32_t i = n - 1; i > 0; i--) {
        int32_t j = (int32_t)rf_rng_below(seed, stream, (uint64_t)i, (uint64_t)i + 1);
        int32_t t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
}
