/* A study as tables for people. */
#include <math.h>

#include "report/scale.h"
#include "report/table.h"

enum { WIDE = 200 };

static const double MEGA = 1 << 20;

static void add_number(struct rf_table *t, const char *format, double x)
{
    if (!isfinite(x))
        rf_table_add(t, "-");
    else if (format[0] == 'g')
        rf_table_add(t, "%.4g", x);
    else
        rf_table_add(t, "%+.1f %%", 100 * x);
}

/* A parameter that some sets of measurements would not bound has no end there. */
static void add_interval(struct rf_table *t, const double ci[2])
{
    if (isfinite(ci[1]))
        rf_table_add(t, "%.4g to %.4g", ci[0], ci[1]);
    else
        rf_table_add(t, "%.4g to any", ci[0]);
}

static enum rf_status print_points(const struct rf_scale_study *s, FILE *out,
                                   struct rf_error *err)
{
    static const char *const headings[] = {
        "scaling",   "ranks",    "tensor x data", "nodes",        "batch",
        "ms/step",   "spread",   "tokens/s",      "efficiency",   "in exchange",
        "MiB moved", "MiB/rank", "predicted",     "slices sum by"};
    struct rf_table *t;
    enum rf_status st = rf_table_create(&t, "lrrrrrrrrrrrrl", headings, err);

    for (int i = 0; st == RF_OK && i < s->nrows; i++) {
        const struct rf_scale_row *r = &s->rows[i];
        const struct rf_scale_point *p = &r->point;

        rf_table_add(t, "%s", rf_scale_mode_name(p->mode));
        rf_table_add(t, "%d", rf_scale_ranks(p));
        rf_table_add(t, "%d x %d", p->tensor, p->data);
        rf_table_add(t, "%d", p->nodes);
        rf_table_add(t, "%d", p->batch);
        rf_table_add(t, "%.2f", 1e3 * r->step_s);
        rf_table_add(t, "%.0f %%", 100 * (r->high_s - r->low_s) / r->step_s);
        rf_table_add(t, "%.0f", r->tokens_per_s);
        rf_table_add(t, "%.1f %%", 100 * r->efficiency);
        rf_table_add(t, "%.1f %%", 100 * r->exchange_share);
        rf_table_add(t, "%.2f", (double)rf_traffic_bytes(&p->moved) / MEGA);
        rf_table_add(t, "%.1f", (double)p->memory_held / MEGA);
        rf_table_add(t, "%.1f", (double)p->memory_predicted / MEGA);
        rf_table_add(t, "%s", p->exchange);
    }
    if (st == RF_OK)
        st = rf_table_print(t, out, WIDE, err);
    rf_table_destroy(t);
    return st;
}

static void print_wire(const struct rf_scale_study *s, FILE *out)
{
    for (int k = 0; k < RF_WIRE_KINDS; k++) {
        const struct rf_wire *w = &s->wire;

        if (!w->known[k])
            continue;
        fprintf(out, "  messages of a %-6s %.3g us [%.3g, %.3g] each",
                rf_wire_name((enum rf_wire_kind)k), 1e6 * w->latency_s[k],
                1e6 * w->latency_ci[k][0], 1e6 * w->latency_ci[k][1]);
        if (w->byte_s[k] > 0)
            fprintf(out, ", %.3g GB/s", 1e-9 / w->byte_s[k]);
        fprintf(out, "; typical error %.0f %%\n", 100 * w->misfit[k]);
    }
}

static enum rf_status print_laws(const struct rf_scale_study *s, FILE *out,
                                 struct rf_error *err)
{
    static const char *const headings[] = {"scaling", "law",    "parameter", "value",
                                           "95 %",    "points", "misfit"};
    struct rf_table *t;
    enum rf_status st = rf_table_create(&t, "lllrrrr", headings, err);

