/* A study as results.json, as scaling.csv, and as Extra-P reads it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"
#include "report/html.h"
#include "report/scale.h"

const char RF_SCALE_PROJECTION[] =
    "A projection is arithmetic on fitted curves, beyond everything that was measured. Other "
    "networks, "
    "other placements and other bottlenecks are not in it: measure before you buy.";

const char *rf_scale_warning(int crowded, int emulated)
{
    if (emulated)
        return "Emulated nodes: several nodes were the same machine, whose cores they shared. "
               "This "
               "proves that the plumbing works; speeds, fits and projections say nothing about "
               "a "
               "cluster.";
    if (crowded)
        return "More ranks than cores: ranks took turns. This proves that the plumbing works; "
               "speeds, "
               "fits and projections say nothing about a machine with a core per rank.";
    return NULL;
}

/* ---- results.json -------------------------------------------------------------------------- */

static json_t *pair(struct rf_build *b, const double x[2])
{
    json_t *list = json_array();

    rf_build_append(b, list, rf_build_real(x[0]));
    rf_build_append(b, list, rf_build_real(x[1]));
    return list;
}

static json_t *traffic(struct rf_build *b, const struct rf_traffic *t)
{
    json_t *o = json_object();

    for (int k = 0; k < RF_TRAFFIC_KINDS; k++)
        rf_build_integer(b, o, rf_traffic_name((enum rf_traffic_kind)k), t->bytes[k]);
    rf_build_integer(b, o, "all", rf_traffic_bytes(t));
    return o;
}

/* What laws made of a point that they had not seen. */
static json_t *held_out(struct rf_build *b, const struct rf_scale_row *row)
{
    json_t *o = json_object();

    for (int law = 0; law < RF_LAWS; law++) {
        json_t *one;

        if (!isfinite(row->held_s[law]))
            continue;
        one = json_object();
        rf_build_number(b, one, "step_s", row->held_s[law]);
        rf_build_number(b, one, "error", row->held_s[law] / row->step_s - 1);
        rf_build_set(b, o, rf_law_name((enum rf_law)law), one);
    }
    return o;
}

static json_t *row_object(struct rf_build *b, const struct rf_scale_study *s,
                          const struct rf_scale_row *row)
{
    const struct rf_scale_point *p = &row->point;
    json_t *o = json_object();

    rf_build_text(b, o, "mode", rf_scale_mode_name(p->mode));
    rf_build_integer(b, o, "ranks", rf_scale_ranks(p));
    rf_build_integer(b, o, "tensor", p->tensor);
    rf_build_integer(b, o, "data", p->data);
    rf_build_integer(b, o, "nodes", p->nodes);
    rf_build_integer(b, o, "machines", p->machines);
    rf_build_integer(b, o, "cores", p->cores);
    rf_build_integer(b, o, "batch", p->batch);
    rf_build_integer(b, o, "tokens", rf_scale_tokens(&s->subject, p));
    rf_build_integer(b, o, "flops", p->flops);
    rf_build_text(b, o, "exchange", p->exchange);
    rf_build_integer(b, o, "repeats", p->repeats);
    rf_build_number(b, o, "step_s", row->step_s);
    rf_build_number(b, o, "step_s_min", row->low_s);
    rf_build_number(b, o, "step_s_max", row->high_s);
    rf_build_number(b, o, "tokens_per_s", row->tokens_per_s);
    rf_build_number(b, o, "efficiency", row->efficiency);
    rf_build_number(b, o, "exchange_share", row->exchange_share);
    rf_build_number(b, o, "exchange_model_s", row->law.wire_s);
    rf_build_set(b, o, "bytes_planned", traffic(b, &row->planned));
    rf_build_set(b, o, "bytes_moved", traffic(b, &p->moved));
    rf_build_integer(b, o, "memory_predicted", p->memory_predicted);
    rf_build_integer(b, o, "memory_held", p->memory_held);
    rf_build_integer(b, o, "memory_peak", p->memory_peak);
    rf_build_set(b, o, "fitted", json_boolean(row->fitted));
    rf_build_set(b, o, "extrapolated", json_boolean(row->beyond));
    rf_build_set(b, o, "held_out", held_out(b, row));
    return o;
}

static json_t *wire_list(struct rf_build *b, const struct rf_wire *w)
{
    json_t *list = json_array();

    for (int k = 0; k < RF_WIRE_KINDS; k++) {
        json_t *o;

        if (!w->known[k])
            continue;
        o = json_object();
        rf_build_text(b, o, "kind", rf_wire_name((enum rf_wire_kind)k));
        rf_build_number(b, o, "latency_s", w->latency_s[k]);
        rf_build_set(b, o, "latency_ci", pair(b, w->latency_ci[k]));
        rf_build_number(b, o, "s_per_byte", w->byte_s[k]);
        rf_build_set(b, o, "s_per_byte_ci", pair(b, w->byte_ci[k]));
        rf_build_number(b, o, "misfit", w->misfit[k]);
        rf_build_append(b, list, o);
    }
    return list;
}

