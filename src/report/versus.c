/* What two results.json have in common, as rows. */
#include "report/versus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
#include "report/json.h"
#include "report/page.h"

void rf_versus_clear(struct rf_versus *versus)
{
    free(versus->rows);
    memset(versus, 0, sizeof *versus);
}

static struct rf_versus_row *add(struct rf_versus *versus, const char *topic, const char *of,
                                 const char *what, const char *unit, double a, double b)
{
    struct rf_versus_row *more;

    if (!isfinite(a) && !isfinite(b))
        return NULL;
    more = realloc(versus->rows, ((size_t)versus->n + 1) * sizeof *more);
    if (more == NULL) {
        versus->failed = 1;
        return NULL;
    }
    versus->rows = more;
    more += versus->n++;
    *more = (struct rf_versus_row){.topic = topic, .what = what, .unit = unit, .a = a, .b = b};
    more->a_ci[0] = more->a_ci[1] = more->b_ci[0] = more->b_ci[1] = NAN;
    snprintf(more->of, sizeof more->of, "%s", of);
    return more;
}

/* ---- lists that are matched by name ---- */

struct key {
    const char *topic, *key, *what, *unit;
    double scale;
    const char *in; /* the object of the item that holds the key; NULL: the item itself */
};

static void name_of(const json_t *item, char name[160])
{
    const char *loss = rf_json_text(item, "loss"), *own = rf_json_text(item, "name");

    if (own[0] == '\0')
        own = rf_json_text(item, "account");
    snprintf(name, 160, "%.100s%s%.40s", own, loss[0] != '\0' ? " " : "", loss);
}

static const json_t *find(const json_t *list, const char *name)
{
    char other[160];

    for (size_t i = 0; i < json_array_size(list); i++) {
        name_of(json_array_get(list, i), other);
        if (strcmp(other, name) == 0)
            return json_array_get(list, i);
    }
    return NULL;
}

static void add_interval(double ci[2], const json_t *item, const char *key)
{
    char name[64];
    const json_t *list;

    snprintf(name, sizeof name, "%.50s_ci", key);
    list = rf_json_list(item, name);
    if (json_array_size(list) != 2)
        return;
    ci[0] = json_number_value(json_array_get(list, 0));
    ci[1] = json_number_value(json_array_get(list, 1));
}

static void add_item(struct rf_versus *versus, const char *name, const json_t *a,
                     const json_t *b, const struct key *keys)
{
    for (; keys->key != NULL; keys++) {
        const json_t *of_a = keys->in != NULL ? json_object_get(a, keys->in) : a;
        const json_t *of_b = keys->in != NULL ? json_object_get(b, keys->in) : b;
        struct rf_versus_row *row = add(versus, keys->topic, name, keys->what, keys->unit,
                                        keys->scale * rf_json_number(of_a, keys->key),
                                        keys->scale * rf_json_number(of_b, keys->key));

        if (row != NULL) {
            add_interval(row->a_ci, a, keys->key);
            add_interval(row->b_ci, b, keys->key);
        }
    }
}

/* Those of a in their order, then those that b alone has. */
static void add_lists(struct rf_versus *versus, const json_t *a, const json_t *b,
                      const struct key *keys)
{
    char name[160];

    for (size_t i = 0; i < json_array_size(a); i++) {
        name_of(json_array_get(a, i), name);
        add_item(versus, name, json_array_get(a, i), find(b, name), keys);
    }
    for (size_t i = 0; i < json_array_size(b); i++) {
        name_of(json_array_get(b, i), name);
        if (find(a, name) == NULL)
            add_item(versus, name, NULL, json_array_get(b, i), keys);
    }
}

/* ---- compute bills ---- */

/* What the jobs of one group cost together; NAN without any. */
static double bill(const json_t *jobs, const char *group, const char *key)
{
    double sum = NAN;
    char own[RF_NAME_BYTES];

    for (size_t i = 0; i < json_array_size(jobs); i++) {
        double x = rf_json_number(json_array_get(jobs, i), key);

        rf_figure_group(json_array_get(jobs, i), own);
        if (strcmp(own, group) == 0 && isfinite(x))
            sum = (isfinite(sum) ? sum : 0) + x;
    }
    return sum;
}

static int is_new_group(const json_t *jobs, size_t upto, const char *group)
{
    char own[RF_NAME_BYTES];

    for (size_t i = 0; i < upto; i++) {
        rf_figure_group(json_array_get(jobs, i), own);
        if (strcmp(own, group) == 0)
            return 0;
    }
    return 1;
}

