/* Checkpoints that refer to earlier ones, and compressed ones: what has not changed is stored once,
 * read back bit for bit on any number of ranks, and its file stays as long as somebody needs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_diff.h"
#include "mpi/ckpt_verify.h"
#include "mpi/h5.h"
#include "mpi/reshard.h"

/* Cut by rows, by columns, or held by all; one of several granules with a short last one. */
static const struct {
    const char *name;
    int ndims;
    int64_t rows, columns;
    char cut;
} model[] = {{"wte.weight", 2, 901, 64, 'r'},
             {"h.0.attn.o.weight", 2, 64, 63, 'c'},
             {"h.0.ln_1.weight", 1, 64, 1, '-'},
             {"big.weight", 2, 500, 601, 'c'},
             {"m/big.weight", 2, 500, 601, 'r'}};
enum { WTE, OUT, NORM, BIG, MOMENT, NTENSORS };

static char base[256];

static float value_at(int tensor, int version, int64_t row, int64_t column)
{
    return (float)(rf_rng_bits(1, (uint64_t)(tensor * 100 + version),
                               (uint64_t)(row * 1000 + column)) >>
                   40);
}

/* This rank's rectangles of version[t] of each tensor; version 0 is all zeros. */
static void make(struct rf_tensor tensors[NTENSORS], const struct rf_group *group,
                 const int version[NTENSORS])
{
    for (int t = 0; t < NTENSORS; t++) {
        struct rf_tensor *x = &tensors[t];
        struct rf_slice rows = {0, model[t].rows}, columns = {0, model[t].columns};

        if (model[t].cut == 'r')
            rows = rf_slice(model[t].rows, group->rank, group->size);
        if (model[t].cut == 'c')
            columns = rf_slice(model[t].columns, group->rank, group->size);
        *x = (struct rf_tensor){.ndims = model[t].ndims,
                                .shape = {model[t].rows, model[t].columns},
                                .offset = {rows.begin, columns.begin},
                                .extent = {rows.count, columns.count},
                                .replicated = model[t].cut == '-',
                                .stored = t == MOMENT ? RF_STORED_BF16 : RF_STORED_F32};
        memcpy(x->name, model[t].name, strlen(model[t].name));
        x->data = calloc((size_t)(rows.count * columns.count) + 1, sizeof *x->data);
        for (int64_t i = 0; version[t] != 0 && i < rows.count * columns.count; i++)
            x->data[i] = value_at(t, version[t], rows.begin + i / columns.count,
                                  columns.begin + i % columns.count);
    }
}

static void drop(struct rf_tensor tensors[NTENSORS])
{
    for (int t = 0; t < NTENSORS; t++)
        free(tensors[t].data);
}

/* The next step of training for one tensor. */
static void change(struct rf_tensor *x, int t, int version)
{
    for (int64_t i = 0; i < x->extent[0] * x->extent[1]; i++)
        x->data[i] = value_at(t, version, x->offset[0] + i / x->extent[1],
                              x->offset[1] + i % x->extent[1]);
}

static void path_of(char path[RF_PATH_BYTES], const char *name)
{
    CHECK(rf_file_join(path, base, name, NULL) == RF_OK);
}

static void save(struct rf_ckpt_saver *saver, int64_t step, struct rf_ckpt_saved *saved)
{
    struct rf_ckpt_info info = {.step = step, .ranks = 1};
    struct rf_error err = {0};

    memset(saved, 0, sizeof *saved);
    CHECK(rf_ckpt_saver_begin(saver, &info, &err) == RF_OK);
    CHECK(rf_ckpt_saver_poll(saver, 1, saved, &err) == RF_OK && saved->committed);
    if (err.status != RF_OK)
        fprintf(stderr, "save of step %d: %s\n", (int)step, err.text);
}

