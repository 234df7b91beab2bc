#include "base/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(__linux__) && !defined(SO_PEERCRED)
#include <asm/socket.h> /* the C library keeps SO_PEERCRED from those who ask for POSIX alone */
#endif

#include "base/file.h"

enum {
    CLIENTS_MAX = 64,
    BACKLOG = 16,
    CHUNK_BYTES = 65536,
    LOOK_US = 2000,
    REPLY_MAX = 256 << 20,
    FIRST_ROOM = 4096
};

struct client {
    int fd;
    int64_t since_us;
    char *text; /* owned: the request so far, then the reply */
    size_t size, room, sent;
    int answering;
};

struct rf_local_server {
    struct rf_local_options options;
    char path[RF_PATH_BYTES];
    int fd;
    struct client clients[CLIENTS_MAX];
    int nclients;
    int64_t looked_us;
};

/* ---- addresses ---- */

/* The address of a path; *folder is a directory that has to stay open until it has been used, or
 * -1. */
static enum rf_status address_of(const char *path, struct sockaddr_un *address, int *folder,
                                 struct rf_error *err)
{
    const char *slash = strrchr(path, '/');
    char dir[RF_PATH_BYTES];
    int n;

    *folder = -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    n = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    if (n >= 0 && (size_t)n < sizeof address->sun_path)
        return RF_OK;
    if (slash == NULL || slash == path || strlen(path) >= sizeof dir)
        return rf_fail(err, RF_ERR_ARG, "the path of a socket is too long: '%.80s...'", path);
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    *folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%.300s': %s", dir, strerror(errno));
    n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder,
                 slash + 1);
    if (n >= 0 && (size_t)n < sizeof address->sun_path)
        return RF_OK;
    close(*folder);
    *folder = -1;
    return rf_fail(err, RF_ERR_ARG, "the name of a socket is too long: '%.80s...'", slash + 1);
}

static int connect_to(const char *path, int64_t patience_us, struct rf_error *err)
{
    struct timeval limit = {.tv_sec = (time_t)(patience_us / 1000000),
                            .tv_usec = (suseconds_t)(patience_us % 1000000)};
    struct sockaddr_un address;
    int folder, why, fd = -1;

    if (address_of(path, &address, &folder, err) != RF_OK)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        why = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
        rf_fail(err, RF_ERR_PEER, "nobody listens on '%.300s': %s", path, strerror(why));
    }
    if (folder >= 0)
        close(folder);
    return fd;
}

/* ---- the server ---- */

static int bind_to(int fd, const char *path, struct rf_error *err)
{
    struct sockaddr_un address;
    int folder, done, why;
    mode_t before;

    if (address_of(path, &address, &folder, err) != RF_OK)
        return -1;
    before = umask(0177); /* nobody else may connect, not even for a moment */
    done = bind(fd, (const struct sockaddr *)&address, sizeof address);
    why = errno;
    umask(before);
    if (folder >= 0)
        close(folder);
    errno = why;
    if (done != 0 && why != EADDRINUSE)
        rf_fail(err, RF_ERR_IO, "cannot make the socket '%.300s': %s", path, strerror(why));
    return done;
}

/* Something lies where the socket should be: one that a crash has left is removed. */
static enum rf_status make_room(const char *path, struct rf_error *err)
{
    struct stat info;
    int fd;

    if (lstat(path, &info) == 0 && !S_ISSOCK(info.st_mode))
        return rf_fail(err, RF_ERR_IO, "'%.300s' is there, and is no socket", path);
    fd = connect_to(path, 1000000, NULL);
    if (fd >= 0) {
        close(fd);
        return rf_fail(err, RF_ERR_PEER, "another process listens on '%.300s'", path);
    }
    if (unlink(path) != 0 && errno != ENOENT)
        return rf_fail(err, RF_ERR_IO, "cannot remove the old socket '%.300s': %s", path,
                       strerror(errno));
    return RF_OK;
}

