/* fence_memory.h - what fences remember between questions; only files of the policy include it.
 *
 * All of it follows from the events observed. Memory is kept by pledge (the state never drops
 * one), so that credit, arrears and answers outlast a change of the pledge or of the order:
 *
 *   a pledge is changed    credit and what was delivered stay; from then on both grow and
 *                          shrink by the new terms (another expiry renews the age of what there
 *                          is). A stock keeps the date it was made at and, unless the terms
 *                          say otherwise, the devices secured then: the change tilts the rest
 *                          of its pace line.
 *   share 0 (withdrawn)    no right and no board; the memory waits for another change
 *   another fence          credit is neither earned nor spent while the bank is not in force, but
 *                          grows older.
 *                          The pace line and what was delivered go on under any fence.
 *                          Requests that the board has not answered queue like everybody's. */
#ifndef RF_ALLOC_FENCE_MEMORY_H
#define RF_ALLOC_FENCE_MEMORY_H

#include "alloc/state.h"
#include "alloc/terms.h"

enum { RF_CREDIT_LOTS = 33 };

/* Credit by when it was earned: a lot for each slice of time. Lot k is at lots_us[k % nlots]. */
struct rf_credit {
    int64_t total_us; /* of the lots, in device-microseconds; never negative */
    int64_t lots_us[RF_CREDIT_LOTS];
    int64_t slice_us,
        slice; /* the length of a slice, 0: credit never expires; the present one */
    int nlots;
    int64_t carry; /* of the division by the share, in units of 1/den */
};

struct rf_pace {
    int64_t since_us; /* the pledge was made */
    int32_t devices;  /* secured then, or as the terms say */
    int64_t paced_us; /* device-time of the pace line so far */
    int64_t carry;
    int64_t base_us;      /* device-time that the account had received when it was made */
    int64_t delivered_us; /* since then */
};

/* One pledge: its terms, and the account's devices, as of at_us and the last event. */
struct rf_fence_record {
    int known;
    int64_t at_us;
    struct rf_share share;
    struct rf_terms terms;
    int64_t window_us;
    int32_t used, basis;
    struct rf_credit credit;
    struct rf_pace pace;
};

enum rf_answer {
    RF_ANSWER_NONE,
    RF_ANSWER_PENDING,
    RF_ANSWER_YES,
    RF_ANSWER_NO,
    RF_ANSWER_BUDGET
};

/* A request that the board has before it. */
struct rf_board_case {
    int64_t due_us;
    int32_t job, pledge;
};

struct rf_board {
    struct rf_board_case *cases; /* owned: [begin, end), by due time, then by job */
    int32_t begin, end, room;
    uint8_t *answers; /* owned, by job: enum rf_answer */
    int32_t nanswers, answers_room;
    int64_t window[RF_PLEDGES_MAX],
        drawn_us[RF_PLEDGES_MAX]; /* the window's number; approved in it */
    uint64_t stream;
    int named; /* the stream is known */
};

struct rf_fence_memory {
    const void *fence; /* that kept it last */
    int npledges;
    struct rf_fence_record records[RF_PLEDGES_MAX]; /* by index in state->pledges */
    struct rf_board board;
};

#endif
