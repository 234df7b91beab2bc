/* Who has which device, from events alone (T1, T4).
 *
 * Each device is absent, free, down or held by one job. Between two lines the counts stand
 * still, so device-time is a sum of products; granted + idle + down has to be what is installed
 * in each stretch, and the readings have to add up to what was granted. */
#include <stdio.h>
#include <string.h>

#include "audit/watch_rules.h"

enum { OWNER_MAX = 1 << 24 }; /* devices beyond are counted, but not looked at one by one */

/* A stretch up to the event in which nothing changed. */
enum rf_status rf_watch_pass(struct rf_audit_watch *w, const struct rf_event *event,
                             struct rf_error *err)
{
    struct rf_audit_test *t1 = &w->tests[RF_T1_CONSERVATION];
    int64_t dt = event->t_us - w->last_us;

    if (!w->opened || w->closed || dt <= 0)
        return RF_OK;
    t1->checked++;
    rf_wide_add_product(&w->installed_us, w->ninstalled, dt);
    rf_wide_add_product(&w->granted_us, w->nheld, dt);
    rf_wide_add_product(&w->idle_us, w->nfree, dt);
    rf_wide_add_product(&w->down_us, w->ndown, dt);
    if (w->nheld + w->nfree + w->ndown == w->ninstalled)
        return RF_OK;
    return rf_audit_find(t1, event->seq, event->job, (double)dt, err,
                         "before line %lld: %lld granted + %lld idle + %lld down is not the "
                         "%lld devices installed",
                         (long long)event->seq + 1, (long long)w->nheld, (long long)w->nfree,
                         (long long)w->ndown, (long long)w->ninstalled);
}

static void say_owner(int32_t owner, char buf[48])
{
    static const char *const WORDS[] = {"is not installed", "is free", "is down"};

    if (owner >= 0)
        snprintf(buf, 48, "is held by job %d", (int)owner);
    else
        snprintf(buf, 48, "%s", WORDS[-1 - owner]);
}

static void move(struct rf_audit_watch *w, int32_t from, int32_t to, int64_t n)
{
    const int32_t end[2] = {from, to};

    for (int i = 0; i < 2; i++) {
        int64_t by = i == 0 ? -n : n;

        if (end[i] >= 0)
            w->nheld += by;
        else if (end[i] == RF_OWNER_FREE)
            w->nfree += by;
        else if (end[i] == RF_OWNER_DOWN)
            w->ndown += by;
    }
}

static enum rf_status know_devices(struct rf_audit_watch *w, int64_t end, struct rf_error *err)
{
    int64_t room = w->owner_room;
    enum rf_status st =
        rf_audit_room((void **)&w->owner, &w->owner_room, end, sizeof *w->owner, err);

    for (int64_t d = room; st == RF_OK && d < w->owner_room; d++)
        w->owner[d] = RF_OWNER_ABSENT;
    return st;
}

static enum rf_status hand_range(struct rf_audit_watch *w, const struct rf_event *event,
                                 struct rf_idrange range, int32_t from, int32_t to,
                                 const char *verb, struct rf_error *err)
{
    struct rf_audit_test *t4 = &w->tests[RF_T4_OVERLAP];
    int32_t end = range.end < OWNER_MAX ? range.end : OWNER_MAX;
    int32_t begin = range.begin < end ? range.begin : end;
    enum rf_status st = know_devices(w, end, err);
    char has[48];

    if (st == RF_OK && range.end > end)
        move(w, from, to, range.end - (range.begin > end ? range.begin : end));
    for (int32_t d = begin; st == RF_OK && d < end; d++) {
        t4->checked++;
        if (w->owner[d] != from) {
            say_owner(w->owner[d], has);
            st = rf_audit_find(t4, event->seq, event->job, 1, err,
                               "line %lld: device %d %s, but it %s", (long long)event->seq + 1,
                               (int)d, verb, has);
        }
        move(w, w->owner[d], to, 1);
        w->owner[d] = to;
    }
    return st;
}

