/* FEN in and out. Fields are cut at single blanks; every field is checked by itself, then the
 * position as a whole, so that the move generator can rely on kings and pawns being where
 * the rules allow them. */
#include "data/chess.h"

#include <stdio.h>
#include <string.h>

static const char piece_letters[] = " PNBRQK  pnbrqk";

struct field {
    const char *text;
    size_t length;
};

static int read_placement(struct rf_chess *position, struct field field)
{
    int rank = 7, file = 0;

    for (size_t i = 0; i < field.length; i++) {
        char c = field.text[i];
        const char *at;

        if (c == '/') {
            if (file != 8 || rank == 0)
                return -1;
            rank--;
            file = 0;
            continue;
        }
        if (c >= '1' && c <= '8') {
            file += c - '0';
            if (file > 8)
                return -1;
            continue;
        }
        at = c == ' ' || c == '\0' ? NULL : strchr(piece_letters, c);
        if (at == NULL || file > 7)
            return -1;
        position->board[rank * 8 + file++] = (uint8_t)(at - piece_letters);
    }
    return rank == 0 && file == 8 ? 0 : -1;
}

static int read_castling(struct rf_chess *position, struct field field)
{
    static const char letters[] = "KQkq";
    static const int king_at[4] = {4, 4, 60, 60}, rook_at[4] = {7, 0, 63, 56};

    if (field.length == 1 && field.text[0] == '-')
        return 0;
    if (field.length == 0 || field.length > 4)
        return -1;
    for (size_t i = 0; i < field.length; i++) {
        const char *at = field.text[i] == '\0' ? NULL : strchr(letters, field.text[i]);
        int k, black;

        if (at == NULL)
            return -1;
        k = (int)(at - letters);
        black = k >= 2 ? RF_CHESS_BLACK_PIECE : 0;
        if (position->board[king_at[k]] == (RF_CHESS_KING | black) &&
            position->board[rook_at[k]] == (RF_CHESS_ROOK | black))
            position->castling |= (uint8_t)(1 << k);
    }
    return 0;
}

static int read_passant(struct rf_chess *position, struct field field)
{
    int side = position->side, file, rank, back = side == RF_CHESS_WHITE ? -8 : 8;
    int mine = RF_CHESS_PAWN | side << 3, theirs = RF_CHESS_PAWN | (!side) << 3, square;

    if (field.length == 1 && field.text[0] == '-')
        return 0;
    if (field.length != 2)
        return -1;
    file = field.text[0] - 'a';
    rank = field.text[1] - '1';
    if (file < 0 || file > 7 || rank != (side == RF_CHESS_WHITE ? 5 : 2))
        return -1;
    square = rank * 8 + file;
    if (position->board[square] != 0 || position->board[square - back] != 0 ||
        position->board[square + back] != theirs)
        return 0; /* no pawn can have passed here */
    if ((file > 0 && position->board[square + back - 1] == mine) ||
        (file < 7 && position->board[square + back + 1] == mine))
        position->passant = (int8_t)square;
    return 0;
}

/* Whether one side's men could have come from eight pawns and eight pieces. */
static int material_possible(const struct rf_chess *position, int side)
{
    static const int at_first[7] = {0, 8, 2, 2, 2, 1, 1};
    int count[8] = {0}, promoted = 0;

    for (int s = 0; s < 64; s++) {
        if (position->board[s] != 0 && position->board[s] >> 3 == side)
            count[position->board[s] & 7]++;
    }
    for (int kind = RF_CHESS_KNIGHT; kind <= RF_CHESS_QUEEN; kind++) {
        if (count[kind] > at_first[kind])
            promoted += count[kind] - at_first[kind];
    }
    return count[RF_CHESS_PAWN] + promoted <= 8;
}

/* Finds the kings; -1 when the position is not one that play could reach in these respects. */
static int check_position(struct rf_chess *position)
{
    int kings[2] = {0, 0};

    for (int s = 0; s < 64; s++) {
        int piece = position->board[s];

        if ((piece & 7) == RF_CHESS_KING) {
            kings[piece >> 3]++;
            position->king[piece >> 3] = (uint8_t)s;
        }
        if ((piece & 7) == RF_CHESS_PAWN && (s < 8 || s >= 56))
            return -1;
    }
    if (kings[0] != 1 || kings[1] != 1 || !material_possible(position, RF_CHESS_WHITE) ||
        !material_possible(position, RF_CHESS_BLACK))
        return -1;
    return rf_chess_attacked(position, position->king[!position->side], position->side) ? -1
                                                                                        : 0;
}

