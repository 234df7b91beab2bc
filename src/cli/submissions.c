#include "cli/submissions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

static enum rf_status path_of(char path[RF_PATH_BYTES], const char *run_dir, int index,
                              struct rf_error *err)
{
    char name[40];

    snprintf(name, sizeof name, "submitted/%06d.cfg", index);
    return rf_file_join(path, run_dir, name, err);
}

const struct rf_run_spec *rf_submissions_newest(const struct rf_submissions *s,
                                                const struct rf_run_spec *run)
{
    return s->n > 0 ? &s->items[s->n - 1]->spec : run;
}

static int count_experiments(const struct rf_submissions *s, const struct rf_run_spec *run)
{
    int n = run->nexperiments;

    for (int i = 0; i < s->n; i++)
        n += s->items[i]->spec.nexperiments;
    return n;
}

/* ---- accounts ---- */

/* Is account the same as `of`, or below it? */
static int is_within(const char *account, const char *of)
{
    size_t n = strlen(of);

    return strncmp(account, of, n) == 0 && (account[n] == '\0' || account[n] == '.');
}

/* Does the specification name the account, or one above it? */
static int is_known(const struct rf_run_spec *spec, const char *account)
{
    for (int i = 0; i < spec->npledges; i++)
        if (is_within(account, spec->pledges[i].pledge.account))
            return 1;
    for (int i = 0; i < spec->nlimits; i++)
        if (is_within(account, spec->limits[i].account))
            return 1;
    for (int i = 0; i < spec->njobs; i++)
        if (is_within(account, spec->jobs[i].account))
            return 1;
    for (int i = 0; i < spec->nexperiments; i++)
        if (is_within(account, spec->experiments[i].account))
            return 1;
    return 0;
}

static enum rf_status check_account(const struct rf_run_spec *run, const char *what,
                                    const char *name, const char *account, struct rf_error *err)
{
    if (run->new_accounts || is_known(run, account))
        return RF_OK;
    return rf_fail(err, RF_ERR_CONFIG,
                   "%s '%s': the run knows no account '%s', nor one above it (run.new_accounts "
                   "would allow it)",
                   what, name, account);
}

static enum rf_status check_accounts(const struct rf_run_spec *spec,
                                     const struct rf_run_spec *run, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < spec->njobs; i++)
        st = check_account(run, "job", spec->jobs[i].name, spec->jobs[i].account, err);
    for (int i = 0; st == RF_OK && i < spec->nexperiments; i++)
        st = check_account(run, "experiment", spec->experiments[i].name,
                           spec->experiments[i].account, err);
    return st;
}

/* ---- the list ---- */

/* Parses, checks, and adds to list and plan. */
static enum rf_status add(struct rf_submissions *s, struct rf_job_plan *plan,
                          const struct rf_run_spec *run, const char *text, size_t size,
                          const char *name, const struct rf_text_list *set,
                          struct rf_error *err)
{
    struct rf_submission_kept **more = realloc(s->items, ((size_t)s->n + 1) * sizeof *more);
    struct rf_submission_kept *item = calloc(1, sizeof *item);
    enum rf_status st;

    if (more != NULL)
        s->items = more;
    if (more == NULL || item == NULL) {
        free(item);
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a submission");
    }
    item->first = plan->njobs;
    st = rf_config_parse_submission(&item->spec, rf_submissions_newest(s, run), text, size,
                                    name, set != NULL ? set->items : NULL,
                                    set != NULL ? set->n : 0, err);
    if (st == RF_OK) {
        st = check_accounts(&item->spec, run, err);
        if (st == RF_OK)
            st = rf_job_plan_append(plan, &item->spec, count_experiments(s, run), err);
        if (st != RF_OK)
            rf_run_spec_clear(&item->spec);
    }
    if (st == RF_OK)
        s->items[s->n++] = item;
    else
        free(item);
    return st;
}

static void take_back(struct rf_submissions *s, struct rf_job_plan *plan)
{
    struct rf_submission_kept *last = s->items[--s->n];

    plan->njobs = last->first;
    rf_run_spec_clear(&last->spec);
    free(last);
}

enum rf_status rf_submissions_read(struct rf_submissions *s, struct rf_job_plan *plan,
                                   const struct rf_run_spec *run, const char *run_dir,
                                   int32_t last, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    while (st == RF_OK && (last < 0 || last >= plan->njobs)) {
        char path[RF_PATH_BYTES], *text = NULL;
        size_t size = 0;

        st = path_of(path, run_dir, s->n, err);
        if (st == RF_OK && !rf_file_exists(path))
            return last < 0
                       ? RF_OK
                       : rf_fail(err, RF_ERR_INPUT,
                                 "job %d was submitted, but '%.300s' is not there", last, path);
        if (st == RF_OK)
            st = rf_file_read(path, RF_CONFIG_MAX_BYTES, &text, &size, err);
        if (st == RF_OK)
            st = add(s, plan, run, text, size, path, NULL, err);
        free(text);
    }
    return st;
}

/* With every default written out and every path resolved. */
static enum rf_status keep_file(const struct rf_submissions *s, const char *run_dir,
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_join(path, run_dir, "submitted", err);

    if (st == RF_OK)
        st = rf_file_mkdir(path, err);
    if (st == RF_OK)
        st = rf_file_sync_dir(run_dir, err);
    if (st == RF_OK)
        st = rf_config_write_submission(&s->items[s->n - 1]->spec, &text, &size, err);
    if (st == RF_OK)
        st = path_of(path, run_dir, s->n - 1, err);
    if (st == RF_OK)
        st = rf_file_write(path, text, size, err);
    free(text);
    return st;
}

enum rf_status rf_submissions_add(struct rf_submissions *s, struct rf_job_plan *plan,
                                  const struct rf_run_spec *run, const char *run_dir,
                                  const char *text, size_t size_bytes, const char *name,
                                  const struct rf_text_list *set, int keep,
                                  struct rf_error *err)
{
    enum rf_status st = add(s, plan, run, text, size_bytes, name, set, err);

    if (st == RF_OK && keep) {
        st = keep_file(s, run_dir, err);
        if (st != RF_OK)
            take_back(s, plan);
    }
    return st;
}

void rf_submissions_drop(struct rf_submissions *s, struct rf_job_plan *plan,
                         const char *run_dir)
{
    char path[RF_PATH_BYTES];

    if (path_of(path, run_dir, s->n - 1, NULL) == RF_OK)
        unlink(path);
    take_back(s, plan);
}

enum rf_status rf_submissions_whole(const struct rf_submissions *s,
                                    const struct rf_run_spec *run, struct rf_run_spec *whole,
                                    struct rf_error *err)
{
    int n = run->nexperiments;

    *whole = *run;
    whole->nexperiments = count_experiments(s, run);
    whole->experiments = malloc(((size_t)whole->nexperiments + 1) * sizeof *whole->experiments);
    if (whole->experiments == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %d experiments",
                       whole->nexperiments);
    if (n > 0)
        memcpy(whole->experiments, run->experiments, (size_t)n * sizeof *run->experiments);
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->items[i]->spec.nexperiments; k++)
            whole->experiments[n++] = s->items[i]->spec.experiments[k];
    return RF_OK;
}

void rf_submissions_clear(struct rf_submissions *s)
{
    for (int i = 0; i < s->n; i++) {
        rf_run_spec_clear(&s->items[i]->spec);
        free(s->items[i]);
    }
    free(s->items);
    *s = (struct rf_submissions){0};
}
