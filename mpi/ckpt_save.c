/* A save in three parts. Rank 0 makes the file with all its structure, alone, because a
 * collective HDF5 call that fails on one rank keeps the others waiting. Then every rank brings
 * its runs of rows into the memory of its pump, from where threads hash them and write them to
 * places that are fixed: no MPI and no HDF5 there, so training may go on. At last, when all
 * ranks know that all is on disk, digests are put together, and a thread of rank 0 writes them, seals
 * the file and gives it its name.
 *
 * Digests are taken from memory, so what a disk changes is found later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/pump.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_publish.h"
#include "mpi/ckpt_share.h"
#include "mpi/ckpt_table.h"
#include "mpi/h5.h"
#include "mpi/parcel.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digests are over little-endian values; a big-endian machine needs a swap before hashing"
#endif

enum { STRETCHES = 256 };

/* What is under way: nothing, values, or the last touches on rank 0. */
enum phase { IDLE, WRITING, PUBLISHING };

struct rf_ckpt_saver {
    const struct rf_group *group;    /* borrowed */
    const struct rf_tensor *tensors; /* borrowed */
    int ntensors;
    struct rf_ckpt_options options;
    int neighbours; /* ranks that save on this node */
    int place;      /* which of them this one is */
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES], temp[RF_PATH_BYTES];
    struct rf_share *share; /* NULL: everything is written */
    int64_t *bases;         /* [ntensors] where a tensor lies; -1: in this file */
    int64_t *before; /* [ntensors] the same of the save before, whose parcels there are */
    struct rf_tensor *here; /* [nhere] the tensors of this file */
    int *which;             /* [nhere] their numbers among all */
    int nhere;
    int64_t *first;             /* [ntensors + 1] the first granule of each */
    struct rf_parcels *parcels; /* of here */
    struct rf_pump *pump;
    void *plain;                        /* one run, for saving by HDF5 */
    struct rf_digest *granules;         /* of all; this rank's until they are joined */
    struct rf_extent *extents;          /* [ntensors], in order of tensors */
    struct rf_extent *sorted;           /* [ntensors], for the seal */
    struct rf_manifest_tensor *entries; /* [ntensors] */
    struct rf_ckpt_places places;
    struct rf_digest content;
    int64_t step;
    int64_t sent; /* runs that were sent before there was a file */
    enum phase phase;
    struct rf_error tidy; /* what tidying up ran into, on rank 0 */
};

/* ---- making and ending ------------------------------------------------------------ */

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
}

static int64_t count_mine(const struct rf_ckpt_saver *saver, size_t *room, size_t *largest)
{
    int64_t nruns, mine = 0;
    const struct rf_run *runs = rf_parcels_runs(saver->parcels, &nruns);

    *room = *largest = rf_pump_need(1);
    for (int64_t i = 0; i < nruns; i++) {
        size_t need = rf_pump_need(rf_parcels_bytes(saver->parcels, &runs[i]));

        if (runs[i].owner != saver->group->rank)
            continue;
        mine++;
        *room += need;
        *largest = need > *largest ? need : *largest;
    }
    return mine;
}

/* Local: what is known of the tensors before there are parcels. */
static enum rf_status list_tensors(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    size_t n = (size_t)saver->ntensors + 1;

    saver->bases = calloc(n, sizeof *saver->bases);
    saver->before = calloc(n, sizeof *saver->before);
    saver->here = calloc(n, sizeof *saver->here);
    saver->which = calloc(n, sizeof *saver->which);
    saver->first = calloc(n, sizeof *saver->first);
    if (saver->bases == NULL || saver->before == NULL || saver->here == NULL ||
        saver->which == NULL || saver->first == NULL)
        return no_memory(err);
    for (int i = 0; i < saver->ntensors; i++) {
        saver->bases[i] = -1;
        saver->first[i + 1] = saver->first[i] + rf_granule_count(saver->tensors[i].shape);
    }
    if (saver->options.share && saver->options.source == NULL)
        return rf_share_create(&saver->share, saver->tensors, saver->ntensors, err);
    return RF_OK;
}

