#include "report/usage.h"

#include <stdlib.h>
#include <string.h>

/* Something changed: an account holds more or fewer devices, or (account -1) the fleet grew. */
struct change {
    int64_t t_us;
    int account, devices;
};

int rf_usage_within(const char *name, const char *of)
{
    size_t n = strlen(of);

    return strncmp(name, of, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

static int account_of(const struct rf_usage *usage, const char *name)
{
    for (int a = 0; a < usage->naccounts; a++)
        if (strcmp(usage->accounts[a], name) == 0)
            return a;
    return usage->naccounts - 1; /* "other" */
}

static void name_accounts(struct rf_usage *usage, const struct rf_timeline *line)
{
    for (int32_t i = 0; i < line->nspans; i++) {
        const char *name = line->spans[i].account;
        int known = 0;

        for (int a = 0; a < usage->naccounts && !known; a++)
            known = strcmp(usage->accounts[a], name) == 0;
        if (known)
            continue;
        if (usage->naccounts == RF_USAGE_ACCOUNTS) {
            memcpy(usage->accounts[RF_USAGE_ACCOUNTS - 1], "other", sizeof "other");
            return;
        }
        memcpy(usage->accounts[usage->naccounts++], name, RF_NAME_BYTES);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct change *a = left, *b = right;

    return (a->t_us > b->t_us) - (a->t_us < b->t_us);
}

static int list_changes(const struct rf_usage *usage, const struct rf_timeline *line,
                        struct change *changes)
{
    int n = 0, fleet = 0;

    for (int32_t i = 0; i < line->nspans; i++) {
        const struct rf_span *span = &line->spans[i];
        int account = account_of(usage, span->account);

        changes[n++] = (struct change){span->begin_us, account, span->ndevices};
        changes[n++] = (struct change){span->end_us, account, -span->ndevices};
    }
    for (int32_t i = 0; i < line->nmarks; i++) {
        const struct rf_mark *mark = &line->marks[i];

        if (mark->type != RF_EVENT_CAPACITY)
            continue;
        changes[n++] = (struct change){mark->t_us, -1, mark->devices - fleet};
        fleet = mark->devices;
    }
    qsort(changes, (size_t)n, sizeof *changes, by_time);
    return n;
}

/* Every change its own step; those at the same time share one. */
static void exact_steps(struct rf_usage *usage, const struct change *changes, int nchanges,
                        int64_t end_us)
{
    double now[RF_USAGE_ACCOUNTS] = {0}, fleet = 0;
    size_t width = (size_t)usage->naccounts;

    for (int i = 0; i < nchanges; i++) {
        if (changes[i].account < 0)
            fleet += changes[i].devices;
        else
            now[changes[i].account] += changes[i].devices;
        if (i + 1 < nchanges && changes[i + 1].t_us == changes[i].t_us)
            continue;
        if (changes[i].t_us >= end_us)
            break;
        usage->t_s[usage->n] = (double)changes[i].t_us / 1e6;
        usage->fleet[usage->n] = fleet;
        memcpy(usage->used + (size_t)usage->n * width, now, width * sizeof *now);
        usage->n++;
    }
    usage->t_s[usage->n] = (double)end_us / 1e6;
}

/* Adds devices x the part of [from, to) that each of the n equal parts of [0, end) holds. */
static void spread(double *parts, size_t stride, int n, double end, double from, double to,
                   double devices)
{
    double part = end / n;
    int first = (int)(from / part), last = (int)(to / part);

    for (int k = first; k <= last && k < n; k++) {
        double lower = k * part > from ? k * part : from;
        double upper = (k + 1) * part < to ? (k + 1) * part : to;

        if (upper > lower)
            parts[(size_t)k * stride] += devices * (upper - lower) / part;
    }
}

/* A change lasts until the end, so the mean of a part is the sum over changes. Lasting
 * contributions cancel in pairs, up to rounding of no importance to a picture. */
static void mean_steps(struct rf_usage *usage, const struct rf_timeline *line, int most)
{
    double end = (double)line->end_us / 1e6;
    size_t width = (size_t)usage->naccounts;
    int fleet = 0;

    usage->n = most;
    for (int k = 0; k <= most; k++)
        usage->t_s[k] = end * k / most;
    for (int32_t i = 0; i < line->nspans; i++) {
        const struct rf_span *span = &line->spans[i];
        int account = account_of(usage, span->account);

        spread(usage->used + account, width, most, end, (double)span->begin_us / 1e6,
               (double)span->end_us / 1e6, span->ndevices);
    }
    for (int32_t i = 0; i < line->nmarks; i++) {
        const struct rf_mark *mark = &line->marks[i];

        if (mark->type != RF_EVENT_CAPACITY)
            continue;
        spread(usage->fleet, 1, most, end, (double)mark->t_us / 1e6, end,
               mark->devices - fleet);
        fleet = mark->devices;
    }
}

static int allocate(struct rf_usage *usage, size_t steps)
{
    usage->t_s = calloc(steps + 1, sizeof *usage->t_s);
    usage->fleet = calloc(steps + 1, sizeof *usage->fleet);
    usage->used = calloc((steps + 1) * (size_t)(usage->naccounts + 1), sizeof *usage->used);
    return usage->t_s != NULL && usage->fleet != NULL && usage->used != NULL;
}

enum rf_status rf_usage_make(struct rf_usage *usage, const struct rf_timeline *timeline,
                             int most, struct rf_error *err)
{
    size_t room = 2 * (size_t)timeline->nspans + (size_t)timeline->nmarks;
    int simple = room <= (size_t)most;
    struct change *changes = NULL;
    int ready;

    memset(usage, 0, sizeof *usage);
    name_accounts(usage, timeline);
    ready = allocate(usage, simple ? room : (size_t)most);
    if (ready && simple) {
        changes = malloc((room + 1) * sizeof *changes);
        ready = changes != NULL;
    }
    if (!ready)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the use of devices over time");
    if (simple)
        exact_steps(usage, changes, list_changes(usage, timeline, changes), timeline->end_us);
    else if (timeline->end_us > 0)
        mean_steps(usage, timeline, most);
    free(changes);
    return RF_OK;
}

void rf_usage_clear(struct rf_usage *usage)
{
    free(usage->t_s);
    free(usage->used);
    free(usage->fleet);
    memset(usage, 0, sizeof *usage);
}
