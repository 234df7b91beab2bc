/* The command line of `simulate`: a configuration, or a trace and a few words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate.h"
#include "config/config.h"

#define SEE "; see 'ringfence simulate --help'"

static const char MORE[] =
    "Without a configuration a trace is replayed as it is, without pledges:\n"
    "  ringfence simulate --trace KTH-SP2.swf.gz --order easy --schedule out.csv\n\n"
    "Otherwise everything is said by the configuration (configs/README.md), and DIR gets\n"
    "results.json, series.csv, metrics.h5, report.html, config.cfg, with up to 20,000 jobs\n"
    "trace.json, and with --ledger ledger.jsonl:\n"
    "  ringfence simulate configs/pledge-2023.cfg --set policy.fence=stock\n\n"
    "A grid in the configuration, or several configurations, make an ensemble: a table over\n"
    "orders, fences, shares and seeds, shared out over ranks, with the same bytes on any\n"
    "number of them:\n"
    "  mpirun -n 4 ringfence simulate configs/share-sweep.cfg\n\n"
    "A ledger is replayed with the run times that were measured: by the policy that took the\n"
    "decisions, which shows how far simulations are from live runs, or by another one:\n"
    "  ringfence simulate --replay runs/quickstart/ledger.jsonl\n"
    "  ringfence simulate --replay runs/quickstart/ledger.jsonl --policy other.cfg\n\n"
    "Exit codes: 0 done, whatever the verdicts; with --check 1 when a pledge was broken or\n"
    "cannot be proved kept, or a ledger to replay does not verify; 2 wrong arguments,\n"
    "configuration or trace; 3 files or memory, or some cells of an ensemble failed.\n";

static const char ABOUT[] =
    "Simulates a machine: jobs of a trace or made up, an order and a fence, a fleet that "
    "grows and fails, and promises that are kept or not. The rules are those of a live run. "
    "The same configuration gives the same results, bit for bit.";

static enum rf_status parse(struct rf_simulate_args *a, struct rf_arguments *rest, int argc,
                            char **argv, struct rf_error *err)
{
    const struct rf_option table[] = {
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &a->set,
         .help = "override a key of the configuration, e.g. policy.fence=none; any number of "
                 "times"},
        {.letter = 'o',
         .name = "out",
         .value = "DIR",
         .text = &a->out,
         .help =
             "run directory; default: simulate.out/simulate.name of the configuration, none "
             "without one"},
        {.letter = 'f',
         .name = "force",
         .flag = &a->force,
         .help = "remove an earlier run of the same name first"},
        {.name = "resume",
         .flag = &a->resume,
         .help =
             "go on with an ensemble: cells that are in the run directory are not run again"},
        {.name = "json",
         .flag = &a->json,
         .help = "print results.json on stdout in place of the summary"},
        {.name = "check",
         .flag = &a->check,
         .help = "end with 1 unless every pledge was kept in every window"},
        {.name = "schedule",
         .value = "FILE",
         .text = &a->schedule,
         .help = "write id,submit,start,end,procs of every finished job; '-' is stdout"},
        {.name = "csv",
         .value = "FILE",
         .text = &a->csv,
         .help = "write account, wait, preemptions, state and reason of every job as well"},
        {.letter = 'l',
         .name = "ledger",
         .flag = &a->ledger,
         .help = "write every event to DIR/ledger.jsonl, sealed, for 'ringfence audit'"},
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &a->key,
         .help = "secret key that seals the ledger; default: the one that runs use"},
        {.letter = 't',
         .name = "trace",
         .value = "FILE",
         .text = &a->trace,
         .help = "replay this trace, without a configuration; .gz is fine"},
        {.letter = 'p',
         .name = "devices",
         .value = "P",
         .integer = &a->devices,
         .min = 1,
         .max = 1e7,
         .help = "with --trace: devices of the machine; default: what the trace's header says"},
        {.name = "order",
         .value = "NAME",
         .text = &a->order,
         .choices = "fcfs easy conservative sjf fairshare",
         .help = "with --trace: fcfs (default), easy, conservative, sjf or fairshare"},
        {.name = "fence",
         .value = "NAME",
         .text = &a->fence,
         .choices = "none partition floor bank stock request",
         .help = "with --trace: none (default), partition, floor, bank, stock or request"},
        {.name = "reserve-depth",
         .value = "K",
         .integer = &a->depth,
         .min = -1,
         .max = 1e6,
         .help = "with --trace: how many waiting jobs 'easy' must not delay, -1 for all; "
                 "default 1"},
        {.name = "replan",
         .flag = &a->replan,
         .help = "with --trace: 'conservative' plans anew when a job ends early (default)"},
        {.name = "compress",
         .flag = &a->compress,
         .help = "with --trace: 'conservative' only moves its plans forward then"},
        {.name = "tie",
         .value = "RULE",
         .text = &a->tie,
         .choices = "batch seq tf",
         .help = "with --trace: batch (default), seq or tf: what comes first at one moment"},
        {.name = "format",
         .value = "NAME",
         .text = &a->format,
         .choices = "auto swf csv sacct acme philly",
         .help = "with --trace: auto (default), swf, csv, sacct, acme or philly"},
        {.name = "unit",
         .value = "NAME",
         .text = &a->unit,
         .choices = "auto gpus cpus nodes",
         .help = "with --trace: a device is one of gpus, cpus or nodes, where the trace counts "
                 "several; default auto"},
        {.name = "strict",
         .flag = &a->strict,
         .help = "with --trace: refuse it at the first malformed line (default)"},
        {.name = "lenient",
         .flag = &a->lenient,
         .help = "with --trace: leave malformed lines out, and say how many"},
        {.name = "rule",
         .value = "RULE",
         .list = &a->rules,
         .help = "with --trace: who is charged, e.g. 'group=6,7:alignment' or "
                 "'name~^eval:alignment.%u'; the first that fits, any number of times"},
        {.name = "account",
         .value = "NAME",
         .text = &a->account,
         .help = "with --trace: ... and where none fits; default 'default'"},
        {.name = "replay",
         .value = "LEDGER",
         .text = &a->replay,
         .help = "a recorded run again: its requests, with the run times that were measured"},
        {.name = "policy",
         .value = "FILE",
         .text = &a->policy,
         .help =
             "with --replay: what would have happened under the policy, pledges and changes "
             "of this configuration; --order and --fence change only those"},
        {.name = "prefix",
         .value = "N",
         .integer = &a->prefix,
         .min = 1,
         .max = 9e15,
         .help = "with --replay: only the ledger's first N lines, if it does not verify beyond "
                 "them"},
        {.name = "public-key",
         .value = "FILE",
         .text = &a->vkey,
         .help = "with --replay: the key that its seals must be signed with"},
        {.name = "seed",
         .value = "N",
         .integer = &a->seed,
         .min = 0,
         .max = 9e15,
         .help = "with --trace: for what is left to chance; default 1"},
        {0}};
    const struct rf_command_line line = {.usage = "simulate CONFIG...\nsimulate --trace FILE\n"
                                                  "simulate --replay LEDGER",
                                         .about = ABOUT,
                                         .more = MORE,
                                         .options = table,
                                         .min = 0,
                                         .max = RF_SIMULATE_CONFIGS};

    return rf_options_parse(&line, argc, argv, rest, err);
}

/* Options that say what a configuration says better are not for both. */
static enum rf_status check_with_config(const struct rf_simulate_args *a, struct rf_error *err)
{
    const struct {
        const char *option, *key;
        int given;
    } both[] = {{"--trace", "workload.path", a->trace != NULL},
                {"--devices", "fleet.devices", a->devices != 0},
                {"--order", "policy.order", a->order != NULL},
                {"--fence", "policy.fence", a->fence != NULL},
                {"--reserve-depth", "policy.reserve_depth", a->depth != 1},
                {"--replan", "policy.replan", a->replan},
                {"--compress", "policy.replan", a->compress},
                {"--tie", "simulate.tie", a->tie != NULL},
                {"--format", "workload.source", a->format != NULL},
                {"--unit", "workload.unit", a->unit != NULL},
                {"--strict", "workload.lenient", a->strict},
                {"--lenient", "workload.lenient", a->lenient},
                {"--rule", "workload.rules", a->rules.n > 0},
                {"--account", "workload.default_account", a->account != NULL},
                {"--seed", "simulate.seed", a->seed != 1}};

    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
        if (both[i].given)
            return rf_fail(err, RF_ERR_ARG,
                           "%s is for simulations without a configuration; with one, use "
                           "--set %s=..." SEE,
                           both[i].option, both[i].key);
    return RF_OK;
}