/* Collective, agreed: parcels of what this file is to hold. */
static enum rf_status make_parcels(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    rf_parcels_destroy(saver->parcels);
    saver->parcels = NULL;
    saver->nhere = 0;
    for (int i = 0; i < saver->ntensors; i++) {
        saver->before[i] = saver->bases[i];
        if (saver->bases[i] >= 0)
            continue;
        saver->here[saver->nhere] = saver->tensors[i];
        saver->which[saver->nhere++] = i;
    }
    return rf_parcels_create(&saver->parcels, saver->group, saver->here, saver->nhere,
                             RF_PARCELS_OUT, err);
}

/* Local: memory for all that a save needs, so that none can fail for want of it later. */
static enum rf_status allocate(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    size_t n = (size_t)saver->ntensors, room, largest,
           usual = rf_pump_usual_room(saver->neighbours);
    int64_t mine = count_mine(saver, &room, &largest);
    struct rf_pump_options options = {.max_stretches = STRETCHES,
                                      .sharers = saver->neighbours,
                                      .fault = rf_h5_fault,
                                      .still = saver->options.still};

    saver->granules =
        calloc((size_t)saver->first[saver->ntensors] + 1, sizeof *saver->granules);
    saver->extents = calloc(n + 1, sizeof *saver->extents);
    saver->sorted = calloc(n + 1, sizeof *saver->sorted);
    saver->entries = calloc(n + 1, sizeof *saver->entries);
    if (saver->options.by_hdf5)
        saver->plain = malloc(largest);
    if (saver->granules == NULL || saver->extents == NULL || saver->sorted == NULL ||
        saver->entries == NULL || (saver->options.by_hdf5 && saver->plain == NULL))
        return no_memory(err);
    for (int i = 0; i < saver->ntensors; i++) {
        const struct rf_tensor *tensor = &saver->tensors[i];
        struct rf_manifest_tensor *entry = &saver->entries[i];

        memcpy(entry->name, tensor->name, sizeof entry->name);
        entry->ndims = tensor->ndims;
        entry->stored = tensor->stored;
        memcpy(entry->shape, tensor->shape, sizeof entry->shape);
    }
    if (!saver->options.background && room > usual)
        room = usual;
    options.room_bytes = room < 2 * largest ? 2 * largest : room;
    if (saver->options.background && mine > STRETCHES)
        options.max_stretches = (int)mine;
    return rf_pump_create(&saver->pump, &options, err);
}

enum rf_status rf_ckpt_saver_create(struct rf_ckpt_saver **out, const struct rf_group *group,
                                    const char *dir, const struct rf_ckpt_options *options,
                                    const struct rf_tensor *tensors, int ntensors,
                                    struct rf_error *err)
{
    struct rf_ckpt_saver *saver = calloc(1, sizeof *saver);
    enum rf_status st = RF_OK;

    *out = saver;
    if (saver == NULL)
        st = no_memory(err);
    else if (strlen(dir) >= sizeof saver->dir)
        st = rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", dir);
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        saver->group = group;
        saver->tensors = tensors;
        saver->ntensors = ntensors;
        saver->options = *options;
        saver->neighbours = rf_group_neighbours(group, &saver->place);
        memcpy(saver->dir, dir, strlen(dir) + 1);
        st = rf_agree(group, list_tensors(saver, err), err);
    }
    if (st == RF_OK)
        st = make_parcels(saver, err);
    if (st == RF_OK)
        st = rf_agree(group, allocate(saver, err), err);
    if (st == RF_OK && options->background)
        rf_pump_warm(saver->pump);
    if (st != RF_OK) {
        rf_ckpt_saver_destroy(saver);
        *out = NULL;
    }
    return st;
}

