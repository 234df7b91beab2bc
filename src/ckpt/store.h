/* store.h - a directory of checkpoints: which steps are there, newest, or may go.
 *
 * One file per step, step-00000120.h5, and a link, latest, to the newest. A file with such a name was put there by a rename
 * after everything in it was on disk; while it is written it is called step-00000120.tmp. */
#ifndef RF_CKPT_STORE_H
#define RF_CKPT_STORE_H

#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

struct rf_store_entry {
    int64_t step;
    int64_t size_bytes;
    int complete; /* of the length that its header says */
};

/* The name of a step's file in dir, committed or temporary. step >= 0. */
enum rf_status rf_store_path(char path[RF_PATH_BYTES], const char *dir, int64_t step,
                             struct rf_error *err);
enum rf_status rf_store_temp_path(char path[RF_PATH_BYTES], const char *dir, int64_t step,
                                  struct rf_error *err);

/* The checkpoints in dir by ascending step, into *entries, which the caller frees. A directory
 * that is not there has none; one that cannot be read is RF_ERR_IO. Other files are ignored. */
enum rf_status rf_store_list(const char *dir, struct rf_store_entry **entries, int *nentries,
                             struct rf_error *err);

/* The newest complete one of a step below `below`; *found = 0 when there is none. */
enum rf_status rf_store_newest_below(const char *dir, int64_t below, char path[RF_PATH_BYTES],
                                     int64_t *step, int *found, struct rf_error *err);
/* The same of all steps. */
enum rf_status rf_store_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                               int *found, struct rf_error *err);

/* Points dir/latest, a symbolic link, at the checkpoint of a step: at once, so that whoever opens it gets the
 * one before or this. It is for people and tools; rf_store_newest() looks at the files. */
enum rf_status rf_store_set_latest(const char *dir, int64_t step, struct rf_error *err);

/* Which checkpoints stay: the newest `last` complete ones (0: all), and those whose step is a
 * multiple of `every` (0: no more than those). The newest complete one always stays. */
struct rf_store_keep {
    int last;
    int64_t every;
};

/* 1 for each of the entries, ascending, that may go. spare: as below. */
void rf_store_choose(const struct rf_store_entry *entries, int n,
                     const struct rf_store_keep *keep, int64_t spare, int *may_go);

/* Of those that may go, the ones stay whose values a file refers to that stays: what stays can be
 * read whole. A file that stays but is damaged keeps all before it: nobody knows what it refers
 * to, and they are what is left. Only memory can be short. */
enum rf_status rf_store_protect(const char *dir, const struct rf_store_entry *entries, int n,
                                int *may_go, struct rf_error *err);

/* Removes temporary files that a crash left. Call it only when nobody writes to dir. */
enum rf_status rf_store_clean(const char *dir, struct rf_error *err);

/* The same, and checkpoints that may go. The one of step `spare` (-1: none) stays in any case:
 * after a resume from an older step it may be older than files of the time before. Goes on after
 * a file that cannot be removed, and reports the first such. */
enum rf_status rf_store_prune(const char *dir, const struct rf_store_keep *keep, int64_t spare,
                              struct rf_error *err);

#endif
