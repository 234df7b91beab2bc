/* Loading is saving backwards. Rank 0 reads and checks what is not values, and tells the others.
 * Then every rank reads its runs through its pump, threads hashing ahead, and hands each on only when its
 * digests are right: into its own rectangles, or over the network into those of others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"
#include "ckpt/pump.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_table.h"
#include "mpi/h5.h"
#include "mpi/parcel.h"

enum { ROOM_BYTES = 64 << 20, STRETCHES = 256 };

/* Collective: what rank 0 read, to all. */
static enum rf_status share_contents(const struct rf_group *group,
                                     struct rf_ckpt_contents *contents, struct rf_error *err)
{
    struct rf_manifest *m = contents->manifest;
    int64_t counts[2] = {m != NULL ? m->ntensors : 0, contents->ngranules};
    struct rf_manifest_tensor *tensors;
    enum rf_status st = RF_OK;

    MPI_Bcast(counts, 2, MPI_INT64_T, 0, group->comm);
    if (group->rank != 0) {
        m = contents->manifest = calloc(1, sizeof *m);
        contents->granules = malloc((size_t)counts[1] * sizeof *contents->granules);
        contents->offsets = malloc((size_t)counts[0] * sizeof *contents->offsets);
        contents->ngranules = counts[1];
        if (m != NULL)
            m->tensors = malloc((size_t)counts[0] * sizeof *m->tensors);
        if (m == NULL || m->tensors == NULL || contents->granules == NULL ||
            contents->offsets == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    }
    st = rf_agree(group, st, err);
    if (st != RF_OK)
        return st;
    tensors = m->tensors;
    rf_group_bcast(group, m, sizeof *m, 0);
    m->tensors = tensors;
    rf_group_bcast(group, tensors, (size_t)counts[0] * sizeof *tensors, 0);
    rf_group_bcast(group, contents->offsets, (size_t)counts[0] * sizeof *contents->offsets, 0);
    rf_group_bcast(group, contents->granules, (size_t)counts[1] * sizeof *contents->granules,
                   0);
    return RF_OK;
}

static void shape_text(char text[48], int ndims, const int64_t shape[2])
{
    if (ndims == 1)
        snprintf(text, 48, "%lld", (long long)shape[0]);
    else
        snprintf(text, 48, "%lldx%lld", (long long)shape[0], (long long)shape[1]);
}

/* Where the values of a tensor are in the file. */
struct source {
    uint64_t offset;
    int64_t first; /* index of its first granule in the file */
};

/* What a load works with on one rank. */
struct load {
    const struct rf_group *group;
    const char *path;
    struct rf_tensor *tensors; /* owned copies [ntensors], stored as the file has them */
    int ntensors;
    struct rf_ckpt_contents contents;
    struct source *sources; /* [ntensors] */
    struct rf_parcels *parcels;
    struct rf_pump *pump;
    struct rf_digest *found;     /* of all granules asked for; filled where this rank reads */
    const struct rf_run **order; /* this rank's runs, travelling ones first [norder] */
    int64_t norder, asked, taken;
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
        load->sources[i] = (struct source){load->contents.offsets[k], first};
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

/* Local: this rank's runs in the order in which they are handed on, and memory for them. */
static enum rf_status line_up(struct load *load, struct rf_error *err)
{
    int64_t nruns, rounds = rf_parcels_rounds(load->parcels);
    const struct rf_run *runs = rf_parcels_runs(load->parcels, &nruns);
    size_t largest = 1, all = 0, room;

    load->order = calloc((size_t)nruns + 1, sizeof *load->order);
    load->found = calloc((size_t)rf_parcels_count(load->parcels) + 1, sizeof *load->found);
    if (load->order == NULL || load->found == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int64_t round = 0; round < rounds; round++)
        if (rf_parcels_mine(load->parcels, round) != NULL)
            load->order[load->norder++] = rf_parcels_mine(load->parcels, round);
    for (int64_t i = 0; i < nruns; i++)
        if (runs[i].owner == load->group->rank && !runs[i].travels)
            load->order[load->norder++] = &runs[i];
    for (int64_t i = 0; i < load->norder; i++) {
        size_t bytes = rf_parcels_bytes(load->parcels, load->order[i]);

        largest = bytes > largest ? bytes : largest;
        all += rf_pump_need(bytes);
    }
    room = all < ROOM_BYTES ? all : ROOM_BYTES;
    if (room < 2 * rf_pump_need(largest))
        room = 2 * rf_pump_need(largest);
    return rf_pump_create(&load->pump, room, STRETCHES, rf_h5_fault, err);
}

static struct rf_stretch stretch_of(const struct load *load, const struct rf_run *run)
{
    const struct rf_tensor *tensor = &load->tensors[run->tensor];
    uint64_t row_bytes = (uint64_t)tensor->shape[1] * rf_stored_bytes(tensor->stored);

