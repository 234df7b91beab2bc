#include "mpi/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"
#include "ckpt/transfer.h"
#include "mpi/parcel_plan.h"

/* Granules of a run at most: long transfers are fast, and two runs fill the hash's lanes. */
enum { RUN_GRANULES = 8 };

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
}

/* ---- what is asked about it ------------------------------------------------------- */

int64_t rf_parcels_count(const struct rf_parcels *parcels)
{
    return parcels->first[parcels->ntensors];
}

int64_t rf_parcels_first(const struct rf_parcels *parcels, int tensor)
{
    return parcels->first[tensor];
}

const struct rf_run *rf_parcels_runs(const struct rf_parcels *parcels, int64_t *nruns)
{
    *nruns = parcels->nruns;
    return parcels->runs;
}

size_t rf_parcel_value_bytes(const struct rf_parcels *parcels, int tensor)
{
    return rf_stored_bytes(parcels->tensors[tensor].stored);
}

size_t rf_parcel_row_bytes(const struct rf_parcels *parcels, int tensor)
{
    return (size_t)parcels->tensors[tensor].shape[1] * rf_parcel_value_bytes(parcels, tensor);
}

size_t rf_parcels_bytes(const struct rf_parcels *parcels, const struct rf_run *run)
{
    return (size_t)run->nrows * rf_parcel_row_bytes(parcels, run->tensor);
}

size_t rf_parcels_granule_bytes(const struct rf_parcels *parcels, const struct rf_run *run)
{
    return (size_t)rf_granule_rows(parcels->tensors[run->tensor].shape) *
           rf_parcel_row_bytes(parcels, run->tensor);
}

int64_t rf_parcels_rounds(const struct rf_parcels *parcels)
{
    return parcels->nrounds;
}

const struct rf_run *rf_parcel_run_of(const struct rf_parcels *parcels, int64_t round,
                                      int owner)
{
    int64_t index = parcels->travelling[round * parcels->group->size + owner];

    return index < 0 ? NULL : &parcels->runs[index];
}

const struct rf_run *rf_parcels_mine(const struct rf_parcels *parcels, int64_t round)
{
    return rf_parcel_run_of(parcels, round, parcels->group->rank);
}

/* ---- who holds what ------------------------------------------------------------------ */

static int equal_blocks(const struct rf_parcel_block *a, const struct rf_parcel_block *b)
{
    return memcmp(a->offset, b->offset, sizeof a->offset) == 0 &&
           memcmp(a->extent, b->extent, sizeof a->extent) == 0;
}

/* Does the block hold these rows whole? */
static int holds(const struct rf_parcels *parcels, const struct rf_parcel_block *b, int tensor,
                 int64_t row, int64_t nrows)
{
    return b->offset[1] == 0 && b->extent[1] == parcels->tensors[tensor].shape[1] &&
           b->offset[0] <= row && row + nrows <= b->offset[0] + b->extent[0];
}

/* Finds equal rectangles, and whether the different ones cover each tensor, by area. */
static enum rf_status check_blocks(const struct rf_parcels *parcels, struct rf_error *err)
{
    for (int t = 0; t < parcels->ntensors; t++) {
        const struct rf_tensor *tensor = &parcels->tensors[t];
        int64_t area = 0;

        for (int r = 0; r < parcels->group->size; r++) {
            struct rf_parcel_block *b = rf_parcel_block_of(parcels, r, t);

            for (int d = 0; d < 2; d++)
                if (b->offset[d] < 0 || b->extent[d] < 0 ||
                    b->offset[d] + b->extent[d] > tensor->shape[d])
                    return rf_fail(err, RF_ERR_INTERNAL, "rank %d's block of '%s' lies outside",
                                   r, tensor->name);
            b->first = 0;
            while (b->first < r &&
                   !equal_blocks(rf_parcel_block_of(parcels, (int)b->first, t), b))
                b->first++;
            if (b->first == r)
                area += b->extent[0] * b->extent[1];
        }
        if (area != tensor->shape[0] * tensor->shape[1])
            return rf_fail(err, RF_ERR_INTERNAL, "the blocks of '%s' do not cover it",
                           tensor->name);
    }
    return RF_OK;
}

