/* ringfence keygen: an Ed25519 key pair for sealing ledgers. */
#include <stdio.h>

#include <jansson.h>

#include "alloc/ledger.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"

static enum rf_status print_json(const char *secret, const char *public, const char *name,
                                 struct rf_error *err)
{
    json_t *root = json_pack("{s:s, s:s, s:n, s:f, s:s, s:s, s:s}", "command", "keygen",
                             "version", RF_VERSION, "seed", "wall_s", 0.0, "name", name,
                             "secret", secret, "public", public);
    enum rf_status st = root != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory");

    if (st == RF_OK && (json_dumpf(root, stdout, JSON_INDENT(1)) != 0 || putchar('\n') == EOF))
        st = rf_fail(err, RF_ERR_IO, "cannot write to standard output");
    json_decref(root);
    return st;
}

static enum rf_status keygen(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    const char *name = "ringfence";
    char public_path[RF_PATH_BYTES];
    int witness = 0, json = 0;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.letter = 'n',
         .name = "name",
         .value = "NAME",
         .text = &name,
         .help = "the name that seals carry, without spaces or '+', for instance "
                 "example.org/cluster (default: ringfence)"},
        {.name = "witness",
         .flag = &witness,
         .help = "a key that cosigns heads ('ringfence witness') and seals no ledger"},
        {.name = "json", .flag = &json, .help = "print one JSON document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "keygen [--name=NAME] [--witness] [--json] FILE",
        .about =
            "Makes an Ed25519 key pair for sealing ledgers: the secret key in FILE "
            "(readable by its owner only) and the public key in FILE.pub, which is what "
            "'ringfence audit --key' wants. Existing files are never replaced. To change the "
            "key of a ledger, make a second one and see 'ringfence ledger rotate'.",
        .options = table,
        .min = 1,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    if (snprintf(public_path, sizeof public_path, "%s.pub", args.text[0]) >=
        (int)sizeof public_path)
        return rf_fail(err, RF_ERR_ARG,
                       "the file name is too long; see 'ringfence keygen --help'");
    if (rf_file_exists(args.text[0]) || rf_file_exists(public_path))
        return rf_fail(err, RF_ERR_ARG, "'%s' is there already; keys are never replaced",
                       rf_file_exists(args.text[0]) ? args.text[0] : public_path);
    st = rf_key_generate_kind(args.text[0], public_path, name,
                              witness ? RF_KEY_WITNESS : RF_KEY_SEAL, err);
    if (st == RF_OK && json)
        st = print_json(args.text[0], public_path, name, err);
    else if (st == RF_OK)
        fprintf(stderr, "secret key: %s (keep it)\npublic key: %s (give it to auditors)\n",
                args.text[0], public_path);
    return st;
}

const struct rf_command rf_command_keygen = {.name = "keygen",
                                             .summary =
                                                 "make an Ed25519 key pair for sealing ledgers",
                                             .serial = 1,
                                             .run = keygen};
