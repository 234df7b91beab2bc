/* ringfence checkpoint reshard: the same checkpoint, written anew. */
#include <stdio.h>
#include <string.h>

#include "base/ticker.h"
#include "cli/checkpoint_verbs.h"
#include "mpi/reshard.h"

static enum rf_status how_of(const struct rf_checkpoint_call *call, struct rf_reshard *how,
                             struct rf_error *err)
{
    *how = (struct rf_reshard){.weights_only = call->weights_only,
                               .retype = call->dtype != NULL,
                               .pack = call->compress};
    if (call->dtype != NULL && strcmp(call->dtype, "bf16") == 0)
        how->moments = RF_STORED_BF16;
    else if (call->dtype != NULL && strcmp(call->dtype, "f32") != 0)
        return rf_fail(err, RF_ERR_ARG,
                       "'%s' is not f32 or bf16; see 'ringfence checkpoint --help'",
                       call->dtype);
    return RF_OK;
}

enum rf_status rf_checkpoint_reshard(const struct rf_checkpoint_call *call,
                                     struct rf_error *err)
{
    struct rf_reshard how;
    struct rf_ckpt_saved saved = {0};
    struct rf_bar bar;
    char hex[RF_DIGEST_HEX];
    enum rf_status st = how_of(call, &how, err);

    if (st != RF_OK)
        return st;
    rf_bar_start(&bar, call->paths[0], call->world->rank == 0);
    st = rf_ckpt_reshard(call->world, call->paths[0], call->paths[1], &how, &bar.watch, &saved,
                         err);
    rf_bar_end(&bar);
    if (st != RF_OK || call->world->rank != 0)
        return st;
    rf_digest_to_hex(&saved.content, hex);
    if (call->json)
        return rf_checkpoint_print(call,
                                   json_pack("{s:s, s:s, s:I, s:i, s:s}", "in", call->paths[0],
                                             "path", saved.path, "step", (json_int_t)saved.step,
                                             "ranks", call->world->size, "content", hex),
                                   "reshard", err);
    printf("%s: content %s\n", saved.path, hex);
    return RF_OK;
}
