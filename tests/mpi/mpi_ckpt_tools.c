/* Comparing, verifying, exporting and importing checkpoints: the same answers and the same bytes
 * on any number of ranks, and a failure on one rank is heard by all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/slice.h"
#include "check.h"
#include "ckpt/safetensors.h"
#include "mpi/ckpt.h"
#include "mpi/ckpt_diff.h"
#include "mpi/ckpt_export.h"
#include "mpi/ckpt_import.h"
#include "mpi/ckpt_table.h"
#include "mpi/ckpt_verify.h"

enum { MOST = 80, COLUMNS = 520 };

/* A set of tensors, each rank its rows of all. */
struct model {
    struct rf_tensor tensors[MOST];
    int n;
};

static char base[256];
static const char gpt2_text[] =
    "gpt2 layers=1 heads=4 width=520 hidden=600 context=7 vocabulary=1801";
static const char llama_text[] = "llama layers=2 heads=4 width=8 kv=4 hidden=20 vocabulary=30";

/* Any bit pattern, NaN and -0 included. */
static float value_at(uint64_t seed, int tensor, int64_t row, int64_t column)
{
    uint32_t low =
        (uint32_t)rf_rng_bits(seed, (uint64_t)tensor, (uint64_t)(row * 10000 + column));
    float value;

    memcpy(&value, &low, sizeof value);
    return value;
}

/* columns 0: one dimension. */
static void add(struct model *model, const struct rf_group *group, uint64_t seed,
                const char *name, int64_t rows, int64_t columns)
{
    struct rf_tensor *t = &model->tensors[model->n];
    struct rf_slice mine = rf_slice(rows, group->rank, group->size);
    int64_t width = columns > 0 ? columns : 1;

    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->ndims = columns > 0 ? 2 : 1;
    t->shape[0] = rows;
    t->shape[1] = t->extent[1] = width;
    t->offset[0] = mine.begin;
    t->extent[0] = mine.count;
    t->data = calloc((size_t)(mine.count * width) + 1, sizeof *t->data);
    for (int64_t i = 0; i < mine.count * width; i++)
        t->data[i] = value_at(seed, model->n, mine.begin + i / width, i % width);
    model->n++;
}

static void drop(struct model *model)
{
    for (int i = 0; i < model->n; i++)
        free(model->tensors[i].data);
    model->n = 0;
}

/* Moments come behind all parameters, as the trainer has them. */
static void add_moments(struct model *model, const struct rf_group *group, uint64_t seed)
{
    int params = model->n;

    for (int k = 0; k < 2; k++)
        for (int i = 0; i < params; i++) {
            const struct rf_tensor *of = &model->tensors[i];
            char name[RF_TENSOR_NAME];

            snprintf(name, sizeof name, "%c/%.80s", k == 0 ? 'm' : 'v', of->name);
            add(model, group, seed, name, of->shape[0], of->ndims == 2 ? of->shape[1] : 0);
        }
}

/* Wide enough for several granules per tensor, the last of them short. */
static void make_gpt2(struct model *model, const struct rf_group *group, uint64_t seed)
{
    static const struct {
        const char *name;
        int64_t rows, columns;
    } layer[] = {{"ln_1.weight", COLUMNS, 0},         {"ln_1.bias", COLUMNS, 0},
                 {"attn.q.weight", COLUMNS, COLUMNS}, {"attn.k.weight", COLUMNS, COLUMNS},
                 {"attn.v.weight", COLUMNS, COLUMNS}, {"attn.q.bias", COLUMNS, 0},
                 {"attn.k.bias", COLUMNS, 0},         {"attn.v.bias", COLUMNS, 0},
                 {"attn.o.weight", COLUMNS, COLUMNS}, {"attn.o.bias", COLUMNS, 0},
                 {"ln_2.weight", COLUMNS, 0},         {"ln_2.bias", COLUMNS, 0},
                 {"mlp.fc.weight", 600, COLUMNS},     {"mlp.fc.bias", 600, 0},
                 {"mlp.proj.weight", COLUMNS, 600},   {"mlp.proj.bias", COLUMNS, 0}};
    char name[RF_TENSOR_NAME];

    model->n = 0;
    add(model, group, seed, "wte.weight", 1801, COLUMNS);
    add(model, group, seed, "wpe.weight", 7, COLUMNS);
    for (size_t k = 0; k < sizeof layer / sizeof layer[0]; k++) {
        snprintf(name, sizeof name, "h.0.%s", layer[k].name);
        add(model, group, seed, name, layer[k].rows, layer[k].columns);
    }
    add(model, group, seed, "ln_f.weight", COLUMNS, 0);
    add(model, group, seed, "ln_f.bias", COLUMNS, 0);
}

