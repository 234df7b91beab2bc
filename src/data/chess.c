/* Squares are walked as 0x88 numbers (rank * 16 + file): a step that leaves the board sets a
 * bit of 0x88, so one test finds every edge. Legality is settled by making the move and looking
 * whether the king is attacked, but only for moves that could expose it: king moves, en
 * passant, moves out of check, and pieces on a line with their king. */
#include "data/chess.h"

#include <stdio.h>
#include <string.h>

static const int8_t king_steps[8] = {1, -1, 16, -16, 15, 17, -15, -17};
static const int8_t knight_steps[8] = {33, 31, 18, 14, -33, -31, -18, -14};

static int to88(int square)
{
    return square + (square & ~7);
}

static int from88(int wide)
{
    return (wide + (wide & 7)) >> 1;
}

static int kind_of(int piece)
{
    return piece & 7;
}

static int side_of(int piece)
{
    return piece >> 3;
}

static int piece_of(int kind, int side)
{
    return kind | side << 3;
}

void rf_chess_start(struct rf_chess *position)
{
    static const char fen[] = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

    (void)rf_chess_read(position, fen, sizeof fen - 1, NULL);
}

/* The first piece met from `wide` in direction `step`, with its distance; 0 at the edge. */
static int first_piece(const uint8_t *board, int wide, int step, int *distance)
{
    int n = 1;

    for (int t = wide + step; !(t & 0x88); t += step, n++) {
        int piece = board[from88(t)];

        if (piece != 0) {
            *distance = n;
            return piece;
        }
    }
    *distance = n;
    return 0;
}

int rf_chess_attacked(const struct rf_chess *position, int square, int side)
{
    const uint8_t *board = position->board;
    int wide = to88(square), knight = piece_of(RF_CHESS_KNIGHT, side);
    int pawn_rank = side == RF_CHESS_WHITE ? -16 : 16; /* where an attacking pawn stands */

    for (int i = 0; i < 8; i++) {
        int t = wide + knight_steps[i];

        if (!(t & 0x88) && board[from88(t)] == knight)
            return 1;
    }
    for (int i = 0; i < 8; i++) {
        int distance, piece = first_piece(board, wide, king_steps[i], &distance);
        int kind = kind_of(piece), diagonal = i >= 4;

        if (piece == 0 || side_of(piece) != side)
            continue;
        if (kind == RF_CHESS_QUEEN || kind == (diagonal ? RF_CHESS_BISHOP : RF_CHESS_ROOK))
            return 1;
        if (distance == 1 && kind == RF_CHESS_KING)
            return 1;
        if (distance == 1 && kind == RF_CHESS_PAWN && diagonal &&
            (king_steps[i] == pawn_rank + 1 || king_steps[i] == pawn_rank - 1))
            return 1;
    }
    return 0;
}

static int way_is_clear(const struct rf_chess *position, int from, int to, int files, int ranks)
{
    int step = (files > 0) - (files < 0) + 8 * ((ranks > 0) - (ranks < 0));

    for (int s = from + step; s != to; s += step) {
        if (position->board[s] != 0)
            return 0;
    }
    return 1;
}

int rf_chess_reaches(const struct rf_chess *position, int from, int to)
{
    int piece = position->board[from];
    int files = (to & 7) - (from & 7), ranks = (to >> 3) - (from >> 3);
    int straight = (files == 0) != (ranks == 0);
    int diagonal = files != 0 && (files == ranks || files == -ranks);

    switch (kind_of(piece)) {
    case RF_CHESS_PAWN:
        return ranks == (side_of(piece) == RF_CHESS_WHITE ? 1 : -1) &&
               (files == 1 || files == -1);
    case RF_CHESS_KNIGHT:
        return files * files + ranks * ranks == 5;
    case RF_CHESS_BISHOP:
        return diagonal && way_is_clear(position, from, to, files, ranks);
    case RF_CHESS_ROOK:
        return straight && way_is_clear(position, from, to, files, ranks);
    case RF_CHESS_QUEEN:
        return (straight || diagonal) && way_is_clear(position, from, to, files, ranks);
    case RF_CHESS_KING:
        return from != to && files >= -1 && files <= 1 && ranks >= -1 && ranks <= 1;
    default:
        return 0;
    }
}

