/* The stretches under way stand in a ring, in the order in which they were handed over, and so
 * does their memory: what is freed is always the oldest. A thread takes as many waiting stretches
 * as have sixteen granules together, because that many are hashed at once (digest_lanes.c).
 *
 * Going past the page cache wants offsets, sizes and memory on block borders. A stretch lies in
 * memory as far behind a border as in the file; what sticks out at its ends goes through the page
 * cache, which Linux keeps coherent with direct writes to other blocks. */
#define _GNU_SOURCE /* O_DIRECT, fallocate(), madvise() */

#include "ckpt/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    THREADS = 2,
    BORDER = 4096,        /* for direct transfers */
    HUGE_PAGE = 2 << 20,  /* what the memory is aligned to */
    AT_ONCE = 16,         /* granules that a thread hashes together */
    DIRECT_FROM = 1 << 16 /* smaller stretches are not worth a direct transfer */
};

enum step { FREE, GIVEN, WAITING, TAKEN, DONE };

struct slot {
    struct rf_stretch stretch;
    enum step step;
    size_t begin, end; /* of its memory in the ring, counted without end */
    unsigned char *data;
};

enum call { CALL_NONE, CALL_END, CALL_WORK, CALL_WARM };

struct rf_pump {
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for the threads; for the caller */
    pthread_t threads[THREADS];
    int nthreads, quit;
    int (*fault)(const char *step);

    unsigned char *memory;   /* owned [room] */
    size_t room, head, tail; /* bytes given and freed, counted without end */
    struct slot *slots;      /* owned [nslots] */
    int64_t nslots, first, next,
        waiting; /* counted without end: oldest, next free, next to do */

    char path[RF_PATH_BYTES];
    int fd, direct_fd, direct, writing;
    enum call call;
    int in_call, running; /* a thread is at the call; stretches taken */
    enum rf_status (*task)(void *arg, struct rf_error *err);
    void *arg;
    enum rf_status status;
    struct rf_error err;
};

size_t rf_pump_need(size_t size_bytes)
{
    return (size_bytes + 3 * (size_t)BORDER - 1) / BORDER * BORDER;
}

/* ---- transfers, without the lock --------------------------------------------------- */

static enum rf_status failed(const struct rf_pump *pump, const char *verb, int code,
                             struct rf_error *err)
{
    return rf_fail(err, RF_ERR_IO, "cannot %s '%s': %s", verb, pump->path, strerror(code));
}

static enum rf_status faulted(struct rf_pump *pump, const char *step, struct rf_error *err)
{
    int code = 0;

    if (pump->fault != NULL) {
        pthread_mutex_lock(&pump->lock);
        code = pump->fault(step);
        pthread_mutex_unlock(&pump->lock);
    }
    return code == 0 ? RF_OK : failed(pump, step, code, err);
}

/* Bytes [from, to) of the file, which lie in memory at at. Returns 0 or an errno; *done says how
 * far it came. The end of the file in a read is no error here. */
static int transfer(int fd, int writing, unsigned char *at, uint64_t from, uint64_t to,
                    uint64_t *done)
{
    *done = from;
    while (*done < to) {
        unsigned char *p = at + (*done - from);
        size_t n = (size_t)(to - *done);
        ssize_t got = writing ? pwrite(fd, p, n, (off_t)*done) : pread(fd, p, n, (off_t)*done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return writing ? ENOSPC : 0;
        *done += (uint64_t)got;
    }
    return 0;
}

/* Through the page cache; a file that ends too early is a failure here. */
static enum rf_status buffered(struct rf_pump *pump, unsigned char *at, uint64_t from,
                               uint64_t to, struct rf_error *err)
{
    uint64_t done;
    int code = transfer(pump->fd, pump->writing, at, from, to, &done);

    if (code != 0)
        return failed(pump, pump->writing ? "write" : "read", code, err);
    if (done < to)
        return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': it ends at byte %llu", pump->path,
                       (unsigned long long)done);
    return RF_OK;
}

static enum rf_status write_slot(struct rf_pump *pump, const struct slot *slot,
                                 struct rf_error *err)
{
    uint64_t from = slot->stretch.offset, to = from + slot->stretch.size_bytes, done;
    uint64_t in = (from + BORDER - 1) / BORDER * BORDER, out = to / BORDER * BORDER;
    enum rf_status st = faulted(pump, "write", err);

    if (st != RF_OK)
        return st;
    if (pump->direct_fd < 0 || slot->stretch.size_bytes < DIRECT_FROM)
        return buffered(pump, slot->data, from, to, err);
    if (transfer(pump->direct_fd, 1, slot->data + (in - from), in, out, &done) != 0)
        out = done; /* whatever it was, the page cache takes the rest or says why not */
    if (from < in)
        st = buffered(pump, slot->data, from, in, err);
    if (st == RF_OK && out < to)
        st = buffered(pump, slot->data + (out - from), out, to, err);
    return st;
}

