/* slice.h - which part of n things belongs to part i of p.
 *
 * Nothing else in the program decides that. Parts are contiguous and in
 * order; the first n mod p parts are one longer. With n < p the last parts
 * are empty, which callers must allow. */
#ifndef RF_BASE_SLICE_H
#define RF_BASE_SLICE_H

#include <stdint.h>

struct rf_slice {
    int64_t begin, count;
};

/* 0 <= i < p, n >= 0. */
struct rf_slice rf_slice(int64_t n, int i, int p);

#endif
