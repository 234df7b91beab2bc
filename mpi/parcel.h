/* parcel.h - between how ranks slice tensors and the rows that are hashed and stored.
 *
 * Every rank holds at most one rectangle of each tensor. Rectangles may be of any size; equal ones
 * may be held by several ranks (data-parallel copies, replicated tensors), others must not
 * overlap, and together they cover the tensor. Granules (ckpt/granule.h) that follow each other
 * form runs, each of which has an owner: the rank that hashes, writes or reads it. A run whose
 * rows lie whole in its owner's rectangle is at home and never travels. The others travel in
 * rounds, one run of each owner at a time: their parts go from the ranks that hold them to the
 * owner, or back. Values travel, and lie in runs, as they are stored (base/tensor.h). */
#ifndef RF_MPI_PARCEL_H
#define RF_MPI_PARCEL_H

#include <stdint.h>

#include "base/tensor.h"
#include "ckpt/pump.h"
#include "mpi/group.h"

enum rf_parcel_way { RF_PARCELS_OUT, RF_PARCELS_IN }; /* to be written; to be read */

struct rf_run {
    int tensor;
    int64_t row, nrows;
    int64_t granule; /* index of its first, among all granules of all tensors in order */
    int ngranules;
    int owner;
    int travels;
};

struct rf_parcels;

/* Collective on group. names, shapes, kinds and order are the same on every rank; tensors is
 * borrowed, and where their data lies is looked up at each use. The status is agreed. Rectangles
 * that do not cover a tensor are a defect of the caller. */
enum rf_status rf_parcels_create(struct rf_parcels **parcels, const struct rf_group *group,
                                 const struct rf_tensor *tensors, int ntensors,
                                 enum rf_parcel_way way, struct rf_error *err);
void rf_parcels_destroy(struct rf_parcels *parcels);

/* How many granules there are; the index of tensor's first. */
int64_t rf_parcels_count(const struct rf_parcels *parcels);
int64_t rf_parcels_first(const struct rf_parcels *parcels, int tensor);
/* All runs, in the order of their granules; the same on every rank. */
const struct rf_run *rf_parcels_runs(const struct rf_parcels *parcels, int64_t *nruns);
/* Bytes of a run, and of one of its granules (the last may be shorter), as stored. */
size_t rf_parcels_bytes(const struct rf_parcels *parcels, const struct rf_run *run);
size_t rf_parcels_granule_bytes(const struct rf_parcels *parcels, const struct rf_run *run);

/* Rounds of travelling runs, and this rank's run of a round; NULL when it has none. */
int64_t rf_parcels_rounds(const struct rf_parcels *parcels);
const struct rf_run *rf_parcels_mine(const struct rf_parcels *parcels, int64_t round);

/* Collective, by every rank for all rounds from the first to the last: fills room with this rank's
 * run of the round; room may be NULL without one. Later rounds are under way meanwhile, so the
 * tensors must not change before the last one. */
void rf_parcels_gather(struct rf_parcels *parcels, int64_t round, void *room);
/* Collective, likewise, the reverse: from room into the ranks' rectangles, which are complete after
 * the last round. */
void rf_parcels_scatter(struct rf_parcels *parcels, int64_t round, const void *room);

/* Local: a run of this rank's that is at home, for a pump to bring; out of and into the tensor. */
struct rf_values rf_parcels_values(const struct rf_parcels *parcels, const struct rf_run *run);
/* Where such a run lies when it is stored as it lies, to be read into; else NULL. */
void *rf_parcels_place(const struct rf_parcels *parcels, const struct rf_run *run);
void rf_parcels_copy_out(const struct rf_parcels *parcels, const struct rf_run *run,
                         void *room);
void rf_parcels_copy_in(const struct rf_parcels *parcels, const struct rf_run *run,
                        const void *room);

#endif
