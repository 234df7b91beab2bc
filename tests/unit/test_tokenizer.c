#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/tokenizer.h"

static const char *const lines[] = {"the cat sat on the mat", "the rat sat on the cat",
                                    "a hat, a cat; 1984 and 19", "don't  sit"};
enum { NLINES = sizeof lines / sizeof *lines };

static struct rf_tokenizer *trained(int vocabulary, int backwards)
{
    struct rf_view texts[NLINES];
    struct rf_tokenizer *tokenizer;
    struct rf_error err;

    for (int i = 0; i < NLINES; i++) {
        const char *line = lines[backwards ? NLINES - 1 - i : i];

        texts[i] = (struct rf_view){line, strlen(line)};
    }
    assert_int_equal(rf_tokenizer_train(&tokenizer, texts, NLINES, vocabulary, &err), RF_OK);
    return tokenizer;
}

static size_t decode(const struct rf_tokenizer *tokenizer, const int32_t *tokens, int n,
                     char *out)
{
    size_t size = 0;

    for (int i = 0; i < n; i++) {
        struct rf_view bytes = rf_tokenizer_bytes(tokenizer, tokens[i]);

        memcpy(out + size, bytes.bytes, bytes.size_bytes);
        size += bytes.size_bytes;
    }
    return size;
}

static void any_bytes_come_back_exactly(void **state)
{
    struct rf_tokenizer *tokenizer = trained(300, 0);

    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        char text[100], back[100];
        int32_t tokens[100];
        size_t size = (size_t)rf_rng_below(1, i, 0, 100);
        int n;

        for (size_t k = 0; k < size; k++)
            text[k] = (char)rf_rng_below(2, i, k, i % 2 ? 256 : 128);
        n = rf_tokenizer_encode(tokenizer, (struct rf_view){text, size}, tokens);
        assert_true(n <= (int)size);
        assert_int_equal(decode(tokenizer, tokens, n, back), size);
        assert_memory_equal(back, text, size);
    }
    rf_tokenizer_destroy(tokenizer);
}

static void frequent_words_become_single_tokens(void **state)
{
    struct rf_tokenizer *tokenizer = trained(300, 0);
    int32_t tokens[16];

    (void)state;
    assert_true(rf_tokenizer_size(tokenizer) > 256 && rf_tokenizer_size(tokenizer) <= 300);
    assert_int_equal(rf_tokenizer_encode(tokenizer, (struct rf_view){" the", 4}, tokens), 1);
    assert_int_equal(rf_tokenizer_encode(tokenizer, (struct rf_view){" the cat", 8}, tokens),
                     2);
    assert_int_equal(rf_tokenizer_encode(tokenizer, (struct rf_view){"xyz", 3}, tokens), 3);
    rf_tokenizer_destroy(tokenizer);
}

static void the_order_of_texts_does_not_matter_and_the_cache_changes_nothing(void **state)
{
    struct rf_tokenizer *a = trained(290, 0), *b = trained(290, 1), *c = trained(260, 0);
    struct rf_digest da = rf_tokenizer_digest(a), db = rf_tokenizer_digest(b),
                     dc = rf_tokenizer_digest(c);
    int32_t first[64], again[64];
    struct rf_view text = {lines[2], strlen(lines[2])};
    int n = rf_tokenizer_encode(a, text, first);

    (void)state;
    assert_true(rf_digest_equal(&da, &db));
    assert_false(rf_digest_equal(&da, &dc));
    assert_int_equal(rf_tokenizer_encode(a, text, again), n);
    assert_memory_equal(first, again, (size_t)n * sizeof *first);
    assert_int_equal(rf_tokenizer_encode(b, text, again), n);
    assert_memory_equal(first, again, (size_t)n * sizeof *first);
    rf_tokenizer_destroy(a);
    rf_tokenizer_destroy(b);
    rf_tokenizer_destroy(c);
}

static void without_text_the_tokens_are_the_bytes(void **state)
{
    struct rf_tokenizer *tokenizer;
    struct rf_error err;
    int32_t tokens[3];

    (void)state;
    assert_int_equal(rf_tokenizer_train(&tokenizer, NULL, 0, 500, &err), RF_OK);
    assert_int_equal(rf_tokenizer_size(tokenizer), 256);
    assert_int_equal(rf_tokenizer_encode(tokenizer, (struct rf_view){"a b", 3}, tokens), 3);
    assert_int_equal(tokens[1], ' ');
    rf_tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_come_back_exactly),
        cmocka_unit_test(frequent_words_become_single_tokens),
        cmocka_unit_test(the_order_of_texts_does_not_matter_and_the_cache_changes_nothing),
        cmocka_unit_test(without_text_the_tokens_are_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
