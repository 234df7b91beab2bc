#include "ckpt/piece.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/file.h"
#include "ckpt/granule.h"

/* zlib's fastest: what can be packed of such values is packed by it, see tests/bench/README.md. */
enum { LEVEL = 1 };
/* No deflated byte stands for more than this many. */
enum { MOST_PER_BYTE = 1040 };

int64_t rf_piece_rows(const int64_t shape[2])
{
    int64_t rows = rf_granule_rows(shape);

    return rows < shape[0] ? rows : shape[0];
}

size_t rf_piece_bytes(const int64_t shape[2], enum rf_stored stored)
{
    return (size_t)(rf_piece_rows(shape) * shape[1]) * rf_stored_bytes(stored);
}

int rf_piece_fits(uint64_t size, uint64_t bytes)
{
    return size > 0 && size <= compressBound((uLong)bytes) && bytes / MOST_PER_BYTE <= size;
}

static int reserve(unsigned char **bytes, size_t *have, size_t need)
{
    unsigned char *more;

    if (*have >= need)
        return 1;
    more = realloc(*bytes, need);
    if (more == NULL)
        return 0;
    *bytes = more;
    *have = need;
    return 1;
}

static enum rf_status make_room(struct rf_piece_room *room, size_t shuffled, size_t packed,
                                struct rf_error *err)
{
    if (reserve(&room->shuffled, &room->shuffled_bytes, shuffled) &&
        reserve(&room->packed, &room->packed_bytes, packed))
        return RF_OK;
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a packed tensor");
}

void rf_piece_room_clear(struct rf_piece_room *room)
{
    free(room->shuffled);
    free(room->packed);
    *room = (struct rf_piece_room){0};
}

enum rf_status rf_piece_pack(struct rf_piece_room *room, const void *values, size_t nvalues,
                             enum rf_stored stored, size_t bytes, size_t *size,
                             struct rf_error *err)
{
    const unsigned char *from = values;
    size_t width = rf_stored_bytes(stored), n = bytes / width;
    uLongf packed = compressBound((uLong)bytes);
    enum rf_status st = make_room(room, bytes, packed, err);

    if (st != RF_OK)
        return st;
    if (nvalues < n)
        memset(room->shuffled, 0, bytes);
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < nvalues; i++)
            room->shuffled[b * n + i] = from[i * width + b];
    if (compress2(room->packed, &packed, room->shuffled, (uLong)bytes, LEVEL) != Z_OK)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a packed tensor");
    *size = (size_t)packed;
    return RF_OK;
}

enum rf_status rf_piece_read(struct rf_piece_room *room, int fd, const char *path,
                             const struct rf_piece *piece, enum rf_stored stored, size_t bytes,
                             void *values, size_t nvalues, struct rf_error *err)
{
    size_t width = rf_stored_bytes(stored), n = bytes / width;
    uLongf unpacked = (uLongf)bytes;
    unsigned char *to = values;
    struct rf_digest digest;
    enum rf_status st = make_room(room, bytes, (size_t)piece->size, err);

    if (st == RF_OK)
        st = rf_file_read_at(fd, path, room->packed, (size_t)piece->size, piece->offset, err);
    if (st != RF_OK)
        return st;
    digest = rf_digest_of(room->packed, (size_t)piece->size);
    if (!rf_digest_equal(&digest, &piece->digest) ||
        uncompress(room->shuffled, &unpacked, room->packed, (uLong)piece->size) != Z_OK ||
        unpacked != bytes)
        return rf_fail(err, RF_NO, "'%s' is damaged: a packed tensor does not unpack", path);
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < nvalues; i++)
            to[i * width + b] = room->shuffled[b * n + i];
    return RF_OK;
}
