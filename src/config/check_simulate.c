/* The rules between the keys of a scenario. */
#include "config/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_TEXT = 200 };

/* What every rule below needs to speak. */
struct checker {
    const struct rf_scenario *s;
    rf_config_place *place;
    void *ctx;
    struct rf_error *err;
};

static enum rf_status refuse(const struct checker *c, const char *path, const char *fmt, ...)
    RF_PRINTF(3, 4);

static enum rf_status refuse(const struct checker *c, const char *path, const char *fmt, ...)
{
    char what[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return rf_config_refuse(c->place, c->ctx, path, c->err, "%s", what);
}

/* The path of a key of member i of a list. */
struct path {
    char text[PATH_TEXT];
};

static struct path member(const char *list, int i, const char *key)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%s.[%d].%s", list, i, key);
    return path;
}

/* ---- the workload */

static int is_generator(const char *source)
{
    return strcmp(source, "lublin") == 0 || strcmp(source, "acme-seren") == 0 ||
           strcmp(source, "acme-kalos") == 0 || strcmp(source, "flood") == 0;
}

/* Keys that would do nothing are refused, so that nobody believes they did. */
static enum rf_status check_unused(const struct checker *c)
{
    const struct rf_workload_spec *w = &c->s->workload;
    int made = is_generator(w->source);
    int flood = strcmp(w->source, "flood") == 0;
    const struct {
        const char *key;
        int used, given;
    } keys[] = {{"workload.path", !made, w->path[0] != '\0'},
                {"workload.groups", !made, w->groups[0] != '\0'},
                {"workload.lenient", !made, w->lenient},
                {"workload.unit", !made, strcmp(w->unit, "auto") != 0},
                {"workload.jobs", made, w->jobs != 0},
                {"workload.load", made, w->load > 0},
                {"workload.follow_fleet", made, w->follow_fleet},
                {"workload.backlog_s", made, w->backlog_us != 0},
                {"workload.rate_per_h", flood, w->rate_per_h > 0},
                {"workload.size_min", flood, w->size_min != 0},
                {"workload.size_max", flood, w->size_max != 0},
                {"workload.run_mean_s", flood, w->run_mean_us != 0}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].given && !keys[i].used)
            return refuse(c, keys[i].key,
                          "expected nothing, since source \"%s\" does not use it, got a value",
                          w->source);
    return RF_OK;
}

static enum rf_status check_rules(const struct checker *c)
{
    static const char numbered[] = "account rule 1: ";
    const struct rf_workload_spec *w = &c->s->workload;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < w->nrules; i++) {
        struct path path = member("workload.rules", i, "account");
        struct rf_accounts *accounts = NULL;
        struct rf_error why = {RF_OK, ""};

        *strrchr(path.text, '.') = '\0';
        st = rf_accounts_create(&accounts, &w->rules[i], 1, w->default_account, &why);
        rf_accounts_destroy(accounts);
        if (st == RF_ERR_CONFIG) /* the path says better than its number which rule it is */
            st = refuse(c, path.text, "%s",
                        strncmp(why.text, numbered, strlen(numbered)) == 0
                            ? why.text + strlen(numbered)
                            : why.text);
        else if (st != RF_OK)
            st = rf_fail(c->err, why.status, "%s", why.text);
    }
    return st;
}

static enum rf_status check_workload(const struct checker *c)
{
    const struct rf_workload_spec *w = &c->s->workload;
    int made = is_generator(w->source);
    enum rf_status st = check_unused(c);

    if (st == RF_OK && !made && w->path[0] == '\0')
        st = refuse(c, "workload.path",
                    "expected a trace, since source is \"%s\", got nothing; source \"lublin\" "
                    "and others make jobs up",
                    w->source);
    if (st == RF_OK && made && w->jobs == 0 && w->horizon_us == 0)
        st = refuse(c, "workload.jobs",
                    "expected a number of jobs, or workload.horizon or simulate.until, since "
                    "source is \"%s\", got nothing",
                    w->source);
    if (st == RF_OK && w->size_min > 0 && w->size_max > 0 && w->size_min > w->size_max)
        st = refuse(c, "workload.size_max", "expected at least size_min = %d, got %d",
                    w->size_min, w->size_max);
    if (st == RF_OK && w->malleable > 1 && w->nmalleable_accounts == 0)
        st = refuse(c, "workload.malleable_accounts",
                    "expected accounts whose jobs can shrink, since malleable is %d, got none",
                    w->malleable);
    if (st == RF_OK)
        st = check_rules(c);
    return st;
}

