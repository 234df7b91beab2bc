/* ringfence checkpoint ls, show, verify: what is there, and is it still what was written? */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/ticker.h"
#include "ckpt/store.h"
#include "cli/checkpoint_verbs.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_verify.h"

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

enum rf_status rf_checkpoint_visit(const char *dir,
                                   enum rf_status (*visit)(const char *dir, void *to,
                                                           struct rf_error *err),
                                   void *to, struct rf_error *err)
{
    struct dirent **items = NULL;
    int n = scandir(dir, &items, NULL, NULL);
    enum rf_status st;

    if (n < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot read directory '%s': %s", dir,
                       strerror(errno));
    if (n > 0)
        qsort(items, (size_t)n, sizeof *items, by_name);
    st = visit(dir, to, err);
    for (int k = 0; k < n; k++) {
        char inner[RF_PATH_BYTES];

        if (st == RF_OK && items[k]->d_name[0] != '.' &&
            rf_file_join(inner, dir, items[k]->d_name, NULL) == RF_OK && is_directory(inner))
            st = visit(inner, to, err);
        free(items[k]);
    }
    free(items);
    return st;
}

/* What ls collects. */
struct listing {
    json_t *rows; /* NULL: a table for people */
    int printed;
};

static enum rf_status list_one(const char *dir, void *to, struct rf_error *err)
{
    struct listing *listing = to;
    struct rf_store_entry *entries = NULL;
    int n = 0;
    enum rf_status st = rf_store_list(dir, &entries, &n, err);

    for (int i = 0; st == RF_OK && i < n; i++) {
        const struct rf_store_entry *entry = &entries[i];
        char path[RF_PATH_BYTES];

        st = rf_store_path(path, dir, entry->step, err);
        if (st != RF_OK)
            break;
        if (listing->rows != NULL)
            json_array_append_new(
                listing->rows,
                json_pack("{s:s, s:I, s:I, s:b}", "path", path, "step", (json_int_t)entry->step,
                          "bytes", (json_int_t)entry->size_bytes, "complete", entry->complete));
        else if (listing->printed++ == 0)
            printf("%10s %14s  %-8s  %s\n", "step", "bytes", "complete", "file");
        if (listing->rows == NULL)
            printf("%10lld %14lld  %-8s  %s\n", (long long)entry->step,
                   (long long)entry->size_bytes, entry->complete ? "yes" : "no", path);
    }
    free(entries);
    return st;
}

enum rf_status rf_checkpoint_ls(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    struct listing listing = {.rows = call->json ? json_array() : NULL};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < call->npaths; i++)
        st = rf_checkpoint_visit(call->paths[i], list_one, &listing, err);
    if (st == RF_OK && call->json)
        return rf_checkpoint_print(call, json_pack("{s:o}", "checkpoints", listing.rows), "ls",
                                   err);
    json_decref(listing.rows);
    if (st == RF_OK && !listing.printed)
        fprintf(stderr, "no checkpoints here\n");
    return st;
}

/* How a tensor is kept: "fp32", "bf16 packed", "fp32 in step-00000100.h5". */
enum { KEPT_TEXT = 64 };
static void kept_text(char text[KEPT_TEXT], const struct rf_manifest_tensor *t)
{
    const char *type = t->stored == RF_STORED_BF16 ? "bf16" : "fp32";

    if (t->base >= 0)
        snprintf(text, KEPT_TEXT, "%s in step-%08lld.h5", type, (long long)t->base);
    else
        snprintf(text, KEPT_TEXT, "%s%s", type, t->packed ? " packed" : "");
}

