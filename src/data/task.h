/* task.h - what models learn from: one interface, one file per source.
 *
 * A task gives a vocabulary, labelled examples in locked splits, and a corpus
 * for generative pretraining. Classification is asked as a distribution over
 * nclass label tokens (contiguous, starting at label_begin; with somebody else's tokenizer, words of
 * its own, listed as answers) after the last token of the prompt; chess move prediction is the
 * same with nclass = the number of moves. Preference pairs may also be scored: then an example is two
 * prompts, each asked for one token whose logit is its score, and the classes are which of the
 * two is better (batch.h, joined). Everything is a function of the options and the seed: every rank
 * of every group builds the same task. The pretraining corpus never holds a text or
 * position of the test split.
 *
 * Sources: "chess-rules"  built in: positions from games played at random by the rules engine,
 *                         with exact labels by `rule`; needs no file.
 *          "chess"        puzzles (path, extra_path) and games (corpus) as tab-separated files.
 *          "tsv"          split TAB label TAB text; byte-level BPE trained on train-side text.
 *          "jsonl"        the same as JSON lines; "pairs" two replies and which is better.
 *          "digits"       pictures of 8 x 8 grey values, a token per value.
 *          "text"         plain text (path), to pretrain on: no examples, but rows held back. */
#ifndef RF_DATA_TASK_H
#define RF_DATA_TASK_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "nn/batch.h"

/* jsonl, pairs: which fields of an object are read. "": the name that is said here. */
struct rf_task_fields {
    char split[64], label[64], text[64]; /* "split" (may be missing), "label", "text" */
    char second[64];                     /* a second text of an example; "": there is none */
    char prompt[64], chosen[64],
        rejected[64]; /* "prompt" (may be missing), "chosen", "rejected" */
};

enum { RF_ANSWERS_MAX = 16, RF_ANSWER_BYTES = 64 };

struct rf_task_options {
    char name[64];
    char source[32];
    char path
        [RF_PATH_BYTES]; /* texts, text, digits: the file; chess: puzzles with ratings (test) */
    char test_path[RF_PATH_BYTES];  /* texts, digits: a file whose rows are all for test */
    char extra_path[RF_PATH_BYTES]; /* chess: further puzzles, for training */
    char corpus[RF_PATH_BYTES]; /* chess: games; texts: further unlabelled text, one per line,
                                       optional */
    struct rf_task_fields fields;
    char duplicates[16]; /* texts, digits: what is in two splits: "drop", else refused */
    char balance[16]; /* texts, digits: as many examples of each class: "always", "never", else
                            with two classes (digits: never) */
    char family[64];  /* tasks of one family may hold the same texts: rf_task_overlap() */
    int alone;        /* 1: the configuration has it as its one `task` */
    int overlap;      /* declared: it may hold texts that another of the family tests */
    char rule[32];    /* chess-rules: which question is asked, see chess_rules.h */
    char tokenizer
        [16]; /* text: "byte", "char", "bpe" or "file"; texts: "bpe", "words" or "file", "" is "bpe" */
    char tokenizer_path[RF_PATH_BYTES]; /* "file": what vocabulary.h reads */
    /* texts, "file": the words that labels are said by, in the order of the labels, of which the first token
     * counts; none: a blank and the label. And what is said between a text and the answer. */
    char answers[RF_ANSWERS_MAX][RF_ANSWER_BYTES];
    int nanswers;
    char question[256];
    char preference
        [16]; /* pairs: "score": each reply by itself; else both are read as one text */
    char documents[16]; /* text: "file", "lines" or "paragraphs" are documents */
    int vocabulary;     /* texts, text: size of the tokenizer, default 4096 */
    int context; /* tokens; longer prompts lose their oldest tokens. default per source */
    int train, validation, test; /* examples; 0: all there are (chess-rules: must be > 0); text:
                                    rows of context tokens held back, 0: a tenth */
    int learn_rest;    /* chess: puzzles of `path` that the test leaves over are learned from */
    int corpus_size;   /* pretraining samples at most; 0: all (chess-rules: must be > 0) */
    char positive[64]; /* texts: this label against the rest; "": as they are */
};

enum rf_split {
    RF_SPLIT_WEAK,
    RF_SPLIT_STRONG,
    RF_SPLIT_VALIDATION,
    RF_SPLIT_TEST,
    RF_NSPLITS
};

