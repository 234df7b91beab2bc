/* Every definition but INST compares sums over stretches of time, which are differences of
 * samples; the rest is what is promised in a stretch, and how long it is. */
#include <stdio.h>
#include <string.h>

#include "alloc/definition_rules.h"

static const char *const VERDICTS[] = {"none", "kept", "not-asked", "unprovable", "broken"};

const char *rf_finding_verdict_name(enum rf_finding_verdict verdict)
{
    return VERDICTS[verdict];
}

const char *rf_definition_label(enum rf_definition definition,
                                const struct rf_definition_options *options, char buf[32])
{
    static const char *const NAMES[RF_DEFINITION_N] = {
        "INST",  "FLOW(pledge)", NULL,  NULL,    NULL,     "PERIOD",
        "STOCK", "STOCK+",       "CAP", "OFFER", "SERVICE"};
    const int64_t second_us = 1000000, day_us = 86400 * second_us;
    int64_t length_us;

    if (NAMES[definition] != NULL) {
        snprintf(buf, 32, "%s", NAMES[definition]);
        return buf;
    }
    length_us = options->sliding_us[definition - RF_DEFINITION_FLOW_DAY];
    if (length_us == day_us)
        snprintf(buf, 32, "FLOW(day)");
    else if (length_us == 91 * day_us)
        snprintf(buf, 32, "FLOW(quarter)");
    else if (length_us % day_us == 0)
        snprintf(buf, 32, "FLOW(%lldd)", (long long)(length_us / day_us));
    else if (length_us % second_us == 0)
        snprintf(buf, 32, "FLOW(%llds)", (long long)(length_us / second_us));
    else
        snprintf(buf, 32, "FLOW(%lldus)", (long long)length_us);
    return buf;
}

/* ---- SERVICE ------------------------------------------------------------- */

/* 64 buckets for each doubling: below 128 exact, then within 1/64. */
static int bucket_of(int64_t wait_us)
{
    int shift = 0;

    while (wait_us >> shift >= 128)
        shift++;
    return (int)(64 * shift + (wait_us >> shift));
}

/* The largest wait that falls into the bucket. */
static int64_t largest_in(int bucket)
{
    int shift = bucket < 128 ? 0 : bucket / 64 - 1;

    return ((int64_t)(bucket - 64 * shift) << shift) + (((int64_t)1 << shift) - 1);
}

/* A queued job's request became ready when the last of those that it comes after was done. */
static int64_t ready_us(const struct rf_state *state, int32_t id)
{
    const struct rf_job *job = &state->jobs[id];
    const struct rf_job_extra *extra = rf_state_job_extra(state, id);
    int64_t t_us = job->submit_us;

    for (int32_t i = 0; i < extra->nafter; i++)
        if (state->jobs[extra->after[i]].end_us > t_us)
            t_us = state->jobs[extra->after[i]].end_us;
    return t_us;
}

static void answer(const struct rf_definition_options *options, struct rf_gathering *g,
                   const struct rf_stretch *request, int denied)
{
    struct rf_finding *f = &g->promise.findings[RF_DEFINITION_SERVICE];
    int64_t wait_us = request->end_us - request->begin_us;

    f->requests++;
    f->promised_us = rf_wide_plus(f->promised_us, request->promised_us);
    f->asked_us = rf_wide_plus(f->asked_us, request->asked_us);
    if (denied) {
        f->denied++;
        f->denied_us = rf_wide_plus(f->denied_us, request->asked_us);
        if (g->denied.begin_us < 0)
            g->denied = *request;
        return;
    }
    g->waits[bucket_of(wait_us)]++;
    if (f->worst.begin_us < 0 || wait_us > f->worst.end_us - f->worst.begin_us)
        f->worst = *request;
    if (wait_us <= options->service_wait_us)
        f->kept++;
    else if (g->late.begin_us < 0)
        g->late = *request;
}

void rf_service_answer(struct rf_definitions *d, struct rf_pledged *a,
                       const struct rf_state *state, int32_t id, int64_t t_us, int denied)
{
    enum { ANSWERED = 4 };
    const struct rf_job *job = &state->jobs[id];
    struct rf_wish *wish = &d->wishes[id];
    struct rf_wide size_us = rf_wide_product(job->limit_us, job->min);
    struct rf_stretch request = {ready_us(state, id), t_us, size_us, size_us, {0, 0}};

    if ((wish->in_share & ANSWERED) != 0)
        return;
    wish->in_share |= ANSWERED;
    for (int i = 0; i < a->npromises; i++)
        if ((wish->in_share & (1u << i)) != 0)
            answer(&d->options, &a->promises[i], &request, denied);
}

