/* The stretches under way stand in a ring, in the order in which they were handed over, and so
 * does their memory: what is freed is always the oldest. Two things happen to each: some threads
 * move it between memory and file, others hash it. On the way out neither waits for the other;
 * on the way in a stretch is hashed once it was read. Hashing goes by granules, as many at a time as
 * fill the lanes (base/digest_many.c), wherever stretches begin and end; fewer only when no
 * more are to be expected. */
#define _GNU_SOURCE /* fallocate(), madvise() */

#include "ckpt/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ckpt/transfer.h"

enum {
    MOVERS = 2, /* so that the disk always has a request */
    HASHERS = 2,
    HUGE_PAGE = 2 << 20, /* what the memory is aligned to */
    LANES = 16,          /* granules of full length that are hashed together */
    AT_ONCE = 4 * LANES  /* granules of any length */
};

struct slot {
    struct rf_stretch stretch;
    int sent;                      /* it is filled, or asked for */
    int moved;                     /* between memory and file */
    int ngranules, taken, nhashed; /* taken by hashers; done by them */
    size_t begin, end;             /* of its memory in the ring, counted without end */
    unsigned char *data;
};

/* Granules that one thread hashes together. */
struct batch {
    int n;
    size_t size_bytes, longest;
    struct rf_bytes texts[AT_ONCE];
    struct rf_digest *where[AT_ONCE];
    struct slot *slots[AT_ONCE];
};

enum call { CALL_NONE, CALL_END, CALL_WORK, CALL_WARM };

struct rf_pump {
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for the threads; for the caller */
    pthread_t threads[MOVERS + HASHERS];
    int nthreads, quit;
    int (*fault)(const char *step);

    unsigned char *memory;   /* owned [room] */
    size_t room, head, tail; /* bytes given and freed, counted without end */
    struct slot *slots;      /* owned [nslots] */
    int64_t nslots;
    /* Counted without end: the oldest, the next to be moved, to be hashed, and to be given. */
    int64_t first, to_move, to_hash, next;

    struct rf_transfer file;
    enum call call;
    int in_call, moving, hashing; /* threads at it */
    int waiting, ended;           /* the caller waits; no more stretches come */
    enum rf_status (*task)(void *arg, struct rf_error *err);
    void *arg;
    enum rf_status status;
    struct rf_error err;
};

size_t rf_pump_need(size_t size_bytes)
{
    const size_t border = RF_TRANSFER_BORDER;

    return (size_bytes + 3 * border - 1) / border * border;
}

static struct slot *slot_of(struct rf_pump *pump, int64_t number)
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

/* With the lock: is there a stretch that may be moved? */
static int can_move(struct rf_pump *pump)
{
    return pump->to_move < pump->next && slot_of(pump, pump->to_move)->sent;
}

static int is_done(const struct slot *slot)
{
    return slot->moved && slot->nhashed == slot->ngranules;
}

/* With the lock, when something was done: written stretches make room as soon as all before them are
 * done, and everybody looks again. */
