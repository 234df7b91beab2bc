/* The state against a slow, obvious model: who owns each device is one array, everything else is
 * found by looking at all jobs. Random events go to the model, to a state that knows its devices
 * and to one that only counts them; all three take or refuse the same events and agree on
 * everything afterwards, and what is refused changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/invariant.h"
#include "base/rng.h"

enum { DEVICES = 24, JOBS = 1200, WORLDS = 200, EVENTS = 1000, ACCOUNTS = 5 };
enum { ABSENT = -3, DOWN = -2, FREE = -1 }; /* owners that are no job */

static const char *const NAMES[ACCOUNTS] = {"a", "a.x", "b.y.z", "b", "c"};

struct model_job {
    int account, min, max, ndevices, lease, lent, after, preemptions, retries;
    int64_t charged_us, held_us, flops, retry_us, held_limit_us, flops_limit, disputed;
    enum rf_job_state state;
    char reason[RF_TEXT_BYTES];
};

struct model {
    int owner[DEVICES];
    struct model_job jobs[JOBS];
    int njobs, leases, closed, was_closed;
    int64_t t_us;
    struct { /* charged to this very account, not to those below it; and its limits, absolute */
        int64_t held_us, flops, denied, preempted, disputed, held_limit_us, flops_limit;
    } books[ACCOUNTS];
    struct {
        int64_t begin_us, end_us;
    } holds[EVENTS];
    int nholds;
};

struct world {
    struct rf_state *by_id, *by_count;
    struct model *model;
    uint64_t seed, draws;
    int64_t taken, refused;
};

static int pick(struct world *w, int n)
{
    return (int)rf_rng_below(w->seed, 1, w->draws++, (uint64_t)n);
}

static int owned(const struct model *m, int owner)
{
    int n = 0;

    for (int i = 0; i < DEVICES; i++)
        n += m->owner[i] == owner;
    return n;
}

static int below(int account, int of)
{
    size_t n = strlen(NAMES[of]);

    return strncmp(NAMES[account], NAMES[of], n) == 0 &&
           (NAMES[account][n] == '\0' || NAMES[account][n] == '.');
}

/* ---- what the model takes, and what becomes of it ---------------------- */

static int all_owned_by(const struct model *m, const struct rf_idset *set, int owner)
{
    for (int i = 0; i < DEVICES; i++)
        if (rf_idset_has(set, i) && m->owner[i] != owner)
            return 0;
    return 1;
}

static void give(struct model *m, const struct rf_idset *set, int owner)
{
    for (int i = 0; i < DEVICES; i++)
        if (rf_idset_has(set, i))
            m->owner[i] = owner;
}

static int queued(const struct model *m, int job)
{
    return job >= 0 && job < m->njobs && m->jobs[job].state == RF_JOB_QUEUED;
}

static int holds(const struct model *m, const struct rf_event *e)
{
    return e->job >= 0 && e->job < m->njobs && m->jobs[e->job].lease >= 0 &&
           m->jobs[e->job].lease == e->lease;
}

static int owes_exactly(const struct model *m, const struct rf_event *e)
{
    const struct model_job *job = &m->jobs[e->job];

    return e->held_us == job->ndevices * (e->t_us - job->charged_us);
}

static int takes_capacity(const struct model *m, const struct rf_event *e)
{
    int leaves = strcmp(e->reason, "left") == 0 || strcmp(e->reason, "failed") == 0 ||
                 strcmp(e->reason, "maintenance") == 0;
    int owner = strcmp(e->reason, "joined") == 0     ? ABSENT
                : strcmp(e->reason, "repaired") == 0 ? DOWN
                                                     : FREE;

    return rf_idset_count(&e->devices) > 0 && leaves == !e->up &&
           all_owned_by(m, &e->devices, owner);
}

static int64_t held_by(const struct model *m, int account)
{
    int64_t sum = 0;

    for (int a = 0; a < ACCOUNTS; a++)
        sum += below(a, account) ? m->books[a].held_us : 0;
    return sum;
}

static int64_t flops_by(const struct model *m, int account)
{
    int64_t sum = 0;

    for (int a = 0; a < ACCOUNTS; a++)
        sum += below(a, account) ? m->books[a].flops : 0;
    return sum;
}

