/* Conservative plans, made anew as far as they matter to who starts now.
 *
 * In turn, every waiting job gets the earliest start that the running jobs and the jobs before it
 * leave; those whose start is now are wanted, the rest of the plan is a means. A job that could
 * start now, by the plan so far, starts unless jobs before it take its devices at some time up to
 * its end. So only what happens until then matters, and the plan is made for a window of time:
 *
 * - what is planned so far leaves at least as much free as all plans will. A job that finds no
 *   start in the window starts later, and is passed over;
 * - a job that fits into the window as a whole has its place: jobs that were passed over are not
 *   there;
 * - a job that starts in the window and ends behind it may meet some of those. The window becomes
 *   wider, and they have their turn first, as far as they start in it; or smaller, when at some
 *   time before the job's start less is free than anybody needs: nobody runs across that moment.
 *
 * With thousands waiting most are passed over, and most of these unseen: a job that is as wide
 * and as long as one that found no start finds none. */
#include <string.h>

#include "alloc/policy_plan.h"

enum { LOST = 8 };

struct window {
    struct rf_plan *plan;
    struct rf_line *line;
    int32_t room; /* nowhere in the window more is free */
    /* Jobs that found no start in it: none is as wide and as long as another. */
    struct rf_roll_entry lost[LOST];
    int nlost, best; /* best: the one that stands for most */
};

static int has_slot(const struct rf_policy *policy, int32_t job)
{
    return job < policy->nslots && policy->slot_us[job] != RF_NO_SLOT;
}

/* No waiting job of the line needs less. */
static int32_t least_need(const struct window *w)
{
    struct rf_policy *policy = w->plan->policy;
    int32_t least = INT32_MAX;

    for (int32_t i = 0; i < policy->nlanes; i++) {
        const struct rf_lane *lane = &policy->lanes[i];

        if (lane->jobs.count > 0 && lane->jobs.least_need < least &&
            rf_policy_line_of(policy, lane) == w->line)
            least = lane->jobs.least_need;
    }
    return least;
}

/* ---- jobs that found no start ---- */

static int hopeless(const struct window *w, const struct rf_roll_entry *e)
{
    for (int i = 0; i < w->nlost; i++)
        if (e->need >= w->lost[i].need && e->time_us >= w->lost[i].time_us)
            return 1;
    return 0;
}

static double size_of(const struct rf_roll_entry *e)
{
    return (double)e->need * (double)e->time_us;
}

static void give_up(struct window *w, const struct rf_roll_entry *e)
{
    int n = 0;

    for (int i = 0; i < w->nlost; i++) /* those for which this one stands as well */
        if (e->need > w->lost[i].need || e->time_us > w->lost[i].time_us)
            w->lost[n++] = w->lost[i];
    if (n == LOST)
        memmove(w->lost, w->lost + 1, (size_t)--n * sizeof *w->lost);
    w->lost[n++] = *e;
    w->nlost = n;
    w->best = 0;
    for (int i = 1; i < n; i++)
        if (size_of(&w->lost[i]) < size_of(&w->lost[w->best]))
            w->best = i;
}

/* ---- the window ---- */

/* From the head of the line on, up to end_us. */
static void widen(struct window *w, int64_t end_us)
{
    struct rf_line *line = w->line;
    int32_t last = line->last_planned;
    int64_t most;

    line->window_us = end_us;
    most = rf_profile_most(&line->profile, line->window_us);
    w->room = rf_at_most(most, INT32_MAX);
    w->nlost = 0;
    line->last_planned = -1;
    rf_ahead_enter(w->plan->policy, line);
    line->last_planned = last;
}

/* The first job from the lanes' places on that could start now, by the plan so far. */
static struct rf_lane *candidate(struct window *w, struct rf_roll_entry *entry)
{
    struct rf_plan *plan = w->plan;
    const struct rf_profile *p = &w->line->profile;
    int64_t now_us = plan->now_us, until_us = rf_profile_until(p, now_us, least_need(w));
    struct rf_lane *first = NULL;

