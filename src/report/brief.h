/* brief.h - results.json of several runs, shortened, as one JSON document. */
#ifndef RF_REPORT_BRIEF_H
#define RF_REPORT_BRIEF_H

#include "base/error.h"

/* {"command":"report","version":...,"seed":null,"wall_s":...,"runs":[...]}: each run is its
 * results.json without the curves of jobs, the windows of pledges and the pace of promises, and
 * with "run_dir" and "report". The caller frees *text, which ends in LF. */
enum rf_status rf_report_brief(char *const *run_dirs, int n, const char *version, char **text,
                               struct rf_error *err);

#endif
