#include "report/sim_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"
#include "report/finding.h"

enum { MOST_SAMPLES = 400 }; /* of a pace line: more than a picture can show is of no use */

static double share_of(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? rf_wide_double(part) / rf_wide_double(whole) : (double)NAN;
}

/* ---- waits and accounts ---- */

static json_t *wait_object(struct rf_build *b, const struct rf_spread *wait)
{
    json_t *item = json_object();
    int none = wait->n == 0;

    rf_build_number(b, item, "mean", wait->mean / 1e6);
    rf_build_number(b, item, "p50", none ? (double)NAN : (double)wait->p50 / 1e6);
    rf_build_number(b, item, "p95", none ? (double)NAN : (double)wait->p95 / 1e6);
    rf_build_number(b, item, "p99", none ? (double)NAN : (double)wait->p99 / 1e6);
    rf_build_number(b, item, "max", none ? (double)NAN : (double)wait->max / 1e6);
    return item;
}

static json_t *slowdown_object(struct rf_build *b, const struct rf_spread *slowdown)
{
    json_t *item = json_object();

    rf_build_number(b, item, "mean", slowdown->mean / 1e6);
    rf_build_number(b, item, "p95",
                    slowdown->n == 0 ? (double)NAN : (double)slowdown->p95 / 1e6);
    return item;
}

static json_t *part_object(struct rf_build *b, const struct rf_sim_part *part)
{
    json_t *item = json_object();

    rf_build_integer(b, item, "jobs", part->jobs);
    rf_build_integer(b, item, "finished", part->finished);
    rf_build_integer(b, item, "denied", part->denied);
    rf_build_wide_seconds(b, item, "device_s", part->held_us);
    rf_build_wide_seconds(b, item, "useful_device_s", part->useful_us);
    rf_build_set(b, item, "wait_s", wait_object(b, &part->wait));
    rf_build_set(b, item, "bounded_slowdown", slowdown_object(b, &part->slowdown));
    return item;
}