    for (int mode = 0; st == RF_OK && mode < RF_SCALE_MODES; mode++)
        for (int law = 0; law < RF_LAWS; law++) {
            const struct rf_scale_law *l = &s->laws[mode][law];

            for (int k = 0; l->known && k < rf_law_terms((enum rf_law)law); k++) {
                rf_table_add(t, "%s", rf_scale_mode_name((enum rf_scale_mode)mode));
                rf_table_add(t, "%s", rf_law_name((enum rf_law)law));
                rf_table_add(t, "%s", rf_law_parameter((enum rf_law)law, k));
                add_number(t, "g", l->parameter[k]);
                add_interval(t, l->ci[k]);
                rf_table_add(t, "%d", l->points);
                rf_table_add(t, "%.1f %%", 100 * l->misfit);
            }
        }
    if (st == RF_OK)
        st = rf_table_print(t, out, WIDE, err);
    rf_table_destroy(t);
    return st;
}

static enum rf_status print_held_out(const struct rf_scale_study *s, FILE *out,
                                     struct rf_error *err)
{
    static const char *const headings[] = {"scaling",   "ranks", "measured ms", "amdahl",
                                           "gustafson", "usl",   "plan",        ""};
    struct rf_table *t;
    enum rf_status st = rf_table_create(&t, "lrrrrrrl", headings, err);

    for (int i = 0; st == RF_OK && i < s->nrows; i++) {
        const struct rf_scale_row *r = &s->rows[i];

        if (!r->fitted)
            continue;
        rf_table_add(t, "%s", rf_scale_mode_name(r->point.mode));
        rf_table_add(t, "%d", rf_scale_ranks(&r->point));
        rf_table_add(t, "%.2f", 1e3 * r->step_s);
        for (int law = 0; law < RF_LAWS; law++)
            add_number(t, "%", r->held_s[law] / r->step_s - 1);
        rf_table_add(t, "%s", r->beyond ? "beyond the others" : "");
    }
    if (st == RF_OK)
        st = rf_table_print(t, out, WIDE, err);
    rf_table_destroy(t);
    return st;
}

static enum rf_status print_projections(const struct rf_scale_study *s, FILE *out,
                                        struct rf_error *err)
{
    static const char *const headings[] = {"scaling", "ranks",    "tensor x data",
                                           "law",     "tokens/s", "95 %"};
    struct rf_table *t;
    enum rf_status st = rf_table_create(&t, "lrrlrr", headings, err);

    for (int mode = 0; st == RF_OK && mode < RF_SCALE_MODES; mode++)
        for (int k = 0; k < s->nprojections[mode]; k++)
            for (int law = 0; law < RF_LAWS; law++) {
                const struct rf_scale_projection *p = &s->projections[mode][k];

                if (!isfinite(p->tokens_per_s[law]))
                    continue;
                rf_table_add(t, "%s", rf_scale_mode_name((enum rf_scale_mode)mode));
                rf_table_add(t, "%d", p->tensor * p->data);
                rf_table_add(t, "%d x %d", p->tensor, p->data);
                rf_table_add(t, "%s", rf_law_name((enum rf_law)law));
                rf_table_add(t, "%.0f", p->tokens_per_s[law]);
                rf_table_add(t, "%.0f to %.0f", p->ci[law][0], p->ci[law][1]);
            }
    if (st == RF_OK)
        st = rf_table_print(t, out, WIDE, err);
    rf_table_destroy(t);
    return st;
}

enum rf_status rf_scale_print(const struct rf_scale_study *s, FILE *out, struct rf_error *err)
{
    const char *warning = rf_scale_warning(s->crowded, s->emulated);
    enum rf_status st;

    if (warning != NULL)
        fprintf(out, "%s\n\n", warning);
    fprintf(out, "Measured: medians of repeats\n");
    st = print_points(s, out, err);
    if (st != RF_OK || (!s->laws[RF_SCALE_STRONG][RF_LAW_AMDAHL].known &&
                        !s->laws[RF_SCALE_WEAK][RF_LAW_GUSTAFSON].known))
        return st;
    fprintf(out, "\nFitted\n");
    print_wire(s, out);
    st = print_laws(s, out, err);
    fprintf(out, "\nEach point predicted from the others: error of the time per step\n");
    if (st == RF_OK)
        st = print_held_out(s, out, err);
    fprintf(out, "\nPROJECTION, not measured. %s\n", RF_SCALE_PROJECTION);
    return st == RF_OK ? print_projections(s, out, err) : st;
}
