/* chess_text.h - chess positions, facts and moves as tokens.
 *
 * The mover always plays up the board: with Black to move the colours are exchanged and
 * the board is mirrored, so a position and its mirror image read the same. A position is at
 * most RF_CHESS_TEXT_MAX tokens: one per man (own before theirs, king, queen, rook, bishop,
 * knight, pawn, squares a1 to h8), then castling rights, the file of a possible en-passant
 * capture, and last one question. What the model answers is a token after that: "no" or "yes",
 * a number, or a move.
 *
 *      0          padding
 *      1 .. 768   a man on a square: 1 + (kind - 1 + 6 x theirs) x 64 + square
 *    769 .. 772   castling: own short, own long, their short, their long
 *    773 .. 780   en passant possible on file a .. h
 *    781 .. 788   questions, see chess_rules.h; 781 asks for a move
 *    789, 790     no, yes
 *    791 .. 831   the numbers -20 .. 20
 *    832 ..       moves: every from-to pair of a queen or a knight, by from, then to (1,792);
 * then the promotions, by from file, to file, kind knight to queen (88) */
#ifndef RF_DATA_CHESS_TEXT_H
#define RF_DATA_CHESS_TEXT_H

#include <stdint.h>

#include "data/chess.h"

enum {
    RF_CHESS_TOKEN_PAD = 0,
    RF_CHESS_TOKEN_MAN = 1,
    RF_CHESS_TOKEN_CASTLING = 769,
    RF_CHESS_TOKEN_PASSANT = 773,
    RF_CHESS_TOKEN_QUESTION = 781, /* + 0: which move */
    RF_CHESS_TOKEN_NO = 789,
    RF_CHESS_TOKEN_YES = 790,
    RF_CHESS_TOKEN_NUMBER = 791, /* the number -RF_CHESS_NUMBER_MAX */
    RF_CHESS_NUMBER_MAX = 20,
    RF_CHESS_TOKEN_MOVE = RF_CHESS_TOKEN_NUMBER + 2 * RF_CHESS_NUMBER_MAX + 1,
    RF_CHESS_NMOVES = 1880,
    RF_CHESS_VOCABULARY = RF_CHESS_TOKEN_MOVE + RF_CHESS_NMOVES,
    RF_CHESS_TEXT_MAX = 32 + 4 + 1 + 1
};

/* The numbering of moves; plain data, filled once and then only read. */
struct rf_chess_codec {
    int16_t plain[64][64];      /* 0 .. 1791, or -1 */
    int16_t promotion[8][8][4]; /* [from file][to file][kind - knight], or -1 */
    struct rf_chess_move move[RF_CHESS_NMOVES];
};
void rf_chess_codec_fill(struct rf_chess_codec *codec);

/* What each token is made of (task.h): a man of its kind and its square, a move of its from
 * square, its to square and its promotion. parts has room for RF_CHESS_VOCABULARY rows. */
enum { RF_CHESS_PARTS = 3 };
void rf_chess_parts(const struct rf_chess_codec *codec, int32_t parts[][RF_CHESS_PARTS]);

/* Number of a move of the side to move, 0 .. RF_CHESS_NMOVES-1, or -1 when no piece moves so;
 * and back. Both mirror when Black is to move. */
int rf_chess_move_number(const struct rf_chess_codec *codec, const struct rf_chess *position,
                         struct rf_chess_move move);
struct rf_chess_move rf_chess_numbered_move(const struct rf_chess_codec *codec,
                                            const struct rf_chess *position, int number);

/* Writes the tokens of a position and the question (0 .. 7) after them; returns their number.
 */
int rf_chess_text(const struct rf_chess *position, int question,
                  int32_t tokens[RF_CHESS_TEXT_MAX]);

/* One number for everything that rf_chess_text() shows but the question: equal for equal
 * positions; different ones collide with probability 2^-64. */
uint64_t rf_chess_key(const struct rf_chess *position);

#endif
