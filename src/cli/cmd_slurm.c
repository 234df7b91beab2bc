/* ringfence slurm: a command of three verbs; each has its function, and this file says which
 * options it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/slurm_verbs.h"

static const struct verb {
    const char *name, *help;
    enum rf_status (*run)(struct rf_slurm_call *call, struct rf_error *err);
    const char *takes;   /* for the refusal */
    const char *options; /* those it knows besides --json, --set and --devices, in blanks */
} verbs[] = {
    {"plan",
     "CONFIG: prints, as a script, what is between Slurm as it is and the promises of the "
     "configuration, with the reason for each line; and what Slurm cannot express",
     rf_slurm_cmd_plan, "a configuration",
     " --partition --device --nodes --others --new --check "},
    {"apply", "CONFIG: runs these commands and looks whether they took", rf_slurm_cmd_apply,
     "a configuration", " --partition --device --nodes --others "},
    {"import",
     "TABLE: makes a ledger of what sacct -P printed, sealed with your key, for 'ringfence "
     "audit'",
     rf_slurm_cmd_import, "what sacct -P printed",
     " --policy --key --out --name --unit --since --until --events --force "},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

static enum rf_status check_options(const struct verb *verb, const struct rf_slurm_call *call,
                                    struct rf_error *err)
{
    const struct {
        const char *name;
        int given;
    } options[] = {{" --partition ", call->partition != NULL},
                   {" --device ", call->device != NULL},
                   {" --nodes ", call->nodes > 0},
                   {" --others ", call->others != NULL},
                   {" --new ", call->fresh},
                   {" --check ", call->check},
                   {" --policy ", call->policy != NULL},
                   {" --key ", call->key != NULL},
                   {" --out ", call->out != NULL},
                   {" --name ", call->name != NULL},
                   {" --unit ", call->unit != NULL},
                   {" --since ", call->since != NULL},
                   {" --until ", call->until != NULL},
                   {" --events ", call->events != NULL},
                   {" --force ", call->force}};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].given && strstr(verb->options, options[i].name) == NULL)
            return rf_fail(err, RF_ERR_ARG,
                           "'%s' does not take%.*s; see 'ringfence slurm --help'", verb->name,
                           (int)strlen(options[i].name) - 1, options[i].name);
    return RF_OK;
}

