#include "nn/traffic.h"

#include "nn/model_parts.h"

const char *rf_traffic_name(enum rf_traffic_kind kind)
{
    static const char *const names[RF_TRAFFIC_KINDS] = {"sum", "max", "small", "gather",
                                                        "spread"};

    return names[kind];
}

static void add(struct rf_traffic *traffic, enum rf_traffic_kind kind, int64_t times,
                int64_t elements, size_t element_bytes)
{
    if (times <= 0 || elements <= 0)
        return;
    traffic->calls[kind] += times;
    traffic->bytes[kind] += elements * (int64_t)element_bytes;
}

void rf_traffic_add_part(struct rf_traffic *traffic, const struct rf_plan *plan,
                         const struct rf_work *work, int recompute)
{
    int64_t C = plan->shape.width, full = plan->shape.layers - 1, each_full;
    int64_t answers = work->asked - work->pooled;
    int64_t step = (int64_t)rf_model_loss_rows((int)answers, (int)work->range);
    int64_t turns = step > 0 ? (answers + step - 1) / step : 0;
    size_t each = sizeof(rf_real);

    if (plan->size == 1)
        return;
    each_full = recompute ? 5 : 4; /* the attention's half once more */
    /* Embeddings; each layer's two halves, forward and backward; the last layer works at the asked rows
     * but for its keys' gradients; the gradient of the output layer. */
    add(traffic, RF_TRAFFIC_SUM, work->rows > 0, work->rows * C, each);
    add(traffic, RF_TRAFFIC_SUM, each_full * full * (work->rows > 0),
        each_full * full * work->rows * C, each);
    add(traffic, RF_TRAFFIC_SUM, 3 * (work->asked > 0), 3 * work->asked * C, each);
    add(traffic, RF_TRAFFIC_SUM, work->rows > 0, work->rows * C, each);
    add(traffic, RF_TRAFFIC_SUM, answers > 0, answers * C, each);
    add(traffic, RF_TRAFFIC_MAX, turns, answers, each);     /* of logits, then */
    add(traffic, RF_TRAFFIC_SUM, turns, 2 * answers, each); /* sums for a softmax */
}

void rf_traffic_add_update(struct rf_traffic *traffic, const struct rf_plan *plan, int copies,
                           int bf16)
{
    if (copies > 1)
        add(traffic, RF_TRAFFIC_SMALL, 1, 2, sizeof(double));
    if (copies * plan->size > 1)
        add(traffic, RF_TRAFFIC_SMALL, 1, 1, sizeof(double));
    for (int i = 0; i < plan->nparams && copies > 1; i++) {
        int64_t n = plan->params[i].extent[0] * plan->params[i].extent[1];

        add(traffic, RF_TRAFFIC_GATHER, 1, n, sizeof(rf_real));
        add(traffic, RF_TRAFFIC_SPREAD, 1, n,
            bf16 && rf_weights_has(plan, i) ? sizeof(uint16_t) : sizeof(rf_real));
    }
}

int64_t rf_traffic_bytes(const struct rf_traffic *traffic)
{
    int64_t sum = 0;

    for (int k = 0; k < RF_TRAFFIC_KINDS; k++)
        sum += traffic->bytes[k];
    return sum;
}

double rf_traffic_share(const struct rf_plan *plan, const struct rf_work *work)
{
    double C = plan->shape.width, full = plan->shape.layers - 1, all;
    double W = plan->head_width, rows = (double)work->rows, asked = (double)work->asked;
    double visits = full * (double)work->row_visits + (double)work->asked_visits, here;
    double gates = plan->shape.family == RF_MODEL_LLAMA ? 3 : 2;

    here = (full * rows + asked) *
           (2 * C * W * (double)plan->heads.count + gates * C * (double)plan->hidden.count);
    here += (full + 1) * rows * 2 * C * W * (double)plan->kv_heads.count;
    here += 2 * visits * W * (double)plan->heads.count;
    here += asked * C * (double)work->range * (double)plan->vocabulary.count /
            (double)plan->shape.vocabulary;
    all = (double)rf_plan_flops(plan, work) / 2;
    return all > 0 ? here / all : 0;
}
