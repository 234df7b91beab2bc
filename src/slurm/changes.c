/* Three rounds, because objects name one another: first all that is missing is made, then settings
 * are set, then what has lost its place goes. */
#include "slurm/changes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OURS "rf-"

static enum rf_status new_command(struct rf_slurm_command **items, int *n, int *room,
                                  const struct rf_slurm_object *object,
                                  struct rf_slurm_command **out, struct rf_error *err)
{
    if (*n == *room) {
        int more = *room > 0 ? 2 * *room : 8;
        struct rf_slurm_command *grown = realloc(*items, (size_t)more * sizeof *grown);

        if (grown == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for commands");
        *items = grown;
        *room = more;
    }
    *out = &(*items)[(*n)++];
    memset(*out, 0, sizeof **out);
    (*out)->object = object;
    return RF_OK;
}

static void arg(struct rf_slurm_command *c, const char *format, ...) RF_PRINTF(2, 3);
static void arg(struct rf_slurm_command *c, const char *format, ...)
{
    va_list args;

    if (c->nargs == RF_SLURM_COMMAND_ARGS)
        return; /* an object has at most RF_SLURM_SETTINGS, and ten words come before them */
    va_start(args, format);
    vsnprintf(c->args[c->nargs++], sizeof c->args[0], format, args);
    va_end(args);
}

static void words(struct rf_slurm_command *c, const char *text)
{
    while (*text != '\0') {
        int n = (int)strcspn(text, " ");

        arg(c, "%.*s", n, text);
        text += n;
        text += *text == ' ';
    }
}

/* ---- what is missing ----------------------------------------------------------- */

static void make_words(struct rf_slurm_command *c, const struct rf_slurm_object *it)
{
    if (it->kind == RF_SLURM_QOS) {
        words(c, "sacctmgr -i add qos");
        arg(c, "%s", it->name);
    } else if (it->kind == RF_SLURM_ACCOUNT) {
        words(c, "sacctmgr -i add account");
        arg(c, "%s", it->name);
        arg(c, "parent=%s", it->parent[0] != '\0' ? it->parent : "root");
        words(c, "description=ringfence organization=ringfence");
    } else {
        words(c, "scontrol create reservation");
        arg(c, "ReservationName=%s", it->name);
        words(c, "StartTime=now Duration=infinite");
        for (int i = 0; i < it->nsettings; i++)
            arg(c, "%s=%s", it->settings[i].key->name, it->settings[i].value);
    }
}

static enum rf_status make(struct rf_slurm_changes *changes, const struct rf_slurm_object *it,
                           const struct rf_slurm_facts *facts, struct rf_error *err)
{
    struct rf_slurm_command *c = NULL;
    enum rf_status st;

    if (it->kind == RF_SLURM_CONF || rf_slurm_facts_has(facts, it->kind, it->name))
        return RF_OK;
    if (it->kind == RF_SLURM_PARTITION)
        return rf_fail(err, RF_ERR_CONFIG,
                       "Slurm has no partition '%s'; --partition says which one is meant",
                       it->name);
    st = new_command(&changes->commands, &changes->ncommands, &changes->commands_room, it, &c,
                     err);
    if (st == RF_OK) {
        snprintf(c->what, sizeof c->what, "is not there");
        make_words(c, it);
    }
    return st;
}

/* ---- what is set otherwise ------------------------------------------------------- */

static void set_words(struct rf_slurm_command *c, const struct rf_slurm_object *it)
{
    if (it->kind == RF_SLURM_QOS || it->kind == RF_SLURM_ACCOUNT) {
        words(c, it->kind == RF_SLURM_QOS ? "sacctmgr -i modify qos where"
                                          : "sacctmgr -i modify account where");
        arg(c, "name=%s", it->name);
        words(c, "set");
    } else {
        words(c, "scontrol update");
        arg(c, "%s=%s", it->kind == RF_SLURM_PARTITION ? "PartitionName" : "ReservationName",
            it->name);
    }
}

static void tell(struct rf_slurm_command *c, const struct rf_slurm_setting *s,
                 const char *there)
{
    size_t n = strlen(c->what);

    snprintf(c->what + n, sizeof c->what - n, "%s%s: %s -> %s", n > 0 ? "; " : "", s->key->name,
             there[0] != '\0' ? there : "nothing", s->value[0] != '\0' ? s->value : "nothing");
}

/* The limit is called "gres/gpu=4" in a list. */
static int names(const char *list, const char *limit, size_t n)
{
    while (*list != '\0') {
        if (strncmp(list, limit, n) == 0 && list[n] == '=')
            return 1;
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return 0;
}

/* Limits add up with those that are there, and each one is taken away by -1. */
static void limits_word(struct rf_slurm_command *c, const struct rf_slurm_setting *s,
                        const char *there)
{
    char list[RF_SLURM_VALUE_BYTES];
    size_t n = (size_t)snprintf(list, sizeof list, "%s", s->value);

    while (*there != '\0') {
        size_t part = strcspn(there, ","), name = strcspn(there, "=,");

        if (!names(s->value, there, name) && n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s=-1", n > 0 ? "," : "",
                                  (int)name, there);
        there += part;
        there += *there == ',';
    }
    arg(c, "%s=%s", s->key->name, list);
}

static enum rf_status change(struct rf_slurm_changes *changes, const struct rf_slurm_object *it,
                             const struct rf_slurm_facts *facts, struct rf_error *err)
{
    int fresh = !rf_slurm_facts_has(facts, it->kind, it->name);
    struct rf_slurm_command *c = NULL;
    enum rf_status st = RF_OK;

    if (fresh && it->kind == RF_SLURM_RESERVATION)
        return RF_OK; /* made with all that is set on it */
    for (int i = 0; st == RF_OK && i < it->nsettings; i++) {
        const struct rf_slurm_setting *s = &it->settings[i];
        const char *there = rf_slurm_facts_value(facts, it->kind, it->name, s->key);

        if (rf_slurm_same(s->key->form, s->value, there))
            continue;
        if (c == NULL && it->kind == RF_SLURM_CONF)
            st = new_command(&changes->lacking, &changes->nlacking, &changes->lacking_room, it,
                             &c, err);
        else if (c == NULL)
            st = new_command(&changes->commands, &changes->ncommands, &changes->commands_room,
                             it, &c, err);
        if (st != RF_OK)
            return st;
        tell(c, s, there);
        if (it->kind == RF_SLURM_CONF)
            continue;
        if (c->nargs == 0)
            set_words(c, it);
        if (strncmp(s->key->name, "grptres", 7) == 0)
            limits_word(c, s, there);
        else
            arg(c, "%s=%s", s->key->name, s->value[0] != '\0' ? s->value : s->key->cleared);
    }
    return st;
}

/* ---- what has lost its place ------------------------------------------------------ */

static int is_wanted(const struct rf_slurm_plan *plan, const struct rf_slurm_fact *fact)
{
    for (int i = 0; i < plan->nobjects; i++)
        if (plan->objects[i].kind == fact->kind &&
            strcasecmp(plan->objects[i].name, fact->name) == 0)
            return 1;
    return 0;
}

static enum rf_status take_away(struct rf_slurm_changes *changes,
                                const struct rf_slurm_plan *plan,
                                const struct rf_slurm_fact *fact, struct rf_error *err)
{
    struct rf_slurm_command *c = NULL;
    enum rf_status st;

    if (fact->key != NULL || strncasecmp(fact->name, OURS, sizeof OURS - 1) != 0 ||
        (fact->kind != RF_SLURM_QOS && fact->kind != RF_SLURM_RESERVATION) ||
        is_wanted(plan, fact))
        return RF_OK;
    st = new_command(&changes->commands, &changes->ncommands, &changes->commands_room, NULL, &c,
                     err);
    if (st != RF_OK)
        return st;
    snprintf(c->what, sizeof c->what, "%s %s has no place in this plan",
             rf_slurm_kind_name(fact->kind), fact->name);
    words(c, fact->kind == RF_SLURM_QOS ? "sacctmgr -i delete qos where" : "scontrol delete");
    arg(c, "%s=%s", fact->kind == RF_SLURM_QOS ? "name" : "ReservationName", fact->name);
    return RF_OK;
}

/* ---- the whole ----------------------------------------------------------------------- */

enum rf_status rf_slurm_changes_find(struct rf_slurm_changes *changes,
                                     const struct rf_slurm_plan *plan,
                                     const struct rf_slurm_facts *facts, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < plan->nobjects; i++)
        st = make(changes, &plan->objects[i], facts, err);
    for (int i = 0; st == RF_OK && i < plan->nobjects; i++)
        st = change(changes, &plan->objects[i], facts, err);
    for (int i = 0; st == RF_OK && i < facts->n; i++)
        st = take_away(changes, plan, &facts->items[i], err);
    return st;
}

void rf_slurm_changes_clear(struct rf_slurm_changes *changes)
{
    free(changes->commands);
    free(changes->lacking);
    *changes = (struct rf_slurm_changes){0};
}