static int spent(const struct model *m, const struct model_job *job)
{
    if (job->held_limit_us > 0 && job->held_us >= job->held_limit_us)
        return 1;
    if (job->flops_limit > 0 && job->flops >= job->flops_limit)
        return 1;
    for (int a = 0; a < ACCOUNTS; a++)
        if (below(job->account, a) &&
            ((m->books[a].held_limit_us > 0 && held_by(m, a) >= m->books[a].held_limit_us) ||
             (m->books[a].flops_limit > 0 && flops_by(m, a) >= m->books[a].flops_limit)))
            return 1;
    return 0;
}

static int takes_resize(const struct model *m, const struct rf_event *e)
{
    const struct model_job *job;
    int n = rf_idset_count(&e->devices);

    if (!holds(m, e) || n == 0 || !owes_exactly(m, e))
        return 0;
    job = &m->jobs[e->job];
    if (job->state != RF_JOB_RUNNING || job->min == job->max)
        return 0;
    if (e->type == RF_EVENT_SHRINK)
        return job->ndevices - n >= job->min && all_owned_by(m, &e->devices, e->job);
    return !spent(m, job) && job->ndevices + n <= job->max && e->lent <= n &&
           all_owned_by(m, &e->devices, FREE);
}

static int takes_grant(const struct model *m, const struct rf_event *e)
{
    int n = rf_idset_count(&e->devices);

    if (!queued(m, e->job) || e->lease != m->leases || e->lent > n)
        return 0;
    if (m->jobs[e->job].after >= 0 && m->jobs[m->jobs[e->job].after].state != RF_JOB_DONE)
        return 0;
    if (m->jobs[e->job].retry_us > m->t_us || spent(m, &m->jobs[e->job]))
        return 0;
    return n >= m->jobs[e->job].min && n <= m->jobs[e->job].max &&
           all_owned_by(m, &e->devices, FREE);
}

static int takes_release(const struct model *m, const struct rf_event *e)
{
    if (!holds(m, e) || !owes_exactly(m, e))
        return 0;
    if (strcmp(e->reason, "failed") != 0)
        return e->retry_us == 0;
    return m->jobs[e->job].retries > 0 && (e->retry_us == 0 || e->retry_us > e->t_us);
}

static int takes_relabel(const struct model *m, const struct rf_event *e)
{
    const struct model_job *job;

    if (e->job < 0 || e->job >= m->njobs)
        return 0;
    job = &m->jobs[e->job];
    if (strcmp(NAMES[job->account], e->account) == 0)
        return 0;
    return job->state == RF_JOB_QUEUED ||
           (job->state == RF_JOB_RUNNING && job->charged_us == e->t_us);
}

static int takes(const struct model *m, const struct rf_event *e)
{
    int word = strcmp(e->text, "done") == 0;

    if (e->t_us < m->t_us || (m->closed && e->type != RF_EVENT_RECOVER))
        return 0;
    switch (e->type) {
    case RF_EVENT_CAPACITY:
        return takes_capacity(m, e);
    case RF_EVENT_RESERVE:
        return e->count > 0 && e->begin_us < e->end_us && e->end_us > e->t_us;
    case RF_EVENT_REQUEST:
        return e->job == m->njobs && e->min >= 1 && e->max >= e->min && e->retries >= 0 &&
               e->held_limit_us >= 0 && (e->nafter == 0 || e->after[0] < m->njobs);
    case RF_EVENT_DELAY:
        return queued(m, e->job) && strcmp(m->jobs[e->job].reason, e->reason) != 0;
    case RF_EVENT_DENY:
        return queued(m, e->job);
    case RF_EVENT_GRANT:
        return takes_grant(m, e);
    case RF_EVENT_LIMIT:
        return e->held_limit_us >= 0;
    case RF_EVENT_CHARGE:
        return holds(m, e) && owes_exactly(m, e);
    case RF_EVENT_DISPUTE:
        return holds(m, e);
    case RF_EVENT_RELABEL:
        return takes_relabel(m, e);
    case RF_EVENT_PREEMPT:
        return holds(m, e) && m->jobs[e->job].state == RF_JOB_RUNNING;
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        return takes_resize(m, e);
    case RF_EVENT_END:
        if (e->lease < 0)
            return queued(m, e->job) && !word && e->held_us == 0;
        return holds(m, e) && owes_exactly(m, e);
    case RF_EVENT_RELEASE:
        return takes_release(m, e);
    case RF_EVENT_CLOSE:
        return owned(m, FREE) + owned(m, DOWN) + owned(m, ABSENT) == DEVICES;
    default:
        return 1;
    }
}

