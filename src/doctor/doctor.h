/* doctor.h - what on this machine helps or hinders ringfence, one finding after the other, each
 * with what to do about it.
 *
 * Nothing here changes anything but files of its own in the folder that is looked at. MPI and HDF5
 * are looked at in mpi/examine.h, which adds to the same list. */
#ifndef RF_DOCTOR_DOCTOR_H
#define RF_DOCTOR_DOCTOR_H

#include <stdio.h>

#include <jansson.h>

#include "base/error.h"

enum rf_health { RF_HEALTH_OK, RF_HEALTH_WARN, RF_HEALTH_FAIL };

struct rf_finding_of {
    enum rf_health health;
    char what[24];  /* "mpi", "fsync" */
    char text[240]; /* what was found */
    char fix[240];  /* what to do; "" when all is well */
};

enum { RF_DOCTOR_MOST = 48 };
struct rf_doctor {
    struct rf_finding_of items[RF_DOCTOR_MOST]; /* more are dropped */
    int n;
};

void rf_doctor_add(struct rf_doctor *doctor, enum rf_health health, const char *what,
                   const char *fix, const char *fmt, ...) RF_PRINTF(5, 6);

/* Where checkpoints and ledgers would go: kind of file system, room, direct writes, fsync, rename,
 * locks. A folder that does not exist is a finding. */
void rf_doctor_files(struct rf_doctor *doctor, const char *dir);
/* The same for one line of /proc/self/mounts and its tests: is a file system of this type shared
 * over a network? */
int rf_doctor_is_network(const char *type);

/* Processors: what they can multiply with, and which implementation oneDNN and OpenBLAS chose. */
void rf_doctor_processor(struct rf_doctor *doctor);
/* The best of AMX, AVX-512, AVX2 that a "flags" line of /proc/cpuinfo names; "" for none. */
const char *rf_doctor_isa(const char *flags);

/* Room for shared memory between ranks of a node, and who may read from whom. */
void rf_doctor_memory(struct rf_doctor *doctor);

/* Slurm's commands, its controller, accounting and PMIx. Without Slurm one finding says so. */
void rf_doctor_slurm(struct rf_doctor *doctor);

/* gnuplot, a browser, and the key that seals. */
void rf_doctor_programs(struct rf_doctor *doctor);
void rf_doctor_key(struct rf_doctor *doctor, const char *path);

/* The worst of all. */
enum rf_health rf_doctor_worst(const struct rf_doctor *doctor);
/* A line each: ok, warn or fail, what, the finding, and what to do. */
void rf_doctor_print(const struct rf_doctor *doctor, FILE *out);
/* "findings":[...] and "health" into an object; 0: out of memory. */
int rf_doctor_json(const struct rf_doctor *doctor, json_t *to);

#endif
