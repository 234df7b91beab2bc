#include "mpi/ckpt_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"

static const char format_name[] = "ringfence-checkpoint";
enum { FORMAT_VERSION = 1 };

/* The fields of struct rf_ckpt_info as root attributes; text of size 0 is an int64_t. */
static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
    {"step", offsetof(struct rf_ckpt_info, step), 0},
    {"tokens", offsetof(struct rf_ckpt_info, tokens), 0},
    {"flops", offsetof(struct rf_ckpt_info, flops), 0},
    {"seed", offsetof(struct rf_ckpt_info, seed), 0},
    {"job", offsetof(struct rf_ckpt_info, job), sizeof(((struct rf_ckpt_info *)0)->job)},
    {"account", offsetof(struct rf_ckpt_info, account),
     sizeof(((struct rf_ckpt_info *)0)->account)},
    {"model", offsetof(struct rf_ckpt_info, model), sizeof(((struct rf_ckpt_info *)0)->model)},
    {"tokenizer", offsetof(struct rf_ckpt_info, tokenizer),
     sizeof(((struct rf_ckpt_info *)0)->tokenizer)},
    {"config", offsetof(struct rf_ckpt_info, config),
     sizeof(((struct rf_ckpt_info *)0)->config)},
    {"version", offsetof(struct rf_ckpt_info, version),
     sizeof(((struct rf_ckpt_info *)0)->version)},
};
enum { NFIELDS = sizeof fields / sizeof fields[0] };

void rf_ckpt_object(char object[RF_CKPT_OBJECT], const char *tensor_name)
{
    int moment = (tensor_name[0] == 'm' || tensor_name[0] == 'v') && tensor_name[1] == '/';

    snprintf(object, RF_CKPT_OBJECT, "%s%s", moment ? "/optimizer/" : "/params/", tensor_name);
}

static enum rf_status put_info(struct rf_h5 *file, const struct rf_ckpt_info *info,
                               struct rf_error *err)
{
    enum rf_status st = rf_h5_group(file, "/format", err);

    if (st == RF_OK)
        st = rf_h5_put_text(file, "/format", "name", format_name, err);
    if (st == RF_OK)
        st = rf_h5_put_int(file, "/format", "version", FORMAT_VERSION, err);
    for (int i = 0; st == RF_OK && i < NFIELDS; i++) {
        const char *field = (const char *)info + fields[i].offset;
        int64_t value;

        if (fields[i].size > 0) {
            st = rf_h5_put_text(file, "/", fields[i].name, field, err);
        } else {
            memcpy(&value, field, sizeof value);
            st = rf_h5_put_int(file, "/", fields[i].name, value, err);
        }
    }
    if (st == RF_OK)
        st = rf_h5_put_int(file, "/", "ranks", info->ranks, err);
    return st;
}

static enum rf_status get_info(struct rf_h5 *file, struct rf_ckpt_info *info,
                               struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int64_t value = 0;

    for (int i = 0; st == RF_OK && i < NFIELDS; i++) {
        char *field = (char *)info + fields[i].offset;

        if (fields[i].size > 0) {
            st = rf_h5_get_text(file, "/", fields[i].name, field, fields[i].size, err);
        } else {
            st = rf_h5_get_int(file, "/", fields[i].name, &value, err);
            memcpy(field, &value, sizeof value);
        }
    }
    if (st == RF_OK)
        st = rf_h5_get_int(file, "/", "ranks", &value, err);
    info->ranks = (int)value;
    return st;
}

/* The arrays of digests; their rows are filled once the tensors are. */
static enum rf_status make_digest_arrays(struct rf_h5 *file, int ntensors, int64_t ngranules,
                                         struct rf_error *err)
{
    const int64_t names[1] = {ntensors}, content[1] = {RF_DIGEST_BYTES};
    const int64_t tensors[2] = {ntensors, RF_DIGEST_BYTES};
    const int64_t granules[2] = {ngranules, RF_DIGEST_BYTES};
    enum rf_status st = rf_h5_group(file, "/digests", err);

    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/names", RF_H5_NAME, 1, names, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/tensors", RF_H5_U8, 2, tensors, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/granules", RF_H5_U8, 2, granules, err);
    if (st == RF_OK)
        st = rf_h5_array(file, "/digests/content", RF_H5_U8, 1, content, err);
    return st;
}

