/* pump_ring.h - the inside of a pump, shared by its caller's side (pump.c) and its threads
 * (pump_threads.c).
 *
 * The stretches under way stand in a ring, in the order in which they were handed over, and so
 * does their memory: what is freed is always the oldest. Up to three things happen to each. On the
 * way out its bytes are brought into the ring, by the caller or by granules and threads; then
 * some threads write it while others hash it. On the way in it is read, and then hashed. */
#ifndef RF_CKPT_PUMP_RING_H
#define RF_CKPT_PUMP_RING_H

#include <pthread.h>

#include "ckpt/pump.h"
#include "ckpt/transfer.h"

/* Disks want many requests at a time, each of some size: movers of all pumps of a node, and how much one
 * moves at once. Workers of a pump that has two cores. */
enum { RF_PUMP_MOVERS = 8, RF_PUMP_PIECE = 1 << 20, RF_PUMP_WORKERS = 2 };

struct rf_slot {
    struct rf_stretch stretch;
    struct rf_values values; /* what to bring; from == NULL: nothing */
    int sent;                /* it is filled, or to be filled by threads, or asked for */
    int npieces, moves_taken, nmoved; /* between memory and file */
    int ngranules;
    int copies_taken, ncopied; /* taken by threads; done by them */
    int hashes_taken, nhashed;
    size_t begin, end;   /* of its memory in the ring, counted without end */
    int inside;          /* data is the caller's memory: nothing around it may be touched */
    unsigned char *data; /* else in the ring */
};

enum rf_pump_call { RF_CALL_NONE, RF_CALL_END, RF_CALL_WORK, RF_CALL_WARM };

struct rf_pump {
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for the threads; for the caller */
    pthread_t threads[RF_PUMP_MOVERS + RF_PUMP_WORKERS];
    int nthreads, quit, still;
    int (*fault)(const char *step);

    unsigned char *memory;   /* owned [room] */
    size_t room, head, tail; /* bytes given and freed, counted without end */
    struct rf_slot *slots;   /* owned [nslots] */
    int64_t nslots;
    /* Counted without end: the oldest, the next to be filled by threads, to be moved, to be hashed, and
     * to be given. */
    int64_t first, to_copy, to_move, to_hash, next;
    int lanes; /* granules of full length that are hashed together */

    struct rf_transfer file;
    int opened; /* stretches may be moved */
    enum rf_pump_call call;
    int in_call, copying, moving, hashing; /* threads at it */
    int waiting, ended;                    /* the caller waits; no more stretches come */
    enum rf_status (*task)(void *arg, struct rf_error *err);
    void *arg;
    enum rf_status status;
    struct rf_error err;
};

struct rf_slot *rf_pump_slot(struct rf_pump *pump, int64_t number);

/* With the lock: was it moved and hashed? */
int rf_pump_done(const struct rf_slot *slot);

/* One of each kind is enough to go on with; 0: there is not. */
int rf_pump_start_threads(struct rf_pump *pump, int sharers);

/* With the lock on entry and exit: brings the next granule into the ring. Is there one? */
int rf_pump_copy_next(struct rf_pump *pump);

#endif
