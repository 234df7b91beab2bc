/* main.c - start MPI, look the command up, run it, agree on the exit code.
 *
 * MPI_COMM_WORLD appears here alone; everybody else gets a group. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <unistd.h>

#include "build_id.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/options.h"
#include "mpi/group.h"
#include "mpi/signals.h"

/* In the order of `ringfence --help`. */
static const struct rf_command *const commands[] = {
    &rf_command_run,      &rf_command_submit,     &rf_command_status, &rf_command_cancel,
    &rf_command_simulate, &rf_command_train,      &rf_command_audit,  &rf_command_ledger,
    &rf_command_witness,  &rf_command_checkpoint, &rf_command_report, &rf_command_bench,
    &rf_command_scale,    &rf_command_seff,       &rf_command_doctor, &rf_command_data,
    &rf_command_slurm,    &rf_command_keygen,     &rf_command_help,   NULL,
};

static void print_version(void)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;

    MPI_Get_library_version(library, &length);
    library[strcspn(library, ",\n")] = '\0';
    printf("ringfence %s\ncompiler: %s\nMPI: %s\nlibsodium: %s\n%s", RF_BUILD, RF_COMPILER,
           library, sodium_version_string(), RF_LIBRARIES);
}

/* A command line without the program's name: global options, then the command. */
static enum rf_status dispatch(const struct rf_group *world, int argc, char **argv,
                               struct rf_error *err)
{
    enum rf_log_level level = RF_LOG_WARN;
    const struct rf_command *command;
    const char *word = NULL;
    enum rf_status st;
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        word = argv[at];
        if (strcmp(word, "-q") == 0 || strcmp(word, "--quiet") == 0)
            level = RF_LOG_QUIET;
        else if (strcmp(word, "-v") == 0 || strcmp(word, "--verbose") == 0)
            level = RF_LOG_DEBUG;
        else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
            return world->rank == 0 ? rf_help_overview(), RF_OK : RF_OK;
        else if (strcmp(word, "--version") == 0)
            return world->rank == 0 ? print_version(), RF_OK : RF_OK;
        else
            return rf_fail(err, RF_ERR_ARG, "unknown option '%s'; see 'ringfence --help'",
                           word);
    }
    rf_log_start(level, world->rank == 0);
    if (at == argc)
        return rf_fail(err, RF_ERR_ARG, "no command given; see 'ringfence --help'");
    st = rf_help_find(argv[at], &command, err);
    if (st != RF_OK)
        return st;
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
 * spawning others and takes a third of the time of a short command. Without one all such processes
 * have the same name, and so the same folder in /tmp, which the first that ends removes under the others:
 * they need none. */
static void no_daemon_for_one(void)
{
    if (getenv("PMIX_RANK") != NULL)
        return;
    (void)setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    (void)setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
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
    rf_help_start(commands);

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
