#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/chess_rules.h"
#include "data/chess_text.h"
#include "data/task.h"

static void write_file(const char *path, const char *text)
{
    struct rf_error err;

    if (rf_file_write(path, text, strlen(text), &err) != RF_OK)
        fail_msg("%s", err.text);
}

static struct rf_task *opened(const struct rf_task_options *options, uint64_t seed)
{
    struct rf_task *task;
    struct rf_error err;

    if (rf_task_open(&task, options, seed, &err) != RF_OK)
        fail_msg("%s", err.text);
    return task;
}

/* Opening fails, and the message holds each of the two words. */
static void refused(const struct rf_task_options *options, const char *word, const char *other)
{
    struct rf_task *task;
    struct rf_error err = {RF_OK, ""};
    enum rf_status st = rf_task_open(&task, options, 1, &err);

    assert_true(st == RF_ERR_INPUT || st == RF_ERR_CONFIG);
    assert_null(task);
    if (strstr(err.text, word) == NULL || strstr(err.text, other) == NULL)
        fail_msg("'%s' lacks '%s' or '%s'", err.text, word, other);
}

static struct rf_task_options rules(const char *rule)
{
    struct rf_task_options options = {.name = "q",
                                      .source = "chess-rules",
                                      .train = 400,
                                      .validation = 100,
                                      .test = 200,
                                      .corpus_size = 500};

    snprintf(options.rule, sizeof options.rule, "%s", rule);
    return options;
}

static int same_prompt(const struct rf_examples *a, int i, const struct rf_examples *b, int k)
{
    int32_t na = a->start[i + 1] - a->start[i], nb = b->start[k + 1] - b->start[k];

    return na == nb && memcmp(a->tokens + a->start[i], b->tokens + b->start[k],
                              (size_t)na * sizeof *a->tokens) == 0;
}

static void assert_same_split(const struct rf_examples *a, const struct rf_examples *b)
{
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        assert_true(same_prompt(a, i, b, i));
        assert_int_equal(a->label[i], b->label[i]);
    }
}

static int share_of_class(const struct rf_examples *examples, int label)
{
    int n = 0;

    for (int i = 0; i < examples->n; i++)
        n += examples->label[i] == label;
    return n;
}

static void rules_give_balanced_splits_of_the_sizes_asked_for(void **state)
{
    static const char *const names[] = {"material", "check", "hanging"};

    (void)state;
    for (int r = 0; r < 3; r++) {
        struct rf_task_options options = rules(names[r]);
        struct rf_task *task = opened(&options, 1);
        static const int sizes[RF_NSPLITS] = {200, 200, 100, 200};

        for (int s = 0; s < RF_NSPLITS; s++) {
            const struct rf_examples *examples = rf_task_split(task, (enum rf_split)s);

            assert_int_equal(examples->n, sizes[s]);
            assert_int_equal(share_of_class(examples, 1), sizes[s] / 2);
            for (int i = 0; i < examples->n; i++)
                assert_true(examples->start[i + 1] - examples->start[i] <=
                            rf_task_info(task)->context);
        }
        rf_task_close(task);
    }
}

static void no_prompt_is_in_two_splits(void **state)
{
    struct rf_task_options options = rules("hanging");
    struct rf_task *task = opened(&options, 1);

    (void)state;
    for (int s = 0; s < RF_NSPLITS; s++) {
        for (int u = s; u < RF_NSPLITS; u++) {
            const struct rf_examples *a = rf_task_split(task, (enum rf_split)s);
            const struct rf_examples *b = rf_task_split(task, (enum rf_split)u);

            for (int i = 0; i < a->n; i++) {
                for (int k = s == u ? i + 1 : 0; k < b->n; k++)
                    assert_false(same_prompt(a, i, b, k));
            }
        }
    }
    rf_task_close(task);
}

static void the_seed_changes_the_halves_but_never_the_test(void **state)
{
    struct rf_task_options options = rules("material");
    struct rf_task *a = opened(&options, 1), *again = opened(&options, 1),
                   *b = opened(&options, 2);
    const struct rf_examples *left = rf_task_split(a, RF_SPLIT_WEAK);
    const struct rf_examples *right = rf_task_split(b, RF_SPLIT_WEAK);
    int same = 0;

    (void)state;
    for (int s = 0; s < RF_NSPLITS; s++)
        assert_same_split(rf_task_split(a, (enum rf_split)s),
                          rf_task_split(again, (enum rf_split)s));
    assert_same_split(rf_task_split(a, RF_SPLIT_TEST), rf_task_split(b, RF_SPLIT_TEST));
    assert_same_split(rf_task_split(a, RF_SPLIT_VALIDATION),
                      rf_task_split(b, RF_SPLIT_VALIDATION));
    for (int i = 0; i < left->n; i++)
        same += same_prompt(left, i, right, i);
    assert_true(same < left->n / 4);
    rf_task_close(a);
    rf_task_close(again);
    rf_task_close(b);
}

