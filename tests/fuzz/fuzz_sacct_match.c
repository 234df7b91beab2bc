/* The audit's comparison with what sacct -P prints, on any bytes: it succeeds with counts that add
 * up, or says where it failed; twice the same. The first byte chooses the key and the unit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/sacct_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds)
{
    if (!holds)
        abort();
}

static void apply(struct rf_state *state, struct rf_event *e, int64_t t_us)
{
    e->seq = state->next_seq;
    e->t_us = t_us;
    expect(rf_state_apply(state, e, NULL) == RF_OK);
}

static void text(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    memcpy(to, from, n < size ? n + 1 : size);
}

/* A run called "run" with two jobs, "one" and "2_7", that held a device each for ten seconds. */
static struct rf_state *small_run(void)
{
    static const char *const NAMES[] = {"one", "2_7"}, *const ACCOUNTS[] = {"a.b", "c"};
    struct rf_state *state = NULL;
    struct rf_event e = rf_event_make(RF_EVENT_OPEN, 0);

    expect(rf_state_create(&state, 1, NULL) == RF_OK);
    text(e.name, sizeof e.name, "run");
    apply(state, &e, 0);
    e = rf_event_make(RF_EVENT_CAPACITY, 0);
    e.up = 1;
    e.count = 2;
    text(e.reason, sizeof e.reason, "joined");
    apply(state, &e, 0);
    for (int32_t i = 0; i < 2; i++) {
        e = rf_event_make(RF_EVENT_REQUEST, 0);
        e.job = i;
        e.min = e.max = 1;
        text(e.name, sizeof e.name, NAMES[i]);
        text(e.account, sizeof e.account, ACCOUNTS[i]);
        apply(state, &e, 0);
        e = rf_event_make(RF_EVENT_GRANT, 0);
        e.job = e.lease = i;
        e.count = 1;
        apply(state, &e, 0);
    }
    for (int32_t i = 0; i < 2; i++) {
        e = rf_event_make(RF_EVENT_END, 0);
        e.job = e.lease = i;
        e.held_us = 10000000;
        text(e.text, sizeof e.text, "done");
        apply(state, &e, 10000000);
    }
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rf_state *state;
    struct rf_watch watch = {.run = "run"};
    struct rf_sacct_match_options options = {.by = RF_MATCH_AUTO, .unit = -1};
    struct rf_sacct_match match[2];
    struct rf_audit_test test[2] = {{.count = 0}, {.count = 0}};
    struct rf_error err[2] = {{RF_OK, ""}, {RF_OK, ""}};
    enum rf_status st[2];

    if (state == NULL)
        state = small_run();
    if (size == 0)
        return 0;
    options.by = (enum rf_match_by)(data[0] % RF_MATCH_N);
    options.unit = data[0] / RF_MATCH_N % 4 - 1;
    for (int i = 0; i < 2; i++)
        st[i] = rf_sacct_match_text(&match[i], &test[i], (const char *)data + 1, size - 1,
                                    "file", &options, state, &watch, &err[i]);
    expect(st[0] == st[1] && match[0].matched == match[1].matched &&
           test[0].count == test[1].count && test[0].n == test[1].n);
    if (st[0] == RF_OK) {
        const struct rf_sacct_match *m = &match[0];

        expect(m->rows >= m->runs + m->repeated + m->unfinished && m->by != RF_MATCH_AUTO);
        if (m->by != RF_MATCH_RUN)
            expect(test[0].count ==
                   m->ledger_only + m->slurm_only + m->differ + m->accounts_differ);
        for (int i = 0; i < test[0].n; i++)
            expect(strcmp(test[0].offences[i].text, test[1].offences[i].text) == 0);
    } else {
        expect(st[0] == RF_ERR_INPUT && strncmp(err[0].text, "file:", 5) == 0);
    }
    rf_audit_test_clear(&test[0]);
    rf_audit_test_clear(&test[1]);
    return 0;
}
