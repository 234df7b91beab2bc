#include "report/sim_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { FIRST_COLUMNS = 2, MOST_COLUMNS = 4096, MOST_STEPS = 1 << 20 };
static const size_t MOST_BYTES = (size_t)1 << 28;
static const double MOST_NUMBER = 1e18; /* sums of these stay finite */
static const char FIRST[] = "t_s,length_s";

static int count_char(const char *text, const char *end, char c)
{
    int n = 0;

    for (; text < end && n < MOST_STEPS; text++)
        n += *text == c;
    return n;
}

static enum rf_status make_room(struct rf_curves *curves, struct rf_error *err)
{
    size_t n = (size_t)curves->n, columns = (size_t)curves->ncolumns;

    curves->t_s = calloc(n + 1, sizeof *curves->t_s);
    curves->names = calloc(columns + 1, sizeof *curves->names);
    curves->values = calloc(n * columns + 1, sizeof *curves->values);
    if (curves->t_s == NULL || curves->names == NULL || curves->values == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the time series");
    return RF_OK;
}

static enum rf_status take_names(struct rf_curves *curves, const char *header, const char *end,
                                 const char *name, struct rf_error *err)
{
    const char *at = header + strlen(FIRST);

    for (int c = 0; c < curves->ncolumns; c++) {
        size_t length = strcspn(++at, ",\n");

        if (length == 0 || length >= RF_CURVES_NAME_BYTES || at + length > end)
            return rf_fail(err, RF_ERR_INPUT, "%s:1: a column without a good name", name);
        memcpy(curves->names[c], at, length);
        at += length;
    }
    return RF_OK;
}

/* One number and the separator behind it. */
static int take_number(const char **at, char separator, double *x)
{
    char *end;

    if (strchr("+-.0123456789", **at) == NULL || **at == '\0')
        return 0;
    *x = strtod(*at, &end);
    if (end == *at || !(fabs(*x) <= MOST_NUMBER) || *end != separator)
        return 0;
    *at = end + 1;
    return 1;
}

static enum rf_status take_rows(struct rf_curves *curves, const char *at, const char *name,
                                struct rf_error *err)
{
    size_t n = (size_t)curves->n;

    for (int k = 0; k < curves->n; k++) {
        double length_s = 0;
        int good = take_number(&at, ',', &curves->t_s[k]) &&
                   take_number(&at, curves->ncolumns > 0 ? ',' : '\n', &length_s) &&
                   curves->t_s[k] + length_s > curves->t_s[k];

        for (int c = 0; good && c < curves->ncolumns; c++)
            good = take_number(&at, c + 1 < curves->ncolumns ? ',' : '\n',
                               &curves->values[(size_t)c * n + (size_t)k]);
        if (good && k > 0)
            good = curves->t_s[k] > curves->t_s[k - 1];
        if (!good)
            return rf_fail(err, RF_ERR_INPUT, "%s:%d: not a step of the time series", name,
                           k + 2);
        curves->t_s[k + 1] = curves->t_s[k] + length_s;
    }
    return RF_OK;
}

enum rf_status rf_curves_parse(struct rf_curves *curves, const char *text, const char *name,
                               struct rf_error *err)
{
    const char *end = text + strlen(text), *line = strchr(text, '\n');
    enum rf_status st;

    *curves = (struct rf_curves){0};
    if (strncmp(text, FIRST, strlen(FIRST)) != 0 || line == NULL || end[-1] != '\n' ||
        (text[strlen(FIRST)] != ',' && text[strlen(FIRST)] != '\n'))
        return rf_fail(err, RF_ERR_INPUT, "%s:1: not a time series of a simulation", name);
    curves->ncolumns = count_char(text, line, ',') + 1 - FIRST_COLUMNS;
    curves->n = count_char(line + 1, end, '\n');
    if (curves->ncolumns > MOST_COLUMNS || curves->n >= MOST_STEPS)
        return rf_fail(err, RF_ERR_INPUT, "%s: too many steps or columns", name);
    st = make_room(curves, err);
    if (st == RF_OK)
        st = take_names(curves, text, line, name, err);
    if (st == RF_OK)
        st = take_rows(curves, line + 1, name, err);
    return st;
}

enum rf_status rf_curves_read(struct rf_curves *curves, const char *path, struct rf_error *err)
{
    char *text = NULL;
    size_t size;
    enum rf_status st = rf_file_read(path, MOST_BYTES, &text, &size, err);

    *curves = (struct rf_curves){0};
    if (st == RF_OK)
        st = rf_curves_parse(curves, text, path, err);
    free(text);
    return st;
}

void rf_curves_clear(struct rf_curves *curves)
{
    free(curves->t_s);
    free(curves->names);
    free(curves->values);
    *curves = (struct rf_curves){0};
}

static int is_count(const char *name)
{
    return strcmp(name, "submitted") == 0 || strcmp(name, "preempted") == 0 ||
           strncmp(name, "denied:", strlen("denied:")) == 0;
}

static double joined(const struct rf_curves *curves, int column, int begin, int end)
{
    const double *values = curves->values + (size_t)column * (size_t)curves->n;
    double sum = 0;

    if (is_count(curves->names[column])) {
        for (int k = begin; k < end; k++)
            sum += values[k];
        return sum;
    }
    for (int k = begin; k < end; k++)
        sum += values[k] * (curves->t_s[k + 1] - curves->t_s[k]);
    return sum / (curves->t_s[end] - curves->t_s[begin]);
}

enum rf_status rf_curves_thin(struct rf_curves *thin, const struct rf_curves *curves, int most,
                              struct rf_error *err)
{
    int each = curves->n > 0 ? (curves->n + most - 1) / most : 1;
    enum rf_status st;

    *thin =
        (struct rf_curves){.n = (curves->n + each - 1) / each, .ncolumns = curves->ncolumns};
    st = make_room(thin, err);
    if (st != RF_OK)
        return st;
    memcpy(thin->names, curves->names, (size_t)curves->ncolumns * sizeof *thin->names);
    for (int k = 0; k < thin->n; k++) {
        int begin = k * each, end = begin + each < curves->n ? begin + each : curves->n;

        thin->t_s[k] = curves->t_s[begin];
        thin->t_s[k + 1] = curves->t_s[end];
        for (int c = 0; c < thin->ncolumns; c++)
            thin->values[(size_t)c * (size_t)thin->n + (size_t)k] =
                joined(curves, c, begin, end);
    }
    return RF_OK;
}

const double *rf_curves_find(const struct rf_curves *curves, const char *name)
{
    for (int c = 0; c < curves->ncolumns; c++)
        if (strcmp(curves->names[c], name) == 0)
            return curves->values + (size_t)c * (size_t)curves->n;
    return NULL;
}

const char *rf_curves_of(const struct rf_curves *curves, int column, const char *kind)
{
    size_t length = strlen(kind);
    const char *name = curves->names[column];

    return strncmp(name, kind, length) == 0 && name[length] == ':' ? name + length + 1 : NULL;
}
