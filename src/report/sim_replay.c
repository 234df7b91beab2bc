#include "report/sim_replay.h"

#include <string.h>

#include "report/duration.h"
#include "report/table.h"

enum { COLUMNS = 80, MOST_JOBS = 10000 };

static const double EXPLAINED = 0.02; /* of the makespan: beyond that, the causes are named */

struct rf_replay_column rf_replay_column_of(const char *name, const struct rf_sim_options *o,
                                            const struct rf_sim_result *result)
{
    struct rf_replay_column c = {.name = name,
                                 .state = result->state,
                                 .tally = result->tally,
                                 .makespan_us = result->makespan_us,
                                 .preemptions = result->preemptions,
                                 .denied = result->denied};

    snprintf(c.policy, sizeof c.policy, "%s+%s", o->policy.order, o->policy.fence);
    return c;
}

struct rf_replay_column rf_replay_column_recorded(const struct rf_replay *replay)
{
    struct rf_replay_column c = {.name = "recorded",
                                 .state = replay->state,
                                 .tally = replay->tally,
                                 .makespan_us = replay->makespan_us,
                                 .preemptions = replay->preemptions,
                                 .denied = replay->denied};

    snprintf(c.policy, sizeof c.policy, "%s+%s", replay->order, replay->fence);
    return c;
}

/* ---- for people ---- */

/* "4.1 ms": starts of live runs differ by little. */
static const char *brief(char text[RF_DURATION_BYTES], double us)
{
    if (us > 0 && us < 1e5) {
        snprintf(text, RF_DURATION_BYTES, "%.3g ms", us / 1e3);
        return text;
    }
    return rf_duration_text(text, us / 1e6);
}

static void print_heading(const struct rf_sim_replay *r, FILE *out)
{
    const struct rf_replay *p = r->replay;
    int whole = p->used == p->check.entries;

    fprintf(out, "\nReplay of %.60s\n", r->path);
    fprintf(out, "  ledger      %s%lld%s lines, of which %lld are sealed%s\n",
            whole ? "" : "the first ", (long long)p->used, whole ? "" : " of its",
            (long long)(p->check.sealed_entries < p->used ? p->check.sealed_entries : p->used),
            p->check.chain_ok && p->check.seals_ok ? "" : "; the rest does not verify");
    fprintf(out, "  run         %.40s: %lld jobs on %d device%s, %s+%s\n", p->run,
            (long long)p->workload.n, p->devices, p->devices == 1 ? "" : "s", p->order,
            p->fence);
    if (p->retaken)
        fprintf(out, "  decisions   %lld of %lld as the policy takes them when asked again\n",
                (long long)p->retake.same, (long long)p->retake.decisions);
    if (p->retaken && p->retake.first_seq >= 0)
        fprintf(out, "              line %lld: %s; it would take: %s\n",
                (long long)p->retake.first_seq + 1, p->retake.recorded, p->retake.proposed);
}

static void print_step(const struct rf_replay_step *step, const char *who, FILE *out)
{
    if (step->job < 0)
        fprintf(out, "%s nothing more", who);
    else if (step->type == RF_EVENT_GRANT)
        fprintf(out, "%s job %d on %d at %.3f s", who, step->job, step->count,
                (double)step->t_us / 1e6);
    else
        fprintf(out, "%s job %d stopped at %.3f s", who, step->job, (double)step->t_us / 1e6);
}

static void print_fidelity(const struct rf_sim_replay *r, FILE *out)
{
    const struct rf_fidelity *f = &r->fidelity;
    char a[RF_DURATION_BYTES], b[RF_DURATION_BYTES], c[RF_DURATION_BYTES];

    fprintf(out, "  course      %lld of %lld grants and preemptions the same, in their order\n",
            (long long)f->same, (long long)f->steps);
    if (f->recorded.job >= 0 || f->simulated.job >= 0) {
        fputs("              then ", out);
        print_step(&f->recorded, "recorded", out);
        fputs("; ", out);
        print_step(&f->simulated, "simulated", out);
        fputc('\n', out);
    }
    fprintf(out, "  starts      differ by at most %s, %s in the mean, median %s\n",
            brief(a, (double)f->max_us), brief(b, f->mean_us), brief(c, (double)f->median_us));
    fprintf(out, "              (%.2g %% of the makespan; %lld jobs)\n", 100 * f->share,
            (long long)f->jobs);
    if (f->only_recorded + f->only_simulated > 0)
        fprintf(out, "              %lld started only when recorded, %lld only simulated\n",
                (long long)f->only_recorded, (long long)f->only_simulated);
    fprintf(out, "  makespan    %s recorded, %s simulated\n",
            brief(a, (double)r->replay->makespan_us), brief(b, (double)f->makespan_us));
}

