/* import: Slurm's accounting becomes a ledger, which audit judges as any other. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/sacct_import.h"
#include "audit/sacct_match.h"
#include "base/value.h"
#include "cli/launch.h"
#include "cli/promised.h"
#include "cli/slurm_verbs.h"
#include "config/config.h"

#define TABLE_MAX_BYTES ((size_t)4 << 30)

/* A ledger is written under another name until it is whole. */
static const char *const PARTS[] = {".seals", ".pub", ""}; /* the ledger itself last */

struct work {
    const struct rf_slurm_call *call;
    struct rf_scenario scenario;
    struct rf_event *promises; /* owned */
    int npromises;
    struct rf_key *key;
    struct rf_journal journal;
    struct rf_sacct_imported result;
    char part[RF_PATH_BYTES];
};

static void remove_part(const struct work *w)
{
    char path[RF_PATH_BYTES + 16];

    for (size_t i = 0; w->part[0] != '\0' && i < sizeof PARTS / sizeof *PARTS; i++) {
        snprintf(path, sizeof path, "%s%s", w->part, PARTS[i]);
        unlink(path);
    }
}

static enum rf_status publish(const struct work *w, struct rf_error *err)
{
    char from[RF_PATH_BYTES + 16], to[RF_PATH_BYTES + 16];

    unlink(w->call->out); /* --force: no old ledger beside new seals */
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        snprintf(from, sizeof from, "%s%s", w->part, PARTS[i]);
        snprintf(to, sizeof to, "%s%s", w->call->out, PARTS[i]);
        if (rename(from, to) != 0)
            return rf_fail(err, RF_ERR_IO, "cannot write '%s'", to);
    }
    return RF_OK;
}

/* The pledges of --policy and their changes, as events that count from the beginning. */
static enum rf_status take_promises(struct work *w, struct rf_error *err)
{
    struct rf_run_spec spec = {0};
    enum rf_status st;

    w->scenario = rf_scenario_make();
    if (w->call->policy == NULL)
        return RF_OK;
    st = rf_config_read_promises(&w->scenario, w->call->policy, w->call->set.items,
                                 w->call->set.n, err);
    if (st != RF_OK)
        return st;
    spec.pledges = w->scenario.pledges; /* borrowed */
    spec.npledges = w->scenario.npledges;
    spec.changes = w->scenario.changes;
    spec.nchanges = w->scenario.nchanges;
    memcpy(spec.order, w->scenario.order, sizeof spec.order);
    memcpy(spec.fence, w->scenario.fence, sizeof spec.fence);
    return rf_promised_events(&spec, &w->promises, &w->npromises, err);
}

static enum rf_status take_time(const char *option, const char *text, int64_t *us,
                                struct rf_error *err)
{
    if (text != NULL && !rf_value_instant((struct rf_view){text, strlen(text)}, us))
        return rf_fail(err, RF_ERR_ARG,
                       "%s: expected a date such as 2026-07-01T00:00:00, got '%.40s'", option,
                       text);
    return RF_OK;
}

static enum rf_status take_options(const struct rf_slurm_call *call, struct rf_sacct_import *o,
                                   struct rf_error *err)
{
    enum rf_status st = RF_OK;

    o->unit = call->unit != NULL ? rf_match_unit_of(call->unit) : -1;
    if (call->out == NULL)
        st = rf_fail(err, RF_ERR_ARG, "'import' needs --out: the ledger to write");
    else if (strlen(call->out) > RF_PATH_BYTES - 32)
        st = rf_fail(err, RF_ERR_ARG, "the path of --out is too long");
    else if (rf_file_exists(call->out) && !call->force)
        st = rf_fail(err, RF_ERR_ARG, "'%s' is there already; --force replaces it", call->out);
    else if (call->devices < 1)
        st = rf_fail(err, RF_ERR_ARG, "'import' needs --devices: how many there were");
    else if (o->unit < -1)
        st = rf_fail(err, RF_ERR_ARG, "--unit is auto, gpus, cpus or nodes, not '%.40s'",
                     call->unit);
    if (st == RF_OK)
        st = take_time("--since", call->since, &o->begin_us, err);
    if (st == RF_OK)
        st = take_time("--until", call->until, &o->end_us, err);
    return st;
}

static enum rf_status write_ledger(struct work *w, const struct rf_sacct_import *options,
                                   const char *text, size_t size, struct rf_error *err)
{
    enum rf_status st;

    snprintf(w->part, sizeof w->part, "%s.part", w->call->out);
    remove_part(w); /* of an import that was killed */
    st = rf_journal_start(&w->journal, err);
    if (st == RF_OK)
        st = rf_journal_create(&w->journal, w->part, NULL, w->key, err);
    if (st == RF_OK)
        st = rf_sacct_import_text(&w->result, &w->journal, text, size, w->call->args[0],
                                  options, err);
    if (st == RF_OK)
        st = rf_journal_seal(&w->journal, err);
    if (st == RF_OK)
        st = publish(w, err);
    if (st != RF_OK)
        remove_part(w);
    return st;
}

