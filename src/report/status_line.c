/* How a run stands, in one line: the same words from a live state and from a status document. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "report/json.h"
#include "report/status.h"

enum { JOBS_SHOWN = 4 };

static void add(char *line, size_t size, const char *fmt, ...) RF_PRINTF(3, 4);

static void add(char *line, size_t size, const char *fmt, ...)
{
    size_t used = strlen(line);
    va_list args;

    va_start(args, fmt);
    vsnprintf(line + used, size - used, fmt, args);
    va_end(args);
}

struct counts {
    const char *state;
    int64_t running, queued, ended, jobs, devices, fleet;
};

static void add_counts(const struct counts *c, char *line, size_t size)
{
    add(line, size,
        " state=%s running=%lld queued=%lld ended=%lld jobs=%lld devices=%lld fleet=%lld",
        c->state, (long long)c->running, (long long)c->queued, (long long)c->ended,
        (long long)c->jobs, (long long)c->devices, (long long)c->fleet);
}

static void add_pledge(const char *account, double share, double promised, char *line,
                       size_t size)
{
    add(line, size, " share.%.40s=%.4f pledge.%.40s=%.4f", account,
        isfinite(share) ? share : 0.0, account, promised);
}

static void add_used(const char *account, double used, char *line, size_t size)
{
    if (isfinite(used))
        add(line, size, " used.%.40s=%.4f", account, used);
}

/* ---- from a document ---- */

static int64_t whole(const json_t *object, const char *key)
{
    double x = rf_json_number(object, key);

    return isfinite(x) && fabs(x) < 9e15 ? (int64_t)x : 0;
}

void rf_status_line(const json_t *document, char *line, size_t size)
{
    const json_t *jobs = json_object_get(document, "jobs");
    const json_t *devices = json_object_get(document, "devices");
    const json_t *pledges = rf_json_list(document, "pledges");
    const json_t *accounts = rf_json_list(document, "accounts");
    const json_t *progress = json_object_get(document, "progress");
    const struct rf_pace pace = {.part = rf_json_number(progress, "part"),
                                 .elapsed_s = rf_json_number(document, "elapsed_s"),
                                 .eta_s = rf_json_number(progress, "eta_s"),
                                 .rate = rf_json_number(progress, "tokens_per_s"),
                                 .unit = "tokens"};
    struct counts c = {.state = rf_json_text(document, "state"),
                       .running = whole(jobs, "running") + whole(jobs, "stopping"),
                       .queued = whole(jobs, "queued"),
                       .ended = whole(jobs, "done") + whole(jobs, "failed") +
                                whole(jobs, "cancelled") + whole(jobs, "denied"),
                       .devices = whole(devices, "fleet") - whole(devices, "free"),
                       .fleet = whole(devices, "fleet")};

    c.jobs = whole(progress, "jobs");
    if (c.jobs == 0) /* from a ledger: those that it knows */
        c.jobs = c.running + c.queued + c.ended;
    rf_pace_plain(&pace, "run", line, size);
    add_counts(&c, line, size);
    for (size_t i = 0; i < json_array_size(pledges); i++) {
        const json_t *p = json_array_get(pledges, i);

        add_pledge(rf_json_text(p, "account"), rf_json_number(p, "received_share"),
                   rf_json_number(p, "share_ratio"), line, size);
    }
    for (size_t i = 0; i < json_array_size(accounts); i++) {
        const json_t *a = json_array_get(accounts, i);

        add_used(rf_json_text(a, "name"), rf_json_number(a, "limit_used"), line, size);
    }
}

/* ---- from a state ---- */

static struct counts count(const struct rf_state *state, int64_t planned)
{
    struct counts c = {.state = state->closed ? "done" : "running",
                       .queued = state->nqueue,
                       .jobs = state->njobs,
                       .devices = state->nfleet - state->nfree,
                       .fleet = state->nfleet};

    for (int32_t id = state->running_first; id >= 0; id = state->jobs[id].next)
        c.running++;
    c.ended = c.jobs - c.running - c.queued;
    c.jobs = planned;
    return c;
}

static double promised(const struct rf_pledge *pledge)
{
    return (double)pledge->share.num / (double)pledge->share.den;
}

void rf_status_plain(const struct rf_state *state, const struct rf_tally *tally,
                     const struct rf_pace *pace, int64_t planned, char *line, size_t size)
{
    struct counts c = count(state, planned);

    rf_pace_plain(pace, "run", line, size);
    add_counts(&c, line, size);
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *p = &state->pledges[i];

        add_pledge(p->account_name, rf_status_share(state, tally, p->account, state->now_us),
                   promised(p), line, size);
    }
    for (int32_t i = 0; state->limited && i < state->naccounts; i++)
        add_used(state->accounts[i].name, rf_status_used(&state->accounts[i]), line, size);
}

static void add_running(const struct rf_state *state, char *line, size_t size)
{
    int shown = 0, more = 0;

    add(line, size, "  running");
    for (int32_t id = state->running_first; id >= 0; id = state->jobs[id].next) {
        const struct rf_job *job = &state->jobs[id];
        char name[RF_NAME_BYTES];

        if (shown++ < JOBS_SHOWN)
            add(line, size, " %s[%d]%s", rf_state_job_name(state, id, name), job->ndevices,
                job->state == RF_JOB_STOPPING ? "-" : "");
        else
            more++;
    }
    if (shown == 0)
        add(line, size, " none");
    if (more > 0)
        add(line, size, " +%d", more);
}

void rf_status_screen(const struct rf_state *state, const struct rf_tally *tally,
                      const struct rf_pace *pace, int64_t planned, char *line, size_t size)
{
    struct counts c = count(state, planned);

    line[0] = '\0';
    add(line, size, "%.1f s", pace->elapsed_s);
    rf_pace_add_screen(pace, line, size);
    add(line, size, "  %lld/%lld jobs", (long long)c.ended, (long long)c.jobs);
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *p = &state->pledges[i];
        double share = rf_status_share(state, tally, p->account, state->now_us);

        add(line, size, "  %s %.1f%% of %.1f%%", p->account_name,
            isfinite(share) ? 100 * share : 0.0, 100 * promised(p));
    }
    add(line, size, "  waiting %d", state->nqueue);
    add_running(state, line, size);
}
