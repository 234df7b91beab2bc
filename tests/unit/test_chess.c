#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/chess.h"
#include "data/chess_rules.h"
#include "data/chess_text.h"

static const char *const games[] = {
    "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq -",
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - -",
    "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1",
};

static struct rf_chess position_of(const char *fen)
{
    struct rf_chess position;
    struct rf_error err;

    if (rf_chess_read(&position, fen, strlen(fen), &err) != RF_OK)
        fail_msg("%s", err.text);
    return position;
}

static struct rf_chess_move move_of(const char *text)
{
    struct rf_chess_move move;

    assert_int_equal(rf_chess_move_read(&move, text, strlen(text)), 0);
    return move;
}

static void counts_of_the_game_tree_are_exact(void **state)
{
    static const struct {
        int game, depth;
        int64_t leaves;
    } known[] = {{0, 1, 20},   {0, 2, 400},   {0, 3, 8902},    {0, 4, 197281}, {1, 1, 48},
                 {1, 2, 2039}, {1, 3, 97862}, {1, 4, 4085603}, {2, 5, 674624}, {3, 1, 6},
                 {3, 2, 264},  {3, 3, 9467},  {3, 4, 422333}};

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct rf_chess position = position_of(games[known[i].game]);

        assert_int_equal(rf_chess_perft(&position, known[i].depth), known[i].leaves);
    }
}

static void a_mirrored_position_has_as_many_games(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct rf_chess position = position_of(games[i]), mirrored, back;

        rf_chess_flip(&position, &mirrored);
        rf_chess_flip(&mirrored, &back);
        assert_int_equal(rf_chess_perft(&mirrored, 3), rf_chess_perft(&position, 3));
        assert_memory_equal(back.board, position.board, sizeof position.board);
    }
}

static void fen_comes_back_as_it_was(void **state)
{
    static const char *const texts[] = {
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
        "rnbqkb1r/ppp1pppp/5n2/3pP3/8/8/PPPP1PPP/RNBQKBNR w KQkq d6 0 3",
        "8/8/8/8/3k4/8/8/K6r w - - 12 80"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rf_chess position = position_of(texts[i]);
        char fen[RF_CHESS_FEN_BYTES];

        rf_chess_write(&position, fen);
        assert_string_equal(fen, texts[i]);
    }
}

static void impossible_positions_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBN w KQkq -",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNRR w KQkq -",
        "rnbqkbnr/pppppppp/9/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQ1BNR w KQkq -",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR x KQkq -",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KXkq -",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq e9",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - x 1",
        "4k3/8/8/8/8/8/4R3/4K3 w - -",        /* Black is in check, and White to move */
        "P3k3/8/8/8/8/8/8/4K3 w - -",         /* a pawn on the last rank */
        "4k3/QQQQQQQQ/QQ6/8/8/8/8/4K3 b - -", /* ten queens */
        "4k3/8/8/8/8/8/8/4K3 w - - 0 1 2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rf_chess position;
        struct rf_error err;

        assert_int_equal(rf_chess_read(&position, wrong[i], strlen(wrong[i]), &err),
                         RF_ERR_INPUT);
        assert_true(strlen(err.text) > 10);
    }
}

static void moves_read_and_write_as_in_uci(void **state)
{
    static const char *const wrong[] = {"",     "e2",    "e2e",   "e2e2",  "i2e4",
                                        "e0e4", "e7e8k", "e7e8p", "e7e8qq"};
    struct rf_chess_move move;
    char text[RF_CHESS_UCI_BYTES];

    (void)state;
    rf_chess_move_write(move_of("e7e8n"), text);
    assert_string_equal(text, "e7e8n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(rf_chess_move_read(&move, wrong[i], strlen(wrong[i])), -1);
}

static void recorded_moves_need_their_man(void **state)
{
    struct rf_chess position;

    (void)state;
    rf_chess_start(&position);
    assert_int_equal(rf_chess_make_recorded(&position, move_of("e3e4")), -1);
    assert_int_equal(rf_chess_make_recorded(&position, move_of("e7e5")), -1);
    assert_int_equal(rf_chess_make_recorded(&position, move_of("d1d2")), -1);
    assert_int_equal(rf_chess_make_recorded(&position, move_of("d1e8")), -1);
    assert_int_equal(rf_chess_make_recorded(&position, move_of("e2e4")), 0);
    assert_int_equal(position.side, RF_CHESS_BLACK);
}

static void every_legal_move_has_a_number_of_its_own(void **state)
{
    struct rf_chess_codec codec;

    (void)state;
    rf_chess_codec_fill(&codec);
    for (int n = 0; n < RF_CHESS_NMOVES; n++) {
        struct rf_chess white = position_of(games[0]), black;

        rf_chess_flip(&white, &black);
        assert_int_equal(
            rf_chess_move_number(&codec, &white, rf_chess_numbered_move(&codec, &white, n)), n);
        assert_int_equal(
            rf_chess_move_number(&codec, &black, rf_chess_numbered_move(&codec, &black, n)), n);
    }
    for (int i = 0; i < 4; i++) {
        struct rf_chess position = position_of(games[i]);
        struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
        int count = rf_chess_moves(&position, moves);

        for (int k = 0; k < count; k++)
            assert_true(rf_chess_move_number(&codec, &position, moves[k]) >= 0);
    }
}

static void a_position_and_its_mirror_image_read_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct rf_chess position = position_of(games[i]), mirrored;
        int32_t left[RF_CHESS_TEXT_MAX], right[RF_CHESS_TEXT_MAX];
        int n = rf_chess_text(&position, 2, left);

        rf_chess_flip(&position, &mirrored);
        assert_int_equal(rf_chess_text(&mirrored, 2, right), n);
        assert_memory_equal(left, right, (size_t)n * sizeof *left);
        assert_int_equal(left[n - 1], RF_CHESS_TOKEN_QUESTION + 2);
        assert_true(rf_chess_key(&position) == rf_chess_key(&mirrored));
    }
}

