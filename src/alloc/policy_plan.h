/* policy_plan.h - what the files of the policy share; nobody else includes it.
 *
 * A policy sees the cluster as walls: one per pledge in force, and one more for everybody
 * else. The waiting jobs of a wall (under fairshare: of an account) stand in a lane. Lanes
 * are merged into lines: one line for all, or one per wall under a fence that keeps the
 * walls apart; in a line a job that cannot start holds up those behind it, as the
 * order says. Each line knows its running jobs by their expected ends.
 *
 * A plan is one question: fences fill in what each wall may hold and claim, then the files
 * of the policy go through claims and lines. Numbers are kept up to date with
 * what has been proposed already, so that a list of proposals is consistent when it is
 * carried out from first to last. The policy takes it for granted that its proposals are carried
 * out (jobs leave their lanes at once), and takes back what turns out not to have been. */
#ifndef RF_ALLOC_POLICY_PLAN_H
#define RF_ALLOC_POLICY_PLAN_H

#include "alloc/fence_memory.h"
#include "alloc/policy.h"
#include "alloc/profile.h"
#include "alloc/roll.h"

struct rf_wall {
    const struct rf_pledge *pledge; /* NULL: everybody else */
    /* as of this question: devices held; of these, by jobs that were asked to stop */
    int32_t used, stopping;
    int32_t whole; /* devices of its share, rounded up */
    /* filled in by the fence: */
    int32_t right; /* devices that nobody may reclaim from it */
    int32_t cap;   /* devices it may hold at most, now */
    int32_t most;  /* ... and ever: a job that needs more can never start */
    int may_claim; /* its jobs may have others preempted, ... */
    int32_t reach; /* ... until it holds so many */
    /* jobs of the wall, waiting or holding devices, that need more than so many devices: */
    int32_t wide_over, nwide;
};

struct rf_lane {
    int32_t wall;
    int32_t priority;    /* of the jobs in it */
    int32_t base, next;  /* the lane of priority 0 of the same; another one, or -1 */
    struct rf_roll jobs; /* waiting and ready, with their limits */
    int32_t widest;      /* no job in it needs more */
    /* fairshare: device-time used so far and weighed by how recent it is, less what
     * the jobs that run now had not used yet when they started */
    double usage, rank; /* rank: the usage as of this question */
    int32_t used;
    /* scratch of one walk */
    int on;
    struct rf_roll_place at;
};

struct rf_line {
    struct rf_roll
        running; /* by expected end; need: devices held; only if the order needs it */
    int blocked; /* by the job at its head, when it was last served */
    struct rf_roll_entry head;
    int32_t head_lane;
    int shadow_known;
    int64_t shadow_us; /* by when the head can start, as far as one knows */
    int32_t extra;     /* devices that are left over then */
    /* orders that plan ahead: */
    struct rf_profile profile;
    int plan_stale;              /* something moved that the plan did not foresee */
    struct rf_roll planned;      /* by planned start */
    int32_t last_planned;        /* jobs up to this id have been looked at; -1: none */
    int64_t window_us;           /* replan: those of them without a slot start no earlier */
    struct rf_roll_entry *ended; /* owned: jobs that ended since, with their expected ends */
    int32_t nended, ended_room;
    int settled; /* nobody can move up */
};

/* A few jobs, in the order they came in. */
struct rf_joblist {
    int32_t *jobs; /* owned */
    int32_t n, room;
};

/* Weighs device-time by how recent it is: usage counts twice as much one half-life later,
 * which is the same as saying that what is older counts half. */
struct rf_decay {
    int64_t step_us, since_us; /* the weight is constant for this long; since when it is */
    int step;                  /* 16 of them are a half-life */
    double weight, integral;   /* of the weight over time, up to since_us */
};

/* ---- behind a blocked head ---- */

static inline int32_t rf_at_most(int64_t a, int32_t b)
{
    return a < b ? (int32_t)a : b;
}

