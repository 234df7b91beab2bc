#include "ckpt/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/envelope.h"
#include "ckpt/index.h"

/* The step of a name that name_of() would give with this ending, or -1. */
static int64_t step_of(const char *name, const char *ending)
{
    char again[64];
    long long step;
    char *end;

    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9')
        return -1;
    errno = 0;
    step = strtoll(name + 5, &end, 10);
    if (errno != 0)
        return -1;
    snprintf(again, sizeof again, "step-%08lld%s", step, ending);
    return strcmp(name, again) == 0 ? (int64_t)step : -1;
}

static enum rf_status path_of(char path[RF_PATH_BYTES], const char *dir, int64_t step,
                              const char *ending, struct rf_error *err)
{
    char name[64];

    snprintf(name, sizeof name, "step-%08lld%s", (long long)step, ending);
    return rf_file_join(path, dir, name, err);
}

enum rf_status rf_store_path(char path[RF_PATH_BYTES], const char *dir, int64_t step,
                             struct rf_error *err)
{
    return path_of(path, dir, step, ".h5", err);
}

enum rf_status rf_store_temp_path(char path[RF_PATH_BYTES], const char *dir, int64_t step,
                                  struct rf_error *err)
{
    return path_of(path, dir, step, ".tmp", err);
}

static int by_step(const void *a, const void *b)
{
    const struct rf_store_entry *x = a, *y = b;

    return (x->step > y->step) - (x->step < y->step);
}

/* The steps of all names with this ending; sizes are not filled. */
static enum rf_status scan(const char *dir, const char *ending, struct rf_store_entry **entries,
                           int *nentries, struct rf_error *err)
{
    DIR *d = opendir(dir);
    struct rf_store_entry *list = NULL;
    int n = 0, room = 0;
    struct dirent *item;

    *entries = NULL;
    *nentries = 0;
    if (d == NULL)
        return errno == ENOENT ? RF_OK
                               : rf_fail(err, RF_ERR_IO, "cannot read directory '%s': %s", dir,
                                         strerror(errno));
    while ((item = readdir(d)) != NULL) {
        int64_t step = step_of(item->d_name, ending);

        if (step < 0)
            continue;
        if (n == room) {
            struct rf_store_entry *more = realloc(list, (size_t)(room + 64) * sizeof *list);

            if (more == NULL) {
                free(list);
                closedir(d);
                return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", dir);
            }
            list = more;
            room += 64;
        }
        list[n++] = (struct rf_store_entry){.step = step};
    }
    closedir(d);
    if (n > 0)
        qsort(list, (size_t)n, sizeof *list, by_step);
    *entries = list;
    *nentries = n;
    return RF_OK;
}

enum rf_status rf_store_list(const char *dir, struct rf_store_entry **entries, int *nentries,
                             struct rf_error *err)
{
    enum rf_status st = scan(dir, ".h5", entries, nentries, err);

    for (int i = 0; st == RF_OK && i < *nentries; i++) {
        struct rf_store_entry *entry = &(*entries)[i];
        char path[RF_PATH_BYTES];

        st = rf_store_path(path, dir, entry->step, err);
        if (st == RF_OK)
            entry->complete = rf_envelope_check(path, 1, &entry->size_bytes, NULL) == RF_OK;
    }
    if (st != RF_OK) {
        free(*entries);
        *entries = NULL;
        *nentries = 0;
    }
    return st;
}

enum rf_status rf_store_newest_below(const char *dir, int64_t below, char path[RF_PATH_BYTES],
                                     int64_t *step, int *found, struct rf_error *err)
{
    struct rf_store_entry *entries;
    int n;
    enum rf_status st = rf_store_list(dir, &entries, &n, err);

    *found = 0;
    while (st == RF_OK && n > 0 && (!entries[n - 1].complete || entries[n - 1].step >= below))
        n--;
    if (st == RF_OK && n > 0) {
        *found = 1;
        *step = entries[n - 1].step;
        st = rf_store_path(path, dir, *step, err);
    }
    free(entries);
    return st;
}

enum rf_status rf_store_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                               int *found, struct rf_error *err)
{
    return rf_store_newest_below(dir, INT64_MAX, path, step, found, err);
}

static enum rf_status remove_step(const char *dir, int64_t step, const char *ending,
                                  struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = path_of(path, dir, step, ending, err);

    if (st == RF_OK && unlink(path) != 0 && errno != ENOENT)
        st = rf_fail(err, RF_ERR_IO, "cannot remove '%s': %s", path, strerror(errno));
    return st;
}

