/* ckpt_reader.h - a finished checkpoint, granule by granule, by whoever wants to look at it.
 *
 * Every rank that reads opens the file for itself: what it needs before the values is small. No
 * value leaves a reader before its digest was checked. */
#ifndef RF_MPI_CKPT_READER_H
#define RF_MPI_CKPT_READER_H

#include <stdint.h>

#include "ckpt/manifest.h"
#include "ckpt/pump.h"
#include "mpi/group.h"

/* The most values that are read at a time: 16 MiB, unless one row has more. */
enum { RF_BAND_VALUES = 1 << 22 };

/* Granules of one tensor that follow each other: the unit of reading. */
struct rf_band {
    int tensor;
    int64_t first, ngranules; /* by index */
    int64_t row, nrows;
};

struct rf_ckpt_reader;

/* Local: checks seal and structure. RF_ERR_INPUT: no checkpoint, or of a version this program
 * does not know; RF_NO: damaged. End it with rf_ckpt_reader_close(). */
enum rf_status rf_ckpt_reader_open(struct rf_ckpt_reader **reader, const char *path,
                                   struct rf_error *err);
/* Collective on group; the status is agreed, path is the same everywhere. */
enum rf_status rf_ckpt_reader_open_all(struct rf_ckpt_reader **reader,
                                       const struct rf_group *group, const char *path,
                                       struct rf_error *err);
void rf_ckpt_reader_close(struct rf_ckpt_reader *reader);

/* All below are local. The manifest is owned by the reader. */
const struct rf_manifest *rf_ckpt_reader_manifest(const struct rf_ckpt_reader *reader);

/* How many granules the file has, tensor by tensor. */
int64_t rf_ckpt_reader_count(const struct rf_ckpt_reader *reader);
/* The index of a tensor's first granule; of ntensors: the count of all. */
int64_t rf_ckpt_reader_first(const struct rf_ckpt_reader *reader, int tensor);
const struct rf_digest *rf_ckpt_reader_digest(const struct rf_ckpt_reader *reader,
                                              int64_t index);

/* The longest band that begins with granule `index` and ends before granule `end`. */
struct rf_band rf_ckpt_reader_band(const struct rf_ckpt_reader *reader, int64_t index,
                                   int64_t end);
/* Values of the largest band: enough room for any. */
int64_t rf_ckpt_reader_room(const struct rf_ckpt_reader *reader);

/* The file that holds the tensor's values as they are: this one, or one that it refers to. NULL
 * when they are packed there: rf_ckpt_reader_read() is the only way then. */
const char *rf_ckpt_reader_path(const struct rf_ckpt_reader *reader, int tensor);
/* Says, by RF_NO, that the granule from this row on is not what was written. */
enum rf_status rf_ckpt_reader_damaged(const struct rf_ckpt_reader *reader, int tensor,
                                      int64_t row, struct rf_error *err);
/* Where the band lies in that file, for whoever reads it in another way; digests is left NULL. */
struct rf_stretch rf_ckpt_reader_stretch(const struct rf_ckpt_reader *reader,
                                         const struct rf_band *band);

/* The band's rows [nrows][columns] into values. RF_NO: they do not fit their digests; the text
 * names the tensor and the rows of the first granule that does not. */
enum rf_status rf_ckpt_reader_read(struct rf_ckpt_reader *reader, const struct rf_band *band,
                                   float *values, struct rf_error *err);

#endif
