#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; /* POSIX has it in no header */

enum { SAID_MAX = 1 << 28 };

struct said {
    char *text; /* owned */
    size_t size, room;
};

/* 0: nothing more comes. */
static int take(int fd, struct said *said, int *failed)
{
    ssize_t got;

    if (said->size + 4096 >= said->room) {
        size_t room = said->room > 0 ? 2 * said->room : 1 << 16;
        char *more = room <= SAID_MAX ? realloc(said->text, room) : NULL;

        if (more == NULL) {
            *failed = 1;
            return 0;
        }
        said->text = more;
        said->room = room;
    }
    do
        got = read(fd, said->text + said->size, said->room - said->size - 1);
    while (got < 0 && errno == EINTR);
    *failed |= got < 0;
    said->size += got > 0 ? (size_t)got : 0;
    said->text[said->size] = '\0';
    return got > 0;
}

/* Both at once: a program that fills one pipe while we wait at the other would wait for ever. */
static int listen_to(int out, int errors, struct said said[2])
{
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    int failed = 0;

    while (!failed && (fds[0].fd >= 0 || fds[1].fd >= 0)) {
        if (poll(fds, 2, -1) < 0) {
            failed = errno != EINTR;
            continue;
        }
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(fds[i].fd, &said[i], &failed))
                fds[i].fd = -1;
    }
    return !failed;
}

static void close_both(const int pipe[2])
{
    close(pipe[0]);
    close(pipe[1]);
}

static int start(pid_t *pid, const char *const argv[], const int out[2], const int errors[2])
{
    posix_spawn_file_actions_t files;
    int failed = posix_spawn_file_actions_init(&files);

    if (failed != 0)
        return failed;
    failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&files, out[1], 1);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&files, errors[1], 2);
    for (int i = 0; failed == 0 && i < 2; i++) {
        failed = posix_spawn_file_actions_addclose(&files, out[i]);
        if (failed == 0)
            failed = posix_spawn_file_actions_addclose(&files, errors[i]);
    }
    if (failed == 0) /* posix_spawn takes argv as if it might change it, and does not */
        failed = posix_spawnp(pid, argv[0], &files, NULL, (char *const *)(size_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

/* The last line that is not empty. */
static const char *last_line(char *text)
{
    char *end = text + strlen(text);

    while (end > text && (end[-1] == '\n' || end[-1] == ' '))
        *--end = '\0';
    text = strrchr(text, '\n') != NULL ? strrchr(text, '\n') + 1 : text;
    return text[strspn(text, " \t")] != '\0' ? text + strspn(text, " \t")
                                             : "it did not say why";
}

static enum rf_status end(pid_t pid, const char *name, char *complaint, struct rf_error *err)
{
    int status = 0;
    pid_t done;

    do
        done = waitpid(pid, &status, 0);
    while (done < 0 && errno == EINTR);
    if (done > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_PEER, "'%s' has failed: %.400s", name,
                   complaint != NULL ? last_line(complaint) : "it did not say why");
}

enum rf_status rf_program_run(const char *const argv[], char **text, size_t *size_bytes,
                              struct rf_error *err)
{
    struct said said[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    int out[2], errors[2], failed, heard = 0;
    pid_t pid;
    enum rf_status st;

    if (pipe(out) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    if (pipe(errors) != 0) {
        close_both(out);
        return rf_fail(err, RF_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    failed = start(&pid, argv, out, errors);
    close(out[1]);
    close(errors[1]);
    if (failed == 0)
        heard = listen_to(out[0], errors[0], said);
    close(out[0]);
    close(errors[0]);
    if (failed != 0)
        st = rf_fail(err, failed == ENOENT ? RF_ERR_INPUT : RF_ERR_IO, "cannot start '%s': %s",
                     argv[0], strerror(failed));
    else
        st = end(pid, argv[0], said[1].text, err);
    if (st == RF_OK && !heard)
        st = rf_fail(err, RF_ERR_IO, "cannot read what '%s' says", argv[0]);
    free(said[1].text);
    if (st == RF_OK && text != NULL) {
        *text = said[0].text;
        *size_bytes = said[0].size;
    } else {
        free(said[0].text);
    }
    return st;
}
