/* command.h - the commands, as rows of one table.
 *
 * To add a command: write cmd_NAME.c, declare its row below, name it in the
 * table in main.c and in CMakeLists.txt. A command reads its arguments with
 * rf_options_parse() (options.h), makes a few library calls, and prints its
 * result. Only the rank with world->rank == 0 prints. */
#ifndef RF_CLI_COMMAND_H
#define RF_CLI_COMMAND_H

#include "base/error.h"
#include "mpi/group.h"

struct rf_command {
    const char *name;
    const char *summary; /* one line in `ringfence --help`, no full stop */
    int serial;          /* 1: runs on rank 0 alone, the other ranks wait for its status;
                            0: runs on every rank of world */
    /* argv[0] is the command's name. world is only for commands that are not serial (a serial
     * one sees a world whose other members do not take part). A status other than RF_OK comes
     * with its sentence in err, which main prints once; RF_NO may leave the text empty when the
     * answer has been printed already. */
    enum rf_status (*run)(const struct rf_group *world, int argc, char **argv,
                          struct rf_error *err);
};

extern const struct rf_command rf_command_audit;
extern const struct rf_command rf_command_bench;
extern const struct rf_command rf_command_cancel;
extern const struct rf_command rf_command_checkpoint;
extern const struct rf_command rf_command_data;
extern const struct rf_command rf_command_doctor;
extern const struct rf_command rf_command_help;
extern const struct rf_command rf_command_keygen;
extern const struct rf_command rf_command_ledger;
extern const struct rf_command rf_command_report;
extern const struct rf_command rf_command_run;
extern const struct rf_command rf_command_scale;
extern const struct rf_command rf_command_seff;
extern const struct rf_command rf_command_simulate;
extern const struct rf_command rf_command_slurm;
extern const struct rf_command rf_command_status;
extern const struct rf_command rf_command_submit;
extern const struct rf_command rf_command_train;
extern const struct rf_command rf_command_witness;

#endif
