/* texts.h - labelled texts, whatever file they come from: from rows to a task. Internal to
 * src/data.
 *
 * A source reads its files and hands in rows; what follows is the same for all of them:
 * labels become numbers, texts that occur twice are found, a tokenizer is learned, splits are
 * cut.
 *
 * Two texts are the same when they are equal once only letters and digits count (bytes above
 * 127 are letters) and ASCII case is folded. The test split is looked at first: a text of it is
 * never trained on, neither with a label nor as corpus, and the tokenizer has not seen it
 * either. Labelled texts that are in two splits are an error unless the task declares
 * duplicates = "drop"; then test keeps them, before validation, before training. A text that
 * occurs twice in one split counts once (its first label).
 *
 * Tokens, of a tokenizer that is learnt: 0 padding; 1 .. n what it gives; then one that ends every
 * text; then the labels. An example of two texts is both, each with its end. Of one that is given: its
 * own; what it begins texts with, the text (of two texts the second after a line break), and the
 * question, if there is one. Where pairs are scored, an example's tokens are the length of the
 * first prompt, that prompt, and the second's. */
#ifndef RF_DATA_TEXTS_H
#define RF_DATA_TEXTS_H

#include "base/lines.h"
#include "data/source.h"

enum { RF_TEXT_CLASSES = 16 };

enum rf_side { RF_SIDE_TRAIN, RF_SIDE_VALIDATION, RF_SIDE_TEST, RF_NSIDES, RF_SIDE_NONE };

/* One row as a source hands it in. All texts are borrowed for the life of the list. */
struct rf_text_row {
    const char *path; /* where it stands, for messages */
    long line;
    struct rf_view split; /* empty: the file does not say; counts as train */
    struct rf_view label;
    struct rf_view text, second; /* second: empty unless an example has two texts */
    struct rf_view group; /* rows with the same group stay together when the test split is
                                    cut by content; empty: the text is its own */
};

struct rf_labelled; /* incomplete */

enum rf_status rf_labelled_make(struct rf_labelled **list,
                                const struct rf_task_options *options, struct rf_error *err);
void rf_labelled_free(struct rf_labelled *list);

/* Checks a row and keeps it, unless its split is none of train, dev (also validation, valid,
 * val) and test. */
enum rf_status rf_labelled_add(struct rf_labelled *list, const struct rf_text_row *row,
                               struct rf_error *err);

/* Once, when all rows are in: makes the task. corpus: further unlabelled text, a line each. With
 * no row for test, every fifth text is taken for it, by content. */
enum rf_status rf_labelled_finish(struct rf_labelled *list, struct rf_view corpus,
                                  struct rf_task *task, uint64_t seed, struct rf_error *err);

/* A file that is being read. */
struct rf_text_file {
    const char *path;
    struct rf_view text;
    int tested;    /* all its rows are for test, whatever they say */
    char *strings; /* owned: what is unescaped, as long as the file's rows are in use */
    size_t used, room;
};

/* Readers: every row of a file into the list. Messages name file and line. */
enum rf_status rf_texts_read_tsv(struct rf_labelled *list, struct rf_text_file *file,
                                 const struct rf_task_options *options, struct rf_error *err);
enum rf_status rf_texts_read_jsonl(struct rf_labelled *list, struct rf_text_file *file,
                                   const struct rf_task_options *options, struct rf_error *err);
enum rf_status rf_texts_read_pairs(struct rf_labelled *list, struct rf_text_file *file,
                                   const struct rf_task_options *options, struct rf_error *err);

#endif
