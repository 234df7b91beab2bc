/* What sacct says of a job: a row for each time it ran, and below them its steps. */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/value.h"
#include "report/seff.h"

enum { LIMIT_S = 60, LATE_S = 120, CELL_BYTES = 512, COMPONENTS = 16 };

enum column {
    ID,
    STATE,
    ACCOUNT,
    NAME,
    CPUS,
    ELAPSED,
    CPU_TIME,
    MAX_RSS,
    ASKED_MEMORY,
    LIMIT_MINUTES,
    BEGIN,
    WORK_DIR,
    SUBMIT,
    NCOLUMNS
};
static const char COLUMNS[] =
    "JobID,State,Account,JobName,AllocCPUS,ElapsedRaw,TotalCPU,MaxRSS,ReqMem,TimelimitRaw,"
    "Start,WorkDir,Submit";

typedef char cells[NCOLUMNS][CELL_BYTES];

/* Cells of one line between '|'; those that are missing are "". Returns what follows it. */
static const char *split(const char *line, cells row)
{
    const char *end = line + strcspn(line, "\n");

    memset(row, 0, sizeof(cells));
    for (int c = 0; c < NCOLUMNS && line <= end; c++) {
        size_t n = strcspn(line, "|\n");

        snprintf(row[c], CELL_BYTES, "%.*s", (int)(n < CELL_BYTES ? n : CELL_BYTES - 1), line);
        line += n + 1;
    }
    return *end == '\n' ? end + 1 : end;
}

/* "123456K", "1.5G", also with the "n" or "c" of older versions behind it. */
static double bytes_of(const char *cell)
{
    static const char units[] = "KMGTP";
    char *end;
    double x = strtod(cell, &end);
    const char *unit = *end != '\0' ? strchr(units, toupper((unsigned char)*end)) : NULL;

    for (const char *u = units; unit != NULL && u <= unit; u++)
        x *= 1024;
    return end != cell && x > 0 ? x : 0;
}

static int64_t whole_of(const char *cell)
{
    char *end;
    long long x = strtoll(cell, &end, 10);

    return end != cell && x > 0 && x < INT64_C(1000000000) ? x : 0;
}

/* Seconds since 1970; "Unknown" is none. */
static int64_t whole_of_seconds(const char *cell)
{
    char *end;
    long long x = strtoll(cell, &end, 10);

    return end != cell && *end == '\0' && x > 0 && x < RF_VALUE_TIME_MAX_S ? x : 0;
}

static int64_t duration_of(const char *cell)
{
    const struct rf_view text = {cell, strlen(cell)};
    int64_t us = 0;

    return cell[0] != '\0' && rf_value_duration(text, &us) ? us : 0;
}

static int is_state(const char *state, const char *word)
{
    return strncmp(state, word, strlen(word)) == 0;
}

/* Of a heterogeneous job, which part the row is about; 0 is the first, or the whole. */
static int component_of(const char *id)
{
    const char *plus = strchr(id, '+');
    int64_t k = plus != NULL ? whole_of(plus + 1) : 0;

    return k < COMPONENTS ? (int)k : COMPONENTS - 1;
}

/* One time that the job ran, or a part of it; the last one is what it is now. */
static void take_run(struct rf_seff *s, cells row, int64_t cpus_of[COMPONENTS])
{
    int64_t cpus = whole_of(row[CPUS]), elapsed_us = whole_of(row[ELAPSED]) * 1000000;
    int64_t begin_us = whole_of_seconds(row[BEGIN]) * 1000000, sum = 0;
    int64_t submit_us = whole_of_seconds(row[SUBMIT]) * 1000000;
    int part = component_of(row[ID]);

    s->slurm = 1;
    snprintf(s->account, sizeof s->account, "%.63s", row[ACCOUNT]);
    snprintf(s->state, sizeof s->state, "%.23s", row[STATE]);
    snprintf(s->job, sizeof s->job, "%.63s", row[NAME]);
    s->id = (int32_t)whole_of(row[ID]);
    cpus_of[part] = cpus > cpus_of[part] ? cpus : cpus_of[part];
    for (int i = 0; i < COMPONENTS; i++)
        sum += cpus_of[i];
    s->devices = (int32_t)sum;
    s->held_us += cpus * elapsed_us;
    s->busy_us += duration_of(row[CPU_TIME]);
    s->limit_us = whole_of(row[LIMIT_MINUTES]) * 60000000;
    s->memory_limit_bytes = bytes_of(row[ASKED_MEMORY]);
    s->begin_us = begin_us > 0 ? begin_us : s->begin_us;
    snprintf(s->work_dir, sizeof s->work_dir, "%.511s", row[WORK_DIR]);
    if (s->first_us <= 1)
        s->first_us = begin_us > 0 ? begin_us : 1;
    s->end_us = (begin_us > 0 ? begin_us : s->first_us) + elapsed_us;
    s->running = is_state(row[STATE], "RUNNING") || is_state(row[STATE], "PENDING") ||
                 is_state(row[STATE], "SUSPENDED");
    if (part > 0)
        return;
    s->leases += elapsed_us > 0;
    s->waited_us += submit_us > 0 && begin_us > submit_us ? begin_us - submit_us : 0;
    s->preemptions += is_state(row[STATE], "PREEMPTED");
    s->requeues += is_state(row[STATE], "REQUEUED");
    s->lost += is_state(row[STATE], "NODE_FAIL");
}

