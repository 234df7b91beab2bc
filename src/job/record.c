#include "job/record.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t MAX_RECORD_BYTES = (size_t)1 << 30;

/* A growing text. room == 0 after a failed allocation; then appending does nothing. */
struct text {
    char *bytes;
    size_t used, room;
    int failed;
};

static void append(struct text *text, const char *fmt, ...)
{
    va_list args;
    int n;

    if (!text->failed && text->room - text->used < 128) {
        size_t room = text->room < 4096 ? 4096 : text->room * 2;
        char *more = realloc(text->bytes, room);

        text->failed = more == NULL;
        if (more != NULL) {
            text->bytes = more;
            text->room = room;
        }
    }
    if (text->failed)
        return;
    va_start(args, fmt);
    n = vsnprintf(text->bytes + text->used, text->room - text->used, fmt, args);
    va_end(args);
    text->used += (size_t)n;
}

static enum rf_status path_of(char path[RF_PATH_BYTES], const char *run_dir, const char *job,
                              const char *kind, struct rf_error *err)
{
    int n = snprintf(path, RF_PATH_BYTES, "%s/jobs/%s.%s", run_dir, job, kind);

    if (n < 0 || n >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", run_dir);
    return RF_OK;
}

/* Writes the text and frees it. */
static enum rf_status write_text(struct text *text, const char *run_dir, const char *job,
                                 const char *kind, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = path_of(path, run_dir, job, kind, err);

    if (st == RF_OK && text->failed)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory while writing '%s'", path);
    if (st == RF_OK)
        st = rf_file_write(path, text->bytes, text->used, err);
    free(text->bytes);
    return st;
}

/* Lines of a file, fields by tabs. */
struct reader {
    char path[RF_PATH_BYTES];
    char *bytes; /* owned */
    char *next;
    char *field; /* of the current line; NULL at its end */
    int line;
};

static enum rf_status reader_open(struct reader *in, const char *run_dir, const char *job,
                                  const char *kind, struct rf_error *err)
{
    size_t size = 0;
    enum rf_status st;

    *in = (struct reader){0};
    st = path_of(in->path, run_dir, job, kind, err);
    if (st == RF_OK)
        st = rf_file_read(in->path, MAX_RECORD_BYTES, &in->bytes, &size, err);
    if (st == RF_OK && memchr(in->bytes, '\0', size) != NULL) {
        st = rf_fail(err, RF_ERR_INPUT, "'%s' holds a NUL byte; it is no text", in->path);
        free(in->bytes);
        in->bytes = NULL;
    }
    in->next = in->bytes;
    return st;
}

static int next_line(struct reader *in)
{
    char *end;

    if (in->next == NULL || *in->next == '\0')
        return 0;
    in->line++;
    in->field = in->next;
    end = strchr(in->next, '\n');
    if (end != NULL)
        *end++ = '\0';
    in->next = end;
    return 1;
}

/* The next field of the line, or NULL. */
static char *next_field(struct reader *in)
{
    char *field = in->field, *tab = field != NULL ? strchr(field, '\t') : NULL;

    if (tab != NULL)
        *tab++ = '\0';
    in->field = tab;
    return field;
}

static enum rf_status bad_line(const struct reader *in, const char *expected,
                               struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "%s:%d: expected %s", in->path, in->line, expected);
}

static int read_double(struct reader *in, double *value)
{
    char *field = next_field(in), *end;

    if (field == NULL || *field == '\0')
        return 0;
    *value = strtod(field, &end);
    return *end == '\0';
}

static int read_int(struct reader *in, int64_t *value)
{
    char *field = next_field(in), *end;

    if (field == NULL || *field == '\0')
        return 0;
    errno = 0;
    *value = strtoll(field, &end, 10);
    return *end == '\0' && errno == 0;
}

