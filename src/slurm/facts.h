/* facts.h - which objects Slurm has, read from what its own programs print.
 *
 * The caller runs a question's command and hands the text back; nothing here starts a process. */
#ifndef RF_SLURM_FACTS_H
#define RF_SLURM_FACTS_H

#include <stddef.h>

#include "slurm/object.h"

enum { RF_SLURM_QUESTION_ARGS = 8 };

/* A command that shows all objects of a kind: argv, ended by NULL. */
struct rf_slurm_question {
    enum rf_slurm_kind kind;
    const char *argv[RF_SLURM_QUESTION_ARGS];
};

struct rf_slurm_fact { /* a setting; or, with a NULL key, that the object is there */
    enum rf_slurm_kind kind;
    char name[RF_SLURM_NAME_BYTES];
    const struct rf_slurm_key *key;
    char value[RF_SLURM_VALUE_BYTES];
};

struct rf_slurm_facts {          /* starts as all zeros, ended with rf_slurm_facts_clear() */
    struct rf_slurm_fact *items; /* owned */
    int n, room;
};

/* RF_SLURM_NKINDS of them, by kind. */
const struct rf_slurm_question *rf_slurm_question_of(enum rf_slurm_kind kind);
/* Adds what the answer to a kind's question says. RF_ERR_INPUT: it is no such answer. */
enum rf_status rf_slurm_facts_read(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                   const char *text, size_t size_bytes, struct rf_error *err);
/* That an object is there, with nothing set on it. */
enum rf_status rf_slurm_facts_add(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                  const char *name, struct rf_error *err);
void rf_slurm_facts_clear(struct rf_slurm_facts *facts);

int rf_slurm_facts_has(const struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                       const char *name);
/* "" when it is not set, or the object is not there. */
const char *rf_slurm_facts_value(const struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                 const char *name, const struct rf_slurm_key *key);

#endif
