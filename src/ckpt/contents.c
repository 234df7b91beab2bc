#include "ckpt/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/index.h"
#include "ckpt/store.h"

enum { PLACE_BYTES = 16 };

static enum rf_status no_memory(const char *path, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
}

/* Does [offset, offset + size) lie behind the user block, inside the file, and outside all
 * tensors' values: under the seal? */
static int is_sealed(const struct rf_envelope *envelope, uint64_t offset, uint64_t size)
{
    uint64_t end = (uint64_t)envelope->file_bytes;

    if (offset < envelope->block_bytes || offset > end || size > end - offset)
        return 0;
    for (int64_t i = 0; i < envelope->nextents; i++)
        if (offset < envelope->extents[i].offset + envelope->extents[i].size &&
            envelope->extents[i].offset < offset + size)
            return 0;
    return 1;
}

static int by_offset(const void *a, const void *b)
{
    const struct rf_extent *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Granules and tables are of the sizes that follow from the shapes, and under the seal. */
static enum rf_status check_tables(const struct rf_index *index,
                                   const struct rf_envelope *envelope, const char *path,
                                   struct rf_error *err)
{
    uint64_t n = (uint64_t)index->ntensors, granules = (uint64_t)index->ngranules;
    int64_t left = index->ngranules;
    int packed = 0;

    for (int64_t i = 0; i < index->ntensors && left >= 0; i++) {
        int64_t count = rf_granule_count(index->tensors[i].shape);

        packed |= index->tensors[i].packed;
        left = count <= left ? left - count : -1;
    }
    if (left != 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' has %lld digests for another number of granules", path,
                       (long long)index->ngranules);
    if (!is_sealed(envelope, index->names, n * RF_TENSOR_NAME) ||
        !is_sealed(envelope, index->tensor_digests, n * RF_DIGEST_BYTES) ||
        !is_sealed(envelope, index->granule_digests, granules * RF_DIGEST_BYTES) ||
        !is_sealed(envelope, index->content, RF_DIGEST_BYTES) ||
        (packed && (!is_sealed(envelope, index->places, granules * PLACE_BYTES) ||
                    !is_sealed(envelope, index->packed_digests, granules * RF_DIGEST_BYTES))) ||
        (!packed && (index->places != 0 || index->packed_digests != 0)))
        return rf_fail(err, RF_ERR_INPUT, "'%s' has a table in an impossible place", path);
    return RF_OK;
}

/* What the extents have to be: one for a tensor that is here as it is, one for each granule of a
 * packed one. Returns how many; -1 when a piece is too small or too large. */
static int64_t expect_extents(const struct rf_ckpt_contents *contents,
                              struct rf_extent *extents)
{
    const struct rf_manifest *m = contents->manifest;
    int64_t n = 0, granule = 0;

    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &m->tensors[i];
        int64_t end = granule + rf_granule_count(t->shape);

        if (t->base < 0 && !t->packed)
            extents[n++] =
                (struct rf_extent){contents->offsets[i], (uint64_t)(t->shape[0] * t->shape[1]) *
                                                             rf_stored_bytes(t->stored)};
        for (; granule < end; granule++) {
            const struct rf_piece *piece =
                contents->pieces != NULL ? &contents->pieces[granule] : NULL;

            if (t->packed && !rf_piece_fits(piece->size, rf_piece_bytes(t->shape, t->stored)))
                return -1;
            if (t->packed)
                extents[n++] = (struct rf_extent){piece->offset, piece->size};
            else if (piece != NULL && (piece->offset != 0 || piece->size != 0))
                return -1;
        }
    }
    return n;
}

/* Values lie exactly where the extents are. */
static enum rf_status check_extents(const struct rf_ckpt_contents *contents,
                                    const struct rf_envelope *envelope, const char *path,
                                    struct rf_error *err)
{
    size_t most = (size_t)contents->manifest->ntensors +
                  (contents->pieces != NULL ? (size_t)contents->ngranules : 0);
    struct rf_extent *extents = calloc(most, sizeof *extents);
    int64_t n;
    int fits;

