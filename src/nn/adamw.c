#include "nn/adamw.h"

#include "nn/half.h"

/* What is the same for all elements of an update. */
struct factors {
    rf_real b1, b2, r1, r2, rate, root, eps, keep;
};

static struct factors factors_of(const struct rf_adamw *a)
{
    return (struct factors){.b1 = (rf_real)a->beta1,
                            .b2 = (rf_real)a->beta2,
                            .r1 = (rf_real)((1 - a->beta1) * a->scale),
                            .r2 = (rf_real)((1 - a->beta2) * a->scale * a->scale),
                            .rate = (rf_real)(a->lr / (1 - pow(a->beta1, (double)a->step))),
                            .root = (rf_real)(1 / sqrt(1 - pow(a->beta2, (double)a->step))),
                            .eps = (rf_real)a->eps,
                            .keep = (rf_real)(1 - a->lr * a->weight_decay)};
}

/* One element: its moments, and its new value. */
static inline rf_real step(rf_real p, rf_real g, rf_real *m, rf_real *v,
                           const struct factors *f)
{
    rf_real mi = f->b1 * *m + f->r1 * g;
    rf_real vi = f->b2 * *v + f->r2 * g * g;

    *m = mi;
    *v = vi;
#ifdef RF_REAL_DOUBLE
    return p * f->keep - f->rate * mi / (sqrt(vi) * f->root + f->eps);
#else
    return p * f->keep - f->rate * mi / (sqrtf(vi) * f->root + f->eps);
#endif
}

RF_CLONES
void rf_adamw_update(rf_real *restrict p, const rf_real *restrict g, rf_real *restrict m,
                     rf_real *restrict v, size_t n, const struct rf_adamw *a)
{
    const struct factors f = factors_of(a);

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        p[i] = step(p[i], g[i], &m[i], &v[i], &f);
}

RF_CLONES
void rf_adamw_update_half(uint16_t *restrict rounded, rf_real *restrict p,
                          const rf_real *restrict g, rf_real *restrict m, rf_real *restrict v,
                          size_t n, const struct rf_adamw *a)
{
    const struct factors f = factors_of(a);

#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        p[i] = step(p[i], g[i], &m[i], &v[i], &f);
        rounded[i] = rf_half_of((float)p[i]);
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
