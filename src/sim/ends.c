/* A heap with four children to a node: half as deep as one with two, and the four lie in one
 * cache line. */
#include "sim/ends.h"

#include <assert.h>
#include <stdlib.h>

enum { CHILDREN = 4 };

void rf_ends_clear(struct rf_ends *ends)
{
    free(ends->heap);
    *ends = (struct rf_ends){0};
}

static int before(const struct rf_end *a, const struct rf_end *b)
{
    return a->t_us != b->t_us ? a->t_us < b->t_us : a->lease < b->lease;
}

enum rf_status rf_ends_add(struct rf_ends *ends, struct rf_end end, struct rf_error *err)
{
    int64_t at = ends->n;

    if (ends->n == ends->room) {
        int64_t room = ends->room * 2 + 64;
        struct rf_end *heap = realloc(ends->heap, (size_t)room * sizeof *heap);

        if (heap == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: %lld running jobs",
                           (long long)ends->n);
        ends->heap = heap;
        ends->room = room;
    }
    ends->n++;
    while (at > 0 && before(&end, &ends->heap[(at - 1) / CHILDREN])) {
        ends->heap[at] = ends->heap[(at - 1) / CHILDREN];
        at = (at - 1) / CHILDREN;
    }
    ends->heap[at] = end;
    return RF_OK;
}

struct rf_end rf_ends_take(struct rf_ends *ends)
{
    struct rf_end first = ends->heap[0], last;
    int64_t at = 0;

    assert(ends->n > 0);
    last = ends->heap[--ends->n];
    for (;;) {
        int64_t child = at * CHILDREN + 1, least = child;
        int64_t stop = child + CHILDREN < ends->n ? child + CHILDREN : ends->n;

        if (child >= ends->n)
            break;
        for (int64_t i = child + 1; i < stop; i++)
            if (before(&ends->heap[i], &ends->heap[least]))
                least = i;
        if (!before(&ends->heap[least], &last))
            break;
        ends->heap[at] = ends->heap[least];
        at = least;
    }
    if (ends->n > 0)
        ends->heap[at] = last;
    return first;
}
