/* Each rank takes a slice of the rows of every tensor of ours, wherever these lie in theirs,
 * and all save them together as the trainer would. */
#include "mpi/ckpt_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/tensor.h"
#include "ckpt/notes.h"
#include "ckpt/safetensors.h"
#include "ckpt/store.h"
#include "mpi/ckpt.h"

enum { PIECE_VALUES = 1 << 18 };

/* One of ours, and where it comes from. */
struct source {
    const struct rf_safetensors_tensor *theirs;
    struct rf_place place; /* its name is ours */
    int kind;              /* 0 parameter, 1 m, 2 v */
    int64_t order;
    int64_t shape[2];
};

struct work {
    const char *path;
    struct rf_safetensors *file;
    enum rf_family family; /* of their names */
    enum rf_family order;  /* that ours are sorted by */
    struct rf_ckpt_info info;
    struct source *sources;
    struct rf_tensor *tensors; /* [nsources]; the data is owned */
    int nsources;
    float *piece; /* [PIECE_VALUES] */
};

static int kind_of(const char *name)
{
    if ((name[0] == 'm' || name[0] == 'v') && name[1] == '/')
        return name[0] == 'm' ? 1 : 2;
    return 0;
}

static enum rf_status choose_family(struct work *work, int own, struct rf_error *err)
{
    struct rf_place places[3];

    work->family = work->order = RF_FAMILY_OWN;
    if (own) {
        (void)rf_family_of_model(&work->order, work->info.model);
        return RF_OK;
    }
    for (int f = RF_FAMILY_GPT2; f <= RF_FAMILY_LLAMA; f++)
        for (int i = 0; i < work->file->ntensors; i++)
            if (rf_names_ours((enum rf_family)f, work->file->tensors[i].name, places) == 1 &&
                strcmp(places[0].name, "wte.weight") == 0) {
                work->family = work->order = (enum rf_family)f;
                return RF_OK;
            }
    return rf_fail(err, RF_ERR_INPUT,
                   "'%s' has no embedding under GPT-2's or Llama's name (wte.weight, "
                   "model.embed_tokens.weight)",
                   work->path);
}

/* One of theirs as one to three of ours. */
static enum rf_status add_sources(struct work *work, const struct rf_safetensors_tensor *t,
                                  int *nleft_out, struct rf_error *err)
{
    int kind = kind_of(t->name), n;
    enum rf_family family = kind > 0 ? RF_FAMILY_OWN : work->family;
    struct rf_place places[3];

    if (rf_names_ignored(family, t->name) || rf_names_tied(family, t->name)) {
        ++*nleft_out;
        return RF_OK;
    }
    n = rf_names_ours(family, t->name, places);
    if (n == 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' has a tensor '%.100s', which a %s model of ours has not",
                       work->path, t->name, rf_family_name(work->family));
    if (t->type > RF_SAFETENSORS_F16)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s': '%.100s' is %s; only F32, BF16 and F16 can be read", work->path,
                       t->name, rf_safetensors_type_name(t->type));
    for (int i = 0; i < n; i++) {
        struct source *source = &work->sources[work->nsources++];
        int rows = places[i].transposed; /* the dimension that holds our rows */

        *source = (struct source){.theirs = t, .place = places[i], .kind = kind};
        if (t->ndims < 1 + rows || t->ndims > 2 || t->shape[rows] % places[i].parts != 0 ||
            t->shape[0] < 1 || (t->ndims == 2 && t->shape[1] < 1))
            return rf_fail(err, RF_ERR_INPUT, "'%s': '%.100s' has an impossible shape",
                           work->path, t->name);
        source->shape[0] = t->shape[rows] / places[i].parts;
        source->shape[1] = t->ndims == 2 ? t->shape[!rows] : 1;
        source->order = rf_names_order(work->order, places[i].name + (kind > 0 ? 2 : 0));
    }
    return RF_OK;
}

static int by_order(const void *a, const void *b)
{
    const struct source *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind - y->kind;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return strcmp(x->place.name, y->place.name);
}

