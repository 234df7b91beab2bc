#include "mpi/mesh.h"

int rf_mesh_width(int size, int width)
{
    int best = 1;

    if (width <= 0 || width >= size)
        return size;
    for (int w = 1; w <= width; w++)
        if (size % w == 0)
            best = w;
    return best;
}

int rf_mesh_apart(const struct rf_group *all, int width)
{
    int w = rf_mesh_width(all->size, width), apart;
    MPI_Comm copy, node;
    int sharing;

    MPI_Comm_split(all->comm, all->rank / w, all->rank, &copy);
    MPI_Comm_split_type(copy, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &sharing);
    apart = sharing < w;
    MPI_Allreduce(MPI_IN_PLACE, &apart, 1, MPI_INT, MPI_LOR, all->comm);
    MPI_Comm_free(&node);
    MPI_Comm_free(&copy);
    return apart;
}

void rf_mesh_make(struct rf_mesh *mesh, const struct rf_group *all, int width)
{
    int w = rf_mesh_width(all->size, width);

    mesh->all = all;
    rf_group_split(&mesh->tensor, all, all->rank / w);
    rf_group_split(&mesh->data, all, all->rank % w);
}

void rf_mesh_free(struct rf_mesh *mesh)
{
    rf_group_free(&mesh->data);
    rf_group_free(&mesh->tensor);
}