static void unknown_sources_rules_and_missing_sizes_are_refused(void **state)
{
    struct rf_task_options options = rules("beauty");

    (void)state;
    refused(&options, "beauty", "hanging");
    options = rules("check");
    options.test = 0;
    refused(&options, "'q'", "test");
    snprintf(options.source, sizeof options.source, "oracle");
    refused(&options, "oracle", "chess-rules");
}

static void a_corpus_batch_asks_every_question_once_and_repeats_exactly(void **state)
{
    struct rf_task_options options = rules("material");
    struct rf_task *task = opened(&options, 1);
    struct rf_batch_memory memory = {0}, other = {0};
    struct rf_batch batch, again;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_task_corpus_batch(task, 5, 3, -1, 7, &memory, &batch, &err), RF_OK);
    assert_int_equal(rf_task_corpus_batch(task, 5, 2, -1, 9, &other, &again, &err), RF_OK);
    assert_int_equal(rf_task_corpus_batch(task, 5, 3, -1, 7, &other, &again, &err), RF_OK);
    assert_int_equal(batch.R, 7 * RF_CHESS_NQUESTIONS);
    assert_int_equal(batch.range_begin, RF_CHESS_TOKEN_NUMBER);
    assert_int_equal(batch.T, again.T);
    assert_memory_equal(batch.tokens, again.tokens,
                        (size_t)(batch.B * batch.T) * sizeof(int32_t));
    for (int b = 0; b < 7; b++) {
        unsigned asked = 0;

        for (int r = b * RF_CHESS_NQUESTIONS; r < (b + 1) * RF_CHESS_NQUESTIONS; r++) {
            int question = batch.tokens[batch.rows[r]] - RF_CHESS_TOKEN_QUESTION;
            int answer = batch.target[r] + batch.range_begin;

            assert_int_equal(batch.rows[r] / batch.T, b);
            assert_in_range(question, 0, RF_CHESS_NQUESTIONS - 1);
            asked |= 1u << question;
            assert_int_equal(answer >= RF_CHESS_TOKEN_MOVE, question == RF_CHESS_ASK_MOVE);
            assert_int_equal(batch.target[r], again.target[r]);
        }
        assert_int_equal(asked, (1u << RF_CHESS_NQUESTIONS) - 1);
    }
    rf_batch_memory_free(&memory);
    rf_batch_memory_free(&other);
    rf_task_close(task);
}

static void an_example_batch_asks_once_at_each_last_token(void **state)
{
    struct rf_task_options options = rules("material");
    struct rf_task *task = opened(&options, 1);
    const struct rf_examples *test = rf_task_split(task, RF_SPLIT_TEST);
    static const int32_t index[3] = {7, 0, 150};
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    struct rf_error err;

    (void)state;
    assert_int_equal(
        rf_task_example_batch(task, RF_SPLIT_TEST, index, 3, &memory, &batch, &err), RF_OK);
    assert_int_equal(batch.R, 3);
    assert_int_equal(batch.range_count, 2);
    assert_non_null(memory.soft);
    for (int b = 0; b < 3; b++) {
        int32_t from = test->start[index[b]], length = test->start[index[b] + 1] - from;

        assert_int_equal(batch.rows[b], b * batch.T + length - 1);
        assert_int_equal(batch.target[b], test->label[index[b]]);
        assert_memory_equal(batch.tokens + b * batch.T, test->tokens + from,
                            (size_t)length * sizeof(int32_t));
    }
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

static void every_epoch_uses_every_example_once(void **state)
{
    static const int sizes[] = {1, 2, 3, 17, 64, 1000};

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int n = sizes[k], moved = 0;
        int32_t first[1000], second[1000], at_once[2000];

        rf_task_order(9, 0, 2 * n, n, at_once);
        for (int epoch = 0; epoch < 2; epoch++) {
            int seen[1000] = {0};

            rf_task_order(9, epoch, n, n, epoch ? second : first);
            for (int i = 0; i < n; i++) {
                int32_t index = (epoch ? second : first)[i];

                assert_in_range(index, 0, n - 1);
                assert_int_equal(seen[index]++, 0);
                assert_int_equal(index, at_once[epoch * n + i]);
                moved += epoch && first[i] != index;
            }
        }
        assert_true(n < 17 || moved > n / 2);
    }
}

