#include "mpi/parcel.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"

/* One rank's rectangle of one tensor. */
struct block {
    int64_t offset[2], extent[2];
};

struct rf_parcels {
    const struct rf_group *group;    /* borrowed */
    const struct rf_tensor *tensors; /* borrowed */
    int ntensors;
    struct block *blocks; /* [size][ntensors], of every rank */
    int64_t *first;       /* [ntensors + 1] */
    float *granule;       /* this rank's of the round */
    float *parts;         /* this rank's parts of the round's granules, in order of owners */
    float *mail;          /* all ranks' parts of this rank's granule, in order of ranks */
    int *counts, *places; /* [size] each, of parts */
    int *mail_counts, *mail_places;
};

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
}

int64_t rf_parcels_count(const struct rf_parcels *parcels)
{
    return parcels->first[parcels->ntensors];
}

int64_t rf_parcels_rounds(const struct rf_parcels *parcels)
{
    return (rf_parcels_count(parcels) + parcels->group->size - 1) / parcels->group->size;
}

int64_t rf_parcels_first(const struct rf_parcels *parcels, int tensor)
{
    return parcels->first[tensor];
}

/* The granule of a round that belongs to owner; 0 when there is none. */
static int granule_of(const struct rf_parcels *parcels, int64_t round, int owner,
                      struct rf_granule *granule)
{
    int64_t index = round * parcels->group->size + owner, rows;
    int low = 0, high = parcels->ntensors;

