#include "sim/ends.h"

#include <stdlib.h>

void rf_ends_clear(struct rf_ends *ends)
{
    free(ends->heap);
    *ends = (struct rf_ends){0};
}

enum rf_status rf_ends_grow(struct rf_ends *ends, struct rf_error *err)
{
    int64_t room = ends->room * 2 + 64;
    struct rf_end *heap = realloc(ends->heap, (size_t)room * sizeof *heap);

    if (heap == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld running jobs",
                       (long long)ends->n);
    for (int64_t i = ends->room; i < room; i++)
        heap[i] = (struct rf_end){INT64_MAX, INT32_MAX, -1};
    ends->heap = heap;
    ends->room = room;
    return RF_OK;
}
