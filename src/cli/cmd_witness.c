/* ringfence witness: a second party that remembers heads and cosigns those that extend them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/ledger_view.h"
#include "alloc/witness.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/build.h"

struct call {
    const char *dir, *what, *key, *log_key, *out;
    int json;
    struct rf_witnessed before; /* what was remembered */
    struct rf_seal seen;        /* what was shown */
    char note[RF_HEAD_BYTES + RF_SEAL_BYTES];
};

/* The key of the log: asked for, or remembered. RF_ERR_ARG: neither. */
static enum rf_status log_key(const struct call *call, const struct rf_witnessed *before,
                              struct rf_vkey *vkey, struct rf_error *err)
{
    if (call->log_key != NULL)
        return rf_vkey_read(vkey, call->log_key, RF_KEY_SEAL, err);
    if (before->seen) {
        *vkey = before->vkey;
        return RF_OK;
    }
    return rf_fail(err, RF_ERR_ARG,
                   "this origin was never seen before: --log-key says whose head it must be");
}

/* A request of a log: a consistency proof and a head. */
static enum rf_status see_request(struct call *call, struct rf_witness *w, const char *text,
                                  size_t size, struct rf_error *err)
{
    struct rf_proof proof;
    struct rf_vkey vkey;
    struct rf_error why = {RF_OK, ""};
    enum rf_status st;

    if (rf_proof_parse(&proof, text, size, &why) != RF_OK || proof.kind != RF_PROOF_EXTENSION)
        return rf_fail(err, RF_ERR_INPUT, "'%s': %s", call->what,
                       why.text[0] != '\0' ? why.text : "a proof of an entry, not of a head");
    call->seen = proof.head.seal;
    st = rf_witness_recall(w, proof.head.seal.origin, &call->before, err);
    if (st == RF_OK)
        st = log_key(call, &call->before, &vkey, err);
    if (st == RF_OK && call->before.seen && proof.head.seal.size >= call->before.head.size &&
        proof.index != call->before.head.size)
        st = rf_fail(err, RF_NO,
                     "refused: the proof begins at %lld entries, and a head over %lld was seen "
                     "before; 'ringfence ledger consistency' makes one that begins there",
                     (long long)proof.index, (long long)call->before.head.size);
    return st == RF_OK ? rf_witness_see(w, &proof.head, &vkey, &proof.path,
                                        rf_time_utc_us() / 1000000, call->note, err)
                       : st;
}

/* Verifies a ledger, from the key that is given on; NULL: from the one beside it. */
static enum rf_status open_ledger(const struct call *call, const struct rf_vkey *pinned,
                                  struct rf_ledger_view *view, struct rf_error *err)
{
    char text[RF_VKEY_BYTES];
    struct rf_error why = {RF_OK, ""};
    enum rf_status st;

    if (pinned != NULL)
        rf_vkey_format(pinned, text);
    st = rf_ledger_view_open(view, call->what, pinned != NULL ? text : NULL, NULL, NULL, err);
    if (st == RF_OK && rf_ledger_view_sound(view, call->what, &why) != RF_OK)
        st = rf_fail(err, RF_NO, "refused: %s", why.text);
    if (st == RF_OK && view->last.text == NULL)
        st = rf_fail(err, RF_NO, "refused: ledger '%s' has no seal", call->what);
    return st;
}

static enum rf_status see_view(struct call *call, struct rf_witness *w,
                               const struct rf_ledger_view *view, struct rf_error *err)
{
    const struct rf_vkey *signer = rf_ledger_view_signer(view, &view->last);
    struct rf_path path = {.n = 0};
    int64_t old = call->before.seen ? call->before.head.size : 0;

    call->seen = view->last.seal;
    if (old > 0 && old <= view->last.seal.size)
        rf_proof_consistency(&path, view->leaves, view->last.seal.size, old);
    return rf_witness_see(w, &view->last, signer, &path, rf_time_utc_us() / 1000000, call->note,
                          err);
}

/* A whole ledger: the proof is made here, and keys may have changed on the way. */
static enum rf_status see_ledger(struct call *call, struct rf_witness *w, struct rf_error *err)
{
    struct rf_ledger_view view = {.nkeys = 0};
    struct rf_vkey vkey;
    enum rf_status st = RF_OK;

    if (call->log_key != NULL)
        st = rf_vkey_read(&vkey, call->log_key, RF_KEY_SEAL, err);
    if (st == RF_OK)
        st = open_ledger(call, call->log_key != NULL ? &vkey : NULL, &view, err);
    if (st == RF_OK)
        st = rf_witness_recall(w, view.last.seal.origin, &call->before, err);
    if (st == RF_OK && call->log_key == NULL && call->before.seen) {
        rf_ledger_view_clear(&view);
        st = open_ledger(call, &call->before.vkey, &view, err);
    } else if (st == RF_OK && call->log_key == NULL) {
        rf_warn("'%s' was never seen before: taking the key beside the ledger, '%s'",
                view.last.seal.origin, view.check.key_name);
    }
    if (st == RF_OK)
        st = see_view(call, w, &view, err);
    rf_ledger_view_clear(&view);
    return st;
}

