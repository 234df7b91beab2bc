/* One measured point as a JSON document, there and back. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/build.h"
#include "report/json.h"
#include "report/scale.h"

static const char SCHEMA[] = "ringfence.scale-point/1";
static const char PREFIX[] = "point-", SUFFIX[] = ".json";

/* ---- writing ------------------------------------------------------------------------------ */

static json_t *list_of(struct rf_build *b, const double *x, int n)
{
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        rf_build_append(b, list, rf_build_real(x[i]));
    return list;
}

static json_t *subject_object(struct rf_build *b, const struct rf_scale_subject *s)
{
    const struct rf_model_shape *m = &s->shape;
    json_t *o = json_object();

    rf_build_text(b, o, "job", s->job);
    rf_build_text(b, o, "family", rf_model_family_name(m->family));
    rf_build_integer(b, o, "vocabulary", m->vocabulary);
    rf_build_integer(b, o, "context", m->context);
    rf_build_integer(b, o, "layers", m->layers);
    rf_build_integer(b, o, "heads", m->heads);
    rf_build_integer(b, o, "kv_heads", m->kv_heads);
    rf_build_integer(b, o, "width", m->width);
    rf_build_integer(b, o, "hidden", m->hidden);
    rf_build_integer(b, o, "untied", m->untied);
    rf_build_integer(b, o, "bf16", s->bf16);
    rf_build_integer(b, o, "tensor", s->tensor);
    rf_build_integer(b, o, "batch", s->batch);
    rf_build_integer(b, o, "micro_batch", s->micro_batch);
    rf_build_integer(b, o, "recompute", s->recompute);
    rf_build_integer(b, o, "exchange_bf16", s->exchange_bf16);
    return o;
}

static json_t *moved_object(struct rf_build *b, const struct rf_traffic *t)
{
    json_t *o = json_object();

    for (int k = 0; k < RF_TRAFFIC_KINDS; k++) {
        json_t *one = json_object();

        rf_build_integer(b, one, "calls", t->calls[k]);
        rf_build_integer(b, one, "bytes", t->bytes[k]);
        rf_build_set(b, o, rf_traffic_name((enum rf_traffic_kind)k), one);
    }
    return o;
}

static json_t *samples_list(struct rf_build *b, const struct rf_scale_point *p)
{
    json_t *list = json_array();

    for (int i = 0; i < p->nsamples; i++) {
        json_t *o = json_object();

        rf_build_text(b, o, "kind", rf_wire_name(p->samples[i].kind));
        rf_build_integer(b, o, "ranks", p->samples[i].ranks);
        rf_build_integer(b, o, "bytes", p->samples[i].bytes);
        rf_build_number(b, o, "seconds", p->samples[i].seconds);
        rf_build_append(b, list, o);
    }
    return list;
}

static json_t *point_object(struct rf_build *b, const struct rf_scale_subject *subject,
                            const struct rf_scale_point *p)
{
    json_t *o = json_object();

    rf_build_text(b, o, "schema", SCHEMA);
    rf_build_text(b, o, "version", subject->version);
    rf_build_set(b, o, "subject", subject_object(b, subject));
    rf_build_text(b, o, "mode", rf_scale_mode_name(p->mode));
    rf_build_integer(b, o, "tensor", p->tensor);
    rf_build_integer(b, o, "data", p->data);
    rf_build_integer(b, o, "nodes", p->nodes);
    rf_build_integer(b, o, "machines", p->machines);
    rf_build_integer(b, o, "cores", p->cores);
    rf_build_integer(b, o, "batch", p->batch);
    rf_build_integer(b, o, "flops", p->flops);
    rf_build_text(b, o, "exchange", p->exchange);
    rf_build_set(b, o, "step_s", list_of(b, p->step_s, p->repeats));
    rf_build_set(b, o, "exchange_s", list_of(b, p->exchange_s, p->repeats));
    rf_build_set(b, o, "moved", moved_object(b, &p->moved));
    rf_build_integer(b, o, "memory_predicted", p->memory_predicted);
    rf_build_integer(b, o, "memory_held", p->memory_held);
    rf_build_integer(b, o, "memory_peak", p->memory_peak);
    rf_build_set(b, o, "collectives", samples_list(b, p));
    return o;
}

