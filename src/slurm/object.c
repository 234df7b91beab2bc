#include "slurm/object.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/value.h"

static const struct rf_slurm_key KEYS[] = {
    {RF_SLURM_QOS, "priority", "Priority", RF_SLURM_COUNT, "0"},
    {RF_SLURM_QOS, "gracetime", "GraceTime", RF_SLURM_DURATION, "0"},
    {RF_SLURM_QOS, "preempt", "Preempt", RF_SLURM_SET, ""},
    {RF_SLURM_QOS, "preemptmode", "PreemptMode", RF_SLURM_WORD, "cluster"},
    {RF_SLURM_QOS, "flags", "Flags", RF_SLURM_SET, "-1"},
    {RF_SLURM_QOS, "grptres", "GrpTRES", RF_SLURM_SET, "-1"},
    {RF_SLURM_QOS, "grptresmins", "GrpTRESMins", RF_SLURM_SET, "-1"},
    {RF_SLURM_QOS, "grpjobs", "GrpJobs", RF_SLURM_WORD, "-1"},
    {RF_SLURM_ACCOUNT, "fairshare", "Share", RF_SLURM_COUNT, NULL},
    {RF_SLURM_ACCOUNT, "qos", "QOS", RF_SLURM_SET, NULL},
    {RF_SLURM_ACCOUNT, "defaultqos", "DefaultQOS", RF_SLURM_WORD, "-1"},
    {RF_SLURM_ACCOUNT, "grptres", "GrpTRES", RF_SLURM_SET, "-1"},
    {RF_SLURM_ACCOUNT, "grptresmins", "GrpTRESMins", RF_SLURM_SET, "-1"},
    {RF_SLURM_PARTITION, "TRESBillingWeights", "TRESBillingWeights", RF_SLURM_SET, ""},
    {RF_SLURM_PARTITION, "AllowQos", "AllowQos", RF_SLURM_SET, "ALL"},
    {RF_SLURM_PARTITION, "TRES", "TRES", RF_SLURM_SET, NULL},
    {RF_SLURM_PARTITION, "TotalNodes", "TotalNodes", RF_SLURM_COUNT, NULL},
    {RF_SLURM_RESERVATION, "Accounts", "Accounts", RF_SLURM_SET, NULL},
    {RF_SLURM_RESERVATION, "NodeCnt", "NodeCnt", RF_SLURM_COUNT, NULL},
    {RF_SLURM_RESERVATION, "PartitionName", "PartitionName", RF_SLURM_WORD, NULL},
    {RF_SLURM_RESERVATION, "Flags", "Flags", RF_SLURM_HOLDS, NULL},
    {RF_SLURM_CONF, "AccountingStorageEnforce", "AccountingStorageEnforce", RF_SLURM_HOLDS,
     NULL},
    {RF_SLURM_CONF, "AccountingStorageTRES", "AccountingStorageTRES", RF_SLURM_HOLDS, NULL},
    {RF_SLURM_CONF, "SchedulerType", "SchedulerType", RF_SLURM_WORD, NULL},
    {RF_SLURM_CONF, "PriorityType", "PriorityType", RF_SLURM_WORD, NULL},
    {RF_SLURM_CONF, "PriorityDecayHalfLife", "PriorityDecayHalfLife", RF_SLURM_DURATION, NULL},
    {RF_SLURM_CONF, "PriorityUsageResetPeriod", "PriorityUsageResetPeriod", RF_SLURM_WORD,
     NULL},
    {RF_SLURM_CONF, "PriorityWeightFairShare", "PriorityWeightFairShare", RF_SLURM_POSITIVE,
     NULL},
    {RF_SLURM_CONF, "PriorityWeightQOS", "PriorityWeightQOS", RF_SLURM_POSITIVE, NULL},
    {RF_SLURM_CONF, "PreemptType", "PreemptType", RF_SLURM_WORD, NULL},
    {RF_SLURM_CONF, "PreemptMode", "PreemptMode", RF_SLURM_HOLDS, NULL},
    {RF_SLURM_CONF, "SlurmctldParameters", "SlurmctldParameters", RF_SLURM_HOLDS, NULL},
    {RF_SLURM_CONF, "RequeueExit", "RequeueExit", RF_SLURM_RANGES, NULL},
};

const struct rf_slurm_key *rf_slurm_key_of(enum rf_slurm_kind kind, const char *name)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (KEYS[i].kind == kind && strcmp(KEYS[i].name, name) == 0)
            return &KEYS[i];
    return NULL;
}

const struct rf_slurm_key *rf_slurm_key_shown(enum rf_slurm_kind kind, const char *column)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (KEYS[i].kind == kind && strcasecmp(KEYS[i].column, column) == 0)
            return &KEYS[i];
    return NULL;
}

const char *rf_slurm_kind_name(enum rf_slurm_kind kind)
{
    static const char *const NAMES[RF_SLURM_NKINDS] = {"qos", "account", "partition",
                                                       "reservation", "slurm.conf"};

    return NAMES[kind];
}

/* The word that begins at `at`; *at is then behind the comma. */
static struct rf_view word(const char **at)
{
    struct rf_view text = {*at, strcspn(*at, ",")};

    *at += text.size_bytes;
    *at += **at == ',';
    return text;
}

static int has(const char *list, struct rf_view wanted)
{
    while (*list != '\0') {
        struct rf_view it = word(&list);

        if (it.size_bytes == wanted.size_bytes &&
            strncasecmp(it.bytes, wanted.bytes, it.size_bytes) == 0)
            return 1;
    }
    return 0;
}

static int holds(const char *wanted, const char *there)
{
    while (*wanted != '\0')
        if (!has(there, word(&wanted)))
            return 0;
    return 1;
}

/* -1: not a duration. */
static int64_t seconds(const char *text)
{
    int64_t value;

    if (rf_value_duration((struct rf_view){text, strlen(text)}, &value))
        return value / 1000000;
    return rf_value_integer((struct rf_view){text, strlen(text)}, &value) ? value : -1;
}

static int in_ranges(const char *wanted, const char *there)
{
    long x = strtol(wanted, NULL, 10);

    while (*there != '\0') {
        struct rf_view it = word(&there);
        char *end;
        long low = strtol(it.bytes, &end, 10);
        long high = *end == '-' ? strtol(end + 1, NULL, 10) : low;

        if (end != it.bytes && low <= x && x <= high)
            return 1;
    }
    return 0;
}

int rf_slurm_same(enum rf_slurm_form form, const char *wanted, const char *there)
{
    switch (form) {
    case RF_SLURM_WORD:
        return strcasecmp(wanted, there) == 0;
    case RF_SLURM_COUNT:
        return strtoll(wanted, NULL, 10) == strtoll(there, NULL, 10);
    case RF_SLURM_DURATION:
        return (wanted[0] == '\0' && there[0] == '\0') || seconds(wanted) == seconds(there) ||
               (seconds(wanted) <= 0 && seconds(there) <= 0);
    case RF_SLURM_SET:
        return holds(wanted, there) && holds(there, wanted);
    case RF_SLURM_HOLDS:
        return holds(wanted, there);
    case RF_SLURM_RANGES:
        return in_ranges(wanted, there);
    case RF_SLURM_POSITIVE:
        return strtod(there, NULL) > 0;
    }
    return 0;
}