int rf_chess_in_check(const struct rf_chess *position)
{
    return rf_chess_attacked(position, position->king[position->side], !position->side);
}

/* Whether a pawn of `side` stands beside the pawn that has just passed `square`. */
static int passant_possible(const struct rf_chess *position, int square, int side)
{
    int wide = to88(square) + (side == RF_CHESS_WHITE ? -16 : 16);
    int pawn = piece_of(RF_CHESS_PAWN, side);

    for (int d = -1; d <= 1; d += 2) {
        if (!((wide + d) & 0x88) && position->board[from88(wide + d)] == pawn)
            return 1;
    }
    return 0;
}

/* The castling rights that remain when something moves from or to the square. */
static uint8_t rights_kept(int square)
{
    switch (square) {
    case 0:
        return (uint8_t)(15 & ~RF_CHESS_WHITE_LONG);
    case 4:
        return RF_CHESS_BLACK_SHORT | RF_CHESS_BLACK_LONG;
    case 7:
        return (uint8_t)(15 & ~RF_CHESS_WHITE_SHORT);
    case 56:
        return (uint8_t)(15 & ~RF_CHESS_BLACK_LONG);
    case 60:
        return RF_CHESS_WHITE_SHORT | RF_CHESS_WHITE_LONG;
    case 63:
        return (uint8_t)(15 & ~RF_CHESS_BLACK_SHORT);
    default:
        return 15;
    }
}

static int is_castling(const struct rf_chess *position, struct rf_chess_move move)
{
    int step = move.to - move.from;

    return kind_of(position->board[move.from]) == RF_CHESS_KING && (step == 2 || step == -2);
}

static int is_passant(const struct rf_chess *position, struct rf_chess_move move)
{
    return kind_of(position->board[move.from]) == RF_CHESS_PAWN &&
           move.to == position->passant && (move.from & 7) != (move.to & 7);
}

int rf_chess_captured(const struct rf_chess *position, struct rf_chess_move move)
{
    return is_passant(position, move) ? RF_CHESS_PAWN : kind_of(position->board[move.to]);
}

void rf_chess_make(struct rf_chess *position, struct rf_chess_move move)
{
    uint8_t *board = position->board;
    int side = position->side, piece = board[move.from], kind = kind_of(piece);
    int quiet = board[move.to] == 0 && kind != RF_CHESS_PAWN, step = move.to - move.from;

    if (is_passant(position, move))
        board[move.to + (side == RF_CHESS_WHITE ? -8 : 8)] = 0;
    if (is_castling(position, move)) {
        int corner = step > 0 ? move.from + 3 : move.from - 4;

        board[(move.from + move.to) / 2] = board[corner];
        board[corner] = 0;
    }
    board[move.from] = 0;
    board[move.to] = (uint8_t)(move.promotion ? piece_of(move.promotion, side) : piece);
    if (kind == RF_CHESS_KING)
        position->king[side] = move.to;
    position->castling &= rights_kept(move.from) & rights_kept(move.to);
    position->passant = -1;
    if (kind == RF_CHESS_PAWN && (step == 16 || step == -16) &&
        passant_possible(position, move.from + step / 2, !side))
        position->passant = (int8_t)(move.from + step / 2);
    position->halfmoves = quiet ? (uint16_t)(position->halfmoves + 1) : 0;
    if (side == RF_CHESS_BLACK)
        position->move_number++;
    position->side = (uint8_t)!side;
}

int rf_chess_make_recorded(struct rf_chess *position, struct rf_chess_move move)
{
    int piece = position->board[move.from], target = position->board[move.to];
    int promotes = kind_of(piece) == RF_CHESS_PAWN && (move.to < 8 || move.to >= 56);

    if (piece == 0 || side_of(piece) != position->side || promotes != (move.promotion != 0))
        return -1;
    if (target != 0 && (side_of(target) == position->side || kind_of(target) == RF_CHESS_KING))
        return -1;
    if (is_castling(position, move) && move.from != (position->side == RF_CHESS_WHITE ? 4 : 60))
        return -1;
    rf_chess_make(position, move);
    return 0;
}

