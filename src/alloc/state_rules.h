/* state_rules.h - what the state's own files and its invariants share; nobody else includes it.
 *
 * state.c applies events, state_check.c holds the rules, state_look.c answers questions, and
 * state_room.c keeps the arrays: names to numbers, and memory ahead of need. */
#ifndef RF_ALLOC_STATE_RULES_H
#define RF_ALLOC_STATE_RULES_H

#include "alloc/state.h"

struct rf_state_room {
    int64_t fits_us;     /* until then, what each job has held fits in 63 bits for certain */
    int64_t hold_end_us; /* when the next hold is over */
    int32_t jobs, extras, accounts, pledges, holds, held; /* room in these arrays */
    int32_t *places; /* unused places in held: a stack; as long as held */
    int32_t nplaces;
    int32_t *account_index; /* open addressing by the hash of the name; -1: empty */
    int32_t account_slots;  /* a power of two; at most half of them are taken */
};

enum { RF_REASON_MORE = 1 }; /* the index of "see-the-ledger" */

/* a + b, or the largest number; neither is negative. */
static inline int64_t rf_sum_63(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Until when what the job has held, and holds, fits in 63 bits. */
int64_t rf_state_fits_us(const struct rf_job *job);
int rf_account_name_ok(const char *name);
/* Is `name` the account `of`, or one below it? By their names alone. */
int rf_account_contains(const char *of, const char *name);
/* Are all of `what` in `of`? Is any of it in `with`? In O(log) of the latter for each range. */
int rf_devices_within(const struct rf_idset *what, const struct rf_idset *of);
int rf_devices_overlap(const struct rf_idset *what, const struct rf_idset *with);
/* The job state for the word in an end event; -1: no such word. */
int rf_end_state(const char *word);
/* "easy+bank": two lower-case words of fewer than 16 characters. Returns 1 and writes them,
 * or 0. */
int rf_policy_words(const char *text, char order[16], char fence[16]);

enum rf_status rf_room_create(struct rf_state *s, struct rf_error *err);
void rf_room_destroy(struct rf_state *s);

/* Room for so many more; nothing but capacities changes. */
enum rf_status rf_room_jobs(struct rf_state *s, int32_t more, struct rf_error *err);
enum rf_status rf_room_extra(struct rf_state *s, struct rf_error *err);
enum rf_status rf_room_account(struct rf_state *s, struct rf_error *err);
enum rf_status rf_room_pledge(struct rf_state *s, struct rf_error *err);
enum rf_status rf_room_hold(struct rf_state *s, struct rf_error *err);
enum rf_status rf_room_place(struct rf_state *s, struct rf_error *err);

/* The account of that name, made with all above it when new; rf_room_account() came before. */
int32_t rf_account_make(struct rf_state *s, const char *name);
/* The job's extra part, made when it has none; rf_room_extra() came before. */
struct rf_job_extra *rf_extra_make(struct rf_state *s, struct rf_job *job);
/* The reason's index; -1: not known yet. */
int rf_reason_find(const struct rf_state *s, const char *reason);
/* ... made when new; RF_REASON_MORE when there is no room. */
uint8_t rf_reason_make(struct rf_state *s, const char *reason);

#endif
