#include "ckpt/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor of a family. '#' stands for a layer's number. Sizes by letter: V vocabulary, T
 * context, C width, H hidden, K width of keys and values; in 0: one dimension. */
struct rule {
    const char *ours, *theirs;
    char out, in;
    int transposed, part, parts, optional;
};

static const struct rule gpt2[] = {
    {"wte.weight", "wte.weight", 'V', 'C', 0, 0, 1, 0},
    {"wpe.weight", "wpe.weight", 'T', 'C', 0, 0, 1, 0},
    {"h.#.ln_1.weight", "h.#.ln_1.weight", 'C', 0, 0, 0, 1, 0},
    {"h.#.ln_1.bias", "h.#.ln_1.bias", 'C', 0, 0, 0, 1, 0},
    {"h.#.attn.q.weight", "h.#.attn.c_attn.weight", 'C', 'C', 1, 0, 3, 0},
    {"h.#.attn.k.weight", "h.#.attn.c_attn.weight", 'C', 'C', 1, 1, 3, 0},
    {"h.#.attn.v.weight", "h.#.attn.c_attn.weight", 'C', 'C', 1, 2, 3, 0},
    {"h.#.attn.q.bias", "h.#.attn.c_attn.bias", 'C', 0, 0, 0, 3, 0},
    {"h.#.attn.k.bias", "h.#.attn.c_attn.bias", 'C', 0, 0, 1, 3, 0},
    {"h.#.attn.v.bias", "h.#.attn.c_attn.bias", 'C', 0, 0, 2, 3, 0},
    {"h.#.attn.o.weight", "h.#.attn.c_proj.weight", 'C', 'C', 1, 0, 1, 0},
    {"h.#.attn.o.bias", "h.#.attn.c_proj.bias", 'C', 0, 0, 0, 1, 0},
    {"h.#.ln_2.weight", "h.#.ln_2.weight", 'C', 0, 0, 0, 1, 0},
    {"h.#.ln_2.bias", "h.#.ln_2.bias", 'C', 0, 0, 0, 1, 0},
    {"h.#.mlp.fc.weight", "h.#.mlp.c_fc.weight", 'H', 'C', 1, 0, 1, 0},
    {"h.#.mlp.fc.bias", "h.#.mlp.c_fc.bias", 'H', 0, 0, 0, 1, 0},
    {"h.#.mlp.proj.weight", "h.#.mlp.c_proj.weight", 'C', 'H', 1, 0, 1, 0},
    {"h.#.mlp.proj.bias", "h.#.mlp.c_proj.bias", 'C', 0, 0, 0, 1, 0},
    {"ln_f.weight", "ln_f.weight", 'C', 0, 0, 0, 1, 0},
    {"ln_f.bias", "ln_f.bias", 'C', 0, 0, 0, 1, 0},
    {0},
};

static const struct rule llama[] = {
    {"wte.weight", "model.embed_tokens.weight", 'V', 'C', 0, 0, 1, 0},
    {"h.#.ln_1.weight", "model.layers.#.input_layernorm.weight", 'C', 0, 0, 0, 1, 0},
    {"h.#.attn.q.weight", "model.layers.#.self_attn.q_proj.weight", 'C', 'C', 0, 0, 1, 0},
    {"h.#.attn.k.weight", "model.layers.#.self_attn.k_proj.weight", 'K', 'C', 0, 0, 1, 0},
    {"h.#.attn.v.weight", "model.layers.#.self_attn.v_proj.weight", 'K', 'C', 0, 0, 1, 0},
    {"h.#.attn.o.weight", "model.layers.#.self_attn.o_proj.weight", 'C', 'C', 0, 0, 1, 0},
    {"h.#.ln_2.weight", "model.layers.#.post_attention_layernorm.weight", 'C', 0, 0, 0, 1, 0},
    {"h.#.mlp.gate.weight", "model.layers.#.mlp.gate_proj.weight", 'H', 'C', 0, 0, 1, 0},
    {"h.#.mlp.fc.weight", "model.layers.#.mlp.up_proj.weight", 'H', 'C', 0, 0, 1, 0},
    {"h.#.mlp.proj.weight", "model.layers.#.mlp.down_proj.weight", 'C', 'H', 0, 0, 1, 0},
    {"ln_f.weight", "model.norm.weight", 'C', 0, 0, 0, 1, 0},
    {"lm_head.weight", "lm_head.weight", 'V', 'C', 0, 0, 1, 1},
    {0},
};

