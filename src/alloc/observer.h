/* observer.h - whoever watches events go by: tallies, books, verdicts, time series.
 *
 * Called around each event: before() with the state as it was since the last event (time
 * between two events is integrated there), after() with the event applied. Neither may
 * change the state. */
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

#endif
