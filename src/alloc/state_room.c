/* Memory of a state: arrays that grow by doubling, names that become numbers. Each
 * rf_room_...() may run out of memory and changes no more than capacities, so that an event
 * that lacks memory is refused with nothing done; each rf_..._make() cannot fail. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/state_rules.h"
#include "base/pages.h"

enum rf_status rf_room_create(struct rf_state *s, struct rf_error *err)
{
    s->room = calloc(1, sizeof *s->room);
    s->reasons = malloc(RF_REASONS_MAX * sizeof *s->reasons);
    if (s->room == NULL || s->reasons == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cluster state");
    memset(s->reasons, 0, RF_REASONS_MAX * sizeof *s->reasons);
    memcpy(s->reasons[RF_REASON_MORE], "see-the-ledger", sizeof "see-the-ledger");
    s->nreasons = RF_REASON_MORE + 1;
    s->room->fits_us = INT64_MAX;
    s->room->hold_end_us = INT64_MAX;
    return RF_OK;
}

void rf_room_destroy(struct rf_state *s)
{
    if (s->room != NULL) {
        for (int32_t i = 0; i < s->room->held; i++)
            rf_idset_clear(&s->held[i]);
        free(s->room->places);
        free(s->room->account_index);
    }
    free(s->held);
    free(s->jobs);
    free(s->extras);
    free(s->reasons);
    free(s->accounts);
    free(s->pledges);
    free(s->holds);
    free(s->room);
}

/* Makes room for `more` items beyond count; the array may move. */
static enum rf_status reserve(void **array, int32_t *room, int32_t count, int32_t more,
                              size_t item, struct rf_error *err)
{
    int64_t want = (int64_t)count + more;
    void *moved;

    if (want <= *room)
        return RF_OK;
    if (want > INT32_MAX)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: more than 2^31 of a kind");
    if (want < 2 * (int64_t)*room)
        want = 2 * (int64_t)*room;
    want = want < 16 ? 16 : want > INT32_MAX ? INT32_MAX : want;
    moved = *array == NULL ? rf_pages_take((size_t)want * item)
                           : realloc(*array, (size_t)want * item);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a cluster state");
    *array = moved;
    *room = (int32_t)want;
    return RF_OK;
}

enum rf_status rf_room_jobs(struct rf_state *s, int32_t more, struct rf_error *err)
{
    void *array = s->jobs;
    enum rf_status st = reserve(&array, &s->room->jobs, s->njobs, more, sizeof *s->jobs, err);

    s->jobs = array;
    return st;
}

enum rf_status rf_room_extra(struct rf_state *s, struct rf_error *err)
{
    void *array = s->extras;
    enum rf_status st =
        reserve(&array, &s->room->extras, s->nextras, 1, sizeof *s->extras, err);

    s->extras = array;
    return st;
}

enum rf_status rf_room_pledge(struct rf_state *s, struct rf_error *err)
{
    void *array = s->pledges;
    enum rf_status st =
        reserve(&array, &s->room->pledges, s->npledges, 1, sizeof *s->pledges, err);

    s->pledges = array;
    return st;
}

enum rf_status rf_room_hold(struct rf_state *s, struct rf_error *err)
{
    void *array = s->holds;
    enum rf_status st = reserve(&array, &s->room->holds, s->nholds, 1, sizeof *s->holds, err);

    s->holds = array;
    return st;
}

/* New places come up lowest first, which keeps the table dense. */
enum rf_status rf_room_place(struct rf_state *s, struct rf_error *err)
{
    struct rf_state_room *room = s->room;
    int32_t old = room->held, held = old, places = old;
    void *sets = s->held, *stack = room->places;
    enum rf_status st = RF_OK;

    if (room->nplaces > 0)
        return RF_OK;
    st = reserve(&stack, &places, old, 1, sizeof *room->places, err);
    room->places = stack;
    if (st == RF_OK)
        st = reserve(&sets, &held, old, 1, sizeof *s->held, err);
    s->held = sets;
    if (st != RF_OK)
        return st;
    room->held = held < places ? held : places;
    memset(&s->held[old], 0, (size_t)(room->held - old) * sizeof *s->held);
    for (int32_t place = room->held - 1; place >= old; place--)
        room->places[room->nplaces++] = place;
    return RF_OK;
}

