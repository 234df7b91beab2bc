/* Vocabularies: what they give, what they write and read again, and what they refuse. Small
 * tokenizer files in the forms of GPT-2, Llama 3 and Llama 2 are made here; what they give was
 * worked out by hand and agrees with Hugging Face's tokenizers. */
#include <limits.h>
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
#include "base/rng.h"
#include "data/vocabulary.h"
#include "data/words.h"

enum { MANY = 4000 };
static char folder[] = "/tmp/ringfence-vocabulary.XXXXXX";

static struct rf_view text_of(const char *s)
{
    return (struct rf_view){s, strlen(s)};
}

static void write_file(const char *name, const char *content)
{
    char path[RF_PATH_BYTES];

    assert_int_equal(rf_file_join(path, folder, name, NULL), RF_OK);
    assert_int_equal(rf_file_write(path, content, strlen(content), NULL), RF_OK);
}

static enum rf_status read_file(struct rf_vocabulary **v, const char *name,
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES];

    assert_int_equal(rf_file_join(path, folder, name, NULL), RF_OK);
    return rf_vocabulary_read(v, path, err);
}

/* The text comes out as exactly these tokens, and they as the text. */
static void check(struct rf_vocabulary *v, const char *text, const int32_t *want, int nwant)
{
    int32_t tokens[MANY];
    char back[MANY];
    size_t size = 0;
    int n;

    assert_int_equal(rf_vocabulary_encode(v, text_of(text), "text", 0, tokens, &n, NULL),
                     RF_OK);
    assert_int_equal(n, nwant);
    for (int i = 0; i < n; i++) {
        struct rf_view bytes = rf_vocabulary_bytes(v, tokens[i]);

        assert_int_equal(tokens[i], want[i]);
        memcpy(back + size, bytes.bytes, bytes.size_bytes);
        size += bytes.size_bytes;
    }
    assert_true(size >= strlen(text) &&
                memcmp(back + size - strlen(text), text, strlen(text)) == 0);
}