static json_t *samples_list(struct rf_build *b, const struct rf_scale_study *s)
{
    json_t *list = json_array();

    for (int i = 0; i < s->nrows; i++)
        for (int k = 0; k < s->rows[i].point.nsamples; k++) {
            const struct rf_wire_sample *w = &s->rows[i].point.samples[k];
            json_t *o = json_object();

            rf_build_text(b, o, "kind", rf_wire_name(w->kind));
            rf_build_integer(b, o, "ranks", w->ranks);
            rf_build_integer(b, o, "bytes", w->bytes);
            rf_build_number(b, o, "seconds", w->seconds);
            rf_build_number(b, o, "model_s",
                            rf_wire_one_s(&s->wire, w->kind, w->ranks, 1, (double)w->bytes));
            rf_build_append(b, list, o);
        }
    return list;
}

static json_t *law_object(struct rf_build *b, enum rf_scale_mode mode, enum rf_law law,
                          const struct rf_scale_law *l)
{
    json_t *o = json_object(), *parameters = json_array();

    rf_build_text(b, o, "mode", rf_scale_mode_name(mode));
    rf_build_text(b, o, "law", rf_law_name(law));
    rf_build_integer(b, o, "points", l->points);
    rf_build_number(b, o, "misfit", l->misfit);
    for (int k = 0; k < rf_law_terms(law); k++) {
        json_t *one = json_object();

        rf_build_text(b, one, "name", rf_law_parameter(law, k));
        rf_build_number(b, one, "value", l->parameter[k]);
        rf_build_set(b, one, "ci", pair(b, l->ci[k]));
        rf_build_append(b, parameters, one);
    }
    rf_build_set(b, o, "parameters", parameters);
    return o;
}

static json_t *laws_list(struct rf_build *b, const struct rf_scale_study *s)
{
    json_t *list = json_array();

    for (int mode = 0; mode < RF_SCALE_MODES; mode++)
        for (int law = 0; law < RF_LAWS; law++)
            if (s->laws[mode][law].known)
                rf_build_append(b, list,
                                law_object(b, (enum rf_scale_mode)mode, (enum rf_law)law,
                                           &s->laws[mode][law]));
    return list;
}

static json_t *projections_list(struct rf_build *b, const struct rf_scale_study *s)
{
    json_t *list = json_array();

    for (int mode = 0; mode < RF_SCALE_MODES; mode++)
        for (int k = 0; k < s->nprojections[mode]; k++)
            for (int law = 0; law < RF_LAWS; law++) {
                const struct rf_scale_projection *p = &s->projections[mode][k];
                json_t *o;

                if (!isfinite(p->tokens_per_s[law]))
                    continue;
                o = json_object();
                rf_build_text(b, o, "mode", rf_scale_mode_name((enum rf_scale_mode)mode));
                rf_build_text(b, o, "law", rf_law_name((enum rf_law)law));
                rf_build_integer(b, o, "ranks", (int64_t)p->tensor * p->data);
                rf_build_integer(b, o, "tensor", p->tensor);
                rf_build_integer(b, o, "data", p->data);
                rf_build_integer(b, o, "batch", p->batch);
                rf_build_number(b, o, "tokens_per_s", p->tokens_per_s[law]);
                rf_build_set(b, o, "ci", pair(b, p->ci[law]));
                rf_build_append(b, list, o);
            }
    return list;
}

