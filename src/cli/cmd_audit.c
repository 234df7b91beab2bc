/* ringfence audit: does a ledger hold together, were its pledges kept, and do other records agree? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "audit/examine.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/options.h"
#include "mpi/reexecute.h"
#include "report/audit.h"

enum { KEY_BYTES = 4096 };

struct audit_options {
    const char *key, *witness, *sacct, *match, *unit, *checkpoints, *config, *scratch, *page;
    struct rf_text_list heads;
    int64_t reexecute;
    int json;
};

/* The first line of the file that --key names: a C2SP verifier key. */
static enum rf_status read_key(const char *path, char vkey[KEY_BYTES], struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(path, KEY_BYTES - 1, &text, &size, err);

    if (st == RF_OK)
        snprintf(vkey, KEY_BYTES, "%.*s", (int)strcspn(text, "\r\n"), text);
    free(text);
    return st;
}

/* ---- T10: training again ---------------------------------------------------- */

/* What a ledger's directory holds: the run's configuration, what was submitted, checkpoints. */
struct evidence {
    struct rf_launch launch;
    struct rf_job_context ctx;
    char config[RF_PATH_BYTES], run_dir[RF_PATH_BYTES], ckpt_dir[RF_PATH_BYTES];
    char scratch[RF_PATH_BYTES];
};

static enum rf_status find_evidence(struct evidence *e, const struct audit_options *o,
                                    const char *ledger, struct rf_error *err)
{
    const char *slash = strrchr(ledger, '/');
    size_t n = slash != NULL ? (size_t)(slash - ledger) : 0;
    enum rf_status st = RF_OK;

    if (n >= sizeof e->run_dir - 1)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", ledger);
    snprintf(e->run_dir, sizeof e->run_dir, "%.*s", slash != NULL && n == 0 ? 1 : (int)n,
             ledger);
    if (slash == NULL)
        snprintf(e->run_dir, sizeof e->run_dir, ".");
    if (o->config != NULL)
        snprintf(e->config, sizeof e->config, "%s", o->config);
    else
        st = rf_file_join(e->config, e->run_dir, "config.cfg", err);
    if (st == RF_OK && o->checkpoints != NULL)
        snprintf(e->ckpt_dir, sizeof e->ckpt_dir, "%s", o->checkpoints);
    else if (st == RF_OK)
        st = rf_file_join(e->ckpt_dir, e->run_dir, "checkpoints", err);
    return st;
}

/* Why the segments cannot be run at all; NULL when they can. Rank 0. */
static const char *unable(const struct rf_examination *x, const struct evidence *e,
                          const char *head)
{
    if (head[0] == '\0')
        return "no seal, and so no head to draw by";
    if (x->segments.n == 0)
        return "no stretches of training are on record";
    if (strcmp(e->launch.digest, x->watch.config) != 0)
        return "the configuration is not the one whose digest the open line has";
    return NULL;
}

static enum rf_status make_scratch(struct evidence *e, const struct audit_options *o,
                                   struct rf_error *err)
{
    const char *parent = o->scratch != NULL ? o->scratch : getenv("TMPDIR");

    snprintf(e->scratch, sizeof e->scratch, "%.*s/ringfence-audit-XXXXXX", RF_PATH_BYTES - 32,
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(e->scratch) == NULL) {
        e->scratch[0] = '\0';
        return rf_fail(err, RF_ERR_IO, "cannot make a directory in '%s'",
                       parent != NULL ? parent : "/tmp");
    }
    return RF_OK;
}

/* Collective on world: jobs that came while the run was going, as rank 0 finds them beside the ledger. */
static enum rf_status take_submissions(const struct rf_group *world, struct evidence *e,
                                       struct rf_error *err)
{
    struct rf_launch *l = &e->launch;
    int32_t last = -1;
    enum rf_status st = RF_OK;

    if (world->rank == 0)
        st = rf_submissions_read(&l->submitted, &l->plan, &l->spec, e->run_dir, -1, err);
    st = rf_agree(world, st, err);
    if (st != RF_OK)
        return st;
    if (world->rank == 0)
        last = l->plan.njobs - 1;
    rf_group_bcast(world, &last, sizeof last, 0);
    if (world->rank != 0)
        st = rf_submissions_read(&l->submitted, &l->plan, &l->spec, e->run_dir, last, err);
    return rf_agree(world, st, err);
}

