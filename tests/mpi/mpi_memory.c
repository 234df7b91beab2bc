#include <malloc.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "mpi/measure.h"
#include "mpi/mesh.h"

/* Large enough that what libraries take beside it is a few per cent, and that what one trainer leaves is given back
 * before the next; uneven over 3 ranks. */
static const struct rf_model_shape SHAPE = {
    .vocabulary = 8192, .context = 32, .layers = 2, .heads = 8, .width = 512, .hidden = 2048};
enum { B = 4, T = 32 };

/* Makes a trainer and takes a step; *held are its bytes, *grown what the process grew by. */
static void run(const struct rf_group *world, const struct rf_train_options *options,
                int64_t *held, int64_t *grown)
{
    struct rf_trainer *trainer;
    struct rf_step_result result;
    struct rf_batch batch;
    struct rf_error err;
    int32_t *block;
    struct rf_memory before;

    *held = *grown = 0;
    CHECK(rf_measure_batch(&batch, &block, B, T, SHAPE.vocabulary, &err) == RF_OK);
    malloc_trim(0); /* what earlier ones left does not stand in for what this one takes */
    before = rf_memory_mark();
    CHECK(rf_trainer_create(&trainer, world, &SHAPE, options, &err) == RF_OK);
    if (trainer != NULL) {
        rf_trainer_step(trainer, &batch, &result);
        *held = (int64_t)rf_trainer_bytes(trainer);
        *grown = rf_memory_grown(&before, (int64_t)rf_trainer_room_bytes(trainer));
    }
    rf_trainer_destroy(trainer);
    free(block);
}

/* The plan's bytes are those that are held, and within a tenth of what the system counts. */
static void memory_is_what_the_plan_says(const struct rf_group *world, int bf16, int tensor)
{
    struct rf_train_options options = rf_measure_options(B, T, SHAPE.vocabulary);
    int64_t held, grown;
    struct rf_error err;
    size_t predicted;

    options.bf16 = bf16;
    options.tensor = tensor;
    CHECK(rf_trainer_predict_bytes(&predicted, &SHAPE, &options, world->rank, world->size,
                                   &err) == RF_OK);
    run(world, &options, &held, &grown);
    CHECK(held == (int64_t)predicted);
    CHECK((double)grown < 1.1 * (double)predicted);
    CHECK((double)grown > 0.9 * (double)predicted);
    if (check_failures > 0 || getenv("SHOW"))
        fprintf(stderr,
                "[rank %d] bf16 %d, copies of %d: %.1f MB predicted, %.1f MB measured\n",
                world->rank, bf16, tensor, (double)predicted / 1e6, (double)grown / 1e6);
}

/* Two copies share out the optimiser's state and the sequences. */
static void copies_need_less_than_one_model_each(const struct rf_group *world)
{
    struct rf_train_options options = rf_measure_options(B, T, SHAPE.vocabulary);
    size_t alone, shared;
    struct rf_error err;

    options.tensor = 1;
    CHECK(rf_trainer_predict_bytes(&alone, &SHAPE, &options, 0, 1, &err) == RF_OK);
    CHECK(rf_trainer_predict_bytes(&shared, &SHAPE, &options, world->rank, world->size, &err) ==
          RF_OK);
    CHECK(world->size == 1 ? shared == alone : shared < alone);
}

static void no_model_no_memory(void)
{
    struct rf_train_options options = rf_measure_options(B, T, SHAPE.vocabulary);
    struct rf_model_shape shape = SHAPE;
    struct rf_error err;
    size_t bytes;

    shape.heads = 7;
    CHECK(rf_trainer_predict_bytes(&bytes, &shape, &options, 0, 2, &err) == RF_ERR_ARG);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    int result;

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    memory_is_what_the_plan_says(&world, 0, 1);
    if (world.size > 1)
        memory_is_what_the_plan_says(&world, 0, world.size);
    memory_is_what_the_plan_says(&world, 1, world.size);
    memory_is_what_the_plan_says(&world, 1, 1);
    copies_need_less_than_one_model_each(&world);
    no_model_no_memory();
    result = check_result();
    rf_group_free(&world);
    MPI_Finalize();
    return result;
}
