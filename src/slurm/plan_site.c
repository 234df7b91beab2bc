#include "slurm/plan_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void need(struct rf_slurm_making *m, const char *key, const char *value, const char *why)
{
    rf_slurm_put(m, RF_SLURM_CONF, key, "%s", why);
    rf_slurm_set(m, key, "%s", value);
}

/* ---- partition and slurm.conf --------------------------------------------------- */

/* One device is billed as one; all else is free, so that usage is device-time. */
void rf_slurm_put_partition(struct rf_slurm_making *m)
{
    const char *device = m->site->device;
    char list[RF_SLURM_VALUE_BYTES] = "";
    size_t n = 0;

    for (int i = 0; i < m->plan->nobjects; i++)
        if (m->plan->objects[i].kind == RF_SLURM_QOS && n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? "," : "",
                                  m->plan->objects[i].name);
    if (n >= sizeof list || rf_slurm_is(m->policy->fence, "request"))
        list[0] = '\0'; /* too many to name, or others have no QOS of ours */
    rf_slurm_put(
        m, RF_SLURM_PARTITION, m->site->partition,
        "usage is counted in devices%s; slurm.conf needs the same line, or it is gone with "
        "the next restart of slurmctld",
        list[0] != '\0' ? ", and no job gets past the fence under another QOS" : "");
    rf_slurm_set(m, "TRESBillingWeights", "%s=1.0",
                 rf_slurm_is(device, "gres/gpu") ? "GRES/gpu"
                 : rf_slurm_is(device, "cpu")    ? "CPU"
                                                 : "Node");
    rf_slurm_set(m, "AllowQos", "%s", list[0] != '\0' ? list : "ALL");
}

static int has_budget(const struct rf_slurm_policy *p)
{
    for (int i = 0; i < p->nlimits; i++)
        if (p->limits[i].device_us > 0)
            return 1;
    return 0;
}

void rf_slurm_put_conf(struct rf_slurm_making *m)
{
    const struct rf_slurm_policy *p = m->policy;
    char half_life[32];

    need(m, "AccountingStorageEnforce", "limits,qos",
         "without it limits are only written down");
    if (strncmp(m->site->device, "gres/", 5) == 0)
        need(m, "AccountingStorageTRES", m->site->device,
             "without it these devices are neither counted nor limited");
    need(m, "SchedulerType", rf_slurm_is(p->order, "fcfs") ? "sched/builtin" : "sched/backfill",
         "the order of the queue");
    if (rf_slurm_is(p->order, "fairshare") || rf_slurm_lends(p))
        need(m, "PriorityType", "priority/multifactor", "jobs have more than their age");
    else if (has_budget(p))
        need(m, "PriorityType", "priority/multifactor", "without it nobody adds up usage");
    if (has_budget(p)) {
        need(m, "PriorityUsageResetPeriod", "NONE", "a budget does not begin anew");
        if (!rf_slurm_is(p->order, "fairshare"))
            need(m, "PriorityDecayHalfLife", "0",
                 "a budget that was used does not come back by and by");
    }
    if (rf_slurm_is(p->order, "fairshare")) {
        snprintf(half_life, sizeof half_life, "%" PRId64, rf_slurm_seconds_up(p->half_life_us));
        need(m, "PriorityDecayHalfLife", half_life, "usage counts half after so long");
        need(m, "PriorityWeightFairShare", "1", "least decayed usage first");
    }
    if (!rf_slurm_lends(p))
        return;
    need(m, "PriorityWeightQOS", "1", "pledged jobs come first");
    need(m, "PreemptType", "preempt/qos", "lent devices are taken back");
    need(m, "PreemptMode", "REQUEUE", "and who had them goes on later");
    need(m, "SlurmctldParameters", "preempt_send_user_signal",
         "jobs with --signal=USR1@... hear USR1 and write a checkpoint");
    need(m, "RequeueExit", "85", "a job that wrote its checkpoint goes on by itself");
}

/* ---- what Slurm has no words for ----------------------------------------------- */

static void note_limits(struct rf_slurm_making *m)
{
    const struct rf_slurm_policy *p = m->policy;
    char half_life[64] = "";

    for (int i = 0; i < p->nlimits; i++)
        if (p->limits[i].flops)
            rf_slurm_note(m, "limits: the FLOPs of '%.60s'; Slurm counts none",
                          p->limits[i].account);
    if (!has_budget(p))
        return;
    rf_slurm_note(m,
                  "limits: Slurm counts whole minutes, and what an account used before this as "
                  "well, until 'sacctmgr modify account NAME set RawUsage=0'; jobs under a QOS "
                  "with another UsageFactor than 1 count otherwise");
    rf_slurm_note(
        m, "limits: what runs when a budget is used up is killed, without USR1 and "
           "without a checkpoint; what waits, waits (AssocGrp...Minutes), and is not denied");
    if (!rf_slurm_is(p->order, "fairshare"))
        return;
    snprintf(half_life, sizeof half_life, "%" PRId64, rf_slurm_seconds_up(p->half_life_us));
    rf_slurm_note(
        m,
        "limits: with the order fairshare usage decays (PriorityDecayHalfLife %s s), and "
        "GrpTRESMins with it: an account that used its budget has half of it back after so "
        "long. Only an order without decay keeps a limit",
        half_life);
}

void rf_slurm_put_notes(struct rf_slurm_making *m)
{
    const struct rf_slurm_policy *p = m->policy;

    rf_slurm_note(
        m, "windows, tolerances and verdicts: Slurm holds limits at each moment and judges "
           "nothing; 'ringfence slurm import' and 'ringfence audit' do");
    rf_slurm_note(
        m, "denials: a submission that is refused leaves no line in the accounting, only "
           "in slurmctld's log");
    rf_slurm_note(m, "meters other than allocated device-time: neither busy time nor FLOPs");
    for (int i = 0; i < p->npromises; i++)
        if (p->promises[i].secured == 0) {
            rf_slurm_note(m,
                          "basis fleet: the numbers are for %" PRId64
                          " devices; when the fleet "
                          "changes, apply again",
                          m->site->devices);
            break;
        }
    if (rf_slurm_lends(p))
        rf_slurm_note(m, "a job has one QOS: beyond the share, jobs of its owner wait "
                         "(QOSGrpGRES) unless they ask for --qos=" RF_SLURM_LENT
                         ", where they may be stopped");
    if (rf_slurm_lends(p))
        rf_slurm_note(
            m, "which job is stopped: Slurm takes the lowest priority, not the one that costs "
               "least");
    if (rf_slurm_is(p->fence, "bank"))
        rf_slurm_note(
            m, "bank: credit for what was not used, its cap and its expiry; planned as floor");
    if (rf_slurm_is(p->fence, "stock"))
        rf_slurm_note(
            m, "stock: the pace line; the budget may be used up early, or asked for too late");
    if (rf_slurm_is(p->fence, "request"))
        rf_slurm_note(
            m, "request: who decides, how soon and how often; the board is whoever may move "
               "jobs, and its noes are cancelled jobs");
    if (rf_slurm_is(p->order, "sjf") || rf_slurm_is(p->order, "conservative"))
        rf_slurm_note(m, "order %s: backfilling comes closest", p->order);
    note_limits(m);
    if (p->nchanges > 0)
        rf_slurm_note(
            m,
            "%d changes of mind: Slurm has no calendar of promises; at each date, apply the "
            "configuration of that day",
            p->nchanges);
}
