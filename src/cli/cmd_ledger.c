/* ringfence ledger: a command of many verbs; each has its function, and this file says which
 * options and how many arguments it takes. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/ledger_verbs.h"
#include "cli/verbs.h"

static const struct verb {
    struct rf_verb is;
    enum rf_status (*run)(struct rf_ledger_call *call, struct rf_error *err);
} verbs[] = {
    {{"verify",
      "LEDGER: chain, tree, seals and rules; with --head also that the heads in a file "
      "(anchored, or cosigned) are of this ledger, with --witness-key that witnesses cosigned "
      "one",
      1, 1, "a ledger", " --key --head --witness-key "},
     rf_ledger_cmd_verify},
    {{"head", "LEDGER: the last seal, a signed tree head", 1, 1, "a ledger", " --key --out "},
     rf_ledger_cmd_head},
    {{"prove",
      "LEDGER SEQ: a .tlog-proof file that the entry with this number belongs to the last "
      "head, or to the one of --head",
      2, 2, "a ledger and a number", " --key --head --out "},
     rf_ledger_cmd_prove},
    {{"check-proof",
      "PROOF FILE: checks a proof without the ledger; FILE is the entry, one line, or, of a "
      "proof between heads, the old head",
      2, 2, "a proof and a file", " --key --witness-key "},
     rf_ledger_cmd_check_proof},
    {{"consistency",
      "OLD-HEAD LEDGER: does the ledger extend the old heads in the file? With --out the "
      "proof, as witnesses take it",
      2, 2, "a file of heads and a ledger", " --key --out "},
     rf_ledger_cmd_consistency},
    {{"rotate",
      "LEDGER: from now on another key seals, the one of --to; that of --from signs for it", 1,
      1, "a ledger", " --from --to "},
     rf_ledger_cmd_rotate},
    {{"anchor",
      "LEDGER: appends the last head to the file of --file, or, with --slurm, makes it the "
      "comment of the Slurm job around this command",
      1, 1, "a ledger", " --key --file --slurm "},
     rf_ledger_cmd_anchor},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

static enum rf_status run_verb(struct rf_ledger_call *call, const char *name, int nargs,
                               struct rf_error *err)
{
    const struct rf_verb_option options[] = {
        {" --key ", call->key != NULL},   {" --head ", call->head != NULL},
        {" --out ", call->out != NULL},   {" --witness-key ", call->witnesses.n > 0},
        {" --from ", call->from != NULL}, {" --to ", call->to != NULL},
        {" --file ", call->file != NULL}, {" --slurm ", call->slurm}};
    int64_t start_us = rf_time_us();
    const void *row;
    enum rf_status st = rf_verb_find(&row, "ledger", verbs, NVERBS, sizeof verbs[0], name,
                                     nargs, options, sizeof options / sizeof options[0], err);

    if (st != RF_OK)
        return st;
    call->doc = json_object();
    st = ((const struct verb *)row)->run(call, err);
    if (call->json && (st == RF_OK || st == RF_NO)) {
        rf_build_set(&call->build, call->doc, "holds", json_boolean(st == RF_OK));
        st = rf_verb_print(&call->build, call->doc, "ledger", name, start_us, st, err);
    } else {
        json_decref(call->doc);
    }
    return st;
}

static enum rf_status ledger(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    struct rf_ledger_call call = {.json = 0};
    struct rf_arguments args;
    struct rf_topic topics[NVERBS + 1] = {{0}};
    const struct rf_option table[] = {
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &call.key,
         .help = "the public key of the ledger (default: the one beside it, which proves less; "
                 "check-proof needs it)"},
        {.name = "witness-key",
         .value = "FILE",
         .list = &call.witnesses,
         .help = "the public key of a witness that must have cosigned; any number of times"},
        {.name = "head",
         .value = "FILE",
         .text = &call.head,
         .help = "verify: a file of heads; prove: one head, for instance a cosigned one"},
        {.name = "out",
         .value = "FILE",
         .text = &call.out,
         .help = "head, prove, consistency: where the result goes (default: standard output; "
                 "consistency: nowhere)"},
        {.name = "from",
         .value = "FILE",
         .text = &call.from,
         .help = "rotate: the secret key that seals so far"},
        {.name = "to",
         .value = "FILE",
         .text = &call.to,
         .help = "rotate: the secret key that seals from now on"},
        {.name = "file",
         .value = "FILE",
         .text = &call.file,
         .help = "anchor: the file that the head is appended to"},
        {.name = "slurm", .flag = &call.slurm, .help = "anchor: in the Slurm job's comment"},
        {.name = "json", .flag = &call.json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "ledger VERB ARGUMENT...",
        .about =
            "Proofs about ledgers, in the forms of RFC 6962 and C2SP (tlog-checkpoint, "
            "tlog-proof, tlog-cosignature, tlog-witness) that other programs read. The exit "
            "code is 0 when it holds, 1 when it does not, and 2 when a file is none of what "
            "it should be.",
        .heading = "Verbs",
        .topics = topics,
        .options = table,
        .min = 2,
        .max = -1};
    enum rf_status st;

    (void)world;
    for (int i = 0; i < NVERBS; i++)
        topics[i] = (struct rf_topic){verbs[i].is.name, verbs[i].is.help};
    st = rf_options_parse(&line, argc, argv, &args, err);
    call.args = args.text == NULL ? NULL : args.text + 1;
    if (st == RF_OK && !args.help)
        st = run_verb(&call, args.text[0], args.n - 1, err);
    rf_text_list_clear(&call.witnesses);
    return st;
}

const struct rf_command rf_command_ledger = {
    .name = "ledger",
    .summary = "verify and prove ledgers, change their keys, anchor their heads",
    .serial = 1,
    .run = ledger};
