/* What jobs say, and what of it is believed.
 *
 * Device-time is the coordinator's own: devices times the time between two looks at its clock.
 * What a job says about its work is held against that. Over a lease, its ranks cannot have been
 * busy for longer than they were held, and cannot have done much more arithmetic than devices
 * of this kind can. A reading that cannot be true is not believed at all: it is recorded as
 * disputed, and nothing of it is charged but the device-time, which does not depend on it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mpi/desk.h"

/* Clocks of two ranks differ in rate, and a reading is under way for a moment. */
enum { DRIFT = 1000, SLACK_US = 2000 };

/* A peak that was measured on a busy machine is too low. */
static const double PEAK_MARGIN = 2.0;

static int64_t between(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

void rf_desk_dispute(struct rf_dispatch *d, const struct rf_held *held, const char *reason,
                     const struct rf_reading *claim)
{
    struct rf_event event = rf_event_make(RF_EVENT_DISPUTE, 0);
    char name[RF_NAME_BYTES];

    rf_warn("job '%s': %s; its device-time is charged by the coordinator's clock",
            rf_state_job_name(rf_desk_state(d), held->job, name), reason);
    event.job = held->job;
    event.lease = held->lease;
    event.busy_us = between(claim->busy_us, 0, INT64_MAX);
    event.tokens = between(claim->tokens, 0, INT64_MAX);
    event.flops = between(claim->flops, 0, INT64_MAX);
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    rf_desk_record(d, &event);
}

/* Why a reading cannot be true, NULL when it can; held_us includes this reading's time. */
static const char *doubt(const struct rf_dispatch *d, const struct rf_held *held,
                         const struct rf_reading *r)
{
    int64_t devices = rf_desk_job(d, held)->ndevices;
    int64_t most_us = held->held_us + held->held_us / DRIFT + devices * SLACK_US;
    double peak = (double)d->options->peak_flops * PEAK_MARGIN * (double)most_us * 1e-6;

    if (r->busy_us < 0 || r->tokens < 0 || r->flops < 0)
        return "negative";
    if (r->busy_us > most_us - held->busy_us)
        return "overclaimed-busy";
    if (d->options->peak_flops > 0 && (double)held->flops + (double)r->flops > peak)
        return "overclaimed-flops";
    if (d->options->peak_flops > 0 && (double)held->tokens + (double)r->tokens > peak)
        return "overclaimed-tokens"; /* a token takes an operation at the very least */
    return NULL;
}

void rf_desk_charge(struct rf_dispatch *d, struct rf_held *held,
                    const struct rf_reading *reading)
{
    struct rf_event event = rf_event_make(RF_EVENT_CHARGE, 0);
    struct rf_reading r = *reading;
    const struct rf_job_extra *extra = rf_state_job_extra(rf_desk_state(d), held->job);
    const char *why;

    event.job = held->job;
    event.lease = held->lease;
    event.held_us = rf_state_owed_us(rf_desk_job(d, held), d->journal->now_us);
    held->held_us += event.held_us;
    why = doubt(d, held, &r);
    if (why != NULL) {
        rf_desk_dispute(d, held, why, &r);
        r.busy_us = r.tokens = r.flops = 0;
    }
    held->busy_us += r.busy_us;
    held->flops += r.flops;
    held->tokens += r.tokens;
    held->spare_us += r.busy_us;
    event.busy_us = between(held->spare_us, 0, event.held_us);
    held->spare_us -= event.busy_us;
    event.tokens = between(r.tokens, 0, INT64_MAX - extra->tokens);
    event.flops = between(r.flops, 0, INT64_MAX - extra->flops);
    event.step = r.step >= 0 ? r.step : extra->step;
    rf_desk_record(d, &event);
}

static void take_checkpoint(struct rf_dispatch *d, const struct rf_held *held,
                            const struct rf_message *message)
{
    struct rf_event event = rf_event_make(RF_EVENT_CHECKPOINT, 0);

    if (strlen(message->digest) != 64 || strspn(message->digest, "0123456789abcdef") != 64) {
        char name[RF_NAME_BYTES];

        rf_warn("job '%s' reported a checkpoint with the digest '%s'; not recorded",
                rf_state_job_name(rf_desk_state(d), held->job, name), message->digest);
        return;
    }
    event.job = held->job;
    event.step = between(message->reading.step, 0, INT64_MAX);
    memcpy(event.digest, message->digest, sizeof event.digest);
    rf_desk_words(event.text, sizeof event.text, message->text);
    rf_desk_record(d, &event);
}

void rf_desk_release(struct rf_dispatch *d, struct rf_held *held, const char *reason,
                     int64_t retry_us)
{
    struct rf_event event = rf_event_make(RF_EVENT_RELEASE, 0);

    event.job = held->job;
    event.lease = held->lease;
    event.retry_us = retry_us;
    event.held_us = rf_state_owed_us(rf_desk_job(d, held), d->journal->now_us);
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    rf_desk_record(d, &event);
    rf_desk_forget(d, held);
}

void rf_desk_end(struct rf_dispatch *d, struct rf_held *held, const char *state,
                 const char *reason)
{
    struct rf_event event = rf_event_make(RF_EVENT_END, 0);

    event.job = held->job;
    event.lease = held->lease;
    event.held_us = rf_state_owed_us(rf_desk_job(d, held), d->journal->now_us);
    snprintf(event.text, sizeof event.text, "%s", state);
    if (reason[0] != '\0')
        rf_desk_words(event.reason, sizeof event.reason, reason);
    rf_desk_record(d, &event);
    rf_desk_forget(d, held);
}

/* ---- the last word ---- */

/* It failed. Once more, after a while that doubles each time? */
static int try_again(struct rf_dispatch *d, struct rf_held *held, const char *why)
{
    const int64_t longest_us = INT64_C(3600000000);
    const struct rf_request *request = &d->requests[d->known[held->job].plan];
    int32_t left = rf_state_job_extra(rf_desk_state(d), held->job)->retries;
    int64_t wait_us = request->backoff_us;
    char name[RF_NAME_BYTES];

    if (left < 1 || d->failed || d->signalled)
        return 0;
    for (int32_t i = left; i < request->retries && wait_us < longest_us; i++)
        wait_us *= 2;
    if (wait_us > longest_us && request->backoff_us < longest_us)
        wait_us = longest_us;
    rf_warn("job '%s' failed: %s; it is tried again in %.1f s (%" PRId32 " tr%s left)",
            rf_state_job_name(rf_desk_state(d), held->job, name), why, (double)wait_us / 1e6,
            left, left == 1 ? "y" : "ies");
    rf_desk_release(d, held, "failed", wait_us > 0 ? d->journal->now_us + wait_us : 0);
    return 1;
}

/* Why a job that stopped before its end gave its devices back. */
static const char *why_stopped(const struct rf_dispatch *d, const struct rf_held *held,
                               const struct rf_message *message)
{
    if (held->revoke == RF_REVOKE_SIGNAL || message->signal)
        return "signal";
    return rf_desk_job(d, held)->state == RF_JOB_STOPPING ? "preempted" : "stopped";
}

static void take_stop(struct rf_dispatch *d, struct rf_held *held,
                      const struct rf_message *message)
{
    if (held->ends[0] != '\0') {
        if (!held->cancelled && d->job_failure == RF_OK)
            d->job_failure = RF_ERR_PEER;
        rf_desk_end(d, held, held->cancelled ? "cancelled" : "failed", held->ends);
    } else if (held->revoke == RF_REVOKE_PAUSE && !message->signal && !d->failed) {
        held->paused = d->untold = d->changed = 1;
    } else {
        rf_desk_release(d, held, why_stopped(d, held, message), 0);
    }
}

static void take_final(struct rf_dispatch *d, struct rf_held *held,
                       const struct rf_message *message)
{
    rf_desk_charge(d, held, &message->reading);
    d->signalled = d->signalled || message->signal;
    if (message->outcome == RF_OUTCOME_STOPPED) {
        take_stop(d, held, message);
    } else if (message->outcome == RF_OUTCOME_DONE) {
        rf_desk_end(d, held, "done", "");
    } else if (!try_again(d, held, message->text)) {
        if (d->job_failure == RF_OK)
            d->job_failure = (enum rf_status)message->status;
        rf_desk_end(d, held, "failed", message->text[0] != '\0' ? message->text : "no reason");
    }
}

void rf_desk_hear(struct rf_dispatch *d, const struct rf_message *message)
{
    struct rf_held *held = rf_desk_held(d, message->job);

    if (held == NULL || held->lease != message->lease || held->paused ||
        held->formation != message->formation)
        return;
    held->heard_us = d->journal->now_us;
    held->silent = 0;
    held->spoke = 1;
    if (message->kind == RF_MESSAGE_METER)
        rf_desk_charge(d, held, &message->reading);
    else if (message->kind == RF_MESSAGE_CHECKPOINT)
        take_checkpoint(d, held, message);
    else if (message->kind == RF_MESSAGE_FINAL)
        take_final(d, held, message);
}
