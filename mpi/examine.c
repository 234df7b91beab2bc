#include "mpi/examine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi/h5.h"

static void look_at_library(struct rf_doctor *doctor)
{
    static const char *const levels[] = {"single", "funneled", "serialized", "multiple"};
    char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length, level;

    MPI_Get_library_version(name, &length);
    name[strcspn(name, ",\n")] = '\0';
    MPI_Query_thread(&level);
    rf_doctor_add(
        doctor, level >= MPI_THREAD_FUNNELED ? RF_HEALTH_OK : RF_HEALTH_FAIL, "mpi",
        "use an MPI with MPI_THREAD_FUNNELED: checkpoints are written behind training",
        "%.150s, threads: %s", name,
        level == MPI_THREAD_MULTIPLE     ? levels[3]
        : level == MPI_THREAD_SERIALIZED ? levels[2]
        : level == MPI_THREAD_FUNNELED   ? levels[1]
                                         : levels[0]);
}

static void look_at_ranks(struct rf_doctor *doctor, int ranks)
{
    const char *here = getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    const char *yield = getenv("OMPI_MCA_mpi_yield_when_idle");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long local = here != NULL ? atol(here) : ranks;
    int crowded = local > cores && !(yield != NULL && strcmp(yield, "1") == 0);

    rf_doctor_add(doctor, crowded ? RF_HEALTH_WARN : RF_HEALTH_OK, "ranks",
                  "fewer ranks, or mpirun --oversubscribe, or under srun export "
                  "OMPI_MCA_mpi_yield_when_idle=1; one rank more, the coordinator, may share",
                  "%d, %ld of them on this node's %ld cores", ranks, local, cores);
}

void rf_examine_mpi(struct rf_doctor *doctor, const struct rf_group *world)
{
    look_at_library(doctor);
    look_at_ranks(doctor, world->size);
}

void rf_examine_hdf5(struct rf_doctor *doctor)
{
    char version[32];
    int parallel, safe;

    rf_h5_library(version, sizeof version, &parallel, &safe);
    rf_doctor_add(doctor, parallel ? RF_HEALTH_OK : RF_HEALTH_FAIL, "hdf5",
                  "build with a parallel HDF5 (package libhdf5-openmpi-dev)",
                  "%s, %s, calls are %sserialised by it (not needed)", version,
                  parallel ? "parallel" : "not parallel", safe ? "" : "not ");
}
