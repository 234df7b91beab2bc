#define _GNU_SOURCE /* madvise() */
#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

static const size_t LARGE_BYTES = (size_t)2 << 20; /* a large page, on most machines */

void *rf_pages_take(size_t size_bytes)
{
    size_t whole = (size_bytes + LARGE_BYTES - 1) / LARGE_BYTES * LARGE_BYTES;
    void *memory;

    if (size_bytes < 2 * LARGE_BYTES || whole < size_bytes)
        return malloc(size_bytes > 0 ? size_bytes : 1);
    memory = aligned_alloc(LARGE_BYTES, whole);
#ifdef MADV_HUGEPAGE
    if (memory != NULL)
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* a wish */
#endif
    return memory;
}
