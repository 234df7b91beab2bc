#include "mpi/h5_driver.h"

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct written {
    H5FD_t base; /* HDF5's own part, first */
    int fd;
    int *code; /* borrowed: the caller's */
    haddr_t end_allocated, end_of_file;
};

/* What goes from the access list to the file. */
struct information {
    int *code;
};

static void note(struct written *file)
{
    if (*file->code == 0)
        *file->code = errno;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    const struct information *from = H5Pget_driver_info(access);
    struct written *file = from != NULL ? calloc(1, sizeof *file) : NULL;
    struct stat about;

    (void)most;
    if (file == NULL)
        return NULL;
    file->code = from->code;
    file->fd =
        open(name,
             O_CLOEXEC | (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) |
                 (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0),
             0666);
    if (file->fd < 0 || fstat(file->fd, &about) != 0) {
        note(file);
        if (file->fd >= 0)
            close(file->fd);
        free(file);
        return NULL;
    }
    file->end_of_file = (haddr_t)about.st_size;
    return &file->base;
}

static herr_t driver_close(H5FD_t *base)
{
    struct written *file = (struct written *)base;

    if (close(file->fd) != 0)
        note(file);
    free(file);
    return 0;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct written *)base)->end_allocated;
}

static herr_t driver_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((struct written *)base)->end_allocated = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct written *)base)->end_of_file;
}

static herr_t driver_get_handle(H5FD_t *base, hid_t access, void **handle)
{
    (void)access;
    *handle = &((struct written *)base)->fd;
    return 0;
}

/* What has not been written reads as zeros. */
static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t how, haddr_t address,
                          size_t size, void *buffer)
{
    struct written *file = (struct written *)base;
    char *to = buffer;
    ssize_t n = 1;

    (void)type, (void)how;
    while (size > 0 && n > 0) {
        n = pread(file->fd, to, size, (off_t)address);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0)
            note(file);
        if (n > 0) {
            to += n;
            size -= (size_t)n;
            address += (haddr_t)n;
        }
    }
    memset(to, 0, size);
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t how, haddr_t address,
                           size_t size, const void *buffer)
{
    struct written *file = (struct written *)base;
    const char *from = buffer;

    (void)type, (void)how;
    if (address + size > file->end_of_file)
        file->end_of_file = address + size;
    while (size > 0 && *file->code == 0) {
        ssize_t n = pwrite(file->fd, from, size, (off_t)address);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            note(file);
            break;
        }
        from += n;
        size -= (size_t)n;
        address += (haddr_t)n;
    }
    return 0;
}

static herr_t driver_truncate(H5FD_t *base, hid_t how, hbool_t closing)
{
    struct written *file = (struct written *)base;

    (void)how, (void)closing;
    if (file->end_allocated == file->end_of_file)
        return 0;
    file->end_of_file = file->end_allocated;
    if (*file->code == 0 && ftruncate(file->fd, (off_t)file->end_of_file) != 0)
        note(file);
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* of those that are nobody's */
#endif
    .name = "ringfence",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct information),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .get_handle = driver_get_handle,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY};

herr_t rf_h5_driver_set(hid_t access, int *code)
{
    const struct information from = {code};
    hid_t id = H5FDregister(&driver);
    herr_t done;

    if (id < 0)
        return -1;
    *code = 0;
    done = H5Pset_driver(access, id, &from); /* counts its own reference */
    H5FDunregister(id);
    return done;
}
