/* parcel_plan.h - the inside of parcels, shared by what plans them (parcel.c) and what moves their values
 * (parcel_travel.c). */
#ifndef RF_MPI_PARCEL_PLAN_H
#define RF_MPI_PARCEL_PLAN_H

#include "mpi/parcel.h"

/* Rounds under way at most. Ranks need not have the same number: they meet the rounds in the same
 * order. */
enum { RF_PARCEL_TRIPS = 8 };

/* One rank's rectangle of one tensor, and the lowest rank that holds the very same. */
struct rf_parcel_block {
    int64_t offset[2], extent[2];
    int64_t first;
};
enum { RF_PARCEL_BLOCK_WORDS = sizeof(struct rf_parcel_block) / sizeof(int64_t) };

/* One round under way. */
struct rf_parcel_trip {
    unsigned char
        *parts; /* this rank's parts of runs, where they are stored otherwise than held */
    unsigned char *mail;   /* all ranks' parts of this rank's run, in order of ranks */
    MPI_Request *requests; /* [2 * size]: what comes from each rank, what goes to each rank */
};

struct rf_parcels {
    const struct rf_group *group;    /* borrowed */
    const struct rf_tensor *tensors; /* borrowed */
    int ntensors;
    enum rf_parcel_way way;
    int neighbours; /* ranks on this node, which share its memory for parcels on their way */
    struct rf_parcel_block *blocks; /* [size][ntensors], of every rank */
    int64_t *first;                 /* [ntensors + 1] */
    struct rf_run *runs;            /* [nruns] */
    int64_t nruns;
    int64_t *travelling; /* [nrounds][size], index of a run or -1 */
    int64_t nrounds;
    struct rf_parcel_trip trips[RF_PARCEL_TRIPS]; /* round r is trip r % ntrips */
    int ntrips;
    int64_t begun, over;  /* rounds begun, and those of them that are done with */
    int *counts, *places; /* [size] each, of parts, in bytes: of the round looked at last */
    int *mail_counts, *mail_places;
};

static inline struct rf_parcel_block *rf_parcel_block_of(const struct rf_parcels *parcels,
                                                         int rank, int tensor)
{
    return &parcels->blocks[(int64_t)rank * parcels->ntensors + tensor];
}

/* The run of a round that belongs to owner, or NULL. */
const struct rf_run *rf_parcel_run_of(const struct rf_parcels *parcels, int64_t round,
                                      int owner);
size_t rf_parcel_value_bytes(const struct rf_parcels *parcels, int tensor);
size_t rf_parcel_row_bytes(const struct rf_parcels *parcels, int tensor);

/* Local, once there are rounds: as many trips as there is room for. */
enum rf_status rf_parcel_make_trips(struct rf_parcels *parcels, struct rf_error *err);
void rf_parcel_free_trips(struct rf_parcels *parcels);

#endif