/* Finds out by when the head of a blocked line can start; `room` devices are free for it now. */
static inline void rf_line_foresee(struct rf_line *line, int32_t room, int reserve_depth)
{
    int64_t sum = 0;

    line->shadow_known = 1;
    line->shadow_us = reserve_depth == 0
                          ? INT64_MAX
                          : rf_roll_reach(&line->running, room, line->head.need, &sum);
    line->extra =
        line->shadow_us == INT64_MAX ? INT32_MAX : rf_at_most(sum - line->head.need, INT32_MAX);
}

/* A job whose limit is no longer than this is over by the shadow time. */
static inline int64_t rf_line_window(const struct rf_line *line, int64_t now_us)
{
    if (line->shadow_us == INT64_MAX)
        return INT64_MAX;
    return line->shadow_us > now_us ? line->shadow_us - now_us : 0;
}

/* Would this job, for which there are devices, delay the head by nothing? */
static inline int rf_line_lets(const struct rf_line *line, int64_t now_us,
                               const struct rf_roll_entry *e)
{
    return e->time_us <= rf_line_window(line, now_us) || e->need <= line->extra;
}

/* It overtakes: on how many devices, at most `most`, does it delay nobody? */
static inline int32_t rf_line_overtake(struct rf_line *line, int64_t now_us,
                                       const struct rf_roll_entry *e, int32_t most)
{
    if (e->time_us <= rf_line_window(line, now_us))
        return most;
    most = rf_at_most(most, line->extra);
    line->extra -= line->shadow_us == INT64_MAX ? 0 : most;
    return most;
}

enum rf_backfill { RF_BACKFILL_NONE, RF_BACKFILL_DEPTH, RF_BACKFILL_PLAN };

struct rf_order {
    const char *name;
    int by_limit;   /* shortest limit first; else first come, first served */
    int by_account; /* one lane per account, the one with the least usage first */
    enum rf_backfill backfill;
};

struct rf_plan;

struct rf_fence {
    const char *name;
    int separate; /* a job that cannot start holds up its own wall only */
    int promises; /* needs the tally, and its limits must be filled in at each question */
    void (*limits)(struct rf_plan *plan); /* fills in the walls */
    /* When the limits will change though no event comes; NULL: never. */
    int64_t (*wake_us)(struct rf_plan *plan);
    /* Each event that is more than a reading, when policy and state have taken it in; NULL: no
     * interest. */
    enum rf_status (*observe)(struct rf_policy *policy, const struct rf_event *event);
    /* A request has come in; NULL: nothing to do. */
    enum rf_status (*receive)(struct rf_policy *policy, int32_t job);
    /* Is the queued job kept out of its lane by the fence, and why? The fence then brings
     * it in, or denies it, by itself (settle). NULL: it keeps nobody. */
    int (*keeps)(const struct rf_policy *policy, int32_t job, const char **why);
    void (*settle)(struct rf_plan *plan);
};

enum { RF_CLAIMS_MAX = 256 };

struct rf_plan {
    struct rf_policy *policy;
    const struct rf_state *state;
    const struct rf_tally *tally;
    int64_t now_us;
    struct rf_wall *walls;         /* the policy's */
    int nwalls;                    /* the last one is everybody else */
    int32_t free;                  /* free devices, less what has been proposed */
    int32_t coming;                /* devices of jobs that are stopping */
    int32_t reserved;              /* free devices kept for claims that wait */
    int32_t claims[RF_CLAIMS_MAX]; /* jobs whose claim waits */
    int nclaims;
    int32_t claimed[RF_PLEDGES_MAX + 1]; /* devices that claims of each wall wait for */
    int unfinished; /* a claim needs more than this answer could do for it: ask again */
    struct rf_proposal *out;
    int nout, max;
};

enum {
    RF_DIRTY_ARRIVAL = 1, /* jobs arrived and nothing else happened */
    RF_DIRTY_ALL = 2
};

