/* engine.h - the simulator: a virtual clock that drives the same state, policy and ledger as
 * a live run.
 *
 * The engine knows what the scheduler does not: how long each job really runs. At each
 * moment it turns what happens (jobs end, jobs arrive, the world changes) into events, applies
 * them, asks the policy, and turns its proposals into events, until nothing more is
 * proposed. A stopped job pays: it holds its devices while it writes a checkpoint (at most
 * the grace), loses its work since the last checkpoint when it cannot, and pays restart_us
 * when it starts again; that time is overhead, not work. Checkpoints at intervals
 * (checkpoint_every_us) cost nothing by themselves. A malleable job on n devices
 * works n / min times as fast as on min, and resizing it costs nothing and saves its work.
 *
 * At one moment, under RF_TIE_BATCH: pledges, policies and failures change, jobs end, the other
 * changes of the world come, jobs arrive, and the policy is asked once. Where jobs are
 * still there at until_us, they go back to the queue with the reason "horizon". */
#ifndef RF_SIM_ENGINE_H
#define RF_SIM_ENGINE_H

#include "alloc/books.h"
#include "alloc/definition.h"
#include "alloc/ledger.h"
#include "alloc/observer.h"
#include "alloc/policy.h"
#include "sim/workload.h"
#include "sim/world.h"

/* What happens first when several things happen at one moment. BATCH is the way a real
 * scheduler works; the others reproduce published simulators, for cross-checks. */
enum rf_tie {
    RF_TIE_BATCH, /* all ends, then all arrivals, then one question to the policy */
    RF_TIE_SEQ, /* arrivals first, a question after each; jobs at their limit count as ended */
    RF_TIE_TF   /* ends first, a question after each event */
};

struct rf_sim_options {
    struct rf_policy_options policy;
    enum rf_tie tie;
    int32_t devices;  /* of the fleet at time 0 */
    int64_t grace_us; /* a job that is asked to stop is gone after this long at most */
    int64_t until_us; /* the simulation ends here; INT64_MAX: when all jobs are over */
    int64_t start_us; /* ... and starts here; the first event's time, usually 0 */
    int by_id;        /* which devices a job holds matters: ledger, failures; else they are
                          only counted. The decisions are the same. */
    int64_t seed;
    char name[RF_NAME_BYTES]; /* of the run, for the ledger, as the next two */
    char version[32], config[RF_DIGEST_HEX];
    const char *ledger_path;             /* NULL: no ledger */
    const struct rf_key *key;            /* seals it; NULL: no seals */
    const struct rf_world *world;        /* NULL: nothing changes */
    const struct rf_observer *observers; /* borrowed, called in this order */
    int nobservers;
    struct rf_books *books; /* NULL: none; borrowed: told of lost work and restarts as well */
    int tally; /* keep the tally of pledges, without which there are no fences but "none" */
    struct rf_definitions *definitions; /* NULL: none; borrowed: they use the result's tally */
    /* Called now and then with the share that is done; may be NULL. */
    void (*progress)(void *ctx, double done);
    void *progress_ctx;
};

struct rf_sim_result {
    struct rf_state *state; /* owned: rf_sim_result_clear(); jobs by workload index */
    struct rf_tally *tally; /* owned, judged; NULL without */
    int64_t events;         /* applied */
    int64_t passes;         /* questions to the policy */
    int64_t makespan_us;    /* from the first submission to the last end */
    struct rf_wide busy_us; /* device-time that jobs held */
    struct rf_wide lost_us, overhead_us; /* of which: work done twice; checkpoints, restarts */
    int64_t *start_us, *end_us; /* owned, n each: last start; end, -1: not over (or denied) */
    int64_t finished, denied, preemptions;
    double wall_s; /* of the loop alone */
};

struct rf_sim_options rf_sim_options_make(void);

/* Runs the workload to its end. The result is the caller's, also after a failure. */
enum rf_status rf_sim_run(const struct rf_workload *workload,
                          const struct rf_sim_options *options, struct rf_sim_result *result,
                          struct rf_error *err);
void rf_sim_result_clear(struct rf_sim_result *result);

#endif