enum rf_status rf_curve_add(struct rf_curve *curve, const struct rf_curve_point *point,
                            struct rf_error *err)
{
    if (curve->npoints == curve->room) {
        int room = curve->room ? curve->room * 2 : 64;
        struct rf_curve_point *more = realloc(curve->points, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory: a curve of %d points", room);
        curve->points = more;
        curve->room = room;
    }
    curve->points[curve->npoints++] = *point;
    return RF_OK;
}

void rf_curve_clear(struct rf_curve *curve)
{
    free(curve->points);
    *curve = (struct rf_curve){0};
}

enum rf_status rf_curve_write(const struct rf_curve *curve, const char *run_dir,
                              const char *job, struct rf_error *err)
{
    struct text text = {0};

    for (int i = 0; i < curve->npoints; i++) {
        const struct rf_curve_point *p = &curve->points[i];

        append(&text, "%lld\t%.9g\t%.9g\t%.9g\t%lld", (long long)p->step, p->loss, p->lr,
               p->grad_norm, (long long)p->t_us);
        if (!isnan(p->validation))
            append(&text, "\t%.9g", p->validation);
        append(&text, "\n");
    }
    return write_text(&text, run_dir, job, "curve", err);
}

enum rf_status rf_curve_read(struct rf_curve *curve, const char *run_dir, const char *job,
                             int64_t last_step, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct reader in;
    enum rf_status st = path_of(path, run_dir, job, "curve", err);

    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = reader_open(&in, run_dir, job, "curve", err);
    while (st == RF_OK && next_line(&in)) {
        struct rf_curve_point p = {.validation = NAN};

        if (!read_int(&in, &p.step) || !read_double(&in, &p.loss) || !read_double(&in, &p.lr) ||
            !read_double(&in, &p.grad_norm) || !read_int(&in, &p.t_us) ||
            (in.field != NULL && !read_double(&in, &p.validation)))
            st = bad_line(&in, "step, loss, lr, grad_norm and time", err);
        else if (p.step <= last_step)
            st = rf_curve_add(curve, &p, err);
    }
    free(in.bytes);
    return st;
}

enum rf_status rf_predictions_make(struct rf_predictions *p, int n, int nclass, int with_truth,
                                   struct rf_error *err)
{
    size_t items = n > 0 ? (size_t)n : 1;