static int by_our_name(const void *key, const void *shape)
{
    return strcmp(key, ((const struct rf_named_shape *)shape)->name);
}

static int by_names(const void *a, const void *b)
{
    return by_our_name(((const struct rf_named_shape *)a)->name, b);
}

/* A moment belongs to a parameter of its shape. */
static enum rf_status check_moments(const struct work *work, struct rf_named_shape *shapes,
                                    int nparams, struct rf_error *err)
{
    if (nparams > 0)
        qsort(shapes, (size_t)nparams, sizeof *shapes, by_names);
    for (int i = nparams; i < work->nsources; i++) {
        const struct source *source = &work->sources[i];
        const struct rf_named_shape *param = bsearch(
            source->place.name + 2, shapes, (size_t)nparams, sizeof *shapes, by_our_name);

        if (param == NULL || param->ndims != source->theirs->ndims ||
            memcmp(param->shape, source->shape, sizeof param->shape) != 0)
            return rf_fail(err, RF_ERR_INPUT, "'%s': '%s' is of no parameter of that shape",
                           work->path, source->place.name);
    }
    return RF_OK;
}

/* The model in the words of the trainer. */
static enum rf_status describe(struct work *work, const struct rf_sizes *sizes, int heads,
                               struct rf_error *err)
{
    char told[sizeof work->info.model];
    const char *said = strstr(work->info.model, " heads=");
    long long width = (long long)sizes->width;

    memcpy(told, work->info.model, sizeof told);
    if (heads == 0 && said != NULL && sscanf(said, " heads=%9d", &heads) != 1)
        heads = 0;
    if (heads < 1 || width % heads != 0)
        return rf_fail(err, RF_ERR_INPUT,
                       "'%s' has a width of %lld and %s: give the number of attention heads "
                       "with --heads",
                       work->path, width,
                       heads < 1 ? "does not say how many heads"
                                 : "a number of heads that "
                                   "does not divide it");
    if (work->family == RF_FAMILY_GPT2)
        snprintf(
            work->info.model, sizeof told,
            "gpt2 layers=%lld heads=%d width=%lld hidden=%lld context=%lld vocabulary=%lld",
            (long long)sizes->layers, heads, width, (long long)sizes->hidden,
            (long long)sizes->context, (long long)sizes->vocabulary);
    else
        snprintf(work->info.model, sizeof told,
                 "llama layers=%lld heads=%d width=%lld kv=%lld hidden=%lld vocabulary=%lld",
                 (long long)sizes->layers, heads, width, (long long)sizes->kv_width,
                 (long long)sizes->hidden, (long long)sizes->vocabulary);
    if (told[0] != '\0' && strcmp(told, work->info.model) != 0)
        return rf_fail(err, RF_ERR_INPUT, "'%s' says it is '%s', but holds '%s'", work->path,
                       told, work->info.model);
    return RF_OK;
}

/* The sources are sorted: parameters first. */
static enum rf_status check_model(struct work *work, int heads, struct rf_error *err)
{
    struct rf_named_shape *shapes = calloc((size_t)work->nsources + 1, sizeof *shapes);
    struct rf_sizes sizes;
    struct rf_error what;
    int nparams = 0;
    enum rf_status st;

    if (shapes == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors", work->nsources);
    for (int i = 0; i < work->nsources && work->sources[i].kind == 0; i++) {
        const struct source *source = &work->sources[i];

        shapes[nparams++] = (struct rf_named_shape){
            source->place.name, source->theirs->ndims, {source->shape[0], source->shape[1]}};
    }
    if (nparams == 0)
        st = rf_fail(err, RF_ERR_INPUT, "'%s' holds no parameters", work->path);
    else if (rf_names_check(work->family, shapes, nparams, &sizes, &what) != RF_OK)
        st = rf_fail(err, what.status, "'%s': %.500s", work->path, what.text);
    else
        st = check_moments(work, shapes, nparams, err);
    free(shapes);
    if (st == RF_OK && work->family != RF_FAMILY_OWN)
        st = describe(work, &sizes, heads, err);
    return st;
}

/* Local, and the same on every rank: what becomes what. */
static enum rf_status plan(struct work *work, const struct rf_import_options *options,
                           struct rf_imported *imported, struct rf_error *err)
{
    size_t most;
    int own;
    enum rf_status st = rf_safetensors_open(&work->file, work->path, err);

