/* piece.h - a tensor's values compressed, granule by granule.
 *
 * The same bytes that HDF5's own filters make: the values' first bytes stand together, then
 * their second bytes and so on (shuffle), and zlib's deflate packs that. So a packed tensor is an
 * ordinary chunked array for HDF5, a chunk per granule, and readers of ours find the pieces by the
 * file's own table. A piece is full even where a tensor ends in the middle of its last granule:
 * zeros follow. */
#ifndef RF_CKPT_PIECE_H
#define RF_CKPT_PIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/tensor.h"

/* Where a packed granule lies, and the digest of its packed bytes. */
struct rf_piece {
    uint64_t offset, size;
    struct rf_digest digest;
};

/* Rows of a piece, all but the last of which a tensor has; bytes before packing. */
int64_t rf_piece_rows(const int64_t shape[2]);
size_t rf_piece_bytes(const int64_t shape[2], enum rf_stored stored);

/* Can size packed bytes become so many? */
int rf_piece_fits(uint64_t size, uint64_t bytes);

/* Memory for one piece at a time. All zero before the first use; end it with
 * rf_piece_room_clear(). */
struct rf_piece_room {
    unsigned char *shuffled, *packed; /* owned */
    size_t shuffled_bytes, packed_bytes;
};
void rf_piece_room_clear(struct rf_piece_room *room);

/* Packs so many values and pads them to a piece of `bytes`; room->packed holds *size bytes then.
 * Only memory can be short. */
enum rf_status rf_piece_pack(struct rf_piece_room *room, const void *values, size_t nvalues,
                             enum rf_stored stored, size_t bytes, size_t *size,
                             struct rf_error *err);

/* The first nvalues of a piece of `bytes` that lies in the open file fd. RF_NO: it is not what was
 * written. RF_ERR_INPUT: it cannot be read. */
enum rf_status rf_piece_read(struct rf_piece_room *room, int fd, const char *path,
                             const struct rf_piece *piece, enum rf_stored stored, size_t bytes,
                             void *values, size_t nvalues, struct rf_error *err);

#endif
