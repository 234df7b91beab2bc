/* The board: each request of a pledged account is approved or denied, and nothing is promised.
 *
 * The answer is due delay_us after the request. It is a pure function of the requests and
 * of the terms in force when it is due, whenever the policy is asked: job k is approved iff a
 * number drawn from (seed, k) lies below the probability, so that a lower probability turns
 * approvals into denials and no denial into an approval; and iff its limit x devices (min) fits
 * into what is left of budget_us for the window in which the answer is due. Answers of one
 * moment are given in order of the requests. A request without a limit fits no budget.
 *
 * Until then the job is in no lane ("board-pending"); approved jobs queue like everybody's, with
 * no right at all, and keep their approval when they are preempted. What queued before
 * the board took over needs none, and neither does an account whose pledge was withdrawn. */
#include <stdlib.h>
#include <string.h>

#include "alloc/policy_plan.h"
#include "base/rng.h"

#define DRAWS (INT64_C(1) << 62)

static int64_t sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* ---- what is before the board ---- */

static enum rf_status grow_answers(struct rf_board *board, int32_t n)
{
    if (n > board->answers_room) {
        int32_t room = n < INT32_MAX / 2 ? 2 * n + 64 : INT32_MAX;
        uint8_t *answers = realloc(board->answers, (size_t)room);

        if (answers == NULL)
            return RF_ERR_MEMORY;
        board->answers = answers;
        board->answers_room = room;
    }
    while (board->nanswers < n)
        board->answers[board->nanswers++] = RF_ANSWER_NONE;
    return RF_OK;
}

static enum rf_status make_room(struct rf_board *board)
{
    int32_t n = board->end - board->begin, room = 2 * n + 64;
    struct rf_board_case *cases;

    if (board->end < board->room)
        return RF_OK;
    if (board->begin > n) { /* half of it is past: move down */
        memmove(board->cases, board->cases + board->begin, (size_t)n * sizeof *board->cases);
        board->begin = 0;
        board->end = n;
        return RF_OK;
    }
    room += board->begin;
    cases = realloc(board->cases, (size_t)room * sizeof *cases);
    if (cases == NULL)
        return RF_ERR_MEMORY;
    board->cases = cases;
    board->room = room;
    return RF_OK;
}

static enum rf_status receive(struct rf_policy *policy, int32_t job)
{
    struct rf_board *board = &policy->memory.board;
    const struct rf_pledge *pledge = rf_policy_wall_of(policy, job)->pledge;
    enum rf_status st = grow_answers(board, job + 1);
    struct rf_board_case c = {.job = job};
    int32_t at;

    if (st != RF_OK || pledge == NULL || pledge->share.num == 0)
        return st;
    st = make_room(board);
    if (st != RF_OK)
        return st;
    c.pledge = (int32_t)(pledge - policy->state->pledges);
    c.due_us = sum(policy->state->jobs[job].submit_us,
                   policy->memory.records[c.pledge].terms.delay_us);
    for (at = board->end; at > board->begin && board->cases[at - 1].due_us > c.due_us; at--)
        board->cases[at] = board->cases[at - 1];
    board->cases[at] = c;
    board->end++;
    board->answers[job] = RF_ANSWER_PENDING;
    if (c.due_us < policy->wake_us)
        policy->wake_us = c.due_us;
    return RF_OK;
}

static enum rf_answer answer_of(const struct rf_policy *policy, int32_t job)
{
    const struct rf_board *board = &policy->memory.board;

    return job < board->nanswers ? (enum rf_answer)board->answers[job] : RF_ANSWER_NONE;
}

static int keeps(const struct rf_policy *policy, int32_t job, const char **why)
{
    static const char *const REASONS[] = {[RF_ANSWER_PENDING] = "board-pending",
                                          [RF_ANSWER_NO] = "board-denied",
                                          [RF_ANSWER_BUDGET] = "budget-used-up"};
    enum rf_answer answer = answer_of(policy, job);

    if (answer == RF_ANSWER_NONE || answer == RF_ANSWER_YES)
        return 0;
    *why = REASONS[answer];
    return 1;
}

/* ---- answers ---- */

/* Does the request fit into the budget of its window? Then it is drawn. */
static int draw(struct rf_policy *policy, const struct rf_board_case *c)
{
    struct rf_board *board = &policy->memory.board;
    const struct rf_fence_record *r = &policy->memory.records[c->pledge];
    const struct rf_job *job = &policy->state->jobs[c->job];
    int64_t window = (c->due_us - policy->state->start_us) / r->window_us;
    int64_t budget_us = r->terms.budget_us;

    if (budget_us == 0)
        return 1;
    if (window != board->window[c->pledge])
        board->drawn_us[c->pledge] = 0;
    board->window[c->pledge] = window;
    budget_us -= board->drawn_us[c->pledge];
    if (job->limit_us <= 0 || budget_us < 0 || job->limit_us > budget_us / job->min)
        return 0;
    board->drawn_us[c->pledge] += job->limit_us * job->min;
    return 1;
}

