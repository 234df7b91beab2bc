#include "ckpt/manifest.h"

#include <stdlib.h>

void rf_manifest_free(struct rf_manifest *manifest)
{
    if (manifest == NULL)
        return;
    free(manifest->tensors);
    free(manifest);
}
