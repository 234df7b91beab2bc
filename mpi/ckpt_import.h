/* ckpt_import.h - somebody else's safetensors file as a checkpoint of ours. */
#ifndef RF_MPI_CKPT_IMPORT_H
#define RF_MPI_CKPT_IMPORT_H

#include <stdint.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/watch.h"
#include "ckpt/names.h"
#include "mpi/group.h"

struct rf_import_options {
    int heads;           /* of attention; 0: as the file's metadata says */
    const char *version; /* of this program, for files that do not say who wrote them */
};

struct rf_imported {
    enum rf_family family;
    int ntensors;  /* in the checkpoint */
    int nleft_out; /* theirs that hold no weights, or repeat some */
    int untied;    /* the output layer has weights of its own */
    int64_t step;
    char path[RF_PATH_BYTES];
    char model[160];
    struct rf_digest content;
};

/* Collective; in, dir and options are the same everywhere, the status is agreed. Reads fp32, bf16
 * and fp16 tensors with Hugging Face's names for GPT-2 and Llama, or with ours when the file says
 * so, and saves them to dir as a checkpoint of the step that the file says, or 0. One that is
 * there already is never replaced. A file that export made with everything in it comes back
 * with the same content digest. A rank needs memory for its slice of the rows. RF_ERR_INPUT
 * when the file is no sound safetensors file, or no whole model that we know. */
enum rf_status rf_ckpt_import(const struct rf_group *group, const char *in, const char *dir,
                              const struct rf_import_options *options,
                              const struct rf_watch *watch, struct rf_imported *imported,
                              struct rf_error *err);

#endif
