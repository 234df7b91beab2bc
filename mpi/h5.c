#include "mpi/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hdf5.h>

#include "base/file.h"
#include "base/tensor.h"
#include "mpi/h5_driver.h"

struct rf_h5 {
    hid_t file;
    int code; /* of a new file: the errno of the first write that failed; see h5_driver.h */
    char path[RF_PATH_BYTES];
};

int (*rf_h5_fault)(const char *step);

enum rf_status rf_h5_fault_at(const char *step, const char *path, struct rf_error *err)
{
    int code = rf_h5_fault != NULL ? rf_h5_fault(step) : 0;

    if (code == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_IO, "cannot %s '%s': %s", step, path, strerror(code));
}

/* Every call of HDF5 forgets what the one before said: h5_fail() comes right after the call
 * that failed, and closing what is open after that.
 *
 * The innermost entry of HDF5's error stack is what the system said. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *to)
{
    char *text = to;
    const char *said = strstr(entry->desc, "error message = '");
    const char *end = said != NULL ? strchr(said + 17, '\'') : NULL;

    (void)n;
    if (end != NULL)
        snprintf(text, 200, "%.*s", (int)(end - said - 17), said + 17);
    else if (text[0] == '\0')
        snprintf(text, 200, "HDF5 says '%s'", entry->desc);
    return 0;
}

static enum rf_status h5_fail(struct rf_error *err, enum rf_status status, const char *verb,
                              const char *path, const char *name)
{
    char said[200] = "";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, said);
    H5Eclear2(H5E_DEFAULT);
    return rf_fail(err, status, "cannot %s '%s'%s%s: %s", verb, path, name != NULL ? ": " : "",
                   name != NULL ? name : "", said);
}

static hid_t stored(enum rf_h5_type type)
{
    switch (type) {
    case RF_H5_F32:
        return H5T_IEEE_F32LE;
    case RF_H5_F64:
        return H5T_IEEE_F64LE;
    case RF_H5_I64:
        return H5T_STD_I64LE;
    case RF_H5_U8:
        return H5T_STD_U8LE;
    case RF_H5_BF16:
        return H5T_IEEE_F32LE; /* its upper half; see type_of() */
    case RF_H5_NAME:
        break;
    }
    return H5T_C_S1;
}

static hid_t in_memory(enum rf_h5_type type)
{
    switch (type) {
    case RF_H5_F32:
        return H5T_NATIVE_FLOAT;
    case RF_H5_F64:
        return H5T_NATIVE_DOUBLE;
    case RF_H5_I64:
        return H5T_NATIVE_INT64;
    case RF_H5_U8:
        return H5T_NATIVE_UINT8;
    case RF_H5_BF16:
        return H5T_IEEE_F32LE; /* its upper half; see type_of() */
    case RF_H5_NAME:
        break;
    }
    return H5T_C_S1;
}

static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, size);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* A type the caller closes with H5Tclose(). */
static hid_t type_of(hid_t base, enum rf_h5_type type)
{
    hid_t made;

    if (type == RF_H5_NAME)
        return text_type(RF_TENSOR_NAME);
    made = H5Tcopy(base);
    if (type == RF_H5_BF16) { /* sign, 8 bits of exponent as in fp32, 7 of mantissa */
        H5Tset_fields(made, 15, 7, 8, 0, 7);
        H5Tset_precision(made, 16);
        H5Tset_size(made, 2);
    }
    return made;
}

/* File access: one file format for ever, large arrays on page borders, and no lock, which some
 * parallel file systems refuse. */
static hid_t access_list(void)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);

    H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_V18);
    H5Pset_alignment(list, RF_H5_ALIGNED_FROM, 1 << 12);
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERS_MINOR == 12 && H5_VERS_RELEASE < 1)
    H5Pset_file_locking(list, 0, 1);
#endif
    return list;
}

