/* Checkpoints: saved on P ranks, loaded on Q, for all P and Q up to the size of the world; and
 * every way a save can fail. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"
#include "ckpt/granule.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"
#include "mpi/h5.h"

/* Names and shapes: rows or columns cut, small enough that ranks come out empty, replicated,
 * and large enough for several granules with a short last one. */
static const struct {
    const char *name;
    int ndims;
    int64_t rows, columns;
    char cut; /* r, c, or - for replicated */
} model[] = {
    {"wte.weight", 2, 2901, 64, 'r'},      {"wpe.weight", 2, 48, 64, '-'},
    {"h.0.attn.q.weight", 2, 63, 64, 'r'}, {"h.0.attn.proj.weight", 2, 64, 63, 'c'},
    {"h.0.attn.q.bias", 1, 63, 1, 'r'},    {"h.0.ln_1.weight", 1, 64, 1, '-'},
    {"h.0.mlp.fc.weight", 2, 2, 7, 'r'},   {"h.0.mlp.proj.weight", 2, 5, 3, 'c'},
    {"big.weight", 2, 1111, 601, 'c'},     {"m/big.weight", 2, 1111, 601, 'c'},
    {"v/big.weight", 2, 1111, 601, 'r'},   {"m/h.0.ln_1.weight", 1, 64, 1, '-'},
};
enum { NTENSORS = sizeof model / sizeof model[0] };

static char base[256];
static int ntensors = NTENSORS; /* how many of them a test works with */

static float value_at(uint64_t seed, int tensor, int64_t row, int64_t column)
{
    uint64_t bits = rf_rng_bits(seed, (uint64_t)tensor, (uint64_t)(row * 1000 + column));
    uint32_t low = (uint32_t)bits;
    float value;

    memcpy(&value, &low, sizeof value); /* any bit pattern, NaN and -0 included */
    return value;
}

/* This rank's slices; seed 0 fills them with zeros. */
static void make(struct rf_tensor tensors[NTENSORS], const struct rf_group *group,
                 uint64_t seed)
{
    for (int t = 0; t < ntensors; t++) {
        struct rf_tensor *x = &tensors[t];
        struct rf_slice rows = {0, model[t].rows}, columns = {0, model[t].columns};

        if (model[t].cut == 'r')
            rows = rf_slice(model[t].rows, group->rank, group->size);
        if (model[t].cut == 'c')
            columns = rf_slice(model[t].columns, group->rank, group->size);
        memset(x, 0, sizeof *x);
        memcpy(x->name, model[t].name, strlen(model[t].name));
        x->ndims = model[t].ndims;
        x->shape[0] = model[t].rows;
        x->shape[1] = model[t].columns;
        x->offset[0] = rows.begin;
        x->offset[1] = columns.begin;
        x->extent[0] = rows.count;
        x->extent[1] = columns.count;
        x->replicated = model[t].cut == '-';
        x->data = calloc((size_t)(rows.count * columns.count) + 1, sizeof *x->data);
        for (int64_t i = 0; seed != 0 && i < rows.count * columns.count; i++)
            x->data[i] = value_at(seed, t, rows.begin + i / columns.count,
                                  columns.begin + i % columns.count);
    }
}

static void drop(struct rf_tensor tensors[NTENSORS])
{
    for (int t = 0; t < ntensors; t++)
        free(tensors[t].data);
}

static int same(const struct rf_tensor a[NTENSORS], const struct rf_tensor b[NTENSORS])
{
    for (int t = 0; t < ntensors; t++) {
        size_t n = (size_t)(a[t].extent[0] * a[t].extent[1]);

        if (memcmp(a[t].data, b[t].data, n * sizeof(float)) != 0)
            return 0;
    }
    return 1;
}

static struct rf_ckpt_info info_of(int64_t step, int ranks)
{
    struct rf_ckpt_info info;

    memset(&info, 0, sizeof info);
    info.step = step;
    info.tokens = step * 4096;
    info.flops = INT64_C(1) << 60;
    info.seed = -7;
    info.ranks = ranks;
    strcpy(info.job, "strong-pretrain");
    strcpy(info.account, "capability.pretraining");
    strcpy(info.model, "gpt2 layers=1");
    strcpy(info.version, "0.1.0");
    memset(info.config, 'c', 64);
    return info;
}

