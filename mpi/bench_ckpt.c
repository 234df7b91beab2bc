/* What a plain write is: every rank writes its share of the file in long stretches, out of memory
 * that is warm, and syncs: through the page cache, or past it with one, two or eight stretches at a
 * time. The fastest is the limit. Reading the same, of a file that is not in memory. */
#define _GNU_SOURCE /* O_DIRECT, fallocate() */

#include "mpi/bench_ckpt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_verify.h"
#include "mpi/measure.h"
#include "mpi/trainer.h"

enum {
    PIECE_BYTES = 8 << 20,
    BORDER = 4096,
    ROUNDS_MAX = 25,
    SAVES = 3,
    WAYS_MAX = 4,
    THREADS_MAX = 8
};

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
    int64_t bytes;         /* of the whole state */
    unsigned char *piece;  /* to write [PIECE_BYTES], and to read into [2] of them */
    int slow[2][WAYS_MAX]; /* plain ways of reading and writing that are not tried again */
};

/* ---- clocks ------------------------------------------------------------------------ */

static double start_clock(const struct rf_group *group)
{
    MPI_Barrier(group->comm);
    return MPI_Wtime();
}

/* Collective: of the slowest rank. */
static double stop_clock(const struct rf_group *group, double since)
{
    double s = MPI_Wtime() - since;

    MPI_Allreduce(MPI_IN_PLACE, &s, 1, MPI_DOUBLE, MPI_MAX, group->comm);
    return s;
}

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
    b->values = malloc(3 * n * sizeof *b->values);
    b->loaded = calloc(4 * n, sizeof *b->loaded);
    b->tensors = calloc((size_t)b->ntensors, sizeof *b->tensors);
    b->targets = calloc((size_t)b->ntensors, sizeof *b->targets);
    if (posix_memalign(&piece, 2 << 20, 3 * PIECE_BYTES) == 0)
        b->piece = piece;
    if (b->values == NULL || b->loaded == NULL || b->tensors == NULL || b->targets == NULL ||
        b->piece == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a state of %zu values", 7 * n);
    memset(b->loaded, 1, 4 * n * sizeof *b->loaded); /* its pages exist, as a model's do */
    fill_values((float *)(void *)b->piece, 3 * PIECE_BYTES / sizeof(float), 0);
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

/* Local: what removed files left to do for the disk is not the next one's to wait for. */
static void settle(const struct bench *b)
{
    rf_file_sync_dir(b->dir, NULL);
}

/* ---- plain transfers ------------------------------------------------------------------ */

static const struct way {
    const char *name;
    int direct, threads; /* of each rank */
    size_t piece_bytes;
} ways[] = {{"past the page cache", 1, 1, 8 << 20},
            {"past the page cache, two at a time", 1, 2, 8 << 20},
            {"past the page cache, eight at a time", 1, THREADS_MAX, 1 << 20},
            {"through the page cache", 0, 1, 8 << 20}};
enum { WAYS = sizeof ways / sizeof ways[0] };
static_assert((int)WAYS <= WAYS_MAX, "slow has room for every way");

static enum rf_status failed(const char *path, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_IO, "cannot use '%s': %s", path, strerror(errno));
}

/* What the threads of a rank share out among them. */
struct share {
    const struct bench *bench;
    const char *path;
    const struct way *way;
    int writing;
    int64_t begin, end;
    atomic_llong next;   /* piece */
    atomic_int code;     /* errno of a failure */
    atomic_int nthreads; /* so far */
};

static int transfer_pieces(struct share *s, int fd, unsigned char *room)
{
    const int64_t piece = (int64_t)s->way->piece_bytes;
    ssize_t got = 1;

    while (got > 0 && atomic_load(&s->code) == 0) {
        int64_t at = s->begin + piece * (int64_t)atomic_fetch_add(&s->next, 1);
        size_t n = (size_t)(s->end - at < piece ? s->end - at : piece);

        if (at >= s->end)
            break;
        got = s->writing ? pwrite(fd, room, n, (off_t)at) : pread(fd, room, n, (off_t)at);
        if (got > 0 && (size_t)got < n) /* no plain file does that */
            got = 0;
    }
    return got > 0 ? 0 : got < 0 ? errno : EIO;
}

