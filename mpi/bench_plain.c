#define _GNU_SOURCE /* O_DIRECT, fallocate() */

#include "mpi/bench_plain.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { PIECE_BYTES = RF_PLAIN_PIECE, BORDER = 4096, THREADS = 8 };

double rf_bench_start(const struct rf_group *group)
{
    MPI_Barrier(group->comm);
    return MPI_Wtime();
}

double rf_bench_stop(const struct rf_group *group, double since)
{
    double s = MPI_Wtime() - since;

    MPI_Allreduce(MPI_IN_PLACE, &s, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    return s;
}

void rf_plain_settle(const struct rf_plain *b)
{
    rf_file_sync_dir(b->dir, NULL);
}

static const struct way {
    const char *name;
    int direct, threads; /* of each rank */
    size_t piece_bytes;
} ways[] = {{"past the page cache", 1, 1, 8 << 20},
            {"past the page cache, two at a time", 1, 2, 8 << 20},
            {"past the page cache, eight at a time", 1, THREADS, 1 << 20},
            {"through the page cache", 0, 1, 8 << 20}};
enum { WAYS = sizeof ways / sizeof ways[0] };
static_assert((int)WAYS <= RF_PLAIN_WAYS, "slow has room for every way");

static enum rf_status failed(const char *path, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_IO, "cannot use '%s': %s", path, strerror(errno));
}

/* What the threads of a rank share out among them. */
struct share {
    const struct rf_plain *bench;
    const char *path;
    const struct way *way;
    int writing;
    int64_t begin, end;
    atomic_llong next;   /* piece */
    atomic_int code;     /* errno of a failure */
    atomic_int nthreads; /* so far */
};

static int transfer_pieces(struct share *s, int fd, unsigned char *room)
{
    const int64_t piece = (int64_t)s->way->piece_bytes;
    ssize_t got = 1;

    while (got > 0 && atomic_load(&s->code) == 0) {
        int64_t at = s->begin + piece * (int64_t)atomic_fetch_add(&s->next, 1);
        size_t n = (size_t)(s->end - at < piece ? s->end - at : piece);

        if (at >= s->end)
            break;
        got = s->writing ? pwrite(fd, room, n, (off_t)at) : pread(fd, room, n, (off_t)at);
        if (got > 0 && (size_t)got < n) /* no plain file does that */
            got = 0;
    }
    return got > 0 ? 0 : got < 0 ? errno : EIO;
}

static void *transfer(void *arg)
{
    struct share *s = arg;
    unsigned char *room = s->bench->piece; /* reading: a place for each */
    int number = atomic_fetch_add(&s->nthreads, 1), code;
    int fd = open(s->path, (s->writing ? O_RDWR : O_RDONLY) | (s->way->direct ? O_DIRECT : 0) |
                               O_CLOEXEC);

    if (!s->writing)
        room += PIECE_BYTES + s->way->piece_bytes * (size_t)number;
    code = fd < 0 ? errno : transfer_pieces(s, fd, room);
    if (code == 0 && s->writing && fsync(fd) != 0)
        code = errno;
    if (code != 0)
        atomic_store(&s->code, code);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Local: this rank's share of a file of b->bytes. */
static enum rf_status transfer_share(const struct rf_plain *b, const char *path, int writing,
                                     const struct way *way, struct rf_error *err)
{
    int64_t bytes = b->bytes / b->group->size / BORDER * BORDER;
    struct share s = {
        b, path, way, writing, bytes * b->group->rank, bytes * (b->group->rank + 1), 0, 0, 0};
    pthread_t threads[THREADS];
    int n = 0;

    while (n < way->threads - 1 && pthread_create(&threads[n], NULL, transfer, &s) == 0)
        n++;
    transfer(&s);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    errno = atomic_load(&s.code);
    return errno == 0 ? RF_OK : failed(path, err);
}

/* Rank 0: a new file with room for all. */
static enum rf_status make_file(const struct rf_plain *b, const char *path,
                                const struct way *way, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0 || (way->direct && fallocate(fd, 0, 0, (off_t)b->bytes) != 0 && errno == ENOSPC))
        st = failed(path, err);
    if (fd >= 0)
        close(fd);
    return st;
}

/* Collective, agreed: makes the file if it is to be written, and does each rank's share. */
static enum rf_status transfer_all(const struct rf_plain *b, const char *path, int writing,
                                   const struct way *way, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (writing && b->group->rank == 0)
        st = make_file(b, path, way, err);
    st = rf_agree(b->group, st, err);
    return st == RF_OK ? rf_agree(b->group, transfer_share(b, path, writing, way, err), err)
                       : st;
}

enum rf_status rf_plain_even_out(const struct rf_plain *b, const char *path,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (b->group->rank == 0)
        unlink(path);
    st = transfer_all(b, path, 1, &ways[1], err);
    if (b->group->rank == 0) {
        unlink(path);
        rf_plain_settle(b);
    }
    MPI_Barrier(b->group->comm);
    return st;
}

/* Collective: seconds of a plain write or read, from the file's making to the last sync; 0 when the
 * file system does not do it this way. */
static enum rf_status plain(const struct rf_plain *b, const char *path, int writing,
                            const struct way *way, double *seconds, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    double since;

    if (writing)
        st = rf_plain_even_out(b, path, err);
    since = rf_bench_start(b->group);
    if (st == RF_OK)
        st = transfer_all(b, path, writing, way, err);
    *seconds = rf_bench_stop(b->group, since);
    if (st != RF_OK && way->direct) {
        *seconds = 0;
        st = RF_OK;
    }
    return st;
}

void rf_plain_forget(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

enum rf_status rf_plain_round(struct rf_plain *b, const char *path, int writing,
                              double seconds[RF_PLAIN_WAYS], struct rf_error *err)
{
    enum rf_status st = RF_OK;
    double best = 0;

    for (int w = 0; w < WAYS; w++) {
        seconds[w] = 0;
        if (st != RF_OK || b->slow[writing][w])
            continue;
        rf_plain_forget(path);
        st = plain(b, path, writing, &ways[w], &seconds[w], err);
        if (seconds[w] > 0 && (best <= 0 || seconds[w] < best))
            best = seconds[w];
    }
    for (int w = 0; w < WAYS; w++)
        b->slow[writing][w] |= seconds[w] <= 0 || seconds[w] > 2 * best;
    return st;
}

const char *rf_plain_way(int way)
{
    return ways[way].name;
}

enum rf_status rf_plain_read(const struct rf_plain *b, const char *path, struct rf_error *err)
{
    double unused;

    rf_plain_forget(path);
    return plain(b, path, 0, &ways[1], &unused, err);
}
