/* ringfence doctor: what on this machine helps or hinders, and what to do about it. */
#include <stdio.h>

#include "alloc/ledger.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "mpi/examine.h"

static void look(struct rf_doctor *doctor, const struct rf_group *world, const char *dir)
{
    char key[RF_PATH_BYTES];
    struct rf_error err;

    rf_examine_mpi(doctor, world);
    rf_doctor_memory(doctor);
    rf_examine_hdf5(doctor);
    rf_doctor_processor(doctor);
    rf_doctor_files(doctor, dir);
    rf_doctor_slurm(doctor);
    rf_doctor_programs(doctor);
    if (rf_key_default_path(key, &err) == RF_OK)
        rf_doctor_key(doctor, key);
    else
        rf_doctor_add(doctor, RF_HEALTH_WARN, "key", "set HOME or XDG_CONFIG_HOME", "%s",
                      err.text);
}

static enum rf_status print_json(const struct rf_doctor *doctor, int64_t begun_us,
                                 struct rf_error *err)
{
    json_t *root = json_pack("{s:s, s:s, s:n, s:f}", "command", "doctor", "version", RF_VERSION,
                             "seed", "wall_s", (double)(rf_time_us() - begun_us) / 1e6);
    enum rf_status st = root != NULL && rf_doctor_json(doctor, root)
                            ? RF_OK
                            : rf_fail(err, RF_ERR_MEMORY, "out of memory");

    if (st == RF_OK &&
        (json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) != 0 ||
         putchar('\n') == EOF))
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    json_decref(root);
    return st;
}

static enum rf_status doctor(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    int json = 0;
    const char *dir = ".";
    int64_t begun_us = rf_time_us();
    struct rf_doctor found = {.n = 0};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "dir",
         .value = "DIR",
         .text = &dir,
         .help = "where runs and checkpoints would go; default: here"},
        {.name = "json", .flag = &json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "doctor [--dir DIR] [--json]",
        .about =
            "Looks at MPI, HDF5, the matrix libraries, shared memory, the file system, "
            "Slurm, the programs that draw, and the key, and says in one line each what is "
            "well, what is doubtful and what will fail, with what to do about it. Run it "
            "as runs will be: inside the allocation, under mpirun or srun.",
        .more = "  mpirun -n 4 ringfence doctor --dir /scratch/me\n\n"
                "Exit codes: 0 nothing fails, 1 something does, 2 wrong arguments.\n",
        .options = table,
        .min = 0,
        .max = 0};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    if (st != RF_OK || args.help)
        return st;
    look(&found, world, dir);
    if (json)
        st = print_json(&found, begun_us, err);
    else
        rf_doctor_print(&found, stdout);
    return st == RF_OK && rf_doctor_worst(&found) == RF_HEALTH_FAIL
               ? rf_fail(err, RF_NO, "%s", "")
               : st;
}

const struct rf_command rf_command_doctor = {
    .name = "doctor",
    .summary = "what on this machine helps or hinders, and what to do",
    .serial = 1,
    .run = doctor};
