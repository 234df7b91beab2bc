#include "audit/segments.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/rng.h"

/* The last checkpoint of the job before number i; -1: none. */
static int before(const struct rf_audit_watch *watch, int i)
{
    for (int k = i - 1; k >= 0; k--)
        if (watch->checkpoints[k].job == watch->checkpoints[i].job)
            return k;
    return -1;
}

enum rf_status rf_segments_find(struct rf_segments *segments,
                                const struct rf_audit_watch *watch, struct rf_error *err)
{
    *segments = (struct rf_segments){NULL, 0};
    if (watch->ncheckpoints == 0)
        return RF_OK;
    segments->items = calloc((size_t)watch->ncheckpoints, sizeof *segments->items);
    if (segments->items == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d stretches of training",
                       watch->ncheckpoints);
    for (int i = 0; i < watch->ncheckpoints; i++) {
        const struct rf_seen_checkpoint *to = &watch->checkpoints[i];
        int k = before(watch, i);
        struct rf_segment *s = &segments->items[segments->n];

        /* After a crash a job may come back to an older checkpoint and pass the same steps. */
        while (k >= 0 && watch->checkpoints[k].step >= to->step)
            k = before(watch, k);
        if (to->digest[0] == '\0' || (k >= 0 && watch->checkpoints[k].digest[0] == '\0'))
            continue;
        *s = (struct rf_segment){.job = to->job,
                                 .lease = to->lease,
                                 .ranks = to->devices,
                                 .to_step = to->step,
                                 .seq = to->seq};
        memcpy(s->digest, to->digest, sizeof s->digest);
        if (k >= 0) {
            s->from_step = watch->checkpoints[k].step;
            s->same_lease = watch->checkpoints[k].lease == to->lease;
            memcpy(s->from_digest, watch->checkpoints[k].digest, sizeof s->from_digest);
            memcpy(s->from_path, watch->checkpoints[k].path, sizeof s->from_path);
        }
        segments->n++;
    }
    return RF_OK;
}

enum rf_status rf_segments_draw(int32_t **order, const struct rf_segments *segments,
                                const char *head, struct rf_error *err)
{
    struct rf_digest digest = rf_digest_of(head, strlen(head));
    uint64_t seed = 0;
    int32_t *drawn = calloc((size_t)segments->n + 1, sizeof *drawn);

    *order = NULL;
    if (drawn == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a draw from %d", segments->n);
    for (int i = 0; i < 8; i++)
        seed = seed << 8 | digest.bytes[i];
    rf_rng_shuffle(seed, rf_rng_stream("re-execution", 0), drawn, segments->n);
    *order = drawn;
    return RF_OK;
}

void rf_segments_clear(struct rf_segments *segments)
{
    free(segments->items);
    *segments = (struct rf_segments){NULL, 0};
}
