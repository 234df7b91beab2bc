#include "nn/rope.h"

size_t rf_rope_table_size(int T, int W)
{
    return (size_t)T * (size_t)W;
}

void rf_rope_fill(rf_real *table, int T, int W, double theta)
{
    int half = W / 2;

    for (int t = 0; t < T; t++)
        for (int i = 0; i < half; i++) {
            double angle = (double)t * pow(theta, -2.0 * i / W);

            table[(size_t)t * (size_t)W + (size_t)i] = (rf_real)cos(angle);
            table[(size_t)t * (size_t)W + (size_t)(half + i)] = (rf_real)sin(angle);
        }
}

RF_CLONES
void rf_rope_turn(rf_real *restrict x, int stride, const rf_real *restrict table,
                  const int32_t *position, int n, int heads, int W, int back)
{
    int half = W / 2;
    rf_real sign = back ? -1 : 1;

    for (int r = 0; r < n; r++) {
        const rf_real *cosine = table + (size_t)position[r] * (size_t)W;
        const rf_real *sine = cosine + half;

        for (int h = 0; h < heads; h++) {
            rf_real *a = x + (size_t)r * (size_t)stride + (size_t)h * (size_t)W, *b = a + half;

#pragma omp simd
            for (int i = 0; i < half; i++) {
                rf_real u = a[i], v = b[i], s = sign * sine[i];

                a[i] = u * cosine[i] - v * s;
                b[i] = v * cosine[i] + u * s;
            }
        }
    }
}
