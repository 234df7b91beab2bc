#include "cli/verbs.h"

#include <string.h>

#include "base/file.h"

enum rf_status rf_verb_find(const void **row, const char *command, const void *table, size_t n,
                            size_t size_bytes, const char *name, int nargs,
                            const struct rf_verb_option *options, size_t noptions,
                            struct rf_error *err)
{
    const struct rf_verb *verb = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct rf_verb *one = (const void *)((const char *)table + i * size_bytes);

        if (strcmp(one->name, name) == 0)
            verb = one;
    }
    if (verb == NULL)
        return rf_fail(err, RF_ERR_ARG, "'%s' has no verb '%s'; see 'ringfence %s --help'",
                       command, name, command);
    if (nargs < verb->min || (verb->max >= 0 && nargs > verb->max))
        return rf_fail(err, RF_ERR_ARG, "'%s' takes %s; see 'ringfence %s --help'", name,
                       verb->takes, command);
    for (size_t i = 0; i < noptions; i++)
        if (options[i].given && strstr(verb->options, options[i].name) == NULL)
            return rf_fail(err, RF_ERR_ARG, "'%s' does not take%.*s; see 'ringfence %s --help'",
                           name, (int)strlen(options[i].name) - 1, options[i].name, command);
    *row = verb;
    return RF_OK;
}

void rf_verb_sign(struct rf_build *build, json_t *doc, const char *command, const char *action,
                  int64_t start_us)
{
    rf_build_text(build, doc, "command", command);
    rf_build_text(build, doc, "action", action);
    rf_build_text(build, doc, "version", RF_VERSION);
    rf_build_set(build, doc, "seed", json_null()); /* no random number is drawn */
    rf_build_number(build, doc, "wall_s", (double)(rf_time_us() - start_us) / 1e6);
}

enum rf_status rf_verb_print(struct rf_build *build, json_t *doc, const char *command,
                             const char *action, int64_t start_us, enum rf_status answer,
                             struct rf_error *err)
{
    struct rf_error failed;
    enum rf_status st;

    rf_verb_sign(build, doc, command, action, start_us);
    rf_build_text(build, doc, "problem", answer == RF_OK ? "" : err->text);
    st = rf_build_print(build, doc, &failed);
    if (st != RF_OK) {
        *err = failed;
        return st;
    }
    err->text[0] = '\0';
    return answer;
}
