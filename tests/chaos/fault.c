/* A library to be preloaded into the ranks of a run, which makes one of them fail at a chosen
 * moment. The moments are the calls at which a run touches the world: a write, a sync, a rename,
 * a new or removed name, a message. They are counted, so that "die at the 217th" can be said again
 * and means the same program position, however fast the machine is. What happens outside
 * RF_FAULT_DIR is neither counted nor disturbed, messages excepted.
 *
 *   RF_FAULT_DIR    the run's directory: only files below it count (an absolute path)
 *   RF_FAULT_DESK   where each rank leaves a file: its pid, and at its end the moments it has had
 *   RF_FAULT_RANK   which rank the fault strikes
 *   RF_FAULT_AT     at which of its moments, from 1; for errors, of those that touch a file
 *   RF_FAULT_DO     kill          SIGKILL to itself
 *                   tear          the same, when half of a write has been written
 *                   group         SIGKILL to the launcher, to all ranks, to itself
 *                   stop:MS       SIGSTOP; SIGCONT comes MS milliseconds later
 *                   error:CODE    this call fails with that errno
 *                   errors:CODE   this call and all that follow
 *   RF_FAULT_DEAF   SEED:PERCENT:MS   every rank: in so many of a hundred looks for a message none
 *                   is found, for up to MS milliseconds: messages come late, in their order */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 1200, RANKS = 64 };

static const char *dir, *desk, *what;
static int rank = -1, struck;
static long at, moments, files; /* moments had so far; those that touched a file */
static unsigned long deaf_seed;
static int deaf_percent, deaf_ms;

static void path_of_desk(char path[PATH_SIZE], const char *name, int of)
{
    snprintf(path, PATH_SIZE, "%s/%s.%d", desk, name, of);
}

static void leave_note(const char *name, long a, long b)
{
    char path[PATH_SIZE], text[64];
    int fd, n = snprintf(text, sizeof text, "%ld %ld\n", a, b);
    ssize_t (*plain)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");

    path_of_desk(path, name, rank);
    fd = creat(path, 0666);
    if (fd < 0 || plain(fd, text, (size_t)n) != n)
        _exit(99);
    close(fd);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("OMPI_COMM_WORLD_RANK"), *deaf = getenv("RF_FAULT_DEAF");
    const char *chosen = getenv("RF_FAULT_RANK"), *when = getenv("RF_FAULT_AT");

    desk = getenv("RF_FAULT_DESK");
    dir = getenv("RF_FAULT_DIR");
    if (text == NULL || desk == NULL || dir == NULL)
        return;
    unsetenv("LD_PRELOAD"); /* programs that a rank starts are not ranks */
    rank = atoi(text);
    leave_note("pid", (long)getpid(), 0);
    if (deaf != NULL)
        sscanf(deaf, "%lu:%d:%d", &deaf_seed, &deaf_percent, &deaf_ms);
    if (chosen == NULL || when == NULL || atoi(chosen) != rank)
        return;
    what = getenv("RF_FAULT_DO");
    at = atol(when);
}

__attribute__((destructor)) static void end(void)
{
    if (rank >= 0)
        leave_note("moments", moments, files);
}

/* ---- what strikes ---- */

static void kill_all(void)
{
    kill(getppid(), SIGKILL); /* the launcher first, so that it starts nothing more */
    for (int i = 0; i < RANKS; i++) {
        char path[PATH_SIZE];
        long pid = 0;
        FILE *file;

        path_of_desk(path, "pid", i);
        file = i == rank ? NULL : fopen(path, "r");
        if (file == NULL)
            continue;
        if (fscanf(file, "%ld", &pid) == 1 && pid > 1)
            kill((pid_t)pid, SIGKILL);
        fclose(file);
    }
    kill(getpid(), SIGKILL);
}

static void stop(int ms)
{
    pid_t self = getpid(), child = fork();

    if (child == 0) { /* only what is safe in the child of a process with threads */
        struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

        nanosleep(&pause, NULL);
        kill(self, SIGCONT);
        _exit(0);
    }
    if (child > 0)
        kill(self, SIGSTOP);
}

/* One more moment; the errno with which this one is to fail, or 0; -1: die in its middle. */
static int moment(int touches_file)
{
    long n = __atomic_add_fetch(&moments, 1, __ATOMIC_SEQ_CST);
    long nfile = touches_file ? __atomic_add_fetch(&files, 1, __ATOMIC_SEQ_CST) : 0;

    if (what == NULL)
        return 0;
    if (strncmp(what, "error", 5) == 0) {
        int lasting = strncmp(what, "errors:", 7) == 0;

        return nfile == at || (lasting && nfile > at) ? atoi(strchr(what, ':') + 1) : 0;
    }
    if (strcmp(what, "tear") == 0) /* at the next write from then on */
        return n >= at ? -1 : 0;
    if (n != at || __atomic_exchange_n(&struck, 1, __ATOMIC_SEQ_CST))
        return 0;
    if (strcmp(what, "kill") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(what, "group") == 0)
        kill_all();
    else if (strncmp(what, "stop:", 5) == 0)
        stop(atoi(what + 5));
    return 0;
}

