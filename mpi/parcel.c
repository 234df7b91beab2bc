#include "mpi/parcel.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt/granule.h"
#include "ckpt/transfer.h"
#include "nn/bf16.h"

/* Granules of a run at most: long transfers are fast, and two runs fill the hash's lanes. */
enum { RUN_GRANULES = 8 };

/* Rounds under way at most, and bytes set aside for them; two in any case. Ranks need not have the
 * same number: they meet the rounds in the same order. */
enum { TRIPS_MAX = 8, TRIPS_BYTES = 32 << 20 };

enum { TAG = 4711 }; /* of messages that carry values; a pair of ranks has one per round */

/* One rank's rectangle of one tensor, and the lowest rank that holds the very same. */
struct block {
    int64_t offset[2], extent[2];
    int64_t first;
};
enum { BLOCK_WORDS = sizeof(struct block) / sizeof(int64_t) };

/* One round under way. */
struct trip {
    unsigned char
        *parts; /* this rank's parts of runs, where they are stored otherwise than held */
    unsigned char *mail;   /* all ranks' parts of this rank's run, in order of ranks */
    MPI_Request *requests; /* [2 * size]: what comes from each rank, what goes to each rank */
};

struct rf_parcels {
    const struct rf_group *group;    /* borrowed */
    const struct rf_tensor *tensors; /* borrowed */
    int ntensors;
    enum rf_parcel_way way;
    struct block *blocks; /* [size][ntensors], of every rank */
    int64_t *first;       /* [ntensors + 1] */
    struct rf_run *runs;  /* [nruns] */
    int64_t nruns;
    int64_t *travelling; /* [nrounds][size], index of a run or -1 */
    int64_t nrounds;
    struct trip trips[TRIPS_MAX]; /* round r is trip r % ntrips */
    int ntrips;
    int64_t begun, over;  /* rounds begun, and those of them that are done with */
    int *counts, *places; /* [size] each, of parts, in bytes: of the round looked at last */
    int *mail_counts, *mail_places;
};

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

static size_t value_bytes(const struct rf_parcels *parcels, int tensor)
{
    return rf_stored_bytes(parcels->tensors[tensor].stored);
}

static size_t row_bytes(const struct rf_parcels *parcels, int tensor)
{
    return (size_t)parcels->tensors[tensor].shape[1] * value_bytes(parcels, tensor);
}

size_t rf_parcels_bytes(const struct rf_parcels *parcels, const struct rf_run *run)
{
    return (size_t)run->nrows * row_bytes(parcels, run->tensor);
}

size_t rf_parcels_granule_bytes(const struct rf_parcels *parcels, const struct rf_run *run)
{
    return (size_t)rf_granule_rows(parcels->tensors[run->tensor].shape) *
           row_bytes(parcels, run->tensor);
}

int64_t rf_parcels_rounds(const struct rf_parcels *parcels)
{
    return parcels->nrounds;
}

/* The run of a round that belongs to owner, or NULL. */
static const struct rf_run *run_of(const struct rf_parcels *parcels, int64_t round, int owner)
{
    int64_t index = parcels->travelling[round * parcels->group->size + owner];

    return index < 0 ? NULL : &parcels->runs[index];
}

const struct rf_run *rf_parcels_mine(const struct rf_parcels *parcels, int64_t round)
{
    return run_of(parcels, round, parcels->group->rank);
}

/* ---- who holds what ------------------------------------------------------------------ */

static struct block *block_of(const struct rf_parcels *parcels, int rank, int tensor)
{
    return &parcels->blocks[(int64_t)rank * parcels->ntensors + tensor];
}

static int equal_blocks(const struct block *a, const struct block *b)
{
    return memcmp(a->offset, b->offset, sizeof a->offset) == 0 &&
           memcmp(a->extent, b->extent, sizeof a->extent) == 0;
}

static int is_empty(const struct block *b)
{
    return b->extent[0] == 0 || b->extent[1] == 0;
}

