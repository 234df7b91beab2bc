/* object.h - objects of Slurm as plain data: what they are called and what is set on them.
 *
 * plan.h says which objects a promise needs, facts.h reads which ones there are, and changes.h says
 * what leads from one to the other. How a setting is called where it is changed and where it
 * is shown, and when two values are the same, stands in one table in object.c. */
#ifndef RF_SLURM_OBJECT_H
#define RF_SLURM_OBJECT_H

#include <stdint.h>

#include "base/error.h"

enum rf_slurm_kind {
    RF_SLURM_QOS,
    RF_SLURM_ACCOUNT,
    RF_SLURM_PARTITION,
    RF_SLURM_RESERVATION,
    RF_SLURM_CONF, /* slurm.conf, which commands cannot change: it is only looked at */
    RF_SLURM_NKINDS
};

/* When are two values of a setting the same? */
enum rf_slurm_form {
    RF_SLURM_WORD,     /* but for the case of letters */
    RF_SLURM_COUNT,    /* as numbers; nothing is 0 */
    RF_SLURM_DURATION, /* 60, 00:01:00 and 0-00:01:00 */
    RF_SLURM_SET,      /* words between commas, in any order */
    RF_SLURM_HOLDS,    /* all of these words, and perhaps others */
    RF_SLURM_RANGES,   /* a number, among "5,80-90" */
    RF_SLURM_POSITIVE  /* any number above 0 */
};

enum {
    RF_SLURM_NAME_BYTES = 80,
    RF_SLURM_VALUE_BYTES = 512,
    RF_SLURM_SETTINGS = 10,
    RF_SLURM_WHY_BYTES = 240
};

struct rf_slurm_key {
    enum rf_slurm_kind kind;
    const char *name;   /* as `sacctmgr modify ... set` or scontrol takes it */
    const char *column; /* as sacctmgr's format= or scontrol calls it */
    enum rf_slurm_form form;
    const char *cleared; /* what takes the setting away; NULL: always set */
};

struct rf_slurm_setting {
    const struct rf_slurm_key *key;
    char value[RF_SLURM_VALUE_BYTES]; /* "": must not be set */
};

struct rf_slurm_object {
    enum rf_slurm_kind kind;
    char name[RF_SLURM_NAME_BYTES];
    char parent[RF_SLURM_NAME_BYTES]; /* of an account; "": the root */
    char why[RF_SLURM_WHY_BYTES];     /* which promise it keeps */
    struct rf_slurm_setting settings[RF_SLURM_SETTINGS];
    int nsettings;
};

/* The row of a setting; NULL: there is none. */
const struct rf_slurm_key *rf_slurm_key_of(enum rf_slurm_kind kind, const char *name);
/* ... by what it is called where it is shown, whatever the case. */
const struct rf_slurm_key *rf_slurm_key_shown(enum rf_slurm_kind kind, const char *column);
/* The same, as far as Slurm is concerned? */
int rf_slurm_same(enum rf_slurm_form form, const char *wanted, const char *there);
const char *rf_slurm_kind_name(enum rf_slurm_kind kind); /* "qos", "account", ... */

#endif