/* ---- files ---- */

static int below_dir(const char *path)
{
    size_t n = dir != NULL && rank >= 0 ? strlen(dir) : 0;

    return n > 0 && path != NULL && strncmp(path, dir, n) == 0;
}

static int counts(int fd)
{
    char name[64], path[PATH_SIZE];
    ssize_t n;

    if (rank < 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    n = readlink(name, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return below_dir(path);
}

typedef ssize_t write_f(int, const void *, size_t);
typedef ssize_t pwrite_f(int, const void *, size_t, off_t);
typedef ssize_t writev_f(int, const struct iovec *, int);
typedef ssize_t pwritev_f(int, const struct iovec *, int, off_t);
typedef int fd_f(int);
typedef int path_f(const char *);
typedef int paths_f(const char *, const char *);
typedef int truncate_f(int, off_t);
typedef int mkdir_f(const char *, mode_t);
typedef int open_f(const char *, int, ...);

static void *next_symbol(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        _exit(98);
    return found;
}

ssize_t write(int fd, const void *data, size_t size)
{
    write_f *next = (write_f *)next_symbol("write");
    int code = counts(fd) ? moment(1) : 0;

    if (code < 0) {
        if (next(fd, data, size / 2) >= 0)
            kill(getpid(), SIGKILL);
    } else if (code > 0) {
        errno = code;
        return -1;
    }
    return next(fd, data, size);
}

static ssize_t write_at(const char *name, int fd, const void *data, size_t size, off_t offset)
{
    pwrite_f *next = (pwrite_f *)next_symbol(name);
    int code = counts(fd) ? moment(1) : 0;

    if (code < 0) {
        if (next(fd, data, size / 2, offset) >= 0)
            kill(getpid(), SIGKILL);
    } else if (code > 0) {
        errno = code;
        return -1;
    }
    return next(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at("pwrite", fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return write_at("pwrite64", fd, data, size, offset);
}

static int refused(int fd)
{
    int code = counts(fd) ? moment(1) : 0;

    if (code < 0)
        kill(getpid(), SIGKILL);
    errno = code > 0 ? code : errno;
    return code > 0;
}

static int refused_path(const char *path)
{
    int code = below_dir(path) ? moment(1) : 0;

    errno = code > 0 ? code : errno;
    return code > 0;
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    writev_f *next = (writev_f *)next_symbol("writev");

    return refused(fd) ? -1 : next(fd, parts, n);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    pwritev_f *next = (pwritev_f *)next_symbol("pwritev");

    return refused(fd) ? -1 : next(fd, parts, n, offset);
}

int fsync(int fd)
{
    fd_f *next = (fd_f *)next_symbol("fsync");

    return refused(fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    fd_f *next = (fd_f *)next_symbol("fdatasync");

    return refused(fd) ? -1 : next(fd);
}

int ftruncate(int fd, off_t size)
{
    truncate_f *next = (truncate_f *)next_symbol("ftruncate");

    return refused(fd) ? -1 : next(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    truncate_f *next = (truncate_f *)next_symbol("ftruncate64");

    return refused(fd) ? -1 : next(fd, size);
}

int rename(const char *from, const char *to)
{
    paths_f *next = (paths_f *)next_symbol("rename");

    return refused_path(to) ? -1 : next(from, to);
}

int unlink(const char *path)
{
    path_f *next = (path_f *)next_symbol("unlink");

    return refused_path(path) ? -1 : next(path);
}

int mkdir(const char *path, mode_t mode)
{
    mkdir_f *next = (mkdir_f *)next_symbol("mkdir");

    return refused_path(path) ? -1 : next(path, mode);
}

/* Only opening to write is a moment. */
static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
    open_f *next = (open_f *)next_symbol(name);

    if ((flags & O_ACCMODE) != O_RDONLY && refused_path(path))
        return -1;
    return next(path, flags, mode);
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = mode_of(flags, more);
    va_end(more);
    return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = mode_of(flags, more);
    va_end(more);
    return open_as("open64", path, flags, mode);
}

/* ---- messages ---- */

int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    moment(0);
    return PMPI_Send(data, count, type, to, tag, comm);
}

int MPI_Recv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status)
{
    moment(0);
    return PMPI_Recv(data, count, type, from, tag, comm, status);
}

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm)
{
    moment(0);
    return PMPI_Allreduce(from, to, count, type, op, comm);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static unsigned long draw(void)
{
    deaf_seed = deaf_seed * 6364136223846793005UL + 1442695040888963407UL;
    return deaf_seed >> 33;
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
    static double until_ms;

    if (deaf_percent > 0 && now_ms() >= until_ms && draw() % 100 < (unsigned long)deaf_percent)
        until_ms = now_ms() + (double)(draw() % (unsigned long)(deaf_ms + 1));
    if (now_ms() < until_ms) {
        *flag = 0;
        return MPI_SUCCESS;
    }
    return PMPI_Iprobe(from, tag, comm, flag, status);
}
