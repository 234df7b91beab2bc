/* A promise as objects of Slurm, what Slurm's programs say it has, and the commands between the two:
 * all of it text in, text out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "slurm/changes.h"

static const struct rf_slurm_promise QUARTER = {
    .account = "alignment", .share = {1, 4}, .most = {1, 2}, .horizon_us = 3600000000};
static const struct rf_slurm_site SITE = {"main", "gres/gpu", 16, 4, "capability"};

static struct rf_slurm_policy policy(const char *fence, const struct rf_slurm_promise *promise)
{
    struct rf_slurm_policy p = {.half_life_us = 604800000000,
                                .grace_us = 10000000,
                                .promises = promise,
                                .npromises = 1};

    snprintf(p.order, sizeof p.order, "easy");
    snprintf(p.fence, sizeof p.fence, "%s", fence);
    return p;
}

static void plan(struct rf_slurm_plan *out, const char *fence,
                 const struct rf_slurm_promise *promise)
{
    struct rf_slurm_policy p = policy(fence, promise);
    struct rf_error err;

    assert_int_equal(rf_slurm_plan_make(out, &p, &SITE, &err), RF_OK);
}

/* "" when the object, or the setting, is not planned. */
static const char *value(const struct rf_slurm_plan *p, enum rf_slurm_kind kind,
                         const char *name, const char *key)
{
    for (int i = 0; i < p->nobjects; i++) {
        const struct rf_slurm_object *it = &p->objects[i];

        if (it->kind != kind || strcmp(it->name, name) != 0)
            continue;
        for (int k = 0; k < it->nsettings; k++)
            if (strcmp(it->settings[k].key->name, key) == 0)
                return it->settings[k].value;
    }
    return "";
}

static void read_text(struct rf_slurm_facts *facts, enum rf_slurm_kind kind, const char *text)
{
    struct rf_error err;

    assert_int_equal(rf_slurm_facts_read(facts, kind, text, strlen(text), &err), RF_OK);
}

/* A cluster as it is after installing it. */
static void bare(struct rf_slurm_facts *facts)
{
    read_text(facts, RF_SLURM_QOS, "normal|0|00:00:00||cluster||||\n");
    read_text(facts, RF_SLURM_ACCOUNT, "root||1|normal|||\nroot|root|1|normal|||\n");
    read_text(facts, RF_SLURM_PARTITION,
              "PartitionName=main AllowGroups=ALL AllowQos=ALL TotalNodes=4 "
              "TRES=cpu=16,node=4,gres/gpu=16\n");
    read_text(facts, RF_SLURM_RESERVATION, "No reservations in the system\n");
    read_text(
        facts, RF_SLURM_CONF,
        "Configuration data as of 2026-12-01T03:00:00\n"
        "AccountingStorageEnforce = associations,limits,qos,safe\n"
        "AccountingStorageTRES   = cpu,mem,energy,node,billing,fs/disk,vmem,pages,gres/gpu\n"
        "PreemptMode             = REQUEUE\nPreemptType             = preempt/qos\n"
        "PriorityType            = priority/multifactor\nPriorityWeightQOS       = 10000\n"
        "RequeueExit             = 80-90\nSchedulerType           = sched/backfill\n"
        "SlurmctldParameters     = preempt_send_user_signal,other\n");
}

static void line_of(const struct rf_slurm_command *c, char *line, size_t size)
{
    size_t n = 0;

    line[0] = '\0';
    for (int i = 0; i < c->nargs && n < size; i++)
        n += (size_t)snprintf(line + n, size - n, "%s%s", i > 0 ? " " : "", c->args[i]);
}

static int has_command(const struct rf_slurm_changes *changes, const char *wanted)
{
    char line[4096];

    for (int i = 0; i < changes->ncommands; i++) {
        line_of(&changes->commands[i], line, sizeof line);
        if (strcmp(line, wanted) == 0)
            return 1;
    }
    return 0;
}

static void find(struct rf_slurm_changes *changes, const struct rf_slurm_plan *p,
                 const struct rf_slurm_facts *facts)
{
    struct rf_error err;

    assert_int_equal(rf_slurm_changes_find(changes, p, facts, &err), RF_OK);
}

/* ---- plans ------------------------------------------------------------------- */

