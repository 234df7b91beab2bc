/* Whatever a ledger records, as long as it verifies: it is replayed or refused, whatever its
 * recorder decided, and the simulation that comes of it keeps its books. */
#include "steps.h"

#include <unistd.h>

#include "alloc/journal.h"
#include "base/rng.h"
#include "sim/fidelity.h"

enum { STEPS_EACH = 160, HISTORIES = 400 };

static void write_history(uint64_t seed, const char *path)
{
    struct rf_journal journal;
    struct rf_error err;
    uint64_t draws = 0;
    int begun = 0;

    assert_int_equal(rf_journal_start(&journal, &err), RF_OK);
    assert_int_equal(rf_journal_create(&journal, path, "any", NULL, &err), RF_OK);
    for (int i = 0; i < STEPS_EACH; i++) {
        struct step step = {.kind = (uint8_t)rf_rng_below(seed, 11, draws++, STEP_KINDS)};
        struct rf_event e;

        if (rf_rng_below(seed, 11, draws++, 3) == 0)
            step.kind = rf_rng_below(seed, 11, draws++, 2) == 0 ? STEP_REQUEST : STEP_GRANT;
        if (step.kind == STEP_CLOSE && rf_rng_below(seed, 11, draws++, 8) > 0)
            step.kind = STEP_TICK;
        step.job = (uint8_t)rf_rng_below(seed, 11, draws++, 4 + (uint64_t)i / 8);
        step.how = (uint8_t)rf_rng_below(seed, 11, draws++, STEPS[step.kind].ways);
        step.wait = (uint8_t)rf_rng_below(seed, 11, draws++, 4);
        e = step_event(journal.state, step);
        if (begun < 2) {
            rf_event_clear(&e);
            e = rf_event_make(begun == 0 ? RF_EVENT_OPEN : RF_EVENT_CAPACITY, 100);
            snprintf(e.name, sizeof e.name, "any");
            snprintf(e.version, sizeof e.version, "1");
            snprintf(e.text, sizeof e.text, begun == 0 ? "easy+floor" : "");
            if (begun == 1) {
                e.name[0] = e.version[0] = '\0';
                e.up = 1;
                snprintf(e.reason, sizeof e.reason, "joined");
                assert_int_equal(rf_idset_add(&e.devices, 0, 3, &err), RF_OK);
            }
        }
        e.seq = journal.state->next_seq;
        if (rf_state_check(journal.state, &e, &err) == RF_OK) {
            rf_journal_at(&journal, e.t_us);
            if (rf_journal_record(&journal, &e, &err) != RF_OK)
                fail_msg("%s", err.text);
            begun++;
        }
        rf_event_clear(&e);
    }
    assert_true(begun >= 2);
    assert_int_equal(rf_journal_sync(&journal, &err), RF_OK);
    rf_journal_clear(&journal);
}

/* Returns whether there was anything to replay. */
static int replay(uint64_t seed, const char *path)
{
    struct rf_policy_options policy = rf_policy_options_make();
    const struct rf_replay_options with = {.policy = &policy};
    struct rf_sim_options options = rf_sim_options_make();
    struct rf_error err = {RF_OK, ""};
    struct rf_books *books;
    struct rf_steps steps = {0};
    struct rf_observer watcher = rf_steps_observer(&steps);
    struct rf_sim_result result;
    struct rf_fidelity fidelity;
    struct rf_replay r;
    struct rf_world world;
    enum rf_status st;

    policy.resize = 1;
    st = rf_replay_read(&r, path, &with, &err);
    if (st != RF_OK) {
        if (st != RF_ERR_INPUT || strstr(err.text, "nothing to replay") == NULL)
            fail_msg("seed %d: %s", (int)seed, err.text);
        return 0;
    }
    assert_true(r.retake.same <= r.retake.decisions);
    assert_int_equal(rf_replay_world(&r, NULL, &world, &err), RF_OK);
    assert_int_equal(rf_books_create(&books, &err), RF_OK);
    snprintf(policy.order, sizeof policy.order, "%s", r.order);
    snprintf(policy.fence, sizeof policy.fence, "%s", r.fence);
    options.policy = policy;
    options.devices = r.devices;
    options.grace_us = r.grace_us;
    options.until_us = r.unfinished > 0 ? r.length_us : INT64_MAX;
    options.world = &world;
    options.books = books;
    options.observers = &watcher;
    options.nobservers = 1;
    if (rf_sim_run(&r.workload, &options, &result, &err) != RF_OK)
        fail_msg("seed %d: %s", (int)seed, err.text);
    if (rf_books_check(books, result.state, &err) != RF_OK)
        fail_msg("seed %d: %s", (int)seed, err.text);
    assert_int_equal(rf_fidelity_compare(&fidelity, &r, &result, &steps, &err), RF_OK);
    rf_steps_clear(&steps);
    rf_sim_result_clear(&result);
    rf_books_destroy(books);
    rf_world_clear(&world);
    rf_replay_clear(&r);
    return 1;
}

static void whatever_verifies_is_replayed_or_refused(void **unused)
{
    char path[64];
    int n = 0;

    (void)unused;
    snprintf(path, sizeof path, "test_replay_any.%ld.jsonl", (long)getpid());
    for (uint64_t seed = 0; seed < HISTORIES; seed++) {
        unlink(path);
        write_history(seed, path);
        n += replay(seed, path);
    }
    unlink(path);
    assert_true(n > HISTORIES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_verifies_is_replayed_or_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
