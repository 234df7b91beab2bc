/* definition_rules.h - what the files of the definitions share; nobody else includes it.
 *
 * definition.c hears of events; definition_promise.c knows how promises begin and change,
 * definition_wish.c what each job goes without, definition_time.c sums up as time passes, and
 * definition_judge.c judges. */
#ifndef RF_ALLOC_DEFINITION_RULES_H
#define RF_ALLOC_DEFINITION_RULES_H

#include "alloc/definition.h"

enum { RF_WAIT_BUCKETS = 64 * 60 };

/* What a job could have used more since its account was pledged, up to since_us, and when it
 * last could; in which promises it lay in the share. */
struct rf_wish {
    int64_t unmet_us, since_us, last_us;
    uint32_t in_share; /* bit 0: as first made, bit 1: as changed; bit 2: answered */
};

/* Sums since an account was pledged; the same for both its promises. */
struct rf_given {
    struct rf_wide delivered_us, wanted_us, offered_us, dark_us;
};

/* Cells of one length, aligned with the start of the run. */
struct rf_cells {
    int64_t length_us, next_us;              /* next_us: the end of the cell now */
    struct rf_definition_sample *samples[2]; /* owned, at the ends of cells; per promise */
    struct rf_wide *refused_us;              /* owned: unmet time of refused jobs, by cell */
    int64_t spans_us[RF_SLIDING_N];          /* windows that end with a cell; 0: none */
    int32_t nsamples, room; /* samples[0] is the pledge's date; cell k begins with sample k */
};

/* One promise of an account, while it is gathered. */
struct rf_gathering {
    struct rf_promise promise;
    int64_t capacity_us, carry; /* not promised yet; and the fraction that is left */
    int64_t stock_us, stock_carry, plus_us, plus_carry;
    struct rf_wide promised_us, paced_us, paced_plus_us; /* sums */
    int64_t horizon_us;                                  /* the stock's end; INT64_MAX: none */
    int32_t stock_devices;
    int32_t peak; /* most that fleet + down has been */
    int past_horizon;
    struct rf_definition_sample at_horizon; /* unmet_us[0]: since the date */
    int64_t short_us;                       /* since when it has less than INST says; -1: not */
    struct rf_stretch at_short;             /* the sums then */
    int64_t *waits;                         /* owned: RF_WAIT_BUCKETS counts */
    struct rf_stretch late, denied;         /* the first request of each kind; begin -1: none */
};

struct rf_pledged {
    int32_t account, group; /* group: in the tally */
    int64_t since_us, done_us;
    struct rf_given given;
    struct rf_wide refused_us;
    struct rf_gathering promises[2]; /* as first made; as changed */
    int npromises;
    struct rf_cells steps, windows;
    int32_t held, lent;     /* devices; lent: borrowed, of these */
    int64_t wanted, usable; /* of the group since the last event */
    int moved;              /* what INST compares is not as it was when it was looked at */
    int64_t asking;         /* sum of min of ready jobs in the queue */
};

struct rf_definitions {
    struct rf_definition_options options;
    struct rf_tally *tally; /* who asks for what; owned, unless it was lent */
    int lent_tally;
    struct rf_pledged *accounts; /* owned */
    int naccounts;
    struct rf_wish *wishes; /* owned, by job id */
    int32_t wishes_room;
    int32_t *newly; /* owned: jobs that waited for others before the event */
    int32_t nnewly, newly_room;
    int64_t border_us;          /* the first end of a cell to come */
    int32_t fleet, nfree, lent; /* since the last event */
    int32_t largest_fleet;      /* so far */
    int closed;
    struct { /* the event's job, before the event */
        int32_t devices, lent, account;
        int part, queued;
    } was;
};

static inline int64_t rf_sum(int64_t a, int64_t b) /* or the largest number */
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static inline int64_t rf_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t rf_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What of min(promised, asked) was not delivered; negative when more was. */
static inline struct rf_wide rf_shortfall(const struct rf_stretch *s)
{
    return rf_wide_minus(rf_wide_least(s->promised_us, s->asked_us), s->delivered_us);
}

/* Running, or queued and ready. */
static inline int rf_part_of_demand(const struct rf_state *state, const struct rf_job *job)
{
    return job->lease >= 0 || rf_state_ready(state, job);
}