static void go_round(struct rf_pump *pump)
{
    while (pump->file.writing && pump->first < pump->next &&
           is_done(slot_of(pump, pump->first))) {
        pump->tail = slot_of(pump, pump->first)->end;
        pump->first++;
    }
    pthread_cond_broadcast(&pump->work);
    pthread_cond_broadcast(&pump->news);
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

static enum rf_status move(struct rf_pump *pump, const struct slot *slot, struct rf_error *err)
{
    const struct rf_stretch *s = &slot->stretch;
    int writing = pump->file.writing;
    enum rf_status st = faulted(pump, writing ? "write" : "read", err);

    if (st != RF_OK)
        return st;
    return (writing ? rf_transfer_write : rf_transfer_read)(&pump->file, slot->data, s->offset,
                                                            s->size_bytes, err);
}

/* With the lock on entry and exit. */
static void move_next(struct rf_pump *pump)
{
    struct slot *slot = slot_of(pump, pump->to_move++);
    struct rf_error err;
    enum rf_status st = RF_OK;
    int go_on = pump->status == RF_OK;

    pump->moving++;
    pthread_mutex_unlock(&pump->lock);
    if (go_on)
        st = move(pump, slot, &err);
    pthread_mutex_lock(&pump->lock);
    note(pump, st, &err);
    slot->moved = 1;
    pump->moving--;
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

static enum rf_status do_call(struct rf_pump *pump, enum call call, enum rf_status so_far,
                              struct rf_error *err)
{
    if (call == CALL_END)
        return end_file(pump, so_far, err);
    if (call == CALL_WORK)
        return pump->task(pump->arg, err);
    for (size_t at = 0; at < pump->room; at += RF_TRANSFER_BORDER)
        pump->memory[at] = 0;
    return RF_OK;
}

/* With the lock on entry and exit. */
static void run_call(struct rf_pump *pump)
{
    struct rf_error err;
    enum rf_status st = pump->status;
    enum call call = pump->call;

    pump->in_call = 1;
    pthread_mutex_unlock(&pump->lock);
    st = do_call(pump, call, st, &err);
    pthread_mutex_lock(&pump->lock);
    note(pump, st, &err);
    pump->in_call = 0;
    pump->call = CALL_NONE;
    pthread_cond_broadcast(&pump->news);
}

static void *move_all(void *arg)
{
    struct rf_pump *pump = arg;

    pthread_mutex_lock(&pump->lock);
    for (;;) {
        if (can_move(pump))
            move_next(pump);
        else if (pump->call != CALL_NONE && !pump->in_call && pump->moving == 0)
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
static int add_granule(struct batch *batch, struct slot *slot, int granule)
{
    const struct rf_stretch *s = &slot->stretch;
    size_t at = (size_t)granule * s->granule_bytes, left = s->size_bytes - at;
    size_t size = left < s->granule_bytes ? left : s->granule_bytes;
    size_t longest = size > batch->longest ? size : batch->longest;

    if (batch->n == AT_ONCE || batch->size_bytes + size > LANES * longest)
        return 0;
    batch->texts[batch->n] = (struct rf_bytes){slot->data + at, size};
    batch->where[batch->n] = &s->digests[granule];
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
        struct slot *slot = slot_of(pump, i);

        if (!slot->sent || (!slot->moved && !pump->file.writing))
            break;
        for (int g = slot->taken; g < slot->ngranules; g++)
            if (!add_granule(batch, slot, g))
                return 1;
    }
    return batch->n == AT_ONCE || (batch->n > 0 && batch->size_bytes == LANES * batch->longest);
}

/* With the lock: may granules that are not there yet be waited for? */
static int more_comes(struct rf_pump *pump)
{
    if (pump->status != RF_OK)
        return 0;
    if (pump->file.writing)
        return !pump->waiting && !pump->ended;
    return pump->moving > 0 || can_move(pump);
}

/* With the lock on entry and exit. */
static void hash_batch(struct rf_pump *pump, struct batch *batch)
{
    struct rf_digest digests[AT_ONCE];
    int go_on = pump->status == RF_OK;

    for (int i = 0; i < batch->n; i++) {
        struct slot *slot = batch->slots[i];

        if (++slot->taken == slot->ngranules)
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

static void *hash_all(void *arg)
{
    struct rf_pump *pump = arg;
    struct batch batch;

    pthread_mutex_lock(&pump->lock);
    for (;;) {
        int full = collect(pump, &batch);

        if (full || (batch.n > 0 && !more_comes(pump)))
            hash_batch(pump, &batch);
        else if (pump->quit)
            break;
        else
            pthread_cond_wait(&pump->work, &pump->lock);
    }
    pthread_mutex_unlock(&pump->lock);
    return NULL;
}

/* ---- the caller's side ---------------------------------------------------------------- */

/* One of each kind is enough to go on with. */
static int start_threads(struct rf_pump *pump)
{
    int started[2] = {0, 0};

    for (int i = 0; i < MOVERS + HASHERS; i++) {
        int mover = i % 2 == 0;

        if (pthread_create(&pump->threads[pump->nthreads], NULL, mover ? move_all : hash_all,
                           pump) != 0)
            break;
        pump->nthreads++;
        started[mover]++;
    }
    return started[0] > 0 && started[1] > 0;
}

enum rf_status rf_pump_create(struct rf_pump **out, size_t room_bytes, int max_stretches,
                              int (*fault)(const char *step), struct rf_error *err)
{
    struct rf_pump *pump = calloc(1, sizeof *pump);
    void *memory = NULL;

    *out = pump;
    if (pump == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    pump->file.fd = pump->file.direct_fd = -1;
    pump->fault = fault;
    pump->nslots = max_stretches;
    pump->room = (room_bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    pthread_mutex_init(&pump->lock, NULL);
    pthread_cond_init(&pump->work, NULL);
    pthread_cond_init(&pump->news, NULL);
    pump->slots = calloc((size_t)max_stretches, sizeof *pump->slots);
    if (posix_memalign(&memory, HUGE_PAGE, pump->room) != 0)
        memory = NULL;
    pump->memory = memory;
    if (memory != NULL)
        madvise(memory, pump->room, MADV_HUGEPAGE);
    if (memory != NULL && pump->slots != NULL && start_threads(pump))
        return RF_OK;
    rf_pump_destroy(pump);
    *out = NULL;
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint: %zu MB",
                   room_bytes >> 20);
}

/* With the lock. */
static int busy(const struct rf_pump *pump)
{
    return pump->call != CALL_NONE || pump->moving > 0 || pump->hashing > 0 ||
           pump->to_move < pump->next || pump->to_hash < pump->next;
}

/* With the lock, which it gives away while it waits for news. */
static void wait_for_news(struct rf_pump *pump)
{
    pump->waiting = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_cond_wait(&pump->news, &pump->lock);
    pump->waiting = 0;
}

void rf_pump_destroy(struct rf_pump *pump)
{
    if (pump == NULL)
        return;
    pthread_mutex_lock(&pump->lock);
    while (busy(pump))
        wait_for_news(pump);
    pump->quit = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
    for (int i = 0; i < pump->nthreads; i++)
        pthread_join(pump->threads[i], NULL);
    rf_transfer_close(&pump->file, 0, NULL);
    pthread_cond_destroy(&pump->news);
    pthread_cond_destroy(&pump->work);
    pthread_mutex_destroy(&pump->lock);
    free(pump->slots);
    free(pump->memory);
    free(pump);
}

static void call(struct rf_pump *pump, enum call what)
{
    pthread_mutex_lock(&pump->lock);
    while (pump->call != CALL_NONE)
        wait_for_news(pump);
    pump->call = what;
    pump->ended |= what == CALL_END;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

void rf_pump_warm(struct rf_pump *pump)
{
    call(pump, CALL_WARM);
}

enum rf_status rf_pump_begin(struct rf_pump *pump, const char *path, int writing, int direct,
                             struct rf_error *err)
{
    rf_pump_wait(pump, NULL);
    pump->status = RF_OK;
    pump->ended = 0;
    pump->head = pump->tail = 0;
    pump->first = pump->next = pump->to_move = pump->to_hash = 0;
    return rf_transfer_open(&pump->file, path, writing, direct, err);
}

/* With the lock: where a stretch of this size would begin in the ring; it must not wrap. */
static size_t place(const struct rf_pump *pump, size_t need)
{
    size_t left = pump->room - pump->head % pump->room;

    return need <= left ? pump->head : pump->head + left;
}

static int fits(const struct rf_pump *pump, size_t size_bytes)
{
    size_t need = rf_pump_need(size_bytes), begin;

    if (pump->first == pump->next) /* empty: place() may start anew */
        return need <= pump->room;
    begin = place(pump, need);
    return pump->next - pump->first < pump->nslots && begin + need - pump->tail <= pump->room;
}

/* With the lock, after fits(). */
static struct slot *give(struct rf_pump *pump, const struct rf_stretch *stretch)
{
    struct slot *slot = slot_of(pump, pump->next);
    size_t need = rf_pump_need(stretch->size_bytes);

    if (pump->first == pump->next)
        pump->head = pump->tail = 0;
    *slot = (struct slot){.stretch = *stretch, .begin = place(pump, need)};
    slot->ngranules =
        (int)((stretch->size_bytes + stretch->granule_bytes - 1) / stretch->granule_bytes);
    slot->end = slot->begin + need;
    slot->data = pump->memory + slot->begin % pump->room + stretch->offset % RF_TRANSFER_BORDER;
    pump->head = slot->end;
    pump->next++;
    return slot;
}

void *rf_pump_room(struct rf_pump *pump, const struct rf_stretch *stretch)
{
    struct slot *slot;

    pthread_mutex_lock(&pump->lock);
    while (!fits(pump, stretch->size_bytes))
        wait_for_news(pump);
    slot = give(pump, stretch);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void rf_pump_send(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    slot_of(pump, pump->next - 1)->sent = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

int rf_pump_fits(struct rf_pump *pump, size_t size_bytes)
{
    int yes;

    pthread_mutex_lock(&pump->lock);
    yes = fits(pump, size_bytes);
    pthread_mutex_unlock(&pump->lock);
    return yes;
}

void rf_pump_ask(struct rf_pump *pump, const struct rf_stretch *stretch)
{
    pthread_mutex_lock(&pump->lock);
    give(pump, stretch)->sent = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

const void *rf_pump_take(struct rf_pump *pump)
{
    struct slot *slot = slot_of(pump, pump->first);

    pthread_mutex_lock(&pump->lock);
    while (!is_done(slot))
        wait_for_news(pump);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void rf_pump_drop(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    pump->tail = slot_of(pump, pump->first)->end;
    pump->first++;
    pthread_mutex_unlock(&pump->lock);
}

void rf_pump_end(struct rf_pump *pump)
{
    call(pump, CALL_END);
}

void rf_pump_call(struct rf_pump *pump, enum rf_status (*work)(void *arg, struct rf_error *err),
                  void *arg)
{
    rf_pump_wait(pump, NULL);
    pump->task = work;
    pump->arg = arg;
    pump->status = RF_OK;
    call(pump, CALL_WORK);
}

int rf_pump_failed(struct rf_pump *pump)
{
    int yes;

    pthread_mutex_lock(&pump->lock);
    yes = pump->status != RF_OK;
    pthread_mutex_unlock(&pump->lock);
    return yes;
}

int rf_pump_busy(struct rf_pump *pump)
{
    int yes;

    pthread_mutex_lock(&pump->lock);
    yes = busy(pump);
    pthread_mutex_unlock(&pump->lock);
    return yes;
}

enum rf_status rf_pump_wait(struct rf_pump *pump, struct rf_error *err)
{
    enum rf_status st;

    pthread_mutex_lock(&pump->lock);
    while (busy(pump))
        wait_for_news(pump);
    st = pump->status;
    if (st != RF_OK && err != NULL)
        *err = pump->err;
    pthread_mutex_unlock(&pump->lock);
    return st;
}

enum rf_status rf_pump_reserve(const char *path, struct rf_error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC), code = 0;
    struct stat info;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || (info.st_size > 0 && fallocate(fd, 0, 0, info.st_size) != 0))
        code = errno;
    close(fd);
    if (code != 0 && code != EOPNOTSUPP && code != ENOSYS && code != EINVAL)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(code));
    return RF_OK;
}
