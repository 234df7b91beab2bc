/* Parts of runs on their way between the ranks that hold them and the runs' owners: several rounds at a time, so
 * that nobody waits for a message that has only just been posted. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/parcel_plan.h"
#include "nn/bf16.h"

/* A node's memory for the rounds under way; each rank has room for two of them in any case. */
enum { TRIPS_BYTES = 32 << 20 };

enum { TAG = 4711 }; /* of messages that carry values; a pair of ranks has one per round */

/* ---- parts -------------------------------------------------------------------------------- */

static int is_empty(const struct rf_parcel_block *b)
{
    return b->extent[0] == 0 || b->extent[1] == 0;
}

/* The rows of run that rank holds, from *begin on: whole rows of its block. */
static int64_t rows_held(const struct rf_parcels *parcels, int rank, const struct rf_run *run,
                         int64_t *begin)
{
    const struct rf_parcel_block *b = rf_parcel_block_of(parcels, rank, run->tensor);
    int64_t end = b->offset[0] + b->extent[0];

    *begin = b->offset[0] > run->row ? b->offset[0] : run->row;
    if (end > run->row + run->nrows)
        end = run->row + run->nrows;
    return b->extent[1] > 0 && end > *begin ? end - *begin : 0;
}

/* On the way out one of the ranks that hold the same gives it: the owner, or else the lowest. */
static int gives(const struct rf_parcels *parcels, int rank, const struct rf_run *run)
{
    const struct rf_parcel_block *b = rf_parcel_block_of(parcels, rank, run->tensor);
    int owner_has_it = rf_parcel_block_of(parcels, run->owner, run->tensor)->first == b->first;

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
           rf_parcel_block_of(parcels, rank, run->tensor)->extent[1] *
           (int64_t)rf_parcel_value_bytes(parcels, run->tensor);
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
    const struct rf_run *own = rf_parcel_run_of(parcels, round, rank);
    int64_t at = 0, mail_at = 0, n;

    for (int other = 0; other < size; other++) {
        const struct rf_run *run = rf_parcel_run_of(parcels, round, other);

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

static enum rf_status make_trip(struct rf_parcels *parcels, struct rf_parcel_trip *trip,
                                int64_t parts, int64_t mail, struct rf_error *err)
{
    int n = 2 * parcels->group->size;

    trip->parts = malloc((size_t)parts);
    trip->mail = malloc((size_t)mail);
    trip->requests = malloc((size_t)n * sizeof *trip->requests);
    if (trip->parts == NULL || trip->mail == NULL || trip->requests == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < n; i++)
        trip->requests[i] = MPI_REQUEST_NULL;
    return RF_OK;
}

/* MPI counts in int. */
enum rf_status rf_parcel_make_trips(struct rf_parcels *parcels, struct rf_error *err)
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
    most = TRIPS_BYTES / parcels->neighbours / (parts_max + mail_max);
    most = most < 2 ? 2 : most > RF_PARCEL_TRIPS ? RF_PARCEL_TRIPS : most;
    parcels->ntrips = (int)(most < parcels->nrounds ? most : parcels->nrounds);
    for (int i = 0; st == RF_OK && i < parcels->ntrips; i++)
        st = make_trip(parcels, &parcels->trips[i], parts_max, mail_max, err);
    return st;
}

void rf_parcel_free_trips(struct rf_parcels *parcels)
{
    for (int i = 0; i < parcels->ntrips; i++) {
        free(parcels->trips[i].parts);
        free(parcels->trips[i].mail);
        free(parcels->trips[i].requests);
    }
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
    const struct rf_parcel_block *b =
        rf_parcel_block_of(parcels, parcels->group->rank, run->tensor);
    int64_t begin, rows = rows_held(parcels, parcels->group->rank, run, &begin);

    *n = (size_t)(rows * b->extent[1]);
    return parcels->tensors[run->tensor].data + (begin - b->offset[0]) * b->extent[1];
}

/* This rank's part of owner's run as it travels. */
static unsigned char *part_of(const struct rf_parcels *parcels,
                              const struct rf_parcel_trip *trip, const struct rf_run *run,
                              int owner)
{
    size_t n;

    return is_plain(parcels, run) ? (unsigned char *)held_part(parcels, run, &n)
                                  : trip->parts + parcels->places[owner];
}

/* Between what this rank holds and its parts of the round, where these are not the same. */
static void turn_parts(const struct rf_parcels *parcels, const struct rf_parcel_trip *trip,
                       int64_t round)
{
    for (int owner = 0; owner < parcels->group->size; owner++) {
        const struct rf_run *run = rf_parcel_run_of(parcels, round, owner);
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
    const struct rf_parcel_block *b = rf_parcel_block_of(parcels, rank, run->tensor);
    size_t value = rf_parcel_value_bytes(parcels, run->tensor),
           row = rf_parcel_row_bytes(parcels, run->tensor);
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
static void turn_run(const struct rf_parcels *parcels, const struct rf_parcel_trip *trip,
                     int64_t round, unsigned char *room)
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
static void post(struct rf_parcels *parcels, const struct rf_parcel_trip *trip, int64_t round)
{
    const int size = parcels->group->size, out = parcels->way == RF_PARCELS_OUT;
    MPI_Comm comm = parcels->group->comm;

    for (int i = 1; i < size; i++) {
        int other = (parcels->group->rank + i) % size;
        const struct rf_run *run = rf_parcel_run_of(parcels, round, other);
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

static struct rf_parcel_trip *trip_of(struct rf_parcels *parcels, int64_t round)
{
    return &parcels->trips[round % parcels->ntrips];
}

/* The oldest round that is not done with: nothing of it is under way afterwards. */
static void end_oldest(struct rf_parcels *parcels)
{
    struct rf_parcel_trip *trip = trip_of(parcels, parcels->over);
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
static struct rf_parcel_trip *begin_next(struct rf_parcels *parcels)
{
    if (parcels->begun - parcels->over == parcels->ntrips)
        end_oldest(parcels);
    return trip_of(parcels, parcels->begun++);
}

void rf_parcels_gather(struct rf_parcels *parcels, int64_t round, void *room)
{
    struct rf_parcel_trip *trip = trip_of(parcels, round);
    int64_t parts, mail;

    while (parcels->begun < parcels->nrounds && parcels->begun < round + parcels->ntrips) {
        int64_t next = parcels->begun;
        struct rf_parcel_trip *ahead = begin_next(parcels);

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
    struct rf_parcel_trip *trip = begin_next(parcels);
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
    const struct rf_parcel_block *b =
        rf_parcel_block_of(parcels, parcels->group->rank, run->tensor);

    *n = (size_t)(run->nrows * b->extent[1]);
    return parcels->tensors[run->tensor].data + (run->row - b->offset[0]) * b->extent[1];
}

struct rf_values rf_parcels_values(const struct rf_parcels *parcels, const struct rf_run *run)
{
    size_t n;

    return (struct rf_values){.from = at_home(parcels, run, &n),
                              .value_bytes = rf_parcel_value_bytes(parcels, run->tensor),
                              .store = is_plain(parcels, run) ? store_f32 : store_bf16,
                              .plain = is_plain(parcels, run)};
}

void *rf_parcels_place(const struct rf_parcels *parcels, const struct rf_run *run)
{
    size_t n;

    return is_plain(parcels, run) ? at_home(parcels, run, &n) : NULL;
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
