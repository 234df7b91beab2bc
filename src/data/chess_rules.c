#include "data/chess_rules.h"

#include <string.h>

#include "data/chess_text.h"

static const int value[7] = {0, 1, 3, 3, 5, 9, 0};

static int balance_of(const struct rf_chess *position)
{
    int balance = 0;

    for (int s = 0; s < 64; s++) {
        int piece = position->board[s];

        balance += piece >> 3 == position->side ? value[piece & 7] : -value[piece & 7];
    }
    return balance;
}

static int men_of(const struct rf_chess *position, int side)
{
    int men = 0;

    for (int s = 0; s < 64; s++)
        men += position->board[s] != 0 && position->board[s] >> 3 == side;
    return men;
}

static int checkers_of(const struct rf_chess *position)
{
    int king = position->king[position->side], checkers = 0;

    for (int s = 0; s < 64; s++)
        checkers += position->board[s] != 0 && position->board[s] >> 3 != position->side &&
                    rf_chess_reaches(position, s, king);
    return checkers;
}

static int clip(int value_)
{
    return value_ > RF_CHESS_NUMBER_MAX    ? RF_CHESS_NUMBER_MAX
           : value_ < -RF_CHESS_NUMBER_MAX ? -RF_CHESS_NUMBER_MAX
                                           : value_;
}

int rf_chess_fact(const struct rf_chess *position, enum rf_chess_question question)
{
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];

    switch (question) {
    case RF_CHESS_ASK_BALANCE:
        return clip(balance_of(position));
    case RF_CHESS_ASK_OWN:
        return men_of(position, position->side);
    case RF_CHESS_ASK_THEIRS:
        return men_of(position, !position->side);
    case RF_CHESS_ASK_CHECKERS:
        return checkers_of(position);
    case RF_CHESS_ASK_MOBILITY:
        return clip(rf_chess_moves(position, moves) / 2);
    case RF_CHESS_ASK_MOVE:
    case RF_CHESS_NQUESTIONS:
        break;
    }
    return 0;
}

static int answer_material(const struct rf_chess *position)
{
    int balance = balance_of(position);

    return balance == 0 ? -1 : balance > 0;
}

static int answer_check(const struct rf_chess *position)
{
    return rf_chess_in_check(position);
}

static int answer_hanging(const struct rf_chess *position)
{
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
    int n = rf_chess_moves(position, moves);

    for (int i = 0; i < n; i++) {
        int taken = rf_chess_captured(position, moves[i]);
        int taker = position->board[moves[i].from] & 7;
        struct rf_chess after = *position;

        if (taken == RF_CHESS_NONE)
            continue;
        rf_chess_make(&after, moves[i]);
        if (taker == RF_CHESS_KING || value[taken] > value[taker] ||
            !rf_chess_attacked(&after, moves[i].to, after.side))
            return 1;
    }
    return 0;
}

const struct rf_chess_rule rf_chess_rules[RF_CHESS_NRULES] = {
    {"material", RF_CHESS_ASK_BALANCE, answer_material},
    {"check", RF_CHESS_ASK_CHECKERS, answer_check},
    {"hanging", RF_CHESS_ASK_MOVE, answer_hanging},
};

const struct rf_chess_rule *rf_chess_rule_find(const char *name)
{
    for (int i = 0; i < RF_CHESS_NRULES; i++) {
        if (strcmp(rf_chess_rules[i].name, name) == 0)
            return &rf_chess_rules[i];
    }
    return NULL;
}

/* Where the least valuable man of `side` that attacks the square stands, or -1. Found by
 * asking, for each kind, whether it attacks when it is the only one left of its side. */
static int least_attacker(const struct rf_chess *position, int square, int side)
{
    static const int order[6] = {RF_CHESS_PAWN, RF_CHESS_KNIGHT, RF_CHESS_BISHOP,
                                 RF_CHESS_ROOK, RF_CHESS_QUEEN,  RF_CHESS_KING};

    for (int k = 0; k < 6; k++) {
        int piece = order[k] | side << 3;

        for (int s = 0; s < 64; s++) {
            if (position->board[s] == piece && rf_chess_reaches(position, s, square))
                return s;
        }
    }
    return -1;
}

/* The gain of the side to move from taking on the square, or not taking: never negative. */
static int best_recapture(struct rf_chess *position, int square, int side, int on_square)
{
    int from = least_attacker(position, square, side), kind, gain;

    if (from < 0)
        return 0;
    kind = position->board[from] & 7;
    if (kind == RF_CHESS_KING && rf_chess_attacked(position, square, !side))
        return 0;
    position->board[square] = position->board[from];
    position->board[from] = 0;
    gain = value[on_square] - best_recapture(position, square, !side, kind);
    return gain > 0 ? gain : 0;
}

int rf_chess_exchange(const struct rf_chess *position, struct rf_chess_move move)
{
    int gain = value[rf_chess_captured(position, move)];
    int kind = move.promotion ? move.promotion : position->board[move.from] & 7;
    struct rf_chess after = *position;

    if (move.promotion)
        gain += value[move.promotion] - value[RF_CHESS_PAWN];
    rf_chess_make(&after, move);
    return gain - best_recapture(&after, move.to, after.side, kind);
}

static int mates(const struct rf_chess *position, struct rf_chess_move move)
{
    struct rf_chess_move replies[RF_CHESS_MAX_MOVES];
    struct rf_chess after = *position;

    rf_chess_make(&after, move);
    return rf_chess_in_check(&after) && rf_chess_moves(&after, replies) == 0;
}

int rf_chess_player(const struct rf_chess *position, uint64_t dice, struct rf_chess_move *move)
{
    struct rf_chess view = *position;
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
    int n, best = 0, chosen = -1;

    if (position->side == RF_CHESS_BLACK)
        rf_chess_flip(position, &view);
    n = rf_chess_moves(&view, moves);
    if (n == 0)
        return -1;
    for (int i = 0; i < n; i++) {
        int gain = 0;

        if (mates(&view, moves[i])) {
            chosen = i;
            break;
        }
        if (moves[i].promotion || rf_chess_captured(&view, moves[i]) != RF_CHESS_NONE)
            gain = rf_chess_exchange(&view, moves[i]);
        if (gain > best) {
            best = gain;
            chosen = i;
        }
    }
    if (chosen < 0)
        chosen = (int)(dice % (uint64_t)n);
    *move =
        position->side == RF_CHESS_BLACK ? rf_chess_move_flip(moves[chosen]) : moves[chosen];
    return 0;
}
