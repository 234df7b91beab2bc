/* The choice of victims. A set is allowed if its jobs can be stopped one after the other, each
 * while its wall holds more than its right: all but the largest free less than the surplus. */
#include "alloc/victim.h"

#include <stdlib.h>
#include <string.h>

static int32_t at_most(int64_t a, int32_t b)
{
    return a < b ? (int32_t)a : b;
}

/* Was this job proposed for something already? */
static int proposed(const struct rf_plan *plan, int32_t job)
{
    for (int i = 0; i < plan->nout; i++)
        if (plan->out[i].job == job)
            return 1;
    return 0;
}

/* Devices that a wall holds without having a right to them, less those coming free. */
static int32_t surplus(const struct rf_wall *w)
{
    int32_t n = w->used - w->stopping - w->right;

    return n > 0 ? n : 0;
}

static int victim(struct rf_plan *plan, int32_t id, const struct rf_wall *claimant)
{
    const struct rf_job *job = &plan->state->jobs[id];
    const struct rf_wall *w;

    if (job->state != RF_JOB_RUNNING)
        return 0;
    w = rf_policy_wall_of(plan->policy, id);
    return w != claimant && surplus(w) > 0 && !proposed(plan, id);
}

int32_t rf_victims_free(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need)
{
    const struct rf_state *s = plan->state;
    int32_t stopping[RF_PLEDGES_MAX + 1], sum = 0;

    for (int i = 0; i < plan->nwalls; i++)
        sum += &plan->walls[i] != claimant ? surplus(&plan->walls[i]) : 0;
    if (sum >= need || sum == 0)
        return sum;
    for (int i = 0; i < plan->nwalls; i++)
        stopping[i] = plan->walls[i].stopping;
    sum = 0;
    for (int32_t i = s->running_last; i >= 0; i = s->jobs[i].prev)
        if (victim(plan, i, claimant)) {
            rf_policy_wall_of(plan->policy, i)->stopping += s->jobs[i].ndevices;
            sum += s->jobs[i].ndevices;
        }
    for (int i = 0; i < plan->nwalls; i++)
        plan->walls[i].stopping = stopping[i];
    return sum;
}

/* ---- shrinking ---- */

/* A job that can do with less gives devices back at once. */
static int32_t shrink(struct rf_plan *plan, int32_t id, int32_t need, int32_t by)
{
    const struct rf_job *job = &plan->state->jobs[id];
    int32_t n = at_most(need, job->ndevices - job->min);

    n = at_most(n, surplus(rf_policy_wall_of(plan->policy, id)));
    rf_plan_propose(plan, RF_PROPOSE_SHRINK, id, "reclaim", by);
    plan->out[plan->nout - 1].count = n;
    plan->free += n;
    rf_policy_wall_of(plan->policy, id)->used -= n;
    if (rf_policy_resize(plan->policy, id, -n, plan->now_us) != RF_OK)
        plan->policy->failed = RF_ERR_MEMORY;
    return n;
}

int32_t rf_victims_shrink(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need,
                          int32_t by)
{
    const struct rf_state *s = plan->state;
    int32_t got = 0;

    if (!plan->policy->options.resize || plan->policy->nresizable == 0)
        return 0;
    for (int32_t i = s->running_last; i >= 0 && got < need && !rf_plan_full(plan);
         i = s->jobs[i].prev)
        if (s->jobs[i].ndevices > s->jobs[i].min && victim(plan, i, claimant))
            got += shrink(plan, i, need - got, by);
    return got;
}

/* ---- cost ---- */

/* Work that the job loses if it stops now without a checkpoint. */
static int64_t unsaved_us(const struct rf_plan *plan, int32_t id)
{
    const struct rf_policy_options *o = &plan->policy->options;
    const struct rf_job *job = &plan->state->jobs[id];
    int64_t saved_us = rf_state_job_extra(plan->state, id)->checkpoint_us;
    int64_t work_us = plan->now_us - job->grant_us - (job->grants > 1 ? o->restart_us : 0);

    if (work_us <= 0)
        return 0;
    if (o->checkpoint_every_us > 0)
        work_us %= o->checkpoint_every_us;
    return saved_us >= 0 && plan->now_us - saved_us < work_us ? plan->now_us - saved_us
                                                              : work_us;
}

