/* segments.h - stretches of training between two checkpoints of the ledger, and which to repeat.
 *
 * Training is a function of the configuration, the step and the number of ranks, so a stretch
 * that is run again has to end in the same bits. Which stretches are run is drawn with the last
 * sealed head as the seed: nobody can know it, or steer it, before the ledger is finished. */
#ifndef RF_AUDIT_SEGMENTS_H
#define RF_AUDIT_SEGMENTS_H

#include "alloc/state.h"
#include "audit/watch.h"

struct rf_segment {
    int32_t job, lease;
    int ranks;
    int same_lease; /* the job went on from the checkpoint at its beginning, without reading it */
    int64_t from_step, to_step;    /* from_step 0: from the beginning */
    int64_t seq;                   /* line of the checkpoint at its end */
    char from_path[RF_TEXT_BYTES]; /* "" from the beginning; below the checkpoint directory */
    char from_digest[65];
    char digest[65]; /* at its end, as the ledger has it */
};

struct rf_segments {
    struct rf_segment *items; /* owned, in order of the ledger */
    int n;
};

/* From the checkpoints that the watch has seen. */
enum rf_status rf_segments_find(struct rf_segments *segments,
                                const struct rf_audit_watch *watch, struct rf_error *err);
/* The order in which they are drawn: order[n], a permutation; the caller frees it. head: the
 * last sealed head as base64. */
enum rf_status rf_segments_draw(int32_t **order, const struct rf_segments *segments,
                                const char *head, struct rf_error *err);
void rf_segments_clear(struct rf_segments *segments);

#endif
