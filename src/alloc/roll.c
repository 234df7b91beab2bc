/* The least need and time of a part are lower bounds: removing an entry leaves them as they
 * are, and a search that has looked through the whole chunk in vain sets them right. */
#include "alloc/roll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 16, MERGED = 48 }; /* a part this small takes in the next, up to so many */

void rf_roll_empty(struct rf_roll *roll)
{
    for (int32_t i = roll->begin; i < roll->end; i++)
        free(roll->parts[i].chunk);
    roll->begin = roll->end = roll->count = 0;
    roll->sum = 0;
}

void rf_roll_clear(struct rf_roll *roll)
{
    rf_roll_empty(roll);
    free(roll->parts);
    free(roll->groups);
    free(roll->spare);
    *roll = (struct rf_roll){.by_time = roll->by_time};
}

/* ---- keys ---- */

static inline int before(const struct rf_roll *roll, int64_t time_us, int32_t job,
                         int64_t time2_us, int32_t job2)
{
    if (roll->by_time && time_us != time2_us)
        return time_us < time2_us;
    return job < job2;
}

/* The last part that begins at or before the key; the first one when none does. */
static inline int32_t part_of(const struct rf_roll *roll, int64_t time_us, int32_t job)
{
    int32_t low = roll->begin, high = roll->end;

    while (high - low > 1) {
        int32_t mid = low + (high - low) / 2;
        const struct rf_roll_part *p = &roll->parts[mid];

        if (before(roll, time_us, job, p->first_time_us, p->first_job))
            high = mid;
        else
            low = mid;
    }
    return low;
}

/* Where the key is in the part's chunk, or would be. The first half of the search has no
 * branch to guess: a list of ends is searched in places that follow no pattern. */
static inline int32_t rank_in(const struct rf_roll *roll, const struct rf_roll_part *p,
                              int64_t time_us, int32_t job)
{
    const struct rf_roll_entry *e = p->chunk->entries;
    int32_t at = p->low, n = p->high - p->low;

    if (roll->by_time) {
        for (; n > 1; n -= n / 2)
            at = e[at + n / 2 - 1].time_us < time_us ? at + n / 2 : at;
        at += n == 1 && e[at].time_us < time_us;
        while (at < p->high && e[at].time_us == time_us && e[at].job < job)
            at++;
        return at;
    }
    for (; n > 1; n -= n / 2)
        at = e[at + n / 2 - 1].job < job ? at + n / 2 : at;
    return at + (n == 1 && e[at].job < job);
}

/* ---- parts ---- */

static void measure(struct rf_roll_part *p)
{
    const struct rf_roll_entry *e = p->chunk->entries;
    int64_t time_us = INT64_MAX, sum = 0;
    int32_t need = INT32_MAX;

    for (int32_t i = p->low; i < p->high; i++) {
        time_us = e[i].time_us < time_us ? e[i].time_us : time_us;
        need = e[i].need < need ? e[i].need : need;
        sum += e[i].need;
    }
    p->least_time_us = time_us;
    p->least_need = need;
    p->sum = sum;
    p->first_time_us = e[p->low].time_us;
    p->first_job = e[p->low].job;
}

static void measure_group(struct rf_roll *roll, int32_t g)
{
    int32_t low = g * RF_ROLL_GROUP, high = low + RF_ROLL_GROUP;
    struct rf_roll_group least = {INT64_MAX, INT32_MAX};

    for (int32_t i = low > roll->begin ? low : roll->begin; i < high && i < roll->end; i++) {
        const struct rf_roll_part *p = &roll->parts[i];

        if (p->least_time_us < least.least_time_us)
            least.least_time_us = p->least_time_us;
        if (p->least_need < least.least_need)
            least.least_need = p->least_need;
    }
    roll->groups[g] = least;
}

/* Parts from `part` on have moved. */
static void regroup(struct rf_roll *roll, int32_t part)
{
    for (int32_t g = part / RF_ROLL_GROUP; g * RF_ROLL_GROUP < roll->end; g++)
        measure_group(roll, g);
}

/* Moves n entries from one place to another; a few at a time is what happens most, and then
 * a loop beats a call. */
