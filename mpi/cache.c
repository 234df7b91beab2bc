#include "mpi/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/log.h"
#include "ckpt/store.h"
#include "job/record.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 40;

/* The files that a job may leave, behind its name; the metrics say that it is done. */
static const char *const kinds[] = {"metrics",        "curve",      "labels",
                                    "test",           "stops",      "validation.labels",
                                    "agreement.test", "oracle.test"};
enum { NKINDS = sizeof kinds / sizeof *kinds, CONTENT_BYTES = 4096 };

/* One file on its way: digest of what was copied. */
static enum rf_status copy_file(const char *from, const char *to, char hex[RF_DIGEST_HEX],
                                struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    struct rf_digest digest;
    enum rf_status st = rf_file_read(from, FILE_BYTES_MAX, &data, &size, err);

    if (st != RF_OK)
        return st;
    digest = rf_digest_of(data, size);
    rf_digest_to_hex(&digest, hex);
    st = rf_file_write(to, data, size, err);
    free(data);
    return st;
}

static enum rf_status run_path(char path[RF_PATH_BYTES], const struct rf_job_context *ctx,
                               const struct rf_planned_job *job, const char *kind,
                               struct rf_error *err)
{
    int n = snprintf(path, RF_PATH_BYTES, "%s/jobs/%s.%s", ctx->run_dir, job->name, kind);

    return n > 0 && n < RF_PATH_BYTES
               ? RF_OK
               : rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", ctx->run_dir);
}

/* Where a file of a kept job belongs in the run; "" when it is none that we know. */
static enum rf_status place_of(char path[RF_PATH_BYTES], const struct rf_job_context *ctx,
                               const struct rf_planned_job *job, const char *name,
                               struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    enum rf_status st;

    path[0] = '\0';
    for (int k = 0; k < NKINDS; k++)
        if (strncmp(name, "job.", 4) == 0 && strcmp(name + 4, kinds[k]) == 0)
            return run_path(path, ctx, job, kinds[k], err);
    if (strncmp(name, "step-", 5) != 0 || strchr(name, '/') != NULL)
        return RF_OK;
    st = rf_file_join(dir, ctx->ckpt_dir, job->name, err);
    if (st == RF_OK)
        st = rf_file_mkdir(dir, err);
    return st == RF_OK ? rf_file_join(path, dir, name, err) : st;
}

/* ---- taking */

/* One line of `content`: the file to its place. *fits: it was what the line says. */
static enum rf_status take_file(const struct rf_job_context *ctx,
                                const struct rf_planned_job *job, const char *dir,
                                struct rf_view line, int *fits, struct rf_error *err)
{
    char name[200], from[RF_PATH_BYTES], to[RF_PATH_BYTES], hex[RF_DIGEST_HEX];
    size_t head = RF_DIGEST_HEX + 1;
    enum rf_status st;

    *fits = 0;
    if (line.size_bytes <= head || line.size_bytes - head >= sizeof name)
        return RF_OK;
    snprintf(name, sizeof name, "%.*s", (int)(line.size_bytes - head), line.bytes + head);
    st = place_of(to, ctx, job, name, err);
    if (st == RF_OK)
        st = rf_file_join(from, dir, name, err);
    if (st != RF_OK || to[0] == '\0' || !rf_file_exists(from))
        return st;
    st = copy_file(from, to, hex, err);
    *fits = st == RF_OK && memcmp(hex, line.bytes, RF_DIGEST_HEX - 1) == 0;
    return st;
}

/* The metrics last: they say that everything is there. A line more says where they come from. */
static enum rf_status mark_taken(const struct rf_job_context *ctx,
                                 const struct rf_planned_job *job, struct rf_error *err)
{
    struct rf_metrics metrics;
    enum rf_status st = rf_record_metrics_read(&metrics, ctx->run_dir, job->name, err);

    rf_metrics_add(&metrics, "cached", 1);
    return st == RF_OK ? rf_record_metrics_write(&metrics, ctx->run_dir, job->name, err) : st;
}

