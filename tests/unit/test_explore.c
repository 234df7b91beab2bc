/* Everything that can happen to a small cluster: from an open run on a few devices, each possible next
 * step, and each step after that, to a depth. Histories that lead to the same situation are
 * followed once. After each step every invariant holds and device-time is conserved, what is
 * refused has changed nothing, and every policy, brought there by the same history, proposes only what
 * the state takes.
 *
 * RF_EXPLORE_DEPTH=N looks deeper than a test has time for; it prints what it has seen. */
#include "steps.h"

enum { JOBS = 3, DEPTH_MOST = 32 };

/* Steps that change neither who holds what nor what may follow are left to test_sequences.c. */
static const uint8_t KINDS[] = {
    STEP_TICK,    STEP_REQUEST,      STEP_REQUEST_WRONG, STEP_GRANT,  STEP_GRANT_WRONG,
    STEP_CHARGE,  STEP_CHARGE_WRONG, STEP_PREEMPT,       STEP_SHRINK, STEP_GROW,
    STEP_RELEASE, STEP_RETRY,        STEP_END,           STEP_CANCEL, STEP_DENY,
    STEP_RELABEL, STEP_FLEET,        STEP_RECOVER,       STEP_CLOSE};

struct node {
    int32_t parent; /* -1: the beginning */
    int32_t depth;
    struct step step;
};

struct search {
    int32_t devices;
    struct node *nodes;
    int64_t nnodes, room;
    uint64_t *seen; /* open addressing; 0: empty */
    int64_t nslots;
    int64_t steps, refused, asked;
};

/* ---- situations that are the same -------------------------------------- */

static void mix(uint64_t *hash, int64_t value)
{
    *hash = (*hash ^ (uint64_t)value) * UINT64_C(0x9e3779b97f4a7c15);
    *hash ^= *hash >> 29;
}

static void mix_set(uint64_t *hash, const struct rf_idset *set)
{
    mix(hash, set->nranges);
    for (int32_t i = 0; i < set->nranges; i++) {
        mix(hash, set->ranges[i].begin);
        mix(hash, set->ranges[i].end);
    }
}

/* Times count from now; leases by their order; sums do not count. */
static uint64_t situation(const struct rf_state *s)
{
    uint64_t hash = 1;

    mix(&hash, s->closed);
    mix_set(&hash, &s->free);
    mix_set(&hash, &s->down);
    for (int32_t i = 0; i < s->njobs; i++) {
        const struct rf_job *job = &s->jobs[i];
        const struct rf_job_extra *extra = rf_state_job_extra(s, i);

        mix(&hash, job->state);
        mix(&hash, job->account);
        mix(&hash, job->lent);
        mix(&hash, extra->retries);
        mix(&hash, extra->retry_us > s->now_us ? extra->retry_us - s->now_us : 0);
        mix(&hash, job->lease >= 0 ? s->now_us - job->charged_us : -1);
        mix_set(&hash, rf_state_devices(s, i));
    }
    for (int32_t i = s->running_first; i >= 0; i = s->jobs[i].next)
        mix(&hash, i);
    return hash == 0 ? 1 : hash;
}

/* Returns whether it is new, and remembers it. */
static int remember(struct search *x, uint64_t hash)
{
    int64_t at;

    if (x->nnodes * 2 >= x->nslots) {
        uint64_t *old = x->seen;
        int64_t nold = x->nslots;

        x->nslots = nold == 0 ? 1 << 16 : nold * 2;
        x->seen = calloc((size_t)x->nslots, sizeof *x->seen);
        assert_non_null(x->seen);
        for (int64_t i = 0; i < nold; i++) {
            for (at = (int64_t)(old[i] % (uint64_t)x->nslots); old[i] != 0 && x->seen[at] != 0;)
                at = (at + 1) % x->nslots;
            if (old[i] != 0)
                x->seen[at] = old[i];
        }
        free(old);
    }
    for (at = (int64_t)(hash % (uint64_t)x->nslots); x->seen[at] != 0;
         at = (at + 1) % x->nslots)
        if (x->seen[at] == hash)
            return 0;
    x->seen[at] = hash;
    return 1;
}

static void add_node(struct search *x, int64_t parent, int32_t depth, struct step step)
{
    if (x->nnodes == x->room) {
        x->room = x->room == 0 ? 4096 : x->room * 2;
        x->nodes = realloc(x->nodes, (size_t)x->room * sizeof *x->nodes);
        assert_non_null(x->nodes);
    }
    x->nodes[x->nnodes++] =
        (struct node){.parent = (int32_t)parent, .depth = depth, .step = step};
}

/* ---- histories ---------------------------------------------------------- */

static int history(const struct search *x, int64_t node, struct step steps[DEPTH_MOST])
{
    int n = x->nodes[node].depth;

    for (int i = n - 1; i >= 0; i--, node = x->nodes[node].parent)
        steps[i] = x->nodes[node].step;
    return n;
}

