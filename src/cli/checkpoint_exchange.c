/* ringfence checkpoint export, import: to and from other programs' files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ticker.h"
#include "ckpt/card.h"
#include "cli/checkpoint_verbs.h"
#include "mpi/ckpt_export.h"
#include "mpi/ckpt_import.h"

static enum rf_status options_of(const struct rf_checkpoint_call *call,
                                 struct rf_export_options *options, struct rf_error *err)
{
    *options = (struct rf_export_options){
        .own_names = call->own_names, .all = call->all, .type = RF_SAFETENSORS_F32};
    if (call->dtype != NULL && strcmp(call->dtype, "bf16") == 0)
        options->type = RF_SAFETENSORS_BF16;
    else if (call->dtype != NULL && strcmp(call->dtype, "f32") != 0)
        return rf_fail(err, RF_ERR_ARG,
                       "'%s' is not f32 or bf16; see 'ringfence checkpoint --help'",
                       call->dtype);
    return RF_OK;
}

static enum rf_status print_exported(const struct rf_checkpoint_call *call,
                                     const struct rf_export_options *options,
                                     const struct rf_exported *exported, struct rf_error *err)
{
    if (call->json)
        return rf_checkpoint_print(
            call,
            json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "path", call->paths[0], "out",
                      call->paths[1], "names", rf_family_name(exported->family), "dtype",
                      options->type == RF_SAFETENSORS_BF16 ? "bf16" : "f32", "tensors",
                      exported->ntensors, "left_out", exported->nleft_out, "bytes",
                      (json_int_t)exported->bytes),
            "export", err);
    printf("%s: %d tensors, %lld bytes, names of %s\n", call->paths[1], exported->ntensors,
           (long long)exported->bytes, rf_family_name(exported->family));
    if (exported->nleft_out > 0)
        printf("%d tensors of the optimiser were left out; --all keeps them\n",
               exported->nleft_out);
    return RF_OK;
}

enum rf_status rf_checkpoint_export(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    struct rf_export_options options;
    struct rf_exported exported;
    struct rf_bar bar;
    enum rf_status st = options_of(call, &options, err);

    if (st != RF_OK)
        return st;
    rf_bar_start(&bar, call->paths[1], call->world->rank == 0);
    st = rf_ckpt_export(call->world, call->paths[0], call->paths[1], &options, &bar.watch,
                        &exported, err);
    rf_bar_end(&bar);
    if (st == RF_OK && call->world->rank == 0)
        st = print_exported(call, &options, &exported, err);
    return st;
}

/* What its config.json says of norms and positions, as keys of the entry. */
static void print_card(const struct rf_model_card *card, int llama)
{
    if (llama && !isnan(card->rope_theta))
        printf(" rope_theta = %.17g;", card->rope_theta);
    if (!isnan(card->norm_eps))
        printf(" norm_eps = %g;", card->norm_eps);
    printf(" } );\n");
    if (!card->found)
        printf("there is no config.json beside the file: norm_eps%s may have to be given\n",
               llama ? " and rope_theta" : "");
}

/* The model as an entry of a configuration's `models`. */
static void print_entry(const struct rf_imported *imported, const struct rf_model_card *card)
{
    const char *words = imported->model, *untied = imported->untied ? " untied = true;" : "";
    int layers, heads, width, kv, hidden, context, vocabulary;

    if (sscanf(words, "gpt2 layers=%d heads=%d width=%d hidden=%d context=%d vocabulary=%d",
               &layers, &heads, &width, &hidden, &context, &vocabulary) == 6) {
        printf(
            "models = ( { name = \"NAME\"; layers = %d; heads = %d; width = %d; hidden = %d; "
            "context = %d; vocabulary = %d;%s",
            layers, heads, width, hidden, context, vocabulary, untied);
        print_card(card, 0);
    } else if (sscanf(words, "llama layers=%d heads=%d width=%d kv=%d hidden=%d vocabulary=%d",
                      &layers, &heads, &width, &kv, &hidden, &vocabulary) == 6 &&
               heads > 0 && width >= heads) {
        printf("models = ( { name = \"NAME\"; family = \"llama\"; layers = %d; heads = %d; "
               "kv_heads = %d; width = %d; hidden = %d; vocabulary = %d;%s",
               layers, heads, kv / (width / heads), width, hidden, vocabulary, untied);
        print_card(card, 1);
    }
}

static enum rf_status print_imported(const struct rf_checkpoint_call *call,
                                     const struct rf_imported *imported,
                                     const struct rf_model_card *card, struct rf_error *err)
{
    char hex[RF_DIGEST_HEX];

    rf_digest_to_hex(&imported->content, hex);
    if (call->json)
        return rf_checkpoint_print(
            call,
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:s}", "in", call->paths[0], "path",
                      imported->path, "names", rf_family_name(imported->family), "model",
                      imported->model, "step", (json_int_t)imported->step, "tensors",
                      imported->ntensors, "left_out", imported->nleft_out, "content", hex),
            "import", err);
    printf("%s: %d tensors, content %s\nmodel: %s\n", imported->path, imported->ntensors, hex,
           imported->model);
    print_entry(imported, card);
    if (imported->nleft_out > 0)
        printf("%d tensors that hold no weights of their own were left out\n",
               imported->nleft_out);
    return RF_OK;
}

enum rf_status rf_checkpoint_import(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    struct rf_import_options options = {.heads = (int)call->heads, .version = RF_VERSION};
    struct rf_imported imported;
    struct rf_model_card card;
    struct rf_bar bar;
    enum rf_status st =
        rf_agree(call->world, rf_model_card_read(&card, call->paths[0], err), err);

    if (st != RF_OK)
        return st;
    if (options.heads == 0)
        options.heads = card.heads;
    rf_bar_start(&bar, call->paths[0], call->world->rank == 0);
    st = rf_ckpt_import(call->world, call->paths[0], call->paths[1], &options, &bar.watch,
                        &imported, err);
    rf_bar_end(&bar);
    if (st == RF_OK && call->world->rank == 0)
        st = print_imported(call, &imported, &card, err);
    return st;
}