static void print_seen(const char *what, const struct rf_replay_seen *seen, FILE *out)
{
    char mean[RF_DURATION_BYTES], most[RF_DURATION_BYTES];

    if (seen->n > 0)
        fprintf(out, "              %-16s %lld times, %s in the mean, at most %s\n", what,
                (long long)seen->n, brief(mean, (double)seen->sum_us / (double)seen->n),
                brief(most, (double)seen->max_us));
}

static void print_observed(const struct rf_sim_replay *r, FILE *out)
{
    const struct rf_replay *p = r->replay;
    const struct rf_replay_seen late = {p->retake.late, p->retake.late_sum_us,
                                        p->retake.late_max_us};

    if (late.n + p->stop.n + p->restart.n + p->start.n == 0)
        return;
    fputs("  observed\n", out);
    print_seen("late decisions", &late, out);
    print_seen("first starts", &p->start, out);
    print_seen("stopping", &p->stop, out);
    print_seen("starting again", &p->restart, out);
}

/* Which causes came to most first; those without a figure follow. */
static int order_causes(const struct rf_fidelity *f, enum rf_cause order[RF_CAUSE_N])
{
    int n = 0;

    for (int c = 0; c < RF_CAUSE_N; c++) {
        int at = n;

        if (f->causes[c].times == 0 || f->causes[c].us == 0)
            continue;
        while (at > 0 && f->causes[order[at - 1]].us < f->causes[c].us) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (enum rf_cause)c;
        n++;
    }
    return n;
}

static void print_causes(const struct rf_sim_replay *r, FILE *out)
{
    const struct rf_fidelity *f = &r->fidelity;
    enum rf_cause order[RF_CAUSE_N];
    int n = order_causes(f, order);

    if (f->share <= EXPLAINED && f->only_recorded + f->only_simulated == 0)
        return;
    fprintf(out, "\nWhy starts differ by more than %.0f %% of the makespan\n", 100 * EXPLAINED);
    for (int i = 0; i < n; i++) {
        const struct rf_cause_seen *seen = &f->causes[order[i]];
        char text[RF_DURATION_BYTES];

        fprintf(out, "  %s: %lld time%s", rf_cause_about(order[i]), (long long)seen->times,
                seen->times == 1 ? "" : "s");
        if (seen->us > 0)
            fprintf(out, ", %s off in all", brief(text, (double)seen->us));
        fputc('\n', out);
    }
    if (n == 0)
        fputs("  no cause was seen in the ledger: the policy's options are not those of the "
              "run?\n",
              out);
    else if (f->same < f->steps || f->same < f->steps_simulated)
        fputs("  from the first grant or preemption in another order on, one moves the next\n",
              out);
}

/* ---- side by side ---- */

static const struct rf_pledge_account *find(const struct rf_replay_column *c, const char *name)
{
    for (int i = 0; c->tally != NULL && i < c->tally->npledges; i++)
        if (strcmp(c->tally->pledges[i].pledge.account_name, name) == 0)
            return &c->tally->pledges[i];
    return NULL;
}

static void add_pledge(struct rf_table *table, const struct rf_replay_column *c,
                       const char *name)
{
    const struct rf_pledge_account *p = find(c, name);
    char share[48];

    rf_table_add(table, "%s", name);
    rf_table_add(table, "%s", c->name);
    rf_table_add(table, "%s", c->policy);
    if (p == NULL) {
        for (int i = 0; i < 4; i++)
            rf_table_add(table, "-");
        return;
    }
    rf_share_format(&p->pledge.share, share, sizeof share);
    rf_table_add(table, "%s", share);
    rf_table_add(table, "%.1f",
                 rf_wide_double(rf_wide_least(p->entitled_us, p->demanded_us)) / 1e6);
    rf_table_add(table, "%.1f", rf_wide_double(p->delivered_us) / 1e6);
    rf_table_add(table, "%s", rf_verdict_name(p->verdict));
}

/* Was the account pledged in an earlier column, or earlier in this one? */
static int seen_before(const struct rf_sim_replay *r, int column, int pledge, const char *name)
{
    for (int c = 0; c < column; c++)
        if (find(&r->columns[c], name) != NULL)
            return 1;
    for (int i = 0; i < pledge; i++)
        if (strcmp(r->columns[column].tally->pledges[i].pledge.account_name, name) == 0)
            return 1;
    return 0;
}

