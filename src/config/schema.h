/* schema.h - which keys a configuration has, as data.
 *
 * The reader, the writer and the test of configs/README.md all walk these tables. A key
 * that is not here is an error in a configuration. Rules between keys are in check.c. */
#ifndef RF_CONFIG_SCHEMA_H
#define RF_CONFIG_SCHEMA_H

#include <stddef.h>

/* What stands behind a key, and what it fills. */
enum rf_key_kind {
    RF_KEY_TEXT,    /* char[size]; one of `words`, separated by spaces, when those are given */
    RF_KEY_NAME,    /* char[size]; letters, digits, '_' and '-', at most RF_KEY_NAME_MAX */
    RF_KEY_ACCOUNT, /* char[size]; dotted small names */
    RF_KEY_PATH,    /* char[size]; relative to the configuration's folder; "" is none */
    RF_KEY_INT,     /* int */
    RF_KEY_LONG,    /* int64_t */
    RF_KEY_NUMBER,  /* double */
    RF_KEY_SECONDS, /* int64_t microseconds */
    RF_KEY_FLAG,    /* int: true 1, false 0 */
    RF_KEY_SHARE,   /* struct rf_share */
    RF_KEY_NAMES,   /* names of other things: char[][RF_NAME_BYTES], and an int count */
    RF_KEY_WORDS,   /* some of `words`: one int each at word_offsets */
    RF_KEY_GROUP    /* a group of its own: keys in `group`, offsets relative to `offset` */
};

enum { RF_KEY_NAME_MAX = 40 };

struct rf_key {
    const char *key; /* NULL ends a table */
    enum rf_key_kind kind;
    size_t offset;       /* in the struct that the table fills */
    size_t size;         /* bytes of text; NAMES: how many there may be */
    size_t count_offset; /* NAMES */
    const char *words;
    const size_t *word_offsets;
    const struct rf_key *group;
    int required;
    double min, max;  /* of numbers, both ends allowed */
    double number;    /* the default, when not required */
    const char *text; /* the default of text and words */
};

/* A group or list of groups at the top of the file. */
struct rf_section {
    const char *name; /* NULL ends the table */
    const struct rf_key *keys;
    int list;             /* ( {...}, {...} ) instead of {...} */
    size_t offset;        /* list: of the pointer to the array in struct rf_run_spec */
    size_t count_offset;  /* list: of the int count */
    size_t size;          /* list: of one element */
    int most;             /* list: how many there may be */
    const char *named_by; /* list: the key by which overrides find a member */
};

extern const struct rf_section rf_config_sections[];

#endif