/* The lowest rank that holds these rows whole, -1 when they are spread; *holders of the same. */
static int home_of(const struct rf_parcels *parcels, int tensor, int64_t row, int64_t nrows,
                   int *holders)
{
    int home = -1;

    *holders = 0;
    for (int r = 0; r < parcels->group->size; r++) {
        const struct rf_parcel_block *b = rf_parcel_block_of(parcels, r, tensor);

        if (home < 0 && holds(parcels, b, tensor, row, nrows))
            home = r;
        *holders += home >= 0 && b->first == home;
    }
    return home;
}

/* ---- runs ------------------------------------------------------------------------------- */

/* The rank among those that may own a run which has the least to do so far. */
static int choose_owner(const struct rf_parcels *parcels, const int64_t *load, int tensor,
                        int home)
{
    int best = -1;

    for (int r = 0; r < parcels->group->size; r++)
        if ((home < 0 || rf_parcel_block_of(parcels, r, tensor)->first == home) &&
            (best < 0 || load[r] < load[best]))
            best = r;
    return best;
}

/* The next smaller number of granules that ends on a page border of the file, if there is one, else the
 * next larger one within bounds: what sticks out of a page has to be written on its own. */
static int64_t to_page_border(const struct rf_parcels *parcels, int tensor, int64_t ngranules)
{
    size_t bytes = (size_t)rf_granule_rows(parcels->tensors[tensor].shape) *
                   rf_parcel_row_bytes(parcels, tensor);
    int64_t whole = 1;

    while (whole <= RUN_GRANULES && (size_t)whole * bytes % RF_TRANSFER_BORDER != 0)
        whole++;
    if (whole > RUN_GRANULES)
        return ngranules;
    return ngranules < whole ? whole : ngranules / whole * whole;
}

/* How many granules a run may have: short enough for all its possible owners to get some, and for
 * a run that goes to many ranks not to need room for each. */
static int64_t longest_run(const struct rf_parcels *parcels, int tensor, int home, int holders)
{
    int64_t n = parcels->first[tensor + 1] - parcels->first[tensor];
    int64_t owners = home < 0 ? parcels->group->size : holders;
    int64_t most = (n + owners - 1) / owners;

    if (parcels->way == RF_PARCELS_IN && most > 2 * RUN_GRANULES / owners)
        most = 2 * RUN_GRANULES / owners;
    if (most > RUN_GRANULES)
        most = RUN_GRANULES;
    return to_page_border(parcels, tensor, most < 1 ? 1 : most);
}

static void make_runs(struct rf_parcels *parcels, int tensor, int64_t *load)
{
    const struct rf_tensor *x = &parcels->tensors[tensor];
    int64_t rows = rf_granule_rows(x->shape), n = rf_granule_count(x->shape), g = 0;

    while (g < n) {
        int64_t row = g * rows, end, most;
        int holders, others;
        int home = home_of(parcels, tensor, row,
                           x->shape[0] - row < rows ? x->shape[0] - row : rows, &holders);
        struct rf_run *run = &parcels->runs[parcels->nruns++];

        *run = (struct rf_run){.tensor = tensor,
                               .row = row,
                               .granule = parcels->first[tensor] + g,
                               .ngranules = 1};
        most = longest_run(parcels, tensor, home, holders);
        for (end = row + rows; ++g < n && run->ngranules < most; end += rows) {
            int64_t left = x->shape[0] - end;

            if (home_of(parcels, tensor, end, left < rows ? left : rows, &others) != home)
                break;
            run->ngranules++;
        }
        run->nrows = (end < x->shape[0] ? end : x->shape[0]) - row;
        run->owner = choose_owner(parcels, load, tensor, home);
        run->travels = home < 0 || (parcels->way == RF_PARCELS_IN && holders > 1);
        load[run->owner] += (int64_t)rf_parcels_bytes(parcels, run);
    }
}