static void let_go(struct model *m, int job)
{
    for (int i = 0; i < DEVICES; i++)
        if (m->owner[i] == job)
            m->owner[i] = FREE;
    m->jobs[job].ndevices = m->jobs[job].lent = 0;
    m->jobs[job].lease = -1;
}

static void apply_capacity(struct model *m, const struct rf_event *e)
{
    give(m, &e->devices, e->up ? FREE : strcmp(e->reason, "left") == 0 ? ABSENT : DOWN);
}

static void apply_to_job(struct model *m, const struct rf_event *e)
{
    struct model_job *job = &m->jobs[e->job];
    int n = rf_idset_count(&e->devices);

    job->held_us += e->held_us;
    m->books[job->account].held_us += e->held_us;
    job->flops += e->flops;
    m->books[job->account].flops += e->flops;
    job->charged_us = e->t_us;
    if (e->type == RF_EVENT_GRANT) {
        job->state = RF_JOB_RUNNING;
        job->lease = m->leases++;
        job->ndevices = n;
        job->lent = e->lent;
        job->reason[0] = '\0';
        give(m, &e->devices, e->job);
    } else if (e->type == RF_EVENT_GROW) {
        job->ndevices += n;
        job->lent += e->lent;
        give(m, &e->devices, e->job);
    } else if (e->type == RF_EVENT_SHRINK) {
        job->ndevices -= n;
        job->lent = job->lent > n ? job->lent - n : 0;
        give(m, &e->devices, FREE);
    }
}

/* Limits, disputes, other accounts. */
static void apply_to_books(struct model *m, const struct rf_event *e)
{
    struct model_job *job = e->job < 0 ? NULL : &m->jobs[e->job];
    int a = 0;

    while (e->type != RF_EVENT_DISPUTE && strcmp(NAMES[a], e->account) != 0)
        a++;
    if (e->type == RF_EVENT_DISPUTE) {
        job->disputed += e->flops;
        m->books[job->account].disputed += e->flops;
    } else if (e->type == RF_EVENT_RELABEL) {
        job->account = a;
    } else {
        m->books[a].held_limit_us = e->held_limit_us > 0 ? held_by(m, a) + e->held_limit_us : 0;
        m->books[a].flops_limit = e->flops_limit > 0 ? flops_by(m, a) + e->flops_limit : 0;
    }
}

static void apply_over(struct model *m, const struct rf_event *e)
{
    struct model_job *job = &m->jobs[e->job];

    memcpy(job->reason, e->reason, sizeof job->reason);
    if (e->type == RF_EVENT_DELAY)
        return;
    job->held_us += e->held_us;
    m->books[job->account].held_us += e->held_us;
    m->books[job->account].denied += e->type == RF_EVENT_DENY;
    if (e->type == RF_EVENT_RELEASE && strcmp(e->reason, "failed") == 0) {
        job->retries--;
        job->retry_us = e->retry_us;
    }
    let_go(m, e->job);
    job->state = e->type == RF_EVENT_RELEASE      ? RF_JOB_QUEUED
                 : e->type == RF_EVENT_DENY       ? RF_JOB_DENIED
                 : strcmp(e->text, "done") == 0   ? RF_JOB_DONE
                 : strcmp(e->text, "failed") == 0 ? RF_JOB_FAILED
                                                  : RF_JOB_CANCELLED;
}

static void apply_recover(struct model *m)
{
    m->closed = 0;
    for (int i = 0; i < m->njobs; i++) {
        if (m->jobs[i].lease < 0)
            continue;
        let_go(m, i);
        m->jobs[i].state = RF_JOB_QUEUED;
        snprintf(m->jobs[i].reason, RF_TEXT_BYTES, "recovered");
    }
}

