#include "job/stops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/lines.h"

enum { LINE_BYTES = 80 };

const char *rf_stop_rule_name(enum rf_stop_rule rule)
{
    return rule == RF_STOP_ORACLE ? "oracle" : "agreement";
}

static int best(const struct rf_stops *stops, enum rf_stop_rule rule)
{
    int at = 0;

    for (int i = 1; i < stops->n; i++)
        if (stops->points[i].value[rule] > stops->points[at].value[rule])
            at = i;
    return at;
}

unsigned rf_stops_add(struct rf_stops *stops, const struct rf_stop_point *point)
{
    unsigned is_best = 0;

    if (stops->n == RF_STOPS_MAX)
        return 0;
    stops->points[stops->n++] = *point;
    for (int r = 0; r < RF_NSTOP_RULES; r++)
        if (best(stops, (enum rf_stop_rule)r) == stops->n - 1)
            is_best |= 1U << r;
    return is_best;
}

int64_t rf_stops_best(const struct rf_stops *stops, enum rf_stop_rule rule)
{
    return stops->n > 0 ? stops->points[best(stops, rule)].step : -1;
}

static enum rf_status path_of(char path[RF_PATH_BYTES], const char *run_dir, const char *job,
                              struct rf_error *err)
{
    int n = snprintf(path, RF_PATH_BYTES, "%s/jobs/%s.stops", run_dir, job);

    return n > 0 && n < RF_PATH_BYTES
               ? RF_OK
               : rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", run_dir);
}

enum rf_status rf_stops_write(const struct rf_stops *stops, const char *run_dir,
                              const char *job, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    char *text = malloc((size_t)stops->n * LINE_BYTES + 1);
    size_t used = 0;
    enum rf_status st = path_of(path, run_dir, job, err);

    if (text == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d looks", stops->n);
    for (int i = 0; i < stops->n; i++)
        used += (size_t)snprintf(
            text + used, LINE_BYTES, "%" PRId64 "\t%.9g\t%.9g\n", stops->points[i].step,
            stops->points[i].value[RF_STOP_AGREEMENT], stops->points[i].value[RF_STOP_ORACLE]);
    if (st == RF_OK)
        st = rf_file_write(path, text, used, err);
    free(text);
    return st;
}

/* A column as a number. */
static int number_of(struct rf_view column, double *value)
{
    char text[40], *end;

    if (column.size_bytes == 0 || column.size_bytes >= sizeof text)
        return 0;
    memcpy(text, column.bytes, column.size_bytes);
    text[column.size_bytes] = '\0';
    *value = strtod(text, &end);
    return *end == '\0';
}

enum rf_status rf_stops_read(struct rf_stops *stops, const char *run_dir, const char *job,
                             int64_t last_step, struct rf_error *err)
{
    char path[RF_PATH_BYTES], *data = NULL;
    size_t size = 0;
    struct rf_lines lines;
    struct rf_view line, column[4];
    enum rf_status st = path_of(path, run_dir, job, err);

    stops->n = 0;
    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = rf_file_read(path, (size_t)1 << 20, &data, &size, err);
    lines = rf_lines_begin(data, size);
    while (st == RF_OK && rf_lines_next(&lines, &line)) {
        double step, agreement, accuracy;

        if (rf_columns(line, column, 4) != 3 || !number_of(column[0], &step) ||
            !(step >= 0 && step < 1e15) || !number_of(column[1], &agreement) ||
            !number_of(column[2], &accuracy))
            st = rf_fail(err, RF_ERR_INPUT, "%s:%ld: expected a step and two shares", path,
                         lines.number);
        else if ((int64_t)step <= last_step)
            rf_stops_add(stops, &(struct rf_stop_point){(int64_t)step, {agreement, accuracy}});
    }
    free(data);
    return st;
}
