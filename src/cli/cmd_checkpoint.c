/* ringfence checkpoint: a command of many verbs; each has its function, and this file says which
 * options and how many arguments it takes. */
#include <stdio.h>

#include "base/file.h"
#include "cli/checkpoint_verbs.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/verbs.h"

static const struct verb {
    struct rf_verb is;
    enum rf_status (*run)(const struct rf_checkpoint_call *call, struct rf_error *err);
    int local; /* rank 0 alone */
} verbs[] = {
    {{"ls", "", 1, -1, "directories", ""}, rf_checkpoint_ls, 1},
    {{"show", "", 1, 1, "one file", ""}, rf_checkpoint_show, 1},
    {{"prune", "", 1, -1, "directories", " --keep-last --keep-every --dry-run "},
     rf_checkpoint_prune,
     1},
    {{"verify", "", 1, -1, "files", ""}, rf_checkpoint_verify, 0},
    {{"diff", "", 2, 2, "two files", ""}, rf_checkpoint_diff, 0},
    {{"export", "", 2, 2, "a checkpoint and a name for the new file",
      " --all --own-names --dtype "},
     rf_checkpoint_export,
     0},
    {{"import", "", 2, 2, "a safetensors file and a directory", " --heads "},
     rf_checkpoint_import,
     0},
    {{"reshard", "", 2, 2, "a checkpoint and a directory",
      " --dtype --weights-only --compress "},
     rf_checkpoint_reshard,
     0},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

enum rf_status rf_checkpoint_print(const struct rf_checkpoint_call *call, json_t *doc,
                                   const char *action, struct rf_error *err)
{
    struct rf_build build = {0};

    rf_verb_sign(&build, doc, "checkpoint", action, call->start_us);
    return rf_build_print(&build, doc, err);
}

void rf_shape_text(char text[RF_SHAPE_TEXT], int ndims, const int64_t shape[2])
{
    if (ndims == 1)
        snprintf(text, RF_SHAPE_TEXT, "%lld", (long long)shape[0]);
    else
        snprintf(text, RF_SHAPE_TEXT, "%lldx%lld", (long long)shape[0], (long long)shape[1]);
}

json_t *rf_shape_json(int ndims, const int64_t shape[2])
{
    json_t *list = json_array();

    for (int d = 0; d < ndims; d++)
        json_array_append_new(list, json_integer((json_int_t)shape[d]));
    return list;
}

static enum rf_status run_verb(const struct rf_checkpoint_call *call, const char *name,
                               struct rf_error *err)
{
    const struct rf_verb_option options[] = {{" --all ", call->all},
                                             {" --own-names ", call->own_names},
                                             {" --dtype ", call->dtype != NULL},
                                             {" --heads ", call->heads != 0},
                                             {" --keep-last ", call->keep_last >= 0},
                                             {" --keep-every ", call->keep_every >= 0},
                                             {" --dry-run ", call->dry_run},
                                             {" --weights-only ", call->weights_only},
                                             {" --compress ", call->compress}};
    const void *row;
    const struct verb *verb;
    enum rf_status st =
        rf_verb_find(&row, "checkpoint", verbs, NVERBS, sizeof verbs[0], name, call->npaths,
                     options, sizeof options / sizeof options[0], err);

    if (st != RF_OK)
        return st;
    verb = row;
    return verb->local && call->world->rank != 0 ? RF_OK : verb->run(call, err);
}

static enum rf_status checkpoint(const struct rf_group *world, int argc, char **argv,
                                 struct rf_error *err)
{
    struct rf_checkpoint_call call = {
        .world = world, .start_us = rf_time_us(), .keep_last = -1, .keep_every = -1};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json", .flag = &call.json, .help = "print one JSON document"},
        {.name = "all",
         .flag = &call.all,
         .help = "export: the optimiser's moments too, under our own names"},
        {.name = "own-names",
         .flag = &call.own_names,
         .help = "export: our names and layout, not Hugging Face's"},
        {.name = "dtype",
         .value = "TYPE",
         .text = &call.dtype,
         .choices = "f32 bf16",
         .help = "export: f32 (as it is), or bf16 (rounded to nearest); reshard: how the "
                 "optimiser's moments are kept from here on"},
        {.name = "heads",
         .value = "N",
         .integer = &call.heads,
         .min = 1,
         .max = 65536,
         .help = "import: attention heads, where neither the file nor a config.json beside it "
                 "says"},
        {.name = "keep-last",
         .value = "K",
         .integer = &call.keep_last,
         .min = 1,
         .max = 1e9,
         .help = "prune: the newest K complete ones stay (default 1)"},
        {.name = "keep-every",
         .value = "N",
         .integer = &call.keep_every,
         .min = 1,
         .max = 1e15,
         .help = "prune: so do those whose step is a multiple of N"},
        {.name = "weights-only",
         .flag = &call.weights_only,
         .help = "reshard: without the optimiser's moments"},
        {.name = "compress",
         .flag = &call.compress,
         .help = "reshard: without loss, as HDF5's own filters do it (shuffle, deflate)"},
        {.name = "dry-run", .flag = &call.dry_run, .help = "prune: only say what would go"},
        {0}};
    const struct rf_command_line line = {
        .usage = "checkpoint ls DIR...\ncheckpoint show FILE\ncheckpoint verify FILE...\n"
                 "checkpoint diff A B\ncheckpoint export FILE OUT.safetensors\n"
                 "checkpoint import IN.safetensors DIR\ncheckpoint prune DIR...\n"
                 "checkpoint reshard FILE DIR",
        .about =
            "Looks into checkpoints, and carries them to and from other programs. 'ls' lists "
            "those of a directory and of the directories in it (a run has one for each job), "
            "'show' prints what a file says about itself and its tensors, 'verify' reads "
            "everything and compares it with the digests: exit code 1 and the name of the "
            "tensor when a file is damaged, 2 when it is not a checkpoint. 'diff' names the "
            "tensors that differ and by how much; exit code 0 when all are the same, 1 when "
            "not. 'export' writes a safetensors file with Hugging Face's names and layout, "
            "without the optimiser's state unless --all is given; 'import' makes a checkpoint "
            "from one, GPT-2's or Llama's, and prints the model as an entry of a "
            "configuration; a config.json beside the file is read for what the tensors do not "
            "say. 'prune' removes checkpoints of a directory and of "
            "the "
            "directories in it by --keep-last and --keep-every, never the newest complete one. "
            "'reshard' writes a checkpoint anew into a directory, every value checked on the "
            "way, "
            "with other types, without moments, or compressed; it then stands by itself even "
            "where it referred to earlier files for tensors that had not changed. Any number "
            "of "
            "ranks reads any file without it. "
            "Under mpirun, verify, diff, export, import and reshard share "
            "the work over the ranks; the result is the same.",
        .options = table,
        .min = 2,
        .max = -1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    if (st != RF_OK || args.help)
        return st;
    call.paths = args.text + 1;
    call.npaths = args.n - 1;
    return run_verb(&call, args.text[0], err);
}

const struct rf_command rf_command_checkpoint = {
    .name = "checkpoint",
    .summary = "list, show, verify, compare, prune, export, import and rewrite checkpoints",
    .serial = 0,
    .run = checkpoint};
