/* Checkpoints of grids: tensor-parallel slices, copies of them over data-parallel ranks, and moments
 * shared out over those. Every grid's file is read by every other grid. And: saves behind the
 * caller's back, through HDF5 itself, and in two bytes a value. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"
#include "mpi/h5.h"
#include "nn/bf16.h"

/* cut: r rows, c columns, - whole; moments are cut once more over the data-parallel ranks. */
static const struct {
    const char *name;
    int ndims;
    int64_t rows, columns;
    char cut;
    int moment;
} model[] = {
    {"wte.weight", 2, 5003, 77, 'r', 0},          {"h.0.attn.o.weight", 2, 640, 641, 'c', 0},
    {"h.0.ln_1.weight", 1, 641, 1, '-', 0},       {"h.0.mlp.fc.bias", 1, 3, 1, 'r', 0},
    {"m/wte.weight", 2, 5003, 77, 'r', 1},        {"m/h.0.attn.o.weight", 2, 640, 641, 'c', 1},
    {"v/h.0.attn.o.weight", 2, 640, 641, 'c', 1}, {"m/h.0.ln_1.weight", 1, 641, 1, '-', 1},
    {"v/h.0.mlp.fc.bias", 1, 3, 1, 'r', 1},
};
enum { NTENSORS = sizeof model / sizeof model[0] };

/* Tensor-parallel width times data-parallel copies. */
static const struct {
    int tp, dp;
} grids[] = {{1, 1}, {2, 1}, {1, 2}, {3, 1}, {1, 3}, {4, 1}, {2, 2}, {1, 4}};
enum { NGRIDS = sizeof grids / sizeof grids[0] };

static char base[256];

static void nap(void)
{
    const struct timespec millisecond = {0, 1000000};

    nanosleep(&millisecond, NULL);
}

static float value_at(uint64_t seed, int tensor, int64_t row, int64_t column)
{
    uint32_t bits =
        (uint32_t)rf_rng_bits(seed, (uint64_t)tensor, (uint64_t)(row * 1000 + column));
    float value;

    memcpy(&value, &bits, sizeof value); /* any bit pattern */
    return value;
}

static struct rf_slice part_of(struct rf_slice whole, int i, int p)
{
    struct rf_slice part = rf_slice(whole.count, i, p);

    part.begin += whole.begin;
    return part;
}

static void fill(struct rf_tensor *x, int t, uint64_t seed)
{
    for (int64_t i = 0; i < x->extent[0] * x->extent[1]; i++)
        x->data[i] = seed == 0 ? 0
                               : value_at(seed, t, x->offset[0] + i / x->extent[1],
                                          x->offset[1] + i % x->extent[1]);
}

/* This rank's rectangles on a grid; rank = copy * tp + slice. seed 0: zeros. */
static void make(struct rf_tensor tensors[NTENSORS], int rank, int tp, int dp, uint64_t seed)
{
    for (int t = 0; t < NTENSORS; t++) {
        struct rf_tensor *x = &tensors[t];
        struct rf_slice rows = {0, model[t].rows}, columns = {0, model[t].columns};

        if (model[t].cut == 'r')
            rows = rf_slice(model[t].rows, rank % tp, tp);
        if (model[t].cut == 'c')
            columns = rf_slice(model[t].columns, rank % tp, tp);
        if (model[t].moment)
            rows = part_of(rows, rank / tp, dp);
        memset(x, 0, sizeof *x);
        memcpy(x->name, model[t].name, strlen(model[t].name));
        x->ndims = model[t].ndims;
        x->shape[0] = model[t].rows;
        x->shape[1] = model[t].columns;
        x->offset[0] = rows.begin;
        x->offset[1] = columns.begin;
        x->extent[0] = rows.count;
        x->extent[1] = columns.count;
        x->data = calloc((size_t)(rows.count * columns.count) + 1, sizeof *x->data);
        fill(x, t, seed);
    }
}

static void drop(struct rf_tensor tensors[NTENSORS])
{
    for (int t = 0; t < NTENSORS; t++)
        free(tensors[t].data);
}

static int same(const struct rf_tensor a[NTENSORS], const struct rf_tensor b[NTENSORS])
{
    for (int t = 0; t < NTENSORS; t++)
        if (memcmp(a[t].data, b[t].data,
                   (size_t)(a[t].extent[0] * a[t].extent[1]) * sizeof(float)) != 0)
            return 0;
    return 1;
}

