/* The rules between pledges, and between them and changes of mind: the same for runs and for
 * scenarios. */
#include "config/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct checker {
    const struct rf_config_promises *p;
    rf_config_place *place;
    void *ctx;
    struct rf_error *err;
};

/* About a key of member i of a list. */
static enum rf_status refuse(const struct checker *c, const char *list, int i, const char *key,
                             const char *fmt, ...) RF_PRINTF(5, 6);

static enum rf_status refuse(const struct checker *c, const char *list, int i, const char *key,
                             const char *fmt, ...)
{
    char path[64], what[400];
    va_list args;

    snprintf(path, sizeof path, "%s.[%d].%s", list, i, key);
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return rf_config_refuse(c->place, c->ctx, path, c->err, "%s", what);
}

/* Is account the same as root, or below it? */
static int within(const char *account, const char *root)
{
    size_t n = strlen(root);

    return strncmp(account, root, n) == 0 && (account[n] == '\0' || account[n] == '.');
}

static int find_pledge(const struct rf_config_promises *p, const char *account)
{
    for (int i = 0; i < p->npledges; i++)
        if (strcmp(p->pledges[i].pledge.account, account) == 0)
            return i;
    return -1;
}

/* The shares of the first n pledges, pledge `changed` having `share`. */
static double sum_of_shares(const struct rf_config_promises *p, int n, int changed,
                            struct rf_share share)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        struct rf_share part = i == changed ? share : p->pledges[i].pledge.share;

        sum += (double)part.num / (double)part.den;
    }
    return sum;
}

static enum rf_status check_pledge(const struct checker *c, int i)
{
    const struct rf_pledge_plan *plan = &c->p->pledges[i];
    double sum = sum_of_shares(c->p, i + 1, -1, plan->pledge.share);

    for (int k = 0; k < i; k++) {
        const char *other = c->p->pledges[k].pledge.account;

        if (strcmp(other, plan->pledge.account) == 0)
            return refuse(c, "pledges", i, "account",
                          "expected one pledge per account, got '%s' a second time", other);
        if (within(other, plan->pledge.account) || within(plan->pledge.account, other))
            return refuse(c, "pledges", i, "account",
                          "expected accounts that do not lie in one another, got '%s' and '%s'",
                          other, plan->pledge.account);
    }
    if (plan->terms.stock_devices != 0 && strcmp(plan->pledge.basis, "secured") != 0)
        return refuse(c, "pledges", i, "stock_devices",
                      "expected nothing, since basis is \"%s\", got a value",
                      plan->pledge.basis);
    if (sum > 1 + 1e-9)
        return refuse(c, "pledges", i, "share",
                      "expected shares that add up to at most 100%%, got %.9g%%", 100 * sum);
    return RF_OK;
}

static int is_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return 1;
    return 0;
}

int rf_config_is_code(const char *text)
{
    char last = '-';

    for (const char *c = text; *c != '\0'; last = *c++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *c) == NULL ||
            (*c == '-' && c == text))
            return 0;
    return last != '-';
}

static enum rf_status check_policy(const struct checker *c, int i)
{
    static const char orders[] = "fcfs easy conservative sjf fairshare";
    static const char fences[] = "none partition floor bank stock request";
    const struct rf_change_spec *change = &c->p->changes[i];

    if (change->account[0] != '\0')
        return refuse(c, "changes", i, "account",
                      "expected nothing, since a policy is everybody's, got '%s'",
                      change->account);
    if (change->order[0] == '\0' && change->fence[0] == '\0')
        return refuse(c, "changes", i, "fence", "expected an order or a fence, got neither");
    if (change->order[0] != '\0' && !is_word(orders, change->order))
        return refuse(c, "changes", i, "order", "expected one of: %s, got '%s'", orders,
                      change->order);
    if (change->fence[0] != '\0' && !is_word(fences, change->fence))
        return refuse(c, "changes", i, "fence", "expected one of: %s, got '%s'", fences,
                      change->fence);
    if (!rf_config_is_code(change->reason))
        return refuse(c, "changes", i, "reason",
                      "expected a code of lower-case words joined by '-', since kind is "
                      "\"policy\", got '%s'",
                      change->reason);
    return RF_OK;
}

static enum rf_status check_change(const struct checker *c, int i)
{
    const struct rf_change_spec *change = &c->p->changes[i];
    int pledge = find_pledge(c->p, change->account);
    double sum = sum_of_shares(c->p, c->p->npledges, pledge, change->share);

    if (strcmp(change->kind, "policy") == 0)
        return check_policy(c, i);
    if (pledge < 0)
        return refuse(c, "changes", i, "account",
                      "expected an account that has a pledge, got '%s'", change->account);
    if (change->order[0] != '\0' || change->fence[0] != '\0')
        return refuse(c, "changes", i, change->order[0] != '\0' ? "order" : "fence",
                      "expected nothing, since kind is \"%s\", got a value", change->kind);
    if (strcmp(change->kind, "pledge") == 0 && sum > 1 + 1e-9)
        return refuse(c, "changes", i, "share",
                      "expected shares that add up to at most 100%%, got %.9g%%", 100 * sum);
    return RF_OK;
}

static enum rf_status check_limit(const struct checker *c, int i)
{
    const struct rf_limit_spec *l = &c->p->limits[i];

    for (int k = 0; k < i; k++)
        if (strcmp(c->p->limits[k].account, l->account) == 0)
            return refuse(c, "limits", i, "account",
                          "expected one limit per account, got '%s' a second time", l->account);
    if (l->max_device_us == 0 && l->max_flops < 1)
        return refuse(c, "limits", i, "max_device_s",
                      "expected max_device_s or max_flops, got neither");
    if (!rf_config_is_code(l->reason))
        return refuse(c, "limits", i, "reason",
                      "expected a code of lower-case words joined by '-', got '%s'", l->reason);
    return RF_OK;
}

enum rf_status rf_config_check_promises(const struct rf_config_promises *promises,
                                        rf_config_place *place, void *ctx, struct rf_error *err)
{
    const struct checker c = {promises, place, ctx, err};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < promises->npledges; i++)
        st = check_pledge(&c, i);
    for (int i = 0; st == RF_OK && i < promises->nchanges; i++)
        st = check_change(&c, i);
    for (int i = 0; st == RF_OK && i < promises->nlimits; i++)
        st = check_limit(&c, i);
    return st;
}
