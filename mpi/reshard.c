#include "mpi/reshard.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "ckpt/granule.h"
#include "mpi/ckpt_pack.h"
#include "mpi/ckpt_reader.h"
#include "mpi/ckpt_share.h"
#include "nn/bf16.h"

struct work {
    struct rf_ckpt_reader *reader;
    const struct rf_watch *watch;
    struct rf_tensor *tensors; /* owned [ntensors], this rank's rows; no data */
    int *sources;              /* owned [ntensors], which tensor of the file */
    int ntensors;
    float *room; /* owned, one run */
    int64_t done, total;
};

static int is_moment(const char *name)
{
    return (name[0] == 'm' || name[0] == 'v') && name[1] == '/';
}

/* One tensor of the file, cut by whole granules. */
static struct rf_tensor slice_of(const struct rf_manifest_tensor *from,
                                 const struct rf_reshard *how, const struct rf_group *group)
{
    struct rf_slice mine = rf_slice(rf_granule_count(from->shape), group->rank, group->size);
    int64_t rows = rf_granule_rows(from->shape), begin = mine.begin * rows;
    int64_t end = begin + mine.count * rows;
    struct rf_tensor x = {.ndims = from->ndims,
                          .shape = {from->shape[0], from->shape[1]},
                          .stored = from->stored};

    if (end > from->shape[0])
        end = from->shape[0];
    x.offset[0] = begin < end ? begin : 0;
    x.extent[0] = begin < end ? end - begin : 0;
    x.extent[1] = from->shape[1];
    memcpy(x.name, from->name, sizeof x.name);
    if (how->retype)
        x.stored = is_moment(from->name) ? how->moments : RF_STORED_F32;
    return x;
}

/* Local. */
static enum rf_status prepare(struct work *work, const struct rf_reshard *how,
                              const struct rf_group *group, struct rf_error *err)
{
    const struct rf_manifest *m = rf_ckpt_reader_manifest(work->reader);

    work->tensors = calloc((size_t)m->ntensors + 1, sizeof *work->tensors);
    work->sources = calloc((size_t)m->ntensors + 1, sizeof *work->sources);
    work->room = malloc((size_t)rf_ckpt_reader_room(work->reader) * sizeof *work->room);
    if (work->tensors == NULL || work->sources == NULL || work->room == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < m->ntensors; i++) {
        if (how->weights_only && is_moment(m->tensors[i].name))
            continue;
        work->tensors[work->ntensors] = slice_of(&m->tensors[i], how, group);
        work->total +=
            work->tensors[work->ntensors].extent[0] * work->tensors[work->ntensors].extent[1];
        work->sources[work->ntensors++] = i;
    }
    if (work->ntensors == 0)
        return rf_fail(err, RF_ERR_INPUT, "nothing of this checkpoint would be left");
    return RF_OK;
}

/* Local, on the first rank: may a file of this step in dir be replaced by what is to be written? */
static enum rf_status may_replace(const struct work *work, const char *dir,
                                  struct rf_error *err)
{
    const struct rf_manifest *m = rf_ckpt_reader_manifest(work->reader);
    struct rf_manifest_tensor *kept = calloc((size_t)work->ntensors + 1, sizeof *kept);
    int nkept = 0;
    enum rf_status st;

    if (kept == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < work->ntensors; i++)
        if (work->tensors[i].stored == m->tensors[work->sources[i]].stored)
            kept[nkept++] = m->tensors[work->sources[i]];
    st = rf_share_still_serves(dir, m->info.step, kept, nkept, err);
    free(kept);
    return st;
}

/* Rows of a tensor out of the file, band by band, as they are to be stored. */
static enum rf_status fill(void *arg, int tensor, int64_t row, int64_t nrows, void *room,
                           struct rf_error *err)
{
    struct work *work = arg;
    const struct rf_tensor *x = &work->tensors[tensor];
    int64_t rows = rf_granule_rows(x->shape);
    int64_t first = rf_ckpt_reader_first(work->reader, work->sources[tensor]);
    int64_t at = first + row / rows, end = first + (row + nrows + rows - 1) / rows;
    unsigned char *to = room;
    enum rf_status st = RF_OK;

    while (st == RF_OK && at < end) {
        struct rf_band band = rf_ckpt_reader_band(work->reader, at, end);
        size_t n = (size_t)(band.nrows * x->shape[1]);

        st = rf_ckpt_reader_read(work->reader, &band, work->room, err);
        if (st == RF_OK && x->stored == RF_STORED_BF16)
            rf_bf16_round((uint16_t *)(void *)to, work->room, n);
        else if (st == RF_OK)
            memcpy(to, work->room, n * sizeof(float));
        to += n * rf_stored_bytes(x->stored);
        at += band.ngranules;
    }
    work->done += nrows * x->shape[1];
    rf_watch_show(work->watch, work->done, work->total);
    return st;
}

/* Collective, agreed. */
static enum rf_status write_anew(struct work *work, const struct rf_group *group,
                                 const char *dir, int pack, struct rf_ckpt_saved *saved,
                                 struct rf_error *err)
{
    const struct rf_ckpt_source source = {fill, work};
    const struct rf_ckpt_options options = {.source = &source};
    struct rf_ckpt_info info = rf_ckpt_reader_manifest(work->reader)->info;
    struct rf_ckpt_saver *saver = NULL;
    enum rf_status st;

    info.ranks = group->size;
    if (pack)
        return rf_ckpt_pack(group, dir, &info, work->tensors, work->ntensors, &source, saved,
                            err);
    st = rf_ckpt_saver_create(&saver, group, dir, &options, work->tensors, work->ntensors, err);
    if (st == RF_OK)
        st = rf_ckpt_saver_begin(saver, &info, err);
    if (st == RF_OK)
        st = rf_ckpt_saver_poll(saver, 1, saved, err);
    rf_ckpt_saver_destroy(saver);
    return st;
}

enum rf_status rf_ckpt_reshard(const struct rf_group *group, const char *path, const char *dir,
                               const struct rf_reshard *how, const struct rf_watch *watch,
                               struct rf_ckpt_saved *saved, struct rf_error *err)
{
    struct work work = {.watch = watch};
    enum rf_status st = rf_ckpt_reader_open_all(&work.reader, group, path, err);

    if (st == RF_OK)
        st = rf_agree(group, prepare(&work, how, group, err), err);
    if (st == RF_OK)
        st = rf_agree(group, group->rank == 0 ? may_replace(&work, dir, err) : RF_OK, err);
    if (st == RF_OK)
        st = write_anew(&work, group, dir, how->pack, saved, err);
    free(work.room);
    free(work.sources);
    free(work.tensors);
    rf_ckpt_reader_close(work.reader);
    return st;
}
