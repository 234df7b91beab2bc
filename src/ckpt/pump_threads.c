/* Workers bring bytes into the ring and hash them, movers take them to the file and back. Bringing comes
 * first: it is what the caller waits for, and what the disk lives on. Hashing goes by granules, as
 * many at a time as fill the lanes (base/digest_many.c), wherever stretches begin and end; fewer only
 * when no more are to be expected. */
#define _GNU_SOURCE /* sched_setaffinity() */

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/pump_ring.h"

enum {
    LANES_MAX = 16,
    AT_ONCE = 4 * LANES_MAX /* granules of any length */
};

/* Granules that one thread hashes together. */
struct batch {
    int n;
    size_t size_bytes, longest;
    struct rf_bytes texts[AT_ONCE];
    struct rf_digest *where[AT_ONCE];
    struct rf_slot *slots[AT_ONCE];
};

struct rf_slot *rf_pump_slot(struct rf_pump *pump, int64_t number)
{
    return &pump->slots[number % pump->nslots];
}

static void note(struct rf_pump *pump, enum rf_status st, const struct rf_error *err)
{
    if (st != RF_OK && pump->status == RF_OK) {
        pump->status = st;
        pump->err = *err;
    }
}

/* Are its bytes in the ring, to be written? */
static int is_filled(const struct rf_slot *slot)
{
    return slot->sent && slot->ncopied == slot->ngranules;
}

int rf_pump_done(const struct rf_slot *slot)
{
    return slot->nmoved == slot->npieces && slot->nhashed == slot->ngranules;
}

/* With the lock: is there a stretch that may be moved? */
static int can_move(struct rf_pump *pump)
{
    return pump->opened && pump->to_move < pump->next &&
           is_filled(rf_pump_slot(pump, pump->to_move));
}

/* With the lock, when something was done: written stretches make room as soon as all before them are
 * done, and everybody looks again. */
static void go_round(struct rf_pump *pump)
{
    while (pump->file.writing && pump->first < pump->next &&
           rf_pump_done(rf_pump_slot(pump, pump->first))) {
        pump->tail = rf_pump_slot(pump, pump->first)->end;
        pump->first++;
    }
    pthread_cond_broadcast(&pump->work);
    pthread_cond_broadcast(&pump->news);
}

/* Where a granule lies in its stretch; returns its length. */
static size_t granule_at(const struct rf_slot *slot, int granule, size_t *at)
{
    const struct rf_stretch *s = &slot->stretch;
    size_t left;

    *at = (size_t)granule * s->granule_bytes;
    left = s->size_bytes - *at;
    return left < s->granule_bytes ? left : s->granule_bytes;
}

/* ---- bringing ---------------------------------------------------------------------- */

/* With the lock: the next stretch that has granules to be brought, or NULL. */
static struct rf_slot *next_copy(struct rf_pump *pump)
{
    if (pump->to_copy < pump->first)
        pump->to_copy = pump->first;
    for (; pump->to_copy < pump->next; pump->to_copy++) {
        struct rf_slot *slot = rf_pump_slot(pump, pump->to_copy);

        if (!slot->sent)
            return NULL; /* the caller fills it, and nothing comes after it yet */
        if (slot->copies_taken < slot->ngranules)
            return slot;
    }
    return NULL;
}

int rf_pump_copy_next(struct rf_pump *pump)
{
    struct rf_slot *slot = next_copy(pump);
    const struct rf_values *values;
    size_t at, size;

    if (slot == NULL)
        return 0;
    size = granule_at(slot, slot->copies_taken++, &at);
    pump->copying++;
    pthread_mutex_unlock(&pump->lock);
    values = &slot->values;
    values->store(slot->data + at, values->from + at / values->value_bytes,
                  size / values->value_bytes);
    pthread_mutex_lock(&pump->lock);
    pump->copying--;
    if (++slot->ncopied == slot->ngranules)
        go_round(pump);
    return 1;
}

/* ---- moving ------------------------------------------------------------------------ */

static enum rf_status faulted(struct rf_pump *pump, const char *step, struct rf_error *err)
{
    int code = 0;

    if (pump->fault != NULL) {
        pthread_mutex_lock(&pump->lock);
        code = pump->fault(step);
        pthread_mutex_unlock(&pump->lock);
    }
    return code == 0 ? RF_OK
                     : rf_fail(err, RF_ERR_IO, "cannot %s '%s': %s", step, pump->file.path,
                               strerror(code));
}

