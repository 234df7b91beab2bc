/* protocol.h - the messages between coordinator and workers, as data.
 *
 * One fixed struct for every kind; the kind is also the MPI tag, so that a job can
 * look for a revocation without touching anything else. Only a lease is
 * followed by a second message, its list of ranks. Messages are small enough for the
 * eager path of any MPI, and each side always comes back to its receiving loop. */
#ifndef RF_MPI_PROTOCOL_H
#define RF_MPI_PROTOCOL_H

#include <stdint.h>

#include "alloc/event.h"
#include "base/digest.h"
#include "mpi/group.h"
#include "mpi/lease.h"

enum rf_message_kind {
    RF_MESSAGE_LEASE = 1, /* coordinator -> each rank of the job: form the group, run the job */
    RF_MESSAGE_RANKS,     /* ...and the ranks of the group */
    RF_MESSAGE_REVOKE,    /* coordinator -> leader: stop at the next step */
    RF_MESSAGE_SHUTDOWN,  /* coordinator -> each worker: the run is over */
    RF_MESSAGE_METER,     /* leader -> coordinator: a reading since the last one */
    RF_MESSAGE_CHECKPOINT, /* leader -> coordinator */
    RF_MESSAGE_FINAL,  /* leader -> coordinator: every rank has left the job; last reading */
    RF_MESSAGE_SIGNAL, /* worker -> coordinator: a signal came here */
    RF_MESSAGE_BYE     /* worker -> coordinator: nothing will follow */
};

struct rf_message {
    int32_t kind;
    int32_t job, lease;
    int32_t plan;      /* lease: which of the requests the job is */
    int32_t formation; /* lease, revoke: counts groups; a lease may form several */
    int32_t nranks;    /* lease */
    int32_t outcome;   /* final: enum rf_outcome */
    int32_t status;    /* final: enum rf_status of a job that failed */
    int32_t signal;    /* revoke, final: because of a signal */
    int64_t lease_us;  /* lease: a reading at most this often */
    int64_t entries;   /* lease: of the ledger by now; their tree head follows */
    char head[RF_DIGEST_BASE64];
    struct rf_reading reading; /* meter, final (step -1: as before); checkpoint: step only */
    char text[RF_TEXT_BYTES];  /* checkpoint: path; final: why it failed */
    char digest[65];           /* checkpoint */
};

/* Local, as long as the receiver looks at its messages now and then: it has room for a few that
 * it has not looked at, and beyond that this waits for it. */
void rf_message_send(const struct rf_group *control, int to, const struct rf_message *message);

/* Local. Takes the oldest message from `from` (or MPI_ANY_SOURCE) of a kind (0: any); 0 when
 * there is none. *source may be NULL. */
int rf_message_poll(const struct rf_group *control, int from, int kind,
                    struct rf_message *message, int *source);

/* Messages on their way. What goes through an outbox waits for nobody: a coordinator must not stand
 * still because one of a thousand workers does. */
struct rf_outbox;

/* Local. control is borrowed. The caller ends *outbox with rf_outbox_destroy(). */
enum rf_status rf_outbox_create(struct rf_outbox **outbox, const struct rf_group *control,
                                struct rf_error *err);
/* Waits until all that was sent has arrived. */
void rf_outbox_destroy(struct rf_outbox *outbox);

/* Local. In order, also with rf_message_send(). ranks, message->nranks of them, are the second part
 * of a lease; NULL with any other message. */
void rf_outbox_send(struct rf_outbox *outbox, int to, const struct rf_message *message,
                    const int *ranks);

/* Local. Lets go of what has arrived; to be called now and then. */
void rf_outbox_sweep(struct rf_outbox *outbox);

/* The second part of a lease; it follows at once. ranks has room for nranks. */
void rf_message_take_ranks(const struct rf_group *control, int from, int *ranks, int nranks);

/* Local. Sleeps between two looks for messages: 50 us after something happened, 1 ms soon after, and
 * up to 4 ms where nothing has for some tenths of a second: each look costs a sleeping coordinator
 * some 10 us of a core that it may share with a worker. *nap_us is 0 after something happened. */
void rf_message_nap(int *nap_us);

#endif
