/* pump.h - stretches of a file between memory and disk, hashed on the way, beside the caller's
 * own work.
 *
 * A pump has up to ten threads of its own and one block of memory. They call nothing but the system
 * and the hash: whoever owns the pump may use MPI and HDF5 at the same time. Two copy and hash, and eight
 * keep the disk busy, mostly asleep; fewer where several pumps share a machine. Where the file system
 * allows it they go past the page cache (O_DIRECT), which leaves the cores and their caches to whoever
 * computes.
 *
 * One caller at a time; it begins a file, hands over stretches in any order of offsets, and
 * ends. After a failure the rest goes through the same motions without touching the file, so
 * that a caller in the middle of a collective need not look before the end. */
#ifndef RF_CKPT_PUMP_H
#define RF_CKPT_PUMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

struct rf_pump;

/* Some granules that follow each other in the file. */
struct rf_stretch {
    uint64_t offset; /* from the beginning of the file, or from *base */
    const uint64_t
        *base; /* borrowed, or NULL; looked at when the bytes are written. Page borders, for
                                * stretches that are to go past the page cache */
    size_t size_bytes;         /* at least 1 */
    size_t granule_bytes;      /* of every granule but the last, which may be shorter */
    struct rf_digest *digests; /* borrowed: room for one per granule, filled by the pump */
};

/* Values that lie elsewhere in memory, otherwise than they are to be stored. */
struct rf_values {
    const float *from;  /* borrowed: the first value of the stretch */
    size_t value_bytes; /* as stored */
    void (*store)(void *to, const float *from, size_t nvalues);
    int plain; /* stored as they lie */
};

/* Memory that a stretch takes in the pump. */
size_t rf_pump_need(size_t size_bytes);

/* For streams that nobody waits with: enough to keep a disk busy, 64 MiB over all sharers. */
size_t rf_pump_usual_room(int sharers);

struct rf_pump_options {
    size_t room_bytes; /* of memory: at least what the largest stretch needs */
    int max_stretches; /* under way at a time */
    int sharers;       /* pumps at work on this machine at the same time; 0: one */
    int still; /* brought values stay as they are until the end: those that lie as the file wants them
                * are written, and hashed, from where they are */
    /* Or NULL; tests let it give an errno for "write", "read" or "sync". */
    int (*fault)(const char *step);
};

enum rf_status rf_pump_create(struct rf_pump **pump, const struct rf_pump_options *options,
                              struct rf_error *err);
/* Waits for what is under way. */
void rf_pump_destroy(struct rf_pump *pump);

/* Touches the pump's memory in the background, so that the first use finds it there. */
void rf_pump_warm(struct rf_pump *pump);

/* Opens an existing file. direct = 0 keeps to the page cache. */
enum rf_status rf_pump_begin(struct rf_pump *pump, const char *path, int writing, int direct,
                             struct rf_error *err);

/* The same in two steps, for a file that is not there yet: stretches may be handed over in between, and
 * nothing is moved before the second. */
void rf_pump_begin_writing(struct rf_pump *pump);
enum rf_status rf_pump_open(struct rf_pump *pump, const char *path, int direct,
                            struct rf_error *err);
/* Something has failed elsewhere: nothing is moved from here on. */
void rf_pump_fail(struct rf_pump *pump, const struct rf_error *err);

/* Writing: memory for the stretch, waiting until there is room; to be filled before
 * rf_pump_send(), which hands the last such stretch over. */
void *rf_pump_room(struct rf_pump *pump, const struct rf_stretch *stretch);
void rf_pump_send(struct rf_pump *pump);
/* Likewise, but the pump fills and sends it by itself; the values must not change before
 * rf_pump_brought() has come back, which waits for all of them and helps (options.still: before the
 * end has been waited for). */
void rf_pump_bring(struct rf_pump *pump, const struct rf_stretch *stretch,
                   const struct rf_values *values);
void rf_pump_brought(struct rf_pump *pump);

/* Reading: is there room to ask for one more; ask (only then); wait for the first asked that was not
 * dropped yet, its bytes valid, and its digests filled, until it is dropped. After a failure
 * the bytes are whatever is there. into is where the bytes are wanted, or NULL: a disk that can fill it
 * does, and take returns into; else they lie in the pump. */
int rf_pump_fits(struct rf_pump *pump, const struct rf_stretch *stretch, const void *into);
void rf_pump_ask(struct rf_pump *pump, const struct rf_stretch *stretch, void *into);
const void *rf_pump_take(struct rf_pump *pump);
void rf_pump_drop(struct rf_pump *pump);

/* No more stretches: once all are done the file is closed, after a sync when it was written. Does
 * not wait. */
void rf_pump_end(struct rf_pump *pump);
/* Some other work for a thread of the pump, after the end; it must leave MPI and HDF5 alone. */
void rf_pump_call(struct rf_pump *pump, enum rf_status (*work)(void *arg, struct rf_error *err),
                  void *arg);

/* Has anything failed since the begin? */
int rf_pump_failed(struct rf_pump *pump);
/* Is anything under way? */
int rf_pump_busy(struct rf_pump *pump);
/* Waits for the end, or for the call, and says how it went. */
enum rf_status rf_pump_wait(struct rf_pump *pump, struct rf_error *err);

#endif
