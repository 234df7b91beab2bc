/* parcel.h - between how ranks slice tensors and the granules that are hashed and stored.
 *
 * All granules of all tensors are dealt to the ranks in turn. In one round every rank owns one
 * granule: its parts travel from the ranks that hold them to the owner (or back), so that files
 * and digests deal with whole rows only, whatever the slices are. A rank needs room for one
 * granule and for its own parts of one round. */
#ifndef RF_MPI_PARCEL_H
#define RF_MPI_PARCEL_H

#include <stdint.h>

#include "base/tensor.h"
#include "mpi/group.h"

struct rf_granule {
    int tensor;
    int64_t row, nrows;
    int64_t index; /* among all granules of all tensors, in order */
};

struct rf_parcels;

/* Collective on group. names, shapes and their order are the same on every rank; tensors is
 * borrowed and its data pointers are not looked at yet. The status is agreed. A tensor whose
 * blocks do not add up to its shape is a defect of the caller. */
enum rf_status rf_parcels_create(struct rf_parcels **parcels, const struct rf_group *group,
                                 const struct rf_tensor *tensors, int ntensors,
                                 struct rf_error *err);
void rf_parcels_destroy(struct rf_parcels *parcels);

/* How many granules there are, and how many rounds. */
int64_t rf_parcels_count(const struct rf_parcels *parcels);
int64_t rf_parcels_rounds(const struct rf_parcels *parcels);
/* The index of tensor's first granule. */
int64_t rf_parcels_first(const struct rf_parcels *parcels, int tensor);

/* This rank's granule of a round; 0 when it has none. */
int rf_parcels_mine(const struct rf_parcels *parcels, int64_t round,
                    struct rf_granule *granule);

/* Collective. blocks[i] is this rank's block of tensor i. The result is this rank's granule
 * [nrows][shape[1]], valid until the next call; owned by parcels. */
const float *rf_parcels_gather(struct rf_parcels *parcels, int64_t round, float *const *blocks);

/* Room for this rank's granule, to be filled before scatter. */
float *rf_parcels_room(struct rf_parcels *parcels);
/* Collective. The reverse: granules to blocks. */
void rf_parcels_scatter(struct rf_parcels *parcels, int64_t round, float *const *blocks);

#endif
