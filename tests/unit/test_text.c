/* Plain text as a task: rows, what is held back, documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/task.h"
#include "nn/model.h"

enum { T = 8 };
static char folder[] = "/tmp/ringfence-text.XXXXXX";

static struct rf_task_options options_of(const char *content, size_t size,
                                         const char *tokenizer, const char *documents)
{
    struct rf_task_options o = {.name = "t", .source = "text", .context = T};

    assert_int_equal(rf_file_join(o.path, folder, "text.txt", NULL), RF_OK);
    assert_int_equal(rf_file_write(o.path, content, size, NULL), RF_OK);
    snprintf(o.tokenizer, sizeof o.tokenizer, "%s", tokenizer);
    snprintf(o.documents, sizeof o.documents, "%s", documents);
    return o;
}

/* 500 bytes, each of which says where it is, modulo 251. */
static struct rf_task *counted(void)
{
    unsigned char text[500];
    struct rf_task_options o;
    struct rf_task *task;

    for (int i = 0; i < 500; i++)
        text[i] = (unsigned char)(i % 251);
    o = options_of((const char *)text, sizeof text, "byte", "file");
    assert_int_equal(rf_task_open(&task, &o, 1, NULL), RF_OK);
    return task;
}

static void check_rows(const struct rf_batch *batch)
{
    assert_true(batch->T == T && batch->R == batch->B * T && batch->range_count == 256);
    for (int i = 0; i < batch->R; i++) {
        assert_int_equal(batch->rows[i], i);
        assert_int_equal(batch->target[i], (batch->tokens[i] + 1) % 251);
        if (i % T > 0)
            assert_int_equal(batch->tokens[i], batch->target[i - 1]);
    }
}

