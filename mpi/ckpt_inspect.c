/* One process looks at a whole file, granule by granule. */
#include <stdlib.h>

#include "ckpt/granule.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_table.h"

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

        st = rf_h5_read(file, object, rf_ckpt_kind(tensor->stored), row, n, room, err);
        if (st != RF_OK)
            break;
        digest = rf_digest_of(room, (size_t)(n * tensor->shape[1]) *
                                        rf_stored_bytes(tensor->stored));
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
