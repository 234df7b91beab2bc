#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 64,
    PAGE = 4096
}; /* of parts; of the whole, so that disks take it as it lies */

struct rf_arena {
    unsigned char *block; /* owned, unless it is somebody else's */
    int borrowed;
    size_t size, used;
};

size_t rf_arena_cost(size_t size_bytes)
{
    return (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

enum rf_status rf_arena_create(struct rf_arena **arena, size_t size_bytes, struct rf_error *err)
{
    struct rf_arena *made = malloc(sizeof *made);
    void *block = NULL;

    *arena = NULL;
    size_bytes = rf_arena_cost(size_bytes ? size_bytes : 1);
    if (made == NULL || posix_memalign(&block, PAGE, size_bytes) != 0) {
        free(made);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu bytes asked for", size_bytes);
    }
    memset(block, 0, size_bytes);
    *made = (struct rf_arena){.block = block, .size = size_bytes};
    *arena = made;
    return RF_OK;
}

enum rf_status rf_arena_over(struct rf_arena **arena, void *block, size_t size_bytes,
                             struct rf_error *err)
{
    struct rf_arena *made = malloc(sizeof *made);

    *arena = made;
    if (made == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for an arena");
    *made = (struct rf_arena){
        .block = block, .borrowed = 1, .size = size_bytes / ALIGNMENT * ALIGNMENT};
    return RF_OK;
}

void rf_arena_destroy(struct rf_arena *arena)
{
    if (arena == NULL)
        return;
    if (!arena->borrowed)
        free(arena->block);
    free(arena);
}

void *rf_arena_take(struct rf_arena *arena, size_t size_bytes)
{
    size_t cost = rf_arena_cost(size_bytes);
    void *taken;

    if (cost > arena->size - arena->used)
        return NULL;
    taken = arena->block + arena->used;
    arena->used += cost;
    return taken;
}
