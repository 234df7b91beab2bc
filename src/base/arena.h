/* arena.h - one block, many arrays, freed at once.
 *
 * For what is sized once and lives together: the activations of a model, the
 * slices of its parameters. Every array is aligned to 64 bytes (a cache line
 * and a vector register), so kernels see the same alignment in every run. */
#ifndef RF_BASE_ARENA_H
#define RF_BASE_ARENA_H

#include <stddef.h>

#include "base/error.h"

struct rf_arena;

/* Makes an arena of size_bytes, all zero. The caller owns *arena and ends it
 * with rf_arena_destroy(); on failure *arena is NULL. */
enum rf_status rf_arena_create(struct rf_arena **arena, size_t size_bytes,
                               struct rf_error *err);
/* The same over memory of the caller's, which must be aligned to 64 bytes, zeroed, and outlive it. */
enum rf_status rf_arena_over(struct rf_arena **arena, void *block, size_t size_bytes,
                             struct rf_error *err);
void rf_arena_destroy(struct rf_arena *arena);

/* Takes the next size_bytes, zeroed; the arena owns them. NULL when it is
 * full, which is a mistake in the caller's sizing. */
void *rf_arena_take(struct rf_arena *arena, size_t size_bytes);

/* The bytes that rf_arena_take() uses up for one array of size_bytes. */
size_t rf_arena_cost(size_t size_bytes);

#endif
