/* envelope.h - the user block of a checkpoint file: is this file whole and unchanged?
 *
 * HDF5 has no checksum over what it writes and may do anything when its own structure is
 * damaged. So the space in front of the HDF5 part says where the tensors' bytes lie and carries
 * a SHA-256, the seal, over every byte of the file that is not a tensor's. It is checked
 * before HDF5 sees the file; the tensors' bytes have digests of their own (granule.h).
 * Layout: checkpoints/FORMAT.md. This guards against accidents, not against forgers: what
 * vouches for a checkpoint is the ledger, which holds its content digest. */
#ifndef RF_CKPT_ENVELOPE_H
#define RF_CKPT_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Bytes of the file that belong to a tensor. */
struct rf_extent {
    uint64_t offset, size;
};

/* The size of the user block for nextents and an index of index_bytes (index.h): a power of two,
 * at least 4096: HDF5 wants it no smaller than the alignment of big arrays. */
uint64_t rf_envelope_bytes(int64_t nextents, size_t index_bytes);
/* Where the index begins: right behind the extents. */
uint64_t rf_envelope_rest(int64_t n);

/* Writes the user block of block_bytes into the finished file at path and syncs the file. The
 * extents are sorted in place; empty or overlapping ones are a defect of ours. What is in the user
 * block behind the extents stays, and is sealed with the rest. */
enum rf_status rf_envelope_seal(const char *path, uint64_t block_bytes,
                                struct rf_extent *extents, int64_t n, struct rf_error *err);

/* RF_ERR_INPUT: this was never a checkpoint of ours, or cannot be read. RF_NO: it was, and is
 * damaged or cut short. With quick only the header and the file's length are looked at.
 * *file_bytes gets the length. */
enum rf_status rf_envelope_check(const char *path, int quick, int64_t *file_bytes,
                                 struct rf_error *err);

/* A file whose seal fits. All zero before the first use. */
struct rf_envelope {
    int64_t file_bytes;
    uint64_t block_bytes;
    struct rf_extent *extents; /* owned, ascending */
    int64_t nextents;
    const unsigned char *rest; /* what lies behind the extents in the user block */
    size_t rest_bytes;
    unsigned char *block; /* owned */
};

/* As rf_envelope_check() without quick, and keeps what it has read. */
enum rf_status rf_envelope_open(struct rf_envelope *envelope, const char *path,
                                struct rf_error *err);
void rf_envelope_clear(struct rf_envelope *envelope);

#endif
