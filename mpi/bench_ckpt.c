#include "mpi/bench_ckpt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pages.h"
#include "mpi/bench_plain.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_verify.h"
#include "mpi/measure.h"
#include "mpi/trainer.h"

enum { ROUNDS_MAX = 25, SAVES = 3 };

struct bench {
    const struct rf_group *group;
    const struct rf_bench_ckpt *what;
    char dir[RF_PATH_BYTES];
    struct rf_plan plan;
    float *values;             /* [3][plan.nlocal]: parameters and moments */
    float *loaded;             /* [4][plan.nlocal] */
    struct rf_tensor *tensors; /* [4 * nparams] */
    struct rf_tensor *targets; /* the same, into loaded */
    int ntensors;
    int64_t bytes;        /* of the whole state */
    unsigned char *piece; /* owned, for plain */
    struct rf_plain plain;
};

/* ---- state -------------------------------------------------------------------------- */

static void describe(struct bench *b, struct rf_tensor *tensors, float *block, int copy)
{
    static const char *const prefixes[] = {"", "m/", "v/", "bf16."};

    for (int i = 0; i < b->plan.nparams; i++) {
        const struct rf_param *p = &b->plan.params[i];
        struct rf_tensor *x = &tensors[copy * b->plan.nparams + i];

        *x = (struct rf_tensor){.ndims = p->ndims,
                                .replicated = p->replicated,
                                .data = block + p->at,
                                .stored = copy == 3 ? RF_STORED_BF16 : RF_STORED_F32};
        snprintf(x->name, sizeof x->name, "%s%.90s", prefixes[copy], p->name);
        memcpy(x->shape, p->shape, sizeof x->shape);
        memcpy(x->offset, p->offset, sizeof x->offset);
        memcpy(x->extent, p->extent, sizeof x->extent);
    }
}

/* Cheap, the same on every rank, and nothing that a disk could shrink. */
static void fill_values(float *values, size_t n, uint32_t salt)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(uint32_t)((i + 1) * 2654435761u ^ (i >> 7) ^ salt * 40503u) * 1e-9f;
}

/* Local. */
static enum rf_status make_state(struct bench *b, struct rf_error *err)
{
    enum rf_status st =
        rf_plan_make(&b->plan, &b->what->shape, b->group->rank, b->group->size, err);
    size_t n;
    void *piece = NULL;

