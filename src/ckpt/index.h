/* index.h - where everything is in a checkpoint file, for a reader that trusts nobody.
 *
 * HDF5 is for other people's tools: its own structure can be made to crash the library that
 * reads it, so ours is never asked to read a file that came from somewhere. The index lies behind
 * the extents in the user block (envelope.h), is of one fixed form, and says what HDF5's
 * structure says: provenance, shapes, and the places of values and tables.
 * Layout: checkpoints/FORMAT.md. */
#ifndef RF_CKPT_INDEX_H
#define RF_CKPT_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/tensor.h"
#include "ckpt/manifest.h"

enum { RF_INDEX_VERSION = 1 }; /* the one format version there is */

struct rf_index_tensor {
    int ndims;
    enum rf_stored stored;
    int64_t shape[2];
    uint64_t offset; /* of its values, from the beginning of the file; 0 when they are packed or
                      * in another file */
    int64_t base;    /* the step whose file holds the values; -1: this one */
    int packed;      /* granule by granule, at the places that the table says */
};

struct rf_index {
    struct rf_ckpt_info info;
    int format_version;
    int64_t ntensors, ngranules;
    uint64_t names, tensor_digests, granule_digests, content; /* where these tables begin */
    uint64_t places, packed_digests; /* of packed granules; both 0 when there are none */
    struct rf_index_tensor *tensors; /* owned [ntensors] */
};

/* Bytes of an index of n tensors. */
size_t rf_index_bytes(int64_t ntensors);

/* bytes has room for rf_index_bytes(index->ntensors). */
void rf_index_write(unsigned char *bytes, const struct rf_index *index);

/* Reads an index from the beginning of size_bytes. Numbers are possible by themselves then:
 * counts above 0, shapes whose bytes do not overflow, texts with an end, bases of earlier
 * steps. RF_ERR_INPUT otherwise, or for a version this program does not know. End it with
 * rf_index_clear(). */
enum rf_status rf_index_read(struct rf_index *index, const unsigned char *bytes,
                             size_t size_bytes, const char *path, struct rf_error *err);
void rf_index_clear(struct rf_index *index);

/* Bytes of a tensor's values. */
uint64_t rf_index_size(const struct rf_index_tensor *tensor);

#endif
