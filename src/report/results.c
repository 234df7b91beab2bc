#include "report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Fifteen digits: every decimal figure of that length comes out as it went in (0.1, not
 * 0.10000000000000001), and microseconds stay exact for thirty years. */
enum { JSON_DIGITS = 15 };

/* Jansson's *_set_new() and *_append_new() accept NULL and then fail, so memory errors travel
 * in one flag and are looked at once. */
struct document {
    int failed;
};

static void set(struct document *doc, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        doc->failed = 1;
}

static void append(struct document *doc, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        doc->failed = 1;
}

static void set_text(struct document *doc, json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text != NULL ? text : "");

    /* not UTF-8 (a name from outside): nothing better than to say so */
    set(doc, object, key, value != NULL ? value : json_string("(not UTF-8)"));
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static void set_number(struct document *doc, json_t *object, const char *key, double x)
{
    set(doc, object, key, number(x));
}

static void set_integer(struct document *doc, json_t *object, const char *key, int64_t x)
{
    set(doc, object, key, json_integer(x));
}

static void set_seconds(struct document *doc, json_t *object, const char *key, int64_t us)
{
    set(doc, object, key, json_real((double)us / 1e6));
}

static void set_wide_seconds(struct document *doc, json_t *object, const char *key,
                             struct rf_wide us)
{
    set(doc, object, key, json_real(rf_wide_double(us) / 1e6));
}

static double share_of(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? rf_wide_double(part) / rf_wide_double(whole) : NAN;
}

static json_t *account_object(struct document *doc, const struct rf_account *account,
                              const struct rf_tally *tally)
{
    json_t *item = json_object();

    set_text(doc, item, "name", account->name);
    set_integer(doc, item, "jobs", account->jobs);
    set_integer(doc, item, "denied", account->denied);
    set_integer(doc, item, "preempted", account->preempted);
    set_wide_seconds(doc, item, "device_s", account->held_us);
    set_seconds(doc, item, "busy_device_s", account->busy_us);
    set_integer(doc, item, "tokens", account->tokens);
    set_integer(doc, item, "flops", account->flops);
    set_number(doc, item, "share", share_of(account->held_us, tally->capacity_us));
    set_number(doc, item, "share_of_used", share_of(account->held_us, tally->used_us));
    return item;
}

/* Those directly below parent (-1: the roots), each followed by its own. */
static void append_accounts(struct document *doc, json_t *array, const struct rf_state *state,
                            const struct rf_tally *tally, int32_t parent)
{
    for (int32_t i = 0; i < state->naccounts; i++)
        if (state->accounts[i].parent == parent) {
            append(doc, array, account_object(doc, &state->accounts[i], tally));
            append_accounts(doc, array, state, tally, i);
        }
}

static json_t *accounts(struct document *doc, const struct rf_state *state,
                        const struct rf_tally *tally)
{
    json_t *array = json_array();

    append_accounts(doc, array, state, tally, -1);
    return array;
}

static int64_t shortfall_us(const struct rf_window *window)
{
    int64_t due =
        window->entitled_us < window->demanded_us ? window->entitled_us : window->demanded_us;

    return due > window->delivered_us ? due - window->delivered_us : 0;
}

static json_t *windows(struct document *doc, const struct rf_pledge_account *pledge,
                       int64_t start_us)
{
    json_t *array = json_array();

    for (int i = 0; i < pledge->nwindows; i++) {
        const struct rf_window *window = &pledge->windows[i];
        json_t *item = json_object();

        set_seconds(doc, item, "begin_s", window->begin_us - start_us);
        set_seconds(doc, item, "end_s", window->end_us - start_us);
        set_text(doc, item, "verdict", rf_verdict_name(window->verdict));
        set_seconds(doc, item, "entitled_device_s", window->entitled_us);
        set_seconds(doc, item, "demanded_device_s", window->demanded_us);
        set_seconds(doc, item, "delivered_device_s", window->delivered_us);
        set_seconds(doc, item, "shortfall_device_s", shortfall_us(window));
        set(doc, item, "evidence_missing", json_boolean(window->unproven));
        append(doc, array, item);
    }
    return array;
}

static json_t *pledges(struct document *doc, const struct rf_state *state,
                       const struct rf_tally *tally)
{
    json_t *array = json_array();

    for (int i = 0; i < tally->npledges; i++) {
        const struct rf_pledge_account *pledge = &tally->pledges[i];
        const struct rf_share *share = &pledge->pledge.share;
        json_t *item = json_object();
        char exact[48];

        rf_share_format(share, exact, sizeof exact);
        set_text(doc, item, "account", pledge->pledge.account_name);
        set_number(doc, item, "share", (double)share->num / (double)share->den);
        set_text(doc, item, "share_exact", exact);
        set_text(doc, item, "basis", pledge->pledge.basis);
        set_text(doc, item, "fence", pledge->pledge.fence);
        set_seconds(doc, item, "window_s", pledge->pledge.window_us);
        set_seconds(doc, item, "tolerance_s", pledge->pledge.tolerance_us);
        set_text(doc, item, "verdict", rf_verdict_name(pledge->verdict));
        set_number(doc, item, "delivered_share",
                   share_of(pledge->delivered_us, tally->capacity_us));
        set_wide_seconds(doc, item, "entitled_device_s", pledge->entitled_us);
        set_wide_seconds(doc, item, "demanded_device_s", pledge->demanded_us);
        set_wide_seconds(doc, item, "delivered_device_s", pledge->delivered_us);
        set_wide_seconds(doc, item, "shortfall_device_s", pledge->shortfall_us);
        set(doc, item, "windows", windows(doc, pledge, state->start_us));
        append(doc, array, item);
    }
    return array;
}

