/* Labelled texts in somebody else's vocabulary, and pairs that are scored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/task.h"
#include "data/vocabulary.h"

static const char DATA[] = "given.tsv", PAIRS[] = "given.jsonl", BYTES[] = "given_bytes.json",
                  LLAMA[] = "given_llama.json";

static void put(const char *path, const char *text)
{
    struct rf_error err;

    if (rf_file_write(path, text, strlen(text), &err) != RF_OK)
        fail_msg("%s", err.text);
}

/* A byte-level tokenizer of the bytes alone, 256 tokens in the order of GPT-2's print of them; then
 * merges of " yes" and " no"; then the end of a text. */
static void put_bytes(void)
{
    static const char *const merges[] = {"y e", "ye s", "\xc4\xa0 yes", "n o", "\xc4\xa0 no"};
    static const char *const merged[] = {"ye", "yes", "\xc4\xa0yes", "no", "\xc4\xa0no"};
    char text[16000], *at = text;
    int n = 0;

    at += sprintf(at, "{\"added_tokens\":[{\"id\":261,\"content\":\"<|endoftext|>\"}],"
                      "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                      "\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int byte = 0; byte < 256; byte++) {
        int seen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        int code = seen ? byte : 256 + n++;

        if (code == '"' || code == '\\')
            at += sprintf(at, "\"\\%c\":%d,", code, byte);
        else if (code < 128)
            at += sprintf(at, "\"%c\":%d,", code, byte);
        else
            at += sprintf(at, "\"%c%c\":%d,", 0xc0 | code >> 6, 0x80 | (code & 63), byte);
    }
    for (int i = 0; i < 5; i++)
        at += sprintf(at, "\"%s\":%d%s", merged[i], 256 + i, i < 4 ? "," : "},\"merges\":[");
    for (int i = 0; i < 5; i++)
        at += sprintf(at, "\"%s\"%s", merges[i], i < 4 ? "," : "]}}");
    put(BYTES, text);
}

