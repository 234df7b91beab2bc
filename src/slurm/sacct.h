/* sacct.h - reading what `sacct -P` (parsable2) prints, row by row.
 *
 * Columns stand between '|', named by the header, in any choice and order; JobID is needed. What
 * a row means beside others (steps, requeued runs, components) is the caller's business. */
#ifndef RF_SLURM_SACCT_H
#define RF_SLURM_SACCT_H

#include <stdint.h>

#include "base/sheet.h"

/* What is counted as a device. */
enum rf_sacct_unit { RF_SACCT_GPUS, RF_SACCT_CPUS, RF_SACCT_NODES, RF_SACCT_NUNITS };

enum rf_sacct_column {
    RF_SACCT_JOB,
    RF_SACCT_CLUSTER,
    RF_SACCT_STATE,
    RF_SACCT_SUBMIT,
    RF_SACCT_ELIGIBLE,
    RF_SACCT_START,
    RF_SACCT_END,
    RF_SACCT_ELAPSED_RAW,
    RF_SACCT_ELAPSED,
    RF_SACCT_LIMIT_RAW,
    RF_SACCT_LIMIT,
    RF_SACCT_ALLOC_TRES,
    RF_SACCT_REQ_TRES,
    RF_SACCT_ALLOC_CPUS,
    RF_SACCT_REQ_CPUS,
    RF_SACCT_ALLOC_NODES,
    RF_SACCT_REQ_NODES,
    RF_SACCT_NAME,
    RF_SACCT_ACCOUNT,
    RF_SACCT_COMMENT,
    RF_SACCT_NCOLUMNS
};

struct rf_sacct {
    struct rf_sheet sheet;
    int column[RF_SACCT_NCOLUMNS]; /* -1: the header has none */
    enum rf_sacct_unit unit;
    const char *wrong;    /* with RF_ROW_BAD: what */
    struct rf_view value; /* ... and the cell; empty: the row as a whole */
};

struct rf_sacct_row {
    int64_t line;
    struct rf_view id;            /* as printed, without the step */
    int64_t job, task, component; /* -1: no array, not heterogeneous */
    int step;                     /* a step of a job: nothing below is set */
    uint64_t cluster;             /* a hash of its name */
    int submitted, started, ended;
    int64_t submit_us, start_us, end_us; /* since 1970; 0 when they are missing */
    int64_t eligible_us;                 /* it could have started from then on; 0: not said */
    int64_t run_us;                      /* 0: not said */
    int64_t limit_us;                    /* 0: unknown or none */
    int64_t devices;                     /* of the unit, given or else asked for; 0: not said */
    int unfinished;                      /* waiting or running when the table was printed */
    int requeued;                        /* this run did not count */
};

/* GPUs when the text mentions any, processors otherwise. */
enum rf_sacct_unit rf_sacct_unit_of(const char *text, size_t size_bytes);
/* Takes the header off; 0 without a JobID column. The text is borrowed. */
int rf_sacct_begin(struct rf_sacct *sacct, const char *text, size_t size_bytes,
                   enum rf_sacct_unit unit);
/* The next row; after RF_ROW_BAD (sacct->wrong, ->value, ->sheet.lines.number) the walk may go on. */
enum rf_row rf_sacct_next(struct rf_sacct *sacct, struct rf_sacct_row *row);
/* How many of the unit a list such as "cpu=4,gres/gpu=4,node=1" has, or several kinds of it together;
 * 0: none. */
int64_t rf_sacct_count(struct rf_view list, enum rf_sacct_unit unit);
/* A cell of the row that was read last; empty when there is no such column. */
struct rf_view rf_sacct_cell(const struct rf_sacct *sacct, enum rf_sacct_column column);

#endif
