#include "ckpt/granule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRANULE_FLOATS = 1 << 18 };

int64_t rf_granule_rows(const int64_t shape[2])
{
    int64_t rows = GRANULE_FLOATS / (shape[1] > 0 ? shape[1] : 1);

    return rows > 0 ? rows : 1;
}

int64_t rf_granule_count(const int64_t shape[2])
{
    int64_t rows = rf_granule_rows(shape);

    return (shape[0] + rows - 1) / rows;
}

struct rf_digest rf_granule_join(const struct rf_digest *granules, int64_t n)
{
    struct rf_hash hash;

    rf_hash_start(&hash);
    for (int64_t i = 0; i < n; i++)
        rf_hash_add(&hash, granules[i].bytes, RF_DIGEST_BYTES);
    return rf_hash_end(&hash);
}

static int by_name(const void *a, const void *b)
{
    const struct rf_manifest_tensor *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* The line of one tensor: "h.0.attn.q.weight 64x64 <hex>\n", and "64x64 bf16 <hex>\n" for another
 * type than fp32. */
static void add_line(struct rf_hash *hash, const struct rf_manifest_tensor *tensor)
{
    char line[RF_TENSOR_NAME + 64 + RF_DIGEST_HEX], hex[RF_DIGEST_HEX];
    const char *type = tensor->stored == RF_STORED_BF16 ? "bf16 " : "";
    int n;

    rf_digest_to_hex(&tensor->digest, hex);
    if (tensor->ndims == 1)
        n = snprintf(line, sizeof line, "%s %lld %s%s\n", tensor->name,
                     (long long)tensor->shape[0], type, hex);
    else
        n = snprintf(line, sizeof line, "%s %lldx%lld %s%s\n", tensor->name,
                     (long long)tensor->shape[0], (long long)tensor->shape[1], type, hex);
    rf_hash_add(hash, line, (size_t)n);
}

enum rf_status rf_manifest_content(const struct rf_manifest_tensor *tensors, int ntensors,
                                   struct rf_digest *content, struct rf_error *err)
{
    const struct rf_manifest_tensor **sorted = malloc(((size_t)ntensors + 1) * sizeof *sorted);
    struct rf_hash hash;

    if (sorted == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", ntensors);
    for (int i = 0; i < ntensors; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, (size_t)ntensors, sizeof *sorted, by_name);
    rf_hash_start(&hash);
    for (int i = 0; i < ntensors; i++)
        add_line(&hash, sorted[i]);
    *content = rf_hash_end(&hash);
    free(sorted);
    return RF_OK;
}
