#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "sim/world_parts.h"

void rf_world_clear(struct rf_world *world)
{
    free(world->changes);
    free(world->pledges);
    free(world->policies);
    free(world->holds);
    free(world->records);
    *world = (struct rf_world){0};
}

enum rf_status rf_world_add(struct rf_world_maker *m, int64_t t_us, enum rf_change_kind kind,
                            int32_t begin, int32_t end, int32_t index)
{
    struct rf_world *w = m->world;

    if (t_us >= m->until_us)
        return RF_OK;
    if (w->nchanges >= RF_WORLD_MAX_CHANGES)
        return rf_fail(
            m->err, RF_ERR_CONFIG,
            "the world changes more than %d times; are the times of failures, growth "
            "and outages what they were meant to be?",
            RF_WORLD_MAX_CHANGES);
    if (w->nchanges == m->room) {
        int64_t room = m->room > 0 ? 2 * m->room : 256;
        struct rf_change *changes = realloc(w->changes, (size_t)room * sizeof *changes);

        if (changes == NULL)
            return rf_fail(m->err, RF_ERR_MEMORY, "out of memory for what changes");
        w->changes = changes;
        m->room = room;
    }
    w->changes[w->nchanges++] = (struct rf_change){t_us, kind, begin, end, index};
    w->by_id |=
        kind == RF_CHANGE_FAILED || kind == RF_CHANGE_MAINTENANCE || kind == RF_CHANGE_LEFT;
    return RF_OK;
}

static int by_time(const void *one, const void *other)
{
    const struct rf_change *a = one, *b = other;

    if (a->t_us != b->t_us)
        return a->t_us < b->t_us ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void rf_world_sort(struct rf_world *world)
{
    if (world->nchanges > 0)
        qsort(world->changes, (size_t)world->nchanges, sizeof *world->changes, by_time);
}

enum rf_status rf_scenario_world(const struct rf_scenario *scenario, int64_t until_us,
                                 struct rf_world *world, struct rf_error *err)
{
    struct rf_world_maker maker = {
        .scenario = scenario, .until_us = until_us, .world = world, .err = err};
    enum rf_status st;

    *world = (struct rf_world){0};
    st = rf_world_make_promises(&maker);
    if (st == RF_OK)
        st = rf_world_make_fleet(&maker);
    if (st == RF_OK)
        rf_world_sort(world);
    if (st != RF_OK)
        rf_world_clear(world);
    return st;
}