/* ---- definition.c ---- */

/* The account's entry; NULL: it is not pledged, nor any above it. */
struct rf_pledged *rf_pledged_of(const struct rf_definitions *d, int32_t account);
/* Device-time held by a running job since from_us, of which there is no reading at t_us. */
void rf_mark_dark(struct rf_pledged *a, const struct rf_job *job, int64_t t_us);

/* ---- definition_promise.c ---- */

/* A pledge was made or changed. */
enum rf_status rf_promise_event(struct rf_definitions *d, const struct rf_state *state,
                                const struct rf_event *event, struct rf_error *err);

/* ---- definition_wish.c ---- */

/* Makes room for want items; the array may move, new bytes are zero. */
enum rf_status rf_definition_reserve(void **array, int32_t *room, int64_t want, size_t item,
                                     struct rf_error *err);
/* Room for the wishes of so many jobs. */
enum rf_status rf_wishes_know(struct rf_definitions *d, int32_t njobs, struct rf_error *err);
/* The job held `devices` and was part of the demand or not, up to t_us. */
void rf_wish_settle(struct rf_definitions *d, const struct rf_job *job, int32_t id,
                    int32_t devices, int part, int64_t t_us);
/* Settles all jobs of one pledged account, or of all (NULL); with skip, time stood still. */
void rf_wishes_settle(struct rf_definitions *d, const struct rf_pledged *only,
                      const struct rf_state *state, int64_t t_us, int skip);
/* Every job's unmet time up to the moment that the accounts have been brought up to. */
void rf_settle_wishes(struct rf_definitions *d, const struct rf_state *state);
/* What the account's jobs that are there, or were refused since begin_us, could have used more
 * since then; begin_us is the begin of a cell, or the pledge's date. */
struct rf_wide rf_unmet_since(const struct rf_definitions *d, const struct rf_pledged *a,
                              const struct rf_cells *cells, const struct rf_state *state,
                              int64_t begin_us);
/* The job leaves undone. */
void rf_wish_refused(struct rf_definitions *d, struct rf_pledged *a, const struct rf_job *job,
                     int32_t id);
/* The job is ready: does it lie in the share, with what is held and asked for already? */
void rf_request_look(struct rf_definitions *d, struct rf_pledged *a,
                     const struct rf_state *state, int32_t id, int64_t t_us);

/* ---- definition_time.c ---- */

/* Devices that a share is of, now; devices of a pledge's stock, and when its horizon ends. */
int32_t rf_promise_base(const struct rf_definitions *d, const struct rf_pledge *pledge);
int32_t rf_promise_stock(const struct rf_pledge *pledge, int64_t *horizon_us);
/* Puts what has gathered into the sums that are promised. */
void rf_gathering_settle(struct rf_gathering *g);
/* Ends a shortage (INST) at t_us, if there is one. */
void rf_inst_close(struct rf_pledged *a, struct rf_gathering *g, int64_t t_us);
/* A stretch up to t_us in which nothing changes. */
void rf_pledged_pass(struct rf_definitions *d, struct rf_pledged *a, int64_t t_us);
/* The sums as they are, with the unmet time of the windows that end here. */
enum rf_status rf_cells_add(struct rf_pledged *a, struct rf_cells *cells,
                            const struct rf_wide unmet_us[RF_SLIDING_N], struct rf_error *err);
/* A cell ends now, or, at the end of the run, is cut short. */
enum rf_status rf_cells_end(struct rf_definitions *d, struct rf_pledged *a,
                            struct rf_cells *cells, const struct rf_state *state,
                            struct rf_error *err);
/* When the next cell, or a horizon, ends. */
int64_t rf_pledged_border(const struct rf_pledged *a);
/* All accounts up to t_us, with cells that end on the way. The state is that before the event
 * at t_us. */
enum rf_status rf_definitions_bring_up(struct rf_definitions *d, const struct rf_state *state,
                                       int64_t t_us, struct rf_error *err);

/* ---- definition_judge.c ---- */

/* A request had its answer, or waits still, at t_us. */
void rf_service_answer(struct rf_definitions *d, struct rf_pledged *a,
                       const struct rf_state *state, int32_t job, int64_t t_us, int denied);

#endif
