/* collect.h - from a run's directory to its results.
 *
 * Everything is taken from what lies on disk: the ledger, replayed and judged as an audit
 * would, and the files that the jobs left (job/record.h). So the results of a run that has
 * just ended, and of one that is looked at later, are the same. */
#ifndef RF_REPORT_COLLECT_H
#define RF_REPORT_COLLECT_H

#include "alloc/audit.h"
#include "job/plan.h"
#include "report/results.h"

struct rf_collection {
    struct rf_results results; /* points into the rest */
    struct rf_audit audit;
    struct rf_job_plan plan; /* owned: in the order of the ledger */
    struct rf_job_result *jobs;
    struct rf_experiment_result *experiments;
    struct rf_seed_scores *scores; /* of all experiments, one after the other */
    char policy[40];
    char ledger_path[RF_PATH_BYTES];
};

/* The plan is that of the specification, jobs that were submitted later included, and both must outlive the collection, which the
 * caller ends with rf_collection_clear(), also after a failure. */
enum rf_status rf_collect(struct rf_collection *collection, const struct rf_run_spec *spec,
                          const struct rf_job_plan *plan, const char *run_dir,
                          struct rf_error *err);
void rf_collection_clear(struct rf_collection *collection);

#endif