    if (extents == NULL)
        return no_memory(path, err);
    n = expect_extents(contents, extents);
    fits = n == envelope->nextents;
    if (fits)
        qsort(extents, (size_t)n, sizeof *extents, by_offset);
    for (int64_t i = 0; fits && i < n; i++)
        fits = extents[i].offset == envelope->extents[i].offset &&
               extents[i].size == envelope->extents[i].size;
    free(extents);
    return fits ? RF_OK
                : rf_fail(err, RF_ERR_INPUT, "'%s': its tensors are not where its extents are",
                          path);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static enum rf_status check_names(const struct rf_manifest *m, const char *path,
                                  struct rf_error *err)
{
    const char **names = malloc((size_t)m->ntensors * sizeof *names);
    enum rf_status st = RF_OK;

    if (names == NULL)
        return no_memory(path, err);
    for (int i = 0; i < m->ntensors; i++) {
        names[i] = m->tensors[i].name;
        if (names[i][0] == '\0' || memchr(names[i], '\0', RF_TENSOR_NAME) == NULL)
            st = rf_fail(err, RF_ERR_INPUT, "'%s' has a tensor without a name", path);
    }
    if (st == RF_OK)
        qsort(names, (size_t)m->ntensors, sizeof *names, by_text);
    for (int i = 1; st == RF_OK && i < m->ntensors; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            st = rf_fail(err, RF_ERR_INPUT, "'%s' has the tensor '%s' twice", path, names[i]);
    free(names);
    return st;
}

static enum rf_status take_tensors(struct rf_ckpt_contents *contents,
                                   const struct rf_index *index, const char *path,
                                   struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;

    m->info = index->info;
    m->format_version = index->format_version;
    m->ntensors = (int)index->ntensors;
    contents->ngranules = index->ngranules;
    m->tensors = calloc((size_t)m->ntensors, sizeof *m->tensors);
    contents->offsets = calloc((size_t)m->ntensors, sizeof *contents->offsets);
    contents->granules = calloc((size_t)index->ngranules, sizeof *contents->granules);
    if (index->places != 0)
        contents->pieces = calloc((size_t)index->ngranules, sizeof *contents->pieces);
    if (m->tensors == NULL || contents->offsets == NULL || contents->granules == NULL ||
        (index->places != 0 && contents->pieces == NULL))
        return no_memory(path, err);
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_index_tensor *from = &index->tensors[i];

        m->tensors[i].ndims = from->ndims;
        m->tensors[i].stored = from->stored;
        memcpy(m->tensors[i].shape, from->shape, sizeof from->shape);
        m->tensors[i].base = from->base;
        m->tensors[i].packed = from->packed;
        contents->offsets[i] = from->offset;
    }
    return RF_OK;
}

/* Where packed granules lie, and their digests. */
static enum rf_status read_pieces(struct rf_ckpt_contents *contents, int fd,
                                  const struct rf_index *index, const char *path,
                                  struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int64_t g = 0; st == RF_OK && contents->pieces != NULL && g < contents->ngranules;
         g++) {
        struct rf_piece *piece = &contents->pieces[g];
        unsigned char place[PLACE_BYTES];

        st = rf_file_read_at(fd, path, place, sizeof place,
                             index->places + (uint64_t)g * PLACE_BYTES, err);
        for (int b = 7; st == RF_OK && b >= 0; b--) {
            piece->offset = piece->offset << 8 | place[b];
            piece->size = piece->size << 8 | place[8 + b];
        }
        if (st == RF_OK)
            st = rf_file_read_at(fd, path, piece->digest.bytes, RF_DIGEST_BYTES,
                                 index->packed_digests + (uint64_t)g * RF_DIGEST_BYTES, err);
    }
    return st;
}