static void a_floor_lets_the_owner_stop_others_up_to_the_share(void **state)
{
    struct rf_slurm_plan p;

    (void)state;
    plan(&p, "floor", &QUARTER);
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-pledge-alignment", "grptres"),
                        "gres/gpu=4");
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-pledge-alignment", "preempt"), "rf-lent");
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-lent", "gracetime"), "10");
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-lent", "preemptmode"), "requeue");
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "capability", "qos"), "rf-lent");
    assert_string_equal(value(&p, RF_SLURM_PARTITION, "main", "AllowQos"),
                        "rf-lent,rf-pledge-alignment");
    rf_slurm_plan_clear(&p);
}

static void a_wall_divides_the_devices_without_a_rest(void **state)
{
    struct rf_slurm_promise third = QUARTER;
    struct rf_slurm_plan p;

    (void)state;
    third.share = (struct rf_slurm_part){1, 3}; /* of 16: 5.33, and the promise is not short */
    plan(&p, "partition", &third);
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "alignment", "grptres"), "gres/gpu=6");
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "capability", "grptres"), "gres/gpu=10");
    assert_string_equal(value(&p, RF_SLURM_RESERVATION, "rf-wall-alignment", "NodeCnt"), "1");
    rf_slurm_plan_clear(&p);
}

static void a_stock_is_a_budget_that_does_not_come_back(void **state)
{
    struct rf_slurm_promise stock = QUARTER;
    struct rf_slurm_plan p;

    (void)state;
    stock.secured = 8; /* 2 devices for an hour */
    plan(&p, "stock", &stock);
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-pledge-alignment", "grptresmins"),
                        "gres/gpu=120");
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-pledge-alignment", "grptres"),
                        "gres/gpu=8");
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-pledge-alignment", "flags"),
                        "DenyOnLimit,NoDecay");
    rf_slurm_plan_clear(&p);
}

static void requests_wait_where_nothing_runs(void **state)
{
    struct rf_slurm_plan p;

    (void)state;
    plan(&p, "request", &QUARTER);
    assert_string_equal(value(&p, RF_SLURM_QOS, "rf-asked-alignment", "grpjobs"), "0");
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "alignment", "defaultqos"),
                        "rf-asked-alignment");
    rf_slurm_plan_clear(&p);
}

static void accounts_with_dots_lie_below_their_parents(void **state)
{
    struct rf_slurm_promise below = QUARTER;
    struct rf_slurm_plan p;

    (void)state;
    snprintf(below.account, sizeof below.account, "research.Alignment.w2s");
    plan(&p, "none", &below);
    assert_string_equal(p.objects[0].name, "research");
    assert_string_equal(p.objects[0].parent, "");
    assert_string_equal(p.objects[1].name, "research_alignment");
    assert_string_equal(p.objects[1].parent, "research");
    assert_string_equal(p.objects[2].name, "research_alignment_w2s");
    assert_string_equal(p.objects[2].parent, "research_alignment");
    rf_slurm_plan_clear(&p);
}

static void more_than_there_is_cannot_be_promised(void **state)
{
    struct rf_slurm_promise two[2] = {QUARTER, QUARTER};
    struct rf_slurm_policy p = policy("floor", two);
    struct rf_slurm_plan made;
    struct rf_error err;

    (void)state;
    p.npromises = 2;
    two[0].share = (struct rf_slurm_part){1, 2};
    two[1].share = (struct rf_slurm_part){17, 32}; /* 8.5, rounded up */
    assert_int_equal(rf_slurm_plan_make(&made, &p, &SITE, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "17 devices are promised"));
    rf_slurm_plan_clear(&made);
}

static void what_slurm_cannot_say_is_said(void **state)
{
    static const struct {
        const char *fence, *note;
    } of[] = {{"none", "windows, tolerances"},
              {"bank", "credit"},
              {"stock", "pace line"},
              {"request", "who decides"},
              {"floor", "one QOS"}};
    struct rf_slurm_plan p;

    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        int found = 0;

        plan(&p, of[i].fence, &QUARTER);
        for (int n = 0; n < p.nnotes; n++)
            found |= strstr(p.notes[n], of[i].note) != NULL;
        assert_true(found);
        rf_slurm_plan_clear(&p);
    }
}

/* ---- changes ------------------------------------------------------------------- */

