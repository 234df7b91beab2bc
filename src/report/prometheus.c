#include "report/prometheus.h"

#include <stddef.h>
#include <stdio.h>

#include "report/status.h"
#include "report/text.h"

#define PREFIX "ringfence_"

/* ---- the format ---- */

static void begin(struct rf_text *t, const char *name, const char *type, const char *help)
{
    rf_text_addf(t, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void add_value(struct rf_text *t, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"')
            rf_text_add_bytes(t, "\\", 1);
        if (*c == '\n')
            rf_text_add(t, "\\n");
        else
            rf_text_add_bytes(t, c, 1);
    }
}

/* The name with labels, ended by the space before the figure; a NULL label ends them. */
static void add_name(struct rf_text *t, const char *name, const char *label, const char *value,
                     const char *label2, const char *value2)
{
    rf_text_addf(t, PREFIX "%s", name);
    if (label != NULL) {
        rf_text_addf(t, "{%s=\"", label);
        add_value(t, value);
        rf_text_add(t, "\"");
        if (label2 != NULL) {
            rf_text_addf(t, ",%s=\"", label2);
            add_value(t, value2);
            rf_text_add(t, "\"");
        }
        rf_text_add(t, "}");
    }
    rf_text_add(t, " ");
}

static void add_integer(struct rf_text *t, int64_t x)
{
    rf_text_addf(t, "%lld\n", (long long)x);
}

/* Device-time, exactly, as seconds. */
static void add_seconds(struct rf_text *t, struct rf_wide us)
{
    char digits[RF_WIDE_BYTES];
    int64_t rest;
    struct rf_wide seconds = rf_wide_divide(us, 1000000, &rest);

    rf_text_addf(t, "%s.%06lld\n", rf_wide_text(seconds, digits), (long long)rest);
}

static void add_ratio(struct rf_text *t, double x)
{
    if (x == x)
        rf_text_addf(t, "%.9g\n", x);
    else
        rf_text_add(t, "NaN\n");
}

static void add_single(struct rf_text *t, const char *name, const char *type, const char *help,
                       int64_t x)
{
    begin(t, name, type, help);
    add_name(t, name, NULL, NULL, NULL, NULL);
    add_integer(t, x);
}

/* ---- the run ---- */

static void add_run(struct rf_text *t, const struct rf_metrics_source *from)
{
    const struct rf_state *s = from->state;

    begin(t, "run_info", "gauge", "The run, with its name and version as labels; always 1.");
    add_name(t, "run_info", "run", from->run, "version", from->version);
    add_integer(t, 1);
    begin(t, "policy_info", "gauge", "The order and fence in force, as labels; always 1.");
    add_name(t, "policy_info", "order", s->order, "fence", s->fence);
    add_integer(t, 1);
    begin(t, "start_time_seconds", "gauge", "When the run began, in seconds since 1970.");
    add_name(t, "start_time_seconds", NULL, NULL, NULL, NULL);
    add_seconds(t, rf_wide_of(s->start_us));
    begin(t, "last_update_time_seconds", "gauge",
          "When this file was written, in seconds since 1970.");
    add_name(t, "last_update_time_seconds", NULL, NULL, NULL, NULL);
    add_seconds(t, rf_wide_of(from->now_us));
}

static void add_devices(struct rf_text *t, const struct rf_metrics_source *from)
{
    const struct rf_state *s = from->state;
    const struct {
        const char *state;
        int32_t n;
    } rows[] = {{"held", s->nfleet - s->nfree}, {"free", s->nfree}, {"down", s->ndown}};

    begin(t, "devices", "gauge", "Devices, by what they do.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add_name(t, "devices", "state", rows[i].state, NULL, NULL);
        add_integer(t, rows[i].n);
    }
    begin(t, "capacity_device_seconds_total", "counter",
          "Device-time that existed since the start of the run.");
    add_name(t, "capacity_device_seconds_total", NULL, NULL, NULL, NULL);
    add_seconds(t, from->tally->capacity_us);
}

static void add_jobs(struct rf_text *t, const struct rf_state *s)
{
    int64_t counts[RF_JOB_DENIED + 1] = {0};

    for (int32_t i = 0; i < s->njobs; i++)
        counts[s->jobs[i].state]++;
    begin(t, "jobs", "gauge", "Jobs, by the state that they are in.");
    for (int k = 0; k <= RF_JOB_DENIED; k++) {
        add_name(t, "jobs", "state", rf_job_state_name((enum rf_job_state)k), NULL, NULL);
        add_integer(t, counts[k]);
    }
}

/* ---- accounts ---- */

static void add_account_seconds(struct rf_text *t, const struct rf_state *s)
{
    begin(t, "account_held_device_seconds_total", "counter",
          "Device-time charged to an account and those below it.");
    for (int32_t i = 0; i < s->naccounts; i++) {
        add_name(t, "account_held_device_seconds_total", "account", s->accounts[i].name, NULL,
                 NULL);
        add_seconds(t, s->accounts[i].held_us);
    }
}

enum figure { DEVICES, FLOPS, TOKENS, DENIED, PREEMPTED, DISPUTED };

static int64_t figure_of(const struct rf_account *a, enum figure figure)
{
    switch (figure) {
    case DEVICES:
        return a->used;
    case FLOPS:
        return a->flops;
    case TOKENS:
        return a->tokens;
    case DENIED:
        return a->denied;
    case PREEMPTED:
        return a->preempted;
    case DISPUTED:
        return a->disputed.times;
    }
    return 0;
}

static void add_accounts(struct rf_text *t, const struct rf_state *s)
{
    static const struct {
        const char *name, *type, *help;
        enum figure figure;
    } rows[] = {
        {"account_devices", "gauge", "Devices that an account and those below it hold.",
         DEVICES},
        {"account_flops_total", "counter",
         "Model FLOPs that jobs of an account and of those below it reported.", FLOPS},
        {"account_tokens_total", "counter",
         "Tokens that jobs of an account and of those below it reported.", TOKENS},
        {"account_denied_requests_total", "counter",
         "Requests of an account and of those below it that were denied.", DENIED},
        {"account_preemptions_total", "counter",
         "How often jobs of an account and of those below it were asked to stop.", PREEMPTED},
        {"account_disputed_readings_total", "counter",
         "Readings of an account and of those below it that were not accepted.", DISPUTED}};

    add_account_seconds(t, s);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        begin(t, rows[k].name, rows[k].type, rows[k].help);
        for (int32_t i = 0; i < s->naccounts; i++) {
            add_name(t, rows[k].name, "account", s->accounts[i].name, NULL, NULL);
            add_integer(t, figure_of(&s->accounts[i], rows[k].figure));
        }
    }
}