static void dir_of(char dir[RF_PATH_BYTES], const char *name)
{
    CHECK(rf_file_join(dir, base, name, NULL) == RF_OK);
}

/* The first n ranks of world as a group; size 0 on the others. */
static void first_ranks(struct rf_group *group, const struct rf_group *world, int n)
{
    const int ranks[4] = {0, 1, 2, 3};

    memset(group, 0, sizeof *group);
    if (world->rank < n)
        rf_group_among(group, world, ranks, n, 10 + n);
}

static void load_on(const struct rf_group *world, const char *path, int g)
{
    struct rf_tensor wanted[NTENSORS], got[NTENSORS];
    struct rf_ckpt_info info;
    struct rf_group group;
    struct rf_error err = {0};

    first_ranks(&group, world, grids[g].tp * grids[g].dp);
    if (group.size > 0) {
        make(wanted, group.rank, grids[g].tp, grids[g].dp, 7);
        make(got, group.rank, grids[g].tp, grids[g].dp, 0);
        CHECK(rf_ckpt_load(&group, path, &info, got, NTENSORS, &err) == RF_OK);
        CHECK(same(wanted, got));
        if (err.status != RF_OK)
            fprintf(stderr, "load of %s: %s\n", path, err.text);
        drop(wanted);
        drop(got);
    }
    rf_group_free(&group);
    MPI_Barrier(world->comm);
}

static void what_one_grid_saves_every_grid_loads(const struct rf_group *world)
{
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_digest first = {{0}};

    dir_of(dir, "grids");
    for (int p = 0; p < NGRIDS; p++) {
        struct rf_group group;
        struct rf_digest content;

        if (grids[p].tp * grids[p].dp > world->size)
            continue;
        first_ranks(&group, world, grids[p].tp * grids[p].dp);
        if (group.size > 0) {
            struct rf_tensor tensors[NTENSORS];
            struct rf_ckpt_info info = {.step = p, .ranks = group.size};
            struct rf_error err = {0};

            make(tensors, group.rank, grids[p].tp, grids[p].dp, 7);
            CHECK(rf_ckpt_save(&group, dir, &info, tensors, NTENSORS, 0, path, &content,
                               &err) == RF_OK);
            if (err.status != RF_OK)
                fprintf(stderr, "save: %s\n", err.text);
            drop(tensors);
            first = p == 0 ? content : first;
            if (group.rank == 0)
                CHECK(rf_digest_equal(&content, &first));
        }
        rf_group_free(&group);
        MPI_Barrier(world->comm);
        CHECK(rf_store_path(path, dir, p, NULL) == RF_OK);
        for (int q = 0; q < NGRIDS; q++)
            if (grids[q].tp * grids[q].dp <= world->size)
                load_on(world, path, q);
    }
}

static enum rf_status save_as(const struct rf_group *world, const char *dir,
                              const struct rf_ckpt_options *options,
                              const struct rf_tensor *tensors, struct rf_ckpt_saved *saved,
                              struct rf_error *err)
{
    struct rf_ckpt_info info = {.step = 1, .ranks = world->size};
    struct rf_ckpt_saver *saver = NULL;
    enum rf_status st =
        rf_ckpt_saver_create(&saver, world, dir, options, tensors, NTENSORS, err);

    if (st == RF_OK)
        st = rf_ckpt_saver_begin(saver, &info, err);
    if (st == RF_OK)
        st = rf_ckpt_saver_poll(saver, 1, saved, err);
    rf_ckpt_saver_destroy(saver);
    return st;
}