static void apply(struct model *m, const struct rf_event *e, int account)
{
    m->t_us = e->t_us;
    switch (e->type) {
    case RF_EVENT_CAPACITY:
        apply_capacity(m, e);
        break;
    case RF_EVENT_RESERVE:
        m->holds[m->nholds].begin_us = e->begin_us;
        m->holds[m->nholds++].end_us = e->end_us;
        break;
    case RF_EVENT_REQUEST:
        m->jobs[m->njobs++] = (struct model_job){.account = account,
                                                 .min = e->min,
                                                 .max = e->max,
                                                 .lease = -1,
                                                 .retries = e->retries,
                                                 .held_limit_us = e->held_limit_us,
                                                 .flops_limit = e->flops_limit,
                                                 .after = e->nafter > 0 ? e->after[0] : -1,
                                                 .state = RF_JOB_QUEUED};
        break;
    case RF_EVENT_GRANT:
    case RF_EVENT_CHARGE:
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        apply_to_job(m, e);
        break;
    case RF_EVENT_PREEMPT:
        m->jobs[e->job].state = RF_JOB_STOPPING;
        m->jobs[e->job].preemptions++;
        m->books[m->jobs[e->job].account].preempted++;
        break;
    case RF_EVENT_LIMIT:
    case RF_EVENT_DISPUTE:
    case RF_EVENT_RELABEL:
        apply_to_books(m, e);
        break;
    case RF_EVENT_DELAY:
    case RF_EVENT_DENY:
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        apply_over(m, e);
        break;
    case RF_EVENT_RECOVER:
        apply_recover(m);
        break;
    case RF_EVENT_CLOSE:
        m->closed = 1;
        break;
    default:
        break;
    }
}

/* ---- do they agree? --------------------------------------------------- */

static void same_jobs(const struct model *m, const struct rf_state *s)
{
    int32_t queue = s->queue_first;
    int nqueue = 0, nrunning = 0;

    assert_int_equal(s->njobs, m->njobs);
    for (int i = 0; i < m->njobs; i++) {
        const struct model_job *want = &m->jobs[i];
        const struct rf_job *have = &s->jobs[i];

        assert_int_equal(have->state, want->state);
        assert_int_equal(have->lease, want->lease);
        assert_int_equal(have->ndevices, want->ndevices);
        assert_int_equal(have->lent, want->lent);
        assert_int_equal(have->held_us, want->held_us);
        assert_int_equal(have->preemptions, want->preemptions);
        assert_int_equal(rf_state_job_extra(s, i)->retries, want->retries);
        assert_int_equal(rf_state_job_extra(s, i)->disputed.flops, want->disputed);
        assert_int_equal(rf_state_spent(s, have) != NULL, spent(m, want));
        assert_string_equal(rf_state_job_account(s, i), NAMES[want->account]);
        assert_string_equal(rf_state_job_reason(s, i), want->reason);
        if (want->state == RF_JOB_QUEUED) {
            assert_int_equal(queue, i);
            queue = s->jobs[queue].next;
            nqueue++;
        }
        nrunning += want->lease >= 0;
    }
    assert_int_equal(queue, -1);
    assert_int_equal(s->nqueue, nqueue);
    assert_int_equal(s->nrunning, nrunning);
    for (int32_t id = s->running_first, lease = -1; id >= 0; id = s->jobs[id].next) {
        assert_true(s->jobs[id].lease > lease);
        lease = s->jobs[id].lease;
    }
}

static void same_accounts(const struct model *m, const struct rf_state *s)
{
    for (int a = 0; a < ACCOUNTS; a++) {
        int32_t id = rf_state_find_account(s, NAMES[a]);
        int64_t used = 0, jobs = 0, denied = 0, preempted = 0, disputed = 0;

        for (int i = 0; i < m->njobs; i++) {
            if (!below(m->jobs[i].account, a))
                continue;
            used += m->jobs[i].ndevices;
            jobs++;
        }
        for (int b = 0; b < ACCOUNTS; b++) {
            if (!below(b, a))
                continue;
            denied += m->books[b].denied;
            preempted += m->books[b].preempted;
            disputed += m->books[b].disputed;
        }
        assert_true(id >= 0 || jobs == 0);
        if (id < 0)
            continue;
        assert_int_equal(s->accounts[id].used, used);
        assert_int_equal(rf_wide_narrow(s->accounts[id].held_us), held_by(m, a));
        assert_int_equal(s->accounts[id].flops, flops_by(m, a));
        assert_int_equal(s->accounts[id].disputed.flops, disputed);
        assert_int_equal(s->accounts[id].jobs, jobs);
        assert_int_equal(s->accounts[id].denied, denied);
        assert_int_equal(s->accounts[id].preempted, preempted);
    }
}

