#include "nn/weights.h"

int rf_weights_has(const struct rf_plan *plan, int i)
{
    return plan->params[i].ndims == 2 && i != plan->wpe;
}

int rf_weights_list(struct rf_weight *list, const struct rf_plan *plan)
{
    struct rf_weight last = {.first = -1};
    int n = 0;

    for (int i = 0; i < plan->nparams; i++) {
        const struct rf_param *p = &plan->params[i];

        if (!rf_weights_has(plan, i))
            continue;
        if (rf_plan_follows(plan, i)) {
            last.nparams++;
            last.rows += p->extent[0];
        } else {
            last = (struct rf_weight){.first = i,
                                      .nparams = 1,
                                      .at = p->at,
                                      .rows = p->extent[0],
                                      .cols = p->extent[1],
                                      .looked_up = i == plan->wte || i == plan->head,
                                      .multiplied = i != plan->wte || i == plan->head};
            n++;
        }
        if (list != NULL)
            list[n - 1] = last;
    }
    return n;
}
