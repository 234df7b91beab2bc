/* A header is JSON of one fixed form, up to 100 MB of it, from a stranger. A general JSON
 * library would make a tree of many times that size before anything could be refused, and
 * would not see everything that the format forbids. So the form is read as it comes: what
 * does not belong there ends the reading at once, and memory stays within a few times the
 * header's length. */
#include "ckpt/safetensors.h"

#include <stdlib.h>
#include <string.h>

struct scan {
    const char *path;
    const char *begin, *at, *end; /* the header */
    struct rf_safetensors *file;
    size_t used;                /* bytes of file->text */
    int tensor_room, note_room; /* of the arrays */
    int notes_seen;             /* "__metadata__" was there */
};

static const struct {
    const char *name;
    int type, bits;
} types[] = {
    {"F32", RF_SAFETENSORS_F32, 32},
    {"BF16", RF_SAFETENSORS_BF16, 16},
    {"F16", RF_SAFETENSORS_F16, 16},
    {"BOOL", 100, 8},
    {"U8", 101, 8},
    {"I8", 102, 8},
    {"F8_E5M2", 103, 8},
    {"F8_E4M3", 104, 8},
    {"F8_E8M0", 105, 8},
    {"I16", 106, 16},
    {"U16", 107, 16},
    {"I32", 108, 32},
    {"U32", 109, 32},
    {"F64", 110, 64},
    {"I64", 111, 64},
    {"U64", 112, 64},
    {"C64", 113, 64},
    {"F4", 114, 4},
    {"F6_E2M3", 115, 6},
    {"F6_E3M2", 116, 6},
};
enum { NTYPES = sizeof types / sizeof types[0] };

static int bits_of(int type)
{
    for (int i = 0; i < NTYPES; i++)
        if (types[i].type == type)
            return types[i].bits;
    return 0;
}

const char *rf_safetensors_type_name(int type)
{
    for (int i = 0; i < NTYPES; i++)
        if (types[i].type == type)
            return types[i].name;
    return "?";
}

size_t rf_safetensors_bytes(int type)
{
    return (size_t)bits_of(type) / 8;
}

static enum rf_status wrong(const struct scan *scan, const char *what, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "'%s' is no sound safetensors file: header byte %lld: %s",
                   scan->path, (long long)(scan->at - scan->begin), what);
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

/* Goes past c, if it is there. */
static int take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return 0;
    scan->at++;
    return 1;
}