int64_t rf_victim_cost_us(const struct rf_plan *plan, int32_t job)
{
    const struct rf_policy_options *o = &plan->policy->options;
    int64_t grace_us = plan->state->grace_us, n = plan->state->jobs[job].ndevices;
    int64_t each_us = o->checkpoint_us;

    if (o->checkpoint_us > grace_us)
        each_us = grace_us + unsaved_us(plan, job);
    each_us = o->restart_us > INT64_MAX - each_us ? INT64_MAX : each_us + o->restart_us;
    return n > 0 && each_us > INT64_MAX / 4 / RF_VICTIMS_MAX / n
               ? INT64_MAX / 4 / RF_VICTIMS_MAX
               : each_us * n;
}

/* ---- choosing ---- */

/* The cost of a set; -1: it is not allowed, or does not make the need. */
static int64_t cost_of(const struct rf_victim *v, int n, int32_t need, int32_t surplus_now,
                       const uint8_t *chosen)
{
    int64_t sum = 0, cost = 0, largest = 0;

    for (int i = 0; i < n; i++) {
        if (!chosen[i])
            continue;
        sum += v[i].devices;
        cost += v[i].cost_us;
        largest = v[i].devices > largest ? v[i].devices : largest;
    }
    return sum >= need && sum - largest < surplus_now ? cost : -1;
}

static void latest_first(const struct rf_victim *v, int n, int32_t need, int32_t surplus_now,
                         uint8_t *chosen)
{
    int64_t sum = 0;

    memset(chosen, 0, (size_t)n);
    while (sum < need && sum < surplus_now) {
        int pick = -1;

        for (int i = 0; i < n; i++) {
            if (chosen[i])
                continue;
            if (pick < 0)
                pick = i;
            if (v[i].devices >= need - sum) {
                pick = i;
                break;
            }
        }
        if (pick < 0)
            return;
        chosen[pick] = 1;
        sum += v[pick].devices;
    }
}

struct ranked {
    double each; /* cost per device */
    int at;
};

static int by_each(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->each < y->each || y->each < x->each)
        return x->each < y->each ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* By cost per device; then, from the dearest on, whoever is not needed is let go. */
static void cheapest_each(const struct rf_victim *v, int n, int32_t need, int32_t surplus_now,
                          uint8_t *chosen)
{
    struct ranked order[RF_VICTIMS_MAX];
    int64_t sum = 0;
    int last = 0;

    for (int i = 0; i < n; i++)
        order[i] = (struct ranked){(double)v[i].cost_us / (double)v[i].devices, i};
    qsort(order, (size_t)n, sizeof *order, by_each);
    memset(chosen, 0, (size_t)n);
    for (; last < n && sum < need && sum < surplus_now; last++) {
        chosen[order[last].at] = 1;
        sum += v[order[last].at].devices;
    }
    while (last-- > 0)
        if (sum - v[order[last].at].devices >= need) {
            chosen[order[last].at] = 0;
            sum -= v[order[last].at].devices;
        }
}

static void cheapest_alone(const struct rf_victim *v, int n, int32_t need, uint8_t *chosen)
{
    int best = -1;

    memset(chosen, 0, (size_t)n);
    for (int i = 0; i < n; i++)
        if (v[i].devices >= need && (best < 0 || v[i].cost_us < v[best].cost_us))
            best = i;
    if (best >= 0)
        chosen[best] = 1;
}

/* Every set there is, but for those that cannot be allowed, or better than the best so far,
 * whoever joins them. */
struct sets {
    const struct rf_victim *v;
    int64_t need, surplus, best;          /* best: cost of the best set so far; -1: none */
    int64_t others[RF_VICTIMS_EXACT + 1]; /* devices of all before this one */
    uint8_t set[RF_VICTIMS_EXACT], *chosen;
    int n;
};

static void try_sets(struct sets *s, int i, int64_t sum, int64_t cost, int64_t largest)
{
    if ((s->best >= 0 && cost >= s->best) || sum - largest >= s->surplus ||
        sum + s->others[i] < s->need)
        return;
    if (i == 0) {
        s->best = cost;
        memcpy(s->chosen, s->set, (size_t)s->n);
        return;
    }
    i--;
    s->set[i] = 0;
    try_sets(s, i, sum, cost, largest);
    s->set[i] = 1;
    try_sets(s, i, sum + s->v[i].devices, cost + s->v[i].cost_us,
             s->v[i].devices > largest ? s->v[i].devices : largest);
}