    if (st != RF_OK)
        return st;
    n = b->plan.nlocal;
    b->ntensors = 4 * b->plan.nparams;
    b->values =
        rf_pages_take(3 * n * sizeof *b->values); /* on a page border, as a model's are */
    b->loaded = rf_pages_take(4 * n * sizeof *b->loaded);
    b->tensors = calloc((size_t)b->ntensors, sizeof *b->tensors);
    b->targets = calloc((size_t)b->ntensors, sizeof *b->targets);
    if (posix_memalign(&piece, 2 << 20, 3 * RF_PLAIN_PIECE) == 0)
        b->piece = piece;
    if (b->values == NULL || b->loaded == NULL || b->tensors == NULL || b->targets == NULL ||
        b->piece == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a state of %zu values", 7 * n);
    memset(b->loaded, 1, 4 * n * sizeof *b->loaded); /* its pages exist, as a model's do */
    fill_values((float *)(void *)b->piece, 3 * RF_PLAIN_PIECE / sizeof(float), 0);
    for (int copy = 0; copy < 4; copy++) {
        describe(b, b->tensors, b->values + (size_t)(copy % 3) * n, copy);
        describe(b, b->targets, b->loaded + (size_t)copy * n, copy);
    }
    for (int i = 0; i < 3 * b->plan.nparams; i++)
        fill_values(b->tensors[i].data,
                    (size_t)(b->tensors[i].extent[0] * b->tensors[i].extent[1]), (uint32_t)i);
    for (int i = 0; i < b->ntensors; i++)
        b->bytes += b->tensors[i].shape[0] * b->tensors[i].shape[1] *
                    (int64_t)rf_stored_bytes(b->tensors[i].stored);
    b->plain = (struct rf_plain){
        .group = b->group, .dir = b->dir, .bytes = b->bytes, .piece = b->piece};
    return RF_OK;
}

static void clear(struct bench *b)
{
    rf_plan_clear(&b->plan);
    free(b->values);
    free(b->loaded);
    free(b->tensors);
    free(b->targets);
    free(b->piece);
}

/* ---- pairs ------------------------------------------------------------------------------ */

/* What rounds gave, in seconds. */
struct times {
    double plain[2][ROUNDS_MAX][RF_PLAIN_WAYS]; /* reading, writing */
    double save[ROUNDS_MAX], load[ROUNDS_MAX], verify[ROUNDS_MAX];
    double hash[ROUNDS_MAX]; /* of the whole state, on all ranks, nothing else */
};

/* Collective: one save into dir; path gets its name. */
static enum rf_status save_once(const struct bench *b, double *seconds,
                                char path[RF_PATH_BYTES], struct rf_error *err)
{
    struct rf_ckpt_info info = {.step = 1, .ranks = b->group->size, .job = "bench"};
    struct rf_digest content;
    char raw[RF_PATH_BYTES];
    double since;
    enum rf_status st = rf_file_join(raw, b->dir, "plain", err);

    if (st == RF_OK)
        st = rf_plain_even_out(&b->plain, raw, err);
    since = rf_bench_start(b->group);
    if (st == RF_OK)
        st = rf_ckpt_save(b->group, b->dir, &info, b->tensors, b->ntensors, 0, path, &content,
                          err);
    *seconds = rf_bench_stop(b->group, since);
    return st;
}

/* Collective: seconds that hashing alone would take. */
static double hash_once(const struct bench *b)
{
    const size_t granule = 1 << 20;
    struct rf_bytes texts[RF_PLAIN_PIECE >> 20];
    struct rf_digest digests[2 * (RF_PLAIN_PIECE >> 20)];
    const int n = RF_PLAIN_PIECE >> 20, times = 8;
    double since;

    for (int i = 0; i < n; i++)
        texts[i] = (struct rf_bytes){b->piece + (size_t)i * granule, granule};
    since = rf_bench_start(b->group);
    for (int i = 0; i < times; i++) {
        struct rf_bytes twice[2 * (RF_PLAIN_PIECE >> 20)];

        memcpy(twice, texts, sizeof texts);
        memcpy(twice + n, texts, sizeof texts);
        rf_digest_many(twice, 2 * n, digests);
    }
    return rf_bench_stop(b->group, since) * (double)b->bytes / b->group->size /
           ((double)times * 2 * RF_PLAIN_PIECE);
}

/* Are the values back? bf16 copies as their rounding says. */
static enum rf_status compare(const struct bench *b, struct rf_error *err)
{
    for (int i = 0; i < 3 * b->plan.nparams; i++) {
        const struct rf_tensor *x = &b->tensors[i];
        size_t n = (size_t)(x->extent[0] * x->extent[1]) * sizeof(float);

        if (n > 0 && memcmp(x->data, b->targets[i].data, n) != 0)
            return rf_fail(err, RF_ERR_INTERNAL, "'%s' came back different", x->name);
    }
    return RF_OK;
}

/* Collective: the file of a save loaded and verified. */
static enum rf_status read_ours(const struct bench *b, const char *path, struct times *t, int r,
                                struct rf_error *err)
{
    struct rf_ckpt_info info;
    struct rf_digest content;
    double since;
    enum rf_status st;