static int read_count(struct field field, uint16_t *count)
{
    unsigned value = 0;

    if (field.length == 0 || field.length > 4)
        return -1;
    for (size_t i = 0; i < field.length; i++) {
        if (field.text[i] < '0' || field.text[i] > '9')
            return -1;
        value = value * 10 + (unsigned)(field.text[i] - '0');
    }
    *count = (uint16_t)value;
    return 0;
}

static int cut_fields(const char *text, size_t length, struct field fields[6])
{
    int n = 0;
    size_t begin = 0;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != ' ')
            continue;
        if (n == 6)
            return -1;
        fields[n++] = (struct field){text + begin, i - begin};
        begin = i + 1;
    }
    return n;
}

enum rf_status rf_chess_read(struct rf_chess *position, const char *fen, size_t length,
                             struct rf_error *err)
{
    struct field fields[6];
    struct rf_chess out = {.passant = -1, .move_number = 1};
    int n = length < RF_CHESS_FEN_BYTES ? cut_fields(fen, length, fields) : -1;
    const char *wrong = NULL;

    if (n != 4 && n != 6)
        return rf_fail(err, RF_ERR_INPUT, "a position needs four or six fields: '%.*s'",
                       (int)(length < RF_CHESS_FEN_BYTES ? length : RF_CHESS_FEN_BYTES), fen);
    if (read_placement(&out, fields[0]) != 0)
        wrong = "the placement of pieces";
    else if (fields[1].length != 1 || (fields[1].text[0] != 'w' && fields[1].text[0] != 'b'))
        wrong = "the side to move";
    if (wrong == NULL)
        out.side = fields[1].text[0] == 'b';
    if (wrong == NULL && read_castling(&out, fields[2]) != 0)
        wrong = "the castling rights";
    if (wrong == NULL && read_passant(&out, fields[3]) != 0)
        wrong = "the en-passant square";
    if (wrong == NULL && n == 6 &&
        (read_count(fields[4], &out.halfmoves) != 0 ||
         read_count(fields[5], &out.move_number) != 0))
        wrong = "the move counters";
    if (wrong == NULL && check_position(&out) != 0)
        wrong = "the position (kings, pawns, material or an impossible check)";
    if (wrong != NULL)
        return rf_fail(err, RF_ERR_INPUT, "%s cannot be right: '%.*s'", wrong, (int)length,
                       fen);
    *position = out;
    return RF_OK;
}

void rf_chess_write(const struct rf_chess *position, char fen[RF_CHESS_FEN_BYTES])
{
    char castling[5], passant[3] = "-", *at = fen;
    int n = 0;

    for (int rank = 7; rank >= 0; rank--) {
        int empty = 0;

        for (int file = 0; file < 8; file++) {
            int piece = position->board[rank * 8 + file];

            if (piece == 0) {
                empty++;
                continue;
            }
            if (empty > 0)
                *at++ = (char)('0' + empty);
            empty = 0;
            *at++ = piece_letters[piece];
        }
        if (empty > 0)
            *at++ = (char)('0' + empty);
        if (rank > 0)
            *at++ = '/';
    }
    for (int k = 0; k < 4; k++) {
        if (position->castling & 1 << k)
            castling[n++] = "KQkq"[k];
    }
    if (n == 0)
        castling[n++] = '-';
    castling[n] = '\0';
    if (position->passant >= 0) {
        passant[0] = (char)('a' + (position->passant & 7));
        passant[1] = (char)('1' + (position->passant >> 3));
        passant[2] = '\0';
    }
    snprintf(at, (size_t)(fen + RF_CHESS_FEN_BYTES - at), " %c %s %s %d %d",
             position->side == RF_CHESS_WHITE ? 'w' : 'b', castling, passant,
             position->halfmoves, position->move_number);
}
