#include "mpi/ckpt_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ckpt/granule.h"
#include "ckpt/index.h"
#include "ckpt/piece.h"
#include "ckpt/store.h"
#include "ckpt/transfer.h"

static const char format_name[] = "ringfence-checkpoint";
/* HDF5 keeps attributes of up to 64 KiB in one piece. */
enum { CONFIG_TEXT_MAX = 60000 };

/* The fields of struct rf_ckpt_info as root attributes; text of size 0 is an int64_t. */
static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
    {"step", offsetof(struct rf_ckpt_info, step), 0},
    {"tokens", offsetof(struct rf_ckpt_info, tokens), 0},
    {"flops", offsetof(struct rf_ckpt_info, flops), 0},
    {"data_position", offsetof(struct rf_ckpt_info, data_position), 0},
    {"seed", offsetof(struct rf_ckpt_info, seed), 0},
    {"job", offsetof(struct rf_ckpt_info, job), sizeof(((struct rf_ckpt_info *)0)->job)},
    {"account", offsetof(struct rf_ckpt_info, account),
     sizeof(((struct rf_ckpt_info *)0)->account)},
    {"model", offsetof(struct rf_ckpt_info, model), sizeof(((struct rf_ckpt_info *)0)->model)},
    {"tokenizer", offsetof(struct rf_ckpt_info, tokenizer),
     sizeof(((struct rf_ckpt_info *)0)->tokenizer)},
    {"config", offsetof(struct rf_ckpt_info, config),
     sizeof(((struct rf_ckpt_info *)0)->config)},
    {"version", offsetof(struct rf_ckpt_info, version),
     sizeof(((struct rf_ckpt_info *)0)->version)},
    {"ledger_entries", offsetof(struct rf_ckpt_info, ledger_entries), 0},
    {"ledger_head", offsetof(struct rf_ckpt_info, ledger_head),
     sizeof(((struct rf_ckpt_info *)0)->ledger_head)},
};
enum { NFIELDS = sizeof fields / sizeof fields[0] };

void rf_ckpt_object(char object[RF_CKPT_OBJECT], const char *tensor_name)
{
    int moment = (tensor_name[0] == 'm' || tensor_name[0] == 'v') && tensor_name[1] == '/';

    snprintf(object, RF_CKPT_OBJECT, "%s%s", moment ? "/optimizer/" : "/params/", tensor_name);
}

enum rf_h5_type rf_ckpt_kind(enum rf_stored stored)
{
    return stored == RF_STORED_BF16 ? RF_H5_BF16 : RF_H5_F32;
}

static enum rf_status put_info(struct rf_h5 *file, const struct rf_ckpt_info *info,
                               const char *config_text, struct rf_error *err)
{
    enum rf_status st = rf_h5_group(file, "/format", err);

    if (st == RF_OK)
        st = rf_h5_put_text(file, "/format", "name", format_name, err);
    if (st == RF_OK)
        st = rf_h5_put_int(file, "/format", "version", RF_INDEX_VERSION, err);
    for (int i = 0; st == RF_OK && i < NFIELDS; i++) {
        const char *field = (const char *)info + fields[i].offset;
        int64_t value;

        if (fields[i].size > 0) {
            st = rf_h5_put_text(file, "/", fields[i].name, field, err);
        } else {
            memcpy(&value, field, sizeof value);
            st = rf_h5_put_int(file, "/", fields[i].name, value, err);
        }
    }
    if (st == RF_OK)
        st = rf_h5_put_int(file, "/", "ranks", info->ranks, err);
    if (st == RF_OK && config_text != NULL && strlen(config_text) < CONFIG_TEXT_MAX)
        st = rf_h5_put_text(file, "/", "config_text", config_text, err);
    return st;
}

/* The arrays of digests; their rows are filled once the tensors are. */
static enum rf_status make_digest_arrays(struct rf_h5 *file, int ntensors, int64_t ngranules,
                                         struct rf_ckpt_places *places, struct rf_error *err)
{
    const int64_t names[1] = {ntensors}, content[1] = {RF_DIGEST_BYTES};
    const int64_t tensors[2] = {ntensors, RF_DIGEST_BYTES};
    const int64_t granules[2] = {ngranules, RF_DIGEST_BYTES};
    enum rf_status st = rf_h5_group(file, "/digests", err);

    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/names", RF_H5_NAME, 1, names, &places->names, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/tensors", RF_H5_U8, 2, tensors, &places->tensors, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/granules", RF_H5_U8, 2, granules, &places->granules,
                         err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/content", RF_H5_U8, 1, content, &places->content, err);
    return st;
}

