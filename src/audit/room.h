/* room.h - arrays of an audit that grow. */
#ifndef RF_AUDIT_ROOM_H
#define RF_AUDIT_ROOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Room for `want` items; the array may move, new bytes are zero. */
enum rf_status rf_audit_room(void **array, int64_t *room, int64_t want, size_t item,
                             struct rf_error *err);

#endif
