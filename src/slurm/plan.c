/* One function per fence puts objects in; what they have in common stands before them. */
#include "slurm/plan_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARES = 10000 }; /* fair-share numbers are parts of this */

/* ---- putting in -------------------------------------------------------------- */

static void *room(struct rf_slurm_making *m, void *items, int n, int *have, size_t size)
{
    int more = *have > 0 ? 2 * *have : 16;
    void *grown;

    if (n < *have)
        return items;
    grown = realloc(items, (size_t)more * size);
    if (grown == NULL)
        m->st = rf_fail(m->err, RF_ERR_MEMORY, "out of memory for a plan");
    else
        *have = more;
    return grown != NULL ? grown : items;
}

void rf_slurm_note(struct rf_slurm_making *m, const char *format, ...)
{
    struct rf_slurm_plan *p = m->plan;
    va_list args;

    if (m->st == RF_OK)
        p->notes = room(m, p->notes, p->nnotes, &p->notes_room, sizeof *p->notes);
    if (m->st != RF_OK)
        return;
    va_start(args, format);
    vsnprintf(p->notes[p->nnotes++], sizeof *p->notes, format, args);
    va_end(args);
}

void rf_slurm_put(struct rf_slurm_making *m, enum rf_slurm_kind kind, const char *name,
                  const char *format, ...)
{
    struct rf_slurm_plan *p = m->plan;
    struct rf_slurm_object *it;
    va_list args;

    if (m->st == RF_OK)
        p->objects = room(m, p->objects, p->nobjects, &p->objects_room, sizeof *p->objects);
    if (m->st != RF_OK)
        return;
    it = &p->objects[p->nobjects++];
    *it = (struct rf_slurm_object){.kind = kind};
    snprintf(it->name, sizeof it->name, "%s", name);
    va_start(args, format);
    vsnprintf(it->why, sizeof it->why, format, args);
    va_end(args);
}

/* On the object that was put in last. */
void rf_slurm_set(struct rf_slurm_making *m, const char *name, const char *format, ...)
{
    struct rf_slurm_object *it = m->plan->objects + m->plan->nobjects - 1;
    struct rf_slurm_setting *s;
    va_list args;

    if (m->st != RF_OK)
        return;
    s = &it->settings[it->nsettings++];
    s->key = rf_slurm_key_of(it->kind, name);
    va_start(args, format);
    vsnprintf(s->value, sizeof s->value, format, args);
    va_end(args);
}

/* ---- numbers ----------------------------------------------------------------- */

/* ceil(part x whole); wholes are fleets and minutes, far below 2^63 / den. */
static int64_t part_up(struct rf_slurm_part part, int64_t whole)
{
    int64_t times = whole / part.den, rest = whole % part.den;

    return times * part.num + (rest * part.num + part.den - 1) / part.den;
}

static int64_t promised(const struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    int64_t n = part_up(p->share, p->secured > 0 ? p->secured : m->site->devices);

    return n < m->site->devices ? n : m->site->devices;
}

static int64_t promised_to_all(const struct rf_slurm_making *m)
{
    int64_t sum = 0;

    for (int i = 0; i < m->policy->npromises; i++)
        sum += promised(m, &m->policy->promises[i]);
    return sum;
}

int64_t rf_slurm_seconds_up(int64_t us)
{
    return us / 1000000 + (us % 1000000 > 0);
}

int rf_slurm_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- accounts ---------------------------------------------------------------- */

void rf_slurm_account(char to[RF_SLURM_NAME_BYTES], const char *account)
{
    snprintf(to, RF_SLURM_NAME_BYTES, "%s", account);
    for (char *at = to; *at != '\0'; at++)
        *at = *at == '.' ? '_' : (char)tolower((unsigned char)*at);
}

static int is_planned(const struct rf_slurm_plan *plan, const char *account)
{
    for (int i = 0; i < plan->nobjects; i++)
        if (plan->objects[i].kind == RF_SLURM_ACCOUNT &&
            rf_slurm_is(plan->objects[i].name, account))
            return 1;
    return 0;
}

/* The account, below those that its dotted name names. */
static void put_account(struct rf_slurm_making *m, const char *dotted, const char *why)
{
    char above[RF_SLURM_NAME_BYTES] = "", name[RF_SLURM_NAME_BYTES];
    char part[RF_SLURM_NAME_BYTES];

    for (const char *dot = strchr(dotted, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - dotted), dotted);
        rf_slurm_account(name, part);
        if (!is_planned(m->plan, name)) {
            rf_slurm_put(m, RF_SLURM_ACCOUNT, name, "only so that others can lie below it");
            if (m->st == RF_OK)
                memcpy(m->plan->objects[m->plan->nobjects - 1].parent, above, sizeof above);
        }
        memcpy(above, name, sizeof above);
    }
    rf_slurm_account(name, dotted);
    rf_slurm_put(m, RF_SLURM_ACCOUNT, name, "%s", why);
    if (m->st == RF_OK)
        memcpy(m->plan->objects[m->plan->nobjects - 1].parent, above, sizeof above);
}