static enum rf_status make_tensors(struct rf_h5 *file, const struct rf_tensor *tensors,
                                   int ntensors, struct rf_extent *extents,
                                   struct rf_error *err)
{
    enum rf_status st = rf_h5_group(file, "/params", err);

    if (st == RF_OK)
        st = rf_h5_group(file, "/optimizer", err);
    if (st == RF_OK)
        st = rf_h5_group(file, "/optimizer/m", err);
    if (st == RF_OK)
        st = rf_h5_group(file, "/optimizer/v", err);
    for (int i = 0; st == RF_OK && i < ntensors; i++) {
        char object[RF_CKPT_OBJECT], name[RF_TENSOR_NAME] = {0};

        rf_ckpt_object(object, tensors[i].name);
        memcpy(name, tensors[i].name, strlen(tensors[i].name));
        st = rf_h5_array(file, object, RF_H5_F32, tensors[i].ndims, tensors[i].shape, err);
        if (st == RF_OK)
            st = rf_h5_offset(file, object, &extents[i].offset, err);
        if (st == RF_OK)
            st = rf_h5_write(file, "/digests/names", RF_H5_NAME, i, 1, name, err);
        extents[i].size = (uint64_t)(tensors[i].shape[0] * tensors[i].shape[1]) * sizeof(float);
    }
    return st;
}

enum rf_status rf_ckpt_lay_out(const char *path, const struct rf_ckpt_info *info,
                               const struct rf_tensor *tensors, int ntensors, int64_t ngranules,
                               struct rf_extent *extents, struct rf_error *err)
{
    struct rf_h5 *file = NULL;
    struct rf_error other;
    enum rf_status st, closed;

    st = rf_h5_create(&file, path, (size_t)rf_envelope_bytes(ntensors), err);
    if (st == RF_OK)
        st = put_info(file, info, err);
    if (st == RF_OK)
        st = make_digest_arrays(file, ntensors, ngranules, err);
    if (st == RF_OK)
        st = make_tensors(file, tensors, ntensors, extents, err);
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    return st == RF_OK ? closed : st;
}

enum rf_status rf_ckpt_put_digests(struct rf_h5 *file, const struct rf_digest *granules,
                                   int64_t ngranules, const struct rf_manifest_tensor *tensors,
                                   int ntensors, const struct rf_digest *content,
                                   struct rf_error *err)
{
    enum rf_status st =
        rf_h5_write(file, "/digests/granules", RF_H5_U8, 0, ngranules, granules, err);

    for (int i = 0; st == RF_OK && i < ntensors; i++)
        st =
            rf_h5_write(file, "/digests/tensors", RF_H5_U8, i, 1, tensors[i].digest.bytes, err);
    if (st == RF_OK)
        st = rf_h5_write(file, "/digests/content", RF_H5_U8, 0, RF_DIGEST_BYTES, content->bytes,
                         err);
    return st;
}

static enum rf_status check_format(struct rf_h5 *file, const char *path, int *version,
                                   struct rf_error *err)
{
    char name[sizeof format_name];
    int64_t value;
    enum rf_status st = rf_h5_get_text(file, "/format", "name", name, sizeof name, err);

    if (st == RF_OK)
        st = rf_h5_get_int(file, "/format", "version", &value, err);
    if (st != RF_OK || strcmp(name, format_name) != 0)
        return rf_fail(err, RF_ERR_INPUT, "'%s' is not a ringfence checkpoint", path);
    if (value != FORMAT_VERSION)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is a checkpoint of version %lld; this program reads version %d",
                       path, (long long)value, FORMAT_VERSION);
    *version = (int)value;
    return RF_OK;
}

