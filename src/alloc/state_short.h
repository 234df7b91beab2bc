/* state_short.h - the short way into a state, for states that count devices and simulations that
 * record nothing: what rf_state_apply() does with a request (of an account by its number), with
 * a grant of the next lease, and with the end "done", "finished" of a holder with the last
 * reading that is due. The same rules, refusals and effects; here and not in state.c because
 * millions of jobs a second pass. */
#ifndef RF_ALLOC_STATE_SHORT_H
#define RF_ALLOC_STATE_SHORT_H

#include <assert.h>

#include "alloc/state_step.h"

static inline enum rf_status rf_state_request(struct rf_state *s, int64_t t_us, int32_t account,
                                              int32_t min, int32_t max, int64_t limit_us,
                                              struct rf_error *err)
{
    const char *rule = rf_rule_request(s, s->njobs, min, max, limit_us);
    enum rf_status st = rf_rule_time(s, RF_EVENT_REQUEST, t_us, err);

    if (st == RF_OK && (rule != NULL || account < 0 || account >= s->naccounts))
        st = rf_fail(err, RF_ERR_INPUT, "request refused: %s",
                     rule != NULL ? rule : "no account has that number");
    if (st == RF_OK && s->njobs == s->room->jobs)
        st = rf_room_jobs(s, 1, err);
    if (st != RF_OK)
        return st;
    rf_step_request(s, t_us, account, min, max, limit_us);
    rf_step_pass(s, t_us);
    return RF_OK;
}

static inline enum rf_status rf_state_grant(struct rf_state *s, int64_t t_us, int32_t job,
                                            int32_t count, int32_t lent, struct rf_error *err)
{
    const struct rf_job *j = job < 0 || job >= s->njobs ? NULL : &s->jobs[job];
    const char *rule = rf_rule_grant(s, j, s->next_lease, count, lent);
    enum rf_status st = rf_rule_time(s, RF_EVENT_GRANT, t_us, err);

    assert(s->by_count);
    if (st == RF_OK && rule != NULL)
        st = rf_fail(err, RF_ERR_INPUT, "grant refused: %s", rule);
    if (st != RF_OK)
        return st;
    rf_step_grant(s, t_us, job, count, lent);
    rf_step_pass(s, t_us);
    return RF_OK;
}

static inline enum rf_status rf_state_finish(struct rf_state *s, int64_t t_us, int32_t job,
                                             struct rf_error *err)
{
    struct rf_job *j = job < 0 || job >= s->njobs ? NULL : &s->jobs[job];
    enum rf_status st = rf_rule_time(s, RF_EVENT_END, t_us, err);

    assert(s->by_count);
    if (st == RF_OK && (j == NULL || j->lease < 0))
        st = rf_fail(err, RF_ERR_INPUT, "end refused: the job holds no lease");
    if (st != RF_OK)
        return st;
    if (s->room->finished == 0)
        s->room->finished = rf_reason_make(s, "finished");
    rf_step_settle(s, j, t_us, j->ndevices * (t_us - j->charged_us));
    rf_step_let_go(s, job);
    rf_step_end(j, t_us, RF_JOB_DONE, s->room->finished);
    rf_step_pass(s, t_us);
    return RF_OK;
}

#endif