static void go(const struct search *x, struct stage *t, const struct step *steps, int n,
               const char *order, const char *fence, FILE *print)
{
    struct rf_error err = {RF_OK, ""};

    stage_open(t, x->devices, order, fence, print);
    t->known = 1;
    for (int i = 0; i < n; i++)
        if (stage_step(t, steps[i], &err) != RF_OK)
            fail_msg("a history cannot be repeated: %s", err.text);
    t->known = print != NULL;
}

static void report(const struct search *x, const struct step *steps, int n, const char *order,
                   const char *fence, const char *what)
{
    struct stage t;

    fprintf(stderr, "after this history (%s+%s): %s\n", order != NULL ? order : "no policy",
            fence, what);
    go(x, &t, steps, n, order, fence, stderr);
    stage_close(&t);
    fail_msg("%s", what);
}

static void ask_policy(struct search *x, const struct step *steps, int n, int number)
{
    const char *order = STEP_ORDERS[number % 5], *fence = STEP_FENCES[number / 5];
    struct rf_error err = {RF_OK, ""};
    struct stage t;
    enum rf_status st;

    go(x, &t, steps, n, order, fence, NULL);
    st = t.state->closed ? RF_OK : stage_ask(&t, &err);
    stage_close(&t);
    x->asked++;
    if (st != RF_OK)
        report(x, steps, n, order, fence, err.text);
}

/* One more step: refused without a trace, or a new situation, perhaps. */
static void try_step(struct search *x, int64_t node, struct stage *t, const struct step *steps,
                     int n, struct step step)
{
    struct step longer[DEPTH_MOST];
    uint64_t before = situation(t->state);
    int64_t seq = t->state->next_seq;
    struct rf_error err = {RF_OK, ""};
    struct rf_event e = step_event(t->state, step);
    enum rf_status st = rf_state_check(t->state, &e, &err);
    struct stage next;

    x->steps++;
    if (st != RF_OK) {
        x->refused++;
        if (stage_take(t, &e, &err) != RF_ERR_INPUT || situation(t->state) != before ||
            t->state->next_seq != seq)
            report(x, steps, n, NULL, "floor", "a refused event leaves a trace");
    }
    rf_event_clear(&e);
    if (st != RF_OK)
        return;
    memcpy(longer, steps, (size_t)n * sizeof *longer);
    longer[n] = step;
    go(x, &next, steps, n, NULL, NULL, NULL);
    st = stage_step(&next, step, &err);
    if (st != RF_OK) {
        stage_close(&next);
        report(x, longer, n, NULL, "floor", err.text);
    }
    if (remember(x, situation(next.state)))
        add_node(x, node, n + 1, step);
    stage_close(&next);
}

static void try_steps(struct search *x, int64_t node)
{
    struct step steps[DEPTH_MOST];
    int n = history(x, node, steps);
    struct stage t;

    go(x, &t, steps, n, NULL, NULL, NULL);
    for (size_t k = 0; k < sizeof KINDS; k++)
        for (uint8_t job = 0; job < (STEPS[KINDS[k]].about_job ? JOBS : 1); job++)
            for (uint8_t how = 0; how < STEPS[KINDS[k]].ways; how++) {
                const struct step step = {.kind = KINDS[k], .job = job, .how = how};

                if (step.kind != STEP_REQUEST || t.state->njobs < JOBS)
                    try_step(x, node, &t, steps, n, step);
            }
    stage_close(&t);
}

/* All policies in all situations up to a depth; then in every other one, one after the other. */
static void explore(int32_t devices, int depth, int all_policies)
{
    struct search x = {.devices = devices};
    struct step steps[DEPTH_MOST];

    add_node(&x, -1, 0, (struct step){0});
    for (int64_t i = 0; i < x.nnodes; i++) {
        int n = history(&x, i, steps);

        for (int p = 0; p < STEP_POLICIES; p++)
            if (n <= all_policies || i % (2 * STEP_POLICIES) == 2 * p)
                ask_policy(&x, steps, n, p);
        if (n < depth)
            try_steps(&x, i);
    }
    print_message("%d devices, %d jobs, depth %d: %lld situations, %lld steps (%lld refused), "
                  "policies asked %lld times\n",
                  (int)devices, JOBS, depth, (long long)x.nnodes, (long long)x.steps,
                  (long long)x.refused, (long long)x.asked);
    assert_true(x.nnodes > 10 * depth && x.refused > x.steps / 4);
    free(x.nodes);
    free(x.seen);
}

static int wanted(int usual)
{
    const char *text = getenv("RF_EXPLORE_DEPTH");
    int depth = text != NULL ? atoi(text) : usual;

    return depth < 1 ? 1 : depth > DEPTH_MOST - 1 ? DEPTH_MOST - 1 : depth;
}

static void two_devices_and_three_jobs(void **unused)
{
    (void)unused;
    explore(2, wanted(8), 4);
}

static void three_devices_and_three_jobs(void **unused)
{
    (void)unused;
    explore(3, wanted(6), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_devices_and_three_jobs),
                                       cmocka_unit_test(three_devices_and_three_jobs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