/* A replay takes its jobs and its machine from the ledger. */
static enum rf_status check_replay(const struct rf_simulate_args *a, struct rf_error *err)
{
    const struct {
        const char *option;
        int given;
    } others[] = {{"a configuration", a->config != NULL},
                  {"--trace", a->trace != NULL},
                  {"--devices", a->devices != 0},
                  {"--reserve-depth", a->depth != 1},
                  {"--replan", a->replan},
                  {"--compress", a->compress},
                  {"--tie", a->tie != NULL},
                  {"--format", a->format != NULL},
                  {"--unit", a->unit != NULL},
                  {"--strict", a->strict},
                  {"--lenient", a->lenient},
                  {"--rule", a->rules.n > 0},
                  {"--account", a->account != NULL},
                  {"--seed", a->seed != 1},
                  {"--resume", a->resume}};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].given)
            return rf_fail(err, RF_ERR_ARG, "--replay does not go with %s" SEE,
                           others[i].option);
    if (a->policy != NULL && (a->order != NULL || a->fence != NULL))
        return rf_fail(
            err, RF_ERR_ARG,
            "with --policy, order and fence are changed by --set policy.order=..." SEE);
    if (a->policy == NULL && a->set.n > 0)
        return rf_fail(err, RF_ERR_ARG, "--set is for the configuration of --policy" SEE);
    return RF_OK;
}