enum rf_status rf_scale_point_write(const char *dir, const struct rf_scale_subject *subject,
                                    const struct rf_scale_point *point, struct rf_error *err)
{
    struct rf_build build = {0};
    json_t *root = point_object(&build, subject, point);
    char name[64], path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = rf_build_dump(&build, root, &text, err);

    snprintf(name, sizeof name, "%s%s-%dx%d%s", PREFIX, rf_scale_mode_name(point->mode),
             point->tensor, point->data, SUFFIX);
    if (st == RF_OK)
        st = rf_file_join(path, dir, name, err);
    if (st == RF_OK)
        st = rf_file_write(path, text, strlen(text), err);
    free(text);
    json_decref(root);
    return st;
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reader {
    const char *path;
    struct rf_error *err;
    enum rf_status st;
};

static void complain(struct reader *in, const char *key, const char *wanted)
{
    if (in->st == RF_OK)
        in->st = rf_fail(in->err, RF_ERR_INPUT, "'%s': key '%s': expected %s", in->path, key,
                         wanted);
}

/* A whole number from low to high, else low and a complaint. */
static int64_t whole(struct reader *in, const json_t *object, const char *key, int64_t low,
                     int64_t high)
{
    const json_t *value = json_object_get(object, key);
    char wanted[80];

    if (json_is_integer(value) && json_integer_value(value) >= low &&
        json_integer_value(value) <= high)
        return json_integer_value(value);
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)low,
             (long long)high);
    complain(in, key, wanted);
    return low;
}

static int small(struct reader *in, const json_t *object, const char *key, int low, int high)
{
    return (int)whole(in, object, key, low, high);
}

/* Between 1 and RF_SCALE_REPEATS seconds. */
static int seconds(struct reader *in, const json_t *object, const char *key, double least,
                   double x[RF_SCALE_REPEATS])
{
    const json_t *list = json_object_get(object, key);
    size_t n = json_is_array(list) ? json_array_size(list) : 0;

    for (size_t i = 0; i < n && n <= RF_SCALE_REPEATS; i++) {
        x[i] = json_number_value(json_array_get(list, i));
        if (!(x[i] >= least) || x[i] > 1e9)
            n = 0;
    }
    if (n >= 1 && n <= RF_SCALE_REPEATS)
        return (int)n;
    complain(in, key, "a list of 1 to 25 times in seconds");
    return 1;
}

static void read_subject(struct reader *in, const json_t *root, struct rf_scale_subject *s)
{
    /* far above any model of today; sums over a step then stay within 64 bits */
    enum { MOST = 1 << 20, WIDEST = 1 << 15, LONGEST = 1 << 17 };
    const json_t *o = json_object_get(root, "subject");
    int family = rf_model_family_of(rf_json_text(o, "family"));

    if (family < 0)
        complain(in, "subject.family", "\"gpt2\" or \"llama\"");
    snprintf(s->job, sizeof s->job, "%s", rf_json_text(o, "job"));
    snprintf(s->version, sizeof s->version, "%s", rf_json_text(root, "version"));
    s->shape =
        (struct rf_model_shape){.family = (enum rf_model_family)(family < 0 ? 0 : family),
                                .vocabulary = small(in, o, "vocabulary", 1, MOST),
                                .context = small(in, o, "context", 1, LONGEST),
                                .layers = small(in, o, "layers", 1, 512),
                                .heads = small(in, o, "heads", 1, WIDEST),
                                .kv_heads = small(in, o, "kv_heads", 0, WIDEST),
                                .width = small(in, o, "width", 1, WIDEST),
                                .hidden = small(in, o, "hidden", 1, LONGEST),
                                .untied = small(in, o, "untied", 0, 1)};
    s->bf16 = small(in, o, "bf16", 0, 1);
    s->tensor = small(in, o, "tensor", 0, MOST);
    s->batch = small(in, o, "batch", 1, MOST);
    s->micro_batch = small(in, o, "micro_batch", 0, MOST);
    s->recompute = small(in, o, "recompute", 0, 1);
    s->exchange_bf16 = small(in, o, "exchange_bf16", 0, 1);
}

