#include "nn/embed.h"

#include <stddef.h>

#include "nn/half.h"

void rf_embed_forward(rf_real *restrict x, const rf_real *restrict wte, const int32_t *token,
                      int n, int C, int begin, int count)
{
    size_t width = (size_t)C;

    for (int i = 0; i < n; i++) {
        int row = token[i] - begin;

        if (row >= 0 && row < count)
            memcpy(x + (size_t)i * width, wte + (size_t)row * width, width * sizeof *x);
        else
            memset(x + (size_t)i * width, 0, width * sizeof *x);
    }
}

RF_CLONES
void rf_embed_forward_rounded(rf_real *restrict x, const rf_real *restrict wte,
                              const int32_t *token, int n, int C, int begin, int count)
{
    for (int i = 0; i < n; i++) {
        int row = token[i] - begin, here = row >= 0 && row < count;
        const rf_real *from = wte + (here ? (ptrdiff_t)row * C : 0);
        rf_real *to = x + (ptrdiff_t)i * C;

        if (!here)
            memset(to, 0, (size_t)C * sizeof *to);
        else
#pragma omp simd
            for (int c = 0; c < C; c++)
                to[c] = (rf_real)rf_half_wide(rf_half_of((float)from[c]));
    }
}

RF_CLONES
void rf_embed_forward_half(rf_real *restrict x, const uint16_t *restrict wte,
                           const int32_t *token, int n, int C, int begin, int count)
{
    for (int i = 0; i < n; i++) {
        int row = token[i] - begin, here = row >= 0 && row < count;
        const uint16_t *from = wte + (here ? (ptrdiff_t)row * C : 0);
        rf_real *to = x + (ptrdiff_t)i * C;

        if (!here)
            memset(to, 0, (size_t)C * sizeof *to);
        else
#pragma omp simd
            for (int c = 0; c < C; c++)
                to[c] = (rf_real)rf_half_wide(from[c]);
    }
}

RF_CLONES
void rf_embed_backward(rf_real *restrict dwte, const rf_real *restrict dx, const int32_t *token,
                       int n, int C, int begin, int count)
{
    for (int i = 0; i < n; i++) {
        int row = token[i] - begin;

        if (row >= 0 && row < count) {
            rf_real *to = dwte + (ptrdiff_t)row * C;
            const rf_real *from = dx + (ptrdiff_t)i * C;

#pragma omp simd
            for (int c = 0; c < C; c++)
                to[c] += from[c];
        }
    }
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