static void same_devices(const struct model *m, const struct rf_state *s)
{
    int nholds = 0;

    assert_int_equal(s->nfree, owned(m, FREE));
    assert_int_equal(s->ndown, owned(m, DOWN));
    assert_int_equal(s->nfleet, DEVICES - owned(m, DOWN) - owned(m, ABSENT));
    for (int i = 0; i < m->nholds; i++)
        nholds += m->holds[i].end_us > m->t_us;
    assert_int_equal(s->nholds, nholds);
    for (int i = 1; i < s->nholds; i++)
        assert_true(s->holds[i - 1].begin_us <= s->holds[i].begin_us);
    for (int i = 0; i < DEVICES && !s->by_count; i++) {
        assert_int_equal(rf_idset_has(&s->free, i), m->owner[i] == FREE);
        assert_int_equal(rf_idset_has(&s->down, i), m->owner[i] == DOWN);
        if (m->owner[i] >= 0)
            assert_true(rf_idset_has(rf_state_devices(s, m->owner[i]), i));
    }
}

static void same(const struct model *m, const struct rf_state *s, const struct rf_event *e)
{
    struct rf_error err;

    same_devices(m, s);
    same_jobs(m, s);
    same_accounts(m, s);
    if (rf_invariant_check(s, &err) != RF_OK || rf_invariant_check_event(s, e, &err) != RF_OK)
        fail_msg("%s", err.text);
}

/* ---- random events ---------------------------------------------------- */

/* About n devices with that owner; now and then one too many, which is another's. */
static void some_devices(struct world *w, struct rf_idset *set, int owner, int n)
{
    for (int i = pick(w, DEVICES), k = 0; k < DEVICES && n > 0; k++, i = (i + 1) % DEVICES) {
        if (w->model->owner[i] != owner && pick(w, 200) > 0)
            continue;
        assert_int_equal(rf_idset_add(set, i, i + 1, NULL), RF_OK);
        n--;
    }
}

static int some_job(struct world *w, int holding)
{
    const struct model *m = w->model;

    for (int tries = 0; tries < 20 && m->njobs > 0; tries++) {
        int id = m->njobs - 1 - pick(w, m->njobs < 40 ? m->njobs : 40);

        if ((m->jobs[id].lease >= 0) == holding &&
            (holding || m->jobs[id].state == RF_JOB_QUEUED))
            return id;
    }
    return pick(w, m->njobs + 2) - 1;
}

static void about_capacity(struct world *w, struct rf_event *e)
{
    static const char *const REASONS[] = {"left", "failed", "maintenance", "joined",
                                          "repaired"};
    static const int OWNERS[] = {FREE, FREE, FREE, ABSENT, DOWN};
    int which = pick(w, 5);

    e->up = which >= 3;
    if (pick(w, 50) == 0)
        e->up = !e->up;
    snprintf(e->reason, sizeof e->reason, "%s", REASONS[which]);
    some_devices(w, &e->devices, OWNERS[which], 1 + pick(w, 6));
}

static void about_request(struct world *w, struct rf_event *e, int *account)
{
    *account = pick(w, ACCOUNTS);
    e->job = w->model->njobs + (pick(w, 50) == 0);
    e->min = pick(w, 40) == 0 ? 0 : 1 + pick(w, 6);
    e->max = e->min + (pick(w, 2) ? pick(w, 8) : 0);
    e->limit_us = pick(w, 1000);
    if (pick(w, 4) == 0 && w->model->njobs > 0)
        e->after[e->nafter++] = pick(w, w->model->njobs + 1);
    if (pick(w, 3) == 0)
        e->retries = pick(w, 4) - (pick(w, 20) == 0);
    if (pick(w, 8) == 0)
        e->held_limit_us = 1 + pick(w, 60);
    if (pick(w, 8) == 0)
        e->flops_limit = 1 + pick(w, 60);
    e->priority = pick(w, 3) - 1;
    if (pick(w, 2))
        snprintf(e->name, sizeof e->name, "job-%d", pick(w, 1000));
    snprintf(e->account, sizeof e->account, "%s", NAMES[*account]);
    e->account_id = pick(w, 2) ? rf_state_find_account(w->by_id, NAMES[*account]) : -1;
    if (e->account_id >= 0 && pick(w, 2))
        e->account[0] = '\0';
}

