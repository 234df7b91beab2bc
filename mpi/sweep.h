/* sweep.h - many pieces of work over the ranks of a group, results by number.
 *
 * Rank 0 hands out one piece after the other to whoever is free, and works itself meanwhile: it
 * answers between its own pieces, and in the middle of them whenever the work calls
 * rf_sweep_serve(). Which rank does what depends on who is fast; a result must not. Ranks that
 * wait sleep in between, so that they may share a core with one that works. */
#ifndef RF_MPI_SWEEP_H
#define RF_MPI_SWEEP_H

#include <stddef.h>

#include "mpi/group.h"

struct rf_sweep_hub;

struct rf_sweep {
    const int *turns; /* borrowed, on rank 0: the pieces' numbers in the order of their turns */
    int n;            /* on rank 0: how many there are to do */
    size_t result_bytes; /* of a result, a plain struct without pointers; equal everywhere */
    void *ctx;
    /* Local, on any rank: does one piece and fills in its result. It cannot fail: a piece of work
     * that did not work out is a result that says so. */
    void (*work)(void *ctx, int piece, void *result, struct rf_sweep_hub *hub);
    /* Local, on rank 0: a result has come in. When it fails no more is handed out. */
    enum rf_status (*take)(void *ctx, int piece, const void *result, struct rf_error *err);
};

/* Collective on group. RF_OK: every result was taken. */
enum rf_status rf_sweep_run(const struct rf_group *group, const struct rf_sweep *sweep,
                            struct rf_error *err);

/* Local, from within work(): answers those who wait; cheap when nobody does. */
void rf_sweep_serve(struct rf_sweep_hub *hub);

#endif
