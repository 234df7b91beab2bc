/* verbs.h - commands of several verbs: which arguments and options each takes, and what their documents share.
 *
 * A command keeps a table of rows that begin with a struct rf_verb, and behind it the verb's function. */
#ifndef RF_CLI_VERBS_H
#define RF_CLI_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include "report/build.h"

struct rf_verb {
    const char *name, *help;
    int min, max;      /* arguments; max -1: any number */
    const char *takes; /* what these are, for the refusal */
    const char *
        options; /* those of the command that it takes, each between blanks; others, which all verbs
                            take, are not listed */
};

struct rf_verb_option {
    const char *name; /* between blanks: " --key " */
    int given;
};

/* The row of `name` in a table of n rows of size_bytes each: it takes nargs arguments and the options that were
 * given. RF_ERR_ARG: there is none, or it does not; the sentence names the command's --help. */
enum rf_status rf_verb_find(const void **row, const char *command, const void *table, size_t n,
                            size_t size_bytes, const char *name, int nargs,
                            const struct rf_verb_option *options, size_t noptions,
                            struct rf_error *err);

/* What every document of a verb says, into doc. */
void rf_verb_sign(struct rf_build *build, json_t *doc, const char *command, const char *action,
                  int64_t start_us);

/* Prints doc and ends it, signed, with the sentence of an answer that is no as its "problem". Takes what verb's
 * function returned, RF_OK or RF_NO with its sentence in err, and returns it, or how printing failed; after
 * RF_NO the sentence is empty, for it has been said. */
enum rf_status rf_verb_print(struct rf_build *build, json_t *doc, const char *command,
                             const char *action, int64_t start_us, enum rf_status answer,
                             struct rf_error *err);

#endif