#define CHECK_TOKENS(v, text, ...)                                                             \
    check(v, text, (const int32_t[]){__VA_ARGS__},                                             \
          (int)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

static void bytes_are_themselves(void **state)
{
    struct rf_vocabulary *v;

    (void)state;
    assert_int_equal(rf_vocabulary_of_bytes(&v, NULL), RF_OK);
    assert_int_equal(rf_vocabulary_size(v), 256);
    CHECK_TOKENS(v, "a\xc3\xa9", 'a', 0xc3, 0xa9);
    assert_int_equal(rf_vocabulary_end(v), 256);
    assert_int_equal(rf_vocabulary_size(v), 257);
    rf_vocabulary_destroy(v);
}

static void characters_are_those_of_the_text(void **state)
{
    struct rf_vocabulary *v;
    struct rf_error err;
    int32_t tokens[MANY];
    int n;

    (void)state;
    assert_int_equal(
        rf_vocabulary_of_characters(&v, text_of("b\xc3\xa9 a\xf0\x9f\x98\x80"), "t", NULL),
        RF_OK);
    assert_int_equal(rf_vocabulary_size(v), 5); /* blank a b e-acute, a face */
    CHECK_TOKENS(v, "\xf0\x9f\x98\x80 \xc3\xa9", 4, 0, 3);
    assert_int_equal(rf_vocabulary_encode(v, text_of("abc"), "here.txt", 100, tokens, &n, &err),
                     RF_ERR_INPUT);
    assert_string_equal(err.text, "here.txt: byte 102: the vocabulary has no character U+0063");
    rf_vocabulary_destroy(v);
    assert_int_equal(rf_vocabulary_of_characters(&v, text_of("ab\xc3("), "bad.txt", &err),
                     RF_ERR_INPUT);
    assert_string_equal(err.text, "bad.txt: byte 2 begins no character of UTF-8");
    assert_null(v);
}

static void words_are_cut_as_by_gpt2(void **state)
{
    static const char text[] = "I'll  say\n\n don't, \xc3\x89t\xc3\xa9 2024!?\xff x\t";
    static const char *const want[] = {
        "I",     "'ll", " ",    " say", "\n\n", " don", "'t", ",", " \xc3\x89t\xc3\xa9",
        " 2024", "!?",  "\xff", " x",   "\t"};
    struct rf_words *words;
    struct rf_view word;
    size_t at = 0;
    int n = 0;

    (void)state;
    assert_int_equal(rf_words_create(&words, rf_words_gpt2, NULL), RF_OK);
    while (rf_words_next(words, text_of(text), &at, &word)) {
        assert_int_equal(word.size_bytes, strlen(want[n]));
        assert_memory_equal(word.bytes, want[n], word.size_bytes);
        n++;
    }
    assert_int_equal(n, 14);
    rf_words_destroy(words);
}

/* vocab.json with all bytes is long; these cover the text of the test. */
static const char GPT2_VOCAB[] =
    "{\"h\":0,\"e\":1,\"l\":2,\"o\":3,\"\\u0120\":4,\"w\":5,\"r\":6,\"d\":7,\"\\u00c3\":8,"
    "\"\\u00a9\":9,\"he\":10,\"ll\":11,\"hell\":12,\"hello\":13,\"\\u0120w\":14,\"or\":15,"
    "\"\\u0120wor\":16,\"\\u00c3\\u00a9\":17,\"<|endoftext|>\":18,\"model\":19}";

static void files_of_gpt2_are_read(void **state)
{
    struct rf_vocabulary *v;

    (void)state;
    write_file("vocab.json", GPT2_VOCAB);
    write_file("merges.txt", "#version: 0.2\nh e\nl l\nhe ll\nhell o\n\xc4\xa0 w\no r\n"
                             "\xc4\xa0w or\n\xc3\x83 \xc2\xa9\n");
    assert_int_equal(read_file(&v, "vocab.json", NULL), RF_OK);
    assert_int_equal(rf_vocabulary_size(v), 20);
    assert_int_equal(rf_vocabulary_end(v), 18);
    CHECK_TOKENS(v, "hello world", 13, 16, 2, 7);
    CHECK_TOKENS(v, "helloworld", 13, 5, 15, 2, 7); /* one word: no blank before w */
    CHECK_TOKENS(v, "h\xc3\xa9l", 0, 17, 2);
    CHECK_TOKENS(v, "lll", 11, 2); /* the leftmost pair first */
    rf_vocabulary_destroy(v);
    assert_int_equal(rf_vocabulary_read(&v, folder, NULL), RF_OK); /* the directory */
    rf_vocabulary_destroy(v);
}

static void a_file_of_llama_3_is_read(void **state)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":9,\"content\":\"<|end_of_text|>\",\"special\":true}],"
        "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
        "\"type\":"
        "\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}{1,3}|\\\\p{L}+|\\\\s+\"},\"behavior\":"
        "\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{"
        "\"1\":0,\"2\":1,\"12\":2,\"a\":3,\"b\":4,\"c\":5,\"ab\":6,\"abc\":7,\"bc\":8},"
        "\"merges\":[[\"1\",\"2\"],[\"b\",\"c\"],[\"a\",\"b\"]]}}";
    struct rf_vocabulary *v;

    (void)state;
    write_file("llama3.json", json);
    assert_int_equal(read_file(&v, "llama3.json", NULL), RF_OK);
    assert_int_equal(rf_vocabulary_size(v), 10);
    assert_int_equal(rf_vocabulary_end(v), 9);
    CHECK_TOKENS(v, "1212", 2, 0, 1); /* three digits, then one: 12 1, 2 */
    CHECK_TOKENS(v, "abc", 7);        /* a whole word: not merged as a bc */
    CHECK_TOKENS(v, "abca", 3, 8, 3);
    rf_vocabulary_destroy(v);
}

static void a_file_of_llama_2_is_read(void **state)
{
    static const char json[] =
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
        "\"prepend\":"
        "\"\\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" "
        "\"},\"content\":\"\\u2581\"}]},"
        "\"pre_tokenizer\":null,\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{"
        "\"</"
        "s>\":0,\"<0xC3>\":1,\"<0xA9>\":2,\"\\u2581\":3,\"a\":4,\"b\":5,\"\\u2581a\":6,\"ab\":"
        "7,"
        "\"\\u2581ab\":8},\"merges\":[\"\\u2581 a\",\"a b\",\"\\u2581 ab\"]}}";
    struct rf_vocabulary *v;

    (void)state;
    write_file("llama2.json", json);
    assert_int_equal(read_file(&v, "llama2.json", NULL), RF_OK);
    CHECK_TOKENS(v, "ab", 6, 5);
    CHECK_TOKENS(v, "bab a", 3, 5, 7, 6);
    CHECK_TOKENS(v, "b\xc3\xa9", 3, 5, 1, 2);
    rf_vocabulary_destroy(v);
}

