/* roll.h - an ordered list of jobs, for questions about many of them at once.
 *
 * Policies keep waiting jobs in one (in queue order, with their limits) and running jobs in
 * another (in order of their expected ends). An entry is a job, the devices it needs or
 * holds, and a time: its limit, or its expected end. The list is cut into chunks of at most
 * RF_ROLL_CHUNK entries; what is known of a whole chunk (its least need, its least time, the
 * sum of its devices) lets a search pass it by. Adding and removing move a few
 * hundred bytes at most, wherever in the list that is. */
#ifndef RF_ALLOC_ROLL_H
#define RF_ALLOC_ROLL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RF_ROLL_CHUNK = 64 };

struct rf_roll_entry {
    int64_t time_us;
    int32_t job, need;
};

struct rf_roll_chunk {
    struct rf_roll_entry entries[RF_ROLL_CHUNK];
};

struct rf_roll_part {
    struct rf_roll_chunk *chunk; /* owned */
    int64_t least_time_us;       /* at most the least in the chunk */
    int32_t least_need;          /* at most the least in the chunk */
    int32_t low, high;           /* entries are at [low, high) of the chunk; at least one */
    int32_t first_job;           /* of the first entry, as is first_time_us */
    int64_t first_time_us, sum;  /* sum: of all needs */
};

/* So many parts lie in one group, by their places in the array. Groups are kept when there are
 * more than one. */
enum { RF_ROLL_GROUP = 16 };

struct rf_roll_group {
    int64_t least_time_us; /* at most the least of its parts, as is the next */
    int32_t least_need;
};

/* A roll starts as all zeros, or with by_time = 1. */
struct rf_roll {
    int by_time;                  /* order: by (time, job); else by job alone */
    struct rf_roll_part *parts;   /* owned: [begin, end) are in use, in order */
    struct rf_roll_group *groups; /* owned */
    int32_t begin, end, room;
    int32_t count;               /* entries */
    int32_t least_need;          /* no entry needs less; without entries nothing is said */
    int64_t sum;                 /* of all needs */
    struct rf_roll_chunk *spare; /* owned; may be NULL */
};

/* Where an entry is; good until the roll changes. */
struct rf_roll_place {
    int32_t part, at;
};

void rf_roll_clear(struct rf_roll *roll);
/* Forgets all entries and keeps the order. */
void rf_roll_empty(struct rf_roll *roll);

/* ---- adding and removing: at the ends of the list here, elsewhere in roll.c ---- */

enum rf_status rf_roll_insert(struct rf_roll *roll, const struct rf_roll_entry *entry,
                              struct rf_error *err);
void rf_roll_cut(struct rf_roll *roll, struct rf_roll_place *place);

static inline int rf_roll_before(const struct rf_roll *roll, const struct rf_roll_entry *a,
                                 const struct rf_roll_entry *b)
{
    if (roll->by_time && a->time_us != b->time_us)
        return a->time_us < b->time_us;
    return a->job < b->job;
}

/* What is known of a part, its group and the list, with one more entry. */
static inline void rf_roll_count_in(struct rf_roll *roll, struct rf_roll_part *p,
                                    const struct rf_roll_entry *entry)
{
    if (entry->time_us < p->least_time_us)
        p->least_time_us = entry->time_us;
    if (entry->need < p->least_need)
        p->least_need = entry->need;
    if (roll->end > RF_ROLL_GROUP) {
        struct rf_roll_group *g = &roll->groups[(p - roll->parts) / RF_ROLL_GROUP];

        if (entry->time_us < g->least_time_us)
            g->least_time_us = entry->time_us;
        if (entry->need < g->least_need)
            g->least_need = entry->need;
    }
    p->sum += entry->need;
    if (roll->count++ == 0 || entry->need < roll->least_need)
        roll->least_need = entry->need;
    roll->sum += entry->need;
}

/* The job must not be there yet. RF_ERR_MEMORY: nothing has changed. */
static inline enum rf_status
rf_roll_add(struct rf_roll *roll, const struct rf_roll_entry *entry, struct rf_error *err)
{
    struct rf_roll_part *last;

    if (roll->count == 0)
        return rf_roll_insert(roll, entry, err);
    last = &roll->parts[roll->end - 1];
    if (last->high == RF_ROLL_CHUNK ||
        !rf_roll_before(roll, &last->chunk->entries[last->high - 1], entry))
        return rf_roll_insert(roll, entry, err);
    last->chunk->entries[last->high++] = *entry;
    rf_roll_count_in(roll, last, entry);
    return RF_OK;
}

/* Removes the entry at place, which then says where the one after it is. */
static inline void rf_roll_remove(struct rf_roll *roll, struct rf_roll_place *place)
{
    struct rf_roll_part *p = &roll->parts[place->part];
    int32_t need = p->chunk->entries[place->at].need;

    if (place->at != p->low || place->part != roll->begin || p->low + 1 == p->high) {
        rf_roll_cut(roll, place);
        return;
    }
    p->low++;
    p->first_time_us = p->chunk->entries[p->low].time_us;
    p->first_job = p->chunk->entries[p->low].job;
    p->sum -= need;
    roll->sum -= need;
    roll->count--;
    place->at++;
}

/* Removes the entry with this key (time_us counts only by_time); 0: it is not there. */
int rf_roll_drop(struct rf_roll *roll, int64_t time_us, int32_t job);

/* Where the entry with this key is (time_us counts only by_time); 0: it is not there. */
int rf_roll_seek(const struct rf_roll *roll, int64_t time_us, int32_t job,
                 struct rf_roll_place *place);

static inline struct rf_roll_place rf_roll_start(const struct rf_roll *roll)
{
    return (struct rf_roll_place){roll->begin,
                                  roll->begin < roll->end ? roll->parts[roll->begin].low : 0};
}

/* The entry at place; 0: the end of the roll. */
static inline int rf_roll_at(const struct rf_roll *roll, struct rf_roll_place place,
                             struct rf_roll_entry *entry)
{
    if (place.part >= roll->end)
        return 0;
    *entry = roll->parts[place.part].chunk->entries[place.at];
    return 1;
}

static inline struct rf_roll_place rf_roll_next(const struct rf_roll *roll,
                                                struct rf_roll_place place)
{
    if (++place.at == roll->parts[place.part].high && ++place.part < roll->end)
        place.at = roll->parts[place.part].low;
    return place;
}

/* Where the first entry behind this key is, or would be. */
struct rf_roll_place rf_roll_behind(const struct rf_roll *roll, int64_t time_us, int32_t job);

/* Moves place to the first entry at or after it with need <= room that is over in time
 * (time_us <= window_us) or narrow enough (need <= extra); 0: there is none. */
int rf_roll_find(struct rf_roll *roll, struct rf_roll_place *place, int32_t room,
                 int64_t window_us, int32_t extra);

/* By time: the first time at which `have` and the needs of all entries up to then, those at
 * that very time included, make at least `need`; *sum is what they make. INT64_MIN: `have` is
 * enough already; INT64_MAX: never. */
int64_t rf_roll_reach(const struct rf_roll *roll, int64_t have, int64_t need, int64_t *sum);

#endif
