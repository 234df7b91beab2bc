#include "alloc/profile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void rf_profile_clear(struct rf_profile *p)
{
    free(p->time_us);
    free(p->free);
    *p = (struct rf_profile){0};
}

static enum rf_status make_room(struct rf_profile *p, struct rf_error *err)
{
    int32_t used = p->end - p->begin, room = p->room + p->room / 2 + 64;
    int64_t *time_us, *left;

    if (p->end + 2 <= p->room)
        return RF_OK;
    if (p->begin > p->room / 2) {
        memmove(p->time_us, p->time_us + p->begin, (size_t)used * sizeof *p->time_us);
        memmove(p->free, p->free + p->begin, (size_t)used * sizeof *p->free);
        p->begin = 0;
        p->end = used;
        return RF_OK;
    }
    time_us = realloc(p->time_us, (size_t)room * sizeof *time_us);
    if (time_us != NULL)
        p->time_us = time_us;
    left = realloc(p->free, (size_t)room * sizeof *left);
    if (left != NULL)
        p->free = left;
    if (time_us == NULL || left == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a plan with %d steps", used);
    p->room = room;
    return RF_OK;
}

enum rf_status rf_profile_start(struct rf_profile *p, int64_t now_us, int64_t free,
                                struct rf_error *err)
{
    enum rf_status st;

    p->begin = p->end = 0;
    st = make_room(p, err);
    if (st != RF_OK)
        return st;
    p->time_us[0] = now_us;
    p->free[0] = free;
    p->end = 1;
    return RF_OK;
}

/* The step that holds at t_us; the first one for times before it. */
static int32_t step_at(const struct rf_profile *p, int64_t t_us)
{
    int32_t low = p->begin, high = p->end;

    if (high - low > 1 && p->time_us[low + 1] > t_us) /* "now" is what is asked for most */
        return low;
    while (high - low > 1) {
        int32_t mid = low + (high - low) / 2;

        if (p->time_us[mid] <= t_us)
            low = mid;
        else
            high = mid;
    }
    return low;
}

void rf_profile_advance(struct rf_profile *p, int64_t now_us)
{
    p->begin = step_at(p, now_us);
    if (p->time_us[p->begin] < now_us)
        p->time_us[p->begin] = now_us;
}

/* A step that begins at t_us exactly. There must be room for one more. */
static int32_t cut(struct rf_profile *p, int64_t t_us)
{
    int32_t i = step_at(p, t_us);

    if (p->time_us[i] == t_us)
        return i;
    i++;
    memmove(p->time_us + i + 1, p->time_us + i, (size_t)(p->end - i) * sizeof *p->time_us);
    memmove(p->free + i + 1, p->free + i, (size_t)(p->end - i) * sizeof *p->free);
    p->time_us[i] = t_us;
    p->free[i] = p->free[i - 1];
    p->end++;
    return i;
}

/* A step that says what the one before it says is none. */
static void heal(struct rf_profile *p, int32_t i)
{
    if (i <= p->begin || i >= p->end || p->free[i] != p->free[i - 1])
        return;
    p->end--;
    memmove(p->time_us + i, p->time_us + i + 1, (size_t)(p->end - i) * sizeof *p->time_us);
    memmove(p->free + i, p->free + i + 1, (size_t)(p->end - i) * sizeof *p->free);
}

enum rf_status rf_profile_add(struct rf_profile *p, int64_t begin_us, int64_t end_us,
                              int64_t devices, struct rf_error *err)
{
    enum rf_status st;
    int32_t i, last;

    assert(p->end > p->begin);
    if (begin_us < p->time_us[p->begin])
        begin_us = p->time_us[p->begin];
    if (begin_us >= end_us || devices == 0)
        return RF_OK;
    st = make_room(p, err);
    if (st != RF_OK)
        return st;
    i = cut(p, begin_us);
    last = end_us == INT64_MAX ? p->end : cut(p, end_us);
    for (int32_t k = i; k < last; k++)
        p->free[k] += devices;
    heal(p, last);
    heal(p, i);
    return RF_OK;
}

int64_t rf_profile_at(const struct rf_profile *p, int64_t t_us)
{
    return p->free[step_at(p, t_us)];
}

static int64_t plus(int64_t t_us, int64_t length_us)
{
    return length_us > INT64_MAX - t_us ? INT64_MAX : t_us + length_us;
}

int rf_profile_fits(const struct rf_profile *p, int64_t t_us, int64_t length_us, int64_t need)
{
    int64_t end_us = plus(t_us, length_us);

    for (int32_t i = step_at(p, t_us); i < p->end && p->time_us[i] < end_us; i++)
        if (p->free[i] < need)
            return 0;
    return 1;
}

int64_t rf_profile_earliest(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                            int64_t need)
{
    int64_t start_us = INT64_MAX, end_us = 0;

    for (int32_t i = step_at(p, from_us); i < p->end; i++) {
        if (p->free[i] < need) {
            start_us = INT64_MAX;
        } else if (start_us == INT64_MAX) {
            start_us = p->time_us[i] > from_us ? p->time_us[i] : from_us;
            end_us = plus(start_us, length_us);
        }
        if (start_us != INT64_MAX && (i + 1 == p->end || p->time_us[i + 1] >= end_us))
            return start_us;
    }
    return INT64_MAX;
}

int64_t rf_profile_earlier(const struct rf_profile *p, int64_t from_us, int64_t length_us,
                           int64_t need, int64_t own_us)
{
    int64_t start_us = INT64_MAX, end_us = 0;

    for (int32_t i = step_at(p, from_us); i < p->end; i++) {
        int64_t t_us = p->time_us[i] > from_us ? p->time_us[i] : from_us;

        /* own_us and its end are steps: from there on the job's own devices count as free. */
        if (t_us >= own_us)
            return start_us < own_us ? start_us : own_us;
        if (p->free[i] < need) {
            start_us = INT64_MAX;
        } else if (start_us == INT64_MAX) {
            start_us = t_us;
            end_us = plus(start_us, length_us);
        }
        if (start_us != INT64_MAX && (i + 1 == p->end || p->time_us[i + 1] >= end_us))
            return start_us;
    }
    return own_us;
}
