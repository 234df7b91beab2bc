/* ends.h - when running jobs will end: a heap by time, then by lease, so that the order is
 * total. Entries that became void (the job stopped earlier) are the caller's to skip.
 *
 * Four children to a node: half as deep as with two, and the four lie together. Which of the four
 * is least is found without branches: nobody can guess where a job's end belongs. Behind the
 * last entry there are always three that never come, so that each node has four. */
#ifndef RF_SIM_ENDS_H
#define RF_SIM_ENDS_H

#include <assert.h>
#include <stdint.h>

#include "base/error.h"

struct rf_end {
    int64_t t_us;
    int32_t lease, job;
};

/* A heap starts as all zeros. */
struct rf_ends {
    struct rf_end *heap; /* owned; heap[0] is the first */
    int64_t n, room;
};

enum { RF_ENDS_CHILDREN = 4 };

void rf_ends_clear(struct rf_ends *ends);
/* Room for one more. */
enum rf_status rf_ends_grow(struct rf_ends *ends, struct rf_error *err);

static inline int rf_end_before(const struct rf_end *a, const struct rf_end *b)
{
    return (a->t_us < b->t_us) | ((a->t_us == b->t_us) & (a->lease < b->lease));
}

static inline enum rf_status rf_ends_add(struct rf_ends *ends, struct rf_end end,
                                         struct rf_error *err)
{
    int64_t at = ends->n, up;

    if (ends->n + RF_ENDS_CHILDREN >= ends->room && rf_ends_grow(ends, err) != RF_OK)
        return RF_ERR_MEMORY;
    ends->n++;
    for (; at > 0; at = up) {
        up = (at - 1) / RF_ENDS_CHILDREN;
        if (!rf_end_before(&end, &ends->heap[up]))
            break;
        ends->heap[at] = ends->heap[up];
    }
    ends->heap[at] = end;
    return RF_OK;
}

/* Removes the first one; there must be one. */
static inline struct rf_end rf_ends_take(struct rf_ends *ends)
{
    struct rf_end *heap = ends->heap, first = heap[0], last;
    int64_t at = 0, n = --ends->n;

    assert(n >= 0);
    last = heap[n];
    heap[n].t_us = INT64_MAX;
    for (int64_t child = 1; child < n; child = at * RF_ENDS_CHILDREN + 1) {
        int64_t a = child + rf_end_before(&heap[child + 1], &heap[child]);
        int64_t b = child + 2 + rf_end_before(&heap[child + 3], &heap[child + 2]);

        a = rf_end_before(&heap[b], &heap[a]) ? b : a;
        if (!rf_end_before(&heap[a], &last))
            break;
        heap[at] = heap[a];
        at = a;
    }
    if (n > 0)
        heap[at] = last;
    return first;
}

#endif
