#include "report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"

static double share_of(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? rf_wide_double(part) / rf_wide_double(whole) : NAN;
}

static json_t *account_object(struct rf_build *doc, const struct rf_account *account,
                              const struct rf_tally *tally)
{
    json_t *item = json_object();

    rf_build_text(doc, item, "name", account->name);
    rf_build_integer(doc, item, "jobs", account->jobs);
    rf_build_integer(doc, item, "denied", account->denied);
    rf_build_integer(doc, item, "preempted", account->preempted);
    rf_build_wide_seconds(doc, item, "device_s", account->held_us);
    rf_build_seconds(doc, item, "busy_device_s", account->busy_us);
    rf_build_integer(doc, item, "tokens", account->tokens);
    rf_build_integer(doc, item, "flops", account->flops);
    rf_build_number(doc, item, "share", share_of(account->held_us, tally->capacity_us));
    rf_build_number(doc, item, "share_of_used", share_of(account->held_us, tally->used_us));
    return item;
}

/* Those directly below parent (-1: the roots), each followed by its own. */
static void append_accounts(struct rf_build *doc, json_t *array, const struct rf_state *state,
                            const struct rf_tally *tally, int32_t parent)
{
    for (int32_t i = 0; i < state->naccounts; i++)
        if (state->accounts[i].parent == parent) {
            rf_build_append(doc, array, account_object(doc, &state->accounts[i], tally));
            append_accounts(doc, array, state, tally, i);
        }
}