static void about_holder(struct world *w, struct rf_event *e)
{
    const struct model *m = w->model;
    const struct model_job *job;

    e->job = some_job(w, 1);
    if (e->job < 0 || e->job >= m->njobs)
        return;
    job = &m->jobs[e->job];
    e->lease = pick(w, 60) == 0 ? job->lease + 1 : job->lease;
    if (e->type != RF_EVENT_PREEMPT && e->type != RF_EVENT_DISPUTE && job->lease >= 0)
        e->held_us = job->ndevices * (e->t_us - job->charged_us) + (pick(w, 50) == 0);
    if (e->type == RF_EVENT_SHRINK)
        some_devices(w, &e->devices, e->job, 1 + pick(w, 3));
    if (e->type == RF_EVENT_GROW)
        some_devices(w, &e->devices, FREE, 1 + pick(w, 3));
    if (e->type == RF_EVENT_GROW)
        e->lent = pick(w, 3);
    if (e->type == RF_EVENT_CHARGE && pick(w, 3) == 0)
        e->tokens = pick(w, 100);
    if (e->type == RF_EVENT_CHARGE || e->type == RF_EVENT_DISPUTE)
        e->flops = pick(w, 20);
    if (e->type == RF_EVENT_RELEASE && (pick(w, 3) == 0 || job->retries > 0)) {
        snprintf(e->reason, sizeof e->reason, "failed");
        e->retry_us = pick(w, 3) == 0 ? 0 : e->t_us + pick(w, 12);
    }
}

static void about_grant(struct world *w, struct rf_event *e)
{
    const struct model *m = w->model;

    e->job = some_job(w, 0);
    e->lease = m->leases + (pick(w, 80) == 0);
    e->lent = pick(w, 3);
    if (e->job >= 0 && e->job < m->njobs)
        some_devices(w, &e->devices, FREE,
                     m->jobs[e->job].min +
                         pick(w, m->jobs[e->job].max - m->jobs[e->job].min + 2));
}

static void about_account(struct world *w, struct rf_event *e)
{
    const struct model *m = w->model;

    snprintf(e->account, sizeof e->account, "%s", NAMES[pick(w, ACCOUNTS)]);
    snprintf(e->author, sizeof e->author, "board");
    if (e->type == RF_EVENT_LIMIT) {
        e->held_limit_us = pick(w, 3) == 0 ? 0 : pick(w, 400) - (pick(w, 20) == 0);
        e->flops_limit = pick(w, 2) ? 0 : pick(w, 400);
        return;
    }
    e->job = some_job(w, pick(w, 2));
    if (e->job >= 0 && e->job < m->njobs && m->jobs[e->job].lease >= 0 &&
        m->jobs[e->job].charged_us >= m->t_us)
        e->t_us = m->t_us;
}

static struct rf_event random_event(struct world *w, int *account)
{
    static const enum rf_event_type TYPES[] = {
        RF_EVENT_CAPACITY, RF_EVENT_RESERVE, RF_EVENT_REQUEST,   RF_EVENT_REQUEST,
        RF_EVENT_REQUEST,  RF_EVENT_DELAY,   RF_EVENT_DENY,      RF_EVENT_GRANT,
        RF_EVENT_GRANT,    RF_EVENT_GRANT,   RF_EVENT_GRANT,     RF_EVENT_CHARGE,
        RF_EVENT_PREEMPT,  RF_EVENT_SHRINK,  RF_EVENT_GROW,      RF_EVENT_RELEASE,
        RF_EVENT_END,      RF_EVENT_END,     RF_EVENT_HEARTBEAT, RF_EVENT_CLOSE,
        RF_EVENT_LIMIT,    RF_EVENT_DISPUTE, RF_EVENT_RELABEL,   RF_EVENT_RELABEL};
    static const char *const REASONS[] = {"devices-busy", "queue-order", "kept-clear"};
    static const char *const ENDS[] = {"done", "done", "failed", "cancelled"};
    enum rf_event_type type = TYPES[pick(w, (int)(sizeof TYPES / sizeof *TYPES))];
    struct rf_event e;