struct rf_examples {
    int n;
    int32_t *tokens; /* owned by the task; all prompts one after the other */
    int32_t *start;  /* [n+1] */
    int32_t *label;  /* [n], 0 .. nclass-1 */
    float *rating;   /* [n] difficulty, or NULL */
    uint64_t
        content; /* of what the examples are and of their labels, in their order, whatever the
                         tokens: equal where two tasks hold the same */
};

struct rf_task; /* incomplete; the fields one needs come from the calls below */

struct rf_task_info {
    int vocabulary; /* tokens, label tokens included */
    int context;    /* the longest prompt + 1 */
    int label_begin, nclass;
    int32_t answers[RF_ANSWERS_MAX]; /* tokens in place of those from label_begin on */
    int nanswers;   /* 0: none are; else nclass, or where examples are pairs 1 */
    int joined;     /* 2: an example is two sequences, which share a distribution; else 1 */
    int32_t unseen; /* what a token that a step does not see reads as */
    struct rf_digest tokenizer; /* two tasks with the same digest share models */
    int64_t corpus_tokens;
    /* What tokens are made of, or NULL: part_count numbers for each token, -1 for none. Tokens
     * that share a part (a square, a kind of man) start from embeddings that share a vector. */
    const int32_t *parts; /* [vocabulary][part_count], owned by the task */
    int part_count;
    int64_t
        dropped; /* examples and texts left out because the test, or an earlier one, is the same */
};

/* Reads or makes the data. Balance, then shuffle, then split, keyed by content;
 * seed decides the halves (WEAK: ground truth for the weak model; STRONG: the
 * weak model labels it), never the test split. Local. Errors name file and line. */
enum rf_status rf_task_open(struct rf_task **task, const struct rf_task_options *options,
                            uint64_t seed, struct rf_error *err);
void rf_task_close(struct rf_task *task);

const struct rf_task_info *rf_task_info(const struct rf_task *task);
const struct rf_examples *rf_task_split(const struct rf_task *task, enum rf_split split);

/* How many of the texts that `tested` tests `learned` may be trained on, with a label or as
 * corpus; texts are the same as within a task. 0 for tasks of different kinds. */
int64_t rf_task_overlap(const struct rf_task *learned, const struct rf_task *tested);

/* Memory that a batch points into. Zeroed to start; ended with rf_batch_memory_free(). */
struct rf_batch_memory {
    int32_t *tokens, *rows, *target;
    float *soft, *weight;
    int room_tokens, room_rows;
    int64_t room_soft;
};
void rf_batch_memory_free(struct rf_batch_memory *memory);

/* The pretraining batch of a step: a function of (seed, step) alone. B sequences. further: -1
 * from all of the corpus, 0 from the task's own text alone, 1 from what options->corpus added. */
enum rf_status rf_task_corpus_batch(const struct rf_task *task, uint64_t seed, int64_t step,
                                    int further, int B, struct rf_batch_memory *memory,
                                    struct rf_batch *batch, struct rf_error *err);

/* Vectors for the tokens of the task, from how often they stand near one another in what a pretraining batch with
 * the same `further` is drawn from: ppmi.h. vectors [info.vocabulary][width]; zeros where nothing is known. Local. */
enum rf_status rf_task_token_vectors(const struct rf_task *task, int further, int width,
                                     uint64_t seed, float *vectors, struct rf_error *err);

/* Rows of the text that are held back; 0: the source holds none. A batch of B of them from `first` on. */
int rf_task_held_rows(const struct rf_task *task);
enum rf_status rf_task_held_batch(const struct rf_task *task, int first, int B,
                                  struct rf_batch_memory *memory, struct rf_batch *batch,
                                  struct rf_error *err);

/* A batch of the listed examples, asking for the label distribution at each
 * prompt's last token; target = ground truth. Callers that train on other
 * labels overwrite memory->target, or set batch->soft to memory->soft [n][nclass]
 * (allocated when nclass <= 16) and target to NULL. An example of two sequences is two of the
 * batch's, one behind the other, and one item of it. */
enum rf_status rf_task_example_batch(const struct rf_task *task, enum rf_split split,
                                     const int32_t *index, int n,
                                     struct rf_batch_memory *memory, struct rf_batch *batch,
                                     struct rf_error *err);

/* Which examples a training step uses: epochs over n in an order that depends on
 * (seed, epoch); a function of (seed, step) alone. Writes index[0 .. batch-1]. */
void rf_task_order(uint64_t seed, int64_t step, int batch, int n, int32_t *index);

#endif
