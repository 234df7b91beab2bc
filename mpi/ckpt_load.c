/* Loading is saving backwards. Rank 0 reads and checks what is not values, and tells the others.
 * Then every rank reads its runs through its pump, threads hashing ahead, and hands each on only when its
 * digests are right: into its own rectangles, or over the network into those of others. What a disk can
 * put where it belongs is read there at once, and hashed there.
 *
 * Values that lie in another file are read from there in the same way, file by file; those that
 * are packed come last, without a pump: unpacking is slower than any disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/granule.h"
#include "ckpt/pump.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_table.h"
#include "mpi/h5.h"
#include "mpi/parcel.h"

enum { STRETCHES = 256 };

/* Local: room for what rank 0 read. counts: tensors, granules, files, is anything packed? */
static enum rf_status make_contents(struct rf_ckpt_contents *contents, const int64_t counts[4],
                                    struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest = calloc(1, sizeof *m);

    contents->ngranules = counts[1];
    contents->nfiles = (int)counts[2];
    contents->granules = malloc((size_t)counts[1] * sizeof *contents->granules);
    contents->offsets = malloc((size_t)counts[0] * sizeof *contents->offsets);
    contents->files = malloc((size_t)counts[0] * sizeof *contents->files);
    contents->paths = malloc((size_t)counts[2] * sizeof *contents->paths);
    if (counts[3])
        contents->pieces = malloc((size_t)counts[1] * sizeof *contents->pieces);
    if (m != NULL)
        m->tensors = malloc((size_t)counts[0] * sizeof *m->tensors);
    if (m == NULL || m->tensors == NULL || contents->granules == NULL ||
        contents->offsets == NULL || contents->files == NULL || contents->paths == NULL ||
        (counts[3] && contents->pieces == NULL))
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    return RF_OK;
}

/* Collective: what rank 0 read, to all. */
static enum rf_status share_contents(const struct rf_group *group,
                                     struct rf_ckpt_contents *contents, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    int64_t counts[4] = {m != NULL ? m->ntensors : 0, contents->ngranules, contents->nfiles,
                         contents->pieces != NULL};
    struct rf_manifest_tensor *tensors;
    size_t n, granules;
    enum rf_status st = RF_OK;

    MPI_Bcast(counts, 4, MPI_INT64_T, 0, group->comm);
    if (group->rank != 0)
        st = make_contents(contents, counts, err);
    st = rf_agree(group, st, err);
    if (st != RF_OK)
        return st;
    m = contents->manifest;
    tensors = m->tensors;
    n = (size_t)counts[0];
    granules = (size_t)counts[1];
    rf_group_bcast(group, m, sizeof *m, 0);
    m->tensors = tensors;
    rf_group_bcast(group, tensors, n * sizeof *tensors, 0);
    rf_group_bcast(group, contents->offsets, n * sizeof *contents->offsets, 0);
    rf_group_bcast(group, contents->files, n * sizeof *contents->files, 0);
    rf_group_bcast(group, contents->granules, granules * sizeof *contents->granules, 0);
    rf_group_bcast(group, contents->paths, (size_t)counts[2] * sizeof *contents->paths, 0);
    if (contents->pieces != NULL)
        rf_group_bcast(group, contents->pieces, granules * sizeof *contents->pieces, 0);
    return RF_OK;
}

static void shape_text(char text[48], int ndims, const int64_t shape[2])
{
    if (ndims == 1)
        snprintf(text, 48, "%lld", (long long)shape[0]);
    else
        snprintf(text, 48, "%lldx%lld", (long long)shape[0], (long long)shape[1]);
}

/* A tensor that is asked for, in the file. */
struct source {
    int tensor;    /* its number there */
    int64_t first; /* its first granule there */
};

/* What a load works with on one rank. */
struct load {
    const struct rf_group *group;
    int neighbours; /* ranks that load on this node */
    const char *path;
    struct rf_tensor *tensors; /* owned copies [ntensors], stored as the file has them */
    int ntensors;
    struct rf_ckpt_contents contents;
    struct source *sources; /* owned [ntensors] */
};