static void tokens_share_the_parts_they_have_in_common(void **state)
{
    static int32_t parts[RF_CHESS_VOCABULARY][RF_CHESS_PARTS];
    struct rf_chess_codec codec;

    (void)state;
    rf_chess_codec_fill(&codec);
    rf_chess_parts(&codec, parts);
    for (int n = 0; n < RF_CHESS_NMOVES; n++) {
        const int32_t *move = parts[RF_CHESS_TOKEN_MOVE + n];
        const int32_t *king = parts[RF_CHESS_TOKEN_MAN + codec.move[n].from];

        assert_int_equal(move[0], king[1]); /* the square it starts from is that of the man */
        assert_int_equal(move[2] >= 0, codec.move[n].promotion != RF_CHESS_NONE);
        for (int other = 0; other < n; other++) /* no two moves are made of the same */
            assert_memory_not_equal(move, parts[RF_CHESS_TOKEN_MOVE + other], sizeof parts[0]);
    }
    assert_int_equal(parts[RF_CHESS_TOKEN_PAD][0], -1);
    assert_int_equal(parts[RF_CHESS_TOKEN_YES][0], -1);
}

static void facts_are_counted_from_the_mover(void **state)
{
    /* White: K h1, R a1, N f3, P h2. Black: K e8, Q d8, R e2, P a7 b7. The knight is not pinned. */
    static const char fen[] = "3qk3/pp6/8/8/8/5N2/4r2P/R6K w - -";
    static const char check[] = "4k3/8/8/8/4r3/8/2n5/4K3 w - -"; /* rook and knight */
    struct rf_chess position, mirrored;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_chess_read(&position, fen, strlen(fen), &err), RF_OK);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_BALANCE), 5 + 3 + 1 - 9 - 5 - 2);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_OWN), 4);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_THEIRS), 5);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_CHECKERS), 0);
    for (int q = RF_CHESS_ASK_BALANCE; q < RF_CHESS_NQUESTIONS; q++) {
        rf_chess_flip(&position, &mirrored);
        assert_int_equal(rf_chess_fact(&position, (enum rf_chess_question)q),
                         rf_chess_fact(&mirrored, (enum rf_chess_question)q));
    }
    assert_int_equal(rf_chess_read(&position, check, strlen(check), &err), RF_OK);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_CHECKERS), 2);
    /* a double check leaves the king's own moves: d1, f1, d2, f2 less what rook and knight cover */
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_MOBILITY), 2);
    rf_chess_start(&position);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_BALANCE), 0);
    assert_int_equal(rf_chess_fact(&position, RF_CHESS_ASK_MOBILITY), 10);
}

static void tokens_tell_apart_what_differs(void **state)
{
    struct rf_chess a = position_of("4k2r/8/8/8/8/8/8/R3K3 w Qk -");
    struct rf_chess b = position_of("4k2r/8/8/8/8/8/8/R3K3 w Q -");
    struct rf_chess c = position_of("4k3/8/8/3pP3/8/8/8/4K3 w - d6");
    struct rf_chess d = position_of("4k3/8/8/3pP3/8/8/8/4K3 w - -");
    struct rf_chess e = position_of("4k3/8/8/3pP3/8/8/8/4K3 b - -");

    (void)state;
    assert_true(rf_chess_key(&a) != rf_chess_key(&b));
    assert_true(rf_chess_key(&c) != rf_chess_key(&d));
    assert_true(rf_chess_key(&d) != rf_chess_key(&e));
}

