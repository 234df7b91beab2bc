/* A write through the page cache waits for direct ones of the same file that are under way, and
 * holds up those that come. So the ends that stick out, and small writes, are kept until the file
 * is closed or there are many. */
#define _GNU_SOURCE /* O_DIRECT, fallocate() */

#include "ckpt/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BORDER = RF_TRANSFER_BORDER,
    DIRECT_FROM = 1 << 16, /* smaller ones are not worth a direct transfer */
    LATER_PIECES = 4096,
    LATER_BYTES = 4 << 20
};

struct rf_transfer_later {
    pthread_mutex_t lock;
    int n;
    size_t used;
    struct {
        uint64_t offset;
        size_t size_bytes;
    } pieces[LATER_PIECES];
    unsigned char bytes[LATER_BYTES];
};

static enum rf_status failed(const struct rf_transfer *transfer, int code, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_IO, "cannot %s '%s': %s", transfer->writing ? "write" : "read",
                   transfer->path, strerror(code));
}

enum rf_status rf_transfer_reserve(const char *path, struct rf_error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC), code = 0;
    struct stat info;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || (info.st_size > 0 && fallocate(fd, 0, 0, info.st_size) != 0))
        code = errno;
    close(fd);
    if (code != 0 && code != EOPNOTSUPP && code != ENOSYS && code != EINVAL)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(code));
    return RF_OK;
}

/* Memory for later, or NULL: then nothing is kept. */
static struct rf_transfer_later *make_later(void)
{
    struct rf_transfer_later *later = malloc(sizeof *later);

    if (later != NULL) {
        pthread_mutex_init(&later->lock, NULL);
        later->n = 0;
        later->used = 0;
    }
    return later;
}

enum rf_status rf_transfer_open(struct rf_transfer *transfer, const char *path, int writing,
                                int direct, struct rf_error *err)
{
    int flags = (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC;

    transfer->fd = transfer->direct_fd = -1;
    transfer->writing = writing;
    transfer->later = NULL;
    if (strlen(path) >= sizeof transfer->path)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    memcpy(transfer->path, path, strlen(path) + 1);
    transfer->fd = open(path, flags);
    if (transfer->fd < 0)
        return rf_fail(err, writing ? RF_ERR_IO : RF_ERR_INPUT, "cannot open '%s': %s", path,
                       strerror(errno));
#ifdef O_DIRECT
    if (direct)
        transfer->direct_fd = open(path, flags | O_DIRECT);
#else
    (void)direct;
#endif
    if (writing && transfer->direct_fd >= 0)
        transfer->later = make_later();
    return RF_OK;
}

/* Bytes [from, to) of the file, which lie in memory at at. Returns 0 or an errno; *done says how
 * far it came. The end of the file in a read is no error here. */
static int move(int fd, int writing, unsigned char *at, uint64_t from, uint64_t to,
                uint64_t *done)
{
    *done = from;
    while (*done < to) {
        unsigned char *p = at + (*done - from);
        size_t n = (size_t)(to - *done);
        ssize_t got = writing ? pwrite(fd, p, n, (off_t)*done) : pread(fd, p, n, (off_t)*done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return writing ? ENOSPC : 0;
        *done += (uint64_t)got;
    }
    return 0;
}

/* Through the page cache; a file that ends too early is a failure here. */
static enum rf_status buffered(const struct rf_transfer *transfer, unsigned char *at,
                               uint64_t from, uint64_t to, struct rf_error *err)
{
    uint64_t done;
    int code = move(transfer->fd, transfer->writing, at, from, to, &done);

    if (code != 0)
        return failed(transfer, code, err);
    if (done < to)
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': it ends at byte %llu",
                       transfer->path, (unsigned long long)done);
    return RF_OK;
}

/* With the lock: what was kept goes into the page cache. */
static enum rf_status write_kept(const struct rf_transfer *transfer, struct rf_error *err)
{
    struct rf_transfer_later *later = transfer->later;
    unsigned char *at = later->bytes;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < later->n; i++) {
        uint64_t from = later->pieces[i].offset;

        st = buffered(transfer, at, from, from + later->pieces[i].size_bytes, err);
        at += later->pieces[i].size_bytes;
    }
    later->n = 0;
    later->used = 0;
    return st;
}