static int hex4(const struct scan *scan, const char *at, unsigned *value)
{
    *value = 0;
    if (scan->end - at < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];

        *value <<= 4;
        if (c >= '0' && c <= '9')
            *value |= (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *value |= (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            *value |= (unsigned)(c - 'A' + 10);
        else
            return 0;
    }
    return 1;
}

/* Bytes of the UTF-8 character at `at`, or 0: too long forms, surrogates and what lies beyond
 * Unicode are none. */
static int utf8(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    int n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
    unsigned char second;

    if (n == 1)
        return 1;
    if (c < 0xc2 || c > 0xf4 || end - at < n)
        return 0;
    for (int i = 1; i < n; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
    second = (unsigned char)at[1];
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
        (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
        return 0;
    return n;
}

static void put_utf8(struct scan *scan, unsigned code)
{
    char *to = scan->file->text + scan->used;
    int n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[5] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (int i = n - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    to[0] = (char)(first[n] | code);
    scan->used += (size_t)n;
}

/* What follows a backslash. */
static enum rf_status escape(struct scan *scan, struct rf_error *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *plain;
    unsigned code, low;

    if (scan->at == scan->end)
        return wrong(scan, "the text has no end", err);
    plain = memchr(from, *scan->at, sizeof from - 1);
    if (plain != NULL) {
        put_utf8(scan, (unsigned char)to[plain - from]);
        scan->at++;
        return RF_OK;
    }
    if (*scan->at != 'u' || !hex4(scan, scan->at + 1, &code))
        return wrong(scan, "no such escape in JSON", err);
    scan->at += 5;
    if (code >= 0xd800 && code < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
        scan->at[1] == 'u' && hex4(scan, scan->at + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        scan->at += 6;
    }
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        return wrong(scan, "the escape is no character", err);
    put_utf8(scan, code);
    return RF_OK;
}

/* A text, decoded behind what is in file->text already: it never grows by that, so there is
 * room for all of them and their ends. */
static enum rf_status text(struct scan *scan, const char **value, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int n;

    if (!take(scan, '"'))
        return wrong(scan, "a text is expected", err);
    *value = scan->file->text + scan->used;
    while (st == RF_OK && scan->at < scan->end && *scan->at != '"') {
        if (*scan->at == '\\') {
            scan->at++;
            st = escape(scan, err);
            continue;
        }
        n = utf8(scan->at, scan->end);
        if (n == 0 || (unsigned char)*scan->at < 0x20)
            return wrong(scan, "not UTF-8, or a control character", err);
        memcpy(scan->file->text + scan->used, scan->at, (size_t)n);
        scan->used += (size_t)n;
        scan->at += n;
    }
    if (st != RF_OK)
        return st;
    if (scan->at == scan->end)
        return wrong(scan, "the text has no end", err);
    scan->at++;
    scan->file->text[scan->used++] = '\0';
    return RF_OK;
}

static enum rf_status number(struct scan *scan, int64_t *value, struct rf_error *err)
{
    const char *first;

    skip_space(scan);
    first = scan->at;
    *value = 0;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        int digit = *scan->at - '0';

        if (*value > (INT64_MAX - digit) / 10)
            return wrong(scan, "the number is too large", err);
        *value = *value * 10 + digit;
        scan->at++;
    }
    if (scan->at == first || (*first == '0' && scan->at - first > 1))
        return wrong(scan, "a whole number is expected", err);
    return RF_OK;
}

/* Up to max numbers in brackets; *n says how many there were. */
static enum rf_status numbers(struct scan *scan, int64_t *values, int max, int *n,
                              struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *n = 0;
    if (!take(scan, '['))
        return wrong(scan, "a list of numbers is expected", err);
    if (take(scan, ']'))
        return RF_OK;
    do {
        if (*n == max)
            return wrong(scan, "the list of numbers is too long", err);
        st = number(scan, &values[(*n)++], err);
    } while (st == RF_OK && take(scan, ','));
    if (st == RF_OK && !take(scan, ']'))
        st = wrong(scan, "the list of numbers has no end", err);
    return st;
}

static enum rf_status type_of(struct scan *scan, int *type, struct rf_error *err)
{
    const char *name;
    enum rf_status st = text(scan, &name, err);

    if (st != RF_OK)
        return st;
    for (int i = 0; i < NTYPES; i++)
        if (strcmp(types[i].name, name) == 0) {
            *type = types[i].type;
            return RF_OK;
        }
    return wrong(scan, "unknown dtype", err);
}

/* One field of a tensor; seen has a bit for each that was there. */
static enum rf_status field(struct scan *scan, struct rf_safetensors_tensor *tensor,
                            unsigned *seen, struct rf_error *err)
{
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    const char *name;
    unsigned bit = 0;
    int64_t offsets[2] = {0, 0};
    int n = 0;
    enum rf_status st = text(scan, &name, err);

    if (st != RF_OK)
        return st;
    while (bit < 3 && strcmp(names[bit], name) != 0)
        bit++;
    if (bit == 3)
        return wrong(scan, "a tensor has dtype, shape and data_offsets, nothing else", err);
    if (*seen & 1u << bit)
        return wrong(scan, "a tensor says the same thing twice", err);
    *seen |= 1u << bit;
    if (!take(scan, ':'))
        return wrong(scan, "':' is expected", err);
    if (bit == 0)
        return type_of(scan, &tensor->type, err);
    if (bit == 1)
        return numbers(scan, tensor->shape, RF_SAFETENSORS_DIMS, &tensor->ndims, err);
    st = numbers(scan, offsets, 2, &n, err);
    if (st == RF_OK && n != 2)
        st = wrong(scan, "data_offsets has two numbers", err);
    tensor->begin = (uint64_t)offsets[0];
    tensor->end = (uint64_t)offsets[1];
    return st;
}

static enum rf_status no_memory(const struct scan *scan, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", scan->path);
}

static enum rf_status tensor(struct scan *scan, const char *name, struct rf_error *err)
{
    struct rf_safetensors *file = scan->file;
    struct rf_safetensors_tensor one = {.name = name};
    unsigned seen = 0;
    enum rf_status st = RF_OK;

    if (!take(scan, '{'))
        return wrong(scan, "'{' is expected", err);
    do
        st = field(scan, &one, &seen, err);
    while (st == RF_OK && take(scan, ','));
    if (st == RF_OK && !take(scan, '}'))
        st = wrong(scan, "'}' is expected", err);
    if (st == RF_OK && seen != 7)
        st = wrong(scan, "the tensor lacks dtype, shape or data_offsets", err);
    if (st != RF_OK)
        return st;
    if (file->ntensors == scan->tensor_room) {
        int room = 2 * scan->tensor_room + 64;
        void *more = realloc(file->tensors, (size_t)room * sizeof *file->tensors);

        if (more == NULL)
            return no_memory(scan, err);
        file->tensors = more;
        scan->tensor_room = room;
    }
    file->tensors[file->ntensors++] = one;
    return RF_OK;
}

static enum rf_status note(struct scan *scan, struct rf_error *err)
{
    struct rf_safetensors *file = scan->file;
    struct rf_safetensors_note one;
    enum rf_status st = text(scan, &one.key, err);

    if (st == RF_OK && !take(scan, ':'))
        st = wrong(scan, "':' is expected", err);
    if (st == RF_OK)
        st = text(scan, &one.text, err);
    if (st != RF_OK)
        return st;
    if (file->nnotes == scan->note_room) {
        int room = 2 * scan->note_room + 16;
        void *more = realloc(file->notes, (size_t)room * sizeof *file->notes);

        if (more == NULL)
            return no_memory(scan, err);
        file->notes = more;
        scan->note_room = room;
    }
    file->notes[file->nnotes++] = one;
    return RF_OK;
}

static enum rf_status metadata(struct scan *scan, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (scan->notes_seen++)
        return wrong(scan, "'__metadata__' is there twice", err);
    if (!take(scan, '{'))
        return wrong(scan, "'{' is expected", err);
    if (take(scan, '}'))
        return RF_OK;
    do
        st = note(scan, err);
    while (st == RF_OK && take(scan, ','));
    if (st == RF_OK && !take(scan, '}'))
        st = wrong(scan, "'}' is expected", err);
    return st;
}

static enum rf_status entry(struct scan *scan, struct rf_error *err)
{
    const char *name;
    enum rf_status st = text(scan, &name, err);

    if (st == RF_OK && !take(scan, ':'))
        st = wrong(scan, "':' is expected", err);
    if (st != RF_OK)
        return st;
    return strcmp(name, "__metadata__") == 0 ? metadata(scan, err) : tensor(scan, name, err);
}

static enum rf_status whole(struct scan *scan, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (scan->at == scan->end || *scan->at != '{')
        return wrong(scan, "a header begins with '{'", err);
    scan->at++;
    if (!take(scan, '}')) {
        do
            st = entry(scan, err);
        while (st == RF_OK && take(scan, ','));
        if (st == RF_OK && !take(scan, '}'))
            st = wrong(scan, "'}' is expected", err);
    }
    while (st == RF_OK && scan->at < scan->end)
        if (*scan->at++ != ' ') {
            scan->at--;
            st = wrong(scan, "only spaces may follow the header's last '}'", err);
        }
    return st;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* Is one of n names there twice? They are sorted here. */
static enum rf_status all_different(const struct scan *scan, const char **names, int n,
                                    struct rf_error *err)
{
    if (n > 1)
        qsort(names, (size_t)n, sizeof *names, by_text);
    for (int i = 1; i < n; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return rf_fail(err, RF_ERR_INPUT,
                           "'%s' is no sound safetensors file: '%.100s' is there twice",
                           scan->path, names[i]);
    return RF_OK;
}

static enum rf_status nothing_twice(const struct scan *scan, struct rf_error *err)
{
    const struct rf_safetensors *file = scan->file;
    size_t most = (size_t)(file->ntensors > file->nnotes ? file->ntensors : file->nnotes);
    const char **names = malloc((most + 1) * sizeof *names);
    enum rf_status st;

    if (names == NULL)
        return no_memory(scan, err);
    for (int i = 0; i < file->ntensors; i++)
        names[i] = file->tensors[i].name;
    st = all_different(scan, names, file->ntensors, err);
    for (int i = 0; i < file->nnotes; i++)
        names[i] = file->notes[i].key;
    if (st == RF_OK)
        st = all_different(scan, names, file->nnotes, err);
    free(names);
    return st;
}

static int by_place(const void *a, const void *b)
{
    const struct rf_safetensors_tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The bytes that a tensor's shape asks for; 0 when that is no number of bytes. */
static int size_of(const struct rf_safetensors_tensor *tensor, uint64_t *size)
{
    uint64_t n = 1, bits = (uint64_t)bits_of(tensor->type);
    int empty = 0;

    for (int d = 0; d < tensor->ndims; d++)
        empty |= tensor->shape[d] == 0;
    for (int d = 0; !empty && d < tensor->ndims; d++) {
        if (n > (uint64_t)INT64_MAX / (uint64_t)tensor->shape[d])
            return 0;
        n *= (uint64_t)tensor->shape[d];
    }
    n = empty ? 0 : n;
    if (n > (uint64_t)INT64_MAX / bits || n * bits % 8 != 0)
        return 0;
    *size = n * bits / 8;
    return 1;
}

/* Tensors lie one behind the other, from the first byte to the last, each of its shape's size. */
static enum rf_status check_places(const struct scan *scan, struct rf_error *err)
{
    struct rf_safetensors *file = scan->file;
    uint64_t at = 0, size = 0;

    if (file->ntensors > 1)
        qsort(file->tensors, (size_t)file->ntensors, sizeof *file->tensors, by_place);
    for (int i = 0; i < file->ntensors; i++) {
        const struct rf_safetensors_tensor *one = &file->tensors[i];
        const char *problem = NULL;

        if (one->begin < at)
            problem = "overlaps the tensor before it";
        else if (one->begin > at)
            problem = "begins behind a hole";
        else if (one->end < one->begin || one->end > file->data_size)
            problem = "ends outside the file";
        else if (!size_of(one, &size) || size != one->end - one->begin)
            problem = "has another number of bytes than its shape asks for";
        if (problem != NULL)
            return rf_fail(err, RF_ERR_INPUT,
                           "'%s' is no sound safetensors file: tensor '%.100s' %s", scan->path,
                           one->name, problem);
        at = one->end;
    }
    if (at != file->data_size)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is no sound safetensors file: its tensors end %llu bytes before "
                       "the file does",
                       scan->path, (unsigned long long)(file->data_size - at));
    return RF_OK;
}

enum rf_status rf_safetensors_parse(struct rf_safetensors **file, const char *path,
                                    const char *header, size_t size_bytes, uint64_t data_size,
                                    struct rf_error *err)
{
    struct scan scan = {
        .path = path, .begin = header, .at = header, .end = header + size_bytes};
    enum rf_status st;

    *file = NULL;
    if (size_bytes > RF_SAFETENSORS_HEADER)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' is no sound safetensors file: a header of %zu bytes is over the "
                       "limit of %d",
                       path, size_bytes, RF_SAFETENSORS_HEADER);
    scan.file = calloc(1, sizeof *scan.file);
    if (scan.file == NULL)
        return no_memory(&scan, err);
    scan.file->fd = -1;
    scan.file->data_at = 8 + size_bytes;
    scan.file->data_size = data_size;
    scan.file->text = malloc(size_bytes + 1);
    st = scan.file->text == NULL ? no_memory(&scan, err) : whole(&scan, err);
    if (st == RF_OK)
        st = nothing_twice(&scan, err);
    if (st == RF_OK)
        st = check_places(&scan, err);
    if (st != RF_OK)
        rf_safetensors_close(scan.file);
    else
        *file = scan.file;
    return st;
}
