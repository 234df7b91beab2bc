/* The csv files of a simulation: its jobs and its time series. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/sim_results.h"
#include "report/text.h"

static enum rf_status write_text(struct rf_text *text, const char *path, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (text->failed)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", path);
    else if (strcmp(path, "-") != 0)
        st = rf_file_write(path, text->data, text->size, err);
    else if (fwrite(text->data, 1, text->size, stdout) != text->size || fflush(stdout) != 0)
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    rf_text_clear(text);
    return st;
}

/* Seconds with the decimals that are needed; nothing for a time that does not exist. */
static void add_seconds(struct rf_text *text, int64_t us)
{
    char digits[32];
    int n = 0;

    if (us >= 0) {
        n = snprintf(digits, sizeof digits, "%lld.%06d", (long long)(us / 1000000),
                     (int)(us % 1000000));
        while (digits[n - 1] == '0')
            n--;
        if (digits[n - 1] == '.')
            n--;
    }
    rf_text_add_bytes(text, digits, (size_t)n);
    rf_text_add(text, ",");
}

static void add_job(struct rf_text *text, const struct rf_state *state, int32_t id)
{
    const struct rf_job *job = &state->jobs[id];
    int64_t start_us = state->start_us;
    int started = job->first_grant_us >= 0;
    int ended = started && job->end_us >= 0;

    rf_text_addf(text, "%d,%s,", (int)id + 1, state->accounts[job->account].name);
    add_seconds(text, job->submit_us - start_us);
    add_seconds(text, started ? job->first_grant_us - start_us : -1);
    add_seconds(text, ended ? job->end_us - start_us : -1);
    rf_text_addf(text, "%d,", (int)job->min);
    add_seconds(text, started ? job->first_grant_us - job->submit_us : -1);
    rf_text_addf(text, "%d,%s,%s\n", (int)job->preemptions,
                 rf_job_state_name((enum rf_job_state)job->state), state->reasons[job->reason]);
}

enum rf_status rf_sim_jobs_csv(const struct rf_sim_results *results, const char *path,
                               struct rf_error *err)
{
    const struct rf_state *state = results->result->state;
    struct rf_text text = {0};

    rf_text_add(&text, "id,account,submit,start,end,procs,wait,preemptions,state,reason\n");
    for (int32_t id = 0; id < state->njobs && !text.failed; id++)
        add_job(&text, state, id);
    return write_text(&text, path, err);
}

enum rf_status rf_sim_series_csv(const struct rf_series_table *table, const char *path,
                                 struct rf_error *err)
{
    struct rf_text text = {0};

    rf_text_add(&text, "t_s,length_s");
    for (int c = 0; c < table->ncolumns; c++)
        rf_text_addf(&text, ",%s", table->columns[c].name);
    rf_text_add(&text, "\n");
    for (int k = 0; k < table->nsteps; k++) {
        int64_t t_us = table->t_us[k];

        rf_text_addf(&text, "%.15g,%.15g", (double)(t_us - table->t_us[0]) / 1e6,
                     (double)(table->t_us[k + 1] - t_us) / 1e6);
        for (int c = 0; c < table->ncolumns; c++)
            rf_text_addf(&text, ",%.10g", rf_series_value(table, &table->columns[c], k));
        rf_text_add(&text, "\n");
    }
    return write_text(&text, path, err);
}