/* Does the block hold these rows whole? */
static int holds(const struct rf_parcels *parcels, const struct block *b, int tensor,
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
            struct block *b = block_of(parcels, r, t);

            for (int d = 0; d < 2; d++)
                if (b->offset[d] < 0 || b->extent[d] < 0 ||
                    b->offset[d] + b->extent[d] > tensor->shape[d])
                    return rf_fail(err, RF_ERR_INTERNAL, "rank %d's block of '%s' lies outside",
                                   r, tensor->name);
            b->first = 0;
            while (b->first < r && !equal_blocks(block_of(parcels, (int)b->first, t), b))
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
        const struct block *b = block_of(parcels, r, tensor);

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
        if ((home < 0 || block_of(parcels, r, tensor)->first == home) &&
            (best < 0 || load[r] < load[best]))
            best = r;
    return best;
}

/* The next smaller number of granules that ends on a page border of the file, if there is one, else the
 * next larger one within bounds: what sticks out of a page has to be written on its own. */
static int64_t to_page_border(const struct rf_parcels *parcels, int tensor, int64_t ngranules)
{
    size_t bytes =
        (size_t)rf_granule_rows(parcels->tensors[tensor].shape) * row_bytes(parcels, tensor);
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

/* ---- parts -------------------------------------------------------------------------------- */

/* The rows of run that rank holds, from *begin on: whole rows of its block. */
static int64_t rows_held(const struct rf_parcels *parcels, int rank, const struct rf_run *run,
                         int64_t *begin)
{
    const struct block *b = block_of(parcels, rank, run->tensor);
    int64_t end = b->offset[0] + b->extent[0];

    *begin = b->offset[0] > run->row ? b->offset[0] : run->row;
    if (end > run->row + run->nrows)
        end = run->row + run->nrows;
    return b->extent[1] > 0 && end > *begin ? end - *begin : 0;
}

/* On the way out one of the ranks that hold the same gives it: the owner, or else the lowest. */
static int gives(const struct rf_parcels *parcels, int rank, const struct rf_run *run)
{
    const struct block *b = block_of(parcels, rank, run->tensor);
    int owner_has_it = block_of(parcels, run->owner, run->tensor)->first == b->first;

    return !is_empty(b) && (owner_has_it ? rank == run->owner : b->first == rank);
}

/* Bytes that travel between rank and the owner of a run. */
static int64_t bytes_between(const struct rf_parcels *parcels, int rank,
                             const struct rf_run *run)
{
    int64_t begin;

    if (parcels->way == RF_PARCELS_OUT && !gives(parcels, rank, run))
        return 0;
    return rows_held(parcels, rank, run, &begin) *
           block_of(parcels, rank, run->tensor)->extent[1] *
           (int64_t)value_bytes(parcels, run->tensor);
}

/* Are values held as they are stored? */
static int is_plain(const struct rf_parcels *parcels, const struct rf_run *run)
{
    return parcels->tensors[run->tensor].stored == RF_STORED_F32;
}

/* Fills counts and places for one round; the totals tell the room that is needed. fp32 parts are
 * sent from and received into the tensor itself. */
static void count_round(struct rf_parcels *parcels, int64_t round, int64_t *parts_total,
                        int64_t *mail_total)
{
    const int size = parcels->group->size, rank = parcels->group->rank;
    const struct rf_run *own = run_of(parcels, round, rank);
    int64_t at = 0, mail_at = 0, n;

    for (int other = 0; other < size; other++) {
        const struct rf_run *run = run_of(parcels, round, other);

        n = run != NULL ? bytes_between(parcels, rank, run) : 0;
        parcels->counts[other] = n <= INT_MAX ? (int)n : INT_MAX;
        parcels->places[other] = at <= INT_MAX ? (int)at : INT_MAX;
        at += run != NULL && is_plain(parcels, run) ? 0 : n;
        n = own != NULL ? bytes_between(parcels, other, own) : 0;
        parcels->mail_counts[other] = n <= INT_MAX ? (int)n : INT_MAX;
        parcels->mail_places[other] = mail_at <= INT_MAX ? (int)mail_at : INT_MAX;
        mail_at += n;
    }
    *parts_total = at;
    *mail_total = mail_at;
}

static enum rf_status make_trip(struct rf_parcels *parcels, struct trip *trip, int64_t parts,
                                int64_t mail, struct rf_error *err)
{
    int n = 2 * parcels->group->size;

    trip->parts = malloc((size_t)parts);
    trip->mail = malloc((size_t)mail);
    trip->requests = malloc((size_t)n * sizeof *trip->requests);
    if (trip->parts == NULL || trip->mail == NULL || trip->requests == NULL)
        return no_memory(err);
    for (int i = 0; i < n; i++)
        trip->requests[i] = MPI_REQUEST_NULL;
    return RF_OK;
}

/* As many trips as there is room for; MPI counts in int. */
static enum rf_status make_trips(struct rf_parcels *parcels, struct rf_error *err)
{
    int64_t parts_max = 1, mail_max = 1, parts, mail, most;
    enum rf_status st = RF_OK;

    for (int64_t round = 0; round < parcels->nrounds; round++) {
        count_round(parcels, round, &parts, &mail);
        parts_max = parts > parts_max ? parts : parts_max;
        mail_max = mail > mail_max ? mail : mail_max;
    }
    if (parts_max > INT_MAX || mail_max > INT_MAX)
        return rf_fail(err, RF_ERR_INTERNAL, "a tensor has rows too long for a checkpoint");
    most = TRIPS_BYTES / (parts_max + mail_max);
    most = most < 2 ? 2 : most > TRIPS_MAX ? TRIPS_MAX : most;
    parcels->ntrips = (int)(most < parcels->nrounds ? most : parcels->nrounds);
    for (int i = 0; st == RF_OK && i < parcels->ntrips; i++)
        st = make_trip(parcels, &parcels->trips[i], parts_max, mail_max, err);
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
        st = make_trips(parcels, err);
    return st;
}

enum rf_status rf_parcels_create(struct rf_parcels **parcels, const struct rf_group *group,
                                 const struct rf_tensor *tensors, int ntensors,
                                 enum rf_parcel_way way, struct rf_error *err)
{
    enum rf_status st = allocate(parcels, group, tensors, ntensors, way, err);

    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        for (int t = 0; t < ntensors; t++) {
            struct block *b = block_of(*parcels, group->rank, t);

            memcpy(b->offset, tensors[t].offset, sizeof b->offset);
            memcpy(b->extent, tensors[t].extent, sizeof b->extent);
        }
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, (*parcels)->blocks,
                      BLOCK_WORDS * ntensors, MPI_INT64_T, group->comm);
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
    for (int i = 0; i < parcels->ntrips; i++) {
        free(parcels->trips[i].parts);
        free(parcels->trips[i].mail);
        free(parcels->trips[i].requests);
    }
    free(parcels->travelling);
    free(parcels->runs);
    free(parcels->counts);
    free(parcels->first);
    free(parcels->blocks);
    free(parcels);
}

