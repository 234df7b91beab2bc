/* ringfence checkpoint: what is in a checkpoint, and is it still what was written? */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/file.h"
#include "ckpt/store.h"
#include "cli/command.h"
#include "cli/options.h"
#include "mpi/ckpt.h"

/* One document on stdout; takes doc over. */
static enum rf_status print_json(json_t *doc, const char *action, int64_t start_us,
                                 struct rf_error *err)
{
    enum rf_status st = RF_OK;

    json_object_set_new(doc, "command", json_string("checkpoint"));
    json_object_set_new(doc, "action", json_string(action));
    json_object_set_new(doc, "version", json_string(RF_VERSION));
    json_object_set_new(doc, "seed", json_null()); /* no random number is drawn */
    json_object_set_new(doc, "wall_s", json_real((double)(rf_time_us() - start_us) / 1e6));
    if (json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0 ||
        putchar('\n') == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    json_decref(doc);
    return st;
}

static enum rf_status list_one(const char *dir, json_t *rows, int json, int *printed,
                               struct rf_error *err)
{
    struct rf_store_entry *entries = NULL;
    int n = 0;
    enum rf_status st = rf_store_list(dir, &entries, &n, err);

    for (int i = 0; st == RF_OK && i < n; i++) {
        const struct rf_store_entry *entry = &entries[i];
        char path[RF_PATH_BYTES];

        st = rf_store_path(path, dir, entry->step, err);
        if (st != RF_OK)
            break;
        if (json)
            json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:b}", "path", path, "step",
                                                  (json_int_t)entry->step, "bytes",
                                                  (json_int_t)entry->size_bytes, "complete",
                                                  entry->complete));
        else if ((*printed)++ == 0)
            printf("%10s %14s  %-8s  %s\n", "step", "bytes", "complete", "file");
        if (!json)
            printf("%10lld %14lld  %-8s  %s\n", (long long)entry->step,
                   (long long)entry->size_bytes, entry->complete ? "yes" : "no", path);
    }
    free(entries);
    return st;
}

static int by_name(const void *a, const void *b)
{
    const struct dirent *const *x = a, *const *y = b;

    return strcmp((*x)->d_name, (*y)->d_name);
}

static int is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The directory itself, then its directories: checkpoints/RUN holds one per job. */
static enum rf_status list(char **paths, int npaths, int json, struct rf_error *err)
{
    int64_t start_us = rf_time_us();
    json_t *rows = json_array();
    int printed = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < npaths; i++) {
        struct dirent **items = NULL;
        int n = scandir(paths[i], &items, NULL, NULL);

        if (n < 0)
            st = rf_fail(err, RF_ERR_INPUT, "cannot read directory '%s': %s", paths[i],
                         strerror(errno));
        else if (n > 0)
            qsort(items, (size_t)n, sizeof *items, by_name);
        if (st == RF_OK)
            st = list_one(paths[i], rows, json, &printed, err);
        for (int k = 0; k < n; k++) {
            char inner[RF_PATH_BYTES];

            if (st == RF_OK && items[k]->d_name[0] != '.' &&
                rf_file_join(inner, paths[i], items[k]->d_name, NULL) == RF_OK &&
                is_directory(inner))
                st = list_one(inner, rows, json, &printed, err);
            free(items[k]);
        }
        free(items);
    }
    if (st == RF_OK && json)
        return print_json(json_pack("{s:o}", "checkpoints", rows), "ls", start_us, err);
    json_decref(rows);
    if (st == RF_OK && !printed)
        fprintf(stderr, "no checkpoints here\n");
    return st;
}

static void shape_text(char text[48], const struct rf_manifest_tensor *tensor)
{
    if (tensor->ndims == 1)
        snprintf(text, 48, "%lld", (long long)tensor->shape[0]);
    else
        snprintf(text, 48, "%lldx%lld", (long long)tensor->shape[0],
                 (long long)tensor->shape[1]);
}

static void show_text(const char *path, const struct rf_manifest *m)
{
    const struct rf_ckpt_info *info = &m->info;
    char hex[RF_DIGEST_HEX], shape[48];

    rf_digest_to_hex(&m->content, hex);
    printf("file       %s\nformat     ringfence-checkpoint, version %d\n", path,
           m->format_version);
    printf(
        "bytes      %lld\nstep       %lld\ntokens     %lld\nflops      %lld\nseed       %lld\n",
        (long long)m->file_bytes, (long long)info->step, (long long)info->tokens,
        (long long)info->flops, (long long)info->seed);
    printf("ranks      %d\njob        %s\naccount    %s\nmodel      %s\ntokenizer  %s\n",
           info->ranks, info->job, info->account, info->model, info->tokenizer);
    printf("config     %s\nwritten by %s\ncontent    %s\n\n", info->config, info->version, hex);
    printf("%-36s %14s  %s\n", "tensor", "shape", "SHA-256");
    for (int i = 0; i < m->ntensors; i++) {
        shape_text(shape, &m->tensors[i]);
        rf_digest_to_hex(&m->tensors[i].digest, hex);
        printf("%-36s %14s  %s\n", m->tensors[i].name, shape, hex);
    }
}

