#include "nn/batch.h"

#include <stddef.h>

int rf_batch_items(const struct rf_batch *batch)
{
    return batch->joined > 1 ? batch->R / batch->joined : batch->R;
}

int rf_batch_classes(const struct rf_batch *batch)
{
    return batch->joined > 1 ? batch->range_count * batch->joined : batch->range_count;
}

double rf_batch_weight(const struct rf_batch *batch)
{
    int items = rf_batch_items(batch);
    double total = 0;

    for (int i = 0; i < items; i++)
        total += batch->weight != NULL ? (double)batch->weight[i] : 1;
    return total;
}
