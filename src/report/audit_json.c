#include <math.h>
#include <string.h>

#include "report/audit.h"
#include "report/build.h"
#include "report/finding.h"
#include "report/results.h"

static double since(const struct rf_examination *x, int64_t t_us)
{
    return (double)(t_us - x->audit.state->start_us) / 1e6;
}

/* ---- ledger and windows ---- */

static json_t *ledger_object(struct rf_build *b, const struct rf_examination *x,
                             const char *path)
{
    const struct rf_ledger_check *check = &x->audit.ledger;
    json_t *item = json_object();

    rf_build_text(b, item, "path", path);
    rf_build_integer(b, item, "entries", check->entries);
    rf_build_integer(b, item, "sealed_entries", check->sealed_entries);
    rf_build_integer(b, item, "seals", check->seals);
    rf_build_text(b, item, "head", check->head);
    rf_build_text(b, item, "key_name", check->key_name);
    rf_build_set(b, item, "chain_ok", json_boolean(check->chain_ok));
    rf_build_set(b, item, "seals_ok", json_boolean(check->seals_ok));
    rf_build_set(b, item, "first_bad_seq",
                 check->first_bad_seq < 0 ? json_null() : json_integer(check->first_bad_seq));
    rf_build_integer(b, item, "torn_bytes", check->torn_bytes);
    rf_build_text(b, item, "problem", check->problem);
    return item;
}

/* What only an audit says of windows: the offer, and how far behind the account is. */
static void add_offers(struct rf_build *b, json_t *root, const struct rf_examination *x)
{
    json_t *pledges = json_object_get(root, "pledges");

    for (int i = 0; i < x->audit.tally->npledges; i++) {
        const struct rf_pledge_account *p = &x->audit.tally->pledges[i];
        json_t *item = json_array_get(pledges, (size_t)i);
        json_t *windows = json_object_get(item, "windows");
        struct rf_wide offered, arrears = rf_wide_of(0);

        for (int k = 0; k < p->nwindows; k++) {
            json_t *window = json_array_get(windows, (size_t)k);

            arrears = rf_examination_arrears_us(&p->windows[k], arrears);
            if (rf_examination_offered(x, i, k, &offered))
                rf_build_wide_seconds(b, window, "offered_device_s", offered);
            else
                rf_build_set(b, window, "offered_device_s", json_null());
            rf_build_wide_seconds(b, window, "arrears_device_s", arrears);
        }
    }
}

static json_t *definitions(struct rf_build *b, const struct rf_examination *x)
{
    json_t *array = json_array();

    for (int i = 0; i < x->npromises; i++)
        for (int k = 0; k < RF_DEFINITION_N; k++)
            rf_build_append(b, array,
                            rf_finding_object(b, x->promises[i].promise, (enum rf_definition)k,
                                              &x->promises[i].findings[k],
                                              &x->definition_options,
                                              x->audit.state->start_us));
    return array;
}

/* ---- requests, gaps, changes ---- */

