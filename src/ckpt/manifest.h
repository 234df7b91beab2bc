/* manifest.h - what a checkpoint contains: provenance, names, shapes, digests. */
#ifndef RF_CKPT_MANIFEST_H
#define RF_CKPT_MANIFEST_H

#include <stdint.h>

#include "base/digest.h"
#include "base/tensor.h"

/* Who wrote it, and where training stood. Nothing in here depends on the
 * clock, so equal training gives equal files. */
struct rf_ckpt_info {
    int64_t step, tokens, flops;
    int64_t data_position; /* sequences taken from the data so far; 0 in files without it */
    int64_t
        seed; /* of the job; random numbers are counter-based, so seed and step are all of it */
    int ranks; /* layout it was written from */
    char job[64], account[64];
    char
        model[160]; /* "gpt2 layers=2 heads=4 width=64 hidden=256 context=48 vocabulary=2901" */
    char tokenizer[65]; /* hex digest of the vocabulary the model speaks */
    char config[65];    /* SHA-256 of the run's effective configuration, hex */
    char version[32];
    /* The ledger when this lease was granted: how many entries it had, and the base64 of the tree
     * head over them; 0 and empty when nobody keeps one. */
    int64_t ledger_entries;
    char ledger_head[RF_DIGEST_BASE64];
};

struct rf_manifest_tensor {
    char name[RF_TENSOR_NAME];
    int ndims;
    int64_t shape[2];
    enum rf_stored stored;
    struct rf_digest digest; /* over the whole tensor; see FORMAT.md */
    int64_t base;            /* the step whose file holds the values; -1: this one does */
    int packed;              /* compressed in this file */
};

struct rf_manifest {
    struct rf_ckpt_info info;
    int format_version;
    struct rf_manifest_tensor *tensors; /* owned */
    int ntensors;
    struct rf_digest content;
    int64_t file_bytes;
};

void rf_manifest_free(struct rf_manifest *manifest);

#endif
