/* Our names and Hugging Face's, in both directions, and what makes a whole model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ckpt/names.h"
#include "nn/plan.h"

enum { MOST = 256 };

/* The parameters of a GPT-2 of the trainer's. */
static int gpt2(struct rf_named_shape shapes[MOST], struct rf_plan *plan)
{
    const struct rf_model_shape shape = {
        .vocabulary = 50, .context = 9, .layers = 3, .heads = 2, .width = 6, .hidden = 24};
    struct rf_error err;

    assert_int_equal(rf_plan_make(plan, &shape, 0, 1, &err), RF_OK);
    for (int i = 0; i < plan->nparams; i++)
        shapes[i] =
            (struct rf_named_shape){plan->params[i].name,
                                    plan->params[i].ndims,
                                    {plan->params[i].shape[0], plan->params[i].shape[1]}};
    return plan->nparams;
}

/* A Llama of two layers with grouped queries, its output layer of its own last. */
static int llama(struct rf_named_shape shapes[MOST], char names[MOST][RF_TENSOR_NAME])
{
    static const struct {
        const char *name;
        int64_t rows, columns;
    } layer[] = {
        {"ln_1.weight", 8, 0},      {"attn.q.weight", 8, 8},  {"attn.k.weight", 4, 8},
        {"attn.v.weight", 4, 8},    {"attn.o.weight", 8, 8},  {"ln_2.weight", 8, 0},
        {"mlp.gate.weight", 20, 8}, {"mlp.fc.weight", 20, 8}, {"mlp.proj.weight", 8, 20}};
    int n = 0;

    shapes[n++] = (struct rf_named_shape){"wte.weight", 2, {30, 8}};
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof layer / sizeof layer[0]; k++) {
            snprintf(names[n], RF_TENSOR_NAME, "h.%d.%s", i, layer[k].name);
            shapes[n] = (struct rf_named_shape){
                names[n],
                layer[k].columns ? 2 : 1,
                {layer[k].rows, layer[k].columns ? layer[k].columns : 1}};
            n++;
        }
    shapes[n++] = (struct rf_named_shape){"ln_f.weight", 1, {8, 1}};
    shapes[n++] = (struct rf_named_shape){"lm_head.weight", 2, {30, 8}};
    return n;
}

/* Every tensor has one place in theirs, and looking there finds it. */
static void there_and_back(enum rf_family family, const struct rf_named_shape *shapes, int n,
                           int theirs)
{
    int firsts = 0;

    for (int i = 0; i < n; i++) {
        struct rf_place there, back[3];
        int parts, found = 0;

        assert_true(rf_names_theirs(family, shapes[i].name, &there));
        parts = rf_names_ours(family, there.name, back);
        assert_int_equal(parts, there.parts);
        for (int k = 0; k < parts; k++)
            if (strcmp(back[k].name, shapes[i].name) == 0) {
                found++;
                assert_int_equal(back[k].part, there.part);
                assert_int_equal(back[k].transposed, there.transposed);
                assert_true(!there.transposed || shapes[i].ndims == 2);
            }
        assert_int_equal(found, 1);
        firsts += there.part == 0;
        if (i > 0)
            assert_true(rf_names_order(family, shapes[i - 1].name) <
                        rf_names_order(family, shapes[i].name));
    }
    assert_int_equal(firsts, theirs);
}

static void every_name_leads_there_and_back(void **state)
{
    struct rf_named_shape shapes[MOST];
    char names[MOST][RF_TENSOR_NAME];
    struct rf_plan plan;
    int n = gpt2(shapes, &plan);

    (void)state;
    there_and_back(RF_FAMILY_GPT2, shapes, n, 3 * 12 + 4);
    rf_plan_clear(&plan);
    n = llama(shapes, names);
    there_and_back(RF_FAMILY_LLAMA, shapes, n, 2 * 9 + 3);
}

static void theirs(enum rf_family family, const char *ours, const char *wanted, int transposed,
                   int part, int parts)
{
    struct rf_place place;

    assert_true(rf_names_theirs(family, ours, &place));
    assert_string_equal(place.name, wanted);
    assert_int_equal(place.transposed, transposed);
    assert_int_equal(place.part, part);
    assert_int_equal(place.parts, parts);
}

static void names_are_those_of_the_published_models(void **state)
{
    struct rf_place places[3];

    (void)state;
    theirs(RF_FAMILY_GPT2, "wte.weight", "wte.weight", 0, 0, 1);
    theirs(RF_FAMILY_GPT2, "h.11.attn.k.weight", "h.11.attn.c_attn.weight", 1, 1, 3);
    theirs(RF_FAMILY_GPT2, "h.0.attn.v.bias", "h.0.attn.c_attn.bias", 0, 2, 3);
    theirs(RF_FAMILY_GPT2, "h.0.mlp.proj.weight", "h.0.mlp.c_proj.weight", 1, 0, 1);
    theirs(RF_FAMILY_LLAMA, "wte.weight", "model.embed_tokens.weight", 0, 0, 1);
    theirs(RF_FAMILY_LLAMA, "h.31.mlp.fc.weight", "model.layers.31.mlp.up_proj.weight", 0, 0,
           1);
    theirs(RF_FAMILY_LLAMA, "h.3.attn.k.weight", "model.layers.3.self_attn.k_proj.weight", 0, 0,
           1);
    theirs(RF_FAMILY_OWN, "m/anything", "m/anything", 0, 0, 1);
    assert_int_equal(rf_names_ours(RF_FAMILY_GPT2, "transformer.h.2.attn.c_attn.bias", places),
                     3);
    assert_string_equal(places[2].name, "h.2.attn.v.bias");
    assert_true(rf_names_tied(RF_FAMILY_GPT2, "lm_head.weight"));
    assert_false(rf_names_tied(RF_FAMILY_LLAMA, "lm_head.weight"));
    assert_true(rf_names_ignored(RF_FAMILY_GPT2, "transformer.h.7.attn.bias"));
    assert_true(rf_names_ignored(RF_FAMILY_GPT2, "h.0.attn.masked_bias"));
    assert_true(
        rf_names_ignored(RF_FAMILY_LLAMA, "model.layers.0.self_attn.rotary_emb.inv_freq"));
    assert_false(rf_names_ignored(RF_FAMILY_LLAMA, "h.0.attn.bias"));
}

