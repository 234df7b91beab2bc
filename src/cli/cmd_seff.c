/* ringfence seff: ten lines after a job. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/seff.h"

static enum rf_status print_json(const struct rf_seff *seff, const char *run_dir,
                                 int64_t begun_us, struct rf_error *err)
{
    json_t *root = json_pack("{s:s, s:s, s:n, s:f, s:s*}", "command", "seff", "version",
                             RF_VERSION, "seed", "wall_s",
                             (double)(rf_time_us() - begun_us) / 1e6, "run_dir", run_dir);
    enum rf_status st = root != NULL && rf_seff_json(seff, root)
                            ? RF_OK
                            : rf_fail(err, RF_ERR_MEMORY, "out of memory");

    if (st == RF_OK &&
        (json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) != 0 ||
         putchar('\n') == EOF))
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    json_decref(root);
    return st;
}

static int is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789_") == strlen(text);
}

static enum rf_status read_job(struct rf_seff *seff, const struct rf_arguments *args,
                               struct rf_error *err)
{
    if (args->n == 2)
        return rf_seff_read(seff, args->text[0], args->text[1], err);
    if (!is_number(args->text[0]))
        return rf_fail(err, RF_ERR_ARG,
                       "'%.200s' is no number of a Slurm job; of a run's jobs it takes RUN_DIR "
                       "and JOB; see 'ringfence seff --help'",
                       args->text[0]);
    return rf_seff_slurm(seff, args->text[0], err);
}

static enum rf_status seff(const struct rf_group *world, int argc, char **argv,
                           struct rf_error *err)
{
    int json = 0;
    int64_t begun_us = rf_time_us();
    struct rf_seff found;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json", .flag = &json, .help = "print one JSON document"}, {0}};
    const struct rf_command_line line = {
        .usage = "seff [--json] RUN_DIR JOB\nseff [--json] SLURM_JOB",
        .about =
            "Ten lines after a job: what it was given and what it made of it. Of a job of a "
            "run, by its name or number, from the run's ledger: device-time allocated "
            "against used, model FLOPs against the measured peak (MFU), its part of the "
            "pledge, waits, preemptions. Of a job of Slurm's, from sacct: state, processor "
            "time allocated against used, memory. Says so when the job is not over.",
        .more = "  ringfence seff runs/quickstart pretrain\n\n"
                "Exit codes: 0 done, 2 no such run or job, 3 sacct does not answer.\n",
        .options = table,
        .min = 1,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    st = read_job(&found, &args, err);
    if (st == RF_OK && json)
        st = print_json(&found, args.n == 2 ? args.text[0] : NULL, begun_us, err);
    else if (st == RF_OK)
        rf_seff_print(&found, stdout);
    return st;
}

const struct rf_command rf_command_seff = {.name = "seff",
                                           .summary =
                                               "ten lines after a job: given, used, waited",
                                           .serial = 1,
                                           .run = seff};