/* Fair-share is a wish, not a promise: it orders the queue where nothing stronger does. */
static int64_t fair(struct rf_slurm_part share)
{
    int64_t n = (share.num * SHARES + share.den / 2) / share.den;

    return n > 0 ? n : 1;
}

static int64_t fair_rest(const struct rf_slurm_making *m)
{
    int64_t rest = SHARES;

    for (int i = 0; i < m->policy->npromises; i++)
        rest -= fair(m->policy->promises[i].share);
    return rest > 0 ? rest : 1;
}

static void describe(const struct rf_slurm_promise *p, char *text, size_t size)
{
    snprintf(text, size, "'%.40s' is promised %" PRId64 "/%" PRId64 " of %s", p->account,
             p->share.num, p->share.den, p->secured > 0 ? "what was secured" : "the fleet");
}

/* The promised accounts with what set_account() adds, then the account of all others. */
static void put_accounts(struct rf_slurm_making *m,
                         void (*set_account)(struct rf_slurm_making *m,
                                             const struct rf_slurm_promise *p))
{
    char why[RF_SLURM_WHY_BYTES];

    for (int i = 0; i < m->policy->npromises; i++) {
        const struct rf_slurm_promise *p = &m->policy->promises[i];

        describe(p, why, sizeof why);
        put_account(m, p->account, why);
        rf_slurm_set(m, "fairshare", "%" PRId64, fair(p->share));
        set_account(m, p);
    }
    put_account(m, m->site->others, "everybody who is promised nothing");
    rf_slurm_set(m, "fairshare", "%" PRId64, fair_rest(m));
    set_account(m, NULL);
}

/* ---- the fences ---------------------------------------------------------------- */

static void qos_name(char name[RF_SLURM_NAME_BYTES], const char *kind,
                     const struct rf_slurm_promise *p)
{
    char account[RF_SLURM_NAME_BYTES];

    rf_slurm_account(account, p->account);
    snprintf(name, RF_SLURM_NAME_BYTES, "rf-%s-%.60s", kind, account);
}

static void no_fence(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    (void)p;
    rf_slurm_set(m, "qos", "normal");
    rf_slurm_set(m, "defaultqos", "normal");
    rf_slurm_set(m, "grptres", "%s", "");
}

static void wall(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    int64_t own = p != NULL ? promised(m, p) : m->site->devices - promised_to_all(m);

    rf_slurm_set(m, "qos", "normal");
    rf_slurm_set(m, "defaultqos", "normal");
    rf_slurm_set(m, "grptres", "%s=%" PRId64, m->site->device, own);
}

/* Whole nodes of the share, which nobody else then fills with small pieces. */
static void put_reservation(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    const struct rf_slurm_site *site = m->site;
    char name[RF_SLURM_NAME_BYTES], account[RF_SLURM_NAME_BYTES];
    int64_t per_node = site->nodes > 0 ? site->devices / site->nodes : 0;
    int64_t nodes = per_node > 0 ? promised(m, p) / per_node : 0;

    if (nodes < 1)
        return;
    rf_slurm_account(account, p->account);
    qos_name(name, "wall", p);
    rf_slurm_put(
        m, RF_SLURM_RESERVATION, name,
        "the whole nodes of '%.40s''s share: its jobs go there by themselves (MAGNETIC), "
        "others never; the ceilings count the rest",
        p->account);
    rf_slurm_set(m, "Accounts", "%s", account);
    rf_slurm_set(m, "NodeCnt", "%" PRId64, nodes);
    rf_slurm_set(m, "PartitionName", "%s", site->partition);
    rf_slurm_set(m, "Flags", "MAGNETIC,IGNORE_JOBS");
}