void rf_ckpt_saver_destroy(struct rf_ckpt_saver *saver)
{
    if (saver == NULL)
        return;
    rf_pump_destroy(saver->pump);
    rf_parcels_destroy(saver->parcels);
    rf_share_destroy(saver->share);
    free(saver->first);
    free(saver->which);
    free(saver->here);
    free(saver->before);
    free(saver->bases);
    free(saver->plain);
    free(saver->entries);
    free(saver->sorted);
    free(saver->extents);
    free(saver->granules);
    free(saver);
}

/* Rank 0. */
static enum rf_status lay_out(struct rf_ckpt_saver *saver, const struct rf_ckpt_info *info,
                              struct rf_error *err)
{
    const struct rf_ckpt_layout layout = {.info = info,
                                          .config_text = saver->options.config_text,
                                          .tensors = saver->tensors,
                                          .bases = saver->bases,
                                          .ntensors = saver->ntensors,
                                          .ngranules = saver->first[saver->ntensors]};

    return rf_ckpt_make_file(saver->dir, saver->temp, &layout, saver->extents, &saver->places,
                             err);
}

/* ---- values ---------------------------------------------------------------------------- */

/* Where the digests of a run go: the table has room for all tensors, parcels are of some. */
static struct rf_digest *digests_of(const struct rf_ckpt_saver *saver, const struct rf_run *run)
{
    return &saver->granules[saver->first[saver->which[run->tensor]] + run->granule -
                            rf_parcels_first(saver->parcels, run->tensor)];
}

static struct rf_stretch stretch_of(const struct rf_ckpt_saver *saver, const struct rf_run *run)
{
    const struct rf_tensor *tensor = &saver->here[run->tensor];
    uint64_t row_bytes = (uint64_t)tensor->shape[1] * rf_stored_bytes(tensor->stored);

    return (struct rf_stretch){.offset = (uint64_t)run->row * row_bytes,
                               .base = &saver->extents[saver->which[run->tensor]].offset,
                               .size_bytes = rf_parcels_bytes(saver->parcels, run),
                               .granule_bytes = rf_parcels_granule_bytes(saver->parcels, run),
                               .digests = digests_of(saver, run)};
}

/* Local: a run at home, from memory or from where the caller has it. After a failure nothing more is
 * fetched. */
static void send_at_home(struct rf_ckpt_saver *saver, const struct rf_run *run,
                         enum rf_status *st, struct rf_error *err)
{
    const struct rf_ckpt_source *source = saver->options.source;
    struct rf_stretch stretch = stretch_of(saver, run);
    struct rf_values values;
    void *room;

    if (source == NULL) {
        values = rf_parcels_values(saver->parcels, run);
        rf_pump_bring(saver->pump, &stretch, &values);
        return;
    }
    room = rf_pump_room(saver->pump, &stretch);
    if (*st == RF_OK)
        *st = source->fill(source->arg, saver->which[run->tensor], run->row, run->nrows, room,
                           err);
    rf_pump_send(saver->pump);
}

/* Is it this rank's, and does not travel? */
static int is_at_home(const struct rf_ckpt_saver *saver, const struct rf_run *run)
{
    return run->owner == saver->group->rank && !run->travels;
}

/* Local, before there is a file: runs that the pump has room for are copied and hashed while it is laid
 * out, by one thread each of as many ranks as leave a core to the one who does that. */
static void send_ahead(struct rf_ckpt_saver *saver)
{
    int64_t nruns;
    const struct rf_run *runs = rf_parcels_runs(saver->parcels, &nruns);

    saver->sent = 0;
    if (saver->options.source != NULL || saver->options.by_hdf5 ||
        (saver->place > 0 && saver->place >= sysconf(_SC_NPROCESSORS_ONLN) - 1))
        return;
    for (; saver->sent < nruns; saver->sent++) {
        const struct rf_run *run = &runs[saver->sent];
        struct rf_stretch stretch;

        if (!is_at_home(saver, run))
            continue;
        stretch = stretch_of(saver, run);
        if (!rf_pump_fits(saver->pump, &stretch, NULL))
            break;
        send_at_home(saver, run, NULL, NULL);
    }
}

