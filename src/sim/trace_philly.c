/* Philly's cluster_job_log (Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for
 * DNN Training Workloads", USENIX ATC 2019): a list of jobs as JSON, each with its attempts:
 *
 *   {"status": "Pass", "vc": "ee9e8c", "jobid": "application_...", "user": "ce2ab6",
 *    "submitted_time": "2017-10-07 01:12:05", "attempts": [{"start_time": "2017-10-07 01:12:09",
 *    "end_time": "2017-10-07 01:13:23", "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}]}]}
 *
 * Jobs are parsed one at a time, so that the tree of one of them is in memory and not of all. */
#include <string.h>

#include <jansson.h>

#include "base/value.h"
#include "sim/trace_sink.h"

struct place { /* in the text */
    const char *at, *end;
    int64_t line;
};

static struct rf_view text_of(const json_t *value)
{
    return json_is_string(value)
               ? (struct rf_view){json_string_value(value), json_string_length(value)}
               : (struct rf_view){"", 0};
}

/* A date that may be missing or null: *there. */
static int read_date(const json_t *value, int64_t *us, int *there)
{
    struct rf_view text = text_of(value);

    *us = 0;
    *there = !rf_value_missing(text);
    return (value == NULL || json_is_null(value) || json_is_string(value)) &&
           (!*there || rf_value_date(text, us));
}

static int64_t count_gpus(const json_t *attempt)
{
    const json_t *detail = json_object_get(attempt, "detail"), *place;
    int64_t count = 0;
    size_t i;

    json_array_foreach(detail, i, place) count +=
        (int64_t)json_array_size(json_object_get(place, "gpus"));
    return count;
}

/* Adds up what the attempts ran. Returns what is wrong with them, or NULL. */
static const char *read_attempts(const json_t *job, struct rf_trace_job *it, int *unfinished)
{
    const json_t *attempts = json_object_get(job, "attempts"), *attempt;
    size_t i;

    *unfinished = 0;
    if (!json_is_array(attempts))
        return "a job without its attempts";
    json_array_foreach(attempts, i, attempt)
    {
        int64_t start, end;
        int started, ended;

        if (!read_date(json_object_get(attempt, "start_time"), &start, &started) ||
            !read_date(json_object_get(attempt, "end_time"), &end, &ended))
            return "an attempt without usable times";
        if (it->min == 0)
            it->min = count_gpus(attempt);
        if (started && ended && end > start)
            it->run_us += end - start;
        if (it->run_us > RF_VALUE_TIME_MAX_S * 1000000)
            return "attempts that add up to centuries";
        *unfinished = started && !ended;
    }
    return NULL;
}

static enum rf_status read_job(struct rf_trace_sink *sink, const json_t *job, int64_t line)
{
    struct rf_view about[RF_NFIELDS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct rf_trace_job it = {.line = line};
    const json_t *submitted_time = json_object_get(job, "submitted_time");
    int submitted, unfinished;
    const char *wrong = read_attempts(job, &it, &unfinished);
    enum rf_status st;

    if (wrong != NULL)
        return rf_sink_malformed(sink, line, wrong, text_of(json_object_get(job, "jobid")));
    if (!read_date(submitted_time, &it.submit_us, &submitted))
        return rf_sink_malformed(sink, line, "not a time of submission",
                                 text_of(submitted_time));
    if (unfinished) {
        rf_sink_drop(sink, line, RF_DROP_UNFINISHED);
        return RF_OK;
    }
    if (!submitted)
        it.submit_us = -1;
    about[RF_FIELD_USER] = text_of(json_object_get(job, "user"));
    about[RF_FIELD_GROUP] = text_of(json_object_get(job, "vc"));
    about[RF_FIELD_NAME] = text_of(json_object_get(job, "jobid"));
    st = rf_sink_account(sink, about, &it.account);
    return st == RF_OK ? rf_sink_add(sink, &it) : st;
}

/* Steps over blanks and, behind a job, one comma. */
static void skip(struct place *p, int comma)
{
    for (; p->at < p->end; p->at++) {
        if (*p->at == '\n')
            p->line++;
        else if (*p->at == ',' && comma)
            comma = 0;
        else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r')
            return;
    }
}

/* The next JSON object, which the caller releases; NULL with a message. */
static json_t *next_job(struct rf_trace_sink *sink, struct place *p)
{
    json_error_t why = {.line = 1, .text = "a job begins with '{'"};
    json_t *job = NULL;
    const char *end;

    if (*p->at == '{')
        job = json_loadb(p->at, (size_t)(p->end - p->at), JSON_DISABLE_EOF_CHECK, &why);
    if (job == NULL) {
        rf_fail(sink->err, RF_ERR_INPUT, "%s:%lld: %s", sink->name,
                (long long)(p->line + (why.line > 0 ? why.line - 1 : 0)), why.text);
        return NULL;
    }
    for (end = p->at + why.position; p->at < end; p->at++)
        p->line += *p->at == '\n';
    return job;
}

enum rf_status rf_trace_philly(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    struct place p = {text, text + size_bytes, 1};
    enum rf_status st = RF_OK;
    int is_list;

    sink->dates = 1;
    skip(&p, 0);
    is_list = p.at < p.end && *p.at == '[';
    p.at += is_list;
    skip(&p, 0);
    while (st == RF_OK && p.at < p.end && *p.at != ']') {
        int64_t line = p.line;
        json_t *job = next_job(sink, &p);

        st = job != NULL ? read_job(sink, job, line) : RF_ERR_INPUT;
        json_decref(job);
        skip(&p, 1);
    }
    if (st == RF_OK && is_list && p.at == p.end)
        st = rf_sink_refuse(sink, p.line, "the list of jobs does not end");
    return st;
}