static json_t *root_object(struct rf_build *b, const struct rf_scale_study *s, uint64_t seed,
                           double wall_s)
{
    const char *warning = rf_scale_warning(s->crowded, s->emulated);
    const struct rf_model_shape *m = &s->subject.shape;
    json_t *root = json_object(), *points = json_array();

    rf_build_text(b, root, "command", "scale");
    rf_build_text(b, root, "version", s->subject.version);
    rf_build_integer(b, root, "seed", (int64_t)seed);
    rf_build_number(b, root, "wall_s", wall_s);
    rf_build_text(b, root, "run", s->subject.job);
    rf_build_text(b, root, "precision", s->subject.bf16 ? "bf16" : "fp32");
    rf_build_text(b, root, "family", rf_model_family_name(m->family));
    rf_build_integer(b, root, "layers", m->layers);
    rf_build_integer(b, root, "width", m->width);
    rf_build_integer(b, root, "context", m->context);
    rf_build_integer(b, root, "vocabulary", m->vocabulary);
    rf_build_integer(b, root, "batch", s->subject.batch);
    rf_build_set(b, root, "crowded", json_boolean(s->crowded));
    rf_build_set(b, root, "emulated", json_boolean(s->emulated));
    rf_build_set(b, root, "warning", warning != NULL ? json_string(warning) : json_null());
    for (int i = 0; i < s->nrows; i++)
        rf_build_append(b, points, row_object(b, s, &s->rows[i]));
    rf_build_set(b, root, "points", points);
    rf_build_set(b, root, "wire", wire_list(b, &s->wire));
    rf_build_set(b, root, "collectives", samples_list(b, s));
    rf_build_set(b, root, "laws", laws_list(b, s));
    rf_build_number(b, root, "peak_ranks", s->peak_ranks);
    rf_build_text(b, root, "projection", RF_SCALE_PROJECTION);
    rf_build_set(b, root, "projections", projections_list(b, s));
    return root;
}

enum rf_status rf_scale_results_text(const struct rf_scale_study *study, uint64_t seed,
                                     double wall_s, char **text, struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = root_object(&build, study, seed, wall_s);
    enum rf_status st = rf_build_dump(&build, root, text, err);

    json_decref(root);
    return st;
}

/* ---- tables for other programs --------------------------------------------------------------- */

static void add_csv(struct rf_text *csv, const struct rf_scale_study *s)
{
    rf_text_add(csv,
                "mode,ranks,tensor,data,nodes,cores,batch,tokens,step_s,step_s_min,step_s_max,"
                "tokens_per_s,efficiency,exchange_share,bytes_planned,bytes_moved,"
                "memory_predicted_bytes,memory_held_bytes,memory_peak_bytes\n");
    for (int i = 0; i < s->nrows; i++) {
        const struct rf_scale_row *r = &s->rows[i];
        const struct rf_scale_point *p = &r->point;

        rf_text_addf(csv, "%s,%d,%d,%d,%d,%d,%d,%lld,", rf_scale_mode_name(p->mode),
                     rf_scale_ranks(p), p->tensor, p->data, p->nodes, p->cores, p->batch,
                     (long long)rf_scale_tokens(&s->subject, p));
        rf_text_addf(csv, "%.9g,%.9g,%.9g,%.9g,%.6g,%.6g,", r->step_s, r->low_s, r->high_s,
                     r->tokens_per_s, r->efficiency, r->exchange_share);
        rf_text_addf(csv, "%lld,%lld,%lld,%lld,%lld\n",
                     (long long)rf_traffic_bytes(&r->planned),
                     (long long)rf_traffic_bytes(&p->moved), (long long)p->memory_predicted,
                     (long long)p->memory_held, (long long)p->memory_peak);
    }
}

/* Extra-P's JSON Lines: each repeat is a value of the metric at the point's parameter. */
static void add_extrap(struct rf_text *lines, const struct rf_scale_study *s)
{
    for (int i = 0; i < s->nrows; i++) {
        const struct rf_scale_row *r = &s->rows[i];

        if (!r->fitted)
            continue;
        for (int k = 0; k < r->point.repeats; k++)
            rf_text_addf(lines,
                         "{\"params\":{\"p\":%d},\"metric\":\"time\",\"callpath\":\"%s->step\","
                         "\"value\":%.9g}\n",
                         rf_scale_ranks(&r->point), rf_scale_mode_name(r->point.mode),
                         r->point.step_s[k]);
    }
}

static enum rf_status write_text(const char *dir, const char *name, const struct rf_text *text,
                                 struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = text->failed || text->data == NULL
                            ? rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", name)
                            : rf_file_join(path, dir, name, err);

    return st == RF_OK ? rf_file_write(path, text->data, text->size, err) : st;
}

enum rf_status rf_scale_results_write(const char *dir, const struct rf_scale_study *study,
                                      uint64_t seed, double wall_s, struct rf_error *err)
{
    struct rf_text csv = {0}, lines = {0};
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_scale_results_text(study, seed, wall_s, &text, err);

    add_csv(&csv, study);
    add_extrap(&lines, study);
    if (st == RF_OK)
        st = rf_file_join(path, dir, "results.json", err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    if (st == RF_OK)
        st = write_text(dir, "scaling.csv", &csv, err);
    if (st == RF_OK)
        st = write_text(dir, "extrap.jsonl", &lines, err);
    if (st == RF_OK)
        st = rf_report_write(dir, err);
    rf_text_clear(&csv);
    rf_text_clear(&lines);
    free(text);
    return st;
}
