/* Labelled texts: split TAB label TAB text.
 *
 * Two texts are the same when they are equal after folding ASCII case and runs of blanks. The
 * test split is read first; a text of the test is never trained on, neither with a label nor as
 * corpus, and the tokenizer has not seen it either. A text that occurs twice counts once (its
 * first label).
 *
 * Tokens: 0 padding; 1 .. n what the tokenizer gives; then one that ends every text; then the
 * labels. */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "data/source.h"
#include "data/tokenizer.h"

enum { CLASSES_MAX = 16, DEFAULT_VOCABULARY = 4096, DEFAULT_CONTEXT = 64 };
static const size_t FILE_BYTES_MAX = (size_t)1 << 31;

enum side { SIDE_TRAIN, SIDE_VALIDATION, SIDE_TEST, NSIDES, SIDE_IGNORED = NSIDES };

struct row {
    struct rf_text name; /* of the label, until labels are numbered */
    struct rf_text text;
    uint64_t key;
    int32_t label;
    enum side side;
};

struct reader {
    const struct rf_task_options *options;
    char *data, *more; /* the files, owned */
    size_t data_bytes, more_bytes;
    struct row *rows;
    int nrows, room;
    struct rf_text labels[CLASSES_MAX]; /* sorted */
    int nlabels;
    struct rf_keys test, train;
    struct rf_text *learn; /* what the tokenizer and the corpus are made of */
    uint64_t *learn_key;
    int nlearn, learn_room;
    char *fold; /* room for one folded text */
    size_t fold_bytes;
    int64_t dropped;
};

/* Key of the text with case and blanks folded. */
static uint64_t folded_key(struct reader *reader, struct rf_text text)
{
    size_t n = 0;
    int blank = 0;

    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = text.bytes[i];

        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            blank = n > 0;
            continue;
        }
        if (blank)
            reader->fold[n++] = ' ';
        blank = 0;
        reader->fold[n++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return rf_key_of(reader->fold, n);
}

static int is_blank(struct rf_text text)
{
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.bytes[i] != ' ' && text.bytes[i] != '\t')
            return 0;
    }
    return 1;
}

static int compare_texts(struct rf_text a, struct rf_text b)
{
    size_t n = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = memcmp(a.bytes, b.bytes, n);

    return order != 0 ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

/* Keeps the list of labels sorted; -1 when there are too many. */
static int note_label(struct reader *reader, struct rf_text label)
{
    int at = 0;

    while (at < reader->nlabels && compare_texts(reader->labels[at], label) < 0)
        at++;
    if (at < reader->nlabels && compare_texts(reader->labels[at], label) == 0)
        return 0;
    if (reader->nlabels == CLASSES_MAX)
        return -1;
    memmove(reader->labels + at + 1, reader->labels + at,
            (size_t)(reader->nlabels - at) * sizeof *reader->labels);
    reader->labels[at] = label;
    reader->nlabels++;
    return 0;
}

static int label_number(const struct reader *reader, struct rf_text label)
{
    int at = 0;

    if (reader->options->positive[0] != '\0')
        return rf_text_is(label, reader->options->positive);
    while (compare_texts(reader->labels[at], label) != 0)
        at++;
    return at;
}

static enum side side_of(struct rf_text split)
{
    if (rf_text_is(split, "train"))
        return SIDE_TRAIN;
    if (rf_text_is(split, "dev"))
        return SIDE_VALIDATION;
    return rf_text_is(split, "test") ? SIDE_TEST : SIDE_IGNORED;
}

static enum rf_status keep_row(struct reader *reader, struct row row, struct rf_error *err)
{
    if (reader->nrows == reader->room) {
        int room = reader->room > 0 ? 2 * reader->room : 4096;
        struct row *more = realloc(reader->rows, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d rows", room);
        reader->rows = more;
        reader->room = room;
    }
    reader->rows[reader->nrows++] = row;
    return RF_OK;
}

/* One line, checked. Rows of other splits are checked, too, and then left out. */
static enum rf_status read_row(struct reader *reader, struct rf_text line, long number,
                               struct rf_error *err)
{
    struct rf_text column[4];
    int n = rf_columns(line, column, 4);
    const char *path = reader->options->path;
    struct row row;

    if (n != 3)
        return rf_fail(err, RF_ERR_INPUT,
                       "%s:%ld: %d columns where split, label and text are expected", path,
                       number, n == 4 ? 4 : n);
    if (column[0].size_bytes == 0 || column[1].size_bytes == 0 || is_blank(column[2]))
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: the %s is empty", path, number,
                       column[0].size_bytes == 0   ? "split"
                       : column[1].size_bytes == 0 ? "label"
                                                   : "text");
    row = (struct row){column[1], column[2], 0, 0, side_of(column[0])};
    if (row.side == SIDE_IGNORED)
        return RF_OK;
    if (note_label(reader, column[1]) != 0)
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: more than %d different labels", path, number,
                       CLASSES_MAX);
    row.key = folded_key(reader, column[2]);
    return keep_row(reader, row, err);
}