enum { PACKED = -1 };

/* The tensors that are read in one go: those that one file holds as they are, or all packed
 * ones. */
struct part {
    struct load *load;
    int file;                  /* or PACKED */
    struct rf_tensor *tensors; /* owned [ntensors] */
    struct source *sources;    /* owned [ntensors] */
    int ntensors;
    struct rf_parcels *parcels;
    struct rf_pump *pump;
    struct rf_digest *found;     /* of all granules asked for; filled where this rank reads */
    const struct rf_run **order; /* this rank's runs as they are handed on [norder] */
    int64_t norder, asked, taken;
    int64_t *before;      /* [rounds] how many of them are taken before the round's own */
    unsigned char *plain; /* PACKED: room for one run */
    struct rf_piece_room room;
    int fd, fd_file; /* PACKED: the file that is open, -1: none */
};

/* Finds a tensor in the file. */
static enum rf_status match(struct load *load, int i, struct rf_error *err)
{
    const struct rf_manifest *m = load->contents.manifest;
    struct rf_tensor *tensor = &load->tensors[i];
    char here[48], there[48];
    int64_t first = 0;

    shape_text(here, tensor->ndims, tensor->shape);
    for (int k = 0; k < m->ntensors; k++) {
        const struct rf_manifest_tensor *entry = &m->tensors[k];

        if (strcmp(entry->name, tensor->name) != 0) {
            first += rf_granule_count(entry->shape);
            continue;
        }
        tensor->stored = entry->stored;
        load->sources[i] = (struct source){k, first};
        if (entry->ndims == tensor->ndims && entry->shape[0] == tensor->shape[0] &&
            entry->shape[1] == tensor->shape[1])
            return RF_OK;
        shape_text(there, entry->ndims, entry->shape);
        return rf_fail(err, RF_ERR_INPUT,
                       "checkpoint from another model: '%s' is %s in '%s', should be %s",
                       tensor->name, there, load->path, here);
    }
    return rf_fail(err, RF_ERR_INPUT,
                   "checkpoint from another model: '%s' has no tensor '%s' (%s)", load->path,
                   tensor->name, here);
}

static enum rf_status prepare(struct load *load, const struct rf_tensor *tensors,
                              struct rf_error *err)
{
    size_t n = (size_t)load->ntensors;
    enum rf_status st = RF_OK;

    load->sources = calloc(n + 1, sizeof *load->sources);
    load->tensors = calloc(n + 1, sizeof *load->tensors);
    if (load->sources == NULL || load->tensors == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    memcpy(load->tensors, tensors, n * sizeof *tensors);
    for (int i = 0; st == RF_OK && i < load->ntensors; i++)
        st = match(load, i, err);
    return st;
}

/* Local: the tensors of a part. */
static enum rf_status choose(struct part *part, struct rf_error *err)
{
    const struct load *load = part->load;
    const struct rf_ckpt_contents *c = &load->contents;
    size_t n = (size_t)load->ntensors + 1;

    part->tensors = calloc(n, sizeof *part->tensors);
    part->sources = calloc(n, sizeof *part->sources);
    if (part->tensors == NULL || part->sources == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < load->ntensors; i++) {
        int k = load->sources[i].tensor;

        if ((c->manifest->tensors[k].packed ? PACKED : c->files[k]) != part->file)
            continue;
        part->tensors[part->ntensors] = load->tensors[i];
        part->sources[part->ntensors++] = load->sources[i];
    }
    return RF_OK;
}

/* Local: the next of this rank's runs that stay at home, from *at on, at most so many. */
static void add_at_home(struct part *part, int64_t *at, int64_t most)
{
    int64_t nruns;
    const struct rf_run *runs = rf_parcels_runs(part->parcels, &nruns);

    for (; *at < nruns && most > 0; ++*at)
        if (runs[*at].owner == part->load->group->rank && !runs[*at].travels) {
            part->order[part->norder++] = &runs[*at];
            most--;
        }
}

/* Local: this rank's runs in the order in which they are handed on, and memory for them. Those that
 * travel come evenly between the others: while the network has its turn the disk reads what
 * needs no room in the pump. */
static enum rf_status line_up(struct part *part, struct rf_error *err)
{
    int64_t nruns, rounds = rf_parcels_rounds(part->parcels), at = 0, home = 0, given = 0;
    const struct rf_run *runs = rf_parcels_runs(part->parcels, &nruns);
    struct rf_pump_options options = {
        .max_stretches = STRETCHES, .sharers = part->load->neighbours, .fault = rf_h5_fault};
    size_t largest = 1, all = 0;

