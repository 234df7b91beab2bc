/* journal.h - ledger, state and tally kept in step: what happened goes in once, here.
 *
 * A driver records events; each is checked by rf_state_apply() first, so that nothing the
 * rules refuse ever reaches the file, then counted, shown to whoever watches and appended. What was recorded
 * may take effect outside only after rf_journal_sync() has made it durable. */
#ifndef RF_ALLOC_JOURNAL_H
#define RF_ALLOC_JOURNAL_H

#include <sys/types.h>

#include "alloc/ledger.h"
#include "alloc/observer.h"
#include "alloc/pledge.h"
#include "alloc/state.h"

enum { RF_JOURNAL_OBSERVERS = 8 };

struct rf_journal {
    struct rf_ledger *ledger; /* owned, as state and tally */
    struct rf_state *state;
    struct rf_tally *tally;
    struct rf_observer observers[RF_JOURNAL_OBSERVERS];
    int nobservers;
    int64_t now_us;                /* the time of the next events */
    int64_t seen[RF_EVENT_NTYPES]; /* how many of each type so far */
    int64_t cut;                   /* bytes of a torn last line that resuming cut off */
    int64_t sealed_entries;        /* lines under a seal made here */
    int unsynced;
    char config[65], version[32]; /* of the open event */
    const char *anchor_file;      /* borrowed; NULL: none */
    int anchor_slurm;
    pid_t anchoring; /* a process that puts a head into the job's comment; 0: none */
    char
        closed[RF_TEXT_BYTES]; /* reason of the close event, when nothing but keys came since */
};

/* An empty state and tally, and nobody who watches. The caller ends *journal with
 * rf_journal_clear() in any case. */
enum rf_status rf_journal_start(struct rf_journal *journal, struct rf_error *err);
/* From now on the observer, copied, is called around each event, after the tally and in the
 * order in which observers came; resuming shows them the events of the past. Whoever has to see
 * all events is added before rf_journal_create() or rf_journal_resume(). At most
 * RF_JOURNAL_OBSERVERS. */
void rf_journal_watch(struct rf_journal *journal, struct rf_observer observer);

/* Begins a new ledger, or goes on with one; rf_journal_start() came before. After resuming,
 * now_us is at least the last event's time. */
enum rf_status rf_journal_create(struct rf_journal *journal, const char *path,
                                 const char *origin, const struct rf_key *key,
                                 struct rf_error *err);
enum rf_status rf_journal_resume(struct rf_journal *journal, const char *path,
                                 const struct rf_key *key, struct rf_error *err);
/* Closes the ledger; state and tally stay for the caller to take or to destroy here. */
void rf_journal_close(struct rf_journal *journal);
void rf_journal_clear(struct rf_journal *journal);

/* Sets the time of the next events; a time before the last one counts as that one. */
void rf_journal_at(struct rf_journal *journal, int64_t t_us);

/* Fills in seq and t_us, applies, counts and appends the event. After a failure
 * the journal is not to be used further, except for reading. */
enum rf_status rf_journal_record(struct rf_journal *journal, struct rf_event *event,
                                 struct rf_error *err);
enum rf_status rf_journal_sync(struct rf_journal *journal, struct rf_error *err);
/* From now on each head that is sealed is kept outside as well (anchor.h): appended to a file, if
 * it is not NULL, and, with slurm, in the job's comment, which is begun at a seal and looked after
 * at the next one. What fails is warned of, and the run goes on. */
void rf_journal_anchor(struct rf_journal *journal, const char *file, int slurm);
/* Seals all lines so far, unless they are sealed already. */
enum rf_status rf_journal_seal(struct rf_journal *journal, struct rf_error *err);
/* The key changes: a line names the new one, the old one seals that line, and the new one seals
 * from then on. It is borrowed, as the old one is. Also in a run that is closed. A crash on the
 * way leaves the line unsealed; then the old key seals it, whoever resumes. */
enum rf_status rf_journal_rotate(struct rf_journal *journal, const struct rf_key *key,
                                 struct rf_error *err);

#endif
