/* What the sources of labelled texts have in common: files in, a list of rows, a task out. */
#include <stdlib.h>
#include <string.h>

#include "data/texts.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 31;

typedef enum rf_status read_rows(struct rf_labelled *list, struct rf_text_file *file,
                                 const struct rf_task_options *options, struct rf_error *err);

static read_rows *reader_of(const char *source)
{
    if (strcmp(source, "jsonl") == 0)
        return rf_texts_read_jsonl;
    return strcmp(source, "pairs") == 0 ? rf_texts_read_pairs : rf_texts_read_tsv;
}

/* A whole file as text, which the caller frees. */
static enum rf_status open_text(struct rf_view *text, char **data, const char *path,
                                struct rf_error *err)
{
    size_t size = 0;
    enum rf_status st = rf_file_read(path, FILE_BYTES_MAX, data, &size, err);

    *text = (struct rf_view){*data, st == RF_OK ? size : 0};
    return st;
}

static enum rf_status check_options(const struct rf_task_options *options, struct rf_error *err)
{
    if (options->path[0] == '\0')
        return rf_fail(err, RF_ERR_CONFIG, "task '%s': source %s needs a path", options->name,
                       options->source);
    if (options->vocabulary != 0 &&
        (options->vocabulary < 280 || options->vocabulary > 1000000))
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': vocabulary is %d; expected 280 to 1000000 tokens",
                       options->name, options->vocabulary);
    if (options->context < 0 || (options->context > 0 && options->context < 4))
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': context is %d; expected at least 4 tokens", options->name,
                       options->context);
    return RF_OK;
}

enum rf_status rf_source_texts(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err)
{
    struct rf_text_file files[2] = {{.path = options->path},
                                    {.path = options->test_path, .tested = 1}};
    int nfiles = options->test_path[0] != '\0' ? 2 : 1;
    char *data[2] = {NULL, NULL}, *further = NULL;
    struct rf_view corpus = {"", 0};
    struct rf_labelled *list = NULL;
    enum rf_status st = check_options(options, err);

    if (st == RF_OK)
        st = rf_labelled_make(&list, options, err);
    for (int i = 0; st == RF_OK && i < nfiles; i++) {
        st = open_text(&files[i].text, &data[i], files[i].path, err);
        if (st == RF_OK)
            st = reader_of(options->source)(list, &files[i], options, err);
    }
    if (st == RF_OK && options->corpus[0] != '\0')
        st = open_text(&corpus, &further, options->corpus, err);
    if (st == RF_OK)
        st = rf_labelled_finish(list, corpus, task, seed, err);
    rf_labelled_free(list);
    for (int i = 0; i < 2; i++) {
        free(files[i].strings);
        free(data[i]);
    }
    free(further);
    return st;
}
