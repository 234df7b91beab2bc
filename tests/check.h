/* check.h - the few lines an MPI test needs.
 *
 * cmocka knows one process; these tests are one program on many ranks. CHECK
 * prints the rank and the line and counts; the program returns check_result(),
 * which is non-zero on every rank when any rank saw a failure. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <mpi.h>

static int check_failures;

#define CHECK(cond)                                                                            \
    do {                                                                                       \
        if (!(cond)) {                                                                         \
            int check_rank;                                                                    \
            MPI_Comm_rank(MPI_COMM_WORLD, &check_rank);                                        \
            fprintf(stderr, "[rank %d] %s:%d: %s\n", check_rank, __FILE__, __LINE__, #cond);   \
            check_failures++;                                                                  \
        }                                                                                      \
    } while (0)

/* Collective: ends the test program's MPI part and gives its exit status. */
static inline int check_result(void)
{
    MPI_Allreduce(MPI_IN_PLACE, &check_failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    return check_failures ? 1 : 0;
}

#endif