static void *transfer(void *arg)
{
    struct share *s = arg;
    unsigned char *room = s->bench->piece; /* reading: a place for each */
    int number = atomic_fetch_add(&s->nthreads, 1), code;
    int fd = open(s->path, (s->writing ? O_RDWR : O_RDONLY) | (s->way->direct ? O_DIRECT : 0) |
                               O_CLOEXEC);

    if (!s->writing)
        room += PIECE_BYTES + s->way->piece_bytes * (size_t)number;
    code = fd < 0 ? errno : transfer_pieces(s, fd, room);
    if (code == 0 && s->writing && fsync(fd) != 0)
        code = errno;
    if (code != 0)
        atomic_store(&s->code, code);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Local: this rank's share of a file of b->bytes. */
static enum rf_status transfer_share(const struct bench *b, const char *path, int writing,
                                     const struct way *way, struct rf_error *err)
{
    int64_t bytes = b->bytes / b->group->size / BORDER * BORDER;
    struct share s = {
        b, path, way, writing, bytes * b->group->rank, bytes * (b->group->rank + 1), 0, 0, 0};
    pthread_t threads[THREADS_MAX];
    int n = 0;

    while (n < way->threads - 1 && pthread_create(&threads[n], NULL, transfer, &s) == 0)
        n++;
    transfer(&s);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    errno = atomic_load(&s.code);
    return errno == 0 ? RF_OK : failed(path, err);
}

/* Rank 0: a new file with room for all. */
static enum rf_status make_file(const struct bench *b, const char *path, const struct way *way,
                                struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0 || (way->direct && fallocate(fd, 0, 0, (off_t)b->bytes) != 0 && errno == ENOSPC))
        st = failed(path, err);
    if (fd >= 0)
        close(fd);
    return st;
}

/* Collective, agreed: makes the file if it is to be written, and does each rank's share. */
static enum rf_status transfer_all(const struct bench *b, const char *path, int writing,
                                   const struct way *way, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (writing && b->group->rank == 0)
        st = make_file(b, path, way, err);
    st = rf_agree(b->group, st, err);
    return st == RF_OK ? rf_agree(b->group, transfer_share(b, path, writing, way, err), err)
                       : st;
}

/* Collective, agreed: a new file gets places on the disk that another has just left, or others that
 * nobody ever wrote to, which need not be equally fast. So before each write that is timed, ours or
 * plain, a file of the same size is written and removed. */
static enum rf_status even_out(const struct bench *b, const char *path, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (b->group->rank == 0)
        unlink(path);
    st = transfer_all(b, path, 1, &ways[1], err);
    if (b->group->rank == 0) {
        unlink(path);
        settle(b);
    }
    MPI_Barrier(b->group->comm);
    return st;
}

/* Collective: seconds of a plain write or read, from the file's making to the last sync; 0 when the
 * file system does not do it this way. */
static enum rf_status plain(const struct bench *b, const char *path, int writing,
                            const struct way *way, double *seconds, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    double since;

    if (writing)
        st = even_out(b, path, err);
    since = start_clock(b->group);
    if (st == RF_OK)
        st = transfer_all(b, path, writing, way, err);
    *seconds = stop_clock(b->group, since);
    if (st != RF_OK && way->direct) {
        *seconds = 0;
        st = RF_OK;
    }
    return st;
}