static enum rf_answer decide(struct rf_policy *policy, const struct rf_board_case *c)
{
    struct rf_board *board = &policy->memory.board;
    const struct rf_fence_record *r = &policy->memory.records[c->pledge];
    uint64_t bits;

    if (r->share.num == 0)
        return RF_ANSWER_YES;
    if (!board->named)
        board->stream = rf_rng_stream("board", 0);
    board->named = 1;
    bits = rf_rng_bits((uint64_t)policy->options.seed, board->stream, (uint64_t)c->job);
    if (!rf_share_below(&r->terms.approve, (int64_t)(bits >> 2), DRAWS))
        return RF_ANSWER_NO;
    return draw(policy, c) ? RF_ANSWER_YES : RF_ANSWER_BUDGET;
}

/* The approved job joins those that wait, the other one waits for its denial. One that has run already
 * was let in by somebody else: it waits among the others, and is not denied. */
static enum rf_status tell(struct rf_policy *policy, int32_t id, enum rf_answer answer)
{
    const struct rf_job *job = &policy->state->jobs[id];
    enum rf_status st;

    if (answer != RF_ANSWER_YES && job->grants > 0)
        policy->memory.board.answers[id] = answer = RF_ANSWER_YES;
    if (job->state != RF_JOB_QUEUED)
        return RF_OK;
    if (answer != RF_ANSWER_YES)
        return rf_joblist_add(&policy->refused, id);
    if (job->grants > 0 || rf_policy_waits(policy, id)) /* it has run: it is in its place */
        return RF_OK;
    policy->recheck = 1;
    policy->dirty = RF_DIRTY_ALL;
    for (int i = 0; i < policy->nlines; i++)
        policy->lines[i].plan_stale = 1;
    st = rf_joblist_add(&policy->fresh, id);
    if (st != RF_OK)
        return st;
    return rf_state_ready(policy->state, job) ? rf_policy_enqueue(policy, id)
                                              : rf_joblist_add(&policy->held_back, id);
}

enum rf_status rf_board_answer(struct rf_policy *policy, int64_t until_us)
{
    struct rf_board *board = &policy->memory.board;
    enum rf_status st = RF_OK;

    while (st == RF_OK && board->begin < board->end &&
           board->cases[board->begin].due_us <= until_us) {
        struct rf_board_case c = board->cases[board->begin++];
        const struct rf_job *job = &policy->state->jobs[c.job];
        int gone = job->state != RF_JOB_QUEUED && job->grants == 0 && job->end_us <= c.due_us;

        board->answers[c.job] = (uint8_t)(gone ? RF_ANSWER_NONE : decide(policy, &c));
        if (!gone)
            st = tell(policy, c.job, (enum rf_answer)board->answers[c.job]);
    }
    return st;
}

void rf_board_adjourn(struct rf_board *board)
{
    for (int32_t i = 0; i < board->nanswers; i++)
        board->answers[i] = RF_ANSWER_NONE;
    board->begin = board->end = 0;
}

/* ---- the fence ---- */

static void settle(struct rf_plan *plan)
{
    struct rf_policy *policy = plan->policy;
    const char *why = "";
    int32_t left = 0;

    if (rf_board_answer(policy, plan->now_us) != RF_OK)
        policy->failed = RF_ERR_MEMORY;
    for (int32_t i = 0; i < policy->refused.n; i++) {
        int32_t job = policy->refused.jobs[i];

        if (plan->state->jobs[job].state != RF_JOB_QUEUED)
            continue;
        policy->refused.jobs[left++] = job;
        if (!rf_plan_full(plan) && keeps(policy, job, &why))
            rf_plan_propose(plan, RF_PROPOSE_DENY, job, why, -1);
    }
    policy->refused.n = left;
}

static int64_t wake_us(struct rf_plan *plan)
{
    const struct rf_board *board = &plan->policy->memory.board;

    return board->begin < board->end ? board->cases[board->begin].due_us : INT64_MAX;
}

const struct rf_fence rf_fence_request = {.name = "request",
                                          .limits = rf_plan_no_limits,
                                          .wake_us = wake_us,
                                          .receive = receive,
                                          .keeps = keeps,
                                          .settle = settle};
