/* The new file's layout follows from the manifest, so every rank knows all of it, and each
 * writes its share of values straight to their places. The unit is a band: some granules of one
 * tensor, about 16 MiB, read and checked, turned where the other layout is turned, and
 * written in as long runs as it has. */
#include "mpi/ckpt_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slice.h"
#include "ckpt/notes.h"
#include "mpi/ckpt_reader.h"

enum { TILE = 32 };

struct work {
    const struct rf_export_options *options;
    const char *path;
    char temp[RF_PATH_BYTES];
    enum rf_family family;
    struct rf_ckpt_reader *reader;
    const struct rf_manifest *m;
    struct rf_place *places;               /* [m->ntensors]; parts 0: left out */
    struct rf_safetensors_tensor *targets; /* sorted by name once the head is made */
    int ntargets;
    char *head;
    size_t head_bytes;
    struct rf_band *bands;
    int64_t nbands;
    float *values, *turned;
    int fd;
};

static int is_moment(const char *name)
{
    return (name[0] == 'm' || name[0] == 'v') && name[1] == '/';
}

static enum rf_status choose_family(struct work *work, struct rf_error *err)
{
    work->family = RF_FAMILY_OWN;
    if (work->options->own_names || rf_family_of_model(&work->family, work->m->info.model))
        return RF_OK;
    return rf_fail(err, RF_ERR_INPUT,
                   "'%s' is of a model without names at Hugging Face ('%s'): only our own "
                   "names (--own-names) can be used",
                   work->path, work->m->info.model);
}

/* Are the parameters a whole model? */
static enum rf_status check_model(const struct work *work, struct rf_error *err)
{
    struct rf_named_shape *shapes = calloc((size_t)work->m->ntensors + 1, sizeof *shapes);
    struct rf_sizes sizes;
    struct rf_error what;
    int n = 0;
    enum rf_status st;

    if (shapes == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", work->m->ntensors);
    for (int i = 0; i < work->m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &work->m->tensors[i];

        if (!is_moment(t->name))
            shapes[n++] =
                (struct rf_named_shape){t->name, t->ndims, {t->shape[0], t->shape[1]}};
    }
    st = rf_names_check(work->family, shapes, n, &sizes, &what);
    free(shapes);
    return st == RF_OK ? st : rf_fail(err, st, "'%s': %.500s", work->path, what.text);
}

/* The place of each tensor of ours, and one target for all parts of one of theirs. */
static enum rf_status find_places(struct work *work, struct rf_exported *exported,
                                  struct rf_error *err)
{
    size_t n = (size_t)work->m->ntensors + 1;

    work->places = calloc(n, sizeof *work->places);
    work->targets = calloc(n, sizeof *work->targets);
    if (work->places == NULL || work->targets == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", work->m->ntensors);
    for (int i = 0; i < work->m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &work->m->tensors[i];
        struct rf_place *place = &work->places[i];
        struct rf_safetensors_tensor *target = &work->targets[work->ntargets];
        int moment = is_moment(t->name);

        if (moment && !work->options->all) {
            exported->nleft_out++;
            continue;
        }
        if (!rf_names_theirs(moment ? RF_FAMILY_OWN : work->family, t->name, place))
            return rf_fail(err, RF_ERR_INPUT, "'%s': '%s' has no name at Hugging Face",
                           work->path, t->name);
        if (place->part > 0)
            continue;
        target->name = place->name;
        target->type = work->options->type;
        target->ndims = t->ndims;
        target->shape[place->transposed] = t->shape[0] * place->parts;
        if (t->ndims == 2)
            target->shape[!place->transposed] = t->shape[1];
        work->ntargets++;
    }
    return RF_OK;
}

static enum rf_status list_bands(struct work *work, struct rf_error *err)
{
    int64_t end = rf_ckpt_reader_count(work->reader);
    size_t room = (size_t)rf_ckpt_reader_room(work->reader) * sizeof(float);

    work->bands = malloc(((size_t)end + 1) * sizeof *work->bands);
    work->values = malloc(room);
    work->turned = malloc(room);
    if (work->bands == NULL || work->values == NULL || work->turned == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int64_t at = 0; at < end;) {
        struct rf_band band = rf_ckpt_reader_band(work->reader, at, end);

        if (work->places[band.tensor].parts > 0)
            work->bands[work->nbands++] = band;
        at += band.ngranules;
    }
    return RF_OK;
}

static enum rf_status plan(struct work *work, const char *out, struct rf_exported *exported,
                           struct rf_error *err)
{
    struct rf_notes notes;
    enum rf_status st = RF_OK;

    work->m = rf_ckpt_reader_manifest(work->reader);
    if (snprintf(work->temp, sizeof work->temp, "%s.part", out) >= (int)sizeof work->temp)
        st = rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", out);
    if (st == RF_OK)
        st = choose_family(work, err);
    if (st == RF_OK)
        st = check_model(work, err);
    if (st == RF_OK)
        st = find_places(work, exported, err);
    if (st == RF_OK)
        st = list_bands(work, err);
    if (st == RF_OK) {
        rf_notes_of(&notes, &work->m->info, work->family == RF_FAMILY_OWN);
        st = rf_safetensors_head(work->targets, work->ntargets, notes.list, notes.n,
                                 &work->head, &work->head_bytes, err);
    }
    if (st == RF_OK) {
        exported->family = work->family;
        exported->ntensors = work->ntargets;
        exported->bytes = (int64_t)work->head_bytes;
        if (work->ntargets > 0)
            exported->bytes += (int64_t)work->targets[work->ntargets - 1].end;
    }
    return st;
}

static enum rf_status write_at(const struct work *work, const void *data, size_t size,
                               uint64_t offset, struct rf_error *err)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = pwrite(work->fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", work->temp,
                           strerror(errno));
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return RF_OK;
}

/* Local, rank 0: the file with its header, as long as it will be. */
static enum rf_status begin_file(struct work *work, int64_t bytes, struct rf_error *err)
{
    enum rf_status st;