    part->order = calloc((size_t)nruns + 1, sizeof *part->order);
    part->before = calloc((size_t)rounds + 1, sizeof *part->before);
    part->found = calloc((size_t)rf_parcels_count(part->parcels) + 1, sizeof *part->found);
    if (part->order == NULL || part->before == NULL || part->found == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int64_t i = 0; i < nruns; i++)
        home += runs[i].owner == part->load->group->rank && !runs[i].travels;
    for (int64_t round = 0; round < rounds; round++) {
        add_at_home(part, &at, home * round / rounds - given);
        given = home * round / rounds;
        part->before[round] = part->norder;
        if (rf_parcels_mine(part->parcels, round) != NULL)
            part->order[part->norder++] = rf_parcels_mine(part->parcels, round);
    }
    add_at_home(part, &at, nruns);
    for (int64_t i = 0; i < part->norder; i++) {
        size_t bytes = rf_parcels_bytes(part->parcels, part->order[i]);

        largest = bytes > largest ? bytes : largest;
        all += rf_pump_need(bytes);
    }
    if (part->file == PACKED) {
        part->plain = malloc(largest);
        return part->plain != NULL
                   ? RF_OK
                   : rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    }
    options.room_bytes = rf_pump_usual_room(options.sharers);
    if (all < options.room_bytes)
        options.room_bytes = all;
    if (options.room_bytes < 2 * rf_pump_need(largest))
        options.room_bytes = 2 * rf_pump_need(largest);
    return rf_pump_create(&part->pump, &options, err);
}

static struct rf_stretch stretch_of(const struct part *part, const struct rf_run *run)
{
    const struct rf_tensor *tensor = &part->tensors[run->tensor];
    uint64_t row_bytes = (uint64_t)tensor->shape[1] * rf_stored_bytes(tensor->stored);
    uint64_t begin = part->load->contents.offsets[part->sources[run->tensor].tensor];

    return (struct rf_stretch){.offset = begin + (uint64_t)run->row * row_bytes,
                               .size_bytes = rf_parcels_bytes(part->parcels, run),
                               .granule_bytes = rf_parcels_granule_bytes(part->parcels, run),
                               .digests = &part->found[run->granule]};
}

/* The run's first granule among those of the file. */
static int64_t granule_of(const struct part *part, const struct rf_run *run)
{
    return part->sources[run->tensor].first + run->granule -
           rf_parcels_first(part->parcels, run->tensor);
}

/* Local: are the digests of a run that was read those of the file? */
static enum rf_status check(const struct part *part, const struct rf_run *run,
                            struct rf_error *err)
{
    const struct rf_ckpt_contents *c = &part->load->contents;
    int64_t rows = rf_granule_rows(part->tensors[run->tensor].shape);
    int64_t index = granule_of(part, run);

    for (int g = 0; g < run->ngranules; g++)
        if (!rf_digest_equal(&part->found[run->granule + g], &c->granules[index + g]))
            return rf_ckpt_contents_damaged(c, part->sources[run->tensor].tensor,
                                            run->row + g * rows, RF_ERR_INPUT, err);
    return RF_OK;
}

/* ---- packed runs ---------------------------------------------------------------------- */

/* Local: the file that holds a tensor, opened unless it is. */
static enum rf_status open_packed(struct part *part, int file, struct rf_error *err)
{
    const char *path = part->load->contents.paths[file];
    enum rf_status st = rf_h5_fault_at("read", path, err);

