/* ledger_verbs.h - what 'ringfence ledger' can do, a function per verb.
 *
 * A verb fills in call->doc (with --json) or prints for people, and returns RF_NO with a sentence
 * when the answer is no; cmd_ledger.c does the rest. */
#ifndef RF_CLI_LEDGER_VERBS_H
#define RF_CLI_LEDGER_VERBS_H

#include "alloc/ledger_view.h"
#include "cli/options.h"
#include "report/build.h"

/* The command line behind the verb; what was not given is NULL or 0. */
struct rf_ledger_call {
    char **args;
    int json, slurm;
    const char *key, *head, *out, *file, *from, *to;
    struct rf_text_list witnesses;
    struct rf_build build;
    json_t *doc;
};

enum rf_status rf_ledger_cmd_verify(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_head(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_prove(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_check_proof(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_consistency(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_rotate(struct rf_ledger_call *call, struct rf_error *err);
enum rf_status rf_ledger_cmd_anchor(struct rf_ledger_call *call, struct rf_error *err);

/* ---- what they share ---- */

/* The ledger as a tree that holds, or RF_NO; the key of --key, if there is one, is pinned. */
enum rf_status rf_ledger_call_view(const struct rf_ledger_call *call, const char *path,
                                   struct rf_ledger_view *view, struct rf_error *err);
/* The vkey line of --key to text; *vkey is then text, and NULL without --key. */
enum rf_status rf_ledger_call_key(const struct rf_ledger_call *call, char text[RF_VKEY_BYTES],
                                  const char **vkey, struct rf_error *err);
/* origin, size and root of a head, as keys of an object. */
void rf_ledger_add_head(struct rf_build *build, json_t *to, const struct rf_head *head);
/* To the file of --out, or to standard output unless --json is given; then to the document, as
 * `key`. */
enum rf_status rf_ledger_hand_out(struct rf_ledger_call *call, const char *key,
                                  const char *text, struct rf_error *err);
/* Each witness of --witness-key: RF_NO when the head is not cosigned by it. */
enum rf_status rf_ledger_check_witnesses(struct rf_ledger_call *call,
                                         const struct rf_head *head, struct rf_error *err);

/* Reads a file of heads, one or several with empty lines between them, and does f for each; what
 * is no head is RF_ERR_INPUT. */
enum rf_status rf_ledger_for_heads(const char *path,
                                   enum rf_status (*f)(void *ctx, const struct rf_head *head,
                                                       struct rf_error *err),
                                   void *ctx, struct rf_error *err);

#endif
