/* Groups and agreement: what every collective function in mpi/ stands on. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mpi/group.h"

static void all_well_is_agreed(const struct rf_group *world)
{
    struct rf_error err = {.status = RF_OK};

    CHECK(rf_agree(world, RF_OK, &err) == RF_OK);
}

static void one_rank_fails_and_all_hear_of_it(const struct rf_group *world)
{
    struct rf_error err = {.status = RF_OK};
    enum rf_status mine = RF_OK;

    if (world->rank == world->size - 1)
        mine = rf_fail(&err, RF_ERR_IO, "disk full");
    CHECK(rf_agree(world, mine, &err) == RF_ERR_IO);
    CHECK(strcmp(err.text, "disk full") == 0);
}

static void the_lowest_failing_rank_speaks(const struct rf_group *world)
{
    struct rf_error err = {.status = RF_OK};
    enum rf_status mine = rf_fail(&err, RF_ERR_INPUT, "rank %d", world->rank);

    CHECK(rf_agree(world, mine, &err) == RF_ERR_INPUT);
    CHECK(strcmp(err.text, "rank 0") == 0);
}

/* Even ranks and odd ranks make their groups at the same time; nobody waits for the others. */
static void groups_form_among_their_members_only(const struct rf_group *world)
{
    struct rf_group group = {0};
    int ranks[64], n = 0, sum = 0, want = 0;

    for (int r = world->rank % 2; r < world->size && n < 64; r += 2) {
        ranks[n++] = r;
        want += r;
    }
    rf_group_among(&group, world, ranks, n, 10 + world->rank % 2);
    CHECK(group.size == n);
    CHECK(group.rank == world->rank / 2);
    MPI_Allreduce(&world->rank, &sum, 1, MPI_INT, MPI_SUM, group.comm);
    CHECK(sum == want);
    rf_group_free(&group);
    CHECK(group.size == 0);
    rf_group_free(&group);
}

/* A rank's next group must not meet its last one, whoever the members are. */
static void groups_follow_one_another_quickly(const struct rf_group *world)
{
    for (int round = 0; round < 50; round++) {
        struct rf_group group = {0};
        int ranks[2] = {round % world->size, (round + 1) % world->size};
        int first = ranks[0] < ranks[1] ? ranks[0] : ranks[1], sum = 1;

        if (world->size == 1 || (world->rank != ranks[0] && world->rank != ranks[1]))
            continue;
        ranks[1] = ranks[0] + ranks[1] - first;
        ranks[0] = first;
        rf_group_among(&group, world, ranks, 2, round);
        MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, group.comm);
        CHECK(sum == 2);
        rf_group_free(&group);
    }
}

static void bytes_reach_everyone(const struct rf_group *world)
{
    size_t size_bytes = 1000003;
    unsigned char *data = calloc(size_bytes, 1);
    size_t wrong = 0;

    CHECK(data != NULL);
    if (world->rank == world->size - 1)
        for (size_t i = 0; i < size_bytes; i++)
            data[i] = (unsigned char)(i * 31 % 251);
    rf_group_bcast(world, data, size_bytes, world->size - 1);
    for (size_t i = 0; i < size_bytes; i++)
        wrong += data[i] != (unsigned char)(i * 31 % 251);
    CHECK(wrong == 0);
    rf_group_bcast(world, NULL, 0, 0);
    free(data);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    all_well_is_agreed(&world);
    one_rank_fails_and_all_hear_of_it(&world);
    the_lowest_failing_rank_speaks(&world);
    groups_form_among_their_members_only(&world);
    groups_follow_one_another_quickly(&world);
    bytes_reach_everyone(&world);
    rf_group_free(&world);
    result = check_result();
    MPI_Finalize();
    return result;
}
