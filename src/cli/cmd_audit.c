/* ringfence audit: does a ledger hold together, and were its pledges kept? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "alloc/audit.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/results.h"
#include "report/table.h"

enum { COLUMNS = 100, KEY_BYTES = 4096 };

/* The first line of the file that --key names: a C2SP verifier key. */
static enum rf_status read_key(const char *path, char vkey[KEY_BYTES], struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(path, KEY_BYTES - 1, &text, &size, err);

    if (st == RF_OK)
        snprintf(vkey, KEY_BYTES, "%.*s", (int)strcspn(text, "\r\n"), text);
    free(text);
    return st;
}

/* ---- for people */

static double percent(struct rf_wide part, struct rf_wide whole)
{
    return rf_wide_sign(whole) > 0 ? 100 * rf_wide_double(part) / rf_wide_double(whole) : 0;
}

static void add_window(struct rf_table *table, const struct rf_audit *audit,
                       const struct rf_pledge_account *p, const struct rf_window *w)
{
    rf_table_add(table, "%s", p->pledge.account_name);
    rf_table_add(table, "%.1f-%.1f", (double)(w->begin_us - audit->state->start_us) / 1e6,
                 (double)(w->end_us - audit->state->start_us) / 1e6);
    rf_table_add(table, "%.3f", (double)w->entitled_us / 1e6);
    rf_table_add(table, "%.3f", (double)w->demanded_us / 1e6);
    rf_table_add(table, "%.3f", (double)w->delivered_us / 1e6);
    rf_table_add(table, "%s%s", rf_verdict_name(w->verdict), w->unproven ? " *" : "");
}

static void add_sum(struct rf_table *table, const struct rf_pledge_account *p)
{
    rf_table_add(table, "%s", p->pledge.account_name);
    rf_table_add(table, "all");
    rf_table_add(table, "%.3f", rf_wide_double(p->entitled_us) / 1e6);
    rf_table_add(table, "%.3f", rf_wide_double(p->demanded_us) / 1e6);
    rf_table_add(table, "%.3f", rf_wide_double(p->delivered_us) / 1e6);
    rf_table_add(table, "%s", rf_verdict_name(p->verdict));
}

static enum rf_status print_pledges(const struct rf_audit *audit, struct rf_error *err)
{
    static const char *const headings[] = {"account",  "window (s)", "entitled",
                                           "demanded", "delivered",  "verdict"};
    const struct rf_tally *tally = audit->tally;
    struct rf_table *table = NULL;
    int unproven = 0;
    enum rf_status st = rf_table_create(&table, "lrrrrl", headings, err);

    if (st != RF_OK)
        return st;
    for (int i = 0; i < tally->npledges; i++) {
        const struct rf_pledge_account *p = &tally->pledges[i];

        for (int k = 0; k < p->nwindows; k++) {
            add_window(table, audit, p, &p->windows[k]);
            unproven |= p->windows[k].unproven;
        }
        add_sum(table, p);
    }
    printf("\nPledges, in device-seconds:\n");
    st = rf_table_print(table, stdout, COLUMNS, err);
    if (unproven)
        printf("  * evidence for a part of this window is missing\n");
    rf_table_destroy(table);
    return st;
}

static enum rf_status print_accounts(const struct rf_audit *audit, struct rf_error *err)
{
    static const char *const headings[] = {"account", "device-s",  "of fleet",
                                           "jobs",    "preempted", "denied"};
    struct rf_table *table = NULL;
    enum rf_status st = rf_table_create(&table, "lrrrrr", headings, err);

    if (st != RF_OK)
        return st;
    for (int32_t i = 0; i < audit->state->naccounts; i++) {
        const struct rf_account *a = &audit->state->accounts[i];

        rf_table_add(table, "%s", a->name);
        rf_table_add(table, "%.3f", rf_wide_double(a->held_us) / 1e6);
        rf_table_add(table, "%.1f %%", percent(a->held_us, audit->tally->capacity_us));
        rf_table_add(table, "%d", a->jobs);
        rf_table_add(table, "%d", a->preempted);
        rf_table_add(table, "%d", a->denied);
    }
    printf("\nAccounts, from meter readings:\n");
    st = rf_table_print(table, stdout, COLUMNS, err);
    rf_table_destroy(table);
    return st;
}

static enum rf_status print_audit(const char *path, const struct rf_audit *audit,
                                  struct rf_error *err)
{
    const struct rf_ledger_check *check = &audit->ledger;
    enum rf_status st = RF_OK;

    printf("%s: %s\n", path, rf_verdict_name(audit->verdict));
    printf("  %lld entries, %lld of them sealed%s%s; seals: %lld\n", (long long)check->entries,
           (long long)check->sealed_entries, check->key_name[0] != '\0' ? " by " : "",
           check->key_name, (long long)check->seals);
    printf("  head %s\n", check->head);
    printf("  chain %s, seals %s\n", check->chain_ok ? "holds" : "BROKEN",
           check->seals_ok ? "hold" : "DO NOT HOLD");
    if (check->first_bad_seq >= 0)
        printf("  first bad line: %lld\n", (long long)check->first_bad_seq + 1);
    if (check->torn_bytes > 0)
        printf("  %lld bytes follow the last complete line\n", (long long)check->torn_bytes);
    if (check->problem[0] != '\0')
        printf("  %s\n", check->problem);
    if (check->first_bad_seq > 0)
        printf("\nWhat follows is as of the last good line.\n");
    if (audit->tally != NULL && audit->tally->npledges > 0)
        st = print_pledges(audit, err);
    if (st == RF_OK && audit->state != NULL && audit->state->naccounts > 0)
        st = print_accounts(audit, err);
    return st;
}