/* A file of n labelled texts; lines in forward or backward order. */
static void write_reviews(const char *path, int n, int backwards, const char *extra)
{
    char *text = malloc((size_t)n * 100 + strlen(extra) + 1), *at = text;

    assert_non_null(text);
    for (int k = 0; k < n; k++) {
        int i = backwards ? n - 1 - k : k;

        at += sprintf(at, "%s\t%s\tfilm number %d is %s indeed\n",
                      i % 5 == 0   ? "test"
                      : i % 5 == 1 ? "dev"
                                   : "train",
                      i % 2 ? "good" : "bad", i, i % 2 ? "fine" : "poor");
    }
    strcpy(at, extra);
    write_file(path, text);
    free(text);
}

static struct rf_task_options tsv(const char *path)
{
    struct rf_task_options options = {
        .name = "reviews", .source = "tsv", .vocabulary = 400, .context = 32};

    snprintf(options.path, sizeof options.path, "%s", path);
    return options;
}

static void texts_do_not_depend_on_the_order_of_the_file(void **state)
{
    struct rf_task_options forward = tsv("task_forward.tsv"),
                           backward = tsv("task_backward.tsv");
    struct rf_task *a, *b;
    struct rf_digest da, db;

    (void)state;
    write_reviews(forward.path, 200, 0, "");
    write_reviews(backward.path, 200, 1, "");
    a = opened(&forward, 3);
    b = opened(&backward, 3);
    da = rf_task_info(a)->tokenizer;
    db = rf_task_info(b)->tokenizer;
    assert_true(rf_digest_equal(&da, &db));
    for (int s = 0; s < RF_NSPLITS; s++)
        assert_same_split(rf_task_split(a, (enum rf_split)s),
                          rf_task_split(b, (enum rf_split)s));
    assert_int_equal(rf_task_split(a, RF_SPLIT_TEST)->n, 40);
    assert_int_equal(rf_task_split(a, RF_SPLIT_VALIDATION)->n, 40);
    assert_int_equal(rf_task_split(a, RF_SPLIT_WEAK)->n, 60);
    assert_int_equal(rf_task_split(a, RF_SPLIT_STRONG)->n, 60);
    rf_task_close(a);
    rf_task_close(b);
    remove(forward.path);
    remove(backward.path);
}

static void texts_of_the_test_are_never_trained_on(void **state)
{
    struct rf_task_options plain = tsv("task_plain.tsv"), twice = tsv("task_twice.tsv");
    struct rf_task *a, *b;

    (void)state;
    write_reviews(plain.path, 200, 0, "");
    write_reviews(twice.path, 200, 0,
                  "train\tbad\tfilm number 0 is poor indeed\n"
                  "train\tbad\tFilm  Number 10 is POOR indeed \n"
                  "train\tbad\tfilm number 2 is poor indeed\n"
                  "test_ood\tugly\tthis split is not read\n");
    write_file("task_more.txt", "film number 20 is poor indeed\r\nsomething new\n\n");
    snprintf(twice.corpus, sizeof twice.corpus, "task_more.txt");
    refused(&twice, "task_twice.tsv:201", "test");
    snprintf(twice.duplicates, sizeof twice.duplicates, "drop");
    a = opened(&plain, 1);
    b = opened(&twice, 1);
    assert_int_equal(rf_task_info(a)->dropped, 0);
    assert_int_equal(rf_task_info(b)->dropped, 4);
    assert_int_equal(rf_task_info(b)->nclass, 2);
    assert_true(rf_task_info(b)->corpus_tokens > rf_task_info(a)->corpus_tokens);
    assert_int_equal(rf_task_split(a, RF_SPLIT_TEST)->n, rf_task_split(b, RF_SPLIT_TEST)->n);
    assert_int_equal(rf_task_split(a, RF_SPLIT_WEAK)->n, rf_task_split(b, RF_SPLIT_WEAK)->n);
    rf_task_close(a);
    rf_task_close(b);
    remove(plain.path);
    remove(twice.path);
    remove("task_more.txt");
}

static void one_label_can_stand_against_the_rest(void **state)
{
    struct rf_task_options options = tsv("task_kinds.tsv");
    char text[20000], *at = text;
    struct rf_task *task;

    (void)state;
    for (int i = 0; i < 300; i++)
        at += sprintf(at, "%s\t%c\twords of kind %d about %d\n", i % 7 ? "train" : "test",
                      'a' + i % 3, i % 3, i);
    write_file(options.path, text);
    task = opened(&options, 1);
    assert_int_equal(rf_task_info(task)->nclass, 3);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n,
                     43); /* three classes: all there are */
    rf_task_close(task);
    snprintf(options.balance, sizeof options.balance, "always");
    task = opened(&options, 1);
    assert_int_equal(share_of_class(rf_task_split(task, RF_SPLIT_TEST), 2),
                     rf_task_split(task, RF_SPLIT_TEST)->n / 3);
    rf_task_close(task);
    options.balance[0] = '\0';
    snprintf(options.positive, sizeof options.positive, "b");
    task = opened(&options, 1);
    assert_int_equal(rf_task_info(task)->nclass, 2);
    assert_int_equal(share_of_class(rf_task_split(task, RF_SPLIT_WEAK), 1),
                     rf_task_split(task, RF_SPLIT_WEAK)->n / 2);
    rf_task_close(task);
    snprintf(options.positive, sizeof options.positive, "z");
    refused(&options, "'z'", "task_kinds.tsv");
    remove(options.path);
}

