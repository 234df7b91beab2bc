/* ringfence slurm: a command of three verbs; each has its function, and this file says which
 * options it takes. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/slurm_verbs.h"
#include "cli/verbs.h"

static const struct verb {
    struct rf_verb is;
    enum rf_status (*run)(struct rf_slurm_call *call, struct rf_error *err);
} verbs[] = {
    {{"plan",
      "CONFIG: prints, as a script, what is between Slurm as it is and the promises of the "
      "configuration, with the reason for each line; and what Slurm cannot express",
      1, 1, "a configuration", " --partition --device --nodes --others --new --check "},
     rf_slurm_cmd_plan},
    {{"apply", "CONFIG: runs these commands and looks whether they took", 1, 1,
      "a configuration", " --partition --device --nodes --others "},
     rf_slurm_cmd_apply},
    {{"import",
      "TABLE: makes a ledger of what sacct -P printed, sealed with your key, for 'ringfence "
      "audit'",
      1, 1, "what sacct -P printed",
      " --policy --key --out --name --unit --since --until --events --force "},
     rf_slurm_cmd_import},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

static enum rf_status run_verb(struct rf_slurm_call *call, const char *name,
                               struct rf_error *err)
{
    const struct rf_verb_option options[] = {{" --partition ", call->partition != NULL},
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
    int64_t start_us = rf_time_us();
    const void *row;
    enum rf_status st =
        rf_verb_find(&row, "slurm", verbs, NVERBS, sizeof verbs[0], name, call->nargs, options,
                     sizeof options / sizeof options[0], err);

    if (st != RF_OK)
        return st;
    call->doc = json_object();
    st = ((const struct verb *)row)->run(call, err);
    if (call->json && (st == RF_OK || st == RF_NO))
        st = rf_verb_print(&call->build, call->doc, "slurm", name, start_us, st, err);
    else
        json_decref(call->doc);
    return st;
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
        topics[i] = (struct rf_topic){verbs[i].is.name, verbs[i].is.help};
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