static void make_llama(struct model *model, const struct rf_group *group, uint64_t seed)
{
    static const struct {
        const char *name;
        int64_t rows, columns;
    } layer[] = {
        {"ln_1.weight", 8, 0},      {"attn.q.weight", 8, 8},  {"attn.k.weight", 4, 8},
        {"attn.v.weight", 4, 8},    {"attn.o.weight", 8, 8},  {"ln_2.weight", 8, 0},
        {"mlp.gate.weight", 20, 8}, {"mlp.fc.weight", 20, 8}, {"mlp.proj.weight", 8, 20}};
    char name[RF_TENSOR_NAME];

    model->n = 0;
    add(model, group, seed, "wte.weight", 30, 8);
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof layer / sizeof layer[0]; k++) {
            snprintf(name, sizeof name, "h.%d.%s", i, layer[k].name);
            add(model, group, seed, name, layer[k].rows, layer[k].columns);
        }
    add(model, group, seed, "ln_f.weight", 8, 0);
    add(model, group, seed, "lm_head.weight", 30, 8);
}

static void at(char path[RF_PATH_BYTES], const char *name)
{
    struct rf_error err;

    CHECK(rf_file_join(path, base, name, &err) == RF_OK);
}

static void save(const struct rf_group *group, const struct model *model, const char *dir,
                 int64_t step, const char *text, char path[RF_PATH_BYTES],
                 struct rf_digest *content)
{
    struct rf_ckpt_info info;
    char where[RF_PATH_BYTES];
    struct rf_error err = {0};

    memset(&info, 0, sizeof info);
    info.step = step;
    info.ranks = group->size;
    snprintf(info.model, sizeof info.model, "%s", text);
    snprintf(info.job, sizeof info.job, "job");
    snprintf(info.version, sizeof info.version, "0");
    at(where, dir);
    CHECK(rf_ckpt_save(group, where, &info, model->tensors, model->n, 0, path, content, &err) ==
          RF_OK);
}

/* Collective: the digest of a whole file, the same on every rank. */
static struct rf_digest digest_of_file(const char *path)
{
    char *data = NULL;
    size_t size = 0;
    struct rf_error err;
    struct rf_digest digest = {{0}};

    CHECK(rf_file_read(path, (size_t)1 << 30, &data, &size, &err) == RF_OK);
    digest = rf_digest_of(data, size);
    free(data);
    return digest;
}

/* One bit of wte.weight's values, by rank 0. */
static void damage(const struct rf_group *group, const char *path, int64_t byte_number)
{
    struct rf_ckpt_contents contents;
    struct rf_error err;
    FILE *file;
    long offset = 0;
    int byte = 0;

    MPI_Barrier(group->comm);
    if (group->rank == 0) {
        CHECK(rf_ckpt_contents_read(&contents, path, &err) == RF_OK);
        for (int i = 0; i < contents.manifest->ntensors; i++)
            if (strcmp(contents.manifest->tensors[i].name, "wte.weight") == 0)
                offset = (long)contents.offsets[i] + (long)byte_number;
        rf_ckpt_contents_clear(&contents);
        file = fopen(path, "r+b");
        CHECK(file != NULL && offset > 0 && fseek(file, offset, SEEK_SET) == 0 &&
              (byte = fgetc(file)) != EOF && fseek(file, offset, SEEK_SET) == 0 &&
              fputc(byte ^ 4, file) != EOF && fclose(file) == 0);
    }
    MPI_Barrier(group->comm);
}

static const struct rf_diff_tensor *row_of(const struct rf_diff *diff, const char *name)
{
    for (int i = 0; i < diff->ntensors; i++)
        if (strcmp(diff->tensors[i].name, name) == 0)
            return &diff->tensors[i];
    return NULL;
}