static enum rf_status start(struct rf_local_server *s, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    int done;

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot make a socket: %s", strerror(errno));
    done = bind_to(s->fd, s->path, err);
    if (done != 0 && errno == EADDRINUSE) {
        st = make_room(s->path, err);
        if (st != RF_OK)
            return st;
        done = bind_to(s->fd, s->path, err);
    }
    if (done != 0)
        return errno == EADDRINUSE
                   ? rf_fail(err, RF_ERR_PEER, "'%.300s' is taken again and again", s->path)
                   : RF_ERR_IO;
    if (listen(s->fd, BACKLOG) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot listen on '%.300s': %s", s->path,
                       strerror(errno));
    return RF_OK;
}

enum rf_status rf_local_open(struct rf_local_server **server,
                             const struct rf_local_options *options, struct rf_error *err)
{
    struct rf_local_server *s = calloc(1, sizeof *s);
    enum rf_status st = RF_OK;

    *server = NULL;
    if (s == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a server");
    s->fd = -1;
    s->options = *options;
    if (s->options.clients > CLIENTS_MAX)
        s->options.clients = CLIENTS_MAX;
    if (snprintf(s->path, sizeof s->path, "%s", options->path) >= RF_PATH_BYTES)
        st = rf_fail(err, RF_ERR_ARG, "the path of a socket is too long");
    if (st == RF_OK)
        st = start(s, err);
    if (st == RF_OK) {
        *server = s;
        return RF_OK;
    }
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return st;
}

static void drop(struct rf_local_server *s, int i)
{
    close(s->clients[i].fd);
    free(s->clients[i].text);
    s->clients[i] = s->clients[--s->nclients];
}

void rf_local_close(struct rf_local_server *server)
{
    if (server == NULL)
        return;
    while (server->nclients > 0)
        drop(server, 0);
    unlink(server->path);
    close(server->fd);
    free(server);
}

struct peer { /* the kernel's struct ucred */
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static int is_mine(int fd)
{
#ifdef SO_PEERCRED
    struct peer peer = {0};
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
        return 0;
    return peer.uid == geteuid() || peer.uid == 0;
#else
    (void)fd; /* the socket's mode alone */
    return 1;
#endif
}

static void take_clients(struct rf_local_server *s, int64_t now_us)
{
    while (s->nclients < s->options.clients) {
        int fd = accept(s->fd, NULL, NULL), flags;

        if (fd < 0)
            return;
        flags = fcntl(fd, F_GETFL);
        if (!is_mine(fd) || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            close(fd);
            continue;
        }
        s->clients[s->nclients++] = (struct client){.fd = fd, .since_us = now_us};
    }
}

/* The request is complete: the reply takes its place. Returns 0 when there is none. */
static int answer(struct rf_local_server *s, struct client *c, size_t length)
{
    char *reply = NULL, *line;
    size_t n;

    c->text[length] = '\0';
    s->options.answer(s->options.ctx, c->text, length, &reply);
    if (reply == NULL)
        return 0;
    n = strlen(reply);
    line = realloc(reply, n + 2);
    if (line == NULL) {
        free(reply);
        return 0;
    }
    line[n] = '\n';
    line[n + 1] = '\0';
    free(c->text);
    *c = (struct client){
        .fd = c->fd, .since_us = c->since_us, .text = line, .size = n + 1, .answering = 1};
    return 1;
}

static int more_room(struct client *c, size_t most)
{
    size_t room = c->room > 0 ? 2 * c->room : FIRST_ROOM;
    char *text;

    if (c->room - c->size > 1)
        return 1;
    if (c->room > most)
        return 0;
    text = realloc(c->text, room);
    if (text == NULL)
        return 0;
    c->text = text;
    c->room = room;
    return 1;
}

/* Takes what has come, one chunk at most. Returns 0 when the connection is of no use any more. */
static int hear(struct rf_local_server *s, struct client *c, int *answered)
{
    size_t want;
    ssize_t n;
    char *end;

    if (!more_room(c, s->options.request_bytes + 1))
        return 0;
    want = c->room - c->size - 1;
    n = recv(c->fd, c->text + c->size, want < CHUNK_BYTES ? want : CHUNK_BYTES, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (n == 0)
        return 0;
    end = memchr(c->text + c->size, '\n', (size_t)n);
    c->size += (size_t)n;
    if (end == NULL)
        return c->size <= s->options.request_bytes;
    if ((size_t)(end - c->text) > s->options.request_bytes)
        return 0;
    *answered = 1;
    return answer(s, c, (size_t)(end - c->text));
}

static int tell(struct client *c)
{
    size_t rest = c->size - c->sent;
    ssize_t n =
        send(c->fd, c->text + c->sent, rest < CHUNK_BYTES ? rest : CHUNK_BYTES, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    c->sent += (size_t)n;
    return c->sent < c->size;
}

int rf_local_round(struct rf_local_server *server, int64_t now_us)
{
    struct rf_local_server *s = server;
    struct pollfd fds[CLIENTS_MAX + 1];
    int n = s->nclients, answered = 0;

    if (n == 0 && now_us - s->looked_us < LOOK_US && now_us >= s->looked_us)
        return 0;
    s->looked_us = now_us;
    for (int i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = s->clients[i].fd,
                                 .events = s->clients[i].answering ? POLLOUT : POLLIN};
    fds[n] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    if (poll(fds, (nfds_t)n + 1, 0) < 0)
        return 0;
    for (int i = n - 1; i >= 0; i--) { /* backwards: dropping moves the last one here */
        struct client *c = &s->clients[i];
        int good = now_us - c->since_us <= s->options.patience_us;

        if (good && fds[i].revents != 0)
            good = c->answering ? tell(c) : hear(s, c, &answered);
        if (!good)
            drop(s, i);
    }
    if ((fds[n].revents & POLLIN) != 0)
        take_clients(s, now_us);
    return answered;
}

/* ---- the one who asks ---- */

static enum rf_status send_all(int fd, const char *text, size_t size, struct rf_error *err)
{
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rf_fail(err, RF_ERR_PEER, "the run does not take the request: %s",
                           errno == EAGAIN ? "it took too long" : strerror(errno));
        text += n;
        size -= (size_t)n;
    }
    return RF_OK;
}

static enum rf_status take_line(int fd, char **reply, struct rf_error *err)
{
    size_t room = FIRST_ROOM, size = 0;
    char *text = malloc(room), *end = NULL;

    while (text != NULL && end == NULL && size < REPLY_MAX) {
        ssize_t n;

        if (room - size < 2) {
            char *more = realloc(text, 2 * room);

            if (more == NULL)
                break;
            text = more;
            room *= 2;
        }
        n = recv(fd, text + size, room - size - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(text);
            return rf_fail(err, RF_ERR_PEER, "the run gave no answer: %s",
                           n == 0            ? "it closed the connection"
                           : errno == EAGAIN ? "it took too long"
                                             : strerror(errno));
        }
        end = memchr(text + size, '\n', (size_t)n);
        size += (size_t)n;
    }
    if (end == NULL) {
        free(text);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: an answer of %zu bytes", size);
    }
    *end = '\0';
    *reply = text;
    return RF_OK;
}

enum rf_status rf_local_ask(const char *path, const char *request, int64_t patience_us,
                            char **reply, struct rf_error *err)
{
    int fd = connect_to(path, patience_us, err);
    enum rf_status st;

    *reply = NULL;
    if (fd < 0)
        return RF_ERR_PEER;
    st = send_all(fd, request, strlen(request), err);
    if (st == RF_OK)
        st = send_all(fd, "\n", 1, err);
    if (st == RF_OK)
        st = take_line(fd, reply, err);
    close(fd);
    return st;
}