/* ---- for programs */

static enum rf_status add_audit(json_t *to, const char *path, const struct rf_audit *audit,
                                struct rf_error *err)
{
    const struct rf_ledger_check *check = &audit->ledger;
    json_t *ledger = json_pack(
        "{s:s?, s:I, s:I, s:I, s:s, s:s, s:b, s:b, s:o, s:I, s:s}", "path", path, "entries",
        (json_int_t)check->entries, "sealed_entries", (json_int_t)check->sealed_entries,
        "seals", (json_int_t)check->seals, "head", check->head, "key_name", check->key_name,
        "chain_ok", check->chain_ok, "seals_ok", check->seals_ok, "first_bad_seq",
        check->first_bad_seq < 0 ? json_null() : json_integer(check->first_bad_seq),
        "torn_bytes", (json_int_t)check->torn_bytes, "problem", check->problem);

    /* accounts and pledges are as results.json of the run has them, key by key */
    if (json_object_set_new(to, "seed", json_integer(audit->run_seed)) != 0 ||
        json_object_set_new(to, "verdict", json_string(rf_verdict_name(audit->verdict))) != 0 ||
        json_object_set_new(to, "ledger", ledger) != 0)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory, or '%s' is not UTF-8", path);
    return rf_results_add_judgement(to, audit->state, audit->tally, err);
}

/* ---- the command */

/* What has been asked for, and what came out of the ledgers so far. */
struct request {
    int json, several;
    const char *vkey;
    enum rf_verdict worst;
    json_t *document; /* with json: the whole answer... */
    json_t *list;     /* ...and, with several ledgers, the array inside it */
};

static enum rf_status audit_one(struct request *request, const char *path, struct rf_error *err)
{
    struct rf_audit audit = {.state = NULL};
    enum rf_status st = rf_audit_ledger(&audit, path, request->vkey, err);

    if (st != RF_OK)
        return st;
    if (request->json) {
        json_t *to = request->several ? json_object() : json_incref(request->document);

        st = add_audit(to, path, &audit, err);
        if (request->several)
            json_array_append(request->list, to);
        json_decref(to);
    } else {
        st = print_audit(path, &audit, err);
    }
    if (audit.verdict == RF_BROKEN || request->worst == RF_KEPT)
        request->worst = audit.verdict; /* broken is worse than unprovable */
    rf_audit_clear(&audit);
    return st;
}

static enum rf_status print_document(struct request *request, int64_t begun_us,
                                     struct rf_error *err)
{
    json_t *document = request->document;

    if (request->several) {
        json_object_set_new(document, "verdict", json_string(rf_verdict_name(request->worst)));
        json_object_set_new(document, "seed", json_null());
    }
    json_object_set_new(document, "wall_s", json_real((double)(rf_time_us() - begun_us) / 1e6));
    if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    putchar('\n');
    return RF_OK;
}

static enum rf_status audit_all(struct request *request, const struct rf_arguments *args,
                                struct rf_error *err)
{
    int64_t begun_us = rf_time_us();
    enum rf_status st = RF_OK;

    request->several = args->n > 1;
    request->document = json_pack("{s:s, s:s}", "command", "audit", "version", RF_VERSION);
    if (request->several) {
        request->list = json_array();
        json_object_set_new(request->document, "audits", request->list);
    }
    for (int i = 0; st == RF_OK && i < args->n; i++)
        st = audit_one(request, args->text[i], err);
    if (st == RF_OK && request->json)
        st = print_document(request, begun_us, err);
    json_decref(request->document);
    if (st == RF_OK && request->worst != RF_KEPT)
        st = rf_fail(err, RF_NO, "%s", "");
    return st;
}

static enum rf_status audit(const struct rf_group *world, int argc, char **argv,
                            struct rf_error *err)
{
    const char *key = NULL;
    char vkey[KEY_BYTES];
    struct request request = {.worst = RF_KEPT};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &key,
         .help = "the public key that seals must be signed with (default: the one beside the "
                 "ledger, which proves less: whoever forges a ledger can forge that too)"},
        {.name = "json", .flag = &request.json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "audit [--key=FILE] [--json] LEDGER...",
        .about =
            "Verifies the chain and the seals of ledgers, replays them through the rules that "
            "the run itself obeyed, recomputes every share from meter readings, and answers "
            "for "
            "each pledge and window: kept, broken or unprovable. The exit code is 0 when all "
            "is kept and 1 otherwise.",
        .options = table,
        .min = 1,
        .max = -1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    if (key != NULL)
        st = read_key(key, vkey, err);
    request.vkey = key != NULL ? vkey : NULL;
    return st == RF_OK ? audit_all(&request, &args, err) : st;
}

const struct rf_command rf_command_audit = {.name = "audit",
                                            .summary = "verify a ledger and judge its pledges",
                                            .serial = 1,
                                            .run = audit};
