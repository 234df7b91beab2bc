#include "nn/profile.h"

#include <time.h>

const char *rf_spent_name(enum rf_spent kind)
{
    static const char *const names[RF_SPENT_KINDS] = {
        [RF_SPENT_PRODUCTS] = "products", [RF_SPENT_ATTENTION] = "attention",
        [RF_SPENT_NORMS] = "norms",       [RF_SPENT_ACTIVATION] = "activation",
        [RF_SPENT_STREAM] = "stream",     [RF_SPENT_LOSS] = "loss",
        [RF_SPENT_EXCHANGE] = "exchange", [RF_SPENT_OPTIMISER] = "optimiser"};

    return names[kind];
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void rf_profile_resume(struct rf_profile *profile)
{
    profile->since_ns = now_ns();
}

void rf_profile_mark(struct rf_profile *profile, enum rf_spent kind)
{
    int64_t now = now_ns();

    profile->spent_ns[kind] += now - profile->since_ns;
    profile->since_ns = now;
}