static enum rf_status print_pledges(const struct rf_sim_replay *r, FILE *out,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"account", "course",   "policy", "share",
                                           "due",     "received", "verdict"};
    struct rf_table *table = NULL;
    int n = 0;
    enum rf_status st = rf_table_create(&table, "lllrrrl", headings, err);

    for (int c = 0; st == RF_OK && c < r->ncolumns; c++)
        for (int i = 0; r->columns[c].tally != NULL && i < r->columns[c].tally->npledges; i++) {
            const char *name = r->columns[c].tally->pledges[i].pledge.account_name;

            if (seen_before(r, c, i, name))
                continue;
            for (int k = 0; k < r->ncolumns; k++, n++)
                add_pledge(table, &r->columns[k], name);
        }
    if (st == RF_OK && n > 0) {
        fputs("\nPledges side by side, in device-seconds\n", out);
        st = rf_table_print(table, out, COLUMNS, err);
    }
    rf_table_destroy(table);
    return st;
}

static enum rf_status print_courses(const struct rf_sim_replay *r, FILE *out,
                                    struct rf_error *err)
{
    static const char *const headings[] = {"course", "policy", "makespan", "preempted",
                                           "denied"};
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "llrrr", headings, err);

    for (int c = 0; st == RF_OK && c < r->ncolumns; c++) {
        const struct rf_replay_column *column = &r->columns[c];
        char text[RF_DURATION_BYTES];

        rf_table_add(table, "%s", column->name);
        rf_table_add(table, "%s", column->policy);
        rf_table_add(table, "%s", brief(text, (double)column->makespan_us));
        rf_table_add(table, "%lld", (long long)column->preemptions);
        rf_table_add(table, "%lld", (long long)column->denied);
    }
    fputs("\nThe courses of events\n", out);
    if (st == RF_OK)
        st = rf_table_print(table, out, COLUMNS, err);
    rf_table_destroy(table);
    return st;
}

enum rf_status rf_sim_replay_print(const struct rf_sim_replay *r, FILE *out,
                                   struct rf_error *err)
{
    enum rf_status st;

    print_heading(r, out);
    print_fidelity(r, out);
    print_observed(r, out);
    print_causes(r, out);
    st = print_courses(r, out, err);
    return st == RF_OK ? print_pledges(r, out, err) : st;
}

/* ---- for programs ---- */

static json_t *ledger_object(struct rf_build *b, const struct rf_sim_replay *r)
{
    const struct rf_ledger_check *check = &r->replay->check;
    json_t *o = json_object();

    rf_build_text(b, o, "path", r->path);
    rf_build_text(b, o, "run", r->replay->run);
    rf_build_integer(b, o, "entries", check->entries);
    rf_build_integer(b, o, "used", r->replay->used);
    rf_build_integer(b, o, "sealed_entries", check->sealed_entries);
    rf_build_text(b, o, "head", check->head);
    rf_build_set(b, o, "verified",
                 json_boolean(check->chain_ok && check->seals_ok && check->first_bad_seq < 0));
    return o;
}

static json_t *decisions_object(struct rf_build *b, const struct rf_retake_result *retake)
{
    json_t *o = json_object();

    rf_build_integer(b, o, "recorded", retake->decisions);
    rf_build_integer(b, o, "same", retake->same);
    if (retake->first_seq >= 0) {
        rf_build_integer(b, o, "first_seq", retake->first_seq);
        rf_build_text(b, o, "first_recorded", retake->recorded);
        rf_build_text(b, o, "first_proposed", retake->proposed);
    }
    rf_build_integer(b, o, "late", retake->late);
    rf_build_seconds(b, o, "late_s", retake->late_sum_us);
    rf_build_seconds(b, o, "late_max_s", retake->late_max_us);
    rf_build_integer(b, o, "withheld", retake->withheld);
    return o;
}

static json_t *difference_object(struct rf_build *b, const struct rf_sim_replay *r)
{
    const struct rf_fidelity *f = &r->fidelity;
    json_t *o = json_object();

    rf_build_integer(b, o, "jobs", f->jobs);
    rf_build_integer(b, o, "only_recorded", f->only_recorded);
    rf_build_integer(b, o, "only_simulated", f->only_simulated);
    rf_build_seconds(b, o, "max_s", f->max_us);
    rf_build_number(b, o, "mean_s", f->mean_us / 1e6);
    rf_build_seconds(b, o, "median_s", f->median_us);
    rf_build_number(b, o, "share_of_makespan", f->share);
    rf_build_integer(b, o, "steps", f->steps);
    rf_build_integer(b, o, "steps_simulated", f->steps_simulated);
    rf_build_integer(b, o, "steps_same", f->same);
    return o;
}

