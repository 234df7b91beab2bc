/* mesh.h - the ranks of a job as copies of a model, each cut over some ranks.
 *
 * Rank r of size ranks is slice r mod tensor of copy r / tensor: the ranks of a copy are
 * neighbours, since they talk the most. */
#ifndef RF_MPI_MESH_H
#define RF_MPI_MESH_H

#include "mpi/group.h"

struct rf_mesh {
    const struct rf_group *all; /* borrowed */
    struct rf_group tensor;     /* owned: this rank's copy */
    struct rf_group data;       /* owned: those with the same slice, one of each copy */
};

/* The widest copies that divide size ranks, of at most `width` ranks; width 0: one copy. */
int rf_mesh_width(int size, int width);

/* Collective on all: whether some copy would have ranks that do not share memory. */
int rf_mesh_apart(const struct rf_group *all, int width);

/* Collective on all, with equal width >= 0; all must outlive the mesh. */
void rf_mesh_make(struct rf_mesh *mesh, const struct rf_group *all, int width);
/* Collective on its group; a zeroed mesh is fine. */
void rf_mesh_free(struct rf_mesh *mesh);

#endif