static void show_text(const char *path, const struct rf_manifest *m)
{
    const struct rf_ckpt_info *info = &m->info;
    char hex[RF_DIGEST_HEX], shape[RF_SHAPE_TEXT], kept[KEPT_TEXT];

    rf_digest_to_hex(&m->content, hex);
    printf("file       %s\nformat     ringfence-checkpoint, version %d\n", path,
           m->format_version);
    printf(
        "bytes      %lld\nstep       %lld\ntokens     %lld\nflops      %lld\nseed       %lld\n",
        (long long)m->file_bytes, (long long)info->step, (long long)info->tokens,
        (long long)info->flops, (long long)info->seed);
    printf("ranks      %d\njob        %s\naccount    %s\nmodel      %s\ntokenizer  %s\n",
           info->ranks, info->job, info->account, info->model, info->tokenizer);
    printf("config     %s\nwritten by %s\n", info->config, info->version);
    if (info->ledger_entries > 0)
        printf("ledger     %s over %lld entries\n", info->ledger_head,
               (long long)info->ledger_entries);
    printf("content    %s\n\n%-36s %14s  %-64s  %s\n", hex, "tensor", "shape", "SHA-256",
           "kept");
    for (int i = 0; i < m->ntensors; i++) {
        rf_shape_text(shape, m->tensors[i].ndims, m->tensors[i].shape);
        rf_digest_to_hex(&m->tensors[i].digest, hex);
        kept_text(kept, &m->tensors[i]);
        printf("%-36s %14s  %s  %s\n", m->tensors[i].name, shape, hex, kept);
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
        json_pack("{s:I, s:I, s:I, s:I, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "step",
                  (json_int_t)info->step, "tokens", (json_int_t)info->tokens, "flops",
                  (json_int_t)info->flops, "seed", (json_int_t)info->seed, "ranks", info->ranks,
                  "job", info->job, "account", info->account, "model", info->model, "tokenizer",
                  info->tokenizer, "config", info->config, "version", info->version,
                  "ledger_entries", (json_int_t)info->ledger_entries, "ledger_head",
                  info->ledger_head));
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &m->tensors[i];

        rf_digest_to_hex(&t->digest, hex);
        json_array_append_new(
            tensors,
            json_pack("{s:s, s:o, s:s, s:s, s:b, s:o}", "name", t->name, "shape",
                      rf_shape_json(t->ndims, t->shape), "sha256", hex, "type",
                      t->stored == RF_STORED_BF16 ? "bf16" : "fp32", "packed", t->packed,
                      "base", t->base >= 0 ? json_integer((json_int_t)t->base) : json_null()));
    }
    json_object_set_new(doc, "tensors", tensors);
    return doc;
}

enum rf_status rf_checkpoint_show(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    const char *path = call->paths[0];
    struct rf_manifest *manifest = NULL;
    enum rf_status st = rf_ckpt_inspect(path, 0, &manifest, err);

    if (st != RF_OK)
        return st;
    if (call->json)
        st = rf_checkpoint_print(call, manifest_json(path, manifest), "show", err);
    else
        show_text(path, manifest);
    rf_manifest_free(manifest);
    return st;
}

/* What one file's check found, on rank 0. */
static void report(const struct rf_checkpoint_call *call, const char *path, json_t *rows,
                   enum rf_status st, const struct rf_digest *content,
                   const struct rf_error *said)
{
    char hex[RF_DIGEST_HEX] = "";

    if (st == RF_OK)
        rf_digest_to_hex(content, hex);
    if (call->json)
        json_array_append_new(
            rows, json_pack("{s:s, s:b, s:o, s:o}", "path", path, "ok", st == RF_OK, "content",
                            st == RF_OK ? json_string(hex) : json_null(), "problem",
                            st == RF_OK ? json_null() : json_string(said->text)));
    else if (st == RF_OK)
        printf("sound    %s  %s\n", hex, path);
    else if (st == RF_NO)
        printf("DAMAGED  %s\n", said->text);
}

/* Every file is looked at. Not a checkpoint outweighs damaged, and both outweigh sound. */
enum rf_status rf_checkpoint_verify(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    json_t *rows = json_array();
    enum rf_status worst = RF_OK, st;

    for (int i = 0; i < call->npaths; i++) {
        struct rf_digest content;
        struct rf_error one = {0};
        struct rf_bar bar;

        rf_bar_start(&bar, call->paths[i], call->world->rank == 0);
        st = rf_ckpt_verify(call->world, call->paths[i], &bar.watch, &content, &one);
        rf_bar_end(&bar);
        if (call->world->rank == 0)
            report(call, call->paths[i], rows, st, &content, &one);
        if (st != RF_OK && (worst == RF_OK || (worst == RF_NO && st != RF_NO))) {
            worst = st;
            *err = one;
        }
    }
    st = RF_OK;
    if (call->json && call->world->rank == 0)
        st = rf_checkpoint_print(call,
                                 json_pack("{s:b, s:O}", "ok", worst == RF_OK, "files", rows),
                                 "verify", &(struct rf_error){0});
    json_decref(rows);
    if (st != RF_OK)
        return rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    if (worst == RF_NO)
        err->text[0] = '\0'; /* the answer is on stdout already */
    return worst;
}
