/* ringfence ledger: a command of many verbs; each has its function, and this file says which
 * options and how many arguments it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/ledger_verbs.h"

static const struct verb {
    const char *name, *help;
    enum rf_status (*run)(struct rf_ledger_call *call, struct rf_error *err);
    int n;
    const char *takes;   /* for the refusal */
    const char *options; /* those it knows besides --json, in blanks */
} verbs[] = {
    {"verify",
     "LEDGER: chain, tree, seals and rules; with --head also that the heads in a file "
     "(anchored, "
     "or cosigned) are of this ledger, with --witness-key that witnesses cosigned one",
     rf_ledger_cmd_verify, 1, "a ledger", " --key --head --witness-key "},
    {"head", "LEDGER: the last seal, a signed tree head", rf_ledger_cmd_head, 1, "a ledger",
     " --key --out "},
    {"prove",
     "LEDGER SEQ: a .tlog-proof file that the entry with this number belongs to the last head, "
     "or to the one of --head",
     rf_ledger_cmd_prove, 2, "a ledger and a number", " --key --head --out "},
    {"check-proof",
     "PROOF FILE: checks a proof without the ledger; FILE is the entry, one line, or, of a "
     "proof "
     "between heads, the old head",
     rf_ledger_cmd_check_proof, 2, "a proof and a file", " --key --witness-key "},
    {"consistency",
     "OLD-HEAD LEDGER: does the ledger extend the old heads in the file? With --out the proof, "
     "as witnesses take it",
     rf_ledger_cmd_consistency, 2, "a file of heads and a ledger", " --key --out "},
    {"rotate",
     "LEDGER: from now on another key seals, the one of --to; that of --from signs for it",
     rf_ledger_cmd_rotate, 1, "a ledger", " --from --to "},
    {"anchor",
     "LEDGER: appends the last head to the file of --file, or, with --slurm, makes it "
     "the comment of the Slurm job around this command",
     rf_ledger_cmd_anchor, 1, "a ledger", " --key --file --slurm "},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

static enum rf_status check_options(const struct verb *verb, const struct rf_ledger_call *call,
                                    struct rf_error *err)
{
    const struct {
        const char *name;
        int given;
    } options[] = {{" --key ", call->key != NULL},   {" --head ", call->head != NULL},
                   {" --out ", call->out != NULL},   {" --witness-key ", call->witnesses.n > 0},
                   {" --from ", call->from != NULL}, {" --to ", call->to != NULL},
                   {" --file ", call->file != NULL}, {" --slurm ", call->slurm}};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].given && strstr(verb->options, options[i].name) == NULL)
            return rf_fail(err, RF_ERR_ARG,
                           "'%s' does not take%.*s; see 'ringfence ledger --help'", verb->name,
                           (int)strlen(options[i].name) - 1, options[i].name);
    return RF_OK;
}

/* The document, with what everybody says. */
static enum rf_status print(struct rf_ledger_call *call, const char *action, int holds,
                            const char *problem, int64_t start_us, struct rf_error *err)
{
    struct rf_build *b = &call->build;
    char *text = NULL;
    enum rf_status st;

    rf_build_text(b, call->doc, "command", "ledger");
    rf_build_text(b, call->doc, "action", action);
    rf_build_text(b, call->doc, "version", RF_VERSION);
    rf_build_set(b, call->doc, "seed", json_null()); /* no random number is drawn */
    rf_build_number(b, call->doc, "wall_s", (double)(rf_time_us() - start_us) / 1e6);
    rf_build_set(b, call->doc, "holds", json_boolean(holds));
    rf_build_text(b, call->doc, "problem", problem);
    st = rf_build_dump(b, call->doc, &text, err);
    if (st == RF_OK && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    free(text);
    return st;
}

static enum rf_status run_verb(struct rf_ledger_call *call, const char *name, int nargs,
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
                       "'ledger' has no verb '%s'; see 'ringfence ledger --help'", name);
    if (nargs != verb->n)
        return rf_fail(err, RF_ERR_ARG, "'%s' takes %s; see 'ringfence ledger --help'", name,
                       verb->takes);
    st = check_options(verb, call, err);
    if (st != RF_OK)
        return st;
    call->doc = json_object();
    st = verb->run(call, &answer);
    if (call->json && (st == RF_OK || st == RF_NO)) {
        enum rf_status printed =
            print(call, name, st == RF_OK, st == RF_OK ? "" : answer.text, start_us, err);

        answer.text[0] = '\0'; /* it has been said */
        st = printed == RF_OK ? st : printed;
        if (printed != RF_OK)
            return printed;
    }
    json_decref(call->doc);
    return st == RF_OK ? st : rf_fail(err, st, "%s", answer.text);
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
        topics[i] = (struct rf_topic){verbs[i].name, verbs[i].help};
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