/* ---- accounts --------------------------------------------------------- */

static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h ^ (h >> 15);
}

/* Where the account of that name is in the index, or the empty slot where it would be. */
static int32_t slot_of(const struct rf_state *s, const char *name)
{
    uint32_t mask = (uint32_t)s->room->account_slots - 1, slot = hash(name) & mask;

    while (s->room->account_index[slot] >= 0 &&
           strcmp(s->accounts[s->room->account_index[slot]].name, name) != 0)
        slot = (slot + 1) & mask;
    return (int32_t)slot;
}

int32_t rf_state_find_account(const struct rf_state *s, const char *name)
{
    return s->room->account_slots == 0 ? -1 : s->room->account_index[slot_of(s, name)];
}

/* An account of n parts may make n accounts. */
enum rf_status rf_room_account(struct rf_state *s, struct rf_error *err)
{
    struct rf_state_room *room = s->room;
    int64_t want = 2 * ((int64_t)s->naccounts + RF_NAME_BYTES / 2), slots = 128;
    void *array = s->accounts;
    int32_t *index;
    enum rf_status st = reserve(&array, &room->accounts, s->naccounts, RF_NAME_BYTES / 2,
                                sizeof *s->accounts, err);

    s->accounts = array;
    if (st != RF_OK || want <= room->account_slots)
        return st;
    while (slots < 2 * want && slots < INT32_MAX / 2)
        slots *= 2;
    index = malloc((size_t)slots * sizeof *index);
    if (index == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: an index of accounts");
    memset(index, -1, (size_t)slots * sizeof *index);
    free(room->account_index);
    room->account_index = index;
    room->account_slots = (int32_t)slots;
    for (int32_t a = 0; a < s->naccounts; a++)
        index[slot_of(s, s->accounts[a].name)] = a;
    return RF_OK;
}

int32_t rf_account_make(struct rf_state *s, const char *name)
{
    int32_t parent = -1;
    char part[RF_NAME_BYTES];

    for (size_t i = 0;; i++) {
        if (name[i] == '.' || name[i] == '\0') {
            int32_t slot;

            part[i] = '\0';
            slot = slot_of(s, part);
            if (s->room->account_index[slot] < 0) {
                assert(s->naccounts < s->room->accounts);
                s->accounts[s->naccounts] = (struct rf_account){.parent = parent};
                memcpy(s->accounts[s->naccounts].name, part, i + 1);
                s->room->account_index[slot] = s->naccounts++;
            }
            parent = s->room->account_index[slot];
        }
        if (name[i] == '\0')
            return parent;
        part[i] = name[i];
    }
}

/* ---- extras and reasons ----------------------------------------------- */

struct rf_job_extra *rf_extra_make(struct rf_state *s, struct rf_job *job)
{
    if (job->extra < 0) {
        assert(s->nextras < s->room->extras);
        job->extra = s->nextras++;
        s->extras[job->extra] = (struct rf_job_extra){.checkpoint_us = -1};
    }
    return &s->extras[job->extra];
}

int rf_reason_find(const struct rf_state *s, const char *reason)
{
    if (reason[0] == '\0')
        return 0;
    for (int32_t i = 1; i < s->nreasons; i++)
        if (s->reasons[i][0] == reason[0] && strcmp(s->reasons[i], reason) == 0)
            return i;
    return -1;
}

uint8_t rf_reason_make(struct rf_state *s, const char *reason)
{
    int found = rf_reason_find(s, reason);

    if (found >= 0)
        return (uint8_t)found;
    if (s->nreasons == RF_REASONS_MAX)
        return RF_REASON_MORE;
    memcpy(s->reasons[s->nreasons], reason, strlen(reason) + 1);
    return (uint8_t)s->nreasons++;
}