/* ---- values --------------------------------------------------------------------------------- */

static void store_f32(void *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof(float));
}

static void store_bf16(void *to, const float *from, size_t n)
{
    rf_bf16_round(to, from, n);
}

static void store(void *to, const float *from, size_t n, enum rf_stored stored)
{
    (stored == RF_STORED_BF16 ? store_bf16 : store_f32)(to, from, n);
}

static void fetch(float *to, const void *from, size_t n, enum rf_stored stored)
{
    const unsigned char *bytes = from;

    if (stored != RF_STORED_BF16) {
        memcpy(to, from, n * sizeof(float));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t word;

        memcpy(&half, bytes + 2 * i, sizeof half);
        word = (uint32_t)half << 16;
        memcpy(&to[i], &word, sizeof word);
    }
}

/* Where this rank holds its part of a run; it is one stretch of *n values. */
static float *held_part(const struct rf_parcels *parcels, const struct rf_run *run, size_t *n)
{
    const struct block *b = block_of(parcels, parcels->group->rank, run->tensor);
    int64_t begin, rows = rows_held(parcels, parcels->group->rank, run, &begin);

    *n = (size_t)(rows * b->extent[1]);
    return parcels->tensors[run->tensor].data + (begin - b->offset[0]) * b->extent[1];
}