static json_t *seen_object(struct rf_build *b, const struct rf_replay_seen *seen)
{
    json_t *o = json_object();

    rf_build_integer(b, o, "times", seen->n);
    rf_build_seconds(b, o, "sum_s", seen->sum_us);
    rf_build_seconds(b, o, "max_s", seen->max_us);
    return o;
}

static json_t *causes_array(struct rf_build *b, const struct rf_fidelity *f)
{
    json_t *array = json_array();
    enum rf_cause order[RF_CAUSE_N];
    int n = order_causes(f, order);

    for (int i = 0; i < n; i++) {
        json_t *o = json_object();

        rf_build_text(b, o, "cause", rf_cause_name(order[i]));
        rf_build_integer(b, o, "times", f->causes[order[i]].times);
        if (f->causes[order[i]].us >= 0)
            rf_build_seconds(b, o, "off_s", f->causes[order[i]].us);
        else
            rf_build_set(b, o, "off_s", json_null());
        rf_build_append(b, array, o);
    }
    return array;
}

static void set_start(struct rf_build *b, json_t *o, const char *key, int64_t us)
{
    if (us >= 0)
        rf_build_seconds(b, o, key, us);
    else
        rf_build_set(b, o, key, json_null());
}

/* Of the simulation under the recorded promises. */
static json_t *jobs_array(struct rf_build *b, const struct rf_sim_replay *r)
{
    const struct rf_state *simulated = r->columns[1].state;
    json_t *array = json_array();

    for (int32_t i = 0; i < simulated->njobs && i < MOST_JOBS; i++) {
        char name[RF_NAME_BYTES];
        json_t *o = json_object();

        rf_build_text(b, o, "name", rf_state_job_name(simulated, i, name));
        set_start(b, o, "recorded_start_s", r->replay->jobs[i].start_us);
        set_start(b, o, "simulated_start_s", simulated->jobs[i].first_grant_us);
        rf_build_append(b, array, o);
    }
    return array;
}

static json_t *column_object(struct rf_build *b, const struct rf_replay_column *c)
{
    json_t *o = json_object(), *array = json_array();

    rf_build_text(b, o, "course", c->name);
    rf_build_text(b, o, "policy", c->policy);
    rf_build_seconds(b, o, "makespan_s", c->makespan_us);
    rf_build_integer(b, o, "preemptions", c->preemptions);
    rf_build_integer(b, o, "denied", c->denied);
    for (int i = 0; c->tally != NULL && i < c->tally->npledges; i++) {
        const struct rf_pledge_account *p = &c->tally->pledges[i];
        json_t *item = json_object();
        char share[48];

        rf_share_format(&p->pledge.share, share, sizeof share);
        rf_build_text(b, item, "account", p->pledge.account_name);
        rf_build_text(b, item, "share", share);
        rf_build_wide_seconds(b, item, "entitled_device_s", p->entitled_us);
        rf_build_wide_seconds(b, item, "demanded_device_s", p->demanded_us);
        rf_build_wide_seconds(b, item, "delivered_device_s", p->delivered_us);
        rf_build_text(b, item, "verdict", rf_verdict_name(p->verdict));
        rf_build_append(b, array, item);
    }
    rf_build_set(b, o, "pledges", array);
    return o;
}

json_t *rf_sim_replay_object(struct rf_build *build, const struct rf_sim_replay *r)
{
    json_t *o = json_object(), *observed = json_object(), *courses = json_array();

    rf_build_set(build, o, "ledger", ledger_object(build, r));
    rf_build_set(build, o, "decisions",
                 r->replay->retaken ? decisions_object(build, &r->replay->retake)
                                    : json_null());
    rf_build_set(build, o, "difference", difference_object(build, r));
    rf_build_set(build, o, "causes", causes_array(build, &r->fidelity));
    rf_build_set(build, observed, "first_start", seen_object(build, &r->replay->start));
    rf_build_set(build, observed, "stopping", seen_object(build, &r->replay->stop));
    rf_build_set(build, observed, "restart", seen_object(build, &r->replay->restart));
    rf_build_set(build, o, "observed", observed);
    for (int c = 0; c < r->ncolumns; c++)
        rf_build_append(build, courses, column_object(build, &r->columns[c]));
    rf_build_set(build, o, "courses", courses);
    rf_build_set(build, o, "jobs", jobs_array(build, r));
    return o;
}