static void what_is_learnt_comes_back_from_its_file(void **state)
{
    static const char text[] =
        "the cat and the hat and the 12 bats; \xc3\xa9t\xc3\xa9, the \xff end\n";
    struct rf_vocabulary *learnt, *read;
    struct rf_digest a, b;
    struct rf_view all = {text, sizeof text - 1};
    int32_t one[MANY], two[MANY];
    char *json;
    int n, m;

    (void)state;
    assert_int_equal(rf_vocabulary_learn(&learnt, all, 300, NULL), RF_OK);
    assert_int_equal(rf_vocabulary_json(learnt, &json, NULL), RF_OK);
    write_file("learnt.json", json);
    free(json);
    assert_int_equal(read_file(&read, "learnt.json", NULL), RF_OK);
    assert_int_equal(rf_vocabulary_size(read), rf_vocabulary_size(learnt));
    a = rf_vocabulary_digest(learnt);
    b = rf_vocabulary_digest(read);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(rf_vocabulary_encode(learnt, all, "t", 0, one, &n, NULL), RF_OK);
    assert_int_equal(rf_vocabulary_encode(read, all, "t", 0, two, &m, NULL), RF_OK);
    assert_true(n == m && n < (int)all.size_bytes * 3 / 4);
    assert_memory_equal(one, two, (size_t)n * sizeof *one);
    rf_vocabulary_destroy(learnt);
    rf_vocabulary_destroy(read);
}

/* Any bytes at all, and a word without end. */
static void any_bytes_come_back(void **state)
{
    struct rf_vocabulary *v;
    char *text = malloc(200000);
    int32_t *tokens = malloc(200001 * sizeof *tokens);
    int n;

    (void)state;
    assert_non_null(text);
    assert_non_null(tokens);
    memset(text, 'a', 200000);
    assert_int_equal(
        rf_vocabulary_learn(&v, (struct rf_view){"aaaaaaaaaaaa bb bb", 18}, 270, NULL), RF_OK);
    for (int round = 0; round < 2; round++) {
        size_t size = 0;

        assert_int_equal(
            rf_vocabulary_encode(v, (struct rf_view){text, 200000}, "t", 0, tokens, &n, NULL),
            RF_OK);
        for (int i = 0; i < n; i++) {
            struct rf_view bytes = rf_vocabulary_bytes(v, tokens[i]);

            assert_memory_equal(text + size, bytes.bytes, bytes.size_bytes);
            size += bytes.size_bytes;
        }
        assert_int_equal(size, 200000);
        for (int i = 0; i < 200000; i++)
            text[i] = (char)rf_rng_bits(9, 1, (uint64_t)i);
    }
    rf_vocabulary_destroy(v);
    free(text);
    free(tokens);
}

static void broken_files_are_refused(void **state)
{
    static const struct {
        const char *json, *why;
    } wrong[] = {
        {"[1]", "no object"},
        {"{\"model\":", "line 1"},
        {"{\"model\":{\"type\":\"Unigram\"}}", "its model is not BPE"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "neither byte-level"},
        {"{\"normalizer\":{\"type\":\"NFC\"},\"model\":{\"type\":\"BPE\"}}", "changes texts"},
        {"{\"pre_tokenizer\":{\"type\":\"Digits\"},\"model\":{\"type\":\"BPE\"}}",
         "cuts texts"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":\"x\"}}}",
         "has no number"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":99999999}}}",
         "has no number"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0,\"b\":0}}}",
         "same text or number"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0},"
         "\"merges\":[\"a a\"]}}",
         "no merge of 'a' and 'a'"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0},"
         "\"merges\":[7]}}",
         "neither a text nor a pair"},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":"
         "\"Isolated\"},\"model\":{\"vocab\":{\"a\":0}}}",
         "no regular expression"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"added_tokens\":[{\"id\":-4}],\"model\":"
         "{\"vocab\":{\"a\":0}}}",
         "an added token"},
    };
    struct rf_vocabulary *v;
    struct rf_error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file("wrong.json", wrong[i].json);
        assert_int_equal(read_file(&v, "wrong.json", &err), RF_ERR_INPUT);
        assert_null(v);
        if (strstr(err.text, wrong[i].why) == NULL)
            fail_msg("'%s' instead of '%s'", err.text, wrong[i].why);
    }
    assert_int_equal(read_file(&v, "absent.json", &err), RF_ERR_INPUT);
}

static int clean_up(void **state)
{
    (void)state;
    return rf_file_remove_tree(folder, NULL) == RF_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_themselves),
        cmocka_unit_test(characters_are_those_of_the_text),
        cmocka_unit_test(words_are_cut_as_by_gpt2),
        cmocka_unit_test(files_of_gpt2_are_read),
        cmocka_unit_test(a_file_of_llama_3_is_read),
        cmocka_unit_test(a_file_of_llama_2_is_read),
        cmocka_unit_test(what_is_learnt_comes_back_from_its_file),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(broken_files_are_refused),
    };

    return mkdtemp(folder) == NULL ? 1 : cmocka_run_group_tests(tests, NULL, clean_up);
}