/* As Llama's: characters, a blank before every text, "<s>" before all of it. */
static void put_llama(void)
{
    char text[16000], *at = text;

    at += sprintf(
        at, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
            "\"prepend\":\"\xe2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":{\"String\":"
            "\" \"},\"content\":\"\xe2\x96\x81\"}]},\"post_processor\":{\"type\":"
            "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},"
            "{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\","
            "\"ids\":[1]}}},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{"
            "\"<unk>\":0,\"<s>\":1,\"</s>\":2,");
    for (int byte = 0; byte < 256; byte++)
        at += sprintf(at, "\"<0x%02X>\":%d,", byte, 3 + byte);
    at += sprintf(
        at, "\"\xe2\x96\x81\":259,\"y\":260,\"n\":261,\"\xe2\x96\x81y\":262,"
            "\"\xe2\x96\x81n\":263},\"merges\":[\"\xe2\x96\x81 y\",\"\xe2\x96\x81 n\"]}}");
    put(LLAMA, text);
}

/* Forty sentences; the label is whether the number is even. */
static void put_data(void)
{
    char text[4000], *at = text;

    for (int i = 0; i < 40; i++)
        at += sprintf(at, "%s\t%s\tnumber %c%c\n",
                      i < 8    ? "test"
                      : i < 16 ? "dev"
                               : "train",
                      i % 2 ? "odd" : "even", 'a' + i / 10, 'a' + i % 10);
    put(DATA, text);
}

static void put_pairs(void)
{
    char text[8000], *at = text;

    for (int i = 0; i < 40; i++)
        at += sprintf(at,
                      "{\"split\":\"%s\",\"chosen\":\"good %c%c\",\"rejected\":\"a bad one "
                      "%c%c\"}\n",
                      i < 8    ? "test"
                      : i < 16 ? "dev"
                               : "train",
                      'a' + i / 10, 'a' + i % 10, 'a' + i / 10, 'a' + i % 10);
    put(PAIRS, text);
}

static struct rf_task_options given(const char *source, const char *tokenizer)
{
    struct rf_task_options o = {.name = "q", .context = 32};

    put_bytes();
    put_llama();
    put_data();
    put_pairs();
    snprintf(o.source, sizeof o.source, "%s", source);
    snprintf(o.path, sizeof o.path, "%s", strcmp(source, "tsv") == 0 ? DATA : PAIRS);
    snprintf(o.tokenizer_path, sizeof o.tokenizer_path, "%s", tokenizer);
    if (tokenizer[0] == '\0')
        o.vocabulary = 300;
    return o;
}

static struct rf_task *opened(const struct rf_task_options *options)
{
    struct rf_task *task;
    struct rf_error err;

    if (rf_task_open(&task, options, 5, &err) != RF_OK)
        fail_msg("%s", err.text);
    return task;
}

static void refused(const struct rf_task_options *options, const char *word)
{
    struct rf_task *task;
    struct rf_error err = {RF_OK, ""};

    assert_true(rf_task_open(&task, options, 1, &err) != RF_OK);
    if (strstr(err.text, word) == NULL)
        fail_msg("'%s' lacks '%s'", err.text, word);
}

/* The tokens of asked row k of a batch of one example, as text; each byte is a token. */
static void read_row(const struct rf_batch *batch, int k, char text[64])
{
    int n = batch->rows[k] % batch->T + 1, at = 0;

    assert_int_equal(batch->rows[k] / batch->T, k);
    for (int t = 0; t < n; t++) {
        int32_t token = batch->tokens[k * batch->T + t];

        if (token > 255)
            at += sprintf(text + at, "<%d>", (int)token);
        else
            text[at++] = (char)token;
    }
    text[at] = '\0';
}

static void a_text_and_its_question_are_in_the_given_tokens(void **state)
{
    struct rf_task_options o = given("tsv", BYTES);
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    char text[64], want[64];
    struct rf_task *task;
    const struct rf_task_info *info;

    (void)state;
    strcpy(o.question, " yes?");
    o.nanswers = 2;
    strcpy(o.answers[0], " no, never");
    strcpy(o.answers[1], " yes");
    task = opened(&o);
    info = rf_task_info(task);
    assert_int_equal(info->vocabulary, 262);
    assert_int_equal(info->nanswers, 2);
    assert_int_equal(info->answers[0], 260);
    assert_int_equal(info->answers[1], 258);
    assert_int_equal(info->unseen, 261);
    for (int i = 0; i < rf_task_split(task, RF_SPLIT_TEST)->n; i++) {
        int32_t index = i;
        int number;

        assert_int_equal(
            rf_task_example_batch(task, RF_SPLIT_TEST, &index, 1, &memory, &batch, NULL),
            RF_OK);
        assert_ptr_equal(batch.answers, info->answers);
        assert_int_equal(batch.range_count, 2);
        assert_int_equal(batch.R, 1);
        read_row(&batch, 0, text);
        number = text[8] - 'a';
        sprintf(want, "number a%c<258>?", 'a' + number);
        assert_string_equal(text, want);
        assert_int_equal(batch.target[0], number % 2); /* "even" before "odd" */
    }
    /* the corpus: the text, and the token that ends one */
    assert_int_equal(rf_task_corpus_batch(task, 1, 0, -1, 1, &memory, &batch, NULL), RF_OK);
    assert_int_equal(batch.target[batch.R - 1], 261);
    assert_int_equal(batch.range_count, 262);
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

static void long_texts_lose_their_beginning_and_never_the_question(void **state)
{
    struct rf_task_options o = given("tsv", BYTES);
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    char text[64];
    int32_t index = 0;
    struct rf_task *task;

    (void)state;
    o.context = 10;
    o.nanswers = 2;
    strcpy(o.answers[0], "no");
    strcpy(o.answers[1], "yes");
    strcpy(o.question, " is it?");
    refused(&o, "its question has 7 tokens");
    strcpy(o.question, "\n?");
    task = opened(&o);
    rf_task_example_batch(task, RF_SPLIT_TEST, &index, 1, &memory, &batch, NULL);
    read_row(&batch, 0, text);
    assert_int_equal(strlen(text), 10);
    assert_memory_equal(text, "umber a", 7);
    assert_string_equal(text + 8, "\n?");
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

static void a_llama_begins_its_texts_and_finds_words_behind_their_blank(void **state)
{
    struct rf_task_options o = given("tsv", LLAMA);
    struct rf_batch_memory memory = {0};
    struct rf_batch batch;
    int32_t index = 0;
    struct rf_task *task;

    (void)state;
    refused(&o, "begin with the same token"); /* " even" and " odd" are a blank and bytes */
    o.nanswers = 2;
    strcpy(o.answers[0], " no");
    strcpy(o.answers[1], "yes"); /* the rule puts the blank there */
    task = opened(&o);
    assert_int_equal(rf_task_info(task)->answers[0], 263);
    assert_int_equal(rf_task_info(task)->answers[1], 262);
    rf_task_example_batch(task, RF_SPLIT_TEST, &index, 1, &memory, &batch, NULL);
    assert_int_equal(batch.tokens[0], 1);
    assert_int_equal(batch.tokens[1], 263); /* "_n" */
    assert_int_equal(batch.tokens[2], 3 + 'u');
    rf_batch_memory_free(&memory);
    rf_task_close(task);
}

/* Two vocabularies, one set of examples: the labels of one are labels of the other. */
static void examples_do_not_depend_on_the_vocabulary(void **state)
{
    struct rf_task_options bytes = given("tsv", BYTES), own = given("tsv", ""), fewer;
    struct rf_task *a, *b, *c;

    (void)state;
    bytes.nanswers = 2;
    strcpy(bytes.answers[0], " yes"); /* in the other order of their numbers */
    strcpy(bytes.answers[1], " no");
    fewer = own;
    fewer.train = 8;
    a = opened(&bytes);
    b = opened(&own);
    c = opened(&fewer);
    for (int s = 0; s < RF_NSPLITS; s++) {
        const struct rf_examples *x = rf_task_split(a, (enum rf_split)s);
        const struct rf_examples *y = rf_task_split(b, (enum rf_split)s);

        assert_true(x->n > 0 && x->n == y->n && x->content == y->content && x->content != 0);
        assert_memory_equal(x->label, y->label, (size_t)x->n * sizeof *x->label);
    }
    assert_true(rf_task_split(a, RF_SPLIT_STRONG)->content !=
                rf_task_split(c, RF_SPLIT_STRONG)->content);
    rf_task_close(a);
    rf_task_close(b);
    rf_task_close(c);
}

static void a_scored_pair_is_two_texts_and_one_item(void **state)
{
    static const char *const tokenizers[] = {BYTES, ""};

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct rf_task_options o = given("pairs", tokenizers[k]);
        struct rf_batch_memory memory = {0};
        struct rf_batch batch;
        int32_t index[8];
        struct rf_task *task;
        int firsts = 0, n;

        strcpy(o.preference, "score");
        if (k == 0)
            strcpy(o.question, "!");
        task = opened(&o);
        n = rf_task_split(task, RF_SPLIT_TEST)->n;
        assert_true(n >= 4 && rf_task_info(task)->nclass == 2 &&
                    rf_task_info(task)->joined == 2);
        for (int i = 0; i < n; i++)
            index[i] = i;
        rf_task_example_batch(task, RF_SPLIT_TEST, index, n, &memory, &batch, NULL);
        assert_true(batch.B == 2 * n && batch.R == 2 * n && batch.joined == 2 &&
                    batch.range_count == 1 && rf_batch_items(&batch) == n);
        for (int i = 0; k == 0 && i < n; i++) {
            char text[2][64];

            read_row(&batch, 2 * i, text[0]);
            read_row(&batch, 2 * i + 1, text[1]);
            assert_memory_equal(text[batch.target[i]], "good a", 6);
            assert_memory_equal(text[!batch.target[i]], "a bad one a", 11);
            assert_int_equal(text[0][strlen(text[0]) - 1], '!');
            assert_int_equal(text[0][strlen(text[0]) - 2], text[1][strlen(text[1]) - 2]);
            firsts += batch.target[i] == 0;
        }
        assert_true(k == 1 || (firsts > 0 && firsts < n));
        assert_int_equal(batch.answers[0], k == 0 ? ' ' : rf_task_info(task)->label_begin);
        rf_batch_memory_free(&memory);
        rf_task_close(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_and_its_question_are_in_the_given_tokens),
        cmocka_unit_test(long_texts_lose_their_beginning_and_never_the_question),
        cmocka_unit_test(a_llama_begins_its_texts_and_finds_words_behind_their_blank),
        cmocka_unit_test(examples_do_not_depend_on_the_vocabulary),
        cmocka_unit_test(a_scored_pair_is_two_texts_and_one_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