static json_t *metrics_object(struct document *doc, const struct rf_metrics *metrics)
{
    json_t *object = json_object();

    for (int i = 0; i < metrics->n; i++)
        set_number(doc, object, metrics->items[i].name, metrics->items[i].value);
    return object;
}

static json_t *curve_array(struct document *doc, const struct rf_curve *curve, int64_t start_us)
{
    json_t *array = json_array();

    for (int i = 0; i < curve->npoints; i++) {
        const struct rf_curve_point *point = &curve->points[i];
        json_t *item = json_object();

        set_integer(doc, item, "step", point->step);
        set_number(doc, item, "loss", point->loss);
        set_number(doc, item, "lr", point->lr);
        set_number(doc, item, "grad_norm", point->grad_norm);
        set_seconds(doc, item, "t_s", point->t_us - start_us);
        append(doc, array, item);
    }
    return array;
}

/* An event of a job that may not have happened: seconds since the start, or null. */
static void set_moment(struct document *doc, json_t *object, const char *key, int64_t us,
                       int64_t start_us)
{
    set(doc, object, key, us < 0 ? json_null() : json_real((double)(us - start_us) / 1e6));
}

static json_t *job_object(struct document *doc, const struct rf_results *results, int id)
{
    static const struct rf_job_result nothing = {.kind = ""};
    const struct rf_job *job = &results->state->jobs[id];
    const struct rf_job_extra *extra = rf_state_job_extra(results->state, id);
    const struct rf_job_result *result = id < results->njobs ? &results->jobs[id] : &nothing;
    int64_t start_us = results->state->start_us;
    json_t *item = json_object();
    char name[RF_NAME_BYTES];

    set_text(doc, item, "name", rf_state_job_name(results->state, id, name));
    set_text(doc, item, "account", rf_state_job_account(results->state, id));
    set_text(doc, item, "kind", result->kind);
    set_text(doc, item, "state", rf_job_state_name((enum rf_job_state)job->state));
    set_text(doc, item, "reason", rf_state_job_reason(results->state, id));
    set_moment(doc, item, "submit_s", job->submit_us, start_us);
    set_moment(doc, item, "first_grant_s", job->first_grant_us, start_us);
    set_moment(doc, item, "end_s", job->end_us, start_us);
    set_integer(doc, item, "devices_min", job->min);
    set_integer(doc, item, "devices_max", job->max);
    set_seconds(doc, item, "device_s", job->held_us);
    set_seconds(doc, item, "busy_device_s", extra->busy_us);
    set_integer(doc, item, "flops", extra->flops);
    set_integer(doc, item, "tokens", extra->tokens);
    set_integer(doc, item, "steps", extra->step);
    set_integer(doc, item, "preemptions", job->preemptions);
    set_integer(doc, item, "leases", job->grants);
    set(doc, item, "metrics", metrics_object(doc, &result->metrics));
    set(doc, item, "curve", curve_array(doc, &result->curve, start_us));
    return item;
}

static json_t *jobs(struct document *doc, const struct rf_results *results)
{
    json_t *array = json_array();

    for (int32_t i = 0; i < results->state->njobs; i++)
        append(doc, array, job_object(doc, results, i));
    return array;
}

static json_t *agreement_object(struct document *doc, const struct rf_w2s_agreement *agreement)
{
    json_t *object = json_object();

    set_number(doc, object, "all", agreement->all);
    set_number(doc, object, "supervisor_right", agreement->supervisor_right);
    set_number(doc, object, "supervisor_wrong", agreement->supervisor_wrong);
    set_number(doc, object, "corrected", agreement->corrected);
    set_number(doc, object, "new_errors", agreement->new_errors);
    return object;
}

static json_t *scores_array(struct document *doc, const struct rf_experiment_result *experiment)
{
    json_t *array = json_array();

    for (int i = 0; i < experiment->seeds && experiment->scores != NULL; i++) {
        json_t *item = json_object();

        set_number(doc, item, "weak", experiment->scores[i].weak);
        set_number(doc, item, "student", experiment->scores[i].student);
        set_number(doc, item, "ceiling", experiment->scores[i].ceiling);
        append(doc, array, item);
    }
    return array;
}

