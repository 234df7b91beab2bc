/* One function per fence puts objects in; what they have in common stands before them. */
#include "slurm/plan.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENT "rf-lent"

enum { SHARES = 10000 }; /* fair-share numbers are parts of this */

struct making {
    struct rf_slurm_plan *plan;
    const struct rf_slurm_policy *policy;
    const struct rf_slurm_site *site;
    enum rf_status st; /* the first failure; nothing is added after it */
    struct rf_error *err;
};

/* ---- putting in -------------------------------------------------------------- */

static void *room(struct making *m, void *items, int n, int *have, size_t size)
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

static void note(struct making *m, const char *format, ...) RF_PRINTF(2, 3);
static void note(struct making *m, const char *format, ...)
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

static void put(struct making *m, enum rf_slurm_kind kind, const char *name, const char *format,
                ...) RF_PRINTF(4, 5);
static void put(struct making *m, enum rf_slurm_kind kind, const char *name, const char *format,
                ...)
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
static void set(struct making *m, const char *name, const char *format, ...) RF_PRINTF(3, 4);
static void set(struct making *m, const char *name, const char *format, ...)
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

static void need(struct making *m, const char *key, const char *value, const char *why)
{
    put(m, RF_SLURM_CONF, key, "%s", why);
    set(m, key, "%s", value);
}

/* ---- numbers ----------------------------------------------------------------- */

/* ceil(part x whole); wholes are fleets and minutes, far below 2^63 / den. */
static int64_t part_up(struct rf_slurm_part part, int64_t whole)
{
    int64_t times = whole / part.den, rest = whole % part.den;

    return times * part.num + (rest * part.num + part.den - 1) / part.den;
}

static int64_t promised(const struct making *m, const struct rf_slurm_promise *p)
{
    int64_t n = part_up(p->share, p->secured > 0 ? p->secured : m->site->devices);

    return n < m->site->devices ? n : m->site->devices;
}

static int64_t promised_to_all(const struct making *m)
{
    int64_t sum = 0;

    for (int i = 0; i < m->policy->npromises; i++)
        sum += promised(m, &m->policy->promises[i]);
    return sum;
}

static int64_t seconds_up(int64_t us)
{
    return us / 1000000 + (us % 1000000 > 0);
}

static int is(const char *a, const char *b)
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
        if (plan->objects[i].kind == RF_SLURM_ACCOUNT && is(plan->objects[i].name, account))
            return 1;
    return 0;
}

/* The account, below those that its dotted name names. */
static void put_account(struct making *m, const char *dotted, const char *why)
{
    char above[RF_SLURM_NAME_BYTES] = "", name[RF_SLURM_NAME_BYTES];
    char part[RF_SLURM_NAME_BYTES];

    for (const char *dot = strchr(dotted, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - dotted), dotted);
        rf_slurm_account(name, part);
        if (!is_planned(m->plan, name)) {
            put(m, RF_SLURM_ACCOUNT, name, "only so that others can lie below it");
            if (m->st == RF_OK)
                memcpy(m->plan->objects[m->plan->nobjects - 1].parent, above, sizeof above);
        }
        memcpy(above, name, sizeof above);
    }
    rf_slurm_account(name, dotted);
    put(m, RF_SLURM_ACCOUNT, name, "%s", why);
    if (m->st == RF_OK)
        memcpy(m->plan->objects[m->plan->nobjects - 1].parent, above, sizeof above);
}

/* Fair-share is a wish, not a promise: it orders the queue where nothing stronger does. */
static int64_t fair(struct rf_slurm_part share)
{
    int64_t n = (share.num * SHARES + share.den / 2) / share.den;

    return n > 0 ? n : 1;
}

