#include "audit/room.h"

#include <stdlib.h>
#include <string.h>

enum rf_status rf_audit_room(void **array, int64_t *room, int64_t want, size_t item,
                             struct rf_error *err)
{
    int64_t more = *room > 0 ? *room : 16;
    char *moved;

    if (want <= *room)
        return RF_OK;
    while (more < want)
        more *= 2;
    moved = realloc(*array, (size_t)more * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for what an audit writes down");
    memset(moved + (size_t)*room * item, 0, (size_t)(more - *room) * item);
    *array = moved;
    *room = more;
    return RF_OK;
}