/* Collective: every round is gone through by all, also by a rank whose disk has failed. Local
 * runs come in between, so that the disk does not wait for the network. The status is not
 * agreed. */
static enum rf_status send_values(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int64_t nruns, rounds = rf_parcels_rounds(saver->parcels), at = saver->sent;
    const struct rf_run *runs = rf_parcels_runs(saver->parcels, &nruns);

    for (int64_t round = 0; round < rounds || at < nruns; round++) {
        const struct rf_run *run =
            round < rounds ? rf_parcels_mine(saver->parcels, round) : NULL;
        struct rf_stretch stretch;
        void *room = NULL;

        if (run != NULL) {
            stretch = stretch_of(saver, run);
            room = rf_pump_room(saver->pump, &stretch);
        }
        if (round < rounds)
            rf_parcels_gather(saver->parcels, round, room);
        if (run != NULL)
            rf_pump_send(saver->pump);
        for (int64_t some = (nruns + rounds) / (rounds + 1); at < nruns && some > 0;
             at++, some--)
            if (is_at_home(saver, &runs[at]))
                send_at_home(saver, &runs[at], &st, err);
    }
    rf_pump_brought(saver->pump);
    return st;
}

/* Local: a run that lies in plain, hashed and written by HDF5. */
static enum rf_status write_by_hdf5(struct rf_ckpt_saver *saver, struct rf_h5 *file,
                                    const struct rf_run *run, struct rf_error *err)
{
    const struct rf_tensor *tensor = &saver->here[run->tensor];
    struct rf_digest *digests = digests_of(saver, run);
    size_t bytes = rf_parcels_bytes(saver->parcels, run);
    size_t piece = rf_parcels_granule_bytes(saver->parcels, run);
    const unsigned char *plain = saver->plain;
    char object[RF_CKPT_OBJECT];

    for (int g = 0; g < run->ngranules; g++) {
        size_t at = (size_t)g * piece, left = bytes - at;

        digests[g] = rf_digest_of(plain + at, left < piece ? left : piece);
    }
    rf_ckpt_object(object, tensor->name);
    return rf_h5_write(file, object, rf_ckpt_kind(tensor->stored), run->row, run->nrows, plain,
                       err);
}

/* Collective, agreed: the reference for what the pump does. */
static enum rf_status send_by_hdf5(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    int64_t nruns, rounds = rf_parcels_rounds(saver->parcels);
    const struct rf_run *runs = rf_parcels_runs(saver->parcels, &nruns);
    struct rf_h5 *file;
    struct rf_error other;
    enum rf_status st = rf_h5_open_shared(&file, saver->group, saver->temp, err), closed;

    if (st != RF_OK)
        return st;
    for (int64_t round = 0; round < rounds; round++) {
        const struct rf_run *run = rf_parcels_mine(saver->parcels, round);

        rf_parcels_gather(saver->parcels, round, saver->plain);
        if (run != NULL && st == RF_OK)
            st = write_by_hdf5(saver, file, run, err);
    }
    for (int64_t i = 0; i < nruns; i++) {
        if (!is_at_home(saver, &runs[i]) || st != RF_OK)
            continue;
        rf_parcels_copy_out(saver->parcels, &runs[i], saver->plain);
        st = write_by_hdf5(saver, file, &runs[i], err);
    }
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    return rf_agree(saver->group, st == RF_OK ? closed : st, err);
}

/* Local: after a failure. */
static void clean_up(struct rf_ckpt_saver *saver)
{
    if (saver->group->rank == 0)
        unlink(saver->temp);
    saver->phase = IDLE;
}

