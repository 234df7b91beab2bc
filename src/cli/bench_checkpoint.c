#include "cli/bench_checkpoint.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"
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

static enum rf_status print_json(const struct rf_bench_figure *figures, int n, double wall_s,
                                 struct rf_error *err)
{
    json_t *list = json_array(), *root;
    int failed = list == NULL;

    for (int i = 0; i < n; i++) {
        const struct rf_bench_figure *f = &figures[i];
        int limited = f->limit > 0;

        failed |= json_array_append_new(
            list,
            json_pack("{s:s, s:f, s:s, s:o, s:o, s:s}", "name", f->name, "value", f->value,
                      "unit", f->unit, "limit", limited ? json_real(f->limit) : json_null(),
                      "ratio", limited ? json_real(f->ratio) : json_null(), "said", f->said));
    }
    root =
        json_pack("{s:s, s:s, s:i, s:f, s:s, s:o}", "command", "bench", "version", RF_VERSION,
                  "seed", 1, "wall_s", wall_s, "bench", "checkpoint", "results", list);
    failed |= root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0;
    putchar('\n');
    json_decref(root);
    return failed ? rf_fail(err, RF_ERR_MEMORY, "cannot print the results") : RF_OK;
}

static void print_table(const struct rf_bench_figure *figures, int n)
{
    printf("%-24s %10s %-8s %10s %6s  %s\n", "name", "value", "unit", "limit", "ratio", "");
    for (int i = 0; i < n; i++) {
        const struct rf_bench_figure *f = &figures[i];

        if (f->limit > 0)
            printf("%-24s %10.3f %-8s %10.3f %6.3f  %s\n", f->name, f->value * 1e-9, "GB/s",
                   f->limit * 1e-9, f->ratio, f->said);
        else
            printf("%-24s %10.3f %-8s %10s %6s  %s\n", f->name, f->value * 100, "%", "-", "-",
                   f->said);
    }
}

enum rf_status rf_cli_bench_checkpoint(const struct rf_group *world, const char *dir,
                                       int rounds, int steps, int small, int json,
                                       struct rf_error *err)
{
    struct rf_bench_ckpt what = small ? quick : usual;
    struct rf_bench_figure figures[RF_BENCH_CKPT_FIGURES];
    double since = MPI_Wtime();
    int n;
    enum rf_status st;

    what.dir = dir;
    what.rounds = rounds;
    what.steps = steps;
    st = rf_bench_ckpt(figures, &n, world, &what, err);
    if (st == RF_OK && world->rank == 0 && json)
        st = print_json(figures, n, MPI_Wtime() - since, err);
    else if (st == RF_OK && world->rank == 0)
        print_table(figures, n);
    return rf_agree(world, st, err);
}