/* Puts the travelling runs into rounds. */
static enum rf_status make_rounds(struct rf_parcels *parcels, int64_t *next,
                                  struct rf_error *err)
{
    int size = parcels->group->size;

    for (int64_t i = 0; i < parcels->nruns; i++)
        if (parcels->runs[i].travels) {
            int64_t round = next[parcels->runs[i].owner]++;

            parcels->nrounds = round + 1 > parcels->nrounds ? round + 1 : parcels->nrounds;
        }
    parcels->travelling =
        malloc(((size_t)(parcels->nrounds * size) + 1) * sizeof *parcels->travelling);
    if (parcels->travelling == NULL)
        return no_memory(err);
    for (int64_t i = 0; i < parcels->nrounds * size; i++)
        parcels->travelling[i] = -1;
    memset(next, 0, (size_t)size * sizeof *next);
    for (int64_t i = 0; i < parcels->nruns; i++)
        if (parcels->runs[i].travels) {
            int owner = parcels->runs[i].owner;

            parcels->travelling[next[owner]++ * size + owner] = i;
        }
    return RF_OK;
}

static enum rf_status deal(struct rf_parcels *parcels, struct rf_error *err)
{
    int64_t *load = calloc((size_t)parcels->group->size, sizeof *load);
    enum rf_status st = RF_OK;

    parcels->runs = calloc((size_t)rf_parcels_count(parcels) + 1, sizeof *parcels->runs);
    if (load == NULL || parcels->runs == NULL)
        st = no_memory(err);
    for (int t = 0; st == RF_OK && t < parcels->ntensors; t++)
        make_runs(parcels, t, load);
    if (st == RF_OK) {
        memset(load, 0, (size_t)parcels->group->size * sizeof *load);
        st = make_rounds(parcels, load, err);
    }
    free(load);
    return st;
}

/* ---- making and ending ---------------------------------------------------------------------- */

static enum rf_status allocate(struct rf_parcels **out, const struct rf_group *group,
                               const struct rf_tensor *tensors, int ntensors,
                               enum rf_parcel_way way, struct rf_error *err)
{
    size_t size = (size_t)group->size, n = (size_t)ntensors;
    struct rf_parcels *parcels = calloc(1, sizeof *parcels);

    *out = parcels;
    if (parcels == NULL)
        return no_memory(err);
    parcels->group = group;
    parcels->tensors = tensors;
    parcels->ntensors = ntensors;
    parcels->way = way;
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

/* Local, once all rectangles are known. */
static enum rf_status plan(struct rf_parcels *parcels, struct rf_error *err)
{
    enum rf_status st = check_blocks(parcels, err);

    if (st == RF_OK)
        st = deal(parcels, err);
    if (st == RF_OK)
        st = rf_parcel_make_trips(parcels, err);
    return st;
}

enum rf_status rf_parcels_create(struct rf_parcels **parcels, const struct rf_group *group,
                                 const struct rf_tensor *tensors, int ntensors,
                                 enum rf_parcel_way way, struct rf_error *err)
{
    enum rf_status st = allocate(parcels, group, tensors, ntensors, way, err);

    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        (*parcels)->neighbours = rf_group_neighbours(group, NULL);
        for (int t = 0; t < ntensors; t++) {
            struct rf_parcel_block *b = rf_parcel_block_of(*parcels, group->rank, t);

            memcpy(b->offset, tensors[t].offset, sizeof b->offset);
            memcpy(b->extent, tensors[t].extent, sizeof b->extent);
        }
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, (*parcels)->blocks,
                      RF_PARCEL_BLOCK_WORDS * ntensors, MPI_INT64_T, group->comm);
        st = rf_agree(group, plan(*parcels, err), err);
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
    rf_parcel_free_trips(parcels);
    free(parcels->travelling);
    free(parcels->runs);
    free(parcels->counts);
    free(parcels->first);
    free(parcels->blocks);
    free(parcels);
}