struct rf_policy {
    struct rf_policy_options options;
    const struct rf_state *state; /* borrowed, as the tally */
    const struct rf_tally *tally;
    const struct rf_order *order;
    const struct rf_fence *fence;
    struct rf_wall walls[RF_PLEDGES_MAX + 1];
    int nwalls;
    struct rf_line lines[RF_PLEDGES_MAX + 1];
    int nlines;
    struct rf_lane *lanes; /* owned */
    int32_t nlanes, lane_room;
    int64_t retry_us;           /* of the state, when it was looked at last */
    int32_t *lane_of, *wall_of; /* owned, by account */
    int32_t naccounts;
    struct rf_joblist held_back; /* queued, but not in a lane: they wait for other jobs */
    struct rf_joblist fresh;     /* came in since the last answer */
    struct rf_joblist stopping;
    struct rf_joblist refused; /* by the fence; the event has not come yet */
    struct rf_joblist bounded; /* queued, with a deadline or an allowance */
    int64_t due_us;            /* the earliest of those deadlines */
    int ranked;                /* some job has a priority other than 0 */
    struct rf_fence_memory memory;
    struct rf_decay decay;
    int64_t
        *slot_us; /* owned, by job, for orders that plan: the planned start, or RF_NO_SLOT */
    int32_t nslots;
    int32_t nresizable; /* running jobs that could use more or fewer devices */
    int32_t least_most; /* a job that needs no more is not too large for any wall */
    int recheck;        /* held_back and too large jobs are to be looked at again */
    int32_t nholds;     /* when last asked */
    int plain;     /* no promises, one line, and nothing is planned ahead but for one job */
    int short_cut; /* ... first come, first served, and nobody wants to hear reasons */
    int dirty;
    int64_t asked_us, wake_us; /* the last question; when the answer may be another */
    /* What was proposed and has not been carried out yet: [pending_at, npending). */
    struct rf_proposal *pending; /* owned */
    int npending, pending_at, pending_room;
    int64_t pending_us;
    enum rf_status failed;
    struct rf_plan plan; /* scratch of one question */
};

extern const struct rf_fence rf_fence_none, rf_fence_partition, rf_fence_floor, rf_fence_bank,
    rf_fence_stock, rf_fence_request;

/* ---- policy.c: what the policy learns ---- */

/* These proposals are taken for granted from now on. */
enum rf_status rf_policy_expect(struct rf_policy *policy, const struct rf_proposal *out, int n);
/* Not everything that was proposed was carried out: back to how things are. */
void rf_policy_take_back(struct rf_policy *policy);
/* Something moved that plans made ahead did not foresee. */
void rf_policy_plans_stale(struct rf_policy *policy);
/* Is it plain to see that nobody can start in turn? In one line, without promises, when fewer
 * devices are free than the head needs. */
int rf_policy_held_up(const struct rf_policy *policy);
/* A request has come in. */
enum rf_status rf_policy_observe_request(struct rf_policy *policy, int32_t job);

/* ---- policy_book.c: what the policy remembers ---- */

/* Forgets everything and takes it over from the state. */
enum rf_status rf_policy_rebuild(struct rf_policy *policy, struct rf_error *err);
void rf_policy_forget(struct rf_policy *policy);
/* Fills in the walls' shares of the fleet as it is; what they hold. */
void rf_policy_measure(struct rf_policy *policy);
void rf_policy_count(struct rf_policy *policy);

/* The lane beside `lane` for the job's priority; `lane` itself where there is none yet. */
struct rf_lane *rf_policy_lane_by_priority(struct rf_policy *policy, struct rf_lane *lane,
                                           int32_t job);
/* Finds a wall and a lane for accounts that are new in the state. */
enum rf_status rf_policy_learn_accounts(struct rf_policy *policy);
/* The lane, wall and line of a job. Under a fence that promises nothing all walls share lanes. */
static inline struct rf_lane *rf_policy_lane_of(struct rf_policy *policy, int32_t job)
{
    struct rf_lane *lane = &policy->lanes[policy->lane_of[policy->state->jobs[job].account]];

    return lane->next < 0 ? lane : rf_policy_lane_by_priority(policy, lane, job);
}

static inline struct rf_wall *rf_policy_wall_of(struct rf_policy *policy, int32_t job)
{
    return &policy->walls[policy->wall_of[policy->state->jobs[job].account]];
}