/* The devices go from one owner to another; whoever else has one is found out. */
static enum rf_status hand_over(struct rf_audit_watch *w, const struct rf_event *event,
                                const struct rf_idset *devices, int32_t from, int32_t to,
                                const char *verb, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (devices->nranges == 0) /* where devices are only counted */
        move(w, from, to, event->count);

    for (int32_t r = 0; st == RF_OK && r < devices->nranges; r++)
        st = hand_range(w, event, devices->ranges[r], from, to, verb, err);
    return st;
}

/* A reading: exactly devices x time since the last one. */
static enum rf_status check_reading(struct rf_audit_watch *w, const struct rf_event *event,
                                    struct rf_error *err)
{
    struct rf_watch_job *job = &w->jobs[event->job];
    struct rf_wide due = rf_wide_product(job->devices, event->t_us - job->read_us);
    double off = rf_wide_double(rf_wide_minus(rf_wide_of(event->held_us), due));

    rf_wide_add(&w->charged_us, event->held_us);
    job->read_us = event->t_us;
    if (off == 0)
        return RF_OK;
    return rf_audit_find(
        &w->tests[RF_T1_CONSERVATION], event->seq, event->job, off < 0 ? -off : off, err,
        "line %lld: the meter of job %d reads %.6f device-s, its %d devices had %.6f",
        (long long)event->seq + 1, (int)event->job, (double)event->held_us / 1e6,
        (int)job->devices, rf_wide_double(due) / 1e6);
}

static enum rf_status capacity(struct rf_audit_watch *w, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err)
{
    int64_t n = rf_state_count(state, event);

    if (event->up && strcmp(event->reason, "repaired") == 0)
        return hand_over(w, event, &event->devices, RF_OWNER_DOWN, RF_OWNER_FREE, "is repaired",
                         err);
    if (event->up) {
        w->ninstalled += n;
        return hand_over(w, event, &event->devices, RF_OWNER_ABSENT, RF_OWNER_FREE, "joins",
                         err);
    }
    if (strcmp(event->reason, "left") != 0)
        return hand_over(w, event, &event->devices, RF_OWNER_FREE, RF_OWNER_DOWN, "goes down",
                         err);
    w->ninstalled -= n;
    return hand_over(w, event, &event->devices, RF_OWNER_FREE, RF_OWNER_ABSENT, "leaves", err);
}

/* The recorder died: every lease ended with it. */
static enum rf_status recovered(struct rf_audit_watch *w, const struct rf_event *event,
                                struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int64_t j = 0; st == RF_OK && j < w->njobs; j++) {
        struct rf_watch_job *job = &w->jobs[j];
        struct rf_gap gap = {RF_GAP_READING, job->read_us, event->t_us,
                             event->seq,     (int32_t)j,   0};
        struct rf_wide lost = rf_wide_product(job->devices, event->t_us - job->read_us);

        if (job->devices == 0)
            continue;
        w->unread_us = rf_wide_plus(w->unread_us, lost);
        gap.device_us = rf_wide_narrow(lost);
        if (gap.device_us > 0)
            st = rf_watch_gap(w, &gap, err);
        job->devices = 0;
    }
    for (int64_t d = 0; d < w->owner_room; d++)
        if (w->owner[d] >= 0)
            w->owner[d] = RF_OWNER_FREE;
    w->nfree += w->nheld;
    w->nheld = 0;
    return st;
}

static enum rf_status granted(struct rf_audit_watch *w, const struct rf_state *state,
                              const struct rf_event *event, struct rf_error *err)
{
    struct rf_watch_job *job = &w->jobs[event->job];

    job->devices = rf_state_count(state, event);
    job->read_us = event->t_us;
    job->held_us = job->busy_us = job->tokens = job->flops = 0;
    job->lease = event->lease;
    return hand_over(w, event, &event->devices, RF_OWNER_FREE, event->job, "is granted", err);
}