/* ---- the fleet */

static enum rf_status check_outage(const struct checker *c, int i)
{
    const struct rf_outage_spec *o = &c->s->fleet.outages[i];

    if (o->every_us != 0 && o->every_us < o->length_us)
        return refuse(c, member("fleet.outages", i, "every_s").text,
                      "expected 0 (once), or at least the length, so that one is over when the "
                      "next begins");
    if (o->account[0] != '\0' && o->devices == 0)
        return refuse(c, member("fleet.outages", i, "devices").text,
                      "expected how many devices are reserved for '%s', got nothing",
                      o->account);
    if (o->every_us != 0 && c->s->until_us == 0)
        return refuse(c, member("fleet.outages", i, "every_s").text,
                      "expected 'simulate.until' to be set, since it comes again and again");
    return RF_OK;
}

static enum rf_status check_fleet(const struct checker *c)
{
    const struct rf_fleet_spec *f = &c->s->fleet;
    const char *growing = f->doubling_us != 0 ? "fleet.doubling_s" : "fleet.mtbf_s";
    enum rf_status st = RF_OK;

    if (f->devices == 0 && is_generator(c->s->workload.source))
        return refuse(c, "fleet.devices",
                      "expected at least 1, since source \"%s\" does not say how large the "
                      "machine is, got nothing",
                      c->s->workload.source);
    if (f->devices == 0 && (f->ngrowth > 0 || f->doubling_us != 0))
        return refuse(c, "fleet.devices",
                      "expected at least 1, since the fleet grows, got nothing");
    if (f->doubling_us != 0 && f->ngrowth > 0)
        return refuse(c, "fleet.growth",
                      "expected nothing, since the fleet grows by doubling_s, got a list");
    if ((f->doubling_us != 0 || f->mtbf_us != 0) && c->s->until_us == 0)
        return refuse(c, growing,
                      "expected 'simulate.until' to be set, since the fleet would go on "
                      "changing for ever");
    for (int i = 0; i < f->ngrowth; i++)
        if (i > 0 && f->growth[i].at_us <= f->growth[i - 1].at_us)
            return refuse(c, member("fleet.growth", i, "at").text,
                          "expected a time after that of the entry before");
    for (int i = 0; st == RF_OK && i < f->noutages; i++)
        st = check_outage(c, i);
    return st;
}

/* ---- definitions */

static enum rf_status check_definitions(const struct checker *c)
{
    const struct rf_scenario *s = c->s;

    if (s->nslides != RF_SLIDES)
        return refuse(c, "definitions.slide_s", "expected %d lengths, got %d", RF_SLIDES,
                      s->nslides);
    for (int i = 0; i < RF_SLIDES; i++)
        if (s->slide_us[i] % s->step_us != 0)
            return refuse(c, "definitions.slide_s",
                          "expected whole numbers of definitions.step_s = %.12g seconds, got "
                          "%.12g",
                          (double)s->step_us / 1e6, (double)s->slide_us[i] / 1e6);
    return RF_OK;
}

/* ---- the whole */

/* Fills in the defaults that depend on other keys. */
static void derive(struct rf_scenario *s)
{
    struct rf_workload_spec *w = &s->workload;

    for (int i = 0; i < s->npledges; i++)
        if (s->pledges[i].pledge.tolerance_us < 0)
            s->pledges[i].pledge.tolerance_us = s->grace_us;
    if (is_generator(w->source) && w->jobs == 0 && w->horizon_us == 0)
        w->horizon_us = s->until_us;
}

enum rf_status rf_config_check_scenario(struct rf_scenario *scenario, rf_config_place *place,
                                        void *ctx, struct rf_error *err)
{
    const struct checker c = {scenario, place, ctx, err};
    const struct rf_config_promises promises = {.pledges = scenario->pledges,
                                                .changes = scenario->changes,
                                                .npledges = scenario->npledges,
                                                .nchanges = scenario->nchanges};
    enum rf_status st;

    derive(scenario);
    st = check_workload(&c);
    if (st == RF_OK)
        st = check_fleet(&c);
    if (st == RF_OK)
        st = rf_config_check_promises(&promises, place, ctx, err);
    if (st == RF_OK)
        st = check_definitions(&c);
    if (st == RF_OK && scenario->grid.nshares > 0 && scenario->npledges == 0)
        st =
            refuse(&c, "grid.shares", "expected nothing, since there is no pledge, got a list");
    return st;
}
