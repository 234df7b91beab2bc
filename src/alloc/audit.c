#include "alloc/audit.h"

#include "alloc/invariant.h"

enum { FULL_CHECK = 4096 }; /* so many events apart; between them what each one touched */

struct replay {
    struct rf_audit *audit;
    const struct rf_observer *observers;
    int nobservers;
};

/* One event on its way through the same functions that the run used. */
static enum rf_status replay(void *ctx, const struct rf_event *event, struct rf_error *err)
{
    struct replay *r = ctx;
    struct rf_audit *audit = r->audit;
    enum rf_status st = rf_tally_before(audit->tally, audit->state, event, err);

    for (int i = 0; st == RF_OK && i < r->nobservers; i++)
        st = rf_observe_before(&r->observers[i], audit->state, event, err);
    if (st == RF_OK)
        st = rf_state_apply(audit->state, event, err);
    if (st == RF_OK)
        st = rf_tally_after(audit->tally, audit->state, event, err);
    for (int i = 0; st == RF_OK && i < r->nobservers; i++)
        st = r->observers[i].after(r->observers[i].self, audit->state, event, err);
    if (st == RF_OK)
        st = audit->state->next_seq % FULL_CHECK == 0
                 ? rf_invariant_check(audit->state, err)
                 : rf_invariant_check_event(audit->state, event, err);
    if (st == RF_OK && event->type == RF_EVENT_OPEN)
        audit->run_seed = event->seed;
    return st;
}

static enum rf_verdict sum_up(const struct rf_audit *audit)
{
    enum rf_verdict verdict = RF_KEPT;

    if (!audit->ledger.chain_ok || !audit->ledger.seals_ok || audit->ledger.first_bad_seq >= 0)
        return RF_UNPROVABLE;
    if (!audit->state->opened ||
        (audit->state->closed && audit->ledger.sealed_entries < audit->ledger.entries))
        return RF_UNPROVABLE;
    for (int i = 0; i < audit->tally->npledges; i++) {
        enum rf_verdict v = audit->tally->pledges[i].verdict;

        if (v == RF_BROKEN || (v == RF_UNPROVABLE && verdict == RF_KEPT))
            verdict = v;
    }
    return verdict;
}

enum rf_status rf_audit_watched(struct rf_audit *audit, const char *path, const char *vkey,
                                const struct rf_observer *observers, int nobservers,
                                struct rf_error *err)
{
    struct replay r = {audit, observers, nobservers};
    enum rf_status st;

    *audit = (struct rf_audit){.verdict = RF_UNPROVABLE};
    st = rf_state_create(&audit->state, 0, err);
    if (st == RF_OK)
        st = rf_tally_create(&audit->tally, err);
    if (st == RF_OK)
        st = rf_ledger_verify(path, vkey, replay, &r, &audit->ledger, err);
    if (st == RF_OK)
        st = rf_invariant_check(audit->state, err);
    if (st != RF_OK) {
        rf_audit_clear(audit);
        return st;
    }
    rf_tally_judge(audit->tally, audit->state);
    audit->verdict = sum_up(audit);
    return RF_OK;
}

enum rf_status rf_audit_ledger(struct rf_audit *audit, const char *path, const char *vkey,
                               struct rf_error *err)
{
    return rf_audit_watched(audit, path, vkey, NULL, 0, err);
}

void rf_audit_clear(struct rf_audit *audit)
{
    rf_tally_destroy(audit->tally);
    rf_state_destroy(audit->state);
    audit->tally = NULL;
    audit->state = NULL;
}