static int ask(const char *rule, const char *fen)
{
    struct rf_chess position = position_of(fen), mirrored;
    const struct rf_chess_rule *found = rf_chess_rule_find(rule);
    int answer;

    assert_non_null(found);
    answer = found->answer(&position);
    rf_chess_flip(&position, &mirrored);
    assert_int_equal(found->answer(&mirrored), answer);
    return answer;
}

static void questions_are_answered_as_defined(void **state)
{
    (void)state;
    assert_null(rf_chess_rule_find("beauty"));
    assert_int_equal(ask("material", games[0]), -1);
    assert_int_equal(ask("material", "4k3/8/8/8/8/8/8/R3K2n w - -"), 1);
    assert_int_equal(ask("material", "4k3/8/8/8/8/8/8/R3K2q w - -"), 0);
    assert_int_equal(ask("check", "4k3/8/8/8/8/8/4q3/4K3 w - -"), 1);
    assert_int_equal(ask("check", "4k3/8/8/8/8/8/3pq3/6K1 w - -"), 0);
    /* an undefended pawn; the same pawn defended; a defended queen that a rook may take */
    assert_int_equal(ask("hanging", "4k3/8/8/p7/8/8/8/R3K3 w - -"), 1);
    assert_int_equal(ask("hanging", "4k3/8/1p6/p7/8/8/8/R3K3 w - -"), 0);
    assert_int_equal(ask("hanging", "4k3/8/1p6/q7/8/8/8/R3K3 w - -"), 1);
    /* the taker is pinned: no legal capture */
    assert_int_equal(ask("hanging", "4r1k1/8/8/3p4/8/8/4N3/4K3 w - -"), 0);
    /* en passant takes a man that nothing defends */
    assert_int_equal(ask("hanging", "7k/8/8/3pP3/8/8/8/4K3 w - d6"), 1);
}

static void exchanges_count_what_each_side_would_take(void **state)
{
    static const struct {
        const char *fen, *move;
        int gain;
    } known[] = {
        {"1k1r4/1pp4p/p7/4p3/8/P5P1/1PP4P/2K1R3 w - -", "e1e5", 1},
        {"1k1r3q/1ppn3p/p4b2/4p3/8/P2N2P1/1PP1R1BP/2K1Q3 w - -", "d3e5", -2},
        {"4k3/8/1p6/p7/8/8/8/R3K3 w - -", "a1a5", -4},
        {"4k3/P7/8/8/8/8/8/4K3 w - -", "a7a8q", 8},
        {"1r2k3/P7/8/8/8/8/8/4K3 w - -", "a7b8q", 13},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct rf_chess position = position_of(known[i].fen);

        assert_int_equal(rf_chess_exchange(&position, move_of(known[i].move)), known[i].gain);
    }
}

static void the_player_mates_takes_or_moves_legally(void **state)
{
    struct rf_chess position = position_of("6k1/5ppp/8/8/8/8/8/nK2R3 w - -"), mirrored;
    struct rf_chess_move move, other;

    (void)state;
    assert_int_equal(rf_chess_player(&position, 7, &move), 0);
    assert_int_equal(move.to, 60); /* e8 mates; the knight is left alone */
    rf_chess_flip(&position, &mirrored);
    assert_int_equal(rf_chess_player(&mirrored, 7, &other), 0);
    assert_int_equal(rf_chess_move_flip(other).to, move.to);
    position = position_of("4k3/8/8/q2p4/8/8/8/R3K3 w - -");
    assert_int_equal(rf_chess_player(&position, 3, &move), 0);
    assert_int_equal(move.to, 32);
    rf_chess_start(&position);
    for (uint64_t dice = 0; dice < 40; dice++) {
        assert_int_equal(rf_chess_player(&position, dice, &move), 0);
        assert_true(rf_chess_is_legal(&position, move));
    }
    position = position_of("7k/5Q2/6K1/8/8/8/8/8 b - -"); /* stalemate */
    assert_int_equal(rf_chess_player(&position, 0, &move), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_the_game_tree_are_exact),
        cmocka_unit_test(a_mirrored_position_has_as_many_games),
        cmocka_unit_test(fen_comes_back_as_it_was),
        cmocka_unit_test(impossible_positions_are_refused),
        cmocka_unit_test(moves_read_and_write_as_in_uci),
        cmocka_unit_test(recorded_moves_need_their_man),
        cmocka_unit_test(every_legal_move_has_a_number_of_its_own),
        cmocka_unit_test(a_position_and_its_mirror_image_read_the_same),
        cmocka_unit_test(tokens_share_the_parts_they_have_in_common),
        cmocka_unit_test(facts_are_counted_from_the_mover),
        cmocka_unit_test(tokens_tell_apart_what_differs),
        cmocka_unit_test(questions_are_answered_as_defined),
        cmocka_unit_test(exchanges_count_what_each_side_would_take),
        cmocka_unit_test(the_player_mates_takes_or_moves_legally),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
