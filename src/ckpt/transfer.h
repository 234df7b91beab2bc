/* transfer.h - bytes between memory and an existing file, past the page cache where that is
 * possible.
 *
 * Going past it (O_DIRECT) wants offsets, sizes and memory on block borders. So bytes must lie in
 * memory as far behind a border as in the file, with RF_TRANSFER_BORDER readable and writable bytes
 * around them; what sticks out at the ends goes through the page cache, which Linux keeps
 * coherent with direct writes to other blocks. Several threads may use one transfer at once. */
#ifndef RF_CKPT_TRANSFER_H
#define RF_CKPT_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

enum { RF_TRANSFER_BORDER = 4096 };
/* What is written, or read inside, may lie as far behind a border of this kind instead: most disks want
 * no more, and for others the page cache steps in. */
enum { RF_TRANSFER_MEMORY = 512 };

struct rf_transfer_later;

struct rf_transfer {
    char path[RF_PATH_BYTES];
    int writing;
    int fd, direct_fd;               /* -1: none; direct_fd: only through the page cache */
    struct rf_transfer_later *later; /* owned: small pieces that wait for the end, or NULL */
};

/* Sets disk space aside for all of an existing file, so that a full disk is noticed before the
 * values are written. File systems that cannot do that are left alone. */
enum rf_status rf_transfer_reserve(const char *path, struct rf_error *err);

/* Opens the file; after a failure there is nothing to close. direct = 0 keeps to the page
 * cache. */
enum rf_status rf_transfer_open(struct rf_transfer *transfer, const char *path, int writing,
                                int direct, struct rf_error *err);
/* With sync, and when it was written, not before all of it is on the disk. Without, what was written
 * may be incomplete. */
enum rf_status rf_transfer_close(struct rf_transfer *transfer, int sync, struct rf_error *err);

/* A file that ends too early for a read is RF_ERR_INPUT. */
enum rf_status rf_transfer_write(const struct rf_transfer *transfer, unsigned char *data,
                                 uint64_t offset, size_t size_bytes, struct rf_error *err);
enum rf_status rf_transfer_read(const struct rf_transfer *transfer, unsigned char *data,
                                uint64_t offset, size_t size_bytes, struct rf_error *err);
/* The same without a touch to what lies around it. */
enum rf_status rf_transfer_read_inside(const struct rf_transfer *transfer, unsigned char *data,
                                       uint64_t offset, size_t size_bytes,
                                       struct rf_error *err);

#endif
