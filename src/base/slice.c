#include "base/slice.h"

struct rf_slice rf_slice(int64_t n, int i, int p)
{
    int64_t each = n / p, longer = n % p;
    struct rf_slice s;

    s.begin = i * each + (i < longer ? i : longer);
    s.count = each + (i < longer ? 1 : 0);
    return s;
}

int rf_slice_owner(int64_t n, int p, int64_t k)
{
    int64_t each = n / p, longer = n % p;
    int64_t split = longer * (each + 1);

    if (k < split)
        return (int)(k / (each + 1));
    return (int)(longer + (k - split) / each);
}