static const struct family {
    const char *name;
    const struct rule *rules;
    const char *prefix;     /* that theirs may have, or NULL */
    const char *ignored[2]; /* theirs without weights */
    const char *tied;       /* theirs that repeats wte.weight */
} families[] = {
    [RF_FAMILY_OWN] = {.name = "own"},
    [RF_FAMILY_GPT2] = {.name = "gpt2",
                        .rules = gpt2,
                        .prefix = "transformer.",
                        .ignored = {"h.#.attn.bias", "h.#.attn.masked_bias"},
                        .tied = "lm_head.weight"},
    [RF_FAMILY_LLAMA] = {.name = "llama",
                         .rules = llama,
                         .ignored = {"model.layers.#.self_attn.rotary_emb.inv_freq"}},
};

enum { LAYER_DIGITS = 5 };

const char *rf_family_name(enum rf_family family)
{
    return families[family].name;
}

int rf_family_of_model(enum rf_family *family, const char *model)
{
    size_t length = strcspn(model, " ");

    for (int i = RF_FAMILY_GPT2; i <= RF_FAMILY_LLAMA; i++)
        if (strlen(families[i].name) == length &&
            strncmp(families[i].name, model, length) == 0) {
            *family = (enum rf_family)i;
            return 1;
        }
    return 0;
}

/* Does name fit the pattern? *layer gets the number that '#' stands for, -1 without one.
 * Numbers have no leading zeros: one tensor, one name. */
static int fits(const char *pattern, const char *name, int *layer)
{
    const char *mark = strchr(pattern, '#');
    size_t before, digits;

    *layer = -1;
    if (mark == NULL)
        return strcmp(pattern, name) == 0;
    before = (size_t)(mark - pattern);
    if (strncmp(pattern, name, before) != 0)
        return 0;
    digits = strspn(name + before, "0123456789");
    if (digits == 0 || digits > LAYER_DIGITS || (digits > 1 && name[before] == '0') ||
        strcmp(name + before + digits, mark + 1) != 0)
        return 0;
    *layer = (int)strtol(name + before, NULL, 10);
    return 1;
}

static void fill(char name[RF_TENSOR_NAME], const char *pattern, int layer)
{
    const char *mark = strchr(pattern, '#');

    if (mark == NULL)
        snprintf(name, RF_TENSOR_NAME, "%s", pattern);
    else
        snprintf(name, RF_TENSOR_NAME, "%.*s%d%s", (int)(mark - pattern), pattern, layer,
                 mark + 1);
}

static struct rf_place place_by(const struct rule *rule, const char *pattern, int layer)
{
    struct rf_place place = {
        .transposed = rule->transposed, .part = rule->part, .parts = rule->parts};

    fill(place.name, pattern, layer);
    return place;
}

static int as_it_is(const char *name, struct rf_place *place)
{
    *place = (struct rf_place){.parts = 1};
    if (strlen(name) >= RF_TENSOR_NAME)
        return 0;
    memcpy(place->name, name, strlen(name) + 1);
    return 1;
}

int rf_names_theirs(enum rf_family family, const char *ours, struct rf_place *place)
{
    int layer;

    if (family == RF_FAMILY_OWN)
        return as_it_is(ours, place);
    for (const struct rule *rule = families[family].rules; rule->ours != NULL; rule++)
        if (fits(rule->ours, ours, &layer)) {
            *place = place_by(rule, rule->theirs, layer);
            return 1;
        }
    return 0;
}

static const char *without_prefix(enum rf_family family, const char *theirs)
{
    const char *prefix = families[family].prefix;
    size_t length = prefix != NULL ? strlen(prefix) : 0;

    return length > 0 && strncmp(theirs, prefix, length) == 0 ? theirs + length : theirs;
}

int rf_names_ours(enum rf_family family, const char *theirs, struct rf_place places[3])
{
    int n = 0, layer;

    if (family == RF_FAMILY_OWN)
        return as_it_is(theirs, places);
    theirs = without_prefix(family, theirs);
    for (const struct rule *rule = families[family].rules; rule->ours != NULL; rule++)
        if (fits(rule->theirs, theirs, &layer))
            places[n++] = place_by(rule, rule->ours, layer);
    return n;
}