static enum rf_status read_rows(struct reader *reader, struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(reader->data, reader->data_bytes);
    struct rf_text line;
    enum rf_status st = RF_OK;

    while (st == RF_OK && rf_lines_next(&lines, &line))
        st = read_row(reader, line, lines.number, err);
    return st;
}

/* Labels become numbers once all of them are known. */
static enum rf_status number_labels(struct reader *reader, struct rf_error *err)
{
    const char *path = reader->options->path, *positive = reader->options->positive;
    int found = 0;

    for (int i = 0; i < reader->nlabels; i++)
        found = found || rf_text_is(reader->labels[i], positive);
    if (positive[0] != '\0' && !found)
        return rf_fail(err, RF_ERR_CONFIG, "task '%s': no row of '%s' has the label '%s'",
                       reader->options->name, path, positive);
    if (reader->nlabels < 2)
        return rf_fail(err, RF_ERR_INPUT, "'%s' has %s: there is nothing to tell apart", path,
                       reader->nlabels == 0 ? "no rows for train, dev or test"
                                            : "one label only");
    for (int i = 0; i < reader->nrows; i++)
        reader->rows[i].label = label_number(reader, reader->rows[i].name);
    return RF_OK;
}

static enum rf_status learn_from(struct reader *reader, struct rf_text text, uint64_t key,
                                 struct rf_error *err)
{
    if (reader->nlearn == reader->learn_room) {
        int room = reader->learn_room > 0 ? 2 * reader->learn_room : 4096;
        struct rf_text *texts = realloc(reader->learn, (size_t)room * sizeof *texts);
        uint64_t *keys;

        if (texts != NULL)
            reader->learn = texts;
        keys = texts != NULL ? realloc(reader->learn_key, (size_t)room * sizeof *keys) : NULL;
        if (keys == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d texts", room);
        reader->learn_key = keys;
        reader->learn_room = room;
    }
    reader->learn[reader->nlearn] = text;
    reader->learn_key[reader->nlearn++] = key;
    return RF_OK;
}

/* Marks what occurs in the test or for a second time as SIDE_IGNORED, test first, then dev,
 * then train. */
static enum rf_status drop_duplicates(struct reader *reader, struct rf_error *err)
{
    static const enum side order[NSIDES] = {SIDE_TEST, SIDE_VALIDATION, SIDE_TRAIN};
    enum rf_status st = RF_OK;

