#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world_parts.h"

/* What holds at the moment that is being written. */
struct present {
    struct rf_pledge_plan *plans; /* owned; as changed so far */
    char order[16], fence[16];
};

static enum rf_status format_terms(const struct rf_pledge_plan *plan, char *text, size_t size,
                                   struct rf_error *err)
{
    char whole[512];

    rf_terms_format(&plan->terms, whole, (int)sizeof whole);
    if (strlen(whole) >= size)
        return rf_fail(err, RF_ERR_CONFIG,
                       "the pledge of '%s' has more terms than fit into %zu bytes; leave out "
                       "those of other fences",
                       plan->pledge.account, size - 1);
    memcpy(text, whole, strlen(whole) + 1);
    return RF_OK;
}

/* The plan's pledge as it stands, at t_us. */
static enum rf_status add_pledge(struct rf_world_maker *m, int64_t t_us,
                                 const struct rf_pledge_plan *plan, const char *fence)
{
    struct rf_world *w = m->world;
    struct rf_pledge_spec *pledge = &w->pledges[w->npledges];
    enum rf_status st;

    *pledge = plan->pledge;
    snprintf(pledge->fence, sizeof pledge->fence, "%s", fence);
    st = format_terms(plan, pledge->terms, sizeof pledge->terms, m->err);
    if (st == RF_OK)
        st = rf_world_add(m, t_us, RF_CHANGE_PLEDGE, 0, 0, w->npledges);
    w->npledges++;
    return st;
}

static enum rf_status add_policy(struct rf_world_maker *m, const struct rf_change_spec *change,
                                 struct present *present)
{
    struct rf_world *w = m->world;
    struct rf_world_policy *policy = &w->policies[w->npolicies];

    if (change->order[0] != '\0')
        memcpy(present->order, change->order, sizeof present->order);
    if (change->fence[0] != '\0')
        memcpy(present->fence, change->fence, sizeof present->fence);
    memcpy(policy->order, present->order, sizeof policy->order);
    memcpy(policy->fence, present->fence, sizeof policy->fence);
    memcpy(policy->author, change->author, sizeof policy->author);
    memcpy(policy->reason, change->reason, sizeof policy->reason);
    return rf_world_add(m, change->at_us, RF_CHANGE_POLICY, 0, 0, w->npolicies++);
}

static enum rf_status add_change(struct rf_world_maker *m, const struct rf_change_spec *change,
                                 struct present *present)
{
    struct rf_pledge_plan *plan = NULL;

    if (strcmp(change->kind, "policy") == 0)
        return add_policy(m, change, present);
    for (int i = 0; i < m->scenario->npledges; i++)
        if (strcmp(present->plans[i].pledge.account, change->account) == 0)
            plan = &present->plans[i];
    if (plan == NULL)
        return rf_fail(m->err, RF_ERR_CONFIG, "there is no pledge of '%s' to change",
                       change->account);
    if (strcmp(change->kind, "board") == 0)
        plan->terms.approve = change->share;
    else
        plan->pledge.share = change->share;
    memcpy(plan->pledge.author, change->author, sizeof plan->pledge.author);
    memcpy(plan->pledge.reason, change->reason, sizeof plan->pledge.reason);
    return add_pledge(m, change->at_us, plan, present->fence);
}

/* Changes by time; those of one moment in the order in which they were written. */
static int by_time(const void *one, const void *other)
{
    const struct rf_change_spec *a = *(const struct rf_change_spec *const *)one;
    const struct rf_change_spec *b = *(const struct rf_change_spec *const *)other;

    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return (a > b) - (a < b);
}

static enum rf_status make_all(struct rf_world_maker *m, const struct rf_change_spec **changes,
                               struct present *present)
{
    const struct rf_scenario *s = m->scenario;
    enum rf_status st = RF_OK;

    for (int i = 0; i < s->nchanges; i++)
        changes[i] = &s->changes[i];
    if (s->nchanges > 0)
        qsort(changes, (size_t)s->nchanges, sizeof *changes, by_time);
    for (int i = 0; i < s->npledges; i++)
        present->plans[i] = s->pledges[i];
    memcpy(present->order, s->order, sizeof present->order);
    memcpy(present->fence, s->fence, sizeof present->fence);
    for (int i = 0; st == RF_OK && i < s->npledges; i++)
        st = add_pledge(m, 0, &present->plans[i], present->fence);
    for (int i = 0; st == RF_OK && i < s->nchanges; i++)
        st = add_change(m, changes[i], present);
    return st;
}

enum rf_status rf_world_make_promises(struct rf_world_maker *m)
{
    const struct rf_scenario *s = m->scenario;
    size_t n = (size_t)(s->npledges + s->nchanges) + 1;
    const struct rf_change_spec **changes = malloc(n * sizeof *changes);
    struct present present = {.plans = malloc(n * sizeof *present.plans)};
    enum rf_status st;

    m->world->pledges = malloc(n * sizeof *m->world->pledges);
    m->world->policies = malloc(n * sizeof *m->world->policies);
    if (changes == NULL || present.plans == NULL || m->world->pledges == NULL ||
        m->world->policies == NULL)
        st = rf_fail(m->err, RF_ERR_MEMORY, "out of memory for what is promised");
    else
        st = make_all(m, changes, &present);
    free(present.plans);
    free(changes);
    return st;
}