static void rows_are_full_and_ask_for_the_next_token(void **state)
{
    struct rf_task *task = counted();
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;

    (void)state;
    for (int step = 0; step < 40; step++) {
        assert_int_equal(rf_task_corpus_batch(task, 7, step, -1, 5, &memory, &batch, NULL),
                         RF_OK);
        check_rows(&batch);
    }
    assert_int_equal(rf_task_info(task)->context, T);
    assert_int_equal(rf_task_info(task)->vocabulary, 256);
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

/* A tenth: 6 rows of 8, the last 48 tokens, each asked for once, none of which is ever learnt. */
static void the_end_is_held_back(void **state)
{
    struct rf_task *task = counted();
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;

    (void)state;
    assert_int_equal(rf_task_held_rows(task), 6);
    assert_int_equal(rf_task_held_batch(task, 0, 6, &memory, &batch, NULL), RF_OK);
    check_rows(&batch);
    assert_int_equal(batch.target[0], 452 % 251);
    assert_int_equal(batch.target[47], 499 % 251);
    for (int step = 0; step < 60; step++) { /* 451 % 251 = 200 comes once before, at 200 */
        assert_int_equal(rf_task_corpus_batch(task, 7, step, -1, 5, &memory, &batch, NULL),
                         RF_OK);
        for (int i = 0; i + 1 < batch.R; i++)
            assert_true(batch.target[i] != 0 || batch.tokens[i] == 250);
    }
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

/* A pass has each stretch of the text once; the next cuts it elsewhere; a batch is a function of seed and
 * step. */
static void passes_cut_the_text_elsewhere(void **state)
{
    struct rf_task *task = counted();
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    int32_t first[2] = {-1, -1}, rows = (452 - T) / T;
    unsigned char seen[452] = {0};

    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(rf_task_corpus_batch(task, 3, pass, -1, rows, &memory, &batch, NULL),
                         RF_OK);
        first[pass] = batch.tokens[0] % T;
        for (int b = 0; b < rows && pass == 0; b++)
            seen[batch.tokens[b * T]]++;
    }
    assert_true(first[0] >= 0 && first[1] >= 0);
    for (int i = 0; i < 200; i++) /* beyond, two places have the same byte */
        assert_true(seen[i] <= 2);
    assert_int_equal(rf_task_corpus_batch(task, 3, 0, -1, rows, &memory, &batch, NULL), RF_OK);
    assert_int_equal(batch.tokens[0] % T, first[0]);
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

/* With all but two rows held back, the stream can be read in order. */
static void documents_begin_with_the_token_between_them(void **state)
{
    static const char text[] = "\nabcdefghijklm\nno\n\n\nef\n \ngh\r\nij\n\nklmnop\n";
    static const char want[] = "no|ef|gh\r\nij|klmnop|"; /* the end of the stream */
    struct rf_task_options o = options_of(text, sizeof text - 1, "byte", "paragraphs");
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    struct rf_task *task;
    char all[64] = "";

    (void)state;
    o.validation = 5;
    o.context = 4;
    assert_int_equal(rf_task_open(&task, &o, 1, NULL), RF_OK);
    assert_int_equal(rf_task_info(task)->vocabulary, 257);
    assert_int_equal(rf_task_held_batch(task, 0, 5, &memory, &batch, NULL), RF_OK);
    assert_int_equal(batch.document, 257);
    for (int i = 0; i < batch.R; i++)
        all[i] = batch.target[i] == 256 ? '|' : (char)batch.target[i];
    assert_string_equal(all, want + strlen(want) - 20);
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

static void what_cannot_be_read_is_named(void **state)
{
    struct rf_task_options o = options_of("abc\xff"
                                          "def",
                                          7, "char", "file");
    struct rf_error err;
    struct rf_task *task;

    (void)state;
    assert_int_equal(rf_task_open(&task, &o, 1, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "text.txt: byte 3 begins no character"));
    o = options_of("short", 5, "byte", "file");
    assert_int_equal(rf_task_open(&task, &o, 1, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "5 tokens are too few"));
}

/* Two documents in one row answer as each does in a row of its own, to the bit. */
static void documents_do_not_see_each_other(void **state)
{
    static const int32_t joined[6] = {9, 1, 2, 9, 3, 4}, apart[6] = {9, 1, 2, 9, 3, 4};
    static const int32_t rows[6] = {0, 1, 2, 3, 4, 5};
    const struct rf_model_shape shape = {
        .vocabulary = 10, .context = 6, .layers = 2, .heads = 2, .width = 8, .hidden = 16};
    const struct rf_model_limits limits = {2, 6, 12, 10, 0};
    struct rf_exchange alone = rf_exchange_serial();
    struct rf_batch one = {.B = 1,
                           .T = 6,
                           .tokens = joined,
                           .R = 6,
                           .rows = rows,
                           .document = 10,
                           .range_count = 10};
    struct rf_batch two = {
        .B = 2, .T = 3, .tokens = apart, .R = 6, .rows = rows, .range_count = 10};
    float a[60], b[60], c[60];
    struct rf_model *model;
    struct rf_plan plan;
    struct rf_work work, other;

    (void)state;
    assert_int_equal(rf_plan_make(&plan, &shape, 0, 1, NULL), RF_OK);
    assert_int_equal(rf_model_create(&model, &plan, &alone, &limits, 0, 3, NULL), RF_OK);
    rf_model_predict(model, &one, a, NULL, &work);
    rf_model_predict(model, &two, b, NULL, &other);
    assert_memory_equal(a, b, sizeof a);
    assert_true(work.row_visits == other.row_visits && work.row_visits == 12);
    one.document = 0; /* they do, where nothing is said of documents */
    rf_model_predict(model, &one, c, NULL, &work);
    assert_true(memcmp(a, c, 30 * sizeof *a) == 0 && memcmp(a, c, sizeof a) != 0);
    rf_model_destroy(model);
    rf_plan_clear(&plan);
}

static int clean_up(void **state)
{
    (void)state;
    return rf_file_remove_tree(folder, NULL) == RF_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_full_and_ask_for_the_next_token),
        cmocka_unit_test(the_end_is_held_back),
        cmocka_unit_test(passes_cut_the_text_elsewhere),
        cmocka_unit_test(documents_begin_with_the_token_between_them),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(documents_do_not_see_each_other),
    };

    return mkdtemp(folder) == NULL ? 1 : cmocka_run_group_tests(tests, NULL, clean_up);
}
