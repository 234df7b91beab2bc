/* Granules are dealt in turn: in each round every rank reads and packs one, and the first rank
 * takes them in order and gives them to HDF5 as finished chunks. HDF5 decides where they go; it is
 * asked when all are there, for the table that readers of ours go by. */
#include "mpi/ckpt_pack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/granule.h"
#include "ckpt/piece.h"
#include "mpi/ckpt_publish.h"
#include "mpi/ckpt_table.h"
#include "mpi/h5.h"

/* What a rank says about the granule that it has packed. */
struct parcel {
    int64_t size; /* 0: none, or it has failed */
    struct rf_digest values, packed;
};

struct pack {
    const struct rf_group *group;
    const struct rf_tensor *tensors;
    int ntensors;
    const struct rf_ckpt_source *source;
    char path[RF_PATH_BYTES], temp[RF_PATH_BYTES];
    const char *dir;
    int64_t *first; /* [ntensors + 1] the first granule of each */
    void *values;   /* the largest granule */
    unsigned char *mail;
    size_t mail_bytes;
    struct parcel *parcels; /* [group->size] of a round */
    struct rf_piece_room room;
    /* On the first rank: */
    struct rf_h5 *file;
    struct rf_ckpt_places places;
    struct rf_digest *granules;         /* [count] */
    struct rf_piece *pieces;            /* [count] */
    struct rf_extent *extents;          /* [count], and [ntensors] for the layout */
    struct rf_manifest_tensor *entries; /* [ntensors] */
    struct rf_digest content;
};

static int64_t count_of(const struct pack *pack)
{
    return pack->first[pack->ntensors];
}

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
}

/* Local. */
static enum rf_status allocate(struct pack *pack, struct rf_error *err)
{
    size_t n = (size_t)pack->ntensors + 1, largest = 1, count;

    pack->first = calloc(n, sizeof *pack->first);
    pack->parcels = calloc((size_t)pack->group->size, sizeof *pack->parcels);
    if (pack->first == NULL || pack->parcels == NULL)
        return no_memory(err);
    for (int i = 0; i < pack->ntensors; i++) {
        const struct rf_tensor *x = &pack->tensors[i];
        size_t bytes = rf_piece_bytes(x->shape, x->stored);

        pack->first[i + 1] = pack->first[i] + rf_granule_count(x->shape);
        largest = bytes > largest ? bytes : largest;
    }
    if (largest > INT32_MAX / 2)
        return rf_fail(err, RF_ERR_INPUT, "a tensor has rows too long to be packed");
    count = (size_t)count_of(pack);
    pack->mail_bytes = largest + largest / 8 + 4096; /* more than zlib's bound */
    pack->values = malloc(largest);
    if (pack->values == NULL)
        return no_memory(err);
    if (pack->group->rank != 0)
        return RF_OK;
    pack->mail = malloc(pack->mail_bytes);
    pack->granules = calloc(count, sizeof *pack->granules);
    pack->pieces = calloc(count, sizeof *pack->pieces);
    pack->extents = calloc(count + n, sizeof *pack->extents);
    pack->entries = calloc(n, sizeof *pack->entries);
    if (pack->mail == NULL || pack->granules == NULL || pack->pieces == NULL ||
        pack->extents == NULL || pack->entries == NULL)
        return no_memory(err);
    return RF_OK;
}