/* The same texts as JSON lines, with other names for the fields. */
static void write_json_reviews(const char *path, int n, const char *extra)
{
    char *text = malloc((size_t)n * 160 + strlen(extra) + 1), *at = text;

    assert_non_null(text);
    for (int i = 0; i < n; i++)
        at += sprintf(at,
                      "{\"part\": \"%s\", \"verdict\": %s, \"more\": [1, null], "
                      "\"sentence\": \"film number %d is %s\\u0020indeed\"}\n",
                      i % 5 == 0   ? "test"
                      : i % 5 == 1 ? "validation"
                                   : "train",
                      i % 2 ? "true" : "false", i, i % 2 ? "fine" : "poor");
    strcpy(at, extra);
    write_file(path, text);
    free(text);
}

static struct rf_task_options jsonl(const char *path)
{
    struct rf_task_options options = tsv(path);

    strcpy(options.source, "jsonl");
    strcpy(options.fields.split, "part");
    strcpy(options.fields.label, "verdict");
    strcpy(options.fields.text, "sentence");
    return options;
}

static void json_lines_give_the_task_that_columns_give(void **state)
{
    struct rf_task_options columns = tsv("task_columns.tsv"), lines = jsonl("task_lines.jsonl");
    struct rf_task *a, *b;

    (void)state;
    write_reviews(columns.path, 200, 0, "");
    write_json_reviews(lines.path, 200, "");
    a = opened(&columns, 3);
    b = opened(&lines, 3);
    for (int s = 0; s < RF_NSPLITS; s++) /* bad, good and false, true: the same order */
        assert_same_split(rf_task_split(a, (enum rf_split)s),
                          rf_task_split(b, (enum rf_split)s));
    rf_task_close(a);
    rf_task_close(b);
    remove(columns.path);
    remove(lines.path);
}

static void malformed_json_names_file_and_line(void **state)
{
    static const struct {
        const char *line, *what;
    } wrong[] = {
        {"{\"part\": \"train\"", "no JSON object"},
        {"[1]", "another value"},
        {"", "no JSON object"},
        {"{\"part\": \"train\", \"sentence\": \"a\"}", "'verdict' is not there"},
        {"{\"part\": \"train\", \"verdict\": 0.5, \"sentence\": \"a\"}", "is no label"},
        {"{\"part\": \"train\", \"verdict\": 1}", "'sentence' is not there"},
        {"{\"part\": \"train\", \"verdict\": 1, \"sentence\": 3}", "is no text"},
        {"{\"part\": \"train\", \"verdict\": 1, \"sentence\": \" \"}", "text is empty"},
        {"{\"verdict\": 1, \"sentence\": \"a\"}", "'part' is not there"},
    };
    struct rf_task_options options = jsonl("task_bad.jsonl");

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char extra[200];

        snprintf(extra, sizeof extra, "%s\n", wrong[i].line);
        write_json_reviews(options.path, 10, extra);
        refused(&options, "task_bad.jsonl:11", wrong[i].what);
    }
    remove(options.path);
}

/* Lines without a split, in two orders. */
static void write_unsplit(const char *path, int backwards)
{
    char text[30000], *at = text;

    for (int k = 0; k < 300; k++) {
        int i = backwards ? 299 - k : k;

        at += sprintf(at, "{\"label\": \"%c\", \"text\": \"item %d of kind %d\"}\n",
                      'a' + i % 2, i, i % 2);
    }
    write_file(path, text);
}

static void a_file_without_a_test_split_is_cut_by_content(void **state)
{
    struct rf_task_options forward = tsv("task_forward.jsonl"),
                           backward = tsv("task_backward.jsonl");
    struct rf_task *a, *b;

    (void)state;
    strcpy(forward.source, "jsonl");
    strcpy(backward.source, "jsonl");
    write_unsplit(forward.path, 0);
    write_unsplit(backward.path, 1);
    a = opened(&forward, 1);
    b = opened(&backward, 1);
    assert_in_range(rf_task_split(a, RF_SPLIT_TEST)->n, 30, 90);
    for (int s = 0; s < RF_NSPLITS; s++)
        assert_same_split(rf_task_split(a, (enum rf_split)s),
                          rf_task_split(b, (enum rf_split)s));
    rf_task_close(a);
    rf_task_close(b);
    remove(forward.path);
    remove(backward.path);
}

