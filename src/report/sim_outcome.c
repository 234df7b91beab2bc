/* One table of fields serves both directions. Device-time is in microseconds here, unlike in
 * what people read, because a row has to come back as it was. Only a sum beyond the integers of
 * JSON loses its last digits, and is the same from then on. */
#include "report/sim_outcome.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const double MOST_WIDE = 1e37;

enum kind { TEXT, INTEGER, WIDE, REAL };

struct field {
    const char *key;
    enum kind kind;
    size_t offset, size;
};

#define FIELD(type, member, kind)                                                              \
    {                                                                                          \
#member, kind, offsetof(struct type, member), sizeof(((struct type *)0)->member)       \
    }

static const struct field fields[] = {
    FIELD(rf_sim_outcome, scenario, TEXT),     FIELD(rf_sim_outcome, order, TEXT),
    FIELD(rf_sim_outcome, fence, TEXT),        FIELD(rf_sim_outcome, seed, INTEGER),
    FIELD(rf_sim_outcome, failed, TEXT),       FIELD(rf_sim_outcome, preemptions, INTEGER),
    FIELD(rf_sim_outcome, events, INTEGER),    FIELD(rf_sim_outcome, makespan_us, INTEGER),
    FIELD(rf_sim_outcome, capacity_us, WIDE),  FIELD(rf_sim_outcome, used_us, WIDE),
    FIELD(rf_sim_outcome, utilization, REAL),  FIELD(rf_sim_outcome, verdict, TEXT),
    FIELD(rf_sim_outcome, entitled_us, WIDE),  FIELD(rf_sim_outcome, demanded_us, WIDE),
    FIELD(rf_sim_outcome, delivered_us, WIDE), FIELD(rf_sim_outcome, shortfall_us, WIDE),
    FIELD(rf_sim_outcome, schedule, TEXT),
};

static const struct field part_fields[] = {
    FIELD(rf_outcome_part, jobs, INTEGER),        FIELD(rf_outcome_part, finished, INTEGER),
    FIELD(rf_outcome_part, denied, INTEGER),      FIELD(rf_outcome_part, held_us, WIDE),
    FIELD(rf_outcome_part, useful_us, WIDE),      FIELD(rf_outcome_part, wait_mean_us, REAL),
    FIELD(rf_outcome_part, slowdown_mean, REAL),  FIELD(rf_outcome_part, wait_p50_us, INTEGER),
    FIELD(rf_outcome_part, wait_p95_us, INTEGER), FIELD(rf_outcome_part, slowdown_p95, INTEGER),
};

enum {
    NFIELDS = sizeof fields / sizeof *fields,
    NPART_FIELDS = sizeof part_fields / sizeof *part_fields
};

static const struct {
    const char *key;
    size_t offset;
} parts[] = {{"all", offsetof(struct rf_sim_outcome, all)},
             {"pledged", offsetof(struct rf_sim_outcome, pledged)},
             {"others", offsetof(struct rf_sim_outcome, others)}};

static void put_wide(struct rf_build *build, json_t *object, const char *key, const void *at)
{
    struct rf_wide wide;

    memcpy(&wide, at, sizeof wide);
    if (rf_wide_compare(wide, rf_wide_of(rf_wide_narrow(wide))) == 0)
        rf_build_integer(build, object, key, rf_wide_narrow(wide));
    else
        rf_build_number(build, object, key, rf_wide_double(wide));
}

static void put_field(struct rf_build *build, json_t *object, const struct field *field,
                      const void *from)
{
    const char *at = (const char *)from + field->offset;
    int64_t integer;
    double real;

    if (field->kind == TEXT) {
        rf_build_text(build, object, field->key, at);
    } else if (field->kind == INTEGER) {
        memcpy(&integer, at, sizeof integer);
        rf_build_integer(build, object, field->key, integer);
    } else if (field->kind == WIDE) {
        put_wide(build, object, field->key, at);
    } else {
        memcpy(&real, at, sizeof real);
        rf_build_number(build, object, field->key, real);
    }
}

json_t *rf_sim_outcome_json(struct rf_build *build, const struct rf_sim_outcome *outcome)
{
    json_t *object = json_object();
    char share[48];

    for (int i = 0; i < NFIELDS; i++)
        put_field(build, object, &fields[i], outcome);
    rf_share_format(&outcome->share, share, sizeof share);
    rf_build_text(build, object, "share", share);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        json_t *part = json_object();

        for (int i = 0; i < NPART_FIELDS; i++)
            put_field(build, part, &part_fields[i], (const char *)outcome + parts[p].offset);
        rf_build_set(build, object, parts[p].key, part);
    }
    return object;
}

static enum rf_status bad_key(const char *key, struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "the row of a cell has no good '%s'", key);
}

static void take_wide(const json_t *value, void *to)
{
    struct rf_wide wide = json_is_integer(value) ? rf_wide_of(json_integer_value(value))
                                                 : rf_wide_of_double(json_real_value(value));

    memcpy(to, &wide, sizeof wide);
}

static enum rf_status take_field(const json_t *object, const struct field *field, void *to,
                                 struct rf_error *err)
{
    const json_t *value = json_object_get(object, field->key);
    char *at = (char *)to + field->offset;
    int64_t integer = json_integer_value(value);
    double real = json_is_null(value) ? (double)NAN : json_number_value(value);

    if (field->kind == TEXT) {
        const char *text = json_string_value(value);

        if (text == NULL || strlen(text) >= field->size)
            return bad_key(field->key, err);
        memcpy(at, text, strlen(text) + 1);
    } else if (field->kind == INTEGER) {
        if (!json_is_integer(value))
            return bad_key(field->key, err);
        memcpy(at, &integer, sizeof integer);
    } else if (field->kind == WIDE) {
        if (!json_is_number(value) || !(fabs(json_number_value(value)) < MOST_WIDE))
            return bad_key(field->key, err);
        take_wide(value, at);
    } else {
        if (!json_is_number(value) && !json_is_null(value))
            return bad_key(field->key, err);
        memcpy(at, &real, sizeof real);
    }
    return RF_OK;
}

enum rf_status rf_sim_outcome_read(struct rf_sim_outcome *outcome, const json_t *object,
                                   struct rf_error *err)
{
    const char *share = json_string_value(json_object_get(object, "share"));
    enum rf_status st = RF_OK;

    memset(outcome, 0, sizeof *outcome);
    for (int i = 0; st == RF_OK && i < NFIELDS; i++)
        st = take_field(object, &fields[i], outcome, err);
    for (size_t p = 0; st == RF_OK && p < sizeof parts / sizeof *parts; p++)
        for (int i = 0; st == RF_OK && i < NPART_FIELDS; i++)
            st = take_field(json_object_get(object, parts[p].key), &part_fields[i],
                            (char *)outcome + parts[p].offset, err);
    if (st == RF_OK && (share == NULL || rf_share_parse(&outcome->share, share, NULL) != RF_OK))
        st = bad_key("share", err);
    return st;
}