static void a_bare_cluster_gets_everything_in_an_order_that_works(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;
    char first[512];

    (void)state;
    bare(&facts);
    plan(&p, "floor", &QUARTER);
    find(&changes, &p, &facts);
    assert_int_equal(changes.ncommands, 9);
    assert_int_equal(changes.nlacking, 0);
    line_of(&changes.commands[0], first, sizeof first);
    assert_string_equal(first, "sacctmgr -i add qos rf-lent");
    assert_true(has_command(&changes,
                            "sacctmgr -i modify qos where name=rf-pledge-alignment set "
                            "priority=1000 preempt=rf-lent grptres=gres/gpu=4"));
    assert_true(has_command(&changes, "scontrol update PartitionName=main "
                                      "TRESBillingWeights=GRES/gpu=1.0 "
                                      "AllowQos=rf-lent,rf-pledge-alignment"));
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

/* As Slurm 22.05 shows what the commands above have made. */
static void applied(struct rf_slurm_facts *facts)
{
    read_text(facts, RF_SLURM_QOS,
              "normal|0|00:00:00||cluster||||\nrf-lent|0|00:00:10||requeue||||\n"
              "rf-pledge-alignment|1000|00:00:00|rf-lent|cluster||gres/gpu=4||\n");
    read_text(facts, RF_SLURM_ACCOUNT,
              "root||1|normal|||\nalignment||2500|rf-lent,rf-pledge-alignment|"
              "rf-pledge-alignment||\nalignment|eve|1|normal||cpu=1|\n"
              "capability||7500|rf-lent|rf-lent||\n");
    read_text(facts, RF_SLURM_PARTITION,
              "PartitionName=main AllowQos=rf-lent,rf-pledge-alignment "
              "TRESBillingWeights=GRES/gpu=1.0 TotalNodes=4\n");
    read_text(facts, RF_SLURM_CONF,
              "AccountingStorageEnforce = associations,limits,qos,safe\n"
              "AccountingStorageTRES = cpu,gres/gpu\nPreemptMode = REQUEUE\n"
              "PreemptType = preempt/qos\nPriorityType = priority/multifactor\n"
              "PriorityWeightQOS = 10000\nRequeueExit = 85\nSchedulerType = sched/backfill\n"
              "SlurmctldParameters = preempt_send_user_signal\n");
}

/* ---- limits ------------------------------------------------------------------- */

static enum rf_status plan_limits(struct rf_slurm_plan *out, const char *order,
                                  const struct rf_slurm_limit *limits, int n,
                                  struct rf_error *err)
{
    struct rf_slurm_policy p = policy("floor", &QUARTER);

    snprintf(p.order, sizeof p.order, "%s", order);
    p.limits = limits;
    p.nlimits = n;
    return rf_slurm_plan_make(out, &p, &SITE, err);
}

static int says(const struct rf_slurm_plan *p, const char *words_)
{
    for (int i = 0; i < p->nnotes; i++)
        if (strstr(p->notes[i], words_) != NULL)
            return 1;
    return 0;
}

static void a_limit_is_a_budget_of_its_account(void **state)
{
    const struct rf_slurm_limit limits[] = {
        {.account = "capability", .device_us = 3659000000, .flops = 1},
        {.account = "alignment.trial", .device_us = 60000000},
        {.account = "capability.big", .flops = 1}};
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;
    struct rf_error err;

    (void)state;
    assert_int_equal(plan_limits(&p, "easy", limits, 3, &err), RF_OK);
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "capability", "grptresmins"),
                        "gres/gpu=60"); /* whole minutes, never more than was allowed */
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "alignment_trial", "grptresmins"),
                        "gres/gpu=1");
    assert_string_equal(value(&p, RF_SLURM_ACCOUNT, "alignment", "grptresmins"), "");
    assert_string_equal(
        value(&p, RF_SLURM_CONF, "PriorityDecayHalfLife", "PriorityDecayHalfLife"), "0");
    assert_true(says(&p, "the FLOPs of 'capability'; Slurm counts none"));
    assert_true(says(&p, "the FLOPs of 'capability.big'"));
    assert_true(says(&p, "is killed"));
    assert_false(says(&p, "decays"));
    applied(&facts);
    read_text(&facts, RF_SLURM_CONF,
              "PriorityDecayHalfLife = 7-00:00:00\nPriorityUsageResetPeriod = NONE\n");
    find(&changes, &p, &facts);
    assert_true(has_command(&changes,
                            "sacctmgr -i add account alignment_trial parent=alignment "
                            "description=ringfence organization=ringfence"));
    assert_true(has_command(&changes, "sacctmgr -i modify account where name=capability set "
                                      "grptresmins=gres/gpu=60"));
    assert_int_equal(changes.nlacking, 1);
    assert_non_null(strstr(changes.lacking[0].what, "PriorityDecayHalfLife: 7-00:00:00 -> 0"));
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);

    /* what has lost its limit is unlimited again */
    rf_slurm_facts_clear(&facts);
    applied(&facts);
    for (int i = 0; i < facts.n; i++)
        if (facts.items[i].key == rf_slurm_key_of(RF_SLURM_ACCOUNT, "grptresmins") &&
            strcmp(facts.items[i].name, "capability") == 0)
            snprintf(facts.items[i].value, sizeof facts.items[i].value, "gres/gpu=60");
    assert_int_equal(plan_limits(&p, "easy", NULL, 0, &err), RF_OK);
    find(&changes, &p, &facts);
    assert_int_equal(changes.ncommands, 1);
    assert_true(has_command(&changes, "sacctmgr -i modify account where name=capability set "
                                      "grptresmins=gres/gpu=-1"));
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

