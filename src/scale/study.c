#include "scale/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/stats.h"
#include "base/figure.h"
#include "base/rng.h"
#include "base/slice.h"

enum { TIMES = 500 };

const char *rf_scale_mode_name(enum rf_scale_mode mode)
{
    return mode == RF_SCALE_STRONG ? "strong" : "weak";
}

int rf_scale_mode_of(const char *name)
{
    for (int m = 0; m < RF_SCALE_MODES; m++)
        if (strcmp(name, rf_scale_mode_name((enum rf_scale_mode)m)) == 0)
            return m;
    return -1;
}

int rf_scale_ranks(const struct rf_scale_point *point)
{
    return point->tensor * point->data;
}

int64_t rf_scale_tokens(const struct rf_scale_subject *subject,
                        const struct rf_scale_point *point)
{
    return (int64_t)point->batch * subject->shape.context;
}

/* ---- what the plan says -------------------------------------------------------------- */

/* Whole contexts, asked everywhere over the whole vocabulary. */
static struct rf_work work_of(const struct rf_model_shape *shape, int sequences)
{
    int64_t n = (int64_t)sequences * shape->context, visits = n * (shape->context + 1) / 2;

    return (struct rf_work){.rows = n,
                            .asked = n,
                            .row_visits = visits,
                            .asked_visits = visits,
                            .range = shape->vocabulary};
}

enum rf_status rf_scale_traffic(struct rf_traffic *traffic,
                                const struct rf_scale_subject *subject, int tensor, int data,
                                int batch, struct rf_error *err)
{
    struct rf_plan plan;
    int left = (int)rf_slice(batch, 0, data).count;
    int part =
        subject->micro_batch > 0 && subject->micro_batch < batch ? subject->micro_batch : batch;
    enum rf_status st = rf_plan_make(&plan, &subject->shape, 0, tensor, err);

    *traffic = (struct rf_traffic){.calls = {0}};
    for (; st == RF_OK && left > 0; left -= part) {
        struct rf_work work = work_of(&subject->shape, left < part ? left : part);

        rf_traffic_add_part(traffic, &plan, &work, subject->recompute);
    }
    if (st == RF_OK)
        rf_traffic_add_update(traffic, &plan, data, subject->bf16);
    rf_plan_clear(&plan);
    return st;
}

/* What falls to the busiest rank, in units of what a batch on one rank is. */
static enum rf_status busiest(double *share, const struct rf_scale_subject *subject, int tensor,
                              int data, int batch, struct rf_error *err)
{
    struct rf_plan plan;
    struct rf_work work = work_of(&subject->shape, 1);
    enum rf_status st = rf_plan_make(&plan, &subject->shape, 0, tensor, err);

    if (st == RF_OK)
        *share = rf_traffic_share(&plan, &work) * (double)rf_slice(batch, 0, data).count /
                 subject->batch;
    rf_plan_clear(&plan);
    return st;
}

/* ---- rows ------------------------------------------------------------------------------ */

static int by_place(const void *left, const void *right)
{
    const struct rf_scale_point *a = &((const struct rf_scale_row *)left)->point;
    const struct rf_scale_point *b = &((const struct rf_scale_row *)right)->point;

    if (a->mode != b->mode)
        return a->mode < b->mode ? -1 : 1;
    if (rf_scale_ranks(a) != rf_scale_ranks(b))
        return rf_scale_ranks(a) < rf_scale_ranks(b) ? -1 : 1;
    return (a->tensor > b->tensor) - (a->tensor < b->tensor);
}

/* Relative standard error of the median of repeats: from the median of their distances to it, which one
 * repeat that met a busy machine does not spoil. The constants are those of normal errors. */
static double median_error(const double *x, int n, double median)
{
    double away[RF_SCALE_REPEATS];

    for (int i = 0; i < n; i++)
        away[i] = fabs(x[i] - median);
    return n < 2 ? 0 : 1.2533 * 1.4826 * rf_median(away, n) / sqrt(n) / median;
}