    rf_plain_forget(path);
    since = rf_bench_start(b->group);
    st = rf_ckpt_load(b->group, path, &info, b->targets, b->ntensors, err);
    t->load[r] = rf_bench_stop(b->group, since);
    if (st == RF_OK)
        st = rf_agree(b->group, compare(b, err), err);
    rf_plain_forget(path);
    since = rf_bench_start(b->group);
    if (st == RF_OK)
        st = rf_ckpt_verify(b->group, path, NULL, &content, err);
    t->verify[r] = rf_bench_stop(b->group, since);
    return st;
}

/* Collective: ours and plain, in turn the one and the other first. Plain reads are of the same file, which
 * was read once before that. */
static enum rf_status round_of(struct bench *b, struct times *t, int r, struct rf_error *err)
{
    char raw[RF_PATH_BYTES], path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(raw, b->dir, "plain", err);

    if (st == RF_OK && r % 2 == 0)
        st = save_once(b, &t->save[r], path, err);
    if (st == RF_OK)
        st = rf_plain_round(&b->plain, raw, 1, t->plain[1][r], err);
    if (st == RF_OK && r % 2 == 1)
        st = save_once(b, &t->save[r], path, err);
    t->hash[r] = hash_once(b);
    if (st == RF_OK)
        st = rf_plain_read(&b->plain, path, err);
    if (st == RF_OK && r % 2 == 1)
        st = read_ours(b, path, t, r, err);
    if (st == RF_OK)
        st = rf_plain_round(&b->plain, path, 0, t->plain[0][r], err);
    if (st == RF_OK && r % 2 == 0)
        st = read_ours(b, path, t, r, err);
    MPI_Barrier(b->group->comm);
    if (st == RF_OK && b->group->rank == 0) {
        unlink(path);
        unlink(raw);
        rf_plain_settle(&b->plain);
    }
    MPI_Barrier(b->group->comm);
    return st;
}

/* A rate beside a limit, from seconds for the same bytes. */
static void figure(struct rf_figure *f, const char *what, const struct bench *b,
                   const double *took, const double *limit, int n, const char *said)
{
    double ratios[ROUNDS_MAX];

    for (int i = 0; i < n; i++)
        ratios[i] = limit[i] / took[i];
    *f = (struct rf_figure){.unit = "bytes/s",
                            .value = (double)b->bytes / rf_median(took, n),
                            .limit = (double)b->bytes / rf_median(limit, n),
                            .ratio = rf_median(ratios, n)};
    snprintf(f->name, sizeof f->name, "checkpoint.%s.np%d", what, b->group->size);
    snprintf(f->said, sizeof f->said, "%s", said);
}

/* The rounds of the way whose median is fastest, among those that were tried in all of them. */
static const char *fastest(double seconds[ROUNDS_MAX], double rounds[][RF_PLAIN_WAYS], int n)
{
    const char *name = "";

    for (int w = 0; w < RF_PLAIN_WAYS; w++) {
        double tried[ROUNDS_MAX];
        int all = 1;

        for (int r = 0; r < n; r++) {
            tried[r] = rounds[r][w];
            all &= tried[r] > 0;
        }
        if (all && (*name == '\0' || rf_median(tried, n) < rf_median(seconds, n))) {
            memcpy(seconds, tried, sizeof tried);
            name = rf_plain_way(w);
        }
    }
    return name;
}

static void transfer_figures(const struct bench *b, struct times *t, int rounds,
                             struct rf_figure *figures, int *n)
{
    double write[ROUNDS_MAX], read[ROUNDS_MAX], slower[ROUNDS_MAX], hashing, reading;
    const char *write_way = fastest(write, t->plain[1], rounds);
    const char *read_way = fastest(read, t->plain[0], rounds);
    char said[160];
    int by_disk = 0;

