#include <string.h>

#include "check.h"
#include "mpi/scaling.h"

static const struct rf_scale_subject SUBJECTS[] = {
    {.job = "gpt2",
     .shape =
         {.vocabulary = 101, .context = 24, .layers = 2, .heads = 3, .width = 30, .hidden = 50},
     .batch = 5,
     .micro_batch = 2},
    {.job = "llama",
     .shape = {.family = RF_MODEL_LLAMA,
               .vocabulary = 90,
               .context = 16,
               .layers = 3,
               .heads = 6,
               .kv_heads = 3,
               .width = 36,
               .hidden = 50,
               .untied = 1},
     .batch = 3,
     .recompute = 1},
    {.job = "gpt2 in bf16",
     .shape =
         {.vocabulary = 101, .context = 24, .layers = 2, .heads = 3, .width = 30, .hidden = 50},
     .bf16 = 1,
     .batch = 5,
     .micro_batch = 2}};
enum { NSUBJECTS = sizeof SUBJECTS / sizeof SUBJECTS[0] };

static struct rf_train_options options_of(const struct rf_scale_subject *s)
{
    return (struct rf_train_options){.steps = 10,
                                     .lr = 1e-3,
                                     .min_lr_ratio = 0.1,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95,
                                     .eps = 1e-8,
                                     .clip = 1,
                                     .bf16 = s->bf16,
                                     .micro_B = s->micro_batch,
                                     .recompute = s->recompute};
}

/* The exchange counts what it is asked to move; the plan has said so before. */
static void the_plan_says_what_is_moved(const struct rf_group *world,
                                        const struct rf_scale_subject *subject, int tensor,
                                        int data)
{
    struct rf_train_options options = options_of(subject);
    struct rf_scaling what = {subject, &options, 1, 0.001};
    struct rf_traffic planned;
    struct rf_scale_point p;
    struct rf_error err;

    for (int mode = 0; mode < RF_SCALE_MODES; mode++) {
        CHECK(rf_scaling_measure(&p, world, &what, (enum rf_scale_mode)mode, tensor, data,
                                 &err) == RF_OK);
        CHECK(rf_scale_traffic(&planned, subject, tensor, data, p.batch, &err) == RF_OK);
        CHECK(memcmp(&planned, &p.moved, sizeof planned) == 0);
        CHECK(p.batch == subject->batch * (mode == RF_SCALE_WEAK ? tensor * data : 1));
        CHECK(p.repeats == 1 && p.step_s[0] > 0 && p.exchange_s[0] >= 0);
        CHECK(p.exchange_s[0] <= p.step_s[0] * 1.01);
        CHECK(tensor * data == 1 ? rf_traffic_bytes(&p.moved) == 0
                                 : rf_traffic_bytes(&p.moved) > 0);
        CHECK(p.nodes == 1 && p.machines == 1 && p.cores >= 1);
    }
}

static void more_ranks_than_there_are_are_refused(const struct rf_group *world)
{
    struct rf_train_options options = options_of(&SUBJECTS[0]);
    struct rf_scaling what = {&SUBJECTS[0], &options, 1, 0.001};
    struct rf_scale_point p;
    struct rf_error err;

    CHECK(rf_scaling_measure(&p, world, &what, RF_SCALE_STRONG, world->size + 1, 1, &err) ==
          RF_ERR_ARG);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    for (int s = 0; s < NSUBJECTS; s++)
        for (int tensor = 1; tensor <= world.size; tensor++)
            if (world.size % tensor == 0)
                the_plan_says_what_is_moved(&world, &SUBJECTS[s], tensor, world.size / tensor);
    if (world.size == 4) /* the last rank sleeps */
        the_plan_says_what_is_moved(&world, &SUBJECTS[0], 3, 1);
    more_ranks_than_there_are_are_refused(&world);
    result = check_result();
    rf_group_free(&world);
    MPI_Finalize();
    return result;
}
