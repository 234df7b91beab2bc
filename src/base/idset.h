/* idset.h - sets of small non-negative ids (devices, nodes), "0-3,7" in and out.
 *
 * Sorted, disjoint, non-touching ranges; the empty set is "". A set of n
 * consecutive ids costs one range, so fleets of any size are cheap. */
#ifndef RF_BASE_IDSET_H
#define RF_BASE_IDSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct rf_idrange {
    int32_t begin, end; /* half open */
};

struct rf_idset {
    struct rf_idrange *ranges; /* owned */
    int32_t nranges, capacity;
};

/* A set starts as all zeros: struct rf_idset s = {0}; clear frees and empties it. */
void rf_idset_clear(struct rf_idset *set);
enum rf_status rf_idset_copy(struct rf_idset *to, const struct rf_idset *from,
                             struct rf_error *err);

int32_t rf_idset_count(const struct rf_idset *set);
int rf_idset_has(const struct rf_idset *set, int32_t id);
/* The k-th lowest id, 0 <= k < count. */
int32_t rf_idset_at(const struct rf_idset *set, int32_t k);

/* Adds [begin, end). Ids that are there already make it RF_ERR_ARG, and
 * nothing changes: a device is never added twice by accident. */
enum rf_status rf_idset_add(struct rf_idset *set, int32_t begin, int32_t end,
                            struct rf_error *err);
/* to += what / to -= what. All or nothing: an overlap (add) or an absent id
 * (remove) is RF_ERR_ARG. */
enum rf_status rf_idset_add_set(struct rf_idset *to, const struct rf_idset *what,
                                struct rf_error *err);
enum rf_status rf_idset_remove_set(struct rf_idset *to, const struct rf_idset *what,
                                   struct rf_error *err);
/* Moves the count lowest ids of from into taken (which must be empty).
 * All or nothing: with fewer it returns RF_ERR_FULL. */
enum rf_status rf_idset_take(struct rf_idset *from, int32_t count, struct rf_idset *taken,
                             struct rf_error *err);

/* The text form into buf, which always ends in NUL; returns the length that
 * was needed, as snprintf does. */
size_t rf_idset_format(const struct rf_idset *set, char *buf, size_t size);
/* Reads the text form; set must be empty. Refuses anything that
 * rf_idset_format() would not have written, so that a text has one set and a
 * set has one text. */
enum rf_status rf_idset_parse(struct rf_idset *set, const char *text, struct rf_error *err);

#endif
