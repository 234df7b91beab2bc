/* A folder, asked what a ledger and a checkpoint will ask of it. */
#define _GNU_SOURCE /* O_DIRECT */
#include "doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"

enum { SYNCS = 15, BLOCK_BYTES = 4096, TYPE_BYTES = 64 };

int rf_doctor_is_network(const char *type)
{
    static const char *const types[] = {
        "nfs",  "nfs4",  "lustre", "gpfs",     "beegfs",     "cifs", "smb3",
        "ceph", "panfs", "afs",    "orangefs", "fuse.sshfs", "9p",   "glusterfs"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return 1;
    return strncmp(type, "fuse.glusterfs", 14) == 0;
}

/* The type of what is mounted closest above a path; "" when nobody knows. */
static void find_type(const char *path, char type[TYPE_BYTES])
{
    FILE *mounts = fopen("/proc/self/mounts", "r");
    char line[2048], place[1024], kind[TYPE_BYTES];
    size_t longest = 0;

    type[0] = '\0';
    while (mounts != NULL && fgets(line, sizeof line, mounts) != NULL) {
        size_t n;

        if (sscanf(line, "%*s %1023s %63s", place, kind) != 2)
            continue;
        n = strcmp(place, "/") == 0 ? 0 : strlen(place);
        if (strncmp(path, place, n) == 0 && (path[n] == '/' || path[n] == '\0') &&
            (n > longest || type[0] == '\0')) {
            longest = n;
            memcpy(type, kind, TYPE_BYTES);
        }
    }
    if (mounts != NULL)
        fclose(mounts);
}

static void look_at_type(struct rf_doctor *doctor, const char *path)
{
    char type[TYPE_BYTES];

    find_type(path, type);
    if (rf_doctor_is_network(type))
        rf_doctor_add(doctor, RF_HEALTH_WARN, "file system",
                      "keep run directories there only with working locks (mount option), and "
                      "checkpoints on the parallel file system",
                      "%s is on %s, shared over a network", path, type);
    else if (strcmp(type, "tmpfs") == 0)
        rf_doctor_add(doctor, RF_HEALTH_WARN, "file system",
                      "put ledgers and checkpoints on a disk",
                      "%s is in memory (tmpfs): nothing there outlives the machine", path);
    else
        rf_doctor_add(doctor, RF_HEALTH_OK, "file system", "", "%s is on %s", path,
                      type[0] != '\0' ? type : "an unknown kind");
}

static void look_at_room(struct rf_doctor *doctor, const char *path)
{
    struct statvfs fs;
    double free_gb;

    if (statvfs(path, &fs) != 0)
        return;
    free_gb = (double)fs.f_bavail * (double)fs.f_frsize / 1e9;
    rf_doctor_add(doctor,
                  free_gb < 0.2 ? RF_HEALTH_FAIL
                  : free_gb < 5 ? RF_HEALTH_WARN
                                : RF_HEALTH_OK,
                  "room", "make room: a checkpoint takes up to 12 bytes a parameter",
                  "%.1f GB free", free_gb);
}

static void look_at_direct(struct rf_doctor *doctor, const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    void *block = NULL;
    int ok = fd >= 0 && posix_memalign(&block, BLOCK_BYTES, BLOCK_BYTES) == 0;

    if (ok)
        memset(block, 0, BLOCK_BYTES);
    ok = ok && write(fd, block, BLOCK_BYTES) == BLOCK_BYTES;
    rf_doctor_add(doctor, ok ? RF_HEALTH_OK : RF_HEALTH_WARN, "direct write",
                  "none needed: checkpoints go through the page cache there, and disturb "
                  "training more",
                  "%s%s",
                  ok ? "O_DIRECT works" : "O_DIRECT is refused: ", ok ? "" : strerror(errno));
    free(block);
    if (fd >= 0)
        close(fd);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void look_at_fsync(struct rf_doctor *doctor, const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600), n = 0;
    double ms[SYNCS];
    char byte = 'x';

    while (fd >= 0 && n < SYNCS) {
        int64_t begin_us = rf_time_us();

        if (write(fd, &byte, 1) != 1 || fsync(fd) != 0)
            break;
        ms[n++] = (double)(rf_time_us() - begin_us) / 1e3;
    }
    if (n == SYNCS) {
        qsort(ms, SYNCS, sizeof *ms, by_size);
        rf_doctor_add(doctor, ms[SYNCS / 2] > 30 ? RF_HEALTH_WARN : RF_HEALTH_OK, "fsync",
                      "each decision waits for one: put run directories on a faster disk",
                      "%.2f ms in the middle, %.2f ms at worst of %d", ms[SYNCS / 2],
                      ms[SYNCS - 1], SYNCS);
    } else {
        rf_doctor_add(doctor, RF_HEALTH_FAIL, "fsync",
                      "use another file system: a ledger that cannot be synced proves nothing",
                      "fails: %s", strerror(errno));
    }
    if (fd >= 0)
        close(fd);
}

static void look_at_rename(struct rf_doctor *doctor, const char *from, const char *to)
{
    struct rf_error err;
    int ok = rf_file_write(from, "a", 1, &err) == RF_OK && rename(from, to) == 0 &&
             !rf_file_exists(from) && rf_file_exists(to);

    rf_doctor_add(doctor, ok ? RF_HEALTH_OK : RF_HEALTH_FAIL, "rename",
                  "use another file system: checkpoints are published by it", "%s%s",
                  ok ? "replaces a file at once" : "does not replace a file: ",
                  ok ? "" : strerror(errno));
}

static void look_at_locks(struct rf_doctor *doctor, const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int ok = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0;

    rf_doctor_add(doctor, ok ? RF_HEALTH_OK : RF_HEALTH_FAIL, "locks",
                  "mount with locks (NFS: not nolock; Lustre: -o flock): HDF5 and witnesses "
                  "need them",
                  "%s%s",
                  ok ? "fcntl locks work" : "fcntl locks fail: ", ok ? "" : strerror(errno));
    if (fd >= 0)
        close(fd);
}

void rf_doctor_files(struct rf_doctor *doctor, const char *dir)
{
    char folder[RF_PATH_BYTES], one[RF_PATH_BYTES], two[RF_PATH_BYTES];
    char *path = realpath(dir, NULL);
    struct rf_error err;

    if (path == NULL || rf_file_join(folder, path, ".ringfence-doctor-XXXXXX", &err) != RF_OK ||
        mkdtemp(folder) == NULL) {
        rf_doctor_add(doctor, RF_HEALTH_FAIL, "folder", "make it, or name another with --dir",
                      "cannot write into '%.150s': %s", dir, strerror(errno));
        free(path);
        return;
    }
    look_at_type(doctor, path);
    look_at_room(doctor, path);
    if (rf_file_join(one, folder, "one", &err) == RF_OK &&
        rf_file_join(two, folder, "two", &err) == RF_OK) {
        look_at_direct(doctor, one);
        look_at_fsync(doctor, one);
        look_at_rename(doctor, two, one);
        look_at_locks(doctor, one);
    }
    (void)rf_file_remove_tree(folder, &err);
    free(path);
}
