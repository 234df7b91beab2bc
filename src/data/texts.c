#include "data/texts.h"

#include <stdlib.h>
#include <string.h>

#include "data/texts_list.h"

enum { TEST_PART = 5 }; /* every fifth text, where a file names no test split */

enum rf_status rf_labelled_make(struct rf_labelled **list,
                                const struct rf_task_options *options, struct rf_error *err)
{
    *list = calloc(1, sizeof **list);
    if (*list == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for task '%s'", options->name);
    (*list)->options = options;
    return RF_OK;
}

void rf_labelled_free(struct rf_labelled *list)
{
    if (list == NULL)
        return;
    free(list->rows);
    free(list->learn);
    free(list->learn_key);
    free(list->learn_further);
    free(list->fold);
    rf_keys_clear(&list->test);
    rf_keys_clear(&list->train);
    free(list);
}

/* ---- what counts as the same */

static char small(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int is_blank_char(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_letter_or_digit(char c)
{
    return (unsigned char)c > 127 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* Appends a text with case and runs of blanks folded; with `letters`, all other signs count as
 * blanks. Returns the new length. */
static size_t fold(char *to, size_t n, struct rf_view text, int letters)
{
    size_t begin = n;
    int blank = 0;

    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = small(text.bytes[i]);

        if (is_blank_char(c) || (letters && !is_letter_or_digit(c))) {
            blank = n > begin;
            continue;
        }
        if (blank)
            to[n++] = ' ';
        blank = 0;
        to[n++] = c;
    }
    return n;
}

static enum rf_status make_fold(struct rf_labelled *list, size_t size_bytes,
                                struct rf_error *err)
{
    char *more;

    if (size_bytes <= list->fold_bytes)
        return RF_OK;
    more = realloc(list->fold, 2 * size_bytes);
    if (more == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a text of %zu bytes", size_bytes);
    list->fold = more;
    list->fold_bytes = 2 * size_bytes;
    return RF_OK;
}

/* Keys of a text or of two. A text without a letter or digit is the same only as itself. */
static enum rf_status find_keys(struct rf_labelled *list, struct rf_view text,
                                struct rf_view second, uint64_t *key, uint64_t *same,
                                struct rf_error *err)
{
    size_t n;
    enum rf_status st = make_fold(list, text.size_bytes + second.size_bytes + 2, err);

    if (st != RF_OK)
        return st;
    n = fold(list->fold, 0, text, 0);
    if (second.size_bytes > 0) {
        list->fold[n++] = '\t';
        n = fold(list->fold, n, second, 0);
    }
    *key = rf_key_of(list->fold, n);
    n = fold(list->fold, 0, text, 1);
    if (second.size_bytes > 0) {
        list->fold[n++] = '\t';
        n = fold(list->fold, n, second, 1);
    }
    *same = n > (second.size_bytes > 0) ? rf_key_of(list->fold, n) : *key;
    return RF_OK;
}

static int is_blank(struct rf_view text)
{
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.bytes[i] != ' ' && text.bytes[i] != '\t')
            return 0;
    }
    return 1;
}

/* ---- labels */

static int compare_texts(struct rf_view a, struct rf_view b)
{
    size_t n = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = memcmp(a.bytes, b.bytes, n);

    return order != 0 ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

/* Keeps the list of labels sorted; -1 when there are too many. */
static int note_label(struct rf_labelled *list, struct rf_view label)
{
    int at = 0;

    while (at < list->nlabels && compare_texts(list->labels[at], label) < 0)
        at++;
    if (at < list->nlabels && compare_texts(list->labels[at], label) == 0)
        return 0;
    if (list->nlabels == RF_TEXT_CLASSES)
        return -1;
    memmove(list->labels + at + 1, list->labels + at,
            (size_t)(list->nlabels - at) * sizeof *list->labels);
    list->labels[at] = label;
    list->nlabels++;
    return 0;
}

static int label_number(const struct rf_labelled *list, struct rf_view label)
{
    int at = 0;

    if (list->options->positive[0] != '\0')
        return rf_view_is(label, list->options->positive);
    while (compare_texts(list->labels[at], label) != 0)
        at++;
    return at;
}

/* Labels become numbers once all of them are known. */
static enum rf_status number_labels(struct rf_labelled *list, struct rf_error *err)
{
    const char *path = list->options->path, *positive = list->options->positive;
    int found = 0;

    for (int i = 0; i < list->nlabels; i++)
        found = found || rf_view_is(list->labels[i], positive);
    if (positive[0] != '\0' && !found)
        return rf_fail(err, RF_ERR_CONFIG, "task '%s': no row of '%s' has the label '%s'",
                       list->options->name, path, positive);
    if (list->nlabels < 2)
        return rf_fail(err, RF_ERR_INPUT, "'%s' has %s: there is nothing to tell apart", path,
                       list->nlabels == 0 ? "no rows for train, dev or test"
                                          : "one label only");
    for (int i = 0; i < list->nrows; i++)
        list->rows[i].label = label_number(list, list->rows[i].name);
    return RF_OK;
}

/* ---- rows */

static enum rf_side side_of(struct rf_view split)
{
    static const char *const validation[] = {"dev", "validation", "valid", "val"};

    if (split.size_bytes == 0 || rf_view_is(split, "train"))
        return RF_SIDE_TRAIN;
    for (int i = 0; i < 4; i++)
        if (rf_view_is(split, validation[i]))
            return RF_SIDE_VALIDATION;
    return rf_view_is(split, "test") ? RF_SIDE_TEST : RF_SIDE_NONE;
}

static enum rf_status keep_row(struct rf_labelled *list, struct rf_kept_row row,
                               struct rf_error *err)
{
    if (list->nrows == list->room) {
        int room = list->room > 0 ? 2 * list->room : 4096;
        struct rf_kept_row *more = realloc(list->rows, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d rows", room);
        list->rows = more;
        list->room = room;
    }
    list->rows[list->nrows++] = row;
    return RF_OK;
}

/* Rows of other splits are checked, too, and then left out. */
enum rf_status rf_labelled_add(struct rf_labelled *list, const struct rf_text_row *row,
                               struct rf_error *err)
{
    struct rf_kept_row kept = {.path = row->path,
                               .line = row->line,
                               .name = row->label,
                               .text = row->text,
                               .second = row->second,
                               .side = side_of(row->split)};
    uint64_t unused;
    size_t bytes = row->text.size_bytes + row->second.size_bytes;
    enum rf_status st;

    if (row->label.size_bytes == 0 || is_blank(row->text))
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: the %s is empty", row->path, row->line,
                       row->label.size_bytes == 0 ? "label" : "text");
    if (kept.side == RF_SIDE_NONE)
        return RF_OK;
    if (note_label(list, row->label) != 0)
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: more than %d different labels", row->path,
                       row->line, RF_TEXT_CLASSES);
    st = find_keys(list, row->text, row->second, &kept.key, &kept.same, err);
    kept.group = kept.same;
    if (st == RF_OK && row->group.size_bytes > 0)
        st = find_keys(list, row->group, (struct rf_view){"", 0}, &kept.group, &unused, err);
    if (st != RF_OK)
        return st;
    list->longest_bytes = bytes > list->longest_bytes ? bytes : list->longest_bytes;
    return keep_row(list, kept, err);
}

/* Where no row is for test: every fifth of the others, by content. */
static void cut_test(struct rf_labelled *list)
{
    for (int i = 0; i < list->nrows; i++)
        if (list->rows[i].side == RF_SIDE_TEST)
            return;
    for (int i = 0; i < list->nrows; i++)
        if (list->rows[i].side == RF_SIDE_TRAIN && list->rows[i].group % TEST_PART == 0)
            list->rows[i].side = RF_SIDE_TEST;
}

/* ---- duplicates */

static enum rf_status learn_from(struct rf_labelled *list, struct rf_view text, uint64_t key,
                                 int further, struct rf_error *err)
{
    if (list->nlearn == list->learn_room) {
        int room = list->learn_room > 0 ? 2 * list->learn_room : 4096;
        struct rf_view *texts = realloc(list->learn, (size_t)room * sizeof *texts);
        uint64_t *keys = NULL;
        int *furthers = NULL;

        if (texts != NULL)
            list->learn = texts;
        keys = realloc(list->learn_key, (size_t)room * sizeof *keys);
        if (keys != NULL)
            list->learn_key = keys;
        furthers = realloc(list->learn_further, (size_t)room * sizeof *furthers);
        if (furthers != NULL)
            list->learn_further = furthers;
        if (texts == NULL || keys == NULL || furthers == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for %d texts", room);
        list->learn_room = room;
    }
    list->learn[list->nlearn] = text;
    list->learn_key[list->nlearn] = key;
    list->learn_further[list->nlearn++] = further;
    return RF_OK;
}

static enum rf_status learn_row(struct rf_labelled *list, const struct rf_kept_row *row,
                                struct rf_error *err)
{
    enum rf_status st = learn_from(list, row->text, row->key, 0, err);

    if (st == RF_OK && row->second.size_bytes > 0)
        st = learn_from(list, row->second, row->key ^ 1, 0, err);
    return st;
}

/* Finds texts that are in two splits: the first of them in the file, and how many. */
struct leaks {
    const struct rf_kept_row *first;
    const char *other; /* the split that has it, too */
    int64_t n;
};

/* One row against what was seen before it: drops it, or keeps it and its key. */
static enum rf_status judge_row(struct rf_labelled *list, struct rf_kept_row *row,
                                struct rf_keys *validation, struct leaks *leaks,
                                struct rf_error *err)
{
    struct rf_keys *own = row->side == RF_SIDE_TEST ? &list->test : &list->train;
    int in_test = row->side != RF_SIDE_TEST && rf_keys_has(&list->test, row->same);
    int in_validation = row->side == RF_SIDE_TRAIN && rf_keys_has(validation, row->same);
    int is_new = 0, is_new_here;
    enum rf_status st = RF_OK;

    if (in_test || in_validation) {
        if (leaks->first == NULL || row->line < leaks->first->line) {
            leaks->first = row;
            leaks->other = in_test ? "test" : "validation";
        }
        leaks->n++;
    } else {
        st = rf_keys_add(own, row->same, &is_new, err);
    }
    if (st == RF_OK && is_new && row->side == RF_SIDE_VALIDATION)
        st = rf_keys_add(validation, row->same, &is_new_here, err);
    if (st == RF_OK && !is_new) {
        row->side = RF_SIDE_NONE;
        list->dropped++;
    } else if (st == RF_OK && row->side == RF_SIDE_TRAIN) {
        st = learn_row(list, row, err);
    }
    return st;
}

/* Marks what is in two splits, or twice in one, as RF_SIDE_NONE. */
static enum rf_status drop_duplicates(struct rf_labelled *list, struct rf_error *err)
{
    static const enum rf_side order[RF_NSIDES] = {RF_SIDE_TEST, RF_SIDE_VALIDATION,
                                                  RF_SIDE_TRAIN};
    struct rf_keys validation = {0};
    struct leaks leaks = {0};
    enum rf_status st = RF_OK;

    for (int s = 0; s < RF_NSIDES; s++)
        for (int i = 0; st == RF_OK && i < list->nrows; i++)
            if (list->rows[i].side == order[s])
                st = judge_row(list, &list->rows[i], &validation, &leaks, err);
    rf_keys_clear(&validation);
    if (st == RF_OK && leaks.n > 0 && strcmp(list->options->duplicates, "drop") != 0)
        st =
            rf_fail(err, RF_ERR_INPUT,
                    "%s:%ld: this text is in the %s split, too, up to case and signs; texts in "
                    "two splits: %lld. duplicates = \"drop\" in task '%s' leaves them out of "
                    "training",
                    leaks.first->path, leaks.first->line, leaks.other, (long long)leaks.n,
                    list->options->name);
    return st;
}

/* Further unlabelled text, one per line; blank lines are skipped. */
static enum rf_status read_corpus(struct rf_labelled *list, struct rf_view corpus,
                                  struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(corpus.bytes, corpus.size_bytes);
    struct rf_view line;
    enum rf_status st = RF_OK;

    while (st == RF_OK && rf_lines_next(&lines, &line)) {
        uint64_t key, same;
        int is_new = 0;

        if (is_blank(line))
            continue;
        st = find_keys(list, line, (struct rf_view){"", 0}, &key, &same, err);
        if (st == RF_OK && !rf_keys_has(&list->test, same))
            st = rf_keys_add(&list->train, same, &is_new, err);
        list->longest_bytes =
            line.size_bytes > list->longest_bytes ? line.size_bytes : list->longest_bytes;
        if (st == RF_OK && is_new)
            st = learn_from(list, line, key, 1, err);
        else
            list->dropped++;
    }
    return st;
}

enum rf_status rf_labelled_finish(struct rf_labelled *list, struct rf_view corpus,
                                  struct rf_task *task, uint64_t seed, struct rf_error *err)
{
    const char *balance = list->options->balance;
    struct rf_pools pools = {0};
    enum rf_status st;

    cut_test(list);
    st = number_labels(list, err);
    if (st == RF_OK)
        st = drop_duplicates(list, err);
    if (st == RF_OK && corpus.size_bytes > 0)
        st = read_corpus(list, corpus, err);
    if (st == RF_OK)
        st = rf_labelled_encode(list, task, &pools, err);
    pools.balance = strcmp(balance, "always") == 0 ||
                    (task->info.nclass == 2 && strcmp(balance, "never") != 0);
    if (st == RF_OK)
        st = rf_pools_divide(&pools, task, list->options, seed, err);
    if (st == RF_OK)
        task->info.dropped = list->dropped;
    task->tested = list->test;
    task->learned = list->train;
    list->test = list->train = (struct rf_keys){0};
    rf_pools_clear(&pools);
    return st;
}