static void fill_path(char path[RF_PATH_BYTES], const char *name)
{
    struct rf_error err;

    CHECK(rf_file_join(path, base, name, &err) == RF_OK);
}

/* The first n ranks of world as a group; size 0 on the others. */
static void first_ranks(struct rf_group *group, const struct rf_group *world, int n)
{
    const int ranks[4] = {0, 1, 2, 3};

    memset(group, 0, sizeof *group);
    if (world->rank < n)
        rf_group_among(group, world, ranks, n, 10 + n);
}

static void save_with(const struct rf_group *group, const char *dir, int64_t step,
                      uint64_t seed, struct rf_digest *content)
{
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info = info_of(step, group->size);
    char path[RF_PATH_BYTES];
    struct rf_error err = {0};

    make(tensors, group, seed);
    CHECK(rf_ckpt_save(group, dir, &info, tensors, ntensors, 0, path, content, &err) == RF_OK);
    if (err.status != RF_OK)
        fprintf(stderr, "save to %s: %s\n", dir, err.text);
    drop(tensors);
}

/* Loads and compares with what was saved under this seed. */
static int loads_as(const struct rf_group *group, const char *path, int64_t step, int ranks,
                    uint64_t seed)
{
    struct rf_tensor wanted[NTENSORS], got[NTENSORS];
    struct rf_ckpt_info info, expected = info_of(step, ranks);
    struct rf_error err = {0};
    int fine;

    make(wanted, group, seed);
    make(got, group, 0);
    memset(&info, 1, sizeof info);
    fine = rf_ckpt_load(group, path, &info, got, ntensors, &err) == RF_OK &&
           same(wanted, got) && info.step == expected.step && info.tokens == expected.tokens &&
           info.flops == expected.flops && info.seed == expected.seed &&
           info.ranks == expected.ranks && strcmp(info.job, expected.job) == 0 &&
           strcmp(info.account, expected.account) == 0 &&
           strcmp(info.model, expected.model) == 0 &&
           strcmp(info.tokenizer, expected.tokenizer) == 0 &&
           strcmp(info.config, expected.config) == 0 &&
           strcmp(info.version, expected.version) == 0;
    if (!fine)
        fprintf(stderr, "load of %s: %s\n", path, err.text);
    drop(wanted);
    drop(got);
    return fine;
}

static void what_p_ranks_save_q_ranks_load_bit_for_bit(const struct rf_group *world)
{
    struct rf_digest content[5];
    char dir[RF_PATH_BYTES];

    fill_path(dir, "pq");
    for (int p = 1; p <= world->size; p++) {
        struct rf_group saving;

        first_ranks(&saving, world, p);
        if (saving.size > 0)
            save_with(&saving, dir, p, 5, &content[p]);
        MPI_Barrier(world->comm);
        rf_group_free(&saving);
        for (int q = 1; q <= world->size; q++) {
            struct rf_group loading;
            char path[RF_PATH_BYTES];

            first_ranks(&loading, world, q);
            CHECK(rf_store_path(path, dir, p, NULL) == RF_OK);
            if (loading.size > 0)
                CHECK(loads_as(&loading, path, p, p, 5));
            MPI_Barrier(world->comm);
            rf_group_free(&loading);
        }
        if (world->rank == 0)
            CHECK(rf_digest_equal(&content[p], &content[1]));
    }
}

static void a_saved_file_passes_inspection_and_lists_its_tensors(const struct rf_group *world)
{
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_manifest *manifest = NULL;
    struct rf_error err = {0};

    fill_path(dir, "pq");
    CHECK(rf_store_path(path, dir, 1, &err) == RF_OK);
    if (world->rank != 0)
        return;
    CHECK(rf_ckpt_inspect(path, 1, &manifest, &err) == RF_OK);
    CHECK(manifest != NULL && manifest->ntensors == NTENSORS);
    for (int t = 0; manifest != NULL && t < ntensors; t++) {
        CHECK(strcmp(manifest->tensors[t].name, model[t].name) == 0);
        CHECK(manifest->tensors[t].ndims == model[t].ndims);
        CHECK(manifest->tensors[t].shape[0] == model[t].rows);
        CHECK(manifest->tensors[t].shape[1] == model[t].columns);
    }
    rf_manifest_free(manifest);
}