/* Local: out of the page cache, as far as the system lets go of it. */
static void forget(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* Collective: the fastest of the ways; *best says which. One that takes twice as long as another is not
 * tried again. */
static enum rf_status fastest(struct bench *b, const char *path, int writing, double *seconds,
                              const char **best, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *seconds = 0;
    for (int w = 0; st == RF_OK && w < WAYS; w++) {
        double took;

        if (b->slow[writing][w])
            continue;
        forget(path);
        st = plain(b, path, writing, &ways[w], &took, err);
        if (st == RF_OK && took > 0 && (*seconds <= 0 || took < *seconds)) {
            *seconds = took;
            *best = ways[w].name;
        }
        b->slow[writing][w] = took > 2 * *seconds;
    }
    return st;
}

/* ---- pairs ------------------------------------------------------------------------------ */

/* What rounds gave, in seconds. */
struct times {
    double write[ROUNDS_MAX], save[ROUNDS_MAX];
    double read[ROUNDS_MAX], load[ROUNDS_MAX], verify[ROUNDS_MAX];
    double hash[ROUNDS_MAX];          /* of the whole state, on all ranks, nothing else */
    const char *write_way, *read_way; /* of the last round */
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
        st = even_out(b, raw, err);
    since = start_clock(b->group);
    if (st == RF_OK)
        st = rf_ckpt_save(b->group, b->dir, &info, b->tensors, b->ntensors, 0, path, &content,
                          err);
    *seconds = stop_clock(b->group, since);
    return st;
}

/* Collective: seconds that hashing alone would take. */
static double hash_once(const struct bench *b)
{
    const size_t granule = 1 << 20;
    struct rf_bytes texts[PIECE_BYTES >> 20];
    struct rf_digest digests[2 * (PIECE_BYTES >> 20)];
    const int n = PIECE_BYTES >> 20, times = 8;
    double since;

    for (int i = 0; i < n; i++)
        texts[i] = (struct rf_bytes){b->piece + (size_t)i * granule, granule};
    since = start_clock(b->group);
    for (int i = 0; i < times; i++) {
        struct rf_bytes twice[2 * (PIECE_BYTES >> 20)];

        memcpy(twice, texts, sizeof texts);
        memcpy(twice + n, texts, sizeof texts);
        rf_digest_many(twice, 2 * n, digests);
    }
    return stop_clock(b->group, since) * (double)b->bytes / b->group->size /
           ((double)times * 2 * PIECE_BYTES);
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

    forget(path);
    since = start_clock(b->group);
    st = rf_ckpt_load(b->group, path, &info, b->targets, b->ntensors, err);
    t->load[r] = stop_clock(b->group, since);
    if (st == RF_OK)
        st = rf_agree(b->group, compare(b, err), err);
    forget(path);
    since = start_clock(b->group);
    if (st == RF_OK)
        st = rf_ckpt_verify(b->group, path, NULL, &content, err);
    t->verify[r] = stop_clock(b->group, since);
    return st;
}

/* Collective: ours and plain, in turn the one and the other first. Plain reads are of the same file, which
 * was read once before that. */
static enum rf_status round_of(struct bench *b, struct times *t, int r, struct rf_error *err)
{
    char raw[RF_PATH_BYTES], path[RF_PATH_BYTES];
    double unused;
    enum rf_status st = rf_file_join(raw, b->dir, "plain", err);

    if (st == RF_OK && r % 2 == 0)
        st = save_once(b, &t->save[r], path, err);
    if (st == RF_OK)
        st = fastest(b, raw, 1, &t->write[r], &t->write_way, err);
    if (st == RF_OK && r % 2 == 1)
        st = save_once(b, &t->save[r], path, err);
    t->hash[r] = hash_once(b);
    forget(path);
    if (st == RF_OK)
        st = plain(b, path, 0, &ways[1], &unused, err);
    if (st == RF_OK && r % 2 == 1)
        st = read_ours(b, path, t, r, err);
    if (st == RF_OK)
        st = fastest(b, path, 0, &t->read[r], &t->read_way, err);
    if (st == RF_OK && r % 2 == 0)
        st = read_ours(b, path, t, r, err);
    MPI_Barrier(b->group->comm);
    if (st == RF_OK && b->group->rank == 0) {
        unlink(path);
        unlink(raw);
        settle(b);
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

static enum rf_status transfers(struct bench *b, struct rf_figure *figures, int *n,
                                struct rf_error *err)
{
    struct times t;
    double slower[ROUNDS_MAX], unused, hashing;
    int rounds = b->what->rounds < ROUNDS_MAX ? b->what->rounds : ROUNDS_MAX, by_disk = 0;
    char said[160], path[RF_PATH_BYTES];
    enum rf_status st = save_once(b, &unused, path, err); /* warms memory and disk */

    for (int r = 0; st == RF_OK && r < rounds; r++)
        st = round_of(b, &t, r, err);
    if (st != RF_OK)
        return st;
    for (int r = 0; r < rounds; r++) {
        slower[r] = t.read[r] > t.hash[r] ? t.read[r] : t.hash[r];
        by_disk += t.read[r] > t.hash[r];
    }
    hashing = (double)b->bytes / rf_median(t.hash, rounds) * 1e-9;
    snprintf(said, sizeof said, "limit: plain write %s; hashing on all ranks %.2f GB/s",
             t.write_way, hashing);
    figure(&figures[(*n)++], "save", b, t.save, t.write, rounds, said);
    snprintf(said, sizeof said, "limit: plain read %s; hashing on all ranks %.2f GB/s",
             t.read_way, hashing);
    figure(&figures[(*n)++], "load", b, t.load, t.read, rounds, said);
    snprintf(said, sizeof said, "limit: %s (plain read %.2f GB/s, hashing on all ranks %.2f)",
             2 * by_disk > rounds ? "the disk" : "hashing",
             (double)b->bytes / rf_median(t.read, rounds) * 1e-9, hashing);
    figure(&figures[(*n)++], "verify", b, t.verify, slower, rounds, said);
    return RF_OK;
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
    double since = start_clock(b->group);

    rf_trainer_step(trainer, batch, &result);
    return stop_clock(b->group, since);
}

/* Collective: steps beside a save until it is committed; how much longer they took. */
static enum rf_status save_beside(const struct bench *b, struct rf_trainer *trainer,
                                  struct rf_ckpt_saver *saver, const struct rf_batch *batch,
                                  struct beside *t, int i, struct rf_error *err)
{
    struct rf_ckpt_info info = {.step = i + 1, .ranks = b->group->size, .job = "bench"};
    struct rf_ckpt_saved saved = {0};
    double since = start_clock(b->group), began;
    enum rf_status st = rf_ckpt_saver_begin(saver, &info, err);

    t->stall[i] = stop_clock(b->group, since);
    began = MPI_Wtime();
    t->slower[i] = 0;
    while (st == RF_OK && !saved.committed) {
        double took = one_step(b, trainer, batch), polled = start_clock(b->group);

        t->slower[i] += took - t->step;
        st = rf_ckpt_saver_poll(saver, 0, &saved, err);
        t->stall[i] += stop_clock(b->group, polled);
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
        st = failed(b->dir, err);
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
