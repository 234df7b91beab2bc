#include "mpi/ckpt_table.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"

static const char format_name[] = "ringfence-checkpoint";
/* A file says the lowest version that knows all that is in it: 2 has other types than fp32. */
enum { VERSION_F32 = 1, VERSION_TYPES = 2 };
/* HDF5 keeps attributes of up to 64 KiB in one piece. */
enum { CONFIG_TEXT_MAX = 60000 };

/* The fields of struct rf_ckpt_info as root attributes; text of size 0 is an int64_t. Files of
 * early programs lack the optional ones. */
static const struct {
    const char *name;
    size_t offset, size;
    int optional;
} fields[] = {
    {"step", offsetof(struct rf_ckpt_info, step), 0, 0},
    {"tokens", offsetof(struct rf_ckpt_info, tokens), 0, 0},
    {"flops", offsetof(struct rf_ckpt_info, flops), 0, 0},
    {"data_position", offsetof(struct rf_ckpt_info, data_position), 0, 1},
    {"seed", offsetof(struct rf_ckpt_info, seed), 0, 0},
    {"job", offsetof(struct rf_ckpt_info, job), sizeof(((struct rf_ckpt_info *)0)->job), 0},
    {"account", offsetof(struct rf_ckpt_info, account),
     sizeof(((struct rf_ckpt_info *)0)->account), 0},
    {"model", offsetof(struct rf_ckpt_info, model), sizeof(((struct rf_ckpt_info *)0)->model), 0},
    {"tokenizer", offsetof(struct rf_ckpt_info, tokenizer),
     sizeof(((struct rf_ckpt_info *)0)->tokenizer), 0},
    {"config", offsetof(struct rf_ckpt_info, config),
     sizeof(((struct rf_ckpt_info *)0)->config), 0},
    {"version", offsetof(struct rf_ckpt_info, version),
     sizeof(((struct rf_ckpt_info *)0)->version), 0},
};
enum { NFIELDS = sizeof fields / sizeof fields[0] };

void rf_ckpt_object(char object[RF_CKPT_OBJECT], const char *tensor_name)
{
    int moment = (tensor_name[0] == 'm' || tensor_name[0] == 'v') && tensor_name[1] == '/';

    snprintf(object, RF_CKPT_OBJECT, "%s%s", moment ? "/optimizer/" : "/params/", tensor_name);
}

enum rf_h5_type rf_ckpt_kind(enum rf_stored stored)
{
    return stored == RF_STORED_BF16 ? RF_H5_BF16 : RF_H5_F32;
}

static enum rf_status put_info(struct rf_h5 *file, const struct rf_ckpt_info *info,
                               const char *config_text, int version, struct rf_error *err)
{
    enum rf_status st = rf_h5_group(file, "/format", err);

    if (st == RF_OK)
        st = rf_h5_put_text(file, "/format", "name", format_name, err);
    if (st == RF_OK)
        st = rf_h5_put_int(file, "/format", "version", version, err);
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
    if (st == RF_OK && config_text != NULL && strlen(config_text) < CONFIG_TEXT_MAX)
        st = rf_h5_put_text(file, "/", "config_text", config_text, err);
    return st;
}

static enum rf_status get_info(struct rf_h5 *file, struct rf_ckpt_info *info,
                               struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int64_t value = 0;

    for (int i = 0; st == RF_OK && i < NFIELDS; i++) {
        char *field = (char *)info + fields[i].offset;

        if (fields[i].optional && !rf_h5_has(file, "/", fields[i].name))
            continue;
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
        st = rf_h5_array(file, object, rf_ckpt_kind(tensors[i].stored), tensors[i].ndims,
                         tensors[i].shape, err);
        if (st == RF_OK)
            st = rf_h5_offset(file, object, &extents[i].offset, err);
        if (st == RF_OK)
            st = rf_h5_write(file, "/digests/names", RF_H5_NAME, i, 1, name, err);
        extents[i].size = (uint64_t)(tensors[i].shape[0] * tensors[i].shape[1]) *
                          rf_stored_bytes(tensors[i].stored);
    }
    return st;
}

static enum rf_status find_places(struct rf_h5 *file, struct rf_ckpt_places *places,
                                  struct rf_error *err)
{
    enum rf_status st = rf_h5_offset(file, "/digests/granules", &places->granules, err);

    if (st == RF_OK)
        st = rf_h5_offset(file, "/digests/tensors", &places->tensors, err);
    if (st == RF_OK)
        st = rf_h5_offset(file, "/digests/content", &places->content, err);
    return st;
}

