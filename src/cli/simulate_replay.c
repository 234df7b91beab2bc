/* A recorded run again. What the ledger does not say (how deep reservations go, what stopping a job
 * is taken to cost) is in the configuration beside it, if that is the one that the ledger names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/promised.h"
#include "cli/simulate.h"
#include "config/config.h"
#include "sim/replay.h"

enum { KEY_BYTES = 4096 };

struct work {
    const struct rf_simulate_args *args;
    struct rf_scenario scenario; /* how it was decided */
    struct rf_scenario other;    /* --policy, --order, --fence */
    int otherwise;               /* one of them was given */
    int known;                   /* the configuration beside the ledger is its own */
    struct rf_replay_costs costs;
    char vkey[KEY_BYTES];
    struct rf_replay replay;
    struct rf_cell recorded; /* simulated under the recorded promises, before others */
    struct rf_steps steps;
    struct rf_sim_replay report;
    char *config; /* for the run directory */
};

/* ---- what the ledger does not say ---- */

static void copy_policy(struct rf_scenario *to, const struct rf_policy_options *from)
{
    to->reserve_depth = from->reserve_depth;
    to->replan = from->replan;
    to->resize = from->resize;
    to->half_life_us = from->half_life_us;
    to->checkpoint_us = from->checkpoint_us;
    to->checkpoint_every_us = from->checkpoint_every_us;
    to->restart_us = from->restart_us;
}

static struct rf_policy_options policy_of(const struct rf_scenario *s)
{
    struct rf_policy_options policy = rf_policy_options_make();

    policy.reserve_depth = s->reserve_depth;
    policy.replan = s->replan;
    policy.resize = s->resize;
    policy.half_life_us = s->half_life_us;
    policy.checkpoint_us = s->checkpoint_us;
    policy.checkpoint_every_us = s->checkpoint_every_us;
    policy.restart_us = s->restart_us;
    policy.seed = s->seed;
    return policy;
}

/* The scenario of a simulation, with the costs that it went by. */
static int take_scenario(struct work *w, const char *path)
{
    struct rf_scenario s;

    if (rf_config_read_scenario(&s, path, NULL, 0, NULL) != RF_OK)
        return 0;
    w->costs =
        (struct rf_replay_costs){1, s.checkpoint_us, s.checkpoint_every_us, s.restart_us};
    w->scenario.reserve_depth = s.reserve_depth;
    w->scenario.replan = s.replan;
    w->scenario.resize = s.resize;
    w->scenario.half_life_us = s.half_life_us;
    w->scenario.checkpoint_us = s.checkpoint_us;
    w->scenario.checkpoint_every_us = s.checkpoint_every_us;
    w->scenario.restart_us = s.restart_us;
    w->scenario.until_us = s.until_us;
    w->scenario.step_us = s.step_us;
    memcpy(w->scenario.tie, s.tie, sizeof w->scenario.tie);
    memcpy(w->scenario.slide_us, s.slide_us, sizeof w->scenario.slide_us);
    rf_scenario_clear(&s);
    return 1;
}

static int take_run(struct work *w, const char *path)
{
    struct rf_run_spec spec;
    struct rf_policy_options policy;
    int taken;

    if (rf_config_read(&spec, path, NULL, 0, NULL) != RF_OK)
        return 0;
    taken = rf_promised_policy(&spec, &policy, NULL) == RF_OK;
    if (taken)
        copy_policy(&w->scenario, &policy);
    rf_run_spec_clear(&spec);
    return taken;
}

static enum rf_status look_beside(struct work *w, struct rf_error *err)
{
    const char *ledger = w->args->replay, *slash = strrchr(ledger, '/');
    struct rf_policy_options usual = rf_policy_options_make();
    struct rf_event open;
    struct rf_digest digest;
    char path[RF_PATH_BYTES], hex[RF_DIGEST_HEX], *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_replay_peek(ledger, &open, err);