/* Collective on world: the drawn stretches, when they can be run; x is rank 0's. */
static enum rf_status run_segments(const struct rf_group *world, struct evidence *e,
                                   struct rf_examination *x, const struct audit_options *o,
                                   const char *ledger, struct rf_error *err)
{
    char head[RF_DIGEST_BASE64] = "";
    struct rf_reexecute_options again = {.count = o->reexecute, .head = head};
    struct rf_audit_test *t10 = &x->tests[RF_T10_REEXECUTION];
    const char *why = NULL;
    int64_t size;
    int able = 1;
    enum rf_status st = RF_OK;

    if (world->rank == 0) {
        st = rf_audit_last_seal(ledger, head, &size, err);
        why = st == RF_OK ? unable(x, e, head) : NULL;
        if (st == RF_OK && why == NULL)
            st = make_scratch(e, o, err);
        able = why == NULL;
    }
    st = rf_agree(world, st, err);
    if (st != RF_OK)
        return st;
    rf_group_bcast(world, &able, sizeof able, 0);
    again.scratch = e->scratch;
    if (able) {
        st = take_submissions(world, e, err);
        return st == RF_OK ? rf_reexecute(world, &e->ctx, &x->segments, x->audit.state, &again,
                                          t10, err)
                           : st;
    }
    if (world->rank == 0)
        snprintf(t10->note, sizeof t10->note, "cannot be run: %s", why);
    return RF_OK;
}

/* Collective on world. */
static enum rf_status reexecute(const struct rf_group *world, struct rf_examination *x,
                                const struct audit_options *o, const char *ledger,
                                struct rf_error *err)
{
    static const struct rf_text_list nothing;
    struct evidence *e = calloc(1, sizeof *e);
    enum rf_status st = e != NULL ? find_evidence(e, o, ledger, err)
                                  : rf_fail(err, RF_ERR_MEMORY, "out of memory for an audit");

    st = rf_agree(world, st, err);
    if (st == RF_OK) {
        st = rf_launch_open(&e->launch, world, e->config, &nothing, e->run_dir, err);
        e->ctx = (struct rf_job_context){.plan = &e->launch.plan,
                                         .run_dir = e->run_dir,
                                         .ckpt_dir = e->ckpt_dir,
                                         .config_digest = e->launch.digest,
                                         .version = RF_VERSION};
        if (st == RF_OK)
            st = run_segments(world, e, x, o, ledger, err);
        rf_job_context_clear(&e->ctx);
        rf_launch_clear(&e->launch);
        if (e->scratch[0] != '\0' && world->rank == 0)
            rf_file_remove_tree(e->scratch, NULL);
    }
    free(e);
    return st;
}

/* ---- the command ------------------------------------------------------------ */

/* What has been asked for, and what came out of the ledgers so far; rank 0's. */
struct request {
    const struct audit_options *o;
    struct rf_examine_options examine;
    int several, findings;
    enum rf_verdict worst;
    json_t *document; /* with json: the whole answer... */
    json_t *list;     /* ...and, with several ledgers, the array inside it */
};

/* Local, rank 0. */
static enum rf_status show(struct request *request, const struct rf_examination *x,
                           const char *path, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    json_t *to;

    if (request->o->page != NULL)
        st = rf_audit_page(x, path, RF_VERSION, request->o->page, err);
    if (st != RF_OK)
        return st;
    if (!request->o->json)
        return rf_audit_print(x, path, stdout, err);
    to = request->several ? json_object() : json_incref(request->document);
    st = rf_audit_json(to, x, path, err);
    if (request->several)
        json_array_append(request->list, to);
    json_decref(to);
    return st;
}