/* A small piece, now or later. */
static enum rf_status keep(const struct rf_transfer *transfer, unsigned char *data,
                           uint64_t from, uint64_t to, struct rf_error *err)
{
    struct rf_transfer_later *later = transfer->later;
    size_t size = (size_t)(to - from);
    enum rf_status st = RF_OK;

    if (later == NULL || size >= DIRECT_FROM)
        return buffered(transfer, data, from, to, err);
    pthread_mutex_lock(&later->lock);
    if (later->n == LATER_PIECES || later->used + size > LATER_BYTES)
        st = write_kept(transfer, err);
    memcpy(later->bytes + later->used, data, size);
    later->pieces[later->n].offset = from;
    later->pieces[later->n++].size_bytes = size;
    later->used += size;
    pthread_mutex_unlock(&later->lock);
    return st;
}

enum rf_status rf_transfer_close(struct rf_transfer *transfer, int sync, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (transfer->fd < 0)
        return RF_OK;
    if (transfer->later != NULL) {
        if (sync)
            st = write_kept(transfer, err);
        pthread_mutex_destroy(&transfer->later->lock);
        free(transfer->later);
        transfer->later = NULL;
    }
    if (sync && st == RF_OK && transfer->writing && fsync(transfer->fd) != 0)
        st = failed(transfer, errno, err);
    if (transfer->direct_fd >= 0)
        close(transfer->direct_fd);
    if (close(transfer->fd) != 0 && st == RF_OK && transfer->writing && sync)
        st = failed(transfer, errno, err);
    transfer->fd = transfer->direct_fd = -1;
    return st;
}

/* Whole blocks directly, what sticks out at the ends another way; nothing around them is touched. */
static enum rf_status inside(const struct rf_transfer *transfer, unsigned char *data,
                             uint64_t from, size_t size_bytes, struct rf_error *err)
{
    uint64_t to = from + size_bytes, done;
    uint64_t in = (from + BORDER - 1) / BORDER * BORDER, out = to / BORDER * BORDER;
    enum rf_status (*other)(const struct rf_transfer *, unsigned char *, uint64_t, uint64_t,
                            struct rf_error *) = transfer->writing ? keep : buffered;
    enum rf_status st = RF_OK;

    if (transfer->direct_fd < 0 || size_bytes < DIRECT_FROM)
        return other(transfer, data, from, to, err);
    /* whatever went wrong, the page cache takes the rest or says why not */
    move(transfer->direct_fd, transfer->writing, data + (in - from), in, out, &done);
    if (from < in)
        st = other(transfer, data, from, in, err);
    if (st == RF_OK && done < to)
        st = other(transfer, data + (done - from), done, to, err);
    return st;
}

enum rf_status rf_transfer_write(const struct rf_transfer *transfer, unsigned char *data,
                                 uint64_t offset, size_t size_bytes, struct rf_error *err)
{
    return inside(transfer, data, offset, size_bytes, err);
}

enum rf_status rf_transfer_read_inside(const struct rf_transfer *transfer, unsigned char *data,
                                       uint64_t offset, size_t size_bytes, struct rf_error *err)
{
    return inside(transfer, data, offset, size_bytes, err);
}

enum rf_status rf_transfer_read(const struct rf_transfer *transfer, unsigned char *data,
                                uint64_t offset, size_t size_bytes, struct rf_error *err)
{
    uint64_t from = offset, to = from + size_bytes, done;
    uint64_t out = from / BORDER * BORDER, end = (to + BORDER - 1) / BORDER * BORDER;

    if (transfer->direct_fd < 0 || size_bytes < DIRECT_FROM)
        return buffered(transfer, data, from, to, err);
    move(transfer->direct_fd, 0, data - (from - out), out, end, &done);
    if (done >= to)
        return RF_OK;
    done = done < from ? from : done;
    return buffered(transfer, data + (done - from), done, to, err);
}