/* Which tensor a granule is of. */
static int tensor_of(const struct pack *pack, int64_t granule)
{
    int low = 0, high = pack->ntensors - 1;

    while (low < high) {
        int middle = (low + high + 1) / 2;

        if (pack->first[middle] <= granule)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int64_t row_of(const struct pack *pack, int tensor, int64_t granule)
{
    return (granule - pack->first[tensor]) * rf_granule_rows(pack->tensors[tensor].shape);
}

/* Local: reads and packs a granule; the packed bytes are in room.packed. */
static enum rf_status pack_one(struct pack *pack, int64_t granule, struct parcel *parcel,
                               struct rf_error *err)
{
    int tensor = tensor_of(pack, granule);
    const struct rf_tensor *x = &pack->tensors[tensor];
    int64_t row = row_of(pack, tensor, granule), nrows = rf_granule_rows(x->shape);
    size_t nvalues, size = 0;
    enum rf_status st;

    if (nrows > x->shape[0] - row)
        nrows = x->shape[0] - row;
    nvalues = (size_t)(nrows * x->shape[1]);
    st = pack->source->fill(pack->source->arg, tensor, row, nrows, pack->values, err);
    if (st == RF_OK)
        st = rf_piece_pack(&pack->room, pack->values, nvalues, x->stored,
                           rf_piece_bytes(x->shape, x->stored), &size, err);
    if (st == RF_OK) {
        parcel->values = rf_digest_of(pack->values, nvalues * rf_stored_bytes(x->stored));
        parcel->packed = rf_digest_of(pack->room.packed, size);
        parcel->size = (int64_t)size;
    }
    return st;
}

/* Local, on the first rank: a packed granule into the file. */
static enum rf_status put_one(struct pack *pack, int64_t granule, const struct parcel *parcel,
                              const void *bytes, struct rf_error *err)
{
    int tensor = tensor_of(pack, granule);
    char object[RF_CKPT_OBJECT];

    pack->granules[granule] = parcel->values;
    pack->pieces[granule] =
        (struct rf_piece){.size = (uint64_t)parcel->size, .digest = parcel->packed};
    rf_ckpt_object(object, pack->tensors[tensor].name);
    return rf_h5_write_packed(pack->file, object, row_of(pack, tensor, granule), bytes,
                              (size_t)parcel->size, err);
}

/* Collective: what the ranks have packed, in order, to the first rank and into the file. */
static enum rf_status collect(struct pack *pack, int64_t begin, enum rf_status st,
                              struct rf_error *err)
{
    MPI_Comm comm = pack->group->comm;
    const struct parcel *own = &pack->parcels[pack->group->rank];

    if (pack->group->rank != 0 && own->size > 0)
        MPI_Send(pack->room.packed, (int)own->size, MPI_BYTE, 0, 1, comm);
    for (int r = 0; pack->group->rank == 0 && r < pack->group->size; r++) {
        const struct parcel *parcel = &pack->parcels[r];

        if (parcel->size == 0)
            continue;
        if (r > 0)
            MPI_Recv(pack->mail, (int)parcel->size, MPI_BYTE, r, 1, comm, MPI_STATUS_IGNORE);
        if (st == RF_OK)
            st = put_one(pack, begin + r, parcel, r > 0 ? pack->mail : pack->room.packed, err);
    }
    return st;
}

/* Collective, agreed. */
static enum rf_status pack_all(struct pack *pack, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int size = pack->group->size;

    for (int64_t begin = 0; st == RF_OK && begin < count_of(pack); begin += size) {
        int64_t mine = begin + pack->group->rank;
        struct parcel own = {0};

        if (mine < count_of(pack))
            st = pack_one(pack, mine, &own, err);
        MPI_Allgather(&own, (int)sizeof own, MPI_BYTE, pack->parcels, (int)sizeof own, MPI_BYTE,
                      pack->group->comm);
        st = collect(pack, begin, st, err);
        st = rf_agree(pack->group, st, err);
    }
    return st;
}

/* ---- the file: the first rank ---------------------------------------------------------- */

static enum rf_status open_file(struct pack *pack, const struct rf_ckpt_info *info,
                                struct rf_error *err)
{
    const struct rf_ckpt_layout layout = {.info = info,
                                          .tensors = pack->tensors,
                                          .ntensors = pack->ntensors,
                                          .ngranules = count_of(pack),
                                          .packed = 1};
    enum rf_status st = rf_file_mkdir(pack->dir, err);

    if (st == RF_OK)
        st = rf_ckpt_lay_out(pack->temp, &layout, pack->extents, &pack->places, err);
    if (st == RF_OK)
        st = rf_h5_open_alone(&pack->file, pack->temp, err);
    return st;
}

static enum rf_status ask_places(struct pack *pack, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int64_t g = 0; st == RF_OK && g < count_of(pack); g++) {
        int tensor = tensor_of(pack, g);
        char object[RF_CKPT_OBJECT];

        rf_ckpt_object(object, pack->tensors[tensor].name);
        st = rf_h5_packed_offset(pack->file, object, row_of(pack, tensor, g),
                                 &pack->pieces[g].offset, err);
    }
    return st;
}

static int lies_there(int fd, const struct rf_piece *piece, uint64_t offset, void *room)
{
    struct rf_digest digest;

    if (pread(fd, room, (size_t)piece->size, (off_t)offset) != (ssize_t)piece->size)
        return 0;
    digest = rf_digest_of(room, (size_t)piece->size);
    return rf_digest_equal(&digest, &piece->digest);
}

/* Some versions of HDF5 count from the end of the user block: the bytes themselves tell. */
static enum rf_status settle_places(struct pack *pack, struct rf_error *err)
{
    int fd = open(pack->temp, O_RDONLY | O_CLOEXEC);
    enum rf_status st = RF_OK;

    for (int64_t g = 0; st == RF_OK && g < count_of(pack); g++) {
        struct rf_piece *piece = &pack->pieces[g];

        if (!lies_there(fd, piece, piece->offset, pack->mail))
            piece->offset += pack->places.block_bytes;
        else
            continue;
        if (!lies_there(fd, piece, piece->offset, pack->mail))
            st = rf_fail(err, RF_ERR_IO, "cannot read '%s' as it was written", pack->temp);
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static enum rf_status join_digests(struct pack *pack, struct rf_error *err)
{
    for (int i = 0; i < pack->ntensors; i++) {
        const struct rf_tensor *x = &pack->tensors[i];
        struct rf_manifest_tensor *entry = &pack->entries[i];

        memcpy(entry->name, x->name, sizeof entry->name);
        entry->ndims = x->ndims;
        entry->stored = x->stored;
        memcpy(entry->shape, x->shape, sizeof entry->shape);
        entry->digest = rf_granule_join(pack->granules + pack->first[i],
                                        pack->first[i + 1] - pack->first[i]);
    }
    return rf_manifest_content(pack->entries, pack->ntensors, &pack->content, err);
}

/* Everything behind the values. */
static enum rf_status finish_file(struct pack *pack, struct rf_error *err)
{
    const struct rf_ckpt_digests digests = {pack->granules, count_of(pack), pack->entries,
                                            pack->ntensors, &pack->content, pack->pieces};
    enum rf_status st = ask_places(pack, err), closed;
    struct rf_error other;

    closed = rf_h5_close(pack->file, st == RF_OK ? err : &other);
    pack->file = NULL;
    st = st == RF_OK ? closed : st;
    if (st == RF_OK)
        st = settle_places(pack, err);
    if (st == RF_OK)
        st = join_digests(pack, err);
    if (st == RF_OK)
        st = rf_ckpt_put_digests(pack->temp, &pack->places, &digests, err);
    for (int64_t g = 0; g < count_of(pack); g++)
        pack->extents[g] = (struct rf_extent){pack->pieces[g].offset, pack->pieces[g].size};
    if (st == RF_OK)
        st = rf_ckpt_publish(pack->temp, pack->path, pack->dir, pack->places.block_bytes,
                             pack->extents, count_of(pack), NULL, 0, err);
    return st;
}

/* "latest" leads to the newest, which this need not be. */
static enum rf_status point_latest(const struct pack *pack, int64_t step, struct rf_error *err)
{
    char newest[RF_PATH_BYTES];
    int64_t newest_step = -1;
    int found;
    enum rf_status st = rf_store_newest(pack->dir, newest, &newest_step, &found, err);

    if (st == RF_OK && newest_step == step)
        st = rf_store_set_latest(pack->dir, step, err);
    return st;
}

static void clear(struct pack *pack)
{
    struct rf_error err;

    rf_h5_close(pack->file, &err);
    rf_piece_room_clear(&pack->room);
    free(pack->first);
    free(pack->values);
    free(pack->mail);
    free(pack->parcels);
    free(pack->granules);
    free(pack->pieces);
    free(pack->extents);
    free(pack->entries);
}

enum rf_status rf_ckpt_pack(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, const struct rf_ckpt_source *source,
                            struct rf_ckpt_saved *saved, struct rf_error *err)
{
    struct pack pack = {
        .group = group, .tensors = tensors, .ntensors = ntensors, .source = source, .dir = dir};
    enum rf_status st = rf_store_path(pack.path, dir, info->step, err);

    if (st == RF_OK)
        st = rf_store_temp_path(pack.temp, dir, info->step, err);
    if (st == RF_OK)
        st = allocate(&pack, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = rf_agree(group, group->rank == 0 ? open_file(&pack, info, err) : RF_OK, err);
    if (st == RF_OK)
        st = pack_all(&pack, err);
    if (st == RF_OK)
        st = rf_agree(group, group->rank == 0 ? finish_file(&pack, err) : RF_OK, err);
    if (st == RF_OK)
        st = rf_agree(group, group->rank == 0 ? point_latest(&pack, info->step, err) : RF_OK,
                      err);
    rf_group_bcast(group, &pack.content, sizeof pack.content, 0);
    if (st == RF_OK) {
        *saved =
            (struct rf_ckpt_saved){.committed = 1, .step = info->step, .content = pack.content};
        memcpy(saved->path, pack.path, sizeof saved->path);
    }
    clear(&pack);
    if (st != RF_OK && group->rank == 0)
        unlink(pack.temp);
    return st;
}