static enum rf_status fill_row(struct rf_scale_row *row, const struct rf_scale_subject *subject,
                               struct rf_error *err)
{
    const struct rf_scale_point *p = &row->point;
    double exchange = rf_median(p->exchange_s, p->repeats), share = 0;
    enum rf_status st;

    row->step_s = row->low_s = row->high_s = rf_median(p->step_s, p->repeats);
    for (int i = 0; i < p->repeats; i++) {
        row->low_s = fmin(row->low_s, p->step_s[i]);
        row->high_s = fmax(row->high_s, p->step_s[i]);
    }
    row->tokens_per_s = (double)rf_scale_tokens(subject, p) / row->step_s;
    row->exchange_share = exchange / row->step_s;
    st = rf_scale_traffic(&row->planned, subject, p->tensor, p->data, p->batch, err);
    if (st == RF_OK)
        st = busiest(&share, subject, p->tensor, p->data, p->batch, err);
    row->law = (struct rf_law_point){.ranks = rf_scale_ranks(p),
                                     .step_s = row->step_s,
                                     .noise = median_error(p->step_s, p->repeats, row->step_s),
                                     .tokens = (double)rf_scale_tokens(subject, p),
                                     .crowd = fmax(1, (double)rf_scale_ranks(p) / p->cores),
                                     .share = share};
    return st;
}

/* Marks of each mode the fastest layouts, and the last of them; efficiencies against the first. */
static void compare_rows(struct rf_scale_study *s)
{
    for (int i = 0; i < s->nrows; i++) {
        struct rf_scale_row *row = &s->rows[i];
        const struct rf_scale_row *first = row;
        int ranks = rf_scale_ranks(&row->point);

        row->fitted = row->beyond = 1;
        for (int k = s->nrows - 1; k >= 0; k--) {
            const struct rf_scale_row *other = &s->rows[k];
            int others = rf_scale_ranks(&other->point);

            if (other->point.mode != row->point.mode)
                continue;
            if (others == ranks &&
                (other->step_s < row->step_s || (other->step_s == row->step_s && k < i)))
                row->fitted = 0;
            row->beyond = row->beyond && others <= ranks;
            if (others < rf_scale_ranks(&first->point) ||
                (others == rf_scale_ranks(&first->point) &&
                 other->tokens_per_s > first->tokens_per_s))
                first = other;
        }
        row->efficiency =
            row->tokens_per_s / ranks / (first->tokens_per_s / rf_scale_ranks(&first->point));
        s->crowded = s->crowded || ranks > row->point.cores;
        s->emulated = s->emulated || row->point.nodes > row->point.machines;
    }
}

static enum rf_status fill_rows(struct rf_scale_study *s, const struct rf_scale_point *points,
                                int n, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (n < 1 || n > RF_SCALE_POINTS)
        return rf_fail(err, RF_ERR_ARG, "a study has 1 to %d points, not %d", RF_SCALE_POINTS,
                       n);
    for (int i = 0; i < n; i++)
        s->rows[i].point = points[i];
    s->nrows = n;
    qsort(s->rows, (size_t)n, sizeof s->rows[0], by_place);
    for (int i = 1; i < n; i++)
        if (by_place(&s->rows[i - 1], &s->rows[i]) == 0)
            return rf_fail(err, RF_ERR_ARG, "two points of %s scaling are %d x %d",
                           rf_scale_mode_name(s->rows[i].point.mode), s->rows[i].point.tensor,
                           s->rows[i].point.data);
    for (int i = 0; i < n && st == RF_OK; i++)
        st = fill_row(&s->rows[i], &s->subject, err);
    if (st == RF_OK)
        compare_rows(s);
    return st;
}

/* ---- messages ----------------------------------------------------------------------------- */

static enum rf_status fit_wire(struct rf_scale_study *s, uint64_t seed, struct rf_error *err)
{
    size_t most = (size_t)s->nrows * RF_SCALE_SAMPLES;
    struct rf_wire_sample *all = calloc(most, sizeof *all);
    int n = 0;