/* Where packed granules will lie, and their digests. */
static enum rf_status make_packed_arrays(struct rf_h5 *file, int64_t ngranules,
                                         struct rf_ckpt_places *places, struct rf_error *err)
{
    const int64_t where[2] = {ngranules, 2}, digests[2] = {ngranules, RF_DIGEST_BYTES};
    enum rf_status st = rf_h5_group(file, "/packed", err);

    if (st == RF_OK)
        st = rf_h5_array(file, "/packed/places", RF_H5_I64, 2, where, &places->places, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/packed/digests", RF_H5_U8, 2, digests, &places->packed_digests,
                         err);
    return st;
}

static int64_t base_of(const struct rf_ckpt_layout *layout, int i)
{
    return layout->bases != NULL ? layout->bases[i] : -1;
}

static uint64_t bytes_of(const struct rf_tensor *x)
{
    return (uint64_t)(x->shape[0] * x->shape[1]) * rf_stored_bytes(x->stored);
}

/* A tensor's array, or a link to the one in the file of an earlier step. */
static enum rf_status make_tensor(struct rf_h5 *file, const struct rf_ckpt_layout *layout,
                                  int i, struct rf_extent *extent, struct rf_error *err)
{
    const struct rf_tensor *x = &layout->tensors[i];
    char object[RF_CKPT_OBJECT], path[RF_PATH_BYTES];
    enum rf_status st;

    *extent = (struct rf_extent){0, 0};
    rf_ckpt_object(object, x->name);
    if (base_of(layout, i) >= 0) {
        st = rf_store_path(path, ".", base_of(layout, i), err);
        return st == RF_OK ? rf_h5_elsewhere(file, object, path + 2, err) : st;
    }
    if (layout->packed)
        return rf_h5_packed_array(file, object, rf_ckpt_kind(x->stored), x->ndims, x->shape,
                                  rf_piece_rows(x->shape), err);
    extent->size = bytes_of(x);
    return rf_h5_array(file, object, rf_ckpt_kind(x->stored), x->ndims, x->shape,
                       &extent->offset, err);
}

static enum rf_status make_groups(struct rf_h5 *file, struct rf_error *err)
{
    static const char *const names[] = {"/params", "/optimizer", "/optimizer/m",
                                        "/optimizer/v"};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < 4; i++)
        st = rf_h5_group(file, names[i], err);
    return st;
}

/* In one go. */
static enum rf_status put_names(struct rf_h5 *file, const struct rf_ckpt_layout *layout,
                                struct rf_error *err)
{
    char(*names)[RF_TENSOR_NAME] = calloc((size_t)layout->ntensors + 1, sizeof *names);
    enum rf_status st;

    if (names == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < layout->ntensors; i++)
        memcpy(names[i], layout->tensors[i].name, strlen(layout->tensors[i].name));
    st = rf_h5_write(file, "/digests/names", RF_H5_NAME, 0, layout->ntensors, names, err);
    free(names);
    return st;
}

/* Large arrays come first: they begin on page borders, and small ones between them would leave a gap
 * before each, to be read for the seal by every reader. */
static enum rf_status make_tensors(struct rf_h5 *file, const struct rf_ckpt_layout *layout,
                                   struct rf_extent *extents, struct rf_error *err)
{
    enum rf_status st = make_groups(file, err);

    for (int small = 0; small < 2; small++)
        for (int i = 0; st == RF_OK && i < layout->ntensors; i++)
            if ((bytes_of(&layout->tensors[i]) < RF_H5_ALIGNED_FROM) == small)
                st = make_tensor(file, layout, i, &extents[i], err);
    return st == RF_OK ? put_names(file, layout, err) : st;
}

/* The index, behind where the seal will put the extents. */
static enum rf_status put_index(const char *path, const struct rf_index *index,
                                int64_t nextents, struct rf_error *err)
{
    size_t size = rf_index_bytes(index->ntensors);
    unsigned char *bytes = malloc(size);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written = -1;

    if (bytes != NULL && fd >= 0) {
        rf_index_write(bytes, index);
        written = pwrite(fd, bytes, size, (off_t)rf_envelope_rest(nextents));
    }
    free(bytes);
    if (fd >= 0 && close(fd) != 0)
        written = -1;
    if (bytes == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    return written == (ssize_t)size ? RF_OK
                                    : rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path,
                                              written < 0 ? strerror(errno) : "no room");
}