static void every_way_of_writing_gives_the_same_bytes(const struct rf_group *world)
{
    const struct rf_ckpt_options ways[] = {
        {.cached = 0}, {.cached = 1}, {.by_hdf5 = 1}, {.background = 1}};
    enum { WAYS = sizeof ways / sizeof ways[0] };
    struct rf_tensor tensors[NTENSORS];
    char *data[WAYS] = {NULL}, dir[RF_PATH_BYTES], name[16];
    size_t bytes[WAYS] = {0};
    struct rf_error err = {0};

    for (int kind = 0; kind < 2; kind++) {
        make(tensors, world->rank, world->size, 1, 3);
        for (int t = 0; t < NTENSORS && kind == 1; t++)
            tensors[t].stored = model[t].moment ? RF_STORED_BF16 : RF_STORED_F32;
        for (int i = 0; i < WAYS; i++) {
            struct rf_ckpt_saved saved = {0};

            snprintf(name, sizeof name, "way-%d-%d", kind, i);
            dir_of(dir, name);
            CHECK(save_as(world, dir, &ways[i], tensors, &saved, &err) == RF_OK);
            CHECK(saved.committed && saved.step == 1);
            if (world->rank == 0)
                CHECK(rf_file_read(saved.path, (size_t)1 << 30, &data[i], &bytes[i], &err) ==
                      RF_OK);
        }
        for (int i = 1; i < WAYS && world->rank == 0; i++)
            CHECK(bytes[i] == bytes[0] && memcmp(data[i], data[0], bytes[0]) == 0);
        for (int i = 0; i < WAYS; i++) {
            free(data[i]);
            data[i] = NULL;
        }
        drop(tensors);
    }
}

static void what_is_stored_in_two_bytes_comes_back_rounded(const struct rf_group *world)
{
    struct rf_tensor tensors[NTENSORS], got[NTENSORS];
    struct rf_ckpt_saved saved = {0};
    struct rf_ckpt_info info;
    struct rf_manifest *manifest = NULL;
    char dir[RF_PATH_BYTES];
    struct rf_error err = {0};

    dir_of(dir, "two-bytes");
    make(tensors, world->rank, 1, world->size, 3);
    make(got, world->rank, 1, world->size, 0);
    for (int t = 0; t < NTENSORS; t++)
        tensors[t].stored = RF_STORED_BF16;
    CHECK(save_as(world, dir, &(struct rf_ckpt_options){0}, tensors, &saved, &err) == RF_OK);
    CHECK(rf_ckpt_load(world, saved.path, &info, got, NTENSORS, &err) == RF_OK);
    for (int t = 0; t < NTENSORS; t++)
        for (int64_t i = 0; i < got[t].extent[0] * got[t].extent[1]; i++) {
            uint16_t half;
            uint32_t word;
            int nearest;

            rf_bf16_round(&half, &tensors[t].data[i], 1);
            word = (uint32_t)half << 16;
            nearest = memcmp(&word, &got[t].data[i], sizeof word) == 0;
            CHECK(nearest);
            if (!nearest)
                break;
        }
    if (world->rank == 0) {
        CHECK(rf_ckpt_inspect(saved.path, 1, &manifest, &err) == RF_OK);
        CHECK(manifest != NULL && manifest->format_version == 1);
        CHECK(manifest != NULL && manifest->tensors[0].stored == RF_STORED_BF16);
        rf_manifest_free(manifest);
    }
    MPI_Barrier(world->comm);
    drop(tensors);
    drop(got);
}