static inline void copy(struct rf_roll_chunk *to, int32_t at, const struct rf_roll_chunk *from,
                        int32_t first, int32_t n)
{
    if (n > 8 || to != from) {
        memmove(to->entries + at, from->entries + first, (size_t)n * sizeof *to->entries);
        return;
    }
    if (at < first)
        for (int32_t i = 0; i < n; i++)
            to->entries[at + i] = to->entries[first + i];
    else
        while (n-- > 0)
            to->entries[at + n] = to->entries[first + n];
}

/* Room for one more part, at the end of the array. */
static enum rf_status make_room(struct rf_roll *roll, struct rf_error *err)
{
    int32_t used = roll->end - roll->begin, room = roll->room + roll->room / 2 + 16;
    struct rf_roll_group *groups;
    struct rf_roll_part *parts;

    if (roll->end < roll->room)
        return RF_OK;
    if (used <= roll->room / 2 && roll->room > 0) {
        memmove(roll->parts, roll->parts + roll->begin, (size_t)used * sizeof *roll->parts);
        roll->begin = 0;
        roll->end = used;
        regroup(roll, 0);
        return RF_OK;
    }
    parts = realloc(roll->parts, (size_t)room * sizeof *parts);
    if (parts != NULL)
        roll->parts = parts;
    groups = realloc(roll->groups, (size_t)(room / RF_ROLL_GROUP + 1) * sizeof *groups);
    if (groups != NULL)
        roll->groups = groups;
    if (parts == NULL || groups == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a list of %d jobs", roll->count);
    roll->room = room;
    return RF_OK;
}

/* A new, empty part `behind` places after the first one. The caller fills and measures it. */
static enum rf_status insert_part(struct rf_roll *roll, int32_t behind, struct rf_error *err)
{
    enum rf_status st = make_room(roll, err);
    struct rf_roll_chunk *chunk = roll->spare;
    int32_t at = roll->begin + behind;

    if (st == RF_OK && chunk == NULL && (chunk = malloc(sizeof *chunk)) == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a list of %d jobs", roll->count);
    if (st != RF_OK)
        return st;
    at = roll->begin + behind; /* making room may have moved it */
    roll->spare = NULL;
    memmove(roll->parts + at + 1, roll->parts + at,
            (size_t)(roll->end - at) * sizeof *roll->parts);
    roll->end++;
    roll->parts[at] = (struct rf_roll_part){
        .chunk = chunk, .least_time_us = INT64_MAX, .least_need = INT32_MAX};
    if (roll->end == RF_ROLL_GROUP + 1) {
        measure_group(roll, 0);
        measure_group(roll, 1);
    } else if (at + 1 < roll->end) {
        regroup(roll, at);
    } else if (at % RF_ROLL_GROUP == 0 || at == roll->begin)
        roll->groups[at / RF_ROLL_GROUP] = (struct rf_roll_group){INT64_MAX, INT32_MAX};
    return RF_OK;
}

static void delete_part(struct rf_roll *roll, int32_t at)
{
    struct rf_roll_chunk *chunk = roll->parts[at].chunk;

    if (roll->spare == NULL)
        roll->spare = chunk;
    else
        free(chunk);
    if (at == roll->begin) {
        roll->begin++;
        return;
    }
    roll->end--;
    memmove(roll->parts + at, roll->parts + at + 1,
            (size_t)(roll->end - at) * sizeof *roll->parts);
    if (at < roll->end)
        regroup(roll, at);
}

/* ---- adding and removing ---- */

static enum rf_status split(struct rf_roll *roll, int32_t part, struct rf_error *err)
{
    int32_t half = RF_ROLL_CHUNK / 2, offset = part - roll->begin;
    enum rf_status st = insert_part(roll, offset + 1, err);
    struct rf_roll_part *p;