static inline struct rf_line *rf_policy_line_of(struct rf_policy *policy,
                                                const struct rf_lane *lane)
{
    return &policy->lines[policy->fence->separate ? lane->wall : 0];
}

/* The job joins, or leaves, those that wait; those that hold devices. `end_us` of a running
 * job is when it is expected to end. */
enum rf_status rf_policy_enqueue(struct rf_policy *policy, int32_t job);
int rf_policy_dequeue(struct rf_policy *policy, int32_t job);
enum rf_status rf_policy_start(struct rf_policy *policy, int32_t job, int32_t count,
                               int64_t t_us);
void rf_policy_stop(struct rf_policy *policy, int32_t job, int64_t granted_us, int64_t t_us);
/* It holds `change` devices more from now on. */
enum rf_status rf_policy_resize(struct rf_policy *policy, int32_t job, int32_t change,
                                int64_t t_us);
int rf_policy_waits(struct rf_policy *policy, int32_t job);
/* Does the fence keep the queued job out of its lane? why may be NULL. */
int rf_policy_kept(const struct rf_policy *policy, int32_t job, const char **why);

enum rf_status rf_joblist_add(struct rf_joblist *list, int32_t job);
/* Keeps the order of the others; 0: it was not there. */
int rf_joblist_remove(struct rf_joblist *list, int32_t job);

struct rf_roll_entry rf_policy_entry(const struct rf_policy *policy, int32_t job);
/* t_us + limit_us; INT64_MAX without a limit. */
static inline int64_t rf_policy_end_us(int64_t t_us, int64_t limit_us)
{
    return limit_us <= 0 || limit_us > INT64_MAX - t_us ? INT64_MAX : t_us + limit_us;
}

/* The integral of the weight up to t_us; time never goes back. */
double rf_decay_at(struct rf_decay *decay, int64_t t_us);

/* ---- policy_walk.c: proposals, and the queue from its head on ---- */

static inline int rf_plan_full(const struct rf_plan *plan)
{
    return plan->nout == plan->max || plan->policy->failed != RF_OK;
}
void rf_plan_propose(struct rf_plan *plan, enum rf_proposal_kind kind, int32_t job,
                     const char *reason, int32_t by);
/* The job that waits in `lane` at `place` starts on `count` devices. */
void rf_plan_grant(struct rf_plan *plan, struct rf_lane *lane, struct rf_roll_place *place,
                   int32_t count);
void rf_plan_stop(struct rf_plan *plan, int32_t job, const char *reason, int32_t by);
void rf_plan_delay(struct rf_plan *plan, int32_t job, const char *reason);
int rf_plan_claiming(const struct rf_plan *plan, int32_t job);
/* Devices that jobs of the wall may take now, apart from claims. */
int32_t rf_plan_room(const struct rf_plan *plan, const struct rf_wall *wall);

/* A walk through several lanes at once, in order: those that are `on`. */
void rf_plan_rank(struct rf_plan *plan);
struct rf_lane *rf_plan_first(struct rf_plan *plan, struct rf_roll_entry *entry);
/* Does entry x, in lane a, come before y, in lane b? */
int rf_plan_precedes(const struct rf_policy *policy, const struct rf_lane *a,
                     const struct rf_roll_entry *x, const struct rf_lane *b,
                     const struct rf_roll_entry *y);
/* Why a job of the wall that needs so many devices does not start. */
const char *rf_plan_why(const struct rf_plan *plan, const struct rf_wall *w, int32_t need);

/* Are starts of this order planned ahead, as things are? Then jobs start on what they need. */
int rf_policy_ahead(const struct rf_policy *policy);
void rf_plan_serve_lines(struct rf_plan *plan);
void rf_plan_serve_arrivals(struct rf_plan *plan);
void rf_plan_explain(struct rf_plan *plan);

/* ---- policy_short.c: one lane, and nothing promised ---- */

/* Is this question one for the short way? Where rf_policy_short() says 1. */
static inline int rf_policy_may_shorten(const struct rf_policy *policy)
{
    return policy->nresizable == 0 && !policy->recheck && policy->failed == RF_OK &&
           policy->npending == policy->pending_at;
}
/* Answers it, when there is something to ask. */
int rf_policy_answer_short(struct rf_policy *policy, int64_t now_us, struct rf_proposal *out,
                           int max);