static int64_t fair_rest(const struct making *m)
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
static void put_accounts(struct making *m,
                         void (*set_account)(struct making *m,
                                             const struct rf_slurm_promise *p))
{
    char why[RF_SLURM_WHY_BYTES];

    for (int i = 0; i < m->policy->npromises; i++) {
        const struct rf_slurm_promise *p = &m->policy->promises[i];

        describe(p, why, sizeof why);
        put_account(m, p->account, why);
        set(m, "fairshare", "%" PRId64, fair(p->share));
        set_account(m, p);
    }
    put_account(m, m->site->others, "everybody who is promised nothing");
    set(m, "fairshare", "%" PRId64, fair_rest(m));
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

static void no_fence(struct making *m, const struct rf_slurm_promise *p)
{
    (void)p;
    set(m, "qos", "normal");
    set(m, "defaultqos", "normal");
    set(m, "grptres", "%s", "");
}

static void wall(struct making *m, const struct rf_slurm_promise *p)
{
    int64_t own = p != NULL ? promised(m, p) : m->site->devices - promised_to_all(m);

    set(m, "qos", "normal");
    set(m, "defaultqos", "normal");
    set(m, "grptres", "%s=%" PRId64, m->site->device, own);
}

/* Whole nodes of the share, which nobody else then fills with small pieces. */
static void put_reservation(struct making *m, const struct rf_slurm_promise *p)
{
    const struct rf_slurm_site *site = m->site;
    char name[RF_SLURM_NAME_BYTES], account[RF_SLURM_NAME_BYTES];
    int64_t per_node = site->nodes > 0 ? site->devices / site->nodes : 0;
    int64_t nodes = per_node > 0 ? promised(m, p) / per_node : 0;

    if (nodes < 1)
        return;
    rf_slurm_account(account, p->account);
    qos_name(name, "wall", p);
    put(m, RF_SLURM_RESERVATION, name,
        "the whole nodes of '%.40s''s share: its jobs go there by themselves (MAGNETIC), "
        "others never; the ceilings count the rest",
        p->account);
    set(m, "Accounts", "%s", account);
    set(m, "NodeCnt", "%" PRId64, nodes);
    set(m, "PartitionName", "%s", site->partition);
    set(m, "Flags", "MAGNETIC,IGNORE_JOBS");
}

static void put_pledge_qos(struct making *m, const struct rf_slurm_promise *p)
{
    const int stock = is(m->policy->fence, "stock");
    const int64_t most = stock ? part_up(p->most, m->site->devices) : promised(m, p);
    char name[RF_SLURM_NAME_BYTES];

    qos_name(name, "pledge", p);
    put(m, RF_SLURM_QOS, name,
        "the share of '%.40s': first in the queue, stops jobs under " LENT
        " where no device is free, and counts no more devices than it may claim",
        p->account);
    set(m, "priority", "%d", 1000);
    set(m, "preempt", LENT);
    set(m, "grptres", "%s=%" PRId64, m->site->device, most);
    if (stock)
        set(m, "grptresmins", "%s=%" PRId64, m->site->device,
            part_up(p->share, p->secured > 0 ? p->secured : m->site->devices) *
                (p->horizon_us / 60000000));
    else
        set(m, "grptresmins", "%s", "");
    set(m, "flags", "%s", stock ? "DenyOnLimit,NoDecay" : "");
}

static void lend(struct making *m, const struct rf_slurm_promise *p)
{
    char name[RF_SLURM_NAME_BYTES] = LENT;

    if (p != NULL)
        qos_name(name, "pledge", p);
    set(m, "qos", "%s%s", name, p != NULL ? "," LENT : "");
    set(m, "defaultqos", "%s", name);
    set(m, "grptres", "%s", "");
}

static void put_lending(struct making *m)
{
    put(m, RF_SLURM_QOS, LENT,
        "devices that others may want back: TERM (and USR1, if the job asked for it), then so "
        "long to write a checkpoint, then the queue again");
    set(m, "priority", "0");
    set(m, "gracetime", "%" PRId64, seconds_up(m->policy->grace_us));
    set(m, "preemptmode", "requeue");
    for (int i = 0; i < m->policy->npromises; i++)
        put_pledge_qos(m, &m->policy->promises[i]);
    put_accounts(m, lend);
}

static void ask(struct making *m, const struct rf_slurm_promise *p)
{
    char asked[RF_SLURM_NAME_BYTES], approved[RF_SLURM_NAME_BYTES];

    if (p == NULL) {
        no_fence(m, p);
        return;
    }
    set(m, "grptres", "%s", "");
    qos_name(asked, "asked", p);
    qos_name(approved, "approved", p);
    set(m, "qos", "%s,%s", asked, approved);
    set(m, "defaultqos", "%s", asked);
}

static void put_board(struct making *m)
{
    char name[RF_SLURM_NAME_BYTES];

    for (int i = 0; i < m->policy->npromises; i++) {
        const struct rf_slurm_promise *p = &m->policy->promises[i];

        qos_name(name, "asked", p);
        put(m, RF_SLURM_QOS, name,
            "requests of '%.40s' wait here for the board: nothing runs under it", p->account);
        set(m, "grpjobs", "0");
        qos_name(name, "approved", p);
        put(m, RF_SLURM_QOS, name,
            "what the board approved: scontrol update JobId=N QOS=%.60s; scancel denies", name);
        if (p->budget_us > 0)
            set(m, "grptresmins", "%s=%" PRId64, m->site->device, p->budget_us / 60000000);
        set(m, "flags", "%s", p->budget_us > 0 ? "DenyOnLimit,NoDecay" : "");
    }
    put_accounts(m, ask);
}

static int lends(const struct rf_slurm_policy *policy)
{
    return is(policy->fence, "floor") || is(policy->fence, "bank") ||
           is(policy->fence, "stock");
}

/* ---- partition and slurm.conf --------------------------------------------------- */

/* One device is billed as one; all else is free, so that usage is device-time. */
static void put_partition(struct making *m)
{
    const char *device = m->site->device;
    char list[RF_SLURM_VALUE_BYTES] = "";
    size_t n = 0;

    for (int i = 0; i < m->plan->nobjects; i++)
        if (m->plan->objects[i].kind == RF_SLURM_QOS && n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? "," : "",
                                  m->plan->objects[i].name);
    if (n >= sizeof list || is(m->policy->fence, "request"))
        list[0] = '\0'; /* too many to name, or others have no QOS of ours */
    put(m, RF_SLURM_PARTITION, m->site->partition,
        "usage is counted in devices%s; slurm.conf needs the same line, or it is gone with "
        "the next restart of slurmctld",
        list[0] != '\0' ? ", and no job gets past the fence under another QOS" : "");
    set(m, "TRESBillingWeights", "%s=1.0",
        is(device, "gres/gpu") ? "GRES/gpu"
        : is(device, "cpu")    ? "CPU"
                               : "Node");
    set(m, "AllowQos", "%s", list[0] != '\0' ? list : "ALL");
}

static void put_conf(struct making *m)
{
    const struct rf_slurm_policy *p = m->policy;
    char half_life[32];

    need(m, "AccountingStorageEnforce", "limits,qos",
         "without it limits are only written down");
    if (strncmp(m->site->device, "gres/", 5) == 0)
        need(m, "AccountingStorageTRES", m->site->device,
             "without it these devices are neither counted nor limited");
    need(m, "SchedulerType", is(p->order, "fcfs") ? "sched/builtin" : "sched/backfill",
         "the order of the queue");
    if (is(p->order, "fairshare") || lends(p))
        need(m, "PriorityType", "priority/multifactor", "jobs have more than their age");
    if (is(p->order, "fairshare")) {
        snprintf(half_life, sizeof half_life, "%" PRId64, seconds_up(p->half_life_us));
        need(m, "PriorityDecayHalfLife", half_life, "usage counts half after so long");
        need(m, "PriorityWeightFairShare", "1", "least decayed usage first");
    }
    if (!lends(p))
        return;
    need(m, "PriorityWeightQOS", "1", "pledged jobs come first");
    need(m, "PreemptType", "preempt/qos", "lent devices are taken back");
    need(m, "PreemptMode", "REQUEUE", "and who had them goes on later");
    need(m, "SlurmctldParameters", "preempt_send_user_signal",
         "jobs with --signal=USR1@... hear USR1 and write a checkpoint");
    need(m, "RequeueExit", "85", "a job that wrote its checkpoint goes on by itself");
}

/* ---- what Slurm has no words for ----------------------------------------------- */

static void put_notes(struct making *m)
{
    const struct rf_slurm_policy *p = m->policy;

    note(m, "windows, tolerances and verdicts: Slurm holds limits at each moment and judges "
            "nothing; 'ringfence slurm import' and 'ringfence audit' do");
    note(m, "denials: a submission that is refused leaves no line in the accounting, only "
            "in slurmctld's log");
    note(m, "meters other than allocated device-time: neither busy time nor FLOPs");
    for (int i = 0; i < p->npromises; i++)
        if (p->promises[i].secured == 0) {
            note(m,
                 "basis fleet: the numbers are for %" PRId64 " devices; when the fleet "
                 "changes, apply again",
                 m->site->devices);
            break;
        }
    if (lends(p))
        note(m, "a job has one QOS: beyond the share, jobs of its owner wait "
                "(QOSGrpGRES) unless they ask for --qos=" LENT ", where they may be stopped");
    if (lends(p))
        note(m, "which job is stopped: Slurm takes the lowest priority, not the one that costs "
                "least");
    if (is(p->fence, "bank"))
        note(m, "bank: credit for what was not used, its cap and its expiry; planned as floor");
    if (is(p->fence, "stock"))
        note(m, "stock: the pace line; the budget may be used up early, or asked for too late");
    if (is(p->fence, "request"))
        note(m, "request: who decides, how soon and how often; the board is whoever may move "
                "jobs, and its noes are cancelled jobs");
    if (is(p->order, "sjf") || is(p->order, "conservative"))
        note(m, "order %s: backfilling comes closest", p->order);
    if (p->nchanges > 0)
        note(m,
             "%d changes of mind: Slurm has no calendar of promises; at each date, apply the "
             "configuration of that day",
             p->nchanges);
}

/* ---- the whole ------------------------------------------------------------------ */

enum rf_status rf_slurm_plan_make(struct rf_slurm_plan *plan,
                                  const struct rf_slurm_policy *policy,
                                  const struct rf_slurm_site *site, struct rf_error *err)
{
    struct making m = {.plan = plan, .policy = policy, .site = site, .st = RF_OK, .err = err};

    *plan = (struct rf_slurm_plan){0};
    if (promised_to_all(&m) > site->devices)
        return rf_fail(err, RF_ERR_CONFIG,
                       "%" PRId64 " devices are promised, each share rounded up, but there are "
                       "%" PRId64,
                       promised_to_all(&m), site->devices);
    if (is(policy->fence, "stock"))
        for (int i = 0; i < policy->npromises; i++)
            if (policy->promises[i].horizon_us < 60000000)
                return rf_fail(
                    err, RF_ERR_CONFIG,
                    "the stock of '%.60s' needs a horizon (horizon_s) of a minute or "
                    "more to be a budget",
                    policy->promises[i].account);
    if (lends(policy))
        put_lending(&m);
    else if (is(policy->fence, "request"))
        put_board(&m);
    else
        put_accounts(&m, is(policy->fence, "partition") ? wall : no_fence);
    for (int i = 0; is(policy->fence, "partition") && i < policy->npromises; i++)
        put_reservation(&m, &policy->promises[i]);
    put_partition(&m);
    put_conf(&m);
    put_notes(&m);
    return m.st;
}

void rf_slurm_plan_clear(struct rf_slurm_plan *plan)
{
    free(plan->objects);
    free(plan->notes);
    *plan = (struct rf_slurm_plan){0};
}
