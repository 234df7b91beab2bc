/* First come, first served: the queue as it is. A preempted job has kept its place. */
#include "alloc/policy_plan.h"

static const int32_t *sequence(const struct rf_state *state)
{
    return state->queue;
}

const struct rf_order rf_order_fcfs = {"fcfs", sequence};
