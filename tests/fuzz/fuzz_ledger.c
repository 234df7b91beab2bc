/* Feeds bytes to the reader of events and to the rules behind it.
 *
 * The input is read as lines without their links. A line that is taken must be written back
 * byte for byte; its event then goes, with the next sequence number, through tally, state and
 * policy, and the invariants must hold after each. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/invariant.h"
#include "alloc/pledge.h"
#include "alloc/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
    struct rf_state *state;
    struct rf_tally *tally;
    struct rf_policy *policy;
    int stopped;
};

static void need(int holds)
{
    if (!holds)
        abort();
}

/* Returns 0 when the event was refused. */
static int step(struct replay *r, const struct rf_event *event)
{
    struct rf_proposal out[16];
    struct rf_error err;

    if (rf_tally_before(r->tally, r->state, event, &err) != RF_OK)
        return 0;
    if (rf_state_apply(r->state, event, &err) != RF_OK ||
        rf_tally_after(r->tally, r->state, event, &err) != RF_OK)
        return 0;
    if (rf_policy_observe(r->policy, event, &err) != RF_OK) {
        /* an order or a fence that nobody knows: the rules take it, a driver stops there */
        need(event->type == RF_EVENT_OPEN || event->type == RF_EVENT_POLICY);
        r->stopped = 1;
        return 0;
    }
    need(rf_invariant_check_event(r->state, event, &err) == RF_OK);
    if (r->state->njobs < 64 && r->state->naccounts < 64)
        need(rf_invariant_check(r->state, &err) == RF_OK);
    need(rf_policy_propose(r->policy, r->state->now_us, out, 16) <= 16);
    return 1;
}

/* One line of the input, given a link. Returns 0 when it is no use to go on. */
static int line(struct replay *r, const char *text, size_t length)
{
    struct rf_event event;
    char *again, *whole;
    size_t n;
    int go_on = 0;
    static const char tail[] = ",\"prev\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}";

    whole = malloc(length + sizeof tail);
    need(whole != NULL);
    if (length > 0)
        memcpy(whole, text, length);
    memcpy(whole + length, tail, sizeof tail);
    if (rf_event_parse(&event, whole, length + sizeof tail - 1, NULL, NULL) == RF_OK) {
        n = rf_event_format(&event, NULL, 0);
        again = malloc(n + 1);
        need(again != NULL);
        rf_event_format(&event, again, n + 1);
        need(n == length && memcmp(again, text, n) == 0);
        free(again);
        event.seq =
            r->state->next_seq; /* the rules behind the sequence are the interesting ones */
        go_on = step(r, &event) || r->state->opened;
    }
    rf_event_clear(&event);
    free(whole);
    return !r->stopped && (go_on || r->state->opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ORDERS[] = {"fcfs", "easy", "conservative", "sjf", "fairshare"};
    static const char *const FENCES[] = {"none", "partition", "floor"};
    struct rf_policy_options options = rf_policy_options_make();
    struct replay r = {0};
    struct rf_event event;
    const char *text = (const char *)data;
    size_t at = 0;

    if (rf_event_parse(&event, text, size, NULL, NULL) == RF_OK)
        need(rf_event_format(&event, NULL, 0) < size);
    rf_event_clear(&event);
    need(rf_state_create(&r.state, 0, NULL) == RF_OK &&
         rf_tally_create(&r.tally, NULL) == RF_OK);
    snprintf(options.order, sizeof options.order, "%s", ORDERS[size / 3 % 5]);
    snprintf(options.fence, sizeof options.fence, "%s", FENCES[size % 3]);
    need(rf_policy_create(&r.policy, &options, r.state, r.tally, NULL) == RF_OK);
    while (at < size) {
        const char *stop = memchr(text + at, '\n', size - at);
        size_t length = stop != NULL ? (size_t)(stop - text) - at : size - at;

        if (!line(&r, text + at, length))
            break;
        at += length + 1;
    }
    rf_tally_judge(r.tally, r.state);
    rf_policy_destroy(r.policy);
    rf_tally_destroy(r.tally);
    rf_state_destroy(r.state);
    return 0;
}
