#include "data/chess_text.h"

#include <string.h>

static int reaches(int from, int to)
{
    int files = (from & 7) - (to & 7), ranks = (from >> 3) - (to >> 3);

    files = files < 0 ? -files : files;
    ranks = ranks < 0 ? -ranks : ranks;
    if (from == to)
        return 0;
    return files == 0 || ranks == 0 || files == ranks || files * ranks == 2;
}

void rf_chess_codec_fill(struct rf_chess_codec *codec)
{
    int n = 0;

    memset(codec, -1, sizeof *codec);
    for (int from = 0; from < 64; from++) {
        for (int to = 0; to < 64; to++) {
            if (!reaches(from, to))
                continue;
            codec->move[n] = (struct rf_chess_move){(uint8_t)from, (uint8_t)to, RF_CHESS_NONE};
            codec->plain[from][to] = (int16_t)n++;
        }
    }
    for (int from = 0; from < 8; from++) {
        for (int to = from > 0 ? from - 1 : 0; to <= from + 1 && to < 8; to++) {
            for (int k = 0; k < 4; k++) {
                codec->move[n] = (struct rf_chess_move){
                    (uint8_t)(48 + from), (uint8_t)(56 + to), (uint8_t)(RF_CHESS_KNIGHT + k)};
                codec->promotion[from][to][k] = (int16_t)n++;
            }
        }
    }
}

int rf_chess_move_number(const struct rf_chess_codec *codec, const struct rf_chess *position,
                         struct rf_chess_move move)
{
    if (position->side == RF_CHESS_BLACK)
        move = rf_chess_move_flip(move);
    if (move.promotion == RF_CHESS_NONE)
        return codec->plain[move.from][move.to];
    if (move.from >> 3 != 6 || move.to >> 3 != 7)
        return -1;
    return codec->promotion[move.from & 7][move.to & 7][move.promotion - RF_CHESS_KNIGHT];
}

struct rf_chess_move rf_chess_numbered_move(const struct rf_chess_codec *codec,
                                            const struct rf_chess *position, int number)
{
    struct rf_chess_move move = codec->move[number];

    return position->side == RF_CHESS_BLACK ? rf_chess_move_flip(move) : move;
}

int rf_chess_text(const struct rf_chess *position, int question,
                  int32_t tokens[RF_CHESS_TEXT_MAX])
{
    struct rf_chess view = *position;
    uint8_t at[12][16];
    int count[12] = {0}, n = 0;

    if (position->side == RF_CHESS_BLACK)
        rf_chess_flip(position, &view);
    for (int s = 0; s < 64; s++) {
        int piece = view.board[s];
        int man = (piece & 7) - 1 + (piece & RF_CHESS_BLACK_PIECE ? 6 : 0);

        if (piece != 0 && count[man] < 16)
            at[man][count[man]++] = (uint8_t)s;
    }
    for (int theirs = 0; theirs < 2; theirs++) {
        for (int kind = RF_CHESS_KING; kind >= RF_CHESS_PAWN; kind--) {
            int man = kind - 1 + 6 * theirs;

            for (int i = 0; i < count[man] && n < 32; i++)
                tokens[n++] = RF_CHESS_TOKEN_MAN + man * 64 + at[man][i];
        }
    }
    for (int k = 0; k < 4; k++) {
        if (view.castling & 1 << k)
            tokens[n++] = RF_CHESS_TOKEN_CASTLING + k;
    }
    if (view.passant >= 0)
        tokens[n++] = RF_CHESS_TOKEN_PASSANT + (view.passant & 7);
    tokens[n++] = RF_CHESS_TOKEN_QUESTION + question;
    return n;
}

uint64_t rf_chess_key(const struct rf_chess *position)
{
    int32_t tokens[RF_CHESS_TEXT_MAX];
    int n = rf_chess_text(position, 0, tokens);
    uint64_t key = 0x9e3779b97f4a7c15u;

    for (int i = 0; i < n; i++) {
        key = (key ^ (uint64_t)tokens[i]) * 0xff51afd7ed558ccdu;
        key ^= key >> 32;
    }
    return key;
}

void rf_chess_parts(const struct rf_chess_codec *codec, int32_t parts[][RF_CHESS_PARTS])
{
    enum { KIND = 0, SQUARE = 12, TO = SQUARE + 64, PROMOTION = TO + 64 };

    for (int t = 0; t < RF_CHESS_VOCABULARY; t++)
        parts[t][0] = parts[t][1] = parts[t][2] = -1;
    for (int man = 0; man < 12 * 64; man++) {
        parts[RF_CHESS_TOKEN_MAN + man][0] = KIND + man / 64;
        parts[RF_CHESS_TOKEN_MAN + man][1] = SQUARE + man % 64;
    }
    for (int n = 0; n < RF_CHESS_NMOVES; n++) {
        int32_t *part = parts[RF_CHESS_TOKEN_MOVE + n];

        part[0] = SQUARE + codec->move[n].from;
        part[1] = TO + codec->move[n].to;
        if (codec->move[n].promotion != RF_CHESS_NONE)
            part[2] = PROMOTION + codec->move[n].promotion;
    }
}