/* ---- policy_ask.c ---- */

/* The job leaves those that wait. */
void rf_plan_deny(struct rf_plan *plan, int32_t job, const char *reason);

/* ---- policy_limit.c: deadlines and allowances ---- */

/* A job has come into the queue, new or again. */
enum rf_status rf_policy_bound(struct rf_policy *policy, int32_t job);
void rf_plan_deny_spent(struct rf_plan *plan);

/* ---- policy_ahead.c: lines whose jobs have planned starts ---- */

#define RF_NO_SLOT INT64_MIN

void rf_plan_ahead(struct rf_plan *plan, struct rf_line *line);
/* Puts the lanes of the line on, behind the last job that has been looked at. */
void rf_ahead_enter(struct rf_policy *policy, const struct rf_line *line);
/* The job has its devices from slot_us on, in the line's profile; with a sign of -1 no more. */
void rf_ahead_take(struct rf_plan *plan, struct rf_line *line, const struct rf_roll_entry *e,
                   int64_t slot_us, int sign);
/* It will start then. */
void rf_ahead_remember(struct rf_plan *plan, struct rf_line *line,
                       const struct rf_roll_entry *e, int64_t slot_us);

/* ---- policy_window.c: as much of a plan as matters now ---- */

void rf_plan_window(struct rf_plan *plan, struct rf_line *line);

/* ---- policy_claim.c: what walls have a right to ---- */

void rf_plan_enforce_caps(struct rf_plan *plan);
void rf_plan_serve_claims(struct rf_plan *plan);
void rf_plan_grow_pledged(struct rf_plan *plan);
void rf_plan_grow_idle(struct rf_plan *plan);
/* A lease this old may be stopped to start again wider. */
int64_t rf_plan_grow_after_us(const struct rf_state *state);

/* ---- policy_fence.c ---- */

/* Devices that a pledge takes its share of: the fleet, or what was secured, if it is still
 * there. */
int32_t rf_plan_basis(const struct rf_plan *plan, const struct rf_pledge *pledge);
/* Device-time that the pledge promises for a whole window. */
int64_t rf_plan_entitled_us(const struct rf_plan *plan, const struct rf_pledge *pledge);

/* Everybody may have everything, and nobody may claim. */
void rf_plan_no_limits(struct rf_plan *plan);
/* When something that shrinks by `rate` a microsecond is gone; INT64_MAX at a rate of nothing,
 * or when there is none of it. */
int64_t rf_plan_gone_us(const struct rf_plan *plan, double amount, double rate);

/* ---- fence_memory.c: what fences remember ---- */

/* Pledges, order or fence have changed. */
enum rf_status rf_fence_take_over(struct rf_policy *policy);
void rf_fence_forget(struct rf_policy *policy);
/* Brings the record of pledge i up to the state's time. */
void rf_fence_advance(struct rf_policy *policy, int i);
/* After an event: what the pledged accounts use now, and take their shares of. */
enum rf_status rf_fence_observe_use(struct rf_policy *policy, const struct rf_event *event);
/* share x devices, rounded up. */
int32_t rf_fence_ceil(const struct rf_share *share, int64_t devices);
/* share x fleet, rounded up, as far as that is not promised to pledges other than i. */
int32_t rf_fence_beyond(const struct rf_plan *plan, int i, const struct rf_share *share);

/* ---- fence_bank.c, fence_stock.c, fence_request.c ---- */

/* From r->at_us to to_us, with what the account uses. */
void rf_credit_advance(struct rf_fence_record *r, int64_t to_us);
void rf_credit_terms(struct rf_fence_record *r);
void rf_pace_advance(struct rf_fence_record *r, int64_t to_us);
/* Gives the answers that are due by until_us. */
enum rf_status rf_board_answer(struct rf_policy *policy, int64_t until_us);
/* The board does not meet any more: what it has not answered needs no answer. */
void rf_board_adjourn(struct rf_board *board);

#endif
