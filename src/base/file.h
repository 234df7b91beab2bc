/* file.h - whole files in, whole files out, and the time.
 *
 * A file that is written here is there completely or not at all: temporary
 * name in the same directory, fsync, rename, fsync of the directory. */
#ifndef RF_BASE_FILE_H
#define RF_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RF_PATH_BYTES = 1024 };

/* Reads a file into *data, which the caller frees; a NUL follows the last
 * byte and is not counted. Gzip files (.gz by content) are unpacked. More
 * than max_bytes is RF_ERR_INPUT; cannot open or read is RF_ERR_INPUT too,
 * because the name came from a user. */
enum rf_status rf_file_read(const char *path, size_t max_bytes, char **data, size_t *size_bytes,
                            struct rf_error *err);

/* Exactly size_bytes of an open file, from offset on; path is for the message. A file that ends too
 * early is RF_NO ("is cut short"), any other failure RF_ERR_INPUT. */
enum rf_status rf_file_read_at(int fd, const char *path, void *to, size_t size_bytes,
                               uint64_t offset, struct rf_error *err);

/* Writes size_bytes to path, atomically and durably. */
enum rf_status rf_file_write(const char *path, const void *data, size_t size_bytes,
                             struct rf_error *err);

/* The same of what `next` says, part by part: it sets *data and *size_bytes to a part that stays good
 * until it is called again, and returns 0 when there is no more. */
enum rf_status rf_file_write_parts(const char *path,
                                   int (*next)(void *ctx, const char **data,
                                               size_t *size_bytes),
                                   void *ctx, struct rf_error *err);

/* The same without waiting for the disk: readers see the old file or the new one, and after a power
 * failure perhaps neither. */
enum rf_status rf_file_replace(const char *path, const void *data, size_t size_bytes,
                               struct rf_error *err);

/* Makes a directory and its parents; an existing one is fine. */
enum rf_status rf_file_mkdir(const char *path, struct rf_error *err);
/* Makes a rename or a new file in dir durable. */
enum rf_status rf_file_sync_dir(const char *dir, struct rf_error *err);
int rf_file_exists(const char *path);
/* Removes a directory with all that is in it; links are removed, not followed. One that is not
 * there is fine. On failure part of it may be gone. */
enum rf_status rf_file_remove_tree(const char *dir, struct rf_error *err);

/* dir + "/" + name into a buffer of RF_PATH_BYTES; RF_ERR_ARG when it is too long. */
enum rf_status rf_file_join(char path[RF_PATH_BYTES], const char *dir, const char *name,
                            struct rf_error *err);

/* Wall clock, UTC, microseconds since 1970; and a clock that never jumps. */
int64_t rf_time_utc_us(void);
int64_t rf_time_us(void);

#endif
