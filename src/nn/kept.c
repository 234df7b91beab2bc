#include "nn/kept.h"

#include "nn/half.h"

struct rf_kept rf_kept_from(struct rf_kept kept, size_t at)
{
    if (kept.half != NULL)
        return (struct rf_kept){.half = kept.half + at};
    return (struct rf_kept){.real = kept.real + at};
}

rf_real *rf_kept_write(struct rf_kept kept, size_t at, rf_real *block)
{
    return kept.half != NULL ? block : kept.real + at;
}

RF_CLONES
static void narrow(uint16_t *restrict to, const rf_real *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = rf_half_of((float)x[i]);
}

RF_CLONES
static void widen(rf_real *restrict to, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = (rf_real)rf_half_wide(x[i]);
}

void rf_kept_done(struct rf_kept kept, size_t at, const rf_real *x, size_t n)
{
    if (kept.half != NULL)
        narrow(kept.half + at, x, n);
}

const rf_real *rf_kept_read(struct rf_kept kept, size_t at, rf_real *block, size_t n)
{
    if (kept.half == NULL)
        return kept.real + at;
    widen(block, kept.half + at, n);
    return block;
}

void rf_kept_clear(struct rf_kept kept, size_t at, size_t n)
{
    if (kept.half != NULL)
        memset(kept.half + at, 0, n * sizeof *kept.half);
}

void rf_kept_copy(struct rf_kept to, size_t to_at, struct rf_kept from, size_t from_at,
                  size_t n)
{
    if (to.half != NULL)
        memcpy(to.half + to_at, from.half + from_at, n * sizeof *to.half);
    else
        memcpy(to.real + to_at, from.real + from_at, n * sizeof *to.real);
}

void rf_kept_gather(struct rf_kept to, struct rf_kept from, const int32_t *row, int n, int C)
{
    for (int i = 0; i < n; i++)
        rf_kept_copy(to, (size_t)i * (size_t)C, from, (size_t)row[i] * (size_t)C, (size_t)C);
}

struct rf_operand rf_kept_operand(struct rf_kept kept, size_t at, int ld)
{
    if (kept.half != NULL)
        return (struct rf_operand){.half = kept.half + at, .ld = ld};
    return (struct rf_operand){.real = kept.real + at, .ld = ld};
}