static void write_pairs(const char *path)
{
    char text[60000], *at = text;

    for (int i = 0; i < 300; i++)
        at += sprintf(at,
                      "{\"prompt\": \"question %d\", \"chosen\": \"yes %d\", "
                      "\"rejected\": \"no %d\"}\n",
                      i / 3, i, i);
    write_file(path, text);
}

static void the_label_of_a_pair_says_which_reply_is_better_and_not_where_it_stands(void **state)
{
    struct rf_task_options options = tsv("task_pairs.jsonl");
    struct rf_task *task;
    const struct rf_examples *half;

    (void)state;
    strcpy(options.source, "pairs");
    write_pairs(options.path);
    task = opened(&options, 1);
    half = rf_task_split(task, RF_SPLIT_STRONG);
    assert_int_equal(rf_task_info(task)->nclass, 2);
    assert_in_range(half->n, 60, 120);
    assert_in_range(share_of_class(half, 1), half->n / 2, (half->n + 1) / 2);
    for (int i = 0; i < half->n; i++) { /* "yes" and "no" begin with different tokens */
        int32_t first = half->tokens[half->start[i]];

        for (int k = 0; k < i; k++)
            if (half->label[k] == half->label[i])
                assert_int_equal(half->tokens[half->start[k]], first);
            else
                assert_int_not_equal(half->tokens[half->start[k]], first);
    }
    rf_task_close(task);
    remove(options.path);
}

static void pictures_are_read_value_by_value(void **state)
{
    struct rf_task_options options = {
        .name = "digits", .source = "digits", .path = "task_d.tra", .test_path = "task_d.tes"};
    char text[60000], *at = text;
    struct rf_task *task;
    const struct rf_examples *test;

    (void)state;
    for (int i = 0; i < 200; i++) {
        for (int p = 0; p < 64; p++)
            at += sprintf(at, "%d,", (i * 7 + p * (1 + i % 10)) % 17);
        at += sprintf(at, "%d\n", i % 10);
    }
    write_file(options.path, text);
    write_file(options.test_path,
               "a,b\n"
               "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,0,0,0,0,0,0,0,0,0,0,0,0,"
               "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
               "0,0,3\n");
    task = opened(&options, 1);
    test = rf_task_split(task, RF_SPLIT_TEST);
    assert_int_equal(test->n, 1);
    assert_int_equal(test->label[0], 3);
    assert_int_equal(test->start[1], 65);
    for (int i = 0; i < 17; i++)
        assert_int_equal(test->tokens[i], 1 + i);
    assert_int_equal(rf_task_info(task)->nclass, 10);
    rf_task_close(task);
    write_file(options.test_path, "1,2,3\n");
    refused(&options, "task_d.tes:1", "64 values");
    remove(options.path);
    remove(options.test_path);
}

static void texts_that_another_task_tests_are_counted(void **state)
{
    struct rf_task_options here = tsv("task_here.tsv"), there = tsv("task_there.tsv");
    struct rf_task *a, *b;

    (void)state;
    write_reviews(here.path, 200, 0, "");
    write_reviews(there.path, 200, 0, "train\tbad\tsomething else\n");
    a = opened(&here, 1);
    b = opened(&there, 1);
    assert_int_equal(rf_task_overlap(a, b), 0); /* the same rows are for test in both */
    rf_task_close(b);
    write_reviews(there.path, 200, 0,
                  "test\tbad\tFilm number 3: is fine, indeed!\n"
                  "test\tgood\tFilm number 7 is fine indeed\n");
    strcpy(there.duplicates, "drop");
    b = opened(&there, 1);
    assert_int_equal(rf_task_overlap(a, b), 2);
    assert_int_equal(rf_task_overlap(b, a), 0);
    rf_task_close(a);
    rf_task_close(b);
    remove(here.path);
    remove(there.path);
}

static void a_language_batch_predicts_each_next_token(void **state)
{
    struct rf_task_options options = tsv("task_lm.tsv");
    struct rf_task *task;
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    struct rf_error err;

    (void)state;
    write_reviews(options.path, 200, 0, "");
    task = opened(&options, 1);
    assert_int_equal(rf_task_corpus_batch(task, 1, 0, -1, 8, &memory, &batch, &err), RF_OK);
    assert_int_equal(batch.range_count, rf_task_info(task)->vocabulary);
    for (int r = 0; r + 1 < batch.R; r++) {
        if (batch.rows[r + 1] / batch.T == batch.rows[r] / batch.T)
            assert_int_equal(batch.target[r], batch.tokens[batch.rows[r] + 1]);
        assert_true(batch.rows[r + 1] > batch.rows[r]);
    }
    rf_batch_memory_free(&memory);
    rf_task_close(task);
    remove(options.path);
}

