#include "sim/fidelity.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the simulation did ---- */

static enum rf_status before(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err)
{
    struct rf_steps *steps = self;
    struct rf_replay_step *more;

    if (event->type != RF_EVENT_GRANT && (event->type != RF_EVENT_PREEMPT || event->by < 0))
        return RF_OK;
    if (steps->n == steps->room) {
        int64_t room = steps->room > 0 ? 2 * steps->room : 64;

        more = realloc(steps->items, (size_t)room * sizeof *more);
        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: the steps of a simulation");
        steps->items = more;
        steps->room = room;
    }
    steps->items[steps->n++] = (struct rf_replay_step){
        event->t_us, event->type, event->job,
        event->type == RF_EVENT_GRANT ? rf_state_count(state, event) : 0};
    return RF_OK;
}

static enum rf_status after(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err)
{
    (void)self;
    (void)state;
    (void)event;
    (void)err;
    return RF_OK;
}

struct rf_observer rf_steps_observer(struct rf_steps *steps)
{
    return (struct rf_observer){steps, before, after};
}

void rf_steps_clear(struct rf_steps *steps)
{
    free(steps->items);
    *steps = (struct rf_steps){0};
}

/* ---- comparing ---- */

static int by_value(const void *one, const void *other)
{
    const int64_t *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

static enum rf_status compare_starts(struct rf_fidelity *f, const struct rf_replay *replay,
                                     const struct rf_state *state, struct rf_error *err)
{
    int64_t *off = malloc(((size_t)replay->workload.n + 1) * sizeof *off);
    double sum_us = 0;

    if (off == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: comparing %lld jobs",
                       (long long)replay->workload.n);
    for (int32_t i = 0; i < (int32_t)replay->workload.n; i++) {
        int64_t was_us = replay->jobs[i].start_us;
        int64_t is_us = i < state->njobs ? state->jobs[i].first_grant_us : -1;
        int64_t d_us = is_us > was_us ? is_us - was_us : was_us - is_us;

        f->only_recorded += was_us >= 0 && is_us < 0;
        f->only_simulated += was_us < 0 && is_us >= 0;
        if (was_us < 0 || is_us < 0)
            continue;
        off[f->jobs++] = d_us;
        sum_us += (double)d_us;
        if (d_us > f->max_us || f->worst < 0) {
            f->max_us = d_us;
            f->worst = i;
        }
    }
    if (f->jobs > 0) {
        qsort(off, (size_t)f->jobs, sizeof *off, by_value);
        f->median_us = off[(f->jobs - 1) / 2];
        f->mean_us = sum_us / (double)f->jobs;
    }
    free(off);
    return RF_OK;
}

static void compare_steps(struct rf_fidelity *f, const struct rf_replay *replay,
                          const struct rf_steps *steps)
{
    int64_t k = 0;

    f->steps = replay->nsteps;
    f->steps_simulated = steps->n;
    while (k < replay->nsteps && k < steps->n &&
           replay->steps[k].type == steps->items[k].type &&
           replay->steps[k].job == steps->items[k].job &&
           replay->steps[k].count == steps->items[k].count)
        k++;
    f->same = k;
    if (k < replay->nsteps)
        f->recorded = replay->steps[k];
    if (k < steps->n)
        f->simulated = steps->items[k];
}

/* Grants that gave a job another number of devices than the grant of the same rank among its own
 * did when it was recorded. */
static enum rf_status count_sizes(struct rf_fidelity *f, const struct rf_replay *replay,
                                  const struct rf_steps *steps, struct rf_error *err)
{
    struct rf_cause_seen *sizes = &f->causes[RF_CAUSE_SIZES];
    size_t n = (size_t)replay->workload.n;
    int64_t *at = malloc((n + 1) * sizeof *at);
    int64_t *next = malloc(((size_t)replay->nsteps + 1) * sizeof *next);

    if (at == NULL || next == NULL) {
        free(at);
        free(next);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: comparing %zu jobs", n);
    }
    for (size_t i = 0; i < n; i++)
        at[i] = -1;
    for (int64_t k = replay->nsteps; k-- > 0;) /* each grant knows the job's next one */
        if (replay->steps[k].type == RF_EVENT_GRANT) {
            next[k] = at[replay->steps[k].job];
            at[replay->steps[k].job] = k;
        }
    for (int64_t k = 0; k < steps->n; k++) {
        const struct rf_replay_step *step = &steps->items[k];
        int64_t was = at[step->job];

        if (step->type != RF_EVENT_GRANT || was < 0)
            continue;
        sizes->times += replay->steps[was].count != step->count;
        at[step->job] = next[was];
    }
    sizes->us = sizes->times > 0 ? -1 : 0;
    free(at);
    free(next);
    return RF_OK;
}

static int64_t mean_of(const struct rf_replay_seen *seen)
{
    return seen->n > 0 ? seen->sum_us / seen->n : 0;
}

static void count_stops(struct rf_fidelity *f, const struct rf_replay *replay,
                        const struct rf_steps *steps)
{
    struct rf_cause_seen *stops = &f->causes[RF_CAUSE_STOPS];
    int64_t more = -replay->preemptions;

    for (int64_t k = 0; k < steps->n; k++)
        more += steps->items[k].type == RF_EVENT_PREEMPT;
    stops->times = more < 0 ? -more : more;
    stops->us = stops->times * (mean_of(&replay->stop) + mean_of(&replay->restart));
}

static enum rf_status find_causes(struct rf_fidelity *f, const struct rf_replay *replay,
                                  const struct rf_state *state, const struct rf_steps *steps,
                                  struct rf_error *err)
{
    struct rf_cause_seen *causes = f->causes;
    const struct rf_retake_result *retake = &replay->retake;

    causes[RF_CAUSE_REACTION] = (struct rf_cause_seen){retake->late, retake->late_sum_us};
    count_stops(f, replay, steps);
    causes[RF_CAUSE_DOWN] =
        (struct rf_cause_seen){replay->crashes + replay->pauses, replay->down_us};
    for (int32_t i = 0; i < state->njobs; i++)
        causes[RF_CAUSE_GUESSED].times +=
            replay->jobs[i].guessed && state->jobs[i].first_grant_us >= 0;
    causes[RF_CAUSE_GUESSED].us = causes[RF_CAUSE_GUESSED].times > 0 ? -1 : 0;
    return count_sizes(f, replay, steps, err);
}

enum rf_status rf_fidelity_compare(struct rf_fidelity *fidelity, const struct rf_replay *replay,
                                   const struct rf_sim_result *result,
                                   const struct rf_steps *steps, struct rf_error *err)
{
    struct rf_fidelity *f = fidelity;
    enum rf_status st;

    *f = (struct rf_fidelity){.worst = -1, .makespan_us = result->makespan_us};
    f->recorded.job = f->simulated.job = -1;
    st = compare_starts(f, replay, result->state, err);
    if (st != RF_OK)
        return st;
    if (replay->makespan_us > 0)
        f->share = (double)f->max_us / (double)replay->makespan_us;
    compare_steps(f, replay, steps);
    return find_causes(f, replay, result->state, steps, err);
}

const char *rf_cause_name(enum rf_cause cause)
{
    static const char *const names[] = {"reaction", "stopping", "interruption", "sizes",
                                        "guessed"};

    return names[cause];
}

const char *rf_cause_about(enum rf_cause cause)
{
    static const char *const abouts[] = {
        "decisions that the coordinator took late",
        "more or fewer stops: the rest of a step, a checkpoint, starting again",
        "nobody recorded: crashes, and pauses after a signal",
        "leases on another number of devices than the job had",
        "jobs that ran though what they need is not known"};

    return abouts[cause];
}
