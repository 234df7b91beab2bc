/* One process looks at a whole file, band by band. */
#include <stdlib.h>

#include "ckpt/contents.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_reader.h"

static enum rf_status verify_values(const char *path, struct rf_error *err)
{
    struct rf_ckpt_reader *reader = NULL;
    float *room = NULL;
    enum rf_status st = rf_ckpt_reader_open(&reader, path, err);

    if (st == RF_OK)
        room = malloc((size_t)rf_ckpt_reader_room(reader) * sizeof *room);
    if (st == RF_OK && room == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    for (int64_t at = 0; st == RF_OK && at < rf_ckpt_reader_count(reader);) {
        struct rf_band band = rf_ckpt_reader_band(reader, at, rf_ckpt_reader_count(reader));

        st = rf_ckpt_reader_read(reader, &band, room, err);
        at += band.ngranules;
    }
    free(room);
    rf_ckpt_reader_close(reader);
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
        st = verify_values(path, err);
    if (st == RF_OK) {
        *manifest = contents.manifest;
        contents.manifest = NULL;
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}