static void the_same_state_gives_the_same_bytes(const struct rf_group *world)
{
    char dir[RF_PATH_BYTES], path[2][RF_PATH_BYTES], *data[2] = {NULL, NULL};
    struct rf_digest content[2];
    size_t bytes[2];
    struct rf_error err = {0};

    for (int i = 0; i < 2; i++) {
        fill_path(dir, i == 0 ? "same-a" : "same-b");
        save_with(world, dir, 3, 9, &content[i]);
        CHECK(rf_store_path(path[i], dir, 3, &err) == RF_OK);
    }
    CHECK(rf_digest_equal(&content[0], &content[1]));
    for (int i = 0; i < 2; i++)
        CHECK(rf_file_read(path[i], (size_t)1 << 30, &data[i], &bytes[i], &err) == RF_OK);
    CHECK(bytes[0] == bytes[1] && memcmp(data[0], data[1], bytes[0]) == 0);
    free(data[0]);
    free(data[1]);
}

static void one_changed_value_changes_the_content_digest(const struct rf_group *world)
{
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info = info_of(4, world->size);
    struct rf_digest before, after;
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_error err = {0};

    fill_path(dir, "change");
    make(tensors, world, 9);
    CHECK(rf_ckpt_save(world, dir, &info, tensors, ntensors, 0, path, &before, &err) == RF_OK);
    if (tensors[8].extent[1] > 0 && tensors[8].offset[1] == 0)
        memset(tensors[8].data, 0, sizeof(float));
    CHECK(rf_ckpt_save(world, dir, &info, tensors, ntensors, 0, path, &after, &err) == RF_OK);
    CHECK(!rf_digest_equal(&before, &after));
    drop(tensors);
}

static void only_the_newest_are_kept_and_old_leftovers_go(const struct rf_group *world)
{
    struct rf_tensor tensors[NTENSORS];
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES], stale[RF_PATH_BYTES];
    struct rf_store_entry *entries = NULL;
    struct rf_digest content;
    struct rf_error err = {0};
    int64_t step = -1;
    int n = 0, found = 0;

    fill_path(dir, "keep");
    CHECK(rf_store_temp_path(stale, dir, 77, &err) == RF_OK);
    CHECK(rf_ckpt_newest(dir, path, &step, &found, &err) == RF_OK && !found);
    MPI_Barrier(world->comm);
    if (world->rank == 0) {
        CHECK(rf_file_mkdir(dir, &err) == RF_OK);
        CHECK(rf_file_write(stale, "half", 4, &err) == RF_OK);
    }
    make(tensors, world, 2);
    for (int64_t s = 1; s <= 4; s++) {
        struct rf_ckpt_info info = info_of(s, world->size);

        CHECK(rf_ckpt_save(world, dir, &info, tensors, ntensors, 2, path, &content, &err) ==
              RF_OK);
    }
    CHECK(!rf_file_exists(stale));
    CHECK(rf_store_list(dir, &entries, &n, &err) == RF_OK);
    CHECK(n == 2 && entries[0].step == 3 && entries[1].step == 4 && entries[1].complete);
    CHECK(rf_ckpt_newest(dir, path, &step, &found, &err) == RF_OK && found && step == 4);
    CHECK(loads_as(world, path, 4, world->size, 2));
    free(entries);
    drop(tensors);
}

/* The fault hook: the k-th step on one rank fails. */
static int fault_rank, fault_at, fault_count, my_rank;

static int fail_kth(const char *step)
{
    (void)step;
    if (my_rank != fault_rank)
        return 0;
    return fault_count++ == fault_at ? ENOSPC : 0;
}

/* Saves step 2 with a failure planned; checks that step 1 is as it was. Returns whether the
 * save failed. */
static int save_fails(const struct rf_group *world, const char *dir)
{
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info = info_of(2, world->size);
    char path[RF_PATH_BYTES] = "untouched", first[RF_PATH_BYTES], temp[RF_PATH_BYTES];
    struct rf_digest content;
    struct rf_error err = {0};
    enum rf_status st;
    int sum, found;
    int64_t step;

    make(tensors, world, 22);
    st = rf_ckpt_save(world, dir, &info, tensors, ntensors, 1, path, &content, &err);
    drop(tensors);
    rf_h5_fault = NULL;
    sum = (int)st;
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, world->comm);
    CHECK(sum == (int)st * world->size); /* the same answer everywhere */
    if (st == RF_OK)
        return 0;
    CHECK(st == RF_ERR_IO);
    CHECK(err.status == RF_ERR_IO && strlen(err.text) > 0);
    CHECK(strcmp(path, "untouched") == 0);
    CHECK(rf_store_temp_path(temp, dir, 2, NULL) == RF_OK);
    MPI_Barrier(world->comm);
    CHECK(!rf_file_exists(temp));
    CHECK(rf_ckpt_newest(dir, first, &step, &found, &err) == RF_OK && found && step == 1);
    CHECK(loads_as(world, first, 1, world->size, 11));
    return 1;
}