/* Sets one element, on the rank that has it. */
static void set(struct rf_tensor *t, int64_t row, int64_t column, float value)
{
    if (row >= t->offset[0] && row < t->offset[0] + t->extent[0])
        t->data[(row - t->offset[0]) * t->shape[1] + column] = value;
}

static void a_difference_is_counted_and_measured(const struct rf_group *world)
{
    struct model model;
    struct rf_diff diff;
    struct rf_digest content;
    char a[RF_PATH_BYTES], b[RF_PATH_BYTES];
    struct rf_error err = {0};
    struct rf_tensor *wte = &model.tensors[0], *bias = &model.tensors[3];
    const struct rf_diff_tensor *row;

    make_gpt2(&model, world, 1);
    for (int64_t i = 0; i < wte->extent[0] * COLUMNS; i++)
        wte->data[i] = 1.0f;
    for (int64_t i = 0; i < bias->extent[0]; i++)
        bias->data[i] = NAN;
    set(bias, 5, 0, 0.0f);
    save(world, &model, "diff", 1, gpt2_text, a, &content);

    CHECK(rf_ckpt_diff(world, a, a, NULL, &diff, &err) == RF_OK);
    CHECK(diff.differing == 0 && diff.ntensors == model.n);
    rf_diff_clear(&diff);

    set(wte, 0, 0, 1.5f);      /* a third */
    set(wte, 1000, 17, -3.0f); /* 4, and 4/3 of the larger */
    set(wte, 1800, 519, 0.99f);
    set(bias, 5, 0, -0.0f); /* other bits, no difference */
    save(world, &model, "diff", 2, gpt2_text, b, &content);
    CHECK(rf_ckpt_diff(world, a, b, NULL, &diff, &err) == RF_OK);
    CHECK(diff.differing == 2 && diff.info[0].step == 1 && diff.info[1].step == 2);
    row = row_of(&diff, "wte.weight");
    CHECK(row != NULL && row->kind == RF_DIFF_VALUES && row->differing == 3 &&
          row->elements == 1801 * COLUMNS);
    CHECK(row->max_abs == 4.0 && row->max_rel == 4.0 / 3.0);
    row = row_of(&diff, "h.0.ln_1.bias");
    CHECK(row->kind == RF_DIFF_VALUES && row->differing == 1 && row->max_abs == 0 &&
          row->max_rel == 0);
    rf_diff_clear(&diff);

    set(bias, 6, 0, 2.0f);               /* was NaN */
    free(model.tensors[--model.n].data); /* ln_f.bias */
    free(model.tensors[--model.n].data); /* ln_f.weight */
    add(&model, world, 9, "v/new", 3, 2);
    add(&model, world, 9, "ln_f.weight", COLUMNS + 1, 0);
    save(world, &model, "diff", 3, gpt2_text, b, &content);
    CHECK(rf_ckpt_diff(world, a, b, NULL, &diff, &err) == RF_OK);
    CHECK(row_of(&diff, "ln_f.bias")->kind == RF_DIFF_ONLY_A);
    CHECK(row_of(&diff, "v/new")->kind == RF_DIFF_ONLY_B);
    row = row_of(&diff, "ln_f.weight");
    CHECK(row->kind == RF_DIFF_SHAPE && row->shape[0][0] == COLUMNS &&
          row->shape[1][0] == COLUMNS + 1);
    row = row_of(&diff, "h.0.ln_1.bias");
    CHECK(row->differing == 2 && isinf(row->max_abs) && isinf(row->max_rel));
    rf_diff_clear(&diff);
    drop(&model);

    /* What cannot be believed is not compared. */
    damage(world, b, 4096);
    CHECK(rf_ckpt_diff(world, a, b, NULL, &diff, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "tensor 'wte.weight', rows 0 to 503") != NULL);
    CHECK(diff.tensors == NULL);
}

