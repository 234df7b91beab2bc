/* seff.h - ten lines after a job: what it was given, and what it made of it.
 *
 * From the ledger of a run, so a job that still runs can be asked after as well; and from what
 * Slurm's sacct says of a job of its own. */
#ifndef RF_REPORT_SEFF_H
#define RF_REPORT_SEFF_H

#include <stdio.h>

#include <jansson.h>

#include "alloc/event.h"

struct rf_seff {
    char job[RF_NAME_BYTES], account[RF_NAME_BYTES], state[24], reason[RF_TEXT_BYTES];
    int32_t id;
    int running;                         /* its figures are not the last ones */
    int64_t submit_us, first_us, end_us; /* since 1970; first_us, end_us 0: not yet */
    int64_t now_us;                      /* what the figures are as of */
    int slurm; /* a job of Slurm's; its devices are processors, its leases are runs */
    int32_t requeues, lost; /* of Slurm's: put back into the queue; lost a node */
    int32_t devices, leases, preemptions, disputes;
    int64_t held_us, busy_us, waited_us, limit_us; /* device-time; waited and limit: time */
    int64_t tokens, flops, step, checkpoints;
    double peak_flops;                       /* per device and second; 0: nobody measured it */
    double memory_bytes, memory_limit_bytes; /* the largest process; 0: not recorded */
    int64_t begin_us;                        /* of a Slurm job, since 1970; 0: of none */
    char work_dir[512];                      /* of a Slurm job */
    char run_dir[640]; /* of the run that a Slurm job made; "" when none was found */
    /* The pledge that the account falls under; "" and 0 without one. */
    char pledge[RF_NAME_BYTES];
    double promised, received; /* shares of the fleet, so far */
    double entitled_device_s;  /* promised so far, in device-time */
};

/* job: a name, or the number of a job that no other has as its name. RF_ERR_INPUT: the ledger
 * cannot be read or verified up to there; RF_ERR_ARG: there is no such job. */
enum rf_status rf_seff_read(struct rf_seff *seff, const char *run_dir, const char *job,
                            struct rf_error *err);

/* What a Slurm job did, by the ledger of its run: FLOPs and tokens of all jobs, the measured peak, and
 * whether a pledge of the run's is kept so far: the first one's share. */
enum rf_status rf_seff_pledge(struct rf_seff *seff, const char *run_dir, struct rf_error *err);

/* A job of Slurm's by its number: `sacct` is asked; and the run whose ledger it wrote last, where one is
 * found in its working directory or in runs/ below that, says how the pledge stands. RF_ERR_PEER: there is no sacct here, or it
 * knows nothing of the job. */
enum rf_status rf_seff_slurm(struct rf_seff *seff, const char *job, struct rf_error *err);
/* Reads what sacct printed; for the above and its tests. */
enum rf_status rf_seff_sacct(struct rf_seff *seff, const char *text, struct rf_error *err);

void rf_seff_print(const struct rf_seff *seff, FILE *out);
/* Adds the keys of one to an object; 0: out of memory. */
int rf_seff_json(const struct rf_seff *seff, json_t *to);

#endif
