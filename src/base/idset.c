#include "base/idset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rf_idset_clear(struct rf_idset *set)
{
    free(set->ranges);
    *set = (struct rf_idset){0};
}

static enum rf_status grow(struct rf_idset *set, int32_t want, struct rf_error *err)
{
    struct rf_idrange *more;

    if (want <= set->capacity)
        return RF_OK;
    want = want < 8 ? 8 : want * 2;
    more = realloc(set->ranges, (size_t)want * sizeof *more);
    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a set of %d ranges", want);
    set->ranges = more;
    set->capacity = want;
    return RF_OK;
}

enum rf_status rf_idset_copy(struct rf_idset *to, const struct rf_idset *from,
                             struct rf_error *err)
{
    enum rf_status st = grow(to, from->nranges, err);

    if (st != RF_OK)
        return st;
    if (from->nranges > 0)
        memcpy(to->ranges, from->ranges, (size_t)from->nranges * sizeof *to->ranges);
    to->nranges = from->nranges;
    return RF_OK;
}

int32_t rf_idset_count(const struct rf_idset *set)
{
    int32_t count = 0;

    for (int32_t i = 0; i < set->nranges; i++)
        count += set->ranges[i].end - set->ranges[i].begin;
    return count;
}

/* The first range that ends after id. */
static int32_t find(const struct rf_idset *set, int32_t id)
{
    int32_t lo = 0, hi = set->nranges;

    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;

        if (set->ranges[mid].end <= id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int rf_idset_has(const struct rf_idset *set, int32_t id)
{
    int32_t i = find(set, id);

    return i < set->nranges && set->ranges[i].begin <= id;
}

int32_t rf_idset_at(const struct rf_idset *set, int32_t k)
{
    for (int32_t i = 0; i < set->nranges; i++) {
        int32_t n = set->ranges[i].end - set->ranges[i].begin;

        if (k < n)
            return set->ranges[i].begin + k;
        k -= n;
    }
    return -1;
}

enum rf_status rf_idset_add(struct rf_idset *set, int32_t begin, int32_t end,
                            struct rf_error *err)
{
    int32_t i = find(set, begin);
    int joins_left, joins_right;
    enum rf_status st;

    if (begin < 0 || end <= begin)
        return rf_fail(err, RF_ERR_ARG, "not a range of ids: %d-%d", begin, end - 1);
    if (i < set->nranges && set->ranges[i].begin < end)
        return rf_fail(err, RF_ERR_ARG, "id %d is in the set already",
                       set->ranges[i].begin > begin ? set->ranges[i].begin : begin);
    joins_left = i > 0 && set->ranges[i - 1].end == begin;
    joins_right = i < set->nranges && set->ranges[i].begin == end;
    if (joins_left && joins_right) {
        set->ranges[i - 1].end = set->ranges[i].end;
        set->nranges--;
        memmove(&set->ranges[i], &set->ranges[i + 1],
                (size_t)(set->nranges - i) * sizeof *set->ranges);
    } else if (joins_left) {
        set->ranges[i - 1].end = end;
    } else if (joins_right) {
        set->ranges[i].begin = begin;
    } else {
        st = grow(set, set->nranges + 1, err);
        if (st != RF_OK)
            return st;
        memmove(&set->ranges[i + 1], &set->ranges[i],
                (size_t)(set->nranges - i) * sizeof *set->ranges);
        set->ranges[i] = (struct rf_idrange){begin, end};
        set->nranges++;
    }
    return RF_OK;
}

enum rf_status rf_idset_add_set(struct rf_idset *to, const struct rf_idset *what,
                                struct rf_error *err)
{
    enum rf_status st = grow(to, to->nranges + what->nranges, err);

    for (int32_t i = 0; st == RF_OK && i < what->nranges; i++) {
        int32_t j = find(to, what->ranges[i].begin);

        if (j < to->nranges && to->ranges[j].begin < what->ranges[i].end)
            st = rf_fail(err, RF_ERR_ARG, "the sets share ids from %d on", to->ranges[j].begin);
    }
    for (int32_t i = 0; st == RF_OK && i < what->nranges; i++)
        st = rf_idset_add(to, what->ranges[i].begin, what->ranges[i].end, err);
    return st;
}

static void remove_range(struct rf_idset *set, struct rf_idrange cut)
{
    int32_t i = find(set, cut.begin);
    struct rf_idrange *r = &set->ranges[i];

    if (r->begin == cut.begin && r->end == cut.end) {
        set->nranges--;
        memmove(r, r + 1, (size_t)(set->nranges - i) * sizeof *r);
    } else if (r->begin == cut.begin) {
        r->begin = cut.end;
    } else if (r->end == cut.end) {
        r->end = cut.begin;
    } else {
        memmove(r + 1, r, (size_t)(set->nranges - i) * sizeof *r);
        r[0].end = cut.begin;
        r[1].begin = cut.end;
        set->nranges++;
    }
}

enum rf_status rf_idset_remove_set(struct rf_idset *to, const struct rf_idset *what,
                                   struct rf_error *err)
{
    enum rf_status st = grow(to, to->nranges + what->nranges, err);

    for (int32_t i = 0; st == RF_OK && i < what->nranges; i++) {
        int32_t j = find(to, what->ranges[i].begin);

        if (j == to->nranges || to->ranges[j].begin > what->ranges[i].begin ||
            to->ranges[j].end < what->ranges[i].end)
            st = rf_fail(err, RF_ERR_ARG, "ids %d-%d are not all in the set",
                         what->ranges[i].begin, what->ranges[i].end - 1);
    }
    for (int32_t i = 0; st == RF_OK && i < what->nranges; i++)
        remove_range(to, what->ranges[i]);
    return st;
}

enum rf_status rf_idset_take(struct rf_idset *from, int32_t count, struct rf_idset *taken,
                             struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int32_t have = rf_idset_count(from), left = count;

    if (count > have)
        return rf_fail(err, RF_ERR_FULL, "%d ids asked for, %d are free", count, have);
    for (int32_t i = 0; st == RF_OK && left > 0; i++) {
        int32_t begin = from->ranges[i].begin, n = from->ranges[i].end - begin;

        n = n < left ? n : left;
        st = rf_idset_add(taken, begin, begin + n, err);
        left -= n;
    }
    if (st == RF_OK)
        st = rf_idset_remove_set(from, taken, err);
    if (st != RF_OK)
        rf_idset_clear(taken);
    return st;
}

size_t rf_idset_format(const struct rf_idset *set, char *buf, size_t size)
{
    size_t used = 0;

    if (size > 0)
        buf[0] = '\0';
    for (int32_t i = 0; i < set->nranges; i++) {
        const struct rf_idrange *r = &set->ranges[i];
        char piece[32];
        int n =
            r->end - r->begin == 1
                ? snprintf(piece, sizeof piece, "%s%d", i ? "," : "", r->begin)
                : snprintf(piece, sizeof piece, "%s%d-%d", i ? "," : "", r->begin, r->end - 1);

        if (used + (size_t)n < size)
            memcpy(buf + used, piece, (size_t)n + 1);
        used += (size_t)n;
    }
    return used;
}

/* A decimal without sign or leading zeros; NULL when there is none. */
static const char *read_id(const char *p, int32_t *id)
{
    int64_t value = 0;
    const char *start = p;

    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (*p - '0');
        if (value > INT32_MAX - 1)
            return NULL;
    }
    if (p == start || (*start == '0' && p - start > 1))
        return NULL;
    *id = (int32_t)value;
    return p;
}

enum rf_status rf_idset_parse(struct rf_idset *set, const char *text, struct rf_error *err)
{
    const char *p = text;
    int32_t last = -2;
    enum rf_status st = RF_OK;

    while (st == RF_OK && *p != '\0') {
        int32_t begin = 0, end = 0;

        if (p != text && *p != ',')
            break;
        p += p != text;
        p = read_id(p, &begin);
        end = begin;
        if (p != NULL && *p == '-') {
            p = read_id(p + 1, &end);
            if (p != NULL && end <= begin)
                p = NULL;
        }
        if (p != NULL && begin <= last + 1)
            p = NULL;
        if (p == NULL)
            break;
        st = rf_idset_add(set, begin, end + 1, err);
        last = end;
    }
    if (st == RF_OK && (p == NULL || *p != '\0' || (p != text && p[-1] == ',')))
        st = rf_fail(err, RF_ERR_INPUT, "not a set of ids: '%.80s'", text);
    if (st != RF_OK)
        rf_idset_clear(set);
    return st;
}
