#include "nn/held.h"

#include <stdlib.h>
#include <string.h>

struct rf_held {
    struct rf_weight *list; /* owned [n] */
    int n, all;
    size_t element_bytes;
    unsigned char *block; /* owned: those that are kept, then the room */
    size_t *place;        /* owned [n]: in block, in elements */
};

static size_t elements(const struct rf_weight *w)
{
    return (size_t)(w->rows * w->cols);
}

static int is_kept(const struct rf_weight *w, int all)
{
    return all || w->looked_up;
}

/* Elements of those that are kept, and of the room for the others. */
static size_t count(const struct rf_weight *list, int n, int all, size_t *kept)
{
    size_t room = 0;

    *kept = 0;
    for (int k = 0; k < n; k++) {
        size_t one = elements(&list[k]);

        if (is_kept(&list[k], all))
            *kept += one;
        else
            room = one > room ? one : room;
    }
    return room;
}

enum rf_status rf_held_create(struct rf_held **held, const struct rf_weight *list, int n,
                              int all, size_t element_bytes, struct rf_error *err)
{
    struct rf_held *h = calloc(1, sizeof *h);
    size_t kept, room = count(list, n, all, &kept), at = 0;

    *held = NULL;
    if (h != NULL) {
        h->n = n;
        h->all = all;
        h->element_bytes = element_bytes;
        h->list = malloc((size_t)n * sizeof *h->list + 1);
        h->place = malloc((size_t)n * sizeof *h->place + 1);
        h->block = calloc(kept + room + 1, element_bytes);
    }
    if (h == NULL || h->list == NULL || h->place == NULL || h->block == NULL) {
        rf_held_destroy(h);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu weights in bf16",
                       kept + room);
    }
    memcpy(h->list, list, (size_t)n * sizeof *list);
    for (int k = 0; k < n; k++) {
        h->place[k] = is_kept(&list[k], all) ? at : kept;
        at += is_kept(&list[k], all) ? elements(&list[k]) : 0;
    }
    *held = h;
    return RF_OK;
}

void rf_held_destroy(struct rf_held *held)
{
    if (held == NULL)
        return;
    free(held->list);
    free(held->place);
    free(held->block);
    free(held);
}

const struct rf_weight *rf_held_list(const struct rf_held *held, int *n)
{
    *n = held->n;
    return held->list;
}

/* The weight that element `at` of the block is part of; -1: none is. */
static int find(const struct rf_held *held, size_t at)
{
    int low = 0,
        high = held->n; /* in order; an empty one comes before what begins where it does */

    while (high - low > 1) {
        int middle = low + (high - low) / 2;

        if (held->list[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return held->n > 0 && at >= held->list[low].at &&
                   at < held->list[low].at + elements(&held->list[low])
               ? low
               : -1;
}

void *rf_held_room(const struct rf_held *held, int k)
{
    return held->block + held->place[k] * held->element_bytes;
}

const void *rf_held_rows_at(const struct rf_held *held, size_t at)
{
    int k = find(held, at);

    return k >= 0 && is_kept(&held->list[k], held->all)
               ? held->block + (held->place[k] + at - held->list[k].at) * held->element_bytes
               : NULL;
}

size_t rf_held_cost(const struct rf_weight *list, int n, int all, size_t element_bytes)
{
    size_t kept, room = count(list, n, all, &kept);

    return sizeof(struct rf_held) + (kept + room) * element_bytes +
           (size_t)n * (sizeof *list + sizeof(size_t));
}
