/* Long random histories of a small cluster under every policy, events that are wrong among them. After each
 * step: every invariant, device-time conserved, check and apply of one mind, proposals
 * accepted. A history that fails is reduced, step by step, to one from which nothing can be left out,
 * and printed as the lines of a ledger.
 *
 * RF_SEQUENCES=N tries so many histories. */
#include "steps.h"

#include "base/rng.h"

enum { LENGTH = 120, HISTORIES = 3000 };

/* What is asked of a history: RF_OK, or why not. after is how many steps it took to find out. */
typedef enum rf_status question(const struct step *steps, int n, int policy, FILE *print,
                                int *after, struct rf_error *err);

/* ---- histories ---------------------------------------------------------- */

static int draw(uint64_t seed, uint64_t *draws, int n)
{
    return (int)rf_rng_below(seed, 11, (*draws)++, (uint64_t)n);
}

static void draw_history(uint64_t seed, struct step *steps, int n)
{
    uint64_t draws = 0;

    for (int i = 0; i < n; i++) {
        struct step *s = &steps[i];

        s->kind = (uint8_t)draw(seed, &draws, STEP_KINDS);
        if (draw(seed, &draws, 3) == 0) /* what everything else needs */
            s->kind = draw(seed, &draws, 2) == 0 ? STEP_REQUEST : STEP_GRANT;
        if ((s->kind == STEP_CLOSE || s->kind == STEP_RECOVER) && draw(seed, &draws, 8) > 0)
            s->kind = STEP_CHARGE;
        s->job = (uint8_t)draw(seed, &draws, 4 + i / 8);
        s->how = (uint8_t)draw(seed, &draws, STEPS[s->kind].ways);
        s->wait = (uint8_t)draw(seed, &draws, 3);
    }
}

static enum rf_status all_is_well(const struct step *steps, int n, int policy, FILE *print,
                                  int *after, struct rf_error *err)
{
    struct stage t;
    enum rf_status st = RF_OK;
    int i = 0;

    stage_open(&t, 3, STEP_ORDERS[policy % 5], STEP_FENCES[policy / 5], print);
    for (; i < n && st == RF_OK; i++) {
        st = stage_step(&t, steps[i], err);
        st = st == RF_ERR_INPUT ? RF_OK : st;
        if (st == RF_OK && !t.state->closed && i % 3 == 0)
            st = stage_ask(&t, err);
    }
    stage_close(&t);
    *after = i;
    return st;
}

/* ---- reducing ----------------------------------------------------------- */

static int fails(question *ask, const struct step *steps, int n, int policy)
{
    struct rf_error err;
    int after;

    return ask(steps, n, policy, NULL, &after, &err) != RF_OK;
}

/* Leaves out as many steps as can be: halves first, then quarters, then one by one. */
static int leave_out(question *ask, struct step *steps, int n, int policy)
{
    struct step *shorter = malloc((size_t)n * sizeof *shorter);

    assert_non_null(shorter);
    for (int chunk = n / 2 > 0 ? n / 2 : 1; chunk > 0; chunk /= 2)
        for (int at = 0; at + chunk <= n;) {
            memcpy(shorter, steps, (size_t)at * sizeof *steps);
            memcpy(shorter + at, steps + at + chunk, (size_t)(n - at - chunk) * sizeof *steps);
            if (fails(ask, shorter, n - chunk, policy)) {
                n -= chunk;
                memcpy(steps, shorter, (size_t)n * sizeof *steps);
            } else {
                at += chunk;
            }
        }
    free(shorter);
    return n;
}

/* No waiting, the first job, the plainest way, where that fails as well. */
static int simplify(question *ask, struct step *steps, int n, int policy)
{
    int simpler = 0;

    for (int i = 0; i < n; i++) {
        const struct step before = steps[i];
        const struct step plain[] = {{before.kind, before.job, before.how, 0},
                                     {before.kind, before.job, 0, before.wait},
                                     {before.kind,
                                      before.job > 0 ? (uint8_t)(before.job - 1) : 0,
                                      before.how, before.wait}};

        for (int k = 0; k < 3; k++) {
            struct step kept = steps[i];

            if (memcmp(&plain[k], &before, sizeof before) == 0)
                continue;
            steps[i] = plain[k];
            if (fails(ask, steps, n, policy)) {
                simpler = 1;
                break;
            }
            steps[i] = kept;
        }
    }
    return simpler;
}