static enum rf_status given_back(struct rf_audit_watch *w, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err)
{
    struct rf_watch_job *job = &w->jobs[event->job];
    enum rf_status st = check_reading(w, event, err);

    if (state->by_count)
        move(w, event->job, RF_OWNER_FREE, job->devices);
    job->devices = 0;
    return st == RF_OK && !state->by_count
               ? hand_over(w, event, rf_state_devices(state, event->job), event->job,
                           RF_OWNER_FREE, "is given back", err)
               : st;
}

enum rf_status rf_watch_devices(struct rf_audit_watch *w, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err)
{
    int known = event->job >= 0 && event->job < w->njobs;
    int32_t n = rf_state_count(state, event);
    enum rf_status st = RF_OK;

    if (event->type == RF_EVENT_CAPACITY)
        return capacity(w, state, event, err);
    if (event->type == RF_EVENT_RECOVER)
        return recovered(w, event, err);
    if (!known)
        return RF_OK;
    switch (event->type) {
    case RF_EVENT_GRANT:
        return granted(w, state, event, err);
    case RF_EVENT_CHARGE:
        return check_reading(w, event, err);
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        st = check_reading(w, event, err);
        w->jobs[event->job].devices += event->type == RF_EVENT_GROW ? n : -n;
        if (st != RF_OK)
            return st;
        return event->type == RF_EVENT_GROW
                   ? hand_over(w, event, &event->devices, RF_OWNER_FREE, event->job,
                               "is granted", err)
                   : hand_over(w, event, &event->devices, event->job, RF_OWNER_FREE,
                               "is given back", err);
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        return event->lease >= 0 ? given_back(w, state, event, err) : RF_OK;
    default:
        return RF_OK;
    }
}

enum rf_status rf_watch_devices_end(struct rf_audit_watch *w, const struct rf_state *state,
                                    struct rf_error *err)
{
    struct rf_audit_test *t1 = &w->tests[RF_T1_CONSERVATION];
    struct rf_wide owed = rf_wide_of(0), off;
    enum rf_status st = RF_OK;

    for (int64_t j = 0; j < w->njobs; j++)
        rf_wide_add_product(&owed, w->jobs[j].devices, w->last_us - w->jobs[j].read_us);
    off = rf_wide_minus(rf_wide_plus(rf_wide_plus(w->charged_us, owed), w->unread_us),
                        w->granted_us);
    if (t1->count == 0 && w->nseq == state->next_seq && rf_wide_sign(off) != 0)
        st = rf_audit_find(t1, -1, -1, rf_wide_double(off), err,
                           "readings and granted device-time differ by %.6f device-s",
                           rf_wide_double(off) / 1e6);
    /* a last line that the state refused has been counted here alone */
    if (st == RF_OK && t1->count == 0 && w->nseq == state->next_seq &&
        (w->nfree != state->nfree || w->ndown != state->ndown ||
         w->ninstalled != (int64_t)state->nfleet + state->ndown))
        st = rf_audit_find(t1, -1, -1, 1, err,
                           "the events leave %lld devices free and %lld down, the state has "
                           "%d and %d",
                           (long long)w->nfree, (long long)w->ndown, (int)state->nfree,
                           (int)state->ndown);
    rf_audit_note(t1, "granted %.6g + idle %.6g + down %.6g = installed %.6g device-h",
                  rf_wide_double(w->granted_us) / 3600e6, rf_wide_double(w->idle_us) / 3600e6,
                  rf_wide_double(w->down_us) / 3600e6,
                  rf_wide_double(w->installed_us) / 3600e6);
    if (rf_wide_sign(w->unread_us) > 0)
        rf_audit_note(t1, "%.6g device-h never had a reading",
                      rf_wide_double(w->unread_us) / 3600e6);
    rf_audit_conclude(t1, 1);
    rf_audit_conclude(&w->tests[RF_T4_OVERLAP], 1);
    return st;
}