    if (st != RF_OK || part->fd_file == file)
        return st;
    if (part->fd >= 0)
        close(part->fd);
    part->fd = open(path, O_RDONLY | O_CLOEXEC);
    part->fd_file = part->fd >= 0 ? file : -1;
    return part->fd >= 0
               ? RF_OK
               : rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
}

/* Local: a run into plain, piece by piece, with the digests of its granules. */
static enum rf_status unpack(struct part *part, const struct rf_run *run, struct rf_error *err)
{
    const struct rf_ckpt_contents *c = &part->load->contents;
    const struct rf_tensor *tensor = &part->tensors[run->tensor];
    size_t bytes = rf_parcels_bytes(part->parcels, run),
           width = rf_stored_bytes(tensor->stored);
    size_t granule = rf_parcels_granule_bytes(part->parcels, run);
    int k = part->sources[run->tensor].tensor;
    int64_t index = granule_of(part, run);
    enum rf_status st = open_packed(part, c->files[k], err);

    for (int g = 0; st == RF_OK && g < run->ngranules; g++) {
        unsigned char *to = part->plain + (size_t)g * granule;
        size_t left = bytes - (size_t)g * granule, size = left < granule ? left : granule;

        st = rf_piece_read(&part->room, part->fd, c->paths[c->files[k]], &c->pieces[index + g],
                           tensor->stored, rf_piece_bytes(tensor->shape, tensor->stored), to,
                           size / width, err);
        if (st == RF_NO)
            st = rf_ckpt_contents_damaged(c, k, run->row + g * rf_granule_rows(tensor->shape),
                                          RF_ERR_INPUT, err);
        if (st == RF_OK)
            part->found[run->granule + g] = rf_digest_of(to, size);
    }
    return st;
}

/* ---- values ---------------------------------------------------------------------------- */

/* Local: where a run of this rank's may be read to, or NULL. */
static void *place_of(const struct part *part, const struct rf_run *run)
{
    return run->travels ? NULL : rf_parcels_place(part->parcels, run);
}

static void ask_ahead(struct part *part)
{
    while (part->asked < part->norder) {
        const struct rf_run *run = part->order[part->asked];
        struct rf_stretch stretch = stretch_of(part, run);

        if (!rf_pump_fits(part->pump, &stretch, place_of(part, run)))
            break;
        rf_pump_ask(part->pump, &stretch, place_of(part, run));
        part->asked++;
    }
}

/* Local: asks ahead, then waits for the next run; of no use when *st is a failure after it. */
static const void *next_run(struct part *part, enum rf_status *st, struct rf_error *err)
{
    const struct rf_run *run = part->order[part->taken++];
    const void *room;

    if (part->file == PACKED) {
        if (*st == RF_OK)
            *st = unpack(part, run, err);
        if (*st == RF_OK)
            *st = check(part, run, err);
        return part->plain;
    }
    ask_ahead(part);
    room = rf_pump_take(part->pump);
    if (*st == RF_OK && !rf_pump_failed(part->pump))
        *st = check(part, run, err);
    return room;
}

static void drop_run(struct part *part)
{
    if (part->pump != NULL)
        rf_pump_drop(part->pump);
}

/* Local: the status of the reading. */
static enum rf_status end_reading(struct part *part, enum rf_status st, struct rf_error *err)
{
    struct rf_error other;
    enum rf_status ended;

    if (part->pump == NULL)
        return st;
    rf_pump_end(part->pump);
    ended = rf_pump_wait(part->pump, &other);
    if (ended == RF_OK)
        return st;
    *err = other; /* came first: what was not read has no digest either */
    return ended;
}

/* Local: takes runs that stay at home, until so many were taken of all. */
static void keep_runs(struct part *part, int64_t until, enum rf_status *st,
                      struct rf_error *err)
{
    while (part->taken < until) {
        const struct rf_run *run = part->order[part->taken];
        const void *room = next_run(part, st, err);

        if (*st == RF_OK && room != place_of(part, run))
            rf_parcels_copy_in(part->parcels, run, room);
        drop_run(part);
    }
}

/* Collective, agreed: all values into the tensors. After a failure a rank goes on handing out what
 * it has, because others wait for it; nobody will use that. */
static enum rf_status read_values(struct part *part, struct rf_error *err)
{
    int64_t rounds = rf_parcels_rounds(part->parcels);
    enum rf_status st = RF_OK;

