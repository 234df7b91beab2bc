/* ledger_file.h - what ledger.c (writing) and ledger_read.c share; nobody else includes it. */
#ifndef RF_ALLOC_LEDGER_FILE_H
#define RF_ALLOC_LEDGER_FILE_H

#include "alloc/ledger.h"
#include "alloc/tree.h"

/* The whole of an open file, from its start; the caller frees *data. */
enum rf_status rf_ledger_slurp(int fd, const char *path, char **data, size_t *size,
                               struct rf_error *err);

/* What a check leaves behind for whoever goes on writing. */
struct rf_ledger_end {
    struct rf_tree tree;
    struct rf_digest last;        /* of the last line */
    size_t good_bytes;            /* up to and with the last LF */
    size_t seal_bytes;            /* complete seals */
    int seals_torn;               /* something follows them that is the start of a seal */
    char origin[RF_ORIGIN_BYTES]; /* of the seals; empty when there are none */
};

/* rf_ledger_verify() on a ledger in memory; the seals are read from path.seals. */
enum rf_status rf_ledger_check_data(const char *path, const char *data, size_t size,
                                    const char *vkey, rf_ledger_visit *visit, void *ctx,
                                    struct rf_ledger_check *check, struct rf_ledger_end *end,
                                    struct rf_error *err);

/* Where the neighbours of a ledger lie: path + suffix (".seals", ".pub"). */
enum rf_status rf_ledger_beside(char out[RF_PATH_BYTES], const char *path, const char *suffix,
                                struct rf_error *err);

#endif