/* ---- pledges ---- */

/* A pledge that was changed is judged beside the new one: they differ in their revision. */
static const char *revision_of(const struct rf_tally *tally, int pledge, char text[16])
{
    int n = 0;

    for (int i = 0; i < pledge; i++)
        n += tally->pledges[i].pledge.account == tally->pledges[pledge].pledge.account;
    snprintf(text, 16, "%d", n);
    return text;
}

static void name_pledge(struct rf_text *t, const char *name, const struct rf_tally *tally,
                        int i)
{
    char revision[16];

    add_name(t, name, "account", tally->pledges[i].pledge.account_name, "revision",
             revision_of(tally, i, revision));
}

static void add_ratios(struct rf_text *t, const struct rf_metrics_source *from)
{
    const struct rf_tally *tally = from->tally;

    begin(t, "pledge_share_ratio", "gauge", "The share that is promised.");
    for (int i = 0; i < tally->npledges; i++) {
        name_pledge(t, "pledge_share_ratio", tally, i);
        add_ratio(t, (double)tally->pledges[i].pledge.share.num /
                         (double)tally->pledges[i].pledge.share.den);
    }
    begin(t, "pledge_received_ratio", "gauge",
          "The share of all device-time so far that the pledge's account held.");
    for (int i = 0; i < tally->npledges; i++) {
        name_pledge(t, "pledge_received_ratio", tally, i);
        add_ratio(t, rf_status_share(from->state, tally, tally->pledges[i].pledge.account,
                                     from->now_us));
    }
}

static void add_pledge_seconds(struct rf_text *t, const struct rf_tally *tally)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {{"pledge_entitled_device_seconds_total",
                 "Device-time that the pledge promised so far.",
                 offsetof(struct rf_pledge_account, entitled_us)},
                {"pledge_demanded_device_seconds",
                 "Device-time that the pledge's account could have used so far.",
                 offsetof(struct rf_pledge_account, demanded_us)},
                {"pledge_delivered_device_seconds_total",
                 "Device-time that the pledge's account received so far.",
                 offsetof(struct rf_pledge_account, delivered_us)},
                {"pledge_shortfall_device_seconds",
                 "Device-time that was due in a window and not received, over all windows.",
                 offsetof(struct rf_pledge_account, shortfall_us)}};

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        /* what is due in the window that is open can shrink again */
        begin(t, rows[k].name, k == 0 || k == 2 ? "counter" : "gauge", rows[k].help);
        for (int i = 0; i < tally->npledges; i++) {
            const char *pledge = (const char *)&tally->pledges[i];

            name_pledge(t, rows[k].name, tally, i);
            add_seconds(t, *(const struct rf_wide *)(const void *)(pledge + rows[k].offset));
        }
    }
}

static void add_verdicts(struct rf_text *t, const struct rf_tally *tally)
{
    begin(t, "pledge_windows", "gauge", "Windows of a pledge so far, by verdict.");
    for (int i = 0; i < tally->npledges; i++)
        for (int v = RF_KEPT; v <= RF_UNPROVABLE; v++) {
            char revision[16];
            int n = 0;

            for (int k = 0; k < tally->pledges[i].nwindows; k++)
                n += (int)tally->pledges[i].windows[k].verdict == v;
            rf_text_add(t, PREFIX "pledge_windows{account=\"");
            add_value(t, tally->pledges[i].pledge.account_name);
            rf_text_addf(t, "\",revision=\"%s\",verdict=\"%s\"} %d\n",
                         revision_of(tally, i, revision), rf_verdict_name((enum rf_verdict)v),
                         n);
        }
}

enum rf_status rf_prometheus_text(const struct rf_metrics_source *from, char **text,
                                  struct rf_error *err)
{
    struct rf_text t = {0};

    *text = NULL;
    rf_tally_judge(from->tally, from->state);
    add_run(&t, from);
    add_devices(&t, from);
    add_jobs(&t, from->state);
    if (from->state->naccounts > 0)
        add_accounts(&t, from->state);
    if (from->tally->npledges > 0) {
        add_ratios(&t, from);
        add_pledge_seconds(&t, from->tally);
        add_verdicts(&t, from->tally);
    }
    add_single(&t, "ledger_entries_total", "counter", "Lines in the ledger.", from->entries);
    add_single(&t, "ledger_sealed_entries_total", "counter",
               "Lines in the ledger that a seal covers.", from->sealed_entries);
    add_single(&t, "control_requests_total", "counter",
               "Requests answered on the control socket since the coordinator started.",
               from->requests);
    add_single(&t, "submitted_jobs_total", "counter",
               "Jobs submitted on the control socket since the coordinator started.",
               from->submissions);
    if (t.failed) {
        rf_text_clear(&t);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the metrics");
    }
    *text = t.data;
    return RF_OK;
}
