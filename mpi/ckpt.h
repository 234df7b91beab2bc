/* ckpt.h - checkpoints: one parallel HDF5 file per step, whole logical tensors inside.
 *
 * dir/step-00000120.h5, committed by temporary name, fsync, agreement and rename;
 * readers see a checkpoint whole or not at all. Format: checkpoints/FORMAT.md. A
 * checkpoint can be read by any number of ranks in any slicing. */
#ifndef RF_MPI_CKPT_H
#define RF_MPI_CKPT_H

#include "base/digest.h"
#include "base/file.h"
#include "base/tensor.h"
#include "ckpt/manifest.h"
#include "ckpt/store.h"
#include "mpi/group.h"

/* ---- saving ------------------------------------------------------------------------------- */

/* Values that come from elsewhere than memory: fills room with rows of a tensor, as they are
 * stored (base/tensor.h). Local; the tensors then need no data, and slices of whole granules. */
struct rf_ckpt_source {
    enum rf_status (*fill)(void *arg, int tensor, int64_t row, int64_t nrows, void *room,
                           struct rf_error *err);
    void *arg;
};

struct rf_ckpt_options {
    const struct rf_ckpt_source *source; /* borrowed; NULL: the tensors' data */
    struct rf_store_keep keep;           /* what stays after a save; zeroed: everything */
    int background; /* the save goes on while the caller trains; costs a copy */
    int still; /* values stay as they are until the save has ended: most are written from where they
                * lie. Not with background */
    const char *config_text; /* the run's configuration, to be kept in the file, or NULL */
    int cached;              /* through the page cache; 0: past it where possible */
    int by_hdf5;             /* values through parallel HDF5 itself: the reference, slower */
    int share; /* tensors that are as the checkpoint before has them are not written
                              * again: the file refers to the one that holds them (ckpt_share.h) */
};

struct rf_ckpt_saver;

/* Collective on group, which outlives the saver; dir, names and shapes are equal everywhere.
 * Tensors are borrowed with their data: their values are read at each save. The caller ends
 * *saver with rf_ckpt_saver_destroy(). In the background mode the saver has room for a copy of
 * what this rank writes, at most its share of the state and one run; else for 64 MiB. */
enum rf_status rf_ckpt_saver_create(struct rf_ckpt_saver **saver, const struct rf_group *group,
                                    const char *dir, const struct rf_ckpt_options *options,
                                    const struct rf_tensor *tensors, int ntensors,
                                    struct rf_error *err);
/* Local: leaves a save that was not waited for unfinished, as a crash would. */
void rf_ckpt_saver_destroy(struct rf_ckpt_saver *saver);

/* Collective, and no save may be under way: starts the checkpoint of info->step. When it returns, the
 * tensors may change, unless options.still says that they do not. After a failure nothing is under way, and earlier checkpoints are
 * as they were. */
enum rf_status rf_ckpt_saver_begin(struct rf_ckpt_saver *saver, const struct rf_ckpt_info *info,
                                   struct rf_error *err);

/* A checkpoint that readers see. */
struct rf_ckpt_saved {
    int committed; /* 0: nothing new */
    int64_t step;
    char path[RF_PATH_BYTES];
    struct rf_digest content; /* over all tensors and their names, whatever the layout */
    int nshared;              /* tensors that lie in files of earlier steps */
};

/* Local, the same everywhere. */
int rf_ckpt_saver_busy(const struct rf_ckpt_saver *saver);
/* Collective: what has become of the save? With wait it comes back when that is known, else
 * at once. A failure is reported once, on every rank, and leaves earlier checkpoints as they
 * were; nothing is under way then. */
enum rf_status rf_ckpt_saver_poll(struct rf_ckpt_saver *saver, int wait,
                                  struct rf_ckpt_saved *saved, struct rf_error *err);

/* Collective: all of it in one call, without background; keeps the newest `keep` (0: all). */
enum rf_status rf_ckpt_save(const struct rf_group *group, const char *dir,
                            const struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, int keep, char path[RF_PATH_BYTES],
                            struct rf_digest *content, struct rf_error *err);

/* ---- loading ------------------------------------------------------------------------------ */

/* Collective. Fills the data of the given tensors from the file, each rank its own slice; other
 * tensors of the file are left alone. A tensor that is missing, or of another shape, is
 * RF_ERR_INPUT ("checkpoint from another model") and names both shapes; nothing is changed
 * then. Digests are checked before a value is handed on; when one does not fit, on any rank, every rank
 * gets RF_ERR_INPUT, info is unchanged, and the tensors are part old, part new: not to be used. */
enum rf_status rf_ckpt_load(const struct rf_group *group, const char *path,
                            struct rf_ckpt_info *info, const struct rf_tensor *tensors,
                            int ntensors, struct rf_error *err);

/* Local. The newest complete checkpoint in dir, by step; *found = 0 when there is none.
 * Leftovers of a crash (temporary names) are ignored here and removed by the next save. */
enum rf_status rf_ckpt_newest(const char *dir, char path[RF_PATH_BYTES], int64_t *step,
                              int *found, struct rf_error *err);

/* Local, one process (opens serially): reads the manifest; with verify, all data too. */
struct rf_manifest;
enum rf_status rf_ckpt_inspect(const char *path, int verify, struct rf_manifest **manifest,
                               struct rf_error *err);

#endif
