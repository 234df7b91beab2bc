/* main.c - start MPI, look the command up, run it, agree on the exit code.
 *
 * MPI_COMM_WORLD appears here alone; everybody else gets a group. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/options.h"
#include "mpi/group.h"
#include "mpi/signals.h"

/* In the order of `ringfence --help`. */
static const struct rf_command *const commands[] = {
    &rf_command_run,        &rf_command_submit,   &rf_command_status,
    &rf_command_cancel,     &rf_command_simulate, &rf_command_train,
    &rf_command_audit,      &rf_command_ledger,   &rf_command_witness,
    &rf_command_checkpoint, &rf_command_report,   &rf_command_bench,
    &rf_command_scale,      &rf_command_data,     &rf_command_slurm,
    &rf_command_keygen,
    NULL,
};

enum { NCOMMANDS = sizeof commands / sizeof commands[0] - 1 };

static const struct rf_command *find(const char *name)
{
    for (int i = 0; i < NCOMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int smallest(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters to insert, drop or replace on the way from a to b (short words only). */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 24 };
    int row[LONGEST + 1];
    int na = (int)strlen(a), nb = (int)strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return LONGEST;
    for (int j = 0; j <= nb; j++)
        row[j] = j;
    for (int i = 1; i <= na; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

static enum rf_status refuse_command(const char *name, struct rf_error *err)
{
    const struct rf_command *near = NULL;
    int best = 3; /* letters; further away is no near miss */

    for (int i = 0; i < NCOMMANDS; i++) {
        int d = distance(name, commands[i]->name);

        if (d < best) {
            best = d;
            near = commands[i];
        }
    }
    if (near != NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "unknown command '%s', did you mean '%s'? See 'ringfence --help'", name,
                       near->name);
    return rf_fail(err, RF_ERR_ARG, "unknown command '%s'; see 'ringfence --help'", name);
}

static void print_help(void)
{
    printf("Usage: ringfence [-q|-v] COMMAND [ARGUMENT]...\n\n"
           "Keeps a fixed share of compute for alignment work, and proves it.\n\nCommands:\n");
    for (int i = 0; i < NCOMMANDS; i++)
        printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
    printf("\n'ringfence COMMAND --help' says what a command takes.\n\n"
           "Options:\n"
           "  -q, --quiet   warnings and notes are not printed, errors are\n"
           "  -v, --verbose more notes on stderr\n"
           "  -h, --help    print this help\n"
           "      --version print the version, and what it was built with\n\n"
           "Exit codes: 0 done; 1 done, and the answer is no (broken pledge, failed\n"
           "verification); 2 wrong arguments, configuration or input; 3 files, memory or a\n"
           "peer failed; 4 a defect of ringfence; 85 checkpointed, run me again.\n");
}

static void print_version(void)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;

    MPI_Get_library_version(library, &length);
    library[strcspn(library, ",\n")] = '\0';
    printf("ringfence %s\ncompiler: %s\nMPI: %s\nlibsodium: %s\n%s", RF_VERSION, RF_COMPILER,
           library, sodium_version_string(), RF_LIBRARIES);
}

/* A command line without the program's name: global options, then the command. */
static enum rf_status dispatch(const struct rf_group *world, int argc, char **argv,
                               struct rf_error *err)
{
    static char help[] = "--help";
    enum rf_log_level level = RF_LOG_WARN;
    const struct rf_command *command;
    const char *word = NULL;
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        word = argv[at];
        if (strcmp(word, "-q") == 0 || strcmp(word, "--quiet") == 0)
            level = RF_LOG_QUIET;
        else if (strcmp(word, "-v") == 0 || strcmp(word, "--verbose") == 0)
            level = RF_LOG_DEBUG;
        else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
            return world->rank == 0 ? print_help(), RF_OK : RF_OK;
        else if (strcmp(word, "--version") == 0)
            return world->rank == 0 ? print_version(), RF_OK : RF_OK;
        else
            return rf_fail(err, RF_ERR_ARG, "unknown option '%s'; see 'ringfence --help'",
                           word);
    }
    rf_log_start(level, world->rank == 0);
    if (at == argc)
        return rf_fail(err, RF_ERR_ARG, "no command given; see 'ringfence --help'");
    if (strcmp(argv[at], "help") == 0 && at + 1 == argc)
        return world->rank == 0 ? print_help(), RF_OK : RF_OK;
    if (strcmp(argv[at], "help") == 0) { /* help CMD is CMD --help */
        argv[at] = argv[at + 1];
        argv[at + 1] = help;
        argc = at + 2;
    }
    command = find(argv[at]);
    if (command == NULL)
        return refuse_command(argv[at], err);
    if (command->serial && world->rank != 0)
        return RF_OK;
    return command->run(world, argc - at, argv + at, err);
}

/* Matrix libraries start a thread per core when they are loaded, and they read the
 * wish for fewer then, before main(). With a rank per core that is a disaster, so
 * the program starts itself once more with the wish written down. Whoever sets
 * the variables keeps what was set. */
static void one_thread_per_rank(char **argv)
{
    if (getenv("OMP_NUM_THREADS") != NULL && getenv("OPENBLAS_NUM_THREADS") != NULL)
        return;
    if (setenv("OMP_NUM_THREADS", "1", 0) == 0 && setenv("OPENBLAS_NUM_THREADS", "1", 0) == 0)
        execv("/proc/self/exe", argv);
    /* Without /proc it goes on with more threads: slower, not wrong. */
}

/* A process that nobody launched starts a daemon of Open MPI's for itself, which is good for
 * spawning others and takes a third of the time of a short command. Where ranks are launched the wish
 * means nothing. */
static void no_daemon_for_one(void)
{
    (void)setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
}

int main(int argc, char **argv)
{
    struct rf_error err = {RF_OK, ""};
    struct rf_group world;
    enum rf_status st;
    int provided;

    rf_signals_hold();
    one_thread_per_rank(argv);
    no_daemon_for_one();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    rf_group_dup(&world, MPI_COMM_WORLD);
    rf_log_start(RF_LOG_WARN, world.rank == 0);
    rf_options_start(world.rank == 0);

    st = sodium_init() < 0 ? rf_fail(&err, RF_ERR_INTERNAL, "libsodium does not start") : RF_OK;
    if (st == RF_OK)
        st = dispatch(&world, argc, argv, &err);
    if (st == RF_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = rf_fail(&err, RF_ERR_IO, "cannot write to standard output");
    if (st != RF_OK && err.status != st)
        rf_fail(&err, st, "%s", "");
    st = rf_agree(&world, st, &err);
    if (st != RF_OK && world.rank == 0 && err.text[0] != '\0')
        fprintf(stderr, "ringfence: %s\n", err.text);

    rf_group_free(&world);
    MPI_Finalize();
    return rf_exit_code(st);
}
