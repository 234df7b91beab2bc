/* What Slurm's programs print about its objects, on any bytes: read, or refused in one sentence; and the
 * commands that lead from there to a plan are whole ones of Slurm's two programs. The
 * first byte chooses the kind of object. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "slurm/changes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rf_slurm_promise PROMISE = {
        .account = "a.b", .share = {1, 3}, .most = {1, 2}, .horizon_us = 3600000000};
    static const struct rf_slurm_site SITE = {"main", "gres/gpu", 16, 4, "others"};
    static const char *const FENCES[] = {"none", "partition", "floor", "stock", "request"};
    struct rf_slurm_policy policy = {.order = "easy", .promises = &PROMISE, .npromises = 1};
    struct rf_slurm_facts facts = {0};
    struct rf_slurm_changes changes = {0};
    struct rf_slurm_plan plan;
    struct rf_error err = {RF_OK, ""};
    enum rf_status st;

    if (size == 0)
        return 0;
    memcpy(policy.fence, FENCES[data[0] / RF_SLURM_NKINDS % 5],
           strlen(FENCES[data[0] / RF_SLURM_NKINDS % 5]) + 1);
    st = rf_slurm_facts_read(&facts, (enum rf_slurm_kind)(data[0] % RF_SLURM_NKINDS),
                             (const char *)data + 1, size - 1, &err);
    expect(st == RF_OK || (st == RF_ERR_INPUT && err.text[0] != '\0'));
    expect(rf_slurm_plan_make(&plan, &policy, &SITE, &err) == RF_OK);
    expect(rf_slurm_facts_add(&facts, RF_SLURM_PARTITION, "main", &err) == RF_OK);
    expect(rf_slurm_changes_find(&changes, &plan, &facts, &err) == RF_OK);
    for (int i = 0; i < changes.ncommands; i++) {
        const struct rf_slurm_command *c = &changes.commands[i];

        expect(c->nargs > 2 && c->nargs < RF_SLURM_COMMAND_ARGS);
        expect(strcmp(c->args[0], "sacctmgr") == 0 || strcmp(c->args[0], "scontrol") == 0);
    }
    rf_slurm_changes_clear(&changes);
    rf_slurm_plan_clear(&plan);
    rf_slurm_facts_clear(&facts);
    return 0;
}