static enum rf_status read_slot(struct rf_pump *pump, const struct slot *slot,
                                struct rf_error *err)
{
    uint64_t from = slot->stretch.offset, to = from + slot->stretch.size_bytes, done;
    uint64_t out = from / BORDER * BORDER, end = (to + BORDER - 1) / BORDER * BORDER;
    enum rf_status st = faulted(pump, "read", err);

    if (st != RF_OK)
        return st;
    if (pump->direct_fd < 0 || slot->stretch.size_bytes < DIRECT_FROM)
        return buffered(pump, slot->data, from, to, err);
    transfer(pump->direct_fd, 0, slot->data - (from - out), out, end, &done);
    if (done >= to)
        return RF_OK;
    done = done < from ? from : done;
    return buffered(pump, slot->data + (done - from), done, to, err);
}

static void hash_slots(struct slot *const *slots, int n)
{
    struct rf_bytes texts[AT_ONCE];
    struct rf_digest digests[AT_ONCE], *where[AT_ONCE];
    int filled = 0;

    for (int i = 0; i < n; i++) {
        const struct rf_stretch *s = &slots[i]->stretch;

        for (size_t at = 0, g = 0; at < s->size_bytes; at += s->granule_bytes, g++) {
            size_t left = s->size_bytes - at;

            texts[filled] = (struct rf_bytes){
                slots[i]->data + at, left < s->granule_bytes ? left : s->granule_bytes};
            where[filled++] = &s->digests[g];
            if (filled < AT_ONCE && (i + 1 < n || at + s->granule_bytes < s->size_bytes))
                continue;
            rf_digest_many(texts, filled, digests);
            for (int k = 0; k < filled; k++)
                *where[k] = digests[k];
            filled = 0;
        }
    }
}

static enum rf_status do_slots(struct rf_pump *pump, struct slot *const *slots, int n,
                               struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (pump->writing)
        hash_slots(slots, n);
    for (int i = 0; st == RF_OK && i < n; i++)
        st = pump->writing ? write_slot(pump, slots[i], err) : read_slot(pump, slots[i], err);
    if (st == RF_OK && !pump->writing)
        hash_slots(slots, n);
    return st;
}

/* After the last stretch. */
static enum rf_status end_file(struct rf_pump *pump, enum rf_status so_far,
                               struct rf_error *err)
{
    enum rf_status st = so_far;

    if (pump->fd < 0) /* it was never begun */
        return st;
    if (st == RF_OK && pump->writing)
        st = faulted(pump, "sync", err);
    if (st == RF_OK && pump->writing && fsync(pump->fd) != 0)
        st = failed(pump, "write", errno, err);
    if (pump->direct_fd >= 0)
        close(pump->direct_fd);
    if (close(pump->fd) != 0 && st == RF_OK && pump->writing)
        st = failed(pump, "write", errno, err);
    pump->fd = pump->direct_fd = -1;
    return st;
}

static enum rf_status do_call(struct rf_pump *pump, enum call call, enum rf_status so_far,
                              struct rf_error *err)
{
    if (call == CALL_END)
        return end_file(pump, so_far, err);
    if (call == CALL_WORK)
        return pump->task(pump->arg, err);
    for (size_t at = 0; at < pump->room; at += BORDER)
        pump->memory[at] = 0;
    return RF_OK;
}

/* ---- the threads -------------------------------------------------------------------- */

static struct slot *slot_of(struct rf_pump *pump, int64_t number)
{
    return &pump->slots[number % pump->nslots];
}

static int granules_of(const struct slot *slot)
{
    return (int)((slot->stretch.size_bytes + slot->stretch.granule_bytes - 1) /
                 slot->stretch.granule_bytes);
}

/* With the lock: the next stretches to do, marked as taken. */
static int take_some(struct rf_pump *pump, struct slot *slots[AT_ONCE])
{
    int n = 0, granules = 0;

    while (pump->waiting < pump->next && n < AT_ONCE) {
        struct slot *slot = slot_of(pump, pump->waiting);

        if (slot->step != WAITING || (n > 0 && granules + granules_of(slot) > AT_ONCE))
            break;
        granules += granules_of(slot);
        slot->step = TAKEN;
        slots[n++] = slot;
        pump->waiting++;
    }
    return n;
}

/* With the lock: written stretches make room as soon as all before them are done. */
static void make_room(struct rf_pump *pump)
{
    while (pump->first < pump->next && slot_of(pump, pump->first)->step == DONE) {
        pump->tail = slot_of(pump, pump->first)->end;
        slot_of(pump, pump->first)->step = FREE;
        pump->first++;
    }
}

static void note(struct rf_pump *pump, enum rf_status st, const struct rf_error *err)
{
    if (st != RF_OK && pump->status == RF_OK) {
        pump->status = st;
        pump->err = *err;
    }
}