enum rf_status rf_seff_sacct(struct rf_seff *seff, const char *text, struct rf_error *err)
{
    int64_t cpus_of[COMPONENTS] = {0};
    cells row;

    memset(seff, 0, sizeof *seff);
    while (*text != '\0') {
        double bytes;

        text = split(text, row);
        bytes = bytes_of(row[MAX_RSS]);
        seff->memory_bytes = bytes > seff->memory_bytes ? bytes : seff->memory_bytes;
        if (strchr(row[ID], '.') == NULL && row[ID][0] != '\0')
            take_run(seff, row, cpus_of);
    }
    return seff->first_us > 0 ? RF_OK
                              : rf_fail(err, RF_ERR_PEER, "sacct knows nothing of this job");
}

/* Of the folders in dir, the one whose ledger was written last while the job ran. */
static void find_run(const struct rf_seff *s, const char *dir, char best[640], int64_t *last_s)
{
    DIR *list = opendir(dir);
    struct dirent *entry;

    while (list != NULL && (entry = readdir(list)) != NULL) {
        int64_t begin_s = s->begin_us / 1000000, end_s = s->end_us / 1000000;
        char run[640], ledger[RF_PATH_BYTES];
        struct stat info;

        if (entry->d_name[0] == '.' ||
            snprintf(run, sizeof run, "%s/%s", dir, entry->d_name) >= (int)sizeof run)
            continue;
        snprintf(ledger, sizeof ledger, "%s/ledger.jsonl", run);
        if (stat(ledger, &info) != 0 || info.st_mtime < begin_s || info.st_mtime <= *last_s ||
            (!s->running && info.st_mtime > end_s + LATE_S))
            continue;
        *last_s = info.st_mtime;
        memcpy(best, run, sizeof run);
    }
    if (list != NULL)
        closedir(list);
}

/* Where none is found or its ledger does not verify, the pledge stays open. */
static void find_pledge(struct rf_seff *s)
{
    char best[640] = "", runs[RF_PATH_BYTES];
    int64_t last_s = 0;
    struct rf_error err;

    if (s->begin_us == 0 || s->work_dir[0] != '/')
        return;
    find_run(s, s->work_dir, best, &last_s);
    snprintf(runs, sizeof runs, "%s/runs", s->work_dir);
    find_run(s, runs, best, &last_s);
    if (best[0] != '\0')
        (void)rf_seff_pledge(s, best, &err);
}

enum rf_status rf_seff_slurm(struct rf_seff *seff, const char *job, struct rf_error *err)
{
    /* times as seconds since 1970, which need no time zone */
    char env[] = "env", seconds[] = "SLURM_TIME_FORMAT=%s", program[] = "sacct", of[] = "-j",
         duplicates[] = "-D", plain[] = "-P", bare[] = "-n", columns[] = "-o",
         which[sizeof COLUMNS], id[64];
    char *argv[] = {env,   seconds, program, of,    id,  duplicates,
                    plain, bare,    columns, which, NULL};
    char *text = NULL;
    enum rf_status st;

    memcpy(which, COLUMNS, sizeof which);
    snprintf(id, sizeof id, "%s", job);
    if (rf_child_read(argv, LIMIT_S, &text) != 0)
        return rf_fail(err, RF_ERR_PEER,
                       "cannot ask 'sacct' for job %s: it is not here, or failed", id);
    st = rf_seff_sacct(seff, text, err);
    if (st != RF_OK)
        st = rf_fail(err, st, "sacct knows nothing of a job %s", id);
    free(text);
    if (st == RF_OK)
        find_pledge(seff);
    return st;
}