    for (int s = 0; s < NSIDES; s++) {
        struct rf_keys *keys = order[s] == SIDE_TEST ? &reader->test : &reader->train;

        for (int i = 0; st == RF_OK && i < reader->nrows; i++) {
            struct row *row = &reader->rows[i];
            int is_new = 0;

            if (row->side != order[s])
                continue;
            if (order[s] == SIDE_TEST || !rf_keys_has(&reader->test, row->key))
                st = rf_keys_add(keys, row->key, &is_new, err);
            if (st == RF_OK && !is_new) {
                row->side = SIDE_IGNORED;
                reader->dropped++;
            } else if (st == RF_OK && order[s] == SIDE_TRAIN) {
                st = learn_from(reader, row->text, row->key, err);
            }
        }
    }
    return st;
}

/* Further unlabelled text, one per line; blank lines are skipped. */
static enum rf_status read_corpus(struct reader *reader, struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(reader->more, reader->more_bytes);
    struct rf_text line;
    enum rf_status st = RF_OK;

    while (st == RF_OK && rf_lines_next(&lines, &line)) {
        uint64_t key;
        int is_new = 0;

        if (is_blank(line))
            continue;
        key = folded_key(reader, line);
        if (!rf_keys_has(&reader->test, key))
            st = rf_keys_add(&reader->train, key, &is_new, err);
        if (st == RF_OK && is_new)
            st = learn_from(reader, line, key, err);
        else
            reader->dropped++;
    }
    return st;
}

static enum rf_status read_files(struct reader *reader, struct rf_error *err)
{
    const struct rf_task_options *options = reader->options;
    enum rf_status st =
        rf_file_read(options->path, FILE_BYTES_MAX, &reader->data, &reader->data_bytes, err);

    if (st == RF_OK && options->corpus[0] != '\0')
        st = rf_file_read(options->corpus, FILE_BYTES_MAX, &reader->more, &reader->more_bytes,
                          err);
    if (st != RF_OK)
        return st;
    reader->fold_bytes =
        (reader->data_bytes > reader->more_bytes ? reader->data_bytes : reader->more_bytes) + 1;
    reader->fold = malloc(reader->fold_bytes);
    if (reader->fold == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", options->path);
    st = read_rows(reader, err);
    if (st == RF_OK)
        st = number_labels(reader, err);
    if (st == RF_OK)
        st = drop_duplicates(reader, err);
    if (st == RF_OK && reader->more != NULL)
        st = read_corpus(reader, err);
    return st;
}

static void end_reader(struct reader *reader)
{
    free(reader->data);
    free(reader->more);
    free(reader->rows);
    free(reader->learn);
    free(reader->learn_key);
    free(reader->fold);
    rf_keys_clear(&reader->test);
    rf_keys_clear(&reader->train);
}

/* Tokens of a text and the one that ends it; room for one per byte and one more. */
static int text_tokens(struct rf_tokenizer *tokenizer, struct rf_text text, int32_t *tokens)
{
    int n = rf_tokenizer_encode(tokenizer, text, tokens);

    for (int i = 0; i < n; i++)
        tokens[i]++;
    tokens[n] = 1 + rf_tokenizer_size(tokenizer);
    return n + 1;
}

/* The prompts; of a longer text the last tokens. */
static enum rf_status add_prompts(struct reader *reader, struct rf_tokenizer *tokenizer,
                                  int context, int32_t *tokens, struct rf_pools *pools,
                                  struct rf_error *err)
{
    struct rf_samples *list[NSIDES] = {&pools->train, &pools->validation, &pools->test};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < reader->nrows; i++) {
        const struct row *row = &reader->rows[i];
        int n, cut;

        if (row->side == SIDE_IGNORED)
            continue;
        n = text_tokens(tokenizer, row->text, tokens);
        cut = n > context ? n - context : 0;
        st = rf_samples_add(list[row->side], tokens + cut, n - cut, row->label, row->key, 0.0f,
                            err);
    }
    return st;
}

/* The pretraining sequences: every text in pieces of the context. Which texts, where there are
 * more than corpus_size, follows from their keys. */
static enum rf_status add_corpus(struct reader *reader, struct rf_tokenizer *tokenizer,
                                 int context, int32_t *tokens, struct rf_task *task,
                                 struct rf_error *err)
{
    struct rf_samples all = {0};
    enum rf_status st = RF_OK;
    int32_t *order = NULL;
    int n = 0, limit = reader->options->corpus_size;

