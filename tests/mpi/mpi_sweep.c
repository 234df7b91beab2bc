/* Many pieces of work over the ranks: each is done once, results are as on one rank, and a failure
 * in the middle ends it for all. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "mpi/sweep.h"

enum { PIECES = 61 };

struct result {
    int64_t value;
    int rank;
    char text[40];
};

struct ctx {
    int rank, worked;
    int serve; /* call rf_sweep_serve() in the middle of the work */
    int uneven;
    int taken[PIECES];
    int64_t values[PIECES];
    int ranks[PIECES];
    int fail; /* take() fails for the first result that comes */
    int ntaken;
};

static void work(void *context, int piece, void *result, struct rf_sweep_hub *hub)
{
    struct ctx *c = context;
    struct result *r = result;
    const struct timespec nap = {0, 3000000};

    c->worked++;
    if (c->uneven && piece % 7 == 0)
        nanosleep(&nap, NULL);
    for (int i = 0; i < 10 && c->serve; i++)
        rf_sweep_serve(hub);
    memset(r, 0, sizeof *r);
    r->value = (int64_t)piece * piece * 1000000007;
    r->rank = c->rank;
    memcpy(r->text, "whole", 6);
}

static enum rf_status take(void *context, int piece, const void *result, struct rf_error *err)
{
    struct ctx *c = context;
    struct result r;

    memcpy(&r, result, sizeof r);
    CHECK(piece >= 0 && piece < PIECES);
    CHECK(strcmp(r.text, "whole") == 0);
    c->taken[piece]++;
    c->values[piece] = r.value;
    c->ranks[piece] = r.rank;
    c->ntaken++;
    return c->fail && c->ntaken == 1 ? rf_fail(err, RF_ERR_IO, "disk full") : RF_OK;
}

static enum rf_status sweep(struct ctx *c, const struct rf_group *world, int n,
                            struct rf_error *err)
{
    int turns[PIECES];
    struct rf_sweep s = {.turns = turns,
                         .n = n,
                         .result_bytes = sizeof(struct result),
                         .ctx = c,
                         .work = work,
                         .take = take};

    for (int i = 0; i < PIECES; i++)
        turns[i] = PIECES - 1 - i;
    c->rank = world->rank;
    return rf_sweep_run(world, &s, err);
}

static void each_piece_is_done_once_and_its_result_is_its_own(const struct rf_group *world)
{
    for (int serve = 0; serve < 2; serve++)
        for (int uneven = 0; uneven < 2; uneven++) {
            struct ctx c = {.serve = serve, .uneven = uneven};
            struct rf_error err;
            int total;

            CHECK(sweep(&c, world, PIECES, &err) == RF_OK);
            for (int i = 0; i < PIECES && world->rank == 0; i++) {
                CHECK(c.taken[i] == 1);
                CHECK(c.values[i] == (int64_t)i * i * 1000000007);
                CHECK(c.ranks[i] >= 0 && c.ranks[i] < world->size);
            }
            CHECK(world->rank == 0 || c.ntaken == 0);
            MPI_Allreduce(&c.worked, &total, 1, MPI_INT, MPI_SUM, world->comm);
            CHECK(total == PIECES);
        }
}

static void nothing_to_do_and_less_than_ranks_are_fine(const struct rf_group *world)
{
    for (int n = 0; n < 3; n++) {
        struct ctx c = {.fail = 0};
        struct rf_error err;

        CHECK(sweep(&c, world, n, &err) == RF_OK);
        CHECK(world->rank != 0 || c.ntaken == n);
    }
}

static void a_result_that_cannot_be_kept_ends_it_everywhere(const struct rf_group *world)
{
    struct ctx c = {.fail = 1};
    struct rf_error err;

    CHECK(sweep(&c, world, PIECES, &err) == RF_ERR_IO);
    CHECK(strcmp(err.text, "disk full") == 0);
    /* those that were being done at that moment still come in: one a rank at most */
    CHECK(world->rank != 0 || (c.ntaken >= 1 && c.ntaken <= world->size));
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int status;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    each_piece_is_done_once_and_its_result_is_its_own(&world);
    nothing_to_do_and_less_than_ranks_are_fine(&world);
    a_result_that_cannot_be_kept_ends_it_everywhere(&world);
    status = check_result();
    rf_group_free(&world);
    MPI_Finalize();
    return status;
}