static void damage_is_named_the_same_on_any_rank_count(const struct rf_group *world)
{
    struct model model;
    struct rf_digest content, verified;
    char path[RF_PATH_BYTES];
    struct rf_error err = {0};

    make_gpt2(&model, world, 2);
    save(world, &model, "verify", 1, gpt2_text, path, &content);
    drop(&model);
    CHECK(rf_ckpt_verify(world, path, NULL, &verified, &err) == RF_OK);
    CHECK(rf_digest_equal(&content, &verified));
    damage(world, path, INT64_C(1800) * COLUMNS * 4); /* the last granule of the first tensor */
    CHECK(rf_ckpt_verify(world, path, NULL, &verified, &err) == RF_NO);
    CHECK(strstr(err.text, "tensor 'wte.weight', rows 1512 to 1800") != NULL);
    damage(world, path, 0); /* and the first */
    CHECK(rf_ckpt_verify(world, path, NULL, &verified, &err) == RF_NO);
    CHECK(strstr(err.text, "tensor 'wte.weight', rows 0 to 503") != NULL);
    CHECK(rf_ckpt_verify(world, "/nowhere/at-all.h5", NULL, NULL, &err) == RF_ERR_INPUT);
}

/* Out under other names and back gives the same content. */
static void round_trip(const struct rf_group *world, const struct model *model,
                       const char *text, const char *name,
                       const struct rf_export_options *options)
{
    struct rf_digest content;
    struct rf_exported exported;
    struct rf_imported imported;
    const struct rf_import_options none = {.version = "0"};
    char path[RF_PATH_BYTES], out[RF_PATH_BYTES], dir[RF_PATH_BYTES], file[64];
    struct rf_error err = {0};

    save(world, model, name, 3, text, path, &content);
    snprintf(file, sizeof file, "%s.safetensors", name);
    at(out, file);
    snprintf(file, sizeof file, "%s-back", name);
    at(dir, file);
    CHECK(rf_ckpt_export(world, path, out, options, NULL, &exported, &err) == RF_OK);
    CHECK(exported.nleft_out == 0);
    CHECK(rf_ckpt_import(world, out, dir, &none, NULL, &imported, &err) == RF_OK);
    CHECK(imported.ntensors == model->n && imported.step == 3 && imported.nleft_out == 0);
    CHECK(rf_digest_equal(&content, &imported.content));
    CHECK(strcmp(imported.model, text) == 0);
    /* a second time would replace it */
    CHECK(rf_ckpt_import(world, out, dir, &none, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "is there already") != NULL);
}

static void a_model_that_went_out_comes_back_the_same(const struct rf_group *world)
{
    const struct rf_export_options all = {.all = 1}, own = {.all = 1, .own_names = 1};
    struct model model;

    make_gpt2(&model, world, 3);
    add_moments(&model, world, 3);
    round_trip(world, &model, gpt2_text, "gpt2", &all);
    drop(&model);
    make_llama(&model, world, 4);
    add_moments(&model, world, 4);
    round_trip(world, &model, llama_text, "llama", &all);
    round_trip(world, &model, "something else", "own", &own);
    drop(&model);
}

/* The file that one rank writes is the file that all write. */
static void the_bytes_do_not_depend_on_the_ranks(const struct rf_group *world)
{
    const struct rf_export_options bf16 = {.type = RF_SAFETENSORS_BF16};
    const struct rf_import_options none = {.version = "0"};
    struct model model;
    struct rf_group alone;
    struct rf_digest content, all, one = {{0}}, again;
    struct rf_exported exported;
    struct rf_imported imported;
    char path[RF_PATH_BYTES], out[RF_PATH_BYTES], dir[RF_PATH_BYTES];
    struct rf_error err = {0};

    make_gpt2(&model, world, 5);
    add_moments(&model, world, 5);
    save(world, &model, "bytes", 4, gpt2_text, path, &content);
    drop(&model);
    at(out, "all.safetensors");
    CHECK(rf_ckpt_export(world, path, out, &bf16, NULL, &exported, &err) == RF_OK);
    CHECK(exported.ntensors == 16 && exported.nleft_out == 40);
    all = digest_of_file(out);
    MPI_Barrier(world->comm);
    if (world->rank == 0) {
        rf_group_among(&alone, world, (const int[]){0}, 1, 3);
        at(out, "one.safetensors");
        CHECK(rf_ckpt_export(&alone, path, out, &bf16, NULL, &exported, &err) == RF_OK);
        one = digest_of_file(out);
        CHECK(rf_digest_equal(&all, &one));
        rf_group_free(&alone);
    }
    /* Rounded once is rounded for good: in and out again gives the same bytes. */
    MPI_Barrier(world->comm);
    at(out, "all.safetensors");
    at(dir, "bytes-back");
    CHECK(rf_ckpt_import(world, out, dir, &none, NULL, &imported, &err) == RF_OK);
    at(out, "again.safetensors");
    CHECK(rf_ckpt_export(world, imported.path, out, &bf16, NULL, &exported, &err) == RF_OK);
    again = digest_of_file(out);
    CHECK(rf_digest_equal(&all, &again));
}

