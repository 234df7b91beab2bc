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

static int start(pid_t *child, char *const argv[], int in, int out, int errors)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0)
        return code;
    code = place(&actions, in, 0, O_RDONLY);
    if (code == 0)
        code = place(&actions, out, 1, O_WRONLY);
    if (code == 0)
        code = place(&actions, errors, 2, O_WRONLY);
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

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
    return code_of(status);
}

int rf_child_start(char *const argv[], pid_t *child)
{
    return start(child, argv, -1, STDERR_FILENO, STDERR_FILENO);
}

int rf_child_over(pid_t child, int block, int *code)
{
    int status = 0;
    pid_t got;

    do
        got = waitpid(child, &status, block ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        *code = code_of(status);
    return got > 0 ? 1 : got < 0 ? -1 : 0;
}

int rf_child_run(char *const argv[], int in, int out, int limit_s)
{
    pid_t child;

    return start(&child, argv, in, out, -1) == 0 ? wait_for(child, limit_s) : -1;
}

static char *read_all(FILE *file, size_t *size_bytes)
{
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;

    if (text == NULL)
        return NULL;
    rewind(file);
    *size_bytes = fread(text, 1, (size_t)size, file);
    text[*size_bytes] = '\0';
    return text;
}

int rf_child_read(char *const argv[], int limit_s, char **text)
{
    FILE *out = tmpfile();
    size_t size;
    int code = out != NULL ? rf_child_run(argv, -1, fileno(out), limit_s) : -1;

    *text = code == 0 ? read_all(out, &size) : NULL;
    if (out != NULL)
        fclose(out);
    return code == 0 && *text == NULL ? -1 : code;
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

static enum rf_status complain(const char *name, FILE *errors, struct rf_error *err)
{
    size_t size;
    char *text = read_all(errors, &size);
    enum rf_status st = rf_fail(err, RF_ERR_PEER, "'%s' has failed: %.400s", name,
                                text != NULL ? last_line(text) : "it did not say why");

    free(text);
    return st;
}

static enum rf_status ask(const char *const argv[], FILE *out, FILE *errors, char **text,
                          size_t *size_bytes, struct rf_error *err)
{
    pid_t child;
    /* posix_spawn takes argv as if it might change it, and does not. */
    int code = start(&child, (char *const *)(size_t)argv, -1, fileno(out), fileno(errors));

    if (code != 0)
        return rf_fail(err, code == ENOENT ? RF_ERR_INPUT : RF_ERR_IO, "cannot start '%s': %s",
                       argv[0], strerror(code));
    if (wait_for(child, 0) != 0)
        return complain(argv[0], errors, err);
    *text = read_all(out, size_bytes);
    return *text != NULL ? RF_OK
                         : rf_fail(err, RF_ERR_IO, "cannot read what '%s' says", argv[0]);
}

enum rf_status rf_child_ask(const char *const argv[], char **text, size_t *size_bytes,
                            struct rf_error *err)
{
    FILE *out = tmpfile(), *errors = tmpfile();
    enum rf_status st;

    *text = NULL;
    if (out == NULL || errors == NULL)
        st = rf_fail(err, RF_ERR_IO, "cannot make a temporary file: %s", strerror(errno));
    else
        st = ask(argv, out, errors, text, size_bytes, err);
    if (errors != NULL)
        fclose(errors);
    if (out != NULL)
        fclose(out);
    return st;
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