    for (int32_t i = 0; i < plan->policy->nlanes; i++) {
        struct rf_lane *lane = &plan->policy->lanes[i];
        struct rf_roll_place at = lane->at;
        struct rf_roll_entry e = {0};
        int32_t room;

        if (!lane->on)
            continue;
        room = rf_plan_room(plan, &plan->walls[lane->wall]);
        while (rf_roll_find(&lane->jobs, &at, room,
                            until_us == INT64_MAX ? INT64_MAX : until_us - now_us, 0)) {
            rf_roll_at(&lane->jobs, at, &e);
            if (!has_slot(plan->policy, e.job) && !rf_plan_claiming(plan, e.job) &&
                rf_profile_fits(p, now_us, e.time_us, e.need)) {
                if (first == NULL || rf_plan_precedes(plan->policy, lane, &e, first, entry)) {
                    first = lane;
                    *entry = e;
                }
                break;
            }
            at = rf_roll_next(&lane->jobs, at);
        }
    }
    return first;
}

/* The next job that may start in the window. */
static struct rf_lane *next(struct window *w, struct rf_roll_entry *entry)
{
    struct rf_plan *plan = w->plan;

    for (int32_t i = 0; i < plan->policy->nlanes; i++) {
        struct rf_lane *lane = &plan->policy->lanes[i];
        const struct rf_roll_entry *lost = w->nlost > 0 ? &w->lost[w->best] : NULL;
        struct rf_roll_entry e = {0};

        while (lane->on) {
            lane->on = rf_roll_find(&lane->jobs, &lane->at, w->room,
                                    lost == NULL ? INT64_MAX : lost->time_us - 1,
                                    lost == NULL ? 0 : lost->need - 1);
            if (!lane->on)
                break;
            rf_roll_at(&lane->jobs, lane->at, &e);
            if (!has_slot(plan->policy, e.job) && !hopeless(w, &e) &&
                !rf_plan_claiming(plan, e.job))
                break;
            lane->at = rf_roll_next(&lane->jobs, lane->at);
        }
    }
    return rf_plan_first(plan, entry);
}

static void place(struct window *w, struct rf_lane *lane, const struct rf_roll_entry *e,
                  int64_t slot_us)
{
    struct rf_plan *plan = w->plan;

    rf_ahead_take(plan, w->line, e, slot_us, 1);
    if (slot_us <= plan->now_us && e->need <= rf_plan_room(plan, &plan->walls[lane->wall])) {
        rf_plan_grant(plan, lane, &lane->at, e->need);
    } else {
        rf_ahead_remember(plan, w->line, e, slot_us);
        lane->at = rf_roll_next(&lane->jobs, lane->at);
    }
}

/* The job's turn. */
static void serve(struct window *w, struct rf_lane *lane, const struct rf_roll_entry *e)
{
    struct rf_line *line = w->line;
    int64_t now_us = w->plan->now_us, clear_us;
    int64_t slot_us =
        rf_profile_earliest(&line->profile, now_us, e->time_us, e->need, line->window_us);

    if (slot_us != INT64_MAX && rf_policy_end_us(slot_us, e->time_us) > line->window_us) {
        clear_us = rf_profile_until(&line->profile, now_us, least_need(w));
        if (clear_us > slot_us) {
            widen(w, rf_policy_end_us(slot_us, e->time_us));
            return;
        }
        line->window_us = clear_us;
        slot_us = INT64_MAX;
    }
    if (slot_us != INT64_MAX) {
        place(w, lane, e, slot_us);
        return;
    }
    give_up(w, e);
    lane->at = rf_roll_next(&lane->jobs, lane->at);
}

void rf_plan_window(struct rf_plan *plan, struct rf_line *line)
{
    struct window w = {.plan = plan, .line = line, .room = INT32_MAX};
    struct rf_roll_entry e, last = {0};
    struct rf_lane *lane, *upto;

    if (line->window_us <= plan->now_us) {
        line->window_us = plan->now_us;
        line->last_planned = -1;
    }
    rf_ahead_enter(plan->policy, line);
    while (!rf_plan_full(plan) && (upto = candidate(&w, &last)) != NULL) {
        int64_t end_us = rf_policy_end_us(plan->now_us, last.time_us);

        if (end_us > line->window_us)
            widen(&w, end_us);
        line->window_us = end_us; /* what happens later does not matter to this one */
        while (!rf_plan_full(plan) && (lane = next(&w, &e)) != NULL &&
               !rf_plan_precedes(plan->policy, upto, &last, lane, &e))
            serve(&w, lane, &e);
        line->last_planned = last.job > line->last_planned ? last.job : line->last_planned;
    }
}