/* The document, with what everybody says. */
static enum rf_status print(struct rf_slurm_call *call, const char *action, const char *problem,
                            int64_t start_us, struct rf_error *err)
{
    struct rf_build *b = &call->build;
    char *text = NULL;
    enum rf_status st;

    rf_build_text(b, call->doc, "command", "slurm");
    rf_build_text(b, call->doc, "action", action);
    rf_build_text(b, call->doc, "version", RF_VERSION);
    rf_build_set(b, call->doc, "seed", json_null()); /* no random number is drawn */
    rf_build_number(b, call->doc, "wall_s", (double)(rf_time_us() - start_us) / 1e6);
    rf_build_text(b, call->doc, "problem", problem);
    st = rf_build_dump(b, call->doc, &text, err);
    if (st == RF_OK && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    free(text);
    return st;
}

static enum rf_status run_verb(struct rf_slurm_call *call, const char *name,
                               struct rf_error *err)
{
    int64_t start_us = rf_time_us();
    const struct verb *verb = verbs;
    struct rf_error answer = {RF_OK, ""};
    enum rf_status st;

    while (verb < verbs + NVERBS && strcmp(verb->name, name) != 0)
        verb++;
    if (verb == verbs + NVERBS)
        return rf_fail(err, RF_ERR_ARG,
                       "'slurm' has no verb '%s'; see 'ringfence slurm --help'", name);
    if (call->nargs != 1)
        return rf_fail(err, RF_ERR_ARG, "'%s' takes %s; see 'ringfence slurm --help'", name,
                       verb->takes);
    st = check_options(verb, call, err);
    if (st != RF_OK)
        return st;
    call->doc = json_object();
    st = verb->run(call, &answer);
    if (call->json && (st == RF_OK || st == RF_NO)) {
        enum rf_status printed =
            print(call, name, st == RF_OK ? "" : answer.text, start_us, err);

        answer.text[0] = '\0'; /* it has been said */
        st = printed == RF_OK ? st : printed;
    }
    json_decref(call->doc);
    return st == RF_OK || answer.text[0] == '\0' ? st : rf_fail(err, st, "%s", answer.text);
}

static const char MORE[] =
    "To take over a promise, and to see whether it was kept:\n"
    "  ringfence slurm plan policy.cfg\n"
    "  ringfence slurm apply policy.cfg\n"
    "  TZ=UTC sacct -aDXP -S 2026-07-01 -E now -o "
    "JobID,JobName,Account,State,Submit,Eligible,\\\n"
    "    Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,ReqTRES > table\n"
    "  TZ=UTC sacctmgr -P show event start=2026-07-01 \\\n"
    "    format=NodeName,TimeStart,TimeEnd,State,TRES > events\n"
    "  ringfence slurm import table --events events --policy policy.cfg --devices 16 \\\n"
    "    --out july.jsonl\n"
    "  ringfence audit july.jsonl\n\n"
    "Slurm is only asked and told by its own commands (sacctmgr, scontrol), which have to be\n"
    "in the PATH. Exit code: 0 done; 1 with --check: there is something to change, or, of\n"
    "apply: it did not take, or slurm.conf has to be changed by hand; 2 bad arguments or\n"
    "files, or no Slurm here; 3 one of its commands failed.\n";

static enum rf_status slurm(const struct rf_group *world, int argc, char **argv,
                            struct rf_error *err)
{
    struct rf_slurm_call call = {.json = 0};
    struct rf_arguments args;
    struct rf_topic topics[NVERBS + 1] = {{0}};
    const struct rf_option table[] = {
        {.letter = 's',
         .name = "set",
         .value = "KEY=VALUE",
         .list = &call.set,
         .help = "override a key of the configuration; any number of times"},
        {.name = "devices",
         .value = "N",
         .integer = &call.devices,
         .min = 1,
         .max = 10000000,
         .help = "how many devices there are (plan, apply: those of the partition)"},
        {.name = "partition",
         .value = "NAME",
         .text = &call.partition,
         .help = "which part of the cluster the promises are about (default: main)"},
        {.name = "device",
         .value = "TRES",
         .text = &call.device,
         .help = "what a device is: gres/gpu, cpu or node (default: gres/gpu if there are any, "
                 "else cpu)"},
        {.name = "nodes",
         .value = "N",
         .integer = &call.nodes,
         .min = 1,
         .max = 10000000,
         .help = "how many nodes the partition has (default: asked)"},
        {.name = "others",
         .value = "ACCOUNT",
         .text = &call.others,
         .help = "the account of everybody who is promised nothing (default: capability)"},
        {.name = "new",
         .flag = &call.fresh,
         .help = "plan: for a cluster that has nothing of it yet; asks no Slurm, and needs "
                 "--devices"},
        {.name = "check",
         .flag = &call.check,
         .help = "plan: exit code 1 when there is something to change"},
        {.name = "policy",
         .value = "CONFIG",
         .text = &call.policy,
         .help = "import: pledges, policy and changes, which count from --since"},
        {.name = "unit",
         .value = "UNIT",
         .text = &call.unit,
         .help = "import: what a device is: gpus, cpus, nodes, or auto (default)"},
        {.name = "since",
         .value = "DATE",
         .text = &call.since,
         .help = "import: the time that the ledger covers (default: from the first submission"},
        {.name = "until",
         .value = "DATE",
         .text = &call.until,
         .help = "... to the last moment in the table)"},
        {.name = "events",
         .value = "FILE",
         .text = &call.events,
         .help = "import: when nodes were down: what 'sacctmgr -P show event start=... end=... "
                 "format=NodeName,TimeStart,TimeEnd,State,TRES' printed"},
        {.letter = 'o',
         .name = "out",
         .value = "FILE",
         .text = &call.out,
         .help = "import: the ledger to write"},
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &call.key,
         .help = "import: the secret key that seals it (default: your own)"},
        {.name = "name",
         .value = "NAME",
         .text = &call.name,
         .help = "import: what the ledger calls the run (default: slurm)"},
        {.letter = 'f',
         .name = "force",
         .flag = &call.force,
         .help = "import: replace a ledger that is there"},
        {.name = "json", .flag = &call.json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "slurm VERB ARGUMENT...",
        .about =
            "A promise as Slurm's own accounts, QOS, limits, reservations and billing, as far "
            "as Slurm has words for it; and Slurm's accounting as evidence.",
        .more = MORE,
        .heading = "Verbs",
        .topics = topics,
        .options = table,
        .min = 1,
        .max = -1};
    enum rf_status st;

    (void)world;
    for (int i = 0; i < NVERBS; i++)
        topics[i] = (struct rf_topic){verbs[i].name, verbs[i].help};
    st = rf_options_parse(&line, argc, argv, &args, err);
    if (st == RF_OK && !args.help) {
        call.args = args.text + 1;
        call.nargs = args.n - 1;
        st = run_verb(&call, args.text[0], err);
    }
    rf_text_list_clear(&call.set);
    return st;
}

const struct rf_command rf_command_slurm = {
    .name = "slurm",
    .summary = "a promise as objects of Slurm, and Slurm's accounting as evidence",
    .serial = 1,
    .run = slurm};