    return (struct rf_stretch){.offset = load->sources[run->tensor].offset +
                                         (uint64_t)run->row * row_bytes,
                               .size_bytes = rf_parcels_bytes(load->parcels, run),
                               .granule_bytes = rf_parcels_granule_bytes(load->parcels, run),
                               .digests = &load->found[run->granule]};
}

/* Local: are the digests of a run that was read those of the file? */
static enum rf_status check(const struct load *load, const struct rf_run *run,
                            struct rf_error *err)
{
    const struct rf_tensor *tensor = &load->tensors[run->tensor];
    int64_t rows = rf_granule_rows(tensor->shape);
    int64_t index = load->sources[run->tensor].first + run->granule -
                    rf_parcels_first(load->parcels, run->tensor);

    for (int g = 0; g < run->ngranules; g++) {
        int64_t row = run->row + g * rows, end = row + rows;

        if (rf_digest_equal(&load->found[run->granule + g],
                            &load->contents.granules[index + g]))
            continue;
        if (end > tensor->shape[0])
            end = tensor->shape[0];
        return rf_fail(err, RF_ERR_INPUT, "'%s' is damaged: tensor '%s', rows %lld to %lld",
                       load->path, tensor->name, (long long)row, (long long)end - 1);
    }
    return RF_OK;
}

/* Local: asks ahead, then waits for the next run; NULL when it, or one before it, is of no use. */
static const void *next_run(struct load *load, enum rf_status *st, struct rf_error *err)
{
    const struct rf_run *run = load->order[load->taken];
    const void *room;

    while (
        load->asked < load->norder &&
        rf_pump_fits(load->pump, rf_parcels_bytes(load->parcels, load->order[load->asked]))) {
        struct rf_stretch stretch = stretch_of(load, load->order[load->asked++]);

        rf_pump_ask(load->pump, &stretch);
    }
    room = rf_pump_take(load->pump);
    load->taken++;
    if (*st == RF_OK && !rf_pump_failed(load->pump))
        *st = check(load, run, err);
    return room;
}

/* Collective, agreed: all values into the tensors. After a failure a rank goes on handing out what
 * it has, because others wait for it; nobody will use that. */
static enum rf_status read_values(struct load *load, struct rf_error *err)
{
    int64_t rounds = rf_parcels_rounds(load->parcels);
    struct rf_error other;
    enum rf_status st = RF_OK, ended;

    for (int64_t round = 0; round < rounds; round++) {
        int mine = rf_parcels_mine(load->parcels, round) != NULL;

        rf_parcels_scatter(load->parcels, round, mine ? next_run(load, &st, err) : NULL);
        if (mine)
            rf_pump_drop(load->pump);
    }
    while (load->taken < load->norder) {
        const struct rf_run *run = load->order[load->taken];
        const void *room = next_run(load, &st, err);

        if (st == RF_OK)
            rf_parcels_copy_in(load->parcels, run, room);
        rf_pump_drop(load->pump);
    }
    rf_pump_end(load->pump);
    ended = rf_pump_wait(load->pump, &other);
    if (ended != RF_OK) { /* came first: what was not read has no digest either */
        st = ended;
        *err = other;
    }
    return rf_agree(load->group, st, err);
}

/* Collective, agreed: from the file's description to this rank's work. */
static enum rf_status begin(struct load *load, const struct rf_tensor *tensors,
                            struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (load->group->rank == 0)
        st = rf_ckpt_contents_read(&load->contents, load->path, err);
    if (st == RF_NO) /* damaged: no answer here, but an input that cannot be used */
        st = err->status = RF_ERR_INPUT;
    st = rf_agree(load->group, st, err);
    if (st == RF_OK)
        st = share_contents(load->group, &load->contents, err);
    if (st == RF_OK)
        st = rf_agree(load->group, prepare(load, tensors, err), err);
    if (st == RF_OK)
        st = rf_parcels_create(&load->parcels, load->group, load->tensors, load->ntensors,
                               RF_PARCELS_IN, err);
    if (st != RF_OK)
        return st;
    st = line_up(load, err);
    if (st == RF_OK)
        st = rf_h5_fault_at("open", load->path, err);
    if (st == RF_OK)
        st = rf_pump_begin(load->pump, load->path, 0, 1, err);
    return rf_agree(load->group, st, err);
}

enum rf_status rf_ckpt_load(const struct rf_group *group, const char *path,
                            struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, struct rf_error *err)
{
    struct load load = {.group = group, .path = path, .ntensors = ntensors};
    enum rf_status st = begin(&load, tensors, err);

    if (st == RF_OK)
        st = read_values(&load, err);
    if (st == RF_OK)
        *info = load.contents.manifest->info;
    rf_pump_destroy(load.pump);
    rf_parcels_destroy(load.parcels);
    free(load.order);
    free(load.found);
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
