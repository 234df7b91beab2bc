#include "nn/adamw.h"

RF_CLONES
void rf_adamw_update(rf_real *restrict p, const rf_real *restrict g, rf_real *restrict m,
                     rf_real *restrict v, size_t n, const struct rf_adamw *a)
{
    const rf_real b1 = (rf_real)a->beta1, b2 = (rf_real)a->beta2;
    const rf_real r1 = (rf_real)((1 - a->beta1) * a->scale);
    const rf_real r2 = (rf_real)((1 - a->beta2) * a->scale * a->scale);
    const rf_real rate = (rf_real)(a->lr / (1 - pow(a->beta1, (double)a->step)));
    const rf_real root = (rf_real)(1 / sqrt(1 - pow(a->beta2, (double)a->step)));
    const rf_real eps = (rf_real)a->eps, keep = (rf_real)(1 - a->lr * a->weight_decay);

#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        rf_real mi = b1 * m[i] + r1 * g[i];
        rf_real vi = b2 * v[i] + r2 * g[i] * g[i];

        m[i] = mi;
        v[i] = vi;
#ifdef RF_REAL_DOUBLE
        p[i] = p[i] * keep - rate * mi / (sqrt(vi) * root + eps);
#else
        p[i] = p[i] * keep - rate * mi / (sqrtf(vi) * root + eps);
#endif
    }
}

RF_CLONES
double rf_sum_squares(const rf_real *x, size_t n)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double rf_cosine_rate(int64_t i, int64_t steps, double lr, double min_ratio, double warmup)
{
    const double pi = 3.14159265358979323846;
    double up = warmup * (double)steps, at;

    if ((double)i + 1 < up)
        return lr * ((double)i + 1) / up;
    at = (double)steps - up > 1 ? ((double)i + 1 - up) / ((double)steps - up) : 1;
    at = at < 0 ? 0 : at > 1 ? 1 : at;
    return lr * (min_ratio + (1 - min_ratio) * 0.5 * (1 + cos(pi * at)));
}