/* Loads on the first ranks of all sizes, and compares what two bytes can hold of it. */
static int loads_as(const struct rf_group *world, const char *path, const int version[NTENSORS])
{
    const int ranks[4] = {0, 1, 2, 3}, nothing[NTENSORS] = {0};
    int fine = 1;

    for (int q = 1; q <= world->size; q++) {
        struct rf_tensor wanted[NTENSORS], got[NTENSORS];
        struct rf_ckpt_info info;
        struct rf_group group = {0};
        struct rf_error err = {0};

        if (world->rank < q)
            rf_group_among(&group, world, ranks, q, 10 + q);
        if (world->rank < q) {
            make(wanted, &group, version);
            make(got, &group, nothing);
            fine = fine && rf_ckpt_load(&group, path, &info, got, NTENSORS, &err) == RF_OK;
            for (int t = 0; t < NTENSORS; t++)
                for (int64_t i = 0; i < got[t].extent[0] * got[t].extent[1]; i++)
                    fine =
                        fine && (t == MOMENT ? got[t].data[i] >= wanted[t].data[i] * 0.99f &&
                                                   got[t].data[i] <= wanted[t].data[i] * 1.01f
                                             : got[t].data[i] == wanted[t].data[i]);
            if (err.status != RF_OK)
                fprintf(stderr, "load of %s: %s\n", path, err.text);
            drop(wanted);
            drop(got);
        }
        MPI_Barrier(world->comm);
        rf_group_free(&group);
    }
    return fine;
}

/* Which step's file a tensor of this one lies in, -1 when it is its own. */
static int64_t base_of(const char *path, int t)
{
    struct rf_manifest *m = NULL;
    struct rf_error err = {0};
    int64_t step = -2;

    CHECK(rf_ckpt_inspect(path, 1, &m, &err) == RF_OK);
    if (err.status != RF_OK)
        fprintf(stderr, "%s\n", err.text);
    if (m != NULL)
        step = m->tensors[t].base;
    rf_manifest_free(m);
    return step;
}

static void what_has_not_changed_is_stored_once(const struct rf_group *world)
{
    int version[NTENSORS] = {1, 1, 1, 1, 1};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_options options = {.share = 1};
    struct rf_ckpt_saver *saver = NULL;
    struct rf_ckpt_saved saved, whole;
    struct rf_digest verified;
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct stat info;
    struct rf_error err = {0};

    path_of(dir, "once");
    make(tensors, world, version);
    for (int background = 0; background < 2; background++) {
        options.background = background;
        CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) ==
              RF_OK);
        for (int step = 1; step <= 3; step++) {
            save(saver, background * 10 + step, &saved);
            /* a new saver knows no values: it finds out by digests */
            CHECK(saved.nshared == (step == 1 && !background ? 0 : NTENSORS - (step > 1)));
            change(&tensors[BIG], BIG, ++version[BIG]);
        }
        rf_ckpt_saver_destroy(saver);
        version[BIG]--;
        CHECK(loads_as(world, saved.path, version));
        CHECK(rf_ckpt_verify(world, saved.path, NULL, &verified, &err) == RF_OK);
        CHECK(rf_digest_equal(&verified, &saved.content));
        if (world->rank == 0) {
            CHECK(base_of(saved.path, WTE) == 1 && base_of(saved.path, BIG) == -1);
            CHECK(base_of(saved.path, MOMENT) == 1 && base_of(saved.path, NORM) == 1);
            CHECK(stat(saved.path, &info) == 0 && info.st_size < 500 * 601 * 4 + 40000);
        }
        MPI_Barrier(world->comm);
        change(&tensors[BIG], BIG, version[BIG]); /* as the next saver finds it */
    }
    path_of(dir, "whole");
    options = (struct rf_ckpt_options){0};
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    save(saver, 13, &whole);
    rf_ckpt_saver_destroy(saver);
    CHECK(whole.nshared == 0 && rf_digest_equal(&whole.content, &saved.content));
    /* resharded into another directory it is whole by itself */
    path_of(path, "resharded");
    CHECK(rf_ckpt_reshard(world, saved.path, path, &(struct rf_reshard){0}, NULL, &whole,
                          &err) == RF_OK);
    CHECK(rf_digest_equal(&whole.content, &saved.content));
    if (world->rank == 0)
        CHECK(base_of(whole.path, WTE) == -1);
    MPI_Barrier(world->comm);
    drop(tensors);
}

