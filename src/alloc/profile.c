#include "alloc/profile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where a step is. */
struct place {
    int32_t part, at;
};

void rf_profile_clear(struct rf_profile *p)
{
    for (int32_t i = p->begin; i < p->end; i++)
        free(p->parts[i].chunk);
    for (int32_t i = 0; i < p->nspare; i++)
        free(p->spare[i]);
    free(p->parts);
    free(p->spare);
    *p = (struct rf_profile){0};
}

/* ---- parts ---- */

/* Room for two more parts, and chunks for them. */
static enum rf_status make_room(struct rf_profile *p, struct rf_error *err)
{
    int32_t used = p->end - p->begin, room = p->room + p->room / 2 + 16;
    struct rf_profile_part *parts;
    struct rf_profile_chunk **spare;

    if (p->end + 2 > p->room && p->begin > p->room / 2) {
        memmove(p->parts, p->parts + p->begin, (size_t)used * sizeof *p->parts);
        p->begin = 0;
        p->end = used;
    }
    if (p->end + 2 > p->room) {
        parts = realloc(p->parts, (size_t)room * sizeof *parts);
        if (parts != NULL)
            p->parts = parts;
        spare = realloc(p->spare, ((size_t)room + 2) * sizeof *spare);
        if (spare != NULL)
            p->spare = spare;
        if (parts == NULL || spare == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan in %d parts", used);
        p->room = room;
    }
    while (p->nspare < 2) {
        p->spare[p->nspare] = malloc(sizeof **p->spare);
        if (p->spare[p->nspare] == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan in %d parts", used);
        p->nspare++;
    }
    return RF_OK;
}

static struct rf_profile_part *insert_part(struct rf_profile *p, int32_t at)
{
    memmove(p->parts + at + 1, p->parts + at, (size_t)(p->end - at) * sizeof *p->parts);
    p->end++;
    p->parts[at] = (struct rf_profile_part){.chunk = p->spare[--p->nspare]};
    return &p->parts[at];
}

/* There is room among the spare ones: they are at most as many as there ever were parts. */
static void delete_part(struct rf_profile *p, int32_t at)
{
    p->spare[p->nspare++] = p->parts[at].chunk;
    if (at == p->begin) {
        p->begin++;
        return;
    }
    p->end--;
    memmove(p->parts + at, p->parts + at + 1, (size_t)(p->end - at) * sizeof *p->parts);
}

static void measure(struct rf_profile_part *q)
{
    int64_t least = INT64_MAX, most = INT64_MIN;

    for (int32_t i = q->low; i < q->high; i++) {
        least = q->chunk->free[i] < least ? q->chunk->free[i] : least;
        most = q->chunk->free[i] > most ? q->chunk->free[i] : most;
    }
    q->least = least + q->added;
    q->most = most + q->added;
    q->first_us = q->chunk->time_us[q->low];
}

enum rf_status rf_profile_start(struct rf_profile *p, int64_t now_us, int64_t free,
                                struct rf_error *err)
{
    enum rf_status st;
    struct rf_profile_part *q;

    while (p->end > p->begin)
        p->spare[p->nspare++] = p->parts[--p->end].chunk;
    p->begin = p->end = 0;
    st = make_room(p, err);
    if (st != RF_OK)
        return st;
    q = insert_part(p, 0);
    q->high = 1;
    q->chunk->time_us[0] = now_us;
    q->chunk->free[0] = free;
    measure(q);
    return RF_OK;
}

/* The step that holds at t_us; the first one for times before it. "Now" is asked for most; other
 * times follow no pattern, so their search has no branch to guess. */
static struct place find(const struct rf_profile *p, int64_t t_us)
{
    int32_t part = p->begin, n = p->end - p->begin, at;
    const struct rf_profile_part *q;

    if (n > 1 && p->parts[part + 1].first_us > t_us)
        n = 1;
    for (; n > 1; n -= n / 2)
        part = p->parts[part + n / 2].first_us <= t_us ? part + n / 2 : part;
    q = &p->parts[part];
    at = q->low;
    n = q->high - q->low;
    if (n > 1 && q->chunk->time_us[at + 1] > t_us)
        n = 1;
    for (; n > 1; n -= n / 2)
        at = q->chunk->time_us[at + n / 2] <= t_us ? at + n / 2 : at;
    return (struct place){part, at};
}

void rf_profile_advance(struct rf_profile *p, int64_t now_us)
{
    struct place at = find(p, now_us);
    struct rf_profile_part *q = &p->parts[at.part];

    while (p->begin < at.part)
        delete_part(p, p->begin);
    q->low = at.at; /* least and most stay bounds */
    if (q->chunk->time_us[at.at] < now_us)
        q->chunk->time_us[at.at] = now_us;
    q->first_us = q->chunk->time_us[at.at];
}

/* ---- adding ---- */

static void copy(struct rf_profile_chunk *to, int32_t at, const struct rf_profile_chunk *from,
                 int32_t first, int32_t n)
{
    memmove(to->time_us + at, from->time_us + first, (size_t)n * sizeof *to->time_us);
    memmove(to->free + at, from->free + first, (size_t)n * sizeof *to->free);
}

/* Room for one more step in the part of `at`, which may get into the next part by that. */
static struct place widen(struct rf_profile *p, struct place at)
{
    struct rf_profile_part *q = &p->parts[at.part], *r;
    int32_t half;

    if (q->high < RF_PROFILE_CHUNK)
        return at;
    if (q->low > RF_PROFILE_CHUNK / 4) {
        copy(q->chunk, 0, q->chunk, q->low, q->high - q->low);
        at.at -= q->low;
        q->high -= q->low;
        q->low = 0;
        return at;
    }
    r = insert_part(p, at.part + 1);
    q = r - 1;
    half = (q->low + q->high) / 2;
    copy(r->chunk, 0, q->chunk, half, q->high - half);
    r->high = q->high - half;
    r->added = q->added;
    q->high = half;
    measure(q);
    measure(r);
    return at.at < half ? at : (struct place){at.part + 1, at.at - half};
}

/* A step that begins at t_us exactly, where `at` is the one that holds then. */
static struct place cut(struct rf_profile *p, struct place at, int64_t t_us)
{
    struct rf_profile_part *q;

    if (p->parts[at.part].chunk->time_us[at.at] == t_us)
        return at;
    at = widen(p, at);
    q = &p->parts[at.part];
    at.at++;
    copy(q->chunk, at.at + 1, q->chunk, at.at, q->high - at.at);
    q->chunk->time_us[at.at] = t_us;
    q->chunk->free[at.at] = q->chunk->free[at.at - 1];
    q->high++;
    return at;
}

/* A step that says what the one before it says is none. */
static void heal(struct rf_profile *p, struct place at)
{
    struct rf_profile_part *q = &p->parts[at.part];
    int64_t here, before;

    if (at.part >= p->end || (at.part == p->begin && at.at == q->low))
        return;
    here = q->chunk->free[at.at] + q->added;
    if (at.at > q->low)
        before = q->chunk->free[at.at - 1] + q->added;
    else
        before = q[-1].chunk->free[q[-1].high - 1] + q[-1].added;
    if (here != before)
        return;
    q->high--;
    copy(q->chunk, at.at, q->chunk, at.at + 1, q->high - at.at);
    if (q->low == q->high)
        delete_part(p, at.part);
    else
        q->first_us = q->chunk->time_us[q->low];
}

/* All steps from `from` up to, not including, `to`. */
static void add_between(struct rf_profile *p, struct place from, struct place to,
                        int64_t devices)
{
    for (int32_t i = from.part; i < p->end && i <= to.part; i++) {
        struct rf_profile_part *q = &p->parts[i];
        int32_t low = i == from.part ? from.at : q->low;
        int32_t high = i == to.part ? to.at : q->high;

        if (low == q->low && high == q->high) {
            q->added += devices;
            q->least += devices;
            q->most += devices;
            continue;
        }
        if (low >= high)
            continue;
        for (int32_t k = low; k < high; k++)
            q->chunk->free[k] += devices;
        measure(q);
    }
}

enum rf_status rf_profile_add(struct rf_profile *p, int64_t begin_us, int64_t end_us,
                              int64_t devices, struct rf_error *err)
{
    struct place from, to = {INT32_MAX, 0};
    enum rf_status st;
    int32_t nparts;

    assert(p->end > p->begin);
    if (begin_us < p->parts[p->begin].first_us)
        begin_us = p->parts[p->begin].first_us;
    if (begin_us >= end_us || devices == 0)
        return RF_OK;
    st = make_room(p, err);
    if (st != RF_OK)
        return st;
    from = cut(p, find(p, begin_us), begin_us);
    if (end_us != INT64_MAX) {
        nparts = p->end;
        to = cut(p, find(p, end_us), end_us);
        if (p->end != nparts || to.part == from.part) /* `from` may have moved */
            from = find(p, begin_us);
    }
    add_between(p, from, to, devices);
    heal(p, to);
    heal(p, from);
    return RF_OK;
}

enum rf_status rf_profile_extend(struct rf_profile *p, int64_t t_us, int64_t devices,
                                 struct rf_error *err)
{
    struct rf_profile_part *q = &p->parts[p->end - 1];
    int64_t free = q->chunk->free[q->high - 1] + devices;

    assert(t_us >= q->chunk->time_us[q->high - 1]);
    if (t_us > q->chunk->time_us[q->high - 1] && q->high == RF_PROFILE_CHUNK) {
        enum rf_status st = make_room(p, err);

        if (st != RF_OK)
            return st;
        free += p->parts[p->end - 1].added;
        q = insert_part(p, p->end);
        q->first_us = t_us;
        q->least = q->most = free;
    }
    if (q->high == q->low || t_us > q->chunk->time_us[q->high - 1])
        q->high++;
    q->chunk->time_us[q->high - 1] = t_us;
    q->chunk->free[q->high - 1] = free;
    free += q->added;
    q->least = free < q->least ? free : q->least;
    q->most = free > q->most ? free : q->most;
    return RF_OK;
}

/* ---- looking ---- */

static int64_t plus(int64_t t_us, int64_t length_us)
{
    return length_us > INT64_MAX - t_us ? INT64_MAX : t_us + length_us;
}

int64_t rf_profile_at(const struct rf_profile *p, int64_t t_us)
{
    struct place at = find(p, t_us);

    return p->parts[at.part].chunk->free[at.at] + p->parts[at.part].added;
}

int64_t rf_profile_until(const struct rf_profile *p, int64_t t_us, int64_t need)
{
    struct place at = find(p, t_us);

    for (int32_t i = at.part; i < p->end; i++) {
        const struct rf_profile_part *q = &p->parts[i];

        if (q->least >= need)
            continue;
        for (int32_t k = i == at.part ? at.at : q->low; k < q->high; k++)
            if (q->chunk->free[k] + q->added < need)
                return q->chunk->time_us[k] > t_us ? q->chunk->time_us[k] : t_us;
    }
    return INT64_MAX;
}

int rf_profile_fits(const struct rf_profile *p, int64_t t_us, int64_t length_us, int64_t need)
{
    struct place at = find(p, t_us);
    int64_t end_us = plus(t_us, length_us);

    for (int32_t i = at.part; i < p->end && p->parts[i].first_us < end_us; i++) {
        const struct rf_profile_part *q = &p->parts[i];

        if (q->least >= need)
            continue;
        for (int32_t k = i == at.part ? at.at : q->low;
             k < q->high && q->chunk->time_us[k] < end_us; k++)
            if (q->chunk->free[k] + q->added < need)
                return 0;
    }
    return 1;
}

/* Looking for a stretch of length_us. */
struct search {
    int64_t from_us, length_us, need;
    int64_t before_us;        /* it has to begin before */
    int64_t known_us;         /* from here on everything is free to the one who asks */
    int64_t start_us, end_us; /* the stretch that is being tried; start INT64_MAX: none */
};

/* Has the search come to its end, one way or the other, at a step that begins at t_us? */
static inline int done(const struct search *s, int64_t t_us)
{
    return s->start_us == INT64_MAX ? t_us >= s->before_us
                                    : t_us >= s->end_us || t_us >= s->known_us;
}

/* Tries the steps of one part, from `low` on. */
static int try_part(const struct rf_profile_part *q, int32_t low, struct search *s)
{
    int64_t need = s->need - q->added;

    for (int32_t k = low; k < q->high; k++) {
        int64_t t_us = q->chunk->time_us[k] > s->from_us ? q->chunk->time_us[k] : s->from_us;

        if (done(s, t_us))
            return 1;
        if (q->chunk->free[k] < need) {
            s->start_us = INT64_MAX;
        } else if (s->start_us == INT64_MAX) {
            s->start_us = t_us;
            s->end_us = plus(t_us, s->length_us);
        }
    }
    return 0;
}

static int64_t search(const struct rf_profile *p, struct search s)
{
    struct place at = find(p, s.from_us);

    s.start_us = INT64_MAX;
    for (int32_t i = at.part; i < p->end; i++) {
        const struct rf_profile_part *q = &p->parts[i];

        if (i > at.part && done(&s, q->first_us))
            return s.start_us;
        if (s.start_us == INT64_MAX ? q->most < s.need : q->least >= s.need) {
            s.start_us = q->most < s.need ? INT64_MAX : s.start_us;
            continue;
        }
        if (try_part(q, i == at.part ? at.at : q->low, &s))
            return s.start_us;
    }
    return s.start_us;
}

int64_t rf_profile_earliest(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                            int64_t need, int64_t before_us)
{
    return search(p, (struct search){.from_us = from_us,
                                     .length_us = length_us,
                                     .need = need,
                                     .before_us = before_us,
                                     .known_us = INT64_MAX});
}

int64_t rf_profile_earlier(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                           int64_t need, int64_t own_us)
{
    int64_t start_us = search(p, (struct search){.from_us = from_us,
                                                 .length_us = length_us,
                                                 .need = need,
                                                 .before_us = own_us,
                                                 .known_us = own_us});

    return start_us < own_us ? start_us : own_us;
}

int64_t rf_profile_most(const struct rf_profile *p, int64_t before_us)
{
    int64_t most = INT64_MIN;

    for (int32_t i = p->begin; i < p->end && p->parts[i].first_us < before_us; i++)
        most = p->parts[i].most > most ? p->parts[i].most : most;
    return most;
}