static json_t *accounts(struct rf_build *b, const struct rf_sim_results *r)
{
    const struct rf_sim_summary *s = r->summary;
    json_t *array = json_array();

    for (int32_t i = 0; i < s->naccounts; i++) {
        const struct rf_sim_account *row = &s->accounts[i];
        const struct rf_account *account = &r->result->state->accounts[row->id];
        json_t *item = json_object();

        rf_build_text(b, item, "name", account->name);
        rf_build_integer(b, item, "jobs", account->jobs);
        rf_build_integer(b, item, "finished", row->finished);
        rf_build_integer(b, item, "denied", account->denied);
        rf_build_integer(b, item, "preempted", account->preempted);
        rf_build_wide_seconds(b, item, "device_s", account->held_us);
        rf_build_number(b, item, "share", share_of(account->held_us, s->capacity_us));
        rf_build_number(b, item, "share_of_used", share_of(account->held_us, s->used_us));
        rf_build_wide_seconds(b, item, "useful_device_s", row->useful_us);
        rf_build_wide_seconds(b, item, "lost_device_s", row->lost_us);
        rf_build_wide_seconds(b, item, "unfinished_device_s", row->unfinished_us);
        rf_build_number(b, item, "wait_mean_s", row->wait_mean_us / 1e6);
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *denials(struct rf_build *b, const struct rf_sim_results *r)
{
    const struct rf_state *state = r->result->state;
    json_t *array = json_array();

    for (int32_t i = 0; i < r->summary->ndenials; i++) {
        const struct rf_sim_denial *denial = &r->summary->denials[i];
        json_t *item = json_object();

        rf_build_text(b, item, "account", state->accounts[denial->account].name);
        rf_build_text(b, item, "reason", state->reasons[denial->reason]);
        rf_build_integer(b, item, "requests", denial->count);
        rf_build_number(b, item, "asked_device_s", denial->asked_us / 1e6);
        rf_build_append(b, array, item);
    }
    return array;
}

static json_t *delays(struct rf_build *b, const struct rf_series_table *table)
{
    json_t *array = json_array();

    for (int i = 0; table != NULL && i < table->ndelays; i++) {
        json_t *item = json_object();

        rf_build_text(b, item, "reason", table->delays[i].reason);
        rf_build_integer(b, item, "times", table->delays[i].count);
        rf_build_append(b, array, item);
    }
    return array;
}

/* Bin k is from edges_s[k] to edges_s[k + 1]; the last one is open. */
static json_t *wait_histogram(struct rf_build *b, const struct rf_sim_summary *s)
{
    json_t *object = json_object(), *edges = json_array(), *groups = json_array();

    for (int k = 0; k < RF_WAIT_BINS; k++)
        rf_build_append(b, edges, json_real((double)rf_wait_bin_begin_us(k) / 1e6));
    for (int g = 0; g < s->groups.n; g++) {
        json_t *item = json_object(), *counts = json_array();

        for (int k = 0; k < RF_WAIT_BINS; k++)
            rf_build_append(b, counts, json_integer(s->wait_bins[g][k]));
        rf_build_text(b, item, "name", s->groups.names[g]);
        rf_build_set(b, item, "jobs", counts);
        rf_build_append(b, groups, item);
    }
    rf_build_set(b, object, "edges_s", edges);
    rf_build_set(b, object, "groups", groups);
    return object;
}

/* ---- definitions ---- */

static json_t *definitions(struct rf_build *b, const struct rf_sim_results *r)
{
    json_t *array = json_array();
    int n = r->definitions != NULL ? rf_definitions_npromises(r->definitions) : 0;
    int64_t start_us = r->result->state->start_us;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < RF_DEFINITION_N; k++)
            rf_build_append(b, array,
                            rf_finding_object(b, rf_definitions_promise(r->definitions, i),
                                              (enum rf_definition)k, NULL,
                                              r->definition_options, start_us));
    return array;
}

static void append_sample(struct rf_build *b, json_t *array,
                          const struct rf_definition_sample *sample, int64_t start_us)
{
    json_t *row = json_array();

    rf_build_append(b, row, json_real((double)(sample->t_us - start_us) / 1e6));
    rf_build_append(b, row, json_real(rf_wide_double(sample->promised_us) / 1e6));
    rf_build_append(b, row, json_real(rf_wide_double(sample->stock_us) / 1e6));
    rf_build_append(b, row, json_real(rf_wide_double(sample->stock_plus_us) / 1e6));
    rf_build_append(b, row, json_real(rf_wide_double(sample->delivered_us) / 1e6));
    rf_build_append(b, array, row);
}

/* The lines that the delivered device-time is compared with: promised so far, and the pace of
 * a stock that is drawn down. */
static json_t *paces(struct rf_build *b, const struct rf_sim_results *r)
{
    json_t *array = json_array();
    int n = r->definitions != NULL ? rf_definitions_npromises(r->definitions) : 0;

    for (int i = 0; i < n; i++) {
        const struct rf_promise *promise = rf_definitions_promise(r->definitions, i);
        int every = promise->nsamples / MOST_SAMPLES + 1;
        json_t *item = json_object(), *samples = json_array();

        for (int k = 0; k < promise->nsamples; k++)
            if (k % every == 0 || k == promise->nsamples - 1)
                append_sample(b, samples, &promise->samples[k], r->result->state->start_us);
        rf_build_text(b, item, "account", promise->pledge.account_name);
        rf_build_set(b, item, "changed", json_boolean(promise->changed));
        rf_build_text(b, item, "columns",
                      "t_s promised stock stock_plus delivered (cumulative, device-s)");
        rf_build_set(b, item, "samples", samples);
        rf_build_append(b, array, item);
    }
    return array;
}

/* ---- books ---- */

static json_t *page_object(struct rf_build *b, const struct rf_book *page)
{
    json_t *item = json_object();

    rf_build_text(b, item, "account", page->name);
    rf_build_wide_seconds(b, item, "reserved_device_s", page->reserved_us);
    rf_build_wide_seconds(b, item, "own_device_s", page->own_us);
    rf_build_wide_seconds(b, item, "lent_device_s", page->lent_us);
    rf_build_wide_seconds(b, item, "overhead_device_s", page->overhead_us);
    rf_build_wide_seconds(b, item, "idle_device_s", page->idle_us);
    rf_build_wide_seconds(b, item, "down_device_s", page->down_us);
    return item;
}

static json_t *books(struct rf_build *b, const struct rf_sim_results *r)
{
    struct rf_books_totals t;
    json_t *object = json_object(), *pages = json_array();

    rf_books_totals(r->books, r->result->state->now_us, &t);
    rf_build_wide_seconds(b, object, "installed_device_s", t.installed_us);
    rf_build_wide_seconds(b, object, "own_device_s", t.own_us);
    rf_build_wide_seconds(b, object, "lent_device_s", t.lent_us);
    rf_build_wide_seconds(b, object, "overhead_device_s", t.overhead_us);
    rf_build_wide_seconds(b, object, "idle_reserved_device_s", t.idle_reserved_us);
    rf_build_wide_seconds(b, object, "idle_free_device_s", t.idle_free_us);
    rf_build_wide_seconds(b, object, "down_device_s", t.down_us);
    rf_build_wide_seconds(b, object, "failed_device_s", t.failed_us);
    rf_build_wide_seconds(b, object, "maintenance_device_s", t.maintenance_us);
    for (int i = 0; i < rf_books_npages(r->books); i++) {
        struct rf_book page;

        rf_books_page(r->books, i, r->result->state->now_us, &page);
        rf_build_append(b, pages, page_object(b, &page));
    }
    rf_build_set(b, object, "pages", pages);
    return object;
}

/* ---- what changed ---- */

static json_t *change_object(struct rf_build *b, const struct rf_world *world,
                             const struct rf_change *change, int64_t start_us)
{
    json_t *item = json_object();
    char share[48];

    rf_build_seconds(b, item, "t_s", change->t_us - start_us);
    if (change->kind == RF_CHANGE_PLEDGE) {
        const struct rf_pledge_spec *pledge = &world->pledges[change->index];

        rf_share_format(&pledge->share, share, sizeof share);
        rf_build_text(b, item, "kind", "pledge");
        rf_build_text(b, item, "account", pledge->account);
        rf_build_text(b, item, "share_exact", share);
        rf_build_text(b, item, "basis", pledge->basis);
        rf_build_text(b, item, "author", pledge->author);
        rf_build_text(b, item, "reason", pledge->reason);
    } else {
        const struct rf_world_policy *policy = &world->policies[change->index];

        rf_build_text(b, item, "kind", "policy");
        rf_build_text(b, item, "order", policy->order);
        rf_build_text(b, item, "fence", policy->fence);
        rf_build_text(b, item, "author", policy->author);
        rf_build_text(b, item, "reason", policy->reason);
    }
    return item;
}

/* Promises made, and changes of promises and of the policy, with who and why. */
static json_t *changes(struct rf_build *b, const struct rf_sim_results *r)
{
    const struct rf_world *world = r->options->world;
    json_t *array = json_array();

    for (int64_t i = 0; world != NULL && i < world->nchanges; i++)
        if ((world->changes[i].kind == RF_CHANGE_PLEDGE ||
             world->changes[i].kind == RF_CHANGE_POLICY) &&
            world->changes[i].t_us <= r->result->state->now_us)
            rf_build_append(
                b, array,
                change_object(b, world, &world->changes[i], r->result->state->start_us));
    return array;
}

/* ---- the document ---- */

static json_t *policy_object(struct rf_build *b, const struct rf_policy_options *policy)
{
    json_t *item = json_object();

    rf_build_text(b, item, "order", policy->order);
    rf_build_text(b, item, "fence", policy->fence);
    return item;
}

static void set_identity(struct rf_build *b, json_t *root, const struct rf_sim_results *r)
{
    rf_build_text(b, root, "command", "simulate");
    rf_build_text(b, root, "version", r->version);
    rf_build_text(b, root, "run", r->name);
    rf_build_text(b, root, "about", r->about);
    rf_build_integer(b, root, "seed", r->options->seed);
    rf_build_number(b, root, "wall_s", r->wall_s);
    rf_build_set(b, root, "policy", policy_object(b, &r->options->policy));
    rf_build_text(b, root, "trace", r->workload->source);
    rf_build_integer(b, root, "origin_us", r->workload->origin_us);
    rf_build_integer(b, root, "devices", r->options->devices);
}

static void set_figures(struct rf_build *b, json_t *root, const struct rf_sim_results *r)
{
    const struct rf_sim_summary *s = r->summary;
    char hex[RF_DIGEST_HEX];

    rf_digest_to_hex(&s->schedule, hex);
    rf_build_integer(b, root, "jobs", s->all.jobs);
    rf_build_integer(b, root, "finished", s->all.finished);
    rf_build_integer(b, root, "denied", s->all.denied);
    rf_build_integer(b, root, "preemptions", s->preemptions);
    rf_build_integer(b, root, "events", r->result->events);
    rf_build_seconds(b, root, "makespan_s", s->makespan_us);
    rf_build_number(b, root, "utilization", s->utilization);
    rf_build_wide_seconds(b, root, "capacity_device_s", s->capacity_us);
    rf_build_wide_seconds(b, root, "used_device_s", s->used_us);
    rf_build_wide_seconds(b, root, "lost_device_s", r->result->lost_us);
    rf_build_wide_seconds(b, root, "overhead_device_s", r->result->overhead_us);
    rf_build_number(b, root, "jobs_per_s",
                    r->result->wall_s > 0 ? (double)s->all.jobs / r->result->wall_s
                                          : (double)NAN);
    rf_build_text(b, root, "schedule_digest", hex);
    rf_build_set(b, root, "wait_s", wait_object(b, &s->all.wait));
    rf_build_set(b, root, "bounded_slowdown", slowdown_object(b, &s->all.slowdown));
    rf_build_set(b, root, "pledged", part_object(b, &s->pledged));
    rf_build_set(b, root, "others", part_object(b, &s->others));
}

static enum rf_status set_judgement(struct rf_build *b, json_t *root,
                                    const struct rf_sim_results *r, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (r->result->tally != NULL)
        st = rf_results_add_pledges(root, r->result->state, r->result->tally, err);
    else
        rf_build_set(b, root, "pledges", json_array());
    rf_build_set(b, root, "accounts", accounts(b, r));
    rf_build_set(b, root, "changes", changes(b, r));
    rf_build_set(b, root, "definitions", definitions(b, r));
    rf_build_set(b, root, "paces", paces(b, r));
    rf_build_set(b, root, "books", r->books != NULL ? books(b, r) : json_null());
    rf_build_set(b, root, "denials", denials(b, r));
    rf_build_set(b, root, "delays", delays(b, r->series));
    rf_build_set(b, root, "wait_histogram", wait_histogram(b, r->summary));
    return st;
}

static void set_ledger(struct rf_build *b, json_t *root, const struct rf_ledger_result *ledger)
{
    json_t *item;

    if (ledger->path == NULL)
        return;
    item = json_object();
    rf_build_text(b, item, "path", ledger->path);
    rf_build_integer(b, item, "entries", ledger->entries);
    rf_build_text(b, item, "head", ledger->head);
    rf_build_set(b, item, "sealed", json_boolean(ledger->sealed));
    rf_build_set(b, root, "ledger", item);
}

enum rf_status rf_sim_results_json(const struct rf_sim_results *results, char **text,
                                   struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = json_object();
    enum rf_status st;

    *text = NULL;
    set_identity(&build, root, results);
    set_figures(&build, root, results);
    st = set_judgement(&build, root, results, err);
    set_ledger(&build, root, &results->ledger);
    if (results->replay != NULL)
        rf_build_set(&build, root, "replay", rf_sim_replay_object(&build, results->replay));
    if (st == RF_OK)
        st = rf_build_dump(&build, root, text, err);
    json_decref(root);
    return st;
}

enum rf_status rf_sim_results_write(const struct rf_sim_results *results, const char *run_dir,
                                    struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_file_join(path, run_dir, "series.csv", err);

    if (st == RF_OK && results->series != NULL)
        st = rf_sim_series_csv(results->series, path, err);
    if (st == RF_OK)
        st = rf_file_join(path, run_dir, "results.json", err);
    if (st == RF_OK)
        st = rf_sim_results_json(results, &text, err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}