    for (int64_t round = 0; round < rounds; round++) {
        int mine = rf_parcels_mine(part->parcels, round) != NULL;

        keep_runs(part, part->before[round], &st, err);
        rf_parcels_scatter(part->parcels, round, mine ? next_run(part, &st, err) : NULL);
        if (mine)
            drop_run(part);
    }
    keep_runs(part, part->norder, &st, err);
    st = end_reading(part, st, err);
    rf_group_meet(part->load->group); /* others still read, and need the cores */
    return rf_agree(part->load->group, st, err);
}

/* Collective, agreed. */
static enum rf_status begin_part(struct part *part, struct rf_error *err)
{
    const char *path = part->load->contents.paths[part->file == PACKED ? 0 : part->file];
    enum rf_status st = rf_parcels_create(&part->parcels, part->load->group, part->tensors,
                                          part->ntensors, RF_PARCELS_IN, err);

    if (st != RF_OK)
        return st;
    st = line_up(part, err);
    if (st == RF_OK)
        st = rf_h5_fault_at("open", path, err);
    if (st == RF_OK && part->pump != NULL)
        st = rf_pump_begin(part->pump, path, 0, 1, err);
    return rf_agree(part->load->group, st, err);
}

/* Collective, agreed. */
static enum rf_status load_part(struct load *load, int file, struct rf_error *err)
{
    struct part part = {.load = load, .file = file, .fd = -1, .fd_file = -1};
    enum rf_status st = rf_agree(load->group, choose(&part, err), err);

    if (st == RF_OK && part.ntensors > 0)
        st = begin_part(&part, err);
    if (st == RF_OK && part.ntensors > 0)
        st = read_values(&part, err);
    if (part.fd >= 0)
        close(part.fd);
    rf_piece_room_clear(&part.room);
    free(part.plain);
    rf_pump_destroy(part.pump);
    rf_parcels_destroy(part.parcels);
    free(part.order);
    free(part.before);
    free(part.found);
    free(part.sources);
    free(part.tensors);
    return st;
}

/* Collective, agreed: what the file says, on every rank, and whether it fits what is asked. */
static enum rf_status begin(struct load *load, const struct rf_tensor *tensors,
                            struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (load->group->rank == 0)
        st = rf_ckpt_contents_read(&load->contents, load->path, err);
    if (load->group->rank == 0 && st == RF_OK)
        st = rf_ckpt_contents_resolve(&load->contents, load->path, err);
    if (st == RF_NO) /* damaged: no answer here, but an input that cannot be used */
        st = err->status = RF_ERR_INPUT;
    rf_group_meet(load->group);
    st = rf_agree(load->group, st, err);
    if (st == RF_OK)
        st = share_contents(load->group, &load->contents, err);
    if (st == RF_OK)
        st = rf_agree(load->group, prepare(load, tensors, err), err);
    return st;
}

enum rf_status rf_ckpt_load(const struct rf_group *group, const char *path,
                            struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, struct rf_error *err)
{
    struct load load = {.group = group,
                        .neighbours = rf_group_neighbours(group, NULL),
                        .path = path,
                        .ntensors = ntensors};
    enum rf_status st = begin(&load, tensors, err);

    for (int file = PACKED; st == RF_OK && file < load.contents.nfiles; file++)
        st = load_part(&load, file, err);
    if (st == RF_OK)
        *info = load.contents.manifest->info;
    free(load.tensors);
    free(load.sources);
    rf_ckpt_contents_clear(&load.contents);
    return st;
}

enum rf_status rf_ckpt_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                              int *found, struct rf_error *err)
{
    return rf_store_newest(dir, path, step, found, err);
}