    if (st != RF_OK)
        return st;
    p = &roll->parts[roll->begin + offset];
    copy(p[1].chunk, 0, p->chunk, half, p->high - half);
    p[1].high = p->high - half;
    p->high = half;
    measure(p);
    measure(p + 1);
    measure_group(roll, (roll->begin + offset) / RF_ROLL_GROUP);
    measure_group(roll, (roll->begin + offset + 1) / RF_ROLL_GROUP);
    return RF_OK;
}

/* Room for an entry at place `at` of the chunk, which has fewer than it can hold: the shorter side
 * moves. Returns the place. */
static inline int32_t open_at(struct rf_roll_part *p, int32_t at)
{
    struct rf_roll_chunk *c = p->chunk;

    if (p->low > 0 && (p->high == RF_ROLL_CHUNK || at - p->low < p->high - at)) {
        copy(c, p->low - 1, c, p->low, at - p->low);
        p->low--;
        return at - 1;
    }
    copy(c, at + 1, c, at, p->high - at);
    p->high++;
    return at;
}

static inline void put(struct rf_roll *roll, struct rf_roll_part *p, int32_t at,
                       const struct rf_roll_entry *entry)
{
    at = open_at(p, at);
    p->chunk->entries[at] = *entry;
    if (at == p->low) {
        p->first_time_us = entry->time_us;
        p->first_job = entry->job;
    }
    rf_roll_count_in(roll, p, entry);
}

/* The key comes after every entry. */
static enum rf_status append(struct rf_roll *roll, const struct rf_roll_entry *entry,
                             struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (roll->begin == roll->end || roll->parts[roll->end - 1].high == RF_ROLL_CHUNK)
        st = insert_part(roll, roll->end - roll->begin, err);
    if (st == RF_OK)
        put(roll, &roll->parts[roll->end - 1], roll->parts[roll->end - 1].high, entry);
    return st;
}

enum rf_status rf_roll_insert(struct rf_roll *roll, const struct rf_roll_entry *entry,
                              struct rf_error *err)
{
    const struct rf_roll_part *last;
    enum rf_status st = RF_OK;
    int32_t part;

    if (roll->count == 0)
        return append(roll, entry, err);
    last = &roll->parts[roll->end - 1];
    if (rf_roll_before(roll, &last->chunk->entries[last->high - 1], entry))
        return append(roll, entry, err);
    part = part_of(roll, entry->time_us, entry->job);
    if (roll->parts[part].high - roll->parts[part].low == RF_ROLL_CHUNK) {
        st = split(roll, part, err);
        part = part_of(roll, entry->time_us, entry->job);
    }
    if (st == RF_OK)
        put(roll, &roll->parts[part],
            rank_in(roll, &roll->parts[part], entry->time_us, entry->job), entry);
    return st;
}

static void merge(struct rf_roll *roll, int32_t part)
{
    struct rf_roll_part *p = &roll->parts[part];
    int32_t n = p->high - p->low, more = p[1].high - p[1].low;

    copy(p->chunk, 0, p->chunk, p->low, n);
    copy(p->chunk, n, p[1].chunk, p[1].low, more);
    p->low = 0;
    p->high = n + more;
    measure(p);
    delete_part(roll, part + 1);
    measure_group(roll, part / RF_ROLL_GROUP);
}

/* Closes the gap: the shorter side moves. Returns where the next entry is. */
static inline int32_t close_at(struct rf_roll_part *p, int32_t at)
{
    struct rf_roll_chunk *c = p->chunk;

    if (at - p->low < p->high - at) {
        copy(c, p->low + 1, c, p->low, at - p->low);
        p->low++;
        return at + 1;
    }
    p->high--;
    copy(c, at, c, at + 1, p->high - at);
    return at;
}

static inline void cut(struct rf_roll *roll, struct rf_roll_place *place)
{
    struct rf_roll_part *p = &roll->parts[place->part];
    int32_t need = p->chunk->entries[place->at].need, rank = place->at - p->low;

    assert(place->part >= roll->begin && place->part < roll->end && rank >= 0 &&
           place->at < p->high);
    p->sum -= need;
    roll->sum -= need;
    roll->count--;
    place->at = close_at(p, place->at);
    if (p->low == p->high) {
        int32_t next = place->part + (place->part == roll->begin);

        delete_part(roll, place->part);
        *place = (struct rf_roll_place){next, next < roll->end ? roll->parts[next].low : 0};
        return;
    }
    p->first_time_us = p->chunk->entries[p->low].time_us;
    p->first_job = p->chunk->entries[p->low].job;
    if (p->high - p->low <= FEW && place->part + 1 < roll->end &&
        p->high - p->low + p[1].high - p[1].low <= MERGED) {
        merge(roll, place->part);
        place->at = rank;
    } else if (place->at == p->high) {
        place->part++;
        place->at = place->part < roll->end ? roll->parts[place->part].low : 0;
    }
}

void rf_roll_cut(struct rf_roll *roll, struct rf_roll_place *place)
{
    cut(roll, place);
}

int rf_roll_drop(struct rf_roll *roll, int64_t time_us, int32_t job)
{
    struct rf_roll_place place;
    const struct rf_roll_part *p;
    const struct rf_roll_entry *e;

    if (roll->count == 0)
        return 0;
    place.part = part_of(roll, time_us, job);
    p = &roll->parts[place.part];
    place.at = rank_in(roll, p, time_us, job);
    e = &p->chunk->entries[place.at];
    if (place.at == p->high || e->job != job || (roll->by_time && e->time_us != time_us))
        return 0;
    cut(roll, &place);
    return 1;
}

/* ---- looking ---- */

int rf_roll_seek(const struct rf_roll *roll, int64_t time_us, int32_t job,
                 struct rf_roll_place *place)
{
    const struct rf_roll_part *p;
    int32_t part, at;