/* Collective, agreed: what this file is to hold, and what an earlier one has already. */
static enum rf_status choose_tensors(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    size_t n = (size_t)saver->ntensors;
    enum rf_status st;

    memset(saver->granules, 0, (size_t)saver->first[saver->ntensors] * sizeof *saver->granules);
    for (int k = 0; k < saver->nhere; k++) /* their data may lie elsewhere now */
        saver->here[k].data = saver->tensors[saver->which[k]].data;
    if (saver->share == NULL)
        return RF_OK;
    st = rf_share_survey(saver->share, saver->group, saver->dir, saver->step, saver->bases,
                         saver->granules, err);
    if (st != RF_OK || (saver->parcels != NULL &&
                        memcmp(saver->before, saver->bases, n * sizeof *saver->bases) == 0))
        return st;
    return make_parcels(saver, err);
}

/* Collective, agreed. */
static enum rf_status start_file(struct rf_ckpt_saver *saver, const struct rf_ckpt_info *info,
                                 struct rf_error *err)
{
    enum rf_status st = choose_tensors(saver, err);

    if (st != RF_OK)
        return st;
    rf_pump_begin_writing(saver->pump);
    send_ahead(saver);
    if (saver->group->rank == 0)
        st = lay_out(saver, info, err);
    rf_group_meet(saver->group);
    st = rf_agree(saver->group, st, err);
    if (st != RF_OK)
        return st;
    rf_group_bcast(saver->group, saver->extents,
                   (size_t)saver->ntensors * sizeof *saver->extents, 0);
    st = rf_h5_fault_at("open", saver->temp, err);
    if (st == RF_OK)
        st = rf_pump_open(saver->pump, saver->temp, !saver->options.cached, err);
    return rf_agree(saver->group, st, err);
}

enum rf_status rf_ckpt_saver_begin(struct rf_ckpt_saver *saver, const struct rf_ckpt_info *info,
                                   struct rf_error *err)
{
    enum rf_status st = rf_store_path(saver->path, saver->dir, info->step, err);

    if (st == RF_OK)
        st = rf_store_temp_path(saver->temp, saver->dir, info->step, err);
    if (st != RF_OK) /* the same on every rank: a matter of names */
        return st;
    saver->step = info->step;
    st = start_file(saver, info, err);
    if (st == RF_OK && saver->options.by_hdf5)
        st = send_by_hdf5(saver, err);
    else if (st == RF_OK) {
        st = send_values(saver, err);
        rf_group_meet(saver->group); /* pumps are at work: their threads need the cores */
        st = rf_agree(saver->group, st, err);
    }
    if (st != RF_OK)
        rf_pump_fail(saver->pump, err);
    rf_pump_end(saver->pump);
    saver->phase = WRITING;
    if (st != RF_OK) {
        rf_pump_wait(saver->pump, NULL);
        clean_up(saver);
    }
    return st;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* Collective: every rank gets all granules' digests and computes the rest from them. */
static enum rf_status join_digests(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    int64_t n = saver->first[saver->ntensors];

    for (int64_t done = 0; done < n; done += 1 << 20) {
        int64_t some = n - done < 1 << 20 ? n - done : 1 << 20;

        MPI_Allreduce(MPI_IN_PLACE, saver->granules + done, (int)(some * RF_DIGEST_BYTES),
                      MPI_BYTE, MPI_BOR, saver->group->comm);
    }
    for (int i = 0; i < saver->ntensors; i++)
        saver->entries[i].digest = rf_granule_join(saver->granules + saver->first[i],
                                                   rf_granule_count(saver->tensors[i].shape));
    return rf_manifest_content(saver->entries, saver->ntensors, &saver->content, err);
}

/* On a thread of rank 0: digests, seal, name, and tidying up. What cannot be tidied does not undo
 * the save. */
static enum rf_status publish(void *arg, struct rf_error *err)
{
    struct rf_ckpt_saver *saver = arg;
    const struct rf_ckpt_digests digests = {
        .granules = saver->granules,
        .ngranules = saver->first[saver->ntensors],
        .tensors = saver->entries,
        .ntensors = saver->ntensors,
        .content = &saver->content,
    };
    enum rf_status st = rf_ckpt_put_digests(saver->temp, &saver->places, &digests, err);