    work->fd = open(work->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (work->fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create '%s': %s", work->temp, strerror(errno));
    st = write_at(work, work->head, work->head_bytes, 0, err);
    if (st == RF_OK && ftruncate(work->fd, (off_t)bytes) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", work->temp, strerror(errno));
    return st;
}

/* to [columns][rows] = the transpose of from [rows][columns], in tiles that fit a cache. */
static void turn(float *restrict to, const float *restrict from, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r += TILE)
        for (int64_t c = 0; c < columns; c += TILE)
            for (int64_t j = c; j < c + TILE && j < columns; j++)
                for (int64_t i = r; i < r + TILE && i < rows; i++)
                    to[j * rows + i] = from[i * columns + j];
}

static int target_by_name(const void *key, const void *target)
{
    return strcmp(key, ((const struct rf_safetensors_tensor *)target)->name);
}

/* Local: the band's values are in work->values. */
static enum rf_status write_band(struct work *work, const struct rf_band *band,
                                 struct rf_error *err)
{
    const struct rf_manifest_tensor *t = &work->m->tensors[band->tensor];
    const struct rf_place *place = &work->places[band->tensor];
    const struct rf_safetensors_tensor *target =
        bsearch(place->name, work->targets, (size_t)work->ntargets, sizeof *work->targets,
                target_by_name);
    size_t bytes = rf_safetensors_bytes(target->type);
    uint64_t base = work->head_bytes + target->begin;
    int64_t all = t->shape[0] * place->parts, first = t->shape[0] * place->part + band->row;
    int64_t columns = t->shape[1], n = band->nrows * columns;
    float *spare = place->transposed ? work->values : work->turned;
    enum rf_status st = RF_OK;

    if (!place->transposed) {
        rf_safetensors_pack(spare, work->values, (size_t)n, target->type);
        return write_at(work, spare, (size_t)n * bytes,
                        base + (uint64_t)(first * columns) * bytes, err);
    }
    turn(work->turned, work->values, band->nrows, columns);
    rf_safetensors_pack(spare, work->turned, (size_t)n, target->type);
    if (band->nrows == all)
        return write_at(work, spare, (size_t)n * bytes, base, err);
    for (int64_t c = 0; st == RF_OK && c < columns; c++)
        st = write_at(work, (char *)spare + (size_t)(c * band->nrows) * bytes,
                      (size_t)band->nrows * bytes, base + (uint64_t)(c * all + first) * bytes,
                      err);
    return st;
}

/* Local: this rank's bands. */
static enum rf_status write_share(struct work *work, struct rf_slice share,
                                  const struct rf_watch *watch, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (work->fd < 0)
        work->fd = open(work->temp, O_WRONLY | O_CLOEXEC);
    if (work->fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", work->temp, strerror(errno));
    for (int64_t i = 0; st == RF_OK && i < share.count; i++) {
        const struct rf_band *band = &work->bands[share.begin + i];

        st = rf_ckpt_reader_read(work->reader, band, work->values, err);
        if (st == RF_OK)
            st = write_band(work, band, err);
        rf_watch_show(watch, i + 1, share.count);
    }
    if (st == RF_OK && fsync(work->fd) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", work->temp, strerror(errno));
    if (st == RF_NO)
        st = err->status = RF_ERR_INPUT;
    return st;
}

/* Local, rank 0. */
static enum rf_status publish(const struct work *work, const char *out, struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    char *slash;

    if (rename(work->temp, out) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot rename to '%s': %s", out, strerror(errno));
    memcpy(dir, work->temp, sizeof dir);
    slash = strrchr(dir, '/');
    if (slash == NULL)
        return rf_file_sync_dir(".", err);
    slash[slash == dir] = '\0';
    return rf_file_sync_dir(dir, err);
}

/* Collective, agreed. */
static enum rf_status write_file(struct work *work, const struct rf_group *group,
                                 const char *out, int64_t bytes, const struct rf_watch *watch,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (group->rank == 0)
        st = begin_file(work, bytes, err);
    st = rf_agree(group, st, err);
    if (st == RF_OK)
        st = rf_agree(
            group,
            write_share(work, rf_slice(work->nbands, group->rank, group->size), watch, err),
            err);
    if (st == RF_OK) {
        if (group->rank == 0)
            st = publish(work, out, err);
        st = rf_agree(group, st, err);
    }
    if (work->fd >= 0)
        close(work->fd);
    if (st != RF_OK && group->rank == 0)
        unlink(work->temp);
    return st;
}

enum rf_status rf_ckpt_export(const struct rf_group *group, const char *path, const char *out,
                              const struct rf_export_options *options,
                              const struct rf_watch *watch, struct rf_exported *exported,
                              struct rf_error *err)
{
    struct work work = {.options = options, .path = path, .fd = -1};
    enum rf_status st = rf_ckpt_reader_open_all(&work.reader, group, path, err);

    *exported = (struct rf_exported){0};
    if (st == RF_NO)
        st = err->status = RF_ERR_INPUT;
    if (st == RF_OK)
        st = rf_agree(group, plan(&work, out, exported, err), err);
    if (st == RF_OK)
        st = write_file(&work, group, out, exported->bytes, watch, err);
    free(work.turned);
    free(work.values);
    free(work.bands);
    free(work.head);
    free(work.targets);
    free(work.places);
    rf_ckpt_reader_close(work.reader);
    return st;
}
