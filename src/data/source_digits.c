/* Small pictures as lines of numbers: so many grey values and a class, separated by commas, as
 * in the "Optical Recognition of Handwritten Digits" set of the UCI repository (64 values 0 to
 * 16, classes 0 to 9). A first line that begins with no number names the columns.
 *
 * A picture is read like a text: a token per value, row after row, and one that ends it; so
 * a model can be pretrained on pictures without labels. Tokens: 0 padding; 1 + value; 18 ends a
 * picture; then the classes. Pictures are the same when all values are. */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "data/source.h"

enum { GREYS = 17, CLASSES = 10, PIXELS = 64, END = 1 + GREYS, LABELS = END + 1 };
static const size_t FILE_BYTES_MAX = (size_t)1 << 30;

struct reader {
    const struct rf_task_options *options;
    struct rf_task *task;
    struct rf_pools pools;
    int64_t leaks, dropped;
    const char *leak_path;
    long leak_line;
};

/* The next number of a line, 0 .. most; -1: there is none. */
static int next_value(struct rf_view *line, int most)
{
    int value = 0, digits = 0;

    while (line->size_bytes > 0 && line->bytes[0] == ' ') {
        line->bytes++;
        line->size_bytes--;
    }
    while (digits < 4 && line->size_bytes > 0 && line->bytes[0] >= '0' &&
           line->bytes[0] <= '9') {
        value = 10 * value + line->bytes[0] - '0';
        digits++;
        line->bytes++;
        line->size_bytes--;
    }
    if (digits == 0 || value > most)
        return -1;
    if (line->size_bytes > 0) {
        if (line->bytes[0] != ',' || line->size_bytes == 1)
            return -1;
        line->bytes++;
        line->size_bytes--;
    }
    return value;
}

/* One picture into tokens [PIXELS + 1] and its class. */
static int read_picture(struct rf_view line, int32_t *tokens, int *label)
{
    for (int i = 0; i < PIXELS; i++) {
        int value = next_value(&line, GREYS - 1);

        if (value < 0)
            return -1;
        tokens[i] = 1 + value;
    }
    tokens[PIXELS] = END;
    *label = next_value(&line, CLASSES - 1);
    return *label < 0 || line.size_bytes > 0 ? -1 : 0;
}

static enum rf_status keep(struct reader *r, const char *path, long number,
                           const int32_t *tokens, int label, int tested, struct rf_error *err)
{
    uint64_t key = rf_key_of(tokens, PIXELS * sizeof *tokens);
    struct rf_keys *own = tested ? &r->task->tested : &r->task->learned;
    int is_new = 0;
    enum rf_status st = RF_OK;

    if (!tested && rf_keys_has(&r->task->tested, key)) {
        r->leak_path = r->leaks == 0 ? path : r->leak_path;
        r->leak_line = r->leaks == 0 ? number : r->leak_line;
        r->leaks++;
    } else {
        st = rf_keys_add(own, key, &is_new, err);
    }
    if (st != RF_OK || !is_new) {
        r->dropped += st == RF_OK;
        return st;
    }
    st = rf_samples_add(tested ? &r->pools.test : &r->pools.train, tokens, PIXELS + 1, label,
                        key, 0.0f, err);
    if (st == RF_OK && !tested)
        st = rf_samples_add(&r->task->corpus, tokens, PIXELS + 1, 0, key, 0.0f, err);
    return st;
}

static enum rf_status read_file(struct reader *r, const char *path, int tested,
                                struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    struct rf_lines lines;
    struct rf_view line;
    enum rf_status st = rf_file_read(path, FILE_BYTES_MAX, &data, &size, err);

    if (st != RF_OK)
        return st;
    lines = rf_lines_begin(data, size);
    while (st == RF_OK && rf_lines_next(&lines, &line)) {
        int32_t tokens[PIXELS + 1];
        int label;

        if (lines.number == 1 && line.size_bytes > 0 &&
            (line.bytes[0] < '0' || line.bytes[0] > '9'))
            continue;
        st = read_picture(line, tokens, &label) == 0
                 ? keep(r, path, lines.number, tokens, label, tested, err)
                 : rf_fail(err, RF_ERR_INPUT,
                           "%s:%ld: expected %d values from 0 to %d and a class from 0 to %d, "
                           "separated by commas",
                           path, lines.number, PIXELS, GREYS - 1, CLASSES - 1);
    }
    free(data);
    return st;
}

enum rf_status rf_source_digits(struct rf_task *task, const struct rf_task_options *options,
                                uint64_t seed, struct rf_error *err)
{
    static const char form[] = "64 grey values";
    struct reader r = {.options = options, .task = task};
    enum rf_status st = RF_OK;

    if (options->path[0] == '\0' || options->test_path[0] == '\0')
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': source digits needs a path and a test_path", options->name);
    task->info = (struct rf_task_info){.vocabulary = LABELS + CLASSES,
                                       .context = PIXELS + 1,
                                       .label_begin = LABELS,
                                       .nclass = CLASSES,
                                       .tokenizer = rf_digest_of(form, sizeof form)};
    task->corpus_count = END + 1;
    st = read_file(&r, options->test_path, 1, err);
    if (st == RF_OK)
        st = read_file(&r, options->path, 0, err);
    if (st == RF_OK && r.leaks > 0 && strcmp(options->duplicates, "drop") != 0)
        st = rf_fail(err, RF_ERR_INPUT,
                     "%s:%ld: this picture is in the test split, too; pictures in both: %lld. "
                     "duplicates = \"drop\" in task '%s' leaves them out of training",
                     r.leak_path, r.leak_line, (long long)r.leaks, options->name);
    r.pools.balance = strcmp(options->balance, "always") == 0;
    if (st == RF_OK)
        st = rf_pools_divide(&r.pools, task, options, seed, err);
    task->info.dropped = r.dropped;
    rf_pools_clear(&r.pools);
    return st;
}