static json_t *accounts(struct rf_build *doc, const struct rf_state *state,
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

static json_t *windows(struct rf_build *doc, const struct rf_pledge_account *pledge,
                       int64_t start_us)
{
    json_t *array = json_array();

    for (int i = 0; i < pledge->nwindows; i++) {
        const struct rf_window *window = &pledge->windows[i];
        json_t *item = json_object();

        rf_build_seconds(doc, item, "begin_s", window->begin_us - start_us);
        rf_build_seconds(doc, item, "end_s", window->end_us - start_us);
        rf_build_text(doc, item, "verdict", rf_verdict_name(window->verdict));
        rf_build_seconds(doc, item, "entitled_device_s", window->entitled_us);
        rf_build_seconds(doc, item, "demanded_device_s", window->demanded_us);
        rf_build_seconds(doc, item, "delivered_device_s", window->delivered_us);
        rf_build_seconds(doc, item, "shortfall_device_s", shortfall_us(window));
        rf_build_set(doc, item, "evidence_missing", json_boolean(window->unproven));
        rf_build_append(doc, array, item);
    }
    return array;
}

static json_t *pledges(struct rf_build *doc, const struct rf_state *state,
                       const struct rf_tally *tally)
{
    json_t *array = json_array();

    for (int i = 0; i < tally->npledges; i++) {
        const struct rf_pledge_account *pledge = &tally->pledges[i];
        const struct rf_share *share = &pledge->pledge.share;
        json_t *item = json_object();
        char exact[48];

        rf_share_format(share, exact, sizeof exact);
        rf_build_text(doc, item, "account", pledge->pledge.account_name);
        rf_build_number(doc, item, "share", (double)share->num / (double)share->den);
        rf_build_text(doc, item, "share_exact", exact);
        rf_build_text(doc, item, "basis", pledge->pledge.basis);
        rf_build_text(doc, item, "fence", pledge->pledge.fence);
        rf_build_seconds(doc, item, "window_s", pledge->pledge.window_us);
        rf_build_seconds(doc, item, "tolerance_s", pledge->pledge.tolerance_us);
        rf_build_text(doc, item, "verdict", rf_verdict_name(pledge->verdict));
        rf_build_number(doc, item, "delivered_share",
                        share_of(pledge->delivered_us, tally->capacity_us));
        rf_build_wide_seconds(doc, item, "entitled_device_s", pledge->entitled_us);
        rf_build_wide_seconds(doc, item, "demanded_device_s", pledge->demanded_us);
        rf_build_wide_seconds(doc, item, "delivered_device_s", pledge->delivered_us);
        rf_build_wide_seconds(doc, item, "shortfall_device_s", pledge->shortfall_us);
        rf_build_set(doc, item, "windows", windows(doc, pledge, state->start_us));
        rf_build_append(doc, array, item);
    }
    return array;
}

static json_t *metrics_object(struct rf_build *doc, const struct rf_metrics *metrics)
{
    json_t *object = json_object();

    for (int i = 0; i < metrics->n; i++)
        rf_build_number(doc, object, metrics->items[i].name, metrics->items[i].value);
    return object;
}

static json_t *curve_array(struct rf_build *doc, const struct rf_curve *curve, int64_t start_us)
{
    json_t *array = json_array();

    for (int i = 0; i < curve->npoints; i++) {
        const struct rf_curve_point *point = &curve->points[i];
        json_t *item = json_object();

        rf_build_integer(doc, item, "step", point->step);
        rf_build_number(doc, item, "loss", point->loss);
        rf_build_number(doc, item, "lr", point->lr);
        rf_build_number(doc, item, "grad_norm", point->grad_norm);
        rf_build_seconds(doc, item, "t_s", point->t_us - start_us);
        if (!isnan(point->validation))
            rf_build_number(doc, item, "validation", point->validation);
        rf_build_append(doc, array, item);
    }
    return array;
}

/* An event of a job that may not have happened: seconds since the start, or null. */
static void set_moment(struct rf_build *doc, json_t *object, const char *key, int64_t us,
                       int64_t start_us)
{
    rf_build_set(doc, object, key,
                 us < 0 ? json_null() : json_real((double)(us - start_us) / 1e6));
}

static json_t *job_object(struct rf_build *doc, const struct rf_results *results, int id)
{
    static const struct rf_job_result nothing = {.kind = ""};
    const struct rf_job *job = &results->state->jobs[id];
    const struct rf_job_extra *extra = rf_state_job_extra(results->state, id);
    const struct rf_job_result *result = id < results->njobs ? &results->jobs[id] : &nothing;
    int64_t start_us = results->state->start_us;
    json_t *item = json_object();
    char name[RF_NAME_BYTES];

    rf_build_text(doc, item, "name", rf_state_job_name(results->state, id, name));
    rf_build_text(doc, item, "account", rf_state_job_account(results->state, id));
    rf_build_text(doc, item, "kind", result->kind);
    if (result->row != NULL && result->row[0] != '\0')
        rf_build_text(doc, item, "row", result->row);
    rf_build_text(doc, item, "state", rf_job_state_name((enum rf_job_state)job->state));
    rf_build_text(doc, item, "reason", rf_state_job_reason(results->state, id));
    set_moment(doc, item, "submit_s", job->submit_us, start_us);
    set_moment(doc, item, "first_grant_s", job->first_grant_us, start_us);
    set_moment(doc, item, "end_s", job->end_us, start_us);
    rf_build_integer(doc, item, "devices_min", job->min);
    rf_build_integer(doc, item, "devices_max", job->max);
    rf_build_seconds(doc, item, "device_s", job->held_us);
    rf_build_seconds(doc, item, "busy_device_s", extra->busy_us);
    rf_build_integer(doc, item, "flops", extra->flops);
    rf_build_integer(doc, item, "tokens", extra->tokens);
    rf_build_integer(doc, item, "steps", extra->step);
    rf_build_integer(doc, item, "preemptions", job->preemptions);
    rf_build_integer(doc, item, "leases", job->grants);
    rf_build_set(doc, item, "metrics", metrics_object(doc, &result->metrics));
    rf_build_set(doc, item, "curve", curve_array(doc, &result->curve, start_us));
    return item;
}

static json_t *jobs(struct rf_build *doc, const struct rf_results *results)
{
    json_t *array = json_array();

    for (int32_t i = 0; i < results->state->njobs; i++)
        rf_build_append(doc, array, job_object(doc, results, i));
    return array;
}

static json_t *agreement_object(struct rf_build *doc, const struct rf_w2s_agreement *agreement)
{
    json_t *object = json_object();

    rf_build_number(doc, object, "all", agreement->all);
    rf_build_number(doc, object, "supervisor_right", agreement->supervisor_right);
    rf_build_number(doc, object, "supervisor_wrong", agreement->supervisor_wrong);
    rf_build_number(doc, object, "corrected", agreement->corrected);
    rf_build_number(doc, object, "new_errors", agreement->new_errors);
    rf_build_number(doc, object, "error_correlation", agreement->error_correlation);
    return object;
}

static json_t *scores_array(struct rf_build *doc, const struct rf_experiment_result *experiment)
{
    json_t *array = json_array();

    for (int i = 0; i < experiment->seeds && experiment->scores != NULL; i++) {
        json_t *item = json_object();

        rf_build_number(doc, item, "weak", experiment->scores[i].weak);
        rf_build_number(doc, item, "student", experiment->scores[i].student);
        rf_build_number(doc, item, "ceiling", experiment->scores[i].ceiling);
        rf_build_integer(doc, item, "seed", experiment->scores[i].seed);
        if (experiment->scores[i].job != NULL)
            rf_build_text(doc, item, "job", experiment->scores[i].job);
        if (experiment->scores[i].key != NULL && experiment->scores[i].key[0] != '\0')
            rf_build_text(doc, item, "key", experiment->scores[i].key);
        rf_build_append(doc, array, item);
    }
    return array;
}

static void set_comparison(struct rf_build *doc, json_t *item,
                           const struct rf_experiment_result *experiment)
{
    const struct rf_w2s_result *w2s = &experiment->w2s;
    int failed = experiment->failed[0] != '\0', none = failed || !w2s->has_pgr;
    json_t *ci = none ? json_null() : json_array();

    rf_build_number(doc, item, "weak", failed ? NAN : w2s->weak);
    rf_build_number(doc, item, "student", failed ? NAN : w2s->student);
    rf_build_number(doc, item, "ceiling", failed ? NAN : w2s->ceiling);
    rf_build_number(doc, item, "gain", failed ? NAN : w2s->student - w2s->weak);
    rf_build_number(doc, item, "gap", failed ? NAN : w2s->gap);
    rf_build_number(doc, item, "gap_se", failed ? NAN : w2s->gap_se);
    rf_build_number(doc, item, "pgr", none ? NAN : w2s->pgr);
    if (!none) {
        rf_build_append(doc, ci, rf_build_real(w2s->pgr_low));
        rf_build_append(doc, ci, rf_build_real(w2s->pgr_high));
    }
    rf_build_set(doc, item, "pgr_ci", ci);
    if (none)
        rf_build_text(doc, item, "void", failed ? experiment->failed : w2s->void_reason);
}

static json_t *cost_object(struct rf_build *doc, const struct rf_row_cost *cost)
{
    json_t *object = json_object();

    rf_build_number(doc, object, "flops", cost->flops);
    rf_build_number(doc, object, "pretrain_flops", cost->pretrain_flops);
    rf_build_number(doc, object, "weak_flops", cost->weak_flops);
    rf_build_number(doc, object, "student_flops", cost->student_flops);
    rf_build_number(doc, object, "ceiling_flops", cost->ceiling_flops);
    rf_build_number(doc, object, "device_s", cost->device_s);
    rf_build_integer(doc, object, "jobs", cost->jobs);
    rf_build_integer(doc, object, "cached", cost->cached);
    return object;
}

static json_t *experiments(struct rf_build *doc, const struct rf_results *results)
{
    json_t *array = json_array();

    for (int i = 0; i < results->nexperiments; i++) {
        const struct rf_experiment_result *experiment = &results->experiments[i];
        json_t *item = json_object();

        rf_build_text(doc, item, "name", experiment->name);
        rf_build_text(doc, item, "task", experiment->task);
        rf_build_text(doc, item, "loss", experiment->loss);
        set_comparison(doc, item, experiment);
        rf_build_number(doc, item, "zero_shot", experiment->zero_shot);
        rf_build_number(doc, item, "same_size", experiment->same_size);
        rf_build_number(doc, item, "strong_on_weak_half", experiment->strong_on_weak_half);
        rf_build_number(doc, item, "probe", experiment->probe);
        rf_build_set(doc, item, "agreement", agreement_object(doc, &experiment->agreement));
        rf_build_number(doc, item, "ece", experiment->ece);
        rf_build_number(doc, item, "brier", experiment->brier);
        rf_build_number(doc, item, "weak_ece", experiment->weak_ece);
        rf_build_number(doc, item, "weak_brier", experiment->weak_brier);
        rf_build_number(doc, item, "weak_parameters", experiment->weak_parameters);
        rf_build_number(doc, item, "strong_parameters", experiment->strong_parameters);
        rf_build_number(doc, item, "weak_model_flops", experiment->weak_flops);
        rf_build_number(doc, item, "strong_model_flops", experiment->strong_flops);
        rf_build_set(doc, item, "cost", cost_object(doc, &experiment->cost));
        rf_build_integer(doc, item, "test_items", experiment->test_items);
        rf_build_integer(doc, item, "seeds", experiment->seeds);
        rf_build_set(doc, item, "by_seed", scores_array(doc, experiment));
        rf_build_append(doc, array, item);
    }
    return array;
}

static json_t *ledger_object(struct rf_build *doc, const struct rf_ledger_result *ledger)
{
    json_t *object = json_object();

    rf_build_text(doc, object, "path", ledger->path);
    rf_build_integer(doc, object, "entries", ledger->entries);
    rf_build_text(doc, object, "head", ledger->head);
    rf_build_set(doc, object, "sealed", json_boolean(ledger->sealed));
    return object;
}

static json_t *run_object(struct rf_build *doc, const struct rf_results *results)
{
    const struct rf_tally *tally = results->tally;
    json_t *root = json_object();

    rf_build_text(doc, root, "command", "run");
    rf_build_text(doc, root, "version", results->version);
    rf_build_text(doc, root, "run", results->run);
    if (results->config != NULL)
        rf_build_text(doc, root, "config", results->config);
    rf_build_integer(doc, root, "seed", results->seed);
    rf_build_number(doc, root, "wall_s", results->wall_s);
    rf_build_integer(doc, root, "start_us", results->state->start_us);
    rf_build_text(doc, root, "policy", results->policy);
    rf_build_set(doc, root, "interrupted", json_boolean(results->interrupted));
    rf_build_integer(doc, root, "devices", results->devices);
    rf_build_wide_seconds(doc, root, "capacity_device_s", tally->capacity_us);
    rf_build_wide_seconds(doc, root, "used_device_s", tally->used_us);
    rf_build_number(doc, root, "utilization", share_of(tally->used_us, tally->capacity_us));
    rf_build_set(doc, root, "accounts", accounts(doc, results->state, tally));
    rf_build_set(doc, root, "pledges", pledges(doc, results->state, tally));
    rf_build_set(doc, root, "jobs", jobs(doc, results));
    rf_build_set(doc, root, "experiments", experiments(doc, results));
    rf_build_set(doc, root, "ledger", ledger_object(doc, &results->ledger));
    return root;
}

enum rf_status rf_results_add_pledges(json_t *object, const struct rf_state *state,
                                      const struct rf_tally *tally, struct rf_error *err)
{
    struct rf_build doc = {0};

    rf_build_set(&doc, object, "pledges", pledges(&doc, state, tally));
    return doc.failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for the verdicts") : RF_OK;
}

enum rf_status rf_results_add_judgement(json_t *object, const struct rf_state *state,
                                        const struct rf_tally *tally, struct rf_error *err)
{
    struct rf_build doc = {0};

    rf_build_set(&doc, object, "accounts", accounts(&doc, state, tally));
    if (doc.failed)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the verdicts");
    return rf_results_add_pledges(object, state, tally, err);
}

enum rf_status rf_results_json(const struct rf_results *results, char **text,
                               struct rf_error *err)
{
    struct rf_build doc = {0};
    json_t *root = run_object(&doc, results);
    enum rf_status st = rf_build_dump(&doc, root, text, err);

    json_decref(root);
    return st;
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