    *p = (struct rf_predictions){.n = n, .nclass = nclass};
    p->best = calloc(items, sizeof *p->best);
    if (with_truth)
        p->truth = calloc(items, sizeof *p->truth);
    if (nclass <= RF_SOFT_CLASSES)
        p->prob = calloc(items * (size_t)nclass, sizeof *p->prob);
    if (p->best == NULL || (with_truth && p->truth == NULL) ||
        (nclass <= RF_SOFT_CLASSES && p->prob == NULL)) {
        rf_predictions_clear(p);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: predictions of %d items", n);
    }
    return RF_OK;
}

void rf_predictions_clear(struct rf_predictions *p)
{
    free(p->best);
    free(p->prob);
    free(p->truth);
    *p = (struct rf_predictions){0};
}

enum rf_status rf_predictions_write(const struct rf_predictions *p, const char *run_dir,
                                    const char *job, struct rf_error *err)
{
    struct text text = {0};

    for (int i = 0; i < p->n; i++) {
        if (p->truth != NULL)
            append(&text, "%d\t", p->truth[i]);
        if (p->truth != NULL || p->prob == NULL)
            append(&text, "%d%s", p->best[i], p->prob != NULL ? "\t" : "");
        for (int k = 0; p->prob != NULL && k < p->nclass; k++)
            append(&text, "%s%.9g", k ? "\t" : "", (double)p->prob[i * p->nclass + k]);
        append(&text, "\n");
    }
    return write_text(&text, run_dir, job, p->truth != NULL ? "test" : "labels", err);
}

static int read_class(struct reader *in, int nclass, int32_t *value)
{
    int64_t k;

    if (!read_int(in, &k) || k < 0 || k >= nclass)
        return 0;
    *value = (int32_t)k;
    return 1;
}

/* One line into item i; prob alone implies best: the first of the largest. */
static int read_item(struct reader *in, struct rf_predictions *p, int i)
{
    if (p->truth != NULL && !read_class(in, p->nclass, &p->truth[i]))
        return 0;
    if ((p->truth != NULL || p->prob == NULL) && !read_class(in, p->nclass, &p->best[i]))
        return 0;
    if (p->prob != NULL) {
        float *prob = &p->prob[i * p->nclass];
        int best = 0;

        for (int k = 0; k < p->nclass; k++) {
            double value;

            if (!read_double(in, &value) || !(value >= 0.0 && value <= 1.0 + 1e-5))
                return 0;
            prob[k] = (float)value;
            best = prob[k] > prob[best] ? k : best;
        }
        if (p->truth == NULL)
            p->best[i] = best;
    }
    return in->field == NULL;
}

enum rf_status rf_predictions_read(struct rf_predictions *p, int n, int nclass, int with_truth,
                                   const char *run_dir, const char *job, struct rf_error *err)
{
    struct reader in;
    int i = 0;
    enum rf_status st;

    *p = (struct rf_predictions){0};
    st = reader_open(&in, run_dir, job, with_truth ? "test" : "labels", err);
    if (st == RF_OK)
        st = rf_predictions_make(p, n, nclass, with_truth, err);
    for (; st == RF_OK && next_line(&in); i++)
        if (i == n || !read_item(&in, p, i))
            st = rf_fail(err, RF_ERR_INPUT,
                         "%s:%d: not a prediction over %d classes for one of %d examples",
                         in.path, in.line, nclass, n);
    if (st == RF_OK && i != n)
        st = rf_fail(err, RF_ERR_INPUT, "'%s' has %d lines, expected %d", in.path, i, n);
    free(in.bytes);
    if (st != RF_OK)
        rf_predictions_clear(p);
    return st;
}

enum rf_status rf_predictions_read_test(struct rf_predictions *p, const char *run_dir,
                                        const char *job, struct rf_error *err)
{
    struct reader in;
    int lines = 0, fields = 1, nclass;
    enum rf_status st = reader_open(&in, run_dir, job, "test", err);

    *p = (struct rf_predictions){0};
    if (st != RF_OK)
        return st;
    for (const char *c = in.bytes; *c != '\0'; c++) {
        fields += lines == 0 && *c == '\t';
        lines += *c == '\n';
    }
    free(in.bytes);
    /* truth and best, then a probability per class; without probabilities any class goes */
    nclass = fields > 2 ? fields - 2 : 1 << 20;
    return rf_predictions_read(p, lines, nclass, 1, run_dir, job, err);
}

void rf_metrics_add(struct rf_metrics *metrics, const char *name, double value)
{
    struct rf_metric *item = &metrics->items[metrics->n];

    if (metrics->n == RF_METRICS_MAX)
        return;
    metrics->n++;
    snprintf(item->name, sizeof item->name, "%s", name);
    item->value = value;
}

double rf_metrics_get(const struct rf_metrics *metrics, const char *name)
{
    for (int i = 0; i < metrics->n; i++)
        if (strcmp(metrics->items[i].name, name) == 0)
            return metrics->items[i].value;
    return NAN;
}

enum rf_status rf_record_metrics_write(const struct rf_metrics *metrics, const char *run_dir,
                                       const char *job, struct rf_error *err)
{
    struct text text = {0};

    for (int i = 0; i < metrics->n; i++)
        append(&text, "%s\t%.17g\n", metrics->items[i].name, metrics->items[i].value);
    return write_text(&text, run_dir, job, "metrics", err);
}

enum rf_status rf_record_metrics_read(struct rf_metrics *metrics, const char *run_dir,
                                      const char *job, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    struct reader in;
    enum rf_status st = path_of(path, run_dir, job, "metrics", err);

    metrics->n = 0;
    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = reader_open(&in, run_dir, job, "metrics", err);
    while (st == RF_OK && next_line(&in)) {
        char *name = next_field(&in);
        double value;

        if (!read_double(&in, &value) || metrics->n == RF_METRICS_MAX)
            st = bad_line(&in, "a name and a number", err);
        else
            rf_metrics_add(metrics, name, value);
    }
    free(in.bytes);
    return st;
}
