#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

/* gzread passes plain files through unchanged, so one loop serves both. */
static enum rf_status read_all(gzFile in, const char *path, size_t max_bytes, char **data,
                               size_t *size_bytes, struct rf_error *err)
{
    size_t room = 1 << 16, used = 0;
    char *buf = malloc(room + 1);

    while (buf != NULL) {
        size_t want = room - used < (1u << 30) ? room - used : 1u << 30;
        int got = gzread(in, buf + used, (unsigned)want);
        char *more;

        if (got < 0) {
            int code = Z_OK;

            gzerror(in, &code);
            free(buf);
            return rf_fail(err, RF_ERR_INPUT, "cannot read '%s' at byte %zu: %s", path, used,
                           code == Z_ERRNO ? strerror(errno) : "the file is damaged");
        }
        used += (size_t)got;
        if (used > max_bytes) {
            free(buf);
            return rf_fail(err, RF_ERR_INPUT, "'%s' is larger than %zu bytes", path, max_bytes);
        }
        if (got == 0) {
            int code = Z_OK;

            gzerror(in, &code);
            if (code == Z_BUF_ERROR) { /* the packed stream ends too early */
                free(buf);
                return rf_fail(err, RF_ERR_INPUT,
                               "cannot read '%s': the file is cut short after %zu bytes", path,
                               used);
            }
            buf[used] = '\0';
            *data = buf;
            *size_bytes = used;
            return RF_OK;
        }
        if (used == room) {
            room *= 2;
            more = realloc(buf, room + 1);
            if (more == NULL)
                free(buf);
            buf = more;
        }
    }
    return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
}

enum rf_status rf_file_read(const char *path, size_t max_bytes, char **data, size_t *size_bytes,
                            struct rf_error *err)
{
    struct stat info;
    gzFile in;
    enum rf_status st;

    *data = NULL;
    *size_bytes = 0;
    if (stat(path, &info) != 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': it is a directory", path);
    in = gzopen(path, "rb");
    if (in == NULL)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    st = read_all(in, path, max_bytes, data, size_bytes, err);
    gzclose(in);
    return st;
}

static enum rf_status write_fd(int fd, const char *path, const char *data, size_t size,
                               struct rf_error *err)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return RF_OK;
}

/* Under a temporary name in the same directory, then renamed; durable: on the disk before that. */
static enum rf_status replace(const char *path,
                              int (*next)(void *ctx, const char **data, size_t *size_bytes),
                              void *ctx, int durable, struct rf_error *err)
{
    char temp[RF_PATH_BYTES + 32];
    const char *data;
    size_t size_bytes;
    int fd;
    enum rf_status st = RF_OK;

    if (strlen(path) >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    snprintf(temp, sizeof temp, "%s.tmp%ld", path, (long)getpid());
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create '%s': %s", path, strerror(errno));
    while (st == RF_OK && next(ctx, &data, &size_bytes))
        st = write_fd(fd, path, data, size_bytes, err);
    if (st == RF_OK && durable && fsync(fd) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (close(fd) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (st == RF_OK && rename(temp, path) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot rename to '%s': %s", path, strerror(errno));
    if (st != RF_OK)
        unlink(temp);
    return st;
}

struct whole {
    const char *data; /* NULL: it has been taken */
    size_t size_bytes;
};

static int take_whole(void *ctx, const char **data, size_t *size_bytes)
{
    struct whole *whole = ctx;
    int any = whole->data != NULL;

    *data = whole->data;
    *size_bytes = whole->size_bytes;
    whole->data = NULL;
    return any;
}

enum rf_status rf_file_replace(const char *path, const void *data, size_t size_bytes,
                               struct rf_error *err)
{
    struct whole whole = {data, size_bytes};

    return replace(path, take_whole, &whole, 0, err);
}

enum rf_status rf_file_read_at(int fd, const char *path, void *to, size_t size_bytes,
                               uint64_t offset, struct rf_error *err)
{
    unsigned char *at = to;

    while (size_bytes > 0) {
        ssize_t n = pread(fd, at, size_bytes, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return rf_fail(err, RF_NO, "'%s' is cut short", path);
        at += n;
        size_bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return RF_OK;
}

enum rf_status rf_file_write(const char *path, const void *data, size_t size_bytes,
                             struct rf_error *err)
{
    struct whole whole = {data, size_bytes};

    return rf_file_write_parts(path, take_whole, &whole, err);
}

enum rf_status rf_file_write_parts(const char *path,
                                   int (*next)(void *ctx, const char **data,
                                               size_t *size_bytes),
                                   void *ctx, struct rf_error *err)
{
    char dir[RF_PATH_BYTES], *slash;
    enum rf_status st = replace(path, next, ctx, 1, err);

    if (st != RF_OK)
        return st;
    memcpy(dir, path, strlen(path) + 1);
    slash = strrchr(dir, '/');
    if (slash == dir)
        slash[1] = '\0';
    else if (slash != NULL)
        *slash = '\0';
    return rf_file_sync_dir(slash != NULL ? dir : ".", err);
}

enum rf_status rf_file_mkdir(const char *path, struct rf_error *err)
{
    char part[RF_PATH_BYTES];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof part)
        return rf_fail(err, RF_ERR_ARG, "not a usable directory name: '%.80s'", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return rf_fail(err, RF_ERR_IO, "cannot create directory '%s': %s", part,
                           strerror(errno));
        part[i] = i < n ? '/' : '\0';
    }
    return RF_OK;
}

enum rf_status rf_file_sync_dir(const char *dir, struct rf_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rf_status st = RF_OK;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open directory '%s': %s", dir, strerror(errno));
    if (fsync(fd) != 0 && errno != EINVAL) /* EINVAL: a file system without this notion */
        st = rf_fail(err, RF_ERR_IO, "cannot sync directory '%s': %s", dir, strerror(errno));
    close(fd);
    return st;
}

/* Empties the directory behind fd, which is closed here. */
static int empty_directory(int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int ok = 1;

    if (dir == NULL) {
        close(fd);
        return 0;
    }
    while (ok && (entry = readdir(dir)) != NULL) {
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ok = fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0;
        if (ok && S_ISDIR(info.st_mode)) {
            int sub = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

            ok = sub >= 0 && empty_directory(sub) &&
                 unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0;
        } else if (ok) {
            ok = unlinkat(dirfd(dir), entry->d_name, 0) == 0;
        }
    }
    closedir(dir);
    return ok;
}

enum rf_status rf_file_remove_tree(const char *dir, struct rf_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return RF_OK;
    if (fd < 0 || !empty_directory(fd) || rmdir(dir) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot remove '%s': %s", dir, strerror(errno));
    return RF_OK;
}

int rf_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum rf_status rf_file_join(char path[RF_PATH_BYTES], const char *dir, const char *name,
                            struct rf_error *err)
{
    int n = snprintf(path, RF_PATH_BYTES, "%s/%s", dir, name);

    if (n < 0 || n >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.60s/%.60s'", dir, name);
    return RF_OK;
}

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t rf_time_utc_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t rf_time_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}
