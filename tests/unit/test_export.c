#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/chess_rules.h"
#include "data/chess_text.h"
#include "data/export.h"

enum { TRAIN = 60, OTHERS = 20 };

static struct rf_task *open_task(const char *rule, uint64_t seed)
{
    struct rf_task_options options = {.name = "t",
                                      .source = "chess-rules",
                                      .train = TRAIN,
                                      .validation = OTHERS,
                                      .test = OTHERS,
                                      .corpus_size = 1};
    struct rf_task *task = NULL;
    struct rf_error err;

    snprintf(options.rule, sizeof options.rule, "%s", rule);
    assert_int_equal(rf_task_open(&task, &options, seed, &err), RF_OK);
    return task;
}

static char *export(const struct rf_task *task)
{
    char *text = NULL;
    size_t size = 0;
    struct rf_error err;

    assert_int_equal(rf_export_rules(task, &text, &size, &err), RF_OK);
    assert_int_equal(strlen(text), size);
    assert_int_equal(text[size - 1], '\n');
    return text;
}

/* One line's columns; returns what follows the line. */
static const char *read_line(const char *at, struct rf_chess *position, int *label, char *split)
{
    char fen[RF_CHESS_FEN_BYTES], answer[8];
    struct rf_error err;

    assert_int_equal(sscanf(at, "%99[^\t]\t%7[^\t]\t%15[^\n]\n", fen, answer, split), 3);
    assert_int_equal(rf_chess_read(position, fen, strlen(fen), &err), RF_OK);
    *label = strcmp(answer, "yes") == 0;
    assert_true(*label || strcmp(answer, "no") == 0);
    return strchr(at, '\n') + 1;
}

static void a_written_position_reads_as_the_tokens_it_came_from(void **state)
{
    static const char *const names[] = {"weak", "strong", "validation", "test"};

    (void)state;
    for (int r = 0; r < RF_CHESS_NRULES; r++) {
        const struct rf_chess_rule *rule = &rf_chess_rules[r];
        struct rf_task *task = open_task(rule->name, 3);
        char *text = export(task);
        const char *at = strchr(text, '\n') + 1;

        for (int s = 0; s < RF_NSPLITS; s++) {
            const struct rf_examples *x = rf_task_split(task, (enum rf_split)s);

            for (int i = 0; i < x->n; i++) {
                struct rf_chess position;
                int32_t tokens[RF_CHESS_TEXT_MAX];
                char split[16];
                int label, n;

                at = read_line(at, &position, &label, split);
                n = rf_chess_text(&position, (int)rule->question, tokens);
                assert_int_equal(n, x->start[i + 1] - x->start[i]);
                assert_memory_equal(tokens, x->tokens + x->start[i],
                                    (size_t)n * sizeof *tokens);
                assert_int_equal(label, x->label[i]);
                assert_int_equal(rule->answer(&position), label);
                assert_string_equal(split, names[s]);
            }
        }
        assert_int_equal(*at, '\0');
        free(text);
        rf_task_close(task);
    }
}

static void the_seed_moves_the_halves_and_not_the_test(void **state)
{
    struct rf_task *one = open_task("material", 1), *two = open_task("material", 2);
    char *a = export(one), *b = export(two);

    (void)state;
    assert_string_not_equal(a, b);
    assert_string_equal(strstr(a, "\ttest\n"), strstr(b, "\ttest\n"));
    free(a);
    free(b);
    rf_task_close(one);
    rf_task_close(two);
}

static void every_rule_is_listed_and_every_listed_rule_exists(void **state)
{
    int n = 0;

    (void)state;
    for (; rf_builtin_at(n) != NULL; n++) {
        assert_non_null(rf_chess_rule_find(rf_builtin_at(n)->rule));
        for (int i = 0; i < n; i++)
            assert_string_not_equal(rf_builtin_at(i)->rule, rf_builtin_at(n)->rule);
    }
    assert_int_equal(n, RF_CHESS_NRULES);
    assert_null(rf_builtin_at(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_position_reads_as_the_tokens_it_came_from),
        cmocka_unit_test(the_seed_moves_the_halves_and_not_the_test),
        cmocka_unit_test(every_rule_is_listed_and_every_listed_rule_exists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