static void set_comparison(struct document *doc, json_t *item,
                           const struct rf_experiment_result *experiment)
{
    const struct rf_w2s_result *w2s = &experiment->w2s;
    int failed = experiment->failed[0] != '\0', none = failed || !w2s->has_pgr;
    json_t *ci = none ? json_null() : json_array();

    set_number(doc, item, "weak", failed ? NAN : w2s->weak);
    set_number(doc, item, "student", failed ? NAN : w2s->student);
    set_number(doc, item, "ceiling", failed ? NAN : w2s->ceiling);
    set_number(doc, item, "gain", failed ? NAN : w2s->student - w2s->weak);
    set_number(doc, item, "gap", failed ? NAN : w2s->gap);
    set_number(doc, item, "gap_se", failed ? NAN : w2s->gap_se);
    set_number(doc, item, "pgr", none ? NAN : w2s->pgr);
    if (!none) {
        append(doc, ci, number(w2s->pgr_low));
        append(doc, ci, number(w2s->pgr_high));
    }
    set(doc, item, "pgr_ci", ci);
    if (none)
        set_text(doc, item, "void", failed ? experiment->failed : w2s->void_reason);
}

static json_t *experiments(struct document *doc, const struct rf_results *results)
{
    json_t *array = json_array();

    for (int i = 0; i < results->nexperiments; i++) {
        const struct rf_experiment_result *experiment = &results->experiments[i];
        json_t *item = json_object();

        set_text(doc, item, "name", experiment->name);
        set_text(doc, item, "task", experiment->task);
        set_text(doc, item, "loss", experiment->loss);
        set_comparison(doc, item, experiment);
        set_number(doc, item, "zero_shot", experiment->zero_shot);
        set_number(doc, item, "same_size", experiment->same_size);
        set_number(doc, item, "strong_on_weak_half", experiment->strong_on_weak_half);
        set_number(doc, item, "probe", experiment->probe);
        set(doc, item, "agreement", agreement_object(doc, &experiment->agreement));
        set_number(doc, item, "ece", experiment->ece);
        set_number(doc, item, "brier", experiment->brier);
        set_integer(doc, item, "test_items", experiment->test_items);
        set_integer(doc, item, "seeds", experiment->seeds);
        set(doc, item, "by_seed", scores_array(doc, experiment));
        append(doc, array, item);
    }
    return array;
}

static json_t *ledger_object(struct document *doc, const struct rf_ledger_result *ledger)
{
    json_t *object = json_object();

    set_text(doc, object, "path", ledger->path);
    set_integer(doc, object, "entries", ledger->entries);
    set_text(doc, object, "head", ledger->head);
    set(doc, object, "sealed", json_boolean(ledger->sealed));
    return object;
}

static json_t *run_object(struct document *doc, const struct rf_results *results)
{
    const struct rf_tally *tally = results->tally;
    json_t *root = json_object();

    set_text(doc, root, "command", "run");
    set_text(doc, root, "version", results->version);
    set_text(doc, root, "run", results->run);
    set_integer(doc, root, "seed", results->seed);
    set_number(doc, root, "wall_s", results->wall_s);
    set_integer(doc, root, "start_us", results->state->start_us);
    set_text(doc, root, "policy", results->policy);
    set(doc, root, "interrupted", json_boolean(results->interrupted));
    set_integer(doc, root, "devices", results->devices);
    set_wide_seconds(doc, root, "capacity_device_s", tally->capacity_us);
    set_wide_seconds(doc, root, "used_device_s", tally->used_us);
    set_number(doc, root, "utilization", share_of(tally->used_us, tally->capacity_us));
    set(doc, root, "accounts", accounts(doc, results->state, tally));
    set(doc, root, "pledges", pledges(doc, results->state, tally));
    set(doc, root, "jobs", jobs(doc, results));
    set(doc, root, "experiments", experiments(doc, results));
    set(doc, root, "ledger", ledger_object(doc, &results->ledger));
    return root;
}

enum rf_status rf_results_add_pledges(json_t *object, const struct rf_state *state,
                                      const struct rf_tally *tally, struct rf_error *err)
{
    struct document doc = {0};

    set(&doc, object, "pledges", pledges(&doc, state, tally));
    return doc.failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the verdicts") : RF_OK;
}

enum rf_status rf_results_add_judgement(json_t *object, const struct rf_state *state,
                                        const struct rf_tally *tally, struct rf_error *err)
{
    struct document doc = {0};

    set(&doc, object, "accounts", accounts(&doc, state, tally));
    if (doc.failed)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the verdicts");
    return rf_results_add_pledges(object, state, tally, err);
}

enum rf_status rf_results_json(const struct rf_results *results, char **text,
                               struct rf_error *err)
{
    struct document doc = {0};
    json_t *root = run_object(&doc, results);
    char *dumped =
        doc.failed ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(JSON_DIGITS));
    size_t length = dumped != NULL ? strlen(dumped) : 0;

    *text = dumped != NULL ? realloc(dumped, length + 2) : NULL;
    json_decref(root);
    if (*text == NULL) {
        free(dumped);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the results");
    }
    memcpy(*text + length, "\n", 2);
    return RF_OK;
}

enum rf_status rf_results_write(const struct rf_results *results, const char *run_dir,
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_file_join(path, run_dir, "results.json", err);

    if (st == RF_OK)
        st = rf_results_json(results, &text, err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}
