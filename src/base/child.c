#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATH_BYTES = 4096, NAP_NS = 2000000 };

/* One of the child's first three descriptors: a copy of fd, or /dev/null. */
static int place(posix_spawn_file_actions_t *actions, int fd, int at, int flags)
{
    return fd >= 0 ? posix_spawn_file_actions_adddup2(actions, fd, at)
                   : posix_spawn_file_actions_addopen(actions, at, "/dev/null", flags, 0);
}

static int start(pid_t *child, char *const argv[], int in, int out)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0)
        return code;
    code = place(&actions, in, 0, O_RDONLY);
    if (code == 0)
        code = place(&actions, out, 1, O_WRONLY);
    if (code == 0)
        code = place(&actions, -1, 2, O_WRONLY);
    if (code == 0)
        code = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + 1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

/* Waits by looking: there is no wait with a limit in POSIX that leaves signals alone. */
static int wait_for(pid_t child, int limit_s)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    struct timespec begin;
    int status = 0, killed = 0;
    pid_t got;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    while ((got = waitpid(child, &status, limit_s > 0 && !killed ? WNOHANG : 0)) != child) {
        if (got < 0 && errno != EINTR)
            return -1;
        if (limit_s > 0 && !killed && seconds_since(&begin) > limit_s) {
            kill(child, SIGKILL);
            killed = 1;
        }
        if (got == 0)
            nanosleep(&nap, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int rf_child_run(char *const argv[], int in, int out, int limit_s)
{
    pid_t child;

    return start(&child, argv, in, out) == 0 ? wait_for(child, limit_s) : -1;
}

static char *read_all(FILE *file)
{
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;

    if (text == NULL)
        return NULL;
    rewind(file);
    text[fread(text, 1, (size_t)size, file)] = '\0';
    return text;
}

int rf_child_read(char *const argv[], int limit_s, char **text)
{
    FILE *out = tmpfile();
    int code = out != NULL ? rf_child_run(argv, -1, fileno(out), limit_s) : -1;

    *text = code == 0 ? read_all(out) : NULL;
    if (out != NULL)
        fclose(out);
    return code == 0 && *text == NULL ? -1 : code;
}

int rf_child_exists(const char *name)
{
    const char *path = getenv("PATH");
    char file[PATH_BYTES];

    while (path != NULL && *path != '\0') {
        size_t n = strcspn(path, ":");

        if (n > 0 && snprintf(file, sizeof file, "%.*s/%s", (int)n, path, name) < PATH_BYTES &&
            access(file, X_OK) == 0)
            return 1;
        path += n + (path[n] == ':');
    }
    return 0;
}
