/* config.h - from a configuration file to a checked run or scenario, and back to text.
 *
 * The language is libconfig's; every key, with unit, default and range, stands in
 * configs/README.md and in the tables of schema.h. A configuration is read and checked as
 * a whole before any work starts. Whatever is wrong with it is RF_ERR_CONFIG and one sentence:
 *
 *     FILE:LINE: key 'jobs.[0].train.steps': expected a whole number from 1 to 100000000, got 0
 *
 * Overrides have the form path.to.key=value: members of lists are picked by position
 * ("jobs.[0].max") or by name ("jobs.pretrain.max"; pledges by account), the value is
 * written as in the file, and quotes may be left out around text. Messages about an override
 * name it in the place of file and line.
 *
 * Paths of input files are taken from the folder of the configuration file, and come out
 * resolved; the output folders run.out and run.checkpoints are kept as they are, which makes
 * them relative to the folder that the program was started in. */
#ifndef RF_CONFIG_CONFIG_H
#define RF_CONFIG_CONFIG_H

#include <stddef.h>

#include "base/digest.h"
#include "job/spec.h"
#include "sim/scenario.h"

enum { RF_CONFIG_MAX_BYTES = 1 << 20 };

/* Reads a file. On success the caller ends *spec with rf_run_spec_clear(); on failure *spec
 * is empty. A file that cannot be read is RF_ERR_INPUT. */
enum rf_status rf_config_read(struct rf_run_spec *spec, const char *filename,
                              const char *const *overrides, int noverrides,
                              struct rf_error *err);

/* The same for text that is in memory already; filename is for messages and for the folder
 * that relative paths start from. text needs no NUL at its end. */
enum rf_status rf_config_parse(struct rf_run_spec *spec, const char *text, size_t size_bytes,
                               const char *filename, const char *const *overrides,
                               int noverrides, struct rf_error *err);

/* The effective configuration with every default written out; reading it gives an equal
 * specification, and writing that gives the same bytes. The caller frees *text, which ends
 * with a NUL that *size_bytes does not count. */
enum rf_status rf_config_write(const struct rf_run_spec *spec, char **text, size_t *size_bytes,
                               struct rf_error *err);

/* SHA-256 of that text. */
enum rf_status rf_config_digest(const struct rf_run_spec *spec, char hex[RF_DIGEST_HEX],
                                struct rf_error *err);

/* Jobs that are submitted to a run: sections models, tasks, jobs and experiments. Names of models
 * and tasks may be those of the base, names in `after` and `pretrained` those of its jobs; its
 * own names must be new. The base is the run's specification, or the submission before this one,
 * and is borrowed for the life of *spec, which is ended with rf_run_spec_clear(). Copies of the
 * base's models and tasks follow its own. */
enum rf_status rf_config_parse_submission(struct rf_run_spec *spec,
                                          const struct rf_run_spec *base, const char *text,
                                          size_t size_bytes, const char *filename,
                                          const char *const *overrides, int noverrides,
                                          struct rf_error *err);
/* Without what it takes from its base: reading this with the same base gives an equal one. */
enum rf_status rf_config_write_submission(const struct rf_run_spec *spec, char **text,
                                          size_t *size_bytes, struct rf_error *err);

/* The same for the scenarios that `simulate` takes; a scenario is ended with
 * rf_scenario_clear(). */
enum rf_status rf_config_read_scenario(struct rf_scenario *scenario, const char *filename,
                                       const char *const *overrides, int noverrides,
                                       struct rf_error *err);
enum rf_status rf_config_parse_scenario(struct rf_scenario *scenario, const char *text,
                                        size_t size_bytes, const char *filename,
                                        const char *const *overrides, int noverrides,
                                        struct rf_error *err);
enum rf_status rf_config_write_scenario(const struct rf_scenario *scenario, char **text,
                                        size_t *size_bytes, struct rf_error *err);
/* Policy, pledges, changes and definitions of a run's or a scenario's configuration, or of a file
 * with nothing else; other sections are not looked at. Times count from the start, dates are
 * refused. The rest of the scenario is as rf_scenario_make() has it. */
enum rf_status rf_config_read_promises(struct rf_scenario *scenario, const char *filename,
                                       const char *const *overrides, int noverrides,
                                       struct rf_error *err);
/* These sections as text, for rf_config_read_promises(). */
enum rf_status rf_config_write_promises(const struct rf_scenario *scenario, char **text,
                                        size_t *size_bytes, struct rf_error *err);
enum rf_status rf_config_digest_scenario(const struct rf_scenario *scenario,
                                         char hex[RF_DIGEST_HEX], struct rf_error *err);

#endif