static int64_t percentile_95(const struct rf_gathering *g, int64_t n)
{
    int64_t rank = (95 * n + 99) / 100, seen = 0;

    for (int i = 0; i < RF_WAIT_BUCKETS; i++) {
        seen += g->waits[i];
        if (seen >= rank && n > 0)
            return largest_in(i);
    }
    return 0;
}

static void judge_service(const struct rf_definition_options *options, struct rf_gathering *g)
{
    struct rf_finding *f = &g->promise.findings[RF_DEFINITION_SERVICE];
    int64_t allowed = rf_share_of(&options->service_denied, f->requests);
    int late, refused;

    f->wait_p95_us = percentile_95(g, f->requests - f->denied);
    f->judged = f->requests;
    f->broken = f->judged - f->kept;
    late = f->wait_p95_us > options->service_wait_us && g->late.begin_us >= 0;
    refused = f->denied > allowed ||
              rf_wide_compare(f->denied_us, rf_wide_of(options->service_denied_us)) > 0;
    if (f->requests == 0) {
        f->verdict = RF_FINDING_NOT_ASKED;
    } else if (!late && !refused) {
        f->verdict = RF_FINDING_KEPT;
    } else {
        f->verdict = RF_FINDING_BROKEN;
        f->first = late ? g->late : g->denied;
        if (late && refused && g->denied.begin_us < f->first.begin_us)
            f->first = g->denied;
    }
}

/* ---- sums ---------------------------------------------------------------- */

/* What happened in a stretch. */
struct span {
    int64_t begin_us, end_us;
    struct rf_wide promised_us, delivered_us, dark_us, wanted_us, unmet_us;
};

/* The tolerance for each device of the share, rounded up. */
static struct rf_wide tolerance_of(const struct rf_pledge *pledge, const struct span *s)
{
    int64_t length = s->end_us - s->begin_us, rest = 0, devices;

    if (length <= 0)
        return rf_wide_of(0);
    devices = rf_wide_narrow(rf_wide_divide(s->promised_us, length, &rest));
    return rf_wide_product(devices + (rest > 0), pledge->tolerance_us);
}

/* At least b, with the tolerance? */
static int reaches(struct rf_wide a, struct rf_wide b, struct rf_wide tolerance)
{
    return rf_wide_compare(rf_wide_plus(a, tolerance), b) >= 0;
}

/* With the readings that there are. */
static struct rf_stretch proven(const struct span *s, struct rf_wide delivered_us)
{
    return (struct rf_stretch){
        s->begin_us, s->end_us, s->promised_us,
        rf_wide_least(s->wanted_us, rf_wide_plus(s->delivered_us, s->unmet_us)),
        rf_wide_minus(delivered_us, s->dark_us)};
}

/* breach_us: how large it is, against worst_us of the worst so far. */
static void count(struct rf_finding *f, enum rf_finding_verdict verdict,
                  const struct rf_stretch *s, struct rf_wide breach_us, struct rf_wide worst_us)
{
    f->judged++;
    f->kept += verdict == RF_FINDING_KEPT;
    f->not_asked += verdict == RF_FINDING_NOT_ASKED;
    f->unprovable += verdict == RF_FINDING_UNPROVABLE;
    f->broken += verdict == RF_FINDING_BROKEN;
    f->verdict = verdict > f->verdict ? verdict : f->verdict;
    f->promised_us = rf_wide_plus(f->promised_us, s->promised_us);
    f->asked_us = rf_wide_plus(f->asked_us, s->asked_us);
    f->delivered_us = rf_wide_plus(f->delivered_us, s->delivered_us);
    if (verdict != RF_FINDING_BROKEN)
        return;
    if (f->first.begin_us < 0)
        f->first = *s;
    if (f->worst.begin_us < 0 || rf_wide_compare(breach_us, worst_us) > 0)
        f->worst = *s;
}

/* A floor: at least what was promised, or all that was asked for. */
static void judge_floor(struct rf_finding *f, const struct rf_pledge *pledge,
                        const struct span *s)
{
    struct rf_stretch stretch = proven(s, s->delivered_us);
    struct rf_wide tolerance = tolerance_of(pledge, s);
    struct rf_wide due_us = rf_wide_least(s->promised_us, stretch.asked_us);
    enum rf_finding_verdict verdict = RF_FINDING_BROKEN;

    if (reaches(stretch.delivered_us, s->promised_us, tolerance))
        verdict = RF_FINDING_KEPT;
    else if (reaches(stretch.delivered_us, due_us, tolerance))
        verdict = RF_FINDING_NOT_ASKED;
    else if (reaches(s->delivered_us, due_us, tolerance))
        verdict = RF_FINDING_UNPROVABLE;
    count(f, verdict, &stretch, rf_shortfall(&stretch), rf_shortfall(&f->worst));
}