static void
whatever_step_fails_on_whatever_rank_the_earlier_checkpoint_stays(const struct rf_group *world)
{
    char dir[RF_PATH_BYTES];
    struct rf_digest content;

    fill_path(dir, "faults");
    save_with(world, dir, 1, 11, &content);
    for (int rank = 0; rank < world->size; rank++) {
        int failed = 1;

        for (int k = 0; failed && k < 100; k++) {
            fault_rank = rank;
            fault_at = k;
            fault_count = 0;
            rf_h5_fault = fail_kth;
            failed = save_fails(world, dir);
            CHECK(failed || k >= 3); /* open, close and sync at least */
        }
        CHECK(!failed); /* past the last step, the save works */
        /* which removed step 1: put it back and step 2 away */
        if (world->rank == 0) {
            char path[RF_PATH_BYTES];

            CHECK(rf_store_path(path, dir, 2, NULL) == RF_OK);
            unlink(path);
        }
        MPI_Barrier(world->comm);
        save_with(world, dir, 1, 11, &content);
    }
}

static void a_file_size_limit_on_one_rank_is_an_error_on_all(const struct rf_group *world)
{
    char dir[RF_PATH_BYTES];
    struct rf_digest content;
    struct rlimit before, small;

    fill_path(dir, "limit");
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    save_with(world, dir, 1, 11, &content);
    for (int rank = 0; rank < world->size; rank++) {
        small = before;
        small.rlim_cur = 1 << 19;
        if (world->rank == rank)
            CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
        CHECK(save_fails(world, dir));
        CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    }
}

static void a_failing_read_is_an_error_on_all(const struct rf_group *world)
{
    struct rf_tensor tensors[NTENSORS], zeros[NTENSORS];
    struct rf_ckpt_info info = info_of(99, 99);
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_error err = {0};

    fill_path(dir, "faults");
    CHECK(rf_store_path(path, dir, 1, &err) == RF_OK);
    make(tensors, world, 0);
    make(zeros, world, 0);
    fault_rank = world->size - 1;
    fault_at = 0; /* every rank opens, before anything is changed */
    fault_count = 0;
    rf_h5_fault = fail_kth;
    CHECK(rf_ckpt_load(world, path, &info, tensors, ntensors, &err) == RF_ERR_IO);
    rf_h5_fault = NULL;
    CHECK(same(tensors, zeros));
    CHECK(info.step == 99);
    fault_rank = 0; /* the first opens, then reads */
    fault_at = 1;
    fault_count = 0;
    rf_h5_fault = fail_kth;
    CHECK(rf_ckpt_load(world, path, &info, tensors, ntensors, &err) != RF_OK);
    rf_h5_fault = NULL;
    CHECK(err.status != RF_OK && strlen(err.text) > 0);
    CHECK(info.step == 99);
    drop(tensors);
    drop(zeros);
}

static void
a_checkpoint_of_another_model_is_refused_with_both_shapes(const struct rf_group *world)
{
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info;
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_error err = {0};

    fill_path(dir, "faults");
    CHECK(rf_store_path(path, dir, 1, &err) == RF_OK);
    make(tensors, world, 0);
    tensors[1].shape[0] = tensors[1].extent[0] = 40; /* less than is allocated */
    CHECK(rf_ckpt_load(world, path, &info, tensors, ntensors, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "checkpoint from another model") != NULL);
    CHECK(strstr(err.text, "48x64") != NULL && strstr(err.text, "40x64") != NULL);
    CHECK(strstr(err.text, "wpe.weight") != NULL);
    tensors[1].shape[0] = tensors[1].extent[0] = 48;
    strcpy(tensors[2].name, "h.9.attn.q.weight");
    CHECK(rf_ckpt_load(world, path, &info, tensors, ntensors, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "h.9.attn.q.weight") != NULL);
    CHECK(rf_ckpt_load(world, path, &info, tensors, 2, &err) == RF_OK); /* the rest unasked */
    CHECK(rf_ckpt_load(world, dir, &info, tensors, 2, &err) == RF_ERR_INPUT);
    drop(tensors);
}