    saver->tidy.status = RF_OK;
    for (int i = 0; i < saver->nhere; i++)
        saver->sorted[i] = saver->extents[saver->which[i]];
    if (st == RF_OK)
        st = rf_ckpt_publish(saver->temp, saver->path, saver->dir, saver->places.block_bytes,
                             saver->sorted, saver->nhere, saver->bases, saver->ntensors, err);
    if (st != RF_OK)
        return st;
    if (rf_store_set_latest(saver->dir, saver->step, &saver->tidy) == RF_OK)
        rf_store_prune(saver->dir, &saver->options.keep, saver->step, &saver->tidy);
    return RF_OK;
}

int rf_ckpt_saver_busy(const struct rf_ckpt_saver *saver)
{
    return saver->phase != IDLE;
}

/* Collective: is any rank's pump at work? */
static int anybody_busy(struct rf_ckpt_saver *saver)
{
    int busy = rf_pump_busy(saver->pump);

    MPI_Allreduce(MPI_IN_PLACE, &busy, 1, MPI_INT, MPI_MAX, saver->group->comm);
    return busy;
}

/* Collective, agreed: from written values to the last touches. */
static enum rf_status finish_values(struct rf_ckpt_saver *saver, struct rf_error *err)
{
    enum rf_status st = rf_pump_wait(saver->pump, err);

    rf_group_meet(saver->group);
    st = rf_agree(saver->group, st, err);
    if (st == RF_OK)
        st = rf_agree(saver->group, join_digests(saver, err), err);
    if (st != RF_OK) {
        clean_up(saver);
        return st;
    }
    if (saver->group->rank == 0)
        rf_pump_call(saver->pump, publish, saver);
    saver->phase = PUBLISHING;
    return RF_OK;
}

static enum rf_status finish_publishing(struct rf_ckpt_saver *saver,
                                        struct rf_ckpt_saved *saved, struct rf_error *err)
{
    enum rf_status st = rf_pump_wait(saver->pump, err);

    rf_group_meet(saver->group);
    st = rf_agree(saver->group, st, err);
    if (st != RF_OK) {
        clean_up(saver);
        return st;
    }
    if (saver->group->rank == 0 && saver->tidy.status != RF_OK)
        rf_warn("%s", saver->tidy.text);
    saver->phase = IDLE;
    if (saver->share != NULL)
        rf_share_commit(saver->share, saver->step);
    saved->nshared = saver->ntensors - saver->nhere;
    saved->committed = 1;
    saved->step = saver->step;
    saved->content = saver->content;
    memcpy(saved->path, saver->path, sizeof saved->path);
    return RF_OK;
}

enum rf_status rf_ckpt_saver_poll(struct rf_ckpt_saver *saver, int wait,
                                  struct rf_ckpt_saved *saved, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    saved->committed = 0;
    if (saver->phase == WRITING && (wait || !anybody_busy(saver)))
        st = finish_values(saver, err);
    else if (saver->phase != PUBLISHING)
        return RF_OK;
    if (st == RF_OK && (wait || !anybody_busy(saver)))
        st = finish_publishing(saver, saved, err);
    return st;
}

enum rf_status rf_ckpt_save(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, int keep, char path[RF_PATH_BYTES],
                            struct rf_digest *content, struct rf_error *err)
{
    const struct rf_ckpt_options options = {.keep = {.last = keep}, .still = 1};
    struct rf_ckpt_saver *saver = NULL;
    struct rf_ckpt_saved saved;
    enum rf_status st =
        rf_ckpt_saver_create(&saver, group, dir, &options, tensors, ntensors, err);

    if (st == RF_OK)
        st = rf_ckpt_saver_begin(saver, info, err);
    if (st == RF_OK)
        st = rf_ckpt_saver_poll(saver, 1, &saved, err);
    if (st == RF_OK) {
        memcpy(path, saved.path, sizeof saved.path);
        *content = saved.content;
    }
    rf_ckpt_saver_destroy(saver);
    return st;
}
