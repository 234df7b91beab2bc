/* examine.h - what MPI and HDF5 here are like: findings for src/doctor.
 *
 * Local, but for what MPI knows about all ranks. */
#ifndef RF_MPI_EXAMINE_H
#define RF_MPI_EXAMINE_H

#include "doctor/doctor.h"
#include "mpi/group.h"

/* The library, threads, ranks on this node against its cores. */
void rf_examine_mpi(struct rf_doctor *doctor, const struct rf_group *world);
/* The library that was found when the program started. */
void rf_examine_hdf5(struct rf_doctor *doctor);

#endif