/* Collective on world. */
static enum rf_status audit_one(const struct rf_group *world, struct request *request,
                                const char *path, struct rf_error *err)
{
    struct rf_examination *x = calloc(1, sizeof *x);
    enum rf_status st = RF_OK;

    if (x == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for an audit");
    else if (world->rank == 0)
        st = rf_examine(x, path, &request->examine, err);
    st = rf_agree(world, st, err);
    if (st == RF_OK && request->o->reexecute > 0)
        st = reexecute(world, x, request->o, path, err);
    if (st == RF_OK && world->rank == 0) {
        rf_examination_count(x);
        request->findings += x->findings;
        if (x->audit.verdict == RF_BROKEN || request->worst == RF_KEPT)
            request->worst = x->audit.verdict; /* broken is worse than unprovable */
        st = show(request, x, path, err);
    }
    if (x != NULL)
        rf_examination_clear(x);
    free(x);
    return rf_agree(world, st, err);
}

/* The clock is no part of an audit: the same files give the same bytes, and wall_s is null. */
static enum rf_status print_document(struct request *request, struct rf_error *err)
{
    json_t *document = request->document;

    if (request->several) {
        json_object_set_new(document, "verdict", json_string(rf_verdict_name(request->worst)));
        json_object_set_new(document, "findings", json_integer(request->findings));
        json_object_set_new(document, "seed", json_null());
    }
    json_object_set_new(document, "wall_s", json_null());
    if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    putchar('\n');
    return RF_OK;
}

/* Collective on world; the answer is rank 0's. */
static enum rf_status audit_all(const struct rf_group *world, struct request *request,
                                const struct rf_arguments *args, struct rf_error *err)
{
    int no;
    enum rf_status st = RF_OK;

    request->several = args->n > 1;
    if (request->several && request->o->page != NULL)
        return rf_fail(err, RF_ERR_ARG, "--page is for one ledger, here are %d", args->n);
    request->document = json_pack("{s:s, s:s}", "command", "audit", "version", RF_VERSION);
    if (request->several) {
        request->list = json_array();
        json_object_set_new(request->document, "audits", request->list);
    }
    for (int i = 0; st == RF_OK && i < args->n; i++) {
        if (i > 0 && world->rank == 0 && !request->o->json)
            putchar('\n');
        st = audit_one(world, request, args->text[i], err);
    }
    if (st == RF_OK && request->o->json && world->rank == 0)
        st = print_document(request, err);
    json_decref(request->document);
    st = rf_agree(world, st, err);
    no = request->worst != RF_KEPT || request->findings > 0;
    rf_group_bcast(world, &no, sizeof no, 0);
    return st == RF_OK && no ? rf_fail(err, RF_NO, "%s", "") : st;
}

static enum rf_status take_options(const struct audit_options *o, struct request *request,
                                   char vkey[KEY_BYTES], char witness[KEY_BYTES],
                                   struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int by = rf_match_of(o->match), unit = rf_match_unit_of(o->unit);

    request->o = o;
    request->examine = rf_examine_options_make();
    if (by < 0)
        return rf_fail(err, RF_ERR_ARG,
                       "--sacct-match is auto, comment, name, id, run or account, not '%.40s'",
                       o->match);
    if (unit < -1)
        return rf_fail(err, RF_ERR_ARG,
                       "--sacct-unit is auto, gpus, cpus or nodes, not '%.40s'", o->unit);
    request->examine.match =
        (struct rf_sacct_match_options){.by = (enum rf_match_by)by, .unit = unit};
    request->examine.sacct = o->sacct;
    request->examine.checkpoints = o->checkpoints;
    request->examine.heads = o->heads.items;
    request->examine.nheads = o->heads.n;
    request->examine.vkey = o->key != NULL ? vkey : NULL;
    request->examine.witness = o->witness != NULL ? witness : NULL;
    if (o->key != NULL)
        st = read_key(o->key, vkey, err);
    return st == RF_OK && o->witness != NULL ? read_key(o->witness, witness, err) : st;
}

static const char MORE[] =
    "The tests: T1 device-time is conserved; T2 Slurm's accounting and T2b the checkpoints' "
    "own\n"
    "counters agree; T3 no line, number or heartbeat is missing; T4 no device in two places; "
    "T5\n"
    "denials have reasons, and none lay in the share while devices were free; T6 pledged\n"
    "requests do not wait longest; T7 no claim above what the time allows; T8 relabels; T9\n"
    "chain, signatures and kept heads; T10 training that is run again ends in the same bits:\n"
    "  mpirun -n 2 ringfence audit RUN/ledger.jsonl --key FILE.pub --reexecute 3\n\n"
    "Exit code: 0 all kept and nothing found; 1 a pledge is broken or unprovable, or a test\n"
    "found something; 2 a file that cannot be read.\n";

static enum rf_status parse(struct audit_options *o, struct rf_arguments *args, int argc,
                            char **argv, struct rf_error *err)
{
    const struct rf_option table[] = {
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &o->key,
         .help = "the public key that seals must be signed with (default: the one beside the "
                 "ledger, which proves less: whoever forges a ledger can forge that too)"},
        {.name = "head",
         .value = "FILE",
         .list = &o->heads,
         .help = "signed tree heads that somebody kept elsewhere: the ledger has to extend "
                 "them; any number of times"},
        {.name = "witness",
         .value = "FILE",
         .text = &o->witness,
         .help = "the public key of a witness that must have cosigned those heads"},
        {.name = "sacct",
         .value = "FILE",
         .text = &o->sacct,
         .help = "Slurm's accounting, as sacct -P prints it, to be reconciled with the ledger"},
        {.name = "sacct-match",
         .value = "HOW",
         .text = &o->match,
         .choices = "auto comment name id run account",
         .help = "what jobs go by: comment, name, id, run, account, or auto (default: the "
                 "first that matches anything)"},
        {.name = "sacct-unit",
         .value = "UNIT",
         .text = &o->unit,
         .choices = "auto gpus cpus nodes",
         .help = "what a device is to Slurm: gpus, cpus, nodes, or auto (default)"},
        {.name = "checkpoints",
         .value = "DIR",
         .text = &o->checkpoints,
         .help = "the run's checkpoints, to be compared with the ledger (and for --reexecute, "
                 "which takes those beside the ledger by default)"},
        {.name = "reexecute",
         .value = "K",
         .integer = &o->reexecute,
         .min = 0,
         .max = 1000000,
         .help = "train K stretches between checkpoints again, drawn by the last sealed head, "
                 "on as many ranks as they had (under mpirun)"},
        {.name = "config",
         .value = "FILE",
         .text = &o->config,
         .help = "the run's configuration, for --reexecute (default: config.cfg beside the "
                 "ledger)"},
        {.name = "scratch",
         .value = "DIR",
         .text = &o->scratch,
         .help = "where --reexecute may write; all ranks see it (default: $TMPDIR or /tmp)"},
        {.name = "page",
         .value = "FILE",
         .text = &o->page,
         .help = "write the audit of one ledger as a page, too"},
        {.name = "json", .flag = &o->json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "audit [--key=FILE] [--json] LEDGER...",
        .about =
            "Verifies the chain and the seals of ledgers, replays them through the rules that "
            "the run itself obeyed, and answers for each pledge, as it was made and as it was "
            "changed, under each definition of it: kept, broken or unprovable. Ten tests look "
            "for what a dishonest or careless recorder would leave. The same files give the "
            "same bytes.",
        .more = MORE,
        .options = table,
        .min = 1,
        .max = -1};

    return rf_options_parse(&line, argc, argv, args, err);
}

static enum rf_status audit(const struct rf_group *world, int argc, char **argv,
                            struct rf_error *err)
{
    struct audit_options o = {.match = "auto", .unit = "auto"};
    struct request request = {.worst = RF_KEPT};
    struct rf_arguments args;
    char vkey[KEY_BYTES], witness[KEY_BYTES];
    enum rf_status st = parse(&o, &args, argc, argv, err);

    if (st == RF_OK && !args.help) {
        st = rf_agree(world, take_options(&o, &request, vkey, witness, err), err);
        if (st == RF_OK)
            st = audit_all(world, &request, &args, err);
    }
    rf_text_list_clear(&o.heads);
    return st;
}

const struct rf_command rf_command_audit = {.name = "audit",
                                            .summary = "verify a ledger and judge its pledges",
                                            .serial = 0,
                                            .run = audit};
