/* observer.h - whoever watches events go by: tallies, books, verdicts, time series.
 *
 * Called around each event: before() with the state as it was since the last event (time
 * between two events is integrated there; NULL: nothing is), after() with the event applied. Neither
 * may change the state. */
#ifndef RF_ALLOC_OBSERVER_H
#define RF_ALLOC_OBSERVER_H

#include "alloc/state.h"

struct rf_observer {
    void *self;
    enum rf_status (*before)(void *self, const struct rf_state *state,
                             const struct rf_event *event, struct rf_error *err);
    enum rf_status (*after)(void *self, const struct rf_state *state,
                            const struct rf_event *event, struct rf_error *err);
};

/* RF_OK where it does not look before. */
static inline enum rf_status rf_observe_before(const struct rf_observer *observer,
                                               const struct rf_state *state,
                                               const struct rf_event *event,
                                               struct rf_error *err)
{
    return observer->before == NULL ? RF_OK
                                    : observer->before(observer->self, state, event, err);
}

#endif
