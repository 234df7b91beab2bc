/* plan and apply: what the promises of a configuration are in Slurm, beside what Slurm has. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "cli/slurm_verbs.h"
#include "config/config.h"
#include "slurm/changes.h"

/* Everything between a configuration and the commands. */
struct work {
    const struct rf_slurm_call *call;
    struct rf_scenario scenario;
    struct rf_slurm_promise *promises; /* owned */
    struct rf_slurm_limit *limits;     /* owned */
    struct rf_slurm_policy policy;
    struct rf_slurm_facts facts;
    struct rf_slurm_site site;
    struct rf_slurm_plan plan;
    struct rf_slurm_changes changes;
};

static void clear(struct work *w)
{
    rf_slurm_changes_clear(&w->changes);
    rf_slurm_plan_clear(&w->plan);
    rf_slurm_facts_clear(&w->facts);
    free(w->promises);
    free(w->limits);
    rf_scenario_clear(&w->scenario);
}

/* ---- the policy ---------------------------------------------------------------- */

static struct rf_slurm_part part(struct rf_share share)
{
    return (struct rf_slurm_part){share.num, share.den};
}

static struct rf_slurm_promise promise_of(const struct rf_pledge_plan *plan, int64_t devices)
{
    const struct rf_pledge_spec *pledge = &plan->pledge;
    struct rf_slurm_promise p = {.share = part(pledge->share),
                                 .most = part(plan->terms.catch_up),
                                 .horizon_us = plan->terms.horizon_us,
                                 .budget_us = plan->terms.budget_us};

    snprintf(p.account, sizeof p.account, "%s", pledge->account);
    if (strcmp(pledge->basis, "secured") == 0)
        p.secured = plan->terms.stock_devices > 0 ? plan->terms.stock_devices : devices;
    return p;
}

static struct rf_slurm_limit limit_of(const struct rf_limit_spec *from)
{
    struct rf_slurm_limit limit = {.device_us = from->max_device_us,
                                   .flops = from->max_flops > 0};

    snprintf(limit.account, sizeof limit.account, "%s", from->account);
    return limit;
}

static enum rf_status take_policy(struct work *w, struct rf_error *err)
{
    const struct rf_scenario *s = &w->scenario;

    w->promises = calloc((size_t)s->npledges + 1, sizeof *w->promises);
    w->limits = calloc((size_t)s->nlimits + 1, sizeof *w->limits);
    if (w->promises == NULL || w->limits == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the pledges");
    for (int i = 0; i < s->npledges; i++)
        w->promises[i] = promise_of(&s->pledges[i], w->site.devices);
    for (int i = 0; i < s->nlimits; i++)
        w->limits[i] = limit_of(&s->limits[i]);
    w->policy = (struct rf_slurm_policy){.half_life_us = s->half_life_us,
                                         .grace_us = s->grace_us,
                                         .promises = w->promises,
                                         .npromises = s->npledges,
                                         .limits = w->limits,
                                         .nlimits = s->nlimits,
                                         .nchanges = s->nchanges};
    memcpy(w->policy.order, s->order, sizeof w->policy.order);
    memcpy(w->policy.fence, s->fence, sizeof w->policy.fence);
    return RF_OK;
}

/* ---- the site ------------------------------------------------------------------- */

static enum rf_status ask_all(struct rf_slurm_facts *facts, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int kind = 0; st == RF_OK && kind < RF_SLURM_NKINDS; kind++) {
        char *text = NULL;
        size_t size = 0;

        st = rf_child_ask(rf_slurm_question_of((enum rf_slurm_kind)kind)->argv, &text, &size,
                          err);
        if (st == RF_OK)
            st = rf_slurm_facts_read(facts, (enum rf_slurm_kind)kind, text != NULL ? text : "",
                                     size, err);
        free(text);
    }
    return st;
}