struct move_list {
    struct rf_chess_move *moves;
    int n;
};

static void add(struct move_list *list, int from, int to, int promotion)
{
    if (list->n < RF_CHESS_MAX_MOVES) /* 218 is the most that legal material can reach */
        list->moves[list->n++] =
            (struct rf_chess_move){(uint8_t)from, (uint8_t)to, (uint8_t)promotion};
}

static void add_pawn(struct move_list *list, int from, int to)
{
    if (to >= 8 && to < 56) {
        add(list, from, to, RF_CHESS_NONE);
        return;
    }
    for (int kind = RF_CHESS_QUEEN; kind >= RF_CHESS_KNIGHT; kind--)
        add(list, from, to, kind);
}

static void pawn_moves(const struct rf_chess *position, int from, struct move_list *list)
{
    int side = position->side, ahead = side == RF_CHESS_WHITE ? 16 : -16, wide = to88(from);
    int home = side == RF_CHESS_WHITE ? 1 : 6, one = from88(wide + ahead);

    if (position->board[one] == 0) {
        add_pawn(list, from, one);
        if (from >> 3 == home && position->board[from88(wide + 2 * ahead)] == 0)
            add(list, from, from88(wide + 2 * ahead), RF_CHESS_NONE);
    }
    for (int d = -1; d <= 1; d += 2) {
        int t = wide + ahead + d, to = from88(t), piece;

        if (t & 0x88)
            continue;
        piece = position->board[to];
        if ((piece != 0 && side_of(piece) != side) || to == position->passant)
            add_pawn(list, from, to);
    }
}

static void piece_moves(const struct rf_chess *position, int from, const int8_t *steps,
                        int nsteps, int slides, struct move_list *list)
{
    for (int i = 0; i < nsteps; i++) {
        for (int t = to88(from) + steps[i]; !(t & 0x88); t += steps[i]) {
            int to = from88(t), piece = position->board[to];

            if (piece == 0 || side_of(piece) != position->side)
                add(list, from, to, RF_CHESS_NONE);
            if (piece != 0 || !slides)
                break;
        }
    }
}

static void castling_moves(const struct rf_chess *position, struct move_list *list)
{
    int side = position->side, king = side == RF_CHESS_WHITE ? 4 : 60;
    int rights = side == RF_CHESS_WHITE ? position->castling : position->castling >> 2;
    const uint8_t *board = position->board;

    if ((rights & RF_CHESS_WHITE_SHORT) && board[king + 1] == 0 && board[king + 2] == 0 &&
        !rf_chess_attacked(position, king, !side) &&
        !rf_chess_attacked(position, king + 1, !side))
        add(list, king, king + 2, RF_CHESS_NONE);
    if ((rights & RF_CHESS_WHITE_LONG) && board[king - 1] == 0 && board[king - 2] == 0 &&
        board[king - 3] == 0 && !rf_chess_attacked(position, king, !side) &&
        !rf_chess_attacked(position, king - 1, !side))
        add(list, king, king - 2, RF_CHESS_NONE);
}

static void candidate_moves(const struct rf_chess *position, struct move_list *list)
{
    for (int from = 0; from < 64; from++) {
        int piece = position->board[from];

        if (piece == 0 || side_of(piece) != position->side)
            continue;
        switch (kind_of(piece)) {
        case RF_CHESS_PAWN:
            pawn_moves(position, from, list);
            break;
        case RF_CHESS_KNIGHT:
            piece_moves(position, from, knight_steps, 8, 0, list);
            break;
        case RF_CHESS_BISHOP:
            piece_moves(position, from, king_steps + 4, 4, 1, list);
            break;
        case RF_CHESS_ROOK:
            piece_moves(position, from, king_steps, 4, 1, list);
            break;
        case RF_CHESS_QUEEN:
            piece_moves(position, from, king_steps, 8, 1, list);
            break;
        default:
            piece_moves(position, from, king_steps, 8, 0, list);
            castling_moves(position, list);
            break;
        }
    }
}

static int on_a_line(int a, int b)
{
    int files = (a & 7) - (b & 7), ranks = (a >> 3) - (b >> 3);

    return files == 0 || ranks == 0 || files == ranks || files == -ranks;
}

