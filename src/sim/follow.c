#include "sim/follow.h"

#include <math.h>

/* A walk over the stretches in which the fleet keeps its size. */
struct walk {
    const struct rf_world *world;
    int64_t next; /* change to come */
    int64_t devices, at_start;
    int64_t begin_us, end_us; /* the stretch by the clock; end INT64_MAX: it is the last */
    double fleet_us;          /* fleet time at its begin */
};

static int resizes(const struct rf_change *change)
{
    return change->kind == RF_CHANGE_JOINED || change->kind == RF_CHANGE_LEFT;
}

/* Moves `end_us` to the next change of size. */
static void find_end(struct walk *w)
{
    const struct rf_world *world = w->world;

    while (w->next < world->nchanges && !resizes(&world->changes[w->next]))
        w->next++;
    w->end_us = w->next < world->nchanges ? world->changes[w->next].t_us : INT64_MAX;
}

static struct walk walk_begin(const struct rf_world *world, int32_t devices)
{
    struct walk w = {.world = world, .devices = devices, .at_start = devices};

    find_end(&w);
    return w;
}

static double speed(const struct walk *w)
{
    return (double)w->devices / (double)w->at_start;
}

/* Goes on to the next stretch; there is one. */
static void walk_on(struct walk *w)
{
    const struct rf_change *change = &w->world->changes[w->next++];
    int64_t n = change->end - change->begin;

    w->fleet_us += (double)(w->end_us - w->begin_us) * speed(w);
    w->begin_us = w->end_us;
    w->devices += change->kind == RF_CHANGE_JOINED ? n : -n;
    find_end(w);
}

enum rf_status rf_follow_fleet_time(const struct rf_world *world, int32_t devices, int64_t t_us,
                                    int64_t *fleet_us, struct rf_error *err)
{
    struct walk w = walk_begin(world, devices);
    double at;

    while (w.end_us < t_us)
        walk_on(&w);
    at = w.fleet_us + (double)(t_us - w.begin_us) * speed(&w);
    if (at > 1e18)
        return rf_fail(err, RF_ERR_CONFIG, "the fleet grows too much for jobs to follow it");
    *fleet_us = (int64_t)llround(at);
    return RF_OK;
}

void rf_follow(struct rf_workload *workload, const struct rf_world *world, int32_t devices)
{
    struct walk w = walk_begin(world, devices);

    for (int64_t i = 0; i < workload->n; i++) {
        double at = (double)workload->submit_us[i];
        int64_t t_us;

        while (w.end_us != INT64_MAX &&
               at >= w.fleet_us + (double)(w.end_us - w.begin_us) * speed(&w))
            walk_on(&w);
        t_us = w.begin_us + (int64_t)llround((at - w.fleet_us) / speed(&w));
        /* rounding must not turn the order of two jobs around */
        workload->submit_us[i] =
            i > 0 && t_us < workload->submit_us[i - 1] ? workload->submit_us[i - 1] : t_us;
    }
}