/* Further text is a part of the corpus that can be asked for alone. */
static void pretraining_may_read_one_part_of_the_corpus(void **state)
{
    struct rf_task_options options = tsv("task_parts.tsv");
    struct rf_task *task;
    struct rf_batch_memory memory = {0}, other = {0};
    struct rf_batch further, own;
    struct rf_error err;

    (void)state;
    write_reviews(options.path, 200, 0, "");
    write_file("task_parts.txt", "something quite different\n");
    snprintf(options.corpus, sizeof options.corpus, "task_parts.txt");
    task = opened(&options, 1);
    assert_int_equal(rf_task_corpus_batch(task, 1, 0, 1, 4, &memory, &further, &err), RF_OK);
    assert_int_equal(rf_task_corpus_batch(task, 1, 0, 0, 4, &other, &own, &err), RF_OK);
    for (int b = 1; b < 4; b++) /* there is but one */
        assert_memory_equal(further.tokens, further.tokens + b * further.T,
                            (size_t)further.T * sizeof(int32_t));
    for (int b = 0; b < 4; b++)
        assert_int_not_equal(own.tokens[b * own.T + 1], further.tokens[1]);
    rf_task_close(task);
    options.corpus[0] = '\0';
    task = opened(&options, 1);
    assert_int_equal(rf_task_corpus_batch(task, 1, 0, 1, 4, &memory, &further, &err),
                     RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no further text"));
    rf_batch_memory_free(&memory);
    rf_batch_memory_free(&other);
    rf_task_close(task);
    remove(options.path);
    remove("task_parts.txt");
}

static void malformed_texts_name_file_and_line(void **state)
{
    static const struct {
        const char *text, *line, *what;
    } wrong[] = {
        {"train\t1\ta b\ntrain\t1\n", "task_bad.tsv:2", "2 columns"},
        {"train\t1\ta\tb\n", "task_bad.tsv:1", "4 columns"},
        {"train\t1\ta b\n\ntrain\t0\tc\n", "task_bad.tsv:2", "1 columns"},
        {"train\t1\ta b\ntrain\t0\t  \n", "task_bad.tsv:2", "text is empty"},
        {"train\t\ta b\n", "task_bad.tsv:1", "label is empty"},
        {"\t1\ta b\n", "task_bad.tsv:1", "split is empty"},
        {"train\t1\ta b\ntest\t1\tc\n", "task_bad.tsv", "one label"},
        {"", "task_bad.tsv", "no rows"},
        {"train\t1\ta b\ntrain\t0\tc\n", "reviews", "no examples are left"},
        {"t\t0\ta\ntrain\t0\ta\ntrain\t1\ta\ntrain\t2\ta\ntrain\t3\ta\ntrain\t4\ta\ntrain\t5\ta"
         "\n"
         "train\t6\ta\ntrain\t7\ta\ntrain\t8\ta\ntrain\t9\ta\ntrain\tA\ta\ntrain\tB\ta\n"
         "train\tC\ta\ntrain\tD\ta\ntrain\tE\ta\ntrain\tF\ta\ntrain\tG\ta\n",
         "task_bad.tsv:18", "16"},
    };
    struct rf_task_options options = tsv("task_bad.tsv");

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_file(options.path, wrong[i].text);
        refused(&options, wrong[i].line, wrong[i].what);
    }
    remove(options.path);
    refused(&options, "task_bad.tsv", "open");
    options.path[0] = '\0';
    refused(&options, "reviews", "path");
}

static const char header[] = "id\trating\tfen4\tsolution_uci\tthemes\n";
static const char one_puzzle[] =
    "a\t1500\t5r2/p3R2p/6p1/3B2k1/2p2b2/2P2P2/P5P1/1q2QK2 b - -\tb1d3 f1f2 d3d5\tfork\n";

static struct rf_task_options puzzles(void)
{
    struct rf_task_options options = {.name = "p", .source = "chess"};

    snprintf(options.path, sizeof options.path, "task_rated.tsv");
    snprintf(options.extra_path, sizeof options.extra_path, "task_extra.tsv");
    snprintf(options.corpus, sizeof options.corpus, "task_games.tsv");
    return options;
}

/* A training pool: rook on each file of the second rank, black king elsewhere on the last. */
static int write_extra(void)
{
    static const char *const rook[8] = {"R7", "1R6", "2R5", "3R4", "4R3", "5R2", "6R1", "7R"};
    static const char *const king[8] = {"k7", "1k6", "2k5", "3k4", "4k3", "5k2", "6k1", "7k"};
    char text[8000], *at = text;
    int n = 0;

    at += sprintf(at, "%s", header);
    for (int r = 0; r < 8; r++) {
        for (int k = 0; k < 8; k++) {
            if (r == k)
                continue;
            at += sprintf(at, "x\t?\t%s/8/8/8/8/8/%s/4K3 w - -\t%c2%c7\n", king[k], rook[r],
                          'a' + r, 'a' + r);
            n++;
        }
    }
    write_file("task_extra.tsv", text);
    return n;
}

