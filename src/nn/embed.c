#include "nn/embed.h"

#include <stddef.h>

#include "nn/half.h"

/* The place of a token's vector among those of this rank, in elements; -1: it is another rank's. */
static ptrdiff_t vector_at(const struct rf_embedded *rows, int i)
{
    int row = rows->token[i] - rows->begin;

    return row >= 0 && row < rows->count ? (ptrdiff_t)row * rows->C : -1;
}

static int first_of(const struct rf_embedded *rows, int i)
{
    return rows->first != NULL ? rows->first[i] : i;
}

RF_CLONES
static void add_vector(rf_real *restrict to, const struct rf_vectors *wte, ptrdiff_t at, int C)
{
    const rf_real *real = wte->real + (wte->real != NULL ? at : 0);
    const uint16_t *half = wte->half + (wte->real != NULL ? 0 : at);

    if (wte->real == NULL)
#pragma omp simd
        for (int c = 0; c < C; c++)
            to[c] += (rf_real)rf_half_wide(half[c]);
    else if (wte->rounded)
#pragma omp simd
        for (int c = 0; c < C; c++)
            to[c] += (rf_real)rf_half_wide(rf_half_of((float)real[c]));
    else
#pragma omp simd
        for (int c = 0; c < C; c++)
            to[c] += real[c];
}

void rf_embed_forward(rf_real *restrict x, const struct rf_vectors *wte,
                      const struct rf_embedded *rows)
{
    for (int i = 0; i < rows->n; i++) {
        rf_real *to = x + (ptrdiff_t)i * rows->C;

        memset(to, 0, (size_t)rows->C * sizeof *to);
        for (int k = first_of(rows, i); k < first_of(rows, i + 1); k++)
            if (vector_at(rows, k) >= 0)
                add_vector(to, wte, vector_at(rows, k), rows->C);
    }
}

void rf_embed_backward(rf_real *restrict dwte, const rf_real *restrict dx,
                       const struct rf_embedded *rows)
{
    const struct rf_vectors gradient = {.real = dx};

    for (int i = 0; i < rows->n; i++)
        for (int k = first_of(rows, i); k < first_of(rows, i + 1); k++)
            if (vector_at(rows, k) >= 0)
                add_vector(dwte + vector_at(rows, k), &gradient, (ptrdiff_t)i * rows->C,
                           rows->C);
}

void rf_gather_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                    int C)
{
    size_t width = (size_t)C;

    for (int i = 0; i < n; i++)
        memcpy(y + (size_t)i * width, x + (size_t)row[i] * width, width * sizeof *y);
}

RF_CLONES
void rf_scatter_rows(rf_real *restrict y, const rf_real *restrict x, const int32_t *row, int n,
                     int C)
{
    for (int i = 0; i < n; i++) {
        rf_real *to = y + (ptrdiff_t)row[i] * C;
        const rf_real *from = x + (ptrdiff_t)i * C;

#pragma omp simd
        for (int c = 0; c < C; c++)
            to[c] += from[c];
    }
}