static void tensors_may_change_while_a_save_goes_on(const struct rf_group *world)
{
    const struct rf_ckpt_options options = {.background = 1, .keep = {.last = 1}};
    struct rf_tensor tensors[NTENSORS], wanted[NTENSORS], got[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    char dir[RF_PATH_BYTES];
    struct rf_error err = {0};

    dir_of(dir, "behind");
    make(tensors, world->rank, world->size, 1, 40);
    make(got, world->rank, world->size, 1, 0);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    for (int64_t step = 1; step <= 4; step++) {
        struct rf_ckpt_info info = {.step = step, .ranks = world->size};
        struct rf_ckpt_saved saved = {0};
        int polls = 0;

        CHECK(rf_ckpt_saver_begin(saver, &info, &err) == RF_OK);
        CHECK(rf_ckpt_saver_busy(saver));
        for (int t = 0; t < NTENSORS; t++) /* the next step of training */
            fill(&tensors[t], t, 40 + (uint64_t)step);
        while (!saved.committed && polls++ < 20000) {
            CHECK(rf_ckpt_saver_poll(saver, step == 4, &saved, &err) == RF_OK);
            nap();
        }
        CHECK(saved.committed && saved.step == step && !rf_ckpt_saver_busy(saver));
        CHECK(rf_ckpt_load(world, saved.path, &info, got, NTENSORS, &err) == RF_OK);
        make(wanted, world->rank, world->size, 1, 40 + (uint64_t)step - 1);
        CHECK(same(got, wanted));
        drop(wanted);
    }
    rf_ckpt_saver_destroy(saver);
    drop(tensors);
    drop(got);
}

static int my_rank, fail_rank;
static const char *fail_step;

static int fault(const char *step)
{
    return my_rank == fail_rank && strcmp(step, fail_step) == 0 ? EIO : 0;
}

static void a_failure_behind_the_scenes_is_heard_once_by_all(const struct rf_group *world)
{
    static const char *const steps[] = {"write", "sync", "seal", "rename"};
    const struct rf_ckpt_options options = {.background = 1};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saved saved;
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    int64_t step;
    int found;
    struct rf_error err = {0};

    dir_of(dir, "surface");
    make(tensors, world->rank, world->size, 1, 9);
    CHECK(save_as(world, dir, &(struct rf_ckpt_options){0}, tensors, &saved, &err) == RF_OK);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct rf_ckpt_info info = {.step = 5, .ranks = world->size};
        struct rf_ckpt_saver *saver = NULL;
        enum rf_status st = RF_OK;

        fail_step = steps[i];
        fail_rank = i < 2 ? world->size - 1 : 0; /* the last touches are the first rank's */
        rf_h5_fault = fault;
        CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) ==
              RF_OK);
        st = rf_ckpt_saver_begin(saver, &info, &err); /* the first rank writes some at once */
        CHECK(st == RF_OK || world->size == 1);
        memset(&saved, 0, sizeof saved);
        for (int polls = 0; st == RF_OK && polls < 20000; polls++) {
            st = rf_ckpt_saver_poll(saver, 0, &saved, &err);
            nap();
        }
        CHECK(st == RF_ERR_IO && strlen(err.text) > 0 && !saved.committed);
        CHECK(!rf_ckpt_saver_busy(saver));
        CHECK(rf_ckpt_saver_poll(saver, 1, &saved, &err) == RF_OK && !saved.committed);
        fail_rank = -1;
        MPI_Barrier(world->comm);
        CHECK(rf_store_newest(dir, path, &step, &found, &err) == RF_OK && found && step == 1);
        MPI_Barrier(world->comm);
        if (i == 0) { /* and the next one works */
            CHECK(rf_ckpt_saver_begin(saver, &info, &err) == RF_OK);
            CHECK(rf_ckpt_saver_poll(saver, 1, &saved, &err) == RF_OK && saved.committed);
            MPI_Barrier(world->comm);
            if (world->rank == 0)
                unlink(saved.path);
            MPI_Barrier(world->comm);
        }
        rf_ckpt_saver_destroy(saver);
        rf_h5_fault = NULL;
    }
    drop(tensors);
}

static void a_save_that_nobody_waits_for_is_never_seen(const struct rf_group *world)
{
    const struct rf_ckpt_options options = {.background = 1};
    struct rf_ckpt_info info = {.step = 3, .ranks = world->size};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    int64_t step;
    int found;
    struct rf_error err = {0};

    dir_of(dir, "unseen");
    make(tensors, world->rank, world->size, 1, 9);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    CHECK(rf_ckpt_saver_begin(saver, &info, &err) == RF_OK);
    rf_ckpt_saver_destroy(saver);
    MPI_Barrier(world->comm);
    CHECK(rf_store_newest(dir, path, &step, &found, &err) == RF_OK && !found);
    CHECK(rf_store_temp_path(path, dir, 3, &err) == RF_OK && rf_file_exists(path));
    MPI_Barrier(world->comm);
    if (world->rank == 0) {
        CHECK(rf_store_clean(dir, &err) == RF_OK);
        CHECK(!rf_file_exists(path));
    }
    drop(tensors);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    my_rank = world.rank;
    snprintf(base, sizeof base, "/tmp/rf-ckpt-layout-XXXXXX");
    if (world.rank == 0 && mkdtemp(base) == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    rf_group_bcast(&world, base, sizeof base, 0);

    what_one_grid_saves_every_grid_loads(&world);
    every_way_of_writing_gives_the_same_bytes(&world);
    what_is_stored_in_two_bytes_comes_back_rounded(&world);
    tensors_may_change_while_a_save_goes_on(&world);
    a_failure_behind_the_scenes_is_heard_once_by_all(&world);
    a_save_that_nobody_waits_for_is_never_seen(&world);

    MPI_Barrier(world.comm);
    if (world.rank == 0)
        CHECK(rf_file_remove_tree(base, NULL) == RF_OK);
    rf_group_free(&world);
    result = check_result();
    MPI_Finalize();
    return result;
}