static const char latest[] = "latest", latest_temp[] = "latest.tmp";

enum rf_status rf_store_set_latest(const char *dir, int64_t step, struct rf_error *err)
{
    char path[RF_PATH_BYTES], temp[RF_PATH_BYTES], name[64];
    enum rf_status st = rf_file_join(path, dir, latest, err);

    if (st == RF_OK)
        st = rf_file_join(temp, dir, latest_temp, err);
    if (st != RF_OK)
        return st;
    snprintf(name, sizeof name, "step-%08lld.h5", (long long)step);
    unlink(temp); /* of an earlier crash */
    if (symlink(name, temp) != 0 || rename(temp, path) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return rf_file_sync_dir(dir, err);
}

void rf_store_choose(const struct rf_store_entry *entries, int n,
                     const struct rf_store_keep *keep, int64_t spare, int *may_go)
{
    int kept = 0;

    for (int i = n - 1; i >= 0; i--) {
        int by_number = keep->last <= 0 || kept < keep->last || kept == 0;
        int by_step = keep->every > 0 && entries[i].step % keep->every == 0;

        kept += entries[i].complete;
        may_go[i] = !by_number && !(by_step && entries[i].complete) && entries[i].step != spare;
    }
}

/* Keeps what the file at path refers to; entries are those before it. */
static enum rf_status protect_bases(const char *path, const struct rf_store_entry *entries,
                                    int n, int *may_go, struct rf_error *err)
{
    struct rf_envelope envelope;
    struct rf_index index = {0};
    enum rf_status st = rf_envelope_open(&envelope, path, err);

    if (st == RF_OK)
        st = rf_index_read(&index, envelope.rest, envelope.rest_bytes, path, err);
    else if (st != RF_ERR_MEMORY)
        memset(may_go, 0, (size_t)n * sizeof *may_go);
    for (int64_t t = 0; st == RF_OK && t < index.ntensors; t++)
        for (int i = n - 1; i >= 0 && index.tensors[t].base >= 0; i--)
            if (entries[i].step == index.tensors[t].base)
                may_go[i] = 0;
    rf_index_clear(&index);
    rf_envelope_clear(&envelope);
    return st == RF_ERR_MEMORY ? st : RF_OK;
}

enum rf_status rf_store_protect(const char *dir, const struct rf_store_entry *entries, int n,
                                int *may_go, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    int first = 0;
    enum rf_status st = RF_OK;

    while (first < n && !may_go[first])
        first++;
    for (int i = n - 1; st == RF_OK && i > first; i--) {
        if (may_go[i] || !entries[i].complete)
            continue;
        st = rf_store_path(path, dir, entries[i].step, err);
        if (st == RF_OK)
            st = protect_bases(path, entries, i, may_go, err);
    }
    return st;
}

enum rf_status rf_store_clean(const char *dir, struct rf_error *err)
{
    struct rf_store_entry *entries = NULL;
    int n;
    enum rf_status st = scan(dir, ".tmp", &entries, &n, err), one;
    char temp[RF_PATH_BYTES];
    struct rf_error other;

    for (int i = 0; st != RF_ERR_MEMORY && i < n; i++) {
        one = remove_step(dir, entries[i].step, ".tmp", st == RF_OK ? err : &other);
        st = st == RF_OK ? one : st;
    }
    free(entries);
    if (rf_file_join(temp, dir, latest_temp, NULL) == RF_OK)
        unlink(temp);
    return st;
}

enum rf_status rf_store_prune(const char *dir, const struct rf_store_keep *keep, int64_t spare,
                              struct rf_error *err)
{
    struct rf_store_entry *entries = NULL;
    int n = 0, *may_go = NULL;
    enum rf_status st = rf_store_clean(dir, err), one;
    struct rf_error other;

    if (st != RF_OK || keep->last <= 0)
        return st;
    st = rf_store_list(dir, &entries, &n, err);
    if (st == RF_OK && n > 0) {
        may_go = calloc((size_t)n, sizeof *may_go);
        if (may_go == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory while tidying '%s'", dir);
        else
            rf_store_choose(entries, n, keep, spare, may_go);
    }
    if (st == RF_OK && may_go != NULL)
        st = rf_store_protect(dir, entries, n, may_go, err);
    for (int i = n - 1; st != RF_ERR_MEMORY && may_go != NULL && i >= 0; i--) {
        if (!may_go[i])
            continue;
        one = remove_step(dir, entries[i].step, ".h5", st == RF_OK ? err : &other);
        st = st == RF_OK ? one : st;
    }
    free(may_go);
    free(entries);
    return st;
}
