/* The caller's side: memory in the ring for stretches, and waiting. */
#define _GNU_SOURCE /* madvise() */

#include "ckpt/pump.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "ckpt/pump_ring.h"

enum {
    HUGE_PAGE = 2 << 20,  /* what the memory is aligned to */
    NODE_ROOM = 64 << 20, /* memory that is touched costs time, and then the caches */
    LEAST_ROOM = 16 << 20 /* two runs of eight granules */
};

size_t rf_pump_need(size_t size_bytes)
{
    const size_t border = RF_TRANSFER_BORDER;

    return (size_bytes + 3 * border - 1) / border * border;
}

size_t rf_pump_usual_room(int sharers)
{
    return NODE_ROOM / sharers < LEAST_ROOM ? LEAST_ROOM : (size_t)(NODE_ROOM / sharers);
}

enum rf_status rf_pump_create(struct rf_pump **out, const struct rf_pump_options *options,
                              struct rf_error *err)
{
    struct rf_pump *pump = calloc(1, sizeof *pump);
    void *memory = NULL;

    *out = pump;
    if (pump == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
    pump->file.fd = pump->file.direct_fd = -1;
    pump->fault = options->fault;
    pump->still = options->still;
    pump->lanes = rf_digest_at_once();
    pump->nslots = options->max_stretches;
    pump->room = (options->room_bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    pthread_mutex_init(&pump->lock, NULL);
    pthread_cond_init(&pump->work, NULL);
    pthread_cond_init(&pump->news, NULL);
    pump->slots = calloc((size_t)pump->nslots, sizeof *pump->slots);
    if (posix_memalign(&memory, HUGE_PAGE, pump->room) != 0)
        memory = NULL;
    pump->memory = memory;
    if (memory != NULL)
        madvise(memory, pump->room, MADV_HUGEPAGE);
    if (memory != NULL && pump->slots != NULL &&
        rf_pump_start_threads(pump, options->sharers > 0 ? options->sharers : 1))
        return RF_OK;
    rf_pump_destroy(pump);
    *out = NULL;
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint: %zu MB",
                   options->room_bytes >> 20);
}

/* With the lock. */
static int busy(const struct rf_pump *pump)
{
    return pump->call != RF_CALL_NONE || pump->copying > 0 || pump->moving > 0 ||
           pump->hashing > 0 || pump->to_move < pump->next || pump->to_hash < pump->next;
}

/* With the lock, which it gives away while it waits for news, or does some of the work. */
static void wait_for_news(struct rf_pump *pump)
{
    if (rf_pump_copy_next(pump))
        return;
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

static void call(struct rf_pump *pump, enum rf_pump_call what)
{
    pthread_mutex_lock(&pump->lock);
    while (pump->call != RF_CALL_NONE)
        wait_for_news(pump);
    pump->call = what;
    pump->ended |= what == RF_CALL_END;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

void rf_pump_warm(struct rf_pump *pump)
{
    call(pump, RF_CALL_WARM);
}

static void start(struct rf_pump *pump, int writing)
{
    rf_pump_wait(pump, NULL);
    pump->status = RF_OK;
    pump->ended = pump->opened = 0;
    pump->head = pump->tail = 0;
    pump->first = pump->next = pump->to_copy = pump->to_move = pump->to_hash = 0;
    pump->file.writing = writing;
}

/* The lock tells the threads of all that was set before. */
enum rf_status rf_pump_open(struct rf_pump *pump, const char *path, int direct,
                            struct rf_error *err)
{
    struct rf_transfer file;
    enum rf_status st = rf_transfer_open(&file, path, pump->file.writing, direct, err);

    if (st != RF_OK)
        return st;
    pthread_mutex_lock(&pump->lock);
    pump->file = file;
    pump->opened = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
    return RF_OK;
}

enum rf_status rf_pump_begin(struct rf_pump *pump, const char *path, int writing, int direct,
                             struct rf_error *err)
{
    start(pump, writing);
    return rf_pump_open(pump, path, direct, err);
}

void rf_pump_begin_writing(struct rf_pump *pump)
{
    start(pump, 1);
}

void rf_pump_fail(struct rf_pump *pump, const struct rf_error *err)
{
    pthread_mutex_lock(&pump->lock);
    if (pump->status == RF_OK) {
        pump->status = err->status;
        pump->err = *err;
    }
    pump->opened = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

/* With the lock: where a stretch of this size would begin in the ring; it must not wrap. */
static size_t place(const struct rf_pump *pump, size_t need)
{
    size_t left = pump->room - pump->head % pump->room;

    return need <= left ? pump->head : pump->head + left;
}

/* May a stretch that lies in the caller's memory go between there and the disk? Then it needs none in
 * the ring. */
static int stays(const struct rf_stretch *stretch, const void *place)
{
    return place != NULL && ((uintptr_t)place - stretch->offset) % RF_TRANSFER_MEMORY == 0;
}

/* Where values lie that may be written from there. */
static const void *place_of(const struct rf_pump *pump, const struct rf_values *values)
{
    return pump->still && values != NULL && values->plain ? values->from : NULL;
}

static size_t need_of(const struct rf_stretch *stretch, const void *place)
{
    return stays(stretch, place) ? 0 : rf_pump_need(stretch->size_bytes);
}

static int fits(const struct rf_pump *pump, size_t need)
{
    size_t begin;

    if (pump->first == pump->next) /* empty: place() may start anew */
        return need <= pump->room;
    begin = place(pump, need);
    return pump->next - pump->first < pump->nslots && begin + need - pump->tail <= pump->room;
}

/* In how many pieces a stretch goes to the file and back; the last is half of one at least. */
static int pieces_of(const struct rf_stretch *stretch)
{
    uint64_t first = stretch->offset / RF_TRANSFER_BORDER * RF_TRANSFER_BORDER;
    uint64_t span = stretch->offset + stretch->size_bytes - first;

    return span < RF_PUMP_PIECE ? 1 : (int)((span + RF_PUMP_PIECE / 2) / RF_PUMP_PIECE);
}

/* With the lock, after fits(): a slot, its memory in the ring or where the caller has it. */
static struct rf_slot *give(struct rf_pump *pump, const struct rf_stretch *stretch,
                            const void *caller)
{
    struct rf_slot *slot = rf_pump_slot(pump, pump->next);
    size_t need = need_of(stretch, caller);

    if (pump->first == pump->next)
        pump->head = pump->tail = 0;
    *slot = (struct rf_slot){.stretch = *stretch, .begin = place(pump, need)};
    slot->ngranules =
        (int)((stretch->size_bytes + stretch->granule_bytes - 1) / stretch->granule_bytes);
    slot->copies_taken = slot->ncopied = slot->ngranules;
    slot->npieces = pieces_of(stretch);
    slot->end = slot->begin + need;
    slot->inside = need == 0;
    slot->data =
        slot->inside
            ? (unsigned char *)(uintptr_t)caller /* written to by reads only */
            : pump->memory + slot->begin % pump->room + stretch->offset % RF_TRANSFER_BORDER;
    pump->head = slot->end;
    pump->next++;
    return slot;
}

/* values, or NULL: the caller fills it. */
static void *give_when_there_is_room(struct rf_pump *pump, const struct rf_stretch *stretch,
                                     const struct rf_values *values)
{
    const void *caller = place_of(pump, values);
    struct rf_slot *slot;

    pthread_mutex_lock(&pump->lock);
    while (!fits(pump, need_of(stretch, caller)))
        wait_for_news(pump);
    slot = give(pump, stretch, caller);
    if (values != NULL && !slot->inside) {
        slot->values = *values;
        slot->copies_taken = slot->ncopied = 0;
    }
    slot->sent = values != NULL;
    if (slot->sent)
        pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void *rf_pump_room(struct rf_pump *pump, const struct rf_stretch *stretch)
{
    return give_when_there_is_room(pump, stretch, NULL);
}

void rf_pump_bring(struct rf_pump *pump, const struct rf_stretch *stretch,
                   const struct rf_values *values)
{
    give_when_there_is_room(pump, stretch, values);
}

void rf_pump_brought(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    while (pump->copying > 0 || pump->to_copy < pump->next)
        if (!rf_pump_copy_next(pump) && pump->copying > 0)
            pthread_cond_wait(&pump->news, &pump->lock);
    pthread_mutex_unlock(&pump->lock);
}

void rf_pump_send(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    rf_pump_slot(pump, pump->next - 1)->sent = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

int rf_pump_fits(struct rf_pump *pump, const struct rf_stretch *stretch, const void *into)
{
    int yes;

    pthread_mutex_lock(&pump->lock);
    yes = fits(pump, need_of(stretch, into));
    pthread_mutex_unlock(&pump->lock);
    return yes;
}

void rf_pump_ask(struct rf_pump *pump, const struct rf_stretch *stretch, void *into)
{
    pthread_mutex_lock(&pump->lock);
    give(pump, stretch, into)->sent = 1;
    pthread_cond_broadcast(&pump->work);
    pthread_mutex_unlock(&pump->lock);
}

const void *rf_pump_take(struct rf_pump *pump)
{
    struct rf_slot *slot = rf_pump_slot(pump, pump->first);

    pthread_mutex_lock(&pump->lock);
    while (!rf_pump_done(slot))
        wait_for_news(pump);
    pthread_mutex_unlock(&pump->lock);
    return slot->data;
}

void rf_pump_drop(struct rf_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    pump->tail = rf_pump_slot(pump, pump->first)->end;
    pump->first++;
    pthread_mutex_unlock(&pump->lock);
}

void rf_pump_end(struct rf_pump *pump)
{
    call(pump, RF_CALL_END);
}

void rf_pump_call(struct rf_pump *pump, enum rf_status (*work)(void *arg, struct rf_error *err),
                  void *arg)
{
    rf_pump_wait(pump, NULL);
    pump->task = work;
    pump->arg = arg;
    pump->status = RF_OK;
    call(pump, RF_CALL_WORK);
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
