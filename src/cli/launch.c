#include "cli/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "job/key.h"

/* Collective: the file's text, the same on every rank; the caller frees it. */
static enum rf_status share_text(const struct rf_group *world, const char *path, char **text,
                                 size_t *size, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *text = NULL;
    *size = 0;
    if (world->rank == 0)
        st = rf_file_read(path, RF_CONFIG_MAX_BYTES, text, size, err);
    st = rf_agree(world, st, err);
    if (st != RF_OK)
        return st;
    rf_group_bcast(world, size, sizeof *size, 0);
    if (world->rank != 0) {
        *text = malloc(*size + 1);
        if (*text == NULL)
            st = rf_fail(err, RF_ERR_MEMORY, "out of memory: a configuration of %zu bytes",
                         *size);
    }
    st = rf_agree(world, st, err);
    if (st == RF_OK)
        rf_group_bcast(world, *text, *size, 0);
    return st;
}

static enum rf_status name_paths(struct rf_launch *launch, const char *out,
                                 struct rf_error *err)
{
    const struct rf_run_spec *spec = &launch->spec;
    enum rf_status st;

    if (out != NULL && (out[0] == '\0' || strlen(out) >= RF_PATH_BYTES))
        return rf_fail(err, RF_ERR_ARG, "not a usable run directory: '%.80s'", out);
    if (out != NULL) {
        memcpy(launch->run_dir, out, strlen(out) + 1);
        st = rf_file_join(launch->ckpt_dir, out, "checkpoints", err);
    } else {
        st = rf_file_join(launch->run_dir, spec->out, spec->name, err);
        if (st == RF_OK)
            st = rf_file_join(launch->ckpt_dir, spec->checkpoints, spec->name, err);
    }
    if (st == RF_OK)
        st = rf_file_join(launch->ledger_path, launch->run_dir, "ledger.jsonl", err);
    return st;
}

enum rf_status rf_launch_open(struct rf_launch *launch, const struct rf_group *world,
                              const char *path, const struct rf_text_list *set, const char *out,
                              struct rf_error *err)
{
    char *text;
    size_t size;
    enum rf_status st;

    *launch = (struct rf_launch){0};
    st = share_text(world, path, &text, &size, err);
    if (st == RF_OK)
        st = rf_config_parse(&launch->spec, text, size, path, set->items, set->n, err);
    free(text);
    if (st == RF_OK)
        st = rf_job_plan_expand(&launch->plan, &launch->spec, err);
    if (st == RF_OK && launch->spec.cache[0] != '\0')
        st = rf_job_keys_fill(&launch->plan, RF_VERSION, err);
    if (st == RF_OK)
        st = rf_config_digest(&launch->spec, launch->digest, err);
    if (st == RF_OK)
        st = name_paths(launch, out, err);
    if (st == RF_OK)
        rf_debug(
            "%d jobs on %d ranks; run directory '%s', checkpoints in '%s', configuration %s",
            launch->plan.njobs, world->size, launch->run_dir, launch->ckpt_dir, launch->digest);
    return rf_agree(world, st, err);
}

void rf_launch_clear(struct rf_launch *launch)
{
    rf_job_plan_clear(&launch->plan);
    rf_submissions_clear(&launch->submitted);
    rf_run_spec_clear(&launch->spec);
}

/* A file in every directory that a run has made: only those are ever removed. */
static const char MARK[] = "ringfence-run";