/* Serial: any flipped bit of a small file is found, without a crash, by who verifies and by who
 * loads, and then no value of it has reached a tensor of the damaged granule. */
static void every_flipped_bit_is_found(const struct rf_group *world)
{
    struct rf_group alone;
    struct rf_ckpt_info info = info_of(6, 1);
    float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct rf_tensor tensors[2] = {
        {"wte.weight", 2, {4, 2}, {0, 0}, {4, 2}, values, 0, RF_STORED_F32},
        {"m/ln_f.bias", 1, {4, 1}, {0, 0}, {4, 1}, values + 8, 1, RF_STORED_F32},
    };
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES], bad[RF_PATH_BYTES], *data = NULL;
    struct rf_digest content;
    struct rf_error err = {0};
    size_t bytes = 0;
    const int rank = 0;

    if (world->size != 1) /* more ranks would only watch */
        return;
    fill_path(dir, "flips");
    fill_path(bad, "flipped.h5");
    rf_group_among(&alone, world, &rank, 1, 99);
    CHECK(rf_ckpt_save(&alone, dir, &info, tensors, 2, 0, path, &content, &err) == RF_OK);
    CHECK(rf_file_read(path, 1 << 24, &data, &bytes, &err) == RF_OK);
    for (uint64_t i = 0; i < 1000 && bytes > 0; i++) {
        float got[12] = {0};
        struct rf_tensor targets[2] = {tensors[0], tensors[1]};
        struct rf_ckpt_info read = info_of(99, 99);
        struct rf_manifest *manifest = NULL;
        size_t at = (size_t)(i < 200 ? i : rf_rng_below(1, 2, i, bytes));
        int bit = (int)rf_rng_below(1, 3, i, 8);
        FILE *out = fopen(bad, "wb");
        enum rf_status st;

        data[at] = (char)(data[at] ^ (1 << bit));
        CHECK(out != NULL && fwrite(data, 1, bytes, out) == bytes && fclose(out) == 0);
        data[at] = (char)(data[at] ^ (1 << bit));
        st = rf_ckpt_inspect(bad, 1, &manifest, &err);
        CHECK(st == (at < 8 ? RF_ERR_INPUT : RF_NO));
        CHECK(manifest == NULL);
        targets[0].data = got;
        targets[1].data = got + 8;
        CHECK(rf_ckpt_load(&alone, bad, &read, targets, 2, &err) == RF_ERR_INPUT);
        CHECK(read.step == 99);
        for (int k = 0; k < 12; k++)
            CHECK(got[k] == 0 || got[k] == values[k]);
    }
    rf_group_free(&alone);
    CHECK(truncate(bad, (off_t)bytes - 1) == 0);
    struct rf_manifest *manifest = NULL;
    CHECK(rf_ckpt_inspect(bad, 0, &manifest, &err) == RF_NO);
    free(data);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    char command[300];

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    my_rank = world.rank;
    snprintf(base, sizeof base, "%s/rf-ckpt-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (world.rank == 0 && mkdtemp(base) == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    rf_group_bcast(&world, base, sizeof base, 0);

    what_p_ranks_save_q_ranks_load_bit_for_bit(&world);
    a_saved_file_passes_inspection_and_lists_its_tensors(&world);
    the_same_state_gives_the_same_bytes(&world);
    one_changed_value_changes_the_content_digest(&world);
    only_the_newest_are_kept_and_old_leftovers_go(&world);
    ntensors = 4; /* fewer steps that can fail, and every kind of slice among them */
    whatever_step_fails_on_whatever_rank_the_earlier_checkpoint_stays(&world);
    a_failing_read_is_an_error_on_all(&world);
    a_checkpoint_of_another_model_is_refused_with_both_shapes(&world);
    a_file_size_limit_on_one_rank_is_an_error_on_all(&world);
    every_flipped_bit_is_found(&world);

    MPI_Barrier(world.comm);
    snprintf(command, sizeof command, "rm -rf %s", base);
    if (world.rank == 0 && system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", base);
    rf_group_free(&world);
    int result = check_result();
    MPI_Finalize();
    return result;
}