static enum rf_status start(struct rf_h5 **file, const char *path, struct rf_error *err)
{
    *file = NULL;
    if (strlen(path) >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    *file = calloc(1, sizeof **file);
    if (*file == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while opening '%s'", path);
    memcpy((*file)->path, path, strlen(path) + 1);
    (*file)->file = H5I_INVALID_HID;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return RF_OK;
}

static void give_up(struct rf_h5 **file)
{
    free(*file);
    *file = NULL;
}

enum rf_status rf_h5_create(struct rf_h5 **file, const char *path, size_t user_block,
                            size_t structure_bytes, struct rf_error *err)
{
    enum rf_status st = start(file, path, err);
    hid_t how, access;

    if (st == RF_OK)
        st = rf_h5_fault_at("create", path, err);
    if (st == RF_OK) {
        how = H5Pcreate(H5P_FILE_CREATE);
        access = access_list();
        H5Pset_userblock(how, user_block);
        if (structure_bytes > 0)
            H5Pset_meta_block_size(access, structure_bytes);
        H5Pset_obj_track_times(how, 0);
        if (rf_h5_driver_set(access, &(*file)->code) >= 0)
            (*file)->file = H5Fcreate(path, H5F_ACC_TRUNC, how, access);
        if ((*file)->file < 0 && (*file)->code != 0)
            st = rf_fail(err, RF_ERR_IO, "cannot create '%s': %s", path,
                         strerror((*file)->code));
        else if ((*file)->file < 0)
            st = h5_fail(err, RF_ERR_IO, "create", path, NULL);
        H5Pclose(access);
        H5Pclose(how);
    }
    if (st != RF_OK)
        give_up(file);
    return st;
}

static enum rf_status open_file(struct rf_h5 **file, const char *path, unsigned how,
                                struct rf_error *err)
{
    enum rf_status st = start(file, path, err);
    hid_t access;

    if (st == RF_OK)
        st = rf_h5_fault_at("open", path, err);
    if (st == RF_OK) {
        access = access_list();
        if (how == H5F_ACC_RDONLY || rf_h5_driver_set(access, &(*file)->code) >= 0)
            (*file)->file = H5Fopen(path, how, access);
        if ((*file)->file < 0)
            st = h5_fail(err, RF_ERR_INPUT, "open", path, NULL);
        H5Pclose(access);
    }
    if (st != RF_OK)
        give_up(file);
    return st;
}

enum rf_status rf_h5_open(struct rf_h5 **file, const char *path, struct rf_error *err)
{
    return open_file(file, path, H5F_ACC_RDONLY, err);
}

enum rf_status rf_h5_open_alone(struct rf_h5 **file, const char *path, struct rf_error *err)
{
    return open_file(file, path, H5F_ACC_RDWR, err);
}

/* Local: what may keep a single rank from opening the file is found before all try together. */
static enum rf_status can_open(const char *path, struct rf_error *err)
{
    enum rf_status st = rf_h5_fault_at("open", path, err);
    int fd;

    if (st != RF_OK)
        return st;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    close(fd);
    return RF_OK;
}

enum rf_status rf_h5_open_shared(struct rf_h5 **file, const struct rf_group *group,
                                 const char *path, struct rf_error *err)
{
    enum rf_status st = start(file, path, err);
    hid_t access;

    if (st == RF_OK)
        st = can_open(path, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        access = access_list();
        H5Pset_fapl_mpio(access, group->comm, MPI_INFO_NULL);
        (*file)->file = H5Fopen(path, H5F_ACC_RDWR, access);
        if ((*file)->file < 0)
            st = h5_fail(err, RF_ERR_IO, "open", path, NULL);
        H5Pclose(access);
        st = rf_agree(group, st, err);
        if (st != RF_OK && (*file)->file >= 0)
            H5Fclose((*file)->file);
    }
    if (st != RF_OK)
        give_up(file);
    return st;
}

enum rf_status rf_h5_close(struct rf_h5 *file, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (file == NULL)
        return RF_OK;
    if (H5Fclose(file->file) < 0)
        st = h5_fail(err, RF_ERR_IO, "close", file->path, NULL);
    if (file->code != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", file->path, strerror(file->code));
    if (st == RF_OK)
        st = rf_h5_fault_at("close", file->path, err);
    free(file);
    return st;
}

enum rf_status rf_h5_group(struct rf_h5 *file, const char *name, struct rf_error *err)
{
    hid_t how = H5Pcreate(H5P_GROUP_CREATE);
    enum rf_status st = RF_OK;
    hid_t group;

    H5Pset_obj_track_times(how, 0);
    group = H5Gcreate2(file->file, name, H5P_DEFAULT, how, H5P_DEFAULT);
    if (group < 0)
        st = h5_fail(err, RF_ERR_IO, "write", file->path, name);
    else
        H5Gclose(group);
    H5Pclose(how);
    return st;
}

/* Writes one scalar attribute of a stored and a memory type. */
static enum rf_status put(struct rf_h5 *file, const char *object, const char *name, hid_t disk,
                          hid_t memory, const void *value, struct rf_error *err)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(file->file, object, name, disk, space, H5P_DEFAULT,
                                        H5P_DEFAULT, H5P_DEFAULT);
    enum rf_status st = RF_OK;

    if (attribute < 0 || H5Awrite(attribute, memory, value) < 0)
        st = h5_fail(err, RF_ERR_IO, "write", file->path, name);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return st;
}

enum rf_status rf_h5_put_int(struct rf_h5 *file, const char *object, const char *name,
                             int64_t value, struct rf_error *err)
{
    return put(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, err);
}

enum rf_status rf_h5_put_text(struct rf_h5 *file, const char *object, const char *name,
                              const char *text, struct rf_error *err)
{
    hid_t type = text_type(strlen(text) + 1);
    enum rf_status st = put(file, object, name, type, type, text, err);

    H5Tclose(type);
    return st;
}

/* Opens an attribute when it is one value of the given class and at most max_size bytes. */
static hid_t scalar(struct rf_h5 *file, const char *object, const char *name,
                    H5T_class_t wanted, size_t max_size)
{
    hid_t attribute = H5Aopen_by_name(file->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    hid_t type, space;
    int fits;

    if (attribute < 0)
        return attribute;
    type = H5Aget_type(attribute);
    space = H5Aget_space(attribute);
    fits = H5Tget_class(type) == wanted && H5Tget_size(type) <= max_size &&
           H5Sget_simple_extent_npoints(space) == 1 &&
           (wanted != H5T_STRING || H5Tis_variable_str(type) == 0);
    H5Tclose(type);
    H5Sclose(space);
    if (fits)
        return attribute;
    H5Aclose(attribute);
    return H5I_INVALID_HID;
}

static enum rf_status no_attribute(struct rf_h5 *file, const char *object, const char *name,
                                   struct rf_error *err)
{
    H5Eclear2(H5E_DEFAULT);
    return rf_fail(err, RF_ERR_INPUT, "'%s' has no usable attribute '%s' at '%s'", file->path,
                   name, object);
}

enum rf_status rf_h5_get_text(struct rf_h5 *file, const char *object, const char *name,
                              char *text, size_t size, struct rf_error *err)
{
    hid_t attribute = scalar(file, object, name, H5T_STRING, size);
    hid_t type;
    enum rf_status st = RF_OK;

    if (attribute < 0)
        return no_attribute(file, object, name, err);
    memset(text, 0, size);
    type = H5Aget_type(attribute);
    if (H5Aread(attribute, type, text) < 0)
        st = no_attribute(file, object, name, err);
    text[size - 1] = '\0';
    H5Tclose(type);
    H5Aclose(attribute);
    return st;
}

/* how belongs to the caller. */
static enum rf_status make_array(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                                 int ndims, const int64_t *shape, hid_t how, uint64_t *offset,
                                 struct rf_error *err)
{
    hsize_t dims[2] = {(hsize_t)shape[0], ndims > 1 ? (hsize_t)shape[1] : 1};
    hid_t space = H5Screate_simple(ndims, dims, NULL);
    hid_t disk = type_of(stored(type), type), array;
    haddr_t at = 0;
    enum rf_status st = RF_OK;

    H5Pset_obj_track_times(how, 0);
    H5Pset_fill_time(how, H5D_FILL_TIME_NEVER);
    array = H5Dcreate2(file->file, name, disk, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (array >= 0 && offset != NULL)
        *offset = at = H5Dget_offset(array);
    if (array < 0 || at == HADDR_UNDEF)
        st = h5_fail(err, RF_ERR_IO, "write", file->path, name);
    if (array >= 0)
        H5Dclose(array);
    H5Tclose(disk);
    H5Sclose(space);
    return st;
}

enum rf_status rf_h5_array(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int ndims, const int64_t *shape, uint64_t *offset,
                           struct rf_error *err)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    enum rf_status st;

    H5Pset_layout(how, H5D_CONTIGUOUS);
    H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY);
    st = make_array(file, name, type, ndims, shape, how, offset, err);
    H5Pclose(how);
    return st;
}

enum rf_status rf_h5_packed_array(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                                  int ndims, const int64_t *shape, int64_t chunk_rows,
                                  struct rf_error *err)
{
    hsize_t chunk[2] = {(hsize_t)chunk_rows, ndims > 1 ? (hsize_t)shape[1] : 1};
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    enum rf_status st;

    if (H5Pset_chunk(how, ndims, chunk) < 0 || H5Pset_shuffle(how) < 0 ||
        H5Pset_deflate(how, 1) < 0)
        st = h5_fail(err, RF_ERR_INPUT, "compress a tensor for", file->path, name);
    else
        st = make_array(file, name, type, ndims, shape, how, NULL, err);
    H5Pclose(how);
    return st;
}

enum rf_status rf_h5_elsewhere(struct rf_h5 *file, const char *name, const char *other,
                               struct rf_error *err)
{
    if (H5Lcreate_external(other, name, file->file, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        return h5_fail(err, RF_ERR_IO, "write", file->path, name);
    return RF_OK;
}

static int shape_of(hid_t array, enum rf_h5_type type, int *ndims, int64_t shape[2])
{
    hid_t disk = H5Dget_type(array), wanted = type_of(stored(type), type);
    hid_t space = H5Dget_space(array);
    hsize_t dims[2] = {1, 1};
    int n = H5Sget_simple_extent_ndims(space);
    int fits = H5Tequal(disk, wanted) > 0 && (n == 1 || n == 2) &&
               H5Sget_simple_extent_dims(space, dims, NULL) == n;

    H5Sclose(space);
    H5Tclose(wanted);
    H5Tclose(disk);
    *ndims = n;
    shape[0] = (int64_t)dims[0];
    shape[1] = (int64_t)dims[1];
    return fits;
}

enum rf_status rf_h5_shape(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int *ndims, int64_t shape[2], struct rf_error *err)
{
    hid_t array = H5Dopen2(file->file, name, H5P_DEFAULT);
    int fits = array >= 0 && shape_of(array, type, ndims, shape);

    if (array >= 0)
        H5Dclose(array);
    H5Eclear2(H5E_DEFAULT);
    if (!fits)
        return rf_fail(err, RF_ERR_INPUT, "'%s' has no array '%s' of the right type",
                       file->path, name);
    return RF_OK;
}

/* Opens an array with a selection of whole rows; the caller closes both on success. */
static int open_rows(struct rf_h5 *file, const char *name, int64_t row, int64_t nrows,
                     hid_t *array, hid_t *space, hid_t *memory)
{
    hsize_t dims[2] = {0, 1}, begin[2] = {(hsize_t)row, 0}, count[2] = {(hsize_t)nrows, 1};
    int n;

    *array = H5Dopen2(file->file, name, H5P_DEFAULT);
    if (*array < 0)
        return -1;
    *space = H5Dget_space(*array);
    n = H5Sget_simple_extent_ndims(*space);
    if ((n != 1 && n != 2) || H5Sget_simple_extent_dims(*space, dims, NULL) != n) {
        H5Sclose(*space);
        H5Dclose(*array);
        return -1;
    }
    count[1] = dims[1];
    H5Sselect_hyperslab(*space, H5S_SELECT_SET, begin, NULL, count, NULL);
    *memory = H5Screate_simple(n, count, NULL);
    return 0;
}

static void close_rows(hid_t array, hid_t space, hid_t memory)
{
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(array);
}

enum rf_status rf_h5_write(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int64_t row, int64_t nrows, const void *data, struct rf_error *err)
{
    hid_t array, space, memory, element;
    enum rf_status st = rf_h5_fault_at("write", file->path, err);

    if (st != RF_OK)
        return st;
    if (open_rows(file, name, row, nrows, &array, &space, &memory) != 0)
        return h5_fail(err, RF_ERR_IO, "write", file->path, name);
    element = type_of(in_memory(type), type);
    if (H5Dwrite(array, element, memory, space, H5P_DEFAULT, data) < 0)
        st = h5_fail(err, RF_ERR_IO, "write", file->path, name);
    H5Tclose(element);
    close_rows(array, space, memory);
    return st;
}

enum rf_status rf_h5_read(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                          int64_t row, int64_t nrows, void *data, struct rf_error *err)
{
    hid_t array, space, memory, element;
    enum rf_status st = rf_h5_fault_at("read", file->path, err);

    if (st != RF_OK)
        return st;
    if (open_rows(file, name, row, nrows, &array, &space, &memory) != 0)
        return h5_fail(err, RF_ERR_INPUT, "read", file->path, name);
    element = type_of(in_memory(type), type);
    if (H5Dread(array, element, memory, space, H5P_DEFAULT, data) < 0)
        st = h5_fail(err, RF_ERR_IO, "read", file->path, name);
    H5Tclose(element);
    close_rows(array, space, memory);
    return st;
}

enum rf_status rf_h5_write_packed(struct rf_h5 *file, const char *name, int64_t row,
                                  const void *bytes, size_t size, struct rf_error *err)
{
    hsize_t at[2] = {(hsize_t)row, 0};
    enum rf_status st = rf_h5_fault_at("write", file->path, err);
    hid_t array;

    if (st != RF_OK)
        return st;
    array = H5Dopen2(file->file, name, H5P_DEFAULT);
    if (array < 0 || H5Dwrite_chunk(array, H5P_DEFAULT, 0, at, size, bytes) < 0)
        st = h5_fail(err, RF_ERR_IO, "write", file->path, name);
    if (array >= 0)
        H5Dclose(array);
    return st;
}

enum rf_status rf_h5_packed_offset(struct rf_h5 *file, const char *name, int64_t row,
                                   uint64_t *offset, struct rf_error *err)
{
    hsize_t at[2] = {(hsize_t)row, 0}, size = 0;
    haddr_t found = HADDR_UNDEF;
    unsigned mask = 0;
    hid_t array = H5Dopen2(file->file, name, H5P_DEFAULT);

    if (array >= 0 && H5Dget_chunk_info_by_coord(array, at, &mask, &found, &size) < 0)
        found = HADDR_UNDEF;
    if (array >= 0)
        H5Dclose(array);
    if (found == HADDR_UNDEF)
        return h5_fail(err, RF_ERR_IO, "find a place in", file->path, name);
    *offset = (uint64_t)found;
    return RF_OK;
}

void rf_h5_library(char *version, size_t size, int *parallel, int *thread_safe)
{
    unsigned major = 0, minor = 0, release = 0;
    hbool_t safe = 0;

    H5get_libversion(&major, &minor, &release);
    H5is_library_threadsafe(&safe);
    snprintf(version, size, "%u.%u.%u", major, minor, release);
#ifdef H5_HAVE_PARALLEL
    *parallel = 1;
#else
    *parallel = 0;
#endif
    *thread_safe = safe;
}
