#include "mpi/ckpt_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ckpt/contents.h"
#include "ckpt/granule.h"
#include "mpi/h5.h"

struct rf_ckpt_reader {
    char path[RF_PATH_BYTES];
    struct rf_ckpt_contents contents;
    int *fds; /* [contents.nfiles] */
    struct rf_piece_room packed;
    int64_t *first; /* [ntensors + 1] */
    int64_t room;
};

static enum rf_status prepare(struct rf_ckpt_reader *reader, struct rf_error *err)
{
    const struct rf_manifest *m = reader->contents.manifest;

    reader->first = calloc((size_t)m->ntensors + 1, sizeof *reader->first);
    if (reader->first == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", reader->path);
    for (int i = 0; i < m->ntensors; i++)
        reader->first[i + 1] = reader->first[i] + rf_granule_count(m->tensors[i].shape);
    for (int i = 0; i < m->ntensors; i++) { /* a tensor's first band is its largest */
        struct rf_band band =
            rf_ckpt_reader_band(reader, reader->first[i], reader->first[i + 1]);
        int64_t values = band.nrows * m->tensors[i].shape[1];

        reader->room = values > reader->room ? values : reader->room;
    }
    return RF_OK;
}

/* The file itself, and those that it refers to. */
static enum rf_status open_files(struct rf_ckpt_reader *reader, struct rf_error *err)
{
    const struct rf_ckpt_contents *c = &reader->contents;
    enum rf_status st = rf_h5_fault_at("open", reader->path, err);

    if (st != RF_OK)
        return st;
    reader->fds = malloc((size_t)c->nfiles * sizeof *reader->fds);
    if (reader->fds == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", reader->path);
    for (int i = 0; i < c->nfiles; i++) {
        reader->fds[i] = open(c->paths[i], O_RDONLY | O_CLOEXEC);
        if (reader->fds[i] < 0 && st == RF_OK)
            st = rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", c->paths[i],
                         strerror(errno));
    }
    return st;
}

enum rf_status rf_ckpt_reader_open(struct rf_ckpt_reader **reader, const char *path,
                                   struct rf_error *err)
{
    struct rf_ckpt_reader *r = calloc(1, sizeof *r);
    enum rf_status st;

    *reader = NULL;
    if (r == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    if (strlen(path) >= sizeof r->path)
        st = rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    else
        st = rf_ckpt_contents_read(&r->contents, path, err);
    if (st == RF_OK)
        st = rf_ckpt_contents_resolve(&r->contents, path, err);
    if (st == RF_OK) {
        memcpy(r->path, path, strlen(path) + 1);
        st = prepare(r, err);
    }
    if (st == RF_OK)
        st = open_files(r, err);
    if (st != RF_OK)
        rf_ckpt_reader_close(r);
    else
        *reader = r;
    return st;
}

enum rf_status rf_ckpt_reader_open_all(struct rf_ckpt_reader **reader,
                                       const struct rf_group *group, const char *path,
                                       struct rf_error *err)
{
    enum rf_status st = rf_agree(group, rf_ckpt_reader_open(reader, path, err), err);

