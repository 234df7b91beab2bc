/* chess_rules.h - questions about positions with exact answers, and a player by rule.
 *
 * Values of men: pawn 1, knight and bishop 3, rook 5, queen 9; the king counts nothing.
 *
 *   material  has the mover more than the opponent, by the values above? Equal: not asked.
 *   check     is the mover in check?
 *   hanging   has the mover a legal capture (en passant included, promotions too) that takes a
 * man worth more than the one that takes it, or after which no enemy man attacks the square
 * where it was made (a pinned man still attacks; so does one that the capturing man stood in
 * front of)? A king takes for nothing when it may. */
#ifndef RF_DATA_CHESS_RULES_H
#define RF_DATA_CHESS_RULES_H

#include "data/chess.h"

enum { RF_CHESS_NRULES = 3 };

/* What is asked of a position, by the token that asks it: a move, or a fact that is a number. */
enum rf_chess_question {
    RF_CHESS_ASK_MOVE,
    RF_CHESS_ASK_BALANCE,  /* the mover's material less the opponent's, -20 .. 20 */
    RF_CHESS_ASK_OWN,      /* the mover's men */
    RF_CHESS_ASK_THEIRS,   /* the opponent's men */
    RF_CHESS_ASK_CHECKERS, /* enemy men that attack the mover's king */
    RF_CHESS_ASK_MOBILITY, /* half the number of legal moves, rounded down, at most 20 */
    RF_CHESS_NQUESTIONS
};
/* The number that answers a question other than RF_CHESS_ASK_MOVE. */
int rf_chess_fact(const struct rf_chess *position, enum rf_chess_question question);

struct rf_chess_rule {
    const char *name;
    enum rf_chess_question question; /* the prompt ends with it: what is known about it helps */
    int (*answer)(const struct rf_chess *position); /* 0 no, 1 yes, -1 do not ask this one */
};
extern const struct rf_chess_rule rf_chess_rules[RF_CHESS_NRULES];
/* NULL when there is no such rule. */
const struct rf_chess_rule *rf_chess_rule_find(const char *name);

/* What a capture or promotion wins when both sides go on taking on its square, each with its
 * least valuable man, as long as it pays; negative when it loses. Pins are not looked at. */
int rf_chess_exchange(const struct rf_chess *position, struct rf_chess_move move);

/* The move of the player by rule: mate in one if there is one; otherwise the capture or
 * promotion that wins most by rf_chess_exchange(), if it wins anything; otherwise any legal
 * move, chosen by `dice`. Ties: the first move generated from the mover's side of the board,
 * so that a position and its mirror image get mirrored moves. Returns 0, or -1 when there is
 * no legal move. */
int rf_chess_player(const struct rf_chess *position, uint64_t dice, struct rf_chess_move *move);

#endif