/* This rank's part of owner's run as it travels. */
static unsigned char *part_of(const struct rf_parcels *parcels, const struct trip *trip,
                              const struct rf_run *run, int owner)
{
    size_t n;

    return is_plain(parcels, run) ? (unsigned char *)held_part(parcels, run, &n)
                                  : trip->parts + parcels->places[owner];
}

/* Between what this rank holds and its parts of the round, where these are not the same. */
static void turn_parts(const struct rf_parcels *parcels, const struct trip *trip, int64_t round)
{
    for (int owner = 0; owner < parcels->group->size; owner++) {
        const struct rf_run *run = run_of(parcels, round, owner);
        unsigned char *part = trip->parts + parcels->places[owner];
        float *held;
        size_t n;

        if (run == NULL || parcels->counts[owner] == 0 || is_plain(parcels, run))
            continue;
        held = held_part(parcels, run, &n);
        if (parcels->way == RF_PARCELS_OUT)
            store(part, held, n, parcels->tensors[run->tensor].stored);
        else
            fetch(held, part, n, parcels->tensors[run->tensor].stored);
    }
}

/* Between room, this rank's run, and the part of it that a rank holds. */
static void turn_rows(const struct rf_parcels *parcels, const struct rf_run *run, int rank,
                      unsigned char *part, unsigned char *room)
{
    const struct block *b = block_of(parcels, rank, run->tensor);
    size_t value = value_bytes(parcels, run->tensor), row = row_bytes(parcels, run->tensor);
    size_t bytes = (size_t)b->extent[1] * value;
    int64_t begin, rows = rows_held(parcels, rank, run, &begin);

    room += (size_t)(begin - run->row) * row + (size_t)b->offset[1] * value;
    if (bytes == row) {
        bytes *= (size_t)rows;
        rows = 1;
    }
    for (int64_t r = 0; r < rows; r++, room += row, part += bytes)
        if (parcels->way == RF_PARCELS_OUT)
            memcpy(room, part, bytes);
        else
            memcpy(part, room, bytes);
}

/* Between room and the parts of all ranks: this rank's where it is, the others' in the mail. */
static void turn_run(const struct rf_parcels *parcels, const struct trip *trip, int64_t round,
                     unsigned char *room)
{
    const struct rf_run *run = rf_parcels_mine(parcels, round);
    const int me = parcels->group->rank;

    for (int rank = 0; run != NULL && rank < parcels->group->size; rank++)
        if (parcels->mail_counts[rank] > 0)
            turn_rows(parcels, run, rank,
                      rank == me ? part_of(parcels, trip, run, me)
                                 : trip->mail + parcels->mail_places[rank],
                      room);
}

/* Posts the messages of a round: parts to or from the owners of runs, mail from or to the holders of
 * parts. */
static void post(struct rf_parcels *parcels, const struct trip *trip, int64_t round)
{
    const int size = parcels->group->size, out = parcels->way == RF_PARCELS_OUT;
    MPI_Comm comm = parcels->group->comm;

    for (int i = 1; i < size; i++) {
        int other = (parcels->group->rank + i) % size;
        const struct rf_run *run = run_of(parcels, round, other);
        int count = parcels->counts[other], mail_count = parcels->mail_counts[other];
        unsigned char *part = count > 0 ? part_of(parcels, trip, run, other) : NULL;
        unsigned char *mail = trip->mail + parcels->mail_places[other];
        MPI_Request *comes = &trip->requests[other], *goes = &trip->requests[size + other];

        if (mail_count > 0 && out)
            MPI_Irecv(mail, mail_count, MPI_BYTE, other, TAG, comm, comes);
        else if (mail_count > 0)
            MPI_Isend(mail, mail_count, MPI_BYTE, other, TAG, comm, goes);
        if (count > 0 && out)
            MPI_Isend(part, count, MPI_BYTE, other, TAG, comm, goes);
        else if (count > 0)
            MPI_Irecv(part, count, MPI_BYTE, other, TAG, comm, comes);
    }
}