/* The count behind "device=" in a list such as "cpu=16,node=4,gres/gpu=16"; 0: none. */
static int64_t count_in(const char *list, const char *device)
{
    size_t n = strlen(device);

    while (*list != '\0') {
        if (strncmp(list, device, n) == 0 && list[n] == '=')
            return strtoll(list + n + 1, NULL, 10);
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return 0;
}

/* What the command line says, or else what the partition has. */
static enum rf_status take_site(struct work *w, struct rf_error *err)
{
    const struct rf_slurm_call *call = w->call;
    struct rf_slurm_site *site = &w->site;
    const char *partition = call->partition != NULL ? call->partition : "main";
    const char *tres = rf_slurm_facts_value(&w->facts, RF_SLURM_PARTITION, partition,
                                            rf_slurm_key_of(RF_SLURM_PARTITION, "TRES"));
    const char *nodes = rf_slurm_facts_value(&w->facts, RF_SLURM_PARTITION, partition,
                                             rf_slurm_key_of(RF_SLURM_PARTITION, "TotalNodes"));

    if (!call->fresh && !rf_slurm_facts_has(&w->facts, RF_SLURM_PARTITION, partition))
        return rf_fail(err, RF_ERR_ARG,
                       "Slurm has no partition '%s'; --partition says which one is meant",
                       partition);
    site->partition = partition;
    site->others = call->others != NULL ? call->others : "capability";
    site->device = call->device;
    if (site->device == NULL)
        site->device = call->fresh || count_in(tres, "gres/gpu") > 0 ? "gres/gpu" : "cpu";
    if (strcmp(site->device, "gres/gpu") != 0 && strcmp(site->device, "cpu") != 0 &&
        strcmp(site->device, "node") != 0)
        return rf_fail(err, RF_ERR_ARG, "--device is gres/gpu, cpu or node, not '%.40s'",
                       site->device);
    site->devices = call->devices > 0 ? call->devices : count_in(tres, site->device);
    site->nodes = call->nodes > 0 ? call->nodes : strtoll(nodes, NULL, 10);
    if (site->devices < 1)
        return rf_fail(err, RF_ERR_ARG,
                       call->fresh
                           ? "--new needs --devices: how many there are"
                           : "partition '%s' has no %s; --device and --devices say what "
                             "is meant",
                       partition, site->device);
    return RF_OK;
}

static enum rf_status check_others(const struct work *w, struct rf_error *err)
{
    char others[RF_SLURM_NAME_BYTES], name[RF_SLURM_NAME_BYTES];

    rf_slurm_account(others, w->site.others);
    for (int i = 0; i < w->policy.npromises; i++) {
        rf_slurm_account(name, w->promises[i].account);
        if (strcmp(name, others) == 0)
            return rf_fail(err, RF_ERR_ARG,
                           "'%.60s' is promised something, so it is not the account of the "
                           "others (--others)",
                           w->promises[i].account);
    }
    return RF_OK;
}

static enum rf_status prepare(struct work *w, struct rf_slurm_call *call, struct rf_error *err)
{
    enum rf_status st;

    *w = (struct work){.call = call};
    st =
        rf_config_read_promises(&w->scenario, call->args[0], call->set.items, call->set.n, err);
    if (st == RF_OK && !call->fresh)
        st = ask_all(&w->facts, err);
    if (st == RF_OK)
        st = take_site(w, err);
    if (st == RF_OK)
        st = take_policy(w, err);
    if (st == RF_OK)
        st = check_others(w, err);
    if (st == RF_OK)
        st = rf_slurm_plan_make(&w->plan, &w->policy, &w->site, err);
    if (st == RF_OK && call->fresh) /* the partition is there, or there would be no cluster */
        st = rf_slurm_facts_add(&w->facts, RF_SLURM_PARTITION, w->site.partition, err);
    if (st == RF_OK)
        st = rf_slurm_changes_find(&w->changes, &w->plan, &w->facts, err);
    return st;
}

/* ---- printing ---------------------------------------------------------------------- */

static void print_command(const struct rf_slurm_command *c)
{
    for (int i = 0; i < c->nargs; i++)
        printf("%s%s", i > 0 ? " " : "", c->args[i]);
    printf("\n");
}

static int is_touched(const struct rf_slurm_command *list, int n,
                      const struct rf_slurm_object *object)
{
    for (int i = 0; i < n; i++)
        if (list[i].object == object)
            return 1;
    return 0;
}

/* A script: what is a comment explains what is not. */
static void print_plan(const struct work *w)
{
    const struct rf_slurm_object *shown = NULL;
    const struct rf_slurm_changes *ch = &w->changes;

    printf("# %s+%s on %" PRId64 " %s of partition %s\n", w->policy.order, w->policy.fence,
           w->site.devices, w->site.device, w->site.partition);
    for (int i = 0; i < ch->ncommands; i++) {
        const struct rf_slurm_command *c = &ch->commands[i];

        if (c->object != NULL && c->object != shown)
            printf("\n# %s %s: %s\n", rf_slurm_kind_name(c->object->kind), c->object->name,
                   c->object->why);
        else if (c->object == NULL)
            printf("\n");
        shown = c->object;
        printf("#   %s\n", c->what);
        print_command(c);
    }
    if (ch->ncommands == 0)
        printf("\n# nothing to change\n");
    for (int i = 0; i < w->plan.nobjects; i++)
        if (w->plan.objects[i].kind != RF_SLURM_CONF &&
            !is_touched(ch->commands, ch->ncommands, &w->plan.objects[i]))
            printf("# in place: %s %s: %s\n", rf_slurm_kind_name(w->plan.objects[i].kind),
                   w->plan.objects[i].name, w->plan.objects[i].why);
    if (ch->nlacking > 0)
        printf("\n# slurm.conf has to be changed by hand, and slurmctld restarted:\n");
    for (int i = 0; i < ch->nlacking; i++)
        printf("#   %s (%s)\n", ch->lacking[i].what, ch->lacking[i].object->why);
    printf("\n# What Slurm cannot express:\n");
    for (int i = 0; i < w->plan.nnotes; i++)
        printf("#   %s\n", w->plan.notes[i]);
}

static void add_command(struct rf_slurm_call *call, json_t *list,
                        const struct rf_slurm_command *c)
{
    json_t *item = json_object(), *args = json_array();

    if (c->object != NULL) {
        rf_build_text(&call->build, item, "object", rf_slurm_kind_name(c->object->kind));
        rf_build_text(&call->build, item, "name", c->object->name);
        rf_build_text(&call->build, item, "why", c->object->why);
    }
    rf_build_text(&call->build, item, "difference", c->what);
    for (int i = 0; i < c->nargs; i++)
        rf_build_append(&call->build, args, json_string(c->args[i]));
    if (c->nargs > 0)
        rf_build_set(&call->build, item, "args", args);
    else
        json_decref(args);
    rf_build_append(&call->build, list, item);
}

static void fill_document(struct rf_slurm_call *call, const struct work *w)
{
    json_t *commands = json_array(), *lacking = json_array(), *notes = json_array();
    char policy[48];

    snprintf(policy, sizeof policy, "%s+%s", w->policy.order, w->policy.fence);
    rf_build_text(&call->build, call->doc, "policy", policy);
    rf_build_text(&call->build, call->doc, "partition", w->site.partition);
    rf_build_text(&call->build, call->doc, "device", w->site.device);
    rf_build_integer(&call->build, call->doc, "devices", w->site.devices);
    for (int i = 0; i < w->changes.ncommands; i++)
        add_command(call, commands, &w->changes.commands[i]);
    for (int i = 0; i < w->changes.nlacking; i++)
        add_command(call, lacking, &w->changes.lacking[i]);
    for (int i = 0; i < w->plan.nnotes; i++)
        rf_build_append(&call->build, notes, json_string(w->plan.notes[i]));
    rf_build_set(&call->build, call->doc, "commands", commands);
    rf_build_set(&call->build, call->doc, "slurm_conf", lacking);
    rf_build_set(&call->build, call->doc, "not_expressible", notes);
}

/* ---- the verbs ----------------------------------------------------------------------- */

enum rf_status rf_slurm_cmd_plan(struct rf_slurm_call *call, struct rf_error *err)
{
    struct work w;
    enum rf_status st = prepare(&w, call, err);

    if (st == RF_OK && call->json)
        fill_document(call, &w);
    else if (st == RF_OK)
        print_plan(&w);
    if (st == RF_OK && call->check && w.changes.ncommands + w.changes.nlacking > 0)
        st = rf_fail(err, RF_NO, "%d commands and %d lines of slurm.conf away from the plan",
                     w.changes.ncommands, w.changes.nlacking);
    clear(&w);
    return st;
}

static enum rf_status run_command(const struct rf_slurm_command *c, struct rf_error *err)
{
    const char *argv[RF_SLURM_COMMAND_ARGS + 1] = {NULL};
    char *said;
    size_t size;
    enum rf_status st;

    for (int i = 0; i < c->nargs; i++)
        argv[i] = c->args[i];
    st = rf_child_ask(argv, &said, &size, err);
    free(said);
    return st;
}

/* Asks once more: did it take? */
static enum rf_status verify(struct work *w, struct rf_error *err)
{
    struct rf_slurm_changes left = {0};
    enum rf_status st;

    rf_slurm_facts_clear(&w->facts);
    st = ask_all(&w->facts, err);
    if (st == RF_OK)
        st = rf_slurm_changes_find(&left, &w->plan, &w->facts, err);
    if (st == RF_OK && left.ncommands > 0)
        st = rf_fail(err, RF_NO, "Slurm took the commands, and still: %.60s: %.400s",
                     left.commands[0].object != NULL ? left.commands[0].object->name : "it",
                     left.commands[0].what);
    else if (st == RF_OK && left.nlacking > 0)
        st = rf_fail(err, RF_NO,
                     "%d lines of slurm.conf have to be changed by hand before this holds: "
                     "%.400s%s",
                     left.nlacking, left.lacking[0].what, left.nlacking > 1 ? "; ..." : "");
    rf_slurm_changes_clear(&left);
    return st;
}

enum rf_status rf_slurm_cmd_apply(struct rf_slurm_call *call, struct rf_error *err)
{
    struct work w;
    enum rf_status st =
        call->fresh ? rf_fail(err, RF_ERR_ARG, "'apply' does not take --new") : RF_OK;

    if (st != RF_OK)
        return st;
    st = prepare(&w, call, err);
    if (st == RF_OK && call->json)
        fill_document(call, &w);
    for (int i = 0; st == RF_OK && i < w.changes.ncommands; i++) {
        if (!call->json)
            print_command(&w.changes.commands[i]);
        st = run_command(&w.changes.commands[i], err);
    }
    if (st == RF_OK && w.changes.ncommands == 0 && !call->json)
        printf("nothing to change\n");
    if (st == RF_OK)
        st = verify(&w, err);
    clear(&w);
    return st;
}
