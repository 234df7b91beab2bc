#include "ckpt/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/index.h"

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

/* Every tensor is exactly one extent, and every extent one tensor; granules and tables are of the
 * size that follows. */
static enum rf_status check_places(const struct rf_index *index,
                                   const struct rf_envelope *envelope, const char *path,
                                   struct rf_error *err)
{
    struct rf_extent *extents = calloc((size_t)index->ntensors, sizeof *extents);
    uint64_t n = (uint64_t)index->ntensors, granules = (uint64_t)index->ngranules;
    int64_t counted = 0;
    int fits = index->ntensors == envelope->nextents;

    if (extents == NULL)
        return no_memory(path, err);
    for (int64_t i = 0; i < index->ntensors; i++)
        extents[i] =
            (struct rf_extent){index->tensors[i].offset, rf_index_size(&index->tensors[i])};
    qsort(extents, (size_t)index->ntensors, sizeof *extents, by_offset);
    for (int64_t i = 0; fits && i < index->ntensors; i++)
        fits = extents[i].offset == envelope->extents[i].offset &&
               extents[i].size == envelope->extents[i].size;
    free(extents);
    if (!fits)
        return rf_fail(err, RF_ERR_INPUT, "'%s': its tensors are not where its extents are",
                       path);
    for (int64_t i = 0; i < index->ntensors; i++)
        counted += rf_granule_count(index->tensors[i].shape);
    if (counted != index->ngranules)
        return rf_fail(err, RF_ERR_INPUT, "'%s' has %lld digests for %lld granules", path,
                       (long long)index->ngranules, (long long)counted);
    if (!is_sealed(envelope, index->names, n * RF_TENSOR_NAME) ||
        !is_sealed(envelope, index->tensor_digests, n * RF_DIGEST_BYTES) ||
        !is_sealed(envelope, index->granule_digests, granules * RF_DIGEST_BYTES) ||
        !is_sealed(envelope, index->content, RF_DIGEST_BYTES))
        return rf_fail(err, RF_ERR_INPUT, "'%s' has a table in an impossible place", path);
    return RF_OK;
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
    if (m->tensors == NULL || contents->offsets == NULL || contents->granules == NULL)
        return no_memory(path, err);
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_index_tensor *from = &index->tensors[i];

        m->tensors[i].ndims = from->ndims;
        m->tensors[i].stored = from->stored;
        memcpy(m->tensors[i].shape, from->shape, sizeof from->shape);
        contents->offsets[i] = from->offset;
    }
    return RF_OK;
}

static enum rf_status read_at(int fd, const char *path, void *to, size_t size, uint64_t offset,
                              struct rf_error *err)
{
    unsigned char *at = to;

    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return rf_fail(err, RF_NO, "'%s' is cut short", path);
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return RF_OK;
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

        st = read_at(fd, path, t->name, RF_TENSOR_NAME,
                     index->names + (uint64_t)i * RF_TENSOR_NAME, err);
        if (st == RF_OK)
            st = read_at(fd, path, t->digest.bytes, RF_DIGEST_BYTES,
                         index->tensor_digests + (uint64_t)i * RF_DIGEST_BYTES, err);
    }
    if (st == RF_OK)
        st = read_at(fd, path, contents->granules,
                     (size_t)contents->ngranules * sizeof *contents->granules,
                     index->granule_digests, err);
    if (st == RF_OK)
        st = read_at(fd, path, m->content.bytes, RF_DIGEST_BYTES, index->content, err);
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
        st = check_places(&index, &envelope, path, err);
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
        st = check_names(contents->manifest, path, err);
    if (st == RF_OK)
        st = check_digests(contents, path, err);
    rf_index_clear(&index);
    rf_envelope_clear(&envelope);
    if (st != RF_OK)
        rf_ckpt_contents_clear(contents);
    return st;
}

void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents)
{
    rf_manifest_free(contents->manifest);
    free(contents->granules);
    free(contents->offsets);
    *contents = (struct rf_ckpt_contents){0};
}
