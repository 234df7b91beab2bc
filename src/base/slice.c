#include "base/slice.h"

struct rf_slice rf_slice(int64_t n, int i, int p)
{
    int64_t each = n / p, longer = n % p;
    struct rf_slice s;

    s.begin = i * each + (i < longer ? i : longer);
    s.count = each + (i < longer ? 1 : 0);
    return s;
}