static void a_single_changed_value_is_noticed(const struct rf_group *world)
{
    const int version[NTENSORS] = {1, 1, 1, 1, 1};
    const struct rf_ckpt_options options = {.share = 1};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    struct rf_ckpt_saved saved;
    char dir[RF_PATH_BYTES];
    struct rf_error err = {0};

    path_of(dir, "noticed");
    make(tensors, world, version);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    save(saver, 1, &saved);
    if (world->rank == 0) /* no sample falls there */
        tensors[WTE].data[1] += 1;
    save(saver, 2, &saved);
    CHECK(saved.nshared == NTENSORS - 1);
    if (world->rank == 0)
        CHECK(base_of(saved.path, WTE) == -1 && base_of(saved.path, OUT) == 1);
    save(saver, 3, &saved); /* two files hold something */
    CHECK(saved.nshared == NTENSORS);
    if (world->rank == 0)
        CHECK(base_of(saved.path, WTE) == 2 && base_of(saved.path, OUT) == 1);
    if (world->rank == 0) /* as it was at first: refer to what is before, or store */
        tensors[WTE].data[1] -= 1;
    save(saver, 4, &saved);
    CHECK(saved.nshared == NTENSORS - 1);
    CHECK(loads_as(world, saved.path, version));
    rf_ckpt_saver_destroy(saver);
    MPI_Barrier(world->comm);
    drop(tensors);
}

static int exists(const char *dir, int64_t step)
{
    char path[RF_PATH_BYTES];

    CHECK(rf_store_path(path, dir, step, NULL) == RF_OK);
    return rf_file_exists(path);
}

static void a_file_stays_while_somebody_needs_it(const struct rf_group *world)
{
    int version[NTENSORS] = {1, 1, 1, 1, 1};
    const struct rf_ckpt_options options = {.share = 1, .keep = {.last = 1}};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    struct rf_ckpt_saved saved;
    char dir[RF_PATH_BYTES];
    struct rf_error err = {0};

    path_of(dir, "needed");
    make(tensors, world, version);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    for (int step = 1; step <= 4; step++) {
        save(saver, step, &saved);
        change(&tensors[BIG], BIG, ++version[BIG]);
        MPI_Barrier(world->comm);
        CHECK(exists(dir, 1) && exists(dir, step) && !exists(dir, step == 2 ? 3 : 2));
        MPI_Barrier(world->comm);
    }
    for (int t = 0; t < NTENSORS; t++)
        change(&tensors[t], t, version[t] = 9);
    save(saver, 5, &saved);
    MPI_Barrier(world->comm);
    CHECK(!exists(dir, 1) && !exists(dir, 4) && exists(dir, 5));
    rf_ckpt_saver_destroy(saver);
    CHECK(loads_as(world, saved.path, version));
    drop(tensors);
}

/* Two checkpoints in a directory, of which the second refers to the first. */
static void make_pair(const struct rf_group *world, const char *dir,
                      struct rf_ckpt_saved *saved)
{
    const int version[NTENSORS] = {1, 1, 1, 1, 1};
    const struct rf_ckpt_options options = {.share = 1};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    struct rf_error err = {0};

    make(tensors, world, version);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    save(saver, 1, saved);
    change(&tensors[OUT], OUT, 2);
    save(saver, 2, saved);
    rf_ckpt_saver_destroy(saver);
    MPI_Barrier(world->comm);
    drop(tensors);
}

/* Verifying says no and loading refuses; both name both files. */
static void refused(const struct rf_group *world, const char *path, const char *because)
{
    const int nothing[NTENSORS] = {0};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info;
    struct rf_error err = {0};

    CHECK(rf_ckpt_verify(world, path, NULL, NULL, &err) == RF_NO);
    CHECK(strstr(err.text, "step-00000001.h5") && strstr(err.text, "step-00000002.h5") &&
          strstr(err.text, because));
    if (strstr(err.text, because) == NULL)
        fprintf(stderr, "not '%s': %s\n", because, err.text);
    make(tensors, world, nothing);
    CHECK(rf_ckpt_load(world, path, &info, tensors, NTENSORS, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "step-00000001.h5") && strstr(err.text, "step-00000002.h5") &&
          strstr(err.text, because));
    drop(tensors);
}

