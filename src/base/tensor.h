/* tensor.h - one rank's slice of a named, logical, row-major fp32 array.
 *
 * This is the language between whoever holds state (the model, the optimiser)
 * and whoever stores it (checkpoints): a whole tensor has a name and a global
 * shape, a rank holds one rectangular block of it. 1-D tensors have
 * shape[1] = 1, offset[1] = 0, extent[1] = 1. */
#ifndef RF_BASE_TENSOR_H
#define RF_BASE_TENSOR_H

#include <stddef.h>
#include <stdint.h>

enum { RF_TENSOR_NAME = 96 };

/* How a file keeps the values; in memory they are fp32. bf16 rounds to nearest, ties to even. */
enum rf_stored { RF_STORED_F32, RF_STORED_BF16 };
static inline size_t rf_stored_bytes(enum rf_stored stored)
{
    return stored == RF_STORED_BF16 ? 2 : 4;
}

struct rf_tensor {
    char name[RF_TENSOR_NAME]; /* e.g. "h.0.attn.q.weight"; '.' separates parts */
    int ndims;                 /* 1 or 2 */
    int64_t shape[2];          /* of the whole */
    int64_t offset[2];         /* where this rank's block starts in the whole */
    int64_t extent[2];         /* its size; 0 where this rank holds nothing */
    float *data;               /* borrowed; [extent[0]][extent[1]], contiguous */
    int replicated;            /* every rank of the group holds the whole: one writes */
    enum rf_stored stored;
};

#endif