static void put_pledge_qos(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    const int stock = rf_slurm_is(m->policy->fence, "stock");
    const int64_t most = stock ? part_up(p->most, m->site->devices) : promised(m, p);
    char name[RF_SLURM_NAME_BYTES];

    qos_name(name, "pledge", p);
    rf_slurm_put(m, RF_SLURM_QOS, name,
                 "the share of '%.40s': first in the queue, stops jobs under " RF_SLURM_LENT
                 " where no device is free, and counts no more devices than it may claim",
                 p->account);
    rf_slurm_set(m, "priority", "%d", 1000);
    rf_slurm_set(m, "preempt", RF_SLURM_LENT);
    rf_slurm_set(m, "grptres", "%s=%" PRId64, m->site->device, most);
    if (stock)
        rf_slurm_set(m, "grptresmins", "%s=%" PRId64, m->site->device,
                     part_up(p->share, p->secured > 0 ? p->secured : m->site->devices) *
                         (p->horizon_us / 60000000));
    else
        rf_slurm_set(m, "grptresmins", "%s", "");
    rf_slurm_set(m, "flags", "%s", stock ? "DenyOnLimit,NoDecay" : "");
}

static void lend(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    char name[RF_SLURM_NAME_BYTES] = RF_SLURM_LENT;

    if (p != NULL)
        qos_name(name, "pledge", p);
    rf_slurm_set(m, "qos", "%s%s", name, p != NULL ? "," RF_SLURM_LENT : "");
    rf_slurm_set(m, "defaultqos", "%s", name);
    rf_slurm_set(m, "grptres", "%s", "");
}

static void put_lending(struct rf_slurm_making *m)
{
    rf_slurm_put(
        m, RF_SLURM_QOS, RF_SLURM_LENT,
        "devices that others may want back: TERM (and USR1, if the job asked for it), then so "
        "long to write a checkpoint, then the queue again");
    rf_slurm_set(m, "priority", "0");
    rf_slurm_set(m, "gracetime", "%" PRId64, rf_slurm_seconds_up(m->policy->grace_us));
    rf_slurm_set(m, "preemptmode", "requeue");
    for (int i = 0; i < m->policy->npromises; i++)
        put_pledge_qos(m, &m->policy->promises[i]);
    put_accounts(m, lend);
}

static void ask(struct rf_slurm_making *m, const struct rf_slurm_promise *p)
{
    char asked[RF_SLURM_NAME_BYTES], approved[RF_SLURM_NAME_BYTES];

    if (p == NULL) {
        no_fence(m, p);
        return;
    }
    rf_slurm_set(m, "grptres", "%s", "");
    qos_name(asked, "asked", p);
    qos_name(approved, "approved", p);
    rf_slurm_set(m, "qos", "%s,%s", asked, approved);
    rf_slurm_set(m, "defaultqos", "%s", asked);
}

static void put_board(struct rf_slurm_making *m)
{
    char name[RF_SLURM_NAME_BYTES];

    for (int i = 0; i < m->policy->npromises; i++) {
        const struct rf_slurm_promise *p = &m->policy->promises[i];

        qos_name(name, "asked", p);
        rf_slurm_put(m, RF_SLURM_QOS, name,
                     "requests of '%.40s' wait here for the board: nothing runs under it",
                     p->account);
        rf_slurm_set(m, "grpjobs", "0");
        qos_name(name, "approved", p);
        rf_slurm_put(
            m, RF_SLURM_QOS, name,
            "what the board approved: scontrol update JobId=N QOS=%.60s; scancel denies", name);
        if (p->budget_us > 0)
            rf_slurm_set(m, "grptresmins", "%s=%" PRId64, m->site->device,
                         p->budget_us / 60000000);
        rf_slurm_set(m, "flags", "%s", p->budget_us > 0 ? "DenyOnLimit,NoDecay" : "");
    }
    put_accounts(m, ask);
}

/* ---- limits -------------------------------------------------------------------- */

static struct rf_slurm_object *find_account(struct rf_slurm_making *m, const char *name)
{
    for (int i = 0; i < m->plan->nobjects; i++)
        if (m->plan->objects[i].kind == RF_SLURM_ACCOUNT &&
            rf_slurm_is(m->plan->objects[i].name, name))
            return &m->plan->objects[i];
    return NULL;
}

static const struct rf_slurm_limit *limit_of(const struct rf_slurm_policy *policy,
                                             const char *account)
{
    char name[RF_SLURM_NAME_BYTES];

    for (int i = 0; i < policy->nlimits; i++) {
        rf_slurm_account(name, policy->limits[i].account);
        if (policy->limits[i].device_us > 0 && rf_slurm_is(name, account))
            return &policy->limits[i];
    }
    return NULL;
}

