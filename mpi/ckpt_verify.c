#include "mpi/ckpt_verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "ckpt/granule.h"
#include "ckpt/pump.h"
#include "mpi/ckpt_reader.h"
#include "mpi/h5.h"

enum { BAND_GRANULES = 8, STRETCHES = 64 };

/* One rank's share, in stretches of the same file: bands that are read ahead and compared in
 * order. */
struct share {
    struct rf_ckpt_reader *reader;
    struct rf_pump *pump;
    float *plain;            /* room for a packed band; NULL: there is none */
    struct rf_digest *found; /* [last - begin] */
    int neighbours;          /* ranks that read on this node */
    int64_t begin, last;     /* all of it, by granule */
    int64_t end;             /* of the stretch */
    int64_t asked, taken;
};

static struct rf_band next_band(const struct share *share, int64_t at)
{
    return rf_ckpt_reader_band(
        share->reader, at, share->end < at + BAND_GRANULES ? share->end : at + BAND_GRANULES);
}

static struct rf_stretch stretch_of(const struct share *share, const struct rf_band *band)
{
    struct rf_stretch stretch = rf_ckpt_reader_stretch(share->reader, band);

    stretch.digests = &share->found[band->first - share->begin];
    return stretch;
}

static void ask_ahead(struct share *share)
{
    while (share->asked < share->end) {
        struct rf_band band = next_band(share, share->asked);
        struct rf_stretch stretch = stretch_of(share, &band);

        if (!rf_pump_fits(share->pump, &stretch, NULL))
            return;
        rf_pump_ask(share->pump, &stretch, NULL);
        share->asked += band.ngranules;
    }
}

static enum rf_status compare(const struct share *share, const struct rf_band *band,
                              struct rf_error *err)
{
    const struct rf_manifest_tensor *tensor =
        &rf_ckpt_reader_manifest(share->reader)->tensors[band->tensor];
    int64_t rows = rf_granule_rows(tensor->shape);

    for (int64_t g = 0; g < band->ngranules; g++)
        if (!rf_digest_equal(&share->found[band->first - share->begin + g],
                             rf_ckpt_reader_digest(share->reader, band->first + g)))
            return rf_ckpt_reader_damaged(share->reader, band->tensor, band->row + g * rows,
                                          err);
    return RF_OK;
}

/* Bands that their file holds as they are. */
static enum rf_status read_plain(struct share *share, const char *path,
                                 const struct rf_watch *watch, struct rf_error *err)
{
    enum rf_status st = rf_pump_begin(share->pump, path, 0, 1, err), ended;
    struct rf_error other;

    if (st != RF_OK)
        return st;
    while (share->taken < share->end) {
        struct rf_band band = next_band(share, share->taken);

        ask_ahead(share);
        rf_pump_take(share->pump);
        if (st == RF_OK && !rf_pump_failed(share->pump))
            st = compare(share, &band, err);
        rf_pump_drop(share->pump);
        share->taken += band.ngranules;
        rf_watch_show(watch, share->taken - share->begin, share->last - share->begin);
        if (st != RF_OK && share->asked > share->taken)
            share->end = share->asked; /* no further, but what was asked comes */
    }
    rf_pump_end(share->pump);
    ended = rf_pump_wait(share->pump, &other);
    if (st == RF_OK && ended != RF_OK) {
        st = ended;
        *err = other;
    }
    return st;
}

static enum rf_status read_packed(struct share *share, const struct rf_watch *watch,
                                  struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && share->taken < share->end) {
        struct rf_band band = next_band(share, share->taken);

        st = rf_ckpt_reader_read(share->reader, &band, share->plain, err);
        share->taken += band.ngranules;
        rf_watch_show(watch, share->taken - share->begin, share->last - share->begin);
    }
    return st;
}

/* The file of the tensor that this granule belongs to; *end is set to the end of the tensors from
 * there on that lie in the same one. */
static const char *file_from(const struct share *share, int64_t at, int64_t *end)
{
    const struct rf_ckpt_reader *reader = share->reader;
    int ntensors = rf_ckpt_reader_manifest(reader)->ntensors;
    int tensor = rf_ckpt_reader_band(reader, at, at + 1).tensor;
    const char *path = rf_ckpt_reader_path(reader, tensor);

    while (tensor < ntensors && rf_ckpt_reader_path(reader, tensor) == path)
        tensor++;
    *end = rf_ckpt_reader_first(reader, tensor);
    if (*end > share->last)
        *end = share->last;
    return path;
}

/* Granules are dealt in order, so the lowest failing rank has the first damage. */
static enum rf_status read_share(struct share *share, const struct rf_watch *watch,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && share->taken < share->last) {
        const char *path = file_from(share, share->taken, &share->end);

        share->asked = share->taken;
        st =
            path != NULL ? read_plain(share, path, watch, err) : read_packed(share, watch, err);
    }
    return st;
}

/* Local: memory for the largest band. */
static enum rf_status make_room(struct share *share, struct rf_error *err)
{
    struct rf_pump_options options = {.room_bytes = rf_pump_usual_room(share->neighbours),
                                      .max_stretches = STRETCHES,
                                      .sharers = share->neighbours,
                                      .fault = rf_h5_fault};
    int packed = 0;

    for (int64_t at = share->begin; at < share->last;) {
        struct rf_band band = next_band(share, at);
        size_t need = rf_pump_need(rf_ckpt_reader_stretch(share->reader, &band).size_bytes);

        if (2 * need > options.room_bytes)
            options.room_bytes = 2 * need;
        packed |= rf_ckpt_reader_path(share->reader, band.tensor) == NULL;
        at += band.ngranules;
    }
    share->found = calloc((size_t)(share->last - share->begin) + 1, sizeof *share->found);
    if (packed)
        share->plain = malloc((size_t)rf_ckpt_reader_room(share->reader) * sizeof(float));
    if (share->found == NULL || (packed && share->plain == NULL))
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    return rf_pump_create(&share->pump, &options, err);
}

/* Local. */
static enum rf_status check_share(struct rf_ckpt_reader *reader, struct rf_slice slice,
                                  int neighbours, const struct rf_watch *watch,
                                  struct rf_error *err)
{
    struct share share = {.reader = reader,
                          .neighbours = neighbours,
                          .begin = slice.begin,
                          .last = slice.begin + slice.count,
                          .end = slice.begin + slice.count,
                          .asked = slice.begin,
                          .taken = slice.begin};
    enum rf_status st = make_room(&share, err);

    if (st == RF_OK)
        st = read_share(&share, watch, err);
    rf_pump_destroy(share.pump);
    free(share.plain);
    free(share.found);
    return st;
}

enum rf_status rf_ckpt_verify(const struct rf_group *group, const char *path,
                              const struct rf_watch *watch, struct rf_digest *content,
                              struct rf_error *err)
{
    struct rf_ckpt_reader *reader = NULL;
    enum rf_status st = rf_ckpt_reader_open_all(&reader, group, path, err);

    if (st != RF_OK)
        return st;
    st = check_share(reader, rf_slice(rf_ckpt_reader_count(reader), group->rank, group->size),
                     rf_group_neighbours(group, NULL), watch, err);
    rf_group_meet(group); /* others still read, and need the cores */
    st = rf_agree(group, st, err);
    if (st == RF_OK && content != NULL)
        *content = rf_ckpt_reader_manifest(reader)->content;
    rf_ckpt_reader_close(reader);
    return st;
}