static json_t *manifest_json(const char *path, const struct rf_manifest *m)
{
    const struct rf_ckpt_info *info = &m->info;
    char hex[RF_DIGEST_HEX];
    json_t *doc = json_object(), *tensors = json_array();

    rf_digest_to_hex(&m->content, hex);
    json_object_set_new(doc, "path", json_string(path));
    json_object_set_new(doc, "format_version", json_integer(m->format_version));
    json_object_set_new(doc, "bytes", json_integer(m->file_bytes));
    json_object_set_new(doc, "content", json_string(hex));
    json_object_set_new(
        doc, "info",
        json_pack("{s:I, s:I, s:I, s:I, s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "step",
                  (json_int_t)info->step, "tokens", (json_int_t)info->tokens, "flops",
                  (json_int_t)info->flops, "seed", (json_int_t)info->seed, "ranks", info->ranks,
                  "job", info->job, "account", info->account, "model", info->model, "tokenizer",
                  info->tokenizer, "config", info->config, "version", info->version));
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &m->tensors[i];
        json_t *shape = json_array();

        rf_digest_to_hex(&t->digest, hex);
        for (int d = 0; d < t->ndims; d++)
            json_array_append_new(shape, json_integer(t->shape[d]));
        json_array_append_new(tensors, json_pack("{s:s, s:o, s:s}", "name", t->name, "shape",
                                                 shape, "sha256", hex));
    }
    json_object_set_new(doc, "tensors", tensors);
    return doc;
}

static enum rf_status show(const char *path, int json, struct rf_error *err)
{
    int64_t start_us = rf_time_us();
    struct rf_manifest *manifest = NULL;
    enum rf_status st = rf_ckpt_inspect(path, 0, &manifest, err);

    if (st != RF_OK)
        return st;
    if (json)
        st = print_json(manifest_json(path, manifest), "show", start_us, err);
    else
        show_text(path, manifest);
    rf_manifest_free(manifest);
    return st;
}

/* Every file is looked at. Not a checkpoint outweighs damaged, and both outweigh sound. */
static enum rf_status verify(char **paths, int npaths, int json, struct rf_error *err)
{
    int64_t start_us = rf_time_us();
    json_t *rows = json_array();
    enum rf_status worst = RF_OK, st;

    for (int i = 0; i < npaths; i++) {
        struct rf_manifest *manifest = NULL;
        struct rf_error one = {0};
        char hex[RF_DIGEST_HEX] = "";

        st = rf_ckpt_inspect(paths[i], 1, &manifest, &one);
        if (st == RF_OK)
            rf_digest_to_hex(&manifest->content, hex);
        if (json)
            json_array_append_new(
                rows, json_pack("{s:s, s:b, s:o, s:o}", "path", paths[i], "ok", st == RF_OK,
                                "content", st == RF_OK ? json_string(hex) : json_null(),
                                "problem", st == RF_OK ? json_null() : json_string(one.text)));
        else if (st == RF_OK)
            printf("sound    %s  %s\n", hex, paths[i]);
        else if (st == RF_NO)
            printf("DAMAGED  %s\n", one.text);
        if (st != RF_OK && (worst == RF_OK || (worst == RF_NO && st != RF_NO))) {
            worst = st;
            *err = one;
        }
        rf_manifest_free(manifest);
    }
    if (!json)
        json_decref(rows);
    else if (print_json(json_pack("{s:b, s:o}", "ok", worst == RF_OK, "files", rows), "verify",
                        start_us, &(struct rf_error){0}) != RF_OK)
        return rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    if (worst == RF_NO)
        err->text[0] = '\0'; /* the answer is on stdout already */
    return worst;
}

static enum rf_status checkpoint(const struct rf_group *world, int argc, char **argv,
                                 struct rf_error *err)
{
    int json = 0;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json", .flag = &json, .help = "print one JSON document"}, {0}};
    const struct rf_command_line line = {
        .usage = "checkpoint ls DIR...\ncheckpoint show FILE\ncheckpoint verify FILE...",
        .about =
            "Looks into checkpoints. 'ls' lists those of a directory and of the directories "
            "in it (a run has one for each job), 'show' prints what a file says about "
            "itself and its tensors, 'verify' reads everything and compares it with the "
            "digests: exit code 1 and the name of the tensor when a file is damaged, 2 "
            "when it is not a checkpoint.",
        .options = table,
        .min = 2,
        .max = -1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    if (strcmp(args.text[0], "ls") == 0)
        return list(args.text + 1, args.n - 1, json, err);
    if (strcmp(args.text[0], "verify") == 0)
        return verify(args.text + 1, args.n - 1, json, err);
    if (strcmp(args.text[0], "show") != 0)
        return rf_fail(err, RF_ERR_ARG,
                       "'%s' is not ls, show or verify; see 'ringfence checkpoint --help'",
                       args.text[0]);
    if (args.n > 2)
        return rf_fail(err, RF_ERR_ARG,
                       "'show' takes one file; see 'ringfence checkpoint --help'");
    return show(args.text[1], json, err);
}

const struct rf_command rf_command_checkpoint = {.name = "checkpoint",
                                                 .summary = "list, show and verify checkpoints",
                                                 .serial = 1,
                                                 .run = checkpoint};
