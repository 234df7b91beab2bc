/* local.h - questions and answers over a Unix socket, between processes of one user.
 *
 * One request and one reply for each connection, each a line ended by LF. The server never
 * waits: its rounds take and give what the sockets allow, and whoever is slow, silent or sends
 * too much loses the connection. The socket has mode 0600, and a peer of another user (but root) is
 * dropped unheard. A path longer than a socket's address may be is reached through
 * /proc/self/fd. */
#ifndef RF_BASE_LOCAL_H
#define RF_BASE_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Answers a request of length bytes (without LF; a NUL follows): *reply is allocated, has no LF
 * in it, and is freed by the server; left NULL, the connection is closed without an answer. */
typedef void rf_local_answer(void *ctx, const char *request, size_t length, char **reply);

struct rf_local_options {
    const char *path;     /* of the socket */
    int clients;          /* at most so many at a time; others wait in the kernel's queue */
    size_t request_bytes; /* longer requests are dropped */
    int64_t patience_us;  /* from the connection to the end of its answer */
    rf_local_answer *answer;
    void *ctx;
};

struct rf_local_server;

/* The paths and ctx are borrowed. A socket that nobody listens on any more is replaced;
 * RF_ERR_PEER: somebody does. RF_ERR_IO: there can be no socket there. */
enum rf_status rf_local_open(struct rf_local_server **server,
                             const struct rf_local_options *options, struct rf_error *err);
/* One round at time now_us (of a clock that does not jump); without connections it looks for new
 * ones at most every two milliseconds. Returns whether a request was answered. */
int rf_local_round(struct rf_local_server *server, int64_t now_us);
/* Removes the socket. */
void rf_local_close(struct rf_local_server *server);

/* Asks: request has no LF in it. *reply, freed by the caller, ends in NUL. RF_ERR_PEER: nobody
 * listens there, or no answer came in time. */
enum rf_status rf_local_ask(const char *path, const char *request, int64_t patience_us,
                            char **reply, struct rf_error *err);

#endif
