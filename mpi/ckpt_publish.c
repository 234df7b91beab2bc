#include "mpi/ckpt_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "mpi/ckpt_share.h"
#include "mpi/h5.h"

static int put_at(int fd, const void *data, size_t size, uint64_t offset)
{
    const unsigned char *p = data;

    while (size > 0) {
        ssize_t n = pwrite(fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* Where the packed granules are, and their digests. */
static int put_pieces(int fd, const struct rf_ckpt_places *places,
                      const struct rf_ckpt_digests *d)
{
    int failed = 0;

    for (int64_t g = 0; !failed && d->pieces != NULL && g < d->ngranules; g++) {
        const struct rf_piece *piece = &d->pieces[g];
        unsigned char place[16];

        for (int b = 0; b < 8; b++) {
            place[b] = (unsigned char)(piece->offset >> (8 * b));
            place[8 + b] = (unsigned char)(piece->size >> (8 * b));
        }
        failed = put_at(fd, place, sizeof place, places->places + (uint64_t)g * 16) != 0 ||
                 put_at(fd, &piece->digest, RF_DIGEST_BYTES,
                        places->packed_digests + (uint64_t)g * RF_DIGEST_BYTES) != 0;
    }
    return failed;
}

enum rf_status rf_ckpt_put_digests(const char *path, const struct rf_ckpt_places *places,
                                   const struct rf_ckpt_digests *d, struct rf_error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC), failed;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    failed = put_at(fd, d->granules, (size_t)d->ngranules * RF_DIGEST_BYTES,
                    places->granules) != 0 ||
             put_at(fd, d->content, RF_DIGEST_BYTES, places->content) != 0 ||
             put_pieces(fd, places, d) != 0;
    for (int i = 0; !failed && i < d->ntensors; i++)
        failed = put_at(fd, &d->tensors[i].digest, RF_DIGEST_BYTES,
                        places->tensors + (uint64_t)i * RF_DIGEST_BYTES) != 0;
    failed = failed ? errno : 0;
    close(fd); /* the seal syncs */
    return failed ? rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(failed))
                  : RF_OK;
}

enum rf_status rf_ckpt_publish(const char *temp, const char *path, const char *dir,
                               uint64_t block_bytes, struct rf_extent *extents, int64_t n,
                               const int64_t *bases, int ntensors, struct rf_error *err)
{
    enum rf_status st = rf_h5_fault_at("seal", temp, err);

    if (st == RF_OK)
        st = rf_envelope_seal(temp, block_bytes, extents, n, err);
    if (st == RF_OK && bases != NULL)
        st = rf_share_check(dir, bases, ntensors, err);
    if (st == RF_OK)
        st = rf_h5_fault_at("rename", temp, err);
    if (st == RF_OK && rename(temp, path) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot rename to '%s': %s", path, strerror(errno));
    return st == RF_OK ? rf_file_sync_dir(dir, err) : st;
}