enum rf_status rf_cache_take(const struct rf_job_context *ctx, const struct rf_planned_job *job,
                             int *found, struct rf_error *err)
{
    char dir[RF_PATH_BYTES], path[RF_PATH_BYTES], *content = NULL;
    size_t size = 0;
    struct rf_lines lines;
    struct rf_view line;
    int fits = 1;
    enum rf_status st;

    *found = 0;
    if (ctx->cache_dir == NULL || job->key[0] == '\0')
        return RF_OK;
    st = rf_file_join(dir, ctx->cache_dir, job->key, err);
    if (st == RF_OK)
        st = rf_file_join(path, dir, "content", err);
    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = rf_file_read(path, CONTENT_BYTES, &content, &size, err);
    lines = rf_lines_begin(content, st == RF_OK ? size : 0);
    while (st == RF_OK && fits && rf_lines_next(&lines, &line))
        st = take_file(ctx, job, dir, line, &fits, err);
    free(content);
    if (st == RF_OK && (!fits || lines.number == 0)) {
        rf_warn_alone("'%s' is damaged and goes; job '%s' runs", dir, job->name);
        return rf_file_remove_tree(dir, err);
    }
    *found = st == RF_OK;
    return st == RF_OK ? mark_taken(ctx, job, err) : st;
}

/* ---- keeping */

static enum rf_status keep_file(const char *dir, const char *from, const char *name,
                                char *content, struct rf_error *err)
{
    char to[RF_PATH_BYTES], hex[RF_DIGEST_HEX];
    size_t used = strlen(content);
    enum rf_status st = rf_file_join(to, dir, name, err);

    if (st == RF_OK)
        st = copy_file(from, to, hex, err);
    if (st == RF_OK)
        snprintf(content + used, CONTENT_BYTES - used, "%s  %s\n", hex, name);
    return st;
}

static enum rf_status keep_checkpoint(const struct rf_job_context *ctx,
                                      const struct rf_planned_job *job, const char *dir,
                                      char *content, struct rf_error *err)
{
    char from[RF_PATH_BYTES], path[RF_PATH_BYTES];
    int64_t step;
    int found = 0;
    enum rf_status st = rf_file_join(from, ctx->ckpt_dir, job->name, err);

    if (st == RF_OK)
        st = rf_store_newest(from, path, &step, &found, err);
    if (st == RF_OK && !found)
        return rf_fail(err, RF_ERR_IO, "there is no checkpoint in '%s'", from);
    return st == RF_OK ? keep_file(dir, path, strrchr(path, '/') + 1, content, err) : st;
}

static enum rf_status fill(const struct rf_job_context *ctx, const struct rf_planned_job *job,
                           const char *dir, struct rf_error *err)
{
    char content[CONTENT_BYTES] = "", path[RF_PATH_BYTES], name[64];
    enum rf_status st = RF_OK;

    for (int k = 0; st == RF_OK && k < NKINDS; k++) {
        st = run_path(path, ctx, job, kinds[k], err);
        snprintf(name, sizeof name, "job.%s", kinds[k]);
        if (st == RF_OK && rf_file_exists(path))
            st = keep_file(dir, path, name, content, err);
    }
    if (st == RF_OK && job->role == RF_ROLE_PRETRAIN)
        st = keep_checkpoint(ctx, job, dir, content, err);
    if (st == RF_OK)
        st = rf_file_join(path, dir, "content", err);
    return st == RF_OK ? rf_file_write(path, content, strlen(content), err) : st;
}

enum rf_status rf_cache_keep(const struct rf_job_context *ctx, const struct rf_planned_job *job,
                             struct rf_error *err)
{
    char dir[RF_PATH_BYTES], temporary[RF_PATH_BYTES], name[100];
    struct rf_error ignored;
    enum rf_status st;

    if (ctx->cache_dir == NULL || job->key[0] == '\0')
        return RF_OK;
    snprintf(name, sizeof name, "tmp-%.16s-%ld", job->key, (long)getpid());
    st = rf_file_join(dir, ctx->cache_dir, job->key, err);
    if (st == RF_OK)
        st = rf_file_join(temporary, ctx->cache_dir, name, err);
    if (st == RF_OK && rf_file_exists(dir))
        return RF_OK;
    if (st == RF_OK)
        st = rf_file_mkdir(temporary, err);
    if (st == RF_OK)
        st = fill(ctx, job, temporary, err);
    if (st == RF_OK && rename(temporary, dir) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        st = rf_fail(err, RF_ERR_IO, "cannot rename '%s': %s", temporary, strerror(errno));
    if (st == RF_OK)
        st = rf_file_sync_dir(ctx->cache_dir, err);
    if (rf_file_exists(temporary))
        (void)rf_file_remove_tree(temporary, &ignored);
    return st;
}
