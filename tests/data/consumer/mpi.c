/* Somebody else's program on rf_mpi: what one rank cannot do, all hear of. It links HDF5 through the
 * checkpoint reader and ScaLAPACK through the panels. */
#include <stdio.h>
#include <string.h>

#include <mpi/ckpt.h>
#include <mpi/group.h>
#include <mpi/panel.h>

int main(int argc, char **argv)
{
    struct rf_error err = {RF_OK, ""};
    struct rf_manifest *manifest = NULL;
    struct rf_panel_grid grid;
    struct rf_group world;
    enum rf_status st = RF_OK;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    rf_panel_grid_make(&grid, &world);
    if (world.rank == world.size - 1)
        st = rf_ckpt_inspect(argc > 1 ? argv[1] : "nothing", 0, &manifest, &err);
    st = rf_agree(&world, st, &err);
    if (world.rank == 0)
        printf("%s\n", st == RF_OK ? "a checkpoint" : err.text);
    rf_manifest_free(manifest);
    rf_panel_grid_free(&grid);
    rf_group_free(&world);
    MPI_Finalize();
    return rf_exit_code(st);
}