    for (int r = 0; r < rounds; r++) {
        slower[r] = read[r] > t->hash[r] ? read[r] : t->hash[r];
        by_disk += read[r] > t->hash[r];
    }
    hashing = (double)b->bytes / rf_median(t->hash, rounds) * 1e-9;
    reading = (double)b->bytes / rf_median(read, rounds) * 1e-9;
    snprintf(said, sizeof said, "limit: plain write %s; hashing on all ranks %.2f GB/s",
             write_way, hashing);
    figure(&figures[(*n)++], "save", b, t->save, write, rounds, said);
    snprintf(said, sizeof said, "limit: plain read %s; hashing on all ranks %.2f GB/s",
             read_way, hashing);
    figure(&figures[(*n)++], "load", b, t->load, read, rounds, said);
    snprintf(said, sizeof said, "limit: %s (plain read %.2f GB/s, hashing on all ranks %.2f)",
             2 * by_disk > rounds ? "the disk" : "hashing", reading, hashing);
    figure(&figures[(*n)++], "verify", b, t->verify, slower, rounds, said);
}

static enum rf_status transfers(struct bench *b, struct rf_figure *figures, int *n,
                                struct rf_error *err)
{
    struct times t;
    double unused;
    int rounds = b->what->rounds < ROUNDS_MAX ? b->what->rounds : ROUNDS_MAX;
    char path[RF_PATH_BYTES];
    enum rf_status st = save_once(b, &unused, path, err); /* warms memory and disk */

    if (st == RF_OK && b->group->rank == 0)
        unlink(path); /* the next would remove it, in its own time */
    for (int r = 0; st == RF_OK && r < rounds; r++) {
        st = round_of(b, &t, r, err);
        rf_watch_show(b->what->watch, r + 1, rounds);
    }
    if (st == RF_OK)
        transfer_figures(b, &t, rounds, figures, n);
    return st;
}

/* ---- beside training ------------------------------------------------------------------------ */

/* Seconds; of the slowest rank. */
struct beside {
    double step, stall[SAVES], slower[SAVES], writing[SAVES];
};

static double one_step(const struct bench *b, struct rf_trainer *trainer,
                       const struct rf_batch *batch)
{
    struct rf_step_result result;
    double since = rf_bench_start(b->group);

    rf_trainer_step(trainer, batch, &result);
    return rf_bench_stop(b->group, since);
}

/* Collective: steps beside a save until it is committed; how much longer they took. */
static enum rf_status save_beside(const struct bench *b, struct rf_trainer *trainer,
                                  struct rf_ckpt_saver *saver, const struct rf_batch *batch,
                                  struct beside *t, int i, struct rf_error *err)
{
    struct rf_ckpt_info info = {.step = i + 1, .ranks = b->group->size, .job = "bench"};
    struct rf_ckpt_saved saved = {0};
    double since = rf_bench_start(b->group), began;
    enum rf_status st = rf_ckpt_saver_begin(saver, &info, err);

    t->stall[i] = rf_bench_stop(b->group, since);
    began = MPI_Wtime();
    t->slower[i] = 0;
    while (st == RF_OK && !saved.committed) {
        double took = one_step(b, trainer, batch), polled = rf_bench_start(b->group);

        t->slower[i] += took - t->step;
        st = rf_ckpt_saver_poll(saver, 0, &saved, err);
        t->stall[i] += rf_bench_stop(b->group, polled);
    }
    t->writing[i] = MPI_Wtime() - began;
    if (saved.committed && b->group->rank == 0)
        unlink(saved.path);
    return st;
}

static enum rf_status saves_beside(const struct bench *b, struct rf_trainer *trainer,
                                   const struct rf_batch *batch, struct beside *t,
                                   struct rf_error *err)
{
    const struct rf_ckpt_options options = {.background = 1};
    struct rf_ckpt_saver *saver = NULL;
    double steps[ROUNDS_MAX];
    int ntensors, nsteps = b->what->steps < ROUNDS_MAX ? b->what->steps : ROUNDS_MAX;
    const struct rf_tensor *tensors = rf_trainer_tensors(trainer, &ntensors);
    enum rf_status st =
        rf_ckpt_saver_create(&saver, b->group, b->dir, &options, tensors, ntensors, err);

