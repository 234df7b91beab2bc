/* safetensors.h - the files that other programs exchange weights in.
 *
 * A file is eight bytes of length, a JSON header of that length, and the tensors' bytes, little-
 * endian and row-major. It comes from strangers: nothing in a header is believed before all
 * of it fits together. What has a type other than fp32, bf16 and fp16 is listed, but its
 * values cannot be read here. Which tensor means what is the business of names.h. */
#ifndef RF_CKPT_SAFETENSORS_H
#define RF_CKPT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The limit of the format's own reader on headers, and ours on dimensions. */
enum { RF_SAFETENSORS_HEADER = 100000000, RF_SAFETENSORS_DIMS = 8 };

enum rf_safetensors_type { RF_SAFETENSORS_F32, RF_SAFETENSORS_BF16, RF_SAFETENSORS_F16 };

struct rf_safetensors_tensor {
    const char *name; /* owned by the file when read, borrowed when written */
    int type;         /* of enum rf_safetensors_type; another number: only listed */
    int ndims;        /* 0: a scalar */
    int64_t shape[RF_SAFETENSORS_DIMS];
    uint64_t begin, end; /* its bytes, counted from the end of the header */
};

/* A line of "__metadata__". */
struct rf_safetensors_note {
    const char *key, *text;
};

struct rf_safetensors {
    struct rf_safetensors_tensor *tensors; /* owned, in the order of their bytes */
    int ntensors;
    struct rf_safetensors_note *notes; /* owned */
    int nnotes;
    char *text;         /* owned: what names, keys and texts point into */
    uint64_t data_at;   /* where the tensors' bytes begin in the file */
    uint64_t data_size; /* how many they are */
    int fd;             /* owned; -1 without a file */
};

/* Opens a file and checks its header. RF_ERR_INPUT, with the tensor's name where there is one,
 * when the length is impossible or over the limit; the header does not begin with '{', is
 * not UTF-8 or not JSON of the right form, says something twice, ends in anything but spaces;
 * a type is unknown; a tensor's bytes do not fit its shape; or the tensors overlap, leave a
 * hole, or do not end where the file ends. On success *file is ended with
 * rf_safetensors_close(); on failure it is NULL. */
enum rf_status rf_safetensors_open(struct rf_safetensors **file, const char *path,
                                   struct rf_error *err);
void rf_safetensors_close(struct rf_safetensors *file);

/* The same for a header in memory and data_size bytes behind it; fd is -1. path is only for
 * messages. */
enum rf_status rf_safetensors_parse(struct rf_safetensors **file, const char *path,
                                    const char *header, size_t size_bytes, uint64_t data_size,
                                    struct rf_error *err);

/* NULL when there is none. */
const struct rf_safetensors_tensor *rf_safetensors_find(const struct rf_safetensors *file,
                                                        const char *name);
const char *rf_safetensors_note(const struct rf_safetensors *file, const char *key);

/* Values [first, first + n) of the tensor, row-major, as fp32: exact for all three types. They
 * must lie inside the tensor, and its type must be one of the three. */
enum rf_status rf_safetensors_read(const struct rf_safetensors *file, const char *path,
                                   const struct rf_safetensors_tensor *tensor, int64_t first,
                                   int64_t n, float *values, struct rf_error *err);

/* Bytes of a value of a type of enum rf_safetensors_type. */
size_t rf_safetensors_bytes(int type);
const char *rf_safetensors_type_name(int type);

/* Values to bytes of a type, fp32 or bf16 (rounded to nearest, ties to even; NaN stays NaN). */
void rf_safetensors_pack(void *bytes, const float *values, size_t n, int type);

/* Lays the tensors out (begin and end are filled in) sorted by name, and makes the beginning
 * of their file: length and header, padded with spaces to a multiple of 8 bytes, into *head,
 * which the caller frees. RF_ERR_INPUT when a reader would refuse it: a name or text that is
 * not UTF-8, a name that is there twice or means something else, too long a header. */
enum rf_status rf_safetensors_head(struct rf_safetensors_tensor *tensors, int ntensors,
                                   const struct rf_safetensors_note *notes, int nnotes,
                                   char **head, size_t *size_bytes, struct rf_error *err);

#endif