    if (st == RF_OK)
        st = rf_notes_read(&work->info, &own, work->file, work->path, err);
    if (st == RF_OK)
        st = choose_family(work, own, err);
    if (st != RF_OK)
        return st;
    if (work->info.version[0] == '\0')
        snprintf(work->info.version, sizeof work->info.version, "%s", options->version);
    most = (size_t)work->file->ntensors * 3 + 1;
    work->sources = calloc(most, sizeof *work->sources);
    work->tensors = calloc(most, sizeof *work->tensors);
    work->piece = malloc(PIECE_VALUES * sizeof *work->piece);
    if (work->sources == NULL || work->tensors == NULL || work->piece == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d tensors",
                       work->file->ntensors);
    for (int i = 0; st == RF_OK && i < work->file->ntensors; i++)
        st = add_sources(work, &work->file->tensors[i], &imported->nleft_out, err);
    if (st != RF_OK)
        return st;
    qsort(work->sources, (size_t)work->nsources, sizeof *work->sources, by_order);
    return check_model(work, options->heads, err);
}

/* Local: this rank's rows of every tensor, without their values yet. */
static enum rf_status cut(struct work *work, const struct rf_group *group, struct rf_error *err)
{
    for (int i = 0; i < work->nsources; i++) {
        const struct source *source = &work->sources[i];
        struct rf_tensor *tensor = &work->tensors[i];
        struct rf_slice rows = rf_slice(source->shape[0], group->rank, group->size);

        memcpy(tensor->name, source->place.name, sizeof tensor->name);
        tensor->ndims = source->theirs->ndims;
        memcpy(tensor->shape, source->shape, sizeof tensor->shape);
        tensor->offset[0] = rows.begin;
        tensor->extent[0] = rows.count;
        tensor->extent[1] = source->shape[1];
        tensor->data = malloc((size_t)(rows.count * source->shape[1] + 1) * sizeof(float));
        if (tensor->data == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", tensor->name);
    }
    return RF_OK;
}

/* Our rows are columns there: runs of as many values as we have rows, one per column of ours. */
static enum rf_status read_turned(const struct work *work, const struct source *source,
                                  const struct rf_tensor *tensor, struct rf_error *err)
{
    int64_t width = source->theirs->shape[1], n = tensor->extent[0];
    int64_t first = source->shape[0] * source->place.part + tensor->offset[0];
    enum rf_status st = RF_OK;

    for (int64_t begin = 0; begin < n; begin += PIECE_VALUES)
        for (int64_t c = 0; st == RF_OK && c < source->shape[1]; c++) {
            int64_t some = n - begin < PIECE_VALUES ? n - begin : PIECE_VALUES;

            st = rf_safetensors_read(work->file, work->path, source->theirs,
                                     c * width + first + begin, some, work->piece, err);
            for (int64_t i = 0; st == RF_OK && i < some; i++)
                tensor->data[(begin + i) * source->shape[1] + c] = work->piece[i];
        }
    return st;
}

/* Local: the tied output layer, this rank's rows of it, against the embedding. */
static enum rf_status check_tied(const struct work *work, struct rf_error *err)
{
    const struct rf_safetensors_tensor *head = NULL;
    const struct source *wte = &work->sources[0];
    const struct rf_tensor *tensor = &work->tensors[0];
    int64_t n = tensor->extent[0] * tensor->extent[1],
            first = tensor->offset[0] * wte->shape[1];
    int same = 1;
    enum rf_status st = RF_OK;