static void where_usage_decays_a_limit_is_said_to_come_back(void **state)
{
    const struct rf_slurm_limit limit = {.account = "capability", .device_us = 3600000000};
    struct rf_slurm_plan p;
    struct rf_error err;

    (void)state;
    assert_int_equal(plan_limits(&p, "fairshare", &limit, 1, &err), RF_OK);
    assert_string_equal(
        value(&p, RF_SLURM_CONF, "PriorityDecayHalfLife", "PriorityDecayHalfLife"), "604800");
    assert_true(says(&p, "PriorityDecayHalfLife 604800 s"));
    rf_slurm_plan_clear(&p);
}

static void a_limit_without_a_place_is_refused(void **state)
{
    const struct rf_slurm_limit nowhere = {.account = "evals", .device_us = 3600000000};
    const struct rf_slurm_limit short_ = {.account = "capability", .device_us = 59000000};
    struct rf_slurm_plan p;
    struct rf_error err;

    (void)state;
    assert_int_equal(plan_limits(&p, "easy", &nowhere, 1, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "'evals' has no place"));
    rf_slurm_plan_clear(&p);
    assert_int_equal(plan_limits(&p, "easy", &short_, 1, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "below a minute"));
    rf_slurm_plan_clear(&p);
}

static void a_plan_that_is_in_place_changes_nothing(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;

    (void)state;
    applied(&facts);
    plan(&p, "floor", &QUARTER);
    find(&changes, &p, &facts);
    assert_int_equal(changes.ncommands, 0);
    assert_int_equal(changes.nlacking, 0);
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

static void what_drifted_is_set_back_and_nothing_else(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;

    (void)state;
    applied(&facts);
    for (int i = 0; i < facts.n; i++) /* somebody halved the share, and added a limit */
        if (strcmp(facts.items[i].value, "gres/gpu=4") == 0)
            snprintf(facts.items[i].value, RF_SLURM_VALUE_BYTES, "cpu=3,gres/gpu=2");
    plan(&p, "floor", &QUARTER);
    find(&changes, &p, &facts);
    assert_int_equal(changes.ncommands, 1);
    assert_true(has_command(&changes, "sacctmgr -i modify qos where name=rf-pledge-alignment "
                                      "set grptres=gres/gpu=4,cpu=-1"));
    assert_string_equal(changes.commands[0].what, "grptres: cpu=3,gres/gpu=2 -> gres/gpu=4");
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

static void another_fence_takes_the_old_one_away_last(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;
    char last[512];

    (void)state;
    applied(&facts);
    plan(&p, "partition", &QUARTER);
    find(&changes, &p, &facts);
    assert_true(has_command(&changes,
                            "scontrol create reservation ReservationName=rf-wall-alignment "
                            "StartTime=now Duration=infinite Accounts=alignment NodeCnt=1 "
                            "PartitionName=main Flags=MAGNETIC,IGNORE_JOBS"));
    line_of(&changes.commands[changes.ncommands - 1], last, sizeof last);
    assert_string_equal(last, "sacctmgr -i delete qos where name=rf-pledge-alignment");
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

static void slurm_conf_is_looked_at_and_left_alone(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;

    (void)state;
    read_text(&facts, RF_SLURM_PARTITION, "PartitionName=main AllowQos=ALL\n");
    read_text(&facts, RF_SLURM_CONF,
              "AccountingStorageEnforce = associations\nAccountingStorageTRES = cpu,gres/gpu\n"
              "PreemptMode = REQUEUE\nPreemptType = preempt/none\nPriorityWeightQOS = 0\n"
              "PriorityType = priority/multifactor\nRequeueExit = 1-84,86\n"
              "SchedulerType = sched/backfill\nSlurmctldParameters = (null)\n");
    plan(&p, "floor", &QUARTER);
    find(&changes, &p, &facts);
    assert_int_equal(changes.nlacking, 5); /* Enforce, WeightQOS, PreemptType, Parameters, 85 */
    for (int i = 0; i < changes.nlacking; i++)
        assert_int_equal(changes.lacking[i].nargs, 0);
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
    rf_slurm_facts_clear(&facts);
}

static void an_unknown_partition_is_refused(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan p;
    struct rf_error err;

    (void)state;
    plan(&p, "floor", &QUARTER);
    assert_int_equal(rf_slurm_changes_find(&changes, &p, &facts, &err), RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no partition 'main'"));
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&p);
}

static void a_row_with_too_few_cells_is_refused(void **state)
{
    struct rf_slurm_facts facts = {0};
    struct rf_error err;
    const char *text = "normal|0|00:00:00\n";

    (void)state;
    assert_int_equal(rf_slurm_facts_read(&facts, RF_SLURM_QOS, text, strlen(text), &err),
                     RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "line 1"));
    rf_slurm_facts_clear(&facts);
}

static void values_are_compared_as_slurm_means_them(void **state)
{
    (void)state;
    assert_true(rf_slurm_same(RF_SLURM_DURATION, "604800", "7-00:00:00"));
    assert_true(rf_slurm_same(RF_SLURM_DURATION, "60", "00:01:00"));
    assert_false(rf_slurm_same(RF_SLURM_DURATION, "60", "00:00:59"));
    assert_true(rf_slurm_same(RF_SLURM_SET, "a,b", "B,A"));
    assert_false(rf_slurm_same(RF_SLURM_SET, "a", "a,b"));
    assert_true(rf_slurm_same(RF_SLURM_HOLDS, "a", "a,b"));
    assert_true(rf_slurm_same(RF_SLURM_RANGES, "85", "1,80-90"));
    assert_false(rf_slurm_same(RF_SLURM_RANGES, "85", "8,5,850"));
    assert_true(rf_slurm_same(RF_SLURM_COUNT, "0", ""));
    assert_false(rf_slurm_same(RF_SLURM_POSITIVE, "1", "0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_floor_lets_the_owner_stop_others_up_to_the_share),
        cmocka_unit_test(a_wall_divides_the_devices_without_a_rest),
        cmocka_unit_test(a_stock_is_a_budget_that_does_not_come_back),
        cmocka_unit_test(requests_wait_where_nothing_runs),
        cmocka_unit_test(accounts_with_dots_lie_below_their_parents),
        cmocka_unit_test(more_than_there_is_cannot_be_promised),
        cmocka_unit_test(what_slurm_cannot_say_is_said),
        cmocka_unit_test(a_bare_cluster_gets_everything_in_an_order_that_works),
        cmocka_unit_test(a_plan_that_is_in_place_changes_nothing),
        cmocka_unit_test(what_drifted_is_set_back_and_nothing_else),
        cmocka_unit_test(another_fence_takes_the_old_one_away_last),
        cmocka_unit_test(slurm_conf_is_looked_at_and_left_alone),
        cmocka_unit_test(a_limit_is_a_budget_of_its_account),
        cmocka_unit_test(where_usage_decays_a_limit_is_said_to_come_back),
        cmocka_unit_test(a_limit_without_a_place_is_refused),
        cmocka_unit_test(an_unknown_partition_is_refused),
        cmocka_unit_test(a_row_with_too_few_cells_is_refused),
        cmocka_unit_test(values_are_compared_as_slurm_means_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
