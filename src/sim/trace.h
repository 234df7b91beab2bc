/* trace.h - a recorded trace of jobs -> a workload.
 *
 * Formats (told apart by their content; packed with gzip or not):
 *   swf     the Standard Workload Format: 18 numbers a line, ';' before a comment. Devices are
 *           the processors allocated, or those requested when that is unknown; the limit is the
 *           time requested, or the run time when that is unknown or shorter. queue is field 15,
 *           or the partition (16) when that is unknown; name is the executable.
 *   csv     a header, then one job a line: submit, run, procs, and, where there are such
 *           columns, est (the limit), min and max (malleable: min takes the place of procs,
 *           run is the time on min devices), user, group, queue, type, name, account. Any order;
 *           other columns are ignored; fields may stand in double quotes. submit in seconds, or
 *           a date. Other names that are understood: submit_time, arrival_time; run_time,
 *           duration; est, limit, timelimit, requested_time; devices, gpus, gpu_num.
 *   sacct   `sacct -P` (parsable2) of Slurm with its header: JobID and Submit are needed; devices from
 *           AllocTRES or ReqTRES (gres/gpu, cpu, node) or AllocCPUS, NCPUS, ReqCPUS, AllocNodes,
 *           NNodes; run from ElapsedRaw, Elapsed or Start and End; limit from TimelimitRaw or
 *           Timelimit. Steps are left out, the components of a heterogeneous job are one job, and
 *           of a requeued job the last run counts, from the first submission on.
 *           queue is the partition, type the QOS.
 *   acme    the job logs of AcmeTrace (Seren, Kalos): run times from the two timestamps, because
 *           the duration there includes the wait in Kalos; type is the type.
 *   philly  the job log of Philly (a list of JSON objects): devices are the GPUs of the first
 *           attempt that has any, run is the time of all attempts; group is the virtual cluster.
 *           Its times have no zone and count as UTC.
 *
 * Jobs come out in order of submission, ties in order of the file. Dates become seconds since
 * the first job that is kept. What is not a job by the rules below is dropped and counted. */
#ifndef RF_SIM_TRACE_H
#define RF_SIM_TRACE_H

#include "sim/accounts.h"
#include "sim/workload.h"

enum rf_trace_format {
    RF_TRACE_AUTO,
    RF_TRACE_SWF,
    RF_TRACE_CSV,
    RF_TRACE_SACCT,
    RF_TRACE_ACME,
    RF_TRACE_PHILLY,
    RF_TRACE_NFORMATS
};

/* What a device is, where a trace counts several things (sacct, acme). */
enum rf_trace_unit {
    RF_TRACE_UNIT_AUTO, /* GPUs when the file mentions any, otherwise processors */
    RF_TRACE_GPUS,
    RF_TRACE_CPUS,
    RF_TRACE_NODES,
    RF_TRACE_NUNITS
};

/* Why a line did not become a job. */
enum rf_trace_drop {
    RF_DROP_MALFORMED,  /* not what the format demands; lenient only */
    RF_DROP_NO_RUN,     /* never ran: run time <= 0 or no start */
    RF_DROP_NO_DEVICES, /* devices <= 0 */
    RF_DROP_TOO_LARGE,  /* more devices than the machine has */
    RF_DROP_NO_SUBMIT,  /* submission unknown or before time 0 */
    RF_DROP_TOO_LATE,   /* submitted at or after the horizon */
    RF_DROP_UNFINISHED, /* still waiting or running when the trace was written */
    RF_DROP_STEP,       /* a step of a job (sacct) */
    RF_DROP_REPEATED,   /* an earlier run of a requeued job, the same job again, or a component
                           that its heterogeneous job has taken in (sacct) */
    RF_DROP_NREASONS
};

enum { RF_TRACE_EXAMPLES = 4 };

struct rf_trace_options {
    enum rf_trace_format format;
    enum rf_trace_unit unit;
    int32_t devices;    /* of the machine; 0: unknown, nothing is too large */
    int64_t horizon_us; /* jobs submitted at or after it are left out; 0: none */
    int lenient;        /* drop and count malformed lines instead of refusing the file */
    const struct rf_account_rule_spec *rules; /* borrowed */
    int nrules;
    const char *fallback; /* account of jobs that no rule names; NULL: "default" */
    const char *groups; /* csv file of names for groups (header, then group,name); NULL: none */
};

struct rf_trace_report {
    enum rf_trace_format format;
    enum rf_trace_unit unit; /* AUTO: the format has only one */
    int64_t lines;           /* that could have been jobs */
    int64_t kept;            /* kept + all dropped == lines */
    int64_t dropped[RF_DROP_NREASONS];
    int64_t examples[RF_DROP_NREASONS][RF_TRACE_EXAMPLES]; /* the first line numbers; then 0 */
    char malformed[RF_TEXT_BYTES];                         /* what the first such line lacks */
    /* SWF header; 0: not said. */
    int64_t max_procs, max_nodes, start_unix_s;
};

/* Reads a trace. RF_ERR_INPUT: "FILE:LINE: what is wrong"; RF_ERR_CONFIG: a bad rule. On failure
 * *workload is empty; on success the caller ends it with rf_workload_clear(). A trace without a
 * single job is refused. The report is filled in both cases and may be NULL. */
enum rf_status rf_trace_read(struct rf_workload *workload, const char *path,
                             const struct rf_trace_options *options,
                             struct rf_trace_report *report, struct rf_error *err);
/* The same for a text in memory (a NUL need not follow); `name` is what messages call it. */
enum rf_status rf_trace_parse(struct rf_workload *workload, const char *text, size_t size_bytes,
                              const char *name, const struct rf_trace_options *options,
                              struct rf_trace_report *report, struct rf_error *err);

/* Words for people and options; the _of functions give -1 for an unknown word. */
int rf_trace_format_of(const char *name);
int rf_trace_unit_of(const char *name);                    /* "auto", "gpus", "cpus", "nodes" */
const char *rf_trace_drop_name(enum rf_trace_drop reason); /* "malformed", "no-run-time"... */

#endif
