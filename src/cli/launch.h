/* launch.h - what `run` and `train` do before they start: configuration, plan, directories. */
#ifndef RF_CLI_LAUNCH_H
#define RF_CLI_LAUNCH_H

#include "alloc/seal.h"
#include "base/file.h"
#include "cli/options.h"
#include "cli/submissions.h"
#include "job/plan.h"
#include "mpi/group.h"

enum rf_launch_mode {
    RF_LAUNCH_NEW,    /* the run directory must not exist yet */
    RF_LAUNCH_FORCE,  /* an earlier run of the same name is removed */
    RF_LAUNCH_RESUME, /* the run directory must exist, with the same configuration */
};

struct rf_launch {
    struct rf_run_spec spec;
    struct rf_job_plan
        plan; /* what was submitted included, as far as this rank has needed it */
    struct rf_submissions submitted;
    char digest[65]; /* of the effective configuration */
    char run_dir[RF_PATH_BYTES], ckpt_dir[RF_PATH_BYTES], ledger_path[RF_PATH_BYTES];
};

/* Collective on world. Rank 0 reads the file, every rank parses the same text. out: the run
 * directory, or NULL for the one that the configuration names; with out, checkpoints go
 * to out/checkpoints. The caller ends *launch with rf_launch_clear() in any case. */
enum rf_status rf_launch_open(struct rf_launch *launch, const struct rf_group *world,
                              const char *path, const struct rf_text_list *set, const char *out,
                              struct rf_error *err);
void rf_launch_clear(struct rf_launch *launch);

/* Collective on world: rank 0 makes the directories and writes config.cfg. */
enum rf_status rf_launch_directories(struct rf_launch *launch, const struct rf_group *world,
                                     enum rf_launch_mode mode, struct rf_error *err);

/* Local: makes a run directory with config.cfg in it. An earlier one is refused, or
 * removed with `force`, but only when a run has made it. */
enum rf_status rf_launch_run_directory(const char *dir, const char *name, int force,
                                       const char *config, size_t size_bytes,
                                       struct rf_error *err);

/* Local: the secret key in that file, or, for "", the user's own, which is made on first use.
 * The caller ends it with rf_key_free(). */
enum rf_status rf_launch_key(struct rf_key **key, const char *path, struct rf_error *err);

#endif
