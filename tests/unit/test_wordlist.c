/* Whole words as tokens: which words are known, and what is written for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/wordlist.h"

static const char *const lines[] = {"The cat sat; the Rat didn't.", "a cat, a rat: the end",
                                    "Caf\xc3\xa9 cat caf\xc3\xa9 didn't once"};
enum { NLINES = sizeof lines / sizeof *lines };

static struct rf_view view(const char *text)
{
    return (struct rf_view){text, strlen(text)};
}

static struct rf_wordlist *learnt(int most, int backwards)
{
    struct rf_view texts[NLINES];
    struct rf_wordlist *list;
    struct rf_error err;

    for (int i = 0; i < NLINES; i++)
        texts[i] = view(lines[backwards ? NLINES - 1 - i : i]);
    assert_int_equal(rf_wordlist_learn(&list, texts, NLINES, most, &err), RF_OK);
    return list;
}

static void assert_word(const struct rf_wordlist *list, int32_t token, const char *word)
{
    struct rf_view got = rf_wordlist_word(list, token);

    assert_int_equal(got.size_bytes, strlen(word));
    assert_memory_equal(got.bytes, word, got.size_bytes);
}

static void words_come_by_count_and_then_by_bytes(void **state)
{
    static const char *const words[] = {"cat", "the", "a", "caf\xc3\xa9", "didn't", "rat"};
    struct rf_wordlist *list = learnt(100, 0);

    (void)state;
    assert_int_equal(rf_wordlist_size(list), 7); /* once, sat, end and signs come once */
    for (int32_t t = 0; t < 6; t++)
        assert_word(list, t, words[t]);
    assert_word(list, 6, "");
    rf_wordlist_destroy(list);
}

static void the_most_frequent_are_kept(void **state)
{
    struct rf_wordlist *list = learnt(2, 0);
    int32_t tokens[40];

    (void)state;
    assert_int_equal(rf_wordlist_size(list), 3);
    assert_int_equal(rf_wordlist_encode(list, view("the rat a cat"), tokens), 4);
    assert_memory_equal(tokens, ((int32_t[]){1, 2, 2, 0}), 4 * sizeof *tokens);
    rf_wordlist_destroy(list);
}

static void case_does_not_count_and_unknown_words_are_one(void **state)
{
    struct rf_wordlist *list = learnt(100, 0);
    int32_t tokens[40];

    (void)state;
    assert_int_equal(rf_wordlist_encode(list, view(" CAT dog\tDidn't!\n"), tokens), 4);
    assert_memory_equal(tokens, ((int32_t[]){0, 6, 4, 6}), 4 * sizeof *tokens);
    assert_int_equal(rf_wordlist_encode(list, view(" \n\t"), tokens), 0);
    rf_wordlist_destroy(list);
}

/* "cat" before two letters of Han, then these again. */
static void letters_of_scripts_without_blanks_are_words(void **state)
{
    struct rf_view text = view("cat\xe6\xbc\xa2\xe5\xad\x97 \xe6\xbc\xa2\xe5\xad\x97");
    struct rf_wordlist *list;
    int32_t tokens[40];

    (void)state;
    assert_int_equal(rf_wordlist_learn(&list, &text, 1, 10, NULL), RF_OK);
    assert_int_equal(rf_wordlist_size(list), 3);
    assert_int_equal(rf_wordlist_encode(list, text, tokens), 5);
    assert_memory_equal(tokens, ((int32_t[]){2, 1, 0, 1, 0}), 5 * sizeof *tokens);
    rf_wordlist_destroy(list);
}

static void the_order_of_texts_does_not_matter(void **state)
{
    struct rf_wordlist *one = learnt(100, 0), *other = learnt(100, 1), *fewer = learnt(5, 0);
    struct rf_digest a = rf_wordlist_digest(one), b = rf_wordlist_digest(other);
    struct rf_digest c = rf_wordlist_digest(fewer);

    (void)state;
    assert_true(rf_digest_equal(&a, &b));
    assert_false(rf_digest_equal(&a, &c));
    rf_wordlist_destroy(one);
    rf_wordlist_destroy(other);
    rf_wordlist_destroy(fewer);
}

/* Bytes that are no characters, and words longer than any, are tokens like others: at most one per byte. */
static void any_bytes_are_read(void **state)
{
    static char text[600];
    static int32_t tokens[600];
    struct rf_wordlist *list = learnt(100, 0);

    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        size_t size = (size_t)rf_rng_below(1, i, 0, sizeof text);
        int n;

        for (size_t k = 0; k < size; k++)
            text[k] = i % 3 == 0 ? 'x' : (char)rf_rng_below(2, i, k, i % 3 == 1 ? 256 : 128);
        n = rf_wordlist_encode(list, (struct rf_view){text, size}, tokens);
        assert_true(n >= 0 && n <= (int)size);
        for (int k = 0; k < n; k++)
            assert_true(tokens[k] >= 0 && tokens[k] < rf_wordlist_size(list));
    }
    rf_wordlist_destroy(list);
}

static void texts_without_words_leave_the_unknown_one(void **state)
{
    struct rf_view nothing = {"", 0};
    struct rf_wordlist *list;
    int32_t token;

    (void)state;
    assert_int_equal(rf_wordlist_learn(&list, &nothing, 1, 10, NULL), RF_OK);
    assert_int_equal(rf_wordlist_size(list), 1);
    assert_int_equal(rf_wordlist_encode(list, view("word"), &token), 1);
    assert_int_equal(token, 0);
    rf_wordlist_destroy(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_by_count_and_then_by_bytes),
        cmocka_unit_test(the_most_frequent_are_kept),
        cmocka_unit_test(case_does_not_count_and_unknown_words_are_one),
        cmocka_unit_test(letters_of_scripts_without_blanks_are_words),
        cmocka_unit_test(the_order_of_texts_does_not_matter),
        cmocka_unit_test(any_bytes_are_read),
        cmocka_unit_test(texts_without_words_leave_the_unknown_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