    one_step(b, trainer, batch);
    for (int i = 0; st == RF_OK && i < SAVES; i++) {
        for (int s = 0; s < nsteps; s++)
            steps[s] = one_step(b, trainer, batch);
        t->step = rf_median(steps, nsteps);
        st = save_beside(b, trainer, saver, batch, t, i, err);
    }
    rf_ckpt_saver_destroy(saver);
    return st;
}

static void stall_figures(const struct bench *b, const struct beside *t,
                          struct rf_figure *figures, int *n)
{
    const double hundred = 100 * t->step, stall = rf_median(t->stall, SAVES);
    const double slower = rf_median(t->slower, SAVES);
    struct rf_figure *f = &figures[(*n)++];

    *f = (struct rf_figure){
        .name = "checkpoint.stall", .unit = "of time", .value = stall / hundred};
    snprintf(f->said, sizeof f->said,
             "%.3f s per checkpoint, one per 100 steps of %.2f s on %d ranks; %.1f s until "
             "committed",
             stall, t->step, b->group->size, rf_median(t->writing, SAVES));
    f = &figures[(*n)++];
    *f = (struct rf_figure){
        .name = "checkpoint.cost", .unit = "of time", .value = (stall + slower) / hundred};
    snprintf(f->said, sizeof f->said,
             "the stall and %.3f s by which steps beside a save were slower", slower);
}

static enum rf_status beside_training(const struct bench *b, struct rf_figure *figures, int *n,
                                      struct rf_error *err)
{
    const struct rf_bench_ckpt *what = b->what;
    const int vocabulary = what->shape.vocabulary;
    const struct rf_train_options options =
        rf_measure_options(what->batch, what->context, vocabulary);
    struct rf_trainer *trainer = NULL;
    struct rf_batch batch;
    struct beside t;
    int32_t *block;
    enum rf_status st =
        rf_measure_batch(&batch, &block, what->batch, what->context, vocabulary, err);

    st = rf_agree(b->group, st, err);
    if (st == RF_OK)
        st = rf_trainer_create(&trainer, b->group, &what->shape, &options, err);
    if (st == RF_OK)
        st = saves_beside(b, trainer, &batch, &t, err);
    if (st == RF_OK)
        stall_figures(b, &t, figures, n);
    rf_trainer_destroy(trainer);
    free(block);
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Collective, agreed: a directory of our own. */
static enum rf_status make_dir(struct bench *b, struct rf_error *err)
{
    enum rf_status st = rf_file_join(b->dir, b->what->dir, "ringfence-bench-XXXXXX", err);

    if (st == RF_OK && b->group->rank == 0)
        st = rf_file_mkdir(b->what->dir, err);
    if (st == RF_OK && b->group->rank == 0 && mkdtemp(b->dir) == NULL)
        st = rf_fail(err, RF_ERR_IO, "cannot use '%s': %s", b->dir, strerror(errno));
    st = rf_agree(b->group, st, err);
    if (st == RF_OK)
        rf_group_bcast(b->group, b->dir, sizeof b->dir, 0);
    return st;
}

enum rf_status rf_bench_ckpt(struct rf_figure figures[RF_BENCH_CKPT_FIGURES], int *n,
                             const struct rf_group *group, const struct rf_bench_ckpt *what,
                             struct rf_error *err)
{
    struct bench b = {.group = group, .what = what};
    struct rf_error tidy;
    enum rf_status st = make_dir(&b, err);

    *n = 0;
    if (st != RF_OK)
        return st;
    st = rf_agree(group, make_state(&b, err), err);
    if (st == RF_OK)
        st = transfers(&b, figures, n, err);
    clear(&b);
    if (st == RF_OK && what->steps > 0)
        st = beside_training(&b, figures, n, err);
    MPI_Barrier(group->comm);
    if (group->rank == 0 && rf_file_remove_tree(b.dir, &tidy) != RF_OK && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "%s", tidy.text);
    return rf_agree(group, st, err);
}