    for (int i = 0; st == RF_OK && i < reader->nlearn; i++)
        st = rf_samples_add(&all, &(int32_t){0}, 1, 0, reader->learn_key[i], 0.0f, err);
    if (st == RF_OK)
        st = rf_samples_order(&all, 1, 0, 0, &order, &n, err);
    for (int k = 0; st == RF_OK && k < n && (limit == 0 || k < limit); k++) {
        int i = order[k], length = text_tokens(tokenizer, reader->learn[i], tokens);

        for (int at = 0; st == RF_OK && at + 1 < length; at += context) {
            int piece = length - at < context + 1 ? length - at : context + 1;

            st = rf_samples_add(&task->corpus, tokens + at, piece, 0, reader->learn_key[i],
                                0.0f, err);
        }
    }
    free(order);
    rf_samples_clear(&all);
    return st;
}

static enum rf_status check_options(const struct rf_task_options *options, struct rf_error *err)
{
    if (options->path[0] == '\0')
        return rf_fail(err, RF_ERR_CONFIG, "task '%s': source tsv needs a path", options->name);
    if (options->vocabulary != 0 &&
        (options->vocabulary < 280 || options->vocabulary > 1000000))
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': vocabulary is %d; expected 280 to 1000000 tokens",
                       options->name, options->vocabulary);
    if (options->context < 0 || options->context == 1)
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': context is %d; expected at least 2 tokens", options->name,
                       options->context);
    return RF_OK;
}

/* From the texts that were read to tokens. */
static enum rf_status make_task(struct reader *reader, struct rf_task *task,
                                struct rf_pools *pools, struct rf_error *err)
{
    const struct rf_task_options *options = reader->options;
    int nclass = options->positive[0] != '\0' ? 2 : reader->nlabels;
    int limit = options->vocabulary > 0 ? options->vocabulary : DEFAULT_VOCABULARY;
    int context = options->context > 0 ? options->context : DEFAULT_CONTEXT, ntokens;
    struct rf_tokenizer *tokenizer = NULL;
    int32_t *tokens = malloc((reader->fold_bytes + 1) * sizeof *tokens);
    enum rf_status st = RF_OK;

    if (tokens == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", options->path);
    if (st == RF_OK) /* padding, the end of a text and the labels count, too */
        st = rf_tokenizer_train(&tokenizer, reader->learn, reader->nlearn, limit - 2 - nclass,
                                err);
    if (st == RF_OK) {
        ntokens = rf_tokenizer_size(tokenizer);
        task->info = (struct rf_task_info){.vocabulary = ntokens + 2 + nclass,
                                           .context = context,
                                           .label_begin = ntokens + 2,
                                           .nclass = nclass,
                                           .tokenizer = rf_tokenizer_digest(tokenizer)};
        task->corpus_begin = 0;
        task->corpus_count = task->info.vocabulary;
        st = add_prompts(reader, tokenizer, context, tokens, pools, err);
    }
    if (st == RF_OK)
        st = add_corpus(reader, tokenizer, context, tokens, task, err);
    rf_tokenizer_destroy(tokenizer);
    free(tokens);
    return st;
}

enum rf_status rf_source_tsv(struct rf_task *task, const struct rf_task_options *options,
                             uint64_t seed, struct rf_error *err)
{
    struct reader reader = {.options = options};
    struct rf_pools pools = {.balance = 1};
    enum rf_status st = check_options(options, err);

    if (st == RF_OK)
        st = read_files(&reader, err);
    if (st == RF_OK)
        st = make_task(&reader, task, &pools, err);
    if (st == RF_OK)
        st = rf_pools_divide(&pools, task, options, seed, err);
    if (st == RF_OK)
        task->info.dropped = reader.dropped;
    rf_pools_clear(&pools);
    end_reader(&reader);
    return st;
}
