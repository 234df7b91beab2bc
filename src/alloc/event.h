/* event.h - one record type for everything that changes a cluster, and its text.
 *
 * An event is plain data. Its text form is one line of canonical JSON: fixed
 * key order, no spaces, integers and strings only, so that the same event has
 * the same bytes everywhere; ledger.h chains and seals those lines. Times are
 * microseconds: UTC since 1970 in a live run, since the start in a simulated one.
 *
 * Which fields an event carries depends on its type; the others are zero.
 *
 *   type        fields
 *   open        run, version, config (SHA-256 of the effective configuration, hex),
 *               seed, policy ("fcfs+floor"), grace_us, heartbeat_us and seal_us (a line at
 *               least, and a seal at least, so often, as far as the recorder can; 0: not promised)
 *   capacity    devices, up, reason. up 0: free devices leave the fleet, for good ("left") or until
 *               they are up again ("failed", "maintenance": they count as down); up 1: new ones
 *               ("joined"), or ones that were down ("repaired")
 *   pledge      account, share, basis, fence, terms, window_us, tolerance_us, author, reason
 *               (a second pledge of the same account is a policy change; terms.h reads terms)
 *   policy      policy ("easy+bank"), author, reason: another order or fence from now on
 *   reserve     account ("" for maintenance), count, begin_us, end_us, author, reason: so many
 *               devices are wanted for it from begin to end; policies keep them clear
 *   limit       account, held_limit_us, flops_limit, author, reason: from now on the account may be
 *               charged at most so much more in all (0: as much as it likes)
 *   request     job, name, account, min, max, limit_us, after, priority (higher first),
 *               deadline_us (absolute; 0 none), held_limit_us, flops_limit (what the job may be
 *               charged in all; 0: any), retries (how often it is tried again when it failed)
 *   delay       job, reason             why a queued job waits; one per change of the reason
 *   deny        job, reason             the request is refused for good
 *   grant       job, lease, devices, lent   lent: how many of them lie outside the account's own share
 *   charge      job, lease, held_us, busy_us, tokens, flops, step
 *               a meter reading: held_us is the coordinator's own clock (devices x time since
 *               the last reading or the grant); the rest is what the job says
 *   dispute     job, lease, reason ("overrun", "silent", "overclaimed-busy", ...), busy_us, tokens,
 *               flops: what the job claims and the coordinator does not accept; nothing of it is
 *               charged
 *   relabel     job, account, author, reason: the job belongs to another account from now on
 *   preempt     job, lease, reason, by  asks the job to stop; by: the job that gets the devices, or -1
 *   checkpoint  job, step, digest, path a checkpoint is complete and visible
 *   shrink      job, lease, devices, held_us, by    a malleable job gives these devices back
 *   grow        job, lease, devices, held_us, lent  ... or gets these as well
 *   release     job, lease, held_us, reason, retry_us   the devices are free, the job queues again;
 *               reason "failed": it is a retry, and not ready before retry_us (absolute; 0: at once)
 *   end         job, lease, state, held_us, reason   the devices are free, the job is over
 *               held_us here is a last reading: devices x time since the one before
 *   measure     flops, reason           peak FLOP per device and second, and how it was measured:
 *               what claims are judged against
 *   rotate      text                    the public key (a vkey) of seals after the one that covers
 *               this line, which is still signed by the key before it
 *   heartbeat                           nothing happened, and the recorder was alive
 *   recover     cut                     after a crash: bytes of a torn last line that were cut off
 *   close       reason                  "done", "signal"
 */
#ifndef RF_ALLOC_EVENT_H
#define RF_ALLOC_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/share.h"
#include "base/error.h"
#include "base/idset.h"

enum rf_event_type {
    RF_EVENT_OPEN,
    RF_EVENT_CAPACITY,
    RF_EVENT_PLEDGE,
    RF_EVENT_POLICY,
    RF_EVENT_RESERVE,
    RF_EVENT_LIMIT,
    RF_EVENT_REQUEST,
    RF_EVENT_DELAY,
    RF_EVENT_DENY,
    RF_EVENT_GRANT,
    RF_EVENT_CHARGE,
    RF_EVENT_DISPUTE,
    RF_EVENT_RELABEL,
    RF_EVENT_PREEMPT,
    RF_EVENT_CHECKPOINT,
    RF_EVENT_SHRINK,
    RF_EVENT_GROW,
    RF_EVENT_RELEASE,
    RF_EVENT_END,
    RF_EVENT_MEASURE,
    RF_EVENT_ROTATE,
    RF_EVENT_HEARTBEAT,
    RF_EVENT_RECOVER,
    RF_EVENT_CLOSE,
    RF_EVENT_NTYPES
};

enum { RF_NAME_BYTES = 64, RF_TEXT_BYTES = 160, RF_AFTER_MAX = 16 };

struct rf_event {
    int64_t seq, t_us;
    enum rf_event_type type;
    int32_t job;   /* dense ids 0, 1, 2... in order of request; -1: none */
    int32_t lease; /* dense ids in order of grant; -1: none */
    int32_t by;
    char name[RF_NAME_BYTES];    /* request: the job's; open: the run's */
    char account[RF_NAME_BYTES]; /* dotted: "alignment.oversight" */
    char reason[RF_TEXT_BYTES];  /* a code of lower-case words with '-', e.g. "devices-busy" */
    char text[RF_TEXT_BYTES];    /* open: policy; pledge: fence; end: state; checkpoint: path;
                               * rotate: vkey */
    char digest[65];             /* open: config; checkpoint: content; hex */
    char version[32];
    char author[RF_NAME_BYTES];
    char basis[16];            /* "fleet" or "secured" */
    char terms[RF_TEXT_BYTES]; /* pledge: what else the fence needs to know, terms.h; "" none */
    struct rf_share share;
    int64_t seed, window_us, tolerance_us, grace_us, heartbeat_us, seal_us, limit_us;
    int64_t held_us, busy_us, tokens, flops, step, cut;
    int64_t begin_us, end_us;
    int64_t deadline_us, retry_us, held_limit_us, flops_limit;
    int32_t priority, retries;
    int32_t min, max, lent, up;
    int32_t count; /* reserve; and of devices, where the state only counts them (state.h) */
    int32_t
        account_id; /* index in the state, where the caller knows it; -1: look `account` up */
    int32_t after[RF_AFTER_MAX], nafter;
    struct rf_idset devices; /* owned by the event: rf_event_clear() */
};

/* The empty event of a type: all zero, but job, lease, by, account_id = -1. An event is about
 * a kilobyte: who makes millions keeps one per type and sets what differs. */
struct rf_event rf_event_make(enum rf_event_type type, int64_t t_us);
void rf_event_clear(struct rf_event *event);
const char *rf_event_type_name(enum rf_event_type type);

/* The canonical line, without prev and without LF, as an open object:
 * {"seq":17,"t_us":...,"type":"grant",...  - ledger.h adds ,"prev":"..."} .
 * Returns the length needed, as snprintf does. */
size_t rf_event_format(const struct rf_event *event, char *buf, size_t size);

/* Reads one ledger line (length bytes, without LF) into event, which must be
 * empty, and the prev field (44 characters and NUL) into prev when not NULL.
 * Refuses whatever rf_event_format() would not have written byte for byte:
 * unknown or missing keys, another order, spaces, floats, escapes that are not
 * needed. Messages say what and at which column; the caller adds the line. */
enum rf_status rf_event_parse(struct rf_event *event, const char *line, size_t length,
                              char prev[45], struct rf_error *err);

#endif