/* Names and shapes; counts the granules. Sizes must be possible in a file of this length. */
static enum rf_status read_tensors(struct rf_ckpt_contents *contents, struct rf_h5 *file,
                                   const char *path, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    enum rf_status st = RF_OK;

    contents->ngranules = 0;
    for (int i = 0; st == RF_OK && i < m->ntensors; i++) {
        struct rf_manifest_tensor *tensor = &m->tensors[i];
        char object[RF_CKPT_OBJECT];

        st = rf_h5_read(file, "/digests/names", RF_H5_NAME, i, 1, tensor->name, err);
        tensor->name[RF_TENSOR_NAME - 1] = '\0';
        rf_ckpt_object(object, tensor->name);
        if (st == RF_OK)
            st = rf_h5_shape(file, object, RF_H5_F32, &tensor->ndims, tensor->shape, err);
        if (st == RF_OK)
            st =
                rf_h5_read(file, "/digests/tensors", RF_H5_U8, i, 1, tensor->digest.bytes, err);
        if (st == RF_OK && (tensor->shape[0] < 1 || tensor->shape[1] < 1 ||
                            tensor->shape[0] > m->file_bytes / 4 / tensor->shape[1]))
            st = rf_fail(err, RF_ERR_INPUT, "'%s': tensor '%s' is larger than the file", path,
                         tensor->name);
        if (st == RF_OK)
            contents->ngranules += rf_granule_count(tensor->shape);
    }
    return st;
}

static enum rf_status read_granules(struct rf_ckpt_contents *contents, struct rf_h5 *file,
                                    const char *path, struct rf_error *err)
{
    int64_t shape[2];
    int ndims;
    enum rf_status st = rf_h5_shape(file, "/digests/granules", RF_H5_U8, &ndims, shape, err);

    if (st == RF_OK && (shape[0] != contents->ngranules || shape[1] != RF_DIGEST_BYTES))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has %lld digests for %lld granules", path,
                     (long long)shape[0], (long long)contents->ngranules);
    if (st != RF_OK)
        return st;
    contents->granules = malloc((size_t)contents->ngranules * sizeof *contents->granules);
    if (contents->granules == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    return rf_h5_read(file, "/digests/granules", RF_H5_U8, 0, contents->ngranules,
                      contents->granules, err);
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

static enum rf_status read_all(struct rf_ckpt_contents *contents, struct rf_h5 *file,
                               const char *path, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    int64_t shape[2] = {0, 1}, bytes[2];
    int ndims;
    enum rf_status st = check_format(file, path, &m->format_version, err);

    if (st == RF_OK)
        st = get_info(file, &m->info, err);
    if (st == RF_OK)
        st = rf_h5_shape(file, "/digests/names", RF_H5_NAME, &ndims, shape, err);
    if (st == RF_OK)
        st = rf_h5_shape(file, "/digests/content", RF_H5_U8, &ndims, bytes, err);
    if (st == RF_OK && (ndims != 1 || bytes[0] != RF_DIGEST_BYTES || shape[0] < 1 ||
                        shape[0] > m->file_bytes / RF_TENSOR_NAME))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has impossible digest tables", path);
    if (st == RF_OK)
        st = rf_h5_shape(file, "/digests/tensors", RF_H5_U8, &ndims, bytes, err);
    if (st == RF_OK && (ndims != 2 || bytes[0] != shape[0] || bytes[1] != RF_DIGEST_BYTES))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has impossible digest tables", path);
    if (st != RF_OK)
        return st;
    m->ntensors = (int)shape[0];
    m->tensors = calloc((size_t)m->ntensors, sizeof *m->tensors);
    if (m->tensors == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    st = rf_h5_read(file, "/digests/content", RF_H5_U8, 0, RF_DIGEST_BYTES, m->content.bytes,
                    err);
    if (st == RF_OK)
        st = read_tensors(contents, file, path, err);
    if (st == RF_OK)
        st = read_granules(contents, file, path, err);
    if (st == RF_OK)
        st = check_digests(contents, path, err);
    return st;
}

enum rf_status rf_ckpt_contents_read(struct rf_ckpt_contents *contents, const char *path,
                                     struct rf_error *err)
{
    struct rf_h5 *file = NULL;
    int64_t file_bytes;
    enum rf_status st;

    *contents = (struct rf_ckpt_contents){0};
    st = rf_envelope_check(path, 0, &file_bytes, err);
    if (st != RF_OK)
        return st;
    contents->manifest = calloc(1, sizeof *contents->manifest);
    if (contents->manifest == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    contents->manifest->file_bytes = file_bytes;
    st = rf_h5_open(&file, path, err);
    if (st == RF_OK)
        st = read_all(contents, file, path, err);
    rf_h5_close(file, NULL);
    if (st != RF_OK)
        rf_ckpt_contents_clear(contents);
    return st;
}

void rf_ckpt_contents_clear(struct rf_ckpt_contents *contents)
{
    rf_manifest_free(contents->manifest);
    free(contents->granules);
    *contents = (struct rf_ckpt_contents){0};
}