static void all_sets(const struct rf_victim *v, int n, int32_t need, int32_t surplus_now,
                     int64_t best, uint8_t *chosen)
{
    struct sets s = {
        .v = v, .need = need, .surplus = surplus_now, .best = best, .chosen = chosen, .n = n};

    for (int i = 0; i < n; i++)
        s.others[i + 1] = s.others[i] + v[i].devices;
    try_sets(&s, n, 0, 0, 0);
}

int rf_victims_choose(const struct rf_victim *victims, int n, int32_t need, int32_t surplus_now,
                      uint8_t *chosen)
{
    uint8_t other[2][RF_VICTIMS_MAX] = {{0}};
    int64_t best;

    latest_first(victims, n, need, surplus_now, chosen);
    best = cost_of(victims, n, need, surplus_now, chosen);
    if (best == 0 || n == 0)
        return best == 0;
    if (n <= RF_VICTIMS_EXACT) {
        all_sets(victims, n, need, surplus_now, best, other[0]);
    } else {
        cheapest_each(victims, n, need, surplus_now, other[0]);
        cheapest_alone(victims, n, need, other[1]);
    }
    for (int i = 0; i < 2; i++) {
        int64_t cost = cost_of(victims, n, need, surplus_now, other[i]);

        if (cost >= 0 && (best < 0 || cost < best)) {
            best = cost;
            memcpy(chosen, other[i], (size_t)n);
        }
    }
    if (best < 0)
        memset(chosen, 0, (size_t)n);
    return best >= 0;
}

/* ---- stopping ---- */

/* The wall's victims, latest first, as many as the header says. */
static int gather(struct rf_plan *plan, const struct rf_wall *wall,
                  const struct rf_wall *claimant, int32_t need, struct rf_victim *out)
{
    const struct rf_state *s = plan->state;
    int64_t sum = 0;
    int n = 0, enough = RF_VICTIMS_MAX;

    for (int32_t i = s->running_last; i >= 0 && n < enough; i = s->jobs[i].prev) {
        if (rf_policy_wall_of(plan->policy, i) != wall || !victim(plan, i, claimant))
            continue;
        out[n++] = (struct rf_victim){rf_victim_cost_us(plan, i), i, s->jobs[i].ndevices};
        sum += s->jobs[i].ndevices;
        if (sum >= need && enough == RF_VICTIMS_MAX && 2 * n + 32 < RF_VICTIMS_MAX)
            enough = 2 * n + 32;
    }
    return n;
}

/* One wall gives what it can; returns the devices that come free. */
static int32_t stop_some(struct rf_plan *plan, const struct rf_wall *wall,
                         const struct rf_wall *claimant, int32_t need, int32_t by)
{
    struct rf_victim victims[RF_VICTIMS_MAX];
    uint8_t chosen[RF_VICTIMS_MAX];
    int32_t left = surplus(wall), freed = 0;
    int n = left > 0 ? gather(plan, wall, claimant, need, victims) : 0;

    if (n > 0 && !rf_victims_choose(victims, n, need, left, chosen))
        latest_first(victims, n, need, left, chosen); /* not enough: as far as it goes */
    for (int i = 0; i < n && !rf_plan_full(plan); i++)
        if (chosen[i]) {
            rf_plan_stop(plan, victims[i].job, "reclaim", by);
            freed += victims[i].devices;
        }
    return freed;
}

int32_t rf_victims_stop(struct rf_plan *plan, const struct rf_wall *claimant, int32_t need,
                        int32_t by)
{
    for (int i = plan->nwalls - 1; i >= 0 && need > 0; i--) {
        const struct rf_wall *w = &plan->walls[i];

        while (w != claimant && need > 0 && surplus(w) > 0 && !rf_plan_full(plan)) {
            int32_t freed = stop_some(plan, w, claimant, need, by);

            if (freed == 0)
                break;
            need -= freed;
        }
    }
    return need > 0 ? need : 0;
}