static void puzzles_and_games_become_a_task(void **state)
{
    struct rf_task_options options = puzzles();
    struct rf_task *task;
    char text[400];
    int n = write_extra();

    (void)state;
    snprintf(text, sizeof text, "%s%s", header, one_puzzle);
    write_file("task_rated.tsv", text);
    write_file("task_games.tsv", "1-0\t2000\t?\t1999\te2e4 e7e5 g1f3\n"
                                 "0-1\t?\t?\t?\te2e4 c7c5 e1e2 d7d5 e4d5\n");
    task = opened(&options, 1);
    assert_int_equal(rf_task_info(task)->nclass, RF_CHESS_NMOVES);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n, 1);
    assert_true(rf_task_split(task, RF_SPLIT_TEST)->rating[0] == 1500.0f);
    assert_int_equal(rf_task_split(task, RF_SPLIT_VALIDATION)->n, n / 10);
    assert_int_equal(rf_task_split(task, RF_SPLIT_WEAK)->n, (n - n / 10) / 2);
    /* eight plies, of which the first position occurs twice, and so does the second */
    assert_int_equal(rf_task_info(task)->dropped, 2);
    rf_task_close(task);
    remove("task_rated.tsv");
    remove("task_extra.tsv");
    remove("task_games.tsv");
}

/* Fifty-six rated puzzles: the test takes twenty, the rest is learned from with its ratings. */
static void what_the_test_leaves_over_may_be_learned_from(void **state)
{
    struct rf_task_options options = puzzles();
    char *rated = NULL, *at;
    size_t size = 0;
    struct rf_error err;
    struct rf_task *task;
    int known = 0, n = 0;

    (void)state;
    write_extra();
    assert_int_equal(rf_file_read("task_extra.tsv", 1 << 16, &rated, &size, &err), RF_OK);
    for (at = rated; (at = strstr(at, "x\t?\t")) != NULL; n++)
        memcpy(at, "x\t7\t", 4);
    write_file("task_rated.tsv", rated);
    free(rated);
    snprintf(options.corpus, sizeof options.corpus, "%s", "");
    write_file("task_extra.tsv", one_puzzle);
    options.test = 20;
    options.validation = 4;
    refused(&options, "no examples are left", "half"); /* of one puzzle */
    options.learn_rest = 1;
    task = opened(&options, 1);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n, 20);
    assert_int_equal(rf_task_split(task, RF_SPLIT_STRONG)->n, (n - 20 + 1 - 4) / 2);
    for (int i = 0; i < rf_task_split(task, RF_SPLIT_STRONG)->n; i++)
        known += rf_task_split(task, RF_SPLIT_STRONG)->rating[i] == 7.0f;
    assert_true(known >= rf_task_split(task, RF_SPLIT_STRONG)->n - 1);
    rf_task_close(task);
    remove("task_rated.tsv");
    remove("task_extra.tsv");
}

static void a_test_position_is_not_in_the_corpus(void **state)
{
    struct rf_task_options options = puzzles();
    struct rf_task *with, *without;

    (void)state;
    write_extra();
    write_file("task_games.tsv", "1-0\t?\t?\t?\te2e4 e7e5 g1f3\n");
    write_file("task_rated.tsv",
               "p\t900\trnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq -\tg1f3\n");
    with = opened(&options, 1);
    write_file("task_rated.tsv", one_puzzle);
    without = opened(&options, 1);
    assert_true(rf_task_info(with)->corpus_tokens < rf_task_info(without)->corpus_tokens);
    rf_task_close(with);
    rf_task_close(without);
    remove("task_rated.tsv");
    remove("task_extra.tsv");
    remove("task_games.tsv");
}

static void malformed_puzzles_and_games_name_file_and_line(void **state)
{
    static const struct {
        const char *puzzle, *game, *line, *what;
    } wrong[] = {
        {"a\t1\n", "", "task_rated.tsv:1", "four columns"},
        {"a\tx\t4k3/8/8/8/8/8/R7/4K3 w - -\ta2a3\n", "", "task_rated.tsv:1", "rating"},
        {"a\t1\t4k3/8/8/8/8/8/R7/4K3 w -\ta2a3\n", "", "task_rated.tsv:1", "fields"},
        {"a\t1\t4k3/8/8/8/8/8/R7/4K3 w - -\ta2b3\n", "", "task_rated.tsv:1", "a2b3"},
        {"a\t1\t4k3/8/8/8/8/8/R7/4K3 w - -\t\n", "", "task_rated.tsv:1", "legal"},
        {one_puzzle, "1-0\t?\t?\te2e4\n", "task_games.tsv:1", "five columns"},
        {one_puzzle, "1-0\t?\t?\t?\te2e4\n1-0\t?\t?\t?\te2e4 e2e4\n", "task_games.tsv:2",
         "ply 2"},
        {one_puzzle, "1-0\t?\t?\t?\te2e4 hello\n", "task_games.tsv:1", "hello"},
    };
    struct rf_task_options options = puzzles();

    (void)state;
    write_extra();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_file("task_rated.tsv", wrong[i].puzzle);
        write_file("task_games.tsv", wrong[i].game);
        refused(&options, wrong[i].line, wrong[i].what);
    }
    remove("task_rated.tsv");
    refused(&options, "task_rated.tsv", "open");
    remove("task_extra.tsv");
    remove("task_games.tsv");
}