static struct trip *trip_of(struct rf_parcels *parcels, int64_t round)
{
    return &parcels->trips[round % parcels->ntrips];
}

/* The oldest round that is not done with: nothing of it is under way afterwards. */
static void end_oldest(struct rf_parcels *parcels)
{
    struct trip *trip = trip_of(parcels, parcels->over);
    int64_t parts, mail;

    rf_group_wait(2 * parcels->group->size, trip->requests);
    if (parcels->way == RF_PARCELS_IN) {
        count_round(parcels, parcels->over, &parts, &mail);
        turn_parts(parcels, trip, parcels->over);
    }
    parcels->over++;
}

/* Collective: after the last round all messages have arrived, and rounds may begin anew. */
static void end_all(struct rf_parcels *parcels)
{
    while (parcels->over < parcels->begun)
        end_oldest(parcels);
    parcels->begun = parcels->over = 0;
}

/* A trip for the next round, once the one before it in the same place is over. */
static struct trip *begin_next(struct rf_parcels *parcels)
{
    if (parcels->begun - parcels->over == parcels->ntrips)
        end_oldest(parcels);
    return trip_of(parcels, parcels->begun++);
}

void rf_parcels_gather(struct rf_parcels *parcels, int64_t round, void *room)
{
    struct trip *trip = trip_of(parcels, round);
    int64_t parts, mail;

    while (parcels->begun < parcels->nrounds && parcels->begun < round + parcels->ntrips) {
        int64_t next = parcels->begun;
        struct trip *ahead = begin_next(parcels);

        count_round(parcels, next, &parts, &mail);
        turn_parts(parcels, ahead, next);
        post(parcels, ahead, next);
    }
    rf_group_wait(parcels->group->size, trip->requests); /* for what comes */
    count_round(parcels, round, &parts, &mail);
    turn_run(parcels, trip, round, room);
    if (round == parcels->nrounds - 1)
        end_all(parcels);
}

void rf_parcels_scatter(struct rf_parcels *parcels, int64_t round, const void *room)
{
    struct trip *trip = begin_next(parcels);
    int64_t parts, mail;

    count_round(parcels, round, &parts, &mail);
    turn_run(parcels, trip, round, (unsigned char *)(uintptr_t)room); /* only read from here */
    post(parcels, trip, round);
    if (round == parcels->nrounds - 1)
        end_all(parcels);
}

/* Where a run at home lies in memory, and how many values it has. */
static float *at_home(const struct rf_parcels *parcels, const struct rf_run *run, size_t *n)
{
    const struct block *b = block_of(parcels, parcels->group->rank, run->tensor);

    *n = (size_t)(run->nrows * b->extent[1]);
    return parcels->tensors[run->tensor].data + (run->row - b->offset[0]) * b->extent[1];
}

struct rf_values rf_parcels_values(const struct rf_parcels *parcels, const struct rf_run *run)
{
    size_t n;

    return (struct rf_values){.from = at_home(parcels, run, &n),
                              .value_bytes = value_bytes(parcels, run->tensor),
                              .store = is_plain(parcels, run) ? store_f32 : store_bf16};
}

void rf_parcels_copy_out(const struct rf_parcels *parcels, const struct rf_run *run, void *room)
{
    size_t n;
    const float *from = at_home(parcels, run, &n);

    store(room, from, n, parcels->tensors[run->tensor].stored);
}

void rf_parcels_copy_in(const struct rf_parcels *parcels, const struct rf_run *run,
                        const void *room)
{
    size_t n;
    float *to = at_home(parcels, run, &n);

    fetch(to, room, n, parcels->tensors[run->tensor].stored);
}
