/* watch_rules.h - what the files of the watch share; nobody else includes it. */
#ifndef RF_AUDIT_WATCH_RULES_H
#define RF_AUDIT_WATCH_RULES_H

#include "audit/room.h"
#include "audit/watch.h"

enum { RF_OWNER_ABSENT = -1, RF_OWNER_FREE = -2, RF_OWNER_DOWN = -3 };

struct rf_watch_job {
    int64_t read_us;          /* this lease: the last reading, or the grant */
    int64_t held_us, busy_us; /* this lease, so far */
    int64_t tokens, flops;
    int64_t waiting_us; /* since when it waits for the reason; -1: it does not */
    int32_t devices, reason, lease;
    uint8_t delayed, granted, late; /* late: its claims have been found too large */
};

/* ---- watch_devices.c: T1, T4 ---- */
enum rf_status rf_watch_pass(struct rf_audit_watch *w, const struct rf_event *event,
                             struct rf_error *err);
enum rf_status rf_watch_devices(struct rf_audit_watch *w, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err);
enum rf_status rf_watch_devices_end(struct rf_audit_watch *w, const struct rf_state *state,
                                    struct rf_error *err);

/* ---- watch_requests.c: T5, T6 ---- */
enum rf_status rf_watch_requests(struct rf_audit_watch *w, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err);
/* After the event: what a reason became in the state. */
enum rf_status rf_watch_answered(struct rf_audit_watch *w, const struct rf_state *state,
                                 const struct rf_event *event, struct rf_error *err);
enum rf_status rf_watch_requests_end(struct rf_audit_watch *w, const struct rf_state *state,
                                     int64_t service_wait_us, struct rf_error *err);

/* ---- watch_claims.c: T7, T8 ---- */
enum rf_status rf_watch_claims(struct rf_audit_watch *w, const struct rf_state *state,
                               const struct rf_event *event, struct rf_error *err);
enum rf_status rf_watch_changes(struct rf_audit_watch *w, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err);
void rf_watch_claims_end(struct rf_audit_watch *w);

#endif