/* A ceiling: at most what was promised. */
static void judge_cap(struct rf_finding *f, const struct rf_pledge *pledge,
                      const struct span *s)
{
    struct rf_stretch stretch = proven(s, s->delivered_us);
    struct rf_wide tolerance = tolerance_of(pledge, s);
    enum rf_finding_verdict verdict = RF_FINDING_BROKEN;

    if (reaches(s->promised_us, s->delivered_us, tolerance))
        verdict = RF_FINDING_KEPT;
    else if (reaches(s->promised_us, stretch.delivered_us, tolerance))
        verdict = RF_FINDING_UNPROVABLE;
    count(f, verdict, &stretch, rf_wide_minus(stretch.delivered_us, s->promised_us),
          rf_wide_minus(f->worst.delivered_us, f->worst.promised_us));
}

/* An offer: taken, or there for the taking. */
static void judge_offer(struct rf_finding *f, const struct rf_pledge *pledge,
                        const struct span *s, struct rf_wide offered_us)
{
    struct rf_stretch stretch = proven(s, offered_us);
    struct rf_wide tolerance = tolerance_of(pledge, s);
    enum rf_finding_verdict verdict = RF_FINDING_BROKEN;

    if (reaches(stretch.delivered_us, s->promised_us, tolerance))
        verdict = RF_FINDING_KEPT;
    else if (reaches(offered_us, s->promised_us, tolerance))
        verdict = RF_FINDING_UNPROVABLE;
    count(f, verdict, &stretch, rf_wide_minus(s->promised_us, stretch.delivered_us),
          rf_wide_minus(f->worst.promised_us, f->worst.delivered_us));
}

static struct span between(const struct rf_definition_sample *from,
                           const struct rf_definition_sample *to, struct rf_wide unmet_us)
{
    return (struct span){.begin_us = from->t_us,
                         .end_us = to->t_us,
                         .promised_us = rf_wide_minus(to->promised_us, from->promised_us),
                         .delivered_us = rf_wide_minus(to->delivered_us, from->delivered_us),
                         .dark_us = rf_wide_minus(to->dark_us, from->dark_us),
                         .wanted_us = rf_wide_minus(to->wanted_us, from->wanted_us),
                         .unmet_us = unmet_us};
}

static void judge_windows(struct rf_gathering *g, const struct rf_cells *cells, int promise)
{
    struct rf_finding *f = g->promise.findings;
    const struct rf_definition_sample *samples = cells->samples[promise];

    for (int32_t k = 1; k < cells->nsamples; k++) {
        struct span s = between(&samples[k - 1], &samples[k], samples[k].unmet_us[0]);

        judge_floor(&f[RF_DEFINITION_FLOW_PLEDGE], &g->promise.pledge, &s);
        judge_cap(&f[RF_DEFINITION_CAP], &g->promise.pledge, &s);
        judge_offer(&f[RF_DEFINITION_OFFER], &g->promise.pledge, &s,
                    rf_wide_minus(samples[k].offered_us, samples[k - 1].offered_us));
    }
    f[RF_DEFINITION_FLOW_PLEDGE].length_us = cells->length_us;
    f[RF_DEFINITION_CAP].length_us = f[RF_DEFINITION_OFFER].length_us = cells->length_us;
}

static void judge_sliding(struct rf_gathering *g, const struct rf_cells *cells, int promise,
                          int which)
{
    struct rf_finding *f = &g->promise.findings[RF_DEFINITION_FLOW_DAY + which];
    const struct rf_definition_sample *samples = cells->samples[promise];
    int64_t steps = cells->spans_us[which] / cells->length_us;

    f->length_us = cells->spans_us[which];
    for (int64_t k = steps; k < cells->nsamples; k++) {
        const struct rf_definition_sample *from = &samples[k - steps], *to = &samples[k];
        struct span s = between(from, to, to->unmet_us[which]);

        if (to->t_us - from->t_us == f->length_us)
            judge_floor(f, &g->promise.pledge, &s);
    }
}

/* ---- the whole ----------------------------------------------------------- */

static struct rf_wide pace_of(const struct rf_definition_sample *s, int plus)
{
    return plus ? s->stock_plus_us : s->stock_us;
}

/* Arrears over time, up to the horizon. */
static void judge_arrears(struct rf_finding *f, const struct rf_definition_sample *samples,
                          int32_t n, const struct rf_definition_sample *end, int plus)
{
    f->arrears_us = f->arrears_max_us = rf_wide_of(0);
    f->arrears_max_at_us = f->behind_since_us = -1;
    for (int32_t k = 0; k <= n; k++) {
        const struct rf_definition_sample *s =
            k < n && samples[k].t_us < end->t_us ? &samples[k] : end;
        struct rf_wide proven_us = rf_wide_minus(s->delivered_us, s->dark_us);
        struct rf_wide arrears_us = rf_wide_minus(pace_of(s, plus), proven_us);

        f->arrears_us = rf_wide_most(arrears_us, rf_wide_of(0));
        if (rf_wide_compare(arrears_us, f->arrears_max_us) > 0) {
            f->arrears_max_us = arrears_us;
            f->arrears_max_at_us = s->t_us;
        }
        if (rf_wide_sign(arrears_us) <= 0)
            f->behind_since_us = -1;
        else if (f->behind_since_us < 0)
            f->behind_since_us = s->t_us;
        if (s == end)
            return;
    }
}

