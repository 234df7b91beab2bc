/* `ringfence bench checkpoint`. */
#include "cli/bench.h"
#include "mpi/bench_ckpt.h"

/* The smallest GPT-2, 124 million parameters, and a model for a quick look. Its steps are short, so
 * that a save lasts many of them. */
static const struct rf_bench_ckpt usual = {.shape = {.vocabulary = 50257,
                                                     .context = 1024,
                                                     .layers = 12,
                                                     .heads = 12,
                                                     .width = 768,
                                                     .hidden = 3072},
                                           .batch = 1,
                                           .context = 64};
static const struct rf_bench_ckpt quick = {.shape = {.vocabulary = 4000,
                                                     .context = 128,
                                                     .layers = 2,
                                                     .heads = 4,
                                                     .width = 256,
                                                     .hidden = 1024},
                                           .batch = 1,
                                           .context = 64};

static enum rf_status checkpoint(const struct rf_group *world,
                                 const struct rf_bench_request *request,
                                 struct rf_figure *figures, int *n, struct rf_error *err)
{
    struct rf_bench_ckpt what = request->quick ? quick : usual;

    what.dir = request->dir;
    what.rounds = request->rounds;
    what.steps = request->steps;
    what.watch = request->watch;
    return rf_bench_ckpt(figures, n, world, &what, err);
}

const struct rf_bench rf_bench_checkpoint = {
    .name = "checkpoint",
    .about =
        "saves, loads and verifies the state of a GPT-2 of 124 million parameters (1.7 GB, "
        "and as much again beside it), paired with plain writes and reads of as many bytes, "
        "and saves beside training",
    .run = checkpoint};