    for (int i = 0; i < work->file->ntensors; i++)
        if (rf_names_tied(work->family, work->file->tensors[i].name))
            head = &work->file->tensors[i];
    if (head == NULL)
        return RF_OK;
    if (head->type != wte->theirs->type || head->ndims != 2 ||
        memcmp(head->shape, wte->theirs->shape, 2 * sizeof head->shape[0]) != 0)
        same = 0;
    for (int64_t at = 0; st == RF_OK && same && at < n; at += PIECE_VALUES) {
        int64_t some = n - at < PIECE_VALUES ? n - at : PIECE_VALUES;

        st = rf_safetensors_read(work->file, work->path, head, first + at, some, work->piece,
                                 err);
        same = st == RF_OK &&
               memcmp(work->piece, tensor->data + at, (size_t)some * sizeof(float)) == 0;
    }
    if (st == RF_OK && !same)
        st = rf_fail(err, RF_ERR_INPUT,
                     "'%s' has an output layer of its own: '%.100s' is not the embedding, and "
                     "our %s models have one tensor for both",
                     work->path, head->name, rf_family_name(work->family));
    return st;
}

/* Local: all values of this rank. */
static enum rf_status read_values(struct work *work, const struct rf_watch *watch,
                                  struct rf_error *err)
{
    int64_t done = 0, total = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; i < work->nsources; i++)
        total += work->tensors[i].extent[0] * work->tensors[i].extent[1];
    for (int i = 0; st == RF_OK && i < work->nsources; i++) {
        const struct source *source = &work->sources[i];
        const struct rf_tensor *tensor = &work->tensors[i];
        int64_t n = tensor->extent[0] * tensor->extent[1];
        int64_t first = source->shape[0] * source->place.part + tensor->offset[0];

        if (n > 0 && source->place.transposed)
            st = read_turned(work, source, tensor, err);
        else if (n > 0)
            st = rf_safetensors_read(work->file, work->path, source->theirs,
                                     first * source->shape[1], n, tensor->data, err);
        done += n;
        rf_watch_show(watch, done, total);
    }
    return st == RF_OK ? check_tied(work, err) : st;
}

/* Local, rank 0. */
static enum rf_status place_is_free(const char *dir, int64_t step, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_store_path(path, dir, step, err);

    if (st == RF_OK && rf_file_exists(path))
        st = rf_fail(err, RF_ERR_INPUT, "'%s' is there already", path);
    return st;
}

static void release(struct work *work)
{
    for (int i = 0; work->tensors != NULL && i < work->nsources; i++)
        free(work->tensors[i].data);
    free(work->piece);
    free(work->tensors);
    free(work->sources);
    rf_safetensors_close(work->file);
}

enum rf_status rf_ckpt_import(const struct rf_group *group, const char *in, const char *dir,
                              const struct rf_import_options *options,
                              const struct rf_watch *watch, struct rf_imported *imported,
                              struct rf_error *err)
{
    struct work work = {.path = in};
    enum rf_status st;

    *imported = (struct rf_imported){0};
    st = rf_agree(group, plan(&work, options, imported, err), err);
    if (st == RF_OK) {
        st = group->rank == 0 ? place_is_free(dir, work.info.step, err) : RF_OK;
        if (st == RF_OK)
            st = cut(&work, group, err);
        if (st == RF_OK)
            st = read_values(&work, watch, err);
        st = rf_agree(group, st, err);
    }
    if (st == RF_OK) {
        work.info.ranks = group->size;
        st = rf_ckpt_save(group, dir, &work.info, work.tensors, work.nsources, 0,
                          imported->path, &imported->content, err);
    }
    imported->family = work.family;
    imported->ntensors = work.nsources;
    imported->step = work.info.step;
    for (int i = 0; work.sources != NULL && i < work.nsources; i++)
        imported->untied |= strcmp(work.sources[i].place.name, "lm_head.weight") == 0;
    memcpy(imported->model, work.info.model, sizeof imported->model);
    release(&work);
    return st;
}