    if (all == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu measurements", most);
    for (int i = 0; i < s->nrows; i++)
        for (int k = 0; k < s->rows[i].point.nsamples; k++)
            all[n++] = s->rows[i].point.samples[k];
    rf_wire_fit(&s->wire, all, n, seed);
    free(all);
    for (int i = 0; i < s->nrows; i++) {
        struct rf_scale_row *row = &s->rows[i];

        row->law.wire_s =
            rf_wire_step_s(&s->wire, &row->planned, row->point.tensor, row->point.data);
    }
    return RF_OK;
}

/* ---- laws ------------------------------------------------------------------------------------ */

/* The rows that a law is fitted to, without row `held`. */
static void collect(struct rf_fit_data *data, const struct rf_scale_study *s,
                    enum rf_scale_mode mode, enum rf_law law, int held)
{
    *data = (struct rf_fit_data){.terms = rf_law_terms(law)};
    for (int i = 0; i < s->nrows; i++) {
        const struct rf_scale_row *row = &s->rows[i];

        if (i == held || row->point.mode != mode || !row->fitted)
            continue;
        if (law != RF_LAW_PLAN || isfinite(row->law.wire_s))
            rf_law_row(law, data, &row->law);
    }
}

static void hold_out(struct rf_scale_study *s, enum rf_scale_mode mode, enum rf_law law)
{
    struct rf_fit_data data;
    struct rf_fit fit;

    for (int i = 0; i < s->nrows; i++) {
        struct rf_scale_row *row = &s->rows[i];

        if (row->point.mode != mode)
            continue;
        collect(&data, s, mode, law, i);
        row->held_s[law] = row->fitted && rf_fit_solve(&fit, &data)
                               ? rf_law_step_s(law, fit.factor, &row->law)
                               : NAN;
    }
}

static void interval(double *values, double ci[2])
{
    rf_stats_sort(values, TIMES);
    ci[0] = rf_stats_quantile(values, TIMES, 0.025);
    ci[1] = rf_stats_quantile(values, TIMES, 0.975);
}

static void describe_law(struct rf_scale_law *out, enum rf_law law, const struct rf_fit *fit,
                         double (*factors)[RF_FIT_TERMS])
{
    double drawn[RF_FIT_TERMS][TIMES], one[RF_FIT_TERMS];

    rf_law_parameters(law, fit->factor, out->parameter);
    for (int t = 0; t < TIMES; t++) {
        rf_law_parameters(law, factors[t], one);
        for (int k = 0; k < RF_FIT_TERMS; k++)
            drawn[k][t] = one[k];
    }
    for (int k = 0; k < RF_FIT_TERMS; k++)
        interval(drawn[k], out->ci[k]);
}

static void project(struct rf_scale_study *s, enum rf_scale_mode mode, enum rf_law law,
                    const struct rf_fit *fit, double (*factors)[RF_FIT_TERMS],
                    const struct rf_law_point *at, int which)
{
    struct rf_scale_projection *p = &s->projections[mode][which];
    double drawn[TIMES];

    p->tokens_per_s[law] = at->tokens / rf_law_step_s(law, fit->factor, at);
    for (int t = 0; t < TIMES; t++)
        drawn[t] = at->tokens / rf_law_step_s(law, factors[t], at);
    interval(drawn, p->ci[law]);
}

/* Where to project to: more copies of the widest layout, where copies were measured, else a wider one. */
static enum rf_status place_projections(struct rf_scale_study *s, enum rf_scale_mode mode,
                                        struct rf_law_point at[RF_SCALE_PROJECTIONS],
                                        struct rf_error *err)
{
    const struct rf_scale_row *last = NULL;
    struct rf_traffic traffic;
    enum rf_status st = RF_OK;