static enum rf_status check(const struct rf_simulate_args *a, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int to_stdout = a->json + (a->schedule != NULL && strcmp(a->schedule, "-") == 0) +
                    (a->csv != NULL && strcmp(a->csv, "-") == 0);

    if (a->config == NULL && a->trace == NULL && a->replay == NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "a configuration, --trace FILE or --replay LEDGER is needed" SEE);
    if (a->replay == NULL && (a->policy != NULL || a->vkey != NULL || a->prefix != 0))
        return rf_fail(err, RF_ERR_ARG,
                       "--policy, --prefix and --public-key are for --replay" SEE);
    if (a->replay != NULL)
        st = check_replay(a, err);
    else if (a->config != NULL)
        st = check_with_config(a, err);
    else if (a->set.n > 0)
        st = rf_fail(err, RF_ERR_ARG, "--set is for configurations, and there is none" SEE);
    if (st == RF_OK && a->strict && a->lenient)
        st = rf_fail(err, RF_ERR_ARG, "--strict and --lenient exclude each other" SEE);
    if (st == RF_OK && a->replan && a->compress)
        st = rf_fail(err, RF_ERR_ARG, "--replan and --compress exclude each other" SEE);
    if (st == RF_OK && to_stdout > 1)
        st = rf_fail(err, RF_ERR_ARG,
                     "only one of --json, --schedule - and --csv - can have stdout" SEE);
    if (st == RF_OK && a->config == NULL && a->ledger && a->out == NULL)
        st = rf_fail(err, RF_ERR_ARG,
                     "--ledger needs a run directory: give --out DIR as well" SEE);
    if (st == RF_OK && a->key != NULL && !a->ledger)
        st = rf_fail(err, RF_ERR_ARG, "--key is for --ledger, which is not given" SEE);
    return st;
}

enum rf_status rf_simulate_args_read(struct rf_simulate_args *args, int *help, int argc,
                                     char **argv, struct rf_error *err)
{
    struct rf_arguments rest = {0};
    enum rf_status st;

    *args = (struct rf_simulate_args){.depth = 1, .seed = 1};
    st = parse(args, &rest, argc, argv, err);
    *help = st == RF_OK && rest.help;
    if (st != RF_OK || *help)
        return st;
    args->config = rest.n > 0 ? rest.text[0] : NULL;
    args->configs = rest.text;
    args->nconfigs = rest.n;
    return check(args, err);
}

void rf_simulate_args_clear(struct rf_simulate_args *args)
{
    rf_text_list_clear(&args->set);
    rf_text_list_clear(&args->rules);
}

/* ---- a scenario without a configuration */