    if (type == RF_EVENT_CLOSE && pick(w, 12) > 0)
        type = RF_EVENT_GRANT;
    if (pick(w, 500) == 0 || (w->model->closed && pick(w, 2)))
        type = RF_EVENT_RECOVER;
    e = rf_event_make(type, w->model->t_us + pick(w, 5) - (pick(w, 100) == 0));
    snprintf(e.reason, sizeof e.reason, "%s", REASONS[pick(w, 3)]);
    snprintf(e.text, sizeof e.text, "%s", type == RF_EVENT_END ? ENDS[pick(w, 4)] : "");
    if (type == RF_EVENT_CAPACITY)
        about_capacity(w, &e);
    else if (type == RF_EVENT_REQUEST)
        about_request(w, &e, account);
    else if (type == RF_EVENT_GRANT)
        about_grant(w, &e);
    else if (type == RF_EVENT_LIMIT || type == RF_EVENT_RELABEL)
        about_account(w, &e);
    else if (type == RF_EVENT_DELAY || type == RF_EVENT_DENY ||
             (type == RF_EVENT_END && pick(w, 20) == 0))
        e.job = some_job(w, 0);
    else if (type != RF_EVENT_HEARTBEAT && type != RF_EVENT_CLOSE && type != RF_EVENT_RECOVER)
        about_holder(w, &e);
    if (type == RF_EVENT_RESERVE) {
        e.job = e.lease = -1;
        e.held_us = 0;
        e.count = pick(w, 4);
        e.begin_us = e.t_us + pick(w, 100);
        e.end_us = e.begin_us + pick(w, 100);
    }
    return e;
}

/* Only a state that knows its devices can tell that the wrong ones were named. */
static int names_others(const struct model *m, const struct rf_event *e)
{
    int owner = e->type == RF_EVENT_SHRINK           ? e->job
                : e->type != RF_EVENT_CAPACITY       ? FREE
                : strcmp(e->reason, "joined") == 0   ? ABSENT
                : strcmp(e->reason, "repaired") == 0 ? DOWN
                                                     : FREE;

    return !all_owned_by(m, &e->devices, owner);
}

static void refused_changes_nothing(struct rf_state *s, const struct rf_event *e)
{
    struct rf_state before = *s;
    size_t size = (size_t)s->njobs * sizeof *s->jobs;
    struct rf_job *jobs = malloc(size + 1);
    struct rf_error err = {RF_OK, ""};

    assert_non_null(jobs);
    if (size > 0)
        memcpy(jobs, s->jobs, size);
    assert_int_equal(rf_state_apply(s, e, &err), RF_ERR_INPUT);
    assert_true(err.text[0] != '\0');
    assert_memory_equal(&before, s, sizeof before);
    if (size > 0)
        assert_memory_equal(jobs, s->jobs, size);
    free(jobs);
}

static void step(struct world *w)
{
    int account = 0, take;
    struct rf_event e = random_event(w, &account);
    struct rf_error err = {RF_OK, ""};

    e.seq = w->by_id->next_seq;
    if (e.type != RF_EVENT_RESERVE)
        e.count = rf_idset_count(&e.devices);
    take = takes(w->model, &e);
    if (!take) {
        refused_changes_nothing(w->by_id, &e);
        if (!names_others(w->model, &e))
            refused_changes_nothing(w->by_count, &e);
        w->refused++;
    } else {
        if (rf_state_apply(w->by_id, &e, &err) != RF_OK ||
            rf_state_apply(w->by_count, &e, &err) != RF_OK)
            fail_msg("%s", err.text);
        apply(w->model, &e, account);
        same(w->model, w->by_id, &e);
        same(w->model, w->by_count, &e);
        w->taken++;
    }
    rf_event_clear(&e);
}

static void begin(struct world *w, int number)
{
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);

    w->seed = (uint64_t)number;
    w->draws = 0;
    memset(w->model, 0, sizeof *w->model);
    for (int i = 0; i < DEVICES; i++)
        w->model->owner[i] = ABSENT;
    assert_int_equal(rf_state_create(&w->by_id, 0, NULL), RF_OK);
    assert_int_equal(rf_state_create(&w->by_count, 1, NULL), RF_OK);
    snprintf(e.name, sizeof e.name, "random");
    snprintf(e.text, sizeof e.text, "fcfs+none");
    assert_int_equal(rf_state_apply(w->by_id, &e, NULL), RF_OK);
    assert_int_equal(rf_state_apply(w->by_count, &e, NULL), RF_OK);
    assert_string_equal(w->by_id->order, "fcfs");
    assert_string_equal(w->by_id->fence, "none");
}

static void both_states_and_the_model_agree(void **unused)
{
    static struct model model;
    struct world w = {.model = &model};

    (void)unused;
    for (int number = 0; number < WORLDS; number++) {
        begin(&w, number);
        for (int i = 0; i < EVENTS; i++)
            step(&w);
        rf_state_destroy(w.by_id);
        rf_state_destroy(w.by_count);
    }
    assert_true(w.taken > WORLDS * EVENTS / 4 && w.refused > WORLDS * EVENTS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_states_and_the_model_agree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