/* Of the devices, and of what no table of Slurm's says. */
static void tell_rest(const struct rf_slurm_call *call, const struct rf_sacct_imported *r)
{
    if (call->events == NULL)
        printf("  nodes: not said, so all count as up (--events)\n");
    else
        printf("  nodes: down %" PRId64 " times, %.0f device-s\n", r->outages,
               rf_wide_double(r->down_us) / 1e6);
    if (r->drained > 0)
        printf("  drained: %" PRId64
               " times, up to %.0f device-s, which count as up: jobs that "
               "ran went on\n",
               r->drained, rf_wide_double(r->drained_us) / 1e6);
    if (r->clashes > 0)
        printf("  the tables disagree: %" PRId64 " runs began on devices that were said to be "
               "down; the runs were believed\n",
               r->clashes);
    printf("  not known: requests that Slurm refused at once (it keeps no record of them), and "
           "what jobs did with their %s\n",
           r->unit);
}

static void tell(struct rf_slurm_call *call, const struct rf_sacct_imported *r, int64_t entries)
{
    struct rf_build *b = &call->build;
    json_t *unknown;

    if (!call->json) {
        printf("%s: %" PRId64 " jobs in %" PRId64 " runs, %" PRId64 " lines, sealed\n",
               call->out, r->jobs, r->runs, entries);
        printf("  %s: at most %d in use of %" PRId64 "\n", r->unit, r->peak, call->devices);
        printf("  left out: %" PRId64 " jobs without %s, %" PRId64
               " outside the time covered\n",
               r->without_devices, r->unit, r->outside);
        printf("  not over at the end: %" PRId64 " jobs\n", r->unfinished);
        tell_rest(call, r);
        return;
    }
    unknown = json_array();
    rf_build_text(b, call->doc, "ledger", call->out);
    rf_build_text(b, call->doc, "unit", r->unit);
    rf_build_integer(b, call->doc, "entries", entries);
    rf_build_integer(b, call->doc, "rows", r->rows);
    rf_build_integer(b, call->doc, "jobs", r->jobs);
    rf_build_integer(b, call->doc, "runs", r->runs);
    rf_build_integer(b, call->doc, "without_devices", r->without_devices);
    rf_build_integer(b, call->doc, "outside", r->outside);
    rf_build_integer(b, call->doc, "unfinished", r->unfinished);
    rf_build_integer(b, call->doc, "outages", r->outages);
    rf_build_wide_seconds(b, call->doc, "down_device_s", r->down_us);
    rf_build_integer(b, call->doc, "drained", r->drained);
    rf_build_wide_seconds(b, call->doc, "drained_device_s", r->drained_us);
    rf_build_integer(b, call->doc, "clashes", r->clashes);
    if (call->events == NULL)
        rf_build_append(b, unknown, json_string("nodes that were down"));
    rf_build_append(b, unknown, json_string("requests that Slurm refused"));
    rf_build_append(b, unknown, json_string("what jobs did with their devices"));
    rf_build_set(b, call->doc, "not_known", unknown);
    rf_build_integer(b, call->doc, "devices", call->devices);
    rf_build_integer(b, call->doc, "devices_in_use_most", r->peak);
    rf_build_seconds(b, call->doc, "begin_s", r->begin_us);
    rf_build_seconds(b, call->doc, "end_s", r->end_us);
}

enum rf_status rf_slurm_cmd_import(struct rf_slurm_call *call, struct rf_error *err)
{
    struct work *w = calloc(1, sizeof *w);
    struct rf_sacct_import options = {.name = call->name != NULL ? call->name : "slurm",
                                      .version = RF_VERSION,
                                      .config = "",
                                      .devices = (int32_t)call->devices};
    char policy[48], *text = NULL, *events = NULL;
    size_t size = 0;
    enum rf_status st;

    if (w == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for an import");
    w->call = call;
    st = take_options(call, &options, err);
    if (st == RF_OK)
        st = take_promises(w, err);
    if (st == RF_OK)
        st = rf_file_read(call->args[0], TABLE_MAX_BYTES, &text, &size, err);
    if (st == RF_OK && call->events != NULL)
        st = rf_file_read(call->events, TABLE_MAX_BYTES, &events, &options.events_bytes, err);
    options.events = events;
    options.events_file = call->events;
    if (st == RF_OK)
        st = rf_launch_key(&w->key, call->key != NULL ? call->key : "", err);
    snprintf(policy, sizeof policy, "%s+%s", w->scenario.order, w->scenario.fence);
    options.policy = call->policy != NULL ? policy : "";
    options.grace_us = call->policy != NULL ? w->scenario.grace_us : 0;
    options.promises = w->promises;
    options.npromises = w->npromises;
    if (st == RF_OK)
        st = write_ledger(w, &options, text, size, err);
    if (st == RF_OK)
        tell(call, &w->result, rf_ledger_entries(w->journal.ledger));
    rf_journal_clear(&w->journal);
    rf_key_free(w->key);
    rf_scenario_clear(&w->scenario);
    free(w->promises);
    free(text);
    free(events);
    free(w);
    return st;
}