    for (int i = 0; i < s->nrows; i++)
        if (s->rows[i].point.mode == mode && s->rows[i].fitted)
            last = &s->rows[i];
    for (int k = 0; last != NULL && k < RF_SCALE_PROJECTIONS && st == RF_OK; k++) {
        struct rf_scale_projection *p = &s->projections[mode][k];
        int times = 2 << k, more_copies = s->wire.known[RF_WIRE_SHARD];

        *p = (struct rf_scale_projection){
            .tensor = last->point.tensor * (more_copies ? 1 : times),
            .data = last->point.data * (more_copies ? times : 1),
            .batch = last->point.batch * (mode == RF_SCALE_WEAK ? times : 1)};
        at[k] = last->law;
        at[k].ranks = (double)p->tensor * p->data;
        at[k].tokens = (double)p->batch * s->subject.shape.context;
        st = rf_scale_traffic(&traffic, &s->subject, p->tensor, p->data, p->batch, err);
        if (st == RF_OK)
            st = busiest(&at[k].share, &s->subject, p->tensor, p->data, p->batch, err);
        at[k].wire_s = rf_wire_step_s(&s->wire, &traffic, p->tensor, p->data);
        for (int law = 0; law < RF_LAWS; law++)
            p->tokens_per_s[law] = p->ci[law][0] = p->ci[law][1] = NAN;
        s->nprojections[mode] = k + 1;
    }
    return st;
}

static void fit_law(struct rf_scale_study *s, enum rf_scale_mode mode, enum rf_law law,
                    uint64_t seed, const struct rf_law_point at[RF_SCALE_PROJECTIONS])
{
    struct rf_scale_law *out = &s->laws[mode][law];
    double factors[TIMES][RF_FIT_TERMS];
    struct rf_fit_data data;
    struct rf_fit fit;

    collect(&data, s, mode, law, -1);
    hold_out(s, mode, law);
    *out = (struct rf_scale_law){.points = data.n, .known = rf_fit_solve(&fit, &data)};
    if (!out->known)
        return;
    out->misfit = fit.misfit;
    rf_fit_resample(factors, TIMES, &fit, &data, seed,
                    rf_rng_stream("law", (uint64_t)(mode * RF_LAWS + law)));
    describe_law(out, law, &fit, factors);
    for (int k = 0; k < s->nprojections[mode]; k++)
        project(s, mode, law, &fit, factors, &at[k], k);
}

/* Does the law speak of this mode? */
static int applies(enum rf_law law, enum rf_scale_mode mode)
{
    return !(law == RF_LAW_AMDAHL && mode == RF_SCALE_WEAK) &&
           !(law == RF_LAW_GUSTAFSON && mode == RF_SCALE_STRONG);
}

/* d/dp of p / (1 + a (p - 1) + b p (p - 1)) is zero at sqrt((1 - a) / b). */
static double peak(const struct rf_scale_law *usl)
{
    double a = usl->parameter[1], b = usl->parameter[2];

    return !usl->known ? NAN : b > 0 ? sqrt(fmax(1 - a, 0) / b) : INFINITY;
}

enum rf_status rf_scale_study_make(struct rf_scale_study *study,
                                   const struct rf_scale_point *points, int n, uint64_t seed,
                                   struct rf_error *err)
{
    struct rf_scale_subject subject = study->subject;
    enum rf_status st;

    *study = (struct rf_scale_study){.subject = subject};
    st = fill_rows(study, points, n, err);
    if (st == RF_OK)
        st = fit_wire(study, seed, err);
    for (int i = 0; i < study->nrows; i++)
        for (int law = 0; law < RF_LAWS; law++)
            study->rows[i].held_s[law] = NAN;
    for (int mode = 0; mode < RF_SCALE_MODES && st == RF_OK; mode++) {
        struct rf_law_point at[RF_SCALE_PROJECTIONS] = {{0}};

        st = place_projections(study, (enum rf_scale_mode)mode, at, err);
        for (int law = 0; law < RF_LAWS && st == RF_OK; law++)
            if (applies((enum rf_law)law, (enum rf_scale_mode)mode))
                fit_law(study, (enum rf_scale_mode)mode, (enum rf_law)law, seed, at);
    }
    study->peak_ranks = peak(&study->laws[RF_SCALE_STRONG][RF_LAW_USL]);
    return st;
}
