/* ringfence checkpoint diff: which tensors differ, and by how much? */
#include <math.h>
#include <stdio.h>

#include "base/ticker.h"
#include "cli/checkpoint_verbs.h"
#include "mpi/ckpt_diff.h"

static const char *const kinds[] = {
    [RF_DIFF_SAME] = "same",   [RF_DIFF_ONLY_A] = "only_in_a", [RF_DIFF_ONLY_B] = "only_in_b",
    [RF_DIFF_SHAPE] = "shape", [RF_DIFF_VALUES] = "values",
};

/* JSON has no infinity. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const struct rf_diff_tensor *row)
{
    json_t *doc = json_pack(
        "{s:s, s:s, s:o, s:o}", "name", row->name, "kind", kinds[row->kind], "shape_a",
        row->ndims[0] > 0 ? rf_shape_json(row->ndims[0], row->shape[0]) : json_null(),
        "shape_b",
        row->ndims[1] > 0 ? rf_shape_json(row->ndims[1], row->shape[1]) : json_null());

    if (row->kind == RF_DIFF_VALUES) {
        json_object_set_new(doc, "elements", json_integer((json_int_t)row->elements));
        json_object_set_new(doc, "differing", json_integer((json_int_t)row->differing));
        json_object_set_new(doc, "max_abs", number(row->max_abs));
        json_object_set_new(doc, "max_rel", number(row->max_rel));
    }
    return doc;
}

static enum rf_status print_json(const struct rf_checkpoint_call *call,
                                 const struct rf_diff *diff, struct rf_error *err)
{
    json_t *rows = json_array();

    for (int i = 0; i < diff->ntensors; i++)
        if (diff->tensors[i].kind != RF_DIFF_SAME)
            json_array_append_new(rows, row_json(&diff->tensors[i]));
    return rf_checkpoint_print(
        call,
        json_pack("{s:s, s:s, s:b, s:I, s:I, s:i, s:i, s:o}", "a", call->paths[0], "b",
                  call->paths[1], "same", diff->differing == 0, "step_a",
                  (json_int_t)diff->info[0].step, "step_b", (json_int_t)diff->info[1].step,
                  "tensors", diff->ntensors, "differing", diff->differing, "differences", rows),
        "diff", err);
}

static void print_row(const struct rf_diff_tensor *row)
{
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    rf_shape_text(a, row->ndims[0], row->shape[0]);
    rf_shape_text(b, row->ndims[1], row->shape[1]);
    switch (row->kind) {
    case RF_DIFF_SAME:
        break;
    case RF_DIFF_ONLY_A:
        printf("%-36s %14s  only in A\n", row->name, a);
        break;
    case RF_DIFF_ONLY_B:
        printf("%-36s %14s  only in B\n", row->name, b);
        break;
    case RF_DIFF_SHAPE:
        printf("%-36s %14s  is %s in B\n", row->name, a, b);
        break;
    case RF_DIFF_TYPE:
        printf("%-36s %14s  %s in A, %s in B\n", row->name, a,
               row->stored[0] == RF_STORED_BF16 ? "bf16" : "fp32",
               row->stored[1] == RF_STORED_BF16 ? "bf16" : "fp32");
        break;
    case RF_DIFF_VALUES:
        printf("%-36s %14s %14lld %12.6g %12.6g\n", row->name, a, (long long)row->differing,
               row->max_abs, row->max_rel);
        break;
    }
}

static void print_text(const struct rf_checkpoint_call *call, const struct rf_diff *diff)
{
    printf("A  step %lld  %s\nB  step %lld  %s\n", (long long)diff->info[0].step,
           call->paths[0], (long long)diff->info[1].step, call->paths[1]);
    if (diff->differing > 0)
        printf("\n%-36s %14s %14s %12s %12s\n", "tensor", "shape", "differing", "largest abs",
               "largest rel");
    for (int i = 0; i < diff->ntensors; i++)
        print_row(&diff->tensors[i]);
    if (diff->differing > 0)
        printf("\n%d of %d tensors differ\n", diff->differing, diff->ntensors);
    else
        printf("all %d tensors are the same\n", diff->ntensors);
}

enum rf_status rf_checkpoint_diff(const struct rf_checkpoint_call *call, struct rf_error *err)
{
    struct rf_diff diff;
    struct rf_bar bar;
    int different;
    enum rf_status st;

    rf_bar_start(&bar, "comparing", call->world->rank == 0);
    st = rf_ckpt_diff(call->world, call->paths[0], call->paths[1], &bar.watch, &diff, err);
    rf_bar_end(&bar);
    if (st != RF_OK)
        return st;
    if (call->world->rank == 0 && call->json)
        st = print_json(call, &diff, err);
    else if (call->world->rank == 0)
        print_text(call, &diff);
    different = diff.differing > 0;
    rf_diff_clear(&diff);
    return st == RF_OK && different ? rf_fail(err, RF_NO, "%s", "") : st;
}
