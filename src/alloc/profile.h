/* profile.h - how many devices are free from when on, as far as one can foresee.
 *
 * A step function of time with a finite number of steps; from its last step on it stays as
 * it is. Times are microseconds; INT64_MAX is never. It may be negative where more was
 * promised than there is. The steps are cut into chunks: what is known of a whole chunk (the
 * least and the most that is free in it) lets a search pass it by, and what is added all
 * through a chunk is noted once. */
#ifndef RF_ALLOC_PROFILE_H
#define RF_ALLOC_PROFILE_H

#include <stdint.h>

#include "base/error.h"

enum { RF_PROFILE_CHUNK = 32 };

struct rf_profile_chunk {
    int64_t time_us[RF_PROFILE_CHUNK]; /* step i holds from time_us[i] on */
    int64_t free[RF_PROFILE_CHUNK];    /* devices, less the part's `added` */
};

struct rf_profile_part {
    struct rf_profile_chunk *chunk; /* owned */
    int32_t low, high;              /* steps are at [low, high) of the chunk; at least one */
    int64_t first_us;               /* when the first one begins */
    int64_t added;                  /* to be added to all of them */
    int64_t least, most;            /* at most the least, at least the most, with `added` */
};

/* A profile starts as all zeros. */
struct rf_profile {
    struct rf_profile_part *parts; /* owned: [begin, end) are in use, in order */
    int32_t begin, end, room;
    struct rf_profile_chunk **spare; /* owned, room for as many as parts */
    int32_t nspare;
};

void rf_profile_clear(struct rf_profile *p);

/* From now on `free` devices, for good. */
enum rf_status rf_profile_start(struct rf_profile *p, int64_t now_us, int64_t free,
                                struct rf_error *err);
/* Forgets what was before now_us. */
void rf_profile_advance(struct rf_profile *p, int64_t now_us);
/* Adds `devices` (may be negative) in [begin_us, end_us), of which the part before the profile's
 * beginning is ignored. RF_ERR_MEMORY: nothing has changed. */
enum rf_status rf_profile_add(struct rf_profile *p, int64_t begin_us, int64_t end_us,
                              int64_t devices, struct rf_error *err);

/* Adds devices from t_us on, for good, where no step begins later than t_us. */
enum rf_status rf_profile_extend(struct rf_profile *p, int64_t t_us, int64_t devices,
                                 struct rf_error *err);

/* Free at t_us. */
int64_t rf_profile_at(const struct rf_profile *p, int64_t t_us);
/* The first time >= t_us at which fewer than `need` devices are free; INT64_MAX: never. */
int64_t rf_profile_until(const struct rf_profile *p, int64_t t_us, int64_t need);
/* Are `need` devices free all through [t_us, t_us + length_us)? */
int rf_profile_fits(const struct rf_profile *p, int64_t t_us, int64_t length_us, int64_t need);
/* The earliest time >= from_us, and < before_us, at which they are; INT64_MAX: never. */
int64_t rf_profile_earliest(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                            int64_t need, int64_t before_us);
/* The same for somebody who holds `need` devices in [own_us, own_us + length_us) already and
 * would give them up, if that is earlier than own_us; else own_us. */
int64_t rf_profile_earlier(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                           int64_t need, int64_t own_us);
/* Before before_us never more than this is free; most often exactly so much is at some time. */
int64_t rf_profile_most(const struct rf_profile *p, int64_t before_us);

#endif
