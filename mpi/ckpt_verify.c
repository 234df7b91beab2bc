#include "mpi/ckpt_verify.h"

#include <stdlib.h>

#include "base/slice.h"
#include "mpi/ckpt_reader.h"

/* Local: granules are dealt in order, so the lowest failing rank has the first damage. */
static enum rf_status check_share(struct rf_ckpt_reader *reader, struct rf_slice share,
                                  const struct rf_watch *watch, struct rf_error *err)
{
    float *room = malloc((size_t)rf_ckpt_reader_room(reader) * sizeof *room);
    int64_t end = share.begin + share.count;
    enum rf_status st = RF_OK;

    if (room == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int64_t at = share.begin; st == RF_OK && at < end;) {
        struct rf_band band = rf_ckpt_reader_band(reader, at, end);

        st = rf_ckpt_reader_read(reader, &band, room, err);
        at += band.ngranules;
        rf_watch_show(watch, at - share.begin, share.count);
    }
    free(room);
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
                     watch, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK && content != NULL)
        *content = rf_ckpt_reader_manifest(reader)->content;
    rf_ckpt_reader_close(reader);
    return st;
}
