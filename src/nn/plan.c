#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a tensor is cut over the ranks. */
enum cut {
    WHOLE,
    VOCABULARY_ROWS,
    HEAD_ROWS,
    KV_ROWS,
    HEAD_COLUMNS,
    HIDDEN_ROWS,
    HIDDEN_COLUMNS
};

static const char *const FAMILIES[] = {[RF_MODEL_GPT2] = "gpt2", [RF_MODEL_LLAMA] = "llama"};

const char *rf_model_family_name(enum rf_model_family family)
{
    return FAMILIES[family];
}

int rf_model_family_of(const char *name)
{
    for (int i = RF_MODEL_GPT2; i <= RF_MODEL_LLAMA; i++)
        if (strcmp(name, FAMILIES[i]) == 0)
            return i;
    return -1;
}

static void cut_dimension(struct rf_param *p, int d, struct rf_slice s, int64_t unit)
{
    p->offset[d] = s.begin * unit;
    p->extent[d] = s.count * unit;
    p->replicated = 0;
}

/* Appends a tensor of rows x cols (cols 0: one dimension) behind all the others, and returns its
 * index. */
static int add(struct rf_plan *plan, const char *name, int64_t rows, int64_t cols, enum cut cut,
               enum rf_init init)
{
    struct rf_param *p = &plan->params[plan->nparams++];

    *p = (struct rf_param){
        .ndims = cols ? 2 : 1, .shape = {rows, cols ? cols : 1}, .init = init};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->extent[0] = p->shape[0];
    p->extent[1] = p->shape[1];
    p->replicated = 1;
    p->decays = p->ndims == 2;
    p->init_std = 0.02;
    if (cut == VOCABULARY_ROWS)
        cut_dimension(p, 0, plan->vocabulary, 1);
    else if (cut == HEAD_ROWS)
        cut_dimension(p, 0, plan->heads, plan->head_width);
    else if (cut == KV_ROWS)
        cut_dimension(p, 0, plan->kv_heads, plan->head_width);
    else if (cut == HEAD_COLUMNS)
        cut_dimension(p, 1, plan->heads, plan->head_width);
    else if (cut == HIDDEN_ROWS)
        cut_dimension(p, 0, plan->hidden, 1);
    else if (cut == HIDDEN_COLUMNS)
        cut_dimension(p, 1, plan->hidden, 1);
    plan->nglobal += p->shape[0] * p->shape[1];
    return plan->nparams - 1;
}

/* Who has a tensor. */
enum { GPT2 = 1 << RF_MODEL_GPT2, LLAMA = 1 << RF_MODEL_LLAMA, BOTH = GPT2 | LLAMA };

static const struct {
    const char *name;
    int out, in; /* 0: none, 1: width, 2: hidden, 3: of the keys */
    enum cut cut;
    enum rf_init init;
    int families;
} LAYER[RF_LAYER_PARAMS] = {
    [RF_LN1_W] = {"ln_1.weight", 1, 0, WHOLE, RF_INIT_ONE, BOTH},
    [RF_LN1_B] = {"ln_1.bias", 1, 0, WHOLE, RF_INIT_ZERO, GPT2},
    [RF_Q_W] = {"attn.q.weight", 1, 1, HEAD_ROWS, RF_INIT_NORMAL, BOTH},
    [RF_K_W] = {"attn.k.weight", 3, 1, KV_ROWS, RF_INIT_NORMAL, BOTH},
    [RF_V_W] = {"attn.v.weight", 3, 1, KV_ROWS, RF_INIT_NORMAL, BOTH},
    [RF_Q_B] = {"attn.q.bias", 1, 0, HEAD_ROWS, RF_INIT_ZERO, GPT2},
    [RF_K_B] = {"attn.k.bias", 3, 0, KV_ROWS, RF_INIT_ZERO, GPT2},
    [RF_V_B] = {"attn.v.bias", 3, 0, KV_ROWS, RF_INIT_ZERO, GPT2},
    [RF_O_W] = {"attn.o.weight", 1, 1, HEAD_COLUMNS, RF_INIT_NORMAL, BOTH},
    [RF_O_B] = {"attn.o.bias", 1, 0, WHOLE, RF_INIT_ZERO, GPT2},
    [RF_LN2_W] = {"ln_2.weight", 1, 0, WHOLE, RF_INIT_ONE, BOTH},
    [RF_LN2_B] = {"ln_2.bias", 1, 0, WHOLE, RF_INIT_ZERO, GPT2},
    [RF_GATE_W] = {"mlp.gate.weight", 2, 1, HIDDEN_ROWS, RF_INIT_NORMAL, LLAMA},
    [RF_FC_W] = {"mlp.fc.weight", 2, 1, HIDDEN_ROWS, RF_INIT_NORMAL, BOTH},
    [RF_FC_B] = {"mlp.fc.bias", 2, 0, HIDDEN_ROWS, RF_INIT_ZERO, GPT2},
    [RF_PROJ_W] = {"mlp.proj.weight", 1, 2, HIDDEN_COLUMNS, RF_INIT_NORMAL, BOTH},
    [RF_PROJ_B] = {"mlp.proj.bias", 1, 0, WHOLE, RF_INIT_ZERO, GPT2},
};