static enum rf_status see(struct call *call, struct rf_error *err)
{
    struct rf_key *key = NULL;
    struct rf_witness *w = NULL;
    char begin[4] = "";
    char *text = NULL;
    size_t size = 0;
    FILE *in = fopen(call->what, "rb");
    enum rf_status st = RF_OK;

    if (in == NULL || fread(begin, 1, sizeof begin, in) < sizeof begin)
        st = rf_fail(err, RF_ERR_INPUT, "cannot read '%s', or it is empty", call->what);
    if (in != NULL)
        fclose(in);
    if (st == RF_OK)
        st = rf_key_load(&key, call->key, err);
    if (st == RF_OK)
        st = rf_witness_open(&w, call->dir, key, err);
    if (st == RF_OK && memcmp(begin, "old ", sizeof begin) == 0) {
        st = rf_file_read(call->what, RF_PROOF_BYTES, &text, &size, err);
        if (st == RF_OK)
            st = see_request(call, w, text, size, err);
    } else if (st == RF_OK) {
        st = see_ledger(call, w, err);
    }
    free(text);
    rf_witness_close(w);
    rf_key_free(key);
    return st;
}

static enum rf_status print(const struct call *call, int taken, const char *problem,
                            int64_t start_us, struct rf_error *err)
{
    struct rf_build b = {0};
    json_t *root = json_object();

    rf_build_text(&b, root, "command", "witness");
    rf_build_text(&b, root, "version", RF_VERSION);
    rf_build_set(&b, root, "seed", json_null());
    rf_build_number(&b, root, "wall_s", (double)(rf_time_us() - start_us) / 1e6);
    rf_build_set(&b, root, "holds", json_boolean(taken));
    rf_build_text(&b, root, "problem", problem);
    rf_build_text(&b, root, "origin", call->seen.origin);
    rf_build_integer(&b, root, "size", call->seen.size);
    rf_build_integer(&b, root, "old_size", call->before.head.size);
    rf_build_text(&b, root, "note", call->note);
    return rf_build_print(&b, root, err);
}

static enum rf_status answer(struct call *call, struct rf_error *err)
{
    int64_t start_us = rf_time_us();
    struct rf_error why = {RF_OK, ""};
    enum rf_status st = see(call, &why), printed = RF_OK;

    if (st == RF_OK && call->out != NULL)
        st = rf_file_write(call->out, call->note, strlen(call->note), &why);
    else if (st == RF_OK && !call->json && fputs(call->note, stdout) == EOF)
        st = rf_fail(&why, RF_ERR_IO, "cannot write to standard output");
    if (call->json && (st == RF_OK || st == RF_NO)) {
        printed = print(call, st == RF_OK, why.text, start_us, err);
        why.text[0] = '\0';
    }
    if (printed != RF_OK)
        return printed;
    return st == RF_OK ? st : rf_fail(err, st, "%s", why.text);
}

static enum rf_status witness(const struct rf_group *world, int argc, char **argv,
                              struct rf_error *err)
{
    struct call call = {.json = 0};
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 'k',
         .name = "key",
         .value = "FILE",
         .text = &call.key,
         .help = "the witness's secret key, made by 'ringfence keygen --witness'; required"},
        {.name = "log-key",
         .value = "FILE",
         .text = &call.log_key,
         .help = "the public key of the ledger (default: the one remembered, with the changes "
                 "that the ledger records; at first sight the one beside it)"},
        {.name = "out",
         .value = "FILE",
         .text = &call.out,
         .help = "where the cosigned head goes (default: standard output)"},
        {.name = "json", .flag = &call.json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "witness DIR LEDGER --key=FILE\nwitness DIR REQUEST --key=FILE",
        .about =
            "A second party's memory, in the directory DIR: the last head of each origin. A "
            "new "
            "head, that of a LEDGER or of a REQUEST that 'ringfence ledger consistency --out' "
            "wrote, is compared with the one that is remembered. If it extends it, it is "
            "remembered and printed with a cosignature (c2sp.org/tlog-cosignature); if it is "
            "older, of another history, or not signed by the ledger's key, it is refused with "
            "exit code 1. Whoever sees two heads with cosignatures of one witness knows that "
            "both are of one history.",
        .options = table,
        .min = 2,
        .max = 2};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    call.dir = args.text[0];
    call.what = args.text[1];
    if (call.key == NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "'witness' needs --key, its secret key; see 'ringfence witness --help'");
    return answer(&call, err);
}

const struct rf_command rf_command_witness = {
    .name = "witness",
    .summary = "remember heads of ledgers, and cosign those that extend them",
    .serial = 1,
    .run = witness};