static void add_bills(struct rf_versus *versus, const json_t *a, const json_t *b,
                      const json_t *groups_of, const json_t *but_not_of)
{
    static const struct key keys[] = {
        {"compute", "device_s", "device-time", "device-s", 1, NULL},
        {"compute", "flops", "model FLOPs", "1e9", 1e-9, NULL},
        {"compute", "tokens", "tokens", "", 1, NULL}};
    char group[RF_NAME_BYTES];

    for (size_t i = 0; i < json_array_size(groups_of); i++) {
        rf_figure_group(json_array_get(groups_of, i), group);
        if (!is_new_group(groups_of, i, group) ||
            !is_new_group(but_not_of, json_array_size(but_not_of), group))
            continue;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            add(versus, keys[k].topic, group, keys[k].what, keys[k].unit,
                keys[k].scale * bill(a, group, keys[k].key),
                keys[k].scale * bill(b, group, keys[k].key));
    }
}

/* ---- the whole ---- */

static void add_whole(struct rf_versus *versus, const json_t *a, const json_t *b)
{
    static const struct key keys[] = {
        {"whole", "devices", "devices", "", 1, NULL},
        {"whole", "wall_s", "wall clock", "s", 1, NULL},
        {"whole", "makespan_s", "simulated", "s", 1, NULL},
        {"whole", "utilization", "in use", "%", 100, NULL},
        {"compute", "used_device_s", "device-time", "device-s", 1, NULL},
        {"whole", "preemptions", "preemptions", "", 1, NULL},
        {"whole", "denied", "denied", "", 1, NULL},
        {.key = NULL}};
    static const struct key waits[] = {{"waiting", "mean", "mean", "s", 1, NULL},
                                       {"waiting", "p50", "half below", "s", 1, NULL},
                                       {"waiting", "p95", "95 % below", "s", 1, NULL},
                                       {.key = NULL}};

    add_item(versus, "all", a, b, keys);
    add_item(versus, "all jobs", json_object_get(a, "wait_s"), json_object_get(b, "wait_s"),
             waits);
}

enum rf_status rf_versus_make(struct rf_versus *versus, const json_t *a, const json_t *b,
                              struct rf_error *err)
{
    static const struct key experiments[] = {
        {"accuracy", "weak", "weak supervisor", "", 1, NULL},
        {"accuracy", "student", "student", "", 1, NULL},
        {"accuracy", "ceiling", "ceiling", "", 1, NULL},
        {"accuracy", "zero_shot", "zero-shot", "", 1, NULL},
        {"accuracy", "probe", "linear probe", "", 1, NULL},
        {"gap recovered", "pgr", "gap recovered", "", 1, NULL},
        {"compute", "flops", "model FLOPs of the row alone", "1e9", 1e-9, "cost"},
        {"compute", "device_s", "device-time of the row alone", "device-s", 1, "cost"},
        {.key = NULL}};
    static const struct key accounts[] = {
        {"share", "share", "of the fleet", "%", 100, NULL},
        {"compute", "device_s", "device-time", "device-s", 1, NULL},
        {"waiting", "wait_mean_s", "mean wait", "s", 1, NULL},
        {"waiting", "denied", "denied", "", 1, NULL},
        {"waiting", "preempted", "preempted", "", 1, NULL},
        {.key = NULL}};
    static const struct key pledges[] = {
        {"share", "delivered_share", "delivered to the pledge", "%", 100, NULL},
        {"share", "shortfall_device_s", "missing", "device-s", 1, NULL},
        {.key = NULL}};
    const json_t *jobs_a = rf_json_list(a, "jobs"), *jobs_b = rf_json_list(b, "jobs");

    memset(versus, 0, sizeof *versus);
    snprintf(versus->verdicts[0], sizeof versus->verdicts[0], "%s",
             rf_page_worst_verdict(rf_json_list(a, "pledges")));
    snprintf(versus->verdicts[1], sizeof versus->verdicts[1], "%s",
             rf_page_worst_verdict(rf_json_list(b, "pledges")));
    add_lists(versus, rf_json_list(a, "experiments"), rf_json_list(b, "experiments"),
              experiments);
    add_lists(versus, rf_json_list(a, "pledges"), rf_json_list(b, "pledges"), pledges);
    add_lists(versus, rf_json_list(a, "accounts"), rf_json_list(b, "accounts"), accounts);
    add_bills(versus, jobs_a, jobs_b, jobs_a, NULL);
    add_bills(versus, jobs_a, jobs_b, jobs_b, jobs_a);
    add_whole(versus, a, b);
    return versus->failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for a comparison")
                          : RF_OK;
}
