/* chess.h - the rules of chess: positions, legal moves, FEN.
 *
 * Exact (perft counts are part of the tests) and small: an array of 64 squares, no search, no
 * evaluation. What is asked about a position is in chess_rules.h, how a model reads it in
 * chess_text.h. Squares are 0 (a1) to 63 (h8), rank after rank. */
#ifndef RF_DATA_CHESS_H
#define RF_DATA_CHESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum rf_chess_side { RF_CHESS_WHITE, RF_CHESS_BLACK };
enum rf_chess_kind {
    RF_CHESS_NONE,
    RF_CHESS_PAWN,
    RF_CHESS_KNIGHT,
    RF_CHESS_BISHOP,
    RF_CHESS_ROOK,
    RF_CHESS_QUEEN,
    RF_CHESS_KING
};
enum { RF_CHESS_BLACK_PIECE = 8 }; /* a piece is its kind, plus this for Black */
enum {
    RF_CHESS_WHITE_SHORT = 1,
    RF_CHESS_WHITE_LONG = 2,
    RF_CHESS_BLACK_SHORT = 4,
    RF_CHESS_BLACK_LONG = 8
};
enum { RF_CHESS_MAX_MOVES = 256, RF_CHESS_FEN_BYTES = 100, RF_CHESS_UCI_BYTES = 6 };

struct rf_chess {
    uint8_t board[64]; /* 0: empty */
    uint8_t side;      /* to move */
    uint8_t castling;  /* the four bits above */
    int8_t passant;    /* square behind a pawn that has just made two steps, only where an enemy
                          pawn stands ready to take it; otherwise -1 */
    uint8_t king[2];
    uint16_t halfmoves; /* since the last capture or pawn move */
    uint16_t move_number;
};

struct rf_chess_move {
    uint8_t from, to;
    uint8_t promotion; /* a kind, or RF_CHESS_NONE */
};

void rf_chess_start(struct rf_chess *position);

/* Reads FEN with six fields, or four (placement, side, castling, en passant). Refuses, with
 * RF_ERR_INPUT and a message that quotes the text, what no game could show: a side without
 * exactly one king, more men than eight pawns and their promotions allow, pawns on the first
 * or last rank, the side that just moved in check. Castling
 * rights without king and rook at home are dropped, and so is an en-passant square that no
 * pawn can use. */
enum rf_status rf_chess_read(struct rf_chess *position, const char *fen, size_t length,
                             struct rf_error *err);
void rf_chess_write(const struct rf_chess *position, char fen[RF_CHESS_FEN_BYTES]);

/* All legal moves, in an order that depends on the position alone; returns their number. */
int rf_chess_moves(const struct rf_chess *position,
                   struct rf_chess_move moves[RF_CHESS_MAX_MOVES]);
int rf_chess_is_legal(const struct rf_chess *position, struct rf_chess_move move);

/* Makes a legal move. */
void rf_chess_make(struct rf_chess *position, struct rf_chess_move move);
/* Makes a move of a recorded game with a quick look only: 0 when there is a piece of the mover
 * at `from`, none of its own at `to`, and the opponent's king is not there; -1 otherwise, and
 * nothing is done. */
int rf_chess_make_recorded(struct rf_chess *position, struct rf_chess_move move);

int rf_chess_in_check(const struct rf_chess *position);
/* Whether a piece of `side` attacks the square; pinned pieces do. */
int rf_chess_attacked(const struct rf_chess *position, int square, int side);
/* Whether the man on `from` attacks `to`, whatever stands there. */
int rf_chess_reaches(const struct rf_chess *position, int from, int to);
/* What the move takes (a kind), en passant included; RF_CHESS_NONE for a quiet move. */
int rf_chess_captured(const struct rf_chess *position, struct rf_chess_move move);

/* Leaf count of the tree of legal moves. */
int64_t rf_chess_perft(const struct rf_chess *position, int depth);

/* Moves as in UCI: e2e4, e1g1 (castling), e7e8q. Read returns 0, or -1 when that is no such
 * form. */
int rf_chess_move_read(struct rf_chess_move *move, const char *text, size_t length);
void rf_chess_move_write(struct rf_chess_move move, char text[RF_CHESS_UCI_BYTES]);

/* The same position with colours exchanged and the board mirrored top to bottom. */
void rf_chess_flip(const struct rf_chess *position, struct rf_chess *flipped);
struct rf_chess_move rf_chess_move_flip(struct rf_chess_move move);

#endif
