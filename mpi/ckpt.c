/* Saving: rank 0 makes the file with all its structure, alone, because a collective HDF5 call
 * that fails on one rank keeps the others waiting. Then all ranks open it and each writes whole
 * rows to places that are fixed, independently; what fails there fails locally and is agreed
 * on at the end. Digests are taken from memory on the way, so what a disk changed is found
 * later. Loading is the same backwards, into memory of its own: the caller's tensors change
 * only when every rank's digests were right. */
#include "mpi/ckpt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/store.h"
#include "mpi/ckpt_table.h"
#include "mpi/h5.h"
#include "mpi/parcel.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digests are over little-endian values; a big-endian machine needs a swap before hashing"
#endif

/* What a save works with on one rank. */
struct save {
    const struct rf_group *group;
    const struct rf_tensor *tensors;
    int ntensors;
    char temp[RF_PATH_BYTES];
    struct rf_parcels *parcels;
    float **blocks;                     /* [ntensors], the tensors' data */
    struct rf_digest *granules;         /* of all; this rank's before they are joined */
    struct rf_extent *extents;          /* [ntensors]; filled on rank 0 */
    struct rf_manifest_tensor *entries; /* [ntensors] */
    struct rf_digest content;
};

static enum rf_status allocate(struct save *save, struct rf_error *err)
{
    size_t n = (size_t)save->ntensors;

    save->granules = calloc((size_t)rf_parcels_count(save->parcels), sizeof *save->granules);
    save->blocks = calloc(n, sizeof *save->blocks);
    save->extents = calloc(n, sizeof *save->extents);
    save->entries = calloc(n, sizeof *save->entries);
    if (save->granules == NULL || save->blocks == NULL || save->extents == NULL ||
        save->entries == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < save->ntensors; i++) {
        const struct rf_tensor *tensor = &save->tensors[i];
        struct rf_manifest_tensor *entry = &save->entries[i];

        save->blocks[i] = tensor->data;
        memcpy(entry->name, tensor->name, sizeof entry->name);
        entry->ndims = tensor->ndims;
        memcpy(entry->shape, tensor->shape, sizeof entry->shape);
    }
    return RF_OK;
}

static void release(struct save *save)
{
    free(save->entries);
    free(save->extents);
    free(save->blocks);
    free(save->granules);
    rf_parcels_destroy(save->parcels);
}

/* Collective: every round is gone through by all, also by a rank whose disk has failed. */
static enum rf_status write_granules(struct save *save, struct rf_h5 *file,
                                     struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int64_t round = 0; round < rf_parcels_rounds(save->parcels); round++) {
        const float *rows = rf_parcels_gather(save->parcels, round, save->blocks);
        struct rf_granule granule;
        char object[RF_CKPT_OBJECT];
        const struct rf_tensor *tensor;

        if (st != RF_OK || !rf_parcels_mine(save->parcels, round, &granule))
            continue;
        tensor = &save->tensors[granule.tensor];
        rf_ckpt_object(object, tensor->name);
        save->granules[granule.index] =
            rf_digest_of(rows, (size_t)(granule.nrows * tensor->shape[1]) * sizeof(float));
        st = rf_h5_write(file, object, RF_H5_F32, granule.row, granule.nrows, rows, err);
    }
    return st;
}

/* Collective: every rank gets all granules' digests and computes the rest from them. */
static enum rf_status join_digests(struct save *save, struct rf_error *err)
{
    int64_t n = rf_parcels_count(save->parcels);

    for (int64_t done = 0; done < n; done += 1 << 20) {
        int64_t some = n - done < 1 << 20 ? n - done : 1 << 20;

        MPI_Allreduce(MPI_IN_PLACE, save->granules + done, (int)(some * RF_DIGEST_BYTES),
                      MPI_BYTE, MPI_BOR, save->group->comm);
    }
    for (int i = 0; i < save->ntensors; i++)
        save->entries[i].digest =
            rf_granule_join(save->granules + rf_parcels_first(save->parcels, i),
                            rf_granule_count(save->tensors[i].shape));
    return rf_manifest_content(save->entries, save->ntensors, &save->content, err);
}

/* Collective, agreed: the values and digests into the file that rank 0 laid out. */
static enum rf_status fill(struct save *save, struct rf_error *err)
{
    struct rf_h5 *file;
    struct rf_error other;
    enum rf_status st = rf_h5_open_shared(&file, save->group, save->temp, err), joined, closed;

    if (st != RF_OK)
        return st;
    st = write_granules(save, file, err);
    joined = join_digests(save, st == RF_OK ? err : &other);
    st = st == RF_OK ? joined : st;
    if (st == RF_OK && save->group->rank == 0)
        st = rf_ckpt_put_digests(file, save->granules, rf_parcels_count(save->parcels),
                                 save->entries, save->ntensors, &save->content, err);
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    return rf_agree(save->group, st == RF_OK ? closed : st, err);
}

