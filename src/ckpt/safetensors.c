#include "ckpt/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "values are little-endian in the file; a big-endian machine needs a swap"
#endif

enum { PIECE_VALUES = 1 << 14 };

/* A file that is too short is a wrong input here. */
static enum rf_status read_at(int fd, const char *path, void *to, size_t size, uint64_t offset,
                              struct rf_error *err)
{
    enum rf_status st = rf_file_read_at(fd, path, to, size, offset, err);

    return st == RF_NO ? (err->status = RF_ERR_INPUT) : st;
}

static enum rf_status load(struct rf_safetensors **file, int fd, const char *path,
                           struct rf_error *err)
{
    unsigned char length[8];
    uint64_t size = 0;
    struct stat info;
    char *header;
    enum rf_status st;

    if (fstat(fd, &info) != 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return rf_fail(err, RF_ERR_INPUT, "'%s' is not a file", path);
    if (info.st_size < 8)
        return rf_fail(err, RF_ERR_INPUT, "'%s' is no safetensors file: too short", path);
    st = read_at(fd, path, length, sizeof length, 0, err);
    if (st != RF_OK)
        return st;
    for (int i = 0; i < 8; i++)
        size |= (uint64_t)length[i] << (8 * i);
    if (size > RF_SAFETENSORS_HEADER || size > (uint64_t)info.st_size - 8)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is no safetensors file: it announces a header of %llu bytes", path,
                       (unsigned long long)size);
    header = malloc((size_t)size + 1);
    if (header == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
    st = read_at(fd, path, header, (size_t)size, 8, err);
    if (st == RF_OK)
        st = rf_safetensors_parse(file, path, header, (size_t)size,
                                  (uint64_t)info.st_size - 8 - size, err);
    free(header);
    return st;
}

enum rf_status rf_safetensors_open(struct rf_safetensors **file, const char *path,
                                   struct rf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rf_status st;

    *file = NULL;
    if (fd < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    st = load(file, fd, path, err);
    if (st == RF_OK)
        (*file)->fd = fd;
    else
        close(fd);
    return st;
}

void rf_safetensors_close(struct rf_safetensors *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->tensors);
    free(file->notes);
    free(file->text);
    free(file);
}

const struct rf_safetensors_tensor *rf_safetensors_find(const struct rf_safetensors *file,
                                                        const char *name)
{
    for (int i = 0; i < file->ntensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *rf_safetensors_note(const struct rf_safetensors *file, const char *key)
{
    for (int i = 0; i < file->nnotes; i++)
        if (strcmp(file->notes[i].key, key) == 0)
            return file->notes[i].text;
    return NULL;
}

static float of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every fp16 is an fp32: the exponent's bias changes from 15 to 127, and what is too small for
 * fp16's normal numbers is one for fp32's. */
static float of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 1023;

    if (exponent == 31)
        return of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent > 0)
        return of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return of_bits(sign | 0x3f800000) * (float)fraction * 0x1p-24f;
}

static void unpack(float *values, const uint16_t *halves, size_t n, int type)
{
    for (size_t i = 0; i < n; i++)
        values[i] = type == RF_SAFETENSORS_BF16 ? of_bits((uint32_t)halves[i] << 16)
                                                : of_half(halves[i]);
}

enum rf_status rf_safetensors_read(const struct rf_safetensors *file, const char *path,
                                   const struct rf_safetensors_tensor *tensor, int64_t first,
                                   int64_t n, float *values, struct rf_error *err)
{
    uint64_t bytes = rf_safetensors_bytes(tensor->type);
    uint64_t at = file->data_at + tensor->begin + (uint64_t)first * bytes;
    uint16_t halves[PIECE_VALUES];
    enum rf_status st = RF_OK;

    if (tensor->type == RF_SAFETENSORS_F32)
        return read_at(file->fd, path, values, (size_t)n * sizeof(float), at, err);
    while (st == RF_OK && n > 0) {
        size_t some = n < PIECE_VALUES ? (size_t)n : PIECE_VALUES;

        st = read_at(file->fd, path, halves, some * sizeof halves[0], at, err);
        if (st == RF_OK)
            unpack(values, halves, some, tensor->type);
        values += some;
        at += some * sizeof halves[0];
        n -= (int64_t)some;
    }
    return st;
}

void rf_safetensors_pack(void *bytes, const float *values, size_t n, int type)
{
    unsigned char *to = bytes;

    if (type == RF_SAFETENSORS_F32) {
        memcpy(to, values, n * sizeof *values);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        uint16_t half;

        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7fffffff) > 0x7f800000) /* NaN: rounding could make it infinite */
            half = (uint16_t)(bits >> 16 | 0x40);
        else
            half = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        memcpy(to + i * sizeof half, &half, sizeof half);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct rf_safetensors_tensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static json_t *describe(const struct rf_safetensors_tensor *tensor)
{
    json_t *shape = json_array();

    for (int d = 0; d < tensor->ndims; d++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", rf_safetensors_type_name(tensor->type),
                     "shape", shape, "data_offsets", (json_int_t)tensor->begin,
                     (json_int_t)tensor->end);
}

/* NULL when a name or a text is not UTF-8, or there is no memory. */
static json_t *document(const struct rf_safetensors_tensor *tensors, int ntensors,
                        const struct rf_safetensors_note *notes, int nnotes)
{
    json_t *doc = json_object(), *metadata = json_object();
    int failed = 0;

    for (int i = 0; i < nnotes; i++)
        failed |= json_object_set_new(metadata, notes[i].key, json_string(notes[i].text));
    if (nnotes > 0)
        failed |= json_object_set(doc, "__metadata__", metadata);
    for (int i = 0; i < ntensors; i++)
        failed |= json_object_set_new(doc, tensors[i].name, describe(&tensors[i]));
    json_decref(metadata);
    if (!failed)
        return doc;
    json_decref(doc);
    return NULL;
}

static void lay_out(struct rf_safetensors_tensor *tensors, int ntensors)
{
    uint64_t at = 0;

    if (ntensors > 1)
        qsort(tensors, (size_t)ntensors, sizeof *tensors, by_name);
    for (int i = 0; i < ntensors; i++) {
        uint64_t size = rf_safetensors_bytes(tensors[i].type);

        for (int d = 0; d < tensors[i].ndims; d++)
            size *= (uint64_t)tensors[i].shape[d];
        tensors[i].begin = at;
        tensors[i].end = at += size;
    }
}

enum rf_status rf_safetensors_head(struct rf_safetensors_tensor *tensors, int ntensors,
                                   const struct rf_safetensors_note *notes, int nnotes,
                                   char **head, size_t *size_bytes, struct rf_error *err)
{
    struct rf_safetensors *read_back = NULL;
    json_t *doc;
    char *text;
    size_t length, padded;
    enum rf_status st;

    *head = NULL;
    lay_out(tensors, ntensors);
    doc = document(tensors, ntensors, notes, nnotes);
    text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (text == NULL)
        return rf_fail(err, RF_ERR_INPUT, "a tensor's name or a text is not UTF-8");
    length = strlen(text);
    padded = (length + 7) / 8 * 8;
    if (padded > RF_SAFETENSORS_HEADER) {
        free(text);
        return rf_fail(err, RF_ERR_INPUT, "a header of %zu bytes is over the limit of %d",
                       padded, RF_SAFETENSORS_HEADER);
    }
    *head = malloc(8 + padded);
    if (*head == NULL) {
        free(text);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a header of %zu bytes", padded);
    }
    for (int i = 0; i < 8; i++)
        (*head)[i] = (char)(padded >> (8 * i) & 255);
    memset(*head + 8, ' ', padded);
    memcpy(*head + 8, text, length);
    *size_bytes = 8 + padded;
    free(text);
    st = rf_safetensors_parse(&read_back, "header", *head + 8, padded,
                              ntensors > 0 ? tensors[ntensors - 1].end : 0, err);
    rf_safetensors_close(read_back);
    if (st != RF_OK) {
        free(*head);
        *head = NULL;
    }
    return st;
}
