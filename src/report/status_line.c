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
    double elapsed_s;
    int64_t running, queued, ended, jobs, devices, fleet;
};

static void add_counts(const struct counts *c, char *line, size_t size)
{
    add(line, size,
        "progress what=run state=%s elapsed_s=%.1f running=%lld queued=%lld ended=%lld "
        "jobs=%lld devices=%lld fleet=%lld",
        c->state, c->elapsed_s, (long long)c->running, (long long)c->queued,
        (long long)c->ended, (long long)c->jobs, (long long)c->devices, (long long)c->fleet);
}

static void add_pledge(const char *account, double share, double promised, char *line,
                       size_t size)
{
    add(line, size, " share.%.40s=%.4f pledge.%.40s=%.4f", account,
        isfinite(share) ? share : 0.0, account, promised);
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
    double elapsed_s = rf_json_number(document, "elapsed_s");
    struct counts c = {.state = rf_json_text(document, "state"),
                       .elapsed_s = isfinite(elapsed_s) ? elapsed_s : 0,
                       .running = whole(jobs, "running") + whole(jobs, "stopping"),
                       .queued = whole(jobs, "queued"),
                       .ended = whole(jobs, "done") + whole(jobs, "failed") +
                                whole(jobs, "cancelled") + whole(jobs, "denied"),
                       .devices = whole(devices, "fleet") - whole(devices, "free"),
                       .fleet = whole(devices, "fleet")};

    c.jobs = c.running + c.queued + c.ended;
    line[0] = '\0';
    add_counts(&c, line, size);
    for (size_t i = 0; i < json_array_size(pledges); i++) {
        const json_t *p = json_array_get(pledges, i);

        add_pledge(rf_json_text(p, "account"), rf_json_number(p, "received_share"),
                   rf_json_number(p, "share_ratio"), line, size);
    }
}

/* ---- from a state ---- */

static struct counts count(const struct rf_state *state)
{
    struct counts c = {.state = state->closed ? "done" : "running",
                       .queued = state->nqueue,
                       .jobs = state->njobs,
                       .devices = state->nfleet - state->nfree,
                       .fleet = state->nfleet};

    for (int32_t id = state->running_first; id >= 0; id = state->jobs[id].next)
        c.running++;
    c.ended = c.jobs - c.running - c.queued;
    return c;
}

static double promised(const struct rf_pledge *pledge)
{
    return (double)pledge->share.num / (double)pledge->share.den;
}

void rf_status_plain(const struct rf_state *state, const struct rf_tally *tally,
                     double elapsed_s, char *line, size_t size)
{
    struct counts c = count(state);

    c.elapsed_s = elapsed_s;
    line[0] = '\0';
    add_counts(&c, line, size);
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *p = &state->pledges[i];

        add_pledge(p->account_name, rf_status_share(state, tally, p->account, state->now_us),
                   promised(p), line, size);
    }
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
                      double elapsed_s, char *line, size_t size)
{
    struct counts c = count(state);

    line[0] = '\0';
    add(line, size, "%.1f s  %lld/%lld jobs", elapsed_s, (long long)c.ended, (long long)c.jobs);
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *p = &state->pledges[i];
        double share = rf_status_share(state, tally, p->account, state->now_us);

        add(line, size, "  %s %.1f%% of %.1f%%", p->account_name,
            isfinite(share) ? 100 * share : 0.0, 100 * promised(p));
    }
    add(line, size, "  waiting %d", state->nqueue);
    add_running(state, line, size);
}
