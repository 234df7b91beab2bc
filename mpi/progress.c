#include "mpi/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TERMINAL_US = 200000, PLAIN_US = 10000000, LINE_BYTES = 200, JOBS_SHOWN = 4 };

struct rf_progress rf_progress_make(int mode, int64_t now_us)
{
    return (struct rf_progress){.mode = mode, .since_us = now_us};
}

static void add(char *line, int size, const char *fmt, ...) RF_PRINTF(3, 4);

static void add(char *line, int size, const char *fmt, ...)
{
    size_t used = strlen(line);
    va_list args;

    va_start(args, fmt);
    vsnprintf(line + used, (size_t)size - used, fmt, args);
    va_end(args);
}

static void add_running(const struct rf_state *state, char *line, int size)
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

/* What the account has been charged, and what its running jobs will be, over what existed. */
static double share_so_far(const struct rf_state *state, const struct rf_tally *tally,
                           int32_t account)
{
    struct rf_wide held_us = state->accounts[account].held_us;

    for (int32_t id = state->running_first; id >= 0; id = state->jobs[id].next)
        if (rf_state_within(state, state->jobs[id].account, account))
            rf_wide_add(&held_us, rf_state_owed_us(&state->jobs[id], state->now_us));
    return rf_wide_sign(tally->capacity_us) > 0
               ? rf_wide_double(held_us) / rf_wide_double(tally->capacity_us)
               : 0.0;
}

void rf_progress_format(const struct rf_progress *progress, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, char *line, int size)
{
    line[0] = '\0';
    add(line, size, "%.1f s", (double)(now_us - progress->since_us) / 1e6);
    add_running(state, line, size);
    add(line, size, "  waiting %d", state->nqueue);
    for (int32_t i = 0; i < state->npledges; i++) {
        const struct rf_pledge *pledge = &state->pledges[i];

        add(line, size, "  %s %.1f%% of %.1f%%", pledge->account_name,
            100.0 * share_so_far(state, tally, pledge->account),
            100.0 * (double)pledge->share.num / (double)pledge->share.den);
    }
}

void rf_progress_update(struct rf_progress *progress, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, int changed)
{
    int64_t every_us = progress->mode == 2 ? TERMINAL_US : PLAIN_US;
    char line[LINE_BYTES];

    if (progress->mode == 0)
        return;
    if (progress->shown_us != 0 && now_us - progress->shown_us < every_us &&
        !(progress->mode == 1 && changed))
        return;
    progress->shown_us = now_us;
    if (progress->mode == 1) {
        rf_progress_format(progress, state, tally, now_us, line, LINE_BYTES);
        fprintf(stderr, "%s\n", line);
        return;
    }
    rf_progress_format(progress, state, tally, now_us, line, 80);
    fprintf(stderr, "\r%-*s", progress->width, line);
    progress->width = (int)strlen(line);
    fflush(stderr);
}

void rf_progress_end(struct rf_progress *progress)
{
    if (progress->mode == 2 && progress->width > 0)
        fprintf(stderr, "\n");
    progress->width = 0;
}