/* With the lock on entry and exit. */
static void run_slots(struct rf_pump *pump, struct slot *const *slots, int n)
{
    struct rf_error err;
    enum rf_status st = pump->status;

    pump->running++;
    pthread_mutex_unlock(&pump->lock);
    if (st == RF_OK)
        st = do_slots(pump, slots, n, &err);
    else
        err = (struct rf_error){.status = st};
    pthread_mutex_lock(&pump->lock);
    note(pump, st, &err);
    for (int i = 0; i < n; i++)
        slots[i]->step = DONE;
    if (pump->writing)
        make_room(pump);
    pump->running--;
    pthread_cond_broadcast(&pump->work);
    pthread_cond_broadcast(&pump->news);
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

static void *serve(void *arg)
{
    struct rf_pump *pump = arg;

    pthread_mutex_lock(&pump->lock);
    for (;;) {
        struct slot *slots[AT_ONCE];
        int n = take_some(pump, slots);

        if (n > 0)
            run_slots(pump, slots, n);
        else if (pump->call != CALL_NONE && !pump->in_call && pump->running == 0)
            run_call(pump);
        else if (pump->quit)
            break;
        else
            pthread_cond_wait(&pump->work, &pump->lock);
    }
    pthread_mutex_unlock(&pump->lock);
    return NULL;
}

/* ---- the caller's side ---------------------------------------------------------------- */

enum rf_status rf_pump_create(struct rf_pump **out, size_t room_bytes, int max_stretches,
                              int (*fault)(const char *step), struct rf_error *err)
{
    struct rf_pump *pump = calloc(1, sizeof *pump);
    void *memory = NULL;

    *out = pump;
    if (pump == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    pump->fd = pump->direct_fd = -1;
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
    while (memory != NULL && pump->slots != NULL && pump->nthreads < THREADS &&
           pthread_create(&pump->threads[pump->nthreads], NULL, serve, pump) == 0)
        pump->nthreads++;
    if (pump->nthreads == 0) {
        rf_pump_destroy(pump);
        *out = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint: %zu MB",
                       room_bytes >> 20);
    }
    madvise(memory, pump->room, MADV_HUGEPAGE);
    return RF_OK;
}

void rf_pump_destroy(struct rf_pump *pump)
{
    if (pump == NULL)
        return;
    pthread_mutex_lock(&pump->lock);
    while (pump->nthreads > 0 &&
           (pump->waiting < pump->next || pump->call != CALL_NONE || pump->running > 0))
        pthread_cond_wait(&pump->news, &pump->lock);
    pump->quit = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
    for (int i = 0; i < pump->nthreads; i++)
        pthread_join(pump->threads[i], NULL);
    if (pump->direct_fd >= 0)
        close(pump->direct_fd);
    if (pump->fd >= 0)
        close(pump->fd);
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
        pthread_cond_wait(&pump->news, &pump->lock);
    pump->call = what;
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
    int flags = (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC;

    rf_pump_wait(pump, NULL);
    if (strlen(path) >= sizeof pump->path)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    pump->status = RF_OK;
    pump->head = pump->tail = 0;
    pump->first = pump->next = pump->waiting = 0;
    pump->writing = writing;
    memcpy(pump->path, path, strlen(path) + 1);
    pump->fd = open(path, flags);
    if (pump->fd < 0)
        return rf_fail(err, writing ? RF_ERR_IO : RF_ERR_INPUT, "cannot open '%s': %s", path,
                       strerror(errno));
    pump->direct_fd = -1;
#ifdef O_DIRECT
    if (direct)
        pump->direct_fd = open(path, flags | O_DIRECT);
#endif
    pump->direct = pump->direct_fd >= 0;
    return RF_OK;
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
    slot->stretch = *stretch;
    slot->begin = place(pump, need);
    slot->end = slot->begin + need;
    slot->data = pump->memory + slot->begin % pump->room + stretch->offset % BORDER;
    slot->step = GIVEN;
    pump->head = slot->end;
    pump->next++;
    return slot;
}

void *rf_pump_room(struct rf_pump *pump, const struct rf_stretch *stretch)
{
    struct slot *slot;

    pthread_mutex_lock(&pump->lock);
    while (!fits(pump, stretch->size_bytes))
        pthread_cond_wait(&pump->news, &pump->lock);
    slot = give(pump, stretch);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void rf_pump_send(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    slot_of(pump, pump->next - 1)->step = WAITING;
    pthread_cond_signal(&pump->work);
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
    give(pump, stretch)->step = WAITING;
    pthread_cond_signal(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

const void *rf_pump_take(struct rf_pump *pump)
{
    struct slot *slot = slot_of(pump, pump->first);

    pthread_mutex_lock(&pump->lock);
    while (slot->step != DONE)
        pthread_cond_wait(&pump->news, &pump->lock);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void rf_pump_drop(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    pump->tail = slot_of(pump, pump->first)->end;
    slot_of(pump, pump->first)->step = FREE;
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

/* With the lock. */
static int busy(const struct rf_pump *pump)
{
    return pump->call != CALL_NONE || pump->running > 0 || pump->waiting < pump->next;
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
        pthread_cond_wait(&pump->news, &pump->lock);
    st = pump->status;
    if (st != RF_OK && err != NULL)
        *err = pump->err;
    pthread_mutex_unlock(&pump->lock);
    return st;
}

int rf_pump_direct(const struct rf_pump *pump)
{
    return pump->direct;
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
