/* checkpoint_verbs.h - what 'ringfence checkpoint' can do, a function per verb.
 *
 * ls, show and prune run on rank 0 alone, the others on all ranks of world together; only rank
 * 0 prints. */
#ifndef RF_CLI_CHECKPOINT_VERBS_H
#define RF_CLI_CHECKPOINT_VERBS_H

#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "mpi/group.h"

/* The command line behind the verb. */
struct rf_checkpoint_call {
    const struct rf_group *world;
    char **paths;
    int npaths;
    int64_t start_us;
    int json;
    int all, own_names, dry_run, weights_only, compress;
    const char *dtype;             /* NULL: not given */
    int64_t heads;                 /* 0: not given */
    int64_t keep_last, keep_every; /* -1: not given */
};

enum rf_status rf_checkpoint_ls(const struct rf_checkpoint_call *call, struct rf_error *err);
enum rf_status rf_checkpoint_show(const struct rf_checkpoint_call *call, struct rf_error *err);
enum rf_status rf_checkpoint_prune(const struct rf_checkpoint_call *call, struct rf_error *err);
enum rf_status rf_checkpoint_verify(const struct rf_checkpoint_call *call,
                                    struct rf_error *err);
enum rf_status rf_checkpoint_diff(const struct rf_checkpoint_call *call, struct rf_error *err);
enum rf_status rf_checkpoint_export(const struct rf_checkpoint_call *call,
                                    struct rf_error *err);
enum rf_status rf_checkpoint_import(const struct rf_checkpoint_call *call,
                                    struct rf_error *err);

enum rf_status rf_checkpoint_reshard(const struct rf_checkpoint_call *call,
                                     struct rf_error *err);

/* One document on stdout, with what every document has; takes doc over. */
enum rf_status rf_checkpoint_print(const struct rf_checkpoint_call *call, json_t *doc,
                                   const char *action, struct rf_error *err);

/* Calls visit for the directory itself, then for each one in it, by name: checkpoints/RUN holds
 * one per job. Links to directories count, what begins with a dot does not. */
enum rf_status rf_checkpoint_visit(const char *dir,
                                   enum rf_status (*visit)(const char *dir, void *to,
                                                           struct rf_error *err),
                                   void *to, struct rf_error *err);

/* "64x64" or "64". */
enum { RF_SHAPE_TEXT = 48 };
void rf_shape_text(char text[RF_SHAPE_TEXT], int ndims, const int64_t shape[2]);
json_t *rf_shape_json(int ndims, const int64_t shape[2]);

#endif
