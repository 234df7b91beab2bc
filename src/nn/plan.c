#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* How a tensor is cut over the ranks. */
enum cut { WHOLE, VOCABULARY_ROWS, HEAD_ROWS, HEAD_COLUMNS, HIDDEN_ROWS, HIDDEN_COLUMNS };

enum { ALIGN_ELEMENTS = 16 };

static void cut_dimension(struct rf_param *p, int d, struct rf_slice s, int64_t unit)
{
    p->offset[d] = s.begin * unit;
    p->extent[d] = s.count * unit;
    p->replicated = 0;
}

/* Appends a tensor of rows x cols (cols 0: one dimension) behind all the others. */
static struct rf_param *add(struct rf_plan *plan, const char *name, int64_t rows, int64_t cols,
                            enum cut cut, enum rf_init init)
{
    struct rf_param *p = &plan->params[plan->nparams++];
    int64_t head_width = plan->shape.width / plan->shape.heads;

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
        cut_dimension(p, 0, plan->heads, head_width);
    else if (cut == HEAD_COLUMNS)
        cut_dimension(p, 1, plan->heads, head_width);
    else if (cut == HIDDEN_ROWS)
        cut_dimension(p, 0, plan->hidden, 1);
    else if (cut == HIDDEN_COLUMNS)
        cut_dimension(p, 1, plan->hidden, 1);
    plan->nglobal += p->shape[0] * p->shape[1];
    return p;
}

static void add_layer(struct rf_plan *plan, int i)
{
    static const struct {
        const char *name;
        int out, in; /* 0: none, 1: width, 2: hidden */
        enum cut cut;
        enum rf_init init;
    } table[RF_LAYER_PARAMS] = {
        [RF_LN1_W] = {"ln_1.weight", 1, 0, WHOLE, RF_INIT_ONE},
        [RF_LN1_B] = {"ln_1.bias", 1, 0, WHOLE, RF_INIT_ZERO},
        [RF_Q_W] = {"attn.q.weight", 1, 1, HEAD_ROWS, RF_INIT_NORMAL},
        [RF_K_W] = {"attn.k.weight", 1, 1, HEAD_ROWS, RF_INIT_NORMAL},
        [RF_V_W] = {"attn.v.weight", 1, 1, HEAD_ROWS, RF_INIT_NORMAL},
        [RF_Q_B] = {"attn.q.bias", 1, 0, HEAD_ROWS, RF_INIT_ZERO},
        [RF_K_B] = {"attn.k.bias", 1, 0, HEAD_ROWS, RF_INIT_ZERO},
        [RF_V_B] = {"attn.v.bias", 1, 0, HEAD_ROWS, RF_INIT_ZERO},
        [RF_O_W] = {"attn.o.weight", 1, 1, HEAD_COLUMNS, RF_INIT_NORMAL},
        [RF_O_B] = {"attn.o.bias", 1, 0, WHOLE, RF_INIT_ZERO},
        [RF_LN2_W] = {"ln_2.weight", 1, 0, WHOLE, RF_INIT_ONE},
        [RF_LN2_B] = {"ln_2.bias", 1, 0, WHOLE, RF_INIT_ZERO},
        [RF_FC_W] = {"mlp.fc.weight", 2, 1, HIDDEN_ROWS, RF_INIT_NORMAL},
        [RF_FC_B] = {"mlp.fc.bias", 2, 0, HIDDEN_ROWS, RF_INIT_ZERO},
        [RF_PROJ_W] = {"mlp.proj.weight", 1, 2, HIDDEN_COLUMNS, RF_INIT_NORMAL},
        [RF_PROJ_B] = {"mlp.proj.bias", 1, 0, WHOLE, RF_INIT_ZERO},
    };
    const int64_t size[3] = {0, plan->shape.width, plan->shape.hidden};

    for (int j = 0; j < RF_LAYER_PARAMS; j++) {
        char name[RF_TENSOR_NAME];
        struct rf_param *p;

        snprintf(name, sizeof name, "h.%d.%s", i, table[j].name);
        p = add(plan, name, size[table[j].out], size[table[j].in], table[j].cut, table[j].init);
        /* What is added to the residual stream starts smaller the more layers add to it. */
        if (j == RF_O_W || j == RF_PROJ_W)
            p->init_std /= sqrt(2.0 * plan->shape.layers);
    }
}

static void place(struct rf_plan *plan)
{
    size_t at = 0;

    for (int i = 0; i < plan->nparams; i++) {
        struct rf_param *p = &plan->params[i];
        int in_layer = i >= RF_PARAM_LAYER ? (i - RF_PARAM_LAYER) % RF_LAYER_PARAMS : -1;
        int follows_k = i < plan->nparams - 2 && (in_layer == RF_V_W || in_layer == RF_V_B);

        if (!follows_k)
            at = (at + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
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
    return RF_OK;
}

enum rf_status rf_plan_make(struct rf_plan *plan, const struct rf_model_shape *shape, int rank,
                            int size, struct rf_error *err)
{
    size_t count;

    *plan = (struct rf_plan){.shape = *shape, .rank = rank, .size = size};
    if (check(shape, err) != RF_OK)
        return RF_ERR_ARG;
    plan->vocabulary = rf_slice(shape->vocabulary, rank, size);
    plan->heads = rf_slice(shape->heads, rank, size);
    plan->hidden = rf_slice(shape->hidden, rank, size);
    count = RF_PARAM_LAYER + (size_t)shape->layers * RF_LAYER_PARAMS + 2;
    plan->params = calloc(count, sizeof *plan->params);
    if (plan->params == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: %zu parameter tensors", count);
    add(plan, "wte.weight", shape->vocabulary, shape->width, VOCABULARY_ROWS, RF_INIT_NORMAL);
    add(plan, "wpe.weight", shape->context, shape->width, WHOLE, RF_INIT_NORMAL);
    for (int i = 0; i < shape->layers; i++)
        add_layer(plan, i);
    add(plan, "ln_f.weight", shape->width, 0, WHOLE, RF_INIT_ONE);
    add(plan, "ln_f.bias", shape->width, 0, WHOLE, RF_INIT_ZERO);
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
    int64_t macs = full * work->rows * (4 * C * C + 2 * C * H);

    macs += work->rows * 2 * C * C + work->asked * (2 * C * C + 2 * C * H);
    macs += work->asked * C * work->range;
    return 2 * macs + 4 * C * (full * work->row_visits + work->asked_visits);
}
