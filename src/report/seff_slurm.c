/* What sacct says of a job: a row for each time it ran, and below them its steps. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/lines.h"
#include "base/value.h"
#include "report/seff.h"

enum { LIMIT_S = 60, CELL_BYTES = 160 };

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
    NCOLUMNS
};
static const char COLUMNS[] =
    "JobID,State,Account,JobName,AllocCPUS,ElapsedRaw,TotalCPU,MaxRSS,ReqMem,TimelimitRaw";

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

static int64_t duration_of(const char *cell)
{
    const struct rf_text text = {cell, strlen(cell)};
    int64_t us = 0;

    return cell[0] != '\0' && rf_value_duration(text, &us) ? us : 0;
}

static int is_state(const char *state, const char *word)
{
    return strncmp(state, word, strlen(word)) == 0;
}

/* One time that the job ran; the last one is what it is now. */
static void take_run(struct rf_seff *s, cells row)
{
    int64_t cpus = whole_of(row[CPUS]), elapsed_us = whole_of(row[ELAPSED]) * 1000000;

    snprintf(s->account, sizeof s->account, "%.63s", row[ACCOUNT]);
    snprintf(s->state, sizeof s->state, "%.23s", row[STATE]);
    snprintf(s->job, sizeof s->job, "%.63s", row[NAME]);
    s->id = (int32_t)whole_of(row[ID]);
    s->devices = (int32_t)cpus;
    s->leases += elapsed_us > 0;
    s->preemptions += is_state(row[STATE], "PREEMPTED") || is_state(row[STATE], "REQUEUED");
    s->held_us += cpus * elapsed_us;
    s->busy_us += duration_of(row[CPU_TIME]);
    s->limit_us = whole_of(row[LIMIT_MINUTES]) * 60000000;
    s->memory_limit_bytes = bytes_of(row[ASKED_MEMORY]);
    s->first_us = 1;
    s->end_us = s->first_us + elapsed_us;
    s->running = is_state(row[STATE], "RUNNING") || is_state(row[STATE], "PENDING") ||
                 is_state(row[STATE], "SUSPENDED");
}

enum rf_status rf_seff_sacct(struct rf_seff *seff, const char *text, struct rf_error *err)
{
    cells row;

    memset(seff, 0, sizeof *seff);
    while (*text != '\0') {
        double bytes;

        text = split(text, row);
        bytes = bytes_of(row[MAX_RSS]);
        seff->memory_bytes = bytes > seff->memory_bytes ? bytes : seff->memory_bytes;
        if (strchr(row[ID], '.') == NULL && row[ID][0] != '\0')
            take_run(seff, row);
    }
    return seff->first_us > 0 ? RF_OK
                              : rf_fail(err, RF_ERR_PEER, "sacct knows nothing of this job");
}

enum rf_status rf_seff_slurm(struct rf_seff *seff, const char *job, struct rf_error *err)
{
    char program[] = "sacct", of[] = "-j", duplicates[] = "-D", plain[] = "-P", bare[] = "-n",
         columns[] = "-o", which[sizeof COLUMNS], id[64];
    char *argv[] = {program, of, id, duplicates, plain, bare, columns, which, NULL};
    char *text = NULL;
    enum rf_status st;

    memcpy(which, COLUMNS, sizeof which);
    snprintf(id, sizeof id, "%s", job);
    if (rf_child_read(argv, LIMIT_S, &text) != 0)
        return rf_fail(err, RF_ERR_PEER,
                       "cannot ask 'sacct' for job %s: it is not here, or failed", id);
    st = rf_seff_sacct(seff, text, err);
    free(text);
    return st;
}
