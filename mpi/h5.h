/* h5.h - HDF5 files in about a dozen functions; only h5.c includes hdf5.h.
 *
 * A collective HDF5 call that fails on one rank alone leaves the others waiting. So structure
 * is made by one process with a file of its own (rf_h5_create), and the shared file is opened
 * by all ranks only to fill arrays that are there already, each transfer independent of the
 * others. HDF5's own messages stay off stderr; what it said goes into struct rf_error. */
#ifndef RF_MPI_H5_H
#define RF_MPI_H5_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mpi/group.h"

struct rf_h5;

/* Arrays of at least so many bytes begin on page borders: a direct writer needs that. */
enum { RF_H5_ALIGNED_FROM = 1 << 16 };

/* What an array holds; RF_H5_NAME is a fixed string of RF_TENSOR_NAME bytes. All little-endian.
 * RF_H5_BF16 is a true floating-point type of two bytes, which HDF5 turns into others when
 * asked to; read and written as RF_H5_BF16 it is uint16_t in memory. */
enum rf_h5_type { RF_H5_F32, RF_H5_F64, RF_H5_I64, RF_H5_U8, RF_H5_NAME, RF_H5_BF16 };

/* Local: a new file with user_block bytes (0, or a power of two from 512) left free in front. What HDF5
 * writes about its objects stays together as long as it fits structure_bytes; 0: wherever HDF5 puts
 * it, between the arrays. */
enum rf_status rf_h5_create(struct rf_h5 **file, const char *path, size_t user_block,
                            size_t structure_bytes, struct rf_error *err);
/* Local, read only; RF_ERR_INPUT when it is not there or not HDF5. */
enum rf_status rf_h5_open(struct rf_h5 **file, const char *path, struct rf_error *err);
/* Local, for writing what is packed into arrays that are there. */
enum rf_status rf_h5_open_alone(struct rf_h5 **file, const char *path, struct rf_error *err);
/* Collective, for writing rows; the status is agreed. path is the same on every rank. */
enum rf_status rf_h5_open_shared(struct rf_h5 **file, const struct rf_group *group,
                                 const char *path, struct rf_error *err);
/* Local for a file of one's own; collective for a shared one, the status not yet agreed. Frees
 * *file whatever happens; data is with the operating system only when this returned RF_OK. */
enum rf_status rf_h5_close(struct rf_h5 *file, struct rf_error *err);

/* All below are local. Names are paths within the file; parents must be there (HDF5
 * would put the time into groups that it makes by itself). Only files from rf_h5_create() take
 * new objects. */
enum rf_status rf_h5_group(struct rf_h5 *file, const char *name, struct rf_error *err);
enum rf_status rf_h5_put_int(struct rf_h5 *file, const char *object, const char *name,
                             int64_t value, struct rf_error *err);
enum rf_status rf_h5_put_text(struct rf_h5 *file, const char *object, const char *name,
                              const char *text, struct rf_error *err);
/* Of another type, missing, or longer than size - 1: RF_ERR_INPUT. */
enum rf_status rf_h5_get_text(struct rf_h5 *file, const char *object, const char *name,
                              char *text, size_t size, struct rf_error *err);

/* Makes an array of ndims 1 or 2 whose place in the file is fixed at once; its values are
 * whatever is there until they are written. *offset, unless it is NULL, gets where its bytes start,
 * from the beginning of the file. */
enum rf_status rf_h5_array(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int ndims, const int64_t *shape, uint64_t *offset,
                           struct rf_error *err);
/* The same in chunks of whole rows, each shuffled and deflated; no value has a place yet. */
enum rf_status rf_h5_packed_array(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                                  int ndims, const int64_t *shape, int64_t chunk_rows,
                                  struct rf_error *err);
/* A link to the object of the same name in another file, whose name is relative to this one's
 * directory; nobody looks whether it is there. */
enum rf_status rf_h5_elsewhere(struct rf_h5 *file, const char *name, const char *other,
                               struct rf_error *err);
/* RF_ERR_INPUT when there is no such array of this type; a second dimension that is not there
 * is 1. */
enum rf_status rf_h5_shape(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int *ndims, int64_t shape[2], struct rf_error *err);

/* Whole rows row .. row + nrows - 1. */
enum rf_status rf_h5_write(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                           int64_t row, int64_t nrows, const void *data, struct rf_error *err);
enum rf_status rf_h5_read(struct rf_h5 *file, const char *name, enum rf_h5_type type,
                          int64_t row, int64_t nrows, void *data, struct rf_error *err);

/* A packed array's chunk that begins with this row, as its filters would leave it; and where its
 * bytes begin, as HDF5 says: some versions count from the end of the user block. */
enum rf_status rf_h5_write_packed(struct rf_h5 *file, const char *name, int64_t row,
                                  const void *bytes, size_t size, struct rf_error *err);
enum rf_status rf_h5_packed_offset(struct rf_h5 *file, const char *name, int64_t row,
                                   uint64_t *offset, struct rf_error *err);

/* For tests of what happens when a disk fails: when set, it is asked before every step that may
 * fail ("create", "open", "write", "close", "read", and those of ckpt.c); an errno that it
 * returns makes that step fail as if the system had said so. NULL, and never set, elsewhere. */
extern int (*rf_h5_fault)(const char *step);
/* RF_OK, or the failure that rf_h5_fault wants for this step. */
enum rf_status rf_h5_fault_at(const char *step, const char *path, struct rf_error *err);

/* Local: the library's version, whether it writes in parallel, and whether it is thread safe. */
void rf_h5_library(char *version, size_t size, int *parallel, int *thread_safe);

#endif
