#include "mpi/group.h"

#include <time.h>

void rf_group_dup(struct rf_group *group, MPI_Comm comm)
{
    MPI_Comm_dup(comm, &group->comm);
    MPI_Comm_rank(group->comm, &group->rank);
    MPI_Comm_size(group->comm, &group->size);
}

void rf_group_among(struct rf_group *group, const struct rf_group *parent, const int *ranks,
                    int n, int tag)
{
    MPI_Group all, some;

    MPI_Comm_group(parent->comm, &all);
    MPI_Group_incl(all, n, ranks, &some);
    MPI_Comm_create_group(parent->comm, some, tag, &group->comm);
    MPI_Group_free(&some);
    MPI_Group_free(&all);
    MPI_Comm_rank(group->comm, &group->rank);
    MPI_Comm_size(group->comm, &group->size);
}

void rf_group_split(struct rf_group *group, const struct rf_group *parent, int colour)
{
    MPI_Comm_split(parent->comm, colour, parent->rank, &group->comm);
    MPI_Comm_rank(group->comm, &group->rank);
    MPI_Comm_size(group->comm, &group->size);
}

int rf_group_neighbours(const struct rf_group *group, int *place)
{
    MPI_Comm node;
    int size;

    MPI_Comm_split_type(group->comm, MPI_COMM_TYPE_SHARED, group->rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &size);
    if (place != NULL)
        MPI_Comm_rank(node, place);
    MPI_Comm_free(&node);
    return size;
}

void rf_group_free(struct rf_group *group)
{
    if (group->size > 0)
        MPI_Comm_free(&group->comm);
    group->size = 0;
}

enum rf_status rf_agree(const struct rf_group *group, enum rf_status mine, struct rf_error *err)
{
    int first = mine == RF_OK ? group->size : group->rank;

    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, group->comm);
    if (first == group->size)
        return RF_OK;
    MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, first, group->comm);
    return err->status;
}

void rf_group_bcast(const struct rf_group *group, void *data, size_t size_bytes, int root)
{
    const size_t piece = (size_t)1 << 28;
    unsigned char *p = data;

    while (size_bytes > 0) {
        size_t n = size_bytes < piece ? size_bytes : piece;

        MPI_Bcast(p, (int)n, MPI_BYTE, root, group->comm);
        p += n;
        size_bytes -= n;
    }
}

void rf_group_wait(int n, MPI_Request *requests)
{
    const struct timespec nap = {.tv_nsec = 50000};
    int done = 0;

    MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE);
    while (!done) {
        nanosleep(&nap, NULL);
        MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE);
    }
}

void rf_group_meet(const struct rf_group *group)
{
    MPI_Request request;

    MPI_Ibarrier(group->comm, &request);
    rf_group_wait(1, &request);
}