static void a_base_that_is_missing_or_another_is_named(const struct rf_group *world)
{
    const int version[NTENSORS] = {1, 2, 1, 1, 1}, other[NTENSORS] = {3, 3, 3, 3, 3};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_info info = {.step = 1, .ranks = 1};
    struct rf_ckpt_saved saved;
    struct rf_digest content;
    char dir[RF_PATH_BYTES], first[RF_PATH_BYTES], aside[RF_PATH_BYTES], path[RF_PATH_BYTES];
    struct rf_error err = {0};

    path_of(dir, "missing");
    path_of(aside, "aside.h5");
    CHECK(rf_store_path(first, dir, 1, NULL) == RF_OK);
    make_pair(world, dir, &saved);
    CHECK(loads_as(world, saved.path, version));
    if (world->rank == 0)
        CHECK(rename(first, aside) == 0);
    MPI_Barrier(world->comm);
    refused(world, saved.path, "cannot open");
    make(tensors, world, other);
    CHECK(rf_ckpt_save(world, dir, &info, tensors, NTENSORS, 0, path, &content, &err) == RF_OK);
    refused(world, saved.path, "where it is another now");
    CHECK(rf_ckpt_save(world, dir, &info, tensors, 1, 0, path, &content, &err) == RF_OK);
    drop(tensors);
    refused(world, saved.path, "another now");
    MPI_Barrier(world->comm);
    if (world->rank == 0)
        CHECK(truncate(first, 5000) == 0);
    MPI_Barrier(world->comm);
    refused(world, saved.path, "5000 bytes long");
    MPI_Barrier(world->comm);
    if (world->rank == 0)
        CHECK(rename(aside, first) == 0);
    MPI_Barrier(world->comm);
    CHECK(loads_as(world, saved.path, version));
}

static void what_is_packed_is_read_like_any_other(const struct rf_group *world)
{
    const int version[NTENSORS] = {1, 2, 1, 1, 1};
    struct rf_ckpt_saved saved, packed;
    struct rf_digest verified;
    struct rf_manifest *m = NULL;
    char dir[RF_PATH_BYTES], first[RF_PATH_BYTES], aside[RF_PATH_BYTES];
    struct stat before, after;
    struct rf_error err = {0};

    path_of(dir, "packing");
    path_of(aside, "packed");
    CHECK(rf_store_path(first, dir, 1, NULL) == RF_OK);
    make_pair(world, dir, &saved);
    CHECK(rf_ckpt_reshard(world, saved.path, aside, &(struct rf_reshard){.pack = 1}, NULL,
                          &packed, &err) == RF_OK);
    CHECK(rf_digest_equal(&packed.content, &saved.content));
    CHECK(loads_as(world, packed.path, version));
    CHECK(rf_ckpt_verify(world, packed.path, NULL, &verified, &err) == RF_OK);
    CHECK(rf_digest_equal(&verified, &saved.content));
    if (world->rank == 0) {
        CHECK(rf_ckpt_inspect(packed.path, 1, &m, &err) == RF_OK);
        for (int t = 0; m != NULL && t < NTENSORS; t++)
            CHECK(m->tensors[t].packed && m->tensors[t].base == -1);
        rf_manifest_free(m);
        CHECK(stat(first, &before) == 0);
    }
    MPI_Barrier(world->comm);
    /* the base of another, where it lies: its tensors are the same, and that is what counts */
    CHECK(rf_ckpt_reshard(world, first, dir, &(struct rf_reshard){.pack = 1}, NULL, &packed,
                          &err) == RF_OK);
    if (world->rank == 0)
        CHECK(stat(first, &after) == 0 && after.st_size < before.st_size);
    CHECK(loads_as(world, saved.path, version));
    CHECK(rf_ckpt_verify(world, saved.path, NULL, &verified, &err) == RF_OK);
    /* and back */
    CHECK(rf_ckpt_reshard(world, saved.path, aside, &(struct rf_reshard){0}, NULL, &packed,
                          &err) == RF_OK);
    CHECK(rf_digest_equal(&packed.content, &saved.content));
    CHECK(loads_as(world, packed.path, version));
}

static int fault_at, fault_count, fault_rank, my_rank;

static int fail_kth(const char *step)
{
    (void)step;
    return my_rank == fault_rank && fault_count++ == fault_at ? EIO : 0;
}