/* Names and digests; their tables lie where there is room for them. */
static enum rf_status read_tables(struct rf_ckpt_contents *contents,
                                  const struct rf_index *index, const char *path,
                                  struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rf_status st = RF_OK;

    if (fd < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    for (int i = 0; st == RF_OK && i < m->ntensors; i++) {
        struct rf_manifest_tensor *t = &m->tensors[i];

        st = rf_file_read_at(fd, path, t->name, RF_TENSOR_NAME,
                             index->names + (uint64_t)i * RF_TENSOR_NAME, err);
        if (st == RF_OK)
            st = rf_file_read_at(fd, path, t->digest.bytes, RF_DIGEST_BYTES,
                                 index->tensor_digests + (uint64_t)i * RF_DIGEST_BYTES, err);
    }
    if (st == RF_OK)
        st = rf_file_read_at(fd, path, contents->granules,
                             (size_t)contents->ngranules * sizeof *contents->granules,
                             index->granule_digests, err);
    if (st == RF_OK)
        st = rf_file_read_at(fd, path, m->content.bytes, RF_DIGEST_BYTES, index->content, err);
    if (st == RF_OK)
        st = read_pieces(contents, fd, index, path, err);
    close(fd);
    return st;
}

/* The digests must follow from one another, from granules up to the content. */
static enum rf_status check_digests(const struct rf_ckpt_contents *contents, const char *path,
                                    struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    struct rf_digest digest;
    int64_t first = 0;
    enum rf_status st;

    for (int i = 0; i < m->ntensors; i++) {
        int64_t n = rf_granule_count(m->tensors[i].shape);

        digest = rf_granule_join(contents->granules + first, n);
        if (!rf_digest_equal(&digest, &m->tensors[i].digest))
            return rf_fail(err, RF_NO, "'%s' is damaged: the digests of '%s' disagree", path,
                           m->tensors[i].name);
        first += n;
    }
    st = rf_manifest_content(m->tensors, m->ntensors, &digest, err);
    if (st == RF_OK && !rf_digest_equal(&digest, &m->content))
        st = rf_fail(err, RF_NO, "'%s' is damaged: its content digest does not fit", path);
    return st;
}

enum rf_status rf_ckpt_contents_read(struct rf_ckpt_contents *contents, const char *path,
                                     struct rf_error *err)
{
    struct rf_envelope envelope = {0};
    struct rf_index index = {0};
    enum rf_status st;

    *contents = (struct rf_ckpt_contents){0};
    st = rf_envelope_open(&envelope, path, err);
    if (st == RF_OK)
        st = rf_index_read(&index, envelope.rest, envelope.rest_bytes, path, err);
    if (st == RF_OK)
        st = check_tables(&index, &envelope, path, err);
    if (st == RF_OK) {
        contents->manifest = calloc(1, sizeof *contents->manifest);
        st = contents->manifest == NULL ? no_memory(path, err)
                                        : take_tensors(contents, &index, path, err);
    }
    if (st == RF_OK) {
        contents->manifest->file_bytes = envelope.file_bytes;
        st = read_tables(contents, &index, path, err);
    }
    if (st == RF_OK)
        st = check_extents(contents, &envelope, path, err);
    if (st == RF_OK)
        st = check_names(contents->manifest, path, err);
    if (st == RF_OK)
        st = check_digests(contents, path, err);
    rf_index_clear(&index);
    rf_envelope_clear(&envelope);
    if (st != RF_OK)
        rf_ckpt_contents_clear(contents);
    return st;
}

/* ---- values in other files ---------------------------------------------------------- */

static enum rf_status no_base(struct rf_error *err, const char *path, const char *tensor,
                              const char *base, const char *why)
{
    return rf_fail(err, RF_NO, "'%s' keeps tensor '%s' in '%s', %s", path, tensor, base, why);
}

/* The tensor's place in the file that holds it, which has been read into base. */
static enum rf_status take_place(struct rf_ckpt_contents *contents, int i, int64_t granule,
                                 const struct rf_ckpt_contents *base, int file,
                                 struct rf_error *err)
{
    struct rf_manifest_tensor *t = &contents->manifest->tensors[i];
    const struct rf_manifest *m = base->manifest;
    int64_t from = 0, n = rf_granule_count(t->shape);
    int k = 0;

    while (k < m->ntensors && strcmp(m->tensors[k].name, t->name) != 0)
        from += rf_granule_count(m->tensors[k++].shape);
    if (k == m->ntensors || m->tensors[k].base >= 0)
        return no_base(err, contents->paths[0], t->name, contents->paths[file],
                       "which does not hold it");
    if (m->tensors[k].ndims != t->ndims || m->tensors[k].stored != t->stored ||
        m->tensors[k].shape[0] != t->shape[0] || m->tensors[k].shape[1] != t->shape[1] ||
        !rf_digest_equal(&m->tensors[k].digest, &t->digest))
        return no_base(err, contents->paths[0], t->name, contents->paths[file],
                       "where it is another now");
    contents->files[i] = file;
    contents->offsets[i] = base->offsets[k];
    t->packed = m->tensors[k].packed;
    if (t->packed && contents->pieces == NULL)
        contents->pieces = calloc((size_t)contents->ngranules, sizeof *contents->pieces);
    if (t->packed && contents->pieces == NULL)
        return no_memory(contents->paths[0], err);
    if (t->packed)
        memcpy(contents->pieces + granule, base->pieces + from,
               (size_t)n * sizeof *contents->pieces);
    return RF_OK;
}

/* All tensors that the file of one step holds; `first` is one of them. */
static enum rf_status take_base(struct rf_ckpt_contents *contents, const char *dir, int first,
                                struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    int64_t step = m->tensors[first].base, granule = 0;
    struct rf_ckpt_contents base;
    int file = contents->nfiles;
    struct rf_error why;
    enum rf_status st = rf_store_path(contents->paths[file], dir, step, err);

    if (st != RF_OK)
        return st;
    st = rf_ckpt_contents_read(&base, contents->paths[file], &why);
    if (st == RF_ERR_MEMORY)
        *err = why;
    else if (st != RF_OK)
        st = rf_fail(err, RF_NO, "'%s' keeps tensor '%s' in another file: %s",
                     contents->paths[0], m->tensors[first].name, why.text);
    contents->nfiles++;
    for (int i = 0; st == RF_OK && i < m->ntensors; i++) {
        if (m->tensors[i].base == step)
            st = take_place(contents, i, granule, &base, file, err);
        granule += rf_granule_count(m->tensors[i].shape);
    }
    rf_ckpt_contents_clear(&base);
    return st;
}

enum rf_status rf_ckpt_contents_resolve(struct rf_ckpt_contents *contents, const char *path,
                                        struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    char dir[RF_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    enum rf_status st = RF_OK;

    if (strlen(path) >= sizeof dir)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    contents->files = malloc((size_t)m->ntensors * sizeof *contents->files);
    contents->paths = malloc((1 + RF_CKPT_BASES_MAX) * sizeof *contents->paths);
    if (contents->files == NULL || contents->paths == NULL)
        return no_memory(path, err);
    memcpy(contents->paths[0], path, strlen(path) + 1);
    contents->nfiles = 1;
    memcpy(dir, slash == NULL ? "." : path, slash == NULL ? 2 : (size_t)(slash - path) + 1);
    if (slash != NULL)
        dir[slash == path ? 1 : slash - path] = '\0';
    for (int i = 0; i < m->ntensors; i++)
        contents->files[i] = m->tensors[i].base < 0 ? 0 : -1;
    for (int i = 0; st == RF_OK && i < m->ntensors; i++)
        if (contents->files[i] < 0 && contents->nfiles > RF_CKPT_BASES_MAX)
            st =
                rf_fail(err, RF_ERR_INPUT, "'%s' keeps its tensors in more than %d other files",
                        path, RF_CKPT_BASES_MAX);
        else if (contents->files[i] < 0)
            st = take_base(contents, dir, i, err);
    return st;
}

enum rf_status rf_ckpt_contents_damaged(const struct rf_ckpt_contents *contents, int tensor,
                                        int64_t row, enum rf_status status,
                                        struct rf_error *err)
{
    const struct rf_manifest_tensor *t = &contents->manifest->tensors[tensor];
    int64_t end = row + rf_granule_rows(t->shape);
    int file = contents->files[tensor];

    if (end > t->shape[0])
        end = t->shape[0];
    if (file == 0)
        return rf_fail(err, status, "'%s' is damaged: tensor '%s', rows %lld to %lld",
                       contents->paths[0], t->name, (long long)row, (long long)end - 1);
    return rf_fail(
        err, status, "'%s' is damaged: tensor '%s', rows %lld to %lld; '%s' refers to it",
        contents->paths[file], t->name, (long long)row, (long long)end - 1, contents->paths[0]);
}

void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents)
{
    rf_manifest_free(contents->manifest);
    free(contents->granules);
    free(contents->offsets);
    free(contents->pieces);
    free(contents->files);
    free(contents->paths);
    *contents = (struct rf_ckpt_contents){0};
}