static int has(const struct rf_plan *plan, int which)
{
    return (LAYER[which].families >> plan->shape.family & 1) != 0;
}

static void add_layer(struct rf_plan *plan, int i)
{
    const struct rf_model_shape *shape = &plan->shape;
    const int64_t size[4] = {0, shape->width, shape->hidden,
                             (int64_t)shape->kv_heads * plan->head_width};

    for (int j = 0; j < RF_LAYER_PARAMS; j++) {
        char name[RF_TENSOR_NAME];
        int index;

        if (!has(plan, j))
            continue;
        snprintf(name, sizeof name, "h.%d.%s", i, LAYER[j].name);
        index =
            add(plan, name, size[LAYER[j].out], size[LAYER[j].in], LAYER[j].cut, LAYER[j].init);
        /* What is added to the residual stream starts smaller the more layers add to it. */
        if (j == RF_O_W || j == RF_PROJ_W)
            plan->params[index].init_std /= sqrt(2.0 * shape->layers);
    }
}

/* Which index within a layer each tensor has. */
static void number_layer(struct rf_plan *plan)
{
    plan->per_layer = 0;
    for (int j = 0; j < RF_LAYER_PARAMS; j++)
        plan->in_layer[j] = has(plan, j) ? plan->per_layer++ : -1;
}

int rf_plan_layer(const struct rf_plan *plan, int i, enum rf_layer_param which)
{
    int in_layer = plan->in_layer[which];

    return in_layer < 0 ? -1 : plan->first_layer + i * plan->per_layer + in_layer;
}

int rf_plan_follows(const struct rf_plan *plan, int index)
{
    int at = index - plan->first_layer;
    int in_layer = at < 0 || at >= plan->shape.layers * plan->per_layer ? RF_LAYER_PARAMS
                                                                        : at % plan->per_layer;

    return in_layer == plan->in_layer[RF_V_W] || in_layer == plan->in_layer[RF_V_B] ||
           (plan->in_layer[RF_GATE_W] >= 0 && in_layer == plan->in_layer[RF_FC_W]);
}

size_t rf_plan_next(size_t at)
{
    const size_t border = 128; /* elements: 512 bytes in fp32 */

    return (at + border - 1) / border * border;
}

static void place(struct rf_plan *plan)
{
    size_t at = 0;

    for (int i = 0; i < plan->nparams; i++) {
        struct rf_param *p = &plan->params[i];

        if (!rf_plan_follows(plan, i))
            at = rf_plan_next(at);
        p->at = at;
        at += (size_t)(p->extent[0] * p->extent[1]);
    }
    plan->nlocal = at;
}

