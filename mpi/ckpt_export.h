/* ckpt_export.h - a checkpoint as a safetensors file, for programs that know nothing of ours. */
#ifndef RF_MPI_CKPT_EXPORT_H
#define RF_MPI_CKPT_EXPORT_H

#include <stdint.h>

#include "base/watch.h"
#include "ckpt/names.h"
#include "ckpt/safetensors.h"
#include "mpi/group.h"

struct rf_export_options {
    int own_names; /* our names and layout instead of Hugging Face's */
    int all;       /* the optimiser's moments too, under our names */
    int type;      /* RF_SAFETENSORS_F32, or RF_SAFETENSORS_BF16: rounded */
};

struct rf_exported {
    enum rf_family family;
    int ntensors;  /* in the file */
    int nleft_out; /* moments that are not */
    int64_t bytes; /* of the file */
};

/* Collective; path, out and options are the same everywhere, the status is agreed. Writes out
 * under a temporary name beside it and renames it when all is on disk; the same bytes on any
 * number of ranks. Values are checked against their digests on the way. A rank needs 32 MiB, or
 * two of the longest row, whatever the size of the model. RF_ERR_INPUT when path is no sound
 * checkpoint, or no whole model of a family whose names we know. */
enum rf_status rf_ckpt_export(const struct rf_group *group, const char *path, const char *out,
                              const struct rf_export_options *options,
                              const struct rf_watch *watch, struct rf_exported *exported,
                              struct rf_error *err);

#endif