/* Whether a candidate leaves its own king safe. */
static int keeps_king_safe(const struct rf_chess *position, struct rf_chess_move move,
                           int in_check)
{
    int side = position->side, king = position->king[side];
    struct rf_chess after;

    if (!in_check && move.from != king && move.to != position->passant &&
        !on_a_line(move.from, king))
        return 1;
    after = *position;
    rf_chess_make(&after, move);
    return !rf_chess_attacked(&after, after.king[side], !side);
}

int rf_chess_moves(const struct rf_chess *position,
                   struct rf_chess_move moves[RF_CHESS_MAX_MOVES])
{
    struct move_list list = {moves, 0};
    int in_check = rf_chess_in_check(position), n = 0;

    candidate_moves(position, &list);
    for (int i = 0; i < list.n; i++) {
        if (keeps_king_safe(position, moves[i], in_check))
            moves[n++] = moves[i];
    }
    return n;
}

int rf_chess_is_legal(const struct rf_chess *position, struct rf_chess_move move)
{
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
    int n = rf_chess_moves(position, moves);

    for (int i = 0; i < n; i++) {
        if (moves[i].from == move.from && moves[i].to == move.to &&
            moves[i].promotion == move.promotion)
            return 1;
    }
    return 0;
}

int64_t rf_chess_perft(const struct rf_chess *position, int depth)
{
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
    int n;
    int64_t total = 0;

    if (depth == 0)
        return 1;
    n = rf_chess_moves(position, moves);
    if (depth == 1)
        return n;
    for (int i = 0; i < n; i++) {
        struct rf_chess after = *position;

        rf_chess_make(&after, moves[i]);
        total += rf_chess_perft(&after, depth - 1);
    }
    return total;
}

static int square_read(const char *text)
{
    if (text[0] < 'a' || text[0] > 'h' || text[1] < '1' || text[1] > '8')
        return -1;
    return (text[1] - '1') * 8 + (text[0] - 'a');
}

static const char kind_letters[] = " pnbrqk";

int rf_chess_move_read(struct rf_chess_move *move, const char *text, size_t length)
{
    int from, to, promotion = RF_CHESS_NONE;

    if (length != 4 && length != 5)
        return -1;
    from = square_read(text);
    to = square_read(text + 2);
    if (from < 0 || to < 0 || from == to)
        return -1;
    if (length == 5) {
        const char *at = text[4] == '\0' ? NULL : strchr(kind_letters, text[4]);

        promotion = at == NULL ? RF_CHESS_NONE : (int)(at - kind_letters);
        if (promotion < RF_CHESS_KNIGHT || promotion > RF_CHESS_QUEEN)
            return -1;
    }
    *move = (struct rf_chess_move){(uint8_t)from, (uint8_t)to, (uint8_t)promotion};
    return 0;
}

void rf_chess_move_write(struct rf_chess_move move, char text[RF_CHESS_UCI_BYTES])
{
    text[0] = (char)('a' + (move.from & 7));
    text[1] = (char)('1' + (move.from >> 3));
    text[2] = (char)('a' + (move.to & 7));
    text[3] = (char)('1' + (move.to >> 3));
    text[4] = move.promotion ? kind_letters[move.promotion] : '\0';
    text[5] = '\0';
}

void rf_chess_flip(const struct rf_chess *position, struct rf_chess *flipped)
{
    struct rf_chess out = *position;

    for (int s = 0; s < 64; s++) {
        int piece = position->board[s ^ 56];

        out.board[s] = (uint8_t)(piece ? piece ^ RF_CHESS_BLACK_PIECE : 0);
    }
    out.side = !position->side;
    out.castling = (uint8_t)((position->castling >> 2 | position->castling << 2) & 15);
    out.passant = (int8_t)(position->passant < 0 ? -1 : position->passant ^ 56);
    out.king[0] = position->king[1] ^ 56;
    out.king[1] = position->king[0] ^ 56;
    *flipped = out;
}

struct rf_chess_move rf_chess_move_flip(struct rf_chess_move move)
{
    move.from ^= 56;
    move.to ^= 56;
    return move;
}