/* Local. */
static enum rf_status remove_marked(const char *dir, struct rf_error *err)
{
    char mark[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(mark, dir, MARK, err);

    if (st == RF_OK && rf_file_exists(dir) && !rf_file_exists(mark))
        return rf_fail(err, RF_ERR_ARG, "'%s' was not made by a run, so it is not removed",
                       dir);
    return st == RF_OK ? rf_file_remove_tree(dir, err) : st;
}

/* Local. */
static enum rf_status make_marked(const char *dir, const char *name, struct rf_error *err)
{
    char mark[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(mark, dir, MARK, err);

    if (st == RF_OK)
        st = rf_file_mkdir(dir, err);
    return st == RF_OK ? rf_file_write(mark, name, strlen(name), err) : st;
}

/* Local: a resumed run must be the run that was begun. */
static enum rf_status check_same_config(const struct rf_launch *launch, const char *text,
                                        struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    char *before = NULL;
    size_t size;
    enum rf_status st = rf_file_join(path, launch->run_dir, "config.cfg", err);

    if (st == RF_OK && !rf_file_exists(path))
        return rf_fail(err, RF_ERR_ARG, "there is no run in '%s' to resume", launch->run_dir);
    if (st == RF_OK)
        st = rf_file_read(path, RF_CONFIG_MAX_BYTES, &before, &size, err);
    if (st == RF_OK && strcmp(before, text) != 0)
        st = rf_fail(
            err, RF_ERR_CONFIG,
            "the configuration differs from '%s', with which the run was begun; resume with "
            "that one, or start anew with --force",
            path);
    free(before);
    return st;
}

/* Local. */
static enum rf_status make_directories(struct rf_launch *launch, enum rf_launch_mode mode,
                                       const char *text, size_t size, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = RF_OK;

    if (mode == RF_LAUNCH_RESUME)
        return check_same_config(launch, text, err);
    if (mode == RF_LAUNCH_FORCE)
        st = remove_marked(launch->ckpt_dir, err);
    else if (rf_file_exists(launch->run_dir))
        return rf_fail(err, RF_ERR_ARG,
                       "the run directory '%s' exists; --resume continues that run, --force "
                       "replaces it, --out names another",
                       launch->run_dir);
    else if (rf_file_exists(launch->ckpt_dir))
        return rf_fail(err, RF_ERR_ARG,
                       "the checkpoint directory '%s' is left over from another run; --force "
                       "removes it",
                       launch->ckpt_dir);
    if (st == RF_OK && mode == RF_LAUNCH_FORCE)
        st = remove_marked(launch->run_dir, err);
    if (st == RF_OK)
        st = make_marked(launch->run_dir, launch->spec.name, err);
    if (st == RF_OK)
        st = make_marked(launch->ckpt_dir, launch->spec.name, err);
    if (st == RF_OK && launch->spec.cache[0] != '\0')
        st = rf_file_mkdir(launch->spec.cache, err);
    if (st == RF_OK)
        st = rf_file_join(path, launch->run_dir, "jobs", err);
    if (st == RF_OK)
        st = rf_file_mkdir(path, err);
    if (st == RF_OK)
        st = rf_file_join(path, launch->run_dir, "config.cfg", err);
    if (st == RF_OK)
        st = rf_file_write(path, text, size, err);
    return st;
}

enum rf_status rf_launch_directories(struct rf_launch *launch, const struct rf_group *world,
                                     enum rf_launch_mode mode, struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_config_write(&launch->spec, &text, &size, err);

    if (st == RF_OK && world->rank == 0)
        st = make_directories(launch, mode, text, size, err);
    free(text);
    return rf_agree(world, st, err);
}

enum rf_status rf_launch_run_directory(const char *dir, const char *name, int force,
                                       const char *config, size_t size_bytes,
                                       struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = RF_OK;

    if (force)
        st = remove_marked(dir, err);
    else if (rf_file_exists(dir))
        return rf_fail(
            err, RF_ERR_ARG,
            "the run directory '%s' exists; --force replaces it, --out names another", dir);
    if (st == RF_OK)
        st = make_marked(dir, name, err);
    if (st == RF_OK)
        st = rf_file_join(path, dir, "config.cfg", err);
    return st == RF_OK ? rf_file_write(path, config, size_bytes, err) : st;
}

enum rf_status rf_launch_key(struct rf_key **key, const char *path, struct rf_error *err)
{
    char own[RF_PATH_BYTES], public_path[RF_PATH_BYTES];
    enum rf_status st;

    *key = NULL;
    if (path[0] != '\0')
        return rf_key_load(key, path, err);
    st = rf_key_default_path(own, err);
    if (st == RF_OK && !rf_file_exists(own)) {
        snprintf(public_path, sizeof public_path, "%.*s.pub", RF_PATH_BYTES - 8, own);
        st = rf_key_generate(own, public_path, "ringfence", err);
    }
    return st == RF_OK ? rf_key_load(key, own, err) : st;
}