/* What the k-th value of a tensor is in the file below: the embedding's and the tied output
 * layer's are the same. */
static float stranger_value(const char *name, uint64_t k)
{
    int tied = strstr(name, "wte") != NULL || strcmp(name, "lm_head.weight") == 0;

    return (float)k + (tied ? 0.0f : (float)(strlen(name) % 7 + 1) * 1000.0f);
}

/* A safetensors file with these tensors; by rank 0. */
static void write_file(const struct rf_group *world, const char *path,
                       struct rf_safetensors_tensor *tensors, int n,
                       const struct rf_safetensors_note *notes, int nnotes)
{
    struct rf_error err;
    size_t bytes;
    char *head;
    FILE *file;

    if (world->rank == 0) {
        CHECK(rf_safetensors_head(tensors, n, notes, nnotes, &head, &bytes, &err) == RF_OK);
        file = fopen(path, "wb");
        CHECK(file != NULL && fwrite(head, 1, bytes, file) == bytes);
        for (int i = 0; i < n; i++)
            for (uint64_t k = 0; k < (tensors[i].end - tensors[i].begin) / 4; k++) {
                float value = stranger_value(tensors[i].name, k);

                CHECK(fwrite(&value, sizeof value, 1, file) == 1);
            }
        CHECK(fclose(file) == 0);
        free(head);
    }
    MPI_Barrier(world->comm);
}

/* A stranger's GPT-2 of width 4, as the published ones are: with a prefix, masks and a tied
 * output layer. */
static int stranger(struct rf_safetensors_tensor *tensors, int tied)
{
    static const struct {
        const char *name;
        int64_t shape[2];
    } list[] = {{"transformer.wte.weight", {6, 4}},
                {"transformer.wpe.weight", {3, 4}},
                {"transformer.h.0.ln_1.weight", {4, 0}},
                {"transformer.h.0.ln_1.bias", {4, 0}},
                {"transformer.h.0.attn.c_attn.weight", {4, 12}},
                {"transformer.h.0.attn.c_attn.bias", {12, 0}},
                {"transformer.h.0.attn.c_proj.weight", {4, 4}},
                {"transformer.h.0.attn.c_proj.bias", {4, 0}},
                {"transformer.h.0.ln_2.weight", {4, 0}},
                {"transformer.h.0.ln_2.bias", {4, 0}},
                {"transformer.h.0.mlp.c_fc.weight", {4, 10}},
                {"transformer.h.0.mlp.c_fc.bias", {10, 0}},
                {"transformer.h.0.mlp.c_proj.weight", {10, 4}},
                {"transformer.h.0.mlp.c_proj.bias", {4, 0}},
                {"transformer.ln_f.weight", {4, 0}},
                {"transformer.ln_f.bias", {4, 0}},
                {"transformer.h.0.attn.bias", {3, 3}},
                {"transformer.lm_head.weight", {6, 4}}};
    int n = (int)(sizeof list / sizeof list[0]);

    memset(tensors, 0, (size_t)n * sizeof *tensors);
    for (int i = 0; i < n; i++) {
        tensors[i].name = list[i].name;
        tensors[i].ndims = list[i].shape[1] > 0 ? 2 : 1;
        tensors[i].shape[0] = list[i].shape[0];
        tensors[i].shape[1] = list[i].shape[1];
    }
    if (tied)
        tensors[n - 1].name = "lm_head.weight";
    return n;
}