    copy_policy(&w->scenario, &usual);
    if (st != RF_OK)
        return st;
    snprintf(path, sizeof path, "%.*sconfig.cfg", slash != NULL ? (int)(slash - ledger + 1) : 0,
             ledger);
    if (open.digest[0] != '\0' && rf_file_exists(path) &&
        rf_file_read(path, RF_CONFIG_MAX_BYTES, &text, &size, NULL) == RF_OK) {
        digest = rf_digest_of(text, size);
        rf_digest_to_hex(&digest, hex);
        w->known =
            strcmp(hex, open.digest) == 0 && (take_run(w, path) || take_scenario(w, path));
    }
    free(text);
    rf_event_clear(&open);
    return RF_OK;
}

/* ---- the recorded run ---- */

static enum rf_status read_key(struct work *w, struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(w->args->vkey, KEY_BYTES - 1, &text, &size, err);

    if (st == RF_OK)
        snprintf(w->vkey, sizeof w->vkey, "%.*s", (int)strcspn(text, "\r\n"), text);
    free(text);
    return st;
}

static void name_scenario(struct rf_scenario *s, const struct rf_replay *r)
{
    snprintf(s->name, sizeof s->name, "%.50s", r->run);
    snprintf(s->about, sizeof s->about, "replay of a recorded run");
    s->seed = r->seed;
    s->origin_us = r->start_us;
    s->fleet.devices = r->devices;
}

static enum rf_status read_ledger(struct work *w, struct rf_error *err)
{
    struct rf_replay_options options = {.prefix = w->args->prefix, .costs = w->costs};
    struct rf_policy_options policy;
    enum rf_status st = RF_OK;

    if (w->args->vkey != NULL) {
        st = read_key(w, err);
        options.vkey = w->vkey;
    }
    policy = policy_of(&w->scenario);
    if (strcmp(w->scenario.tie, "batch") == 0)
        options.policy = &policy;
    if (st == RF_OK)
        st = rf_replay_read(&w->replay, w->args->replay, &options, err);
    if (st != RF_OK)
        return st;
    name_scenario(&w->scenario, &w->replay);
    memcpy(w->scenario.order, w->replay.order, sizeof w->scenario.order);
    memcpy(w->scenario.fence, w->replay.fence, sizeof w->scenario.fence);
    w->scenario.grace_us = w->replay.grace_us;
    if (w->replay.unfinished > 0)
        w->scenario.until_us = w->replay.length_us;
    w->scenario.resize |= w->replay.resized;
    return RF_OK;
}

/* ---- other promises ---- */

static enum rf_status set_word(char to[16], const char *word, const char *what,
                               struct rf_error *err)
{
    if (word == NULL)
        return RF_OK;
    if (strlen(word) > 15)
        return rf_fail(err, RF_ERR_ARG,
                       "--%s: there is no '%.60s'; see 'ringfence simulate --help'", what,
                       word);
    snprintf(to, 16, "%s", word);
    return RF_OK;
}

static enum rf_status check_words(const struct rf_scenario *s, struct rf_error *err)
{
    struct rf_policy_options policy = policy_of(s);

    memcpy(policy.order, s->order, sizeof policy.order);
    memcpy(policy.fence, s->fence, sizeof policy.fence);
    return rf_policy_options_check(&policy, err);
}

static enum rf_status read_others(struct work *w, struct rf_error *err)
{
    const struct rf_simulate_args *a = w->args;
    enum rf_status st = RF_OK;

    w->otherwise = a->policy != NULL || a->order != NULL || a->fence != NULL;
    if (!w->otherwise)
        return RF_OK;
    if (a->policy != NULL) {
        rf_scenario_clear(&w->other);
        st = rf_config_read_promises(&w->other, a->policy, a->set.items, a->set.n, err);
        if (st != RF_OK)
            w->other = rf_scenario_make();
    } else {
        w->other = w->scenario;
        st = set_word(w->other.order, a->order, "order", err);
        if (st == RF_OK)
            st = set_word(w->other.fence, a->fence, "fence", err);
        if (st == RF_OK)
            st = check_words(&w->other, err);
    }
    name_scenario(&w->other, &w->replay);
    w->other.until_us = w->scenario.until_us;
    w->other.resize |= w->scenario.resize;
    return st;
}