static void packing_that_fails_leaves_everything_as_it_was(const struct rf_group *world)
{
    const int version[NTENSORS] = {1, 2, 1, 1, 1};
    struct rf_ckpt_saved saved, packed;
    char dir[RF_PATH_BYTES], temp[RF_PATH_BYTES];
    struct rf_error err = {0};
    int failed = 1;

    path_of(dir, "unpacked");
    CHECK(rf_store_temp_path(temp, dir, 2, NULL) == RF_OK);
    make_pair(world, dir, &saved);
    for (int k = 0; failed && k < 200; k++) {
        fault_rank = k % world->size;
        fault_at = k / world->size;
        fault_count = 0;
        rf_h5_fault = fail_kth;
        failed = rf_ckpt_reshard(world, saved.path, dir, &(struct rf_reshard){.pack = 1}, NULL,
                                 &packed, &err) != RF_OK ||
                 fault_count > fault_at;
        MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, world->comm);
        rf_h5_fault = NULL;
        CHECK(!rf_file_exists(temp));
        if (k % 10 == 0)
            CHECK(loads_as(world, saved.path, version));
    }
    CHECK(!failed);
    CHECK(loads_as(world, saved.path, version));
}

/* Any flipped bit of the base that matters to the second is found by who verifies the second: the
 * structure of the base, and the tensors that are used of it. */
static void flips_in_the_base_are_found(const struct rf_group *world)
{
    struct rf_group alone = {0};
    struct rf_ckpt_saved saved;
    struct rf_error err = {0};
    char dir[RF_PATH_BYTES], first[RF_PATH_BYTES], *data = NULL;
    size_t bytes = 0;
    const int rank = 0;
    int found = 0, unused = 0;

    if (world->size != 1) /* more ranks would only watch */
        return;
    rf_group_among(&alone, world, &rank, 1, 99);
    path_of(dir, "flips");
    make_pair(&alone, dir, &saved);
    CHECK(rf_store_path(first, dir, 1, NULL) == RF_OK);
    CHECK(rf_file_read(first, 1 << 26, &data, &bytes, &err) == RF_OK);
    for (uint64_t i = 0; i < 60 && bytes > 0; i++) {
        size_t at = (size_t)(i < 30 ? i * 4 : rf_rng_below(1, 2, i, bytes));
        FILE *out = fopen(first, "r+b");
        int bit = 1 << rf_rng_below(1, 3, i, 8);
        enum rf_status st;

        CHECK(out != NULL && fseek(out, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)data[at] ^ bit, out) != EOF && fclose(out) == 0);
        st = rf_ckpt_verify(&alone, saved.path, NULL, NULL, &err);
        found += st == RF_NO && strstr(err.text, "step-00000001.h5") != NULL &&
                 strstr(err.text, "step-00000002.h5") != NULL;
        if (st == RF_OK) { /* in the one tensor that the second has anew */
            unused++;
            CHECK(rf_ckpt_verify(&alone, first, NULL, NULL, &err) == RF_NO);
            CHECK(strstr(err.text, model[OUT].name) != NULL);
        }
        out = fopen(first, "r+b");
        CHECK(out != NULL && fseek(out, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)data[at], out) != EOF && fclose(out) == 0);
    }
    CHECK(found + unused == 60 && found > 40);
    CHECK(rf_ckpt_verify(&alone, saved.path, NULL, NULL, &err) == RF_OK);
    free(data);
    rf_group_free(&alone);
}

static void flips_in_a_packed_file_are_found(const struct rf_group *world)
{
    struct rf_group alone = {0};
    struct rf_ckpt_saved saved;
    struct rf_error err = {0};
    char dir[RF_PATH_BYTES], *data = NULL;
    size_t bytes = 0;
    const int rank = 0;

    if (world->size != 1) /* more ranks would only watch */
        return;
    rf_group_among(&alone, world, &rank, 1, 99);
    path_of(dir, "flips");
    CHECK(rf_store_path(saved.path, dir, 1, NULL) == RF_OK);
    path_of(dir, "flipped");
    CHECK(rf_ckpt_reshard(&alone, saved.path, dir, &(struct rf_reshard){.pack = 1}, NULL,
                          &saved, &err) == RF_OK);
    CHECK(rf_file_read(saved.path, 1 << 26, &data, &bytes, &err) == RF_OK);
    for (uint64_t i = 0; i < 60 && bytes > 0; i++) {
        size_t at = (size_t)(i < 20 ? 8 + i * 4 : rf_rng_below(1, 2, i, bytes - 8) + 8);
        FILE *out = fopen(saved.path, "r+b");
        int bit = 1 << rf_rng_below(1, 3, i, 8);

        CHECK(out != NULL && fseek(out, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)data[at] ^ bit, out) != EOF && fclose(out) == 0);
        CHECK(rf_ckpt_verify(&alone, saved.path, NULL, NULL, &err) == RF_NO);
        out = fopen(saved.path, "r+b");
        CHECK(out != NULL && fseek(out, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)data[at], out) != EOF && fclose(out) == 0);
    }
    CHECK(rf_ckpt_verify(&alone, saved.path, NULL, NULL, &err) == RF_OK);
    free(data);
    rf_group_free(&alone);
}