/* A piece ends on a page border, or with its stretch. */
static enum rf_status move(struct rf_pump *pump, const struct rf_slot *slot, int piece,
                           struct rf_error *err)
{
    const struct rf_stretch *s = &slot->stretch;
    uint64_t first = s->offset / RF_TRANSFER_BORDER * RF_TRANSFER_BORDER;
    uint64_t from = piece == 0 ? s->offset : first + (uint64_t)piece * RF_PUMP_PIECE;
    uint64_t to = piece == slot->npieces - 1 ? s->offset + s->size_bytes
                                             : first + (uint64_t)(piece + 1) * RF_PUMP_PIECE;
    int writing = pump->file.writing;
    enum rf_status st = faulted(pump, writing ? "write" : "read", err);

    if (st != RF_OK)
        return st;
    return (writing        ? rf_transfer_write
            : slot->inside ? rf_transfer_read_inside
                           : rf_transfer_read)(&pump->file, slot->data + (from - s->offset),
                                               from + (s->base != NULL ? *s->base : 0),
                                               (size_t)(to - from), err);
}

/* With the lock on entry and exit. */
static void move_next(struct rf_pump *pump)
{
    struct rf_slot *slot = rf_pump_slot(pump, pump->to_move);
    struct rf_error err;
    enum rf_status st = RF_OK;
    int go_on = pump->status == RF_OK, piece = slot->moves_taken++;

    if (slot->moves_taken == slot->npieces)
        pump->to_move++;
    pump->moving++;
    pthread_mutex_unlock(&pump->lock);
    if (go_on)
        st = move(pump, slot, piece, &err);
    pthread_mutex_lock(&pump->lock);
    note(pump, st, &err);
    pump->moving--;
    if (++slot->nmoved == slot->npieces)
        go_round(pump);
}

/* ---- calls, which movers do when they have nothing else ----------------------------- */

/* After the last stretch. */
static enum rf_status end_file(struct rf_pump *pump, enum rf_status so_far,
                               struct rf_error *err)
{
    enum rf_status st = so_far, closed;
    struct rf_error other;

    if (pump->file.fd < 0) /* it was never begun */
        return st;
    if (st == RF_OK && pump->file.writing)
        st = faulted(pump, "sync", err);
    closed = rf_transfer_close(&pump->file, st == RF_OK, st == RF_OK ? err : &other);
    return st == RF_OK ? closed : st;
}

/* Until somebody waits for the pump: he would do the same in passing. */
static void warm(struct rf_pump *pump)
{
    enum { STEP = 8 << 20 };
    int go_on = 1;

    for (size_t at = 0; go_on && at < pump->room; at += STEP) {
        size_t end = pump->room - at < STEP ? pump->room : at + STEP;

        for (size_t page = at; page < end; page += RF_TRANSFER_BORDER)
            pump->memory[page] = 0;
        pthread_mutex_lock(&pump->lock);
        go_on = !pump->waiting;
        pthread_mutex_unlock(&pump->lock);
    }
}

static enum rf_status do_call(struct rf_pump *pump, enum rf_pump_call call,
                              enum rf_status so_far, struct rf_error *err)
{
    if (call == RF_CALL_END)
        return end_file(pump, so_far, err);
    if (call == RF_CALL_WORK)
        return pump->task(pump->arg, err);
    warm(pump);
    return RF_OK;
}

/* With the lock on entry and exit. */
static void run_call(struct rf_pump *pump)
{
    struct rf_error err;
    enum rf_status st = pump->status;
    enum rf_pump_call call = pump->call;

    pump->in_call = 1;
    pthread_mutex_unlock(&pump->lock);
    st = do_call(pump, call, st, &err);
    pthread_mutex_lock(&pump->lock);
    note(pump, st, &err);
    pump->in_call = 0;
    pump->call = RF_CALL_NONE;
    pthread_cond_broadcast(&pump->news);
}

/* With the lock: may the call be done? It waits for what was handed over before it. */
static int can_call(const struct rf_pump *pump)
{
    return pump->call != RF_CALL_NONE && !pump->in_call && pump->moving == 0 &&
           pump->to_move == pump->next;
}

/* Launchers tie a rank to a core, which its threads inherit: then these would work instead of the rank
 * and not beside it. What the system does not allow this process stays out of reach. */
static void leave_the_core(void)
{
    cpu_set_t all;

    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
}

static void *move_all(void *arg)
{
    struct rf_pump *pump = arg;

    leave_the_core();
    pthread_mutex_lock(&pump->lock);
    for (;;) {
        if (can_move(pump))
            move_next(pump);
        else if (can_call(pump))
            run_call(pump);
        else if (pump->quit)
            break;
        else
            pthread_cond_wait(&pump->work, &pump->lock);
    }
    pthread_mutex_unlock(&pump->lock);
    return NULL;
}

