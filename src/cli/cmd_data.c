/* ringfence data: the built-in data sets, listed or written out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "data/export.h"
#include "data/vocabulary.h"

enum { LEAST = 20, MOST = 1000000, USUAL = 1000 };
static const size_t FILE_BYTES_MOST = (size_t)1 << 30;

/* ---- data list */

static void print_list(void)
{
    const struct rf_builtin *set;

    for (int i = 0; (set = rf_builtin_at(i)) != NULL; i++)
        printf("%s --rule=%-10s%s\n", set->source, set->rule, set->summary);
}

static enum rf_status print_list_json(int64_t begun_us, struct rf_error *err)
{
    json_t *sets = json_array();
    json_t *document;
    const struct rf_builtin *set;
    int failed = sets == NULL;

    for (int i = 0; (set = rf_builtin_at(i)) != NULL; i++)
        failed |= json_array_append_new(sets, json_pack("{s:s, s:s, s:s}", "name", set->source,
                                                        "rule", set->rule, "summary",
                                                        set->summary)) != 0;
    document =
        json_pack("{s:s, s:s, s:n, s:f, s:o}", "command", "data", "version", RF_VERSION, "seed",
                  "wall_s", (double)(rf_time_us() - begun_us) / 1e6, "sets", sets);
    failed |= document == NULL ||
              json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0 ||
              putchar('\n') == EOF;
    json_decref(document);
    return failed ? rf_fail(err, RF_ERR_IO, "cannot print the list") : RF_OK;
}

/* ---- data NAME */

static int is_builtin(const char *source, const char *rule)
{
    const struct rf_builtin *set;

    for (int i = 0; (set = rf_builtin_at(i)) != NULL; i++)
        if (strcmp(set->source, source) == 0 && (rule == NULL || strcmp(set->rule, rule) == 0))
            return 1;
    return 0;
}

static enum rf_status make_text(const char *rule, int64_t n, int64_t seed, char **text,
                                size_t *size, struct rf_error *err)
{
    struct rf_task_options options = {.name = "data", .source = "chess-rules"};
    struct rf_task *task = NULL;
    enum rf_status st;

    snprintf(options.rule, sizeof options.rule, "%s", rule);
    options.validation = options.test = (int)(n / 10);
    options.train = (int)n - options.validation - options.test;
    options.corpus_size = 1; /* not written, but a task has one */
    st = rf_task_open(&task, &options, (uint64_t)seed, err);
    if (st == RF_OK)
        st = rf_export_rules(task, text, size, err);
    rf_task_close(task);
    return st;
}

static enum rf_status put(const char *text, size_t size, const char *path, struct rf_error *err)
{
    if (path != NULL)
        return rf_file_write(path, text, size, err);
    return fwrite(text, 1, size, stdout) == size
               ? RF_OK
               : rf_fail(err, RF_ERR_IO, "cannot write to standard output");
}

static enum rf_status write_set(const char *rule, int64_t n, int64_t seed, const char *path,
                                struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = make_text(rule, n, seed, &text, &size, err);

    if (st == RF_OK)
        st = put(text, size, path, err);
    free(text);
    return st;
}

/* ---- data tokenizer */

static enum rf_status learn_tokenizer(const char *from, int vocabulary, const char *path,
                                      struct rf_error *err)
{
    struct rf_vocabulary *v = NULL;
    char *text = NULL, *json = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(from, FILE_BYTES_MOST, &text, &size, err);

    if (st == RF_OK)
        st = rf_vocabulary_learn(&v, (struct rf_view){text, size}, vocabulary, err);
    if (st == RF_OK)
        st = rf_vocabulary_json(v, &json, err);
    if (st == RF_OK)
        st = put(json, strlen(json), path, err);
    rf_vocabulary_destroy(v);
    free(json);
    free(text);
    return st;
}

/* ---- the command */

static enum rf_status data(const struct rf_group *world, int argc, char **argv,
                           struct rf_error *err)
{
    int64_t n = USUAL, seed = 1, vocabulary = 4096, begun_us = rf_time_us();
    int json = 0;
    const char *rule = "material", *path = NULL;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 'r',
         .name = "rule",
         .value = "RULE",
         .text = &rule,
         .help = "the question that is asked of each position (default: material)"},
        {.letter = 'n',
         .name = "n",
         .value = "N",
         .integer = &n,
         .min = LEAST,
         .max = MOST,
         .help = "how many examples: about a tenth each for validation and test, half of the "
                 "rest for the weak model, half for the strong one (default: 1000)"},
        {.letter = 's',
         .name = "seed",
         .value = "N",
         .integer = &seed,
         .min = 0,
         .max = 9e15,
         .help = "decides the halves, never the test (default: 1)"},
        {.letter = 'v',
         .name = "vocabulary",
         .value = "N",
         .integer = &vocabulary,
         .min = 256,
         .max = 1 << 20,
         .help = "tokenizer: so many tokens at most (default: 4096)"},
        {.letter = 'o',
         .name = "output",
         .value = "FILE",
         .text = &path,
         .help = "write to FILE, completely or not at all (default: standard output)"},
        {.name = "json", .flag = &json, .help = "with list: print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage =
            "data list [--json]\ndata NAME [--rule=RULE] [--n=N] [--seed=N] [--output=FILE]\n"
            "data tokenizer TEXT [--vocabulary=N] [--output=FILE]",
        .about =
            "Lists the data sets that ringfence makes itself, or writes one as lines of "
            "FEN, label and split, separated by tabs: the same examples that a task with "
            "these numbers trains on and is tested on, from the mover's side (the mover "
            "is always White). Or learns byte-level byte pairs from a text and writes them as "
            "a tokenizer.json, which a task of source text (tokenizer = \"file\") and other "
            "programs read.",
        .options = table,
        .min = 1,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    if (strcmp(args.text[0], "tokenizer") == 0 && args.n == 2)
        return learn_tokenizer(args.text[1], (int)vocabulary, path, err);
    if (args.n != 1 || strcmp(args.text[0], "tokenizer") == 0)
        return rf_fail(err, RF_ERR_ARG,
                       "a text goes with 'data tokenizer', and only with that; see 'ringfence "
                       "data --help'");
    if (strcmp(args.text[0], "list") == 0) {
        if (json)
            return print_list_json(begun_us, err);
        print_list();
        return RF_OK;
    }
    if (!is_builtin(args.text[0], NULL) || !is_builtin(args.text[0], rule))
        return rf_fail(err, RF_ERR_ARG,
                       "no data set '%s' with the rule '%s'; see 'ringfence data list'",
                       args.text[0], rule);
    if (json)
        return rf_fail(err, RF_ERR_ARG,
                       "--json goes with 'data list' only; see 'ringfence data --help'");
    return write_set(rule, n, seed, path, err);
}

const struct rf_command rf_command_data = {.name = "data",
                                           .summary = "list or write the built-in data sets",
                                           .serial = 1,
                                           .run = data};
