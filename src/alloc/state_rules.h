/* state_rules.h - what state.c and state_check.c share; nobody else includes it. */
#ifndef RF_ALLOC_STATE_RULES_H
#define RF_ALLOC_STATE_RULES_H

#include "alloc/state.h"

int rf_account_name_ok(const char *name);
/* Is `name` the account `of`, or one below it? By their names alone. */
int rf_account_contains(const char *of, const char *name);
/* The job state for the word in an end event; -1: no such word. */
int rf_end_state(const char *word);

#endif