static void whatever_fails_the_next_save_refers_rightly(const struct rf_group *world)
{
    int version[NTENSORS] = {1, 1, 1, 1, 1};
    const struct rf_ckpt_options options = {.share = 1, .keep = {.last = 1}};
    struct rf_tensor tensors[NTENSORS];
    struct rf_ckpt_saver *saver = NULL;
    struct rf_ckpt_saved saved;
    char dir[RF_PATH_BYTES], first[RF_PATH_BYTES];
    int failures = 0;
    struct rf_error err = {0};

    path_of(dir, "failing");
    CHECK(rf_store_path(first, dir, 1, NULL) == RF_OK);
    make(tensors, world, version);
    CHECK(rf_ckpt_saver_create(&saver, world, dir, &options, tensors, NTENSORS, &err) == RF_OK);
    save(saver, 1, &saved);
    for (int step = 2; step < 14; step++) {
        struct rf_ckpt_info info = {.step = step, .ranks = 1};
        enum rf_status st;

        change(&tensors[step % NTENSORS], step % NTENSORS, version[step % NTENSORS] = step);
        fault_rank = step % world->size;
        fault_at = (step - 2) / world->size;
        fault_count = 0;
        rf_h5_fault = fail_kth;
        st = rf_ckpt_saver_begin(saver, &info, &err);
        if (st == RF_OK)
            st = rf_ckpt_saver_poll(saver, 1, &saved, &err);
        rf_h5_fault = NULL;
        failures += st != RF_OK;
        CHECK(st == RF_OK || st == RF_ERR_IO);
        MPI_Barrier(world->comm);
    }
    CHECK(failures >= 3);
    save(saver, 20, &saved);
    CHECK(loads_as(world, saved.path, version));
    for (int t = 0; t < NTENSORS; t++)
        change(&tensors[t], t, version[t] = 30);
    save(saver, 21, &saved);
    CHECK(saved.nshared == 0);
    /* what it would refer to has gone while it was written */
    {
        struct rf_ckpt_info info = {.step = 22, .ranks = 1};

        CHECK(rf_ckpt_saver_begin(saver, &info, &err) == RF_OK);
        MPI_Barrier(world->comm);
        if (world->rank == 0)
            CHECK(unlink(saved.path) == 0);
        MPI_Barrier(world->comm);
        CHECK(rf_ckpt_saver_poll(saver, 1, &saved, &err) == RF_ERR_IO);
        CHECK(strstr(err.text, "unchanged tensors lie in another file") != NULL);
        save(saver, 23, &saved);
        CHECK(loads_as(world, saved.path, version));
    }
    rf_ckpt_saver_destroy(saver);
    drop(tensors);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    char command[300];

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    my_rank = world.rank;
    snprintf(base, sizeof base, "%s/rf-share-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (world.rank == 0 && mkdtemp(base) == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    rf_group_bcast(&world, base, sizeof base, 0);

    what_has_not_changed_is_stored_once(&world);
    a_single_changed_value_is_noticed(&world);
    a_file_stays_while_somebody_needs_it(&world);
    a_base_that_is_missing_or_another_is_named(&world);
    what_is_packed_is_read_like_any_other(&world);
    packing_that_fails_leaves_everything_as_it_was(&world);
    flips_in_the_base_are_found(&world);
    flips_in_a_packed_file_are_found(&world);
    whatever_fails_the_next_save_refers_rightly(&world);

    MPI_Barrier(world.comm);
    snprintf(command, sizeof command, "rm -rf %s", base);
    if (world.rank == 0 && system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", base);
    rf_group_free(&world);
    int result = check_result();
    MPI_Finalize();
    return result;
}