static void read_moved(struct reader *in, const json_t *root, struct rf_traffic *t)
{
    const json_t *o = json_object_get(root, "moved");

    for (int k = 0; k < RF_TRAFFIC_KINDS; k++) {
        const json_t *one = json_object_get(o, rf_traffic_name((enum rf_traffic_kind)k));

        t->calls[k] = whole(in, one, "calls", 0, INT64_C(1) << 53);
        t->bytes[k] = whole(in, one, "bytes", 0, INT64_C(1) << 53);
    }
}

static void read_samples(struct reader *in, const json_t *root, struct rf_scale_point *p)
{
    const json_t *list = json_object_get(root, "collectives");
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > RF_SCALE_SAMPLES) {
        complain(in, "collectives", "a list of at most 16");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        const char *kind = rf_json_text(o, "kind");
        struct rf_wire_sample *s = &p->samples[p->nsamples++];

        s->kind = strcmp(kind, "shard") == 0 ? RF_WIRE_SHARD : RF_WIRE_SUM;
        if (s->kind == RF_WIRE_SUM && strcmp(kind, "sum") != 0)
            complain(in, "collectives.kind", "\"sum\" or \"shard\"");
        s->ranks = small(in, o, "ranks", 1, 1 << 24);
        s->bytes = whole(in, o, "bytes", 1, INT64_C(1) << 40);
        s->seconds = rf_json_number(o, "seconds");
        if (!(s->seconds > 0 && s->seconds < 1e9))
            complain(in, "collectives.seconds", "a time in seconds");
    }
}

enum rf_status rf_scale_point_parse(struct rf_scale_subject *subject, struct rf_scale_point *p,
                                    const json_t *root, const char *path, struct rf_error *err)
{
    enum { MOST_RANKS = 1 << 16 };
    struct reader in = {path, err, RF_OK};
    int mode = rf_scale_mode_of(rf_json_text(root, "mode"));

    *p = (struct rf_scale_point){.mode =
                                     mode == RF_SCALE_WEAK ? RF_SCALE_WEAK : RF_SCALE_STRONG};
    *subject = (struct rf_scale_subject){.job = ""};
    if (strcmp(rf_json_text(root, "schema"), SCHEMA) != 0)
        complain(&in, "schema", "\"ringfence.scale-point/1\"");
    if (mode < 0)
        complain(&in, "mode", "\"strong\" or \"weak\"");
    read_subject(&in, root, subject);
    p->tensor = small(&in, root, "tensor", 1, MOST_RANKS);
    p->data = small(&in, root, "data", 1, MOST_RANKS);
    if ((int64_t)p->tensor * p->data > MOST_RANKS)
        complain(&in, "data", "at most 65536 ranks in all");
    p->nodes = small(&in, root, "nodes", 1, MOST_RANKS);
    p->machines = small(&in, root, "machines", 1, MOST_RANKS);
    p->cores = small(&in, root, "cores", 1, 1 << 24);
    p->batch = small(&in, root, "batch", 1, (1 << 30) / subject->shape.context);
    snprintf(p->exchange, sizeof p->exchange, "%s", rf_json_text(root, "exchange"));
    p->flops = whole(&in, root, "flops", 0, INT64_MAX);
    p->repeats = seconds(&in, root, "step_s", 1e-9, p->step_s);
    if (seconds(&in, root, "exchange_s", 0, p->exchange_s) != p->repeats)
        complain(&in, "exchange_s", "as many times as in 'step_s'");
    read_moved(&in, root, &p->moved);
    p->memory_predicted = whole(&in, root, "memory_predicted", 0, INT64_MAX);
    p->memory_held = whole(&in, root, "memory_held", 0, INT64_MAX);
    p->memory_peak = whole(&in, root, "memory_peak", 0, INT64_MAX);
    read_samples(&in, root, p);
    return in.st;
}