/* ---- hashing ------------------------------------------------------------------------ */

/* With the lock: adds a granule, unless the lanes are full. */
static int add_granule(struct batch *batch, int lanes, struct rf_slot *slot, int granule)
{
    size_t at, size = granule_at(slot, granule, &at);
    size_t longest = size > batch->longest ? size : batch->longest;

    if (batch->n == AT_ONCE || batch->size_bytes + size > (size_t)lanes * longest)
        return 0;
    batch->texts[batch->n] = (struct rf_bytes){slot->data + at, size};
    batch->where[batch->n] = &slot->stretch.digests[granule];
    batch->slots[batch->n++] = slot;
    batch->size_bytes += size;
    batch->longest = longest;
    return 1;
}

/* With the lock: the next granules in order; 1 when they fill the lanes. */
static int collect(struct rf_pump *pump, struct batch *batch)
{
    batch->n = 0;
    batch->size_bytes = batch->longest = 0;
    for (int64_t i = pump->to_hash; i < pump->next; i++) {
        struct rf_slot *slot = rf_pump_slot(pump, i);

        if (pump->file.writing ? !is_filled(slot) : slot->nmoved < slot->npieces)
            break;
        for (int g = slot->hashes_taken; g < slot->ngranules; g++)
            if (!add_granule(batch, pump->lanes, slot, g))
                return 1;
    }
    return batch->n == AT_ONCE ||
           (batch->n > 0 && batch->size_bytes == (size_t)pump->lanes * batch->longest);
}

/* With the lock: may granules that are not there yet be waited for? */
static int more_comes(struct rf_pump *pump)
{
    if (pump->status != RF_OK)
        return 0;
    if (pump->file.writing)
        return pump->copying > 0 || (!pump->waiting && !pump->ended);
    return pump->moving > 0 || can_move(pump);
}

/* With the lock: are there granules to be hashed now? Before the file is there somebody makes it, and the
 * disk waits for him: until then one thread of the pump takes a core, and no more. */
static int next_batch(struct rf_pump *pump, struct batch *batch)
{
    if (!pump->opened && pump->hashing > 0)
        return 0;
    return collect(pump, batch) || (batch->n > 0 && !more_comes(pump));
}

/* With the lock on entry and exit. */
static void hash_batch(struct rf_pump *pump, struct batch *batch)
{
    struct rf_digest digests[AT_ONCE];
    int go_on = pump->status == RF_OK;

    for (int i = 0; i < batch->n; i++) {
        struct rf_slot *slot = batch->slots[i];

        if (++slot->hashes_taken == slot->ngranules)
            pump->to_hash++;
    }
    pump->hashing++;
    pthread_mutex_unlock(&pump->lock);
    if (go_on)
        rf_digest_many(batch->texts, batch->n, digests);
    for (int i = 0; go_on && i < batch->n; i++)
        *batch->where[i] = digests[i];
    pthread_mutex_lock(&pump->lock);
    for (int i = 0; i < batch->n; i++)
        batch->slots[i]->nhashed++;
    pump->hashing--;
    go_round(pump);
}

static void *work_all(void *arg)
{
    struct rf_pump *pump = arg;
    struct batch batch;

    leave_the_core();
    pthread_mutex_lock(&pump->lock);
    for (;;) {
        if (rf_pump_copy_next(pump))
            continue;
        if (next_batch(pump, &batch))
            hash_batch(pump, &batch);
        else if (pump->quit)
            break;
        else
            pthread_cond_wait(&pump->work, &pump->lock);
    }
    pthread_mutex_unlock(&pump->lock);
    return NULL;
}

static int start(struct rf_pump *pump, void *(*work)(void *), int most)
{
    int started = 0;

    while (started < most &&
           pthread_create(&pump->threads[pump->nthreads], NULL, work, pump) == 0) {
        pump->nthreads++;
        started++;
    }
    return started;
}

/* A node's cores and its disk are shared by the pumps of its ranks. */
int rf_pump_start_threads(struct rf_pump *pump, int sharers)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN) / sharers;
    long pieces = (long)(pump->room / RF_PUMP_PIECE); /* a small ring keeps few of them busy */
    long movers = RF_PUMP_MOVERS / sharers;

    movers = movers < 2 ? 2 : movers;
    return start(pump, work_all, cores < 2 || pieces < 2 ? 1 : RF_PUMP_WORKERS) > 0 &&
           start(pump, move_all, (int)(pieces < movers ? pieces : movers)) > 0;
}