    if (st != RF_OK) {
        rf_ckpt_reader_close(*reader);
        *reader = NULL;
    }
    return st;
}

void rf_ckpt_reader_close(struct rf_ckpt_reader *reader)
{
    if (reader == NULL)
        return;
    for (int i = 0; reader->fds != NULL && i < reader->contents.nfiles; i++)
        if (reader->fds[i] >= 0)
            close(reader->fds[i]);
    free(reader->fds);
    rf_piece_room_clear(&reader->packed);
    rf_ckpt_contents_clear(&reader->contents);
    free(reader->first);
    free(reader);
}

const struct rf_manifest *rf_ckpt_reader_manifest(const struct rf_ckpt_reader *reader)
{
    return reader->contents.manifest;
}

int64_t rf_ckpt_reader_count(const struct rf_ckpt_reader *reader)
{
    return reader->first[reader->contents.manifest->ntensors];
}

int64_t rf_ckpt_reader_first(const struct rf_ckpt_reader *reader, int tensor)
{
    return reader->first[tensor];
}

const char *rf_ckpt_reader_path(const struct rf_ckpt_reader *reader, int tensor)
{
    return reader->contents.manifest->tensors[tensor].packed
               ? NULL
               : reader->contents.paths[reader->contents.files[tensor]];
}

enum rf_status rf_ckpt_reader_damaged(const struct rf_ckpt_reader *reader, int tensor,
                                      int64_t row, struct rf_error *err)
{
    return rf_ckpt_contents_damaged(&reader->contents, tensor, row, RF_NO, err);
}

const struct rf_digest *rf_ckpt_reader_digest(const struct rf_ckpt_reader *reader,
                                              int64_t index)
{
    return &reader->contents.granules[index];
}

int64_t rf_ckpt_reader_room(const struct rf_ckpt_reader *reader)
{
    return reader->room;
}

/* The last tensor that begins at or before the granule. */
static int tensor_of(const struct rf_ckpt_reader *reader, int64_t index)
{
    int low = 0, high = reader->contents.manifest->ntensors - 1;

    while (low < high) {
        int middle = (low + high + 1) / 2;

        if (reader->first[middle] <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

struct rf_band rf_ckpt_reader_band(const struct rf_ckpt_reader *reader, int64_t index,
                                   int64_t end)
{
    int tensor = tensor_of(reader, index);
    const int64_t *shape = reader->contents.manifest->tensors[tensor].shape;
    int64_t rows = rf_granule_rows(shape), most = RF_BAND_VALUES / (rows * shape[1]);
    struct rf_band band = {.tensor = tensor, .first = index};
    int64_t last = reader->first[tensor + 1];

    band.ngranules = (end < last ? end : last) - index;
    if (band.ngranules > most)
        band.ngranules = most > 0 ? most : 1;
    band.row = (index - reader->first[tensor]) * rows;
    band.nrows = band.ngranules * rows;
    if (band.nrows > shape[0] - band.row)
        band.nrows = shape[0] - band.row;
    return band;
}

struct rf_stretch rf_ckpt_reader_stretch(const struct rf_ckpt_reader *reader,
                                         const struct rf_band *band)
{
    const struct rf_manifest_tensor *tensor = &reader->contents.manifest->tensors[band->tensor];
    uint64_t row_bytes = (uint64_t)tensor->shape[1] * rf_stored_bytes(tensor->stored);

    return (struct rf_stretch){
        .offset = reader->contents.offsets[band->tensor] + (uint64_t)band->row * row_bytes,
        .size_bytes = (size_t)((uint64_t)band->nrows * row_bytes),
        .granule_bytes = (size_t)((uint64_t)rf_granule_rows(tensor->shape) * row_bytes)};
}

/* Compares the values, as they are in the file, with the digests of their granules. */
static enum rf_status check(const struct rf_ckpt_reader *reader, const struct rf_band *band,
                            const void *values, struct rf_error *err)
{
    enum { AT_ONCE = 16 };
    int64_t rows = rf_granule_rows(reader->contents.manifest->tensors[band->tensor].shape);
    struct rf_stretch whole = rf_ckpt_reader_stretch(reader, band);

    for (int64_t done = 0; done < band->ngranules; done += AT_ONCE) {
        struct rf_bytes texts[AT_ONCE];
        struct rf_digest digests[AT_ONCE];
        int n = 0;

        for (; n < AT_ONCE && done + n < band->ngranules; n++) {
            size_t at = (size_t)(done + n) * whole.granule_bytes, left = whole.size_bytes - at;

            texts[n].data = (const unsigned char *)values + at;
            texts[n].size_bytes = left < whole.granule_bytes ? left : whole.granule_bytes;
        }
        rf_digest_many(texts, n, digests);
        for (int i = 0; i < n; i++)
            if (!rf_digest_equal(&digests[i],
                                 rf_ckpt_reader_digest(reader, band->first + done + i)))
                return rf_ckpt_reader_damaged(reader, band->tensor,
                                              band->row + (done + i) * rows, err);
    }
    return RF_OK;
}

/* n bf16 values that lie at the end of the room for as many floats become these. */
static void widen(float *values, size_t n)
{
    const unsigned char *halves = (const unsigned char *)values + n * 2;

    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t word;

        memcpy(&half, halves + 2 * i, sizeof half);
        word = (uint32_t)half << 16;
        memcpy(&values[i], &word, sizeof word);
    }
}

static enum rf_status read_bytes(const struct rf_ckpt_reader *reader,
                                 const struct rf_band *band, void *bytes, struct rf_error *err)
{
    const struct rf_ckpt_contents *c = &reader->contents;
    struct rf_stretch stretch = rf_ckpt_reader_stretch(reader, band);
    int file = c->files[band->tensor];
    unsigned char *at = bytes;

    while (stretch.size_bytes > 0) {
        ssize_t n = pread(reader->fds[file], at, stretch.size_bytes, (off_t)stretch.offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", c->paths[file],
                           n < 0 ? strerror(errno) : "it has become shorter");
        at += n;
        stretch.size_bytes -= (size_t)n;
        stretch.offset += (uint64_t)n;
    }
    return RF_OK;
}

static enum rf_status read_packed(struct rf_ckpt_reader *reader, const struct rf_band *band,
                                  void *bytes, struct rf_error *err)
{
    const struct rf_ckpt_contents *c = &reader->contents;
    const struct rf_manifest_tensor *t = &c->manifest->tensors[band->tensor];
    struct rf_stretch whole = rf_ckpt_reader_stretch(reader, band);
    int file = c->files[band->tensor];
    enum rf_status st = RF_OK;

    for (int64_t g = 0; st == RF_OK && g < band->ngranules; g++) {
        size_t at = (size_t)g * whole.granule_bytes, left = whole.size_bytes - at;
        size_t size = left < whole.granule_bytes ? left : whole.granule_bytes;

        st = rf_piece_read(&reader->packed, reader->fds[file], c->paths[file],
                           &c->pieces[band->first + g], t->stored,
                           rf_piece_bytes(t->shape, t->stored), (unsigned char *)bytes + at,
                           size / rf_stored_bytes(t->stored), err);
        if (st == RF_NO)
            st = rf_ckpt_reader_damaged(reader, band->tensor,
                                        band->row + g * rf_granule_rows(t->shape), err);
    }
    return st;
}

enum rf_status rf_ckpt_reader_read(struct rf_ckpt_reader *reader, const struct rf_band *band,
                                   float *values, struct rf_error *err)
{
    const struct rf_manifest_tensor *tensor = &reader->contents.manifest->tensors[band->tensor];
    size_t n = (size_t)(band->nrows * tensor->shape[1]);
    void *stored = tensor->stored == RF_STORED_BF16 ? (unsigned char *)values + n * 2
                                                    : (unsigned char *)values;
    enum rf_status st = rf_h5_fault_at("read", reader->path, err);

    if (st == RF_OK && tensor->packed)
        st = read_packed(reader, band, stored, err);
    else if (st == RF_OK)
        st = read_bytes(reader, band, stored, err);
    if (st == RF_OK)
        st = check(reader, band, stored, err);
    if (st == RF_OK && tensor->stored == RF_STORED_BF16)
        widen(values, n);
    return st;
}