/* Copies a word that must be one of those known, separated by spaces. */
static enum rf_status take_word(char *to, size_t size, const char *word, const char *option,
                                const char *known, struct rf_error *err)
{
    size_t n = word != NULL ? strlen(word) : 0;
    const char *at = known;

    if (word == NULL)
        return RF_OK;
    while (n > 0 && *at != '\0') {
        size_t length = strcspn(at, " ");

        if (length == n && memcmp(at, word, n) == 0) {
            snprintf(to, size, "%s", word);
            return RF_OK;
        }
        at += length;
        at += *at == ' ';
    }
    return rf_fail(err, RF_ERR_ARG, "--%s expects one of: %s, got '%.60s'" SEE, option, known,
                   word);
}

/* "KTH-SP2-1996-2_1-cln" for "traces/KTH-SP2-1996-2.1-cln.swf.gz": a name of a run. */
static void name_after(char name[RF_NAME_BYTES], const char *path)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *slash = strrchr(path, '/');
    size_t n;

    snprintf(name, RF_NAME_BYTES, "%.40s", slash != NULL ? slash + 1 : path);
    for (int i = 0; i < 2; i++) { /* .swf.gz */
        char *dot = strrchr(name, '.');

        if (dot != NULL && dot > name && strlen(dot) <= 4)
            *dot = '\0';
    }
    n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (strchr(letters, name[i]) == NULL || (i == 0 && name[i] == '-'))
            name[i] = '_';
}

static enum rf_status take_rules(struct rf_workload_spec *w, const struct rf_text_list *rules,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (rules->n == 0)
        return RF_OK;
    w->rules = calloc((size_t)rules->n, sizeof *w->rules);
    if (w->rules == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    for (int i = 0; st == RF_OK && i < rules->n; i++)
        st = rf_account_rule_parse(&w->rules[w->nrules++], rules->items[i], err);
    return st;
}

static enum rf_status take_path(char to[RF_PATH_BYTES], const char *path, struct rf_error *err)
{
    int n = snprintf(to, RF_PATH_BYTES, "%s", path);

    return n >= 0 && n < RF_PATH_BYTES
               ? RF_OK
               : rf_fail(err, RF_ERR_ARG, "the path of the trace is too long");
}

static enum rf_status from_options(struct rf_scenario *s, const struct rf_simulate_args *a,
                                   struct rf_error *err)
{
    struct rf_workload_spec *w = &s->workload;
    enum rf_status st = take_path(w->path, a->trace, err);

    snprintf(s->fence, sizeof s->fence, "none");
    name_after(s->name, a->trace);
    s->fleet.devices = (int32_t)a->devices;
    s->reserve_depth = (int)a->depth;
    s->replan = !a->compress;
    s->seed = a->seed;
    w->lenient = a->lenient;
    if (st == RF_OK)
        st = take_word(s->order, sizeof s->order, a->order, "order",
                       "fcfs easy conservative sjf fairshare", err);
    if (st == RF_OK)
        st = take_word(s->fence, sizeof s->fence, a->fence, "fence",
                       "none partition floor bank stock request", err);
    if (st == RF_OK)
        st = take_word(s->tie, sizeof s->tie, a->tie, "tie", "batch seq tf", err);
    if (st == RF_OK)
        st = take_word(w->source, sizeof w->source, a->format, "format",
                       "auto swf csv sacct acme philly", err);
    if (st == RF_OK)
        st = take_word(w->unit, sizeof w->unit, a->unit, "unit", "auto gpus cpus nodes", err);
    if (st == RF_OK && a->account != NULL && strlen(a->account) >= sizeof w->default_account)
        st = rf_fail(err, RF_ERR_ARG, "the account of --account is too long");
    if (st == RF_OK && a->account != NULL)
        snprintf(w->default_account, sizeof w->default_account, "%s", a->account);
    if (st == RF_OK)
        st = take_rules(w, &a->rules, err);
    return st;
}

enum rf_status rf_simulate_scenario(struct rf_scenario *scenario,
                                    const struct rf_simulate_args *args, struct rf_error *err)
{
    enum rf_status st;

    *scenario = rf_scenario_make();
    if (args->config != NULL)
        return rf_config_read_scenario(scenario, args->config, args->set.items, args->set.n,
                                       err);
    st = from_options(scenario, args, err);
    if (st != RF_OK)
        rf_scenario_clear(scenario);
    return st;
}
