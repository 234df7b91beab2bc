/* submissions.h - jobs that came while a run was going, as files of its directory.
 *
 * RUN/submitted/000000.cfg, 000001.cfg, ... each a configuration with models, tasks, jobs and
 * experiments, in the order in which they were taken. Whoever needs a job that its plan does not
 * have reads on: the coordinator has written the file, durably, before anybody hears of the
 * job. */
#ifndef RF_CLI_SUBMISSIONS_H
#define RF_CLI_SUBMISSIONS_H

#include "cli/options.h"
#include "job/plan.h"

struct rf_submission_kept {
    struct rf_run_spec spec;
    int32_t first; /* of its jobs in the plan */
};

struct rf_submissions {
    struct rf_submission_kept **items; /* owned, as what they point to: later ones borrow */
    int n;
};

/* All of it is local. The specification, the plan and the directory stay the caller's. */

/* Reads submissions that came since, until the plan has job `last` (-1: until there is none left),
 * and adds their jobs to the plan. RF_ERR_INPUT: the job does not come. */
enum rf_status rf_submissions_read(struct rf_submissions *s, struct rf_job_plan *plan,
                                   const struct rf_run_spec *run, const char *run_dir,
                                   int32_t last, struct rf_error *err);

/* Checks a submission against the run and those before it, and adds its jobs to the plan; with
 * `keep` it is written as the next file as well. `name` is for messages and for relative paths. On
 * failure nothing has changed. */
enum rf_status rf_submissions_add(struct rf_submissions *s, struct rf_job_plan *plan,
                                  const struct rf_run_spec *run, const char *run_dir,
                                  const char *text, size_t size_bytes, const char *name,
                                  const struct rf_text_list *set, int keep,
                                  struct rf_error *err);
/* Takes back the last one that was added and kept. */
void rf_submissions_drop(struct rf_submissions *s, struct rf_job_plan *plan,
                         const char *run_dir);

/* The newest one, or the run where there is none. */
const struct rf_run_spec *rf_submissions_newest(const struct rf_submissions *s,
                                                const struct rf_run_spec *run);
/* The run's specification with the experiments of all submissions, as the plan numbers them:
 * `experiments` is the caller's to free, the rest is borrowed. */
enum rf_status rf_submissions_whole(const struct rf_submissions *s,
                                    const struct rf_run_spec *run, struct rf_run_spec *whole,
                                    struct rf_error *err);
void rf_submissions_clear(struct rf_submissions *s);

#endif