int64_t rf_names_order(enum rf_family family, const char *ours)
{
    const struct rule *rules = families[family].rules, *rule = rules;
    int64_t layer_wide = 1 << 16;
    int layer = -1, layers_before = 0;

    for (; family != RF_FAMILY_OWN && rule->ours != NULL; rule++) {
        layers_before |= strchr(rule->ours, '#') != NULL;
        if (fits(rule->ours, ours, &layer))
            break;
    }
    if (layer < 0) /* before all layers, or behind them */
        layer = layers_before ? INT32_MAX - 1 : -1;
    return family == RF_FAMILY_OWN ? 0 : (layer + INT64_C(1)) * layer_wide + (rule - rules);
}

int rf_names_ignored(enum rf_family family, const char *theirs)
{
    int layer;

    theirs = without_prefix(family, theirs);
    for (int i = 0; i < 2; i++)
        if (families[family].ignored[i] != NULL &&
            fits(families[family].ignored[i], theirs, &layer))
            return 1;
    return 0;
}

int rf_names_tied(enum rf_family family, const char *theirs)
{
    const char *tied = families[family].tied;

    return tied != NULL && strcmp(tied, without_prefix(family, theirs)) == 0;
}

static int64_t *size_by(struct rf_sizes *sizes, char letter)
{
    switch (letter) {
    case 'V':
        return &sizes->vocabulary;
    case 'T':
        return &sizes->context;
    case 'H':
        return &sizes->hidden;
    case 'K':
        return &sizes->kv_width;
    default:
        return &sizes->width;
    }
}

/* The first tensor with a letter says what it means, all others agree. */
static int agree(struct rf_sizes *sizes, char letter, int64_t size)
{
    int64_t *known = size_by(sizes, letter);

    if (*known == 0)
        *known = size;
    return *known == size;
}

static enum rf_status check_one(enum rf_family family, const struct rf_named_shape *tensor,
                                struct rf_sizes *sizes, struct rf_error *err)
{
    int layer, two = 0, fit = 0;
    const struct rule *rule = families[family].rules;

    while (rule->ours != NULL && !fits(rule->ours, tensor->name, &layer))
        rule++;
    if (rule->ours == NULL)
        return rf_fail(err, RF_ERR_INPUT, "a %s model has no tensor '%s'",
                       families[family].name, tensor->name);
    if (layer >= sizes->layers)
        sizes->layers = layer + 1;
    two = rule->in != 0;
    fit = tensor->ndims == 1 + two && tensor->shape[0] > 0 && tensor->shape[1] > 0 &&
          agree(sizes, rule->out, tensor->shape[0]) &&
          (!two || agree(sizes, rule->in, tensor->shape[1]));
    if (!fit)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' has a shape that does not go with the other tensors' of a %s "
                       "model (width %lld)",
                       tensor->name, families[family].name, (long long)sizes->width);
    return RF_OK;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* Every tensor of the rules is among the sorted names. */
static enum rf_status all_there(enum rf_family family, const char **names, int n, int layers,
                                struct rf_error *err)
{
    for (const struct rule *rule = families[family].rules; rule->ours != NULL; rule++)
        for (int i = 0; !rule->optional && i < (strchr(rule->ours, '#') != NULL ? layers : 1);
             i++) {
            char name[RF_TENSOR_NAME];
            const char *key = name;

            fill(name, rule->ours, i);
            if (bsearch(&key, names, (size_t)n, sizeof *names, by_name) == NULL)
                return rf_fail(err, RF_ERR_INPUT, "the tensor '%s' of a %s model is missing",
                               name, families[family].name);
        }
    return RF_OK;
}

enum rf_status rf_names_check(enum rf_family family, const struct rf_named_shape *tensors,
                              int ntensors, struct rf_sizes *sizes, struct rf_error *err)
{
    const char **names;
    enum rf_status st = RF_OK;

    *sizes = (struct rf_sizes){0};
    if (family == RF_FAMILY_OWN)
        return RF_OK;
    names = malloc(((size_t)ntensors + 1) * sizeof *names);
    if (names == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", ntensors);
    for (int i = 0; st == RF_OK && i < ntensors; i++) {
        names[i] = tensors[i].name;
        st = check_one(family, &tensors[i], sizes, err);
    }
    if (st == RF_OK) {
        qsort(names, (size_t)ntensors, sizeof *names, by_name);
        for (int i = 1; st == RF_OK && i < ntensors; i++)
            if (strcmp(names[i - 1], names[i]) == 0)
                st = rf_fail(err, RF_ERR_INPUT, "the tensor '%s' is there twice", names[i]);
    }
    if (st == RF_OK)
        st = all_there(family, names, ntensors, (int)sizes->layers, err);
    free(names);
    return st;
}