static void near_misses_are_no_names(void **state)
{
    static const char *const wrong[] = {"",
                                        "h",
                                        "h.",
                                        "h..ln_1.weight",
                                        "h.00.ln_1.weight",
                                        "h.-1.ln_1.weight",
                                        "h.1x.ln_1.weight",
                                        "h.1.ln_1.weight ",
                                        "h.100000.ln_1.weight",
                                        "wte.weigh",
                                        "wte.weight2",
                                        "transformer.transformer.wte.weight",
                                        "h.#.ln_1.weight"};
    struct rf_place places[3];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(rf_names_theirs(RF_FAMILY_GPT2, wrong[i], places));
        assert_int_equal(rf_names_ours(RF_FAMILY_GPT2, wrong[i], places), 0);
    }
}

static void refused(enum rf_family family, const struct rf_named_shape *shapes, int n,
                    const char *because)
{
    struct rf_sizes sizes;
    struct rf_error err = {0};

    assert_int_equal(rf_names_check(family, shapes, n, &sizes, &err), RF_ERR_INPUT);
    if (strstr(err.text, because) == NULL)
        fail_msg("'%s', not '%s'", err.text, because);
}

static void a_whole_model_is_told_from_parts_of_one(void **state)
{
    struct rf_named_shape shapes[MOST + 1], kept;
    char names[MOST][RF_TENSOR_NAME];
    struct rf_plan plan;
    struct rf_sizes sizes;
    struct rf_error err;
    int n = gpt2(shapes, &plan);

    (void)state;
    assert_int_equal(rf_names_check(RF_FAMILY_GPT2, shapes, n, &sizes, &err), RF_OK);
    assert_int_equal(sizes.layers, 3);
    assert_int_equal(sizes.width, 6);
    assert_int_equal(sizes.hidden, 24);
    assert_int_equal(sizes.context, 9);
    assert_int_equal(sizes.vocabulary, 50);
    for (int i = 0; i < n; i++) { /* any one missing, or of another shape */
        kept = shapes[i];
        shapes[i] = shapes[n - 1];
        refused(RF_FAMILY_GPT2, shapes, n - 1,
                i < n - 1 ? "is missing" : "'ln_f.bias' of a gpt2 model is missing");
        shapes[i] = kept;
        shapes[i].shape[0]++;
        if (strcmp(kept.name, "wpe.weight") != 0 && strcmp(kept.name, "wte.weight") != 0)
            refused(RF_FAMILY_GPT2, shapes, n, "shape");
        shapes[i] = kept;
        shapes[i].ndims = 3 - kept.ndims;
        refused(RF_FAMILY_GPT2, shapes, n, "shape");
        shapes[i] = kept;
    }
    shapes[n] = shapes[0];
    refused(RF_FAMILY_GPT2, shapes, n + 1, "'wte.weight' is there twice");
    shapes[n].name = "stranger";
    refused(RF_FAMILY_GPT2, shapes, n + 1, "has no tensor 'stranger'");
    shapes[n].name = "h.4.ln_1.weight"; /* layer 3 is not there */
    shapes[n].ndims = 1;
    shapes[n].shape[0] = 6;
    shapes[n].shape[1] = 1;
    refused(RF_FAMILY_GPT2, shapes, n + 1, "'h.3.");
    rf_plan_clear(&plan);

    n = llama(shapes, names);
    assert_int_equal(rf_names_check(RF_FAMILY_LLAMA, shapes, n, &sizes, &err), RF_OK);
    assert_int_equal(sizes.kv_width, 4);
    assert_int_equal(sizes.hidden, 20);
    /* the output layer may be the embedding */
    assert_int_equal(rf_names_check(RF_FAMILY_LLAMA, shapes, n - 1, &sizes, &err), RF_OK);
    refused(RF_FAMILY_LLAMA, shapes, n - 2, "'ln_f.weight'");
    refused(RF_FAMILY_GPT2, shapes + 7, 1, "has no tensor 'h.0.mlp.gate.weight'");
    refused(RF_FAMILY_GPT2, shapes, 0, "'wte.weight'");
}

static void the_family_is_the_models_first_word(void **state)
{
    enum rf_family family = RF_FAMILY_OWN;

    (void)state;
    assert_true(rf_family_of_model(&family, "llama layers=1"));
    assert_int_equal(family, RF_FAMILY_LLAMA);
    assert_true(rf_family_of_model(&family, "gpt2"));
    assert_int_equal(family, RF_FAMILY_GPT2);
    assert_false(rf_family_of_model(&family, "gpt22 layers=1"));
    assert_false(rf_family_of_model(&family, "gpt"));
    assert_false(rf_family_of_model(&family, ""));
    assert_false(rf_family_of_model(&family, "own"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_leads_there_and_back),
        cmocka_unit_test(names_are_those_of_the_published_models),
        cmocka_unit_test(near_misses_are_no_names),
        cmocka_unit_test(a_whole_model_is_told_from_parts_of_one),
        cmocka_unit_test(the_family_is_the_models_first_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