static void a_strangers_model_is_turned_and_split(const struct rf_group *world)
{
    const struct rf_import_options none = {.version = "7"}, two = {.heads = 2, .version = "7"};
    const struct rf_import_options three = {.heads = 3, .version = "7"};
    struct rf_safetensors_tensor tensors[32];
    struct rf_imported imported;
    struct rf_ckpt_info info;
    struct rf_tensor k = {.name = "h.0.attn.k.weight",
                          .ndims = 2,
                          .shape = {4, 4},
                          .extent = {4, 4},
                          .replicated = 1};
    float values[16];
    char path[RF_PATH_BYTES], dir[RF_PATH_BYTES];
    struct rf_error err = {0};
    int n = stranger(tensors, 1);

    at(path, "stranger.safetensors");
    at(dir, "stranger");
    write_file(world, path, tensors, n, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &none, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "--heads") != NULL);
    CHECK(rf_ckpt_import(world, path, dir, &three, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_OK);
    CHECK(imported.nleft_out == 2 && imported.ntensors == 20 && imported.step == 0);
    CHECK(strcmp(imported.model,
                 "gpt2 layers=1 heads=2 width=4 hidden=10 context=3 vocabulary=6") == 0);
    k.data = values;
    CHECK(rf_ckpt_load(world, imported.path, &info, &k, 1, &err) == RF_OK);
    CHECK(strcmp(info.version, "7") == 0);
    for (int row = 0; row < 4; row++) /* theirs is [in][3 out]; ours [out][in] */
        for (int column = 0; column < 4; column++)
            CHECK(values[row * 4 + column] ==
                  stranger_value("transformer.h.0.attn.c_attn.weight",
                                 (uint64_t)(column * 12 + 4 + row)));
}

/* What the importer cannot take it refuses, with the name at fault, and leaves nothing. */
static void what_is_no_model_of_ours_is_refused(const struct rf_group *world)
{
    const struct rf_import_options two = {.heads = 2, .version = "7"};
    const struct rf_safetensors_note own[] = {{"ringfence.names", "own"}};
    const struct rf_safetensors_note lie[] = {{"ringfence.model", "gpt2 layers=5"}};
    struct rf_safetensors_tensor tensors[32];
    struct rf_imported imported;
    char path[RF_PATH_BYTES], dir[RF_PATH_BYTES];
    struct rf_error err = {0};
    int n;

    at(path, "refused.safetensors");
    at(dir, "refused");
    n = stranger(tensors, 0); /* an output layer of its own: other values */
    write_file(world, path, tensors, n, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "lm_head.weight") != NULL);
    n = stranger(tensors, 1);
    tensors[7].name = "transformer.h.0.attn.c_proj.scale";
    write_file(world, path, tensors, n, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "c_proj.scale") != NULL);
    n = stranger(tensors, 1);
    write_file(world, path, tensors, n, lie, 1);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "layers=5") != NULL);
    n = stranger(tensors, 1);
    tensors[0].type = 108; /* I32 */
    write_file(world, path, tensors, n, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "I32") != NULL);
    n = stranger(tensors, 1);
    tensors[5].shape[0] = 13; /* not three parts */
    write_file(world, path, tensors, n, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "c_attn.bias") != NULL);
    tensors[0] = (struct rf_safetensors_tensor){.name = "x", .ndims = 1, .shape = {3}};
    write_file(world, path, tensors, 1, NULL, 0);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "no embedding") != NULL);
    tensors[0] = (struct rf_safetensors_tensor){.name = "m/x", .ndims = 1, .shape = {3}};
    tensors[1] = (struct rf_safetensors_tensor){.name = "y", .ndims = 1, .shape = {3}};
    write_file(world, path, tensors, 2, own, 1);
    CHECK(rf_ckpt_import(world, path, dir, &two, NULL, &imported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "'m/x' is of no parameter") != NULL);
    CHECK(!rf_file_exists(dir));
}

