/* sacct_import.h - a ledger from Slurm's accounting: what another recorder saw, as events.
 *
 * Each job of the table is a request, each of its runs a grant and a reading, so that the same
 * replay, tally and tests that judge our own runs judge a cluster that never heard of ringfence.
 * What the table does not say, the ledger does not have: submissions that Slurm refused, why
 * jobs waited, what a job did with its devices. Which devices a job had is made up: the lowest
 * that are free.
 *
 * Devices that were down are in another table of Slurm's (slurm/events.h): as many free ones, the
 * highest, go down as their node does, and come back with it. A node that is drained finishes its jobs,
 * and how many of its devices did is not said: it counts as up. Without that table nothing is down.
 *
 * Times are whole seconds. At one moment runs end first, then requests come, then runs begin. A
 * job that had to wait for another, or for a date, is a request from the moment on at which it could
 * have started (column Eligible). Accounts of Slurm have no dots: "alignment_w2s" is
 * "alignment.w2s" where that lies below a pledged account, and stays as it is elsewhere. */
#ifndef RF_AUDIT_SACCT_IMPORT_H
#define RF_AUDIT_SACCT_IMPORT_H

#include "alloc/journal.h"

struct rf_sacct_import {
    const char *name, *version, *policy, *config; /* of the open line; policy: "order+fence" */
    int64_t grace_us;
    int32_t devices; /* that there are */
    int unit;        /* enum rf_sacct_unit, or -1: GPUs if the table mentions any */
    const struct rf_event *promises; /* pledge, policy; t_us counts from begin_us */
    int npromises;
    const char *events; /* what `sacctmgr -P show event` printed; NULL: nobody asked */
    size_t events_bytes;
    const char *events_file; /* its name */
    int64_t begin_us,
        end_us; /* the ledger covers this time; 0: from the first submission, and to
                                 the last moment that the table names */
};

struct rf_sacct_imported {
    int64_t rows, jobs, runs;
    int64_t without_devices;  /* jobs that asked for none of the unit */
    int64_t outside;          /* jobs that were over before, or came after, the time covered */
    int64_t unfinished;       /* waiting or running at its end */
    int64_t outages, drained; /* stretches of time in which a node was down, was drained */
    struct rf_wide down_us, drained_us; /* the device-time of these */
    int64_t clashes; /* jobs that were given devices when as many were said to be down */
    int64_t begin_us, end_us;
    int32_t peak; /* devices in use at once */
    const char *unit;
};

/* Records everything from the open to the close line; journal was started and created by the caller, who
 * seals it. RF_ERR_INPUT: "FILE:LINE: what is wrong", or more devices are in use than there are. */
enum rf_status rf_sacct_import_text(struct rf_sacct_imported *out, struct rf_journal *journal,
                                    const char *text, size_t size_bytes, const char *file,
                                    const struct rf_sacct_import *options,
                                    struct rf_error *err);

#endif