static void judge_whole(struct rf_gathering *g, const struct rf_cells *steps, int promise,
                        struct rf_wide unmet_us)
{
    const struct rf_definition_sample *samples = steps->samples[promise];
    const struct rf_definition_sample *last = &samples[steps->nsamples - 1];
    const struct rf_definition_sample *end = g->past_horizon ? &g->at_horizon : last;
    struct span s = between(&samples[0], last, unmet_us);

    if (s.end_us == s.begin_us)
        return;
    judge_floor(&g->promise.findings[RF_DEFINITION_PERIOD], &g->promise.pledge, &s);
    s = between(&samples[0], end, g->past_horizon ? end->unmet_us[0] : unmet_us);
    for (int plus = 0; plus < 2; plus++) {
        struct rf_finding *f = &g->promise.findings[RF_DEFINITION_STOCK + plus];

        s.promised_us = pace_of(end, plus);
        judge_floor(f, &g->promise.pledge, &s);
        judge_arrears(f, samples, steps->nsamples, end, plus);
    }
}

static void judge_inst(struct rf_pledged *a, struct rf_gathering *g)
{
    struct rf_finding *f = &g->promise.findings[RF_DEFINITION_INST];

    rf_inst_close(a, g, a->done_us);
    if (f->broken > 0)
        f->verdict = RF_FINDING_BROKEN;
    else if (f->unprovable > 0)
        f->verdict = RF_FINDING_UNPROVABLE;
    else if (a->done_us > a->since_us)
        f->verdict =
            rf_wide_sign(a->given.wanted_us) > 0 ? RF_FINDING_KEPT : RF_FINDING_NOT_ASKED;
}

static enum rf_status judge_account(struct rf_definitions *d, struct rf_pledged *a,
                                    const struct rf_state *state, struct rf_error *err)
{
    struct rf_wide unmet_us = rf_unmet_since(d, a, NULL, state, a->since_us);
    enum rf_status st = RF_OK;

    if (a->steps.samples[0][a->steps.nsamples - 1].t_us < a->done_us)
        st = rf_cells_end(d, a, &a->steps, state, err);
    if (st == RF_OK && a->windows.samples[0][a->windows.nsamples - 1].t_us < a->done_us)
        st = rf_cells_end(d, a, &a->windows, state, err);
    for (int32_t i = state->running_first; st == RF_OK && i >= 0; i = state->jobs[i].next)
        if (rf_state_within(state, state->jobs[i].account, a->account))
            rf_mark_dark(a, &state->jobs[i], a->done_us);
    for (int i = 0; st == RF_OK && i < a->npromises; i++) {
        struct rf_gathering *g = &a->promises[i];

        judge_inst(a, g);
        judge_windows(g, &a->windows, i);
        for (int k = 0; k < RF_SLIDING_N; k++)
            judge_sliding(g, &a->steps, i, k);
        judge_whole(g, &a->steps, i, unmet_us);
        judge_service(&d->options, g);
        g->promise.samples = a->steps.samples[i];
        g->promise.nsamples = a->steps.nsamples;
        g->promise.windows = a->windows.samples[i];
        g->promise.nwindows = a->windows.nsamples;
    }
    return st;
}

enum rf_status rf_definitions_judge(struct rf_definitions *d, const struct rf_state *state,
                                    struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int32_t i = d->naccounts > 0 ? state->queue_first : -1; i >= 0;
         i = state->jobs[i].next)
        for (int k = 0; k < d->naccounts; k++)
            if (rf_state_within(state, state->jobs[i].account, d->accounts[k].account) &&
                rf_state_ready(state, &state->jobs[i]))
                rf_service_answer(d, &d->accounts[k], state, i, d->accounts[k].done_us, 0);
    rf_settle_wishes(d, state);
    for (int i = 0; st == RF_OK && i < d->naccounts; i++)
        st = judge_account(d, &d->accounts[i], state, err);
    return st;
}

int rf_definitions_npromises(const struct rf_definitions *definitions)
{
    int n = 0;

    for (int i = 0; i < definitions->naccounts; i++)
        n += definitions->accounts[i].npromises;
    return n;
}

const struct rf_promise *rf_definitions_promise(const struct rf_definitions *definitions, int i)
{
    const struct rf_pledged *a = definitions->accounts;

    for (; i >= a->npromises; a++)
        i -= a->npromises;
    return &a->promises[i].promise;
}
