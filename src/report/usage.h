/* usage.h - how many devices each account held, as steps in time. */
#ifndef RF_REPORT_USAGE_H
#define RF_REPORT_USAGE_H

#include "report/timeline.h"

enum { RF_USAGE_ACCOUNTS = 8 };

/* From t_s[i] to t_s[i + 1] account a held used[i * naccounts + a] devices of fleet[i]. */
struct rf_usage {
    /* of jobs that held devices, in order of the first lease; with more, the last is "other" */
    char accounts[RF_USAGE_ACCOUNTS][RF_NAME_BYTES];
    int naccounts;
    int n;         /* steps; t_s has one time more */
    double *t_s;   /* owned, seconds, ascending */
    double *used;  /* owned */
    double *fleet; /* owned */
};

/* The caller ends *usage with rf_usage_clear(), whatever the status. With more than `most`
 * steps (most >= 2) time is cut into `most` equal parts instead, and each holds the mean. */
enum rf_status rf_usage_make(struct rf_usage *usage, const struct rf_timeline *timeline,
                             int most, struct rf_error *err);
void rf_usage_clear(struct rf_usage *usage);

/* Is account `name` the account `of`, or below it in the dotted tree? */
int rf_usage_within(const char *name, const char *of);

#endif