/* ---- a directory -------------------------------------------------------------------------- */

static int is_point(const char *name)
{
    size_t n = strlen(name), tail = sizeof SUFFIX - 1;

    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && n > tail &&
           strcmp(name + n - tail, SUFFIX) == 0;
}

static int same_subject(const struct rf_scale_subject *a, const struct rf_scale_subject *b)
{
    const struct rf_model_shape *m = &a->shape, *n = &b->shape;

    return strcmp(a->job, b->job) == 0 && m->family == n->family &&
           m->vocabulary == n->vocabulary && m->context == n->context &&
           m->layers == n->layers && m->heads == n->heads && m->kv_heads == n->kv_heads &&
           m->width == n->width && m->hidden == n->hidden && m->untied == n->untied &&
           a->bf16 == b->bf16 && a->tensor == b->tensor && a->batch == b->batch &&
           a->micro_batch == b->micro_batch && a->recompute == b->recompute &&
           a->exchange_bf16 == b->exchange_bf16;
}

static enum rf_status read_one(struct rf_scale_subject *subject, struct rf_scale_point *points,
                               int *n, const char *path, struct rf_error *err)
{
    struct rf_scale_subject other;
    json_t *root = NULL;
    enum rf_status st = rf_json_read(&root, path, err);

    if (st == RF_OK && *n == RF_SCALE_POINTS)
        st = rf_fail(err, RF_ERR_INPUT, "'%s': a study has at most %d points", path,
                     RF_SCALE_POINTS);
    if (st == RF_OK)
        st = rf_scale_point_parse(&other, &points[*n], root, path, err);
    if (st == RF_OK && *n > 0 && !same_subject(subject, &other))
        st = rf_fail(err, RF_ERR_INPUT,
                     "'%s' was measured with another job, model or batch than its neighbours",
                     path);
    if (st == RF_OK && (*n)++ == 0)
        *subject = other;
    json_decref(root);
    return st;
}

/* The next point file of a folder, as a path; 0: there is none any more. */
static int next_path(DIR *folder, const char *dir, char path[RF_PATH_BYTES], enum rf_status *st,
                     struct rf_error *err)
{
    struct dirent *entry;

    while ((entry = readdir(folder)) != NULL)
        if (is_point(entry->d_name)) {
            *st = rf_file_join(path, dir, entry->d_name, err);
            return *st == RF_OK;
        }
    return 0;
}

static enum rf_status open_folder(DIR **folder, const char *dir, struct rf_error *err)
{
    *folder = opendir(dir);
    return *folder != NULL
               ? RF_OK
               : rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", dir, strerror(errno));
}

enum rf_status rf_scale_points_read(struct rf_scale_subject *subject,
                                    struct rf_scale_point *points, int *n, const char *dir,
                                    struct rf_error *err)
{
    DIR *folder;
    char path[RF_PATH_BYTES];
    enum rf_status st = open_folder(&folder, dir, err);

    *n = 0;
    if (st != RF_OK)
        return st;
    while (st == RF_OK && next_path(folder, dir, path, &st, err))
        st = read_one(subject, points, n, path, err);
    closedir(folder);
    if (st == RF_OK && *n == 0)
        st = rf_fail(err, RF_ERR_INPUT, "there are no files point-*.json in '%s'", dir);
    return st;
}

enum rf_status rf_scale_points_remove(const char *dir, struct rf_error *err)
{
    DIR *folder;
    char path[RF_PATH_BYTES];
    enum rf_status st = open_folder(&folder, dir, err);

    if (st != RF_OK)
        return st;
    while (st == RF_OK && next_path(folder, dir, path, &st, err))
        if (remove(path) != 0)
            st = rf_fail(err, RF_ERR_IO, "cannot remove '%s': %s", path, strerror(errno));
    closedir(folder);
    return st;
}
