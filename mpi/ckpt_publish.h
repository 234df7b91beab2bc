/* ckpt_publish.h - the last touches to a checkpoint whose values are on disk: digests, seal, name.
 *
 * All is local, for the one process that does it; nothing here calls MPI or HDF5. */
#ifndef RF_MPI_CKPT_PUBLISH_H
#define RF_MPI_CKPT_PUBLISH_H

#include "ckpt/envelope.h"
#include "ckpt/piece.h"
#include "mpi/ckpt_table.h"

struct rf_ckpt_digests {
    const struct rf_digest *granules; /* [ngranules] */
    int64_t ngranules;
    const struct rf_manifest_tensor *tensors; /* [ntensors] with their digests */
    int ntensors;
    const struct rf_digest *content;
    const struct rf_piece *pieces; /* [ngranules] of a file that is packed, else NULL */
};

/* Writes them to where the tables are. */
enum rf_status rf_ckpt_put_digests(const char *path, const struct rf_ckpt_places *places,
                                   const struct rf_ckpt_digests *digests, struct rf_error *err);

/* Seals the file (extents are sorted in place), and puts it in its place: readers see it from
 * here on, whole. bases as rf_share_check() takes them; NULL: it refers to nothing. */
enum rf_status rf_ckpt_publish(const char *temp, const char *path, const char *dir,
                               uint64_t block_bytes, struct rf_extent *extents, int64_t n,
                               const int64_t *bases, int ntensors, struct rf_error *err);

#endif
