/* bench_plain.h - what a disk gives to whoever only writes or reads: the limit for checkpoints.
 *
 * Every rank writes its share of a file out of memory that is warm, and syncs: through the page cache, or
 * past it with one, two or eight requests at a time. Reading the same, of a file that is not in memory.
 * The limit is the way whose median over all rounds is fastest: the fastest of each round would be the
 * luckiest of four tries, beside which one try of ours is always slow on a noisy disk. */
#ifndef RF_MPI_BENCH_PLAIN_H
#define RF_MPI_BENCH_PLAIN_H

#include <stdint.h>

#include "base/error.h"
#include "mpi/group.h"

enum { RF_PLAIN_PIECE = 8 << 20, RF_PLAIN_WAYS = 4 };

struct rf_plain {
    const struct rf_group *group;
    const char *dir;
    int64_t bytes; /* of a file */
    unsigned char
        *piece; /* borrowed: to write [RF_PLAIN_PIECE], and to read into [2] of them */
    int slow[2][RF_PLAIN_WAYS]; /* ways of reading and writing that are not tried again */
};

/* Collective: a clock that starts when all are there; seconds since, of the slowest rank. */
double rf_bench_start(const struct rf_group *group);
double rf_bench_stop(const struct rf_group *group, double since);

/* Local: what removed files left to do for the disk is not the next one's to wait for. */
void rf_plain_settle(const struct rf_plain *b);
/* Local: out of the page cache, as far as the system lets go of it. */
void rf_plain_forget(const char *path);

/* Collective, agreed: a new file gets places on the disk that another has just left, or others that
 * nobody ever wrote to, which need not be equally fast. So before each write that is timed, ours or
 * plain, a file of the same size is written and removed. */
enum rf_status rf_plain_even_out(const struct rf_plain *b, const char *path,
                                 struct rf_error *err);

/* Collective: one round, every way once; 0 seconds: the file system does not do it this way, or it took
 * twice as long as another in a round before, and is not tried again. */
enum rf_status rf_plain_round(struct rf_plain *b, const char *path, int writing,
                              double seconds[RF_PLAIN_WAYS], struct rf_error *err);
const char *rf_plain_way(int way);
/* Collective, agreed: once, untimed. */
enum rf_status rf_plain_read(const struct rf_plain *b, const char *path, struct rf_error *err);

#endif