/* Local, on every rank: each may have written from another node. */
static enum rf_status sync_file(const char *path, struct rf_error *err)
{
    enum rf_status st = rf_h5_fault_at("sync", path, err);
    int fd;

    if (st != RF_OK)
        return st;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fsync(fd) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (close(fd) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return st;
}

/* Local, rank 0: seal, rename, tidy up. Files that cannot be removed do not undo the save. */
static enum rf_status publish(struct save *save, const char *dir, const char *path,
                              int64_t step, int keep, struct rf_error *err)
{
    struct rf_error tidy;
    enum rf_status st = rf_h5_fault_at("seal", save->temp, err);

    if (st == RF_OK)
        st = rf_envelope_seal(save->temp, save->extents, save->ntensors, err);
    if (st == RF_OK)
        st = rf_h5_fault_at("rename", save->temp, err);
    if (st == RF_OK && rename(save->temp, path) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot rename to '%s': %s", path, strerror(errno));
    if (st == RF_OK)
        st = rf_file_sync_dir(dir, err);
    if (st == RF_OK && rf_store_prune(dir, keep, step, &tidy) != RF_OK)
        rf_warn("%s", tidy.text);
    return st;
}

/* Local, rank 0: is there room for the values, and may a file be that long? HDF5 1.10 does not
 * survive a file whose structure cannot be written, so a full disk has to be noticed before. */
static enum rf_status make_room(const struct save *save, const char *dir, struct rf_error *err)
{
    uint64_t bytes = 1 << 20;
    struct statvfs disk;
    int fd, failed = 0;

    for (int i = 0; i < save->ntensors; i++)
        bytes += (uint64_t)(save->tensors[i].shape[0] * save->tensors[i].shape[1]) * 4 + 8192;
    if (statvfs(dir, &disk) == 0 && disk.f_bavail < bytes / disk.f_frsize)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': it needs %llu MB, %llu are free",
                       save->temp, (unsigned long long)(bytes >> 20),
                       (unsigned long long)(disk.f_bavail * disk.f_frsize >> 20));
    fd = open(save->temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create '%s': %s", save->temp, strerror(errno));
    if (ftruncate(fd, (off_t)bytes) != 0)
        failed = errno;
    close(fd);
    if (failed != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", save->temp, strerror(failed));
    return RF_OK;
}

static enum rf_status lay_out(struct save *save, const char *dir,
                              const struct rf_ckpt_info *info, struct rf_error *err)
{
    enum rf_status st = rf_file_mkdir(dir, err);

    if (st == RF_OK)
        st = make_room(save, dir, err);
    if (st == RF_OK)
        st = rf_ckpt_lay_out(save->temp, info, save->tensors, save->ntensors,
                             rf_parcels_count(save->parcels), save->extents, err);
    return st;
}

enum rf_status rf_ckpt_save(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, int keep, char path[RF_PATH_BYTES],
                            struct rf_digest *content, struct rf_error *err)
{
    struct save save = {.group = group, .tensors = tensors, .ntensors = ntensors};
    char name[RF_PATH_BYTES];
    enum rf_status st = rf_store_path(name, dir, info->step, err);

    if (st == RF_OK)
        st = rf_store_temp_path(save.temp, dir, info->step, err);
    if (st == RF_OK) /* the same on every rank so far: paths and arguments only */
        st = rf_parcels_create(&save.parcels, group, tensors, ntensors, err);
    if (st != RF_OK)
        return st;
    st = allocate(&save, err);
    if (st == RF_OK && group->rank == 0)
        st = lay_out(&save, dir, info, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = fill(&save, err);
    if (st == RF_OK)
        st = rf_agree(group, sync_file(save.temp, err), err);
    if (st == RF_OK) {
        if (group->rank == 0)
            st = publish(&save, dir, name, info->step, keep, err);
        st = rf_agree(group, st, err);
    }
    if (st == RF_OK) {
        memcpy(path, name, sizeof name);
        *content = save.content;
    } else if (group->rank == 0) {
        unlink(save.temp);
    }
    release(&save);
    return st;
}

/* Collective: rank 0's contents to all. */
static enum rf_status share_contents(const struct rf_group *group,
                                     struct rf_ckpt_contents *contents, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    int64_t counts[2] = {m != NULL ? m->ntensors : 0, contents->ngranules};
    struct rf_manifest_tensor *tensors;
    enum rf_status st = RF_OK;

    MPI_Bcast(counts, 2, MPI_INT64_T, 0, group->comm);
    if (group->rank != 0) {
        m = contents->manifest = calloc(1, sizeof *m);
        contents->granules = malloc((size_t)counts[1] * sizeof *contents->granules);
        contents->ngranules = counts[1];
        if (m != NULL)
            m->tensors = malloc((size_t)counts[0] * sizeof *m->tensors);
        if (m == NULL || m->tensors == NULL || contents->granules == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    }
    st = rf_agree(group, st, err);
    if (st != RF_OK)
        return st;
    tensors = m->tensors;
    rf_group_bcast(group, m, sizeof *m, 0);
    m->tensors = tensors;
    rf_group_bcast(group, tensors, (size_t)counts[0] * sizeof *tensors, 0);
    rf_group_bcast(group, contents->granules, (size_t)counts[1] * sizeof *contents->granules,
                   0);
    return RF_OK;
}

static void shape_text(char text[48], int ndims, const int64_t shape[2])
{
    if (ndims == 1)
        snprintf(text, 48, "%lld", (long long)shape[0]);
    else
        snprintf(text, 48, "%lldx%lld", (long long)shape[0], (long long)shape[1]);
}

/* Finds a tensor in the file; *first becomes the index of its first granule. */
static enum rf_status match(const struct rf_ckpt_contents *contents, const char *path,
                            const struct rf_tensor *tensor, int64_t *first,
                            struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    char here[48], there[48];

    shape_text(here, tensor->ndims, tensor->shape);
    *first = 0;
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *entry = &m->tensors[i];

        if (strcmp(entry->name, tensor->name) != 0) {
            *first += rf_granule_count(entry->shape);
            continue;
        }
        if (entry->ndims == tensor->ndims && entry->shape[0] == tensor->shape[0] &&
            entry->shape[1] == tensor->shape[1])
            return RF_OK;
        shape_text(there, entry->ndims, entry->shape);
        return rf_fail(err, RF_ERR_INPUT,
                       "checkpoint from another model: '%s' is %s in '%s', should be %s",
                       tensor->name, there, path, here);
    }
    return rf_fail(err, RF_ERR_INPUT,
                   "checkpoint from another model: '%s' has no tensor '%s' (%s)", path,
                   tensor->name, here);
}

/* What a load works with on one rank. */
struct load {
    const struct rf_group *group;
    const char *path;
    const struct rf_tensor *tensors;
    int ntensors;
    struct rf_ckpt_contents contents;
    struct rf_parcels *parcels;
    int64_t *first; /* [ntensors], where the file's granules of a tensor begin */
    float *staging; /* this rank's blocks, one after the other */
    float **blocks; /* [ntensors], into staging */
};

static enum rf_status prepare(struct load *load, struct rf_error *err)
{
    int64_t floats = 1, at = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; i < load->ntensors; i++)
        floats += load->tensors[i].extent[0] * load->tensors[i].extent[1];
    load->first = calloc((size_t)load->ntensors + 1, sizeof *load->first);
    load->blocks = calloc((size_t)load->ntensors + 1, sizeof *load->blocks);
    load->staging = malloc((size_t)floats * sizeof(float));
    if (load->first == NULL || load->blocks == NULL || load->staging == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; st == RF_OK && i < load->ntensors; i++) {
        load->blocks[i] = load->staging + at;
        at += load->tensors[i].extent[0] * load->tensors[i].extent[1];
        st = match(&load->contents, load->path, &load->tensors[i], &load->first[i], err);
    }
    return st;
}

/* Local: one granule from the file, into room, checked. */
static enum rf_status read_granule(const struct load *load, struct rf_h5 *file,
                                   const struct rf_granule *granule, float *room,
                                   struct rf_error *err)
{
    const struct rf_tensor *tensor = &load->tensors[granule->tensor];
    int64_t index = load->first[granule->tensor] + granule->index -
                    rf_parcels_first(load->parcels, granule->tensor);
    char object[RF_CKPT_OBJECT];
    struct rf_digest digest;
    enum rf_status st;

    rf_ckpt_object(object, tensor->name);
    st = rf_h5_read(file, object, RF_H5_F32, granule->row, granule->nrows, room, err);
    if (st != RF_OK)
        return st;
    digest = rf_digest_of(room, (size_t)(granule->nrows * tensor->shape[1]) * sizeof(float));
    if (!rf_digest_equal(&digest, &load->contents.granules[index]))
        return rf_fail(err, RF_ERR_INPUT, "'%s' is damaged: tensor '%s', rows %lld to %lld",
                       load->path, tensor->name, (long long)granule->row,
                       (long long)(granule->row + granule->nrows - 1));
    return RF_OK;
}

/* Collective, agreed: all values into staging. */
static enum rf_status read_values(struct load *load, struct rf_error *err)
{
    struct rf_h5 *file = NULL;
    enum rf_status st = rf_h5_open(&file, load->path, err);

    for (int64_t round = 0; round < rf_parcels_rounds(load->parcels); round++) {
        struct rf_granule granule;

        if (st == RF_OK && rf_parcels_mine(load->parcels, round, &granule))
            st = read_granule(load, file, &granule, rf_parcels_room(load->parcels), err);
        rf_parcels_scatter(load->parcels, round, load->blocks);
    }
    rf_h5_close(file, NULL);
    return rf_agree(load->group, st, err);
}

static void take_over(const struct load *load)
{
    for (int i = 0; i < load->ntensors; i++) {
        const struct rf_tensor *tensor = &load->tensors[i];
        int64_t n = tensor->extent[0] * tensor->extent[1];

        if (n > 0)
            memcpy(tensor->data, load->blocks[i], (size_t)n * sizeof(float));
    }
}

enum rf_status rf_ckpt_load(const struct rf_group *group, const char *path,
                            struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, struct rf_error *err)
{
    struct load load = {.group = group, .path = path, .tensors = tensors, .ntensors = ntensors};
    enum rf_status st = RF_OK;

    if (group->rank == 0)
        st = rf_ckpt_contents_read(&load.contents, path, err);
    if (st == RF_NO) /* damaged: no answer here, but an input that cannot be used */
        st = err->status = RF_ERR_INPUT;
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = share_contents(group, &load.contents, err);
    if (st == RF_OK)
        st = rf_agree(group, prepare(&load, err), err);
    if (st == RF_OK)
        st = rf_parcels_create(&load.parcels, group, tensors, ntensors, err);
    if (st == RF_OK)
        st = read_values(&load, err);
    if (st == RF_OK) {
        take_over(&load);
        *info = load.contents.manifest->info;
    }
    rf_parcels_destroy(load.parcels);
    free(load.staging);
    free(load.blocks);
    free(load.first);
    rf_ckpt_contents_clear(&load.contents);
    return st;
}

enum rf_status rf_ckpt_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                              int *found, struct rf_error *err)
{
    return rf_store_newest(dir, path, step, found, err);
}

/* Every value of one tensor against its granules' digests; room holds one granule. */
static enum rf_status verify_tensor(struct rf_h5 *file, const char *path,
                                    const struct rf_manifest_tensor *tensor,
                                    const struct rf_digest *granules, float *room,
                                    struct rf_error *err)
{
    int64_t rows = rf_granule_rows(tensor->shape), row = 0;
    char object[RF_CKPT_OBJECT];
    enum rf_status st = RF_OK;

    rf_ckpt_object(object, tensor->name);
    for (int64_t g = 0; st == RF_OK && row < tensor->shape[0]; g++, row += rows) {
        int64_t n = tensor->shape[0] - row < rows ? tensor->shape[0] - row : rows;
        struct rf_digest digest;

        st = rf_h5_read(file, object, RF_H5_F32, row, n, room, err);
        if (st != RF_OK)
            break;
        digest = rf_digest_of(room, (size_t)(n * tensor->shape[1]) * sizeof(float));
        if (!rf_digest_equal(&digest, &granules[g]))
            st = rf_fail(err, RF_NO, "'%s' is damaged: tensor '%s', rows %lld to %lld", path,
                         tensor->name, (long long)row, (long long)(row + n - 1));
    }
    return st;
}

static enum rf_status verify_values(const struct rf_ckpt_contents *contents, const char *path,
                                    struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    struct rf_h5 *file = NULL;
    int64_t floats = 1, first = 0;
    float *room;
    enum rf_status st;

    for (int i = 0; i < m->ntensors; i++) {
        int64_t n = rf_granule_rows(m->tensors[i].shape) * m->tensors[i].shape[1];

        floats = n > floats ? n : floats;
    }
    room = malloc((size_t)floats * sizeof *room);
    if (room == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    st = rf_h5_open(&file, path, err);
    for (int i = 0; st == RF_OK && i < m->ntensors; i++) {
        st = verify_tensor(file, path, &m->tensors[i], contents->granules + first, room, err);
        first += rf_granule_count(m->tensors[i].shape);
    }
    rf_h5_close(file, NULL);
    free(room);
    return st;
}

enum rf_status rf_ckpt_inspect(const char *path, int verify, struct rf_manifest **manifest,
                               struct rf_error *err)
{
    struct rf_ckpt_contents contents;
    enum rf_status st = rf_ckpt_contents_read(&contents, path, err);

    *manifest = NULL;
    if (st != RF_OK)
        return st;
    if (verify)
        st = verify_values(&contents, path, err);
    if (st == RF_OK) {
        *manifest = contents.manifest;
        contents.manifest = NULL;
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}