    if (roll->count == 0)
        return 0;
    part = part_of(roll, time_us, job);
    p = &roll->parts[part];
    at = rank_in(roll, p, time_us, job);
    *place = (struct rf_roll_place){part, at};
    return at < p->high && p->chunk->entries[at].job == job &&
           (!roll->by_time || p->chunk->entries[at].time_us == time_us);
}

struct rf_roll_place rf_roll_behind(const struct rf_roll *roll, int64_t time_us, int32_t job)
{
    struct rf_roll_place place = rf_roll_start(roll);

    if (roll->count == 0)
        return place;
    if (rf_roll_seek(roll, time_us, job, &place))
        return rf_roll_next(roll, place);
    if (place.at == roll->parts[place.part].high && ++place.part < roll->end)
        place.at = roll->parts[place.part].low;
    return place;
}

int rf_roll_find(struct rf_roll *roll, struct rf_roll_place *place, int32_t room,
                 int64_t window_us, int32_t extra)
{
    int32_t from = place->at;
    int all = place->part == roll->begin && window_us == INT64_MAX &&
              (roll->count == 0 || from == roll->parts[roll->begin].low);
    int32_t first = roll->least_need <= room ? place->part : roll->end;

    for (int32_t part = first; part < roll->end; part++, from = 0) {
        struct rf_roll_part *p = &roll->parts[part];
        const struct rf_roll_entry *e = p->chunk->entries;

        if (part % RF_ROLL_GROUP == 0 && roll->end > RF_ROLL_GROUP) {
            const struct rf_roll_group *g = &roll->groups[part / RF_ROLL_GROUP];

            if (g->least_need > room ||
                (g->least_time_us > window_us && g->least_need > extra)) {
                part += RF_ROLL_GROUP - 1;
                continue;
            }
        }
        if (p->least_need > room || (p->least_time_us > window_us && p->least_need > extra))
            continue;
        for (int32_t at = from > p->low ? from : p->low; at < p->high; at++)
            if (e[at].need <= room && (e[at].time_us <= window_us || e[at].need <= extra)) {
                *place = (struct rf_roll_place){part, at};
                return 1;
            }
        if (from <= p->low) {
            measure(p);
            if (part % RF_ROLL_GROUP == RF_ROLL_GROUP - 1)
                measure_group(roll, part / RF_ROLL_GROUP);
        }
    }
    *place = (struct rf_roll_place){roll->end, 0};
    if (all && roll->least_need <= room)
        roll->least_need = room < INT32_MAX ? room + 1 : room;
    return 0;
}

int64_t rf_roll_reach(const struct rf_roll *roll, int64_t have, int64_t need, int64_t *sum)
{
    struct rf_roll_place place = rf_roll_start(roll);
    struct rf_roll_entry e;
    int64_t time_us = INT64_MAX;

    assert(roll->by_time);
    *sum = have;
    if (have >= need)
        return INT64_MIN;
    while (place.part < roll->end && have + roll->parts[place.part].sum < need)
        have += roll->parts[place.part++].sum;
    if (place.part < roll->end)
        place.at = roll->parts[place.part].low;
    for (; rf_roll_at(roll, place, &e); place = rf_roll_next(roll, place)) {
        if (have >= need && e.time_us != time_us)
            break;
        time_us = e.time_us;
        have += e.need;
    }
    *sum = have;
    return have >= need ? time_us : INT64_MAX;
}