/* All that is about one job is about the one before it. */
static int rename_jobs(question *ask, struct step *steps, int n, int policy)
{
    struct step *other = malloc((size_t)n * sizeof *other);
    int simpler = 0;

    assert_non_null(other);
    for (int job = 1; job < 256 && !simpler; job++) {
        int any = 0;

        memcpy(other, steps, (size_t)n * sizeof *other);
        for (int i = 0; i < n; i++)
            if (STEPS[other[i].kind].about_job && other[i].job == job) {
                other[i].job--;
                any = 1;
            }
        simpler = any && fails(ask, other, n, policy);
    }
    if (simpler)
        memcpy(steps, other, (size_t)n * sizeof *steps);
    free(other);
    return simpler;
}

/* Reduces a history that fails; returns its new length. */
static int reduce(question *ask, struct step *steps, int n, int policy)
{
    int before;

    do {
        before = n;
        n = leave_out(ask, steps, n, policy);
    } while (simplify(ask, steps, n, policy) || rename_jobs(ask, steps, n, policy) ||
             n < before);
    return n;
}

/* ---- the sentences ------------------------------------------------------ */

static void whatever_happens_all_is_well(void **unused)
{
    static const int ONCE_FAILED[] = {81866, 126475}; /* among hundreds of thousands */
    const char *text = getenv("RF_SEQUENCES");
    int histories = text != NULL ? atoi(text) : HISTORIES;
    struct step steps[LENGTH];
    struct rf_error err;
    int after;

    (void)unused;
    for (int k = 0; k < histories + 2; k++) {
        int seed = k < 2 ? ONCE_FAILED[k] : k - 2, policy = seed % STEP_POLICIES, n;

        draw_history((uint64_t)seed, steps, LENGTH);
        if (all_is_well(steps, LENGTH, policy, NULL, &after, &err) == RF_OK)
            continue;
        n = reduce(all_is_well, steps, after, policy);
        fprintf(stderr, "history %d fails; reduced to %d steps:\n", seed, n);
        all_is_well(steps, n, policy, stderr, &after, &err);
        fail_msg("%s", err.text);
    }
}

/* A rule that does not hold: that no job is ever granted twice. What it needs to fail is a request, a
 * grant, the release, and the other grant; for the third job, which comes after the first one, more
 * requests, and the first one's start and end. */
static enum rf_status nobody_starts_twice(const struct step *steps, int n, int policy,
                                          FILE *print, int *after, struct rf_error *err)
{
    struct stage t;
    enum rf_status st = RF_OK;

    (void)policy;
    stage_open(&t, 3, NULL, NULL, print);
    for (*after = 0; *after < n && st == RF_OK; (*after)++) {
        st = stage_step(&t, steps[*after], err);
        st = st == RF_ERR_INPUT ? RF_OK : st;
        for (int32_t i = 0; i < t.state->njobs; i++)
            if (t.state->jobs[i].grants > 1)
                st = rf_fail(err, RF_ERR_INTERNAL, "a job starts twice");
    }
    stage_close(&t);
    return st;
}

static void a_history_that_fails_is_reduced_to_what_it_needs(void **unused)
{
    struct step steps[LENGTH];
    struct rf_error err;
    int reduced = 0, shortest = LENGTH, after;

    (void)unused;
    for (int seed = 0; seed < 40; seed++) {
        char *printed = NULL;
        size_t size = 0;
        FILE *lines;
        int n, nlines = 0;

        draw_history((uint64_t)seed, steps, LENGTH);
        if (nobody_starts_twice(steps, LENGTH, 0, NULL, &after, &err) == RF_OK)
            continue;
        n = reduce(nobody_starts_twice, steps, after, 0);
        assert_true(n >= 4 && n <= 8);
        for (int i = 0; i < n; i++) { /* nothing can be left out */
            struct step shorter[LENGTH];

            memcpy(shorter, steps, (size_t)i * sizeof *steps);
            memcpy(shorter + i, steps + i + 1, (size_t)(n - i - 1) * sizeof *steps);
            assert_false(fails(nobody_starts_twice, shorter, n - 1, 0));
        }
        shortest = n < shortest ? n : shortest;
        assert_int_equal(steps[0].kind, STEP_REQUEST);
        assert_int_equal(steps[n - 1].kind, STEP_GRANT);
        lines = open_memstream(&printed, &size);
        assert_non_null(lines);
        nobody_starts_twice(steps, n, 0, lines, &after, &err);
        fclose(lines);
        for (size_t i = 0; i < size; i++)
            nlines += printed[i] == '\n';
        assert_int_equal(nlines, 3 + n); /* the run is opened, has devices and a pledge */
        assert_non_null(
            strstr(printed, "{\"seq\":3,\"t_us\":100,\"type\":\"request\",\"job\":0,"));
        free(printed);
        reduced++;
    }
    assert_true(reduced > 5);
    assert_int_equal(shortest, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_all_is_well),
        cmocka_unit_test(a_history_that_fails_is_reduced_to_what_it_needs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
