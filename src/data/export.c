#include "data/export.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/chess_rules.h"
#include "data/chess_text.h"

static const char *const SPLITS[RF_NSPLITS] = {[RF_SPLIT_WEAK] = "weak",
                                               [RF_SPLIT_STRONG] = "strong",
                                               [RF_SPLIT_VALIDATION] = "validation",
                                               [RF_SPLIT_TEST] = "test"};
static const char HEADING[] = "fen\tlabel\tsplit\n";
/* A FEN, two TABs, "yes", "validation", LF and NUL. */
enum { LINE_BYTES = RF_CHESS_FEN_BYTES + 20 };

static const struct rf_builtin BUILTINS[] = {
    {"chess-rules", "material", "has the mover more material than the opponent?"},
    {"chess-rules", "check", "is the mover in check?"},
    {"chess-rules", "hanging", "can the mover win a man at once, by taking it?"},
};

const struct rf_builtin *rf_builtin_at(int i)
{
    int n = (int)(sizeof BUILTINS / sizeof BUILTINS[0]);

    return i >= 0 && i < n ? &BUILTINS[i] : NULL;
}

/* The way back from rf_chess_text(), from the mover's side: White is to move. */
static void read_tokens(struct rf_chess *position, const int32_t *tokens, int n)
{
    static const uint8_t rights[] = {RF_CHESS_WHITE_SHORT, RF_CHESS_WHITE_LONG,
                                     RF_CHESS_BLACK_SHORT, RF_CHESS_BLACK_LONG};

    *position = (struct rf_chess){.side = RF_CHESS_WHITE, .passant = -1, .move_number = 1};
    for (int i = 0; i < n; i++) {
        int token = tokens[i];

        if (token >= RF_CHESS_TOKEN_MAN && token < RF_CHESS_TOKEN_CASTLING) {
            int man = (token - RF_CHESS_TOKEN_MAN) / 64;
            int square = (token - RF_CHESS_TOKEN_MAN) % 64;
            int theirs = man / 6, kind = man % 6 + 1;

            position->board[square] =
                (uint8_t)(kind + (theirs ? (int)RF_CHESS_BLACK_PIECE : 0));
            if (kind == RF_CHESS_KING)
                position->king[theirs] = (uint8_t)square;
        } else if (token >= RF_CHESS_TOKEN_CASTLING && token < RF_CHESS_TOKEN_PASSANT) {
            position->castling |= rights[token - RF_CHESS_TOKEN_CASTLING];
        } else if (token >= RF_CHESS_TOKEN_PASSANT && token < RF_CHESS_TOKEN_QUESTION) {
            /* behind a pawn of theirs that has made two steps: on the sixth rank */
            position->passant = (int8_t)(5 * 8 + token - RF_CHESS_TOKEN_PASSANT);
        }
    }
}

static size_t write_split(char *to, const struct rf_examples *examples, const char *split)
{
    size_t used = 0;

    for (int i = 0; i < examples->n; i++) {
        struct rf_chess position;
        char fen[RF_CHESS_FEN_BYTES];
        int n;

        read_tokens(&position, examples->tokens + examples->start[i],
                    examples->start[i + 1] - examples->start[i]);
        rf_chess_write(&position, fen);
        n = snprintf(to + used, LINE_BYTES, "%s\t%s\t%s\n", fen,
                     examples->label[i] ? "yes" : "no", split);
        assert(n > 0 && n < LINE_BYTES);
        used += (size_t)n;
    }
    return used;
}

enum rf_status rf_export_rules(const struct rf_task *task, char **text, size_t *size,
                               struct rf_error *err)
{
    size_t room = sizeof HEADING;

    assert(rf_task_info(task)->label_begin == RF_CHESS_TOKEN_NO);
    for (int s = 0; s < RF_NSPLITS; s++)
        room += (size_t)rf_task_split(task, (enum rf_split)s)->n * LINE_BYTES;
    *size = 0;
    *text = malloc(room);
    if (*text == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %zu bytes of examples", room);
    memcpy(*text, HEADING, sizeof HEADING);
    *size = sizeof HEADING - 1;
    for (int s = 0; s < RF_NSPLITS; s++)
        *size += write_split(*text + *size, rf_task_split(task, (enum rf_split)s), SPLITS[s]);
    return RF_OK;
}
