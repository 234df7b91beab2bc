/* replay_parts.h - what the files of replay.h share; nobody else includes it. */
#ifndef RF_SIM_REPLAY_PARTS_H
#define RF_SIM_REPLAY_PARTS_H

#include "sim/replay.h"

/* A job while the ledger is read; times as in the ledger. */
struct rf_course {
    int64_t work_us;  /* device-time of this attempt that counts */
    int64_t since_us; /* this lease: it works since then, as far as that is counted */
    int64_t checkpoint_us, checkpoint_work_us; /* this lease: its last, and the work by then */
    int64_t grant_us;
    int64_t checkpoints,
        span_us; /* all leases: how many, and from grants to the last of each */
    struct rf_replay_seen stop, restart;
    int64_t stopping,
        starting;          /* the sample of this stop (the next one says whether the job was
                                   through), of this start; -1: none is open */
    int64_t lease_work_us; /* the work when the lease began */
    int32_t nattempts, account; /* account: as requested */
    int read;                   /* this lease has had its first reading */
    int asked;                  /* this lease was asked to leave for good */
    int limited;                /* ... and so it ended */
};

struct rf_failed_attempt { /* that failed, in order of time */
    int32_t job;
    struct rf_workload_attempt how;
};

enum rf_cost {
    RF_COST_STOP,
    RF_COST_THROUGH,
    RF_COST_RESTART,
    RF_COST_KEPT,
    RF_COST_READ_US,   /* when something was read that an allowance goes by... */
    RF_COST_READ_FLOPS /* ... and what it was; these two stand together */
};

struct rf_cost_sample { /* of a job, in order of time */
    int32_t job;
    enum rf_cost cost;
    int64_t value; /* -1: it did not come to that */
};

struct rf_replay_reader {
    struct rf_replay *r;
    const struct rf_replay_options *o;
    struct rf_retake *retake;
    struct rf_course *courses;
    struct rf_workload_request *requests;
    struct rf_failed_attempt *attempts;
    struct rf_cost_sample *samples;
    int64_t *submits;
    int32_t room, nattempts;
    int reads; /* there are readings among the samples */
    int64_t nsamples, samples_room, attempts_room, records_room, steps_room, changes_room;
    int64_t close_us;       /* of a close that nothing followed yet; -1 */
    int64_t last_us;        /* of the line before */
    struct rf_change fleet; /* the last change of it */
    enum rf_status failed;  /* not the ledger's fault */
    struct rf_error error;
};

/* Room for one more than n in an array that grows by doubling; NULL: out of memory, and the array
 * is as it was. */
void *rf_replay_room(void *array, int64_t n, int64_t *room, size_t size, struct rf_error *err);
int64_t rf_replay_since_start(const struct rf_replay_reader *d, int64_t t_us);

/* ---- replay_world.c: what happened to the coordinator */

enum rf_status rf_replay_take_request(struct rf_replay_reader *d, const struct rf_event *e,
                                      struct rf_error *err);
enum rf_status rf_replay_take_pledge(struct rf_replay_reader *d, const struct rf_event *e,
                                     struct rf_error *err);
enum rf_status rf_replay_take_policy(struct rf_replay_reader *d, const struct rf_event *e,
                                     struct rf_error *err);
enum rf_status rf_replay_take_capacity(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err);
/* Before the event is applied. */
enum rf_status rf_replay_take_recovery(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err);
/* Something that somebody did: it happens again as it stands. */
enum rf_status rf_replay_add_record(struct rf_replay_reader *d, const struct rf_event *e,
                                    struct rf_error *err);
/* "order+fence" */
void rf_replay_split_policy(const char *text, char order[16], char fence[16]);

/* ---- replay_course.c: how long jobs took */

/* Before the event is applied, and after. */
enum rf_status rf_replay_course_before(struct rf_replay_reader *d, const struct rf_event *e,
                                       struct rf_error *err);
void rf_replay_course_granted(struct rf_replay_reader *d, const struct rf_event *e);

/* ---- replay_fill.c: from all that to a workload and a world */

enum rf_status rf_replay_fill(struct rf_replay_reader *d, const char *path,
                              struct rf_error *err);

#endif
