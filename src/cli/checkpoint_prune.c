/* ringfence checkpoint prune: which checkpoints may go? By the rules of ckpt/store.h; what else
 * lies in a directory, temporary files of a save under way among it, is left alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ckpt/store.h"
#include "cli/checkpoint_verbs.h"

struct pruning {
    const struct rf_checkpoint_call *call;
    struct rf_store_keep keep;
    json_t *removed, *kept;
    int nremoved, nkept;
    int64_t bytes;
    enum rf_status st; /* the first removal that failed */
    struct rf_error failure;
};

/* The step that the link "latest" points to, or -1: after a resume from an older step it is
 * not the newest, and its run would miss it. */
static int64_t latest_step(const char *dir, const struct rf_store_entry *entries, int n)
{
    char link[RF_PATH_BYTES], target[RF_PATH_BYTES], path[RF_PATH_BYTES];
    ssize_t length = -1;

    if (rf_file_join(link, dir, "latest", NULL) == RF_OK)
        length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = '\0';
    for (int i = 0; i < n; i++)
        if (rf_store_path(path, dir, entries[i].step, NULL) == RF_OK &&
            strcmp(strrchr(path, '/') + 1, target) == 0)
            return entries[i].step;
    return -1;
}

/* One checkpoint: it goes, or it stays. */
static void settle(struct pruning *pruning, const char *path,
                   const struct rf_store_entry *entry, int may_go)
{
    const struct rf_checkpoint_call *call = pruning->call;

    if (may_go && !call->dry_run && unlink(path) != 0 && errno != ENOENT) {
        if (pruning->st == RF_OK)
            pruning->st = rf_fail(&pruning->failure, RF_ERR_IO, "cannot remove '%s': %s", path,
                                  strerror(errno));
        may_go = 0;
    }
    if (may_go)
        pruning->bytes += entry->size_bytes;
    *(may_go ? &pruning->nremoved : &pruning->nkept) += 1;
    if (call->json)
        json_array_append_new(
            may_go ? pruning->removed : pruning->kept,
            json_pack("{s:s, s:I, s:I, s:b}", "path", path, "step", (json_int_t)entry->step,
                      "bytes", (json_int_t)entry->size_bytes, "complete", entry->complete));
    else if (may_go)
        printf("%s %s\n", call->dry_run ? "would remove" : "removed", path);
}

static enum rf_status prune_one(const char *dir, void *to, struct rf_error *err)
{
    struct pruning *pruning = to;
    struct rf_store_entry *entries = NULL;
    int *may_go = NULL, n = 0;
    enum rf_status st = rf_store_list(dir, &entries, &n, err);

    if (st == RF_OK && n > 0) {
        may_go = calloc((size_t)n, sizeof *may_go);
        if (may_go == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the checkpoints in '%s'", dir);
        else
            rf_store_choose(entries, n, &pruning->keep, latest_step(dir, entries, n), may_go);
    }
    if (st == RF_OK && n > 0)
        st = rf_store_protect(dir, entries, n, may_go, err);
    for (int i = 0; st == RF_OK && i < n; i++) {
        char path[RF_PATH_BYTES];

        st = rf_store_path(path, dir, entries[i].step, err);
        if (st == RF_OK)
            settle(pruning, path, &entries[i], may_go[i]);
    }
    free(may_go);
    free(entries);
    return st;
}

enum rf_status rf_checkpoint_prune(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    struct pruning pruning = {.call = call, .removed = json_array(), .kept = json_array()};
    enum rf_status st = RF_OK;

    pruning.keep.last = call->keep_last > 0 ? (int)call->keep_last : 1;
    pruning.keep.every = call->keep_every > 0 ? call->keep_every : 0;
    if (call->keep_last < 0 && call->keep_every < 0)
        st = rf_fail(err, RF_ERR_ARG,
                     "'prune' needs --keep-last or --keep-every; see 'ringfence checkpoint "
                     "--help'");
    for (int i = 0; st == RF_OK && i < call->npaths; i++)
        st = rf_checkpoint_visit(call->paths[i], prune_one, &pruning, err);
    if (st == RF_OK && call->json)
        st = rf_checkpoint_print(call,
                                 json_pack("{s:b, s:I, s:O, s:O}", "dry_run", call->dry_run,
                                           "bytes", (json_int_t)pruning.bytes, "removed",
                                           pruning.removed, "kept", pruning.kept),
                                 "prune", err);
    else if (st == RF_OK)
        printf("%d %s, %lld bytes; %d %s\n", pruning.nremoved,
               call->dry_run ? "would go" : "removed", (long long)pruning.bytes, pruning.nkept,
               call->dry_run ? "would stay" : "kept");
    json_decref(pruning.removed);
    json_decref(pruning.kept);
    if (st == RF_OK && pruning.st != RF_OK) {
        *err = pruning.failure;
        st = pruning.st;
    }
    return st;
}
