#include "mpi/ckpt_verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "ckpt/granule.h"
#include "ckpt/pump.h"
#include "mpi/ckpt_reader.h"
#include "mpi/h5.h"

enum { BAND_GRANULES = 8, ROOM_BYTES = 64 << 20, STRETCHES = 64 };

/* One rank's share: bands that are read ahead and compared in order. */
struct share {
    const struct rf_ckpt_reader *reader;
    const char *path;
    struct rf_pump *pump;
    struct rf_digest *found;          /* [end - begin] */
    int64_t begin, end, asked, taken; /* by granule */
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

        if (!rf_pump_fits(share->pump, stretch.size_bytes))
            return;
        rf_pump_ask(share->pump, &stretch);
        share->asked += band.ngranules;
    }
}

static enum rf_status compare(const struct share *share, const struct rf_band *band,
                              struct rf_error *err)
{
    const struct rf_manifest_tensor *tensor =
        &rf_ckpt_reader_manifest(share->reader)->tensors[band->tensor];
    int64_t rows = rf_granule_rows(tensor->shape);

    for (int64_t g = 0; g < band->ngranules; g++) {
        int64_t row = band->row + g * rows, end = row + rows;

        if (rf_digest_equal(&share->found[band->first - share->begin + g],
                            rf_ckpt_reader_digest(share->reader, band->first + g)))
            continue;
        if (end > tensor->shape[0])
            end = tensor->shape[0];
        return rf_fail(err, RF_NO, "'%s' is damaged: tensor '%s', rows %lld to %lld",
                       share->path, tensor->name, (long long)row, (long long)end - 1);
    }
    return RF_OK;
}

/* Granules are dealt in order, so the lowest failing rank has the first damage. */
static enum rf_status read_share(struct share *share, const struct rf_watch *watch,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK, ended;
    struct rf_error other;

    while (share->taken < share->end) {
        struct rf_band band = next_band(share, share->taken);

        ask_ahead(share);
        rf_pump_take(share->pump);
        if (st == RF_OK && !rf_pump_failed(share->pump))
            st = compare(share, &band, err);
        rf_pump_drop(share->pump);
        share->taken += band.ngranules;
        rf_watch_show(watch, share->taken - share->begin, share->end - share->begin);
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

/* Local. */
static enum rf_status check_share(const struct rf_ckpt_reader *reader, const char *path,
                                  struct rf_slice slice, const struct rf_watch *watch,
                                  struct rf_error *err)
{
    struct share share = {.reader = reader,
                          .path = path,
                          .begin = slice.begin,
                          .end = slice.begin + slice.count,
                          .asked = slice.begin,
                          .taken = slice.begin};
    size_t room = ROOM_BYTES;
    enum rf_status st;

    for (int64_t at = share.begin; at < share.end;) {
        struct rf_band band = next_band(&share, at);
        size_t need = rf_pump_need(rf_ckpt_reader_stretch(reader, &band).size_bytes);

        room = 2 * need > room ? 2 * need : room;
        at += band.ngranules;
    }
    share.found = calloc((size_t)slice.count + 1, sizeof *share.found);
    if (share.found == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    st = rf_pump_create(&share.pump, room, STRETCHES, rf_h5_fault, err);
    if (st == RF_OK)
        st = rf_pump_begin(share.pump, path, 0, 1, err);
    if (st == RF_OK)
        st = read_share(&share, watch, err);
    rf_pump_destroy(share.pump);
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
    st = check_share(reader, path,
                     rf_slice(rf_ckpt_reader_count(reader), group->rank, group->size), watch,
                     err);
    st = rf_agree(group, st, err);
    if (st == RF_OK && content != NULL)
        *content = rf_ckpt_reader_manifest(reader)->content;
    rf_ckpt_reader_close(reader);
    return st;
}