static void the_real_files_read_where_they_are_there(void **state)
{
    struct rf_task_options options = {.name = "sst2", .source = "tsv"};
    struct rf_task *task;

    (void)state;
    if (!rf_file_exists(RF_SHARED_DATA "/nlp/sst2.tsv"))
        skip();
    snprintf(options.path, sizeof options.path, "%s", RF_SHARED_DATA "/nlp/sst2.tsv");
    refused(&options, "sst2.tsv:4602", "validation"); /* one sentence, up to its signs */
    snprintf(options.duplicates, sizeof options.duplicates, "drop");
    task = opened(&options, 1);
    assert_int_equal(rf_task_info(task)->vocabulary, 4096);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n, 1818);
    rf_task_close(task);
    options = (struct rf_task_options){.name = "hh", .source = "pairs"};
    snprintf(options.path, sizeof options.path, "%s",
             RF_SHARED_DATA "/pref/hh_harmless_pairs.jsonl.gz");
    snprintf(options.duplicates, sizeof options.duplicates, "drop");
    task = opened(&options, 1);
    assert_in_range(rf_task_split(task, RF_SPLIT_TEST)->n, 400, 490);
    rf_task_close(task);
    options = (struct rf_task_options){.name = "digits", .source = "digits"};
    snprintf(options.path, sizeof options.path, "%s", RF_SHARED_DATA "/vision/optdigits.tra");
    snprintf(options.test_path, sizeof options.test_path, "%s",
             RF_SHARED_DATA "/vision/optdigits.tes");
    task = opened(&options, 1);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n, 1797);
    rf_task_close(task);
    options = (struct rf_task_options){.name = "chess", .source = "chess", .corpus_size = 1000};
    snprintf(options.path, sizeof options.path, "%s",
             RF_SHARED_DATA "/chess/puzzles_rated.tsv");
    snprintf(options.extra_path, sizeof options.extra_path, "%s",
             RF_SHARED_DATA "/chess/puzzles_unrated_10k.tsv");
    snprintf(options.corpus, sizeof options.corpus, "%s",
             RF_SHARED_DATA "/chess/games_40k.tsv.gz");
    task = opened(&options, 1);
    assert_int_equal(rf_task_split(task, RF_SPLIT_TEST)->n, 504);
    rf_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_give_balanced_splits_of_the_sizes_asked_for),
        cmocka_unit_test(no_prompt_is_in_two_splits),
        cmocka_unit_test(the_seed_changes_the_halves_but_never_the_test),
        cmocka_unit_test(unknown_sources_rules_and_missing_sizes_are_refused),
        cmocka_unit_test(a_corpus_batch_asks_every_question_once_and_repeats_exactly),
        cmocka_unit_test(an_example_batch_asks_once_at_each_last_token),
        cmocka_unit_test(every_epoch_uses_every_example_once),
        cmocka_unit_test(texts_do_not_depend_on_the_order_of_the_file),
        cmocka_unit_test(texts_of_the_test_are_never_trained_on),
        cmocka_unit_test(one_label_can_stand_against_the_rest),
        cmocka_unit_test(a_language_batch_predicts_each_next_token),
        cmocka_unit_test(pretraining_may_read_one_part_of_the_corpus),
        cmocka_unit_test(malformed_texts_name_file_and_line),
        cmocka_unit_test(json_lines_give_the_task_that_columns_give),
        cmocka_unit_test(malformed_json_names_file_and_line),
        cmocka_unit_test(a_file_without_a_test_split_is_cut_by_content),
        cmocka_unit_test(
            the_label_of_a_pair_says_which_reply_is_better_and_not_where_it_stands),
        cmocka_unit_test(pictures_are_read_value_by_value),
        cmocka_unit_test(texts_that_another_task_tests_are_counted),
        cmocka_unit_test(puzzles_and_games_become_a_task),
        cmocka_unit_test(what_the_test_leaves_over_may_be_learned_from),
        cmocka_unit_test(a_test_position_is_not_in_the_corpus),
        cmocka_unit_test(malformed_puzzles_and_games_name_file_and_line),
        cmocka_unit_test(the_real_files_read_where_they_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
