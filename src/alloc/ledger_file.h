/* ledger_file.h - what the files of the ledger share; nobody else includes it.
 *
 * ledger.c writes, ledger_read.c checks lines, ledger_seals.c seals, and ledger_prove.c makes
 * proofs. */
#ifndef RF_ALLOC_LEDGER_FILE_H
#define RF_ALLOC_LEDGER_FILE_H

#include "alloc/ledger.h"
#include "alloc/tree.h"

/* The whole of an open file, from its start; the caller frees *data. */
enum rf_status rf_ledger_slurp(int fd, const char *path, char **data, size_t *size,
                               struct rf_error *err);

enum rf_status rf_ledger_slurp_path(const char *path, char **data, size_t *size,
                                    struct rf_error *err);

/* The seals of a ledger, on the way through its lines. Starts as all zeros. */
struct rf_seals {
    char *text; /* owned by the caller, once opened: the whole file */
    size_t size, at;
    struct rf_vkey vkey;           /* in force: the next seal must be signed by it */
    struct rf_vkey pinned, beside; /* asked for; beside the ledger */
    struct rf_vkey announce; /* in force after the seal that covers the line that names it */
    int have_vkey, have_pinned, have_beside, announced;
    int trusted; /* a seal that fits is signed by the pinned key, or none was asked for */
    struct rf_seal next;
    int has_next;
    int64_t count, covered; /* seals read; lines under the last that was turned */
    char origin[RF_ORIGIN_BYTES];
    int torn; /* what follows the last seal is the start of one */
    char problem[400];
};

/* Reads the seals beside the ledger and opens the first. vkey may be NULL: then the key beside
 * the ledger counts. What is wrong with the seals is no failure, but the problem. */
enum rf_status rf_seals_open(struct rf_seals *seals, const char *path, const char *vkey,
                             struct rf_error *err);
/* A line that the next seal covers names this key. */
enum rf_status rf_seals_announce(struct rf_seals *seals, const char *vkey,
                                 struct rf_error *err);
/* The next seal fits: on to the one after it. */
void rf_seals_turn(struct rf_seals *seals);
/* After the last line. */
void rf_seals_end(struct rf_seals *seals);

/* What a check leaves behind for whoever goes on writing. */
struct rf_ledger_end {
    struct rf_tree tree;
    struct rf_digest last;        /* of the last line */
    size_t good_bytes;            /* up to and with the last LF */
    size_t seal_bytes;            /* complete seals */
    int seals_torn;               /* something follows them that is the start of a seal */
    char origin[RF_ORIGIN_BYTES]; /* of the seals; empty when there are none */
    int have_vkey, announced;
    struct rf_vkey vkey, announce; /* in force; and in force after the next seal */
};

/* RF_ERR_INPUT: this is no ledger at all. */
enum rf_status rf_ledger_resembles(const char *path, const char *data, size_t size,
                                   struct rf_error *err);
/* rf_ledger_verify() on a ledger in memory; the seals are read from path.seals. */
enum rf_status rf_ledger_check_data(const char *path, const char *data, size_t size,
                                    const char *vkey, rf_ledger_visit *visit, void *ctx,
                                    struct rf_ledger_check *check, struct rf_ledger_end *end,
                                    struct rf_error *err);

/* Where the neighbours of a ledger lie: path + suffix (".seals", ".pub"). */
enum rf_status rf_ledger_beside(char out[RF_PATH_BYTES], const char *path, const char *suffix,
                                struct rf_error *err);

#endif