/* What HDF5 was told, once more for our own readers. */
static enum rf_status make_index(const char *path, const struct rf_ckpt_layout *layout,
                                 int64_t nextents, const struct rf_extent *extents,
                                 const struct rf_ckpt_places *places, struct rf_error *err)
{
    struct rf_index index = {.info = *layout->info,
                             .format_version = RF_INDEX_VERSION,
                             .ntensors = layout->ntensors,
                             .ngranules = layout->ngranules,
                             .names = places->names,
                             .tensor_digests = places->tensors,
                             .granule_digests = places->granules,
                             .content = places->content,
                             .places = places->places,
                             .packed_digests = places->packed_digests};
    enum rf_status st;

    index.tensors = calloc((size_t)layout->ntensors + 1, sizeof *index.tensors);
    if (index.tensors == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < layout->ntensors; i++) {
        const struct rf_tensor *x = &layout->tensors[i];

        index.tensors[i] =
            (struct rf_index_tensor){.ndims = x->ndims,
                                     .stored = x->stored,
                                     .shape = {x->shape[0], x->shape[1]},
                                     .offset = extents[i].offset,
                                     .base = base_of(layout, i),
                                     .packed = layout->packed && base_of(layout, i) < 0};
    }
    st = put_index(path, &index, nextents, err);
    rf_index_clear(&index);
    return st;
}

/* One for each tensor that is here, or for each of its granules when they are packed. */
static int64_t count_extents(const struct rf_ckpt_layout *layout)
{
    int64_t n = 0;

    for (int i = 0; i < layout->ntensors; i++)
        if (base_of(layout, i) < 0)
            n += layout->packed ? rf_granule_count(layout->tensors[i].shape) : 1;
    return n;
}

/* What HDF5 needs to describe the tensors, about: it lies in one piece then. */
static size_t structure_bytes(const struct rf_ckpt_layout *layout)
{
    enum { OBJECTS = 4096, TENSOR = 400 };
    size_t text = layout->config_text != NULL ? strlen(layout->config_text) : 0;

    return OBJECTS + text + (size_t)layout->ntensors * TENSOR;
}

enum rf_status rf_ckpt_lay_out(const char *path, const struct rf_ckpt_layout *layout,
                               struct rf_extent *extents, struct rf_ckpt_places *places,
                               struct rf_error *err)
{
    int64_t nextents = count_extents(layout);
    struct rf_h5 *file = NULL;
    struct rf_error other;
    enum rf_status st, closed;

    *places = (struct rf_ckpt_places){
        .block_bytes = rf_envelope_bytes(nextents, rf_index_bytes(layout->ntensors))};
    st = rf_h5_create(&file, path, (size_t)places->block_bytes, structure_bytes(layout), err);
    if (st == RF_OK)
        st = put_info(file, layout->info, layout->config_text, err);
    if (st == RF_OK)
        st = make_digest_arrays(file, layout->ntensors, layout->ngranules, places, err);
    if (st == RF_OK && layout->packed)
        st = make_packed_arrays(file, layout->ngranules, places, err);
    if (st == RF_OK)
        st = make_tensors(file, layout, extents, err);
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    st = st == RF_OK ? closed : st;
    if (st == RF_OK)
        st = make_index(path, layout, nextents, extents, places, err);
    return st;
}

/* Is there room for the values, and may a file be that long? HDF5 1.10 does not survive a file whose
 * structure cannot be written, so a full disk has to be noticed before. */
static enum rf_status make_room(const char *dir, const char *path,
                                const struct rf_ckpt_layout *layout, struct rf_error *err)
{
    uint64_t bytes = 1 << 20;
    struct statvfs disk;
    int fd, failed = 0;

    for (int i = 0; i < layout->ntensors; i++)
        if (base_of(layout, i) < 0)
            bytes += bytes_of(&layout->tensors[i]) + 8192;
    if (statvfs(dir, &disk) == 0 && disk.f_bavail < bytes / disk.f_frsize)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': it needs %llu MB, %llu are free",
                       path, (unsigned long long)(bytes >> 20),
                       (unsigned long long)(disk.f_bavail * disk.f_frsize >> 20));
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create '%s': %s", path, strerror(errno));
    if (ftruncate(fd, (off_t)bytes) != 0)
        failed = errno;
    close(fd);
    if (failed != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(failed));
    return RF_OK;
}

enum rf_status rf_ckpt_make_file(const char *dir, const char *path,
                                 const struct rf_ckpt_layout *layout, struct rf_extent *extents,
                                 struct rf_ckpt_places *places, struct rf_error *err)
{
    enum rf_status st = rf_file_mkdir(dir, err);

    if (st == RF_OK)
        st = make_room(dir, path, layout, err);
    if (st == RF_OK)
        st = rf_ckpt_lay_out(path, layout, extents, places, err);
    if (st == RF_OK)
        st = rf_transfer_reserve(path, err);
    return st;
}