/* The recorded promises, which the others are compared with. */
static enum rf_status simulate_recorded(struct work *w, struct rf_error *err)
{
    struct rf_observer watcher = rf_steps_observer(&w->steps);
    struct rf_cell_options options = {
        .replay = &w->replay, .promised = 1, .watcher = &watcher, .version = RF_VERSION};
    enum rf_status st = rf_cell_run(&w->recorded, &w->scenario, &options, err);

    if (st == RF_OK)
        st = rf_fidelity_compare(&w->report.fidelity, &w->replay, &w->recorded.result,
                                 &w->steps, err);
    if (st == RF_OK)
        w->report.columns[w->report.ncolumns++] =
            rf_replay_column_of("replayed", &w->recorded.options, &w->recorded.result);
    return st;
}

/* ---- what is left of it ---- */

static enum rf_status describe(struct work *w, struct rf_error *err)
{
    char *promises = NULL;
    size_t size = 0, room;
    enum rf_status st = RF_OK;

    if (w->args->policy != NULL)
        st = rf_config_write_promises(&w->other, &promises, &size, err);
    if (st != RF_OK)
        return st;
    room = size + RF_PATH_BYTES + 300;
    w->config = malloc(room);
    if (w->config == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    else
        snprintf(w->config, room,
                 "# A replay of %s\n# (%lld lines, head %s), policy %s+%s,\n# %s\n%s",
                 w->args->replay, (long long)w->replay.used, w->replay.check.head,
                 w->otherwise ? w->other.order : w->scenario.order,
                 w->otherwise ? w->other.fence : w->scenario.fence,
                 promises != NULL ? "under these promises (ringfence simulate --replay LEDGER "
                                    "--policy THIS-FILE):"
                                  : "pledges and changes as recorded.",
                 promises != NULL ? promises : "");
    free(promises);
    return st;
}

/* A run directory that takes the place of the ledger's would take the ledger along. */
static enum rf_status check_out(const struct rf_simulate_args *a, struct rf_error *err)
{
    const char *slash = strrchr(a->replay, '/');
    char folder[RF_PATH_BYTES];
    struct stat from, to;

    if (a->out == NULL)
        return RF_OK;
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - a->replay + 1) : 1,
             slash != NULL ? a->replay : ".");
    if (stat(folder, &from) == 0 && stat(a->out, &to) == 0 && from.st_dev == to.st_dev &&
        from.st_ino == to.st_ino)
        return rf_fail(err, RF_ERR_ARG, "--out '%.300s' is where the ledger is", a->out);
    return RF_OK;
}

static enum rf_status conclude(struct work *w, struct rf_error *err)
{
    const struct rf_simulate_recorded recorded = {.replay = &w->replay,
                                                  .promised = w->args->policy == NULL,
                                                  .same = !w->otherwise,
                                                  .config = w->config,
                                                  .report = &w->report};

    return rf_simulate_one(w->args, w->otherwise ? &w->other : &w->scenario, &recorded, err);
}

enum rf_status rf_simulate_replay(const struct rf_simulate_args *args, struct rf_error *err)
{
    struct work *w = calloc(1, sizeof *w);
    enum rf_status st;

    if (w == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    w->args = args;
    w->scenario = rf_scenario_make();
    w->other = rf_scenario_make();
    w->report.path = args->replay;
    w->report.replay = &w->replay;
    st = check_out(args, err);
    if (st == RF_OK)
        st = look_beside(w, err);
    if (st == RF_OK)
        st = read_ledger(w, err);
    if (st == RF_OK)
        st = read_others(w, err);
    if (st == RF_OK)
        w->report.columns[w->report.ncolumns++] = rf_replay_column_recorded(&w->replay);
    if (st == RF_OK && w->otherwise)
        st = simulate_recorded(w, err);
    if (st == RF_OK)
        st = describe(w, err);
    if (st == RF_OK)
        st = conclude(w, err);
    free(w->config);
    rf_cell_clear(&w->recorded);
    rf_steps_clear(&w->steps);
    rf_replay_clear(&w->replay);
    rf_scenario_clear(&w->scenario);
    if (args->policy != NULL)
        rf_scenario_clear(&w->other);
    free(w);
    return st;
}
