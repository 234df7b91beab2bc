#include "ckpt/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"

enum {
    HEAD_BYTES = 64,
    EXTENT_BYTES = 16,
    SEAL_AT = 32,
    PIECE_BYTES = 1 << 16,
    MAX_BLOCK_BYTES = 1 << 26
};

static const char magic[9] = "RFCKPT1\n";

static void put_u64(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(const unsigned char *from)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

uint64_t rf_envelope_rest(int64_t n)
{
    return HEAD_BYTES + (uint64_t)n * EXTENT_BYTES;
}

uint64_t rf_envelope_bytes(int64_t nextents, size_t index_bytes)
{
    uint64_t need = rf_envelope_rest(nextents) + index_bytes, size = 4096;

    while (size < need)
        size *= 2;
    return size;
}

/* Adds the bytes [from, to) of the file to the hash. */
static enum rf_status hash_range(struct rf_hash *hash, int fd, const char *path, uint64_t from,
                                 uint64_t to, struct rf_error *err)
{
    unsigned char piece[PIECE_BYTES];
    enum rf_status st = RF_OK;

    while (st == RF_OK && from < to) {
        size_t n = to - from < sizeof piece ? (size_t)(to - from) : sizeof piece;

        st = rf_file_read_at(fd, path, piece, n, from, err);
        if (st == RF_OK)
            rf_hash_add(hash, piece, n);
        from += n;
    }
    return st;
}

/* The seal over block, whose seal field must be zero, and what follows it outside the extents.
 */
static enum rf_status seal_of(int fd, const char *path, const unsigned char *block,
                              struct rf_digest *seal, struct rf_error *err)
{
    uint64_t at = get_u64(block + 8), end = get_u64(block + 16), n = get_u64(block + 24);
    struct rf_hash hash;
    enum rf_status st = RF_OK;

    rf_hash_start(&hash);
    rf_hash_add(&hash, block, (size_t)at);
    for (uint64_t i = 0; st == RF_OK && i < n; i++) {
        const unsigned char *extent = block + HEAD_BYTES + i * EXTENT_BYTES;

        st = hash_range(&hash, fd, path, at, get_u64(extent), err);
        at = get_u64(extent) + get_u64(extent + 8);
    }
    if (st == RF_OK)
        st = hash_range(&hash, fd, path, at, end, err);
    *seal = rf_hash_end(&hash);
    return st;
}

static int by_offset(const void *a, const void *b)
{
    const struct rf_extent *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

static int extents_in_order(const struct rf_extent *extents, int64_t n, uint64_t begin,
                            uint64_t end)
{
    for (int64_t i = 0; i < n; i++) {
        if (extents[i].offset < begin || extents[i].size == 0 || extents[i].offset > end ||
            extents[i].size > end - extents[i].offset)
            return 0;
        begin = extents[i].offset + extents[i].size;
    }
    return 1;
}

static enum rf_status write_block(int fd, const char *path, const unsigned char *block,
                                  size_t size, struct rf_error *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, block + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
        done += (size_t)n;
    }
    if (fsync(fd) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return RF_OK;
}

static enum rf_status seal_fd(int fd, const char *path, uint64_t block_bytes,
                              const struct rf_extent *extents, int64_t n, struct rf_error *err)
{
    struct rf_digest seal;
    unsigned char *block;
    struct stat info;
    enum rf_status st;

    if (fstat(fd, &info) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
    if (!extents_in_order(extents, n, block_bytes, (uint64_t)info.st_size))
        return rf_fail(err, RF_ERR_INTERNAL, "tensors of '%s' overlap or lie outside it", path);
    block = calloc(1, (size_t)block_bytes);
    if (block == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while writing '%s'", path);
    st = rf_file_read_at(fd, path, block + rf_envelope_rest(n),
                         (size_t)(block_bytes - rf_envelope_rest(n)), rf_envelope_rest(n), err);
    if (st != RF_OK) {
        free(block);
        return rf_fail(err, RF_ERR_IO, "cannot read '%s' again", path);
    }
    memcpy(block, magic, 8);
    put_u64(block + 8, block_bytes);
    put_u64(block + 16, (uint64_t)info.st_size);
    put_u64(block + 24, (uint64_t)n);
    for (int64_t i = 0; i < n; i++) {
        put_u64(block + HEAD_BYTES + i * EXTENT_BYTES, extents[i].offset);
        put_u64(block + HEAD_BYTES + i * EXTENT_BYTES + 8, extents[i].size);
    }
    st = seal_of(fd, path, block, &seal, err);
    if (st == RF_OK) {
        memcpy(block + SEAL_AT, seal.bytes, RF_DIGEST_BYTES);
        st = write_block(fd, path, block, (size_t)block_bytes, err);
    }
    free(block);
    return st;
}

enum rf_status rf_envelope_seal(const char *path, uint64_t block_bytes,
                                struct rf_extent *extents, int64_t n, struct rf_error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    enum rf_status st;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (n > 0)
        qsort(extents, (size_t)n, sizeof *extents, by_offset);
    st = seal_fd(fd, path, block_bytes, extents, n, err);
    if (close(fd) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return st;
}

/* The user block is read; are its numbers possible, and does the seal fit? */
static enum rf_status check_block(int fd, const char *path, unsigned char *block,
                                  struct rf_error *err)
{
    uint64_t begin = get_u64(block + 8), end = get_u64(block + 16), n = get_u64(block + 24);
    struct rf_digest written, seal;
    enum rf_status st;

    if (n > (begin - HEAD_BYTES) / EXTENT_BYTES)
        return rf_fail(err, RF_NO, "'%s' is damaged in its first %d bytes", path, HEAD_BYTES);
    for (uint64_t i = 0, at = begin; i < n; i++) {
        uint64_t offset = get_u64(block + HEAD_BYTES + i * EXTENT_BYTES);
        uint64_t size = get_u64(block + HEAD_BYTES + i * EXTENT_BYTES + 8);

        if (offset < at || size == 0 || offset > end || size > end - offset)
            return rf_fail(err, RF_NO, "'%s' is damaged in its table of extents", path);
        at = offset + size;
    }
    memcpy(written.bytes, block + SEAL_AT, RF_DIGEST_BYTES);
    memset(block + SEAL_AT, 0, RF_DIGEST_BYTES);
    st = seal_of(fd, path, block, &seal, err);
    if (st == RF_OK && !rf_digest_equal(&written, &seal))
        st = rf_fail(err, RF_NO, "'%s' is damaged outside its tensors: the seal does not fit",
                     path);
    return st;
}

/* The whole user block, checked, into *block, which the caller frees; with quick, NULL and only the
 * header checked. */
static enum rf_status check_fd(int fd, const char *path, int quick, int64_t *file_bytes,
                               unsigned char **block, struct rf_error *err)
{
    unsigned char head[HEAD_BYTES];
    uint64_t block_bytes;
    struct stat info;
    enum rf_status st;

    *block = NULL;
    if (fstat(fd, &info) != 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return rf_fail(err, RF_ERR_INPUT, "'%s' is not a file", path);
    *file_bytes = (int64_t)info.st_size;
    if (info.st_size < HEAD_BYTES ||
        rf_file_read_at(fd, path, head, sizeof head, 0, err) != RF_OK ||
        memcmp(head, magic, 8) != 0)
        return rf_fail(err, RF_ERR_INPUT, "'%s' is not a ringfence checkpoint", path);
    block_bytes = get_u64(head + 8);
    if (block_bytes < 4096 || block_bytes > MAX_BLOCK_BYTES ||
        (block_bytes & (block_bytes - 1)) != 0)
        return rf_fail(err, RF_NO, "'%s' is damaged in its first %d bytes", path, HEAD_BYTES);
    if ((uint64_t)info.st_size != get_u64(head + 16))
        return rf_fail(err, RF_NO, "'%s' is damaged: %lld bytes long, should be %llu", path,
                       (long long)info.st_size, (unsigned long long)get_u64(head + 16));
    if (block_bytes > (uint64_t)info.st_size)
        return rf_fail(err, RF_NO, "'%s' is damaged in its first %d bytes", path, HEAD_BYTES);
    if (quick)
        return RF_OK;
    *block = malloc((size_t)block_bytes);
    if (*block == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    st = rf_file_read_at(fd, path, *block, (size_t)block_bytes, 0, err);
    return st == RF_OK ? check_block(fd, path, *block, err) : st;
}

static enum rf_status check_path(const char *path, int quick, int64_t *file_bytes,
                                 unsigned char **block, struct rf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rf_status st;

    *file_bytes = 0;
    *block = NULL;
    if (fd < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    st = check_fd(fd, path, quick, file_bytes, block, err);
    close(fd);
    return st;
}

enum rf_status rf_envelope_check(const char *path, int quick, int64_t *file_bytes,
                                 struct rf_error *err)
{
    unsigned char *block;
    enum rf_status st = check_path(path, quick, file_bytes, &block, err);

    free(block);
    return st;
}

enum rf_status rf_envelope_open(struct rf_envelope *envelope, const char *path,
                                struct rf_error *err)
{
    unsigned char *block;
    int64_t n;
    enum rf_status st;

    *envelope = (struct rf_envelope){0};
    st = check_path(path, 0, &envelope->file_bytes, &block, err);
    envelope->block = block;
    if (st == RF_OK) {
        n = envelope->nextents = (int64_t)get_u64(block + 24);
        envelope->block_bytes = get_u64(block + 8);
        envelope->rest = block + rf_envelope_rest(n);
        envelope->rest_bytes = (size_t)(envelope->block_bytes - rf_envelope_rest(n));
        envelope->extents = malloc(((size_t)n + 1) * sizeof *envelope->extents);
        if (envelope->extents == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    }
    for (int64_t i = 0; st == RF_OK && i < envelope->nextents; i++) {
        const unsigned char *entry = block + HEAD_BYTES + i * EXTENT_BYTES;

        envelope->extents[i] = (struct rf_extent){get_u64(entry), get_u64(entry + 8)};
    }
    if (st != RF_OK)
        rf_envelope_clear(envelope);
    return st;
}

void rf_envelope_clear(struct rf_envelope *envelope)
{
    free(envelope->extents);
    free(envelope->block);
    *envelope = (struct rf_envelope){0};
}