static json_t *reasons(struct rf_build *b, const struct rf_examination *x, int32_t account,
                       int denied)
{
    json_t *array = json_array();

    for (int i = 0; i < x->watch.nanswers; i++) {
        const struct rf_answer *a = &x->watch.answers[i];
        json_t *item;

        if (a->account != account || a->denied != denied)
            continue;
        item = json_object();
        rf_build_text(b, item, "reason", x->audit.state->reasons[a->reason]);
        rf_build_integer(b, item, "requests", a->requests);
        rf_build_number(b, item, "device_h", rf_wide_double(a->device_us) / 3600e6);
        if (denied)
            rf_build_integer(b, item, "without_limit", a->unlimited);
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *requests(struct rf_build *b, const struct rf_examination *x)
{
    json_t *array = json_array();

    for (int32_t i = 0; i < x->watch.naccounts; i++) {
        const struct rf_account_requests *r = &x->watch.accounts[i];
        json_t *item;

        if (r->requests == 0)
            continue;
        item = json_object();
        rf_build_text(b, item, "account", x->audit.state->accounts[i].name);
        rf_build_integer(b, item, "requests", r->requests);
        rf_build_integer(b, item, "granted", r->granted);
        rf_build_integer(b, item, "delayed", r->delayed);
        rf_build_integer(b, item, "denied", r->denied);
        rf_build_integer(b, item, "cancelled", r->cancelled);
        rf_build_integer(b, item, "waiting", r->waiting);
        rf_build_number(b, item, "delayed_device_h", rf_wide_double(r->delayed_us) / 3600e6);
        rf_build_number(b, item, "denied_device_h", rf_wide_double(r->denied_us) / 3600e6);
        rf_build_set(b, item, "denials", reasons(b, x, i, 1));
        rf_build_set(b, item, "delays", reasons(b, x, i, 0));
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *gaps(struct rf_build *b, const struct rf_examination *x)
{
    json_t *array = json_array();

    for (int i = 0; i < x->watch.ngaps; i++) {
        const struct rf_gap *g = &x->watch.gaps[i];
        json_t *item = json_object();

        rf_build_text(b, item, "kind", rf_gap_name(g->kind));
        rf_build_number(b, item, "begin_s", since(x, g->begin_us));
        rf_build_number(b, item, "end_s", since(x, g->end_us));
        rf_build_integer(b, item, "seq", g->seq);
        if (g->kind == RF_GAP_READING) {
            rf_build_integer(b, item, "job", g->job);
            rf_build_seconds(b, item, "device_s", g->device_us);
        }
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *changes(struct rf_build *b, const struct rf_examination *x)
{
    json_t *array = json_array();

    for (int i = 0; i < x->watch.nchanges; i++) {
        const struct rf_seen_change *c = &x->watch.changes[i];
        json_t *item = json_object();

        rf_build_integer(b, item, "seq", c->seq);
        rf_build_number(b, item, "t_s", since(x, c->t_us));
        rf_build_text(b, item, "type", rf_event_type_name(c->type));
        rf_build_text(b, item, "account", c->account);
        if (c->job >= 0)
            rf_build_integer(b, item, "job", c->job);
        rf_build_text(b, item, "change", c->what);
        rf_build_set(b, item, "after_the_fact", json_boolean(c->after_the_fact));
        rf_build_text(b, item, "author", c->author);
        rf_build_text(b, item, "reason", c->reason);
        rf_build_append(b, array, item);
    }
    return array;
}

/* ---- tests ---- */

static json_t *offence_object(struct rf_build *b, const struct rf_offence *o)
{
    json_t *item = json_object();

    rf_build_set(b, item, "seq", o->seq < 0 ? json_null() : json_integer(o->seq));
    rf_build_set(b, item, "job", o->job < 0 ? json_null() : json_integer(o->job));
    rf_build_text(b, item, "text", o->text);
    return item;
}

static json_t *tests(struct rf_build *b, const struct rf_examination *x)
{
    json_t *array = json_array();

    for (int t = 0; t < RF_AUDIT_NTESTS; t++) {
        const struct rf_audit_test *test = &x->tests[t];
        json_t *item = json_object(), *offences = json_array();

        rf_build_text(b, item, "test", rf_audit_test_name((enum rf_audit_test_id)t));
        rf_build_text(b, item, "title", rf_audit_test_title((enum rf_audit_test_id)t));
        rf_build_text(b, item, "result", rf_audit_result_name(test->result));
        rf_build_integer(b, item, "checked", test->checked);
        rf_build_integer(b, item, "count", test->count);
        rf_build_set(b, item, "worst",
                     test->count > 0 ? offence_object(b, &test->worst) : json_null());
        for (int i = 0; i < test->n; i++)
            rf_build_append(b, offences, offence_object(b, &test->offences[i]));
        rf_build_set(b, item, "offences", offences);
        rf_build_text(b, item, "note", test->note);
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *reconciliation(struct rf_build *b, const struct rf_examination *x)
{
    const struct rf_sacct_match *m = &x->sacct;
    json_t *item;

    if (m->unit == NULL)
        return json_null();
    item = json_object();
    rf_build_text(b, item, "by", rf_match_name(m->by));
    rf_build_text(b, item, "unit", m->unit);
    rf_build_integer(b, item, "rows", m->rows);
    rf_build_integer(b, item, "runs", m->runs);
    rf_build_integer(b, item, "unfinished", m->unfinished);
    rf_build_integer(b, item, "repeated", m->repeated);
    rf_build_integer(b, item, "matched", m->matched);
    rf_build_integer(b, item, "ledger_only", m->ledger_only);
    rf_build_integer(b, item, "slurm_only", m->slurm_only);
    rf_build_integer(b, item, "differ", m->differ);
    rf_build_integer(b, item, "accounts_differ", m->accounts_differ);
    rf_build_wide_seconds(b, item, "ledger_device_s", m->ledger_us);
    rf_build_wide_seconds(b, item, "slurm_device_s", m->slurm_us);
    return item;
}

static json_t *thresholds(struct rf_build *b, const struct rf_examination *x)
{
    const struct rf_definition_options *o = &x->definition_options;
    json_t *item = json_object();

    rf_build_seconds(b, item, "step_s", o->step_us);
    rf_build_seconds(b, item, "service_wait_s", o->service_wait_us);
    rf_build_number(b, item, "service_denied",
                    (double)o->service_denied.num / (double)o->service_denied.den);
    if (o->service_denied_us < INT64_MAX)
        rf_build_seconds(b, item, "service_denied_device_s", o->service_denied_us);
    else
        rf_build_set(b, item, "service_denied_device_s", json_null());
    rf_build_seconds(b, item, "heartbeat_s", x->watch.heartbeat_us);
    rf_build_seconds(b, item, "seal_s", x->watch.seal_us);
    rf_build_integer(b, item, "peak_flops", x->watch.peak_flops);
    return item;
}

enum rf_status rf_audit_json(json_t *to, const struct rf_examination *x, const char *path,
                             struct rf_error *err)
{
    struct rf_build b = {0};
    enum rf_status st;

    rf_build_integer(&b, to, "seed", x->audit.run_seed);
    rf_build_text(&b, to, "verdict", rf_verdict_name(x->audit.verdict));
    rf_build_integer(&b, to, "findings", x->findings);
    rf_build_set(&b, to, "ledger", ledger_object(&b, x, path));
    st = rf_results_add_judgement(to, x->audit.state, x->audit.tally, err);
    if (st != RF_OK)
        return st;
    add_offers(&b, to, x);
    rf_build_set(&b, to, "definitions", definitions(&b, x));
    rf_build_set(&b, to, "requests", requests(&b, x));
    rf_build_set(&b, to, "gaps", gaps(&b, x));
    rf_build_set(&b, to, "changes", changes(&b, x));
    rf_build_set(&b, to, "tests", tests(&b, x));
    rf_build_set(&b, to, "thresholds", thresholds(&b, x));
    rf_build_set(&b, to, "reconciliation", reconciliation(&b, x));
    return b.failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for an audit") : RF_OK;
}