enum rf_status rf_ckpt_lay_out(const char *path, const struct rf_ckpt_info *info,
                               const char *config_text, const struct rf_tensor *tensors,
                               int ntensors, int64_t ngranules, struct rf_extent *extents,
                               struct rf_ckpt_places *places, struct rf_error *err)
{
    struct rf_h5 *file = NULL;
    struct rf_error other;
    enum rf_status st, closed;
    int version = VERSION_F32;

    for (int i = 0; i < ntensors; i++)
        if (tensors[i].stored != RF_STORED_F32)
            version = VERSION_TYPES;
    st = rf_h5_create(&file, path, (size_t)rf_envelope_bytes(ntensors), err);
    if (st == RF_OK)
        st = put_info(file, info, config_text, version, err);
    if (st == RF_OK)
        st = make_digest_arrays(file, ntensors, ngranules, err);
    if (st == RF_OK)
        st = make_tensors(file, tensors, ntensors, extents, err);
    if (st == RF_OK)
        st = find_places(file, places, err);
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    return st == RF_OK ? closed : st;
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
    if (value < VERSION_F32 || value > VERSION_TYPES)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is a checkpoint of version %lld; this program reads %d to %d",
                       path, (long long)value, VERSION_F32, VERSION_TYPES);
    *version = (int)value;
    return RF_OK;
}

/* Type, shape and place of one tensor; nothing is taken for granted, for the file may be
 * anybody's. */
static enum rf_status read_tensor(struct rf_ckpt_contents *contents, int i, struct rf_h5 *file,
                                  const char *path, struct rf_error *err)
{
    const struct rf_manifest *m = contents->manifest;
    struct rf_manifest_tensor *tensor = &m->tensors[i];
    uint64_t value, end = (uint64_t)m->file_bytes;
    char object[RF_CKPT_OBJECT];
    enum rf_status st;

    rf_ckpt_object(object, tensor->name);
    if (m->format_version >= VERSION_TYPES &&
        rf_h5_shape(file, object, RF_H5_BF16, &tensor->ndims, tensor->shape, NULL) == RF_OK) {
        tensor->stored = RF_STORED_BF16;
        st = RF_OK;
    } else {
        st = rf_h5_shape(file, object, RF_H5_F32, &tensor->ndims, tensor->shape, err);
    }
    if (st != RF_OK)
        return st;
    value = rf_stored_bytes(tensor->stored);
    if (tensor->shape[0] < 1 || tensor->shape[1] < 1 ||
        (uint64_t)tensor->shape[0] > end / value / (uint64_t)tensor->shape[1])
        return rf_fail(err, RF_ERR_INPUT, "'%s': tensor '%s' is larger than the file", path,
                       tensor->name);
    st = rf_h5_offset(file, object, &contents->offsets[i], err);
    if (st != RF_OK)
        return rf_fail(err, RF_ERR_INPUT, "'%s': tensor '%s' is not in one piece", path,
                       tensor->name);
    value *= (uint64_t)(tensor->shape[0] * tensor->shape[1]);
    if (contents->offsets[i] > end || value > end - contents->offsets[i])
        return rf_fail(err, RF_ERR_INPUT, "'%s': tensor '%s' lies outside the file", path,
                       tensor->name);
    return RF_OK;
}

/* Names and shapes; counts the granules. */
static enum rf_status read_tensors(struct rf_ckpt_contents *contents, struct rf_h5 *file,
                                   const char *path, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    enum rf_status st = RF_OK;

    contents->ngranules = 0;
    for (int i = 0; st == RF_OK && i < m->ntensors; i++) {
        struct rf_manifest_tensor *tensor = &m->tensors[i];

        st = rf_h5_read(file, "/digests/names", RF_H5_NAME, i, 1, tensor->name, err);
        tensor->name[RF_TENSOR_NAME - 1] = '\0';
        if (st == RF_OK)
            st = read_tensor(contents, i, file, path, err);
        if (st == RF_OK)
            st =
                rf_h5_read(file, "/digests/tensors", RF_H5_U8, i, 1, tensor->digest.bytes, err);
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
                        shape[0] > m->file_bytes / RF_TENSOR_NAME || shape[0] > INT_MAX / 4))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has impossible digest tables", path);
    if (st == RF_OK)
        st = rf_h5_shape(file, "/digests/tensors", RF_H5_U8, &ndims, bytes, err);
    if (st == RF_OK && (ndims != 2 || bytes[0] != shape[0] || bytes[1] != RF_DIGEST_BYTES))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has impossible digest tables", path);
    if (st != RF_OK)
        return st;
    m->ntensors = (int)shape[0];
    m->tensors = calloc((size_t)m->ntensors, sizeof *m->tensors);
    contents->offsets = calloc((size_t)m->ntensors, sizeof *contents->offsets);
    if (m->tensors == NULL || contents->offsets == NULL)
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
    free(contents->offsets);
    *contents = (struct rf_ckpt_contents){0};
}