/* Moments that are kept in bf16 come out as the fp32 values they stand for. */
static void what_is_kept_in_bf16_is_read_exactly(const struct rf_group *world)
{
    const struct rf_export_options all = {.all = 1};
    const struct rf_import_options none = {.version = "0"};
    struct model model;
    struct rf_diff diff;
    struct rf_digest content, verified;
    struct rf_exported exported;
    struct rf_imported imported;
    char narrow[RF_PATH_BYTES], wide[RF_PATH_BYTES], out[RF_PATH_BYTES], dir[RF_PATH_BYTES];
    struct rf_error err = {0};
    int nparams;

    make_gpt2(&model, world, 7);
    nparams = model.n;
    add_moments(&model, world, 7);
    for (int i = nparams; i < model.n; i++) { /* values that bf16 holds exactly */
        struct rf_tensor *t = &model.tensors[i];

        for (int64_t k = 0; k < t->extent[0] * t->extent[1]; k++)
            t->data[k] = (float)((t->offset[0] + k) % 200) - 100.0f;
    }
    save(world, &model, "wide", 1, gpt2_text, wide, &content);
    for (int i = nparams; i < model.n; i++)
        model.tensors[i].stored = RF_STORED_BF16;
    save(world, &model, "narrow", 1, gpt2_text, narrow, &content);
    drop(&model);
    CHECK(rf_ckpt_verify(world, narrow, NULL, &verified, &err) == RF_OK);
    CHECK(rf_digest_equal(&content, &verified));
    CHECK(rf_ckpt_diff(world, wide, narrow, NULL, &diff, &err) == RF_OK);
    CHECK(diff.differing == 40 && row_of(&diff, "v/wte.weight")->kind == RF_DIFF_TYPE);
    rf_diff_clear(&diff);
    at(out, "narrow.safetensors");
    at(dir, "narrow-back");
    CHECK(rf_ckpt_export(world, narrow, out, &all, NULL, &exported, &err) == RF_OK);
    CHECK(rf_ckpt_import(world, out, dir, &none, NULL, &imported, &err) == RF_OK);
    CHECK(rf_ckpt_diff(world, wide, imported.path, NULL, &diff, &err) == RF_OK);
    CHECK(diff.differing == 0);
    rf_diff_clear(&diff);
}

static void a_damaged_checkpoint_is_not_exported(const struct rf_group *world)
{
    const struct rf_export_options plain = {0};
    struct model model;
    struct rf_digest content;
    struct rf_exported exported;
    char path[RF_PATH_BYTES], out[RF_PATH_BYTES];
    struct rf_error err = {0};

    make_gpt2(&model, world, 6);
    save(world, &model, "damaged", 1, gpt2_text, path, &content);
    damage(world, path, 9);
    at(out, "damaged.safetensors");
    CHECK(rf_ckpt_export(world, path, out, &plain, NULL, &exported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "wte.weight") != NULL);
    MPI_Barrier(world->comm); /* rank 0 tidies up */
    CHECK(!rf_file_exists(out));
    at(out, "damaged.safetensors.part");
    CHECK(!rf_file_exists(out));
    /* nor one that is no whole model, nor to a place that is not there */
    model.n--;
    save(world, &model, "damaged", 2, gpt2_text, path, &content);
    at(out, "part.safetensors");
    CHECK(rf_ckpt_export(world, path, out, &plain, NULL, &exported, &err) == RF_ERR_INPUT);
    CHECK(strstr(err.text, "'ln_f.bias' of a gpt2 model is missing") != NULL);
    model.n++;
    save(world, &model, "damaged", 3, gpt2_text, path, &content);
    at(out, "nowhere/part.safetensors");
    CHECK(rf_ckpt_export(world, path, out, &plain, NULL, &exported, &err) == RF_ERR_IO);
    drop(&model);
}

int main(int argc, char **argv)
{
    struct rf_group world;
    char command[300];

    MPI_Init(&argc, &argv);
    rf_group_dup(&world, MPI_COMM_WORLD);
    if (world.rank == 0) {
        snprintf(base, sizeof base, "/tmp/rf-ckpt-tools-XXXXXX");
        CHECK(mkdtemp(base) != NULL);
    }
    rf_group_bcast(&world, base, sizeof base, 0);

    a_difference_is_counted_and_measured(&world);
    damage_is_named_the_same_on_any_rank_count(&world);
    a_model_that_went_out_comes_back_the_same(&world);
    the_bytes_do_not_depend_on_the_ranks(&world);
    a_strangers_model_is_turned_and_split(&world);
    what_is_no_model_of_ours_is_refused(&world);
    what_is_kept_in_bf16_is_read_exactly(&world);
    a_damaged_checkpoint_is_not_exported(&world);

    MPI_Barrier(world.comm);
    if (world.rank == 0) {
        snprintf(command, sizeof command, "rm -rf %s", base);
        CHECK(system(command) == 0);
    }
    rf_group_free(&world);
    {
        int result = check_result();

        MPI_Finalize();
        return result;
    }
}
