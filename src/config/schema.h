/* schema.h - which keys a configuration has, as data.
 *
 * The reader, the writer and the tests of configs/README.md all walk these tables. A key
 * that is not here is an error in a configuration. Rules between keys are in check.c and
 * check_simulate.c. */
#ifndef RF_CONFIG_SCHEMA_H
#define RF_CONFIG_SCHEMA_H

#include <stddef.h>

#include "config/check.h"

/* What stands behind a key, and what it fills. */
enum rf_key_kind {
    RF_KEY_TEXT,     /* char[size]; one of `words`, separated by spaces, when those are given */
    RF_KEY_NAME,     /* char[size]; letters, digits, '_' and '-', at most RF_KEY_NAME_MAX */
    RF_KEY_ACCOUNT,  /* char[size]; dotted small names; "" only with the default "" */
    RF_KEY_PATH,     /* char[size]; relative to the configuration's folder; "" is none */
    RF_KEY_INT,      /* int */
    RF_KEY_LONG,     /* int64_t */
    RF_KEY_NUMBER,   /* double */
    RF_KEY_SECONDS,  /* int64_t microseconds: a number of seconds, or text such as "30d" */
    RF_KEY_TIME,     /* int64_t microseconds since the start: the same, or a date */
    RF_KEY_DATE,     /* int64_t microseconds since 1970, 0 for "": a date */
    RF_KEY_FLAG,     /* int: true 1, false 0 */
    RF_KEY_SHARE,    /* struct rf_share; when not required, 0 stands for `text` "" */
    RF_KEY_NAMES,    /* names of other things (or `words`): char[][RF_NAME_BYTES], int count */
    RF_KEY_ACCOUNTS, /* the same of accounts */
    RF_KEY_TEXTS,    /* the same of any texts */
    RF_KEY_WORDS,    /* some of `words`: one int each at word_offsets */
    RF_KEY_SHARES,   /* struct rf_share[], and an int count */
    RF_KEY_DURATIONS, /* int64_t[] microseconds, and an int count */
    RF_KEY_GROUP,     /* a group of its own: keys in `group`, offsets relative to `offset` */
    RF_KEY_LIST,      /* of groups: a pointer to an array of structs, and an int count */
    RF_KEY_MEMBER, /* a group that, when it is there, is one more member (of `size` bytes) of a
                         list that was read before; the int at word_offsets[0] in it becomes 1.
                         Written with the list */
    RF_KEY_PASSED  /* nothing: what stands here is for somebody else, and not looked at */
};

enum { RF_KEY_NAME_MAX = 40 };

struct rf_key {
    const char *key; /* NULL ends a table */
    enum rf_key_kind kind;
    size_t offset;       /* in the struct that the table fills */
    size_t size;         /* bytes of text; of one LIST element; else: how many there may be */
    size_t count_offset; /* of the int count */
    const char *words;
    const size_t *word_offsets;
    const struct rf_key *group; /* GROUP, LIST: the keys of one */
    int required;
    double min, max;  /* of numbers, both ends allowed; LIST: at most max of them */
    double number;    /* the default, when not required */
    const char *text; /* the default of text, shares, words and durations */
};

/* One kind of configuration: its sections are the keys of the outermost group. */
struct rf_schema {
    const struct rf_key *sections;
    size_t size;          /* of the struct that it fills */
    size_t origin_offset; /* of the RF_KEY_DATE that dates in RF_KEY_TIME count from; it stands
                             in the first section. 0: dates are not understood */
    /* Fills in defaults that depend on other keys, then checks the rules between keys. */
    enum rf_status (*finish)(void *target, rf_config_place *place, void *ctx,
                             struct rf_error *err);
    void (*clear)(void *target); /* frees what the lists own */
};

extern const struct rf_schema rf_config_run;        /* struct rf_run_spec */
extern const struct rf_schema rf_config_submission; /* struct rf_submission */
extern const struct rf_schema rf_config_simulate;   /* struct rf_scenario */
extern const struct rf_schema rf_config_promises; /* struct rf_scenario: policy and promises */

/* A submission is read with an eye to what there is already: the reader leaves base alone. */
struct rf_submission {
    struct rf_run_spec spec; /* what the reader fills, as for a run */
    const struct rf_run_spec *base;
};

/* What config.h does, for any kind of configuration. */
enum rf_status rf_schema_parse(const struct rf_schema *schema, void *target, const char *text,
                               size_t size_bytes, const char *filename,
                               const char *const *overrides, int noverrides,
                               struct rf_error *err);
enum rf_status rf_schema_read(const struct rf_schema *schema, void *target,
                              const char *filename, const char *const *overrides,
                              int noverrides, struct rf_error *err);
enum rf_status rf_schema_write(const struct rf_schema *schema, const void *target, char **text,
                               size_t *size_bytes, struct rf_error *err);

/* How a table's row says where its field is. */
#define RF_KEY_AT(type, field) .offset = offsetof(struct type, field)
#define RF_KEY_ROOM(type, field)                                                               \
    .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define RF_KEY_LIST_OF(type, field)                                                            \
    .kind = RF_KEY_LIST, .offset = offsetof(struct type, field),                               \
    .count_offset = offsetof(struct type, n##field), .size = sizeof *((struct type *)0)->field

#endif