    if (index >= rf_parcels_count(parcels))
        return 0;
    while (high - low > 1) { /* first[low] <= index < first[high] */
        int middle = low + (high - low) / 2;

        if (parcels->first[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    rows = rf_granule_rows(parcels->tensors[low].shape);
    granule->tensor = low;
    granule->index = index;
    granule->row = (index - parcels->first[low]) * rows;
    granule->nrows = parcels->tensors[low].shape[0] - granule->row;
    if (granule->nrows > rows)
        granule->nrows = rows;
    return 1;
}

int rf_parcels_mine(const struct rf_parcels *parcels, int64_t round, struct rf_granule *granule)
{
    return granule_of(parcels, round, parcels->group->rank, granule);
}

static const struct block *block_of(const struct rf_parcels *parcels, int rank, int tensor)
{
    return &parcels->blocks[(int64_t)rank * parcels->ntensors + tensor];
}

/* The rows of granule that rank holds, from *begin on: whole rows of its block. */
static int64_t rows_held(const struct rf_parcels *parcels, int rank,
                         const struct rf_granule *granule, int64_t *begin)
{
    const struct block *b = block_of(parcels, rank, granule->tensor);
    int64_t end = b->offset[0] + b->extent[0];

    *begin = b->offset[0] > granule->row ? b->offset[0] : granule->row;
    if (end > granule->row + granule->nrows)
        end = granule->row + granule->nrows;
    return b->extent[1] > 0 && end > *begin ? end - *begin : 0;
}

/* Floats that travel between rank and the owner of a granule. On the way to the owner a
 * replicated tensor does not travel at all: the owner has it. */
static int64_t floats_between(const struct rf_parcels *parcels, int rank, int owner,
                              const struct rf_granule *granule, int to_owner)
{
    int64_t begin, rows;

    if (to_owner && parcels->tensors[granule->tensor].replicated && rank != owner)
        return 0;
    rows = rows_held(parcels, rank, granule, &begin);
    return rows * block_of(parcels, rank, granule->tensor)->extent[1];
}

/* Fills counts and places for one round; the totals tell the room that is needed. */
static void count_round(struct rf_parcels *parcels, int64_t round, int to_owner,
                        int64_t *parts_total, int64_t *mail_total)
{
    const int size = parcels->group->size, rank = parcels->group->rank;
    struct rf_granule granule;
    int64_t at = 0, mail_at = 0, n;
    int own;

    for (int owner = 0; owner < size; owner++) {
        n = granule_of(parcels, round, owner, &granule)
                ? floats_between(parcels, rank, owner, &granule, to_owner)
                : 0;
        parcels->counts[owner] = n <= INT_MAX ? (int)n : INT_MAX;
        parcels->places[owner] = at <= INT_MAX ? (int)at : INT_MAX;
        at += n;
    }
    own = granule_of(parcels, round, rank, &granule);
    for (int from = 0; from < size; from++) {
        n = own ? floats_between(parcels, from, rank, &granule, to_owner) : 0;
        parcels->mail_counts[from] = n <= INT_MAX ? (int)n : INT_MAX;
        parcels->mail_places[from] = mail_at <= INT_MAX ? (int)mail_at : INT_MAX;
        mail_at += n;
    }
    *parts_total = at;
    *mail_total = mail_at;
}

/* The largest need over all rounds and both directions; MPI counts in int. */
static enum rf_status size_buffers(struct rf_parcels *parcels, struct rf_error *err)
{
    int64_t parts_max = 1, mail_max = 1, granule_max = 1, parts, mail;

    for (int64_t round = 0; round < rf_parcels_rounds(parcels); round++) {
        struct rf_granule granule;

        for (int to_owner = 0; to_owner < 2; to_owner++) {
            count_round(parcels, round, to_owner, &parts, &mail);
            parts_max = parts > parts_max ? parts : parts_max;
            mail_max = mail > mail_max ? mail : mail_max;
        }
        if (rf_parcels_mine(parcels, round, &granule)) {
            int64_t n = granule.nrows * parcels->tensors[granule.tensor].shape[1];

            granule_max = n > granule_max ? n : granule_max;
        }
    }
    if (parts_max > INT_MAX || mail_max > INT_MAX)
        return rf_fail(err, RF_ERR_INTERNAL, "a tensor has rows too long for a checkpoint");
    parcels->granule = calloc((size_t)granule_max, sizeof(float));
    parcels->parts = malloc((size_t)parts_max * sizeof(float));
    parcels->mail = malloc((size_t)mail_max * sizeof(float));
    if (parcels->granule == NULL || parcels->parts == NULL || parcels->mail == NULL)
        return no_memory(err);
    return RF_OK;
}

/* Do the blocks cover each tensor, counted by area? */
static enum rf_status check_blocks(const struct rf_parcels *parcels, struct rf_error *err)
{
    for (int t = 0; t < parcels->ntensors; t++) {
        const struct rf_tensor *tensor = &parcels->tensors[t];
        int64_t whole = tensor->shape[0] * tensor->shape[1], area = 0;
        int ranks = tensor->replicated ? parcels->group->size : 1;

        for (int r = 0; r < parcels->group->size; r++) {
            const struct block *b = block_of(parcels, r, t);

            for (int d = 0; d < 2; d++)
                if (b->offset[d] < 0 || b->extent[d] < 0 ||
                    b->offset[d] + b->extent[d] > tensor->shape[d])
                    return rf_fail(err, RF_ERR_INTERNAL, "rank %d's block of '%s' lies outside",
                                   r, tensor->name);
            area += b->extent[0] * b->extent[1];
        }
        if (area != whole * ranks)
            return rf_fail(err, RF_ERR_INTERNAL, "the blocks of '%s' do not cover it",
                           tensor->name);
    }
    return RF_OK;
}

static enum rf_status allocate(struct rf_parcels **out, const struct rf_group *group,
                               const struct rf_tensor *tensors, int ntensors,
                               struct rf_error *err)
{
    size_t size = (size_t)group->size, n = (size_t)ntensors;
    struct rf_parcels *parcels = calloc(1, sizeof *parcels);

    *out = parcels;
    if (parcels == NULL)
        return no_memory(err);
    parcels->group = group;
    parcels->tensors = tensors;
    parcels->ntensors = ntensors;
    parcels->blocks = calloc(size * n + 1, sizeof *parcels->blocks);
    parcels->first = calloc(n + 1, sizeof *parcels->first);
    parcels->counts = calloc(size * 4, sizeof *parcels->counts);
    if (parcels->blocks == NULL || parcels->first == NULL || parcels->counts == NULL)
        return no_memory(err);
    parcels->places = parcels->counts + size;
    parcels->mail_counts = parcels->places + size;
    parcels->mail_places = parcels->mail_counts + size;
    for (int t = 0; t < ntensors; t++)
        parcels->first[t + 1] = parcels->first[t] + rf_granule_count(tensors[t].shape);
    return RF_OK;
}

enum rf_status rf_parcels_create(struct rf_parcels **parcels, const struct rf_group *group,
                                 const struct rf_tensor *tensors, int ntensors,
                                 struct rf_error *err)
{
    enum rf_status st = allocate(parcels, group, tensors, ntensors, err);

    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        struct block *all = (*parcels)->blocks;
        int words = 4 * ntensors;

        for (int t = 0; t < ntensors; t++) {
            struct block *b = &all[(int64_t)group->rank * ntensors + t];

            memcpy(b->offset, tensors[t].offset, sizeof b->offset);
            memcpy(b->extent, tensors[t].extent, sizeof b->extent);
        }
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, words, MPI_INT64_T, group->comm);
        st = check_blocks(*parcels, err);
        if (st == RF_OK)
            st = size_buffers(*parcels, err);
        st = rf_agree(group, st, err);
    }
    if (st != RF_OK) {
        rf_parcels_destroy(*parcels);
        *parcels = NULL;
    }
    return st;
}

void rf_parcels_destroy(struct rf_parcels *parcels)
{
    if (parcels == NULL)
        return;
    free(parcels->mail);
    free(parcels->parts);
    free(parcels->granule);
    free(parcels->counts);
    free(parcels->first);
    free(parcels->blocks);
    free(parcels);
}

/* Between this rank's blocks and its parts of the round. Whole rows of a block are one stretch.
 */
static void copy_parts(struct rf_parcels *parcels, int64_t round, float *const *blocks, int out)
{
    struct rf_granule granule;

    for (int owner = 0; owner < parcels->group->size; owner++) {
        const struct block *b;
        size_t bytes = (size_t)parcels->counts[owner] * sizeof(float);
        float *held, *part = parcels->parts + parcels->places[owner];
        int64_t begin;

        if (bytes == 0 || !granule_of(parcels, round, owner, &granule))
            continue;
        b = block_of(parcels, parcels->group->rank, granule.tensor);
        rows_held(parcels, parcels->group->rank, &granule, &begin);
        held = blocks[granule.tensor] + (begin - b->offset[0]) * b->extent[1];
        memcpy(out ? part : held, out ? held : part, bytes);
    }
}

/* Between this rank's granule and the parts of all ranks in its mail. */
static void copy_mail(struct rf_parcels *parcels, int64_t round, int out)
{
    struct rf_granule granule;
    int64_t columns;

    if (!rf_parcels_mine(parcels, round, &granule))
        return;
    columns = parcels->tensors[granule.tensor].shape[1];
    for (int rank = 0; rank < parcels->group->size; rank++) {
        const struct block *b = block_of(parcels, rank, granule.tensor);
        size_t bytes = (size_t)b->extent[1] * sizeof(float);
        float *part = parcels->mail + parcels->mail_places[rank];
        int64_t begin, rows = rows_held(parcels, rank, &granule, &begin);

        if (parcels->mail_counts[rank] == 0)
            continue;
        for (int64_t r = 0; r < rows; r++) {
            float *whole =
                parcels->granule + (begin - granule.row + r) * columns + b->offset[1];
            float *line = part + r * b->extent[1];

            memcpy(out ? line : whole, out ? whole : line, bytes);
        }
    }
}

const float *rf_parcels_gather(struct rf_parcels *parcels, int64_t round, float *const *blocks)
{
    int64_t parts, mail;

    count_round(parcels, round, 1, &parts, &mail);
    copy_parts(parcels, round, blocks, 1);
    MPI_Alltoallv(parcels->parts, parcels->counts, parcels->places, MPI_FLOAT, parcels->mail,
                  parcels->mail_counts, parcels->mail_places, MPI_FLOAT, parcels->group->comm);
    copy_mail(parcels, round, 0);
    return parcels->granule;
}

float *rf_parcels_room(struct rf_parcels *parcels)
{
    return parcels->granule;
}

void rf_parcels_scatter(struct rf_parcels *parcels, int64_t round, float *const *blocks)
{
    int64_t parts, mail;

    count_round(parcels, round, 0, &parts, &mail);
    copy_mail(parcels, round, 1);
    MPI_Alltoallv(parcels->mail, parcels->mail_counts, parcels->mail_places, MPI_FLOAT,
                  parcels->parts, parcels->counts, parcels->places, MPI_FLOAT,
                  parcels->group->comm);
    copy_parts(parcels, round, blocks, 0);
}