static enum rf_status check(const struct rf_model_shape *s, struct rf_error *err)
{
    if (s->vocabulary < 1 || s->context < 1 || s->layers < 1 || s->heads < 1 || s->width < 1 ||
        s->hidden < 1)
        return rf_fail(err, RF_ERR_ARG,
                       "no model has vocabulary %d, context %d, layers %d, heads %d, width %d, "
                       "hidden %d: all must be at least 1",
                       s->vocabulary, s->context, s->layers, s->heads, s->width, s->hidden);
    if (s->width % s->heads != 0)
        return rf_fail(err, RF_ERR_ARG, "width %d is not a multiple of heads %d", s->width,
                       s->heads);
    if (s->kv_heads < 1 || s->heads % s->kv_heads != 0)
        return rf_fail(err, RF_ERR_ARG, "heads %d are not a multiple of kv_heads %d", s->heads,
                       s->kv_heads);
    if (s->family == RF_MODEL_GPT2 && s->kv_heads != s->heads)
        return rf_fail(err, RF_ERR_ARG, "GPT-2 has as many kv_heads as heads, not %d for %d",
                       s->kv_heads, s->heads);
    if (s->family == RF_MODEL_LLAMA && s->width / s->heads % 2 != 0)
        return rf_fail(
            err, RF_ERR_ARG,
            "heads of width %d cannot be rotated: it must be even (width %d, heads %d)",
            s->width / s->heads, s->width, s->heads);
    if (!(s->rope_theta > 0) || !(s->norm_eps > 0))
        return rf_fail(err, RF_ERR_ARG, "rope_theta and norm_eps must be above 0");
    return RF_OK;
}

static struct rf_model_shape with_defaults(const struct rf_model_shape *shape)
{
    struct rf_model_shape s = *shape;

    s.kv_heads = s.kv_heads == 0 ? s.heads : s.kv_heads;
    s.rope_theta = s.rope_theta == 0 ? 10000 : s.rope_theta;
    s.norm_eps = s.norm_eps == 0 ? 1e-5 : s.norm_eps;
    return s;
}

static void add_all(struct rf_plan *plan)
{
    const struct rf_model_shape *s = &plan->shape;
    int gpt2 = s->family == RF_MODEL_GPT2;

    plan->wte =
        add(plan, "wte.weight", s->vocabulary, s->width, VOCABULARY_ROWS, RF_INIT_NORMAL);
    plan->wpe =
        gpt2 ? add(plan, "wpe.weight", s->context, s->width, WHOLE, RF_INIT_NORMAL) : -1;
    plan->first_layer = plan->nparams;
    for (int i = 0; i < s->layers; i++)
        add_layer(plan, i);
    plan->norm_w = add(plan, "ln_f.weight", s->width, 0, WHOLE, RF_INIT_ONE);
    plan->norm_b = gpt2 ? add(plan, "ln_f.bias", s->width, 0, WHOLE, RF_INIT_ZERO) : -1;
    plan->head = s->untied ? add(plan, "lm_head.weight", s->vocabulary, s->width,
                                 VOCABULARY_ROWS, RF_INIT_NORMAL)
                           : plan->wte;
}

enum rf_status rf_plan_make(struct rf_plan *plan, const struct rf_model_shape *shape, int rank,
                            int size, struct rf_error *err)
{
    const struct rf_model_shape *s = &plan->shape;
    int group;
    size_t count;

    *plan = (struct rf_plan){.shape = with_defaults(shape), .rank = rank, .size = size};
    if (check(s, err) != RF_OK)
        return RF_ERR_ARG;
    group = s->heads / s->kv_heads;
    plan->head_width = s->width / s->heads;
    plan->vocabulary = rf_slice(s->vocabulary, rank, size);
    plan->kv_heads = rf_slice(s->kv_heads, rank, size);
    plan->heads = (struct rf_slice){plan->kv_heads.begin * group, plan->kv_heads.count * group};
    plan->hidden = rf_slice(s->hidden, rank, size);
    number_layer(plan);
    count = (size_t)s->layers * (size_t)plan->per_layer + 5;
    plan->params = calloc(count, sizeof *plan->params);
    if (plan->params == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu parameter tensors", count);
    add_all(plan);
    place(plan);
    return RF_OK;
}

void rf_plan_clear(struct rf_plan *plan)
{
    free(plan->params);
    *plan = (struct rf_plan){0};
}

int64_t rf_plan_flops(const struct rf_plan *plan, const struct rf_work *work)
{
    int64_t C = plan->shape.width, H = plan->shape.hidden, full = plan->shape.layers - 1;
    int64_t K = (int64_t)plan->shape.kv_heads * plan->head_width;
    int64_t mlp = (plan->shape.family == RF_MODEL_LLAMA ? 3 : 2) * C * H;
    int64_t macs = full * work->rows * (2 * C * C + 2 * K * C + mlp);

    macs += work->rows * 2 * K * C + work->asked * (2 * C * C + mlp);
    macs += (work->asked - work->pooled) * C * work->range;
    return 2 * macs + 4 * C * (full * work->row_visits + work->asked_visits);
}