static void set_budget(struct rf_slurm_making *m, struct rf_slurm_object *it)
{
    const struct rf_slurm_limit *limit = limit_of(m->policy, it->name);
    struct rf_slurm_setting *s = &it->settings[it->nsettings];
    size_t n = strlen(it->why);

    if (limit == NULL && it->nsettings == 0)
        return; /* there only so that others can lie below it, and otherwise the site's */
    it->nsettings++;
    s->key = rf_slurm_key_of(RF_SLURM_ACCOUNT, "grptresmins");
    if (limit == NULL)
        return;
    snprintf(s->value, sizeof s->value, "%s=%" PRId64, m->site->device,
             limit->device_us / 60000000);
    snprintf(it->why + n, sizeof it->why - n,
             "; no more than %" PRId64 " device-seconds in all (GrpTRESMins)",
             limit->device_us / 1000000);
}

/* Does it lie below an account of the plan, so that it inherits that one's QOS? */
static int has_parent(struct rf_slurm_making *m, const char *dotted)
{
    char part[RF_SLURM_NAME_BYTES], name[RF_SLURM_NAME_BYTES];

    for (const char *dot = strchr(dotted, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - dotted), dotted);
        rf_slurm_account(name, part);
        if (find_account(m, name) != NULL)
            return 1;
    }
    return 0;
}

/* Each account of the plan has a budget, or none; those with a limit come into the plan for it. */
static void put_limits(struct rf_slurm_making *m)
{
    for (int i = 0; m->st == RF_OK && i < m->policy->nlimits; i++) {
        const struct rf_slurm_limit *limit = &m->policy->limits[i];
        char name[RF_SLURM_NAME_BYTES];

        rf_slurm_account(name, limit->account);
        if (limit->device_us > 0 && limit->device_us < 60000000)
            m->st = rf_fail(m->err, RF_ERR_CONFIG,
                            "the limit of '%.60s' is below a minute, and Slurm counts minutes",
                            limit->account);
        else if (limit->device_us > 0 && find_account(m, name) == NULL &&
                 !has_parent(m, limit->account))
            m->st =
                rf_fail(m->err, RF_ERR_CONFIG,
                        "the limit of '%.60s' has no place: nothing is promised to it, and it "
                        "does not lie below '%.60s', the account of all others (--others)",
                        limit->account, m->site->others);
        else if (limit->device_us > 0 && find_account(m, name) == NULL)
            put_account(m, limit->account, "what it may do is what those above it may");
    }
    for (int i = 0; m->st == RF_OK && i < m->plan->nobjects; i++)
        if (m->plan->objects[i].kind == RF_SLURM_ACCOUNT)
            set_budget(m, &m->plan->objects[i]);
}

int rf_slurm_lends(const struct rf_slurm_policy *policy)
{
    return rf_slurm_is(policy->fence, "floor") || rf_slurm_is(policy->fence, "bank") ||
           rf_slurm_is(policy->fence, "stock");
}

/* ---- the whole ------------------------------------------------------------------ */

enum rf_status rf_slurm_plan_make(struct rf_slurm_plan *plan,
                                  const struct rf_slurm_policy *policy,
                                  const struct rf_slurm_site *site, struct rf_error *err)
{
    struct rf_slurm_making m = {
        .plan = plan, .policy = policy, .site = site, .st = RF_OK, .err = err};

    *plan = (struct rf_slurm_plan){0};
    if (promised_to_all(&m) > site->devices)
        return rf_fail(err, RF_ERR_CONFIG,
                       "%" PRId64 " devices are promised, each share rounded up, but there are "
                       "%" PRId64,
                       promised_to_all(&m), site->devices);
    if (rf_slurm_is(policy->fence, "stock"))
        for (int i = 0; i < policy->npromises; i++)
            if (policy->promises[i].horizon_us < 60000000)
                return rf_fail(
                    err, RF_ERR_CONFIG,
                    "the stock of '%.60s' needs a horizon (horizon_s) of a minute or "
                    "more to be a budget",
                    policy->promises[i].account);
    if (rf_slurm_lends(policy))
        put_lending(&m);
    else if (rf_slurm_is(policy->fence, "request"))
        put_board(&m);
    else
        put_accounts(&m, rf_slurm_is(policy->fence, "partition") ? wall : no_fence);
    put_limits(&m);
    for (int i = 0; rf_slurm_is(policy->fence, "partition") && i < policy->npromises; i++)
        put_reservation(&m, &policy->promises[i]);
    rf_slurm_put_partition(&m);
    rf_slurm_put_conf(&m);
    rf_slurm_put_notes(&m);
    return m.st;
}

void rf_slurm_plan_clear(struct rf_slurm_plan *plan)
{
    free(plan->objects);
    free(plan->notes);
    *plan = (struct rf_slurm_plan){0};
}
